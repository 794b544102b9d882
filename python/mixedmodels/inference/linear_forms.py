"""Hypotheses as text → rows of L: "a - b = 0", "2*x + 0.5*`odd name` = 1", "(a + b)/2 = c".

    hypothesis  sum [ "=" sum ]            without "=": equal to 0
    sum         product { ("+" | "-") product }
    product     signed { ("*" | "/") signed }
    signed      { "+" | "-" } atom
    atom        name | `name` | number | "(" sum ")"

Names are coefficient names as they stand, whatever their characters (`x:sexM`, `(Intercept)`,
`I(age^2)`); where several fit the longest is meant. Every value is a linear form, an array of one
weight a coefficient and, last, a constant.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import FormulaError, closest

__all__ = ["linear_form"]

Array = NDArray[np.float64]

_NUMBER = re.compile(r"(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_WORD = re.compile(r"[^\s+*/=()-]+")


def linear_form(text: str, names: Sequence[str]) -> tuple[Array, float]:
    """Weights of the coefficients, shape (len(names),), and the value of a hypothesis.

    Raises `FormulaError` with a pointer at what is not understood.

    >>> linear_form("2*a - b = 1", ["a", "b"])
    (array([ 2., -1.]), 1.0)
    """
    try:
        with np.errstate(over="ignore", invalid="ignore"):  # said below, with the place
            return _Reader(text, names).hypothesis()
    except RecursionError:
        raise FormulaError("the hypothesis is nested too deeply", text, 0) from None


class _Reader:
    """Recursive descent over one hypothesis."""

    def __init__(self, text: str, names: Sequence[str]):
        self.text = text
        self.names = names
        self.longest_first = sorted(names, key=len, reverse=True)
        self.at = 0

    def hypothesis(self) -> tuple[Array, float]:
        form = self._sum()
        if self._take("="):
            self._take("=")  # "==" as in other programs
            form = form - self._sum()
        if self._rest():
            self._fail("expected the end, '+', '-', '*', '/' or one '='")
        if not np.isfinite(form).all():
            self._fail("a number is too large", 0)
        if not form[:-1].any():
            self._fail("no coefficient is left in the hypothesis", 0)
        return form[:-1], 0.0 - float(form[-1])  # not -0.0, which would print its sign

    def _sum(self) -> Array:
        form = self._product()
        while sign := self._take("+") or self._take("-"):
            form = form + self._product() if sign == "+" else form - self._product()
        return form

    def _product(self) -> Array:
        form = self._signed()
        while operator := self._take("*") or self._take("/"):
            at = self.at
            other = self._signed()
            combined = self._multiplied if operator == "*" else self._divided
            form = combined(form, other, at)
        return form

    def _multiplied(self, a: Array, b: Array, at: int) -> Array:
        if a[:-1].any() and b[:-1].any():
            self._fail("a product of two coefficients is not linear", at)
        return np.asarray(a * b[-1] if a[:-1].any() else b * a[-1])

    def _divided(self, a: Array, b: Array, at: int) -> Array:
        if b[:-1].any() or b[-1] == 0:
            self._fail("expected a number other than 0 to divide by", at)
        return np.asarray(a / b[-1])

    def _signed(self) -> Array:
        if self._take("-"):
            return -self._signed()
        return self._signed() if self._take("+") else self._atom()

    def _atom(self) -> Array:
        rest = self._rest()
        for name in self.longest_first:
            if rest.startswith(name) and not _continues(name, rest[len(name) :]):
                return self._coefficient(name, len(name))
        quoted = re.match(r"`([^`]*)`", rest)
        if quoted:
            if quoted[1] not in self.names:
                self._unknown(quoted[1])
            return self._coefficient(quoted[1], len(quoted[0]))
        number = _NUMBER.match(rest)
        if number:
            self.at += len(number[0])
            return self._form(-1, float(number[0]))
        if self._take("("):
            form = self._sum()
            if not self._take(")"):
                self._fail("expected ')'")
            return form
        word = _WORD.match(rest)
        if word:
            self._unknown(word[0])
        self._fail("expected a coefficient, a number or '('")

    def _coefficient(self, name: str, length: int) -> Array:
        self.at += length
        return self._form(list(self.names).index(name), 1.0)

    def _form(self, position: int, value: float) -> Array:
        form = np.zeros(len(self.names) + 1)
        form[position] = value
        return form

    def _rest(self) -> str:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1
        return self.text[self.at :]

    def _take(self, symbol: str) -> str:
        if not self._rest().startswith(symbol):
            return ""
        self.at += len(symbol)
        return symbol

    def _unknown(self, word: str) -> NoReturn:
        some = ", ".join(self.names[:12]) + (", ..." if len(self.names) > 12 else "")
        known = closest(word, list(self.names)) or f"; there are {some}"
        self._fail(f"'{word}' is not a coefficient of the model{known}")

    def _fail(self, message: str, position: int | None = None) -> NoReturn:
        raise FormulaError(message, self.text, self.at if position is None else position)


def _continues(name: str, rest: str) -> bool:
    """Whether `rest` goes on with the word that `name` ends with."""
    return bool(re.match(r"[\w.:]", rest)) and bool(re.search(r"[\w.:]$", name))
