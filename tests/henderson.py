"""An independent oracle: the joint covariance of (β̂, b̂ − b) as one dense matrix.

    σ² [[X'WX, X'WZΛ], [Λ'Z'WX, Λ'Z'WZΛ + I]]⁻¹ in (β, u), with b = Λu  (Henderson 1975).

Nothing is shared with the kernel but the estimates; W are prior weights, or the working weights
of a generalised model. For tests on small data only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dense_model import templates

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Henderson:
    """Rows (x, z_1 by level, z_2 by level, ...) and the covariance of what they multiply."""

    rows: Array
    covariance: Array

    @property
    def variances(self) -> Array:
        """Of x'β̂ + z'(b̂ − b), row by row."""
        result: Array = np.einsum("ij,jk,ik->i", self.rows, self.covariance, self.rows)
        return result


def design_rows(model: Any, design: Any, codes: Sequence[Array]) -> Array:
    """[X Z] of a design, columns dropped by the model left out; a code of −1 gives zeros."""
    kept = np.flatnonzero(~np.isnan(model._fit.beta))
    blocks = [design.fixed_matrix()[:, kept]]
    for t, (term, code) in enumerate(zip(model._matrices.terms, codes, strict=True)):
        z = design.random_columns(t)
        placed = np.zeros((len(code), len(term.levels), z.shape[1]))
        rows = np.flatnonzero(code >= 0)
        placed[rows, code[rows]] = z[rows]
        blocks.append(placed.reshape(len(code), -1))
    return np.column_stack(blocks)


def henderson(model: Any, codes: Sequence[Array], weights: Array) -> Henderson:
    """The rows used by the model; `codes` hold the levels of every term there."""
    rows = design_rows(model, model._design, codes)
    p = int(model._fit.rank)
    sizes = [len(term.columns) for term in model._matrices.terms]
    scale = np.eye(rows.shape[1])
    at = p
    for template, term in zip(templates(model.theta, sizes), model._matrices.terms, strict=True):
        width = len(term.levels) * len(term.columns)
        scale[at : at + width, at : at + width] = np.kron(np.eye(len(term.levels)), template)
        at += width
    spherical = rows @ scale
    matrix = spherical.T @ (weights[:, None] * spherical)
    matrix[np.arange(p, at), np.arange(p, at)] += 1.0
    size = np.sqrt(np.diag(matrix))
    inverse = np.linalg.inv(matrix / np.outer(size, size)) / np.outer(size, size)
    return Henderson(rows, float(model._fit.sigma) ** 2 * scale @ inverse @ scale.T)
