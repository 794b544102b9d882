"""Records ↔ JSON by annotations: what is written comes back, and nothing else is read."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

import mixedmodels as mm
from mixedmodels.saving.codec import ArrayOf, decode, encode

Vector = Annotated[NDArray[np.float64], ArrayOf("f8", 1)]
Whole = Annotated[NDArray[Any], ArrayOf("i4 u1", 2)]


@dataclass(frozen=True)
class Inner:
    number: float
    form: Literal["inner"] = "inner"


@dataclass(frozen=True)
class Other:
    text: str
    form: Literal["other"] = "other"


@dataclass(frozen=True)
class Outer:
    flag: bool
    count: int
    kind: Literal["a", "b"]
    name: str | None
    numbers: tuple[float, ...]
    either: Inner | Other
    several: tuple[Vector, ...]
    by_name: dict[str, int | str | bool]
    matrix: Whole
    given: str | Vector | None = None


def example(**changes: Any) -> Outer:
    values: dict[str, Any] = {
        "flag": True,
        "count": -(2**63),
        "kind": "b",
        "name": None,
        "numbers": (0.1, -0.0, math.inf, -math.inf, 5e-324),
        "either": Other("é"),
        "several": (np.ones(2), np.zeros(0)),
        "by_name": {"x": 1, "y": "1", "z": True},
        "matrix": np.ones((2, 2), dtype=np.int32),
    }
    return Outer(**(values | changes))


def through_json(record: Outer) -> Outer:
    content, arrays = encode(record, Outer)
    return decode(json.loads(json.dumps(content, allow_nan=False)), Outer, arrays)


def test_a_record_comes_back() -> None:
    again, original = through_json(example()), example()
    assert repr(again) == repr(original)
    assert [type(value) for value in again.by_name.values()] == [int, str, bool]


@pytest.mark.parametrize("given", [None, "w", np.arange(3.0)])
def test_unions_by_what_stands_there(given: Any) -> None:
    assert repr(through_json(example(given=given)).given) == repr(given)


def test_numbers_keep_every_bit() -> None:
    numbers = tuple(np.random.default_rng(0).normal(size=1000).tolist())
    assert through_json(example(numbers=numbers)).numbers == numbers
    assert math.isnan(through_json(example(numbers=(math.nan,))).numbers[0])


def test_a_field_with_a_default_may_be_missing() -> None:
    content, arrays = encode(example(), Outer)
    del content["given"]
    assert decode(content, Outer, arrays).given is None


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "missing": ({"count": ...}, "content.count is a NoneType; expected a value"),
    "unknown": ({"more": 1}, "is more; expected only flag, count"),
    "truth as a number": ({"count": True}, "content.count is a bool; expected int"),
    "number as truth": ({"flag": 1}, "content.flag is a int; expected bool"),
    "fraction": ({"count": 1.0}, "expected int"),
    "too large": ({"count": 2**63}, "integer of 64 bits"),
    "another word": ({"kind": "c"}, "one of a, b"),
    "a list as a word": ({"kind": []}, "one of a, b"),
    "whole number": ({"numbers": [1]}, r"numbers\.0 is a int; expected a number with a decimal"),
    "infinite": ({"numbers": [math.inf]}, "a number with a decimal point"),
    "word as number": ({"numbers": ["NaN"]}, "a number with a decimal point"),
    "no list": ({"numbers": {}}, "expected a list"),
    "no object": ({"by_name": []}, "expected an object"),
    "value of a dict": ({"by_name": {"x": None}}, "by_name.x is a NoneType"),
    "surrogate": ({"name": "\ud800"}, "text in Unicode"),
    "surrogate key": ({"by_name": {"\ud800": 1}}, "text in Unicode"),
    "no alternative": ({"either": {"form": "third"}}, "content.either.text is a NoneType"),
    "record as text": ({"either": "inner"}, "expected an object"),
    "no array": ({"matrix": "0"}, "position of an array"),
    "array that is not there": ({"matrix": 3}, "position of an array"),
    "array before the first": ({"matrix": -1}, "position of an array"),
    "truth as position": ({"matrix": False}, "position of an array"),
    "type of array": ({"matrix": 0}, "array of type i4 u1, not float64"),
    "dimensions": ({"several": [2]}, "an array of type f8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    changes, message = REFUSED[name]
    content, arrays = encode(example(), Outer)
    content |= changes
    content = {key: value for key, value in content.items() if value is not ...}
    with pytest.raises(mm.SavedModelError, match=message):
        decode(content, Outer, arrays)


def test_number_of_dimensions() -> None:
    content, arrays = encode(example(), Outer)
    arrays[content["matrix"]] = np.ones(3, dtype=np.int32)
    with pytest.raises(mm.SavedModelError, match="2 dimensions, not 1"):
        decode(content, Outer, arrays)


def test_what_is_no_text_is_not_written() -> None:
    with pytest.raises(mm.DataError, match="no text in Unicode"):
        encode(example(name="\udcff"), Outer)
