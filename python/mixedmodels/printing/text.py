"""Numbers and tables as R prints them; nothing here knows a model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

__all__ = [
    "abbreviate",
    "decimals",
    "escape",
    "html_table",
    "left_table",
    "notes_html",
    "p_value_column",
    "p_values",
    "pad",
    "right_table",
    "stars",
]

STARS = ((0.001, "***"), (0.01, "**"), (0.05, "*"), (0.1, "."))
LEGEND = "Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1"
SMALLEST_P = 2.2e-16


def decimals(values: Iterable[float], digits: int, missing: str = "NaN") -> list[str]:
    """As R's format(): one number of decimals for all, enough for the neediest to show `digits`
    digits.

    Trailing zeros do not count as need; scientific notation where it is shorter. Not padded.

    >>> decimals([612.0899, 35.07166, 654.941], 4)
    ['612.09', '35.07', '654.94']
    >>> decimals([-0.0, 1.25], 3)
    ['0.00', '1.25']
    """
    numbers = [float(v) + 0.0 for v in values]  # zero without its sign
    finite = [_scientific(v, digits) for v in numbers if math.isfinite(v)]
    if not finite:
        return [_special(v, missing) for v in numbers]
    right = max(max(0, significant - 1 - exponent) for significant, exponent in finite)
    left = max(max(1, exponent + 1) for _, exponent in finite)
    mantissa = max(significant for significant, _ in finite)
    fixed_width = left + (right + 1 if right else 0)
    scientific_width = (mantissa + 1 if mantissa > 1 else 1) + 4
    spec = f".{right}f" if fixed_width <= scientific_width else f".{mantissa - 1}e"
    return [format(v, spec) if math.isfinite(v) else _special(v, missing) for v in numbers]


def _special(value: float, missing: str) -> str:
    return missing if math.isnan(value) else ("Inf" if value > 0 else "-Inf")


def _scientific(value: float, digits: int) -> tuple[int, int]:
    """Digits needed (at most `digits`, trailing zeros dropped) and the exponent of ten."""
    mantissa, exponent = f"{abs(value):.{digits - 1}e}".split("e")
    shown = mantissa.replace(".", "").rstrip("0")
    return max(1, len(shown)), int(exponent)


def p_values(values: Iterable[float], digits: int = 3) -> list[str]:
    """As R's format.pval(): '<2e-16' below the rounding of 1.

    >>> p_values([0.0009127466, 0.52])
    ['0.000913', '0.52']
    """
    result = []
    for value in values:
        if math.isnan(value):
            result.append("")
        elif value < SMALLEST_P:
            result.append("<2e-16")
        elif value >= 1e-4:
            result.append(decimals([value], digits)[0])
        else:
            result.append(f"{value:.{digits - 1}e}")
    return result


def p_value_column(values: Sequence[float], digits: int = 3) -> list[str]:
    """As R prints the p-values of a coefficient table: those of at least 1e-4 share their decimals.

    >>> p_value_column([1.47e-9, 0.001068, 0.000474, 1e-20])
    ['1.47e-09', '0.001068', '0.000474', '< 2e-16']
    """
    result = p_values(values, digits)
    fixed = [k for k, value in enumerate(values) if value >= 1e-4]
    for k, cell in zip(fixed, decimals([values[k] for k in fixed], digits), strict=True):
        result[k] = cell
    tiny = [cell.startswith("<") for cell in result]
    return result if all(tiny) else [cell.replace("<", "< ") for cell in result]


def stars(values: Iterable[float]) -> list[str]:
    """Significance marks, '***' to ''."""
    return [next((mark for limit, mark in STARS if value <= limit), "") for value in values]


def right_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    names: Sequence[str],
    left_header: bool = False,
) -> str:
    """A table with row names on the left and right-aligned columns."""
    stub = max([len(name) for name in names], default=0)
    widths = [max([len(h), *(len(row[j]) for row in rows)]) for j, h in enumerate(header)]
    side = "<" if left_header else ">"
    top = "".join(f" {h:{side}{w}}" for h, w in zip(header, widths, strict=True))
    lines = [" " * stub + top]
    for name, row in zip(names, rows, strict=True):
        cells = "".join(f" {cell:>{w}}" for cell, w in zip(row, widths, strict=True))
        lines.append(f"{name:<{stub}}{cells}")
    return "\n".join(line.rstrip() for line in lines)


def left_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table without row names, every column left-aligned (numbers come padded)."""
    widths = [max([len(h), *(len(row[j]) for row in rows)]) for j, h in enumerate(header)]
    lines = [
        "".join(f" {cell:<{w}}" for cell, w in zip(row, widths, strict=True))
        for row in [header, *rows]
    ]
    return "\n".join(line.rstrip() for line in lines)


def pad(cells: Sequence[str]) -> list[str]:
    """Right-align strings to a common width."""
    width = max([len(cell) for cell in cells], default=0)
    return [cell.rjust(width) for cell in cells]


def escape(text: str) -> str:
    """As html.escape(), whose import alone takes five milliseconds."""
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;")):
        text = text.replace(character, entity)
    return text


def html_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    names: Sequence[str] | None = None,
    text: int = 0,
    breaks: Sequence[int] = (),
) -> str:
    """The same as HTML: names and the first `text` columns left, numbers right; a rule above the
    rows at `breaks`."""
    left, right = (f"text-align:{side};padding:.15em .6em" for side in ("left", "right"))
    right += ";white-space:nowrap"  # a number is not broken at its sign
    styles = [left if j < text else right for j in range(len(header))]
    head = "".join(
        f'<th style="{css}">{escape(h)}</th>' for css, h in zip(styles, header, strict=True)
    )
    stub = f'<th style="{left}"></th>' if names is not None else ""
    body = []
    for i, row in enumerate(rows):
        name = f'<th style="{left}">{escape(names[i])}</th>' if names is not None else ""
        cells = "".join(
            f'<td style="{css}">{escape(cell.strip())}</td>'
            for css, cell in zip(styles, row, strict=True)
        )
        rule = ' style="border-top:1px solid"' if i in breaks else ""
        body.append(f"<tr{rule}>{name}{cells}</tr>")
    return (
        '<table style="border-collapse:collapse;margin:.4em 0;font-variant-numeric:tabular-nums">'
        f'<thead style="border-bottom:1px solid"><tr>{stub}{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table>"
    )


def notes_html(notes: Sequence[str]) -> str:
    """Remarks below a table."""
    return "".join(f"<p><small>{escape(note)}</small></p>" for note in notes)


def abbreviate(names: Sequence[str], length: int) -> list[str]:
    """Shorten names to about `length` characters, as R's abbreviate(): first lower-case vowels
    go, from the right, then other lower-case letters; the first letter of a word stays. Results
    are unique.

    >>> abbreviate(["(Intercept)", "therapy_sessions"], 6)
    ['(Intr)', 'thrpy_']
    """
    result = [_shorten(name, length) for name in names]
    for at, name in enumerate(names):
        allowed = length
        while result.count(result[at]) > 1 and allowed < len(name):
            allowed += 1
            result[at] = _shorten(name, allowed)
    return result


def _shorten(name: str, length: int) -> str:
    letters = list(name)
    for removable in ("aeiou", "abcdefghijklmnopqrstuvwxyz"):
        at = len(letters) - 1
        while at > 0 and len(letters) > length:
            if letters[at] in removable and letters[at - 1] != " ":
                del letters[at]
            at -= 1
    return "".join(letters).replace(" ", "") if len(letters) > length else "".join(letters)
