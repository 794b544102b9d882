"""A first look at a formula's characters: quotes, brackets, the tilde, and sizes that are sane.

formulaic's tokenizer is simple about quotes inside brackets, so the formula is handed to it
*masked*: whatever stands in quotes or backticks is replaced by as many underscores.  Positions
stay, and the original text is read back from them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..errors import FormulaError

__all__ = ["Sides", "scan"]

MAX_LENGTH = 100_000
MAX_DEPTH = 100

_OPEN = {"(": ")", "[": "]", "{": "}"}
_SPACE_BEFORE_CALL = re.compile(r"(?<=[\w.])(\s+)\(")


@dataclass(frozen=True, slots=True)
class Sides:
    """`masked` has the length of the text; `tilde` is the position of `~`."""

    masked: str
    tilde: int


def scan(text: str) -> Sides:
    """Check quotes and brackets, find the tilde; raises `FormulaError` with a caret."""
    if len(text) > MAX_LENGTH:
        raise FormulaError(f"the formula has {len(text)} characters; at most {MAX_LENGTH} are read")
    if not text.strip():
        raise FormulaError("the formula is empty; expected 'response ~ predictors + (1 | group)'")
    masked = list(text)
    opened: list[tuple[str, int]] = []
    tildes: list[int] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char in "\"'`":
            at = _mask_quoted(text, at, masked)
        elif char == "~":
            tildes.append(at)
        else:
            _bracket(text, at, opened)
        at += 1
    if opened:
        raise FormulaError(f"'{opened[-1][0]}' is never closed", text, opened[-1][1])
    _check_tildes(text, tildes)
    return Sides(_SPACE_BEFORE_CALL.sub(r"(\1", "".join(masked)), tildes[0])


def _mask_quoted(text: str, start: int, masked: list[str]) -> int:
    """Blank the quoted part that begins at `start`; the position of its closing quote."""
    quote, at = text[start], start + 1
    while at < len(text) and text[at] != quote:
        at += 2 if text[at] == "\\" and quote != "`" else 1
    if at >= len(text):
        kind = "backtick" if quote == "`" else "quote"
        raise FormulaError(f"this {kind} is never closed", text, start)
    if at == start + 1 and quote == "`":
        raise FormulaError("there is no name between these backticks", text, start)
    masked[start + 1 : at] = "_" * (at - start - 1)
    return at


def _bracket(text: str, at: int, opened: list[tuple[str, int]]) -> None:
    char = text[at]
    if char in _OPEN:
        opened.append((char, at))
        if len(opened) > MAX_DEPTH:
            raise FormulaError(f"more than {MAX_DEPTH} brackets inside one another", text, at)
    elif char in ")]}":
        if not opened:
            raise FormulaError(f"'{char}' closes nothing", text, at)
        expected = _OPEN[opened.pop()[0]]
        if char != expected:
            raise FormulaError(f"expected '{expected}' before this '{char}'", text, at)


def _check_tildes(text: str, tildes: list[int]) -> None:
    if not tildes:
        raise FormulaError(
            "there is no '~' in the formula; expected 'response ~ predictors + (1 | group)'",
            text,
            len(text),
        )
    if len(tildes) > 1:
        raise FormulaError("a formula has one '~'; this is a second", text, tildes[1])
