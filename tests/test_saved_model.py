"""Models saved with their data: every method gives the same bits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import mixedmodels as mm
import reference_data
import saved_examples
from mixedmodels.saving.saved_model import from_bytes, to_bytes
from saved_examples import ESTIMATES, MODELS, OF_ROWS, loaded, outcome


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        yield


@pytest.mark.parametrize("name", MODELS)
def test_with_data_every_method_gives_the_same_bits(name: str) -> None:
    original, again = saved_examples.model(name), loaded(name, data=True)
    for what, method in {**ESTIMATES, **OF_ROWS}.items():
        if what == "update" and name == "contrasts":
            continue  # x is not a column of its formula
        assert outcome(method, again) == outcome(method, original), what


def test_saving_again_gives_the_same_bytes() -> None:
    for data in (True, False):
        saved = to_bytes(saved_examples.model("stateful"), data=data)
        assert to_bytes(from_bytes(saved), data=data) == saved


TABLES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "polars": lambda frame: pl.from_pandas(frame.reset_index()),
    "pyarrow": lambda frame: pa.Table.from_pandas(frame.reset_index(drop=True)),
    "dict": lambda frame: {name: frame[name].to_numpy() for name in frame},
    "arrow columns": lambda frame: frame.astype({"g": "string[pyarrow]", "h": "int64[pyarrow]"}),
    "integers with gaps": lambda frame: frame.astype({"h": "Int16", "x": "float32"}),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_are_loaded_as_pandas(kind: str) -> None:
    table = TABLES[kind](saved_examples.gaps().dropna(subset=["g"]))
    m = mm.lmer("y ~ x + f + b + o + (1 | g) + (1 | h)", table)
    again: Any = from_bytes(to_bytes(m, data=True))
    assert isinstance(again._call.data, pd.DataFrame)
    for what in ("summary", "modes", "fitted", "predict", "refit", "means"):
        method = {**ESTIMATES, **OF_ROWS}[what]
        assert outcome(method, again) == outcome(method, m), what


def test_only_the_columns_of_the_fit_are_kept() -> None:
    table = loaded("weights by name", data=True)._call.data
    assert table.columns.tolist() == ["y", "x", "z", "g", "w"]
    assert table.index.equals(saved_examples.data().index)


def test_small_models_take_a_few_kilobytes() -> None:
    m = mm.lmer("Reaction ~ Days + (Days | Subject)", reference_data.load("sleepstudy"))
    assert len(to_bytes(m, data=True)) < 8_000
    assert len(to_bytes(m, data=False)) < 8_000


# Context ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [True, False])
def test_functions_of_the_user_are_asked_for(data: bool) -> None:
    saved = to_bytes(saved_examples.model("context"), data=data)
    for context in (None, {}, {"cube": abs}):
        with pytest.raises(mm.ArgumentError, match=r"square.*mm\.load\(path, context="):
            from_bytes(saved, context)
    with pytest.raises(mm.ArgumentError, match="functions by name"):
        from_bytes(saved, [abs])  # type: ignore[arg-type]


def test_another_function_is_noticed() -> None:
    saved = to_bytes(saved_examples.model("context"), data=True)
    with pytest.raises(mm.SavedModelError, match="functions of context= the same"):
        from_bytes(saved, {"square": np.abs})


def test_what_a_file_cannot_hold() -> None:
    frame = saved_examples.data().assign(
        q=pd.period_range("2020-01", periods=12, freq="M")[np.arange(saved_examples.ROWS) % 12]
    )
    m = mm.lmer("y ~ x + (1 | q)", frame)
    with pytest.raises(mm.DataError, match="'q' has values of type Period"):
        to_bytes(m, data=True)
    m = mm.lmer("y ~ x + (1 | g)", frame.set_index("q"))
    with pytest.raises(mm.DataError, match="the index' has values of type Period"):
        to_bytes(m, data=True)
    assert len(to_bytes(m, data=False)) > 0
