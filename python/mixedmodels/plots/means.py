"""Means of the groups against the grand mean: `m.plot.means()`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..input_tables.factors import level_label
from ..models.rows import group_codes
from .large import evenly_spaced
from .style import BLUE, SINGLE, axes, describe, legend, note, reference_line, short
from .variables import grouping_factor, response_label, row_weights

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..models.fitted import FittedModel

__all__ = ["draw_means", "group_means"]

LABELLED = 60  # groups whose names fit beside the axis
MOST_GROUPS = 400  # beyond these, evenly spaced by rank


def group_means(model: FittedModel, group: str | None) -> pd.DataFrame:
    """Means of the response by group, ascending, and their standard errors.

    Rows count by their weights w (times numbers of trials): ȳ = Σwy/Σw, with standard error
    √(Σw(y − ȳ)²/((n − 1)Σw)), NaN in a group of one row.
    """
    name = grouping_factor(model, group)
    codes, y, w = group_codes(model, name), model._response, row_weights(model)
    term = next(term for term in model._matrices.terms if term.group == name)
    levels = len(term.levels)
    n, total = np.bincount(codes, minlength=levels), np.bincount(codes, w, levels)
    mean = np.bincount(codes, w * y, levels) / total
    squares = np.bincount(codes, w * (y - mean[codes]) ** 2, levels)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(n > 1, np.sqrt(squares / ((n - 1) * total)), np.nan)
    frame = pd.DataFrame(
        {
            "level": pd.Series([level_label(level) for level in term.levels], dtype=object),
            "n": n,
            "mean": mean,
            "std_error": error,
            "grand_mean": float((w * y).sum() / w.sum()),
        }
    )
    ordered = frame.sort_values("mean", kind="stable", ignore_index=True)
    ordered.insert(0, "rank", np.arange(1, len(ordered) + 1))
    return ordered.iloc[evenly_spaced(len(ordered), MOST_GROUPS)].reset_index(drop=True)


def draw_means(model: FittedModel, group: str | None, ax: Any) -> Axes:
    """Dots with a standard error either side, the smallest mean at the bottom."""
    frame, name = group_means(model, group), grouping_factor(model, group)
    total = next(len(term.levels) for term in model._matrices.terms if term.group == name)
    few = total <= LABELLED
    height = max(SINGLE[1], 1.2 + 0.22 * len(frame)) if few else 5.6
    drawn: Axes = axes(ax, (SINGLE[0], height))
    at = frame["rank"].to_numpy()
    style = {"markersize": 5, "linewidth": 1.6} if few else {"markersize": 2, "linewidth": 0.7}
    drawn.errorbar(
        frame["mean"],
        at,
        xerr=frame["std_error"],
        fmt="o",
        color=BLUE,
        markersize=style["markersize"],
        elinewidth=style["linewidth"],
        ecolor=BLUE if few else "#9ec5e0",
        label="mean ± standard error",
    )
    reference_line(drawn, x=float(frame["grand_mean"].iloc[0]))
    drawn.lines[-1].set_label("grand mean")
    if few:
        drawn.set_yticks(at, short(frame["level"]))
        drawn.set_ylim(0.2, len(at) + 0.8)
    elif len(frame) < total:
        note(drawn, f"{len(frame)} of {total:,} groups, evenly spaced by rank")
    legend(drawn, "lower right")
    label = name if few else f"{name}, by rank"
    title = "Group means against the grand mean"
    describe(drawn, x=f"mean of {response_label(model)}", y=label, title=title)
    return drawn
