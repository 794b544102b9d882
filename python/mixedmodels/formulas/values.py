"""The values that expressions take, and the conversions between them.

A `Column` not yet read, an array (n,) of float64, a `Factor` (also a boolean with missing values),
a `Matrix` of several columns, or a constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..input_tables.columns import Column
from ..input_tables.factors import Factor
from .transforms import Matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = [
    "boolean",
    "factor_of",
    "is_boolean",
    "is_labelled",
    "kind_words",
    "numbers_of",
    "plain",
]


def boolean(true: Any, missing: Any) -> Factor:
    """A comparison's result, missing where an operand is."""
    codes = np.atleast_1d(np.where(missing, -1, true)).astype(np.int32)
    return Factor(codes, pd.Index([False, True]))


def is_boolean(factor: Factor) -> bool:
    return factor.levels.dtype == bool and len(factor.levels) == 2


def is_labelled(value: Any) -> bool:
    if isinstance(value, Column):
        return value.kind not in ("number", "boolean")
    return isinstance(value, Factor) and not is_boolean(value)


def factor_of(value: Column | Factor) -> Factor:
    return value.factor if isinstance(value, Column) else value


def numbers_of(factor: Factor, value: Column | Factor) -> Array:
    """R: the codes 1, 2, ... of a factor, the numbers written in a text column."""
    if isinstance(value, Column) and value.kind == "date":
        return value.numeric
    if not (isinstance(value, Column) and value.kind in ("text", "object")):
        return np.where(factor.codes < 0, np.nan, factor.codes + 1.0)
    table = pd.to_numeric(pd.Series(factor.labels(), dtype=object), errors="coerce").to_numpy(float)
    return np.append(table, np.nan)[factor.codes]


def plain(value: Any) -> Any:
    """What a function of `context=` is given: numpy arrays and plain constants."""
    if isinstance(value, Column):
        return value.numeric if value.kind in ("number", "boolean") else plain(value.factor)
    if isinstance(value, Factor):
        levels = np.append(np.asarray(value.levels, dtype=object), [None])
        return levels[value.codes]
    if isinstance(value, Matrix):
        return np.column_stack(value.columns)
    return value


def kind_words(kind: str) -> str:
    words = {"text": "text", "category": "categorical", "date": "a date", "duration": "a duration"}
    return words.get(kind, "not numeric")
