"""Standard errors of variance components: the delta method from the exact Hessian over (θ, σ).

With Γ = Σ/σ², sdᵢ = σ√Γᵢᵢ and corᵢⱼ = Γᵢⱼ/√(ΓᵢᵢΓⱼⱼ) are smooth where no standard deviation is zero,
and the kernel gives ∂Γ/∂θ in its own coordinates, where the covariance matrix of (θ̂, σ̂) keeps its
digits (`ddf.parameter_variance`).
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
    from .model_matrix import TermInfo

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
    size = len(model.theta)
    places = templates(np.arange(1, size + 1, dtype=float), [len(t.columns) for t in _terms(model)])
    by_covariance = np.zeros((size + 1, size + 1))
    for k, parameter in enumerate(covariance_parameters(_terms(model))):
        index = places[parameter.term].astype(int) - 1  # lower triangle: places in θ
        gamma = model.varcorr.terms[parameter.term].cov / model.sigma**2
        by_covariance[k] = _gradient(parameter, gamma, index, model.sigma, size)
    by_covariance[size, size] = 1.0
    slopes = np.eye(size + 1)
    slopes[:size, :size] = model._information["covariance"]
    return by_covariance @ slopes


def _terms(model: LinearMixedModel) -> tuple[TermInfo, ...]:
    return model._matrices.terms


def _gradient(
    parameter: CovarianceParameter, gamma: Array, index: NDArray[np.int_], sigma: float, size: int
) -> Array:
    """∂/∂(elements of Γ in θ's order, σ)."""
    row, (i, j) = np.zeros(size + 1), (parameter.row, parameter.column)
    sds = np.sqrt(np.diag(gamma))
    if sds[i] < ZERO or sds[j] < ZERO:
        return np.full(size + 1, np.nan)
    if parameter.is_sd:
        row[index[i, i]], row[size] = sigma / (2 * sds[i]), sds[i]
        return row
    correlation = float(gamma[i, j] / (sds[i] * sds[j]))
    if 1 - abs(correlation) < ZERO**2:
        return np.full(size + 1, np.nan)
    row[index[i, j]] = 1 / (sds[i] * sds[j])
    row[index[i, i]] = -correlation / (2 * gamma[i, i])
    row[index[j, j]] = -correlation / (2 * gamma[j, j])
    return row


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
