"""Confidence contours of pairs of parameters from their profiles: `m.plot.profile_pairs()`.

On the ζ scale a parameter's profile is the straight line ζ = δ by construction, and the contour of
a pair is close to the ellipse (c cos(t + d/2), c cos(t − d/2)) with cos d = r, on which both
profile traces have their ends: Bates & Watts (1988), Nonlinear Regression Analysis and Its
Applications, §6.1 and appendix A6. r is the correlation of the two estimates, which is the slope of
both traces at the estimate; here the traces are taken as straight on this scale. The curves ζ of
each parameter, interpolated, then bend the ellipse into the parameters' own units. The coverage is
joint: c² is a quantile of χ² with two degrees of freedom.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..inference.distributions import chi2_quantile
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
        r = float(profile.correlation[first.name][second.name])
        for kind, level, zeta in [*_contours(r), *_traces(r, first, second)]:
            x, y = first.value_at(zeta[0]), second.value_at(zeta[1])
            columns = {"kind": kind, "level": level, "x": x, "y": y}
            columns |= {"zeta_x": zeta[0], "zeta_y": zeta[1]}
            parts.append(pd.DataFrame(columns).assign(name_x=first.name, name_y=second.name))
    return pd.concat(parts, ignore_index=True)[names] if parts else pd.DataFrame(columns=names)


def _contours(r: float) -> list[tuple[str, float, tuple[Array, Array]]]:
    """Ellipses on the ζ scale; none where the correlation is not known (at a boundary)."""
    if np.isnan(r):
        return []
    t, d = np.linspace(0, 2 * np.pi, POINTS), np.arccos(np.clip(r, -1.0, 1.0))
    sizes = [np.sqrt(chi2_quantile(level, 2)) for level in LEVELS]
    return [
        ("contour", level, (c * np.cos(t + d / 2), c * np.cos(t - d / 2)))
        for level, c in zip(LEVELS, sizes, strict=True)
    ]


def _traces(
    r: float, first: ProfileCurve, second: ProfileCurve
) -> list[tuple[str, float, tuple[Array, Array]]]:
    if np.isnan(r):
        return []
    along = [np.linspace(curve.zeta[0], curve.zeta[-1], POINTS) for curve in (first, second)]
    return [
        ("trace", np.nan, (along[0], r * along[0])),
        ("trace", np.nan, (r * along[1], along[1])),
    ]


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
