"""Confidence intervals of predicted means and prediction intervals of new responses.

The error of a prediction has the variance

    Var(x'β̂ + z'(b̂ − b))  +  z'Σz of the effects that are not known  +  σ²/w,

the first for both intervals, the others for a new response. θ counts as known in the first part.

Quantiles. An ordinary regression: t with n − p degrees of freedom. A linear mixed model: t with
Satterthwaite's degrees of freedom 2v²/(∇v' Var(θ̂, σ̂) ∇v), v the whole variance as a function of
(θ, σ); of rows that know an effect the first part is taken as proportional to σ² (Satterthwaite
1946, Biometrics Bulletin 2; for β̂ alone these are the degrees of freedom of `coefficients`). A
generalised model: normal on the scale of the link, of a `glm` with an estimated dispersion t with
n − p degrees of freedom.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..inference.ddf import parameter_variance, resolve
from ..inference.distributions import check_level, t_quantile
from ..models.generalised import Generalised
from ..models.model import LinearMixedModel
from ..models.varcorr import templates
from .new_responses import trials_of, weights_of
from .predictive import response_quantiles

if TYPE_CHECKING:
    from ..models.prediction import Prediction
    from .prediction_rows import Rows

__all__ = ["with_interval"]

Array = NDArray[np.float64]


def with_interval(
    model: Prediction, rows: Rows, type: str, interval: str, level: float
) -> pd.DataFrame:
    """prediction, std_error, lower, upper; documented at `Prediction.predict`."""
    check_level(level)
    is_new = interval == "prediction"
    variance = rows.variances
    if is_new:
        variance = variance + sum(_prior_variance(model, t, z) for t, z in rows.unknown.items())
    if isinstance(model, Generalised):
        if type == "response" and is_new:
            return _of_responses(model, rows, variance, level)
        quantile = t_quantile(0.5 + level / 2, _constant_degrees(model))
        if type == "response":
            return _of_means(model, rows, variance, quantile)
    else:
        variance = variance + (model.sigma**2 / weights_of(rows) if is_new else 0.0)
        quantile = t_quantile(0.5 + level / 2, _degrees(model, rows, variance, is_new))
    se = np.sqrt(variance)
    low, high = rows.eta - quantile * se, rows.eta + quantile * se
    return _frame(rows, {"prediction": rows.eta, "std_error": se, "lower": low, "upper": high})


def _frame(rows: Rows, columns: dict[str, Array]) -> pd.DataFrame:
    return pd.concat([rows.series(values, name) for name, values in columns.items()], axis=1)


def _prior_variance(model: Prediction, term: int, z: Array) -> Array:
    """z'Σz, shape (n,)."""
    sizes = [len(term.columns) for term in model._matrices.terms]
    scale = templates(np.asarray(model._fit.theta), sizes)[term]
    return np.asarray(model.sigma**2 * np.square(z @ scale).sum(axis=1))


# --- Degrees of freedom ---


def _constant_degrees(model: Prediction) -> float:
    residual = resolve(model, None) == "residual"
    return float(model.nobs - int(model._fit.rank)) if residual else np.inf


def _degrees(model: Prediction, rows: Rows, variance: Array, is_new: bool) -> Array | float:
    """Of the variances of a linear model's rows."""
    if not isinstance(model, LinearMixedModel):
        return _constant_degrees(model)
    satterthwaite = model._satterthwaite
    by_theta = _fixed_slopes(rows, satterthwaite.root, satterthwaite.slopes, model.sigma)
    if is_new:
        elements = [_element_slopes(columns) for columns in rows.unknown.values()]
        by_element = model.sigma**2 * np.concatenate(elements, axis=1)
        by_theta = by_theta + by_element @ model._information["covariance"]
    gradient = np.column_stack([by_theta, 2 * variance / model.sigma])
    spread = np.einsum("ks,st,kt->k", gradient, parameter_variance(model), gradient)
    df = np.full(len(variance), np.inf)  # of a variance of zero
    return np.asarray(np.divide(2 * variance**2, spread, out=df, where=spread > 0))


def _fixed_slopes(rows: Rows, root: Array, slopes: Array, sigma: float) -> Array:
    """∂(x'vcov x)/∂θ, shape (n, n_theta), of the rows that know no effect; zero in the others."""
    kept = ~np.isnan(np.asarray(rows.model._fit.beta))
    x = rows.X[:, kept] @ root
    by_theta = sigma**2 * np.einsum("ki,tij,kj->kt", x, slopes, x)
    for has_level in rows.has_level.values():
        by_theta[has_level] = 0.0
    return np.asarray(by_theta)


def _element_slopes(z: Array) -> Array:
    """∂(z'Γz)/∂Γ by the lower triangle of Γ in θ's order, shape (n, q(q + 1)/2)."""
    columns, lower = np.triu_indices(z.shape[1])
    return z[:, columns] * z[:, lower] * np.where(columns == lower, 1.0, 2.0)


# --- Generalised models ---


def _of_means(model: Generalised, rows: Rows, variance: Array, quantile: Array) -> pd.DataFrame:
    """The interval of η carried back; std_error by the delta method."""
    kernel, se = model._kernel_family, np.sqrt(variance)
    low, high = _carried_back(model, rows.eta - quantile * se, rows.eta + quantile * se)
    slope = np.abs(np.asarray(kernel.mean_slope(rows.eta)))
    mean = model._mean(rows.eta)
    return _frame(rows, {"prediction": mean, "std_error": slope * se, "lower": low, "upper": high})


def _carried_back(model: Generalised, low: Array, high: Array) -> tuple[Array, Array]:
    """The means of an interval of η, which may reach beyond what the link maps to a mean."""
    link, family = model.family.link, model.family.name
    with np.errstate(all="ignore"):
        ends = np.sort([model._mean(low), model._mean(high)], axis=0)
    across = (low < 0) & (high > 0)
    if link == "sqrt":
        ends[0][across] = 0.0
    if link in ("inverse", "1/mu^2"):  # the mean is infinite where η is zero
        if family == "gaussian":
            ends[:, across] = np.array([[-np.inf], [np.inf]])
        else:
            ends = np.stack([model._mean(high), np.where(low > 0, model._mean(low), np.inf)])
    bottom, top = model.family.mean_range
    return np.clip(ends[0], bottom, top), np.clip(ends[1], bottom, top)


def _of_responses(model: Generalised, rows: Rows, variance: Array, level: float) -> pd.DataFrame:
    """Quantiles of the predictive distribution."""
    ones = np.ones(len(variance))
    weights = weights_of(rows) if model.family.has_sigma else ones
    trials = trials_of(rows) if model.family.name == "binomial" else ones
    low, high = (
        response_quantiles(model, p, rows.eta, variance, weights, trials)
        for p in (0.5 - level / 2, 0.5 + level / 2)
    )
    return _frame(rows, {"prediction": model._mean(rows.eta), "lower": low, "upper": high})
