"""Bands of normal Q-Q plots: where the order statistics of a normal sample may lie.

The i-th of n uniform order statistics has a Beta(i, n + 1 − i) distribution. A pointwise band has
each of them inside with the coverage asked for. A simultaneous one has all of them inside at once:
the same local level γ for every order statistic, γ found by simulation of samples whose mean and
standard deviation are estimated ("tail-sensitive" bands: Aldor-Noiman, Brown, Buja, Rolke & Stine
2013, The American Statistician 67, 249-260).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..inference.distributions import check_level, normal_quantile

__all__ = ["Band", "normal_band", "normal_scores", "order_statistics"]

Array = NDArray[np.float64]
Band = Literal["simultaneous", "pointwise"]

DRAWN = 2_000  # order statistics of a larger sample that are drawn
CALIBRATED = 300  # of which the simulation uses
DRAWS = 600_000  # random numbers of the simulation, at least 2,000 samples


def order_statistics(n: int, most: int = DRAWN) -> Array:
    """Ranks i = 1 ... n, or at most `most` of them: all in the tails, ever fewer in the middle.

    >>> order_statistics(4).tolist()
    [1.0, 2.0, 3.0, 4.0]
    >>> order_statistics(1_000_000)[[0, 1, 2, -1]].tolist()
    [1.0, 2.0, 3.0, 1000000.0]
    """
    if n <= most:
        return np.arange(1.0, n + 1)
    lower = np.geomspace(1, (n + 1) / 2, most // 2).round()
    return np.unique(np.r_[lower, n + 1 - lower])


def normal_scores(ranks: Array, n: int) -> Array:
    """Φ⁻¹((i − 3/8)/(n + 1/4)), nearly the means of normal order statistics (Blom 1958)."""
    return normal_quantile((ranks - 0.375) / (n + 0.25))


def normal_band(
    ranks: Array, n: int, level: float, band: Band, *, standardised: bool = True
) -> tuple[Array, Array]:
    """Lower and upper ends for the order statistics of these ranks.

    Parameters
    ----------
    ranks
        Some of 1 ... n, increasing.
    level
        Coverage.
    band
        "simultaneous" or "pointwise".
    standardised
        Whether the sample's own mean and standard deviation have been taken out, as they nearly
        are of residuals: a simultaneous band that took them as known would be too wide.

    Raises
    ------
    ArgumentError
        Another kind of band, or a level that is not between 0 and 1.
    """
    from scipy.special import betaincinv

    check_level(level)
    if band not in get_args(Band):
        raise ArgumentError(f"band is {band!r}; choose {' or '.join(get_args(Band))}")
    outside = 1 - level if band == "pointwise" else _local_level(n, level, standardised and n > 2)
    low = betaincinv(ranks, n + 1 - ranks, outside / 2)
    # the upper end by symmetry: 1 − U_(i) is U_(n + 1 − i), and keeps its digits near zero
    high = betaincinv(n + 1 - ranks, ranks, outside / 2)
    return normal_quantile(low), -normal_quantile(high)


@lru_cache(maxsize=256)
def _local_level(n: int, level: float, standardised: bool) -> float:
    """γ such that with probability `level` all order statistics are inside their 1 − γ intervals.

    The random numbers are the same every time.
    """
    from scipy.special import betainc, ndtr

    ranks = order_statistics(n, CALIBRATED)
    uniform = _uniform_samples(ranks, n)
    if standardised:
        uniform = ndtr(_standardised(normal_quantile(uniform), ranks, n))
    below = betainc(ranks, n + 1 - ranks, uniform)
    least = 2 * np.minimum(below, 1 - below).min(axis=1)
    return float(np.quantile(least, 1 - level))


def _uniform_samples(ranks: Array, n: int) -> Array:
    """Order statistics of uniform samples, (samples, ranks).

    They are partial sums of exponential spacings over their total, so that some are drawn without
    the others.
    """
    spacings = np.diff(np.r_[0, ranks, n + 1])
    shape = (min(DRAWS // len(spacings), 40_000), len(spacings))
    sums = np.cumsum(np.random.default_rng(0).standard_gamma(spacings, shape), axis=1)
    return np.asarray(sums[:, :-1] / sums[:, -1:])


def _standardised(z: Array, ranks: Array, n: int) -> Array:
    """(z − z̄)/(s√(1 − 1/n)); an order statistic left out counts as its nearest neighbour drawn."""
    edges = np.r_[0.5, (ranks[:-1] + ranks[1:]) / 2, n + 0.5]
    share = np.diff(edges) / n
    centred = z - (z @ share)[:, None]
    variance = centred**2 @ share * n / (n - 1)
    return np.asarray(centred / np.sqrt(variance * (1 - 1 / n))[:, None])
