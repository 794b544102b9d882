"""The reference grid of marginal means: the fixed part at every combination of its variables.

As R's emmeans builds it (Searle, Speed & Milliken 1980, Am. Stat. 34, 216-221): factors at all
levels that the rows used have, covariates at the mean of the variable itself, so that log(x),
poly(x, 2) and I(x^2) are evaluated at the mean of x. A covariate with two values counts as a
factor, and so does a number inside factor(). Offsets that the formula names are evaluated on the
grid like predictors; an offset given as an array stands at its mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, DataError, closest
from ..formulas.evaluate import Evaluator
from ..formulas.expression import Call, Expression, Name, Node, walk
from ..formulas.transforms import FACTOR_FUNCTIONS
from ..input_tables.columns import Column, Table
from ..input_tables.factors import level_label
from ..matrices.model_frame import given_numbers

if TYPE_CHECKING:
    from ..matrices.model_spec import ModelSpec
    from ..models.fitted import FittedModel

__all__ = ["Axis", "ReferenceGrid", "named_columns", "not_a_variable", "reference_grid"]

Array = NDArray[np.float64]

FEW_VALUES = 2  # a covariate with no more distinct values than these counts as a factor
LARGEST = 10**8  # numbers in the grid's X: 0.8 GB


@dataclass(frozen=True)
class Axis:
    """One variable of the grid and its values there."""

    name: str
    values: Any  # an array or pandas array of the column's own kind, one value a level
    codes: NDArray[np.intp] | None  # of the rows used among `values`, -1: none; None: a covariate
    is_factor: bool = False  # not a covariate with two values

    def __len__(self) -> int:
        return len(self.values)

    @property
    def labels(self) -> list[str]:
        """The values as R prints them."""
        return [level_label(value) for value in self.values]


@dataclass(frozen=True)
class ReferenceGrid:
    """All combinations of the axes, the last varying fastest."""

    axes: dict[str, Axis]
    X: Array  # (cells, p): all columns of the fixed part, also those dropped as collinear
    offset: Array  # (cells,)

    def levels(self, names: Sequence[str]) -> pd.DataFrame:
        """The combinations of these variables, the first varying fastest."""
        axes = [self.axes[name] for name in names]
        positions = _combinations([len(axis) for axis in axes[::-1]])[::-1]
        pairs = zip(axes, positions, strict=True)
        return pd.DataFrame({axis.name: axis.values.take(at) for axis, at in pairs})

    def margins(self, names: Sequence[str], weights: str) -> tuple[Array, Array]:
        """Rows of X, shape (cells, p), and offsets of the combinations of `names`, in the order of
        `levels`; the mean over all other variables."""
        rows = self.average(np.column_stack([self.X, self.offset]), names, weights)
        return rows[:, :-1], rows[:, -1]

    def average(self, values: Array, names: Sequence[str], weights: str) -> Array:
        """Values of the grid's cells, shape (cells, k) → of the combinations of `names`, in the
        order of `levels`; the mean over all other variables."""
        kept = [list(self.axes).index(name) for name in names[::-1]]
        others = [j for j in range(len(self.axes)) if j not in kept]
        sizes = [len(axis) for axis in self.axes.values()]
        cube = values.reshape(*sizes, -1).transpose(*kept, *others, len(sizes))
        share = self._shares(others, weights)
        blocks = cube.reshape(-1, len(share), cube.shape[-1])
        return np.asarray(np.einsum("cap,a->cp", blocks, share))

    @property
    def table(self) -> pd.DataFrame:
        """The cells, one a row, as data that the formula can be evaluated on."""
        return _table(self.axes)

    def _shares(self, others: Sequence[int], weights: str) -> Array:
        """What each combination of the variables averaged over counts; they add to 1."""
        axes = [list(self.axes.values())[j] for j in others]
        total = int(np.prod([len(axis) for axis in axes], dtype=np.int64))
        if weights == "equal":
            return np.full(total, 1 / total)
        counts = self._counts(axes)
        if counts.sum() == 0:
            raise ArgumentError("weights='proportional': no row has the levels that `at` leaves")
        return np.asarray(counts / counts.sum())

    def _counts(self, axes: Sequence[Axis]) -> Array:
        """Rows by combination; the values of a covariate share them equally."""
        coded = [axis.codes for axis in self.axes.values() if axis.codes is not None]
        inside = np.all([codes >= 0 for codes in coded], axis=0) if coded else np.ones(1, bool)
        flat, size = np.zeros(int(inside.sum()), dtype=np.intp), []
        for axis in axes:
            size.append(1 if axis.codes is None else len(axis))
            if axis.codes is not None:
                flat = flat * len(axis) + axis.codes[inside]
        counts = np.bincount(flat, minlength=int(np.prod(size))).reshape(size)
        return np.broadcast_to(counts, [len(axis) for axis in axes]).astype(float).ravel()


def reference_grid(
    model: FittedModel, at: Mapping[str, Any] | None = None, *, random: bool = False
) -> ReferenceGrid:
    """The grid of a model's fixed part.

    Parameters
    ----------
    at
        Variable → its values on the grid, in place of all levels or of the mean.
    random
        True: also over the variables of the random terms' columns (not their groups).

    Raises
    ------
    DataError
        The model was fitted from arrays: there is no formula to evaluate.
    ArgumentError
        `at` names a variable or a level that the fixed part does not have, or the grid is too
        large.
    """
    spec = model._matrices.spec
    if spec is None:
        raise DataError(
            "marginal means need a formula to build the reference grid from, and this model was "
            "fitted from arrays: test rows of X with m.test(L)"
        )
    if not (at is None or isinstance(at, Mapping)):
        raise ArgumentError(f"at is {at!r}; expected a dict of variables and their values")
    axes = _axes(model, spec, dict(at or {}), random)
    rows = int(np.prod([len(axis) for axis in axes.values()], dtype=np.int64))
    if rows * len(spec.fixed.columns) > LARGEST:
        sizes = ", ".join(f"{name} {len(axis)}" for name, axis in axes.items())
        raise ArgumentError(
            f"the reference grid has {rows} cells ({sizes}) × {len(spec.fixed.columns)} columns; "
            "give fewer levels in `at`"
        )
    X, offset = _evaluate(model, spec, axes, rows)
    return ReferenceGrid(axes, X, offset)


def _axes(model: FittedModel, spec: ModelSpec, at: dict[str, Any], random: bool) -> dict[str, Axis]:
    columns = named_columns(spec, Table(model._call.data), random=random)
    unknown = [name for name in at if name not in columns]
    if unknown:
        raise ArgumentError(f"at: {not_a_variable(str(unknown[0]), list(columns))}")
    in_factor = {name for e in _expressions(spec, random) for name in _inside_factor(e.node)}
    rows = model._matrices.rows
    return {
        name: _axis(column, rows, name in in_factor, at.get(name))
        for name, column in columns.items()
    }


def named_columns(spec: ModelSpec, table: Table, *, random: bool = False) -> dict[str, Column]:
    """The columns that the fixed part, the offsets and, if `random`, the random terms' columns are
    made of, in the formula's order."""
    names = dict.fromkeys(name for e in _expressions(spec, random) for name in e.names())
    columns = {name: _column(name, table, spec.context) for name in names}
    return {name: column for name, column in columns.items() if column is not None}


def _expressions(spec: ModelSpec, random: bool) -> list[Expression]:
    argument = spec.offset_argument
    given = [argument] if isinstance(argument, Expression) else []
    terms = spec.formula.random if random else ()
    varying = [variable for term in terms for variable in term.columns.variables]
    return [*spec.formula.fixed.variables, *spec.formula.offsets, *given, *varying]


def not_a_variable(name: str, names: Sequence[str]) -> str:
    """The message for a name that the grid does not have."""
    known = f" (they are: {', '.join(names)})" if names else " (it has none)"
    return f"'{name}' is not a variable of the fixed part{closest(name, list(names)) or known}"


def _column(name: str, table: Table, context: Mapping[str, Any]) -> Column | None:
    """The column meant, of the table or of context=; None for a constant such as pi."""
    if name in table:
        return table.column(name)
    value = context.get(name)
    if value is None or isinstance(value, str) or np.ndim(value) != 1:
        return None
    return Table({name: value}).column(name)


def _inside_factor(node: Node) -> set[str]:
    """Names under a call that makes a factor."""
    makes_factor = (*FACTOR_FUNCTIONS, "as.character")
    calls = [n for n in walk(node) if isinstance(n, Call) and n.function in makes_factor]
    return {n.name for call in calls for n in walk(call) if isinstance(n, Name)}


def _axis(column: Column, rows: NDArray[Any] | None, in_factor: bool, at: Any) -> Axis:
    wanted = None if at is None else list(np.atleast_1d(np.asarray(at, dtype=object)))
    if wanted == []:
        raise ArgumentError(f"at: '{column.name}' has no values; give at least one")
    if column.kind in ("text", "category", "boolean") or in_factor:
        return _factor_axis(column, rows, wanted)
    values = column.numeric if rows is None else column.numeric[rows]
    if wanted is not None:
        return Axis(column.name, _numbers(column, wanted), None)
    distinct = np.unique(values)
    if 1 < len(distinct) <= FEW_VALUES:
        return Axis(column.name, distinct, np.searchsorted(distinct, values))
    return Axis(column.name, np.array([values.mean()]), None)


def _numbers(column: Column, wanted: list[Any]) -> NDArray[Any]:
    """Values of a covariate; dates count as the numbers that the model has for them."""
    dates = column.kind == "date" and not all(isinstance(value, Real) for value in wanted)
    try:
        values = _in_units_of(column, wanted) if dates else np.asarray(wanted, dtype=np.float64)
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise ArgumentError(
            f"at: the values of '{column.name}' are {wanted!r}; expected finite numbers"
        )
    whole = np.all(values == np.round(values)) and np.abs(values).max() < 2**53
    return values.astype(np.int64) if whole else values


def _in_units_of(column: Column, dates: list[Any]) -> NDArray[np.float64]:
    """Dates and times as the numbers that they are in the column."""
    given = Table({"at": pd.to_datetime(dates)}).column("at")
    return given.numeric * (column.units_a_day / given.units_a_day)


def _factor_axis(column: Column, rows: NDArray[Any] | None, wanted: list[Any] | None) -> Axis:
    factor = column.factor
    codes = factor.codes if rows is None else factor.codes[rows]
    used = np.unique(codes[codes >= 0])
    if wanted is not None:
        labels = {level_label(factor.levels[j]): int(j) for j in used}
        absent = [value for value in wanted if level_label(value) not in labels]
        if absent:
            raise ArgumentError(
                f"at: {level_label(absent[0])!r} is not a level of '{column.name}' in the rows "
                f"used{closest(level_label(absent[0]), list(labels))} "
                f"(levels: {', '.join(list(labels)[:12])})"
            )
        used = np.array(list(dict.fromkeys(labels[level_label(value)] for value in wanted)))
    position = np.full(len(factor.levels) + 1, -1, dtype=np.intp)
    position[used] = np.arange(len(used))
    if column.kind == "category":
        values: Any = pd.Categorical.from_codes(
            used, categories=factor.levels, ordered=factor.ordered
        )
    else:
        values = factor.levels.take(used).to_numpy()
    return Axis(column.name, values, position[codes], is_factor=True)


def _combinations(sizes: Sequence[int]) -> list[NDArray[np.intp]]:
    """Positions along each axis of every cell, the last axis varying fastest."""
    return [index.ravel() for index in np.indices(tuple(sizes), dtype=np.intp)]


def _evaluate(
    model: FittedModel, spec: ModelSpec, axes: dict[str, Axis], rows: int
) -> tuple[Array, Array]:
    """X and the offset of every cell."""
    from .. import _core

    given = 0.0
    if isinstance(spec.offset_argument, str):
        given = _mean_of_given_offset(model, spec)
        spec = replace(spec, offset_argument=None)
    arguments, _ = spec.new_arguments(_table(axes), random=False)
    offset = np.zeros(rows) if arguments["offset"] is None else arguments["offset"]
    X = np.asarray(_core.Design(**(arguments | {"offset": None})).fixed_matrix(), dtype=float)
    if not (np.isfinite(X).all() and np.isfinite(offset).all()):
        held = ", ".join(f"{a.name} = {a.labels[0]}" for a in axes.values() if a.codes is None)
        raise ArgumentError(f"the model cannot be evaluated on the reference grid, with {held}")
    return X, offset + given


def _table(axes: Mapping[str, Axis]) -> pd.DataFrame:
    positions = _combinations([len(axis) for axis in axes.values()])
    columns = {
        name: pd.Series(axis.values.take(position))
        for (name, axis), position in zip(axes.items(), positions, strict=True)
    }
    rows = int(np.prod([len(axis) for axis in axes.values()], dtype=np.int64))
    return pd.DataFrame(columns, index=pd.RangeIndex(rows))


def _mean_of_given_offset(model: FittedModel, spec: ModelSpec) -> float:
    table = Table(model._call.data)
    values = given_numbers(model._call.offset, "offset", Evaluator(table, spec.formula.text))
    assert values is not None
    rows = model._matrices.rows
    return float(np.mean(values if rows is None else values[rows]))
