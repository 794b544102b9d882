"""The power curve of `mm.power`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ..errors import ArgumentError
from .style import CYCLE, LINE_STYLES, MARKERS, axes, describe, reference_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..planning.power_analysis import Power

__all__ = ["curve_data", "draw_power"]

USUAL = 0.8  # the power that studies are planned for


def curve_data(power: Power) -> pd.DataFrame:
    """Documented at `Power.plot_data`."""
    if not power.over:
        raise ArgumentError(
            "there is one setting, and no curve: give over=, as {'patient': [10, 20, 40]}"
        )
    frame = power.to_frame()
    first, *others = power.over
    line = [
        ", ".join(f"{name} = {value}" for name, value in zip(others, values, strict=True))
        for values in frame[others].to_numpy()
    ]
    data = pd.DataFrame(
        {"x": frame[first], "line": pd.Categorical(line, list(dict.fromkeys(line)))}
    )
    data = data.join(frame[["power", "conf_low", "conf_high"]])
    return data.sort_values(["line", "x"], ignore_index=True)


def draw_power(power: Power, ax: Axes | None) -> Axes:
    """Documented at `Power.plot`."""
    data = curve_data(power)
    ax = axes(ax)
    reference_line(ax, y=USUAL)
    for k, (label, line) in enumerate(data.groupby("line", observed=True)):
        colour = CYCLE[k % len(CYCLE)]
        ax.fill_between(
            line["x"], line["conf_low"], line["conf_high"], color=colour, alpha=0.18, linewidth=0
        )
        ax.plot(
            line["x"], line["power"], color=colour, marker=MARKERS[k % len(MARKERS)],
            linestyle=LINE_STYLES[k % len(LINE_STYLES)], label=str(label),
        )  # fmt: skip
    ax.set_ylim(0, 1.02)
    if data["x"].nunique() <= 10:
        ax.set_xticks(sorted(set(data["x"])))
    if len(power.over) > 1:
        ax.legend(frameon=False, loc="lower right")
    first = power.over[0]
    x = first if first == "per_group" else f"number of groups: {first}"
    describe(ax, x=x, y="power", title=f"Power for {power.effect}")
    return ax
