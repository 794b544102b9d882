"""One expression of a formula, `log(x + 1)` or `C(f, contr.sum)`, read into a small safe tree.

Formulas may come from outside, so an expression is never evaluated as Python.  Its tokens are
replaced by numbered placeholders (which also makes R's dotted names, `^`, `TRUE` and backticks
harmless), Python's `ast` gives the structure, and only the node kinds below survive; `evaluate.py`
walks them.  What is left out cannot happen: attributes, subscripts, lambdas, comprehensions,
assignments.

The name of a coefficient is the expression as R would print it (`deparse`): `I(x^2)`, `poly(Days,
2)`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from ..errors import FormulaError
from .expression_tokens import (
    CONSTANTS,
    ExpressionToken,
    deparse,
    expression_tokens,
    quote_name,
)

__all__ = [
    "Binary",
    "Call",
    "Constant",
    "Expression",
    "Name",
    "Node",
    "Sequence",
    "Unary",
    "column_expression",
    "parse_expression",
    "quote_name",
    "walk",
]

MAX_DEPTH = 150


@dataclass(frozen=True, slots=True)
class Name:
    """A column, or a name the caller passed as `context=`."""

    name: str
    position: int


@dataclass(frozen=True, slots=True)
class Constant:
    value: float | str | bool | None
    position: int


@dataclass(frozen=True, slots=True)
class Sequence:
    items: tuple[Node, ...]
    position: int


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str  # "-", "+", "!"
    operand: Node
    position: int


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str  # arithmetic, comparison, "&", "|", "%in%"
    left: Node
    right: Node
    position: int


@dataclass(frozen=True, slots=True)
class Call:
    function: str
    arguments: tuple[Node, ...]
    keywords: tuple[tuple[str, Node], ...]
    position: int
    text: str  # as R prints it: the key under which stateful functions keep their state


Node: TypeAlias = Name | Constant | Sequence | Unary | Binary | Call


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its R text, its tree, and where it stands in the formula."""

    text: str
    node: Node = field(compare=False)
    position: int = field(compare=False)

    def names(self) -> tuple[str, ...]:
        """Every column name (or context name) in the expression, functions not counted."""
        return tuple(dict.fromkeys(n.name for n in walk(self.node) if isinstance(n, Name)))


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it."""
    yield node
    children: tuple[Node, ...] = ()
    if isinstance(node, Unary):
        children = (node.operand,)
    elif isinstance(node, Binary):
        children = (node.left, node.right)
    elif isinstance(node, Sequence):
        children = node.items
    elif isinstance(node, Call):
        children = (*node.arguments, *(value for _, value in node.keywords))
    for child in children:
        yield from walk(child)


def column_expression(name: str, position: int = 0) -> Expression:
    """The expression that is just the column `name`."""
    return Expression(quote_name(name), Name(name, position), position)


_PYTHON = {
    "^": "**", "%%": "%", "%/%": "//", "%in%": " in ", "&": " and ", "&&": " and ",
    "|": " or ", "||": " or ", "!": " not ",
}  # fmt: skip


# --- structure ----------------------------------------------------------------------------------


def parse_expression(text: str, position: int = 0, formula: str | None = None) -> Expression:
    """Read one expression; `position` is where it stands in `formula`, for messages.

    Raises `FormulaError` with a caret for everything that is not a name, a number, a string,
    arithmetic, a comparison, a logical operator, a list or a call of a named function.

    >>> parse_expression("I( x**2 )").text
    'I(x^2)'
    """
    formula = text if formula is None else formula
    tokens = expression_tokens(text, position, formula)
    if not tokens:
        _fail("an expression is missing here", formula, position)
    _check_remainders(tokens, formula)
    source, starts = _python_source(tokens)
    tree = _python_tree(source, starts, formula)
    reader = _Reader(tokens, starts, formula)
    return Expression(deparse(tokens), reader.node(tree), tokens[0].position)


def _python_source(tokens: list[ExpressionToken]) -> tuple[str, list[tuple[int, int]]]:
    """The tokens as plain-ASCII Python, and per piece (offset there, position in the formula)."""
    pieces: list[str] = []
    starts: list[tuple[int, int]] = []
    length = 0
    for k, token in enumerate(tokens):
        piece = _PYTHON.get(token.text, token.text) if token.kind == "operator" else f" _{k} "
        starts.append((length, token.position))
        pieces.append(piece)
        length += len(piece)
    return "".join(pieces).strip(), [(s - _leading(pieces), p) for s, p in starts]


def _leading(pieces: list[str]) -> int:
    return len(pieces[0]) - len(pieces[0].lstrip())


def _python_tree(source: str, starts: list[tuple[int, int]], formula: str) -> ast.expr:
    try:
        tree = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        at = _locate(starts, (error.offset or 1) - 1)
        raise FormulaError("the expression is not understood here", formula, at) from None
    except (RecursionError, MemoryError):
        raise FormulaError("the expression is nested too deeply", formula, starts[0][1]) from None
    level: list[ast.AST] = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
        if not level:
            return tree
    _fail("the expression is nested too deeply", formula, starts[0][1])


def _locate(starts: list[tuple[int, int]], column: int) -> int:
    inside = [position for start, position in starts if start <= column]
    return inside[-1] if inside else starts[0][1]


def _check_remainders(tokens: list[ExpressionToken], formula: str) -> None:
    """`%%` binds tighter than `*` in R but not in Python: refuse `a * b %% c` rather than guess."""
    for k, token in enumerate(tokens):
        if token.text not in ("%%", "%/%", "%") or token.kind != "operator":
            continue
        depth = 0
        for before in reversed(tokens[:k]):
            if before.kind != "operator":
                continue
            depth += (before.text in ")]") - (before.text in "([")
            if depth < 0 or (depth == 0 and before.text in ("+", "-", ",", "=")):
                break
            if depth == 0 and before.text in ("*", "/"):
                _fail(
                    f"put parentheses around the parts of '{token.text}'", formula, token.position
                )


_BINARY = {
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "^", ast.Mod: "%%",
    ast.FloorDiv: "%/%",
}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.In: "%in%", ast.NotIn: "not in",
}  # fmt: skip
_UNARY = {ast.USub: "-", ast.UAdd: "+", ast.Not: "!"}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Python's tree → ours; a node kind that is not listed is refused."""

    tokens: list[ExpressionToken]
    starts: list[tuple[int, int]]
    formula: str

    def node(self, tree: ast.expr) -> Node:
        at = _locate(self.starts, tree.col_offset)
        match tree:
            case ast.Name():
                return self.leaf(self.tokens[int(tree.id[1:])])
            case ast.UnaryOp() if type(tree.op) in _UNARY:
                return Unary(_UNARY[type(tree.op)], self.node(tree.operand), at)
            case ast.BinOp() if type(tree.op) in _BINARY:
                operator = _BINARY[type(tree.op)]
                return Binary(operator, self.node(tree.left), self.node(tree.right), at)
            case ast.BoolOp():
                return self.chain("&" if isinstance(tree.op, ast.And) else "|", tree.values, at)
            case ast.Compare():
                return self.compare(tree, at)
            case ast.Call():
                return self.call(tree, at)
            case ast.List() | ast.Tuple():
                return Sequence(tuple(self.node(item) for item in tree.elts), at)
        _fail(
            "this is not allowed in a formula; expected "
            "names, numbers, arithmetic, comparisons or calls of functions",
            self.formula,
            at,
        )

    def leaf(self, token: ExpressionToken) -> Node:
        if token.kind == "name":
            return Name(token.text, token.position)
        if token.kind == "string":
            return Constant(token.text, token.position)
        if token.kind == "constant":
            return Constant(CONSTANTS[token.text], token.position)
        return Constant(float(token.text.rstrip("L")), token.position)

    def chain(self, operator: str, values: list[ast.expr], at: int) -> Node:
        result = self.node(values[0])
        for value in values[1:]:
            result = Binary(operator, result, self.node(value), at)
        return result

    def compare(self, tree: ast.Compare, at: int) -> Node:
        sides = [self.node(side) for side in (tree.left, *tree.comparators)]
        result: Node | None = None
        for op, left, right in zip(tree.ops, sides[:-1], sides[1:], strict=True):
            if type(op) not in _COMPARE:
                _fail("this comparison is not allowed in a formula", self.formula, at)
            name = _COMPARE[type(op)]
            step: Node = Binary("%in%" if name == "not in" else name, left, right, at)
            step = Unary("!", step, at) if name == "not in" else step
            result = step if result is None else Binary("&", result, step, at)
        assert result is not None
        return result

    def call(self, tree: ast.Call, at: int) -> Node:
        if not isinstance(tree.func, ast.Name):
            _fail("only a function with a name can be called", self.formula, at)
        first = int(tree.func.id[1:])
        function = self.tokens[first]
        if function.kind != "name":
            _fail(f"'{function.text}' is not a function", self.formula, function.position)
        keywords = []
        for keyword in tree.keywords:
            if keyword.arg is None:
                _fail("'**' is not allowed before an argument", self.formula, at)
            name = self.tokens[int(keyword.arg[1:])]
            keywords.append((name.text, self.node(keyword.value)))
        arguments = tuple(self.node(argument) for argument in tree.args)
        text = deparse(self.tokens[first : self.closing(first)])
        return Call(function.text, arguments, tuple(keywords), function.position, text)

    def closing(self, first: int) -> int:
        """Index just past the parenthesis that closes the call whose name is token `first`."""
        depth = 0
        for k in range(first + 1, len(self.tokens)):
            token = self.tokens[k]
            if token.kind == "operator":
                depth += (token.text == "(") - (token.text == ")")
                if depth == 0:
                    return k + 1
        return len(self.tokens)


def _fail(message: str, formula: str, position: int) -> NoReturn:
    raise FormulaError(message, formula, position)
