"""The numbers of `m.plot.groups()`: rows of some groups, their lines, and the population's.

A group's line is its linear predictor, fixed plus random effects of this grouping factor, along
the predictor's values in the group; other variables are averaged over the reference grid (numbers
at their mean, factors over their levels with equal weights), other grouping factors' effects are
zero. The population's line has no random effects.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..input_tables.factors import level_label
from ..marginal_means.reference_grid import reference_grid
from ..models.rows import group_codes
from .large import MANY, evenly_spaced
from .variables import Predictor, find_predictor, grouping_factor, response_label

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["MOST_GROUPS", "GroupLines", "group_lines"]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

MOST_GROUPS = 50  # beyond these, evenly spaced ones
STEPS = 41  # points of a line along a number


@dataclass(frozen=True, eq=False)
class GroupLines:
    """What is drawn, and what its labels say."""

    predictor: Predictor
    group: str
    response: str
    levels: list[str]  # of the groups drawn
    total: int  # groups of the model
    frame: pd.DataFrame  # kind (row, line, population), level, x, y
    rows: int  # of these groups, of which the frame has at most `MANY`

    @property
    def remark(self) -> str:
        """What a reader has to know who would think that everything is drawn; else empty."""
        remarks = []
        if len(self.levels) < self.total:
            remarks.append(f"{len(self.levels)} of {self.total:,} groups, evenly spaced")
        drawn = int((self.frame["kind"] == "row").sum())
        if drawn < self.rows:
            remarks.append(f"{drawn:,} of their {self.rows:,} rows")
        return "; ".join(remarks)


def group_lines(model: FittedModel, predictor: str | None, group: str | None) -> GroupLines:
    """Rows and lines of at most `MOST_GROUPS` groups, those of at most `MANY` rows."""
    name = grouping_factor(model, group)
    along = find_predictor(model, predictor, random=True)
    codes = group_codes(model, name)
    term = next(term for term in model._matrices.terms if term.group == name)
    labels = np.array([level_label(level) for level in term.levels], dtype=object)
    shown = evenly_spaced(len(labels), MOST_GROUPS)
    rows = np.flatnonzero(np.isin(codes, shown))
    lines, population = _curves(model, along, name, shown, codes[rows], along.values[rows])
    drawn = rows[evenly_spaced(len(rows), MANY)]
    parts = [
        _part("row", labels[codes[drawn]], along.values[drawn], model._response[drawn]),
        *(_part("line", labels[g], x, model._mean(eta)) for g, x, eta in lines),
        _part("population", None, population[0], model._mean(population[1])),
    ]
    return GroupLines(
        along,
        name,
        response_label(model),
        list(labels[shown]),
        len(labels),
        pd.concat(parts, ignore_index=True),
        len(rows),
    )


def _part(kind: str, level: Any, x: NDArray[Any], y: Array) -> pd.DataFrame:
    columns = {"kind": kind, "level": level, "x": x, "y": y}
    return pd.DataFrame(columns).astype({"level": object})


def _curves(
    model: FittedModel, along: Predictor, group: str, shown: Codes, codes: Codes, x: NDArray[Any]
) -> tuple[list[tuple[int, NDArray[Any], Array]], tuple[NDArray[Any], Array]]:
    """(group, x, linear predictor) of each line, and the population's (x, linear predictor)."""
    spans = _spans(along, shown, codes, x)
    values = _grid_values(along, spans)
    grid = reference_grid(model, {along.name: values}, random=True)
    X, offset = grid.margins([along.name], "equal")
    fixed = X @ np.nan_to_num(np.asarray(model._fit.beta)) + offset
    spec, table = model._matrices.spec, grid.table
    assert spec is not None
    random = np.zeros((len(shown), len(fixed)))
    for t, info in enumerate(model._matrices.terms):
        if info.group == group:
            Z = grid.average(spec.random_columns(table, t), [along.name], "equal")
            random += model._modes[t][shown] @ Z.T
    at = along.at(values)
    lines = []
    for k, (g, (low, high)) in enumerate(zip(shown, spans, strict=True)):
        inside = (at >= low) & (at <= high)
        lines.append((int(g), values[inside], fixed[inside] + random[k, inside]))
    return lines, (values, fixed)


def _spans(along: Predictor, shown: Codes, codes: Codes, x: NDArray[Any]) -> list[tuple[Any, Any]]:
    """Smallest and largest value of the predictor in each group shown, as places on the axis."""
    found = pd.Series(along.at(x)).groupby(codes).agg(["min", "max"]).loc[shown]
    return list(zip(found["min"], found["max"], strict=True))


def _grid_values(along: Predictor, spans: list[tuple[Any, Any]]) -> NDArray[Any]:
    """Values at which the lines are evaluated, ascending: the ends of every group's among them."""
    if along.labels is not None:
        return np.array(along.labels, dtype=object)
    ends = np.array(spans, dtype=float).ravel()
    low, high = float(along.values.min()), float(along.values.max())
    return np.unique(np.r_[np.linspace(low, high, STEPS), ends])
