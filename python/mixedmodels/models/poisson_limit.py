"""Negative binomials whose estimate is the Poisson, the limit of the family."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .generalised import Generalised

__all__ = ["poisson_limit"]

NO_EXCESS = 1e-5  # of the variance over the mean, relative: the family is the Poisson then


def poisson_limit(model: Generalised) -> str:
    """What to tell of a negative binomial whose estimate is the Poisson; empty elsewhere."""
    if not model.family.estimates_shape or not model.family.is_discrete:
        return ""
    nb1 = model.family.name == "nb1"
    excess = model.dispersion if nb1 else model._mean_fitted / model.dispersion
    if excess > NO_EXCESS:
        return ""
    return (
        f"the counts are not overdispersed: {'φ runs to 0' if nb1 else 'θ runs to infinity'}, "
        "where the family is the Poisson. family='poisson' has the same estimates, with one "
        "parameter fewer"
    )
