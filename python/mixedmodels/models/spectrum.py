"""Eigenvalues of information matrices, and their inverses where they have one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError

__all__ = ["RANK", "inverse", "scaled_spectrum"]

Array = NDArray[np.float64]

RANK = 1e-13  # eigenvalues below this share of the largest are zero


def scaled_spectrum(matrix: Array) -> tuple[Array, Array, Array]:
    """Scales s, eigenvalues and eigenvectors of a symmetric matrix with its diagonal scaled to one:
    what counts as zero then depends on no predictor's unit."""
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(matrix)), 1e-300))
    scaled = matrix * np.outer(scale, scale)
    if not np.isfinite(scaled).all():
        raise ConvergenceError(
            "the information on the variances has values that are not finite, so there are no "
            "degrees of freedom: see m.convergence, or use ddf='asymptotic'"
        )
    values, vectors = np.linalg.eigh(scaled)
    return scale, values, vectors


def inverse(scale: Array, values: Array, vectors: Array) -> Array:
    """The inverse of the matrix on the directions in which it is positive."""
    inverse = np.where(values > RANK * values.max(), 1 / np.where(values == 0, 1, values), 0.0)
    return np.asarray((vectors * inverse) @ vectors.T * np.outer(scale, scale))
