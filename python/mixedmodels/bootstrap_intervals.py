"""Percentile intervals by the parametric bootstrap, for shares of variance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pandas as pd

from .distributions import check_level

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["interval_text", "percentile_intervals"]

Model = TypeVar("Model", bound="FittedModel")


def percentile_intervals(
    model: Model,
    statistic: Callable[[Model], dict[str, float]],
    level: float | None,
    *,
    nsim: int,
    seed: int,
    n_threads: int | None,
) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """Intervals of the values that `statistic` gives of a fitted model, and what to say of them.

    Returns
    -------
    intervals
        One row a statistic, columns conf_low and conf_high: the quantiles (1 ∓ level)/2 of the
        refits (Davison & Hinkley 1997, §5.3.1); None where `level` is None.
    notes
        What a reader has to know of them.
    """
    if level is None:
        return None, ()
    check_level(level)
    from .parametric_bootstrap import bootstrap

    refits = bootstrap(
        model, nsim, seed, statistic=statistic, n_threads=n_threads, progress=False
    ).to_frame()
    tails = [0.5 - level / 2, 0.5 + level / 2]
    values = {name: np.nanquantile(column.to_numpy(), tails) for name, column in refits.items()}
    intervals = pd.DataFrame(values, index=["conf_low", "conf_high"]).T
    failed = int(refits.isna().all(axis=1).sum())
    note = f"{level:.0%} percentile intervals from {nsim} parametric bootstrap refits"
    return intervals, (note + (f", {failed} of which failed." if failed else "."),)


def interval_text(intervals: pd.DataFrame | None, name: str) -> str:
    """ " [0.25, 0.61]", or nothing where there is no interval."""
    if intervals is None:
        return ""
    low, high = intervals.loc[name, ["conf_low", "conf_high"]]
    return f" [{low:.3f}, {high:.3f}]"
