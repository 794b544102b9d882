"""How the plots look: colours, axes, labels. matplotlib is imported when a plot is asked for.

Colours are those of Okabe & Ito (2008, "Color Universal Design"), which colour-blind readers can
tell apart; where two things must be told apart in print, line style or marker differ as well.
Nothing global is changed: a figure made here is dressed artist by artist, and axes that were given
keep the style of their owner.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..errors import ArgumentError, MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

__all__ = [
    "BLACK",
    "BLUE",
    "CYCLE",
    "GREEN",
    "GREY",
    "LINE_STYLES",
    "MARKERS",
    "NOTE_SIZE",
    "ORANGE",
    "PURPLE",
    "SKY",
    "VERMILLION",
    "axes",
    "density_colours",
    "describe",
    "figure_of",
    "identity_line",
    "legend",
    "note",
    "panels",
    "pyplot",
    "reference_line",
    "short",
    "wrapped",
]

BLACK, GREY = "#000000", "#7f7f7f"
BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
PURPLE, SKY = "#CC79A7", "#56B4E9"
# Okabe & Ito's yellow is left out: on white it is hardly seen.
CYCLE = (BLUE, VERMILLION, GREEN, ORANGE, PURPLE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINE_STYLES = ("-", "--", "-.", ":")

Size = tuple[float, float]  # inches
Place = Literal["best", "upper left", "upper right", "lower left", "lower right"]
SINGLE: Size = (6.4, 4.4)
# On hexagons and behind points.
DASHED: dict[str, Any] = {"color": GREY, "linewidth": 1.2, "linestyle": (0, (5, 3)), "zorder": 1.4}
LETTER = 0.078  # inches: the width of a letter of a label, nearly
TITLE_SIZE, LABEL_SIZE, TICK_SIZE, NOTE_SIZE = 12.0, 11.0, 10.0, 9.0


def pyplot() -> ModuleType:
    """matplotlib.pyplot.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise MissingDependencyError(
            "plots are drawn by matplotlib, which is not installed: pip install "
            "'mixedmodels[plot]'. Every plot's numbers are there without it: m.plot.<name>_data()"
        ) from error
    return plt


def axes(ax: Axes | None = None, size: Size = SINGLE) -> Axes:
    """The axes to draw on: those given, or new ones on a figure of pyplot's, which notebooks show.

    Parameters
    ----------
    ax
        A matplotlib Axes, or None.
    size
        Width and height of a new figure, in inches.

    Raises
    ------
    ArgumentError
        `ax` is something else.
    MissingDependencyError
        matplotlib is not installed.
    """
    return panels(1, ax, size=size)[0]


def panels(
    count: int, ax: Any = None, *, columns: int | None = None, size: Size = SINGLE
) -> list[Axes]:
    """`count` axes: those given (one, or a sequence of as many), or new ones on one figure.

    Parameters
    ----------
    columns
        Panels side by side in a new figure; default: as near to a square as there are.
    size
        Width and height of a new figure, all panels together, in inches.
    """
    plt = pyplot()
    if ax is not None:
        return _given(count, ax)
    columns = columns or int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    figure, grid = plt.subplots(rows, columns, figsize=size, layout="constrained", squeeze=False)
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)
    for unused in grid.flat[count:]:
        figure.delaxes(unused)
    made = list(grid.flat[:count])
    for each in made:
        _dress(each)
        if columns > 1:
            each.locator_params(axis="x", nbins=4)  # numbers of many digits do not touch
    return made


def _given(count: int, ax: Any) -> list[Axes]:
    from matplotlib.axes import Axes

    several = isinstance(ax, Iterable)
    found = list(np.ravel(np.asarray(list(ax), dtype=object))) if several else [ax]
    wrong = [type(each).__name__ for each in found if not isinstance(each, Axes)]
    if wrong:
        raise ArgumentError(f"ax is {wrong[0]!r}; expected matplotlib Axes, or None")
    if len(found) != count:
        raise ArgumentError(
            f"ax holds {len(found)} axes and the picture has {count} "
            f"panel{'s' if count > 1 else ''}; give as many, or None for a new figure"
        )
    return found


def _dress(ax: Axes) -> None:
    """Open frame, a pale grid behind everything, and letters that can be read when printed."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(GREY)
    ax.grid(color="#e6e6e6", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.tick_params(labelsize=TICK_SIZE, color=GREY)
    ax.xaxis.label.set_fontsize(LABEL_SIZE)
    ax.yaxis.label.set_fontsize(LABEL_SIZE)
    ax.title.set_fontsize(TITLE_SIZE)
    ax.ticklabel_format(useMathText=True)  # × 10⁻⁸, not 1e−8


def describe(ax: Axes, *, x: str, y: str, title: str = "") -> None:
    """Labels of both axes, in as many lines as their lengths ask for, and a title."""
    dpi = ax.figure.figure.dpi
    ax.set_xlabel(wrapped(x, 0.8 * ax.bbox.width / dpi))  # names of levels may take a fifth
    ax.set_ylabel(wrapped(y, ax.bbox.height / dpi))
    if title:
        # not set_title(title, fontsize=...): axes that were given keep their own size
        ax.set_title(title)


def wrapped(text: str, inches: float) -> str:
    """Text in lines as long as an axis: broken at spaces, else after "_", ".", ":" or ",".

    >>> print(wrapped("mean of quality_of_life_after_a_year", inches=2.0))
    mean of quality_of_life_
    after_a_year
    """
    most = max(int(inches / LETTER), 8)
    lines = [""]
    for piece in re.findall(r"[^ _.:,]*[ _.:,]*", text):
        if lines[-1] and len(lines[-1] + piece.rstrip()) > most:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def reference_line(ax: Axes, *, x: float | None = None, y: float | None = None) -> None:
    """A dashed line at a value that means "nothing": zero, or an average."""
    if x is not None:
        ax.axvline(x, **DASHED)
    if y is not None:
        ax.axhline(y, **DASHED)


def identity_line(ax: Axes, through: float = 0.0) -> None:
    """The dashed line y = x, behind what is drawn; `through`: a value that both axes hold anyhow,
    since the picture grows to hold it."""
    ax.axline((through, through), slope=1, **DASHED)


def note(ax: Axes, text: str) -> None:
    """Small print in the upper right corner."""
    ax.annotate(
        text,
        xy=(1, 1),
        xycoords="axes fraction",
        xytext=(-3, -3),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=NOTE_SIZE,
        bbox={"boxstyle": "square,pad=0.2", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
        zorder=5,
    )


def legend(ax: Axes, place: Place = "best", remark: str = "") -> None:
    """The legend of what is labelled, on a ground that lets points behind it shine through; a
    remark is its heading."""
    made = ax.legend(loc=place, frameon=True, framealpha=0.8, edgecolor="none", fontsize=TICK_SIZE)
    if remark:
        made.set_title(remark)
        made.get_title().set_fontsize(NOTE_SIZE)


def density_colours() -> Colormap:
    """From pale to dark blue, every step darker than the last: it reads in grey as well."""
    pyplot()
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("density", ["#c9dff0", "#56a0d3", BLUE, "#012a45"])


def short(labels: Iterable[object], most: int = 24) -> list[str]:
    """Labels as strings of at most `most` characters; longer ones lose their middle, since names
    often differ in their ends, and interactions the middle of each factor. Different labels stay
    different, if need be at the price of more characters.

    >>> short(["north", "hospital of district 12"], most=13)
    ['north', 'hospit…ict 12']
    >>> short(["treatment of the old:baseline", "treatment of the young:baseline"], most=17)
    ['trea…old:baseline', 'trea…ung:baseline']
    >>> short(["the first of all", "the fifth of all"], most=9)
    ['the fir…of all', 'the fif…of all']
    """
    texts = [str(label) for label in labels]
    found = [_abbreviated(text, most) for text in texts]
    if len(set(found)) < len(set(texts)):
        return short(texts, most + 1)
    return found


def _abbreviated(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    parts = text.split(":")
    room = max((most + 1) // len(parts) - 1, 5)
    return ":".join(part if len(part) <= room else _middle_left_out(part, room) for part in parts)


def _middle_left_out(text: str, most: int) -> str:
    tail = (most - 1) // 2
    head = most - 1 - tail
    return f"{text[:head]}…{text[len(text) - tail :]}"


def figure_of(axes: Sequence[Axes]) -> Figure:
    """The figure that panels are on."""
    return axes[0].figure.figure  # of a figure inside a figure the outermost
