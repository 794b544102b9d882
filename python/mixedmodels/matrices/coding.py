"""Terms + variables → the columns of a model matrix as recipes, named and coded by R's rules.

A column is a product of numeric sources (columns of variables) and of tables indexed by factor
codes, so that the matrix itself is never stored: what is kept is a few names and tables of one
value a level.

R's rule for a factor in a term (Chambers & Hastie 1992, §2.4.1): it is coded by contrasts if the
term without it is part of an earlier term (or empty: the intercept), else by one column a level.
Without an intercept the first factor found is coded by one column a level.  Within a term the
columns of the first variable vary fastest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from ..formulas.contrasts import Coding, Contrast, code_levels, default_contrast, dummies
from ..formulas.transforms import Matrix
from ..input_tables.factors import Factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..formulas.formula import Terms

__all__ = ["ColumnPlan", "MatrixPlan", "plan_matrix"]

MOST_COLUMNS = 100_000  # whose cross-products would take 80 GB


@dataclass(frozen=True, slots=True)
class ColumnPlan:
    """One column: a product over `numeric` (variable, its column) and `coded` (variable, table)."""

    name: str
    numeric: tuple[tuple[str, int], ...] = ()
    coded: tuple[tuple[str, NDArray[np.float64]], ...] = ()

    def times(self, other: ColumnPlan) -> ColumnPlan:
        return ColumnPlan(
            f"{self.name}:{other.name}", self.numeric + other.numeric, self.coded + other.coded
        )


@dataclass(frozen=True, slots=True)
class MatrixPlan:
    """The columns of a model matrix; `constant` (p,) makes X @ constant = 1, if that is certain.

    `assign` has the term of each column, a position in `Terms.terms`; -1 is the intercept.
    """

    columns: tuple[ColumnPlan, ...]
    constant: NDArray[np.float64] | None
    assign: tuple[int, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)


def plan_matrix(
    terms: Terms,
    variables: Mapping[str, Matrix | Factor],
    contrasts: Mapping[str, Contrast] | None = None,
) -> MatrixPlan:
    """The columns of `terms`; `contrasts` overrides the default coding of a factor, by variable.

    Raises `DataError` for a factor with a single level where contrasts are needed.
    """
    chosen = contrasts or {}
    columns = [ColumnPlan("(Intercept)")] if terms.intercept else []
    assign = [-1] * len(columns)
    constant: NDArray[np.float64] | None = None
    spans: list[tuple[int, int]] = []
    coding = _full_coding(terms, variables)
    for t, (term, full) in enumerate(zip(terms.terms, coding, strict=True)):
        parts = []
        names = [terms.variables[v].text for v in term]
        for name, is_full in zip(names, full, strict=True):
            parts.append(_variable_columns(name, variables[name], is_full, chosen.get(name)))
        start = len(columns)
        _check_count(terms, t, start + prod(len(part) for part in parts))
        columns.extend(_products(parts))
        assign.extend([t] * (len(columns) - start))
        if all(full) and all(isinstance(variables[name], Factor) for name in names):
            spans.append((start, len(columns)))
    if terms.intercept:
        constant = np.zeros(len(columns))
        constant[0] = 1.0
    elif spans:  # the indicators of all combinations of levels sum to one
        constant = np.zeros(len(columns))
        constant[slice(*spans[0])] = 1.0
    return MatrixPlan(tuple(columns), constant, tuple(assign))


def _check_count(terms: Terms, t: int, count: int) -> None:
    if count > MOST_COLUMNS:
        raise DataError(
            f"with '{terms.labels()[t]}' the model matrix has {count} columns; expected at most "
            f"{MOST_COLUMNS}. A factor with so many levels is a grouping factor: (1 | group)"
        )


def _full_coding(terms: Terms, variables: Mapping[str, Matrix | Factor]) -> list[list[bool]]:
    """For each term and each of its variables: is it coded by one column a level?"""
    is_factor = [isinstance(variables[v.text], Factor) for v in terms.variables]
    earlier: list[frozenset[int]] = []
    result = []
    for term in terms.terms:
        margins = [frozenset(term) - {v} for v in term]
        absorbed = [not m or any(m <= other for other in earlier) for m in margins]
        result.append([is_factor[v] and not found for v, found in zip(term, absorbed, strict=True)])
        earlier.append(frozenset(term))
    if not terms.intercept:
        for term, full in zip(terms.terms, result, strict=True):
            for k, v in enumerate(term):
                if is_factor[v]:
                    full[k] = True
                    return result
    return result


def _variable_columns(
    name: str, variable: Matrix | Factor, full: bool, contrast: Contrast | None
) -> list[ColumnPlan]:
    if isinstance(variable, Matrix):
        return [
            ColumnPlan(name + suffix, numeric=((name, j),))
            for j, suffix in enumerate(variable.names)
        ]
    coding: Coding = (
        dummies(variable)
        if full
        else code_levels(variable, contrast or default_contrast(variable), name)
    )
    return [
        ColumnPlan(name + suffix, coded=((name, table),))
        for table, suffix in zip(coding.tables, coding.suffixes, strict=True)
    ]


def _products(parts: list[list[ColumnPlan]]) -> list[ColumnPlan]:
    """All products, the first variable varying fastest."""
    columns = []
    for combination in product(*reversed(parts)):
        first, *rest = reversed(combination)
        for part in rest:
            first = first.times(part)
        columns.append(first)
    return columns
