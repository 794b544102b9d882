"""Which likelihoods of generalised models can be compared: the same approximation, nested
families."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..families import gaussian
from ..models.generalised import Generalised
from ..models.generalised_model import GeneralizedLinearModel
from ..models.mixed import Mixed

if TYPE_CHECKING:
    from ..families import Family
    from ..models.fitted import FittedModel

__all__ = ["definition_notes", "is_poisson_limit"]

OVERDISPERSED = ("negative_binomial", "nb1")  # of which the Poisson is a limit


def definition_notes(models: Sequence[FittedModel]) -> list[str]:
    """What to tell where likelihoods are different approximations, or of different families."""
    generalised = [model for model in models if isinstance(model, Generalised)]
    mixed = [model for model in generalised if isinstance(model, Mixed)]
    notes = []
    if len({model.nAGQ for model in mixed}) > 1:
        notes.append(f"The models differ in nAGQ{APART}")
    if len({model.criterion for model in mixed if not model.family.is_canonical}) > 1:
        notes.append(f"The models differ in criterion, expected or observed information{APART}")
    if any(not _nested_families(a, b) for a in models for b in models):
        notes.append(
            "The models differ in family or link, so they are not nested: compare AIC and BIC, and "
            "leave the tests aside."
        )
    ordinary = [model for model in generalised if isinstance(model, GeneralizedLinearModel)]
    if any(model.family.has_sigma for model in ordinary):
        notes.append(
            "A glm's log-likelihood here has the constant of glmer's (lme4's definition), 1 below "
            "m.loglik."
        )
    return notes


APART = (
    ", so part of the difference of their likelihoods is that of the approximations: fit all of "
    "them alike."
)


def _nested_families(a: FittedModel, b: FittedModel) -> bool:
    """The same family (whatever its shape) and link, or Poisson and a negative binomial."""
    one, other = _family(a), _family(b)
    limit = is_poisson_limit(a, b) or is_poisson_limit(b, a)
    return one.link == other.link and (one.name == other.name or limit)


def _family(model: FittedModel) -> Family:
    """A linear model's is the Gaussian with the identity link."""
    return model._call.family or gaussian()


def is_poisson_limit(small: FittedModel, large: FittedModel) -> bool:
    """Whether the smaller model is Poisson and the larger one estimates an overdispersion."""
    if not (isinstance(small, Generalised) and isinstance(large, Generalised)):
        return False
    return (
        small.family.name == "poisson"
        and large.family.name in OVERDISPERSED
        and large.family.estimates_shape
        and small.family.link == large.family.link
    )
