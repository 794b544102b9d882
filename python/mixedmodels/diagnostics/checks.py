"""`m.check()`: everything that ought to be looked at before a model is reported, in one list.

A check says something only where a departure is both certain (its p-value) and large enough to
matter (its size): a test alone finds fault with every model of many rows and with none of few. To
add a check: a function model → list[Check | Skipped], empty where it does not apply, and a place
in `CHECKS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .check_report import Check, Checks, Skipped
from .checks_of_estimates import collinear, converged, rank_deficient, separated, singular
from .checks_of_groups import enough_groups, enough_rows, influential_groups, normal_effects
from .checks_of_residuals import normal_residuals, one_variance, same_in_groups
from .checks_of_responses import as_simulated, overdispersed

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["check"]

CHECKS: tuple[Callable[[FittedModel], list[Check | Skipped]], ...] = (
    # the estimates
    converged,
    singular,
    separated,
    rank_deficient,
    collinear,
    # the groups
    enough_groups,
    enough_rows,
    normal_effects,
    influential_groups,
    # the residuals of linear models
    normal_residuals,
    one_variance,
    same_in_groups,
    # the response of generalised models
    overdispersed,
    as_simulated,
)


def check(model: FittedModel) -> Checks:
    """Documented at `Diagnosis.check`."""
    found = [entry for check_of in CHECKS for entry in check_of(model)]
    return Checks(
        model.formula or "a model fitted from arrays",
        tuple(entry for entry in found if isinstance(entry, Check)),
        tuple(entry for entry in found if isinstance(entry, Skipped)),
    )
