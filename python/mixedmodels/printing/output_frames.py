"""Which library's frames results come in: `mm.options(frame="polars")`.

The package computes with pandas; results are converted where they leave it. Methods call each
other, and what one of them gets from another must stay pandas, so conversion is for callers outside
of the package's own files: that is seen from the frame of the call, and no method needs to know.

A class whose methods return frames has `FramesAsAsked` among its bases, and annotations: there is
no list of methods to keep.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar, get_args

import numpy as np
import pandas as pd

from ..errors import ArgumentError, MissingDependencyError

if TYPE_CHECKING:
    from typing import Self

__all__ = ["FrameKind", "FramesAsAsked", "frame_as_asked", "options"]

FrameKind = Literal["pandas", "polars"]
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_KIND: ContextVar[FrameKind] = ContextVar("mixedmodels_frame", default="pandas")
_HERE = os.path.dirname(os.path.dirname(__file__)) + os.sep
_FRAMES = re.compile(r"\b(pd\.(DataFrame|Series)|\w*Table|RandomEffects)\b")


class options:
    """Settings of results, from now on or within a `with` block.

    They hold in the thread (the context) that sets them: a new thread starts with the defaults.

    Parameters
    ----------
    frame
        "pandas" (default) or "polars": what methods and functions return in place of pandas frames
        and series. polars has no index: one with names becomes the first columns ("term" where it
        has names of coefficients and no name of its own), a plain numbering is dropped. A series
        without an index to keep is a polars Series. Missing values are null, categories an Enum.
        Frames that are parts of a result (`m.summary().coefficients`) stay pandas.

    Raises
    ------
    ArgumentError
        For another value.
    MissingDependencyError
        polars is not installed.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> with mm.options(frame="polars"):
    ...     m.fixef.columns
    ['term', 'estimate']
    >>> list(m.fixef.index)
    ['(Intercept)', 'therapy_sessions']
    """

    def __init__(self, *, frame: FrameKind):
        if frame not in get_args(FrameKind):
            raise ArgumentError(f"frame is {frame!r}; choose 'pandas' or 'polars'")
        if frame == "polars":
            _polars()
        self._token: Token[FrameKind] = _KIND.set(frame)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        _KIND.reset(self._token)


class FramesAsAsked:
    """Base of classes whose public methods and properties return frames, by their annotations: they
    come in the kind that the caller has asked for."""

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        for name, member in list(vars(cls).items()):
            if name.startswith("_"):
                continue
            if isinstance(member, property) and _returns_frame(member.fget):
                setattr(cls, name, property(frame_as_asked(member.fget), doc=member.__doc__))  # type: ignore[arg-type]
            elif callable(member) and _returns_frame(member):
                setattr(cls, name, frame_as_asked(member))


def _returns_frame(function: Any) -> bool:
    declared = getattr(function, "__annotations__", {}).get("return", "")
    return isinstance(declared, str) and _FRAMES.search(declared) is not None


def frame_as_asked(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """A function whose frames are converted for callers outside of the package."""

    @wraps(function)
    def converted(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        result = function(*args, **kwargs)
        if _KIND.get() == "pandas":
            return result
        if sys._getframe(1).f_code.co_filename.startswith(_HERE):
            return result
        return _to_polars(result)  # type: ignore[no-any-return]

    return converted


# --- Conversion ---


def _polars() -> Any:
    try:
        import polars
    except ImportError as error:
        raise MissingDependencyError(
            "frame='polars' needs polars, which is not installed: pip install polars"
        ) from error
    return polars


def _to_polars(result: Any) -> Any:
    """Frames and series, alone or in a dict, as polars'; everything else as it is."""
    from ..models.random_effects import RandomEffects

    if isinstance(result, RandomEffects):
        return result.converted(_to_polars)
    if isinstance(result, dict):
        return {key: _to_polars(value) for key, value in result.items()}
    if isinstance(result, pd.Series):
        name = "value" if result.name is None else str(result.name)
        if _is_numbering(result.index):
            return _column(name, result)
        result = result.rename(name).to_frame()
    if not isinstance(result, pd.DataFrame):
        return result
    columns = _index_columns(result)
    columns += [(str(name), result.iloc[:, j]) for j, name in enumerate(result.columns)]
    return _polars().DataFrame([_column(name, values) for name, values in columns])


def _is_numbering(index: pd.Index[Any]) -> bool:
    """Whether an index is only the numbers of the rows, 0, 1, ...."""
    plain = isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1
    return plain and index.name is None


def _index_columns(frame: pd.DataFrame) -> list[tuple[str, pd.Series[Any]]]:
    """The index as columns, under names that no other column has."""
    index = frame.index
    if _is_numbering(index):
        return []
    taken = {str(name) for name in frame.columns}
    columns = []
    for k in range(index.nlevels):
        values = index.get_level_values(k)
        words = pd.api.types.is_string_dtype(values.dtype)
        name = values.name if values.name is not None else ("term" if words else "index")
        name = str(name) if str(name) not in taken else f"{name}_index"
        columns.append((name, pd.Series(values)))
    return columns


def _column(name: str, values: pd.Series[Any]) -> Any:
    """A pandas column as polars', without pyarrow."""
    polars = _polars()
    if isinstance(values.dtype, pd.CategoricalDtype):
        labels = [str(label) for label in values.cat.categories]
        return polars.Series(name, [None if v is pd.NA or v != v else str(v) for v in values],
                             dtype=polars.Enum(labels))  # fmt: skip
    if isinstance(values.dtype, np.dtype) and values.dtype != object:
        return polars.Series(name, values.to_numpy(), nan_to_null=True)
    plain = [None if pd.isna(value) else value for value in values]
    if all(value is None for value in plain):
        return polars.Series(name, plain, dtype=polars.String)
    try:
        return polars.Series(name, plain)
    except (TypeError, polars.exceptions.PolarsError):
        return polars.Series(name, [None if v is None else str(v) for v in plain])
