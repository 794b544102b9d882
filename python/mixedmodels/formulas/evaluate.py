"""Walks a safe expression tree over the caller's columns; nothing of a formula runs as Python.

A value is a `Column` (not yet read), an array (n,) of float64, a `Factor` (also the result of a
comparison: a boolean with missing values), a `Matrix` of several columns, or a constant.  Names are
looked up among the columns, then in `context=`, then among a few constants; functions in
`context=`, then in `transforms.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from ..errors import ArgumentError, DataError, FormulaError, MixedModelsError, closest
from ..input_tables.columns import Column, Table
from ..input_tables.factors import Factor, factorise, level_label, show
from .contrasts import contrast_named
from .expression import Binary, Call, Constant, Expression, Name, Node, Sequence, Unary
from .factor_functions import FactorFunctions
from .transforms import ELEMENTWISE, STATEFUL, Matrix, function_names
from .values import boolean, factor_of, is_boolean, is_labelled, kind_words, plain

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

__all__ = ["Evaluator"]

_ARITHMETIC = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "^": np.power,
    "%%": np.mod, "%/%": np.floor_divide,
}  # fmt: skip
_COMPARISON = {
    "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    "==": np.equal, "!=": np.not_equal,
}  # fmt: skip


def _same_everywhere(expression: Expression) -> str:
    return f"'{expression.text}' is the same for every row; expected an expression in a column"


class Evaluator(FactorFunctions):
    """Evaluates expressions of one formula on one table.

    `state` holds what stateful functions learnt, by call, and the unit of a column of dates, by its
    name; empty for the model's own data, filled for new data.
    """

    def __init__(
        self,
        table: Table,
        formula: str,
        context: Mapping[str, Any] | None = None,
        state: dict[str, dict[str, Any]] | None = None,
    ):
        self.table = table
        self.formula = formula
        if not isinstance(context or {}, Mapping):
            raise ArgumentError(
                f"context is {context!r}; expected functions by name, as {{'f': f}}"
            )
        self.context = dict(context or {})
        self.state = {} if state is None else state
        self.is_new_data = state is not None

    # --- what the model asks for ---

    def variable(self, expression: Expression) -> Matrix | Factor:
        """A variable of a design: numbers, or a factor for text, categories and booleans."""
        value = self._checked(expression)
        if isinstance(value, Column):
            is_factor = value.kind in ("text", "category", "boolean")
            value = value.factor if is_factor else self._numeric(value)
        if isinstance(value, np.ndarray):
            return Matrix((value,), ("",))
        if isinstance(value, Matrix) and len(value.columns) == 1:
            return replace(value, names=("",))
        if isinstance(value, Matrix | Factor):
            return value
        self._fail(_same_everywhere(expression), expression.position)

    def group(self, expression: Expression) -> Factor:
        """A grouping factor: any column, by its distinct values."""
        value = self._checked(expression)
        if isinstance(value, Column):
            return self._finite_levels(value)
        if isinstance(value, np.ndarray):
            return factorise(value, expression.text)
        if isinstance(value, Factor):
            return value
        self._fail(f"'{expression.text}' cannot be a grouping factor", expression.position)

    def _finite_levels(self, column: Column) -> Factor:
        factor = column.factor
        if factor.levels.dtype.kind == "f" and np.isinf(factor.levels.to_numpy()).any():
            levels = np.append(factor.levels.to_numpy(), 0.0)
            row = self.table.index[int(np.argmax(np.isinf(levels[factor.codes])))]
            raise DataError(f"'{column.name}' is infinite in row {show(row)}; expected groups")
        return factor

    def numbers(self, expression: Expression, what: str) -> Array:
        """(n,) float64 for a response, weight or offset; `what` names it in messages."""
        value = self._checked(expression)
        if isinstance(value, Column) and value.kind not in ("number", "boolean"):
            raise DataError(
                f"the {what} '{expression.text}' is {kind_words(value.kind)}; expected numbers"
            )
        if isinstance(value, Matrix) or (isinstance(value, Factor) and not is_boolean(value)):
            raise DataError(f"the {what} '{expression.text}' is not one column of numbers")
        numbers = self._array(value, expression.node)
        if np.ndim(numbers) == 0:
            return np.full(self.table.n, float(numbers))
        return np.asarray(numbers)

    def _checked(self, expression: Expression) -> Any:
        with np.errstate(all="ignore"):
            value = self._value(expression.node)
        if isinstance(value, Factor) and len(value.codes) != self.table.n:
            self._fail(_same_everywhere(expression), expression.position)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return float(value)
        if isinstance(value, np.ndarray) and value.shape != (self.table.n,):
            self._fail(
                f"'{expression.text}' has shape {value.shape}; expected {self.table.n} values",
                expression.position,
            )
        return value

    # --- the walk ---

    def _value(self, node: Node) -> Any:
        match node:
            case Name():
                return self._name(node)
            case Constant():
                return node.value
            case Sequence():
                return [self._value(item) for item in node.items]
            case Unary():
                return self._unary(node)
            case Binary():
                return self._binary(node)
            case Call():
                return self._call(node)

    def _name(self, node: Name) -> Any:
        if node.name in self.table:
            return self.table.column(node.name)
        if node.name in self.context:
            return self._from_context(node)
        if node.name == "pi":
            return float(np.pi)
        contrast = contrast_named(node.name) if node.name.startswith("contr.") else None
        if contrast is not None:
            return contrast
        raise DataError(self.table.missing(node.name))

    def _from_context(self, node: Name) -> Any:
        value = self.context[node.name]
        if callable(value):
            self._fail(f"'{node.name}' is a function; call it", node.position)
        if isinstance(value, bool | str) or value is None:
            return value
        if np.ndim(value) == 0:
            return float(value)
        if np.ndim(value) == 1:
            if len(value) != self.table.n:
                raise DataError(
                    f"'{node.name}' of context= has {len(value)} values; expected {self.table.n}, "
                    "one a row. Make it a column of the table"
                )
            return Table({node.name: value}).column(node.name)
        return value  # a contrast matrix

    def _unary(self, node: Unary) -> Any:
        value = self._array(self._value(node.operand), node.operand)
        if node.operator == "!":
            return boolean(np.equal(value, 0), np.isnan(value))
        return -value if node.operator == "-" else value

    def _binary(self, node: Binary) -> Any:
        left, right = self._value(node.left), self._value(node.right)
        if node.operator == "%in%":
            items = right if isinstance(right, list) else [right]
            return self._membership(left, items, node)
        if node.operator in ("==", "!=") and (is_labelled(left) or is_labelled(right)):
            return self._compare_labels(left, right, node)
        a, b = self._array(left, node.left), self._array(right, node.right)
        if node.operator in _ARITHMETIC:
            return _ARITHMETIC[node.operator](np.asarray(a, np.float64), b)[()]
        missing = np.isnan(a) | np.isnan(b)
        if node.operator in _COMPARISON:
            return boolean(_COMPARISON[node.operator](a, b), missing)
        both = np.logical_and if node.operator == "&" else np.logical_or
        return boolean(both(np.not_equal(a, 0), np.not_equal(b, 0)), missing)

    def _compare_labels(self, left: Any, right: Any, node: Binary) -> Factor:
        if not is_labelled(left):
            left, right = right, left
        if not isinstance(right, str | float | bool):
            self._fail(f"'{node.operator}' compares a factor with one of its levels", node.position)
        equal = self._membership(left, [right], node)
        if node.operator == "==":
            return equal
        return replace(equal, codes=np.where(equal.codes < 0, -1, 1 - equal.codes).astype(np.int32))

    def _membership(self, value: Any, items: list[Any], node: Binary) -> Factor:
        if not all(isinstance(item, str | float | bool) for item in items):
            self._fail("the right side of %in% is a list of values, as c(1, 2)", node.position)
        if is_labelled(value):
            factor = factor_of(value)
            wanted = {level_label(item) for item in items}
            table = np.array([label in wanted for label in factor.labels()] + [False])
            return boolean(table[factor.codes], factor.codes < 0)
        if any(isinstance(item, str) for item in items):
            self._fail("numbers are compared with a string here", node.position)
        numbers = self._array(value, node.left)
        return boolean(np.isin(numbers, items), np.isnan(numbers))

    def _array(self, value: Any, node: Node) -> Any:
        """A value as numbers: an array (n,) or a float; booleans count 0 and 1."""
        if isinstance(value, Column):
            return self._numeric(value)
        if isinstance(value, Factor) and is_boolean(value):
            return np.array([0.0, 1.0, np.nan])[value.codes]
        if isinstance(value, Matrix) and len(value.columns) == 1:
            return value.columns[0]
        if isinstance(value, np.ndarray | float | bool):
            return value if isinstance(value, np.ndarray) else float(value)
        words = "a factor" if isinstance(value, Factor) else "not a number"
        self._fail(f"this is {words}; expected numbers", node.position)

    def _numeric(self, column: Column) -> Array:
        """A column as numbers; dates and times in the unit that the model's own data had."""
        if column.kind != "date":
            return column.numeric
        if not self.is_new_data:
            self.state[column.name] = {"units_a_day": column.units_a_day}
        own = self.state.get(column.name, {}).get("units_a_day")
        if own is None:
            raise DataError(
                f"column '{column.name}' holds dates in the new data; the model was fitted with "
                "numbers. Convert the dates to the same numbers"
            )
        return np.asarray(column.numeric * (own / column.units_a_day))

    # --- calls ---

    def _call(self, node: Call) -> Any:
        name = node.function
        if name in self.context and callable(self.context[name]):
            return self._context_call(node)
        if name.startswith(("np.", "numpy.")):
            name = name.split(".", 1)[1]
            if name not in ELEMENTWISE:
                self._unknown(node)
        if name in ELEMENTWISE:
            return self._elementwise(node, name)
        if name in STATEFUL:
            return self._stateful(node)
        if name == "I":
            return self._identity(node)
        if name == "c":
            return [self._value(argument) for argument in node.arguments]
        handler = self._factor_function(name)
        if handler is None:
            self._unknown(node)
        return handler(node)

    def _unknown(self, node: Call) -> NoReturn:
        if node.function in ("offset", "cbind"):
            where = "the fixed part" if node.function == "offset" else "the response"
            self._fail(f"{node.function}() stands alone in {where}", node.position)
        names = (*function_names(), *self.context)
        hint = closest(node.function, names)
        self._fail(
            f"function '{node.function}' is not one a formula may call{hint or '.'} Otherwise "
            "compute the column beforehand, or pass the function as context={'"
            + node.function
            + "': ...}",
            node.position,
        )

    def _arguments(self, node: Call) -> tuple[list[Any], dict[str, Any]]:
        values = [self._value(argument) for argument in node.arguments]
        return values, {name: self._value(value) for name, value in node.keywords}

    def _elementwise(self, node: Call, name: str) -> Any:
        function = ELEMENTWISE[name]
        values = [self._array(self._value(a), a) for a in node.arguments]
        keywords = {key: self._array(self._value(a), a) for key, a in node.keywords}
        if isinstance(function, np.ufunc) and (len(values) != function.nin or keywords):
            self._fail(f"{node.function}() takes {function.nin} argument(s)", node.position)
        try:
            return function(*values, **keywords)
        except (TypeError, ValueError):
            self._fail(f"{node.function}() does not take these arguments", node.position)

    def _stateful(self, node: Call) -> Any:
        values, keywords = self._arguments(node)
        if not values:
            self._fail(f"{node.function}() needs a column", node.position)
        x = self._array(values[0], node.arguments[0])
        if np.ndim(x) != 1:
            self._fail(f"{node.function}() needs a column, not a number", node.position)
        if node.function in ("poly", "bs"):
            self._refuse_infinite(x, node)
        state = self.state.setdefault(node.text, {})
        try:
            return STATEFUL[node.function](x, *values[1:], state=state, **keywords)
        except MixedModelsError as error:
            raise type(error)(f"in {node.text}: {error}") from None
        except (LookupError, TypeError, ValueError) as error:
            self._fail(f"{node.function}() does not take these arguments: {error}", node.position)

    def _refuse_infinite(self, x: Array, node: Call) -> None:
        if np.isinf(x).any():
            row = self.table.index[int(np.argmax(np.isinf(x)))]
            raise DataError(f"the column in {node.text} is infinite in row {show(row)}")

    def _context_call(self, node: Call) -> Any:
        values, keywords = self._arguments(node)
        values = [plain(value) for value in values]
        keywords = {key: plain(value) for key, value in keywords.items()}
        try:
            result = self.context[node.function](*values, **keywords)
        except Exception as error:
            message = f"{node.function}() of context= failed: {type(error).__name__}: {error}"
            raise FormulaError(message, self.formula, node.position) from error
        if isinstance(result, str | bool | None | Factor | Matrix):
            return result
        shape = np.shape(result)
        if shape == ():
            return float(result)
        if len(shape) == 2 and shape[0] == self.table.n:
            columns = np.asarray(result, dtype=np.float64)
            names = tuple(str(j) for j in range(1, shape[1] + 1))
            return Matrix(tuple(columns.T), names)
        if shape != (self.table.n,):
            self._fail(
                f"{node.function}() returned shape {shape}; expected {self.table.n} values",
                node.position,
            )
        return Table({node.text: result}).column(node.text)

    def _identity(self, node: Call) -> Any:
        if len(node.arguments) != 1 or node.keywords:
            self._fail("I() takes one argument", node.position)
        return self._one(node)

    def _fail(self, message: str, position: int) -> NoReturn:
        raise FormulaError(message, self.formula, position)
