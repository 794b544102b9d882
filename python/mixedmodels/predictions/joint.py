"""The joint covariance of β̂ and b̂ − b: how certain x'β̂ + z'b̂ is at any row.

It is σ² times the inverse of Henderson's matrix [[X'WX, X'WZΛ], [Λ'Z'WX, M]] in (β, u), with
M = I + Λ'Z'WZΛ and W the prior weights, of a generalised model the working weights at the modes
(Henderson 1975, Biometrics 31; Bates et al. 2015, eq. 18). By blocks, with C = σ²ΛM⁻¹Λ' the
covariance of b̂ − b at known β, B = ΛM⁻¹Λ'Z'WX the modes of the columns of X, and σ²SS' the
covariance of β̂:

    Var(x'β̂ + z'(b̂ − b)) = z'Cz + σ²‖(x − B'z)'S‖².

θ counts as known. With one grouping factor C is a block a level, with several and up to
`MOST_EFFECTS` effects one dense matrix: plain arrays that stand for themselves, without the data
(`JointCovariance`). Beyond that the kernel solves for each row (`SolvedJoint`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError
from ..models.generalised import Generalised
from ..models.generalised_covariance import square_root
from ..models.rows import group_codes, knows_levels, linear_part
from ..models.varcorr import templates

if TYPE_CHECKING:
    from .._core import Design, Fit, GeneralizedFit
    from ..matrices.model_matrix import TermInfo
    from ..models.fitted import FittedModel

__all__ = [
    "Effects",
    "JointCovariance",
    "Layout",
    "SolvedJoint",
    "joint_covariance_of",
    "own_effects",
]

Array = NDArray[np.float64]
Codes = NDArray[np.signedinteger]
Places = NDArray[np.intp]

MOST_EFFECTS = 1000  # of several factors whose covariances are kept as one matrix (8 MB)


@dataclass(frozen=True, eq=False, slots=True)
class Effects:
    """Rows of one random term: the level that each row has, and its columns there."""

    term: int  # position in the model
    codes: Codes  # (n,) level; -1: none that the model knows
    columns: Array  # (n, q) z


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the effects of all terms stand in one vector, and which of them M⁻¹ brings together.

    By level where there is one grouping factor: the effects of a level side by side, and M cut into
    a block a level. Else term by term, and one block.
    """

    first: tuple[int, ...]  # per term: the first effect of its first level
    step: tuple[int, ...]  # per term: from level to level
    count: int  # effects in all
    width: int  # of a block

    @classmethod
    def of(cls, terms: Sequence[TermInfo]) -> Layout:
        q = [len(term.columns) for term in terms]
        sizes = [len(term.levels) * len(term.columns) for term in terms]
        by_level = len({term.group for term in terms}) == 1
        parts, count = q if by_level else sizes, sum(sizes)
        first = tuple(sum(parts[:t]) for t in range(len(parts)))
        step = (sum(q),) * len(q) if by_level else tuple(q)
        return cls(first, step, count, sum(q) if by_level else count)

    def columns(self, effects: Sequence[Effects]) -> Iterator[tuple[Places, Array]]:
        """For every column of every term: the effect that each row has, and z; z is zero where the
        row has none."""
        for term in effects:
            known = term.codes >= 0
            start = self.first[term.term] + self.step[term.term] * np.where(known, term.codes, 0)
            for a, z in enumerate(term.columns.T):
                yield (start + a).astype(np.intp), np.where(known, z, 0.0)

    def pairs(self, place: Places, other: Places) -> Places:
        """The elements (place, other) of a matrix of shape (count, width), laid out flat."""
        return place * self.width + other % self.width


@dataclass(frozen=True, eq=False, slots=True)
class JointCovariance:
    """The joint covariance as arrays."""

    layout: Layout
    sigma: float
    kept: Places  # (rank,) the columns of X that have a coefficient
    root: Array  # (rank, rank) S
    modes: Array  # (count, rank) B
    covariance: Array  # (count, width) C, block below block

    def variances(
        self, X: Array, effects: Sequence[Effects], design: Callable[[], Design]
    ) -> Array:
        """Var(x'β̂ + z'(b̂ − b)) of every row, shape (n,).

        Parameters
        ----------
        X
            Shape (n, p).
        effects
            The terms that count.
        design
            Makes the kernel's design of the same rows and terms; not used here.
        """
        left = X[:, self.kept]
        columns = list(self.layout.columns(effects))
        for place, z in columns:
            left -= z[:, None] * self.modes[place]
        variance, C = np.zeros(len(X)), self.covariance.ravel()
        for (place, z), (other, y) in combinations_with_replacement(columns, 2):
            twice = 1.0 if other is place else 2.0
            variance += twice * z * y * C[self.layout.pairs(place, other)]
        fixed = left @ self.root
        known = np.maximum(variance, 0.0)  # NaN stays
        return np.asarray(known + self.sigma**2 * np.einsum("ni,ni->n", fixed, fixed))


@dataclass(frozen=True, eq=False, slots=True)
class SolvedJoint:
    """The joint covariance of many effects of several factors: the kernel solves for each row."""

    fit: Fit | GeneralizedFit
    sigma: float
    kept: Places  # as in `JointCovariance`
    root: Array

    def variances(
        self, X: Array, effects: Sequence[Effects], design: Callable[[], Design]
    ) -> Array:
        """As `JointCovariance.variances`; the terms of the design are `effects` in their order."""
        if not effects:
            fixed = X[:, self.kept] @ self.root
            return np.asarray(self.sigma**2 * np.einsum("ni,ni->n", fixed, fixed))
        terms = [term.term for term in effects]
        return np.asarray(self.fit.joint_variances(design(), terms), dtype=float)


def joint_covariance_of(model: FittedModel) -> JointCovariance | SolvedJoint:
    """The joint covariance of a fitted model, in the form that its grouping factors ask for."""
    terms = model._matrices.terms
    layout = Layout.of(terms)
    kept = np.flatnonzero(~np.isnan(np.asarray(model._fit.beta)))
    root = _fixed_root(model, kept)
    is_large = len({term.group for term in terms}) > 1 and layout.count > MOST_EFFECTS
    if is_large or not all(knows_levels(model, term.group) for term in terms):
        return SolvedJoint(model._fit, model.sigma, kept, root)
    modes, covariance = _arrays(model, layout, kept)
    return JointCovariance(layout, model.sigma, kept, root, modes, covariance)


def _arrays(model: FittedModel, layout: Layout, kept: Places) -> tuple[Array, Array]:
    """B and C."""
    terms = model._matrices.terms
    lambdas = templates(np.asarray(model._fit.theta), [len(term.columns) for term in terms])
    M, fixed = _sums(model, layout, kept, lambdas)
    scale = _block_lambda(layout, terms, lambdas)
    transposed = np.broadcast_to(scale.T, M.shape)
    try:
        solved = scale @ np.linalg.solve(M, np.concatenate([transposed, fixed], axis=-1))
    except np.linalg.LinAlgError:
        raise ConvergenceError(
            "the covariance of the random effects cannot be computed: a relative standard "
            f"deviation is too large (theta = {np.asarray(model._fit.theta)})"
        ) from None
    C = model.sigma**2 * solved[..., : layout.width]
    symmetric = 0.5 * (C + np.swapaxes(C, -1, -2))
    modes = solved[..., layout.width :].reshape(layout.count, len(kept))
    return modes, symmetric.reshape(layout.count, layout.width)


def _sums(
    model: FittedModel, layout: Layout, kept: Places, lambdas: Sequence[Array]
) -> tuple[Array, Array]:
    """M and Λ'Z'WX block by block: (blocks, width, width) and (blocks, width, rank).

    Over the rows of ZΛ: where a predictor lies far from zero Z'WZ has lost the digits that M has.
    """
    scaled = [replace(e, columns=e.columns @ lambdas[e.term]) for e in own_effects(model)]
    columns = list(layout.columns(scaled))
    weights = _working_weights(model) if columns else np.ones(model.nobs)
    gram = np.zeros(layout.count * layout.width)
    for (place, z), (other, y) in combinations_with_replacement(columns, 2):
        product = weights * z * y
        gram += np.bincount(layout.pairs(place, other), product, len(gram))
        if other is not place:
            gram += np.bincount(layout.pairs(other, place), product, len(gram))
    fixed = np.zeros((layout.count, len(kept)))
    unit = np.eye(len(model._fit.beta))
    for k, column in enumerate(kept):
        x = weights * linear_part(model, unit[column])
        for place, z in columns:
            fixed[:, k] += np.bincount(place, z * x, layout.count)
    shape = (-1, layout.width, layout.width) if layout.width else (0, 0, 0)
    M = gram.reshape(shape) + np.eye(layout.width)
    return M, fixed.reshape(len(M), layout.width, len(kept))


def own_effects(model: FittedModel, known: Collection[int] | None = None) -> list[Effects]:
    """The random terms at the rows of the fit; terms that are not `known` (None: all are) have no
    levels.

    Raises
    ------
    ArgumentError
        As `group_codes`.
    """
    terms = model._matrices.terms
    known = range(len(terms)) if known is None else known
    codes = {group: group_codes(model, group) for group in {terms[t].group for t in known}}
    none = np.full(model.nobs, -1)
    return [
        Effects(t, codes[term.group] if t in known else none, model._design.random_columns(t))
        for t, term in enumerate(terms)
    ]


def _block_lambda(layout: Layout, terms: Sequence[TermInfo], lambdas: Sequence[Array]) -> Array:
    """Λ of one block, shape (width, width)."""
    result = np.zeros((layout.width, layout.width))
    for term, first, step, scale in zip(terms, layout.first, layout.step, lambdas, strict=True):
        q = len(scale)
        levels = 1 if layout.width < layout.count else len(term.levels)
        for start in range(first, first + levels * step, step):
            result[start : start + q, start : start + q] = scale
    return result


def _working_weights(model: FittedModel) -> Array:
    """W at the rows of the fit, shape (nobs,).

    The kernel's leverages are wᵢ times the variances of the rows in units of σ², which gives the
    working weights of any family by any criterion; a row without variance (x and z zero) has none
    that matters.
    """
    if not isinstance(model, Generalised):
        weights = model._matrices.weights
        return np.ones(model.nobs) if weights is None else np.asarray(weights)
    variances = np.asarray(model._fit.row_variances()) / model._fit.sigma**2
    leverages = np.asarray(model._fit.leverages())
    return np.divide(leverages, variances, out=np.zeros_like(leverages), where=variances > 0)


def _fixed_root(model: FittedModel, kept: Places) -> Array:
    """S with σ²SS' the covariance of β̂ at known θ."""
    if not isinstance(model, Generalised):
        return np.asarray(model._root)
    return square_root(model._conditional_vcov[np.ix_(kept, kept)]) / model.sigma
