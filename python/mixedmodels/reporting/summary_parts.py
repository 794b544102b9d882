"""Pieces of summaries as text and as blocks, as lme4 and R print them; computes nothing."""

from __future__ import annotations

import math
import textwrap

import numpy as np
import pandas as pd

from ..models.varcorr import TermCovariance, VarCorr
from ..printing.document import Block, Cells, Heading
from ..printing.text import (
    LEGEND,
    abbreviate,
    decimals,
    left_table,
    p_value_column,
    pad,
    right_table,
    stars,
)

__all__ = [
    "DIGITS",
    "call_text",
    "coefficients_cells",
    "coefficients_text",
    "correlation_blocks",
    "correlation_text",
    "criteria_cells",
    "criteria_text",
    "notes_text",
    "quantiles_cells",
    "quantiles_text",
    "random_effects_cells",
    "random_effects_text",
]

DIGITS = 4
MAX_CORRELATIONS = 12  # fixed effects beyond which their correlations are not printed, as in lme4

# --- Text ---


def call_text(formula: str | None, data: str) -> str:
    return f"Formula: {formula or 'none (fitted from arrays)'}\n   Data: {data}"


def criteria_text(criteria: dict[str, float]) -> str:
    if "REML criterion" in criteria:
        return f"REML criterion at convergence: {criteria['REML criterion']:.1f}"
    cells = _criteria_cells(criteria)
    width = max(len(cell) for cell in [*criteria, *cells])
    return "\n".join(" ".join(cell.rjust(width) for cell in row) for row in (list(criteria), cells))


def _criteria_cells(criteria: dict[str, float]) -> list[str]:
    return [f"{v:.0f}" if name == "df.resid" else f"{v:.1f}" for name, v in criteria.items()]


def _quantile_cells(quantiles: pd.Series[float]) -> list[str]:
    """Rounded beyond the largest one's digits first, so that the median may show fewer digits."""
    largest = float(np.abs(quantiles).max())
    if not math.isfinite(largest) or largest == 0:
        return decimals(quantiles, DIGITS)
    places = max(0, DIGITS + 1 - math.ceil(math.log10(largest)))
    return decimals(np.round(quantiles.to_numpy(), places), DIGITS)


def quantiles_text(quantiles: pd.Series[float]) -> str:
    cells, names = _quantile_cells(quantiles), list(quantiles.index)
    width = max(len(cell) for cell in [*cells, *names])
    return "\n".join(" ".join(c.rjust(width) for c in row) for row in (names, cells))


def _random_effects_rows(varcorr: VarCorr) -> tuple[list[str], list[list[str]]]:
    """Header and rows Groups, Name, Variance, Std.Dev., Corr ...; numbers padded."""
    terms = varcorr.terms
    variances = [float(v) for term in terms for v in np.diag(term.cov)]
    residual = [varcorr.sigma**2] if varcorr.has_residual else []
    variance = pad(decimals([*variances, *residual], DIGITS))
    sd = pad(decimals(np.sqrt([*variances, *residual]), DIGITS))
    width = max((len(term.columns) for term in terms), default=1) - 1
    rows: list[list[str]] = []
    for term in terms:
        for i, column in enumerate(term.columns):
            correlations = _correlation_cells(term, i, width)
            at = len(rows)
            rows.append([term.name if i == 0 else "", column, variance[at], sd[at], *correlations])
    if residual:
        rows.append(["Residual", "", variance[-1], sd[-1], *[""] * width])
    header = ["Groups", "Name", "Variance", "Std.Dev."]
    return header + ["Corr"] * min(width, 1) + [""] * (width - 1), rows


def _correlation_cells(term: TermCovariance, i: int, width: int) -> list[str]:
    sign = " " if (np.tril(term.corr, -1) < 0).any() else "-"  # a place for the sign where one is
    return [f"{term.corr[i, j]:{sign}.2f}" if j < i else "" for j in range(width)]


def random_effects_text(varcorr: VarCorr) -> str:
    """The table of variances, standard deviations and correlations."""
    return left_table(*_random_effects_rows(varcorr))


def _coefficient_cells(table: pd.DataFrame) -> list[list[str]]:
    """Columns of cells: estimates and errors share their decimals, as in R's printCoefmat()."""
    main = table[["Estimate", "Std. Error"]].to_numpy()
    sizes = np.abs(main[np.isfinite(main) & (main != 0)])
    before = 1 + math.floor(math.log10(sizes.min())) if len(sizes) else 1
    cells = decimals(np.round(main, max(1, DIGITS - before)).ravel(), DIGITS)
    columns = {"Estimate": cells[0::2], "Std. Error": cells[1::2]}
    if "df" in table:
        columns["df"] = decimals(table["df"], DIGITS)
    for name in table.columns:
        if name.endswith(" value"):
            columns[name] = decimals(np.round(table[name], 3), DIGITS)
        elif name.startswith("Pr("):
            columns[name] = p_value_column(table[name].tolist())
    return [columns[name] for name in table.columns]


def coefficients_text(table: pd.DataFrame, marks: bool = False) -> str:
    if not len(table):
        return "(none)"
    header, names = [str(c) for c in table.columns], [str(n) for n in table.index]
    columns = _coefficient_cells(table)
    if marks:
        header.append("")
        columns.append([mark.ljust(3) for mark in stars(table.iloc[:, -1])])
    text = right_table(header, [list(row) for row in zip(*columns, strict=True)], names)
    return f"{text}\n---\n{LEGEND}" if marks else text


def _correlation_rows(correlation: pd.DataFrame) -> tuple[list[str], list[list[str]], list[str]]:
    names = [str(name) for name in correlation.index]
    values = correlation.to_numpy()
    rows = [
        [f"{values[i, j]:z.3f}" if j < i else "" for j in range(len(names) - 1)]
        for i in range(1, len(names))
    ]
    return abbreviate(names, 6)[:-1], rows, abbreviate(names, 11)[1:]


def correlation_text(correlation: pd.DataFrame) -> str:
    p = len(correlation)
    if p < 2:
        return ""
    if p > MAX_CORRELATIONS:
        return (
            f"Correlation of Fixed Effects: not printed for p = {p} > {MAX_CORRELATIONS} "
            "(see .correlation)"
        )
    return "Correlation of Fixed Effects:\n" + right_table(
        *_correlation_rows(correlation), left_header=True
    )


def notes_text(notes: tuple[str, ...]) -> str:
    return "\n".join(textwrap.fill(note, 92, subsequent_indent="  ") for note in notes)


# --- Blocks ---


def criteria_cells(criteria: dict[str, float]) -> Cells:
    return Cells(list(criteria), [_criteria_cells(criteria)])


def quantiles_cells(quantiles: pd.Series[float]) -> Cells:
    return Cells([str(n) for n in quantiles.index], [_quantile_cells(quantiles)])


def random_effects_cells(varcorr: VarCorr) -> Cells:
    """The table of variances, standard deviations and correlations."""
    header, rows = _random_effects_rows(varcorr)
    return Cells(header[1:], [row[1:] for row in rows], [row[0] for row in rows], text=1)


def coefficients_cells(table: pd.DataFrame) -> Cells:
    columns = _coefficient_cells(table)
    rows = [list(row) for row in zip(*columns, strict=True)]
    return Cells([str(c) for c in table.columns], rows, [str(n) for n in table.index])


def correlation_blocks(correlation: pd.DataFrame) -> list[Block]:
    if not 2 <= len(correlation) <= MAX_CORRELATIONS:
        return []
    return [Heading("Correlation of fixed effects", 2), Cells(*_correlation_rows(correlation))]
