"""Standard errors of variance components: the delta method from the exact Hessian over (θ, σ).

sdᵢ = σ‖λᵢ‖ and corᵢⱼ = uᵢ'uⱼ with λᵢ row i of λ_t and uᵢ = λᵢ/‖λᵢ‖ are smooth in (θ, σ) wherever no
standard deviation is zero; the covariance matrix of (θ̂, σ̂) is `ddf.parameter_variance`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .ddf import parameter_variance
from .parameters import CovarianceParameter, covariance_parameters
from .tables import ResultTable
from .varcorr import templates

if TYPE_CHECKING:
    from .model import LinearMixedModel

__all__ = ["sd_correlation_errors", "variance_components"]

Array = NDArray[np.float64]
ZERO = 1e-4  # relative standard deviations below this are on the boundary (as `is_singular`)


def sd_correlation_errors(model: LinearMixedModel) -> Array:
    """Standard errors of the standard deviations and correlations in θ's order, then of sigma.

    Shape (n_theta + 1,). NaN where a standard deviation is zero or a correlation ±1: the estimate
    is on the boundary of its range and has no standard error there.
    """
    gradients = _gradients(model)
    variance = np.einsum("ks,st,kt->k", gradients, parameter_variance(model), gradients)
    return np.asarray(np.sqrt(np.maximum(variance, 0.0)))


def _gradients(model: LinearMixedModel) -> Array:
    """∂(standard deviation or correlation)/∂(θ, σ), a row each; the last row is σ's."""
    terms, size = model._matrices.terms, len(model.theta)
    sizes = [len(term.columns) for term in terms]
    lambdas = templates(model.theta, sizes)
    places = templates(np.arange(1, size + 1, dtype=float), sizes)
    rows = np.zeros((size + 1, size + 1))
    for k, parameter in enumerate(covariance_parameters(terms)):
        index = places[parameter.term].astype(int) - 1  # −1 above the diagonal
        rows[k] = _gradient(parameter, lambdas[parameter.term], index, model.sigma, size)
    rows[size, size] = 1.0
    return rows


def _gradient(
    parameter: CovarianceParameter,
    template: Array,
    index: NDArray[np.int_],
    sigma: float,
    size: int,
) -> Array:
    row = np.zeros(size + 1)
    i, j = parameter.row, parameter.column
    lengths = np.sqrt((template**2).sum(axis=1))
    if lengths[i] < ZERO or lengths[j] < ZERO:
        return np.full(size + 1, np.nan)
    units = template / lengths[:, None]
    if parameter.is_sd:
        _put(row, index[i], sigma * units[i])
        row[size] = lengths[i]
        return row
    correlation = float(units[i] @ units[j])
    if 1 - abs(correlation) < ZERO**2:
        return np.full(size + 1, np.nan)
    _put(row, index[i], (units[j] - correlation * units[i]) / lengths[i])
    _put(row, index[j], (units[i] - correlation * units[j]) / lengths[j])
    return row


def _put(row: Array, places: NDArray[np.int_], values: Array) -> None:
    """Add the values that belong to an element of θ."""
    row[places[places >= 0]] += values[places >= 0]


def variance_components(model: LinearMixedModel) -> ResultTable:
    """Documented at `LinearMixedModel.variance_components`."""
    parameters = covariance_parameters(model._matrices.terms)
    frame = model.varcorr.to_frame()
    in_theta = {name: k for k, name in enumerate(_theta_rows(model))}
    errors = sd_correlation_errors(model)
    rows = zip(frame["grp"], frame["var1"], frame["var2"], strict=True)
    order = [in_theta.get(row, len(parameters)) for row in rows]
    frame["std_error"] = errors[order]
    singular = np.isnan(frame["std_error"]).any()
    notes = (
        ["No standard error where an estimate is on the boundary of its range: see m.confint()."]
        if singular
        else []
    )
    title = "Variance components; std_error is that of sdcor (delta method, exact Hessian)"
    return ResultTable.of(frame, title, notes)


def _theta_rows(model: LinearMixedModel) -> list[tuple[str, str, str | None]]:
    """The row of `varcorr.to_frame()` that each element of θ stands for."""
    found: list[tuple[str, str, str | None]] = []
    for parameter in covariance_parameters(model._matrices.terms):
        term = model.varcorr.terms[parameter.term]
        first, second = term.columns[parameter.column], term.columns[parameter.row]
        found.append((term.name, first, None if parameter.is_sd else second))
    return found
