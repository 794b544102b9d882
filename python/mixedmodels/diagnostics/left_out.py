"""The model fitted without each part of its rows in turn."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._core import default_threads
from ..errors import ConvergenceError, DataError, MixedModelsWarning
from ..models.submodels import Submodels

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["fits_without"]


def fits_without(
    model: FittedModel,
    parts: NDArray[np.intp],
    count: int,
    read: Callable[[FittedModel], Any],
    n_threads: int | None = None,
) -> list[Any]:
    """What `read` finds in the fit without each part; where there is no fit, the error.

    The frame keeps its groups, so that terms and θ stay in their order: a level without rows adds
    nothing to a likelihood. Fits run in parallel, each on one thread.

    Parameters
    ----------
    parts
        The part of each row used, 0 to count − 1, shape (nobs,).
    """
    alone = replace(model, _call=replace(model._call, n_threads=1))
    submodels = Submodels.of(alone, "a fit without some rows")
    rows = submodels.frame.rows
    used = np.arange(model.nobs, dtype=np.uint32) if rows is None else rows
    reml = bool(getattr(model._fit, "reml", False))

    def without(part: int) -> Any:
        frame = replace(submodels.frame, rows=used[parts != part])
        try:
            return read(replace(submodels, frame=frame).fit(REML=reml))
        except (ConvergenceError, DataError) as error:
            return error

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixedModelsWarning)
        with ThreadPoolExecutor(n_threads or model._call.n_threads or default_threads()) as pool:
            return list(pool.map(without, range(count)))
