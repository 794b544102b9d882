"""Does the response look like the model's simulations? `m.quantile_tests()`.

Rows that share a random effect are not independent: where groups are few and differ much, p-values
for independent rows reject correct models (Kolmogorov's at 5% half of those of Poisson counts in
six groups with a standard deviation of 1.5). Here each simulated response is put in the place of
the observed one in turn: under the model all k + 1 are exchangeable, and the rank of the observed
response's statistic among the k others is an exact p-value but for the parameters being estimated
(Barnard 1963; Besag & Clifford 1989), which makes the tests conservative.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..printing.document import Block, Cells, Document
from ..printing.text import right_table
from .quantile_residuals import discrete, observed, simulated, uniforms

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["QuantileTests", "Ranked", "SimulationTest", "quantile_tests"]

Array = NDArray[np.float64]
Ranks = NDArray[np.int32]

HEADER = ("observed", "expected", "p")
MOST = 20_000  # rows tested
BLOCK = 2_000  # rows ranked at a time


@dataclass(frozen=True, slots=True)
class SimulationTest:
    """One statistic of the response, against the same of the simulated responses.

    Attributes
    ----------
    observed, expected
        Of the response; the mean over simulated responses.
    p_value
        Rank of the observed among the simulated ones; at least 1/(nsim + 1).
    """

    observed: float
    expected: float
    p_value: float


@dataclass(frozen=True, repr=False)
class QuantileTests(Document):
    """What DHARMa's users look at, as tests of the whole response.

    Attributes
    ----------
    uniformity
        Kolmogorov's distance of the quantile residuals from the uniform distribution (0 to 1); the
        test asks whether it is too large.
    dispersion
        Mean squared deviation from the simulated mean in units of the simulated variance, row by
        row: above 1 the response varies more than the model has it. Two-sided.
    outliers
        Rows outside of all simulated responses; the test asks whether they are too many.
    zeros
        Rows with a response of zero, two-sided; None where the response is not counted.
    nsim, nobs
        Simulated responses; rows tested (evenly spaced ones where there are more than 20,000).
    """

    uniformity: SimulationTest
    dispersion: SimulationTest
    outliers: SimulationTest
    zeros: SimulationTest | None
    nsim: int
    nobs: int

    def to_frame(self) -> pd.DataFrame:
        """One row a test: observed, expected, p_value."""
        found = {
            field.name: test
            for field in fields(self)
            if isinstance(test := getattr(self, field.name), SimulationTest)
        }
        rows = [(test.observed, test.expected, test.p_value) for test in found.values()]
        columns = ["observed", "expected", "p_value"]
        return pd.DataFrame(rows, index=list(found), columns=columns)

    @property
    def _title(self) -> str:
        return (
            f"The response against {self.nsim} responses simulated from the model "
            f"({self.nobs} rows)"
        )

    def _cells(self) -> list[list[str]]:
        return [
            [f"{row.observed:.4g}", f"{row.expected:.4g}", f"{row.p_value:.3g}"]
            for row in self.to_frame().itertuples()
        ]

    def __str__(self) -> str:
        table = right_table(HEADER, self._cells(), list(self.to_frame().index))
        return f"{self._title}\n{table}"

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        names = list(self.to_frame().index)
        return [Cells(HEADER, self._cells(), names, title=self._title)]


def quantile_tests(
    model: FittedModel, nsim: int = 250, seed: int = 0, *, re_form: Any = "NA"
) -> QuantileTests:
    """Documented at `Diagnosis.quantile_tests`."""
    ranked = Ranked.of(model, nsim, seed, re_form)
    below, ties = ranked.below, ranked.ties
    counted = discrete(model)
    return QuantileTests(
        uniformity=_upper(np.array([_distance(column) for column in ranked.residuals()])),
        dispersion=_two_sided(_spreads(ranked.responses)),
        outliers=_upper(((ties == 1) & ((below == 0) | (below == nsim))).sum(axis=0)),
        zeros=_two_sided((ranked.responses == 0).sum(axis=0)) if counted else None,
        nsim=nsim,
        nobs=len(ranked.rows),
    )


@dataclass(frozen=True, eq=False, slots=True)
class Ranked:
    """The observed response (the first column) and the simulated ones, ranked within rows.

    Attributes
    ----------
    rows
        The rows tested, shape (n,).
    responses, below, ties
        Shape (n, nsim + 1): values, how many of the row's are below each, and how many equal it.
    """

    rows: NDArray[np.intp]
    responses: Array
    below: Ranks
    ties: Ranks
    _uniforms: Array
    _seed: int

    @classmethod
    def of(cls, model: FittedModel, nsim: int, seed: int, re_form: Any) -> Ranked:
        rows = _rows(model.nobs)
        y = observed(model)[rows, None]
        # a copy of the rows tested: the simulated block itself is let go
        simulations = [block[rows].copy() for block in simulated(model, nsim, seed, re_form)]
        responses = np.concatenate([y, *simulations], axis=1)
        v = uniforms(model.nobs, seed)[rows]
        return cls(rows, responses, *_ranks(responses), v, seed)

    def residuals(self) -> Iterator[Array]:
        """The quantile residuals of each response, shape (n,), those of the observed one first."""
        n, k = self.below.shape
        generator = np.random.default_rng([self._seed, 1])  # not the stream of the first column's
        for j in range(k):
            v = self._uniforms if j == 0 else generator.random(n)
            yield (self.below[:, j] + v * self.ties[:, j]) / k


def _rows(n: int) -> NDArray[np.intp]:
    """The rows tested: all, or evenly spaced ones."""
    return np.unique(np.linspace(0, n - 1, min(n, MOST)).astype(np.intp))


# --- Statistics of every response, shape (nsim + 1,), the observed one first ---


def _ranks(responses: Array) -> tuple[Ranks, Ranks]:
    """How many of a row's values are below each, and how many equal it (itself included)."""
    below, ties = np.empty(responses.shape, np.int32), np.empty(responses.shape, np.int32)
    for start in range(0, len(responses), BLOCK):
        block = responses[start : start + BLOCK]
        order = np.argsort(block, axis=1)
        first, size = _runs(np.take_along_axis(block, order, axis=1))
        rows = slice(start, start + BLOCK)
        np.put_along_axis(below[rows], order, first, axis=1)
        np.put_along_axis(ties[rows], order, size, axis=1)
    return below, ties


def _runs(ordered: Array) -> tuple[Ranks, Ranks]:
    """Of ordered rows: where the run of equal values begins that a value is in, and its length."""
    k = ordered.shape[1]
    place = np.arange(k, dtype=np.int32)
    starts = np.ones(ordered.shape, dtype=bool)
    starts[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.ones(ordered.shape, dtype=bool)
    ends[:, :-1] = starts[:, 1:]
    first = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, place, k - 1)[:, ::-1], axis=1)[:, ::-1]
    return first.astype(np.int32), (last - first + 1).astype(np.int32)


def _distance(residuals: Array) -> float:
    """Kolmogorov's distance from the uniform distribution."""
    grid = np.arange(len(residuals) + 1) / len(residuals)
    ordered = np.sort(residuals)
    return float(max((grid[1:] - ordered).max(), (ordered - grid[:-1]).max()))


def _spreads(responses: Array) -> Array:
    """Mean over rows of (y − m)²/v, m and v the mean and variance of all responses in the row."""
    squares = (responses - responses.mean(axis=1, keepdims=True)) ** 2
    variances = squares.mean(axis=1)
    varies = variances > 0
    if not varies.any():
        return np.ones(responses.shape[1])
    spreads: Array = (squares[varies] / variances[varies, None]).mean(axis=0)
    return spreads


# --- Monte Carlo tests ---


def _upper(statistics: NDArray[np.generic]) -> SimulationTest:
    return _test(statistics, float(np.mean(statistics >= statistics[0])))


def _two_sided(statistics: NDArray[np.generic]) -> SimulationTest:
    tails = np.mean(statistics >= statistics[0]), np.mean(statistics <= statistics[0])
    return _test(statistics, min(1.0, 2 * float(min(tails))))


def _test(statistics: NDArray[np.generic], p_value: float) -> SimulationTest:
    return SimulationTest(float(statistics[0]), float(statistics[1:].mean()), p_value)
