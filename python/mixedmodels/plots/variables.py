"""What a plot is of: the predictor and the grouping factor meant, and the values of the rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, DataError
from ..input_tables.columns import Column, Table
from ..input_tables.factors import level_label
from ..marginal_means.reference_grid import Axis, named_columns, not_a_variable, reference_grid
from ..models.generalised import Generalised
from ..models.rows import kept_rows
from .style import short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..models.fitted import FittedModel

__all__ = ["Predictor", "find_predictor", "grouping_factor", "response_label", "row_weights"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Predictor:
    """A variable of the formula, along the x axis."""

    name: str
    values: NDArray[Any]  # (nobs,) numbers, or labels of levels
    labels: tuple[str, ...] | None  # of a factor, in its order; None: a number
    units_a_day: float | None = None  # of a date

    def at(self, values: Any) -> Array:
        """Where values stand on the axis: numbers at themselves, levels at 0, 1, ..."""
        if self.labels is None:
            return np.asarray(values, dtype=float)
        return pd.Index(self.labels).get_indexer(pd.Index(values)).astype(float)

    def drawn_at(self, values: Any) -> NDArray[Any]:
        """As `at`; dates as matplotlib reads them."""
        if self.units_a_day is None:
            return self.at(values)
        seconds = self.at(values) / self.units_a_day * 86400.0
        return (1e6 * seconds).round().astype("datetime64[us]")

    def name_ticks(self, ax: Axes, most: int) -> None:
        """Levels by their names, in at most so many characters each; dates without what their
        neighbours say."""
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

        if self.labels is not None:
            ax.set_xticks(range(len(self.labels)), short(self.labels, most))
        if self.units_a_day is not None:
            dates: Any = AutoDateLocator(minticks=2, maxticks=6)  # type: ignore[no-untyped-call]
            ax.xaxis.set_major_locator(dates)
            words: Any = ConciseDateFormatter(dates)  # type: ignore[no-untyped-call]
            ax.xaxis.set_major_formatter(words)


def find_predictor(model: FittedModel, name: str | None, *, random: bool = False) -> Predictor:
    """The predictor called `name`; None: the first number of the fixed part, else its first factor.

    Parameters
    ----------
    random
        Whether variables that stand in random terms alone count as well.

    Raises
    ------
    DataError
        The model was fitted from arrays, or holds no data.
    ArgumentError
        There is no such variable, or none at all.
    """
    spec, data = model._matrices.spec, model._call.data
    if spec is None or data is None:
        raise DataError(
            "this plot needs the table and the formula of the fit, and the model has none: it was "
            "fitted from arrays, or saved without its data"
        )
    columns = named_columns(spec, Table(data), random=random)
    if name is not None and name not in columns:
        raise ArgumentError(f"predictor: {not_a_variable(name, list(columns))}")
    if name is None:
        name = _default(model, named_columns(spec, Table(data)))
    axis = reference_grid(model, random=random).axes[name]
    return _predictor(model, columns[name], axis)


def _default(model: FittedModel, columns: dict[str, Column]) -> str:
    fixed = model._matrices.spec.formula.fixed  # type: ignore[union-attr]
    names = {name for variable in fixed.variables for name in variable.names()}
    found = [name for name in columns if name in names]
    if not found:
        raise ArgumentError(
            "the fixed part has no predictor to draw against: it is an intercept alone. See "
            "m.plot.means() for the means of the groups"
        )
    factors = ("text", "category", "boolean")
    numbers = [name for name in found if columns[name].kind not in factors]
    return (numbers or found)[0]


def _predictor(model: FittedModel, column: Column, axis: Axis) -> Predictor:
    if not axis.is_factor:
        units = column.units_a_day if column.kind == "date" else None
        return Predictor(column.name, kept_rows(model, column.numeric), None, units)
    labels = np.array([level_label(value) for value in axis.values], dtype=object)
    assert axis.codes is not None
    return Predictor(column.name, labels[axis.codes], tuple(labels))


def grouping_factor(model: FittedModel, group: str | None) -> str:
    """The grouping factor called `group`; None: the first one.

    Raises
    ------
    ArgumentError
        There is no such factor, or none at all.
    """
    groups = list(dict.fromkeys(term.group for term in model._matrices.terms))
    if not groups:
        raise ArgumentError(
            "this plot is of groups, and the model has no random effects: fit one with mm.lmer or "
            "mm.glmer, '... + (1 | group)'"
        )
    if group is None:
        return groups[0]
    if group not in groups:
        raise ArgumentError(f"group={group!r} is no grouping factor here; there are {groups}")
    return group


def response_label(model: FittedModel) -> str:
    """The response as an axis calls it: cbind(s, f) is the proportion of s."""
    name = model._matrices.response_name
    if name.startswith("cbind("):
        return "proportion of " + name.removeprefix("cbind(").split(",")[0]
    return name


def row_weights(model: FittedModel) -> Array:
    """Prior weights of the rows used (times numbers of trials), shape (nobs,)."""
    if isinstance(model, Generalised):
        return model._prior_weights
    weights = model._matrices.weights
    return np.ones(model.nobs) if weights is None else weights
