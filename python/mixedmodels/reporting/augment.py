"""The data beside fitted values and residuals, under the column names of R's broom.mixed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..diagnostics.leverage import distances, sigma_without, standardised
from ..input_tables.pandas_columns import to_pandas
from ..models.columns_used import columns_used, on_rows
from ..models.generalised import Generalised
from ..models.rows import linear_part

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["augment"]

Array = NDArray[np.float64]


def augment(model: FittedModel, data: Any = None) -> pd.DataFrame:
    """One row a row of the data; documented at `Description.augment`."""
    frame = columns_used(model) if data is None else on_rows(model, to_pandas(data))
    for name, values in _values(model).items():
        frame[name] = model._on_rows(values, name).to_numpy()
    return frame


def _values(model: FittedModel) -> dict[str, Array]:
    """What is added, one value a row used; for an ordinary regression as broom's augment.lm."""
    if isinstance(model, Generalised):
        return _generalised_values(model)
    m, fitted = model._matrices, model._fitted
    residuals = model._response - fitted
    if not m.terms:
        return {".fitted": fitted, ".resid": residuals, **_ordinary_influence(model)}
    ones = np.ones(model.nobs)
    offset = 0 * ones if m.offset is None else m.offset
    weights = ones if m.weights is None else m.weights
    root = np.sqrt(weights)
    return {
        ".fitted": fitted,
        ".resid": residuals,
        ".hat": model._leverages,
        ".cooksd": distances(model),
        ".fixed": linear_part(model, np.asarray(model._fit.beta)) + offset,
        ".mu": fitted,
        ".offset": offset,
        ".sqrtXwt": root,
        ".sqrtrwt": root,
        ".weights": weights,
        ".wtres": root * residuals,
    }


def _ordinary_influence(model: FittedModel) -> dict[str, Array]:
    return {
        ".hat": model._leverages,
        ".sigma": sigma_without(model),
        ".cooksd": distances(model),
        ".std.resid": standardised(model),
    }


def _generalised_values(model: Generalised) -> dict[str, Array]:
    """As lme4's fields: .sqrtrwt is √(w/V(μ)), .sqrtXwt that times dμ/dη."""
    m, eta, mu = model._matrices, model._linear_predictor, model._fitted
    residuals = model._residuals("deviance")
    if not m.terms:
        return {".fitted": eta, ".resid": residuals, **_ordinary_influence(model)}
    offset = np.zeros(model.nobs) if m.offset is None else m.offset
    family = model._kernel_family
    root = np.sqrt(model._prior_weights / np.asarray(family.variance(mu)))
    return {
        ".fitted": eta,
        ".resid": residuals,
        ".hat": model._leverages,
        ".cooksd": distances(model),
        ".fixed": linear_part(model, np.asarray(model._fit.beta)) + offset,
        ".mu": mu,
        ".offset": offset,
        ".sqrtXwt": root * np.asarray(family.mean_slope(eta)),
        ".sqrtrwt": root,
        ".weights": model._prior_weights,
        ".wtres": root * (model._response - mu),
        ".eta": eta,
    }
