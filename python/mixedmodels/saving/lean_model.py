"""A model without rows as a record: the fit's numbers, the plans, and what summaries, tests and
prediction intervals have made of the rows.

What a model makes of its rows once and keeps (`lazy`) is made before it is saved and put in its
place when it is loaded; everything else that needs rows finds `NoRows`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..input_tables.no_rows import NoRows
from ..matrices.model_matrix import ModelMatrices, TermInfo, term_infos
from ..matrices.model_spec import ModelSpec
from ..models.generalised import Generalised
from ..models.mixed import Mixed
from ..models.model import LinearModel
from ..models.separation import Separation
from ..predictions.joint import JointCovariance, Layout
from ..reporting.summarize import quartiles
from .codec import ArrayOf
from .container import refuse
from .saved_levels import SavedLevels, load_levels, save_levels
from .stored_fit import Estimates, Matrix, Results, StoredFit, attempt, save_fit

if TYPE_CHECKING:
    from ..models.fitted import FittedModel, ResidualType
    from ..models.prediction import Prediction

__all__ = ["LeanModel", "load_lean", "put_back", "save_lean"]

Vector = Annotated[NDArray[np.float64], ArrayOf("f8", 1)]
Positions = Annotated[NDArray[np.int64], ArrayOf("i8", 1)]


@dataclass(frozen=True)
class SavedTerm:
    group: str
    columns: tuple[str, ...]
    levels: SavedLevels


@dataclass(frozen=True)
class SavedJoint:
    """`JointCovariance`; its layout follows from the terms."""

    sigma: float
    kept: Positions
    root: Matrix
    modes: Matrix
    covariance: Matrix


@dataclass(frozen=True)
class SavedSeparation:
    coefficients: dict[str, int]
    causes: tuple[str, ...]


@dataclass(frozen=True)
class MadeOfRows:
    """Values of the `lazy` attributes of the same names; None: the model has no such."""

    quartiles: dict[str, Vector]
    flat: str
    triangle: Matrix | None
    column_means: Vector
    joint: SavedJoint | None
    explained: float | None = None  # of an ordinary regression
    minus2loglik: float | None = None
    deviance: float | None = None  # of a generalised model
    mean_fitted: float | None = None
    separation: SavedSeparation | None = None


@dataclass(frozen=True)
class LeanModel:
    response_name: str
    n_table: int
    missing: dict[str, int]
    zero_weights: int
    is_weighted: bool
    has_offset: bool
    terms: tuple[SavedTerm, ...] | None  # of a model fitted from arrays
    estimates: Estimates
    results: Results
    made: MadeOfRows


# --- Saving ---


def save_lean(model: FittedModel) -> LeanModel:
    """A model's record; raises `DataError` for levels that a file cannot hold."""
    m = model._matrices
    estimates, results = save_fit(model._fit)
    return LeanModel(
        response_name=m.response_name,
        n_table=len(m.full_index),
        missing={str(name): int(count) for name, count in m.missing.items()},
        zero_weights=m.zero_weights,
        is_weighted=m.is_weighted,
        has_offset=m.has_offset,
        terms=tuple(_save_term(term) for term in m.terms) if m.spec is None else None,
        estimates=estimates,
        results=results,
        made=_made_of_rows(model),
    )


def _save_term(term: TermInfo) -> SavedTerm:
    levels = save_levels(term.levels, f"the groups '{term.group}'")
    return SavedTerm(term.group, term.columns, levels)


def _made_of_rows(model: FittedModel) -> MadeOfRows:
    quartiles(model, _residual_type(model))
    made: dict[str, Any] = {
        "quartiles": dict(model._quartiles),
        "flat": model.convergence._flat,
        "triangle": None if model._matrices.spec is None else model._triangle,
        "column_means": cast("Prediction", model)._column_means,
        "joint": _save_joint(cast("Prediction", model)),
    }
    if isinstance(model, LinearModel):
        made |= {"explained": model._explained, "minus2loglik": model._minus2loglik}
    if isinstance(model, Generalised):
        found = model._separation
        made |= {
            "deviance": model._deviance,
            "mean_fitted": model._mean_fitted,
            "separation": found and SavedSeparation(found.coefficients, found.causes),
        }
    return MadeOfRows(**made)


def _residual_type(model: FittedModel) -> ResidualType:
    """The residuals of the summary."""
    if isinstance(model, Mixed):
        return "scaled"
    return "deviance" if isinstance(model, Generalised) else "pearson"


def _save_joint(model: Prediction) -> SavedJoint | None:
    """None where it takes the rows, or where the groups of the rows are not known."""
    joint = attempt(lambda: model._joint)
    if not isinstance(joint, JointCovariance):
        return None
    kept = joint.kept.astype(np.int64)
    return SavedJoint(joint.sigma, kept, joint.root, joint.modes, joint.covariance)


# --- Loading ---


def load_lean(
    saved: LeanModel, spec: ModelSpec | None, names: tuple[str, ...], na_action: str, linear: bool
) -> tuple[ModelMatrices, StoredFit]:
    """Labels and numbers; raises `SavedModelError` where they do not fit together."""
    terms = _load_terms(saved) if spec is None else term_infos(spec)
    fit = StoredFit(saved.estimates, saved.results)
    fit.check(len(names), terms, linear)
    if not 0 < saved.estimates.n <= saved.n_table:
        refuse("it has other rows than its table")
    absent: Any = NoRows()
    matrices = ModelMatrices(
        design=absent,
        fixed_names=names,
        response_name=saved.response_name,
        terms=terms,
        full_index=pd.RangeIndex(saved.n_table),
        rows=None,
        nobs=saved.estimates.n,
        missing=pd.Series(saved.missing, dtype=np.int64, name="missing"),
        zero_weights=saved.zero_weights,
        na_action=na_action,
        spec=spec,
        _full={
            "response": absent,
            "sizes": absent,
            "weights": absent if saved.is_weighted else None,
            "offset": absent if saved.has_offset else None,
        },
    )
    return matrices, fit


def _load_terms(saved: LeanModel) -> tuple[TermInfo, ...]:
    if saved.terms is None:
        refuse("it has neither a formula nor terms")
    return tuple(TermInfo(t.group, t.columns, load_levels(t.levels)) for t in saved.terms)


def put_back(model: FittedModel, made: MadeOfRows) -> None:
    """Give a model what was made of its rows."""
    p, q = len(model._matrices.fixed_names), (len(made.column_means),)
    if q != (p,) or (made.triangle is not None and made.triangle.shape != (p, p)):
        refuse("what was made of its rows has another number of columns")
    if any(values.shape != (5,) for values in made.quartiles.values()):
        refuse("its residuals have other than five quartiles")
    values: dict[str, Any] = {
        "_quartiles": dict(made.quartiles),
        "_column_means": made.column_means,
        "_triangle": made.triangle,
        "_joint": None if made.joint is None else _load_joint(made.joint, model),
        "_explained": made.explained,
        "_deviance": made.deviance,
        "_mean_fitted": made.mean_fitted,
    }
    if isinstance(model, LinearModel):
        values["_minus2loglik"] = made.minus2loglik
    model.__dict__.update({name: value for name, value in values.items() if value is not None})
    if isinstance(model, Generalised):
        s = made.separation
        model.__dict__["_separation"] = s and Separation(s.coefficients, s.causes)
    model.convergence.__dict__["_flat"] = made.flat


def _load_joint(saved: SavedJoint, model: FittedModel) -> JointCovariance:
    layout = Layout.of(model._matrices.terms)
    rank, p = len(saved.kept), len(model._matrices.fixed_names)
    fits = (
        saved.root.shape == (rank, rank)
        and saved.modes.shape == (layout.count, rank)
        and saved.covariance.shape == (layout.count, layout.width)
        and bool(((saved.kept >= 0) & (saved.kept < p)).all())
    )
    if not fits:
        refuse("its joint covariance is not that of its terms")
    kept = saved.kept.astype(np.intp)
    return JointCovariance(layout, saved.sigma, kept, saved.root, saved.modes, saved.covariance)
