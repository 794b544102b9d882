"""The parts of a response's variance: fixed effects, random effects, residual.

With random slopes the random variance depends on x; its mean over the rows counts, tr(Σ Z'Z)/n
term by term (Johnson 2014, Methods Ecol. Evol. 5, 944-946, eq. 10). ICC and R² are shares of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .rows import linear_part
from .varcorr import templates

if TYPE_CHECKING:
    from .fitted import FittedModel
    from .model import LinearMixedModel

__all__ = ["VarianceParts", "variance_parts"]

INTERCEPT = "(Intercept)"


@dataclass(frozen=True, eq=False, slots=True)
class VarianceParts:
    """Variances in squared units of the response."""

    fixed: float  # of Xβ̂ over the rows
    random: pd.Series[float]  # by group: mean over the rows of Var(z'b)
    intercept: pd.Series[float]  # by group: of the random intercept; NaN where there is none
    residual: float  # of a row of weight 1

    @property
    def unexplained(self) -> float:
        """What the fixed effects leave: random and residual variance."""
        return float(self.random.sum()) + self.residual

    @property
    def total(self) -> float:
        """Fixed, random and residual variance."""
        return self.fixed + self.unexplained


def variance_parts(model: LinearMixedModel) -> VarianceParts:
    """The parts of a fitted linear mixed model."""
    random: dict[str, float] = {}
    intercept: dict[str, float] = {}
    for t, term in enumerate(model.varcorr.terms):
        random[term.group] = random.get(term.group, 0.0) + _mean_variance(model, t)
        intercept.setdefault(term.group, np.nan)
        if INTERCEPT in term.columns:
            at = term.columns.index(INTERCEPT)
            intercept[term.group] = float(np.nansum([intercept[term.group], term.cov[at, at]]))
    return VarianceParts(
        _fixed_variance(model),
        pd.Series(random, name="variance", dtype=float),
        pd.Series(intercept, name="variance", dtype=float),
        model.sigma**2,
    )


def _fixed_variance(model: FittedModel) -> float:
    """Variance over the rows of Xβ̂, offset left out."""
    return float(np.var(linear_part(model, np.asarray(model._fit.beta)), ddof=1))


def _mean_variance(model: LinearMixedModel, t: int) -> float:
    """Mean over the rows of Var(z'b) of one term.

    With Σ = σ²λλ', z'Σz is the sum of squares of σz'λ: one linear predictor a column of σλ, in
    which every level has that column for its modes. Z is never formed, and with λ in place of Σ no
    digits go where x is far from zero.
    """
    term, infos = model.varcorr.terms[t], model._matrices.terms
    if term.columns == (INTERCEPT,):
        return float(term.cov[0, 0])
    factor = model.sigma * templates(model.theta, [len(info.columns) for info in infos])[t]
    modes: list[NDArray[np.float64] | None] = [None] * len(infos)
    mean = 0.0
    for column in factor.T:
        modes[t] = np.tile(column, (len(infos[t].levels), 1))
        mean += float(np.mean(linear_part(model, modes=modes) ** 2))
    return mean
