"""Text and tables in markdown and LaTeX; their HTML is in text.py. Nothing here knows a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["escape_latex", "escape_markdown", "latex_table", "markdown_table"]

_MARKED = re.compile(r"([\\`*|<~\[\]]|(?<!\w)_|_(?!\w))")

_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": "$<$", ">": "$>$", "|": "$|$", '"': "''", "≤": r"$\leq$", "≥": r"$\geq$",
    "≈": r"$\approx$", "−": "$-$", "×": r"$\times$", "·": r"$\cdot$", "±": r"$\pm$",
    "∞": r"$\infty$", "√": r"$\surd$",
    "→": r"$\to$", "∈": r"$\in$", "²": "$^2$", "³": "$^3$", "½": r"$\frac{1}{2}$",
    "–": "--", "—": "---", "…": r"\ldots{}", "‘": "`", "’": "'", "“": "``", "”": "''",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\varepsilon$",
    "ζ": r"$\zeta$", "η": r"$\eta$", "θ": r"$\theta$", "κ": r"$\kappa$", "λ": r"$\lambda$",
    "μ": r"$\mu$", "ν": r"$\nu$", "π": r"$\pi$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$",
    "φ": r"$\varphi$", "χ": r"$\chi$", "ψ": r"$\psi$", "ω": r"$\omega$", "Δ": r"$\Delta$",
    "Λ": r"$\Lambda$", "Σ": r"$\Sigma$", "Φ": r"$\Phi$", "Ω": r"$\Omega$",
    "β̂": r"$\hat\beta$", "θ̂": r"$\hat\theta$", "σ̂": r"$\hat\sigma$",
}  # fmt: skip
_SPECIAL = re.compile("|".join(re.escape(key) for key in sorted(_LATEX, key=len, reverse=True)))
_ADJACENT = re.compile(r"(?<!\\)\$\$")  # the end of one formula and the start of the next
_STARTS = ("[", "*")  # which LaTeX takes for an argument of the line break before
_NEGATIVE = re.compile(r"(?<![\w.])-(?=\d)|(?<=\de)-(?=\d)")


def escape_markdown(text: str) -> str:
    """Text as it is, whatever its characters mean in markdown.

    >>> escape_markdown("Pr(>|t|) <none>")
    'Pr(>\\\\|t\\\\|) \\\\<none>'
    """
    return _MARKED.sub(r"\\\1", text)


def escape_latex(text: str) -> str:
    """Text as it is, whatever its characters mean in LaTeX; signs of numbers as minus signs.

    Greek letters and the signs of mathematics become commands, for pdfLaTeX knows none of them.

    >>> escape_latex("Pr(>|t|) of x_1: -0.5")
    'Pr($>|$t$|$) of x\\\\_1: $-$0.5'
    """
    escaped = _SPECIAL.sub(lambda found: _LATEX[found[0]], text)
    return _ADJACENT.sub("", _NEGATIVE.sub("$-$", escaped))


def markdown_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    names: Sequence[str] | None = None,
    text: int = 0,
) -> str:
    """A table of GitHub's markdown, padded so that it reads as it stands: names and the first
    `text` columns left, numbers right."""
    lines, left = _with_names(header, rows, names, text)
    cells = [[escape_markdown(cell.strip()) for cell in line] for line in lines]
    widths = [max(3, *(len(line[j]) for line in cells)) for j in range(len(cells[0]))]
    sides = ["<" if j < left else ">" for j in range(len(widths))]

    def joined(line: Sequence[str]) -> str:
        padded = (f"{c:{s}{w}}" for c, s, w in zip(line, sides, widths, strict=True))
        return f"| {' | '.join(padded)} |"

    rules = [
        ":" + "-" * (w - 1) if s == "<" else "-" * (w - 1) + ":"
        for s, w in zip(sides, widths, strict=True)
    ]
    return "\n".join([joined(cells[0]), joined(rules), *map(joined, cells[1:])])


def latex_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    names: Sequence[str] | None = None,
    text: int = 0,
    breaks: Sequence[int] = (),
) -> str:
    """The same as a tabular with the rules of booktabs; one more above the rows at `breaks`."""
    lines, left = _with_names(header, rows, names, text)
    cells = [[escape_latex(cell.strip()) for cell in line] for line in lines]
    columns = len(cells[0])
    guarded = ["{}" if line[0].startswith(_STARTS) else "" for line in cells]
    joined = [g + " & ".join(line) + r" \\" for g, line in zip(guarded, cells, strict=True)]
    body = [f"\\midrule\n{row}" if i in breaks else row for i, row in enumerate(joined[1:])]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{{'l' * left}{'r' * (columns - left)}}}",
            r"\toprule",
            joined[0],
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _with_names(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    names: Sequence[str] | None,
    text: int,
) -> tuple[list[list[str]], int]:
    """Header and rows with the names, if any, in front; and how many columns stand left."""
    if names is None or not any(names):
        return [list(header), *map(list, rows)], text
    lines = [["", *header]]
    lines += [[name, *row] for name, row in zip(names, rows, strict=True)]
    return lines, text + 1
