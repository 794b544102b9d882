"""The tokens of an expression, and their spelling as R prints it.

R's names may hold dots (`IQ.ver.cen`), anything may stand in backticks, and `**` is `^`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import FormulaError

__all__ = ["CONSTANTS", "ExpressionToken", "deparse", "expression_tokens", "quote_name"]

MAX_TOKENS = 2000

_TOKEN = re.compile(
    r"""(?P<space>\s+)
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?L?)
      | (?P<name>(?:[^\W\d]|\.)[\w.]*)
      | (?P<quoted>`[^`]+`)
      | (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<operator>\*\*|<=|>=|==|!=|%%|%/%|%in%|&&|\|\||[-+*/^<>()\[\],=&|!%])""",
    re.VERBOSE | re.DOTALL,
)
_SYNTACTIC = re.compile(r"(?:[^\W\d_]|\.(?!\d))[\w.]*\Z")
_RESERVED = frozenset(
    {"if", "else", "repeat", "while", "function", "for", "next", "break", "in"}
    | {"TRUE", "FALSE", "NULL", "Inf", "NaN", "NA"}
)
_WORDS = {"and": "&", "or": "|", "not": "!", "in": "%in%"}
CONSTANTS: dict[str, float | bool | None] = {
    "TRUE": True,
    "FALSE": False,
    "True": True,
    "False": False,
    "NULL": None,
    "None": None,
    "Inf": float("inf"),
    "NaN": float("nan"),
}


@dataclass(frozen=True, slots=True)
class ExpressionToken:
    kind: str  # number, name, string, operator, constant
    text: str  # names without backticks, strings without quotes
    position: int


def quote_name(name: str) -> str:
    """A name as R prints it in a formula: in backticks unless it is syntactic.

    >>> quote_name("IQ.ver.cen"), quote_name("my var")
    ('IQ.ver.cen', '`my var`')
    """
    return name if _SYNTACTIC.match(name) and name not in _RESERVED else f"`{name}`"


def expression_tokens(text: str, offset: int, formula: str) -> list[ExpressionToken]:
    tokens: list[ExpressionToken] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise FormulaError(f"{text[at]!r} is not understood here", formula, offset + at)
        kind, found = str(match.lastgroup), match.group()
        if kind != "space":
            tokens.append(_classify(kind, found, offset + at))
        if len(tokens) > MAX_TOKENS:
            raise FormulaError(f"the expression has more than {MAX_TOKENS} parts", formula, offset)
        at = match.end()
    return tokens


def _classify(kind: str, found: str, position: int) -> ExpressionToken:
    if kind == "quoted":
        return ExpressionToken("name", found[1:-1], position)
    if kind == "string":
        return ExpressionToken(
            "string", re.sub(r"\\(.)", r"\1", found[1:-1], flags=re.DOTALL), position
        )
    if kind == "name" and found in _WORDS:
        return ExpressionToken("operator", _WORDS[found], position)
    if kind == "name" and found in CONSTANTS:
        return ExpressionToken("constant", found, position)
    if kind == "operator" and found == "**":
        return ExpressionToken("operator", "^", position)
    return ExpressionToken(kind, found, position)


_TIGHT = frozenset({"^", "/", "%%", "%/%", "%", "(", "[", "!"})


def deparse(tokens: list[ExpressionToken]) -> str:
    """The tokens with R's spacing: `x + 1`, `x^2`, `x/2`, `f(a, b = 2)`."""
    out: list[str] = []
    previous: ExpressionToken | None = None
    for token in tokens:
        operand_before = previous is not None and (
            previous.kind != "operator" or previous.text in ")]"
        )
        if token.kind != "operator":
            out.append(_spell(token))
        elif token.text in ")]":
            out.append(token.text)
        elif token.text == ",":
            out.append(", ")
        elif token.text in _TIGHT or not operand_before:
            out.append(token.text)
        else:
            out.append(f" {token.text} ")
        previous = token
    return "".join(out)


def _spell(token: ExpressionToken) -> str:
    if token.kind == "name":
        return quote_name(token.text)
    if token.kind == "string":
        return '"' + token.text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if token.kind == "number":
        return token.text if token.text.endswith("L") else _number(float(token.text))
    return {"True": "TRUE", "False": "FALSE", "None": "NULL"}.get(token.text, token.text)


def _number(value: float) -> str:
    """A number with up to 15 digits as R prints it: fixed unless the exponent form is shorter."""
    short = f"{value:.15g}"
    digits, _, exponent = f"{value:.14e}".partition("e")
    digits = digits.rstrip("0").rstrip(".")
    scientific = f"{digits}e{int(exponent):+03d}"
    fixed = f"{value:.15f}".rstrip("0").rstrip(".") if "e-" in short else short
    fixed = f"{value:.0f}" if "e+" in fixed else fixed
    return fixed if len(fixed) <= len(scientific) else scientific
