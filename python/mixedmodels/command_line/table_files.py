"""Tables in files, by suffix: CSV and TSV, Parquet, Feather and Arrow; "-" is CSV on a pipe.

To add a format: a row of `READERS` and of `WRITERS`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from ..errors import ArgumentError, DataError, MissingDependencyError

__all__ = ["PIPE", "read_table", "replacing", "require_writable", "write_table"]

PIPE = "-"

# Not pandas' list, in which "None" and "N/A" are missing too: those are levels of factors.
MISSING = ("", "NA", "NaN", "nan")

# Numbers to the nearest double: from 3.1 on pandas reads no others, and deprecates the option.
_VERSION = tuple(int(part) for part in pd.__version__.split(".")[:2])
EXACT: dict[str, Any] = {} if _VERSION >= (3, 1) else {"float_precision": "round_trip"}


def read_table(path: str, text: Sequence[str] = ()) -> Any:
    """The table in a file (pandas, polars or pyarrow, whichever reads it); "-": CSV from stdin.

    Parameters
    ----------
    path
        With a suffix of .csv, .tsv, .parquet, .feather or .arrow. In CSV and TSV the fields NA,
        NaN, nan and nothing are missing values.
    text
        Columns of CSV and TSV to leave as the text they are: labels that look like numbers.

    Raises
    ------
    OSError
        There is no such file, or it cannot be read.
    DataError
        What is in the file is not what its suffix says.
    ArgumentError
        The suffix is another.
    MissingDependencyError
        No package that reads the format is installed.
    """
    read = READERS[_format(path, READERS)]
    try:
        return read(sys.stdin if path == PIPE else path, text)
    except (OSError, MemoryError, MissingDependencyError):
        raise
    except Exception as error:  # every library raises types of its own
        raise DataError(f"'{path}' cannot be read as its suffix says: {error}") from error


def write_table(frame: pd.DataFrame, path: str) -> None:
    """Write a table in the format of the suffix, all or nothing; "-": CSV to stdout.

    Numbers in CSV and TSV are the shortest that read back to the same double; missing ones are
    empty. Raises as `read_table` does.
    """
    write = WRITERS[_format(path, WRITERS)]
    if path == PIPE:
        write(frame, sys.stdout)
        return
    with replacing(path) as partial:
        write(frame, str(partial))


@contextmanager
def replacing(path: str) -> Iterator[Path]:
    """A path to write to, which becomes `path` when all is written and disappears if it fails.

    Raises `OSError` where the file cannot be written.
    """
    target = require_writable(path)
    partial = target.with_name(f".{target.stem}.{os.getpid()}.partial{target.suffix}")
    try:
        yield partial
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def require_writable(path: str) -> Path:
    """Where `path` will be written; raises `OSError` now for what would fail after a long fit."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise OSError(f"'{path}' is not a file that can be replaced; '-' writes to stdout")
    if not (target.parent.is_dir() and os.access(target.parent, os.W_OK)):
        raise OSError(f"'{path}' cannot be written: its folder is missing or read-only")
    return target


def _format(path: str, formats: dict[str, Any]) -> str:
    suffix = ".csv" if path == PIPE else Path(path).suffix.lower()
    if suffix not in formats:
        raise ArgumentError(
            f"the format of '{path}' is not known; expected a name that ends in "
            f"{', '.join(formats)}, or '-' for CSV on a pipe"
        )
    return suffix


# --- CSV ---


def _read_separated(separator: str) -> Callable[[Any, Sequence[str]], Any]:
    def read(source: Any, text: Sequence[str]) -> Any:
        return pd.read_csv(
            source,
            sep=separator,
            dtype=dict.fromkeys(text, "str"),
            keep_default_na=False,
            na_values=list(MISSING),
            low_memory=False,
            **EXACT,
        )

    return read


def _write_separated(separator: str) -> Callable[[pd.DataFrame, Any], None]:
    return lambda frame, target: frame.to_csv(target, sep=separator, index=False)


# --- Parquet and Arrow: by pyarrow, else by polars ---


def _installed(format: str) -> tuple[Any, Any]:
    """pyarrow, or None; polars where there is no pyarrow."""
    try:
        import pyarrow

        return pyarrow, None
    except ImportError:
        pass
    try:
        import polars

        return None, polars
    except ImportError:
        raise MissingDependencyError(
            f"{format} files need pyarrow or polars: pip install pyarrow"
        ) from None


def _read_parquet(path: Any, text: Sequence[str]) -> Any:
    arrow, polars = _installed("Parquet")
    if arrow is None:
        return polars.read_parquet(path, hive_partitioning=False)
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        return file.read()


def _read_arrow(path: Any, text: Sequence[str]) -> Any:
    arrow, polars = _installed("Arrow")
    if arrow is None:
        return polars.read_ipc(path)
    from pyarrow import feather

    return feather.read_table(path, memory_map=False)


def _write_parquet(frame: pd.DataFrame, path: Any) -> None:
    arrow, polars = _installed("Parquet")
    if arrow is None:
        _columns(polars, frame).write_parquet(path)
        return
    from pyarrow import parquet

    parquet.write_table(arrow.Table.from_pandas(frame, preserve_index=False), path)


def _write_arrow(frame: pd.DataFrame, path: Any) -> None:
    arrow, polars = _installed("Arrow")
    if arrow is None:
        _columns(polars, frame).write_ipc(path)
        return
    from pyarrow import feather

    feather.write_feather(frame, path)


def _columns(polars: Any, frame: pd.DataFrame) -> Any:
    """The frame in polars, which needs pyarrow to take one as it is."""
    return polars.DataFrame({str(name): frame[name].to_list() for name in frame})


READERS: dict[str, Callable[[Any, Sequence[str]], Any]] = {
    ".csv": _read_separated(","),
    ".tsv": _read_separated("\t"),
    ".parquet": _read_parquet,
    ".feather": _read_arrow,
    ".arrow": _read_arrow,
}

WRITERS: dict[str, Callable[[pd.DataFrame, Any], None]] = {
    ".csv": _write_separated(","),
    ".tsv": _write_separated("\t"),
    ".parquet": _write_parquet,
    ".feather": _write_arrow,
    ".arrow": _write_arrow,
}
