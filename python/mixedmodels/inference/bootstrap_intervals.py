"""Percentile intervals by the parametric bootstrap, for shares of variance."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import pandas as pd

from .distributions import check_level

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

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
        One row a statistic, columns conf_low and conf_high; None where `level` is None.
    notes
        What a reader has to know of them.
    """
    if level is None:
        return None, ()
    check_level(level)
    from .parametric_bootstrap import bootstrap

    refits = bootstrap(model, nsim, seed, statistic, n_threads=n_threads, progress=False)
    found = refits.confint(level)
    ends = found.iloc[:, :2].set_axis(["conf_low", "conf_high"], axis=1)
    return pd.DataFrame(ends), (f"{found.title}.", *found.notes)


def interval_text(intervals: pd.DataFrame | None, name: str) -> str:
    """ " [0.25, 0.61]", or nothing where there is no interval."""
    if intervals is None or name not in intervals.index:
        return ""
    low, high = intervals.loc[name, ["conf_low", "conf_high"]]
    return f" [{low:.3f}, {high:.3f}]"
