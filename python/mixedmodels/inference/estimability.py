"""Which linear functions of the fixed effects the data determine when X has collinear columns.

β is unique up to the null space N of X, so l'β is estimable where l'N = 0 (Searle 1971, Linear
Models, §5.4). The columns that were kept give N: X_dropped = X_kept A, hence N = [−A; I].
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..lazy import lazy

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["Estimability"]

Array = NDArray[np.float64]

TOLERANCE = 1e-8  # relative, of the part of l outside the row space of X


class Estimability:
    """Call it with L, shape (k, p), one column for each column of the formula: which rows are
    estimable, shape (k,)."""

    def __init__(self, model: FittedModel):
        self._model = model
        self.kept = ~np.isnan(np.asarray(model._fit.beta, dtype=float))

    def __call__(self, L: Array) -> NDArray[np.bool_]:
        if self.kept.all():
            return np.ones(len(L), dtype=bool)
        scale, basis = self._null_space
        rows = L / scale
        outside = np.linalg.norm(rows @ basis, axis=1)
        return np.asarray(outside <= TOLERANCE * np.linalg.norm(rows, axis=1))

    @lazy
    def _null_space(self) -> tuple[Array, Array]:
        """Scales of the columns, (p,), and an orthonormal basis of the scaled X's null space."""
        X = np.array(self._model._design.fixed_matrix(), dtype=float)
        scale = np.sqrt(np.einsum("ij,ij->j", X, X))
        scale[scale == 0] = 1.0
        X /= scale
        basis = np.zeros((X.shape[1], int((~self.kept).sum())))
        basis[self.kept] = -np.linalg.lstsq(X[:, self.kept], X[:, ~self.kept], rcond=None)[0]
        basis[~self.kept] = np.eye(basis.shape[1])
        return scale, np.linalg.qr(basis)[0]
