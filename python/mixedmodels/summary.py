"""The looks of a summary: text as lme4's and R's print, and HTML. Computes nothing (see
summarize.py)."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .text import (
    LEGEND,
    abbreviate,
    decimals,
    escape,
    html_table,
    left_table,
    notes_html,
    p_values,
    pad,
    right_table,
    stars,
)
from .varcorr import TermCovariance, VarCorr

__all__ = ["LinearMixedSummary", "LinearSummary", "random_effects_html", "random_effects_text"]

DIGITS = 4
TESTS = {
    "satterthwaite": ". t-tests use Satterthwaite's method",
    "kenward-roger": ". t-tests use Kenward-Roger's method",
    "residual": ". t-tests use residual degrees of freedom",
    "asymptotic": ". z-tests use the normal distribution",
    "none": "",
}
MAX_CORRELATIONS = 12  # fixed effects beyond which their correlations are not printed, as in lme4


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearMixedSummary:
    """Summary of a linear mixed model; `str()` reads as lme4's print, `.coefficients` is the table.

    `criteria` holds the REML criterion, or AIC, BIC, logLik, deviance and df.resid of an ML fit;
    `correlation` that of the fixed effects (rank, rank); `notes` what a reader has to know besides.
    """

    formula: str | None
    data: str
    reml: bool
    criteria: dict[str, float]
    scaled_residuals: pd.Series[float]
    varcorr: VarCorr
    nobs: int
    ngroups: dict[str, int]
    coefficients: pd.DataFrame
    correlation: pd.DataFrame
    ddf: str
    notes: tuple[str, ...]

    @property
    def title(self) -> str:
        by = "REML" if self.reml else "maximum likelihood"
        return f"Linear mixed model fit by {by}{TESTS[self.ddf]}"

    @property
    def _counts(self) -> str:
        groups = "; ".join(f"{group}, {count}" for group, count in self.ngroups.items())
        return f"Number of obs: {self.nobs}, groups:  {groups}"

    def __str__(self) -> str:
        parts = [
            f"{self.title}\n{_call(self.formula, self.data)}",
            _criteria_text(self.criteria),
            f"Scaled residuals:\n{_quantiles_text(self.scaled_residuals)}",
            f"Random effects:\n{random_effects_text(self.varcorr)}\n{self._counts}",
            f"Fixed effects:\n{_coefficients_text(self.coefficients, self.ddf != 'none')}",
            _correlation_text(self.correlation),
            _notes_text(self.notes),
        ]
        return "\n\n".join(part for part in parts if part)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [
            f"<h4>{escape(self.title)}</h4>",
            _call_html(self.formula, self.data),
            _criteria_html(self.criteria),
            "<h5>Scaled residuals</h5>" + _quantiles_html(self.scaled_residuals),
            "<h5>Random effects</h5>" + random_effects_html(self.varcorr),
            f"<p>{escape(self._counts)}</p>",
            "<h5>Fixed effects</h5>" + _coefficients_html(self.coefficients),
            _correlation_html(self.correlation),
            notes_html(self.notes),
        ]
        return f'<div class="mixedmodels-summary">{"".join(parts)}</div>'


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearSummary:
    """Summary of an ordinary regression; `str()` reads as R's summary(lm)."""

    formula: str | None
    data: str
    residuals: pd.Series[float]
    weighted: bool
    coefficients: pd.DataFrame
    sigma: float
    df_resid: int
    r_squared: float
    adj_r_squared: float
    f_statistic: float
    f_df: tuple[int, int]
    f_p_value: float
    notes: tuple[str, ...]

    @property
    def _foot(self) -> str:
        sigma, r2, adjusted = (
            decimals([value], DIGITS)[0]
            for value in (self.sigma, self.r_squared, self.adj_r_squared)
        )
        lines = [f"Residual standard error: {sigma} on {self.df_resid} degrees of freedom"]
        if self.f_df[0] > 0:
            f = decimals([self.f_statistic], DIGITS)[0]
            p = "< 2.2e-16" if self.f_p_value < 2.2e-16 else p_values([self.f_p_value], DIGITS)[0]
            lines.append(f"Multiple R-squared:  {r2},\tAdjusted R-squared:  {adjusted}")
            lines.append(f"F-statistic: {f} on {self.f_df[0]} and {self.f_df[1]} DF,  p-value: {p}")
        return "\n".join(lines)

    @property
    def _residuals_title(self) -> str:
        return "Weighted residuals" if self.weighted else "Residuals"

    def __str__(self) -> str:
        # In R's print of lm the degrees of freedom stand below the table, once.
        table = _coefficients_text(self.coefficients.drop(columns="df"), marks=True)
        parts = [
            f"Linear regression by least squares\n{_call(self.formula, self.data)}",
            f"{self._residuals_title}:\n{_quantiles_text(self.residuals)}",
            f"Coefficients:\n{table}",
            self._foot,
            _notes_text(self.notes),
        ]
        return "\n\n".join(part for part in parts if part)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [
            "<h4>Linear regression by least squares</h4>",
            _call_html(self.formula, self.data),
            f"<h5>{self._residuals_title}</h5>" + _quantiles_html(self.residuals),
            "<h5>Coefficients</h5>" + _coefficients_html(self.coefficients.drop(columns="df")),
            "<p>" + escape(self._foot).replace("\n", "<br>") + "</p>",
            notes_html(self.notes),
        ]
        return f'<div class="mixedmodels-summary">{"".join(parts)}</div>'


# --- Pieces as text ---


def _call(formula: str | None, data: str) -> str:
    return f"Formula: {formula or 'none (fitted from arrays)'}\n   Data: {data}"


def _criteria_text(criteria: dict[str, float]) -> str:
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


def _quantiles_text(quantiles: pd.Series[float]) -> str:
    cells, names = _quantile_cells(quantiles), list(quantiles.index)
    width = max(len(cell) for cell in [*cells, *names])
    return "\n".join(" ".join(c.rjust(width) for c in row) for row in (names, cells))


def _random_effects_rows(varcorr: VarCorr) -> tuple[list[str], list[list[str]]]:
    """Header and rows Groups, Name, Variance, Std.Dev., Corr ...; numbers padded."""
    terms = varcorr.terms
    variances = [float(v) for term in terms for v in np.diag(term.cov)]
    variance = pad(decimals([*variances, varcorr.sigma**2], DIGITS))
    sd = pad(decimals([*np.sqrt(variances), varcorr.sigma], DIGITS))
    width = max((len(term.columns) for term in terms), default=1) - 1
    rows: list[list[str]] = []
    for term in terms:
        for i, column in enumerate(term.columns):
            correlations = _correlation_cells(term, i, width)
            at = len(rows)
            rows.append([term.name if i == 0 else "", column, variance[at], sd[at], *correlations])
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
            columns[name] = p_values(table[name])
    return [columns[name] for name in table.columns]


def _coefficients_text(table: pd.DataFrame, marks: bool = False) -> str:
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


def _correlation_text(correlation: pd.DataFrame) -> str:
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


def _notes_text(notes: tuple[str, ...]) -> str:
    return "\n".join(textwrap.fill(note, 92, subsequent_indent="  ") for note in notes)


# --- Pieces as HTML ---


def _call_html(formula: str | None, data: str) -> str:
    what = f"<code>{escape(formula)}</code>" if formula else "fitted from arrays"
    return f"<p>{what}<br>{escape(data)}</p>"


def _criteria_html(criteria: dict[str, float]) -> str:
    return html_table(list(criteria), [_criteria_cells(criteria)])


def _quantiles_html(quantiles: pd.Series[float]) -> str:
    return html_table([str(n) for n in quantiles.index], [_quantile_cells(quantiles)])


def random_effects_html(varcorr: VarCorr) -> str:
    """The table of variances, standard deviations and correlations, as HTML."""
    header, rows = _random_effects_rows(varcorr)
    return html_table(header[1:], [row[1:] for row in rows], [row[0] for row in rows], text=1)


def _coefficients_html(table: pd.DataFrame) -> str:
    columns = _coefficient_cells(table)
    rows = [list(row) for row in zip(*columns, strict=True)]
    return html_table([str(c) for c in table.columns], rows, [str(n) for n in table.index])


def _correlation_html(correlation: pd.DataFrame) -> str:
    if not 2 <= len(correlation) <= MAX_CORRELATIONS:
        return ""
    return "<h5>Correlation of fixed effects</h5>" + html_table(*_correlation_rows(correlation))
