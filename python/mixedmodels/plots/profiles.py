"""The looks of `m.plot.profile()`: ζ against each parameter, with its intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..inference.distributions import normal_quantile
from .profile_curves import LEVELS
from .style import BLUE, GREY, NOTE_SIZE, VERMILLION, figure_of, panels, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["draw_profiles", "panel_grid"]

MOST_PANELS = 30
MARKED = 0.95  # the interval drawn strongest


def draw_profiles(frame: pd.DataFrame, ax: Any) -> Axes | Figure:
    """A panel a parameter."""
    names = list(dict.fromkeys(frame["name"]))
    columns, size = panel_grid(len(names), "parameters")
    made = panels(len(names), ax, columns=columns, size=size)
    for k, (panel, name) in enumerate(zip(made, names, strict=True)):
        last = (k + 1) % columns == 0 or k + 1 == len(names)
        _panel(panel, frame[frame["name"] == name], first=k % columns == 0, last=last)
    return made[0] if len(made) == 1 else figure_of(made)


def panel_grid(count: int, what: str) -> tuple[int, tuple[float, float]]:
    """Panels side by side, and the size of their figure in inches.

    Raises
    ------
    ArgumentError
        There are none, or more than a page holds.
    """
    if not 1 <= count <= MOST_PANELS:
        raise ArgumentError(
            f"there are {count} {what} to draw and room for 1 to {MOST_PANELS} panels: choose by "
            "parm="
        )
    columns = 2 if count == 4 else min(count, 3)
    rows = -(-count // columns)
    return columns, (max(3.2 * columns, 5.6), max(2.6 * rows, 3.8))


def _panel(ax: Axes, part: pd.DataFrame, *, first: bool, last: bool) -> None:
    curve, points, ends = (part[part["kind"] == kind] for kind in ("curve", "point", "interval"))
    ax.axhline(0.0, color=GREY, linewidth=1.0, zorder=1)
    for level, value, zeta in ends[["level", "value", "zeta"]].to_numpy(dtype=float):
        strong = level == MARKED
        colour, width = (VERMILLION, 1.8) if strong else (GREY, 0.9)
        ax.plot([value, value], [0.0, zeta], color=colour, linewidth=width, zorder=2)
    ax.plot(curve["value"], curve["zeta"], color=BLUE, linewidth=1.9, zorder=3)
    ax.plot(points["value"], points["zeta"], ".", color=BLUE, markersize=4, zorder=3)
    reach = 1.12 * float(np.abs(curve["zeta"]).max())
    ax.set_ylim(-reach, reach)
    ax.set_xlabel(short([part["parameter"].iloc[0]], 34)[0], fontsize=10)
    if first:
        ax.set_ylabel("ζ", rotation=0)
    if last:
        _levels_beside(ax, reach)


def _levels_beside(ax: Axes, reach: float) -> None:
    """The coverage that goes with ±ζ, at the right edge."""
    for level in LEVELS:
        z = float(normal_quantile(0.5 + level / 2))
        if z < reach:
            ax.annotate(
                f"{100 * level:g} %",
                (1, z),
                xycoords=ax.get_yaxis_transform(),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                fontsize=NOTE_SIZE - 1.5,
                color=VERMILLION if level == MARKED else "#555555",
                annotation_clip=False,
            )
