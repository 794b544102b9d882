"""The data sets that ship: shapes, types, documentation, and that nobody shares a copy."""

from __future__ import annotations

import pandas as pd
import pytest

import mixedmodels as mm

SHAPES = {"anxiety": (300, 4), "anxiety_longitudinal": (1288, 10)}
FACTORS = {
    "anxiety": {"clinic": 15},
    "anxiety_longitudinal": {
        "patient_id": 322,
        "clinic": 15,
        "patient_no": 30,
        "treatment": 2,
        "sex": 2,
        "visit": 4,
    },
}


def test_names() -> None:
    assert mm.datasets.names() == sorted(SHAPES)


@pytest.mark.parametrize("name", SHAPES)
def test_shape_and_types(name: str) -> None:
    frame, description = mm.datasets.load(name), mm.datasets.describe(name)
    assert frame.shape == SHAPES[name]
    assert description["rows"] == len(frame)
    assert list(description["columns"]) == list(frame.columns)
    for key in ["title", "description", "source", "licence"]:
        assert description[key]
    for column, levels in FACTORS[name].items():
        assert isinstance(frame[column].dtype, pd.CategoricalDtype)
        assert len(frame[column].cat.categories) == levels
    for column in set(frame.columns) - set(FACTORS[name]):
        assert pd.api.types.is_numeric_dtype(frame[column])


def test_levels_are_in_their_documented_order() -> None:
    visits = mm.datasets.load("anxiety_longitudinal")
    assert list(visits["visit"].cat.categories) == ["baseline", "m3", "m6", "m12"]
    assert list(mm.datasets.load("anxiety")["clinic"].cat.categories) == [
        str(k) for k in range(1, 16)
    ]


def test_missing_values_and_digits() -> None:
    assert mm.datasets.load("anxiety_longitudinal")["anxiety"].isna().sum() == 84
    assert mm.datasets.load("anxiety")["anxiety"].iloc[0] == 51.671084046279624


def test_each_call_gives_a_fresh_frame() -> None:
    frame = mm.datasets.load("anxiety")
    frame.iloc[:, 3] = 0
    assert mm.datasets.load("anxiety").iloc[0, 3] != 0


def test_unknown_name() -> None:
    with pytest.raises(mm.DataError, match="there are anxiety, anxiety_longitudinal"):
        mm.datasets.load("anxieties")
