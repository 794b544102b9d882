"""Constant variance over fitted values and over groups: by dense algebra and against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mixedmodels as mm
from check_examples import faulty
from mixedmodels.diagnostics.check_report import Check, Skipped
from mixedmodels.diagnostics.checks_of_residuals import (
    departure,
    grade_normality,
    normal_residuals,
    one_variance,
    same_in_groups,
)
from mixedmodels.diagnostics.normality import Normality

DATA = faulty()


@pytest.mark.parametrize("response", ["sound", "grows"])
@pytest.mark.parametrize("weights", [False, True])
def test_breusch_pagan_is_n_r_squared_of_the_auxiliary_regression(
    response: str, weights: bool
) -> None:
    w = np.linspace(0.5, 2, len(DATA)) if weights else None
    m = mm.lmer(f"{response} ~ x + (1 | g)", DATA, weights=w)
    (check,) = one_variance(m)
    assert isinstance(check, Check)
    squares = m.residuals("pearson").to_numpy() ** 2
    X = np.column_stack([np.ones(m.nobs), m.fitted])
    left = squares - X @ np.linalg.lstsq(X, squares, rcond=None)[0]
    lm = m.nobs * (1 - (left**2).sum() / ((squares - squares.mean()) ** 2).sum())
    assert check.statistic == pytest.approx(lm)
    assert check.p_value == pytest.approx(stats.chi2.sf(lm, 1))


@pytest.mark.parametrize("response", ["sound", "differs"])
def test_levene_s_test_is_brown_and_forsythe_s(response: str) -> None:
    m = mm.lmer(f"{response} ~ x + (1 | g)", DATA)
    (check,) = same_in_groups(m)
    assert isinstance(check, Check)
    groups = [r.to_numpy() for _, r in m.residuals().groupby(DATA["g"])]
    expected = stats.levene(*groups, center="median")
    assert check.statistic == pytest.approx(expected.statistic)
    assert check.p_value == pytest.approx(expected.pvalue)


def test_small_groups_are_left_out_of_levene_s_test() -> None:
    d = DATA[(DATA["g"] != 3) | (DATA.groupby("g").cumcount() < 4)]
    m = mm.lmer("sound ~ x + (1 | g)", d)
    (check,) = same_in_groups(m)
    assert isinstance(check, Check)
    groups = [r.to_numpy() for g, r in m.residuals().groupby(d["g"]) if g != 3]
    assert check.statistic == pytest.approx(stats.levene(*groups, center="median").statistic)
    pairs = DATA.assign(g=np.arange(len(DATA)) // 2)
    (skipped,) = same_in_groups(mm.lmer("sound ~ x + (1 | g)", pairs))
    assert isinstance(skipped, Skipped)


def test_the_row_to_look_at_is_named() -> None:
    d = DATA.set_index(DATA.index.map("row {}".format)).assign(y=DATA["sound"].to_numpy())
    d.loc["row 77", "y"] += 15
    (check,) = normal_residuals(mm.lm("y ~ x", d))
    assert isinstance(check, Check)
    assert "first at row 'row 77', whose residual is" in check.advice


SHAPES = {
    "ok": Normality(0.99, 0.5, 0.6, 0.0),
    "note": Normality(0.95, 0.001, -0.7, 0.2),
    "problem": Normality(0.8, 1e-9, 0.1, 4.0),
}


@pytest.mark.parametrize("verdict", SHAPES)
def test_normality_is_graded_by_shape_and_certainty(verdict: str) -> None:
    assert grade_normality(SHAPES[verdict]) == verdict


def test_certain_and_harmless() -> None:
    assert grade_normality(Normality(0.999, 1e-12, 0.1, 0.3)) == "ok"


def test_shapes_in_words() -> None:
    assert departure(SHAPES["ok"], "ok").startswith("no clear departure (skewness 0.60")
    assert departure(SHAPES["note"], "note").startswith("a long tail to the left (")
    assert departure(SHAPES["problem"], "problem").startswith("more extreme values than")


def test_generalised_models_have_no_residuals_of_this_kind() -> None:
    m = mm.glmer("count ~ x + (1 | g)", DATA, family="poisson")
    assert normal_residuals(m) == one_variance(m) == same_in_groups(m) == []


def test_four_rows_are_too_few_and_equal_fitted_values_no_trend() -> None:
    (skipped,) = normal_residuals(mm.lm("sound ~ x", DATA[:4]))
    assert isinstance(skipped, Skipped)
    assert one_variance(mm.lm("sound ~ 1", DATA)) == []
