"""The covariance matrix of all parameters of a generalised mixed model, from the Hessian.

(θ̂, β̂, log dispersion) has covariance 2H⁻¹, H the Hessian of −2 log-likelihood. At a singular fit
directions in which H is zero (the correlations of an effect without variance) count as known.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .spectrum import inverse, scaled_spectrum

__all__ = ["joint_covariance", "not_positive", "square_root"]

Array = NDArray[np.float64]

NEGATIVE = 1e-6  # of the largest eigenvalue: what is below is not rounding


def joint_covariance(hessian: Array) -> Array | None:
    """2H⁻¹, shape as H; None where H has negative curvature, or is not finite."""
    if not np.isfinite(hessian).all():
        return None
    scale, values, vectors = scaled_spectrum(0.5 * (hessian + hessian.T))
    if len(values) and values[0] < -NEGATIVE * values[-1]:
        return None
    return 2 * inverse(scale, values, vectors)


def square_root(covariance: Array) -> Array:
    """S with SS' = `covariance`, which may be singular; NaN where it is not finite."""
    if not np.isfinite(covariance).all():
        return np.full_like(covariance, np.nan)
    scale, values, vectors = scaled_spectrum(covariance)
    return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)) / scale[:, None])


def not_positive() -> str:
    """What to tell where there is no such matrix."""
    return (
        "the Hessian of the log-likelihood is not positive definite, so standard errors take θ as "
        "known (m.vcov_conditional) and may be too small. Look at m.convergence; a simpler random "
        "part or rescaled predictors may help"
    )
