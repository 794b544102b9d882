"""Densities of a bootstrap's replicates with percentile intervals: `m.plot.bootstrap()`.

Standard deviations of zero and correlations of ±1 are point masses: they are drawn as spikes, as
high as their share of the panel's height, and the density is that of the rest, with the rest's
share as its area. It is a Gaussian kernel estimate with Silverman's bandwidth
(1986, Density Estimation, eq. 3.31), from binned replicates, reflected at the ends of the range
(op. cit., §2.10).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..input_tables.columns import names_given
from ..models.parameters import parameter_range
from .profiles import panel_grid
from .style import BLUE, NOTE_SIZE, ORANGE, describe, figure_of, note, panels, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..inference.parametric_bootstrap import Bootstrap

__all__ = ["density", "draw_densities", "replicate_densities"]

Array = NDArray[np.float64]
POINTS = 201  # of a curve
REACH = 3.0  # bandwidths beyond the outermost replicates
HEADROOM = 1.2  # above the curve, for the note
AT_END = 1e-8  # of the largest: a replicate this near to the end of its range is there


def replicate_densities(
    b: Bootstrap, parm: str | Sequence[str] | None, level: float
) -> pd.DataFrame:
    """What is drawn: name, parameter (its label), kind, value and height.

    Kinds are "density", "spike" (height: the share of the replicates there), "interval" (its two
    ends) and "estimate" (that of the model); the last two have no height.
    """
    intervals = b.confint(level)
    names = list(intervals.index) if parm is None else names_given(parm, "parm")
    unknown = [name for name in names if name not in intervals.index]
    if unknown:
        known = ", ".join(str(name) for name in intervals.index)
        raise ArgumentError(f"parm={unknown[0]!r} is no statistic here; there are {known}")
    values = b.to_frame()
    parts = []
    for name in names:
        low, high, estimate, label = list(intervals.loc[name])
        replicates = values[name].to_numpy(dtype=float)
        ends = parameter_range(str(label)) if b.statistic is None else (-np.inf, np.inf)
        kinds = _kinds(replicates[np.isfinite(replicates)], ends)
        kinds += [("interval", low, np.nan), ("interval", high, np.nan)]
        kinds.append(("estimate", estimate, np.nan))
        part = pd.DataFrame(kinds, columns=["kind", "value", "height"])
        part.insert(0, "name", name)
        part.insert(1, "parameter", label)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _kinds(x: Array, ends: tuple[float, float]) -> list[tuple[str, float, float]]:
    """The density of replicates and the spikes at the ends of their range."""
    near = AT_END * float(np.abs(x).max(initial=0.0))
    found: list[tuple[str, float, float]] = []
    inside = np.ones(len(x), dtype=bool)
    for end in ends:
        there = np.abs(x - end) <= near
        if there.any():
            found.append(("spike", end, float(there.mean())))
            inside &= ~there
    grid, height = density(x[inside], ends)
    share = inside.mean() if len(x) else 0.0
    curve = [("density", float(g), float(share * h)) for g, h in zip(grid, height, strict=True)]
    return curve + found


def density(x: Array, ends: tuple[float, float] = (-np.inf, np.inf)) -> tuple[Array, Array]:
    """A kernel estimate of the density on an even grid, reflected at finite ends.

    Returns
    -------
    grid, height
        Shape (POINTS,); empty where fewer than two values differ.
    """
    spread = float(np.std(x, ddof=1)) if len(x) > 1 else 0.0
    if not spread > 0:
        return np.empty(0), np.empty(0)
    quartiles = np.subtract(*np.quantile(x, [0.75, 0.25])) / 1.34
    width = 0.9 * (min(spread, quartiles) or spread) * len(x) ** -0.2
    low = max(float(x.min()) - REACH * width, ends[0])
    high = min(float(x.max()) + REACH * width, ends[1])
    grid = np.linspace(low, high, POINTS)
    edges = np.linspace(float(x.min()), float(x.max()), 5 * POINTS + 1)
    counts, _ = np.histogram(x, edges)
    centres = 0.5 * (edges[1:] + edges[:-1])
    mirrored = [centres, *(2 * end - centres for end in ends if np.isfinite(end))]
    height = sum(
        np.exp(-0.5 * ((grid[:, None] - centre) / width) ** 2) @ counts for centre in mirrored
    )
    return grid, np.asarray(height / (len(x) * width * np.sqrt(2 * np.pi)))


def draw_densities(frame: pd.DataFrame, level: float, ax: Any) -> Axes | Figure:
    """A panel a statistic."""
    names = list(dict.fromkeys(frame["name"]))
    columns, size = panel_grid(len(names), "statistics")
    made = panels(len(names), ax, columns=columns, size=size)
    for panel, name in zip(made, names, strict=True):
        _panel(panel, frame[frame["name"] == name])
    note(made[0], f"bar: {100 * level:g} % interval; dotted: estimate")
    return made[0] if len(made) == 1 else figure_of(made)


def _panel(ax: Axes, part: pd.DataFrame) -> None:
    kinds = {str(kind): rows for kind, rows in part.groupby("kind", sort=False)}
    low, high = kinds["interval"]["value"]
    estimate = float(kinds["estimate"]["value"].iloc[0])
    if "density" in kinds:
        curve = kinds["density"]
        x, y = curve["value"].to_numpy(), curve["height"].to_numpy()
        ax.plot(x, y, color=BLUE, linewidth=1.8)
        inside = (x >= low) & (x <= high)
        ax.fill_between(x, y, where=inside.tolist(), color=BLUE, alpha=0.2, linewidth=0)
    for value, share in kinds.get("spike", part.iloc[:0])[["value", "height"]].to_numpy():
        _spike(ax, float(value), float(share))
    ax.axvline(estimate, color="black", linewidth=1.2, linestyle=":")
    top = float(kinds["density"]["height"].max()) if "density" in kinds else 1.0
    ax.set_ylim(0, HEADROOM * top)
    ax.plot([low, high], [0, 0], color=ORANGE, linewidth=5, solid_capstyle="butt", clip_on=False)
    ax.set_yticks([])
    describe(ax, x=short([part["parameter"].iloc[0]], 34)[0], y="")


def _spike(ax: Axes, value: float, share: float) -> None:
    """A point mass: its height is its share of the panel's height."""
    ax.plot(
        [value, value],
        [0, share],
        transform=ax.get_xaxis_transform(),
        color="#D55E00",
        linewidth=3.5,
        solid_capstyle="butt",
        clip_on=False,
        zorder=4,
    )
    ax.annotate(
        f"{100 * share:.3g} % at {value:g}".replace("-", "−"),
        (value, share),
        xycoords=ax.get_xaxis_transform(),
        xytext=(4 if value <= 0 else -4, 2),
        textcoords="offset points",
        ha="left" if value <= 0 else "right",
        fontsize=NOTE_SIZE,
        color="#a04300",
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1},
    )
