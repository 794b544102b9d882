"""Overdispersion and zeros: the numbers by their definitions, the size and power of the tests."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mixedmodels as mm
import reference_data

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@functools.cache
def counts(seed: int = 1, zeros: float = 0.0, n: int = 300) -> pd.DataFrame:
    r = np.random.default_rng(seed)
    x, g = r.normal(size=n), r.integers(0, 15, n)
    y = r.poisson(np.exp(0.3 + 0.4 * x))
    return pd.DataFrame({"x": x, "g": g, "y": np.where(r.random(n) < zeros, 0, y)})


def poisson(data: pd.DataFrame) -> Any:
    return mm.glm("y ~ x", data, family="poisson")


# --- Overdispersion ---


def test_pearson_s_statistic() -> None:
    m = mm.glmer(CBPP, reference_data.load("cbpp"))
    check = m.overdispersion()
    assert check.statistic == pytest.approx((m.residuals("pearson") ** 2).sum())
    assert (check.df, check.ratio) == (51, check.statistic / 51)
    assert check.p_value == pytest.approx(stats.chi2.sf(check.statistic, 51))
    assert "ratio 1.237, p = 0.1195" in str(check)
    assert "<p>" in check._repr_html_()


def test_inflated_zeros_are_overdispersion() -> None:
    check = poisson(counts(zeros=0.4)).overdispersion()
    assert check.p_value < 1e-4
    assert "(1 | row)" in str(check)
    assert "negative_binomial" in str(check)
    assert "No sign" in str(poisson(counts()).overdispersion())


def test_the_negative_binomial_is_no_way_out_of_a_binomial() -> None:
    check = mm.glm("cbind(incidence, size - incidence) ~ period", reference_data.load("cbpp"))
    text = str(check.overdispersion())
    assert "a random effect for every row (1 | row)." in text
    assert "negative_binomial" not in text


def test_a_random_effect_for_every_row_takes_it_up() -> None:
    data = counts(zeros=0.4).assign(row=lambda d: d.index)
    check = mm.glmer("y ~ x + (1 | row)", data, family="poisson").overdispersion()
    assert check.ratio < 1
    assert "'row' has a level for every row" in str(check)


# --- Zeros ---


def test_expected_zeros() -> None:
    o = poisson(counts())
    check = o.zero_inflation()
    assert check.observed == (counts()["y"] == 0).sum()
    assert check.expected == pytest.approx(np.exp(-o.fitted).sum())
    assert check.ratio == pytest.approx(check.observed / check.expected)


def test_expected_zeros_of_other_families() -> None:
    data = reference_data.load("cbpp")
    o = mm.glm("cbind(incidence, size - incidence) ~ period", data)
    expected = ((1 - o.fitted) ** data["size"]).sum()
    assert o.zero_inflation().expected == pytest.approx(expected)
    m = mm.glm("y ~ x", counts(zeros=0.3), family="negative_binomial")
    theta = m.dispersion
    expected = ((theta / (theta + m.fitted)) ** theta).sum()
    assert m.zero_inflation().expected == pytest.approx(expected)
    assert m.zero_inflation().p_value is None


def test_the_test_of_zeros_holds_its_level() -> None:
    """z is standard normal over replicates, which it is not without β's part of the variance."""
    r = np.random.default_rng(8)
    data = counts(n=150)
    mean = np.exp(0.3 + 0.4 * data["x"])
    p = []
    for _ in range(200):
        p.append(poisson(data.assign(y=r.poisson(mean))).zero_inflation().p_value)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_too_many_zeros_are_found() -> None:
    check = poisson(counts(zeros=0.3)).zero_inflation()
    assert check.ratio > 1.2
    assert check.p_value is not None
    assert check.p_value < 1e-3


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_with_random_effects_no_p_value_and_the_reason() -> None:
    check = mm.glmer("y ~ x + (1 | g)", counts(zeros=0.3), family="poisson").zero_inflation()
    assert check.p_value is None
    assert "m.quantile_tests" in str(check)


# --- Where there is nothing to check ---


def test_refused() -> None:
    binary = counts().assign(b=lambda d: (d["y"] > 1).astype(int))
    o = mm.glm("b ~ x", binary)
    with pytest.raises(mm.ArgumentError, match=r"0/1 in every row.*Aggregate"):
        o.overdispersion()
    with pytest.raises(mm.ArgumentError, match="0/1 in every row"):
        o.zero_inflation()
    gamma = mm.glm("y_gamma ~ x", reference_data.load("glmmsim"), family="Gamma", link="log")
    with pytest.raises(mm.ArgumentError, match="estimates its dispersion"):
        gamma.overdispersion()
    with pytest.raises(mm.ArgumentError, match="no counts"):
        gamma.zero_inflation()
