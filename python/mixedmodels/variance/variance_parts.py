"""The parts of a response's variance: fixed effects, random effects, residual.

With random slopes the random variance depends on x; its mean over the rows counts, tr(Σ Z'Z)/n
term by term (Johnson 2014, Methods Ecol. Evol. 5, 944-946, eq. 10). ICC and R² are shares of them.

Those of a generalised model stand on the scale of its linear predictor, where the residual variance
is that of an observation (`residual_variance.py`). A random intercept with a level for every row
varies as residuals do: its variance, the overdispersion, counts as residual (Nakagawa, Johnson &
Schielzeth 2017, J. R. Soc. Interface 14: 20170213).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..models.rows import linear_part
from ..models.varcorr import TermCovariance, VarCorr, templates

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["VarianceParts", "random_variances", "variance_parts"]

INTERCEPT = "(Intercept)"


@dataclass(frozen=True, eq=False, slots=True)
class VarianceParts:
    """Variances in squared units of the response, or of the linear predictor."""

    fixed: float  # of Xβ̂ over the rows
    random: pd.Series[float]  # by group: mean over the rows of Var(z'b); overdispersion left out
    intercept: pd.Series[float]  # by group: of the random intercept; NaN where there is none
    residual: float  # of a row of weight 1, with the overdispersion
    overdispersion: float = 0.0  # of random intercepts with a level for every row

    @property
    def unexplained(self) -> float:
        """What the fixed effects leave: random and residual variance."""
        return float(self.random.sum()) + self.residual

    @property
    def total(self) -> float:
        """Fixed, random and residual variance."""
        return self.fixed + self.unexplained


def variance_parts(model: FittedModel, observation: float | None = None) -> VarianceParts:
    """The parts of a fitted model.

    Parameters
    ----------
    observation
        The variance of an observation of a generalised model; None for a linear one, which has σ².
    """
    random: dict[str, float] = {}
    intercept: dict[str, float] = {}
    overdispersion = 0.0
    variances = random_variances(model)
    for t, term in enumerate(_terms(model)):
        if observation is not None and _has_every_row(model, t):
            overdispersion += variances[t]
        else:
            random[term.group] = random.get(term.group, 0.0) + variances[t]
        intercept.setdefault(term.group, np.nan)
        if INTERCEPT in term.columns:
            at = term.columns.index(INTERCEPT)
            intercept[term.group] = float(np.nansum([intercept[term.group], term.cov[at, at]]))
    residual = model.sigma**2 if observation is None else observation
    return VarianceParts(
        _fixed_variance(model),
        pd.Series(random, name="variance", dtype=float),
        pd.Series(intercept, name="variance", dtype=float),
        residual + overdispersion,
        overdispersion,
    )


def random_variances(model: FittedModel) -> list[float]:
    """Mean over the rows of Var(z'b), term by term."""
    return [_mean_variance(model, t) for t in range(len(model._matrices.terms))]


def _terms(model: FittedModel) -> tuple[TermCovariance, ...]:
    theta = np.asarray(model._fit.theta, dtype=float)
    return VarCorr.from_theta(theta, model.sigma, model._matrices.terms).terms


def _has_every_row(model: FittedModel, t: int) -> bool:
    """Whether a term is a random intercept with a level for each row."""
    info = model._matrices.terms[t]
    return info.columns == (INTERCEPT,) and len(info.levels) == model.nobs


def _fixed_variance(model: FittedModel) -> float:
    """Variance over the rows of Xβ̂, offset left out."""
    return float(np.var(linear_part(model, np.asarray(model._fit.beta)), ddof=1))


def _mean_variance(model: FittedModel, t: int) -> float:
    """Mean over the rows of Var(z'b) of one term.

    With Σ = σ²λλ', z'Σz is the sum of squares of σz'λ: one linear predictor a column of σλ, in
    which every level has that column for its modes. Z is never formed, and with λ in place of Σ no
    digits go where x is far from zero.
    """
    infos, theta = model._matrices.terms, np.asarray(model._fit.theta, dtype=float)
    factor = model.sigma * templates(theta, [len(info.columns) for info in infos])[t]
    if infos[t].columns == (INTERCEPT,):
        return float(factor[0, 0] ** 2)
    modes: list[NDArray[np.float64] | None] = [None] * len(infos)
    mean = 0.0
    for column in factor.T:
        modes[t] = np.tile(column, (len(infos[t].levels), 1))
        mean += float(np.mean(linear_part(model, modes=modes) ** 2))
    return mean
