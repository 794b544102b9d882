"""Marginal means and contrasts on the scale of the response, as R's emmeans gives them.

A mean on the scale of the link, η with its interval, becomes g⁻¹(η) with g⁻¹ of the ends; its
standard error is that of the delta method, |dμ/dη| SE(η). The test stays that of η = 0, the mean
g⁻¹(0). Differences of log odds and of logarithms become odds ratios and ratios; those of other
links have no such name and stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["Scale", "are_differences", "mean_scale", "ratio_scale"]

Array = NDArray[np.float64]

ROUNDING = 1e-9  # of a sum of coefficients, relative
COUNTS = ("poisson", "negative_binomial", "nb1")


@dataclass(frozen=True)
class Scale:
    """What the linear predictor, or a difference of it, is transformed back to."""

    link: str  # the scale transformed from, as a note names it
    column: str  # name of what is estimated
    mean: Callable[[Array], Array]  # g⁻¹
    slope: Callable[[Array], Array]  # its derivative

    def estimate(self, eta: Array, std_error: Array) -> tuple[Array, Array]:
        """g⁻¹(η) and its standard error."""
        return self.mean(eta), np.abs(self.slope(eta)) * std_error

    def ends(self, low: Array, high: Array) -> tuple[Array, Array]:
        """The ends of intervals, the lower first: links such as 1/μ turn them round."""
        with np.errstate(over="ignore"):  # an end beyond the range of exp is infinite
            ends = self.mean(low), self.mean(high)
        return np.minimum(*ends), np.maximum(*ends)


RATIOS = {
    "logit": Scale("log odds ratio", "odds.ratio", np.exp, np.exp),
    "log": Scale("log", "ratio", np.exp, np.exp),
}


def mean_scale(model: FittedModel) -> Scale | None:
    """The scale of the model's means; None where the link is the identity."""
    family = model._call.family
    if family is None or family.link == "identity":
        return None
    kernel = family.kernel()
    name = "prob" if family.name == "binomial" else "rate" if family.name in COUNTS else "response"
    return Scale(family.link, name, kernel.mean, kernel.mean_slope)


def ratio_scale(link: str | None) -> Scale | None:
    """The scale of differences of linear predictors; None where they stay differences."""
    return RATIOS.get(link or "")


def are_differences(coefficients: Array) -> bool:
    """Whether the coefficients of every contrast, shape (m, k), add to zero."""
    sizes = np.abs(coefficients).sum(axis=1)
    return bool(np.all(np.abs(coefficients.sum(axis=1)) <= ROUNDING * sizes))
