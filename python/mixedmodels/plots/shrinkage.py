"""The looks of `m.plot.shrinkage()`: arrows from no pooling to partial pooling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .shrinkage_estimates import Shrinkage
from .style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    SINGLE,
    axes,
    describe,
    legend,
    reference_line,
    short,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_shrinkage"]

TITLE = "From no pooling to partial pooling"
LABELLED = 60  # groups whose names fit beside the axis
NAMED = 30  # groups whose names fit in the plane
OWN: dict[str, Any] = {
    "marker": "o",
    "linestyle": "none",
    "markerfacecolor": "white",
    "markeredgecolor": ORANGE,
    "markeredgewidth": 1.4,
    "zorder": 3,
}
MODEL: dict[str, Any] = {"marker": "o", "linestyle": "none", "color": BLUE, "zorder": 4}


def draw_shrinkage(found: Shrinkage, ax: Any) -> Axes:
    """One effect: a strip of groups. Two: the plane."""
    drawn = _strip(found, ax) if len(found.effects) == 1 else _plane(found, ax)
    shown = len(found.frame) // len(found.effects)
    remarks = []
    if shown < found.total:
        remarks.append(f"{shown} of {found.total:,} groups, evenly spaced")
    if found.without:
        remarks.append(f"{found.without} without an estimate of their own")
    legend(drawn, remark="\n".join(remarks))
    return drawn


def _strip(found: Shrinkage, ax: Any) -> Axes:
    """Groups one above the other by their own estimate, those without one at the top."""
    frame = found.frame.sort_values("no_pooling", kind="stable", ignore_index=True)
    few = len(frame) <= LABELLED
    height = max(SINGLE[1], 1.2 + 0.22 * len(frame)) if few else 6.4
    drawn: Axes = axes(ax, (SINGLE[0], height))
    at, size = np.arange(len(frame)), 6 if few else 3
    _arrows(drawn, frame["no_pooling"], at, frame["partial_pooling"], at)
    drawn.plot(frame["no_pooling"], at, label="no pooling: the group alone", markersize=size, **OWN)
    drawn.plot(
        frame["partial_pooling"],
        at,
        label="partial pooling: the model",
        markersize=size - 1,
        **MODEL,
    )
    reference_line(drawn, x=float(frame["population"].iloc[0]))
    drawn.lines[-1].set_label("population")
    if few:
        drawn.set_yticks(at, short(frame["level"]))
        drawn.set_ylim(-0.8, len(at) - 0.2)
    else:
        drawn.set_yticks([])
    describe(drawn, x=found.effects[0], y=found.group, title=TITLE)
    return drawn


def _plane(found: Shrinkage, ax: Any) -> Axes:
    drawn: Axes = axes(ax, (6.8, 5.4))
    x, y = (found.frame[found.frame["effect"] == effect] for effect in found.effects)
    size = 6 if len(x) <= NAMED else 3.5
    own = (x["no_pooling"].to_numpy(), y["no_pooling"].to_numpy())
    model = (x["partial_pooling"].to_numpy(), y["partial_pooling"].to_numpy())
    _arrows(drawn, *own, *model)
    drawn.plot(*own, label="no pooling: the group alone", markersize=size, **OWN)
    drawn.plot(*model, label="partial pooling: the model", markersize=size - 1, **MODEL)
    drawn.plot(
        x["population"].iloc[:1],
        y["population"].iloc[:1],
        label="population",
        marker="P",
        linestyle="none",
        color=BLACK,
        markersize=11,
        markeredgecolor="white",
        zorder=6,
    )
    if len(x) <= NAMED:
        _name(drawn, x, y)
    describe(drawn, x=found.effects[0], y=found.effects[1], title=TITLE)
    return drawn


def _arrows(ax: Axes, x: Any, y: Any, to_x: Any, to_y: Any) -> None:
    """Thin arrows from (x, y) to (to_x, to_y)."""
    ends = np.column_stack([x, y, to_x, to_y])
    x, y, to_x, to_y = ends[np.isfinite(ends).all(axis=1)].T
    ax.quiver(
        x,
        y,
        to_x - x,
        to_y - y,
        angles="xy",
        scale_units="xy",
        scale=1,
        units="inches",
        width=0.012,
        headwidth=6,
        headlength=7,
        headaxislength=6,
        color=GREY,
        zorder=2,
    )


def _name(ax: Axes, x: pd.DataFrame, y: pd.DataFrame) -> None:
    """Names beside the groups' own estimates, away from the population's."""
    for level, at_x, at_y, centre in zip(
        x["level"], x["no_pooling"], y["no_pooling"], x["population"], strict=True
    ):
        if not np.isfinite([at_x, at_y]).all():
            continue
        right = at_x >= centre
        ax.annotate(
            short([level], 10)[0],
            (at_x, at_y),
            xytext=(5 if right else -5, 2),
            textcoords="offset points",
            ha="left" if right else "right",
            fontsize=7.5,
            color="#444444",
        )
