"""The data of a model fitted from arrays as a record, and the matrices made of them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..input_tables.factors import Factor
from ..matrices.model_matrix import ModelMatrices, from_arrays
from .codec import ArrayOf
from .container import refuse
from .saved_table import (
    CodedColumn,
    SavedIndex,
    load_factor,
    load_index,
    save_factor,
    save_index,
)

__all__ = ["SavedArrays", "load_arrays", "save_arrays"]

Vector = Annotated[NDArray[np.float64], ArrayOf("f8", 1)]


@dataclass(frozen=True)
class ArrayColumn:
    name: str
    values: Vector | None  # None: 1 in every row


@dataclass(frozen=True)
class ArrayTerm:
    group: int
    columns: tuple[ArrayColumn, ...]


@dataclass(frozen=True)
class SavedArrays:
    """The arguments y, X and terms of `lmer_arrays`."""

    response: Vector
    name: str
    index: SavedIndex
    fixed: tuple[ArrayColumn, ...]
    groups: tuple[CodedColumn, ...]
    terms: tuple[ArrayTerm, ...]


def save_arrays(matrices: ModelMatrices) -> SavedArrays:
    """The arrays of a model without a formula."""
    model = matrices.arrays
    assert model is not None
    arguments, groups = model.arguments, {}
    numeric, terms = arguments["numeric"], []
    for (at, recipes), (name, columns, levels) in zip(arguments["terms"], model.terms, strict=True):
        codes, _ = arguments["groups"][at]
        groups[at] = save_factor(Factor(codes, levels), name, "object", f"the groups '{name}'")
        terms.append(ArrayTerm(at, _columns(columns, recipes, numeric)))
    return SavedArrays(
        response=arguments["response"],
        name=matrices.response_name,
        index=save_index(matrices.full_index),
        fixed=_columns(model.fixed_names, arguments["fixed"], numeric),
        groups=tuple(groups[at] for at in sorted(groups)),
        terms=tuple(terms),
    )


def _columns(names: Any, recipes: Any, numeric: Any) -> tuple[ArrayColumn, ...]:
    pairs = zip(names, recipes, strict=True)
    return tuple(ArrayColumn(name, numeric[at[0]] if at else None) for name, (at, _) in pairs)


def load_arrays(saved: SavedArrays, weights: Any, offset: Any) -> ModelMatrices:
    """The matrices; raises a `MixedModelsError` where the arrays do not fit together."""
    n = len(saved.response)
    index = load_index(saved.index, n)
    groups = [_groups(column, n) for column in saved.groups]
    if not all(0 <= term.group < len(groups) for term in saved.terms):
        refuse("a term's groups are not there")
    return from_arrays(
        pd.Series(saved.response, index=index, name=saved.name, copy=False),
        _table(saved.fixed, n),
        [(_table(term.columns, n), groups[term.group]) for term in saved.terms],
        weights=weights,
        offset=offset,
    )


def _table(columns: tuple[ArrayColumn, ...], n: int) -> pd.DataFrame:
    """Columns side by side; their names may repeat."""
    values = [np.ones(n) if column.values is None else column.values for column in columns]
    if any(len(column) != n for column in values):
        refuse(f"a column has another length than the {n} rows")
    frame = pd.DataFrame(dict(enumerate(values)), index=pd.RangeIndex(n), copy=False)
    return frame.set_axis([column.name for column in columns], axis=1)


def _groups(saved: CodedColumn, n: int) -> pd.Series[Any]:
    """Labels of groups as a categorical, in the order of the fit."""
    factor = load_factor(saved)
    if len(factor.codes) != n or not factor.levels.is_unique:
        refuse("groups of another length than the rows, or with a level twice")
    labels = pd.Categorical.from_codes(factor.codes, categories=factor.levels)
    return pd.Series(labels, index=pd.RangeIndex(n), name=saved.name)
