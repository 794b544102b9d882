"""Families and links for the dense oracle, written from their densities with scipy.

Derivatives are in μ; `dense_generalised` takes them to η by the chain rule. Nothing is shared with
the kernel, and nothing guards the far tails: for tests at moderate linear predictors only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import expit, gammaln, ndtr, polygamma, psi, xlog1py, xlogy

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Link:
    """μ(η), dμ/dη and d²μ/dη²."""

    mean: Callable[[Array], Array]
    slope: Callable[[Array], Array]
    bend: Callable[[Array], Array]


def _normal_density(eta: Array) -> Array:
    return np.exp(-(eta**2) / 2) / np.sqrt(2 * np.pi)


LINKS = {
    "logit": Link(
        expit,
        lambda eta: expit(eta) * expit(-eta),
        lambda eta: expit(eta) * expit(-eta) * (expit(-eta) - expit(eta)),
    ),
    "probit": Link(ndtr, _normal_density, lambda eta: -eta * _normal_density(eta)),
    "cloglog": Link(
        lambda eta: -np.expm1(-np.exp(eta)),
        lambda eta: np.exp(eta - np.exp(eta)),
        lambda eta: np.exp(eta - np.exp(eta)) * (1 - np.exp(eta)),
    ),
    "cauchit": Link(
        lambda eta: 0.5 + np.arctan(eta) / np.pi,
        lambda eta: 1 / (np.pi * (1 + eta**2)),
        lambda eta: -2 * eta / (np.pi * (1 + eta**2) ** 2),
    ),
    "log": Link(np.exp, np.exp, np.exp),
    "identity": Link(lambda eta: eta, np.ones_like, np.zeros_like),
    "sqrt": Link(
        lambda eta: np.where(eta > 0, eta**2, np.nan),
        lambda eta: 2 * eta,
        lambda eta: np.full_like(eta, 2.0),
    ),
    "inverse": Link(lambda eta: 1 / eta, lambda eta: -(eta**-2), lambda eta: 2 * eta**-3),
    "1/mu^2": Link(
        lambda eta: eta**-0.5, lambda eta: -0.5 * eta**-1.5, lambda eta: 0.75 * eta**-2.5
    ),
}


@dataclass(frozen=True)
class Family:
    """A distribution of y given μ, and φ where it has a dispersion parameter of its own.

    All but `aic` are per row, of unit size and weight: a row's log-likelihood is its size times
    its weight times these (`log_density` takes the size, for the binomial coefficient).
    """

    deviance: Callable[[Array, Array, float], Array]  # contribution to R's deviance
    score: Callable[[Array, Array, float], Array]  # ∂ log f/∂μ
    curvature: Callable[[Array, Array, float], Array]  # −∂² log f/∂μ²
    information: Callable[[Array, float], Array]  # E[−∂² log f/∂μ²]
    inside: Callable[[Array], NDArray[np.bool_]]  # means that the family allows
    log_density: Callable[[Array, Array, Array, float], Array] | None = None  # (y, size, μ, φ)
    aic: Callable[[Array, Array, Array, float], float] | None = None  # (y, μ, weights, deviance)

    @property
    def profiles_dispersion(self) -> bool:
        """σ² is profiled out as lme4 does; score and curvature are those of −½ deviance."""
        return self.aic is not None


def exponential(
    variance: Callable[[Array, float], Array],
    variance_slope: Callable[[Array, float], Array],
    deviance: Callable[[Array, Array, float], Array],
    inside: Callable[[Array], NDArray[np.bool_]],
    log_density: Callable[[Array, Array, Array, float], Array] | None = None,
    aic: Callable[[Array, Array, Array, float], float] | None = None,
) -> Family:
    """An exponential-dispersion family: ∂ log f/∂μ = (y − μ)/V(μ)."""
    return Family(
        deviance,
        lambda y, mu, phi: (y - mu) / variance(mu, phi),
        lambda y, mu, phi: (
            1 / variance(mu, phi) + (y - mu) * variance_slope(mu, phi) / variance(mu, phi) ** 2
        ),
        lambda mu, phi: 1 / variance(mu, phi),
        inside,
        log_density,
        aic,
    )


def positive(mu: Array) -> NDArray[np.bool_]:
    return mu > 0


def proportion(mu: Array) -> NDArray[np.bool_]:
    return (mu > 0) & (mu < 1)


def _log_binomial(y: Array, size: Array, mu: Array, phi: float) -> Array:
    successes, failures = size * y, size * (1 - y)
    coefficient = gammaln(size + 1) - gammaln(successes + 1) - gammaln(failures + 1)
    return coefficient + xlogy(successes, mu) + xlog1py(failures, -mu)


def _gamma_aic(y: Array, mu: Array, weights: Array, deviance: float) -> float:
    phi = deviance / weights.sum()
    return float(-2 * (weights * stats.gamma.logpdf(y, 1 / phi, scale=mu * phi)).sum() + 2)


def _inverse_gaussian_aic(y: Array, mu: Array, weights: Array, deviance: float) -> float:
    total = weights.sum()
    at_phi = total * (np.log(2 * np.pi * deviance / total) + 1)
    return float(at_phi + 3 * (weights * np.log(y)).sum() + 2)


def _gaussian_aic(y: Array, mu: Array, weights: Array, deviance: float) -> float:
    n = len(y)
    return float(n * (np.log(2 * np.pi * deviance / n) + 1) + 2 - np.log(weights).sum())


def _nb1_log_density(y: Array, size: Array, mu: Array, phi: float) -> Array:
    return np.asarray(stats.nbinom.logpmf(y, mu / phi, 1 / (1 + phi)))


def _nb1_score(y: Array, mu: Array, phi: float) -> Array:
    return np.asarray((psi(y + mu / phi) - psi(mu / phi) - np.log1p(phi)) / phi)


def _nb1_curvature(y: Array, mu: Array, phi: float) -> Array:
    return np.asarray((polygamma(1, mu / phi) - polygamma(1, y + mu / phi)) / phi**2)


def _beta_score(y: Array, mu: Array, phi: float) -> Array:
    return np.asarray(phi * (np.log(y) - np.log1p(-y) - psi(mu * phi) + psi((1 - mu) * phi)))


def _beta_information(mu: Array, phi: float) -> Array:
    return np.asarray(phi**2 * (polygamma(1, mu * phi) + polygamma(1, (1 - mu) * phi)))


def _undefined(y: Array, mu: Array, phi: float) -> Array:
    return np.full_like(mu, np.nan)


FAMILIES = {
    "binomial": exponential(
        lambda mu, phi: mu * (1 - mu),
        lambda mu, phi: 1 - 2 * mu,
        lambda y, mu, phi: (
            2 * (xlogy(y, y) - xlogy(y, mu) + xlog1py(1 - y, -y) - xlog1py(1 - y, -mu))
        ),
        proportion,
        log_density=_log_binomial,
    ),
    "poisson": exponential(
        lambda mu, phi: mu,
        lambda mu, phi: np.ones_like(mu),
        lambda y, mu, phi: 2 * (xlogy(y, y / mu) - (y - mu)),
        positive,
        log_density=lambda y, size, mu, phi: stats.poisson.logpmf(y, mu),
    ),
    "negative_binomial": exponential(
        lambda mu, phi: mu + mu**2 / phi,
        lambda mu, phi: 1 + 2 * mu / phi,
        lambda y, mu, phi: 2 * (xlogy(y, y / mu) - (y + phi) * np.log((y + phi) / (mu + phi))),
        positive,
        log_density=lambda y, size, mu, phi: stats.nbinom.logpmf(y, phi, phi / (phi + mu)),
    ),
    "gamma": exponential(
        lambda mu, phi: mu**2,
        lambda mu, phi: 2 * mu,
        lambda y, mu, phi: 2 * (-np.log(y / mu) + (y - mu) / mu),
        positive,
        aic=_gamma_aic,
    ),
    "inverse_gaussian": exponential(
        lambda mu, phi: mu**3,
        lambda mu, phi: 3 * mu**2,
        lambda y, mu, phi: (y - mu) ** 2 / (y * mu**2),
        positive,
        aic=_inverse_gaussian_aic,
    ),
    "gaussian": exponential(
        lambda mu, phi: np.ones_like(mu),
        lambda mu, phi: np.zeros_like(mu),
        lambda y, mu, phi: (y - mu) ** 2,
        np.isfinite,
        aic=_gaussian_aic,
    ),
    "nb1": Family(
        _undefined,
        _nb1_score,
        _nb1_curvature,
        lambda mu, phi: 1 / (mu * (1 + phi)),  # quasi-likelihood: there is no closed form
        positive,
        log_density=_nb1_log_density,
    ),
    "beta": Family(
        _undefined,
        _beta_score,
        lambda y, mu, phi: _beta_information(mu, phi),  # y enters the score linearly
        _beta_information,
        proportion,
        log_density=lambda y, size, mu, phi: stats.beta.logpdf(y, mu * phi, (1 - mu) * phi),
    ),
}

LINKS_OF = {
    "binomial": ["logit", "probit", "cloglog", "cauchit", "log", "identity"],
    "poisson": ["log", "sqrt", "identity"],
    "negative_binomial": ["log", "sqrt", "identity"],
    "nb1": ["log", "sqrt", "identity"],
    "gamma": ["inverse", "log", "identity"],
    "inverse_gaussian": ["1/mu^2", "inverse", "log", "identity"],
    "gaussian": ["log", "inverse", "identity"],
    "beta": ["logit", "probit", "cloglog", "cauchit", "log"],
}
