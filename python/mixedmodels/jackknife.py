"""The model fitted without each block of its data: what BCa intervals take their acceleration from.

A block is one level of the coarsest grouping factor, or several where there are more than 100; in a
model without random effects it is of rows.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import ArgumentError, ConvergenceError, DataError, MixedModelsWarning
from .linear import Linear
from .parametric_bootstrap import joined, own_estimates
from .refits import Refits
from .rows import group_codes
from .submodels import Submodels

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["jackknife"]

BLOCKS = 100  # fits, at most


def jackknife(model: FittedModel, n_threads: int | None = None) -> Refits:
    """The estimates without each block, one row a block.

    Raises
    ------
    ArgumentError
        There are fewer than three groups.
    """
    terms = model._matrices.terms
    units = min([len(term.levels) for term in terms], default=model.nobs)
    if units < 3:
        raise ArgumentError(
            f"BCa intervals need a jackknife, and there are only {units} groups to leave out: use "
            'type="percentile" or "basic"'
        )
    blocks = min(units, BLOCKS)
    term = next((t for t, info in enumerate(terms) if len(info.levels) == units), None)
    if isinstance(model, Linear):
        arrays = model._fit.jackknife(term, blocks, n_threads or model._call.n_threads)
    else:
        codes = np.arange(units) if term is None else group_codes(model, terms[term].group)
        arrays = _without_each(model, codes * blocks // units, blocks)
    return Refits.of(model, arrays, pd.RangeIndex(blocks))


def _without_each(model: FittedModel, block: NDArray[np.intp], blocks: int) -> dict[str, Any]:
    """Fits without the rows of each block in turn; NaN where there is none.

    The frame keeps its groups, so that terms and θ stay in their order: a level without rows adds
    nothing to a likelihood.
    """
    submodels = Submodels.of(model, "a jackknife")
    rows = submodels.frame.rows
    used = np.arange(model.nobs, dtype=np.uint32) if rows is None else rows
    estimates = []
    for k in range(blocks):
        part = replace(submodels, frame=replace(submodels.frame, rows=used[block != k]))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", MixedModelsWarning)
                estimates.append(own_estimates(part.fit(REML=False)))
        except (ConvergenceError, DataError):
            own = own_estimates(model)
            estimates.append({name: np.full_like(values, np.nan) for name, values in own.items()})
    return joined([{**found, "messages": []} for found in estimates])
