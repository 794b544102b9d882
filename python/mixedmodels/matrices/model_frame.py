"""Formula + table → the variables the model uses, and the rows it keeps.

Every variable is evaluated once on the whole table (stateful functions therefore see all rows, as
in R), then rows with a missing value in any of them are dropped, counted and reported, and factors
lose the levels that no kept row has.  Arrays stay those of the caller where they are float64
already: rows are dropped by position (`rows`), never by copying columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import DataError, MissingDataWarning, closest, warn
from ..formulas.evaluate import Evaluator
from ..formulas.expression import Expression, column_expression, parse_expression
from ..formulas.formula import Formula
from ..formulas.transforms import Matrix
from ..input_tables.columns import Table, check_magnitude
from ..input_tables.factors import Factor, show
from ..lazy import lazy
from .response import Response, ResponseReader, evaluate_response

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..families import Family

    Array = NDArray[np.float64]

__all__ = ["ModelFrame", "given_numbers", "model_frame", "named_expression"]

NA_ACTIONS = ("drop", "raise", "exclude")


@dataclass(frozen=True)
class ModelFrame:
    """The variables of a model on the caller's table.

    Arrays have the table's length `n_table`; `rows` are the positions kept (None: all).
    """

    formula: Formula  # with `.` replaced by the columns it stands for
    table: Table
    variables: dict[str, Matrix | Factor]
    groups: dict[str, Factor]
    family: Family | None  # None: a linear model
    response: Array
    sizes: Array | None  # the binomial's numbers of trials
    weights: Array | None
    offset: Array | None
    rows: NDArray[np.uint32] | None
    missing: pd.Series[int]
    zero_weights: int
    na_action: str
    state: dict[str, dict[str, Any]] = field(repr=False)
    context: Mapping[str, Any] = field(repr=False)
    offset_argument: Expression | str | None = None  # "array" where it cannot be had for new data

    @property
    def n_table(self) -> int:
        return self.table.n

    @property
    def nobs(self) -> int:
        """Number of rows kept."""
        return self.table.n if self.rows is None else len(self.rows)

    @lazy
    def index(self) -> pd.Index[Any]:
        """The pandas index of the whole table."""
        return self.table.index


def model_frame(
    formula: Formula,
    data: Any,
    *,
    weights: Any = None,
    offset: Any = None,
    na_action: str = "drop",
    context: Mapping[str, Any] | None = None,
    family: Family | None = None,
) -> ModelFrame:
    """Evaluate a formula's variables on `data` and choose the rows.

    `weights` and `offset` are a column's name (or an expression of columns), or n numbers.
    `na_action` is "drop", "exclude" (the same rows; outputs are padded later) or "raise".  Rows of
    weight zero are dropped.  The `family` of a generalised model decides what its response may be
    (see `response.py`).

    Raises `DataError` for data that do not fit (a missing column, infinite values, lengths, no
    rows), `FormulaError` for functions that a formula may not call.  Warns `MissingDataWarning`
    about dropped rows.

    >>> from mixedmodels.formulas.formula import parse
    >>> model_frame(parse("y ~ x"), {"y": [1.0, 2.0], "x": [0.5, 1.5]}).nobs
    2
    """
    table = _table(data, na_action)
    formula = formula.expand(table.names)
    evaluator = Evaluator(table, formula.text, context)
    response = evaluate_response(formula, evaluator, family)
    variables = _variables(formula, evaluator)
    groups = _groups(formula, evaluator)
    given_weights = given_numbers(weights, "weights", evaluator)
    total_offset, argument = _offset(formula, offset, evaluator)
    used = _UsedRows(table)
    used.add(response)
    used.add(variables)
    used.add(groups)
    used.add({"weights": _columns(given_weights), "offset": _columns(total_offset)})
    rows = used.rows(na_action)
    read, zeros, rows = _read(response, given_weights, family, table, rows)
    _report(used, zeros, rows, table.n)
    return ModelFrame(
        formula=formula,
        table=table,
        variables={k: _only_used(v, rows) for k, v in variables.items()},
        groups={k: g.drop_unused(rows) for k, g in groups.items()},
        family=family,
        response=read.y,
        sizes=read.sizes,
        weights=read.weights,
        offset=total_offset,
        rows=rows,
        missing=used.missing(),
        zero_weights=sum(zeros.values()),
        na_action=na_action,
        state=evaluator.state,
        context=evaluator.context,
        offset_argument=argument,
    )


def _table(data: Any, na_action: str) -> Table:
    if na_action not in NA_ACTIONS:
        raise DataError(f"na_action={na_action!r}; expected one of {', '.join(NA_ACTIONS)}")
    table = Table(data)
    if table.n == 0:
        raise DataError("the data have no rows")
    return table


# --- evaluation ---------------------------------------------------------------------------------


def _columns(numbers: Array | None) -> Matrix:
    return Matrix((), ()) if numbers is None else Matrix((numbers,), ("",))


def _variables(formula: Formula, evaluator: Evaluator) -> dict[str, Matrix | Factor]:
    sides = (formula.fixed, *(term.columns for term in formula.random))
    wanted = {v.text: v for side in sides for v in side.variables}
    return {text: evaluator.variable(expression) for text, expression in wanted.items()}


def _groups(formula: Formula, evaluator: Evaluator) -> dict[str, Factor]:
    wanted = {v.text: v for term in formula.random for v in term.group}
    return {text: evaluator.group(expression) for text, expression in wanted.items()}


def given_numbers(value: Any, what: str, evaluator: Evaluator) -> Array | None:
    """Weights or an offset as the caller gave them: (n,) float64, or None."""
    if value is None:
        return None
    if isinstance(value, str):
        return evaluator.numbers(named_expression(value, evaluator.table), what)
    if np.ndim(value) != 1:
        raise DataError(
            f"{what}: {np.ndim(value)} dimensions; expected a column's name or one number a row"
        )
    n, index = evaluator.table.n, evaluator.table.index
    if len(value) != n:
        raise DataError(f"{what}: {len(value)} values were given; the data have {n} rows")
    if isinstance(value, pd.Series) and not value.index.equals(index):
        raise DataError(
            f"the index of {what} is not that of the data; pass {what}=....to_numpy() to go by "
            "position"
        )
    return Table({what: value}).column(what).numeric


def named_expression(text: str, table: Table) -> Expression:
    """A column's name as it stands, whatever its characters, or an expression of columns."""
    return column_expression(text) if text in table else parse_expression(text)


def _offset(
    formula: Formula, argument: Any, evaluator: Evaluator
) -> tuple[Array | None, Expression | str | None]:
    parts = [evaluator.numbers(expression, "offset") for expression in formula.offsets]
    given = given_numbers(argument, "offset", evaluator)
    if given is not None:
        parts.append(given)
    known: Expression | str | None = None
    if argument is not None:
        known = (
            named_expression(argument, evaluator.table) if isinstance(argument, str) else "array"
        )
    if len(parts) < 2:
        return (parts[0] if parts else None), known
    return np.sum(parts, axis=0), known


# --- rows ---------------------------------------------------------------------------------------


class _UsedRows:
    """Collects what is missing; masks exist only where something is."""

    def __init__(self, table: Table):
        self.table = table
        self.counts: dict[str, int] = {}
        self.dropped: NDArray[np.bool_] | None = None

    def add(self, variables: Mapping[str, Matrix | Factor]) -> None:
        """Look for missing values; raises `DataError` for infinite ones."""
        for name, variable in variables.items():
            if isinstance(variable, Factor):
                self._count(name, variable.missing())
            else:
                self._add_columns(name, variable)

    def _add_columns(self, name: str, matrix: Matrix) -> None:
        total: NDArray[np.bool_] | None = None
        for column in matrix.columns:
            mask = self._not_finite(name, column)
            if mask is not None:
                total = mask if total is None else total | mask
        self._count(name, total)

    def _not_finite(self, name: str, column: Array) -> NDArray[np.bool_] | None:
        finite = np.isfinite(column)
        if finite.all():
            check_magnitude(name, column)
            return None
        infinite = np.isinf(column)
        if infinite.any():
            at = int(np.argmax(infinite))
            raise DataError(
                f"'{name}' is {'-' if column[at] < 0 else ''}infinite in row "
                f"{show(self.table.index[at])} ({int(infinite.sum())} row(s) in all); expected "
                "finite numbers. Make the value missing or drop the row"
            )
        check_magnitude(name, column[finite])
        return np.logical_not(finite, out=finite)

    def _count(self, name: str, mask: NDArray[np.bool_] | None) -> None:
        if mask is None or name in self.counts:
            return
        self.counts[name] = int(np.count_nonzero(mask))
        self.dropped = mask if self.dropped is None else self.dropped | mask

    def missing(self) -> pd.Series[int]:
        """Missing values by column, for the columns that have any."""
        return pd.Series(self.counts, dtype=np.int64, name="missing")

    def rows(self, na_action: str) -> NDArray[np.uint32] | None:
        if self.dropped is None:
            return None
        if na_action == "raise":
            first = self.table.index[int(np.argmax(self.dropped))]
            raise DataError(
                f"missing values in {self.words()}, first in row {show(first)}: fill them in, or "
                "leave such rows out (na_action='drop')"
            )
        rows = np.flatnonzero(~self.dropped).astype(np.uint32)
        if len(rows) == 0:
            raise DataError(
                f"no row is left: every one of the {self.table.n} has a missing value "
                f"({self.words()})"
            )
        return rows

    def words(self) -> str:
        parts = [f"{name}: {count}" for name, count in self.counts.items()]
        return ", ".join(parts[:8]) + (", ..." if len(parts) > 8 else "")


def _read(
    response: Mapping[str, Matrix | Factor],
    weights: Array | None,
    family: Family | None,
    table: Table,
    rows: NDArray[np.uint32] | None,
) -> tuple[Response, dict[str, int], NDArray[np.uint32] | None]:
    """The response for its family, the numbers of rows left out for a weight or size of zero, and
    the rows that are left."""
    ((name, given),) = response.items()
    read = ResponseReader(name, family, table.index, rows).read(given, weights)
    zeros = {}
    zeros["weight"], rows = _positive(read.weights, "weight", rows, table)
    zeros["number of trials"], rows = _positive(read.sizes, "number of trials", rows, table)
    ResponseReader(name, family, table.index, rows).check(read)
    return read, zeros, rows


def _positive(
    weights: Array | None, what: str, rows: NDArray[np.uint32] | None, table: Table
) -> tuple[int, NDArray[np.uint32] | None]:
    """Refuse negative weights or sizes; leave out rows where they are zero: their number and the
    rows kept."""
    if weights is None:
        return 0, rows
    negative = weights < 0
    if negative.any():
        at = int(np.argmax(negative))
        raise DataError(
            f"the {what} of row {show(table.index[at])} is {weights[at]:g}; expected at least 0"
        )
    if (weights > 0).all():
        return 0, rows
    positions = np.arange(table.n, dtype=np.uint32) if rows is None else rows
    kept = positions[weights[positions] > 0]
    zeros = len(positions) - len(kept)
    if len(kept) == 0:
        raise DataError(f"no row is left: every {what} is zero")
    return zeros, kept if zeros else rows


def _report(
    used: _UsedRows, zeros: Mapping[str, int], rows: NDArray[np.uint32] | None, n: int
) -> None:
    if rows is None:
        return
    parts = []
    missing = 0 if used.dropped is None else int(np.count_nonzero(used.dropped))
    if missing:
        parts.append(f"{missing} of {n} rows dropped: missing values ({used.words()})")
    parts += [f"{count} of {n} rows dropped: {what} 0" for what, count in zeros.items() if count]
    warn(f"{'; '.join(parts)}; {len(rows)} rows are used", MissingDataWarning)


def _only_used(variable: Matrix | Factor, rows: NDArray[np.uint32] | None) -> Matrix | Factor:
    """Factors without the levels that no kept row has (booleans keep both)."""
    if isinstance(variable, Matrix) or variable.levels.dtype == bool:
        return variable
    return variable.drop_unused(rows)


def contrast_key(name: str, variables: Mapping[str, Any]) -> str:
    """The variable that a key of `contrasts=` means; raises `DataError` with a suggestion."""
    factors = [text for text, value in variables.items() if isinstance(value, Factor)]
    for text in factors:
        if name in (text, text.strip("`")):
            return text
    raise DataError(
        f"contrasts= names '{name}', which is not a factor of the fixed part"
        f"{closest(name, factors) or ' (its factors: ' + (', '.join(factors) or 'none') + ')'}"
    )
