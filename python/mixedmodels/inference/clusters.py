"""Clusters of rows: what `cluster=` means, and whether random effects stay within clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, DataError
from ..input_tables.columns import Table
from ..input_tables.factors import Factor, show
from ..models.rows import group_codes

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["Clusters", "crossing", "find_clusters"]

FEWEST = 2  # clusters; between-cluster variation needs as many


@dataclass(frozen=True, eq=False, slots=True)
class Clusters:
    """A partition of the rows used."""

    name: str
    codes: NDArray[np.intp]  # (nobs,), from 0
    levels: pd.Index[Any]

    @property
    def count(self) -> int:
        return len(self.levels)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums by cluster, shape (count,), of values of rows, shape (nobs,)."""
        return np.asarray(np.bincount(self.codes, values, self.count), dtype=np.float64)


def find_clusters(
    model: FittedModel, cluster: str | ArrayLike | None, argument: str = "cluster"
) -> Clusters:
    """The clusters meant by the caller.

    Parameters
    ----------
    cluster
        A grouping factor, a column of the data, or labels of the rows used or of the table's rows,
        by position. None: the coarsest grouping factor, where all others are nested in it.
    argument
        What the caller's argument is called, for messages.

    Raises
    ------
    ArgumentError
        None where there is no such factor; a column's name where the model has no table.
    DataError
        The column does not exist, a label is missing, the length is wrong, or all are equal.
    """
    if cluster is None:
        cluster = _coarsest(model)
    if isinstance(cluster, str) and cluster in {term.group for term in model._matrices.terms}:
        return _by_factor(model, cluster)
    if isinstance(cluster, str):
        name, factor = cluster, _column(model, cluster, argument)
    else:
        name, factor = "the labels given", _labels(model, cluster, argument)
    _refuse_missing(model, factor, name, argument)
    if len(factor.levels) < FEWEST:
        raise DataError(
            f"{argument}: every row used has the same value of {name}; expected at least {FEWEST} "
            "clusters, between which coefficients could vary"
        )
    return Clusters(name, factor.codes.astype(np.intp), factor.levels)


def crossing(model: FittedModel, clusters: Clusters) -> list[str]:
    """The grouping factors with a level in more than one cluster."""
    groups = dict.fromkeys(term.group for term in model._matrices.terms)
    return [
        group
        for group in groups
        if group != clusters.name and not _nested(group_codes(model, group), clusters.codes)
    ]


def _by_factor(model: FittedModel, group: str) -> Clusters:
    levels = next(term.levels for term in model._matrices.terms if term.group == group)
    return Clusters(group, group_codes(model, group), levels)


def _nested(fine: NDArray[np.intp], coarse: NDArray[np.intp]) -> bool:
    """Whether every level of `fine` lies in one level of `coarse`."""
    home = np.empty(int(fine.max()) + 1, dtype=np.intp)
    home[fine] = coarse  # the last row of a level speaks for it; the others must agree
    return bool(np.array_equal(home[fine], coarse))


def _coarsest(model: FittedModel) -> str:
    terms = model._matrices.terms
    if not terms:
        raise ArgumentError(
            "cluster is None, and an ordinary regression has no grouping factor: name the column "
            "that says which rows belong together, cluster='clinic', or give labels"
        )
    name = min(terms, key=lambda term: len(term.levels)).group
    crossed = crossing(model, _by_factor(model, name))
    if crossed:
        raise ArgumentError(
            f"cluster is None, and the grouping factors cross ('{crossed[0]}' is not nested in "
            f"'{name}'): say by cluster= which rows belong together"
        )
    return name


def _column(model: FittedModel, name: str, argument: str) -> Factor:
    data = model._call.data
    if data is None:
        groups = ", ".join(dict.fromkeys(term.group for term in model._matrices.terms))
        raise ArgumentError(
            f"{argument}={name!r}: a model fitted from arrays knows no columns but its grouping "
            f"factors ({groups}): give the labels themselves"
        )
    factor = Table(data).column(name).factor
    return _used(model, factor, argument)


def _labels(model: FittedModel, labels: Any, argument: str) -> Factor:
    if np.ndim(labels) != 1:
        raise ArgumentError(
            f"{argument} has {np.ndim(labels)} dimensions; expected a name or one label a row"
        )
    factor = Table({argument: labels}).column(argument).factor
    if len(factor.codes) == model.nobs:
        return factor.drop_unused(None)
    return _used(model, factor, argument)


def _used(model: FittedModel, factor: Factor, argument: str) -> Factor:
    """The factor of all rows of the table → of the rows used."""
    n_table, rows = len(model._matrices.full_index), model._matrices.rows
    if len(factor.codes) != n_table:
        raise DataError(
            f"{argument} has {len(factor.codes)} values; expected {model.nobs}, the rows used, or "
            f"{n_table}, the rows of the table"
        )
    used = factor.drop_unused(rows)
    return used if rows is None else Factor(used.codes[rows], used.levels)


def _refuse_missing(model: FittedModel, factor: Factor, name: str, argument: str) -> None:
    missing = factor.missing()
    if missing is not None:
        row = model._matrices.index[int(np.argmax(missing))]
        raise DataError(
            f"{argument}: {name} is missing in row {show(row)} ({int(missing.sum())} row(s) in "
            "all); every row used must belong to one"
        )
