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
    with np.errstate(divide="ignore", invalid="ignore"):  # a mean at its limit has no weight
        weights = model._prior_weights * slope**2 / np.asarray(family.variance(model._fitted))
    return np.where(weights > 0, weights, np.finfo(float).tiny)


def working_fit(model: FittedModel) -> Fit:
    """The kernel's fit of the working model at θ, nothing optimised; a linear model's own fit."""
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
    return design.fit(reml=True, start=np.asarray(model._fit.theta), max_evaluations=1)
