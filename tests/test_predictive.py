"""Quantiles of predictive distributions against scipy.stats and brute-force integration."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import stats

import mixedmodels as mm
from mixedmodels.inference.distributions import response_cdf
from mixedmodels.predictions.predictive import response_quantiles

N = 60


def fitted(family: Any) -> Any:
    """A regression of this family, whatever its data: what counts is its dispersion."""
    random = np.random.default_rng(1)
    x = random.uniform(-1, 1, N)
    name = family.name
    mean = np.asarray(family.kernel(2.0).mean(np.full(N, 0.7)))
    y = {
        "binomial": lambda: random.binomial(1, 0.6, N),
        "beta": lambda: random.beta(3, 2, N),
        "gaussian": lambda: random.normal(mean, 0.8),
        "inverse_gaussian": lambda: random.wald(mean, 4.0),
        "gamma": lambda: random.gamma(3.0, mean / 3.0),
    }.get(name, lambda: random.negative_binomial(2, 0.4, N))()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return mm.glm("y ~ x", {"y": y.astype(float), "x": x}, family=family)


FAMILIES = {
    "binomial": mm.families.binomial(),
    "poisson": mm.families.poisson(),
    "negative binomial": mm.families.negative_binomial(theta=1.5),
    "nb1": mm.families.nb1(),
    "gamma": mm.families.Gamma(link="log"),
    "inverse Gaussian": mm.families.inverse_gaussian(link="log"),
    "gaussian": mm.families.gaussian(link="log"),
    "beta": mm.families.beta(),
}


def distribution(m: Any, mean: Any, weight: float, trials: float) -> Any:
    """The family's distribution by scipy.stats."""
    phi, shape = m.sigma**2 / weight, m.dispersion
    return {
        "binomial": lambda: stats.binom(trials, mean),
        "poisson": lambda: stats.poisson(mean),
        "negative_binomial": lambda: stats.nbinom(shape, shape / (shape + mean)),
        "nb1": lambda: stats.nbinom(mean / shape, 1 / (1 + shape)),
        "gamma": lambda: stats.gamma(1 / phi, scale=phi * mean),
        "inverse_gaussian": lambda: stats.invgauss(phi * mean, scale=1 / phi),
        "gaussian": lambda: stats.norm(mean, np.sqrt(phi)),
        "beta": lambda: stats.beta(mean * shape, (1 - mean) * shape),
    }[m.family.name]()


def quantile(m: Any, p: float, eta: float, sd: float, weight: float, trials: float) -> float:
    one = np.ones(1)
    arguments = (eta * one, sd**2 * one, weight * one, trials * one)
    return float(response_quantiles(m, p, *arguments)[0])


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("p", [0.025, 0.5, 0.975])
def test_of_a_certain_mean_it_is_the_familys(name: str, p: float) -> None:
    m, eta, weight, trials = fitted(FAMILIES[name]), 0.4, 2.0, 12.0
    mean = m._mean(np.array([eta]))[0]
    expected = distribution(m, mean, weight, trials).ppf(p)
    expected = expected / trials if name == "binomial" else expected
    assert quantile(m, p, eta, 0.0, weight, trials) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("sd", [0.05, 0.5, 2.0])
def test_of_an_uncertain_mean_it_splits_the_mixture(name: str, sd: float) -> None:
    """P(Y ≤ quantile) is p, or for counts the first that reaches it, by 8001 nodes."""
    m, eta, weight, trials = fitted(FAMILIES[name]), 0.4, 2.0, 12.0
    z = np.linspace(-8, 8, 8_001)
    share = np.exp(-0.5 * z**2)
    share /= share.sum()
    mixed = distribution(m, m._mean(eta + sd * z), weight, trials)

    def reached(y: float) -> float:
        return float(share @ mixed.cdf(y))

    for p in (0.025, 0.3, 0.975):
        y = quantile(m, p, eta, sd, weight, trials) * (trials if name == "binomial" else 1)
        if m.family.is_discrete:
            assert y == pytest.approx(round(y), abs=1e-9)
            assert reached(round(y)) >= p > reached(round(y) - 1)
        else:
            # With a deviation of 0.005 of that of η the Gaussian is narrower than the nodes.
            tolerance = 3e-4 if (name, sd) == ("gaussian", 2.0) else 2e-6
            assert reached(y) == pytest.approx(p, abs=tolerance)


@pytest.mark.parametrize("trials", [10.0, 1e3, 1e6])
def test_of_many_trials_it_is_that_of_the_mean(trials: float) -> None:
    """The family's own scatter vanishes, and with it the width of the steps in the integrand."""
    m = fitted(FAMILIES["binomial"])
    for p in (0.025, 0.975):
        y = quantile(m, p, 0.3, 0.8, 1.0, trials)
        limit = 1 / (1 + np.exp(-0.3 - 0.8 * stats.norm.ppf(p)))
        assert y == pytest.approx(limit, abs=2.5 / trials + 2e-3)


def test_values_of_the_link_without_a_mean_are_left_out() -> None:
    random = np.random.default_rng(1)
    data = {"x": np.zeros(N), "y": random.gamma(3.0, 1.0, N)}
    m = mm.glm("y ~ 1", data, family=mm.families.Gamma(link="inverse"))
    low, high = (quantile(m, p, 0.5, 0.3, 1.0, 1.0) for p in (0.1, 0.9))
    assert 0 < low < 2 < high < np.inf


def test_missing_values_stay_missing() -> None:
    m = fitted(FAMILIES["poisson"])
    eta = np.array([0.1, np.nan, 0.2])
    got = response_quantiles(m, 0.5, eta, np.array([0.1, 0.1, np.nan]), np.ones(3), np.ones(3))
    assert np.isnan(got).tolist() == [False, True, True]


def test_distribution_functions_outside_of_the_support() -> None:
    mean, scale = np.array([0.4]), np.array([2.0])
    for name in ("binomial", "poisson", "negative_binomial", "nb1", "gamma", "inverse_gaussian"):
        assert response_cdf(name, np.array([-1.0]), mean, scale)[0] == 0
    assert response_cdf("beta", np.array([1.5]), mean, scale)[0] == 1
    assert response_cdf("binomial", np.array([7.0]), mean, scale)[0] == 1
