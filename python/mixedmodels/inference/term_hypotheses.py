"""Which hypotheses Lβ = 0 are the tests of the fixed terms, types I, II and III.

Every type is a choice of L, made of X alone (as SAS and lmerTest do):

I    With X = QR, row j of R is what column j adds to the columns before it: L = the term's rows.
     Columns that add nothing have none.
II   The same after moving the columns of all terms that contain the term behind it. Term T is
     contained in U if both have the same covariates and U has all factors of T and more.
III  L = the term's effects in the sum-to-zero coding (`effects.py`), the same hypothesis for every
     coding of the fit. Without data in some combinations of levels these effects are not
     estimable: a term that no other contains is then tested as in type II (what the data can tell
     of it), any other gets no test, and a note says so.

A generalised model's rows have no one X'X, so its type II is that of car::Anova, by the covariance
matrix V of the estimates: with E_T the rows that pick the coefficients of T and E_U those of all
terms that have its variables and more, L = E_T − E_TVE_U'(E_UVE_U')⁻¹E_U.

Sources: Searle (1987), Linear Models for Unbalanced Data, ch. 4-5; SAS/STAT, "The Four Types of
Estimable Functions"; Kuznetsova, Brockhoff & Christensen (2017), J. Stat. Softw. 82(13), §2.2;
Fox & Weisberg (2019), An R Companion to Applied Regression, §6.6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..lazy import lazy
from ..matrices.model_spec import ModelSpec
from .effects import Effects, sum_coded_effects

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["FixedPart", "after_all_but_containing", "conjugate", "sequential", "sum_to_zero"]

Array = NDArray[np.float64]

SHARE = 1e-9  # of a length or a sum: what is less is rounding, where columns were dropped


@dataclass(frozen=True, eq=False)
class FixedPart:
    """What the choice of L needs to know of a model's fixed part."""

    model: FittedModel
    spec: ModelSpec
    labels: tuple[str, ...]  # of the terms
    kept: NDArray[np.intp]  # columns of X in the model
    dropped: NDArray[np.intp]  # columns that the kept ones determine
    term: NDArray[np.intp]  # (p,) the term of each column

    @classmethod
    def of(cls, model: FittedModel) -> FixedPart:
        spec = model._matrices.spec
        if spec is None:
            raise DataError(
                "a model fitted from arrays has columns but no terms: test the columns that "
                "belong together with m.test([names], joint=True)"
            )
        lost = np.isnan(np.asarray(model._fit.beta))
        kept, dropped = np.flatnonzero(~lost), np.flatnonzero(lost)
        term = np.array(spec.fixed.assign, dtype=np.intp)
        labels = spec.formula.fixed.labels()
        return cls(model, spec, labels, kept, dropped, term)

    @lazy
    def R(self) -> Array:
        """(p, p), X = QR: all that types I and II need of the rows, and type III for columns that
        were dropped."""
        return self.model._triangle

    @property
    def absent(self) -> list[int]:
        """Terms without any column in the model."""
        return [t for t in range(len(self.labels)) if t not in self.term[self.kept]]

    def variables(self, t: int) -> tuple[frozenset[str], frozenset[str]]:
        """Factors and covariates of term t."""
        terms = self.spec.formula.fixed
        names = frozenset(terms.variables[v].text for v in terms.terms[t])
        factors = names & self.spec.factors.keys()
        return factors, names - factors

    def containing(self, t: int) -> list[int]:
        """Terms with the covariates of term t and with all its factors and more."""
        factors, covariates = self.variables(t)
        others = [(u, *self.variables(u)) for u in range(len(self.labels))]
        return [u for u, more, same in others if factors < more and covariates == same]

    def relatives(self, t: int) -> list[int]:
        """Terms with all variables of term t, factors or covariates, and more."""
        own = frozenset().union(*self.variables(t))
        others = [(u, frozenset().union(*self.variables(u))) for u in range(len(self.labels))]
        return [u for u, theirs in others if own < theirs]


# --- Choices of L, one a term: (rows, kept columns), None where there is no test; and notes ---

Hypotheses = tuple[list[Array | None], list[str]]


def sequential(fixed: FixedPart) -> Hypotheses:
    """Type I: each term after those before it."""
    L, term = _echelon(fixed, np.arange(len(fixed.term)))
    return [L[term == t] for t in range(len(fixed.labels))], []


def after_all_but_containing(fixed: FixedPart) -> Hypotheses:
    """Type II: each term after all that do not contain it."""
    return [_after_others(fixed, t) for t in range(len(fixed.labels))], []


def _after_others(fixed: FixedPart, t: int) -> Array:
    """L of term t after all terms of the model that do not contain it."""
    present = np.flatnonzero(~np.isin(fixed.term, fixed.absent))
    own = fixed.term[present] == t
    last = np.isin(fixed.term[present], fixed.containing(t))
    L, term = _echelon(fixed, present[np.argsort(own + 2 * last, kind="stable")])
    return np.asarray(L[term == t])


def conjugate(fixed: FixedPart) -> Hypotheses:
    """Type II of a generalised model: each term after all others but its relatives, as
    car::Anova."""
    V = fixed.model._vcov[np.ix_(fixed.kept, fixed.kept)]
    term = fixed.term[fixed.kept]
    rows = np.eye(len(term))
    found: list[Array | None] = []
    for t in range(len(fixed.labels)):
        own, relatives = rows[term == t], rows[np.isin(term, fixed.relatives(t))]
        among, between = relatives @ V @ relatives.T, relatives @ V @ own.T
        found.append(own - np.linalg.solve(among, between).T @ relatives)
    return found, []


def _echelon(fixed: FixedPart, order: NDArray[np.intp]) -> tuple[Array, NDArray[np.intp]]:
    """Rows of the triangular factor of X's columns in another order, and the term of each.

    Gram-Schmidt with a second pass, so that a column that those before it determine can be left
    out. Rows are (kept columns,), with a diagonal of one: their units are those of the
    coefficients.
    """
    limit = SHARE if len(fixed.dropped) else 0.0
    Q = np.zeros((len(fixed.R), 0))
    rows, columns = [], []
    for j in order:
        column = fixed.R[:, j]
        new = column - Q @ (Q.T @ column)
        new -= Q @ (Q.T @ new)
        length = float(np.linalg.norm(new))
        if length > limit * float(np.linalg.norm(column)):
            Q = np.column_stack([Q, new / length])
            rows.append(new @ fixed.R[:, fixed.kept] / length**2)
            columns.append(j)
    L = np.array(rows).reshape(len(rows), len(fixed.kept))
    return L, fixed.term[columns]


def sum_to_zero(fixed: FixedPart) -> Hypotheses:
    """Type III: the effects of each term, averaged over the levels of all other factors."""
    effects = sum_coded_effects(fixed.spec.fixed)
    lost = _not_estimable(fixed, effects)
    found: list[Array | None] = []
    partly, without = [], []
    for t, label in enumerate(fixed.labels):
        own = effects.term == t
        L = effects.coordinates[np.ix_(own, fixed.kept)]
        if not lost[own].any():
            found.append(L[L.any(axis=1)])
        elif fixed.containing(t):
            found.append(None)
            without.append(label)
        else:
            found.append(_after_others(fixed, t))
            partly.append(label)
    return found, _collinear(partly, without)


def _collinear(partly: list[str], without: list[str]) -> list[str]:
    """What is said of tests that collinear columns change."""
    notes = []
    cause = (
        "without data in some combinations of levels, or with a covariate that factors determine"
    )
    if partly:
        notes.append(
            f"{', '.join(partly)}: the test is of the part that can be estimated ({cause}, some "
            "of it cannot)."
        )
    if without:
        notes.append(
            f"No type III test of {', '.join(without)}: {cause}, averages over the levels cannot "
            "be estimated and any test would depend on the coding. Use type=2, or m.test for the "
            "hypothesis you mean."
        )
    return notes


def _not_estimable(fixed: FixedPart, effects: Effects) -> NDArray[np.bool_]:
    """(n_effects,) whether the data leave an effect undetermined.

    Xc = 0 for a vector c of each dropped column, so effects Ac can be added without any change of
    the mean: an effect is estimable if it is zero in all of these. The effects of a term without
    any column left are not in the model (they count as zero), which rules out every c with
    anything there.
    """
    A = effects.coordinates
    if not len(fixed.dropped):
        return np.zeros(len(A), dtype=bool)
    null = _dependencies(fixed)
    size = (np.abs(A) @ np.abs(null)).max(axis=1, initial=0.0)
    moved = A @ null / np.where(size > 0, size, 1.0)[:, None]
    absent = np.isin(effects.term, fixed.absent) & ~A[:, fixed.kept].any(axis=1)
    free = _null_space(moved[absent])
    return np.asarray((np.abs(moved @ free) > SHARE).any(axis=1) & ~absent)


def _dependencies(fixed: FixedPart) -> Array:
    """(p, dropped): vectors c with Xc = 0, one for each dropped column."""
    scale = np.linalg.norm(fixed.R, axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    R = fixed.R / scale
    c = np.linalg.lstsq(R[:, fixed.kept], R[:, fixed.dropped], rcond=None)[0]
    null = np.zeros((len(scale), len(fixed.dropped)))
    null[fixed.kept] = np.where(np.abs(c) > SHARE, c, 0.0)
    null[fixed.dropped, np.arange(len(fixed.dropped))] = -1.0
    return np.asarray(null / scale[:, None])


def _null_space(matrix: Array) -> Array:
    """Orthonormal columns v with matrix @ v = 0."""
    _, values, rows = np.linalg.svd(matrix, full_matrices=True)
    rank = int(np.sum(values > SHARE * values.max(initial=0.0)))
    return np.asarray(rows[rank:].T)
