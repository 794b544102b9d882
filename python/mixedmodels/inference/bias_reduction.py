"""CR2: scores of clusters that make up for residuals being smaller than errors.

In units of σ². Rows are scaled by √w first: a weighted model counts as the homoscedastic model of
its scaled rows. V_c = I + L_cL_c' with L = ZΛ is block-diagonal over clusters; Φ = (X'V⁻¹X)⁻¹ =
SS', U = XS and e = y − Xβ̂. Pustejovsky & Tipton (2018, J. Bus. Econ. Stat. 36, 672-683; R's
clubSandwich) adjust the residuals of a cluster by

    A = V^(1/2) B^(+1/2) V^(1/2),    B = V^(1/2) (V − UU') V^(1/2)

(index c left out; any root D of V, V = D'D, gives the same A = D'(D(V − UU')D')^(+1/2)D), and the
sum of ss', s = U'V⁻¹Ae, is unbiased if V is right. Let ũ = V^(-1/2)U and ẽ = V^(-1/2)e be whitened,
Σ ũ'ũ = I, and H = (I − ũũ')^(1/2), so that B = VH²V. With the polar decomposition HV = WB^(1/2) and
ẽ = HH⁺ẽ (where H is singular residuals are zero),

    s = ũ'B^(+1/2)Vẽ = (Wũ)'H⁺ẽ.

(W = I would be the method of Bell & McCaffrey 2002, Survey Methodology 28, 169-181, for the
whitened regression.) Degrees of freedom of l'β̂: with l̂ = S'l the variance estimate is Σ_c
(l̂'s_c)², and since Cov(ẽ_c, ẽ_d) = I·1(c = d) − ũ_cũ_d' the covariance matrix P of the l̂'s_c has

    P_cc = |Wũl̂|²,    P_cd = −f_c'f_d,    f = ũ'H⁺Wũl̂;

matching two moments of χ², df = (tr P)²/tr(P²).

All these matrices are the identity outside the span of [L V⁻¹U], of which sums over rows give the
Gram matrix. Its coordinates are the eigenvectors of LL', where V is 1 + λ, and those that V⁻¹U has
besides, where V is 1. V⁻¹U rather than U because it is at most 1: with a large λ, U would lose the
digits. Both V⁻¹U and V⁻¹e are x − Zb (Henderson), one product a row.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, DataError
from ..models.precision import precision_columns
from ..models.rows import group_codes, linear_part
from ..models.varcorr import templates
from .clusters import Clusters

if TYPE_CHECKING:
    from ..models.linear import Linear

__all__ = ["BiasReduced", "bias_reduced"]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]
Column = tuple[Array, Codes]  # values of the rows, (n,); their place in the Gram matrix, (n,)

ACCURACY = 1e-6  # largest departure of Σ ũ'ũ from I
DETERMINED = 1e-8  # an eigenvalue of H² that is rounding of 0
ROUNDING = 1e-13  # the same of a Gram matrix, relative to the largest
MOST = 3000  # random effects in a cluster, which then takes some 15 seconds
ENTRIES = 2**22  # of Gram matrices at a time


@dataclass(frozen=True, eq=False)
class BiasReduced:
    """What CR2 needs of every cluster, in the basis S; clusters in any order."""

    scores: Array  # s_c, (clusters, rank)
    own: Array  # (Wũ)'Wũ, (clusters, rank, rank)
    shared: Array  # ũ'H⁺Wũ, (clusters, rank, rank)
    determined: int  # clusters that alone determine a combination of coefficients, H singular

    def degrees(self, root: Array) -> Array:
        """Satterthwaite's df of each coefficient, (rank,), for the root S, (rank, rank)."""
        return np.array([self._degrees(l_hat) for l_hat in root])

    def _degrees(self, l_hat: Array) -> float:
        """(tr P)²/tr(P²); no clusters × clusters matrix is formed."""
        own = self.own @ l_hat @ l_hat
        f = self.shared @ l_hat
        length = np.sum(f**2, axis=1)
        squares = np.sum(own**2) + np.sum((f.T @ f) ** 2) - np.sum(length**2)
        trace = np.sum(own)
        determined = trace <= DETERMINED * (l_hat @ l_hat)  # wholly, by one cluster or another
        return np.nan if determined else float(trace**2 / squares)


def bias_reduced(model: Linear, clusters: Clusters, root: Array, basis: Array) -> BiasReduced:
    """The adjusted scores and their covariances.

    Parameters
    ----------
    root
        S, shape (rank, rank).
    basis
        Its columns as coefficient vectors, shape (rank, p), zero where a column was dropped.

    Raises
    ------
    ArgumentError
        A cluster has too many random effects.
    DataError
        Digits are lost: a predictor is very far from zero, or random effects are very large.
    """
    places, width = _places(model, clusters)
    if width.max() > MOST:
        raise ArgumentError(
            f"type='CR2' decomposes a matrix for each cluster, with a row for every random effect "
            f"in it: {width.max():,} in one of {clusters.name}, expected at most {MOST:,}. Use "
            "type='CR1'"
        )
    rank = len(root)
    weights = model._matrices.weights
    scale = np.ones(model.nobs) if weights is None else np.sqrt(weights)
    columns = _columns(model, places, root, basis)
    grams = _grams(columns, clusters, width + rank + 1, scale)
    parts = [_adjusted(*_whitened(gram, rank)) for gram in grams]
    leverage, scores, own, shared, determined = (
        np.concatenate(part) for part in zip(*parts, strict=True)
    )
    _require_accuracy(leverage)
    return BiasReduced(scores, own, shared, int(np.sum(determined)))


# --- Rows ---


def _places(model: Linear, clusters: Clusters) -> tuple[list[Codes], Codes]:
    """Where in the Gram matrix of its cluster each row has the first column of each term and,
    last, of V⁻¹U, (n,); and how many random effects each cluster has, (clusters,)."""
    width = np.zeros(clusters.count, dtype=np.intp)
    places = []
    for term in model._matrices.terms:
        codes, q = group_codes(model, term.group), len(term.columns)
        number, count = _numbered(codes, clusters)
        places.append(width[clusters.codes] + q * number[codes])
        width = width + q * count
    return [*places, width[clusters.codes]], width


def _numbered(codes: Codes, clusters: Clusters) -> tuple[Codes, Codes]:
    """The number of each level among those of its cluster, from 0; and how many it has."""
    home = np.zeros(codes.max() + 1, dtype=np.intp)
    home[codes] = clusters.codes
    count = np.bincount(home, minlength=clusters.count)
    number = np.empty_like(home)
    number[np.argsort(home, kind="stable")] = np.concatenate([np.arange(k) for k in count])
    return number, count


def _columns(model: Linear, places: list[Codes], root: Array, basis: Array) -> Iterator[Column]:
    """The columns of [L V⁻¹U V⁻¹e], over √w: a row has those of its own levels only."""
    terms = model._matrices.terms
    lambdas = templates(model._fit.theta, [len(term.columns) for term in terms])
    for t, (term, template) in enumerate(zip(terms, lambdas, strict=True)):
        for k, column in enumerate(template.T):
            modes: list[Array | None] = [None] * len(terms)
            modes[t] = np.tile(column, (len(term.levels), 1))
            yield linear_part(model, modes=modes), places[t] + k
    for k, values in enumerate(precision_columns(model, model._fit, root, basis)):
        yield values, places[-1] + k
    yield model._response - model._fitted, places[-1] + len(root)


# --- Gram matrices ---


def _grams(
    columns: Iterator[Column], clusters: Clusters, width: Codes, scale: Array
) -> Iterator[Array]:
    """Gram matrices of the clusters' columns, times `scale`, by width: (some, width, width)."""
    order = np.argsort(width, kind="stable")
    turns = np.argsort(order)[clusters.codes]
    rows = np.argsort(turns, kind="stable")
    turns = turns[rows]
    sorted_columns = [((scale * values)[rows], place[rows]) for values, place in columns]
    for first, last in _batches(width[order]):
        part = slice(*np.searchsorted(turns, [first, last]))
        size = width[order[first]]
        cell = (turns[part] - first) * size**2
        lower = np.zeros((last - first) * size**2)
        for i, (left, row) in enumerate(sorted_columns):
            at = cell + row[part] * size
            for right, column in sorted_columns[: i + 1]:
                products = left[part] * right[part]
                lower += np.bincount(at + column[part], products, len(lower))
        lower = lower.reshape(-1, size, size)
        yield lower + np.swapaxes(np.tril(lower, -1), 1, 2)


def _batches(width: Codes) -> Iterator[tuple[int, int]]:
    """Stretches of equal width, as long as memory allows."""
    ends = np.flatnonzero(np.diff(width, append=-1)) + 1
    for start, end in pairwise([0, *ends.tolist()]):
        step = max(1, ENTRIES // int(width[start]) ** 2)
        for first in range(start, end, step):
            yield first, min(first + step, end)


# --- Algebra, cluster by cluster ---


def _whitened(gram: Array, rank: int) -> tuple[Array, Array, Array]:
    """v, (m, k), the diagonal of V; ũ, (m, k, rank); ẽ, (m, k), from the Gram matrices of
    [L V⁻¹U V⁻¹e]."""
    q = gram.shape[1] - rank - 1
    values, vectors = np.linalg.eigh(gram[:, :q, :q])
    within = (gram[:, q:, :q] @ vectors) * _inverse_root(values)[:, None, :]
    rest = gram[:, q:, q:] - within @ np.swapaxes(within, 1, 2)
    lengths, vectors = np.linalg.eigh(rest[:, :rank, :rank])
    beyond = (rest[:, :, :rank] @ vectors) * _inverse_root(lengths)[:, None, :]
    v = np.concatenate([1 + np.maximum(values, 0), np.ones_like(lengths)], axis=1)
    whitened = np.concatenate([within, beyond], axis=2) * np.sqrt(v)[:, None, :]
    return v, np.swapaxes(whitened[:, :rank], 1, 2), whitened[:, rank]


def _inverse_root(values: Array) -> Array:
    """λ^(-1/2) of eigenvalues of Gram matrices, (m, k), zero where λ is rounding."""
    least = ROUNDING * values.max(axis=1, initial=0, keepdims=True)
    return np.where(values > least, 1 / np.sqrt(np.where(values > least, values, 1.0)), 0.0)


def _adjusted(v: Array, u: Array, e: Array) -> tuple[Array, Array, Array, Array, Array]:
    """ũ'ũ, s, (Wũ)'Wũ, ũ'H⁺Wũ, and whether H is singular."""
    left, cosine, _ = np.linalg.svd(u, full_matrices=False)
    square = (1 - cosine) * (1 + cosine)
    free = square > DETERMINED
    h = np.sqrt(np.where(free, square, 0.0))
    Wu = _turned(v, u, left, h)
    inverse = np.where(free, 1 / np.where(free, h, 1.0), 0.0)
    ut = np.swapaxes(u, 1, 2)
    adjusted = _scaled(left, inverse, Wu)
    scores = np.einsum("cka,ck->ca", adjusted, e)
    singular = ~np.all(free, axis=1)
    return ut @ u, scores, np.swapaxes(Wu, 1, 2) @ Wu, ut @ adjusted, singular


def _turned(v: Array, u: Array, left: Array, h: Array) -> Array:
    """Wũ with the polar decomposition HV = WB^(1/2), W zero on the null space of B."""
    HV = _scaled(left, h, np.eye(v.shape[1]) * v[:, None, :])
    P, _, Rt = np.linalg.svd(HV)
    null = np.sum(h == 0, axis=1, keepdims=True)  # the last singular values are zero
    kept = np.arange(v.shape[1]) < v.shape[1] - null
    return np.asarray(P @ (kept[:, :, None] * (Rt @ u)))


def _scaled(left: Array, factor: Array, values: Array) -> Array:
    """(I + Q(diag(factor) − I)Q') times values, Q the orthonormal columns of `left`."""
    inside = (factor - 1)[:, :, None] * (np.swapaxes(left, 1, 2) @ values)
    return np.asarray(values + left @ inside)


def _require_accuracy(leverage: Array) -> None:
    if np.abs(leverage.sum(axis=0) - np.eye(leverage.shape[1])).max() > ACCURACY:
        raise DataError(
            "CR2 cannot be had to six digits. Either a predictor is very far from zero compared "
            "with how much it varies: centre it (subtract its mean) and fit again. Or random "
            "effects vary many thousand times as much as residuals. type='CR1' needs fewer digits"
        )
