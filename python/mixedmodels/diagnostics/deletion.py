"""β, σ and their precision without some rows, in closed form at fixed θ.

In units of σ². Φ = (X'V⁻¹X)⁻¹ = SS', U = XS; r = y − Xβ̂ − Zb̂, e = y − Xβ̂ and V⁻¹e = Wr (offsets
taken off y). P = V⁻¹ − V⁻¹UU'V⁻¹, and RSS = y'Py. Leaving out the rows c is the same as giving each
of them a parameter of its own (Haslett 1999, J. R. Stat. Soc. B 61, 603-609), so that

    β̂ − β̂₍c₎ = S a'P_cc⁻¹(Py)_c,    Φ₍c₎ = S(I + a'P_cc⁻¹a)S',    RSS₍c₎ = RSS − (Py)_c'P_cc⁻¹(Py)_c

with a the rows c of V⁻¹U and Py = Wr. Two kinds of c need no block of P:

* one row (Christensen, Pearson & Johnson 1992, Technometrics 34, 38-45): P_cc = w(1 − h), h its
  leverage;
* rows that share no random effect with any other (Demidenko & Stukel 2005, Stat. Med. 24, 893-909,
  §4): with G = U_c'V_c⁻¹U_c and s = U_c'V_c⁻¹e_c

      β̂ − β̂₍c₎ = S(I − G)⁻¹s,    Φ₍c₎ = S(I − G)⁻¹S',
      RSS₍c₎ = RSS − e_c'V_c⁻¹e_c − s'(I − G)⁻¹s.

For a generalised model these are one Newton step in its working model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..inference.clusters import Clusters
from ..models.mixed import Mixed
from ..models.precision import coefficient_basis, precision_columns
from ..models.rows import linear_part
from ..models.working import working_fit, working_weights
from .leverage import independent

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["Deletion", "Rows", "delete_clusters", "delete_rows"]

Array = NDArray[np.float64]

DETERMINED = 1e-10  # an eigenvalue of I − G that is rounding of 0


@dataclass(frozen=True, eq=False)
class Rows:
    """What deletions are computed from; in units of σ²."""

    root: Array  # S, (rank, rank)
    weights: Array  # W, (nobs,)
    residuals: Array  # r, (nobs,), of a generalised model the working ones
    marginal: Array  # e, (nobs,)
    fixed: Array  # U, (rank, nobs)
    solved: Array  # V⁻¹U over the weights, (rank, nobs)

    @classmethod
    def of(cls, model: FittedModel) -> Rows:
        residuals, weights = model._residuals("working"), working_weights(model)
        if not isinstance(model, Mixed):  # V = W⁻¹
            basis = coefficient_basis(model, model._root)
            fixed = _stacked([linear_part(model, beta) for beta in basis], model.nobs)
            return cls(model._root, weights, residuals, residuals, fixed, fixed)
        fit = working_fit(model)
        root = np.asarray(fit.root())
        basis = coefficient_basis(model, root)
        fixed = _stacked([linear_part(model, beta) for beta in basis], model.nobs)
        solved = _stacked(list(precision_columns(model, fit, root, basis)), model.nobs)
        marginal = residuals + linear_part(model, modes=model._modes)
        return cls(root, weights, residuals, marginal, fixed, solved)


@dataclass(frozen=True, eq=False)
class Deletion:
    """What leaving out each of m parts changes; in units of σ². NaN where a part alone determines a
    combination of coefficients."""

    change: Array  # β̂ − β̂₍c₎ of the columns kept, (m, rank)
    length: Array  # its square in the metric Φ⁻¹, (m,)
    reduced_length: Array  # and in Φ₍c₎⁻¹, (m,)
    variances: Array  # the diagonal of Φ₍c₎, (m, rank)
    determinant: Array  # |Φ₍c₎|/|Φ|, (m,)
    rss: Array  # RSS − RSS₍c₎, (m,)


def delete_rows(model: FittedModel) -> Deletion:
    """Each row by itself, m = nobs."""
    rows = Rows.of(model)
    free = independent(model._leverages)
    a = np.sqrt(rows.weights) * rows.solved  # of √w-scaled rows, whose P_cc is 1 − h
    scaled = np.sqrt(rows.weights) * rows.residuals / free
    growth = np.sum(a**2, axis=0) / free
    change = (a * scaled).T
    length = np.sum(change**2, axis=1)
    return Deletion(
        change=change @ rows.root.T,
        length=length,
        reduced_length=length / (1 + growth),
        variances=np.sum(rows.root**2, axis=1) + (a.T @ rows.root.T) ** 2 / free[:, None],
        determinant=1 + growth,
        rss=scaled**2 * free,
    )


def delete_clusters(model: FittedModel, clusters: Clusters) -> Deletion:
    """Each cluster; they must share no level of a grouping factor."""
    rows = Rows.of(model)
    solved = rows.weights * rows.solved
    rank, m = len(rows.root), clusters.count
    kept = np.empty((m, rank, rank))  # I − G
    for k in range(rank):
        for l in range(k + 1):
            gram = clusters.sums(rows.fixed[k] * solved[l])
            kept[:, k, l] = kept[:, l, k] = float(k == l) - gram
    score = _stacked([clusters.sums(u * rows.marginal) for u in solved], m).T
    squares = clusters.sums(rows.weights * rows.residuals * rows.marginal)
    values, vectors = np.linalg.eigh(kept)
    values = np.where(values > DETERMINED, values, np.nan)
    turned = np.einsum("ckj,ck->cj", vectors, score)  # in the eigenvectors of I − G
    change = np.einsum("ckj,cj->ck", vectors, turned / values)
    axes = np.einsum("ak,ckj->caj", rows.root, vectors)
    return Deletion(
        change=change @ rows.root.T,
        length=np.sum(change**2, axis=1),
        reduced_length=np.sum(turned**2 / values, axis=1),
        variances=np.sum(axes**2 / values[:, None, :], axis=2),
        determinant=1 / np.prod(values, axis=1),
        rss=squares + np.sum(turned**2 / values, axis=1),
    )


def _stacked(columns: list[Array], length: int) -> Array:
    """(columns, length), also of no columns."""
    return np.array(columns).reshape(len(columns), length)
