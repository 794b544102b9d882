"""The effects that the columns of a model matrix hold, in the sum-to-zero coding.

Every table t of a factor with k levels is its mean plus deviations, t = t̄·1 + Σ_j (t_j − t̄) s_j,
where s_1, ..., s_(k−1) are the columns of sum contrasts. A column of X, a product of numeric
sources and of such tables, is therefore a sum over the subsets of its factors of products of sum
contrasts. Its coefficients there are what type III tests are about, whatever coding made X: the
intercept and main effects are then averages over the levels of all other factors. Exact, from the
tables alone; no data are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..matrices.coding import ColumnPlan, MatrixPlan

__all__ = ["Effects", "sum_coded_effects"]

Array = NDArray[np.float64]
Key = tuple[tuple[tuple[str, int], ...], tuple[str, ...]]  # numeric sources, factors

ROUNDING = 1e-13  # a mean or deviation this small beside the table's largest value is zero


@dataclass(frozen=True, slots=True)
class Effects:
    """Sum-to-zero effects of the columns of X: `coordinates @ beta` are their values.

    An effect belongs to the first term with a column that holds it: the levels of b within those of
    a (`a + a:b`) are effects of `a:b`.
    """

    coordinates: Array  # (n_effects, p)
    term: NDArray[np.intp]  # (n_effects,) position in Terms.terms; -1 is the intercept


def sum_coded_effects(plan: MatrixPlan) -> Effects:
    """The effects of all columns of a plan.

    >>> from mixedmodels.matrices.coding import ColumnPlan, MatrixPlan
    >>> treatment = ColumnPlan("fb", coded=(("f", np.array([0.0, 1.0])),))
    >>> sum_coded_effects(MatrixPlan((ColumnPlan("(Intercept)"), treatment), None, (-1, 0)))
    Effects(coordinates=array([[ 1. ,  0.5],
           [ 0. , -0.5]]), term=array([-1,  0]))
    """
    blocks: dict[Key, Array] = {}
    terms: list[int] = []
    for j, (column, term) in enumerate(zip(plan.columns, plan.assign, strict=True)):
        for key, values in _expansion(column):
            if key not in blocks:
                blocks[key] = np.zeros((values.size, len(plan.columns)))
                terms.extend([term] * values.size)
            blocks[key][:, j] = values.ravel()
    empty = np.zeros((0, len(plan.columns)))
    return Effects(np.concatenate([empty, *blocks.values()]), np.array(terms, dtype=np.intp))


def _expansion(column: ColumnPlan) -> Iterator[tuple[Key, Array]]:
    """A column's coefficients on products of sum contrasts, one array for each subset of its
    factors that has any."""
    factors = [name for name, _ in column.coded]
    products = np.ones(())
    for _, table in column.coded:
        products = np.multiply.outer(products, _mean_and_deviations(table))
    for size in range(len(factors) + 1):
        for subset in combinations(range(len(factors)), size):
            at = tuple(slice(1, None) if f in subset else 0 for f in range(len(factors)))
            values = np.asarray(products[at])
            if values.any():
                key = tuple(sorted(column.numeric)), tuple(factors[f] for f in subset)
                yield key, values


def _mean_and_deviations(table: Array) -> Array:
    """(t̄, t_1 − t̄, ..., t_(k−1) − t̄); the last deviation is minus the sum of the others."""
    mean = table.mean()
    values = np.append(mean, table[:-1] - mean)
    values[np.abs(values) <= ROUNDING * np.abs(table).max()] = 0.0
    return values
