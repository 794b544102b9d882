"""Levels of factors and labels of rows as records: numbers, text, times, intervals, mixtures.

To add a kind of level: a record here, and a case in `save_levels` and in `load_levels`.
"""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError, SavedModelError
from .codec import ArrayOf
from .container import refuse

__all__ = ["NUMBERS", "SavedLevels", "load_levels", "save_levels"]

NUMBERS = "f8 f4 f2 i8 i4 i2 i1 u8 u4 u2 u1"
EPOCH = datetime.date(1970, 1, 1).toordinal()

Numbers = Annotated[NDArray[Any], ArrayOf(NUMBERS, 1)]
Text = Annotated[NDArray[np.uint8], ArrayOf("u1", 1)]
Counts = Annotated[NDArray[np.uint32], ArrayOf("u4", 1)]
Days = Annotated[NDArray[np.int32], ArrayOf("i4", 1)]
Ticks = Annotated[NDArray[np.int64], ArrayOf("i8", 1)]


@dataclass(frozen=True)
class NumberLevels:
    values: Numbers
    form: Literal["numbers"] = "numbers"


@dataclass(frozen=True)
class TextLevels:
    """All strings as one text in UTF-8, and the number of characters of each."""

    text: Text
    lengths: Counts
    form: Literal["text"] = "text"


@dataclass(frozen=True)
class DateLevels:
    days: Days  # since 1970
    form: Literal["dates"] = "dates"


@dataclass(frozen=True)
class TimeLevels:
    ticks: Ticks  # since 1970 in UTC, or the durations themselves
    unit: Literal["s", "ms", "us", "ns"]
    zone: str | None
    form: Literal["times", "durations"]


@dataclass(frozen=True)
class IntervalLevels:
    left: NumberLevels | TimeLevels
    right: NumberLevels | TimeLevels
    closed: Literal["left", "right", "both", "neither"]
    form: Literal["intervals"] = "intervals"


@dataclass(frozen=True)
class MixedLevels:
    """Booleans, and levels of several types."""

    items: tuple[bool | int | float | str, ...]
    form: Literal["mixed"] = "mixed"


SavedLevels: TypeAlias = (
    NumberLevels | TextLevels | DateLevels | TimeLevels | IntervalLevels | MixedLevels
)


# --- Saving ---


def save_levels(levels: pd.Index[Any], what: str) -> SavedLevels:
    """Levels as a record; raises `DataError` naming `what` for values that a file cannot hold."""
    if isinstance(levels, pd.IntervalIndex):
        left, right = (save_levels(side, what) for side in (levels.left, levels.right))
        assert isinstance(left, NumberLevels | TimeLevels)
        assert isinstance(right, NumberLevels | TimeLevels)
        return IntervalLevels(left, right, levels.closed)
    if isinstance(levels, pd.DatetimeIndex):
        return TimeLevels(levels.asi8, levels.unit, _zone(levels.tz), "times")
    if isinstance(levels, pd.TimedeltaIndex):
        return TimeLevels(levels.asi8, levels.unit, None, "durations")
    if isinstance(levels.dtype, np.dtype) and levels.dtype.kind in "iuf":
        values = levels.to_numpy()
        return NumberLevels(values if values.dtype.itemsize <= 8 else values.astype(np.float64))
    return _save_values(levels.tolist(), what)


def _save_values(values: list[Any], what: str) -> SavedLevels:
    values = [v.item() if isinstance(v, np.generic) else v for v in values]
    kinds = {type(value) for value in values}
    if kinds == {str}:
        lengths = np.fromiter(map(len, values), np.uint32, len(values))
        text = "".join(values).encode("utf-8", "surrogatepass")
        return TextLevels(np.frombuffer(text, np.uint8), lengths)
    if kinds == {datetime.date}:
        days = [value.toordinal() - EPOCH for value in values]
        return DateLevels(np.array(days, dtype=np.int32))
    if kinds and kinds <= {pd.Timestamp, datetime.datetime}:
        return save_levels(pd.DatetimeIndex(values), what)
    if kinds and kinds <= {pd.Timedelta, datetime.timedelta}:
        return save_levels(pd.TimedeltaIndex(values), what)
    if kinds in ({int}, {float}):
        return NumberLevels(pd.Index(values).to_numpy())
    odd = next((kind for kind in kinds if kind not in (bool, int, float, str)), None)
    if odd is not None or any(type(v) is int and not -(2**63) <= v < 2**63 for v in values):
        name = "int beyond 64 bits" if odd is None else odd.__name__
        raise DataError(
            f"{what} has values of type {name}, which a file of m.save cannot hold: convert them "
            "to numbers or strings and fit again, or save with data=False"
        )
    return MixedLevels(tuple(values))


def _zone(zone: Any) -> str | None:
    """The name of a time zone, or of an offset as "+01:30"; None without one."""
    if zone is None:
        return None
    offset = zone.utcoffset(None)
    if offset is None:
        return str(getattr(zone, "key", None) or getattr(zone, "zone", None) or zone)
    minutes = int(offset.total_seconds() // 60)
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"


# --- Loading ---


def load_levels(saved: SavedLevels) -> pd.Index[Any]:
    """The levels of a record; raises `SavedModelError` where it contradicts itself."""
    try:
        return _load(saved)
    except SavedModelError:
        raise
    except (LookupError, OSError, OverflowError, TypeError, ValueError) as error:
        refuse(f"{saved.form} that are none ({error})")


def _load(saved: SavedLevels) -> pd.Index[Any]:
    match saved:
        case NumberLevels():
            wide = saved.values.astype(np.float32) if saved.values.dtype == np.float16 else None
            return pd.Index(saved.values if wide is None else wide)
        case TextLevels():
            return pd.Index(_load_text(saved))
        case DateLevels():
            days = saved.days.tolist()
            return pd.Index([datetime.date.fromordinal(EPOCH + d) for d in days], dtype=object)
        case TimeLevels(form="durations"):
            return pd.TimedeltaIndex(saved.ticks.view(f"m8[{saved.unit}]"))
        case TimeLevels():
            return _times(saved)
        case IntervalLevels():
            left, right = _load(saved.left), _load(saved.right)
            return pd.IntervalIndex.from_arrays(left, right, closed=saved.closed)
        case MixedLevels():
            return pd.Index(list(saved.items))


def _load_text(saved: TextLevels) -> list[str]:
    """The strings of a record."""
    text = saved.text.tobytes().decode("utf-8", "surrogatepass")
    ends = np.cumsum(saved.lengths, dtype=np.int64)
    if (int(ends[-1]) if len(ends) else 0) != len(text):
        refuse("text of another length than its strings have")
    starts = np.concatenate([np.zeros(1, np.int64), ends])
    return [text[a:b] for a, b in zip(starts.tolist(), ends.tolist(), strict=False)]


def _times(saved: TimeLevels) -> pd.DatetimeIndex:
    times = pd.DatetimeIndex(saved.ticks.view(f"M8[{saved.unit}]"))
    if saved.zone is None:
        return times
    return times.tz_localize("UTC").tz_convert(_time_zone(saved.zone))


def _time_zone(name: str) -> datetime.tzinfo:
    from zoneinfo import ZoneInfo

    offset = re.fullmatch(r"([+-])(\d\d):(\d\d)", name)
    if offset is None:
        return ZoneInfo(name)
    sign, hours, minutes = offset.groups()
    length = datetime.timedelta(hours=int(hours), minutes=int(minutes))
    return datetime.timezone(-length if sign == "-" else length)
