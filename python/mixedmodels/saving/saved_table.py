"""The columns and the index of a table as records, typed: numbers, and codes into levels.

Numbers are kept in their own type (with a mask where a missing value has none). Everything else,
text, categories with their declared levels and order, booleans, dates, times, is kept as the codes
and levels that a formula sees of it. A table of any library is loaded as a pandas one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..input_tables.columns import Column, Table
from ..input_tables.factors import Factor
from .codec import ArrayOf
from .container import refuse
from .saved_levels import Numbers, SavedLevels, load_levels, save_levels

__all__ = [
    "CodedColumn",
    "SavedIndex",
    "SavedTable",
    "load_factor",
    "load_index",
    "load_table",
    "save_factor",
    "save_index",
    "save_table",
]

Kind = Literal["category", "text", "boolean", "date", "duration", "object"]
Codes = Annotated[NDArray[np.int32], ArrayOf("i4", 1)]
Mask = Annotated[NDArray[np.uint8], ArrayOf("u1", 1)]


@dataclass(frozen=True)
class NumberColumn:
    name: str | None
    values: Numbers
    missing: Mask | None  # of integers; missing floats are NaN
    form: Literal["numbers"] = "numbers"


@dataclass(frozen=True)
class CodedColumn:
    name: str | None
    kind: Kind
    codes: Codes  # -1: missing
    levels: SavedLevels
    ordered: bool
    form: Literal["coded"] = "coded"


SavedColumn: TypeAlias = NumberColumn | CodedColumn


@dataclass(frozen=True)
class RangeLabels:
    start: int
    stop: int
    step: int
    name: str | None
    form: Literal["range"] = "range"


@dataclass(frozen=True)
class ColumnLabels:
    """One column, or several of a MultiIndex."""

    columns: tuple[SavedColumn, ...]
    several: bool
    form: Literal["columns"] = "columns"


SavedIndex: TypeAlias = RangeLabels | ColumnLabels


@dataclass(frozen=True)
class SavedTable:
    columns: tuple[SavedColumn, ...]
    index: SavedIndex


# --- Saving ---


def save_table(table: Table, names: Sequence[str]) -> SavedTable:
    """The named columns of a table; raises `DataError` for values that a file cannot hold."""
    columns = tuple(_save_column(table.column(name), name) for name in names)
    return SavedTable(columns, save_index(table.index))


def save_index(index: pd.Index[Any]) -> SavedIndex:
    """The labels of rows."""
    if isinstance(index, pd.RangeIndex):
        return RangeLabels(index.start, index.stop, index.step, _label(index.name))
    levels = [index.get_level_values(k) for k in range(index.nlevels)]
    columns = [
        _save_column(Table({"the index": pd.Series(level)}).column("the index"), _label(level.name))
        for level in levels
    ]
    return ColumnLabels(tuple(columns), isinstance(index, pd.MultiIndex))


def _label(name: Any) -> str | None:
    return None if name is None else str(name)


def _save_column(column: Column, name: str | None) -> SavedColumn:
    if column.kind == "complex":
        raise DataError(f"column '{column.name}' has complex numbers, which a file cannot hold")
    if column.kind == "number":
        return NumberColumn(name, *_numbers(column))
    return save_factor(column.factor, name, column.kind, f"column '{column.name}'")


def save_factor(factor: Factor, name: str | None, kind: Any, what: str) -> CodedColumn:
    """A coded column; `what` names it in messages."""
    return CodedColumn(name, kind, factor.codes, save_levels(factor.levels, what), factor.ordered)


def _numbers(column: Column) -> tuple[NDArray[Any], NDArray[np.uint8] | None]:
    """Values in their own type, and which are missing where that type has no NaN."""
    series = column._series
    native = series.to_native()
    if isinstance(native, pd.Series) and isinstance(native.dtype, np.dtype):
        values = native.to_numpy()
        if values.dtype.kind in "iuf" and values.dtype.itemsize <= 8:
            return values, None
    elif series.dtype.is_integer():
        missing = np.asarray(series.is_null().to_numpy(), dtype=bool)
        values = np.asarray(series.fill_null(0).to_numpy())
        if values.dtype.kind in "iu":
            return values, missing.astype(np.uint8) if missing.any() else None
    return column.numeric, None


# --- Loading ---


def load_table(saved: SavedTable) -> pd.DataFrame:
    """The table; raises `SavedModelError` where its parts do not fit together."""
    names = [column.name for column in saved.columns]
    if None in names or len(set(names)) < len(names):
        refuse("columns without a name of their own")
    values = {str(column.name): _load_column(column) for column in saved.columns}
    lengths = {len(column) for column in values.values()}
    if len(lengths) != 1:
        refuse(f"columns of {len(lengths)} lengths")
    index = load_index(saved.index, lengths.pop())
    return pd.DataFrame({name: pd.Series(v, index=index, copy=False) for name, v in values.items()})


def load_index(saved: SavedIndex, n: int) -> pd.Index[Any]:
    """The labels of n rows."""
    if isinstance(saved, RangeLabels):
        if saved.step == 0 or len(range(saved.start, saved.stop, saved.step)) != n:
            refuse(f"an index of another length than the {n} rows")
        return pd.RangeIndex(saved.start, saved.stop, saved.step, name=saved.name)
    levels = [pd.Index(_load_column(column), name=column.name) for column in saved.columns]
    if not levels or any(len(level) != n for level in levels):
        refuse(f"an index of another length than the {n} rows")
    if saved.several:
        return pd.MultiIndex.from_arrays(levels)
    single: pd.Index[Any] = levels[0]
    return single


def _load_column(saved: SavedColumn) -> Any:
    """An array or pandas array of the column's values."""
    if isinstance(saved, CodedColumn):
        return _load_coded(saved)
    if saved.missing is None:
        return saved.values
    if len(saved.missing) != len(saved.values) or saved.values.dtype.kind == "f":
        refuse("a mask that is not that of its integers")
    return pd.arrays.IntegerArray(saved.values, saved.missing != 0)


def load_factor(saved: CodedColumn) -> Factor:
    """Codes and levels, compared with each other."""
    levels = load_levels(saved.levels)
    codes = saved.codes
    if len(codes) and not -1 <= int(codes.min()) <= int(codes.max()) < len(levels):
        refuse("codes without a level")
    return Factor(codes, levels, saved.ordered)


def _load_coded(saved: CodedColumn) -> Any:
    factor = load_factor(saved)
    codes, levels = factor.codes, factor.levels
    try:
        if saved.kind == "category":
            return pd.Categorical.from_codes(codes, categories=levels, ordered=saved.ordered)
        if saved.kind == "boolean":
            return _booleans(factor)
        if len(levels) == 0:
            return np.full(len(codes), None, dtype=object)
        return levels.take(codes, allow_fill=True, fill_value=np.nan).array
    except (TypeError, ValueError) as error:
        refuse(f"a column that is none ({error})")


def _booleans(factor: Factor) -> Any:
    if factor.levels.tolist() != [False, True]:
        refuse("booleans with other levels than two")
    if factor.missing() is None:
        return factor.codes == 1
    return pd.arrays.BooleanArray(factor.codes == 1, factor.codes < 0)
