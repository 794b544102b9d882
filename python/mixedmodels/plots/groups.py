"""The looks of `m.plot.groups()`: one axes in colours, a panel a group, or a bundle of lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .group_lines import GroupLines
from .large import point_style
from .style import (
    BLACK,
    BLUE,
    CYCLE,
    GREY,
    LINE_STYLES,
    MARKERS,
    describe,
    figure_of,
    legend,
    panels,
    short,
    wrapped,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_groups"]

IN_COLOURS = len(CYCLE)  # groups that colours can tell apart
POPULATION: dict[str, Any] = {"color": BLACK, "linewidth": 2.4, "zorder": 5}
FAINT: dict[str, Any] = {"color": GREY, "linewidth": 1.2, "linestyle": "--", "zorder": 2}


def draw_groups(found: GroupLines, ax: Any) -> Axes | Figure:
    """Few groups: in colours. Up to some fifty, on a figure of our own: a panel each. Else, and on
    axes that were given: all lines in one colour."""
    if len(found.levels) <= IN_COLOURS:
        return _in_colours(found, panels(1, ax)[0])
    if ax is None and found.total == len(found.levels):
        return _in_panels(found)
    return _in_a_bundle(found, panels(1, ax)[0])


def _in_colours(found: GroupLines, ax: Axes) -> Axes:
    rows, lines, population = _kinds(found)
    for k, level in enumerate(found.levels):
        mine = rows[rows["level"] == level]
        style = point_style(len(rows), CYCLE[k]) | {"marker": MARKERS[k]}
        ax.plot(found.predictor.drawn_at(mine["x"]), mine["y"], linestyle="none", **style)
        look: dict[str, Any] = {"color": CYCLE[k], "linewidth": 1.8}
        look["linestyle"] = LINE_STYLES[k % len(LINE_STYLES)]  # in grey colours look alike
        _line(ax, found, lines[lines["level"] == level], **look)
        ax.plot([], [], label=short([level])[0], marker=MARKERS[k], **look)
    _line(ax, found, population, label="population", **POPULATION)
    heading = f"{found.group} ({found.remark})" if found.remark else found.group
    ax.legend(title=heading, fontsize="small", title_fontsize="small", framealpha=0.85)
    return _labelled(ax, found)


def _in_a_bundle(found: GroupLines, ax: Axes) -> Axes:
    rows, lines, population = _kinds(found)
    style = point_style(len(rows), GREY) | {"zorder": 1}
    ax.plot(found.predictor.drawn_at(rows["x"]), rows["y"], linestyle="none", **style)
    for k, level in enumerate(found.levels):
        label = f"each {found.group}" if k == 0 else None
        mine = lines[lines["level"] == level]
        _line(ax, found, mine, label=label, color=BLUE, linewidth=1.0, alpha=0.75)
    _line(ax, found, population, label="population", **POPULATION)
    legend(ax, remark=found.remark)
    return _labelled(ax, found)


def _in_panels(found: GroupLines) -> Figure:
    rows, lines, population = _kinds(found)
    count = len(found.levels)
    columns = int(np.ceil(np.sqrt(1.5 * count)))
    down = -(-count // columns)
    made = panels(count, columns=columns, size=(1.0 + 1.55 * columns, 1.0 + 1.55 * down))
    style = point_style(max(len(rows) // 5, 30))
    for k, (ax, level) in enumerate(zip(made, found.levels, strict=True)):
        if k:
            ax.sharex(made[0])
            ax.sharey(made[0])
        mine = rows[rows["level"] == level]
        ax.plot(found.predictor.drawn_at(mine["x"]), mine["y"], linestyle="none", **style)
        _line(ax, found, population, label="population", **FAINT)
        own = lines[lines["level"] == level]
        _line(ax, found, own, label=f"each {found.group}", color=BLUE, linewidth=1.8, zorder=3)
        ax.set_title(short([level], 16)[0], fontsize=10)
        ax.tick_params(labelsize=8, labelleft=k % columns == 0, labelbottom=k + columns >= count)
        found.predictor.name_ticks(ax, 12)
    figure = figure_of(made)
    width, height = figure.get_size_inches()
    figure.supxlabel(wrapped(found.predictor.name, width), fontsize=11)
    figure.supylabel(wrapped(found.response, height), fontsize=11)
    handles, labels = made[0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        title=found.remark or None,
        loc="outside upper center",
        ncols=2,
        fontsize=9,
        title_fontsize=9,
        frameon=False,
    )
    return figure


def _kinds(found: GroupLines) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    frame = found.frame
    rows, lines, population = (
        frame[frame["kind"] == kind] for kind in ("row", "line", "population")
    )
    return rows, lines, population


def _line(ax: Axes, found: GroupLines, line: pd.DataFrame, **style: Any) -> None:
    """A line; a tick where all its points have one value of the predictor."""
    if len(line) == 1:
        style |= {"marker": "_", "markersize": 12, "markeredgewidth": 2}
    ax.plot(found.predictor.drawn_at(line["x"]), line["y"], **style)


def _labelled(ax: Axes, found: GroupLines) -> Axes:
    found.predictor.name_ticks(ax, 12)
    title = f"Lines by {found.group}"
    describe(ax, x=found.predictor.name, y=found.response, title=title)
    return ax
