"""How a fitted model is kept: `save`, pickling and copies; each in the module it names."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self, cast

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["Keeping"]


class Keeping:
    """Files, pickles and copies of a fitted model, all by the same bytes."""

    def save(self, path: str | os.PathLike[str], *, data: bool = True) -> None:
        """Write the model to one file, which `mm.load` opens.

        The file has a checksum and a format version, and no code: opening one that comes from
        elsewhere is safe. It is written under another name beside `path` and then renamed, so that
        there is never half a file.

        Parameters
        ----------
        path
            The file; one that is there is replaced.
        data
            True (default): with the columns of the table that the formula, weights and offset use,
            so that the loaded model can do all that this one can, to the bit. False: without rows,
            a few kB for a small model: estimates, tests, conditional modes, summaries and
            predictions for new data are there (their intervals up to 1000 effects of crossed
            factors); fitted values, residuals, simulations, profiles and other fits are not.

        Raises
        ------
        DataError
            A column has values that a file cannot hold, or there are no data to save.
        OSError
            The file cannot be written.

        Notes
        -----
        Functions of `context=` are saved by name; `mm.load` is given them again. A table of
        polars, pyarrow or a dict is loaded as a pandas one.

        Examples
        --------
        >>> import tempfile, pathlib
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     m.save(pathlib.Path(folder) / "clinics.mm")
        ...     same = mm.load(pathlib.Path(folder) / "clinics.mm")
        >>> bool((same.fixef == m.fixef).all())
        True
        """
        from ..saving.saved_files import save

        save(cast("FittedModel", self), path, data=data)

    def __reduce__(self) -> tuple[Callable[..., FittedModel], tuple[Any, ...]]:
        """Pickles hold the bytes of `save`, and the functions of `context=` as pickle has them."""
        from ..saving.saved_model import from_bytes, to_bytes

        model = cast("FittedModel", self)
        return from_bytes, (to_bytes(model, data=model._has_rows), model._call.context)

    def __copy__(self) -> Self:
        return self  # immutable: a copy would be the same

    def __deepcopy__(self, memo: object) -> Self:
        return self
