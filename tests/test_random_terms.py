"""`mm.ranova`: lmerTest's numbers, the reduced models, and p-values on the boundary."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import chdtrc

import clinic
import mixedmodels as mm
import reference_data


@functools.cache
def fit(formula: str, data: str, REML: bool = True) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return mm.lmer(formula, reference_data.load(data), REML=REML)


def references() -> list[str]:
    folder = reference_data.ROOT / "inference"
    names = [path.stem for path in sorted(folder.glob("lmertest_*.json"))]
    return [
        name for name in names if "ranova" in reference_data.read_json(f"inference/{name}.json")
    ]


@pytest.mark.parametrize("name", references())
def test_lmertest(name: str) -> None:
    reference = reference_data.read_json(f"inference/{name}.json")
    expected = pd.DataFrame(reference["ranova"]).T.astype(float)
    table = mm.ranova(fit(reference["formula"], reference["data"]))
    assert list(table.index) == list(expected.index)
    assert list(table.columns) == [*expected.columns, "Pr(mixture)"]
    np.testing.assert_allclose(table[expected.columns], expected, rtol=1e-6)


# data and random terms → rows, each with the random terms of the reduced model ("": none)
REDUCED: dict[tuple[str, str], dict[str, str]] = {
    ("Machines", "(1 | Worker)"): {"(1 | Worker)": ""},
    ("Machines", "(0 + Machine | Worker)"): {
        "Machine in (0 + Machine | Worker)": "(1 | Worker)",
    },
    ("Machines", "(1 | Worker) + (1 | Worker:Machine)"): {
        "(1 | Worker)": "(1 | Worker:Machine)",
        "(1 | Worker:Machine)": "(1 | Worker)",
    },
    ("sleepstudy", "(0 + Days | Subject)"): {"Days in (0 + Days | Subject)": ""},
    ("sleepstudy", "(Days || Subject)"): {
        "(1 | Subject)": "(0 + Days | Subject)",
        "Days in (0 + Days | Subject)": "(1 | Subject)",
    },
    ("sleepstudy", "(Days + I(Days^2) | Subject)"): {
        "Days in (Days + I(Days^2) | Subject)": "(I(Days^2) | Subject)",
        "I(Days^2) in (Days + I(Days^2) | Subject)": "(Days | Subject)",
    },
}
FIXED = {"Machines": "score ~ Machine", "sleepstudy": "Reaction ~ Days"}


@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
@pytest.mark.parametrize("REML", [True, False])
@pytest.mark.parametrize(("data", "random"), REDUCED)
def test_reduced_models(data: str, random: str, REML: bool) -> None:
    m = fit(f"{FIXED[data]} + {random}", data, REML)
    table = mm.ranova(m)
    expected = REDUCED[data, random]
    assert list(table.index) == ["<none>", *expected]
    for row, terms in expected.items():
        if terms:
            smaller = fit(f"{FIXED[data]} + {terms}", data, REML)
            value, npar = smaller._minus2loglik, smaller.npar
        else:
            o = mm.lm(FIXED[data], reference_data.load(data))
            value, npar = o.reml_criterion if REML else o.deviance, o.npar
        assert -2 * table.loc[row, "logLik"] == pytest.approx(value, rel=1e-9)
        assert table.loc[row, "npar"] == npar
        assert table.loc[row, "LRT"] == pytest.approx(value - m._minus2loglik, abs=1e-6)
    assert ("REML" if REML else "maximum likelihood") in table.title


def test_a_factor_that_repeats_an_intercept_is_left_out() -> None:
    m = fit("score ~ Machine + (Machine || Worker)", "Machines")
    table = mm.ranova(m)
    intercepts = fit("score ~ Machine + (1 | Worker)", "Machines")
    row = table.loc["Machine in (0 + Machine | Worker)"]
    assert -2 * row["logLik"] == pytest.approx(intercepts.reml_criterion)
    # the intercept adds nothing to one effect a level: no gain has probability one
    assert table.loc["(1 | Worker)", "LRT"] == 0
    assert table.loc["(1 | Worker)", "Pr(mixture)"] == 1


# random terms → degrees of freedom of the mixture's two parts, None where there is none
MIXTURES: dict[tuple[str, str], tuple[int, int] | None] = {
    ("Machines", "(1 | Worker)"): (0, 1),
    ("sleepstudy", "(Days | Subject)"): (1, 2),
    ("Machines", "(Machine | Worker)"): None,
}


@pytest.mark.parametrize(("data", "random"), MIXTURES)
def test_mixture(data: str, random: str) -> None:
    table = mm.ranova(fit(f"{FIXED[data]} + {random}", data))
    x, p = table["LRT"].iloc[1], table["Pr(mixture)"].iloc[1]
    parts = MIXTURES[data, random]
    if parts is None:
        assert np.isnan(p)
        assert "mm.bootstrap_lrt" in str(table)
    else:
        below = chdtrc(parts[0], x) if parts[0] else 0.0
        assert p == pytest.approx((below + chdtrc(parts[1], x)) / 2)
        assert f"½χ²({parts[0]}) + ½χ²({parts[1]})" in " ".join(table.notes)


def test_exact_test_is_named_where_there_is_one() -> None:
    assert "mm.exact_rlrt(m)" in str(mm.ranova(clinic.fit(clinic.INTERCEPTS)))
    assert "mm.exact_rlrt(m)" not in str(mm.ranova(clinic.fit(clinic.SLOPES)))


def test_singular_fit() -> None:
    table = mm.ranova(fit("Yield ~ 1 + (1 | Batch)", "Dyestuff2"))
    assert table.loc["(1 | Batch)", "LRT"] == 0
    assert table.loc["(1 | Batch)", "Pr(mixture)"] == 1


@pytest.mark.filterwarnings("ignore::mixedmodels.MissingDataWarning")
def test_the_rows_weights_and_offset_stay() -> None:
    """The slope's covariate is missing in rows that a model without it would use."""
    rng = np.random.default_rng(2)
    data = clinic.data().assign(
        z=rng.normal(size=300), w=rng.uniform(1, 2, 300), o=rng.normal(size=300)
    )
    data.loc[::9, "z"] = np.nan
    data["anxiety"] += data["z"].fillna(0) * rng.normal(0, 2, 15)[data["clinic"].cat.codes]
    options = {"weights": "w", "offset": "o"}
    m = mm.lmer(f"{clinic.FIXED} + (z | clinic)", data, **options)
    smaller = mm.lmer(clinic.INTERCEPTS, data.dropna(), **options)
    table = mm.ranova(m)
    assert -2 * table["logLik"].iloc[1] == pytest.approx(smaller.reml_criterion, rel=1e-9)


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "ordinary regression": (clinic.ordinary, mm.ArgumentError, "got LinearModel"),
    "from arrays": (
        lambda: mm.lmer_arrays(
            clinic.data()["anxiety"], np.ones((300, 1)), [(np.ones(300), clinic.data()["clinic"])]
        ),
        mm.DataError,
        "ranova needs a formula",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        mm.ranova(make())
