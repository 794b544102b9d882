"""Factors: integer codes and sorted levels, made in one pass over a column.

Levels stand in the declared order if the column is categorical, numerically if they are numbers, by
code point if they are strings.  Values are hashed (or looked up, for integers in a small range),
then only the distinct ones are sorted; a million rows are never sorted.  Code -1 is a missing
value.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..formulas.contrasts import Contrast

__all__ = ["Factor", "combine", "factorise", "level_label", "show"]

_BLOCK = 1 << 16


@dataclass(frozen=True, slots=True)
class Factor:
    """A coded column: `codes` (n,) int32 into `levels`, -1 where missing.

    `ordered` asks for polynomial contrasts; `contrast` overrides the default (`C(f, contr.sum)`).
    """

    codes: NDArray[np.int32]
    levels: pd.Index[Any]
    ordered: bool = False
    contrast: Contrast | None = None

    def labels(self) -> list[str]:
        """The levels as R prints them.

        >>> Factor(np.zeros(1, np.int32), pd.Index([True, 2.0, "a"], dtype=object)).labels()
        ['TRUE', '2', 'a']
        """
        return [level_label(level) for level in self.levels]

    def missing(self) -> NDArray[np.bool_] | None:
        """(n,) mask of missing values, or None where there are none."""
        if len(self.codes) == 0 or int(self.codes.min()) >= 0:
            return None
        return self.codes < 0

    def drop_unused(self, rows: NDArray[np.uint32] | None) -> Factor:
        """Only the levels that occur in the rows kept (None: all), in the same order."""
        used = np.zeros(len(self.levels) + 1, dtype=bool)  # the last stands for code -1
        for block in _blocks(len(self.codes) if rows is None else len(rows)):
            used[self.codes[block] if rows is None else self.codes[rows[block]]] = True
        used = used[:-1]
        if used.all():
            return self
        table = np.full(len(used) + 1, -1, dtype=np.int32)
        table[:-1][used] = np.arange(used.sum(), dtype=np.int32)
        return replace(self, codes=table[self.codes], levels=self.levels[used])

    def recode(self, levels: pd.Index[Any]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Codes with respect to other `levels`, and which of the own levels are unknown there."""
        positions = np.asarray(_match(levels, self.levels), dtype=np.int32)
        table = np.append(positions, np.int32(-1))
        return table[self.codes], positions < 0


def _match(levels: pd.Index[Any], wanted: pd.Index[Any]) -> NDArray[Any]:
    if not levels.is_unique:  # labels of combinations such as "a:b" + "c" and "a" + "b:c"
        first = {level: k for k, level in reversed(list(enumerate(levels)))}
        return np.array([first.get(level, -1) for level in wanted])
    try:
        return np.asarray(levels.get_indexer(wanted))
    except (TypeError, ValueError):
        return np.full(len(wanted), -1)


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, min(start + _BLOCK, n)) for start in range(0, n, _BLOCK))


def level_label(level: Any) -> str:
    """One level as R prints it: TRUE, 2, 2.5, a date without its midnight."""
    if isinstance(level, str):
        return level
    if isinstance(level, bool | np.bool_):
        return "TRUE" if level else "FALSE"
    if isinstance(level, float | np.floating):
        return f"{float(level):.15g}"
    if isinstance(level, datetime.datetime) and level.time() == datetime.time():
        return level.date().isoformat()
    return str(level)


def show(level: Any) -> str:
    """A level or a row's label in a message: strings in quotes."""
    return repr(level) if isinstance(level, str) else level_label(level)


def factorise(values: Any, name: str) -> Factor:
    """Codes and sorted levels of any array-like of values that can be hashed.

    `values` is a numpy array or a pandas Series/array; raises `DataError` naming the column where a
    value cannot be hashed.

    >>> factorise(np.array([30, 10, 30]), "g").codes
    array([1, 0, 1], dtype=int32)
    """
    if isinstance(values, np.ndarray) and values.dtype == np.float16:
        values = values.astype(np.float32)  # pandas has no index of float16
    if isinstance(values, np.ndarray) and not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    if isinstance(values, np.ndarray) and values.dtype.kind in "iu":
        small = _factorise_small_integers(values)
        if small is not None:
            return small
    try:
        codes, uniques = pd.factorize(values)
    except (TypeError, NotImplementedError) as error:  # lists, structs: nothing to hash
        raise DataError(f"column '{name}' cannot be used as a factor: {error}") from None
    order = _sort_order(uniques)
    levels = pd.Index(uniques).take(order)
    table = np.empty(len(order) + 1, dtype=np.int32)
    table[order] = np.arange(len(order), dtype=np.int32)
    table[-1] = -1
    result = np.empty(len(codes), dtype=np.int32)
    for block in _blocks(len(codes)):
        result[block] = table[codes[block]]
    return Factor(result, levels)


def _factorise_small_integers(values: NDArray[Any]) -> Factor | None:
    """A table over the range instead of a hash, where the range is not far larger than the data."""
    if len(values) == 0:
        return None
    low, high = int(values.min()), int(values.max())
    if high - low > max(2 * len(values), 1024) or high > 2**62:
        return None
    present = np.zeros(high - low + 1, dtype=bool)
    for block in _blocks(len(values)):
        present[values[block].astype(np.int64) - low] = True
    table = np.cumsum(present, dtype=np.int32) - np.int32(1)
    codes = np.empty(len(values), dtype=np.int32)
    for block in _blocks(len(values)):
        codes[block] = table[values[block].astype(np.int64) - low]
    return Factor(codes, pd.Index(np.flatnonzero(present) + low))


def _sort_order(uniques: Any) -> NDArray[np.intp]:
    try:
        if isinstance(uniques, np.ndarray) and uniques.dtype != object:
            return np.argsort(uniques, kind="stable")
        if isinstance(uniques, np.ndarray):
            items = uniques.tolist()
            return np.array(sorted(range(len(items)), key=items.__getitem__), dtype=np.intp)
        return np.asarray(uniques.argsort())
    except TypeError:  # values of several types: by type, then by their text
        items = list(uniques)
        keys = [(type(item).__name__, str(item)) for item in items]
        return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)


def combine(factors: Sequence[Factor]) -> Factor:
    """The interaction `a:b:...`: only combinations that occur, the first factor varying slowest.

    >>> a = factorise(np.array([1, 1, 2]), "a")
    >>> combine([a, factorise(np.array(["y", "x", "x"]), "b")]).levels.tolist()
    ['1:x', '1:y', '2:x']
    """
    if len(factors) == 1:
        return factors[0]
    pair = factors[0].codes.astype(np.int64)
    parts = [np.arange(len(factors[0].levels))]
    for factor in factors[1:]:
        width = max(len(factor.levels), 1)
        bad = (pair < 0) | (factor.codes < 0)
        pair *= width
        pair += factor.codes
        pair[bad] = -1
        packed = _pack(pair, len(parts[0]) * width)
        pair = packed.codes.astype(np.int64)
        kept = np.asarray(packed.levels)
        parts = [part[kept // width] for part in parts] + [kept % width]
    labels = [np.array(f.labels(), dtype=object)[p] for f, p in zip(factors, parts, strict=True)]
    levels = pd.Index([":".join(row) for row in zip(*labels, strict=True)], dtype=object)
    return Factor(pair.astype(np.int32), levels.infer_objects())


def _pack(pair: NDArray[np.int64], size: int) -> Factor:
    """The combinations that occur, in order; missing ones stay -1."""
    if size <= max(4 * len(pair), 1024):
        present = np.zeros(size + 1, dtype=bool)
        for block in _blocks(len(pair)):
            present[pair[block]] = True
        present = present[:-1]
        table = np.append(np.cumsum(present, dtype=np.int32) - np.int32(1), np.int32(-1))
        return Factor(table[pair], pd.Index(np.flatnonzero(present)))
    factor = factorise(pair, "")
    if len(factor.levels) and factor.levels[0] < 0:
        return Factor(factor.codes - np.int32(1), factor.levels[1:])
    return factor
