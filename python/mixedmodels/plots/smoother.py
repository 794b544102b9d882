"""A robust local-linear smoother for scatter plots: lowess.

At each of at most `KNOTS` values of x a line is fitted to the nearest share `span` of the points,
with tricube weights in the distance, W(u) = (1 − |u|³)³; the fit is repeated with bisquare weights
in the residuals, B(r/6s), s their median size, so that outliers do not pull it (Cleveland 1979,
J. Am. Stat. Assoc. 74, 829-836). Between knots it is interpolated. Beyond `MANY` points these are
first averaged in bins of consecutive x, which count by their size; the curve is then one of means
even where the points are skew.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Smooth", "lowess"]

Array = NDArray[np.float64]

KNOTS = 100
MANY = 5_000
BINS = 1_000


@dataclass(frozen=True, eq=False)
class Smooth:
    """A smoother's curve: knots `x`, increasing, and values `y`, both of shape (k,)."""

    x: Array
    y: Array

    def __call__(self, x: ArrayLike) -> Array:
        """The curve at any x, constant beyond the ends."""
        at = np.asarray(x, dtype=float)
        if len(self.x) == 0:
            return np.full(at.shape, np.nan)
        return np.asarray(np.interp(at, self.x, self.y))


def lowess(x: ArrayLike, y: ArrayLike, *, span: float = 2 / 3, iterations: int = 3) -> Smooth:
    """The robust local-linear smoother of y on x; pairs that are not finite are left out.

    Parameters
    ----------
    x, y
        Shape (n,).
    span
        Share of the points that each local line is fitted to.
    iterations
        Repetitions with robustness weights.

    Examples
    --------
    >>> curve = lowess([1, 2, 3, 4, 5], [1, 2, 3, 4, 50])
    >>> [float(value) for value in curve([1, 4]).round(6)]
    [1.0, 4.0]
    """
    at, values, counts = _binned(*_sorted(x, y))
    if len(at) == 0:
        return Smooth(at, values)
    knots = _knots(at)
    curve = _local_lines(knots, at, values, counts, np.ones(len(at)), span)
    for _ in range(iterations):
        # a bin's mean varies less the more points it has
        residuals = np.abs(values - curve(at)) * np.sqrt(counts)
        scale = 6 * float(np.median(residuals))
        if scale <= 1e-7 * float(residuals.mean()):
            break
        robustness = np.maximum(1 - (residuals / scale) ** 2, 0) ** 2
        curve = _local_lines(knots, at, values, counts, robustness, span)
    return curve


def _sorted(x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
    """The pairs that are finite, by increasing x."""
    pairs = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    known = np.flatnonzero(np.isfinite(pairs[0]) & np.isfinite(pairs[1]))
    order = known[np.argsort(pairs[0][known], kind="stable")]
    return pairs[0][order], pairs[1][order]


def _binned(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """Sorted points, or beyond `MANY` the means of bins and their sizes.

    Bins are narrow in the tails (edges equally spaced in the logit of the rank), where single
    points decide where the curve ends.
    """
    n = len(x)
    if n <= MANY:
        return x, y, np.ones(n)
    logits = np.linspace(-np.log(n), np.log(n), BINS - 1)
    edges = np.unique(np.r_[0, (n / (1 + np.exp(-logits))).astype(int)])
    edges = edges[edges < n]
    counts = np.diff(np.r_[edges, n]).astype(float)
    return np.add.reduceat(x, edges) / counts, np.add.reduceat(y, edges) / counts, counts


def _knots(x: Array) -> Array:
    """Distinct values of x, or `KNOTS` of them at equal steps of rank and of x."""
    distinct = np.unique(x)
    if len(distinct) <= KNOTS:
        return distinct
    by_rank = distinct[np.linspace(0, len(distinct) - 1, KNOTS // 2).astype(int)]
    by_value = np.linspace(distinct[0], distinct[-1], KNOTS // 2)
    return np.unique(np.r_[by_rank, by_value])


def _local_lines(
    knots: Array, x: Array, y: Array, counts: Array, robustness: Array, span: float
) -> Smooth:
    """A weighted line at every knot; all of them at once, (knots, points)."""
    distance = np.abs(knots[:, None] - x)
    reach = _reach(distance, counts, span)[:, None]
    u = np.where(reach > 0, distance / np.where(reach > 0, reach, 1), (distance > 0) * 1.0)
    weights = np.maximum(1 - u**3, 0) ** 3 * counts * robustness
    total = weights.sum(axis=1)
    kept = total > 0  # all points near a knot may be outliers
    knots, weights, total = knots[kept], weights[kept], total[kept]
    mean_x, mean_y = weights @ x / total, weights @ y / total
    centred = x - mean_x[:, None]
    variance = (weights * centred**2).sum(axis=1) / total
    slope = (weights * centred) @ y / total
    # where the points within reach share one x there is no slope, only a mean
    enough = variance > (1e-3 * (x[-1] - x[0])) ** 2
    slope = np.where(enough, slope / np.where(enough, variance, 1), 0)
    return Smooth(knots, mean_y + slope * (knots - mean_x))


def _reach(distance: Array, counts: Array, span: float) -> Array:
    """The distance within which a share `span` of all points lies, one a knot."""
    order = np.argsort(distance, axis=1)
    mass = np.cumsum(counts[order], axis=1)
    wanted = max(np.floor(span * counts.sum() + 1e-7), min(2.0, counts.sum()))
    at = np.argmax(mass >= wanted, axis=1)
    return np.asarray(np.take_along_axis(distance, order, axis=1)[np.arange(len(distance)), at])
