"""The numbers of residual plots: one row a row used, on the data's own index.

Residuals are drawn against the linear predictor, where the fitted means of a generalised model do
not crowd at an end of their range (McCullagh & Nelder 1989, §12.6).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, DataError
from ..generalised import Generalised
from ..rows import kept_rows
from .bands import Band, normal_band, normal_scores, order_statistics
from .smoother import Smooth, lowess

if TYPE_CHECKING:
    from ..fitted import FittedModel, ResidualType

__all__ = [
    "Standardised",
    "averages",
    "binned_residuals",
    "is_binary",
    "leverages",
    "observed",
    "quantiles",
    "residuals",
    "scale_location",
]

Array = NDArray[np.float64]
Standardised = Literal["deviance", "pearson"]

MOST_BINS = 1_000


def is_binary(model: FittedModel) -> bool:
    """Whether the response is 0/1: its residuals lie on two curves and say little one by one."""
    if not isinstance(model, Generalised) or model.family.name != "binomial":
        return False
    y = model._response
    return bool((model._sizes == 1).all() and ((y == 0) | (y == 1)).all())


# --- A value a row ---


def residuals(model: FittedModel, type: ResidualType) -> tuple[pd.DataFrame, Smooth]:
    """fitted (the linear predictor), residual, smooth; and the curve."""
    values = np.asarray(model.residuals(type))
    if len(values) != model.nobs:  # padded with NaN to all rows of the table
        values = kept_rows(model, values)
    return _with_curve(model, "residual", values)


def scale_location(model: FittedModel, type: Standardised) -> tuple[pd.DataFrame, Smooth]:
    """fitted (the linear predictor), root, smooth; and the curve."""
    return _with_curve(model, "root", np.sqrt(np.abs(_standardised(model, type))))


def leverages(model: FittedModel) -> pd.DataFrame:
    """leverage, standardised (Pearson residuals), cooks_distance."""
    h = np.asarray(model._fit.leverages())
    standardised = _standardised(model, "pearson")
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = standardised**2 * h / (1 - h) / int(model._fit.rank)
    return _frame(model, leverage=h, standardised=standardised, cooks_distance=distance)


def quantiles(model: FittedModel, type: Standardised, band: Band, level: float) -> pd.DataFrame:
    """theoretical, residual (standardised), low, high, in increasing order."""
    values = _standardised(model, type)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    n = len(order)
    ranks = order_statistics(n)
    drawn = order[ranks.astype(np.intp) - 1]
    low, high = normal_band(ranks, n, level, band)
    columns = {
        "theoretical": normal_scores(ranks, n),
        "residual": values[drawn],
        "low": low,
        "high": high,
    }
    return pd.DataFrame(columns, index=model._matrices.index.take(drawn))


def _with_curve(model: FittedModel, name: str, y: Array) -> tuple[pd.DataFrame, Smooth]:
    x = model._linear_predictor
    smooth = lowess(x, y)
    return _frame(model, **{"fitted": x, name: y, "smooth": smooth(x)}), smooth


def _frame(model: FittedModel, **columns: Array) -> pd.DataFrame:
    return pd.DataFrame(columns, index=model._matrices.index)


def _standardised(model: FittedModel, type: Standardised) -> Array:
    """r/(σ√(1 − h)), of variance one where the model holds; NaN where h = 1.

    At θ as known the residuals y − Xβ̂ − Zb̂ of a linear mixed model have covariance σ²(I − H),
    H = ∂ŷ/∂y, as those of an ordinary regression have: (I − H)V(I − H)' = σ²(I − H).
    """
    if type not in get_args(Standardised):
        known = " or ".join(repr(name) for name in get_args(Standardised))
        raise ArgumentError(f"standardised residuals of type {type!r}: choose {known}")
    if not model.sigma > 0:
        raise DataError(
            f"the residual standard deviation is {model.sigma:g}: the model fits every row "
            "exactly, and its residuals cannot be standardised"
        )
    left = 1 - np.asarray(model._fit.leverages())
    left = np.where(left > 1e-10, left, np.nan)
    return np.asarray(model._residuals(type) / (model.sigma * np.sqrt(left)))


# --- Averages of bins ---


def observed(model: FittedModel) -> pd.DataFrame:
    """fitted (the mean), observed."""
    return _frame(model, fitted=model._fitted, observed=model._response)


def averages(model: FittedModel) -> pd.DataFrame:
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


def binned_residuals(model: FittedModel) -> pd.DataFrame:
    """By bins of the fitted mean: fitted, residual, low and high (0 ± 2 SE), rows."""
    table = _bins(model)
    table.insert(2, "low", -2 * table["std_error"])
    table.insert(3, "high", 2 * table["std_error"])
    return table.drop(columns="std_error")


def _bins(model: FittedModel) -> pd.DataFrame:
    """Means over bins of rows of similar fitted mean (Gelman & Hill 2007, §5.6).

    √n bins of about as many rows each; equal fitted means are in one bin. The standard error is
    that of the model, √(Σ Var(yᵢ))/rows.
    """
    x = model._fitted
    bins = _bin_numbers(x)
    rows = np.bincount(bins)
    used = rows > 0

    def mean(values: Array) -> Array:
        return (np.bincount(bins, values)[used] / rows[used]).astype(float)

    variance = mean(_variances(model)) / rows[used]
    return pd.DataFrame(
        {
            "fitted": mean(x),
            "residual": mean(model._response - x),
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
