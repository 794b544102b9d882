"""Records ↔ JSON and arrays, by the annotations of frozen dataclasses.

The annotations are the schema: `encode` writes nothing else, and `decode` compares every value with
its annotation before anything is made of it. What an annotation can be: bool, int, float, str,
None, a Literal, a union, tuple[X, ...], dict[str, X], a dataclass, and an array by `ArrayOf`. A
field that is not in the file takes its default, so that records can grow; an unknown field is an
error.
"""

from __future__ import annotations

import math
import types
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cache
from typing import (
    Annotated,
    Any,
    Literal,
    NoReturn,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError, SavedModelError
from .container import refuse

__all__ = ["ArrayOf", "decode", "encode"]

Values = NDArray[Any]
Record = TypeVar("Record")

NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}  # JSON has no numbers for them


@dataclass(frozen=True)
class ArrayOf:
    """Beside an array's annotation (`Annotated[NDArray[np.float64], ArrayOf("f8", 1)]`): its types
    (kind and bytes, any of them) and its number of dimensions."""

    types: str
    ndim: int


def encode(value: Any, kind: Any) -> tuple[Any, list[Values]]:
    """JSON for a value, and the arrays that it refers to by position."""
    arrays: list[Values] = []
    return _encode(value, kind, arrays), arrays


def decode(content: Any, kind: type[Record], arrays: Sequence[Values]) -> Record:
    """The value; raises `SavedModelError` naming the place where something else stands."""
    result: Record = _decode(content, kind, _Place(arrays, "content"))
    return result


# --- Encoding ---


def _encode(value: Any, kind: Any, arrays: list[Values]) -> Any:
    kind, origin = _bare(kind)
    if isinstance(kind, ArrayOf):
        arrays.append(np.asarray(value))
        return len(arrays) - 1
    if _is_record(kind):
        hints = _hints(kind)
        return {
            f.name: _encode(getattr(value, f.name), hints[f.name], arrays) for f in fields(kind)
        }
    if origin is tuple:
        return [_encode(item, get_args(kind)[0], arrays) for item in value]
    if origin is dict:
        inner = get_args(kind)[1]
        return {_text(key): _encode(item, inner, arrays) for key, item in value.items()}
    if origin in (Union, types.UnionType):
        return _encode(value, _alternative(value, get_args(kind)), arrays)
    if kind is float and not math.isfinite(value):
        return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
    plain: Any = {bool: bool, int: int, float: float, str: _text}.get(kind)
    return value if plain is None else plain(value)


def _text(value: str) -> str:
    if not _is_unicode(value):
        raise DataError(f"{value!r:.60} is no text in Unicode, so a file cannot hold it: rename it")
    return str(value)


def _is_unicode(value: str) -> bool:
    """Whether a string has no lone surrogates."""
    try:
        return value.isascii() or bool(value.encode("utf-8"))
    except UnicodeEncodeError:
        return False


def _alternative(value: Any, kinds: Sequence[Any]) -> Any:
    """The kind of a union that a value is of."""
    for kind in kinds:
        if _is_of(value, kind):
            return kind
    raise TypeError(f"{type(value).__name__} is none of {kinds}")


def _is_of(value: Any, kind: Any) -> bool:
    kind, origin = _bare(kind)
    if isinstance(kind, ArrayOf):
        return isinstance(value, np.ndarray)
    if origin is Literal:
        return any(type(value) is type(option) and value == option for option in get_args(kind))
    if origin in (Union, types.UnionType):
        return any(_is_of(value, option) for option in get_args(kind))
    wanted = origin or kind
    if wanted is float:
        return isinstance(value, float)
    return type(value) is wanted


# --- Decoding ---


@dataclass(frozen=True)
class _Place:
    """Where in the content a value stands, and the arrays of the file."""

    arrays: Sequence[Values]
    path: str

    def at(self, name: object) -> _Place:
        return _Place(self.arrays, f"{self.path}.{name}")

    def refuse(self, value: Any, expected: str) -> NoReturn:
        refuse(f"{self.path:.200} is {_shown(value)}; expected {expected}")


def _shown(value: Any) -> str:
    """A few characters of a value, however long or deep it is."""
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of {len(value)}"
    return f"{value:.40}" if isinstance(value, str) else f"a {type(value).__name__}"


def _decode(value: Any, kind: Any, place: _Place) -> Any:
    kind, origin = _bare(kind)
    if isinstance(kind, ArrayOf):
        return _array(value, kind, place)
    if _is_record(kind):
        return _record(value, kind, place)
    if origin is tuple:
        if not isinstance(value, list):
            place.refuse(value, "a list")
        return tuple(_decode(v, get_args(kind)[0], place.at(k)) for k, v in enumerate(value))
    if origin is dict:
        if not isinstance(value, dict):
            place.refuse(value, "an object")
        kinds = get_args(kind)
        return {
            _plain(k, kinds[0], place): _decode(v, kinds[1], place.at(k)) for k, v in value.items()
        }
    if origin in (Union, types.UnionType):
        return _one_of(value, get_args(kind), place)
    return _plain(value, kind, place)


def _plain(value: Any, kind: Any, place: _Place) -> Any:
    if get_origin(kind) is Literal:
        if not any(type(value) is type(option) and value == option for option in get_args(kind)):
            place.refuse(value, f"one of {', '.join(map(str, get_args(kind)))}")
    elif kind is float:
        if isinstance(value, str) and value in NOT_FINITE:
            return NOT_FINITE[value]
        if type(value) is not float or not math.isfinite(value):
            place.refuse(value, "a number with a decimal point")
    elif type(value) is not kind:
        place.refuse(value, getattr(kind, "__name__", "nothing"))
    elif kind is int and not -(2**63) <= value < 2**63:
        place.refuse(value, "an integer of 64 bits")
    elif kind is str and not _is_unicode(value):
        place.refuse(None, "text in Unicode")
    return value


def _one_of(value: Any, kinds: Sequence[Any], place: _Place) -> Any:
    """By the first kind that takes the value; if there is none, the last one's complaint, which for
    an optional value is the one that helps."""
    complaint: SavedModelError | None = None
    for kind in sorted(kinds, key=lambda kind: kind is not types.NoneType):
        try:
            return _decode(value, kind, place)
        except SavedModelError as error:
            complaint = error
    assert complaint is not None
    raise complaint


def _record(value: Any, kind: Any, place: _Place) -> Any:
    if not isinstance(value, dict):
        place.refuse(value, "an object")
    known = {field.name: field for field in fields(kind)}
    for name in value:
        if name not in known:
            place.refuse(name, f"only {', '.join(known)}")
    hints, given = _hints(kind), {}
    for name, field in known.items():
        if name in value:
            given[name] = _decode(value[name], hints[name], place.at(name))
        elif field.default is MISSING:
            place.at(name).refuse(None, "a value; it is missing")
    return kind(**given)


def _is_record(kind: Any) -> bool:
    return is_dataclass(kind)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    """Annotations by field."""
    return get_type_hints(kind, include_extras=True)


def _bare(kind: Any) -> tuple[Any, Any]:
    """A kind and its origin; of an array the `ArrayOf` beside the annotation."""
    if get_origin(kind) is Annotated:
        return kind.__metadata__[0], None
    return kind, get_origin(kind)


def _array(value: Any, kind: ArrayOf, place: _Place) -> Values:
    if type(value) is not int or not 0 <= value < len(place.arrays):
        place.refuse(value, "the position of an array")
    array = place.arrays[value]
    if f"{array.dtype.kind}{array.dtype.itemsize}" not in kind.types.split():
        place.refuse(value, f"an array of type {kind.types}, not {array.dtype}")
    if array.ndim != kind.ndim:
        place.refuse(value, f"an array with {kind.ndim} dimensions, not {array.ndim}")
    return array
