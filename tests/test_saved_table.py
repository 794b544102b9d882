"""Tables as they are saved: every column reads in a formula as it did, and damage is noticed."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

import mixedmodels as mm
from mixedmodels.input_tables.columns import Table
from mixedmodels.saving.codec import decode, encode
from mixedmodels.saving.saved_levels import MixedLevels, NumberLevels, TextLevels, TimeLevels
from mixedmodels.saving.saved_table import (
    CodedColumn,
    ColumnLabels,
    NumberColumn,
    RangeLabels,
    SavedTable,
    load_table,
    save_table,
)

N = 5
DAYS = pd.date_range("2020-01-01", periods=N)

COLUMNS: dict[str, Any] = {
    "float64": np.array([0.1, np.nan, -0.0, 1e300, 5e-324]),
    "float32": np.arange(N, dtype=np.float32) / 3,
    "float16": np.arange(N, dtype=np.float16),
    "int8": np.arange(N, dtype=np.int8),
    "uint64": np.array([0, 1, 2, 3, 2**64 - 1], dtype=np.uint64),
    "big-endian": np.arange(N, dtype=">f8"),
    "Int64 with gaps": pd.array([1, None, 3, 4, 2**60 + 1], dtype="Int64"),
    "UInt16 with gaps": pd.array([1, None, 3, 4, 5], dtype="UInt16"),
    "bool": np.array([True, False, True, True, False]),
    "boolean with gaps": pd.array([True, None, True, True, False], dtype="boolean"),
    "text": ["a", "b", None, "é\U0001f600", "a"],
    "empty text": ["", "", "a", None, "a\0b"],
    "text objects": np.array(["a", "b", None, "c", "a"], dtype=object),
    "text of arrow": pd.array(["q", None, "r", "q", "q"], dtype="string[pyarrow]"),
    "ordered": pd.Categorical(["x", "y", "x", None, "z"], ["z", "y", "x", "w"], ordered=True),
    "category of numbers": pd.Categorical([3, 1, 2, 3, 1], categories=[3, 2, 1]),
    "intervals": pd.cut(np.arange(N), 2),
    "intervals of days": pd.cut(DAYS, 2),
    "dates": [datetime.date(2020, 1, k + 1) for k in range(N)],
    "times": DAYS.where(np.arange(N) != 1),
    "times in seconds": DAYS.as_unit("s"),
    "times in Berlin": DAYS.tz_localize("Europe/Berlin"),
    "times at an offset": DAYS.tz_localize(datetime.timezone(datetime.timedelta(hours=-3.5))),
    "durations": pd.to_timedelta(np.arange(N), unit="h"),
    "mixed": np.array([1, "a", True, 2.5, None], dtype=object),
    "nothing": np.array([None] * N, dtype=object),
}


def again(table: Any) -> pd.DataFrame:
    given = Table(table)
    content, arrays = encode(save_table(given, given.names), SavedTable)
    return load_table(decode(content, SavedTable, arrays))


def assert_reads_alike(original: Any, loaded: pd.DataFrame, name: str) -> None:
    first, second = Table(original).column(name), Table(loaded).column(name)
    assert second.kind == first.kind
    np.testing.assert_array_equal(second.factor.codes, first.factor.codes)
    assert second.factor.labels() == first.factor.labels()
    assert second.factor.ordered == first.factor.ordered
    if first.kind in ("number", "boolean", "date"):
        assert second.numeric.tobytes() == first.numeric.tobytes()


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(name: str) -> None:
    frame = pd.DataFrame({name: COLUMNS[name]})
    assert_reads_alike(frame, again(frame), name)


@pytest.mark.parametrize("library", ["polars", "pyarrow", "dict of polars", "pandas with arrow"])
def test_tables_of_other_libraries(library: str) -> None:
    frame = pl.DataFrame(
        {
            "integers": [1, None, 3],
            "floats": [1.0, None, 2.0],
            "text": ["a", None, "b"],
            "category": pl.Series(["b", "a", None], dtype=pl.Categorical),
            "enum": pl.Series(["b", "a", None], dtype=pl.Enum(["b", "a"])),
            "dates": [datetime.date(2020, 1, 1), None, datetime.date(2021, 1, 1)],
            "times": [datetime.datetime(2020, 1, 1), None, datetime.datetime(2021, 1, 1, 3)],
            "booleans": [True, None, False],
            "decimals": [decimal.Decimal("1.5"), None, decimal.Decimal("2.5")],
        }
    )
    tables: dict[str, Callable[[], Any]] = {
        "polars": lambda: frame,
        "pyarrow": frame.to_arrow,
        "dict of polars": lambda: {name: frame[name] for name in frame.columns},
        "pandas with arrow": lambda: frame.to_pandas(use_pyarrow_extension_array=True),
    }
    table = tables[library]()
    loaded = again(table)
    for name in frame.columns:
        assert_reads_alike(table, loaded, name)


INDEXES: dict[str, pd.Index[Any]] = {
    "range": pd.RangeIndex(3, 18, 3, name="row"),
    "numbers": pd.Index([5.5, 1.0, 1.0, np.nan, 2.0]),
    "text": pd.Index(list("vwxyz"), name="row"),
    "times": DAYS,
    "categories": pd.CategoricalIndex(list("abcab")),
    "several": pd.MultiIndex.from_product([["a"], range(N)], names=["g", None]),
}


@pytest.mark.parametrize("name", INDEXES)
def test_indexes(name: str) -> None:
    index = INDEXES[name]
    loaded = again(pd.DataFrame({"x": np.arange(N)}, index=index)).index
    pd.testing.assert_index_equal(loaded, index, exact="equiv", check_freq=False)
    assert loaded.names == index.names


def test_not_saved() -> None:
    for values in (pd.period_range("2020", periods=N), [(k,) for k in range(N)]):
        with pytest.raises(mm.DataError, match=r"which a file of m\.save cannot hold"):
            again(pd.DataFrame({"x": pd.Series(list(values), dtype=object)}).astype(object))
    with pytest.raises(mm.DataError, match="complex"):
        again(pd.DataFrame({"x": np.ones(N) * 1j}))


CODES = np.array([0, 1, -1], dtype=np.int32)
LETTERS = TextLevels(np.frombuffer(b"ab", np.uint8), np.array([1, 1], np.uint32))
CODED = CodedColumn("x", "text", CODES, LETTERS, False)
NUMBERS = NumberColumn("x", np.arange(3), None)
ROWS = RangeLabels(0, 3, 1, None)


def coded(levels: Any, kind: Any = "text") -> SavedTable:
    return SavedTable((replace(CODED, levels=levels, kind=kind),), ROWS)


BROKEN: dict[str, SavedTable] = {
    "no columns": SavedTable((), ROWS),
    "no name": SavedTable((replace(NUMBERS, name=None),), ROWS),
    "name twice": SavedTable((NUMBERS, CODED), ROWS),
    "lengths": SavedTable((NUMBERS, replace(CODED, name="z", codes=CODES[:2])), ROWS),
    "index": SavedTable((NUMBERS,), RangeLabels(0, 10**12, 1, None)),
    "index without step": SavedTable((NUMBERS,), RangeLabels(0, 3, 0, None)),
    "index of columns": SavedTable(
        (NUMBERS,), ColumnLabels((replace(CODED, codes=CODES[:1]),), False)
    ),
    "index of none": SavedTable((NUMBERS,), ColumnLabels((), True)),
    "codes beyond": SavedTable((replace(CODED, codes=CODES + 1),), ROWS),
    "codes below": SavedTable((replace(CODED, codes=CODES - 1),), ROWS),
    "mask": SavedTable((replace(NUMBERS, missing=np.zeros(2, np.uint8)),), ROWS),
    "mask of floats": SavedTable((NumberColumn("x", np.arange(3.0), np.zeros(3, np.uint8)),), ROWS),
    "text too short": coded(replace(LETTERS, lengths=np.array([1, 2], np.uint32))),
    "text of no length": coded(replace(LETTERS, lengths=np.zeros(0, np.uint32))),
    "not UTF-8": coded(replace(LETTERS, text=np.array([255, 255], np.uint8))),
    "level twice": coded(replace(LETTERS, text=np.array([97, 97], np.uint8)), "category"),
    "booleans": coded(MixedLevels((True, False)), "boolean"),
    "missing level": coded(NumberLevels(np.array([1.0, np.nan])), "category"),
    "zone": coded(TimeLevels(np.arange(2), "s", "../../etc/passwd", "times")),
    "no zone": coded(TimeLevels(np.arange(2), "s", "America", "times")),
    "offset": coded(TimeLevels(np.arange(2), "s", "+99:00", "times")),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken(name: str) -> None:
    with pytest.raises(mm.SavedModelError):
        load_table(BROKEN[name])
