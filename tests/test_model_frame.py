"""Tables of every kind, rows kept and dropped, factors coded; and what data are refused."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mixedmodels.errors import DataError, FormulaError, MissingDataWarning
from mixedmodels.formulas.formula import parse
from mixedmodels.input_tables.columns import Table
from mixedmodels.input_tables.factors import combine, factorise
from mixedmodels.matrices.model_frame import ModelFrame, model_frame

N = 6
COLUMNS: dict[str, list[Any]] = {
    "y": [1.5, 2.0, 0.5, 3.0, 2.5, 1.0],
    "x": [0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
    "k": [3, 1, 2, 3, 1, 2],
    "s": ["b", "a", "B", "b", "a", "B"],
    "t": [True, False, True, True, False, False],
    "d": [datetime.date(2024, 1, 1 + j % 3) for j in range(N)],
}


def pandas_table() -> Any:
    return pd.DataFrame(COLUMNS)


def polars_table() -> Any:
    return pytest.importorskip("polars").DataFrame(COLUMNS)


def pyarrow_table() -> Any:
    return pytest.importorskip("pyarrow").table(COLUMNS)


def dict_of_arrays() -> Any:
    return {name: np.array(values) for name, values in COLUMNS.items()}


def dict_of_lists() -> Any:
    return COLUMNS


TABLES = [pandas_table, polars_table, pyarrow_table, dict_of_arrays, dict_of_lists]


def frame(formula: str, data: Any = None, **rest: Any) -> ModelFrame:
    return model_frame(parse(formula), pandas_table() if data is None else data, **rest)


def quietly(formula: str, data: Any, **rest: Any) -> ModelFrame:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingDataWarning)
        return frame(formula, data, **rest)


@pytest.mark.parametrize("make", TABLES)
def test_every_kind_of_table_reads_alike(make: Callable[[], Any]) -> None:
    got = frame("y ~ x + t + (1 | k) + (1 | s) + (1 | d) + (1 | t)", make())
    assert got.nobs == N
    assert got.rows is None
    assert got.response is not None
    assert got.response.tolist() == COLUMNS["y"]
    assert got.groups["k"].levels.tolist() == [1, 2, 3]
    assert got.groups["k"].codes.tolist() == [2, 0, 1, 2, 0, 1]
    assert got.groups["s"].labels() == ["B", "a", "b"]  # by code point
    assert got.groups["t"].labels() == ["FALSE", "TRUE"]
    assert got.groups["d"].labels() == ["2024-01-01", "2024-01-02", "2024-01-03"]
    assert list(got.index) == list(range(N))


def test_float_columns_are_views_not_copies() -> None:
    data = pandas_table()
    got = frame("y ~ x + (1 | k)", data)
    assert got.response is not None
    assert np.shares_memory(got.response, data["y"].to_numpy())
    assert np.shares_memory(got.variables["x"].columns[0], data["x"].to_numpy())  # type: ignore[union-attr]


def test_polars_and_pyarrow_floats_are_views() -> None:
    pl = pytest.importorskip("polars")
    data = pl.DataFrame({"x": [1.0, 2.0]})
    assert np.shares_memory(Table(data).column("x").numeric, data["x"].to_numpy())
    table = data.to_arrow()
    assert np.shares_memory(Table(table).column("x").numeric, table["x"].chunk(0).to_numpy())


# A column → its sorted labels.
LEVELS: dict[str, tuple[Any, list[str]]] = {
    "numbers": ([10, 9, 100], ["9", "10", "100"]),
    "small integers": (np.array([-100, 100, 0], dtype=np.int8), ["-100", "0", "100"]),
    "large integers": (
        np.array([2**64 - 1, 2**63, 2**64 - 2], dtype=np.uint64),
        ["9223372036854775808", "18446744073709551614", "18446744073709551615"],
    ),
    "wide integers": ([10**15, -5, 7], ["-5", "7", "1000000000000000"]),
    "floats": ([2.5, 1.0, 10.0], ["1", "2.5", "10"]),
    "strings": (["s10", "s9", "S1"], ["S1", "s10", "s9"]),
    "unicode": (["é", "z", "a"], ["a", "z", "é"]),
    "declared": (pd.Categorical(["u", "w", "u"], ["w", "v", "u"]), ["w", "u"]),
    "times": (
        pd.to_datetime(["2024-01-02", "2024-01-01 10:00", "2024-01-02"], format="ISO8601"),
        ["2024-01-01 10:00:00", "2024-01-02"],
    ),
    "mixed": ([1, "a", 2.5], ["2.5", "1", "a"]),
}


@pytest.mark.parametrize("name", LEVELS)
def test_levels_in_their_order_unused_ones_dropped(name: str) -> None:
    values, labels = LEVELS[name]
    data = pd.DataFrame({"y": [1.0, 2.0, 3.0], "g": values})
    group = frame("y ~ 1 + (1 | g)", data).groups["g"]
    assert group.labels() == labels
    values = pd.Series(values).tolist()
    assert [group.levels[c] for c in group.codes] == values


def test_polars_enum_keeps_its_order_and_categorical_is_sorted() -> None:
    pl = pytest.importorskip("polars")
    values = ["z", "a", None]
    enum = (
        Table(pl.DataFrame({"g": pl.Series(values, dtype=pl.Enum(["z", "a"]))})).column("g").factor
    )
    assert (enum.labels(), enum.codes.tolist()) == (["z", "a"], [0, 1, -1])
    free = Table(pl.DataFrame({"g": pl.Series(values, dtype=pl.Categorical)})).column("g").factor
    assert (free.labels(), free.codes.tolist()) == (["a", "z"], [1, 0, -1])


def test_interactions_keep_combinations_that_occur() -> None:
    a = factorise(np.array([1, 1, 2, 2]), "a")
    b = factorise(np.array(["y", "x", "x", "x"]), "b")
    both = combine([a, b])
    assert both.levels.tolist() == ["1:x", "1:y", "2:x"]
    assert both.codes.tolist() == [1, 0, 2, 2]
    three = combine([a, b, factorise(np.array([0.5, 1, 1, 2]), "c")])
    assert three.levels.tolist() == ["1:x:1", "1:y:0.5", "2:x:1", "2:x:2"]


def test_interactions_of_many_levels() -> None:
    n = 5000
    rng = np.random.default_rng(3)
    parts = [rng.integers(0, n, n) for _ in range(3)]
    both = combine([factorise(part, "p") for part in parts])
    expected = sorted(set(zip(*(part.tolist() for part in parts), strict=True)))
    assert both.levels.tolist() == [":".join(map(str, row)) for row in expected]
    row = tuple(int(part[17]) for part in parts)
    assert expected[both.codes[17]] == row


# --- missing values -----------------------------------------------------------------------------


def with_missing() -> pd.DataFrame:
    data = pandas_table()
    data["z"] = pd.array([1, None, 3, 4, 5, 6], dtype="Int64")
    data["h"] = ["p", "q", None, "p", "q", "r"]
    data.loc[5, "y"] = np.nan
    data.index = pd.Index(list("ABCDEF"))
    return data


def test_missing_rows_are_dropped_counted_and_reported() -> None:
    with pytest.warns(MissingDataWarning, match=r"3 of 6 rows dropped.*y: 1, z: 1, h: 1.*3 rows"):
        got = frame("y ~ x + z + (1 | h)", with_missing())
    assert got.rows is not None
    assert got.rows.tolist() == [0, 3, 4]
    assert got.missing.to_dict() == {"y": 1, "z": 1, "h": 1}
    assert got.groups["h"].labels() == ["p", "q"]  # "r" only occurs in a dropped row
    assert list(got.index) == list("ABCDEF")


def test_columns_that_are_not_used_may_be_missing() -> None:
    got = frame("x ~ k", with_missing())
    assert got.rows is None
    assert got.missing.empty


@pytest.mark.parametrize("make", [polars_table, pyarrow_table])
def test_nulls_of_other_tables(make: Callable[[], Any]) -> None:
    columns = {**COLUMNS, "x": [0.0, None, 2.0, 3.0, 4.0, 5.0], "k": [3, 1, None, 3, 1, 2]}
    columns["s"] = ["b", "a", "B", None, "a", "B"]
    columns["t"] = [True, False, True, True, None, False]
    data = type(make())
    table = data(columns) if "polars" in data.__module__ else data.from_pydict(columns)
    got = quietly("y ~ x + t + (1 | k) + (1 | s)", table)
    assert got.rows is not None
    assert got.rows.tolist() == [0, 5]


def test_na_raise_names_columns_and_row() -> None:
    with pytest.raises(DataError, match=r"missing values in y: 1, z: 1, first in row 'B'"):
        frame("y ~ z", with_missing(), na_action="raise")
    with pytest.raises(DataError, match="na_action='keep'"):
        frame("y ~ x", na_action="keep")


def test_infinite_groups_are_refused() -> None:
    with pytest.raises(DataError, match="'x' is infinite in row 2"):
        frame("y ~ 1 + (1 | x)", pandas_table().assign(x=[1, 2, np.inf, 1, 2, 1.0]))


def test_functions_that_make_missing_values_count_by_their_expression() -> None:
    got = quietly("y ~ log(x - 1)", pandas_table().assign(x=[0.5, 3, 4, 5, 6, 7]))
    assert got.missing.to_dict() == {"log(x - 1)": 1}


def test_infinite_names_column_and_row() -> None:
    data = with_missing()
    data.loc["C", "x"] = np.inf
    with pytest.raises(DataError, match=r"'x' is infinite in row 'C' \(1 row"):
        frame("y ~ x", data)
    with pytest.raises(DataError, match=r"'log\(x\)' is -infinite in row 0"):
        frame("y ~ log(x)")


# --- weights and offsets ------------------------------------------------------------------------


def test_weights_by_name_expression_and_array() -> None:
    data = pandas_table()
    for weights in ("x + 1", data["x"] + 1, (data["x"] + 1).to_numpy(), [1, 2, 3, 4, 5, 6]):
        got = frame("y ~ k", data, weights=weights)
        assert got.weights is not None
        assert got.weights.tolist() == [1, 2, 3, 4, 5, 6]


def test_zero_weights_drop_the_row_and_say_so() -> None:
    with pytest.warns(MissingDataWarning, match=r"1 of 6 rows dropped: weight 0; 5 rows"):
        got = frame("y ~ k + (1 | s)", weights="x")
    assert got.zero_weights == 1
    assert got.nobs == 5
    missing = np.array([np.nan, 0, 1, 1, 1, 1])
    got = quietly("y ~ k", pandas_table(), weights=missing)
    assert (got.nobs, got.zero_weights, got.missing.to_dict()) == (4, 1, {"weights": 1})


def test_offsets_add_up() -> None:
    got = frame("y ~ k + offset(x) + offset(log(k))", offset="x")
    assert got.offset is not None
    expected = 2 * np.array(COLUMNS["x"]) + np.log(COLUMNS["k"])
    assert np.allclose(got.offset, expected, rtol=1e-15)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "negative weight": (lambda: frame("y ~ x", weights=[1, 1, -2, 1, 1, 1]), r"row 2 is -2"),
    "weights of another length": (lambda: frame("y ~ x", weights=[1, 2]), "2 values.*6 rows"),
    "weights of another index": (
        lambda: frame("y ~ x", weights=pd.Series(1.0, index=range(1, 7))),
        "index of weights",
    ),
    "weights all zero": (lambda: frame("y ~ x", weights=np.zeros(6)), "every weight is zero"),
    "weights in two dimensions": (lambda: frame("y ~ x", weights=np.ones((6, 1))), "dimensions"),
    "text as weights": (lambda: frame("y ~ x", weights="s"), "weights 's' is text"),
    "unknown weights": (lambda: frame("y ~ x", weights="xx"), "column 'xx' is not in the data"),
    "no rows": (lambda: frame("y ~ x", pandas_table().iloc[:0]), "no rows"),
    "no columns": (lambda: frame("y ~ x", pd.DataFrame()), "no rows"),
    "nothing left": (
        lambda: frame("y ~ x", pandas_table().assign(x=np.nan)),
        r"no row is left.*x: 6",
    ),
    "missing column": (
        lambda: frame("y ~ Xx + (1 | k)", pandas_table().rename(columns={"x": "xx"})),
        "column 'Xx' is not in the data; did you mean 'xx'",
    ),
    "column in the index": (
        lambda: frame("y ~ x", pandas_table().set_index("x")),
        r"column 'x' is not in the data but in their index: data.reset_index\(\)",
    ),
    "one number": (
        lambda: frame("y ~ x", {"y": [1.0], "x": 2.0}),
        "0 dimensions; expected one value a row, a list also where there is one row",
    ),
    "missing group": (lambda: frame("y ~ x + (1 | qqq)"), r"'qqq' is not in the data \(it has"),
    "missing response": (lambda: frame("Y ~ x"), "'Y' is not in the data; did you mean 'y'"),
    "repeated name": (
        lambda: frame("y ~ x", pd.DataFrame(np.ones((3, 3)), columns=["y", "x", "x"])),
        "2 columns called 'x'",
    ),
    "text response": (lambda: frame("s ~ x"), "response 's' is text"),
    "date response": (lambda: frame("d ~ x"), "response 'd' is a date"),
    "text in arithmetic": (lambda: frame("y ~ I(s + 1)"), "'s' is text"),
    "unequal columns": (
        lambda: frame("y ~ x", {"y": [1.0, 2.0], "x": [1.0]}),
        "column 'x' has 1 values where another has 2",
    ),
    "two dimensions": (
        lambda: frame("y ~ x", {"y": np.ones(3), "x": np.ones((3, 2))}),
        "2 dimensions",
    ),
    "not a table": (lambda: frame("y ~ x", 5), "expected a pandas, polars or pyarrow table"),
    "complex numbers": (
        lambda: frame("y ~ x", {"y": [1.0, 2.0], "x": np.array([1j, 2])}),
        "complex",
    ),
    "scale of a constant": (
        lambda: frame("y ~ scale(x)", pandas_table().assign(x=1.0)),
        "constant",
    ),
    "poly beyond the data": (lambda: frame("y ~ poly(k, 3)"), "more than 3 distinct"),
    "poly of infinity": (
        lambda: frame("y ~ poly(x, 2)", pandas_table().assign(x=[1, 2, 3, 4, 5, np.inf])),
        "infinite in row 5",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_data_errors_say_what_and_where(case: str) -> None:
    make, words = REFUSED[case]
    with pytest.raises(DataError, match=words):
        make()


NOT_ALLOWED = {
    "foo(x)": "'foo' is not one a formula may call",
    "lgo(x)": "did you mean 'log'",
    "np.load(x)": "'np.load' is not one",
    "np.linalg.inv(x)": "not one a formula may call",
    "eval(x)": "'eval'",
    "open(x)": "'open'",
    "__import__(x)": "'__import__'",
    "exp(x, k)": "takes 1 argument",
    "log(x, 2, 3, 4)": "does not take these arguments",
    "poly(x, 2, 3, 4, 5)": "does not take these arguments",
    "I(x, k)": "I\\(\\) takes one argument",
    "I(3)": "same for every row",
    "I(1 < 2)": "same for every row",
    "c(1, 2)": "same for every row",
    "center(3)": "needs a column",
    "I('a' + x)": "expected numbers",
    "C(s, nonsense)": "'nonsense' is not in the data",
    "C(s, 'nonsense')": "contrast 'nonsense'",
    "I(cbind(x, k))": "cbind",
    "relevel(s, ref = 'q')": "names a level",
}


@pytest.mark.parametrize("text", NOT_ALLOWED)
def test_functions_that_a_formula_may_not_call(text: str) -> None:
    with pytest.raises((FormulaError, DataError), match=NOT_ALLOWED[text]):
        frame(f"y ~ {text}")


def test_numbers_cannot_grow_without_bound() -> None:
    with pytest.raises(DataError, match="infinite"):
        frame("y ~ I(x + 9**9**9**9)")


def test_a_function_never_writes_into_the_data() -> None:
    data = pandas_table()
    before = data.copy()
    for text in ("exp(x, k)", "pmin(x, k)", "scale(x)", "center(x)", "I(x * 2)", "abs(-x)"):
        try:
            frame(f"y ~ {text}", data)
        except FormulaError:
            continue
    pd.testing.assert_frame_equal(data, before)


def test_context_gives_functions_and_values() -> None:
    def double(v: Any) -> Any:
        return 2 * v

    got = frame("y ~ double(x) + I(x - shift)", context={"double": double, "shift": 1})
    assert got.variables["double(x)"].columns[0].tolist() == [0, 2, 4, 6, 8, 10]  # type: ignore[union-attr]
    assert got.variables["I(x - shift)"].columns[0].tolist() == [-1, 0, 1, 2, 3, 4]  # type: ignore[union-attr]
    with pytest.raises(FormulaError, match="failed: ZeroDivisionError"):
        frame("y ~ f(x)", context={"f": lambda v: 1 / 0})
    with pytest.raises(FormulaError, match=r"returned shape \(2,\)"):
        frame("y ~ f(x)", context={"f": lambda v: v[:2]})


def test_boolean_logic_keeps_missing_values() -> None:
    data = pandas_table().assign(x=[0, 1, np.nan, 3, 4, 5])
    got = quietly("y ~ I(x > 2 & !(k == 1))", data)
    assert got.rows is not None
    assert got.rows.tolist() == [0, 1, 3, 4, 5]
    assert got.variables["I(x > 2 & !(k == 1))"].codes[got.rows].tolist() == [0, 0, 1, 0, 1]  # type: ignore[union-attr]
    got = frame('y ~ I(s %in% c("a", "b")) + I(s != "a")')
    assert got.variables['I(s %in% c("a", "b"))'].codes.tolist() == [1, 1, 0, 1, 1, 0]  # type: ignore[union-attr]
    assert got.variables['I(s != "a")'].codes.tolist() == [1, 0, 1, 1, 0, 1]  # type: ignore[union-attr]


def test_a_million_rows_cost_less_than_one_copy() -> None:
    tracemalloc = pytest.importorskip("tracemalloc")
    n = 1_000_000
    rng = np.random.default_rng(1)
    data = pd.DataFrame(rng.standard_normal((n, 3)), columns=["y", "a", "b"])
    data["g"] = rng.integers(0, 20_000, n)
    parse("y ~ a")
    tracemalloc.start()
    frame("y ~ a + b + (a | g)", data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * n * 8
