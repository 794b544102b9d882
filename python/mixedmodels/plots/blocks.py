"""The block picture of the factor: `m.plot.blocks()`.

Rows and columns are the random effects of each grouping factor in the order of elimination (the
one with most effects first), then the fixed effects and the response. The first group's block of
the factor L is as diagonal as it is in the system matrix; the blocks below it have an entry where a
level occurs with one of the first group's; the others are those of the complement, with an entry
where two levels occur together or with the same level of the first group. (Eliminating the others
adds what `m.blocks()` counts.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..models.rows import group_codes
from .style import BLUE, axes, describe
from .variables import grouping_factor

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from scipy.sparse import csr_array

    from ..models.fitted import FittedModel

__all__ = ["block_frame", "draw_blocks"]

MOST_PRODUCTS = 2 * 10**7  # of pairs that meet in a level; more are not counted
SMALLEST = 0.17  # side of a block beside the picture's, so that its text fits
FIXED = "fixed effects, response"
FILL = {"dense": BLUE, "sparse": "#9ec5e0", "not counted": "#dddddd"}


@dataclass(frozen=True, eq=False)
class _Group:
    name: str
    levels: int
    effects: int  # a level
    codes: NDArray[np.intp]

    @property
    def size(self) -> int:
        return self.levels * self.effects


def block_frame(model: FittedModel) -> pd.DataFrame:
    """One row a block of the lower triangle: row, column, rows, columns, kind, filled."""
    groups = _groups(model)
    width = int(model._fit.rank) + 1
    found = []
    for i, row in enumerate(groups):
        for j, column in enumerate(groups[: i + 1]):
            filled = _filled(groups[0], row, column, i == j)
            kind = _kind(filled, row, i == j)
            found.append((row.name, column.name, row.size, column.size, kind, filled))
    for column in groups:
        found.append((FIXED, column.name, width, column.size, "dense", 1.0))
    found.append((FIXED, FIXED, width, width, "dense", 1.0))
    return pd.DataFrame(found, columns=["row", "column", "rows", "columns", "kind", "filled"])


def _groups(model: FittedModel) -> list[_Group]:
    grouping_factor(model, None)
    terms = model._matrices.terms
    found = []
    for name in dict.fromkeys(term.group for term in terms):
        own = [term for term in terms if term.group == name]
        effects = sum(len(term.columns) for term in own)
        found.append(_Group(name, len(own[0].levels), effects, group_codes(model, name)))
    return sorted(found, key=lambda group: group.size, reverse=True)


def _filled(first: _Group, row: _Group, column: _Group, is_diagonal: bool) -> float:
    """The share of a block's pairs of levels that have an entry; NaN where there are too many to
    count, but for a block that some levels of the first group fill."""
    if row is first:
        return 1 / first.levels
    if column is first:
        return _together(row, first).nnz / (row.levels * first.levels)
    left, right = _together(row, first), _together(column, first)
    products = np.cumsum(left.sum(axis=0) * right.sum(axis=0))
    some = int(np.searchsorted(products, MOST_PRODUCTS, side="right"))
    both = left[:, :some] @ right[:, :some].T
    if not is_diagonal:
        both = both + _together(row, column)
    filled = float(both.nnz) / (row.levels * column.levels)
    return filled if some == first.levels or filled == 1 else float("nan")


def _together(row: _Group, column: _Group) -> csr_array:
    """1 where two levels occur in the same row of the data, shape (levels, levels)."""
    from scipy.sparse import csr_array

    ones = np.ones(len(row.codes), dtype=np.int64)
    found = csr_array((ones, (row.codes, column.codes)), shape=(row.levels, column.levels))
    found.sum_duplicates()
    found.data[:] = 1
    return found


def _kind(filled: float, group: _Group, is_diagonal: bool) -> str:
    if np.isnan(filled):
        return "not counted"
    if is_diagonal and filled * group.levels <= 1 + 1e-9:
        return "diagonal" if group.effects == 1 else "block-diagonal"
    return "dense" if filled == 1 else "sparse"


def draw_blocks(model: FittedModel, ax: Any) -> Axes:
    """The lower triangle; sides by the cube roots of the numbers of effects."""
    frame = block_frame(model)
    drawn: Axes = axes(ax, (7.0, 5.6))
    names = list(dict.fromkeys(frame["row"]))
    sizes = frame[frame["row"] == frame["column"]].set_index("row").loc[names, "rows"]
    sides = np.cbrt(sizes.to_numpy(dtype=float))
    sides = np.maximum(sides / sides.sum(), SMALLEST)
    ends = np.r_[0.0, np.cumsum(sides / sides.sum())]
    for block in frame.itertuples(index=False):
        i, j = names.index(str(block.row)), names.index(str(block.column))
        x, y = ends[j], ends[i]
        _block(drawn, (x, y, ends[j + 1] - x, ends[i + 1] - y), block)
    middles = (ends[1:] + ends[:-1]) / 2
    labels = [f"{name}\n{size:,}" for name, size in zip(names, sizes, strict=True)]
    drawn.set_yticks(middles, labels)
    drawn.set_xticks(middles, [str(name).replace(", ", ",\n") for name in names])
    drawn.set_xlim(-0.005, 1.005)
    drawn.set_ylim(1.005, -0.005)
    drawn.grid(False)
    drawn.spines[:].set_visible(False)
    drawn.tick_params(length=0)
    describe(drawn, x="", y="", title="Blocks of the Cholesky factor L")
    return drawn


def _block(ax: Axes, box: tuple[float, float, float, float], block: Any) -> None:
    from matplotlib.patches import Rectangle

    x, y, width, height = box
    colour = FILL.get(block.kind, "white")
    ax.add_patch(Rectangle((x, y), width, height, facecolor=colour, edgecolor="#444444"))
    if block.kind in ("diagonal", "block-diagonal"):
        ends = [x, x + width], [y, y + height]
        ax.plot(*ends, color=BLUE, linewidth=2 if block.kind == "diagonal" else 6, zorder=2)
    share = f"\n{100 * block.filled:.3g} %" if block.kind == "sparse" else ""
    edge = {"facecolor": colour, "edgecolor": "none", "pad": 1.5, "alpha": 0.9}
    ax.text(
        x + width / 2,
        y + height / 2,
        f"{block.rows:,} × {block.columns:,}\n{block.kind}{share}",
        ha="center",
        va="center",
        fontsize=8.5,
        color="white" if block.kind == "dense" else "black",
        bbox=edge,
        zorder=3,
    )
