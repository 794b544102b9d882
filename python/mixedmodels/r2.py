"""R²: the share of variance that the fixed effects, and all effects, explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from .bootstrap_intervals import interval_text, percentile_intervals
from .variance_parts import variance_parts

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["RSquared", "r_squared"]


@dataclass(frozen=True, eq=False)
class RSquared:
    """R² of a linear model, `m.r2()`.

    Attributes
    ----------
    marginal
        fixed / (fixed + random + residual): explained by the fixed effects.
    conditional
        (fixed + random) / (fixed + random + residual): explained by fixed and random effects.
    mixed
        Whether the model has random effects; without, both are the R² of the regression.
    intervals
        None, or a frame of bootstrap intervals: rows marginal, conditional; columns conf_low,
        conf_high.

    Notes
    -----
    Nakagawa & Schielzeth (2013), Methods Ecol. Evol. 4, eq. 29-30; with random slopes, the mean
    random variance of Johnson (2014), see `IntraclassCorrelation`. The fixed variance is that of
    Xβ̂ over the rows, offset left out.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> print(m.r2())
    R² (Nakagawa & Schielzeth)
      marginal     0.518   fixed effects
      conditional  0.734   fixed and random effects
    """

    marginal: float
    conditional: float
    mixed: bool
    intervals: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        marginal = f"{self.marginal:.3f}{interval_text(self.intervals, 'marginal')}"
        if not self.mixed:
            return "\n".join([f"R²  {marginal}   ordinary regression", *self.notes])
        conditional = f"{self.conditional:.3f}{interval_text(self.intervals, 'conditional')}"
        lines = [
            "R² (Nakagawa & Schielzeth)",
            f"  marginal     {marginal}   fixed effects",
            f"  conditional  {conditional}   fixed and random effects",
        ]
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__


def r_squared(
    model: FittedModel,
    *,
    ci: float | None = None,
    nsim: int = 1000,
    seed: int = 0,
    n_threads: int | None = None,
) -> RSquared:
    """Compute `RSquared` for a fitted model; documented at `Description.r2`."""
    shares = _shares(model)
    intervals, notes = percentile_intervals(
        model, _shares, ci, nsim=nsim, seed=seed, n_threads=n_threads
    )
    mixed = bool(model._matrices.terms)
    return RSquared(shares["marginal"], shares["conditional"], mixed, intervals, notes)


def _shares(model: FittedModel) -> dict[str, float]:
    from .model import LinearMixedModel

    if not isinstance(model, LinearMixedModel):
        explained = float(model.summary().r_squared)
        return {"marginal": explained, "conditional": explained}
    parts = variance_parts(model)
    explained = parts.fixed + float(parts.random.sum())
    return {"marginal": parts.fixed / parts.total, "conditional": explained / parts.total}
