"""The variance parts of a model and of its refits, with the residual variance that was asked for.

λ, the mean at which the variance of an observation is taken, is that of the null model: all random
effects and the offset, an intercept in place of the predictors. The dispersion of the null model is
held at the model's own, so that all variances speak of one distribution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .errors import ArgumentError
from .formula import Terms
from .observation_variance import (
    MeanOf,
    ObservationVariance,
    VarianceMethod,
    check_mean_of,
    marginal_mean,
    needs_mean,
    observation_variance,
    resolve_method,
)
from .submodels import Submodels
from .variance_parts import VarianceParts, random_variances, variance_parts

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["ResidualVariance"]

NULL = Terms(intercept=True, variables=(), terms=())


@dataclass(frozen=True)
class ResidualVariance:
    """Gives the parts of a model, and of its refits to other responses, by one method."""

    method: VarianceMethod | None  # None: a linear model, whose residual variance is σ²
    mean: MeanOf
    _submodels: Submodels | None  # None: no λ is needed

    @classmethod
    def of(cls, model: FittedModel, method: str | None, mean: str) -> ResidualVariance:
        """For a model and the method that the caller asked for; checks both."""
        check_mean_of(mean)
        family = model._call.family
        if family is None:
            if method is not None:
                raise ArgumentError(
                    f"method={method!r} belongs to generalised models; the residual variance of a "
                    "linear model is σ²"
                )
            return cls(None, mean, None)  # type: ignore[arg-type]
        chosen = resolve_method(family, method)
        needed = needs_mean(family, chosen)
        return cls(chosen, mean, Submodels.of(model, "the null model") if needed else None)  # type: ignore[arg-type]
