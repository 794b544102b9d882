"""V⁻¹ times the fixed columns, row by row, V = W⁻¹ + ZΛΛ'Z' the covariance of a response over σ².

V⁻¹x = W(x − Zb) with the conditional modes b that x, taken for a response, would have (Henderson),
so a column costs one product a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .rows import linear_part

if TYPE_CHECKING:
    from .._core import Fit
    from .fitted import FittedModel

__all__ = ["coefficient_basis", "precision_columns"]

Array = NDArray[np.float64]


def coefficient_basis(model: FittedModel, root: Array) -> Array:
    """The columns of S, (rank, rank), as coefficient vectors, (rank, p), zero where a column was
    dropped."""
    kept = ~np.isnan(np.asarray(model._fit.beta))
    full = np.zeros((root.shape[1], len(kept)))
    full[:, kept] = root.T
    return full


def precision_columns(model: FittedModel, fit: Fit, root: Array, basis: Array) -> Iterator[Array]:
    """V⁻¹U over the weights, U = XS, by column, (nobs,).

    Parameters
    ----------
    fit
        Of the linear model whose V is meant: of `model` itself, or of its working model.
    root, basis
        S, and its columns as coefficient vectors: see `coefficient_basis`.
    """
    by_column = fit.fixed_modes() if model._matrices.terms else []
    for k, beta in enumerate(basis):
        modes = [
            -np.tensordot(root[:, k], np.stack(term), axes=1)
            for term in zip(*by_column, strict=True)
        ]
        yield linear_part(model, beta, modes)
