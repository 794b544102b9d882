"""The names that a fit uses: of columns, and of what was passed as `context=`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..errors import FormulaError
from .expression import Call, Expression, Name, parse_expression, walk

if TYPE_CHECKING:
    from .formula import Formula

__all__ = ["names_used"]


def names_used(formula: Formula, *arguments: Any) -> set[str]:
    """Names in the formula and in the arguments that are text (weights, offset), those of functions
    included."""
    sides = (formula.fixed, *(term.columns for term in formula.random))
    expressions = [variable for side in sides for variable in side.variables]
    expressions += [part for term in formula.random for part in term.group]
    expressions += [*formula.offsets, *([formula.response] if formula.response else [])]
    given = [text for text in arguments if isinstance(text, str)]
    expressions += [found for text in given if (found := _expression(text)) is not None]
    names = {
        node.name if isinstance(node, Name) else node.function
        for expression in expressions
        for node in walk(expression.node)
        if isinstance(node, Name | Call)
    }
    return names | set(given)  # a column's name stands for itself, whatever its characters


def _expression(text: str) -> Expression | None:
    try:
        return parse_expression(text)
    except FormulaError:
        return None
