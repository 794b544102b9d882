"""Quantiles of a generalised model's next response: its family mixed over an uncertain predictor.

    P(Y ≤ y) = ∫ F(y | g⁻¹(η)) N(η; η̂, v) dη

The integral is a sum over equidistant nodes (the trapezoidal rule, whose error vanishes faster than
any power of the step for such integrands): F as a function of η is a step as wide as the response's
standard deviation on the scale of the link, and the nodes lie no further apart than that.
Gauss-Hermite nodes lie too far apart where v is large and the family's own scatter small. Values of
η at which the family has no mean are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..inference.distributions import normal_quantile, response_cdf

if TYPE_CHECKING:
    from ..families import Family
    from ..models.generalised import Generalised

__all__ = ["response_quantiles"]

Array = NDArray[np.float64]

REACH = 6.5  # standard deviations of η on either side: 8e-11 of its distribution lies beyond
MOST_NODES = 1025  # 0.013 apart: then quantiles are off by less than that many deviations of η
TAIL = 3.0  # standard deviations of η within which the quantiles are decided
BLOCK = 1 << 20  # rows × nodes at a time
PRECISION = 1e-10  # relative, of quantiles of continuous responses
DOUBLINGS = 60


def response_quantiles(
    model: Generalised, p: float, eta: Array, variance: Array, weights: Array, trials: Array
) -> Array:
    """The smallest y with P(Y ≤ y) ≥ p in every row, shape (n,).

    Binomial responses are proportions of the trials.

    Parameters
    ----------
    p
        Between 0 and 1.
    eta, variance
        Mean and variance of the linear predictor, shape (n,).
    weights
        Prior weights of the rows, shape (n,); of families with a σ.
    trials
        Numbers of trials, shape (n,); of binomial responses.
    """
    name = model.family.name
    scale = trials if name == "binomial" else _scale(model, weights)
    result = np.full(len(eta), np.nan)
    spread = _relative_scatter(model, eta, np.sqrt(variance), scale)
    good = np.isfinite(eta) & np.isfinite(variance) & np.isfinite(scale) & np.isfinite(spread)
    nodes = np.ones(len(eta), dtype=np.intp)
    nodes[good] = _node_counts(spread[good], variance[good])
    for count in np.unique(nodes[good]):
        rows = np.flatnonzero(good & (nodes == count))
        for block in np.array_split(rows, -(-len(rows) * count // BLOCK)):
            mixture = _Mixture.of(model, eta[block], np.sqrt(variance[block]), scale[block], count)
            result[block] = mixture.quantiles(p)
    return result / trials if name == "binomial" else result


def _scale(model: Generalised, weights: Array) -> Array:
    """What the family has beside its mean, one a row; see `response_cdf`."""
    if model.family.has_sigma:
        return np.asarray(model.sigma**2 / weights)
    return np.full(len(weights), model.dispersion)


def _variance(model: Generalised, mean: Array, scale: Array) -> Array:
    """Var(Y) at a mean (of a binomial: of a proportion)."""
    unit = np.asarray(model._kernel_family.variance(mean))
    if model.family.name == "binomial":
        return unit / scale
    return unit * scale if model.family.has_sigma else unit


def _relative_scatter(model: Generalised, eta: Array, sd: Array, scale: Array) -> Array:
    """The least standard deviation of Y, carried over to η, where its quantiles are decided; in
    units of that of η."""
    kernel = model._kernel_family
    least = np.full(len(eta), np.inf)
    with np.errstate(all="ignore"):
        for steps in (-TAIL, 0.0, TAIL):
            at = eta + steps * sd
            slope = np.abs(np.asarray(kernel.mean_slope(at)))
            scatter = np.sqrt(_variance(model, np.asarray(kernel.mean(at)), scale)) / slope
            least = np.fmin(least, np.where(scatter > 0, scatter, np.inf))
        return np.where(np.isfinite(eta), np.minimum(least / sd, 1e6), np.nan)


def _node_counts(spread: Array, variance: Array) -> NDArray[np.intp]:
    """Nodes at most a scatter and one standard deviation apart, in powers of 2 to share work."""
    wanted = 2 * REACH / np.minimum(spread, 1.0)
    counts = np.minimum(2 ** np.ceil(np.log2(wanted)) + 1, MOST_NODES)
    return np.where(variance > 0, counts, 1).astype(np.intp)


@dataclass(frozen=True, slots=True)
class _Line:
    """The range of a response, and a scale without ends on which quantiles are looked for."""

    low: float
    high: float
    to: Callable[[Array], Array]
    back: Callable[[Array], Array]


def _same(y: Array) -> Array:
    return y


def _logit(y: Array) -> Array:
    return np.asarray(np.log(y) - np.log1p(-y))


def _from_logit(t: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-t)))


REAL_LINE = _Line(-np.inf, np.inf, _same, _same)
LINES = {
    "gamma": _Line(0.0, np.inf, np.log, np.exp),
    "inverse_gaussian": _Line(0.0, np.inf, np.log, np.exp),
    "beta": _Line(0.0, 1.0, _logit, _from_logit),
}


@dataclass(frozen=True, eq=False, slots=True)
class _Mixture:
    """The distribution of Y in some rows; binomial responses as numbers of successes."""

    family: Family
    mean: Array  # (n, nodes) g⁻¹(η)
    share: Array  # (n, nodes) of the distribution of η; they add to 1
    scale: Array  # (n,)
    centre: Array  # (n,) E(Y)
    spread: Array  # (n,) its standard deviation

    @classmethod
    def of(cls, model: Generalised, eta: Array, sd: Array, scale: Array, count: int) -> _Mixture:
        z = np.linspace(-REACH, REACH, count) if count > 1 else np.zeros(1)
        at = eta[:, None] + sd[:, None] * z
        low, high = model.family.mean_range
        with np.errstate(all="ignore"):
            mean = np.asarray(model._kernel_family.mean(at.ravel())).reshape(at.shape)
            has_mean = (mean >= low) & (mean <= high) & np.isfinite(mean)
            share = np.where(has_mean, np.exp(-0.5 * z**2), 0.0)
            share /= share.sum(axis=1, keepdims=True)
            mean = np.where(has_mean, mean, 0.5)
            each = _variance(model, mean.ravel(), np.repeat(scale, count)).reshape(mean.shape)
        centre = (share * mean).sum(axis=1)
        spread = np.sqrt((share * (each + (mean - centre[:, None]) ** 2)).sum(axis=1))
        times = scale if model.family.name == "binomial" else 1.0
        return cls(model.family, mean, share, scale, times * centre, times * spread)

    def reaches(self, p: float, y: Array, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Whether P(Y ≤ y) ≥ p in these rows."""
        scale = self.scale[rows, None]
        values = response_cdf(self.family.name, y[:, None], self.mean[rows], scale)
        return np.asarray((self.share[rows] * values).sum(axis=1) >= p)

    def quantiles(self, p: float) -> Array:
        """By bisection, from a normal approximation outwards."""
        line = LINES.get(self.family.name, REAL_LINE)
        with np.errstate(all="ignore"):  # a response without a mean is NaN throughout
            start, step, gap = self._start(p, line)
            low, high = self._bracket(p, line, start, step)
            gap = np.maximum(gap, 4 * np.finfo(float).eps * np.abs(high))
            while len(wide := np.flatnonzero(high - low > gap)):
                middle = 0.5 * (low[wide] + high[wide])
                middle = np.floor(middle) if self.family.is_discrete else middle
                reached = self.reaches(p, line.back(middle), wide)
                high[wide[reached]] = middle[reached]
                low[wide[~reached]] = middle[~reached]
            return line.back(high)

    def _start(self, p: float, line: _Line) -> tuple[Array, Array, Array]:
        """A first guess on the line, a first step from it, and how close the ends must come."""
        guess = self.centre + float(normal_quantile(p)) * self.spread
        ones = np.ones(len(guess))
        if self.family.is_discrete:
            step = np.maximum(np.rint(self.spread / 4), 1.0)
            return np.floor(np.maximum(guess, 0.0)), step, ones
        if line is REAL_LINE:
            return guess, self.spread / 4, PRECISION * self.spread
        start = line.to(np.where((guess > line.low) & (guess < line.high), guess, self.centre))
        step = np.maximum(np.abs(line.to(self.centre) - start), 0.1) / 4
        return start, step, PRECISION * ones

    def _bracket(self, p: float, line: _Line, start: Array, step: Array) -> tuple[Array, Array]:
        """Points below and at or above the quantile, by doubled steps."""
        low, high = start - step, start.copy()
        down = up = np.arange(len(start))
        for doubling in range(DOUBLINGS):
            down = down[self.reaches(p, line.back(low[down]), down)]
            up = up[~self.reaches(p, line.back(high[up]), up)]
            if not len(down) and not len(up):
                break
            high[down], low[up] = low[down], high[up]
            low[down] -= step[down] * 2.0**doubling
            high[up] += step[up] * 2.0**doubling
        return low, high
