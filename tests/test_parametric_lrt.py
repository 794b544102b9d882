"""Likelihood-ratio tests by parametric bootstrap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
from reference_data import load


@pytest.fixture(scope="module")
def models():
    data = load("sleepstudy")
    return (
        mm.lmer("Reaction ~ Days + (1 | Subject)", data),
        mm.lmer("Reaction ~ Days + (Days | Subject)", data),
    )


def test_definition(models):
    m0, m1 = models
    test = mm.bootstrap_lrt(m0, m1, nsim=20, seed=4)
    by_ml = [m.update(REML=False) for m in models]
    assert test.statistic == pytest.approx(by_ml[0].deviance - by_ml[1].deviance, rel=1e-9)
    y = by_ml[0].simulate(20, seed=4)
    expected = by_ml[0].refit(y).criterion - by_ml[1].refit(y).criterion
    np.testing.assert_allclose(test.null, expected, atol=1e-9)
    assert (test.null > -1e-7).all()
    assert test.p_value == 1 / 21
    assert test.df == 2
    assert "χ²(2)" in str(test)


def test_ordinary_regression_as_the_null():
    data = load("Dyestuff")
    m0, m1 = mm.lm("Yield ~ 1", data), mm.lmer("Yield ~ 1 + (1 | Batch)", data, REML=False)
    test = mm.bootstrap_lrt(m0, m1, nsim=2000, seed=1)
    assert test.statistic == pytest.approx(m0.deviance - m1.deviance, rel=1e-9)
    # For balanced data LR is a monotone function of F(5, 24), above its smallest value.
    from scipy.stats import f

    groups = [group["Yield"].to_numpy() for _, group in data.groupby("Batch", observed=True)]
    means = np.array([group.mean() for group in groups])
    between = 5 * ((means - data["Yield"].mean()) ** 2).sum() / 5
    within = sum(((group - group.mean()) ** 2).sum() for group in groups) / 24
    exact = f.sf(between / within, 5, 24)
    assert abs(test.p_value - exact) < 5 * np.sqrt(exact / 2000)
    assert test.n_singular > 1000


def test_p_values_are_uniform_under_the_null():
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"g": np.repeat(np.arange(8), 6), "x": rng.normal(size=48)})
    data["y"] = rng.normal(size=8)[data["g"]] + rng.normal(size=48)
    base = mm.lmer("y ~ 1 + (1 | g)", data)
    p = []
    for k, y in base.simulate(60, seed=9).items():
        m0 = base.refit(y)
        m1 = mm.lmer("y ~ x + (1 | g)", data.assign(y=y))
        p.append(mm.bootstrap_lrt(m0, m1, nsim=99, seed=int(k)).p_value)
    assert 0.35 < np.mean(p) < 0.65
    assert np.mean(np.array(p) <= 0.05) < 0.2


def test_threads_change_no_bit(models):
    first, *others = (mm.bootstrap_lrt(*models, nsim=50, n_threads=k).null for k in (1, 2, 3))
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_refusals(models):
    m0, m1 = models
    with pytest.raises(mm.ArgumentError, match="smaller model first"):
        mm.bootstrap_lrt(m1, m0)
    with pytest.raises(mm.ArgumentError, match="fitted models"):
        mm.bootstrap_lrt(m0, "m1")
    other = mm.lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy").iloc[:170])
    with pytest.raises(mm.DataError, match="different data"):
        mm.bootstrap_lrt(m0, other)
