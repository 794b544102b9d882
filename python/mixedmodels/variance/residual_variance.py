"""The variance parts of a model and of its refits, with the residual variance that was asked for.

λ, the mean at which the variance of an observation is taken, is that of the null model: all random
effects and the offset, an intercept in place of the predictors (Nakagawa, Johnson & Schielzeth
2017). "conditional" is the mean g⁻¹(β₀) where random effects and offset are zero, which is what
R's performance 0.10 takes; "marginal" is the paper's mean over the random effects, exp(β₀ + σ²/2)
for a log link, and over the rows' offsets. The dispersion of the null model is held at the model's
own, so that all variances speak of one distribution.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..formulas.formula import Terms
from ..models.submodels import Submodels
from .observation_variance import (
    MeanOf,
    VarianceMethod,
    marginal_mean,
    needs_mean,
    observation_variance,
    resolve_mean,
    resolve_method,
)
from .variance_parts import VarianceParts, random_variances, variance_parts

if TYPE_CHECKING:
    from ..models.fitted import FittedModel
    from ..models.generalised import Generalised

__all__ = ["ResidualVariance", "null_model"]

NULL = Terms(intercept=True, variables=(), terms=())
MEANS = {
    "conditional": "that of the null model where random effects and offset are zero",
    "marginal": "that of the null model, averaged over random effects and offsets",
}


@dataclass(frozen=True)
class ResidualVariance:
    """Parts of a model, and of its refits to other responses, all by one method."""

    method: VarianceMethod | None  # None: a linear model, whose residual variance is σ²
    mean: MeanOf

    @classmethod
    def of(cls, model: FittedModel, method: str | None, mean: str) -> ResidualVariance:
        """For a model and what the caller asked for.

        Raises
        ------
        ArgumentError
            The family and link have no such method.
        """
        family = model._call.family
        chosen = None if family is None else resolve_method(family, method)
        return cls(chosen, resolve_mean(mean))

    def parts(self, model: FittedModel) -> tuple[VarianceParts, tuple[str, ...]]:
        """The parts, and what a reader has to know of them."""
        from ..models.generalised import Generalised

        if self.method is None or not isinstance(model, Generalised):
            return variance_parts(model), ()
        needed = needs_mean(model.family, self.method)
        residual = observation_variance(
            model.family,
            model._kernel_family,
            model.sigma,
            self.method,
            self._mean(model) if needed else 1.0,  # any
        )
        parts = variance_parts(model, residual.value)
        notes = [residual.note]
        if needed:
            notes.append(f"The mean is {MEANS[self.mean]}.")
            if not model._null_model.converged:
                notes.append("The fit of the null model did not converge: its mean may be off.")
        if parts.overdispersion > 0:
            notes.append(
                "Random intercepts of single rows count as residual (overdispersion): their "
                f"variance is {parts.overdispersion:.3f}."
            )
        return parts, tuple(notes)

    def _mean(self, model: Generalised) -> float:
        """λ."""
        null, family = model._null_model, model._kernel_family
        intercept = float(null.fixef.iloc[0])
        if self.mean == "conditional":
            return float(family.mean(np.array([intercept]))[0])
        offset = model._matrices.offset
        eta = intercept + (np.zeros(1) if offset is None else offset)
        return marginal_mean(family, eta, sum(random_variances(null)))


def null_model(model: Generalised) -> FittedModel:
    """The model without predictors, fitted to the same response; itself where it has none."""
    submodels, family = Submodels.of(model, "a null model"), model.family
    if submodels.frame.formula.fixed == NULL:
        return model
    if family.estimates_shape:
        family = replace(family, dispersion=model.dispersion)
    held = replace(model, _call=replace(model._call, family=family))
    return replace(submodels, model=held).fit(REML=False, fixed=NULL)
