"""Intraclass correlation: the share of variance that belongs to the groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ..inference.bootstrap_intervals import interval_text, percentile_intervals
from ..models.rows import group_codes
from ..printing.document import PrintedDocument
from .residual_variance import ResidualVariance
from .variance_parts import VarianceParts

if TYPE_CHECKING:
    from ..models.mixed import Mixed

__all__ = ["IntraclassCorrelation", "intraclass_correlation"]


@dataclass(frozen=True, eq=False)
class IntraclassCorrelation(PrintedDocument):
    """Intraclass correlations of a mixed model, `m.icc()`.

    Attributes
    ----------
    adjusted
        random / (random + residual): of the variance that the fixed effects leave.
    unadjusted
        random / (fixed + random + residual): of all variance.
    by_group
        Group → its intercept variance / (random + residual); NaN where a group has no intercept.
    design_effect
        Group → 1 + (m̄ − 1)·by_group: how much larger the variance of a mean is than that of as
        many independent observations, for clustering by this group alone. Groups of unequal size
        count by their size, m̄ = Σm²/Σm (Kish 1965, §5.4), which is exact for random intercepts;
        with random slopes it is that of observations where the slopes' predictors are zero. NaN
        for generalised models, whose observations do not vary on the scale of the correlation.
    effective_sample_size
        Group → nobs / design_effect: that many independent observations say as much of a mean.
    variance_fixed, variance_random, variance_residual
        What they are made of, in squared units of the response; those of a generalised model on
        the scale of its linear predictor.
    intervals
        None, or a frame of bootstrap intervals: rows adjusted, unadjusted, by_group[...]; columns
        conf_low, conf_high.
    notes
        What was done, and printed below: the scale and residual variance of a generalised model.

    Notes
    -----
    With random slopes the random variance depends on x; its mean over the rows is used,
    tr(Σ Z'Z)/n term by term (Johnson 2014, Methods Ecol. Evol. 5, eq. 10; Nakagawa, Johnson &
    Schielzeth 2017). Some programs call `unadjusted` the conditional ICC. The residual variance of
    a generalised model is that of an observation, see `observation_variance.py`, and of a random
    intercept with a level for every row, if there is one.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> round(m.icc().adjusted, 3)
    0.448
    >>> float(round(m.icc().design_effect["clinic"], 1))
    9.5
    """

    adjusted: float
    unadjusted: float
    by_group: pd.Series[float]
    design_effect: pd.Series[float]
    effective_sample_size: pd.Series[float]
    variance_fixed: float
    variance_random: float
    variance_residual: float
    intervals: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        beyond = "of the variance the fixed effects leave"
        lines = [
            "Intraclass correlation",
            f"  adjusted    {self._shown('adjusted', self.adjusted)}   between groups, {beyond}",
            f"  unadjusted  {self._shown('unadjusted', self.unadjusted)}   between groups, of all "
            "variance",
        ]
        if len(self.by_group) > 1 or abs(self.by_group.iloc[0] - self.adjusted) > 1e-9:
            lines.append("  by group (intercepts only)")
            width = max(len(str(group)) for group in self.by_group.index)
            for group, value in self.by_group.items():
                lines.append(f"    {group:<{width}}  {self._shown(_row(str(group)), value)}")
        sizes = self.effective_sample_size.dropna()
        for (group, size), effect in zip(sizes.items(), self.design_effect.dropna(), strict=True):
            lines.append(
                f"  design effect of {group} {effect:.2f}: effective sample size {size:.1f}"
            )
        return "\n".join([*lines, *self.notes])

    def _shown(self, name: str, value: float) -> str:
        return f"{value:.3f}{interval_text(self.intervals, name)}"

    __repr__ = __str__


def intraclass_correlation(
    model: Mixed,
    method: str | None = None,
    mean: str = "conditional",
    *,
    ci: float | None = None,
    nsim: int = 1000,
    seed: int = 0,
    n_threads: int | None = None,
) -> IntraclassCorrelation:
    """Compute `IntraclassCorrelation` for a fitted model; documented at `Mixed.icc`."""
    residual = ResidualVariance.of(model, method, mean)
    parts, notes = residual.parts(model)
    shares = _shares(parts)
    intervals, more = percentile_intervals(
        model,
        lambda refitted: _shares(residual.parts(refitted)[0]),
        ci,
        nsim=nsim,
        seed=seed,
        n_threads=n_threads,
    )
    by_group = parts.intercept.rename("icc") / parts.unexplained
    effects = _design_effects(model, by_group if residual.method is None else by_group * np.nan)
    return IntraclassCorrelation(
        adjusted=shares["adjusted"],
        unadjusted=shares["unadjusted"],
        by_group=by_group,
        design_effect=effects,
        effective_sample_size=(model.nobs / effects).rename("effective_sample_size"),
        variance_fixed=parts.fixed,
        variance_random=float(parts.random.sum()),
        variance_residual=parts.residual,
        intervals=intervals,
        notes=(*notes, *more),
    )


def _shares(parts: VarianceParts) -> dict[str, float]:
    random = float(parts.random.sum())
    shares = {
        "adjusted": random / parts.unexplained,
        "unadjusted": random / parts.total,
    }
    for group, variance in parts.intercept.dropna().items():
        shares[_row(str(group))] = float(variance) / parts.unexplained
    return shares


def _row(group: str) -> str:
    """The row of a group's correlation among the intervals."""
    return f"by_group[{group}]"


def _design_effects(model: Mixed, by_group: pd.Series[float]) -> pd.Series[float]:
    effects = {}
    for group, icc in by_group.items():
        effects[group] = np.nan
        if not np.isnan(icc):
            sizes = np.bincount(group_codes(model, str(group))).astype(float)
            effects[group] = 1 + (np.sum(sizes**2) / np.sum(sizes) - 1) * icc
    return pd.Series(effects, name="design_effect", dtype=float)
