"""The looks of a summary: text as lme4's and R's print, and the blocks of HTML, markdown and LaTeX.
Computes nothing (see summarize.py)."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..models.varcorr import VarCorr
from ..printing.document import Block, Document, Formula, Heading, Notes, Paragraph
from ..printing.text import decimals, p_values
from .summary_parts import (
    DIGITS,
    call_text,
    coefficients_cells,
    coefficients_text,
    correlation_blocks,
    correlation_text,
    criteria_cells,
    criteria_text,
    notes_text,
    quantiles_cells,
    quantiles_text,
    random_effects_cells,
    random_effects_text,
)

__all__ = ["LinearMixedSummary", "LinearSummary", "MixedSummary"]

TESTS = {
    "satterthwaite": ". t-tests use Satterthwaite's method",
    "kenward-roger": ". t-tests use Kenward-Roger's method",
    "residual": ". t-tests use residual degrees of freedom",
    "asymptotic": ". z-tests use the normal distribution",
    "none": "",
}


@dataclass(frozen=True, eq=False, kw_only=True)
class MixedSummary(Document):
    """What the summaries of mixed models share; `str()` reads as lme4's print, `.coefficients` is
    the table.

    `criteria` holds what was minimised and what follows from it; `correlation` that of the fixed
    effects (rank, rank); `notes` what a reader has to know besides.
    """

    formula: str | None
    data: str
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
        """What was fitted, and how."""
        raise NotImplementedError

    @property
    def _details(self) -> tuple[str, ...]:
        """Lines below the title."""
        return ()

    @property
    def _counts(self) -> str:
        groups = "; ".join(f"{group}, {count}" for group, count in self.ngroups.items())
        return f"Number of obs: {self.nobs}, groups:  {groups}"

    def __str__(self) -> str:
        parts = [
            "\n".join([self.title, *self._details, call_text(self.formula, self.data)]),
            criteria_text(self.criteria),
            f"Scaled residuals:\n{quantiles_text(self.scaled_residuals)}",
            f"Random effects:\n{random_effects_text(self.varcorr)}\n{self._counts}",
            f"Fixed effects:\n{coefficients_text(self.coefficients, self.ddf != 'none')}",
            correlation_text(self.correlation),
            notes_text(self.notes),
        ]
        return "\n\n".join(part for part in parts if part)

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        return [
            Heading(self.title),
            *(Paragraph(line.strip()) for line in self._details),
            Formula(self.formula, self.data),
            criteria_cells(self.criteria),
            Heading("Scaled residuals", 2),
            quantiles_cells(self.scaled_residuals),
            Heading("Random effects", 2),
            random_effects_cells(self.varcorr),
            Paragraph(self._counts),
            Heading("Fixed effects", 2),
            coefficients_cells(self.coefficients),
            *correlation_blocks(self.correlation),
            Notes(self.notes),
        ]


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearMixedSummary(MixedSummary):
    """Summary of a linear mixed model.

    `criteria` holds the REML criterion, or AIC, BIC, logLik, deviance and df.resid of an ML fit.
    """

    reml: bool

    @property
    def title(self) -> str:
        """What was fitted, and how."""
        by = "REML" if self.reml else "maximum likelihood"
        return f"Linear mixed model fit by {by}{TESTS[self.ddf]}"


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearSummary(Document):
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
        table = coefficients_text(self.coefficients.drop(columns="df"), marks=True)
        parts = [
            f"Linear regression by least squares\n{call_text(self.formula, self.data)}",
            f"{self._residuals_title}:\n{quantiles_text(self.residuals)}",
            f"Coefficients:\n{table}",
            self._foot,
            notes_text(self.notes),
        ]
        return "\n\n".join(part for part in parts if part)

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        return [
            Heading("Linear regression by least squares"),
            Formula(self.formula, self.data),
            Heading(self._residuals_title, 2),
            quantiles_cells(self.residuals),
            Heading("Coefficients", 2),
            coefficients_cells(self.coefficients.drop(columns="df")),
            Paragraph(self._foot.replace("\t", " ")),
            Notes(self.notes),
        ]
