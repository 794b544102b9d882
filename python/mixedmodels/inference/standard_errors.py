"""Standard errors of variance components: the delta method from the exact Hessian.

With Γ = Σ/σ², sdᵢ = σ√Γᵢᵢ and corᵢⱼ = Γᵢⱼ/√(ΓᵢᵢΓⱼⱼ) are smooth where no standard deviation is zero.
Of a linear model the kernel gives ∂Γ/∂θ in its own coordinates, where the covariance matrix of
(θ̂, σ̂) keeps its digits (`ddf.parameter_variance`). Of a generalised one the Hessian is over (θ, β,
log dispersion); σ of the families that have one is a function of these, and counts as known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..models.generalised import Generalised
from ..models.generalised_model import GeneralizedLinearMixedModel
from ..models.model import LinearMixedModel
from ..models.parameters import CovarianceParameter, covariance_parameters
from ..models.varcorr import templates
from ..printing.tables import ResultTable
from .ddf import parameter_variance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..matrices.model_matrix import TermInfo
    from ..models.fitted import FittedModel
    from ..models.mixed import Mixed

__all__ = [
    "covariance_slopes",
    "dispersion_error",
    "estimates_correlation",
    "sd_correlation_errors",
    "variance_components",
]

Array = NDArray[np.float64]
ZERO = 1e-4  # relative standard deviations below this are on the boundary (as `is_singular`)


def sd_correlation_errors(model: Mixed) -> Array:
    """Standard errors of the standard deviations and correlations in θ's order, then of sigma where
    there is one.

    Shape (n_theta + 1,) or (n_theta,). NaN where a standard deviation is zero or a correlation ±1:
    the estimate is on the boundary of its range and has no standard error there. NaN also for the
    sigma of a generalised model, and where its Hessian is not positive definite.
    """
    slopes, covariance = _estimation(model)
    gradients = _gradients(model) @ slopes
    variance = np.diag(gradients @ covariance @ gradients.T)
    errors = np.asarray(np.sqrt(np.maximum(variance, 0.0)))
    if isinstance(model, GeneralizedLinearMixedModel):
        errors[-1] = np.nan
        return errors if model.family.has_sigma else errors[:-1]
    return errors


def estimates_correlation(model: FittedModel) -> Array:
    """Correlations of the estimates: standard deviations and correlations in θ's order, a linear
    mixed model's sigma or a dispersion that is estimated, and the fixed effects kept.

    NaN where an estimate is on the boundary of its range, and where the Hessian is not positive
    definite. But for generalised mixed models, whose Hessian is a joint one, β̂ and the others count
    as independent, which they are asymptotically in linear models.
    """
    covariance = (
        _generalised_estimates(model)
        if isinstance(model, GeneralizedLinearMixedModel)
        else _estimates(model)
    )
    errors = np.sqrt(np.diag(covariance))
    return np.asarray(covariance / np.outer(errors, errors))


def _estimates(model: FittedModel) -> Array:
    """Blocks of the standard deviations, correlations and sigma, or of a dispersion, and of β̂."""
    kept = ~np.isnan(np.asarray(model._fit.beta))
    first = np.zeros((0, 0))
    if isinstance(model, LinearMixedModel):
        slopes, covariance = _estimation(model)
        gradients = _gradients(model) @ slopes
        first = gradients @ covariance @ gradients.T
    elif isinstance(model, Generalised) and model.family.estimates_shape:
        first = np.array([[dispersion_error(model) ** 2]])
    size, rank = len(first), int(kept.sum())
    joint = np.zeros((size + rank,) * 2)
    joint[:size, :size], joint[size:, size:] = first, model._vcov[np.ix_(kept, kept)]
    return joint


def _generalised_estimates(model: GeneralizedLinearMixedModel) -> Array:
    """From the Hessian over (θ, β, log dispersion); the dispersion comes before β here."""
    size, rank = len(model._fit.theta), int(model._fit.rank)
    dispersed = int(model.family.estimates_shape)
    joint = model._joint_covariance
    if joint is None:
        return np.full((size + rank + dispersed,) * 2, np.nan)
    slopes, (by_theta, _) = np.eye(len(joint)), _estimation(model)
    slopes[:size, :size] = (_gradients(model) @ by_theta)[:size, :size]
    order = [*range(size), *range(size + rank, size + rank + dispersed), *range(size, size + rank)]
    return np.asarray((slopes @ joint @ slopes.T)[np.ix_(order, order)])


def dispersion_error(model: Generalised) -> float:
    """Standard error of a dispersion that is estimated with θ and β, from that of its logarithm."""
    joint = model._joint_covariance
    return np.nan if joint is None else model.dispersion * float(np.sqrt(joint[-1, -1]))


def _estimation(model: Mixed) -> tuple[Array, Array]:
    """∂(Γ in θ's order, σ)/∂(θ, σ) and the covariance matrix of (θ̂, σ̂)."""
    size = len(model.theta)
    slopes = np.eye(size + 1)
    if isinstance(model, LinearMixedModel):
        slopes[:size, :size] = model._information["covariance"]
        return slopes, parameter_variance(model)
    assert isinstance(model, GeneralizedLinearMixedModel)
    covariance = np.zeros((size + 1, size + 1))
    joint = model._joint_covariance
    covariance[:size, :size] = np.nan if joint is None else joint[:size, :size]
    slopes[:size, :size] = covariance_slopes(model.theta, [len(t.columns) for t in _terms(model)])
    return slopes, covariance


def covariance_slopes(theta: Array, sizes: Sequence[int]) -> Array:
    """∂Γ/∂θ, Γ = λλ' term by term with its lower triangles in θ's order; shape (n_theta, n_theta).

    ∂Γ/∂λᵢⱼ = eᵢλ.ⱼ' + λ.ⱼeᵢ'.
    """
    slopes = np.zeros((len(theta), len(theta)))
    places = templates(np.arange(1, len(theta) + 1, dtype=float), sizes)
    for template, place in zip(templates(theta, sizes), places, strict=True):
        index, lower = place.astype(int) - 1, np.tril_indices(len(place))
        for i, j in zip(*lower, strict=True):
            change = np.zeros_like(template)
            change[i] += template[:, j]
            change[:, i] += template[:, j]
            slopes[index[lower], index[i, j]] = change[lower]
    return slopes


def _gradients(model: Mixed) -> Array:
    """∂(standard deviation or correlation)/∂(Γ in θ's order, σ), a row each; the last is σ's."""
    size = len(model.theta)
    places = templates(np.arange(1, size + 1, dtype=float), [len(t.columns) for t in _terms(model)])
    gradients = np.zeros((size + 1, size + 1))
    for k, parameter in enumerate(covariance_parameters(_terms(model))):
        index = places[parameter.term].astype(int) - 1  # lower triangle: places in θ
        gamma = model.varcorr.terms[parameter.term].cov / model.sigma**2
        gradients[k] = _gradient(parameter, gamma, index, model.sigma, size)
    gradients[size, size] = 1.0
    return gradients


def _terms(model: Mixed) -> tuple[TermInfo, ...]:
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


def variance_components(model: Mixed) -> ResultTable:
    """Documented at `Mixed.variance_components`."""
    parameters = covariance_parameters(model._matrices.terms)
    frame = model.varcorr.to_frame()
    in_theta = {name: k for k, name in enumerate(_theta_rows(model))}
    errors = sd_correlation_errors(model)
    rows = zip(frame["grp"], frame["var1"], frame["var2"], strict=True)
    order = [in_theta.get(row, len(parameters)) for row in rows]
    frame["std_error"] = errors[order]
    title = "Variance components; std_error is that of sdcor (delta method, exact Hessian)"
    return ResultTable.of(frame, title, _notes(model, errors))


def _notes(model: Mixed, errors: Array) -> list[str]:
    notes = []
    if np.isnan(errors[: len(model.theta)]).any():
        notes.append(
            "No standard error where an estimate is on the boundary of its range: see m.confint()."
        )
    if isinstance(model, GeneralizedLinearMixedModel):
        if model._joint_covariance is None:
            return ["No standard errors: the Hessian is not positive definite, see m.convergence."]
        if model.family.has_sigma:
            notes.append("The standard errors take sigma as known.")
    return notes


def _theta_rows(model: Mixed) -> list[tuple[str, str, str | None]]:
    """The row of `varcorr.to_frame()` that each element of θ stands for."""
    found: list[tuple[str, str, str | None]] = []
    for parameter in covariance_parameters(model._matrices.terms):
        term = model.varcorr.terms[parameter.term]
        first, second = term.columns[parameter.column], term.columns[parameter.row]
        found.append((term.name, first, None if parameter.is_sd else second))
    return found
