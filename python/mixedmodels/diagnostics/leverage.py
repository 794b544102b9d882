"""Leverages, and the residuals and distances made with them; documented at `Diagnosis`.

With θ held, β̂ and û are a least-squares fit of rows a = √w(x, Λ'z) and of pseudo-rows for u
(Bates et al. 2015, eq. 14): leaving out a row changes them, and the residual sum of squares, by the
formulas of ordinary regression (Cook & Weisberg 1982, ch. 3), h the leverage in that fit:

    (β̂, û) − (β̂, û)₍ᵢ₎ = J⁻¹aᵢrᵢ/(1 − hᵢ),    RSS − RSS₍ᵢ₎ = rᵢ²/(1 − hᵢ).

For a generalised model the fit is that of its working model, one step away from the optimum without
the row (Pregibon 1981, Ann. Stat. 9, 705-724).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..models.mixed import Mixed
from ..models.precision import coefficient_basis
from ..models.rows import linear_part
from ..models.working import working_weights

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = [
    "cooks_distance",
    "dfbetas",
    "distances",
    "independent",
    "require_fixed_effects",
    "rstandard",
    "rstudent",
    "sigma_without",
    "standardised",
]

Array = NDArray[np.float64]

DETERMINED = 1e-10  # of 1 − h: the row alone determines a coefficient


def cooks_distance(model: FittedModel) -> pd.Series[float]:
    require_fixed_effects(model, "Cook's distance")
    return model._on_rows(distances(model), "cooks_distance")


def distances(model: FittedModel) -> Array:
    """Cook's distances, (nobs,); NaN without fixed effects."""
    h, rank = model._leverages, int(model._fit.rank)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = model._residuals("pearson") / (independent(h) * model.sigma)
        return np.asarray(moved**2 * h / (rank or np.nan))


def rstandard(model: FittedModel) -> pd.Series[float]:
    return model._on_rows(standardised(model), "rstandard")


def standardised(model: FittedModel, type: Literal["deviance", "pearson"] = "deviance") -> Array:
    """r/(σ√(1 − h)), (nobs,)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = model.sigma * np.sqrt(independent(model._leverages))
        return _finite(model._residuals(type) / spread)


def rstudent(model: FittedModel) -> pd.Series[float]:
    h, r, pearson = model._leverages, model._residuals("deviance"), model._residuals("pearson")
    with np.errstate(invalid="ignore", divide="ignore"):
        likelihood = np.sign(r) * np.sqrt(r**2 + h * pearson**2 / independent(h))
        return model._on_rows(_finite(likelihood / _student_scale(model)), "rstudent")


def _student_scale(model: FittedModel) -> float | Array:
    """What the program that defines them divides by: lme4 by σ; R's lm and glm by σ without the
    row, unless the family is one that R knows to have none."""
    ordinary = not isinstance(model, Mixed)
    name = model._call.family.name if model._call.family else "gaussian"
    divides = model._has_sigma or name == "negative_binomial"
    return sigma_without(model) if ordinary and divides else model.sigma


def dfbetas(model: FittedModel) -> pd.DataFrame:
    require_fixed_effects(model, "DFBETAS")
    if isinstance(model, Mixed):
        from .influence_by_group import influence

        values = influence(model, None, "fast").dfbetas.to_numpy()
    else:
        values = _ordinary_dfbetas(model)
    names = model._matrices.fixed_names
    index = model._on_rows(model._fitted, "row").index
    columns = {k: model._on_rows(column, "dfbetas").to_numpy() for k, column in enumerate(values.T)}
    frame = pd.DataFrame(columns, index=index)
    return frame.set_axis(list(names), axis=1)


def _ordinary_dfbetas(model: FittedModel) -> Array:
    """R's, (nobs, p): of a generalised model with its deviance residuals."""
    root = model._root
    basis = coefficient_basis(model, root)
    scale = np.sqrt(np.sum(root**2, axis=1))
    result = np.full((model.nobs, len(model._fit.beta)), np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = model._residuals("deviance") / independent(model._leverages)
        moved = moved * np.sqrt(working_weights(model)) / sigma_without(model)
        change = np.stack([linear_part(model, beta) * moved for beta in basis], axis=1) @ root.T
        result[:, ~np.isnan(np.asarray(model._fit.beta))] = change / scale
    return result


def sigma_without(model: FittedModel) -> Array:
    """σ₍ᵢ₎ of an ordinary regression, (nobs,), of a generalised one from its deviance residuals."""
    squares, df = model._residuals("deviance") ** 2, model.nobs - int(model._fit.rank) - 1
    left = squares.sum() - squares / independent(model._leverages)
    return np.asarray(np.sqrt(np.maximum(left, 0.0) / (df if df > 0 else np.nan)))


def independent(h: Array) -> Array:
    """1 − h; NaN where a row alone determines a combination of coefficients."""
    return np.where(1 - h > DETERMINED, 1 - h, np.nan)


def require_fixed_effects(model: FittedModel, what: str) -> None:
    if int(model._fit.rank) == 0:
        raise ArgumentError(f"{what} is about fixed effects, and the model has none")


def _finite(values: Array) -> Array:
    return np.where(np.isinf(values), np.nan, values)
