"""Values of the rows used: the linear part of the mean, and the level of a grouping factor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["group_codes", "kept_rows", "linear_part", "triangle"]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

BLOCK = 1 << 13  # rows of X that are factorised at a time


def linear_part(
    model: FittedModel, beta: Array | None = None, modes: Sequence[Array | None] | None = None
) -> Array:
    """Xβ + Zb without the offset, shape (nobs,); None stands for zeros.

    Parameters
    ----------
    beta
        Shape (p,).
    modes
        One entry a term, shape (levels, q) or None.
    """
    design, terms = model._design, model._matrices.terms
    beta = np.zeros(len(model._fit.beta)) if beta is None else beta
    values = np.asarray(design.linear_predictor(beta, list(modes or [None] * len(terms))))
    offset = model._matrices.offset
    return values if offset is None else values - offset


def knows_levels(model: FittedModel, group: str) -> bool:
    """Whether `group_codes` has an answer."""
    if model._matrices.spec is not None and model._call.data is not None:
        return True
    infos = model._matrices.terms
    return any(info.group == group and "(Intercept)" in info.columns for info in infos)


def group_codes(model: FittedModel, group: str) -> Codes:
    """Positions in the factor's levels (`ranef()[group].index`), one a row used, shape (nobs,).

    Raises
    ------
    ArgumentError
        The model was fitted from arrays and no term by this factor has an intercept: the model
        does not know which level a row with Z = 0 belongs to.
    """
    for t, info in enumerate(model._matrices.terms):
        if info.group == group and "(Intercept)" in info.columns:
            return _codes_by_intercept(model, t)
    if model._matrices.spec is None or model._call.data is None:
        raise ArgumentError(
            f"no term by '{group}' has an intercept, and a model fitted from arrays keeps no "
            "labels of its groups: pass the labels themselves"
        )
    return _codes_by_formula(model, group)


def _codes_by_intercept(model: FittedModel, term: int) -> Codes:
    """Random intercepts that equal the level's position: their linear predictor is the codes."""
    infos = model._matrices.terms
    info = infos[term]
    modes: list[Array | None] = [None] * len(infos)
    position = np.zeros((len(info.levels), len(info.columns)))
    position[:, info.columns.index("(Intercept)")] = np.arange(len(info.levels))
    modes[term] = position
    return np.rint(linear_part(model, modes=modes)).astype(np.intp)


def _codes_by_formula(model: FittedModel, group: str) -> Codes:
    """The factor evaluated again on the table of the fit."""
    from ..formulas.evaluate import Evaluator
    from ..input_tables.columns import Table
    from ..input_tables.factors import combine

    spec = model._matrices.spec
    assert spec is not None
    plan = next(plan for plan in spec.random if plan.term.group_name == group)
    evaluator = Evaluator(Table(model._call.data), spec.formula.text, spec.context, spec.state)
    factor = combine([evaluator.group(part) for part in plan.term.group])
    used = factor.drop_unused(model._matrices.rows)  # the levels of the fit, in their order
    return kept_rows(model, used.codes).astype(np.intp)


def triangle(model: FittedModel) -> Array:
    """R of the QR decomposition of X, (p, p), block by block.

    X is unweighted, as in lmerTest, but in an ordinary regression, whose sums of squares are those
    of the weighted least squares.
    """
    X = model._design.fixed_matrix()
    p = X.shape[1]
    weights = None if model._matrices.terms else model._matrices.weights
    R = np.zeros((p, p))
    for start in range(0, len(X), BLOCK):
        block = X[start : start + BLOCK]
        if weights is not None:
            block = block * np.sqrt(weights[start : start + BLOCK, None])
        R = np.asarray(np.linalg.qr(np.concatenate([R, block]), mode="r"))
    return R


def kept_rows(model: FittedModel, values: NDArray[Any]) -> NDArray[Any]:
    """Values of the table's rows → of the rows used."""
    rows = model._matrices.rows
    return values if rows is None else values[rows]
