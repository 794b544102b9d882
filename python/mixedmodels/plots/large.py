"""Scatter plots of any number of points: points while they can be told apart, then their density.

Beyond `MANY` points a cloud is a blot, slow to draw, and a vector file with an element a point. It
is then drawn as hexagons, the darker the more points (on a log scale, so that single outliers stay
visible), as an image even in vector formats. Nothing is drawn at random.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .smoother import Smooth
from .style import BLUE, VERMILLION, density_colours, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["MANY", "cloud", "curve", "evenly_spaced"]

Array = NDArray[np.float64]

MANY = 5_000
CELLS = (70, 40)


def cloud(ax: Axes, x: Array, y: Array, *, colour: str = BLUE, label: str | None = None) -> None:
    """The points (x, y), each of shape (n,): as points, or their density where there are many.

    Pairs that are not finite are left out.
    """
    finite = np.isfinite(x) & np.isfinite(y)
    x, y = x[finite], y[finite]
    if len(x) > MANY:
        _density(ax, x, y)
        return
    style = point_style(len(x), colour)
    ax.plot(x, y, linestyle="none", label=label, **style)


def point_style(n: int, colour: str = BLUE) -> dict[str, Any]:
    """Markers that are smaller and paler the more there are."""
    size = float(np.clip(9 - 1.2 * np.log10(max(n, 1)) ** 1.3, 2.5, 6.5))
    alpha = float(np.clip(1.15 - 0.2 * np.log10(max(n, 1)), 0.4, 0.9))
    return {
        "marker": "o",
        "markersize": size,
        "color": colour,
        "alpha": alpha,
        "markeredgewidth": 0,
    }


def _density(ax: Axes, x: Array, y: Array) -> None:
    ax.hexbin(
        x,
        y,
        gridsize=CELLS,
        bins="log",
        mincnt=1,
        cmap=density_colours(),
        linewidths=0.4,
        edgecolors="face",
        rasterized=True,
        zorder=1.2,  # lines of reference show on it
    )
    note(ax, f"{len(x):,} points, darker: more")


def curve(ax: Axes, smooth: Smooth, *, label: str | None = None) -> None:
    """A smoother's curve, with a thin white edge so that it shows on dark ground."""
    from matplotlib.patheffects import Normal, Stroke

    edge = [Stroke(linewidth=3, foreground="white"), Normal()]
    ax.plot(
        smooth.x, smooth.y, color=VERMILLION, linewidth=2, label=label, path_effects=edge, zorder=4
    )


def evenly_spaced(n: int, most: int) -> NDArray[np.intp]:
    """At most `most` of the positions 0 ... n − 1, evenly, both ends among them.

    >>> evenly_spaced(3, 10).tolist(), evenly_spaced(1001, 3).tolist()
    ([0, 1, 2], [0, 500, 1000])
    """
    if n <= most:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, most).round().astype(np.intp))
