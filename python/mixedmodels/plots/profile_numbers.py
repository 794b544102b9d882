"""The profile of a model that is plotted, as far out as its plot needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..inference.distributions import chi2_quantile
from ..inference.profile import Profile, chosen, profile, profiled_parameters
from ..models.model import LinearModel
from .profile_curves import LEVELS
from .profile_pairs import check_number

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["profiled", "profiled_for_pairs"]

BEYOND = 1.001  # of the outermost contour, so that it closes


def profiled(
    model: FittedModel, parm: str | Sequence[str] | None, n_threads: int | None
) -> Profile:
    """Profiles that the widest interval drawn needs."""
    _require_profile(model)
    return profile(model, parm, LEVELS[-1], n_threads=n_threads)


def profiled_for_pairs(
    model: FittedModel, parm: str | Sequence[str] | None, n_threads: int | None
) -> Profile:
    """Profiles that the widest joint contour drawn needs."""
    from scipy.special import ndtr

    _require_profile(model)
    check_number(len(chosen(profiled_parameters(model), parm)))
    reach = BEYOND * np.sqrt(chi2_quantile(LEVELS[-1], 2))
    return profile(model, parm, float(2 * ndtr(reach) - 1), n_threads=n_threads)


def _require_profile(model: FittedModel) -> None:
    if isinstance(model, LinearModel):
        raise ArgumentError(
            "an ordinary regression has exact t intervals and no profile: see m.plot.forest()"
        )
