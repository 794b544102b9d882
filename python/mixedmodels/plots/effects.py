"""Effect of a predictor: estimated means along it with their confidence bands, `m.plot.effects()`.

The means are those of `emmeans` over the reference grid: other numbers at their mean, other factors
averaged over their levels; random effects zero. Bands hold at each value, not for the curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..input_tables.factors import level_label
from ..marginal_means.emmeans import emmeans
from .style import (
    BLUE,
    CYCLE,
    LINE_STYLES,
    MARKERS,
    SINGLE,
    axes,
    describe,
    short,
)
from .variables import Predictor, find_predictor, response_label

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..models.fitted import FittedModel

__all__ = ["draw_effects", "effect_means"]

STEPS = 61  # values along a number
BAND = 0.18  # opacity
DODGE = 0.12  # between the marks of two lines at one level of a factor


def effect_means(
    model: FittedModel, predictor: str | None, by: str | None, level: float, ddf: str | None
) -> pd.DataFrame:
    """Means along the predictor on the scale of the response: x, (by,) estimate, std_error, df,
    conf_low, conf_high."""
    along = find_predictor(model, predictor)
    at = None
    if along.labels is None:
        ends = float(along.values.min()), float(along.values.max())
        at = {along.name: np.linspace(*ends, STEPS)}
    found = emmeans(
        model, along.name, by, at, ddf=ddf, level=level, weights="equal", type="response"
    )
    means = found.to_frame()
    names = ["estimate", "std_error", "df", "conf_low", "conf_high"]
    first = 1 if by is None else 2
    values = means.iloc[:, first : first + len(names)].set_axis(names, axis=1)
    x = means.iloc[:, 0]
    values.insert(0, "x", x if along.labels is None else [level_label(value) for value in x])
    if by is not None:
        values.insert(1, "by", [level_label(value) for value in means.iloc[:, 1]])
    return values


def draw_effects(
    model: FittedModel,
    predictor: str | None,
    by: str | None,
    level: float,
    ddf: str | None,
    ax: Any,
) -> Axes:
    """A line with a band along a number, marks with bars at the levels of a factor."""
    frame = effect_means(model, predictor, by, level, ddf)
    along = find_predictor(model, predictor)
    drawn: Axes = axes(ax, SINGLE)
    parts = [("", frame)] if by is None else list(frame.groupby("by", sort=False))
    for k, (label, part) in enumerate(parts):
        name = short([label])[0] if by is not None else None
        draw = _line if along.labels is None else _marks
        draw(drawn, along, part, k, len(parts), name)
    along.name_ticks(drawn, 14)
    if by is not None:
        drawn.legend(title=by, fontsize="small", title_fontsize="small", framealpha=0.85)
    y = f"estimated mean of {response_label(model)}, {100 * level:g} % interval"
    describe(drawn, x=along.name, y=y, title=f"Effect of {along.name}")
    return drawn


def _line(
    ax: Axes, along: Predictor, part: pd.DataFrame, k: int, count: int, name: str | None
) -> None:
    colour = CYCLE[k % len(CYCLE)]
    style: dict[str, Any] = {"color": colour, "linestyle": LINE_STYLES[k % len(LINE_STYLES)]}
    x = along.drawn_at(part["x"])
    ax.fill_between(x, part["conf_low"], part["conf_high"], color=colour, alpha=BAND, linewidth=0)
    ax.plot(x, part["estimate"], linewidth=2, label=name, **style)


def _marks(
    ax: Axes, along: Predictor, part: pd.DataFrame, k: int, count: int, name: str | None
) -> None:
    at = along.at(part["x"]) + DODGE * (k - (count - 1) / 2)
    estimate = part["estimate"].to_numpy()
    ends: Sequence[Any] = (estimate - part["conf_low"], part["conf_high"] - estimate)
    ax.errorbar(
        at,
        estimate,
        yerr=ends,
        fmt=MARKERS[k % len(MARKERS)] + ":",
        color=CYCLE[k % len(CYCLE)] if count > 1 else BLUE,
        linewidth=0.9,
        elinewidth=1.8,
        markersize=6.5,
        label=name,
    )
