"""The data beside fitted values and residuals, under the column names of R's broom.mixed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..diagnostics.leverage import distances, sigma_without, standardised
from ..errors import DataError
from ..formulas.variables_used import names_used
from ..input_tables.columns import Table
from ..models.generalised import Generalised
from ..models.rows import linear_part

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["augment", "columns_used", "to_pandas"]

Array = NDArray[np.float64]


def augment(model: FittedModel, data: Any = None) -> pd.DataFrame:
    """One row a row of the data; documented at `Description.augment`."""
    frame = columns_used(model) if data is None else _on_rows(model, to_pandas(data, None))
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


def columns_used(model: FittedModel) -> pd.DataFrame:
    """The columns of the table that the formula, weights and offset use; none for arrays."""
    m, call = model._matrices, model._call
    if m.spec is None or call.data is None:
        return _on_rows(model, pd.DataFrame(index=m.full_index))
    used = names_used(m.spec.formula, call)
    frame = _on_rows(model, to_pandas(call.data, used))
    if model._new_response is not None:  # of refit(y), not the table's
        response = m.response_name
        frame[response] = model._on_rows(model._response, response).to_numpy()
    return frame


def to_pandas(data: Any, used: set[str] | None) -> pd.DataFrame:
    """The columns called `used` (None: all), in the table's order, as pandas columns."""
    if isinstance(data, pd.DataFrame):
        return data[[c for c in data.columns if used is None or str(c) in used]]
    names = [name for name in Table(data).names if used is None or name in used]
    if isinstance(data, Mapping):
        by_name = {str(name): values for name, values in data.items()}
        try:
            return pd.DataFrame({name: by_name[name] for name in names})
        except ValueError as error:
            raise DataError(f"the columns of the table do not fit together: {error}") from None
    import narwhals.stable.v1 as nw

    frame = nw.from_native(data, eager_only=True)
    return pd.DataFrame({name: frame[name].to_numpy() for name in names})


def _on_rows(model: FittedModel, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows used, or with na_action="exclude" all rows of the table, on the data's index."""
    m = model._matrices
    if len(frame) == model.nobs < len(m.full_index) and m.na_action != "exclude":
        return frame.copy()
    if len(frame) != len(m.full_index):
        raise DataError(
            f"the table has {len(frame)} rows; expected {len(m.full_index)}, those of the table of "
            f"the fit, or {model.nobs}, the rows used"
        )
    if m.rows is None or m.na_action == "exclude":
        return frame.set_axis(m.full_index)
    return frame.take(m.rows).set_axis(m.index)
