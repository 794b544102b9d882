"""Summaries: the numbers against the model, the looks against R's prints."""

from __future__ import annotations

import itertools
import math
import re
import warnings
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
from mixedmodels.printing.text import abbreviate, decimals, p_values

# What R 4.2.2 and lme4 1.1-31 print for these models (trailing blanks removed, R's data line aside;
# the variance of intercepts is 11.88699 there, short of the optimum).
PRINTED = {
    "random intercepts": (
        lambda: clinic.fit(clinic.INTERCEPTS),
        """
Linear mixed model fit by REML
Formula: anxiety ~ therapy_sessions + (1 | clinic)
   Data: 300 rows

REML criterion at convergence: 1987.4

Scaled residuals:
    Min      1Q  Median      3Q     Max
-2.6938 -0.6003  0.0369  0.6260  2.8516

Random effects:
 Groups   Name        Variance Std.Dev.
 clinic   (Intercept) 31.08    5.575
 Residual             38.37    6.194
Number of obs: 300, groups:  clinic, 15

Fixed effects:
                 Estimate Std. Error t value
(Intercept)      50.94217    1.60141   31.81
therapy_sessions -1.41266    0.05985  -23.61

Correlation of Fixed Effects:
            (Intr)
thrpy_sssns -0.377
""",
    ),
    "random slopes by ML": (
        lambda: clinic.fit(clinic.SLOPES, REML=False),
        """
Linear mixed model fit by maximum likelihood
Formula: anxiety ~ therapy_sessions + (therapy_sessions | clinic)
   Data: 300 rows

     AIC      BIC   logLik deviance df.resid
  1984.2   2006.4   -986.1   1972.2      294

Scaled residuals:
    Min      1Q  Median      3Q     Max
-2.8383 -0.6491  0.0213  0.6310  2.7686

Random effects:
 Groups   Name             Variance Std.Dev. Corr
 clinic   (Intercept)      10.52515 3.244
          therapy_sessions  0.06759 0.260    0.63
 Residual                  35.86482 5.989
Number of obs: 300, groups:  clinic, 15

Fixed effects:
                 Estimate Std. Error t value
(Intercept)      51.01934    1.07781   47.34
therapy_sessions -1.42963    0.08871  -16.12

Correlation of Fixed Effects:
            (Intr)
thrpy_sssns  0.016
""",
    ),
    "ordinary regression": (
        clinic.ordinary,
        """
Linear regression by least squares
Formula: anxiety ~ therapy_sessions
   Data: 300 rows

Residuals:
    Min      1Q  Median      3Q     Max
-22.698  -5.192   0.602   5.202  24.648

Coefficients:
                 Estimate Std. Error t value Pr(>|t|)
(Intercept)      50.47281    0.91674   55.06   <2e-16 ***
therapy_sessions -1.36616    0.07773  -17.58   <2e-16 ***
---
Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1

Residual standard error: 8.215 on 298 degrees of freedom
Multiple R-squared:  0.509,\tAdjusted R-squared:  0.5074
F-statistic: 308.9 on 1 and 298 DF,  p-value: < 2.2e-16
""",
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_print(name: str) -> None:
    model, expected = PRINTED[name]
    m = model()
    text = str(m.summary("none" if isinstance(m, mm.LinearMixedModel) else None))
    assert text.startswith(expected.strip("\n")), text


WITH_TESTS = """
Fixed effects:
                 Estimate Std. Error    df t value Pr(>|t|)
(Intercept)      51.01660    1.11944 12.75   45.57 1.67e-15 ***
therapy_sessions -1.42970    0.09193 13.51  -15.55 5.20e-10 ***
---
Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1
"""


def test_print_with_tests() -> None:
    text = str(clinic.fit(clinic.SLOPES).summary())
    assert text.startswith("Linear mixed model fit by REML. t-tests use Satterthwaite's method\n")
    assert WITH_TESTS.strip("\n") in text


# --- Numbers ---


def test_t_values_without_p_values() -> None:
    s = clinic.fit(clinic.SLOPES).summary("none")
    assert list(s.coefficients.columns) == ["Estimate", "Std. Error", "t value"]
    assert s.coefficients.loc["therapy_sessions", "t value"] == pytest.approx(-15.552, abs=1e-3)
    assert s.title == "Linear mixed model fit by REML"


def test_z_values() -> None:
    s = clinic.fit(clinic.SLOPES).summary("asymptotic")
    assert list(s.coefficients.columns) == ["Estimate", "Std. Error", "z value", "Pr(>|z|)"]
    assert "z-tests use the normal distribution" in str(s)


DF = {  # lmerTest 3.1-3, pbkrtest 0.5.2
    "satterthwaite": [12.7526, 13.5100],
    "kenward-roger": [13.8974818, 13.9403436],
}


@pytest.mark.parametrize("ddf", DF)
def test_degrees_of_freedom(ddf: str) -> None:
    s = clinic.fit(clinic.SLOPES).summary(ddf)
    assert s.coefficients["df"].tolist() == pytest.approx(DF[ddf], rel=1e-5)
    assert s.ddf == ddf


def test_residual_degrees_of_freedom() -> None:
    s = clinic.fit(clinic.SLOPES).summary(ddf="residual")
    assert list(s.coefficients.columns) == ["Estimate", "Std. Error", "df", "t value", "Pr(>|t|)"]
    assert (s.coefficients["df"] == 298).all()
    assert "residual degrees of freedom" in s.title


def test_a_method_that_does_not_exist() -> None:
    with pytest.raises(mm.ArgumentError, match="ddf='between': choose one of satterthwaite"):
        clinic.fit(clinic.SLOPES).summary(ddf="between")


def test_ordinary_regression_numbers() -> None:
    s = clinic.ordinary().summary()
    assert s.r_squared == pytest.approx(0.509003564341745)
    assert s.adj_r_squared == pytest.approx(0.507355925295912)
    assert s.f_statistic == pytest.approx(308.929049496023)
    assert s.f_df == (1, 298)
    assert s.f_p_value == pytest.approx(6.03106878238876e-48)
    assert s.coefficients["Pr(>|t|)"].iloc[1] == pytest.approx(6.03106878238945e-48)
    expected = [-22.6976525870308, -5.19198700329256, 0.602472989540312]
    assert list(s.residuals)[:3] == pytest.approx(expected)


def test_weighted_regression_through_the_origin() -> None:
    rng = np.random.default_rng(1)
    x, w = rng.uniform(1, 2, 50), rng.uniform(0.5, 2, 50)
    y = 3 * x + rng.normal(size=50)
    s = mm.lm("y ~ 0 + x", {"y": y, "x": x, "w": w}, weights="w").summary()
    slope = np.sum(w * x * y) / np.sum(w * x * x)
    rss = np.sum(w * (y - slope * x) ** 2)
    assert s.r_squared == pytest.approx(1 - rss / np.sum(w * y**2))
    assert s.f_df == (1, 49)
    assert s.f_statistic == pytest.approx(s.coefficients["t value"].iloc[0] ** 2)
    assert "Weighted residuals" in str(s)


def test_intercept_only_has_no_f_test() -> None:
    s = mm.lm("anxiety ~ 1", clinic.data()).summary()
    assert math.isnan(s.f_statistic)
    assert "F-statistic" not in str(s)


# --- Looks ---


def test_long_names_stay_aligned() -> None:
    long = "a_predictor_with_a_very_long_name_indeed"
    data = clinic.data().rename(columns={"therapy_sessions": long, "clinic": "the_clinic_visited"})
    m = mm.lmer(f"anxiety ~ {long} + ({long} | the_clinic_visited)", data)
    text = str(m.summary("none"))
    fixed = text.split("Fixed effects:\n")[1].split("\n\n")[0].splitlines()
    assert len({len(line) for line in fixed}) == 1
    random = text.split("Random effects:\n")[1].split("\nNumber")[0].splitlines()
    at = random[0].index("Variance")
    assert all(re.match(r" \s*\d", line[at - 1 :]) is not None for line in random[1:])


def test_missing_rows_and_weights_are_stated() -> None:
    text = str(clinic.three_levels().summary())
    assert "Data: 1204 of 1288 rows" in text
    assert "84 rows with missing values dropped: anxiety (84)." in text
    assert "groups:  patient_id, 322; clinic, 15" in text
    weighted = mm.lmer(clinic.INTERCEPTS, clinic.data().assign(w=1.5), weights="w")
    assert "Data: 300 rows, weights w" in str(weighted.summary())


def test_many_fixed_effects_hide_their_correlations() -> None:
    data = clinic.data()
    rng = np.random.default_rng(0)
    for k in range(12):
        data = data.assign(**{f"x{k}": rng.normal(size=len(data))})
    formula = "anxiety ~ " + " + ".join(f"x{k}" for k in range(12)) + " + (1 | clinic)"
    s = mm.lmer(formula, data).summary()
    assert "not printed for p = 13" in str(s)
    assert s.correlation.shape == (13, 13)


def test_correlations_that_are_zero_have_no_sign() -> None:
    cake = pd.DataFrame(itertools.product("ABC", range(6), range(5)), columns=["f", "t", "g"])
    cake["y"] = np.random.default_rng(3).normal(size=len(cake)) + cake["g"]
    text = str(mm.lmer("y ~ f * poly(t, 2) + (1 | g)", cake).summary())
    assert " 0.000" in text
    assert "-0.000" not in text


class _Balanced(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


HTML = {
    "mixed": lambda: clinic.fit(clinic.SLOPES),
    "mixed summary": lambda: clinic.fit(clinic.SLOPES, REML=False).summary(),
    "ordinary": clinic.ordinary,
    "variances": lambda: clinic.fit(clinic.SLOPES).varcorr,
}


@pytest.mark.parametrize("name", HTML)
def test_html(name: str) -> None:
    html = HTML[name]()._repr_html_()
    parser = _Balanced()
    parser.feed(html)
    assert parser.open == []
    assert "(Intercept)" in html


def test_html_escapes_names() -> None:
    data = clinic.data().rename(columns={"clinic": "<b>"})
    html = mm.lmer("anxiety ~ 1 + (1 | `<b>`)", data)._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize("model", [lambda: clinic.fit(clinic.SLOPES), clinic.ordinary])
def test_one_line_representation(model: Any) -> None:
    m = model()
    assert "\n" not in repr(m)
    assert "300 rows" in repr(m)
    assert str(m) == str(m.summary())


def test_convergence_failure_is_stated() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m = mm.lmer(clinic.SLOPES, clinic.data(), control=mm.Control(max_evaluations=2))
    assert "did not converge" in str(m.summary())


# --- Numbers as R prints them ---

# values, digits → what R's format() gives, blanks removed
FORMATTED = [
    ([612.0899, 35.07166, 654.941], 4, ["612.09", "35.07", "654.94"]),
    ([31.07643, 38.36723], 4, ["31.08", "38.37"]),
    ([1.0, 2.0], 4, ["1", "2"]),
    ([0.00001234, 0.00002], 4, ["1.234e-05", "2.000e-05"]),
    ([1e10, 2e10], 4, ["1e+10", "2e+10"]),
    ([0.0], 4, ["0"]),
    ([math.nan, 1.5], 4, ["NaN", "1.5"]),
    ([math.inf, -math.inf, 2.25], 4, ["Inf", "-Inf", "2.25"]),
]


@pytest.mark.parametrize(("values", "digits", "expected"), FORMATTED)
def test_decimals(values: list[float], digits: int, expected: list[str]) -> None:
    assert decimals(values, digits) == expected


def test_p_values() -> None:
    assert p_values([1e-20, 0.0009127466, 0.52, math.nan]) == ["<2e-16", "0.000913", "0.52", ""]


# names, length → R's abbreviate()
ABBREVIATED = [
    (["(Intercept)"], 6, ["(Intr)"]),
    (["Days"], 6, ["Days"]),
    (["therapy_sessions"], 11, ["thrpy_sssns"]),
]


@pytest.mark.parametrize(("names", "length", "expected"), ABBREVIATED)
def test_abbreviate(names: list[str], length: int, expected: list[str]) -> None:
    assert abbreviate(names, length) == expected


def test_abbreviations_are_unique() -> None:
    names = ["temperature_one", "temperature_two", "temperature_three"]
    assert len(set(abbreviate(names, 6))) == 3
