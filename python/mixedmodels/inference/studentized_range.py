"""The distribution of the studentised range, for Tukey's comparisons of all pairs of means.

Q = R/S: R the range of k independent standard normals, S² an independent χ²_ν/ν. With z the largest
of the k normals,

    P(R > w) = k ∫ φ(z) {Φ(z)^(k−1) − [Φ(z) − Φ(z − w)]^(k−1)} dz
    P(Q > q) = ∫ g(u) P(R > q e^u) du,   g the density of u = log S

(Copenhaver & Holland 1988, J. Stat. Comput. Simul. 30, 1-15, who integrate the lower tail). Both
integrands are analytic and die out like normal densities, so the trapezoidal rule converges
geometrically; the upper tail is integrated itself, so small p-values keep their relative accuracy.
`scipy.stats.studentized_range` integrates adaptively: twenty times slower, and p-values below 1e-8
lose their digits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["studentized_range_quantile", "studentized_range_upper"]

Array = NDArray[np.float64]

LOG_NEGLIGIBLE = 34.0  # an integrand below e^-34 of its peak does not count
STEP = 0.06  # of u, at most: half as much changes less than 1e-8, up to k = 1000
NORMAL_STEP = 0.2  # of z
NORMAL_REACH = 8.5  # standard deviations either side of the peak
INFINITE = 1e9  # degrees of freedom that count as infinite


def studentized_range_upper(q: float, k: int, df: float) -> float:
    """P(Q > q) for the range of k ≥ 2 means; df may be any positive number or infinite."""
    if np.isnan(q) or np.isnan(df):
        return float("nan")
    if q <= 0 or np.isinf(q):
        return float(q <= 0)
    if df > INFINITE:
        return float(_range_upper(np.array([q]), k)[0])
    u, density = _log_scale(q, df)
    upper = density * _range_upper(q * np.exp(u), k)
    return min(1.0, float(upper.sum() * (u[1] - u[0])))


def studentized_range_quantile(upper: float, k: int, df: float) -> float:
    """The q with P(Q > q) = `upper`, to ten digits."""
    from scipy.optimize import brentq

    if np.isnan(df):
        return float("nan")

    def gap(log_q: float) -> float:
        tail = studentized_range_upper(float(np.exp(log_q)), k, df)
        return float(np.log(max(tail, 1e-300)) - np.log(upper))

    high = 1.0
    while gap(high) > 0 and high < 600:
        high += 1.0 if high < 5 else high
    return float(np.exp(brentq(gap, -30.0, high, xtol=1e-11, rtol=1e-11)))


def _log_scale(q: float, df: float) -> tuple[Array, Array]:
    """Equidistant u = log S where the integrand counts, and the density of u there.

    The integrand falls off as exp(νu − (ν/2 + q²/4) e^(2u)), whose peak lies between that of its
    factors; left of it the logarithm falls at most as −νt + ..., right of it faster than −νt².
    """
    from scipy.special import gammaln

    peak = -0.5 * np.log1p(q * q / (2 * df))
    width = np.sqrt(LOG_NEGLIGIBLE / df)
    low, high = peak - width - LOG_NEGLIGIBLE / df, width
    step = min(STEP, 0.35 / np.sqrt(df))
    u = np.linspace(low, high, int(np.ceil((high - low) / step)) + 1)
    constant = df / 2 * np.log(df) - gammaln(df / 2) - (df / 2 - 1) * np.log(2)
    return u, np.exp(constant + df * u - df / 2 * np.exp(2 * u))


def _range_upper(w: Array, k: int) -> Array:
    """P(R > w), elementwise: the integrand peaks near z = w/2."""
    from scipy.special import ndtr

    t = np.arange(-NORMAL_REACH, NORMAL_REACH + NORMAL_STEP / 2, NORMAL_STEP)
    z = w[:, None] / 2 + t
    all_below, beyond = ndtr(z), ndtr(z - w[:, None])
    with np.errstate(divide="ignore", invalid="ignore", under="ignore"):
        share = np.minimum(beyond / all_below, 1.0)
        some_beyond = -np.expm1((k - 1) * np.log1p(-share))
        density = np.exp(-z * z / 2 + (k - 1) * np.log(all_below)) / np.sqrt(2 * np.pi)
    return np.asarray(np.minimum(k * NORMAL_STEP * (density * some_beyond).sum(axis=1), 1.0))
