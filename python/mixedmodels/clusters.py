"""Clusters of rows: what `cluster=` means, and whether random effects stay within clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .columns import Table
from .errors import ArgumentError, DataError
from .factors import Factor, show
from .rows import group_codes

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["Clusters", "crossing", "find_clusters"]

FEWEST = 2  # clusters; between-cluster variation needs as many


@dataclass(frozen=True, eq=False, slots=True)
class Clusters:
    """A partition of the rows used."""

    name: str
    codes: NDArray[np.intp]  # (nobs,), from 0
    count: int

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums by cluster, shape (count,), of values of rows, shape (nobs,)."""
        return np.asarray(np.bincount(self.codes, values, self.count), dtype=np.float64)


def find_clusters(model: FittedModel, cluster: str | ArrayLike | None) -> Clusters:
    """The clusters meant by the caller.

    Parameters
    ----------
    cluster
        A grouping factor, a column of the data, or labels of the rows used or of the table's rows,
        by position. None: the coarsest grouping factor, where all others are nested in it.

    Raises
    ------
    ArgumentError
        None where there is no such factor; a column's name where the model has no table.
    DataError
        The column does not exist, a label is missing, the length is wrong, or all rows have the
        same label.
    """
    if cluster is None:
        cluster = _coarsest(model)
    if isinstance(cluster, str) and cluster in {term.group for term in model._matrices.terms}:
        codes = group_codes(model, cluster)
        return Clusters(cluster, codes, int(codes.max()) + 1)
    name = cluster if isinstance(cluster, str) else "the labels given"
    factor = _column(model, cluster) if isinstance(cluster, str) else _labels(model, cluster)
    _refuse_missing(model, factor, name)
    if len(factor.levels) < FEWEST:
        raise DataError(
            f"cluster: every row used has the same value of {name}; expected at least {FEWEST} "
            "clusters, between which coefficients could vary"
        )
    return Clusters(name, factor.codes.astype(np.intp), len(factor.levels))


def crossing(model: FittedModel, clusters: Clusters) -> list[str]:
    """The grouping factors with a level in more than one cluster."""
    groups = dict.fromkeys(term.group for term in model._matrices.terms)
    return [
        group
        for group in groups
        if group != clusters.name and not _nested(group_codes(model, group), clusters.codes)
    ]


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
    codes = group_codes(model, name)
    crossed = crossing(model, Clusters(name, codes, int(codes.max()) + 1))
    if crossed:
        raise ArgumentError(
            f"cluster is None, and the grouping factors cross ('{crossed[0]}' is not nested in "
            f"'{name}'): say by cluster= which rows belong together"
        )
    return name


def _column(model: FittedModel, name: str) -> Factor:
    data = model._call.data
    if data is None:
        groups = ", ".join(dict.fromkeys(term.group for term in model._matrices.terms))
        raise ArgumentError(
            f"cluster={name!r}: a model fitted from arrays knows no columns but its grouping "
            f"factors ({groups}): give the labels themselves"
        )
    factor = Table(data).column(name).factor
    return _used(model, factor)


def _labels(model: FittedModel, labels: Any) -> Factor:
    if np.ndim(labels) != 1:
        raise ArgumentError(
            f"cluster has {np.ndim(labels)} dimensions; expected a name or one label a row"
        )
    factor = Table({"cluster": labels}).column("cluster").factor
    if len(factor.codes) == model.nobs:
        return factor.drop_unused(None)
    return _used(model, factor)


def _used(model: FittedModel, factor: Factor) -> Factor:
    """The factor of all rows of the table → of the rows used."""
    n_table, rows = len(model._matrices.full_index), model._matrices.rows
    if len(factor.codes) != n_table:
        raise DataError(
            f"cluster has {len(factor.codes)} values; expected {model.nobs}, the rows used, or "
            f"{n_table}, the rows of the table"
        )
    used = factor.drop_unused(rows)
    return used if rows is None else Factor(used.codes[rows], used.levels)


def _refuse_missing(model: FittedModel, factor: Factor, name: str) -> None:
    missing = factor.missing()
    if missing is not None:
        row = model._matrices.index[int(np.argmax(missing))]
        raise DataError(
            f"cluster: {name} is missing in row {show(row)} ({int(missing.sum())} row(s) in all); "
            "every row used must belong to a cluster"
        )
