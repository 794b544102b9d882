"""Tail probabilities and quantiles, from scipy.special (scipy.stats takes two seconds to import).

Infinite degrees of freedom mean the normal and χ² distributions; NaN gives NaN.
"""

from __future__ import annotations

from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError

__all__ = [
    "binomial_interval",
    "check_level",
    "chi2_quantile",
    "chi2_upper",
    "f_upper",
    "normal_quantile",
    "normal_upper",
    "response_cdf",
    "t_quantile",
    "t_two_sided",
    "trigamma",
]

Array = NDArray[np.float64]


def check_level(
    level: float, argument: str = "level", what: str = "a coverage between 0 and 1, such as 0.95"
) -> None:
    """Refuse what is not between 0 and 1."""
    if not (isinstance(level, Real) and 0 < float(level) < 1):
        raise ArgumentError(f"{argument} is {level!r}; expected {what}")


def binomial_interval(successes: int, trials: int, level: float) -> tuple[float, float]:
    """The exact interval of a probability (Clopper & Pearson 1934, Biometrika 26).

    >>> [round(end, 4) for end in binomial_interval(8, 10, 0.95)]
    [0.4439, 0.9748]
    """
    from scipy.special import betaincinv

    tail, failures = (1 - level) / 2, trials - successes
    low = float(betaincinv(successes, failures + 1, tail)) if successes else 0.0
    high = float(betaincinv(successes + 1, failures, 1 - tail)) if failures else 1.0
    return low, high


def chi2_upper(x: float, df: float) -> float:
    """P(χ²_df > x); χ²_0 is the constant zero."""
    from scipy.special import chdtrc

    if df == 0:
        return float(x <= 0)
    return float(chdtrc(df, max(x, 0.0)))


def chi2_quantile(p: float, df: float) -> float:
    """The x with P(χ²_df ≤ x) = p."""
    from scipy.special import chdtri

    return float(chdtri(df, 1 - p))


def f_upper(f: float, df1: float, df2: float) -> float:
    """P(F > f)."""
    from scipy.special import fdtrc

    if np.isinf(df2):
        return chi2_upper(f * df1, df1)
    return float(fdtrc(df1, df2, f))


def normal_quantile(p: ArrayLike) -> Array:
    """The z with P(Z ≤ z) = p, elementwise."""
    from scipy.special import ndtri

    return np.asarray(ndtri(np.asarray(p, dtype=np.float64)))


def normal_upper(z: float) -> float:
    """P(Z > z)."""
    from scipy.special import ndtr

    return float(ndtr(-z))


def t_quantile(p: float, df: ArrayLike) -> Array:
    """The t with P(T ≤ t) = p, elementwise over df."""
    from scipy.special import stdtrit

    df = np.asarray(df, dtype=np.float64)
    finite = np.where(np.isinf(df), 1.0, df)
    return np.where(np.isinf(df), normal_quantile(p), stdtrit(finite, p))


def t_two_sided(t: ArrayLike, df: ArrayLike) -> Array:
    """P(|T| > |t|), elementwise."""
    from scipy.special import ndtr, stdtr

    t, df = -np.abs(np.asarray(t, dtype=np.float64)), np.asarray(df, dtype=np.float64)
    finite = np.where(np.isinf(df), 1.0, df)
    return np.asarray(2 * np.where(np.isinf(df), ndtr(t), stdtr(finite, t)), dtype=np.float64)


def trigamma(x: float) -> float:
    """ψ₁(x), the second derivative of log Γ."""
    from scipy.special import polygamma

    return float(polygamma(1, x))


# --- Responses ---


def response_cdf(family: str, y: ArrayLike, mean: Array, scale: Array) -> Array:
    """P(Y ≤ y) of a family's response with this mean, elementwise (binomial: of successes).

    `scale` is what the family has beside its mean: σ²/w of gamma, inverse Gaussian and Gaussian
    responses, the dispersion of negative binomial, nb1 and beta ones, the binomial's number of
    trials; the Poisson has none.
    """
    y, mean, scale = np.broadcast_arrays(np.asarray(y, dtype=np.float64), mean, scale)
    with np.errstate(all="ignore"):  # outside of the support, where the value is not used
        return np.asarray(_CDF[family](y, mean, scale))


def _binomial_cdf(y: Array, mean: Array, trials: Array) -> Array:
    from scipy.special import betainc

    k = np.floor(y)
    inside = betainc(np.maximum(trials - k, 1), np.maximum(k, 0) + 1, 1 - mean)
    return np.where(k < 0, 0.0, np.where(k >= trials, 1.0, inside))


def _poisson_cdf(y: Array, mean: Array, _: Array) -> Array:
    from scipy.special import gammaincc

    k = np.floor(y)
    return np.where(k < 0, 0.0, gammaincc(np.maximum(k, 0) + 1, mean))


def _negative_binomial_cdf(y: Array, mean: Array, theta: Array) -> Array:
    from scipy.special import betainc

    k = np.floor(y)
    return np.where(k < 0, 0.0, betainc(theta, np.maximum(k, 0) + 1, theta / (theta + mean)))


def _nb1_cdf(y: Array, mean: Array, phi: Array) -> Array:
    return _negative_binomial_cdf(y, mean, mean / phi)


def _gamma_cdf(y: Array, mean: Array, phi: Array) -> Array:
    from scipy.special import gammainc

    return np.where(y <= 0, 0.0, gammainc(1 / phi, np.maximum(y, 0) / (phi * mean)))


def _inverse_gaussian_cdf(y: Array, mean: Array, phi: Array) -> Array:
    """Φ(r(y/μ − 1)) + exp(2/(φμ)) Φ(−r(y/μ + 1)) with r = 1/√(φy)."""
    from scipy.special import log_ndtr, ndtr

    positive = np.maximum(y, np.finfo(float).tiny)
    r = 1 / np.sqrt(phi * positive)
    below = ndtr(r * (positive / mean - 1))
    mirrored = np.exp(2 / (phi * mean) + log_ndtr(-r * (positive / mean + 1)))
    return np.where(y <= 0, 0.0, below + mirrored)


def _gaussian_cdf(y: Array, mean: Array, phi: Array) -> Array:
    from scipy.special import ndtr

    return np.asarray(ndtr((y - mean) / np.sqrt(phi)))


def _beta_cdf(y: Array, mean: Array, phi: Array) -> Array:
    from scipy.special import betainc

    return np.asarray(betainc(mean * phi, (1 - mean) * phi, np.clip(y, 0.0, 1.0)))


_CDF = {
    "binomial": _binomial_cdf,
    "poisson": _poisson_cdf,
    "negative_binomial": _negative_binomial_cdf,
    "nb1": _nb1_cdf,
    "gamma": _gamma_cdf,
    "inverse_gaussian": _inverse_gaussian_cdf,
    "gaussian": _gaussian_cdf,
    "beta": _beta_cdf,
}
