"""The working model: the linear model with the weights and residuals of a generalised fit's modes.

At the modes η̂ the response is taken for z = η̂ + (y − μ)dη/dμ with weights W = w(dμ/dη)²/V(μ)
(McCullagh & Nelder 1989, §2.5; Breslow & Clayton 1993, JASA 88), and θ for known. W is Fisher's
information where the family is an exponential one; of the others (beta, nb1) it is that of the
quasi-likelihood with the same mean and variance. A linear model is its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError, DataError
from .generalised import Generalised
from .submodels import Submodels

if TYPE_CHECKING:
    from .._core import Fit
    from .fitted import FittedModel

__all__ = ["working_fit", "working_weights"]

Array = NDArray[np.float64]


def working_weights(model: FittedModel) -> Array:
    """W, shape (nobs,); a linear model's prior weights."""
    if not isinstance(model, Generalised):
        weights = model._matrices.weights
        return np.ones(model.nobs) if weights is None else weights
    family = model._kernel_family
    slope = np.asarray(family.mean_slope(model._linear_predictor))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        weights = model._prior_weights * slope**2 / np.asarray(family.variance(model._fitted))
    # A mean that has rounded to its limit has no weight, though variance and slope may say ∞.
    return np.where(np.isfinite(weights) & (weights > 0), weights, np.finfo(float).tiny)


def working_fit(model: FittedModel) -> Fit:
    """The kernel's fit of the working model at θ, nothing optimised; a linear model's own fit.

    Raises
    ------
    ConvergenceError
        The rows that have a weight do not determine the model, as where the data are separated.
    """
    if not isinstance(model, Generalised):
        return cast("Fit", model._fit)
    matrices = model._matrices
    submodels = Submodels.of(model, "the working model")
    response = model._linear_predictor + model._residuals("working")
    frame = replace(
        submodels.frame,
        response=matrices.on_table(response),
        weights=matrices.on_table(working_weights(model)),
        sizes=None,
    )
    design = model._call.matrices(frame).design
    try:
        return design.fit(reml=True, start=np.asarray(model._fit.theta), max_evaluations=1)
    except DataError:
        raise ConvergenceError(
            "too few rows are left with a weight in the working model, for the fitted means of the "
            "others have reached a limit of the family: look for separation and for predictors "
            "that run to extreme values, m.check()"
        ) from None
