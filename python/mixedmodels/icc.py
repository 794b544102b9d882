"""Intraclass correlation: the share of variance that belongs to the groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .model import LinearMixedModel

__all__ = ["IntraclassCorrelation", "intraclass_correlation"]


@dataclass(frozen=True, eq=False)
class IntraclassCorrelation:
    """Intraclass correlations of a linear mixed model, `m.icc()`.

    Attributes
    ----------
    adjusted
        random / (random + residual): of the variance that the fixed effects leave.
    unadjusted
        random / (fixed + random + residual): of all variance.
    by_group
        Group → its intercept variance / (random + residual); NaN where a group has no intercept.
    variance_fixed, variance_random, variance_residual
        What they are made of, in squared units of the response.

    Notes
    -----
    With random slopes the random variance depends on x; its mean over the rows is used,
    tr(Σ Z'Z)/n term by term (Johnson 2014, Methods Ecol. Evol. 5, eq. 10; Nakagawa, Johnson &
    Schielzeth 2017). Some programs call `unadjusted` the conditional ICC.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> round(m.icc().adjusted, 3)
    0.448
    """

    adjusted: float
    unadjusted: float
    by_group: pd.Series[float]
    variance_fixed: float
    variance_random: float
    variance_residual: float

    def __str__(self) -> str:
        beyond = "of the variance the fixed effects leave"
        lines = [
            "Intraclass correlation",
            f"  adjusted    {self.adjusted:.3f}   between groups, {beyond}",
            f"  unadjusted  {self.unadjusted:.3f}   between groups, of all variance",
        ]
        if len(self.by_group) > 1 or abs(self.by_group.iloc[0] - self.adjusted) > 1e-9:
            lines.append("  by group (intercepts only)")
            width = max(len(str(group)) for group in self.by_group.index)
            for group, value in self.by_group.items():
                lines.append(f"    {group:<{width}}  {value:.3f}")
        return "\n".join(lines)

    __repr__ = __str__


def intraclass_correlation(model: LinearMixedModel) -> IntraclassCorrelation:
    """Compute `IntraclassCorrelation` for a fitted model."""
    residual = model.sigma**2
    fixed = _fixed_variance(model)
    random = mean_random_variance(model)
    total = random + residual
    intercepts: dict[str, float] = {}
    for term in model.varcorr.terms:
        intercepts.setdefault(term.group, np.nan)
        if "(Intercept)" in term.columns:
            at = term.columns.index("(Intercept)")
            found = intercepts[term.group]
            intercepts[term.group] = term.cov[at, at] + (0.0 if np.isnan(found) else found)
    by_group = pd.Series(intercepts, name="icc", dtype=float) / total
    return IntraclassCorrelation(
        random / total, random / (fixed + total), by_group, fixed, random, residual
    )


def _fixed_variance(model: LinearMixedModel) -> float:
    """Variance over the rows of Xβ̂, offset left out."""
    none: list[NDArray[np.float64] | None] = [None] * len(model._matrices.terms)
    beta = np.asarray(model._fit.beta, dtype=float)
    design = model._design
    offset = design.linear_predictor(np.zeros_like(beta), none)
    return float(np.var(design.linear_predictor(beta, none) - offset, ddof=1))


def mean_random_variance(model: LinearMixedModel) -> float:
    """Mean over the rows of Var(z'b), tr(Σ Z'Z)/n summed over terms.

    With Σ = CC', z'Σz is the sum of squares of z'C: one linear predictor a column of C, in which
    every level has that column for its modes. Z is never formed.
    """
    infos = model._matrices.terms
    none: list[NDArray[np.float64] | None] = [None] * len(infos)
    zero = np.zeros(len(model._fit.beta))
    offset = model._design.linear_predictor(zero, none)
    mean = 0.0
    for t, (info, term) in enumerate(zip(infos, model.varcorr.terms, strict=True)):
        if term.columns == ("(Intercept)",):
            mean += float(term.cov[0, 0])
            continue
        values, vectors = np.linalg.eigh(term.cov)
        for value, vector in zip(values, vectors.T, strict=True):
            if value <= 0:
                continue
            modes = none.copy()
            modes[t] = np.tile(np.sqrt(value) * vector, (len(info.levels), 1))
            mean += float(np.mean((model._design.linear_predictor(zero, modes) - offset) ** 2))
    return mean
