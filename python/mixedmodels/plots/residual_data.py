"""The numbers of residual plots: one row a row used, on the data's own index.

Residuals are drawn against the linear predictor, where the fitted means of a generalised model do
not crowd at an end of their range (McCullagh & Nelder 1989, §12.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..diagnostics.leverage import distances
from ..diagnostics.leverage import standardised as divided_by_spread
from ..diagnostics.quantile_residuals import quantile_residuals
from ..errors import ArgumentError, DataError
from ..inference.distributions import normal_quantile
from ..models.generalised import Generalised
from ..models.rows import kept_rows
from ..predictions.re_form import effects_named
from .bands import Band, normal_band, normal_scores, order_statistics
from .smoother import Smooth, lowess

if TYPE_CHECKING:
    from ..models.fitted import FittedModel, ResidualType

__all__ = [
    "Standardised",
    "binned_residuals",
    "by_leverage",
    "calibration",
    "is_binary",
    "observed",
    "predictor",
    "quantiles",
    "residuals",
    "scale_location",
]

Array = NDArray[np.float64]
Standardised = Literal["deviance", "pearson", "quantile"]

MOST_BINS = 1_000
SIMULATED = 10_000_000  # values, of 10 to 250 responses; any number gives exact residuals


def is_binary(model: FittedModel) -> bool:
    """Whether the response is 0/1: its residuals lie on two curves and say little one by one."""
    if not isinstance(model, Generalised) or model.family.name != "binomial":
        return False
    y = model._response
    return bool((model._sizes == 1).all() and ((y == 0) | (y == 1)).all())


# --- A value a row ---


def predictor(model: FittedModel, re_form: Any = None) -> Array:
    """The linear predictor with the random effects that `re_form` names, shape (nobs,)."""
    kept = effects_named(model, re_form)
    modes: list[Array | None] = [b * mask for b, mask in zip(model._modes, kept, strict=True)]
    return np.asarray(model._design.linear_predictor(model._fit.beta, modes))


def residuals(
    model: FittedModel, type: ResidualType, re_form: Any = None
) -> tuple[pd.DataFrame, Smooth]:
    """fitted (the linear predictor), residual, smooth; and the curve."""
    values = _used(model, np.asarray(model.residuals(type)))
    return _with_curve(model, predictor(model, re_form), "residual", values)


def scale_location(model: FittedModel) -> tuple[pd.DataFrame, Smooth]:
    """fitted (the linear predictor), root, smooth; and the curve."""
    roots = np.sqrt(np.abs(standardised(model, "deviance")))
    return _with_curve(model, model._linear_predictor, "root", roots)


def by_leverage(model: FittedModel) -> pd.DataFrame:
    """leverage, residual (standardised Pearson), cooks_distance."""
    h, r = model._leverages, standardised(model, "pearson")
    return _frame(model, leverage=h, residual=r, cooks_distance=distances(model))


def quantiles(model: FittedModel, type: Standardised, band: Band, level: float) -> pd.DataFrame:
    """theoretical, residual (standardised), low, high, in increasing order."""
    values = standardised(model, type)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    n = len(order)
    ranks = order_statistics(n)
    drawn = order[ranks.astype(np.intp) - 1]
    # quantile residuals are not divided by an estimate of their spread
    low, high = normal_band(ranks, n, level, band, standardised=type != "quantile")
    columns = {
        "theoretical": normal_scores(ranks, n),
        "residual": values[drawn],
        "low": low,
        "high": high,
    }
    return pd.DataFrame(columns, index=model._matrices.index.take(drawn))


def _with_curve(model: FittedModel, x: Array, name: str, y: Array) -> tuple[pd.DataFrame, Smooth]:
    smooth = lowess(x, y)
    return _frame(model, **{"fitted": x, name: y, "smooth": smooth(x)}), smooth


def _frame(model: FittedModel, **columns: Array) -> pd.DataFrame:
    return pd.DataFrame(columns, index=model._matrices.index)


def standardised(model: FittedModel, type: Standardised) -> Array:
    """Residuals that are standard normal, or nearly, where the model holds, shape (nobs,).

    "deviance", "pearson": r/(σ√(1 − h)), NaN where h = 1. At θ as known the residuals of a linear
    mixed model have covariance σ²(I − H), H = ∂ŷ/∂y, as those of an ordinary regression:
    (I − H)V(I − H)' = σ²(I − H). "quantile": Φ⁻¹ of `quantile_residuals` given the modes.
    """
    if type not in get_args(Standardised):
        known = ", ".join(repr(name) for name in get_args(Standardised))
        raise ArgumentError(f"standardised residuals of type {type!r}: choose one of {known}")
    if type == "quantile":
        nsim = int(np.clip(SIMULATED // model.nobs, 10, 250))
        return _used(model, normal_quantile(quantile_residuals(model, nsim, re_form=None)))
    values = divided_by_spread(model, type)
    if not np.isfinite(values).any():
        raise DataError(
            "no residual can be standardised: the model has a coefficient for every row and fits "
            "each exactly; use fewer terms"
        )
    return values


def _used(model: FittedModel, values: Array) -> Array:
    """Values of the rows used, from those that na_action="exclude" has padded to the table."""
    return values if len(values) == model.nobs else kept_rows(model, values)


# --- Averages of bins ---


def observed(model: FittedModel) -> pd.DataFrame:
    """fitted (the mean), observed."""
    return _frame(model, fitted=model._fitted, observed=model._response)


def calibration(model: FittedModel) -> pd.DataFrame:
    """By bins of the fitted mean: fitted, observed, low and high (observed ± 2 SE), rows."""
    table = _bins(model)
    observed = table["fitted"] + table["residual"]
    return pd.DataFrame(
        {
            "fitted": table["fitted"],
            "observed": observed,
            "low": observed - 2 * table["std_error"],
            "high": observed + 2 * table["std_error"],
            "rows": table["rows"],
        }
    )


def binned_residuals(model: FittedModel, re_form: Any = None) -> pd.DataFrame:
    """By bins of the fitted mean: fitted, residual, low and high (0 ± 2 SE), rows."""
    table = _bins(model, re_form)
    table.insert(2, "low", -2 * table["std_error"])
    table.insert(3, "high", 2 * table["std_error"])
    return table.drop(columns="std_error")


def _bins(model: FittedModel, re_form: Any = None) -> pd.DataFrame:
    """Means over bins of rows of similar mean by `re_form` (Gelman & Hill 2007, §5.6).

    √n bins of about as many rows each; equal fitted means are in one bin. The standard error is
    that of the model, √(Σ Var(yᵢ))/rows.
    """
    x = model._mean(predictor(model, re_form))
    bins = _bin_numbers(x)
    rows = np.bincount(bins)
    used = rows > 0

    def mean(values: Array) -> Array:
        return (np.bincount(bins, values)[used] / rows[used]).astype(float)

    variance = mean(_variances(model)) / rows[used]
    return pd.DataFrame(
        {
            "fitted": mean(x),
            "residual": mean(model._response - model._fitted),
            "std_error": np.sqrt(variance),
            "rows": rows[used],
        }
    )


def _bin_numbers(x: Array) -> NDArray[np.intp]:
    n = len(x)
    count = min(int(np.sqrt(n)), MOST_BINS) if n >= 100 else min(10, max(n // 2, 1))
    starts = np.sort(x)[np.arange(count) * n // count]
    return np.searchsorted(np.unique(starts), x, side="right") - 1


def _variances(model: FittedModel) -> Array:
    """Var(y | b) of each row, shape (nobs,)."""
    if isinstance(model, Generalised):
        unit = np.asarray(model._kernel_family.variance(model._fitted))
        return model.sigma**2 * unit / model._prior_weights
    weights = model._matrices.weights
    ones = np.ones(model.nobs)
    return model.sigma**2 * (ones if weights is None else ones / weights)
