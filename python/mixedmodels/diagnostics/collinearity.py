"""How far predictors determine each other: `m.vif()`, variance inflation factors by term.

With R the correlation matrix of the estimates (without the intercept) and R_t, R_−t its blocks of
the term's columns and of all others, the generalised variance inflation factor is
det R_t det R_−t / det R (Fox & Monette 1992, eq. 7): by how much the squared volume of the term's
confidence ellipsoid exceeds that of uncorrelated predictors. It is the same for every coding of a
factor, and 1/(1 − R²_j) of the weighted regression on the other columns for a single one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..printing.tables import ResultTable

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["entangled", "variance_inflation"]

Array = NDArray[np.float64]


def variance_inflation(model: FittedModel) -> ResultTable:
    """Documented at `Diagnosis.vif`."""
    columns = _columns_by_term(model)
    if len(columns) < 2:
        raise ArgumentError(
            f"the fixed part has {len(columns)} term(s) besides the intercept; collinearity needs "
            "at least two, which could determine each other"
        )
    kept = np.concatenate(list(columns.values()))
    vcov = model._vcov[np.ix_(kept, kept)]
    sizes = [len(own) for own in columns.values()]
    factors = _generalised_factors(vcov, sizes)
    table = {
        "vif": factors,
        "df": sizes,
        "se_inflation": factors ** (0.5 / np.array(sizes)),
    }
    return ResultTable.of(
        table, "Variance inflation factors", _notes(model, list(columns)), index=columns
    )


def _columns_by_term(model: FittedModel) -> dict[str, NDArray[np.intp]]:
    """Term → positions of its columns in the model; of arrays each column is a term."""
    names, spec = model._matrices.fixed_names, model._matrices.spec
    present = ~np.isnan(np.asarray(model._fit.beta))
    if spec is None:
        varies = present & ~_constant(model)
        return {names[j]: np.array([j]) for j in np.flatnonzero(varies)}
    assign = np.array(spec.fixed.assign)
    found = {
        label: np.flatnonzero((assign == t) & present)
        for t, label in enumerate(spec.formula.fixed.labels())
    }
    return {label: columns for label, columns in found.items() if len(columns)}


def _constant(model: FittedModel) -> NDArray[np.bool_]:
    """(p,) which columns of X are the same in every row."""
    X = model._design.fixed_matrix()
    return np.asarray(X.min(axis=0) == X.max(axis=0))


def _generalised_factors(vcov: Array, sizes: list[int]) -> Array:
    """det R_t det R_−t / det R for blocks of these sizes, shape (terms,)."""
    sd = np.sqrt(np.diag(vcov))
    R = vcov / np.outer(sd, sd)
    whole = _log_det(R)
    factors, start = [], 0
    for size in sizes:
        own = np.zeros(len(R), dtype=bool)
        own[start : start + size] = True
        apart = _log_det(R[np.ix_(own, own)]) + _log_det(R[np.ix_(~own, ~own)])
        factors.append(np.exp(apart - whole))
        start += size
    return np.asarray(np.maximum(factors, 1.0))  # 1 is the least; below it is rounding


def _log_det(R: Array) -> float:
    return float(np.linalg.slogdet(R)[1])


def entangled(model: FittedModel) -> list[str]:
    """Terms that interact with others, and the interactions: their factors are large because of
    where zero is, not because predictors determine each other."""
    spec = model._matrices.spec
    if spec is None:
        return []
    fixed = spec.formula.fixed
    within = [frozenset(term) for term in fixed.terms]
    return [
        label
        for label, own in zip(fixed.labels(), within, strict=True)
        if any(own < other or other < own for other in within)
    ]


def _notes(model: FittedModel, labels: list[str]) -> list[str]:
    notes = [
        "se_inflation = vif^(1/(2 df)): how many times wider the intervals of the term's "
        "coefficients are than with unrelated predictors."
    ]
    interacting = [label for label in entangled(model) if label in labels]
    if interacting:
        notes.append(
            f"{', '.join(interacting)}: terms of an interaction are collinear by construction; "
            "centre covariates (or code factors by contrasts that sum to zero) to see the rest."
        )
    if not _has_intercept(model):
        notes.append("There is no intercept: the factors compare with predictors about zero.")
    return notes


def _has_intercept(model: FittedModel) -> bool:
    spec = model._matrices.spec
    return bool(_constant(model).any()) if spec is None else spec.formula.fixed.intercept
