"""R²: the share of variance that the fixed effects, and all effects, explain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from ..inference.bootstrap_intervals import interval_text, percentile_intervals
from ..printing.document import PrintedDocument
from .residual_variance import ResidualVariance

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["RSquared", "r_squared"]


@dataclass(frozen=True, eq=False)
class RSquared(PrintedDocument):
    """R² of a model, `m.r2()`.

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
    notes
        What was done, and printed below: the scale and residual variance of a generalised model.
    generalised
        Whether the model is a generalised one.

    Notes
    -----
    Nakagawa & Schielzeth (2013), Methods Ecol. Evol. 4, eq. 29-30; with random slopes, the mean
    random variance of Johnson (2014), see `IntraclassCorrelation`. The fixed variance is that of
    Xβ̂ over the rows, offset left out. The variances of a generalised model are those on the scale
    of its linear predictor (Nakagawa, Johnson & Schielzeth 2017), see `IntraclassCorrelation`;
    without random effects, on the latent scale of a binomial, this is the R² of McKelvey & Zavoina
    (1975).

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
    generalised: bool = False

    def __str__(self) -> str:
        marginal = f"{self.marginal:.3f}{interval_text(self.intervals, 'marginal')}"
        if not self.mixed:
            kind = "generalised" if self.generalised else "ordinary"
            return "\n".join([f"R²  {marginal}   {kind} regression", *self.notes])
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
    method: str | None = None,
    mean: str = "conditional",
    *,
    ci: float | None = None,
    nsim: int = 1000,
    seed: int = 0,
    n_threads: int | None = None,
) -> RSquared:
    """Compute `RSquared` for a fitted model; documented at `Description.r2`."""
    residual = ResidualVariance.of(model, method, mean)
    shares, notes = _shares(residual, model)
    intervals, more = percentile_intervals(
        model,
        lambda refitted: _shares(residual, refitted)[0],
        ci,
        nsim=nsim,
        seed=seed,
        n_threads=n_threads,
    )
    return RSquared(
        marginal=shares["marginal"],
        conditional=shares["conditional"],
        mixed=bool(model._matrices.terms),
        intervals=intervals,
        notes=(*notes, *more),
        generalised=residual.method is not None,
    )


def _shares(
    residual: ResidualVariance, model: FittedModel
) -> tuple[dict[str, float], tuple[str, ...]]:
    from ..models.model import LinearModel

    if isinstance(model, LinearModel):
        explained = float(model.summary().r_squared)
        return {"marginal": explained, "conditional": explained}, ()
    parts, notes = residual.parts(model)
    explained = parts.fixed + float(parts.random.sum())
    return {"marginal": parts.fixed / parts.total, "conditional": explained / parts.total}, notes
