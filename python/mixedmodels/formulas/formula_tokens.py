"""formulaic's tokens of a formula's right side, with R's spelling of names, numbers and calls.

The intercepts that R implies are written out here: one at the start, one left of every bar.
"""

from __future__ import annotations

import re
from typing import NoReturn

from formulaic.errors import FormulaicError
from formulaic.parser.algos.tokenize import tokenize
from formulaic.parser.types import Term, Token

from ..errors import FormulaError
from .expression import Call, Expression, column_expression, parse_expression

__all__ = ["SourceTokens", "translate", "with_intercepts"]

_ADDITIVE = frozenset("+-")


class SourceTokens:
    """formulaic's tokens of the right side with R's spelling, and the expressions among them."""

    def __init__(self, text: str, masked: str, start: int, columns: tuple[str, ...] | None):
        self.text = text
        self.expressions: dict[str, Expression] = {}
        try:
            raw = list(tokenize(" " * start + masked[start:]))
        except FormulaicError as error:
            raise translate(error, text) from None
        self.tokens = [self._spell(token) for token in raw if token.token.strip()]
        if not self.tokens:
            _fail("nothing stands right of '~'; 'y ~ 1' has an intercept alone", text, len(text))
        for before, token in zip([None, *self.tokens], self.tokens, strict=False):
            if token.kind is Token.Kind.VALUE:
                _check_value(token, before, text)
        dots = [token.source_start or 0 for token in self.tokens if token.token == "."]
        self.has_dot, self.dot_position = bool(dots), min(dots, default=0)
        self.columns = (".",) if columns is None else columns
        if self.has_dot:
            for name in self.columns:
                self._keep(column_expression(name, self.dot_position))

    def _keep(self, expression: Expression) -> str:
        self.expressions.setdefault(expression.text, expression)
        return expression.text

    def variables(self, term: Term) -> tuple[Expression, ...]:
        """The expressions of a term; the literals 0 and 1 have none."""
        return tuple(self.expressions[f.expr] for f in term.factors if f.expr in self.expressions)

    def _spell(self, token: Token) -> Token:
        start, stop = token.source_start or 0, (token.source_end or 0) + 1
        raw = self.text[start:stop]
        if token.token == ".":
            token.kind = Token.Kind.OPERATOR
        elif token.kind is Token.Kind.PYTHON:
            braced = raw.startswith("{")
            inner = parse_expression(raw[1:] if braced else raw, start + braced, self.text)
            token.token = self._keep(_identity(inner) if braced else inner)
        elif token.kind is Token.Kind.NAME:
            if not raw.startswith("`") and (raw[0].isdigit() or re.match(r"\.+\d", raw)):
                _fail(f"'{raw}' is neither a name nor a number", self.text, start)
            name = raw[1:] if raw.startswith("`") else raw
            token.token = self._keep(column_expression(name, start))
        elif token.token in ("[", "]"):
            _fail("square brackets mean nothing here", self.text, start)
        elif raw.startswith("%") and token.token != "in":
            _fail(f"'{raw}%' is not an operator of formulas", self.text, start)
        return token


def _identity(inner: Expression) -> Expression:
    """`{x + 1}`, formulaic's spelling of R's `I(x + 1)`."""
    text = f"I({inner.text})"
    return Expression(text, Call("I", (inner.node,), (), inner.position, text), inner.position)


def _check_value(token: Token, before: Token | None, text: str) -> None:
    at = token.source_start or 0
    if token.token[0] in "\"'":
        _fail("a string is not a term; names with odd characters go in backticks", text, at)
    power = before is not None and before.token in ("^", "**")
    if token.token not in ("0", "1") and not (power and token.token.isdigit()):
        _fail(
            f"the number {token.token} is not a term; only 0 and 1 (no intercept, intercept) are. "
            "Arithmetic goes in I(), as in I(2 * x)",
            text,
            at,
        )


def with_intercepts(tokens: list[Token], text: str) -> list[Token]:
    """R's implied intercepts written out: at the start, and left of every bar."""
    starts = {0}
    opened: list[int] = []
    barred: set[int] = set()
    for k, token in enumerate(tokens):
        if token.kind is Token.Kind.CONTEXT:
            _follow(opened, k, token)
        elif token.kind is Token.Kind.OPERATOR and "|" in token.token:
            at = token.source_start or 0
            if not opened:
                _fail("put parentheses around a random term: (x | g)", text, at)
            if opened[-1] in barred:
                _fail("a random term has one bar; this is a second", text, at)
            barred.add(opened[-1])
            starts.add(opened[-1] + 1)
    out: list[Token] = []
    for k, token in enumerate(tokens):
        if k in starts:
            out.append(Token("1", kind="value"))
            if token.kind is not Token.Kind.OPERATOR or token.token[0] not in _ADDITIVE:
                out.append(Token("+", kind="operator"))
        out.append(token)
    return out


def translate(error: FormulaicError, text: str) -> FormulaError:
    """formulaic marks the place by `⧛…⧚` in the text that was given to it."""
    message, _, context = str(error).partition("\n\n")
    at = re.sub(r"\x1b\[[\d;]*m", "", context).find("⧛")
    if "insuffient" in message or "incorrectly used" in message:
        message = "something is missing beside this operator"
    elif message.startswith("Missing operator"):
        message = "an operator is missing" + message.removeprefix("Missing operator").split(". ")[0]
    elif message.startswith("Unknown operator"):
        symbol = message.removeprefix("Unknown operator ").strip(".").strip("'")
        shown = symbol if symbol.isprintable() else ascii(symbol)[1:-1]
        message = (
            f"'{shown}' is not an operator of formulas; arithmetic and comparisons go in I(), "
            "odd names in backticks"
        )
    elif message.startswith("Formula ended"):
        message = "this '%' is never closed; an operator such as %in% is meant, or I(x %% y)"
        at = text.find("%")
    elif message.startswith("Unexpected"):
        message = "this is not understood here"
    return FormulaError(message, text, at if at >= 0 else len(text))


def _follow(opened: list[int], k: int, token: Token) -> None:
    if token.token == "(":
        opened.append(k)
    else:
        opened.pop()


def _fail(message: str, text: str, position: int) -> NoReturn:
    raise FormulaError(message, text, position)
