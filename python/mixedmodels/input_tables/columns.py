"""The caller's table, column by column: one path for pandas, polars, pyarrow and dicts of arrays.

A `Column` is lazy: it becomes an array of float64 (the caller's own memory where that is float64
already) or a factor, when a formula asks for one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError, closest
from ..lazy import lazy
from .factors import Factor, factorise
from .no_rows import NoRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MAX_MAGNITUDE", "Column", "Table", "check_magnitude", "names_given"]


# Squares of squares must neither overflow nor vanish: variances of products of two columns.
MAX_MAGNITUDE = 1e75


def check_magnitude(name: str, column: NDArray[np.float64]) -> None:
    """Refuse finite numbers so large or small that sums of their squares would not be numbers."""
    if len(column) == 0:
        return
    largest = max(float(column.max()), -float(column.min()))
    if largest != 0 and not 1 / MAX_MAGNITUDE < largest < MAX_MAGNITUDE:
        raise DataError(
            f"the largest absolute value of '{name}' is {largest:.3g}; expected between "
            f"{1 / MAX_MAGNITUDE:g} and {MAX_MAGNITUDE:g}. Give it in another unit"
        )


def names_given(value: Any, argument: str, what: str = "a name or a list of names") -> list[str]:
    """A name or several as a list of at least one; refuses anything else."""
    names = [value] if isinstance(value, str) else value
    found = list(names) if isinstance(names, Iterable) else []
    if not found or not all(isinstance(name, str) for name in found):
        raise ArgumentError(f"{argument} is {value!r}; expected {what}")
    return found


class Column:
    """One column: `kind` is number, boolean, text, category, date, duration or object."""

    def __init__(self, name: str, series: Any):
        self.name = name
        self._series = series  # a narwhals Series

    @lazy
    def kind(self) -> str:
        dtype = self._series.dtype
        if dtype.is_numeric():
            return "number"
        kinds = {
            "Boolean": "boolean", "String": "text", "Categorical": "category", "Enum": "category",
            "Date": "date", "Datetime": "date", "Duration": "duration",
        }  # fmt: skip
        kind = kinds.get(type(dtype).__name__, "object")
        return self._object_kind() if kind == "object" else kind

    def _object_kind(self) -> str:
        if self._objects.ndim != 1:  # polars gives structs and arrays as rows of a matrix
            return "object"
        inferred = pd.api.types.infer_dtype(self._objects, skipna=True)
        kinds = {
            "string": "text", "boolean": "boolean", "date": "date", "datetime": "date",
            "datetime64": "date", "integer": "number", "floating": "number", "decimal": "number",
            "mixed-integer-float": "number", "empty": "number", "complex": "complex",
        }  # fmt: skip
        return kinds.get(inferred, "object")

    @lazy
    def _objects(self) -> NDArray[Any]:
        native = self._series.to_native()
        if isinstance(native, pd.Series):
            return native.to_numpy()
        return np.asarray(self._series.to_numpy())

    @lazy
    def numeric(self) -> NDArray[np.float64]:
        """(n,) float64, NaN where missing: the caller's memory, not a copy, where it can be."""
        if self.kind not in ("number", "boolean", "date"):
            words = {
                "text": "text",
                "category": "categorical",
                "duration": "a duration",
                "complex": "complex",
            }
            raise DataError(
                f"column '{self.name}' is {words.get(self.kind, 'not numeric')}; expected numbers "
                "here. Convert it, or use factor() to take it as categories"
            )
        native = self._series.to_native()
        try:
            return self._seconds() if self.kind == "date" else _floats(native, self._series)
        except Exception as error:  # every data frame library raises types of its own
            raise DataError(f"column '{self.name}' cannot be read as numbers: {error}") from error

    @property
    def units_a_day(self) -> float:
        """How many of a date column's numbers are a day: 1 for dates, 86,400 for times."""
        is_date = type(self._series.dtype).__name__ == "Date" or (
            len(self._objects) > 0 and pd.api.types.infer_dtype(self._objects) == "date"
        )
        return 1.0 if is_date else 86400.0

    def _seconds(self) -> NDArray[np.float64]:
        """R's numbers: days since 1970 for dates, seconds for times."""
        stamps = pd.to_datetime(pd.Series(self._series.to_list()), utc=True)
        seconds = (stamps - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy(dtype=np.float64)
        return np.asarray(seconds * self.units_a_day / 86400.0, dtype=np.float64)

    @lazy
    def factor(self) -> Factor:
        """The column as a factor, every declared or occurring level in order."""
        native = self._series.to_native()
        if self.kind == "category":
            return _categorical(native)
        if self.kind == "boolean":
            return _boolean(native, self._series)
        if isinstance(native, pd.Series):
            plain = isinstance(native.dtype, np.dtype)
            return factorise(native.to_numpy() if plain else native.array, self.name)
        try:
            values = _plain_values(self._series)
        except Exception as error:  # every data frame library raises types of its own
            raise DataError(f"column '{self.name}' cannot be read: {error}") from error
        return factorise(values, self.name)


def _floats(native: Any, series: Any) -> NDArray[np.float64]:
    if isinstance(native, pd.Series):
        if isinstance(native.dtype, np.dtype) and native.dtype != object:
            values = native.to_numpy()
        else:
            values = native.to_numpy(dtype=np.float64, na_value=np.nan)
    elif hasattr(native, "num_chunks"):  # pyarrow: a single chunk without nulls is a view
        plain = native.num_chunks == 1 and native.null_count == 0 and series.dtype.is_float()
        values = native.chunk(0).to_numpy() if plain else series.to_numpy()
    else:
        values = series.to_numpy()
    if np.iscomplexobj(values):
        raise TypeError("the numbers are complex")
    if values.dtype == object:
        values = np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
    return np.asarray(values, dtype=np.float64)


def _boolean(native: Any, series: Any) -> Factor:
    values = native.to_numpy() if isinstance(native, pd.Series) else series.to_numpy()
    if values.dtype == bool:
        return Factor(values.astype(np.int32), pd.Index([False, True]))
    present = ~pd.isna(values)
    codes = np.full(len(values), -1, dtype=np.int32)
    codes[present] = values[present].astype(bool)
    return Factor(codes, pd.Index([False, True]))


def _categorical(native: Any) -> Factor:
    """A declared order is kept; polars' Categorical declares none, so its levels are sorted."""
    if isinstance(native, pd.Series) and isinstance(native.dtype, pd.ArrowDtype):
        arrow: Any = native.array
        native = arrow.__arrow_array__()
    if isinstance(native, pd.Series):
        categories = native.cat
        codes = categories.codes.to_numpy().astype(np.int32)
        return Factor(codes, categories.categories, bool(categories.ordered))
    if hasattr(native, "num_chunks"):
        array = native.unify_dictionaries().combine_chunks()
        array = array.chunk(0) if hasattr(array, "num_chunks") else array
        filled = array.indices.cast("int64").fill_null(-1).to_numpy(zero_copy_only=False)
        levels = pd.Index(array.dictionary.to_pylist())
        return Factor(filled.astype(np.int32), levels, bool(array.type.ordered))
    if type(native.dtype).__name__ == "Enum":
        codes = native.to_physical().cast(int).fill_null(-1).to_numpy().astype(np.int32)
        return Factor(codes, pd.Index(list(native.dtype.categories)))
    return factorise(np.array(native.to_list(), dtype=object), native.name)


def _plain_values(series: Any) -> Any:
    """A polars or pyarrow column as something pandas can hash."""
    if series.dtype.is_numeric() and series.null_count() == 0:
        return series.to_numpy()
    try:
        return pd.array(series.to_arrow(), dtype=pd.ArrowDtype(series.to_arrow().type))
    except (ImportError, ModuleNotFoundError, NotImplementedError, TypeError, ValueError):
        return np.array(series.to_list(), dtype=object)


class Table:
    """The caller's data behind one face: names, number of rows, columns on demand, the index.

    Accepts a pandas, polars or pyarrow table (or anything eager that narwhals knows) or a mapping
    of names to equally long arrays.  Raises `DataError` for anything else.
    """

    def __init__(self, data: Any):
        if isinstance(data, NoRows):
            data.refuse()
        self._mapping: Mapping[str, Any] | None = data if isinstance(data, Mapping) else None
        self._frame = None if self._mapping is not None else _narwhal(data)
        self._native = data
        self._columns: dict[str, Column] = {}
        names = list(data) if self._mapping is not None else _names(data, self._frame)
        self._labels = {str(label): label for label in reversed(names)}
        self.names: tuple[str, ...] = tuple(str(label) for label in names)
        self._repeated = len(self._labels) < len(self.names)
        self.n = self._count()

    def _count(self) -> int:
        if self._mapping is None:
            return len(self._native) if isinstance(self._native, pd.DataFrame) else len(self._frame)  # type: ignore[arg-type]
        return max((len(v) if np.ndim(v) else 0 for v in self._mapping.values()), default=0)

    @lazy
    def index(self) -> pd.Index[Any]:
        """The pandas index of the rows (0, 1, ... for tables without one)."""
        if isinstance(self._native, pd.DataFrame):
            return self._native.index
        return pd.RangeIndex(self.n)

    def __contains__(self, name: str) -> bool:
        return name in self._labels

    def missing(self, name: str) -> str:
        """What to say of a column that is not there."""
        start = f"column '{name}' is not in the data"
        if name in self.index.names:
            return f"{start} but in their index: data.reset_index() makes it a column"
        listed = ", ".join(self.names[:12]) + (", ..." if len(self.names) > 12 else "")
        return start + (closest(name, self.names) or f" (it has: {listed})")

    def column(self, name: str) -> Column:
        """The column called `name`; raises `DataError` with a suggestion where there is none."""
        if name not in self._columns:
            if name not in self._labels:
                raise DataError(self.missing(name))
            if self._repeated and self.names.count(name) > 1:
                raise DataError(
                    f"the data have {self.names.count(name)} columns called '{name}'; rename them "
                    "so that the formula names one"
                )
            self._columns[name] = Column(name, self._series(self._labels[name]))
        return self._columns[name]

    def _series(self, label: Any) -> Any:
        import narwhals.stable.v1 as nw

        if self._mapping is not None:
            return nw.from_native(self._from_mapping(label), series_only=True)
        if isinstance(self._native, pd.DataFrame):
            return nw.from_native(self._native[label], series_only=True)
        assert self._frame is not None
        return self._frame[label]

    def _from_mapping(self, label: Any) -> Any:
        assert self._mapping is not None
        values = self._mapping[label]
        import narwhals.stable.v1 as nw

        if (
            nw.dependencies.is_polars_series(values)
            or nw.dependencies.is_pyarrow_chunked_array(values)
            or isinstance(values, pd.Series)
        ):
            series = values
        else:
            if np.ndim(values) != 1:
                hint = ", a list also where there is one row" if np.ndim(values) == 0 else ""
                raise DataError(
                    f"column '{label}' has {np.ndim(values)} dimensions; expected one value a "
                    f"row{hint}"
                )
            series = pd.Series(values, copy=False)
        if len(series) != self.n:
            raise DataError(
                f"column '{label}' has {len(series)} values where another has {self.n}; expected "
                "equally long columns"
            )
        return series


def _narwhal(data: Any) -> Any:
    """The frame behind narwhals' face; pandas frames are read directly, column by column."""
    if isinstance(data, pd.DataFrame):
        return None
    import narwhals.stable.v1 as nw

    try:
        return nw.from_native(data, eager_only=True)
    except TypeError:
        pass
    raise DataError(
        f"the data are of type {type(data).__name__}; expected a pandas, polars or pyarrow table, "
        "or a dict of equally long arrays (collect a lazy frame first)"
    )


def _names(data: Any, frame: Any) -> list[Any]:
    return (
        list(data.columns) if isinstance(data, pd.DataFrame) else list(_native_names(data, frame))
    )


def _native_names(data: Any, frame: Any) -> list[str]:
    names = getattr(data, "column_names", None)  # pyarrow allows repeated names
    return list(names) if isinstance(names, list) else list(frame.columns)
