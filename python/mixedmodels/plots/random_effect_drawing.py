"""Drawing of conditional modes, from the frames of `random_effect_data.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .large import evenly_spaced, point_style
from .style import (
    BLACK,
    BLUE,
    GREY,
    SKY,
    describe,
    figure_of,
    legend,
    panels,
    reference_line,
    short,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_caterpillar", "draw_quantiles"]

LABELLED = 50  # levels that get a name
DRAWN = 5_000  # levels of more, evenly
IMAGE = 1_000  # levels beyond which they are an image even in vector formats


def draw_caterpillar(
    parts: list[pd.DataFrame], level: float, bars: bool, sort: bool, ax: Any
) -> Axes | Figure:
    """One panel a frame: levels upwards, modes with their intervals to the right."""
    made = panels(len(parts), ax, columns=min(len(parts), 3), size=_size(parts))
    for part, each in zip(parts, made, strict=True):
        _caterpillar(each, part, bars, sort)
        interval = f"conditional mode, {100 * level:g} % interval"
        describe(each, x=interval, y=_levels_in_words(part), title=_title(part))
    return made[0] if len(made) == 1 else figure_of(made)


def _size(parts: list[pd.DataFrame]) -> tuple[float, float]:
    """Inches: a line of text for every level that is named, and room for its name."""
    counts = [len(part) for part in parts]
    height = max(1.1 + 0.21 * n if n <= LABELLED else 4.6 for n in counts)
    columns = min(len(parts), 3)
    rows = -(-len(parts) // columns)
    named = [short(part["level"]) for part in parts if len(part) <= LABELLED]
    longest = max((len(name) for names in named for name in names), default=0)
    width = 3.8 + 0.08 * longest
    return max(6.4, columns * width), rows * max(height, 3.2)


def _title(part: pd.DataFrame) -> str:
    (term,), (group,) = short([part["term"].iloc[0]], 22), short([part["grp"].iloc[0]], 16)
    return f"{term} by {group}"


def _caterpillar(ax: Axes, part: pd.DataFrame, bars: bool, sort: bool) -> None:
    n = len(part)
    drawn = evenly_spaced(n, DRAWN)
    part = part.iloc[drawn]
    reference_line(ax, x=0)
    _intervals(ax, drawn, part, n, bars)
    draw = _bars if bars else _points
    draw(ax, drawn, part["value"].to_numpy(), n)
    _name_levels(ax, n, part["level"])
    if not sort:  # the first level on top, as in a table
        ax.invert_yaxis()


def _intervals(ax: Axes, at: Any, part: pd.DataFrame, n: int, bars: bool) -> None:
    """Lines on top of bars; where they touch each other pale ones, behind everything."""
    named = n <= LABELLED
    colour = (BLACK if bars else BLUE) if named else "#b8b8b8" if bars else SKY
    ends: dict[str, Any] = {"color": colour, "linewidth": _line_width(n)}
    order = 3 if named else 0.9
    image = n > IMAGE
    ax.hlines(at, part["conf_low"], part["conf_high"], zorder=order, rasterized=image, **ends)


def _points(ax: Axes, at: Any, values: Any, n: int) -> None:
    colour = BLUE if n <= LABELLED else BLACK  # on lines that touch each other
    size = float(np.clip(5.5 * (LABELLED / n) ** 0.6, 1.0, 5.5))
    dots: dict[str, Any] = {"marker": "o", "markersize": size, "markeredgewidth": 0}
    ax.plot(values, at, linestyle="none", color=colour, rasterized=n > IMAGE, zorder=4, **dots)


def _bars(ax: Axes, at: Any, values: Any, n: int) -> None:
    if n <= LABELLED:
        ax.barh(at, values, height=0.7, color=SKY, zorder=1.5)
        return
    # one area, not a rectangle a level
    image = n > IMAGE
    ax.fill_betweenx(at, 0, values, step="mid", color=BLUE, linewidth=0, rasterized=image)


def _line_width(n: int) -> float:
    return 1.4 if n <= LABELLED else float(np.clip(200 / n, 0.15, 1.0))


def _name_levels(ax: Axes, n: int, levels: pd.Series[Any]) -> None:
    margin = 0.7 if n <= LABELLED else 0.02 * n
    ax.set_ylim(-margin, n - 1 + margin)
    ax.grid(visible=False, axis="y")
    if n <= LABELLED:
        ax.set_yticks(np.arange(n), labels=short(levels))
        ax.tick_params(axis="y", length=0)
    else:
        ax.set_yticks([])


def _levels_in_words(part: pd.DataFrame) -> str:
    """Where levels have no names, how many they are."""
    if len(part) <= LABELLED:
        return ""
    drawn = f", {DRAWN:,} drawn" if len(part) > DRAWN else ""
    return f"{len(part):,} levels of {part['grp'].iloc[0]}{drawn}"


def draw_quantiles(parts: list[pd.DataFrame], level: float, band: str, ax: Any) -> Axes | Figure:
    """One panel a frame: modes with their intervals against normal quantiles, with a band."""
    columns = min(len(parts), 3)
    rows = -(-len(parts) // columns)
    size = (6.4, 4.4) if len(parts) == 1 else (4.6 * columns, 4.2 * rows)
    made = panels(len(parts), ax, columns=columns, size=size)
    for part, each in zip(parts, made, strict=True):
        _quantiles(each, part, f"{100 * level:g} % band, {band}")
        interval = f"conditional mode, {100 * level:g} % interval"
        describe(each, x="normal quantile", y=interval, title=f"Q-Q plot: {_title(part)}")
    return made[0] if len(made) == 1 else figure_of(made)


def _quantiles(ax: Axes, part: pd.DataFrame, words: str) -> None:
    x, n = part["theoretical"], len(part)
    ax.fill_between(x, part["low"], part["high"], color=SKY, alpha=0.3, linewidth=0, label=words)
    dashed: dict[str, Any] = {"color": GREY, "linewidth": 1.2, "linestyle": (0, (5, 3))}
    ax.plot(x, part["line"], **dashed)
    ends: dict[str, Any] = {"color": BLUE, "alpha": 0.35, "linewidth": _line_width(n)}
    ax.vlines(x, part["conf_low"], part["conf_high"], rasterized=n > IMAGE, **ends)
    ax.plot(x, part["value"], linestyle="none", **point_style(n))
    legend(ax, "upper left")
