"""What a response at a row has beside its mean: a prior weight, and a binomial's number of trials.

At new rows they come from the columns of the fit where the table has them, and are 1 elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..formulas.evaluate import Evaluator
from ..formulas.expression import Call, Expression
from ..input_tables.columns import Table
from ..input_tables.factors import show
from ..matrices.model_frame import named_expression

if TYPE_CHECKING:
    from .prediction_rows import Rows

__all__ = ["trials_of", "weights_of"]

Array = NDArray[np.float64]


def weights_of(rows: Rows) -> Array:
    """Prior weights, shape (n,)."""
    if rows.arguments is None:
        return _or_ones(rows, rows.model._matrices.weights)
    return _or_ones(rows, _weights_column(rows))


def trials_of(rows: Rows) -> Array:
    """Numbers of trials of binomial responses, shape (n,)."""
    if rows.arguments is None:
        return _or_ones(rows, rows.model._matrices.sizes)
    response = rows.model._matrices.spec.formula.response  # type: ignore[union-attr]
    if response is None or not isinstance(response.node, Call) or response.node.function != "cbind":
        return _or_ones(rows, _weights_column(rows))
    parts = [Expression(response.text, a, response.position) for a in response.node.arguments]
    return _or_ones(rows, _sum_of(rows, parts, "numbers of trials"))


def _or_ones(rows: Rows, values: Array | None) -> Array:
    return np.ones(len(rows.eta)) if values is None else np.asarray(values)


def _weights_column(rows: Rows) -> Array | None:
    given = rows.model._call.weights
    if not isinstance(given, str):
        return None
    return _sum_of(rows, [named_expression(given, Table(rows.newdata))], "weights")


def _sum_of(rows: Rows, parts: Sequence[Expression], what: str) -> Array | None:
    """The sum of some expressions on the new data; None where it depends on columns that they lack.

    In cbind(s, n - s) the successes cancel, and are not known of a new row: n is enough.
    """
    table = Table(rows.newdata)
    total, other = (_evaluated(rows, table, parts, what, absent) for absent in (0.0, 1.0))
    if not np.array_equal(total, other, equal_nan=True):
        return None
    if (total <= 0).any():
        at = int(np.argmax(total <= 0))
        raise DataError(
            f"the {what} of row {show(table.index[at])} of the new data are {total[at]:g}; "
            "expected more than 0"
        )
    return total


def _evaluated(
    rows: Rows, table: Table, parts: Sequence[Expression], what: str, absent: float
) -> Array:
    """The sum, with a number in place of the columns that are not there."""
    spec = rows.model._matrices.spec
    assert spec is not None
    names = dict.fromkeys(name for part in parts for name in part.names())
    columns = {
        name: table.column(name).numeric if name in table else np.full(table.n, absent)
        for name in names
    }
    evaluator = Evaluator(Table(columns), spec.formula.text, spec.context, spec.state)
    return np.asarray(np.sum([evaluator.numbers(part, what) for part in parts], axis=0))
