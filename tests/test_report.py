"""The results paragraph: what it says, its numbers, and the directions it puts into words."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
import reference_data
from mixedmodels.reporting import apa


def quiet(formula: str, data: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return mm.lmer(formula, data, **options)


@pytest.fixture(scope="module")
def slopes() -> Any:
    return clinic.fit(clinic.SLOPES)


# --- Numbers ---

NUMBERS = {
    -1.4297: "-1.43",
    0.0: "0.00",
    0.005: "0.01",
    0.0012: "0.0012",
    -0.00012: "-0.00012",
    3.2e-7: "3.2 × 10⁻⁷",
    1234.567: "1234.57",
    math.nan: "nan",
}
SHARES = {0.552: ".55", -0.3: "-.30", 1.0: "1.00", -0.999: "-1.00", 0.0: ".00"}
P_VALUES = {
    0.0004: "p < .001",
    0.001: "p = .001",
    0.0344: "p = .034",
    0.5: "p = .500",
    0.9999: "p > .999",
}


def test_apa_rounding() -> None:
    for value, text in NUMBERS.items():
        assert apa.number(value) == text
    for value, text in SHARES.items():
        assert apa.share(value) == text
    for value, text in P_VALUES.items():
        assert apa.Style(markdown=False).p(value) == text
    assert apa.Style(markdown=True).p(0.0344) == "*p* = .034"
    assert apa.Style(markdown=True).name("a`b") == "`` a`b ``"


# --- The tutorial's paragraph ---

TUTORIAL = [
    "linear mixed model (anxiety ~ therapy_sessions + (therapy_sessions | clinic))",
    "restricted maximum likelihood to 300 observations (15 levels of clinic)",
    "use Satterthwaite's method",
    "The intercept, the expected anxiety at therapy_sessions = 0, was b = 51.02, SE = 1.12, "
    "95% CI [48.59, 53.44], t(12.75) = 45.57, p < .001.",
    "b = -1.43, SE = 0.09, 95% CI [-1.63, -1.23], t(13.51) = -15.55, p < .001",
    "3.45 for the intercept and 0.28 for the effect of therapy_sessions (r = .55) between levels "
    "of clinic; the residual SD was 5.99",
    "ICC = .48",
    "R² = .53 of all variance (marginal)",
    "R² = .75 (conditional)",
    "against the smaller model (anxiety ~ therapy_sessions + (1 | clinic)) gave χ²(2) = 14.00, "
    "p < .001, or p < .001 by the even mixture of χ²(1) and χ²(2)",
    "AIC was 1984.16 against 1994.16 (both fitted by maximum likelihood)",
]


def test_tutorial(slopes: Any) -> None:
    text = slopes.report(clinic.fit(clinic.INTERCEPTS))
    for piece in TUTORIAL:
        assert piece in text
    assert "\n" not in text
    assert "likelihood-ratio" not in slopes.report()


def test_markdown(slopes: Any) -> None:
    text = slopes.report(format="markdown")
    for piece in ("*b* = -1.43", "*t*(13.51)", "*p* < .001", "*R*² = .53", "(*r* = .55)", "*SD*"):
        assert piece in text
    assert f"`{clinic.SLOPES}`" in text
    plain = slopes.report()
    assert text.replace("*", "").replace("`", "") == plain.replace("*", "").replace("`", "")
    with pytest.raises(mm.ArgumentError, match="text or markdown"):
        slopes.report(format="html")


# --- Intercept and slope ---

# signs of y and x → the words for the tutorial's slopes (mean -1.43, correlation +.55) so changed
DIRECTIONS = {
    (1, 1): "weaker (less negative) effect of x, that is, a weaker reduction of y",
    (-1, -1): "stronger (more negative) effect of x, that is, a stronger reduction of y",
    (-1, 1): "stronger (more positive) effect of x, that is, a stronger increase of y",
    (1, -1): "weaker (less positive) effect of x, that is, a weaker increase of y",
}


@pytest.mark.parametrize("signs", DIRECTIONS)
def test_direction(signs: tuple[int, int]) -> None:
    d = clinic.data()
    data = d.assign(y=signs[0] * d["anxiety"], x=signs[1] * d["therapy_sessions"])
    m = mm.lmer("y ~ x + (x | clinic)", data)
    text = m.report()
    assert DIRECTIONS[signs] in text
    assert text.count("weaker") + text.count("stronger") == 2
    # and so it is: own slopes against own intercepts
    own = m.coef()["clinic"]
    high = own["(Intercept)"] > own["(Intercept)"].median()
    steeper = own.loc[high, "x"].abs().mean() > own.loc[~high, "x"].abs().mean()
    assert steeper == ("stronger" in text)


def flat(d: pd.DataFrame) -> pd.DataFrame:
    return d.assign(anxiety=d["anxiety"] + 1.4 * d["therapy_sessions"])


SILENT: dict[str, Callable[[], Any]] = {
    "random intercepts": lambda: clinic.fit(clinic.INTERCEPTS),
    "no correlation in the model": lambda: clinic.fit(clinic.UNCORRELATED),
    "a correlation near zero": lambda: quiet(
        "Reaction ~ Days + (Days | Subject)", reference_data.load("sleepstudy")
    ),
    "a mean slope near zero": lambda: quiet(clinic.SLOPES, flat(clinic.data())),
    "no mean slope": lambda: quiet("anxiety ~ 1 + (therapy_sessions | clinic)", clinic.data()),
    "a correlation of 1": lambda: quiet(
        clinic.SLOPES, clinic.data().groupby("clinic", observed=True).head(4)
    ),
    "an interaction": lambda: quiet(
        f"{clinic.FIXED} * age + (therapy_sessions | clinic)",
        clinic.data().assign(age=np.arange(300) % 7),
    ),
    "effects without an intercept": lambda: quiet(
        "score ~ Machine + (0 + Machine | Worker)", reference_data.load("Machines")
    ),
}


@pytest.mark.parametrize("name", SILENT)
def test_silence(name: str) -> None:
    text = SILENT[name]().report()
    assert "weaker" not in text
    assert "stronger" not in text


# --- What the intercept is ---

CAKE = "angle ~ recipe + temp + (1 | recipe:replicate)"

INTERCEPTS: dict[str, tuple[Callable[[], Any], str]] = {
    "base level": (
        lambda: quiet(CAKE, reference_data.load("cake")),
        "the expected angle at temp = 0 and recipe = A, was",
    ),
    "sum contrasts": (
        lambda: quiet(CAKE, reference_data.load("cake"), contrasts={"recipe": "sum"}),
        "at temp = 0 and the mean of the levels of recipe, was",
    ),
    "intercept only": (
        lambda: quiet("anxiety ~ 1 + (1 | clinic)", clinic.data()),
        "The intercept, the overall expected anxiety, was",
    ),
    "transformed": (
        lambda: quiet("anxiety ~ scale(therapy_sessions) + (1 | clinic)", clinic.data()),
        "at scale(therapy_sessions) = 0, was",
    ),
    "offset": (
        lambda: quiet(clinic.INTERCEPTS, clinic.data(), offset=np.ones(300)),
        "at therapy_sessions = 0 and an offset of 0, was",
    ),
    "arrays": (
        lambda: mm.lmer_arrays(
            clinic.data()["anxiety"],
            np.column_stack([np.ones(300), clinic.data()["therapy_sessions"]]),
            [(np.ones(300), clinic.data()["clinic"])],
        ),
        "the expected anxiety at x2 = 0, was",
    ),
}


@pytest.mark.parametrize("name", INTERCEPTS)
def test_intercept(name: str) -> None:
    make, words = INTERCEPTS[name]
    assert words in make().report()


def test_no_intercept() -> None:
    text = quiet("anxiety ~ 0 + therapy_sessions + (1 | clinic)", clinic.data()).report()
    assert "The intercept" not in text
    assert "The estimated effect of therapy_sessions was b =" in text
    assert "b =" not in quiet("anxiety ~ 0 + (1 | clinic)", clinic.data()).report()


# --- What else it has to say ---


def test_rows_weights_and_dropped_columns() -> None:
    assert "Of 1288 rows, 84 with missing values were left out." in clinic.three_levels().report()
    d = clinic.data().assign(w=[0.0, *[2.0] * 299], twice=lambda d: 2 * d["therapy_sessions"])
    text = quiet(f"{clinic.FIXED} + twice + (1 | clinic)", d, weights="w").report()
    assert "299 observations (15 levels of clinic), with prior weights w." in text
    assert "Of 300 rows, 1 of weight zero were left out." in text
    assert "Not estimable, being combinations of others: twice." in text


def test_several_groups() -> None:
    text = clinic.three_levels().report()
    assert "(322 levels of patient_id; 15 levels of clinic)" in text
    assert "ICC = .55 (intercepts alone: .30 for patient_id and .25 for clinic)" in text


def test_singular_and_unconverged_fits() -> None:
    d = reference_data.load("Dyestuff2")
    assert "The fit is singular" in quiet("Yield ~ 1 + (1 | Batch)", d).report()
    stopped = quiet(clinic.SLOPES, clinic.data(), control=mm.Control(max_evaluations=2))
    assert not stopped.converged
    assert "did not converge, so these numbers are provisional" in stopped.report()
    text = clinic.fit(clinic.INTERCEPTS).report(stopped)
    assert "did not converge" in text
    assert "singular" not in clinic.fit(clinic.SLOPES).report()


def test_ordinary_regression() -> None:
    text = clinic.ordinary().report()
    for piece in (
        "A linear regression (anxiety ~ therapy_sessions) was fitted by ordinary least squares",
        "t(298) = -17.58, p < .001",
        "R² = .51 of the variance (adjusted R² = .51), F(1, 298) = 308.93, p < .001",
        "the residual SD was 8.21",
    ):
        assert piece in text
    weighted = mm.lm(clinic.FIXED, clinic.data(), weights=np.full(300, 2.0))
    assert "weighted least squares" in weighted.report()


# --- Comparisons ---


def test_comparison_with_a_larger_model(slopes: Any) -> None:
    text = clinic.fit(clinic.INTERCEPTS).report(slopes)
    assert f"against the larger model ({clinic.SLOPES}) gave χ²(2) = 14.00" in text
    assert "AIC was 1994.16 against 1984.16" in text
    text = clinic.ordinary().report(slopes)
    assert "(conservative, because the null hypothesis has a variance of zero" in text


def test_comparison_without_a_boundary() -> None:
    by_ml = clinic.fit(clinic.SLOPES, REML=False)
    smaller = quiet("anxiety ~ 1 + (therapy_sessions | clinic)", clinic.data(), REML=False)
    text = by_ml.report(smaller)
    assert "χ²(1) = " in text
    assert "mixture" not in text
    assert "both fitted" not in text
    same = quiet("anxiety ~ patient_id + (1 | clinic)", clinic.data().assign(patient_id=range(300)))
    text = same.report(clinic.fit(clinic.INTERCEPTS))
    assert "Compared with another model of as many parameters" in text


def test_other_data_are_refused(slopes: Any) -> None:
    with pytest.raises(mm.DataError, match="different data"):
        slopes.report(quiet(clinic.INTERCEPTS, clinic.data().iloc[:200]))
    with pytest.raises(mm.ArgumentError, match="fitted models"):
        slopes.report("the other one")
