"""The model fitted without each block of its data: what BCa intervals take their acceleration from.

A block is one level of the coarsest grouping factor, or several where there are more than 100; in a
model without random effects it is of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ..errors import ArgumentError
from ..models.refits import Refits

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

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
    arrays = model._fit.jackknife(term, blocks, n_threads or model._call.n_threads)
    return Refits.of(model, arrays, pd.RangeIndex(blocks))
