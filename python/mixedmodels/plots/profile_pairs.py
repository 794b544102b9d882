"""Confidence contours of pairs of parameters from their profiles: `m.plot.profile_pairs()`.

Contours and profile traces are those of `profile_contours`, on the scale of ζ; the curves ζ of each
parameter, interpolated, bend them into the parameters' own units. The coverage is joint: c² is a
quantile of χ² with two degrees of freedom.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..inference.distributions import chi2_quantile
from .profile_contours import contour, profile_trace
from .profile_curves import LEVELS, ProfileCurve, profile_curves
from .style import BLUE, GREY, TICK_SIZE, VERMILLION, figure_of, panels, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..inference.profile import Profile

__all__ = ["MOST", "check_number", "draw_pairs", "pairs_frame"]

Array = NDArray[np.float64]

MOST = 8  # parameters
POINTS = 121  # of a contour
MARKED = 0.95


def check_number(count: int) -> None:
    """Refuse fewer than two parameters, and more than a page holds."""
    if not 2 <= count <= MOST:
        raise ArgumentError(
            f"there are {count} parameters; pairs need 2 to {MOST}: choose by parm="
        )


def pairs_frame(profile: Profile) -> pd.DataFrame:
    """What `m.plot.profile_pairs()` draws: name_x, name_y, kind, level, x, y, zeta_x, zeta_y.

    Kinds: "contour" (at a joint coverage `level`) and "trace" (`level` NaN): of x, the best y at
    each x, then of y. x and y are NaN beyond the ends of the profiles.
    """
    curves = profile_curves(profile)
    check_number(len(curves))
    names = ["name_x", "name_y", "kind", "level", "x", "y", "zeta_x", "zeta_y"]
    parts = []
    for first, second in combinations(curves, 2):
        for kind, level, zeta in _lines(first, second):
            x, y = first.value_at(zeta[0]), second.value_at(zeta[1])
            columns = {"kind": kind, "level": level, "x": x, "y": y}
            columns |= {"zeta_x": zeta[0], "zeta_y": zeta[1]}
            parts.append(pd.DataFrame(columns).assign(name_x=first.name, name_y=second.name))
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


def _lines(
    first: ProfileCurve, second: ProfileCurve
) -> Iterator[tuple[str, float, tuple[Array, Array]]]:
    """Kind, level and (ζ_x, ζ_y) of all that a panel shows; nothing where an estimate is at the end
    of its range."""
    if not (first.two_sided and second.two_sided):
        return
    of_second, of_first = profile_trace(first, second), profile_trace(second, first)
    t = np.linspace(0, 2 * np.pi, POINTS)
    for level in LEVELS:
        c = float(np.sqrt(chi2_quantile(level, 2)))
        yield "contour", level, contour(of_second, of_first, c, t)
    x, y = (np.linspace(curve.zeta[0], curve.zeta[-1], POINTS) for curve in (first, second))
    yield "trace", np.nan, (x, of_second.at(x))
    yield "trace", np.nan, (of_first.at(y), y)


def draw_pairs(profile: Profile, ax: Any = None) -> Figure:
    """A lattice: below the diagonal in the parameters' units, above it on the ζ scale."""
    frame, curves = pairs_frame(profile), profile_curves(profile)
    count = len(curves)
    made = np.array(
        panels(count**2, ax, columns=count, size=(1.2 + 1.75 * count, 1.0 + 1.6 * count)),
        dtype=object,
    ).reshape(count, count)
    reach = 1.05 * float(np.sqrt(chi2_quantile(LEVELS[-1], 2)))
    for k, curve in enumerate(curves):
        _diagonal(made[k, k], curve, reach)
    for j, i in combinations(range(count), 2):
        pair = (frame["name_x"] == curves[j].name) & (frame["name_y"] == curves[i].name)
        _contour_panel(made[i, j], frame[pair], "x", "y")
        _contour_panel(made[j, i], frame[pair], "zeta_y", "zeta_x")
        made[j, i].set_xlim(-reach, reach)
        made[j, i].set_ylim(-reach, reach)
    _tidy_ticks(made)
    return figure_of([made[0, 0]])


def _contour_panel(ax: Axes, pair: pd.DataFrame, x: str, y: str) -> None:
    if not len(pair):
        ax.text(0.5, 0.5, "at the boundary", ha="center", va="center", transform=ax.transAxes)
    for level in LEVELS:
        contour = pair[pair["level"] == level]
        strong = level == MARKED
        style: dict[str, Any] = {"color": VERMILLION if strong else BLUE}
        ax.plot(contour[x], contour[y], linewidth=1.6 if strong else 0.9, **style)
    traces = pair[pair["kind"] == "trace"]
    for part in (traces.iloc[:POINTS], traces.iloc[POINTS:]):
        ax.plot(part[x], part[y], color=GREY, linewidth=0.9, linestyle="--")


def _diagonal(ax: Axes, curve: ProfileCurve, reach: float) -> None:
    """The parameter's name over its profile."""
    line = np.linspace(curve.values[0], curve.values[-1], POINTS)
    ax.plot(line, curve.zeta_at(line), color=BLUE, linewidth=1.5)
    ax.axhline(0, color=GREY, linewidth=0.8)
    ax.set_ylim(-reach, reach)
    name = curve.label.replace("|", "\n| ").replace(".(", "\n.(")
    ax.annotate(
        "\n".join(short(name.split("\n"), 18)),
        (0.04, 0.96),
        xycoords="axes fraction",
        va="top",
        fontsize=TICK_SIZE - 1.5,
    )


def _tidy_ticks(made: NDArray[Any]) -> None:
    """Numbers at the left and below, where the panels share them; none in between."""
    count = len(made)
    for i in range(count):
        for j in range(count):
            ax = made[i, j]
            ax.tick_params(labelsize=7)
            ax.locator_params(nbins=4)
            if not (j == 0 and i > 0):
                ax.tick_params(labelleft=False)
            if i < count - 1:
                ax.tick_params(labelbottom=False)
