"""Numbers as the APA asks for them (Publication Manual, 7th ed., §6.36), in plain text or markdown:
two decimals, p to three, no zero before the point where a number cannot exceed 1."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["Style", "joined", "number", "share"]

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Two decimals; two digits where that would show nothing but zeros.

    >>> number(-1.4297), number(0.0012), number(3.2e-7), number(0)
    ('-1.43', '0.0012', '3.2 × 10⁻⁷', '0.00')
    """
    if value == 0 or abs(value) >= 0.005 or math.isnan(value):
        return f"{value:.2f}"
    if abs(value) >= 1e-4:
        return f"{value:.2g}"
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa} × 10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def share(value: float) -> str:
    """A correlation or a share of variance.

    >>> share(0.552), share(-0.3), share(1.0)
    ('.55', '-.30', '1.00')
    """
    text = f"{value:.2f}"
    return text.replace("0.", ".", 1) if abs(float(text)) < 1 else text


def joined(parts: list[str], last: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {last} {parts[-1]}"


@dataclass(frozen=True, slots=True)
class Style:
    """Plain text, or markdown: symbols of statistics in italics, names from the data as code."""

    markdown: bool

    def symbol(self, text: str) -> str:
        """t, p, SD, ..."""
        return f"*{text}*" if self.markdown else text

    def name(self, text: str) -> str:
        """A column, a level or a formula."""
        if not self.markdown:
            return text
        return f"`` {text} ``" if "`" in text else f"`{text}`"

    def p(self, value: float) -> str:
        """ "p = .034", "p < .001"."""
        if value < 0.001:
            return f"{self.symbol('p')} < .001"
        if value > 0.999:
            return f"{self.symbol('p')} > .999"
        return f"{self.symbol('p')} = {value:.3f}".replace("0.", ".")

    def statistic(self, name: str, df: str, value: float) -> str:
        """ "t(12.75) = 45.57"."""
        degrees = f"({df})" if df else ""
        return f"{self.symbol(name)}{degrees} = {value:.2f}"
