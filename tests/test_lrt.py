"""Likelihood-ratio tests: numbers, refits, refusals, and variances on the boundary."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import chdtrc

import clinic
import mixedmodels as mm


def quiet(*models: Any, **options: Any) -> mm.LikelihoodRatioTable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.BoundaryWarning)
        return mm.anova(*models, **options)


@pytest.fixture
def intercepts() -> Any:
    return clinic.fit(clinic.INTERCEPTS)


@pytest.fixture
def slopes() -> Any:
    return clinic.fit(clinic.SLOPES)


# lme4's anova() of the tutorial's models, by ML and of the REML criteria (tests/reference)
TUTORIAL = {
    True: {
        "AIC": [1994.16060060193, 1984.16249597912],
        "BIC": [2008.97573050055, 2006.38519082706],
        "logLik": [-993.080300300964, -986.081247989562],
        "Chisq": [np.nan, 13.9981046228045],
        "Df": [np.nan, 2],
        "Pr(>Chisq)": [np.nan, 0.000912746555311996],
    },
    False: {
        "AIC": [1995.36536962308, 1985.10909100467],
        "deviance": [1987.36536962308, 1973.10909100467],
        "Chisq": [np.nan, 14.2562786184085],
        "Pr(>Chisq)": [np.nan, 0.000802210665660097],
    },
}


@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("order", [1, -1])
def test_numbers(refit: bool, order: int, intercepts: Any, slopes: Any) -> None:
    table = quiet(*(intercepts, slopes)[::order], refit=refit)
    for column, expected in TUTORIAL[refit].items():
        np.testing.assert_allclose(table[column], expected, rtol=1e-6)
    assert list(table["npar"]) == [4, 6]
    assert list(table.index) == ["model 1", "model 2"][::order]


def test_refit_is_said(intercepts: Any, slopes: Any) -> None:
    assert "refitted by ML" in quiet(intercepts, slopes).notes[0]
    by_ml = [clinic.fit(f, REML=False) for f in (clinic.INTERCEPTS, clinic.SLOPES)]
    table = quiet(*by_ml)
    assert not any("refitted" in note for note in table.notes)
    np.testing.assert_allclose(table, quiet(intercepts, slopes), rtol=1e-8)
    assert intercepts.reml  # the models themselves are as they were


def test_ordinary_regression_beside_mixed_models(intercepts: Any, slopes: Any) -> None:
    table = quiet(clinic.ordinary(), intercepts, slopes)
    assert table["deviance"].iloc[0] == pytest.approx(2112.90592704265)
    x = 2112.90592704265 - 1986.16060060193
    assert table["Chisq"].iloc[1] == pytest.approx(x)
    assert table["Pr(mixture)"].iloc[1] == pytest.approx(chdtrc(1, x) / 2)
    reml = quiet(clinic.ordinary(), intercepts, refit=False)
    assert reml["deviance"].iloc[0] == pytest.approx(clinic.ordinary().reml_criterion)


def test_it_is_a_frame_that_prints(intercepts: Any, slopes: Any) -> None:
    table = quiet(intercepts, slopes)
    assert isinstance(table, pd.DataFrame)
    assert type(table.iloc[:1]) is pd.DataFrame
    text = str(table)
    for piece in [clinic.SLOPES, "1994.2", "1986.2", "13.998", "0.0009127", "0.0005479", "½χ²(1)"]:
        assert piece in text
    html = table._repr_html_()
    assert "13.998" in html
    assert "½χ²(1)" in html


# --- Variances on the boundary ---

# smaller, larger → degrees of freedom of the mixture's two parts, or None where there is none
MIXTURES: dict[str, tuple[str, str, tuple[int, int] | None]] = {
    "slope joins a correlated intercept": (clinic.INTERCEPTS, clinic.SLOPES, (1, 2)),
    "slope beside the intercept": (clinic.INTERCEPTS, clinic.UNCORRELATED, (0, 1)),
    "term of its own": (
        clinic.INTERCEPTS,
        f"{clinic.FIXED} + (1 | clinic) + (1 | ward)",
        (0, 1),
    ),
    "third effect": (
        f"{clinic.FIXED} + age + (therapy_sessions | clinic)",
        f"{clinic.FIXED} + age + (therapy_sessions + age | clinic)",
        (2, 3),
    ),
}


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    """The clinics with effects of age and of wards added, every variance well above zero."""
    rng = np.random.default_rng(8)
    data = clinic.data().assign(age=rng.normal(size=300), ward=rng.integers(0, 20, 300))
    data["anxiety"] += rng.normal(0, 3, 20)[data["ward"]]
    data["anxiety"] += data["age"] * rng.normal(0, 3, 15)[data["clinic"].cat.codes]
    return data


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
@pytest.mark.parametrize("name", MIXTURES)
def test_mixture(name: str, data: pd.DataFrame) -> None:
    small, large, parts = MIXTURES[name]
    models = [mm.lmer(formula, data) for formula in (small, large)]
    with pytest.warns(mm.BoundaryWarning, match="boundary"):
        table = mm.anova(*models)
    x = table["Chisq"].iloc[1]
    assert parts is not None
    below = 0.0 if parts[0] == 0 else chdtrc(parts[0], x)
    assert table["Pr(mixture)"].iloc[1] == pytest.approx((below + chdtrc(parts[1], x)) / 2)
    assert table["Pr(mixture)"].iloc[1] < table["Pr(>Chisq)"].iloc[1]


def test_the_tutorial_s_mixture(intercepts: Any, slopes: Any) -> None:
    assert quiet(intercepts, slopes)["Pr(mixture)"].iloc[1] == pytest.approx(0.000548, abs=5e-7)


SIMULATED = {
    "two effects at once": (
        clinic.INTERCEPTS,
        f"{clinic.FIXED} + (therapy_sessions + age | clinic)",
    ),
    "two terms at once": (f"{clinic.FIXED} + (1 | ward)", f"{clinic.SLOPES} + (1 | ward)"),
    "fixed effects change too": (clinic.INTERCEPTS, f"{clinic.SLOPES} + age"),
}


@pytest.mark.parametrize("name", SIMULATED)
def test_elsewhere_simulation_is_needed(name: str, data: pd.DataFrame) -> None:
    models = [mm.lmer(formula, data) for formula in SIMULATED[name]]
    with pytest.warns(mm.BoundaryWarning, match="simulation"):
        table = mm.anova(*models)
    assert "Pr(mixture)" not in table
    assert "simulation" in str(table)


REGULAR = {
    "a correlation": (clinic.UNCORRELATED, clinic.SLOPES),
    "a fixed effect": (clinic.INTERCEPTS, f"{clinic.FIXED} + age + (1 | clinic)"),
}


@pytest.mark.parametrize("name", REGULAR)
def test_no_boundary(name: str, data: pd.DataFrame) -> None:
    models = [mm.lmer(formula, data) for formula in REGULAR[name]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = mm.anova(*models)
    assert "Pr(mixture)" not in table


def test_equal_numbers_of_parameters(data: pd.DataFrame) -> None:
    models = [mm.lmer(f"anxiety ~ {x} + (1 | clinic)", data) for x in ("age", "therapy_sessions")]
    table = quiet(*models)
    assert table["Df"].iloc[1] == 0
    assert np.isnan(table["Pr(>Chisq)"].iloc[1])


def test_models_that_are_not_nested(data: pd.DataFrame) -> None:
    small = mm.lmer(clinic.INTERCEPTS, data)
    large = mm.lmer("anxiety ~ ward + patient_id + (1 | clinic)", data)
    table = quiet(small, large)
    assert table["Chisq"].iloc[1] == 0
    assert "not nested" in str(table)


# --- Refusals ---


def other(formula: str = clinic.INTERCEPTS, **options: Any) -> Callable[[], Any]:
    return lambda: mm.lmer(formula, options.pop("data", clinic.data()), **options)


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "fewer rows": (other(data=clinic.data().iloc[:-1]), mm.DataError, "300 and 299 rows"),
    "another response": (
        other("log(anxiety + 9) ~ 1 + (1 | clinic)"),
        mm.DataError,
        "different responses",
    ),
    "other rows": (other(data=clinic.data().iloc[::-1]), mm.DataError, "different responses"),
    "weights": (other(weights=np.linspace(1, 2, 300)), mm.DataError, "different weights"),
    "not a model": (lambda: "model", mm.ArgumentError, "fitted models"),
    "the same model": (lambda: clinic.fit(clinic.SLOPES), mm.DataError, "twice"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str, slopes: Any) -> None:
    make, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        mm.anova(slopes, make())


def test_one_model_is_not_enough(slopes: Any) -> None:
    with pytest.raises(mm.ArgumentError, match="two or more"):
        mm.anova(slopes)


def test_reml_criteria_of_different_fixed_effects(slopes: Any) -> None:
    m = mm.lmer("anxiety ~ 1 + (1 | clinic)", clinic.data())
    with pytest.raises(mm.DataError, match="different fixed effects"):
        mm.anova(m, slopes, refit=False)
    with pytest.raises(mm.DataError, match="REML and ML"):
        mm.anova(clinic.fit(clinic.INTERCEPTS, REML=False), slopes, refit=False)


def test_weights_of_one_are_no_weights(slopes: Any) -> None:
    quiet(mm.lmer(clinic.INTERCEPTS, clinic.data(), weights=np.ones(300)), slopes)


def test_chisq_prints_to_four_decimals(intercepts: Any, slopes: Any) -> None:
    """As R's printCoefmat: a small statistic does not lengthen the others."""
    text = str(quiet(clinic.ordinary(), intercepts, clinic.fit(clinic.UNCORRELATED), slopes))
    cells = [line.split()[7] for line in text.splitlines() if re.match(r"model [234]  ", line)]
    assert cells == ["126.7453", "12.4854", "1.5128"]
