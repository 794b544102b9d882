"""Files of saved models: `m.save` and `mm.load`."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from . import container
from .saved_model import Context, Model, from_bytes, pieces

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["load", "save"]


def save(model: FittedModel, path: str | os.PathLike[str], *, data: bool = True) -> None:
    """Documented at `Keeping.save`."""
    target = os.path.realpath(_path(path))  # of a link: what it points to
    if os.path.exists(target) and not os.path.isfile(target):
        raise ArgumentError(f"path is {target!r}, which is a folder or a device; expected a file")
    parts = pieces(model, data=bool(data))
    with _replaced(target) as descriptor, open(descriptor, "wb") as file:
        for part in parts:
            file.write(part)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _replaced(path: str) -> Iterator[int]:
    """A new file in the same folder that takes the path's place when it is complete."""
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f".{name[:80]}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    try:
        descriptor = os.open(beside, flags, 0o666)
    except OSError as error:  # of the path that was asked for
        raise type(error)(error.errno, error.strerror, path) from None
    try:
        yield descriptor
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise


def load(path: str | os.PathLike[str], *, context: Context | None = None) -> Model:
    """Open a model saved by `m.save`.

    Opening a file runs nothing that stands in it: it may come from elsewhere. Damage is noticed.

    Parameters
    ----------
    path
        The file.
    context
        The functions of yours that the formula calls, by name, as they were given to the fit.

    Returns
    -------
    a fitted model
        Of the kind that was saved; saved with its data it gives the same bits in everything.

    Raises
    ------
    SavedModelError
        The file is not one of a saved model, or of a newer format, or was changed.
    ArgumentError
        The formula needs functions of `context`.
    OSError
        The file cannot be read.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     m.save(pathlib.Path(folder) / "clinics.mm", data=False)
    ...     lean = mm.load(pathlib.Path(folder) / "clinics.mm")
    >>> float(lean.predict({"therapy_sessions": [10], "clinic": ["3"]}).round(1)[0])
    38.7
    """
    with open(_path(path), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        container.check_prefix(file.read(container.PREFIX.size), size)
        file.seek(0)
        data = file.read(size)
    return from_bytes(data, context)


def _path(path: Any) -> str:
    if not isinstance(path, str | os.PathLike):
        raise ArgumentError(f"path is {path!r:.80}; expected a path, as 'model.mm'")
    return os.fsdecode(path)
