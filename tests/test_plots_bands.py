"""Bands of Q-Q plots: coverage by simulation, and what is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import mixedmodels as mm
from mixedmodels.plots.bands import DRAWN, normal_band, normal_scores, order_statistics


@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("n", [3, 7, 60, 400])
def test_simultaneous_coverage(n: int, standardised: bool) -> None:
    ranks = order_statistics(n)
    low, high = normal_band(ranks, n, 0.9, "simultaneous", standardised=standardised)
    samples = np.sort(np.random.default_rng(n).normal(size=(4_000, n)), axis=1)
    if standardised:
        samples -= samples.mean(axis=1, keepdims=True)
        samples /= samples.std(axis=1, ddof=1, keepdims=True) * np.sqrt(1 - 1 / n)
    inside = ((low <= samples) & (samples <= high)).all(axis=1)
    # calibrated on 300 of the ranks and 2,000 samples: standard errors of 0.005 and 0.007
    assert inside.mean() == pytest.approx(0.9, abs=0.03)


@pytest.mark.parametrize("n", [1, 25, 1_000_000])
def test_pointwise_bands_are_quantiles_of_order_statistics(n: int) -> None:
    ranks = order_statistics(n)
    low, high = normal_band(ranks, n, 0.95, "pointwise")
    beta = stats.beta(ranks, n + 1 - ranks)
    np.testing.assert_allclose(low, stats.norm.ppf(beta.ppf(0.025)), atol=1e-9)
    np.testing.assert_allclose(high, stats.norm.ppf(beta.ppf(0.975)), atol=1e-6)


def test_one_observation_has_the_normal_interval() -> None:
    for band in ("simultaneous", "pointwise"):
        low, high = normal_band(np.array([1.0]), 1, 0.95, band)  # type: ignore[arg-type]
        assert high[0] == -low[0] == pytest.approx(1.96, abs=0.03)


def test_simultaneous_bands_are_wider_and_symmetrical() -> None:
    ranks = order_statistics(50)
    low, high = normal_band(ranks, 50, 0.95, "simultaneous")
    known = normal_band(ranks, 50, 0.95, "simultaneous", standardised=False)
    inner = normal_band(ranks, 50, 0.95, "pointwise")
    assert (low < inner[0]).all()
    assert (high > inner[1]).all()
    assert (high < known[1]).all()
    np.testing.assert_allclose(low, -high[::-1])
    assert np.array_equal(low, normal_band(ranks, 50, 0.95, "simultaneous")[0])


def test_order_statistics_of_many_are_symmetrical_and_keep_the_tails() -> None:
    n = 123_456
    ranks = order_statistics(n)
    assert len(ranks) <= DRAWN
    assert ranks[:50].tolist() == list(range(1, 51))
    assert np.array_equal(ranks, n + 1 - ranks[::-1])
    assert np.diff(normal_scores(ranks, n)[50:-50]).max() < 0.02


def test_errors() -> None:
    ranks = order_statistics(5)
    with pytest.raises(mm.ArgumentError, match="choose simultaneous or pointwise"):
        normal_band(ranks, 5, 0.95, "wide")  # type: ignore[arg-type]
    with pytest.raises(mm.ArgumentError, match="between 0 and 1"):
        normal_band(ranks, 5, 95, "pointwise")
