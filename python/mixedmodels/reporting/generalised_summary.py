"""The looks of a generalised model's summary, as lme4's and R's print; computes nothing."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ..printing.document import Block, Document, Formula, Heading, Notes, Paragraph
from ..printing.text import decimals
from .summary import MixedSummary
from .summary_parts import (
    DIGITS,
    call_text,
    coefficients_cells,
    coefficients_text,
    notes_text,
    quantiles_cells,
    quantiles_text,
)

__all__ = ["GeneralizedMixedSummary", "GeneralizedSummary"]


@dataclass(frozen=True, eq=False, kw_only=True)
class GeneralizedMixedSummary(MixedSummary):
    """Summary of a generalised linear mixed model.

    `family` names family, estimated shape and link; `method` the approximation of the integral;
    `information` that in Laplace's determinant, where the two differ.
    """

    family: str
    method: str
    information: str

    @property
    def title(self) -> str:
        """What was fitted, and how."""
        return f"Generalized linear mixed model fit by maximum likelihood ({self.method})"

    @property
    def _details(self) -> tuple[str, ...]:
        family = f" Family: {self.family}"
        return (family, f"Criterion: {self.information}") if self.information else (family,)


@dataclass(frozen=True, eq=False, kw_only=True)
class GeneralizedSummary(Document):
    """Summary of a generalised linear model; `str()` reads as R's summary(glm)."""

    formula: str | None
    data: str
    family: str
    residuals: pd.Series[float]
    coefficients: pd.DataFrame
    ddf: str
    dispersion: str
    deviance: float
    df_resid: int
    aic: float
    notes: tuple[str, ...]

    title = "Generalized linear model fit by maximum likelihood"

    @property
    def _foot(self) -> str:
        deviance, aic = (decimals([v], DIGITS + 1)[0] for v in (self.deviance, self.aic))
        return (
            f"({self.dispersion})\n\n"
            f"Residual deviance: {deviance} on {self.df_resid} degrees of freedom\nAIC: {aic}"
        )

    @property
    def _table(self) -> pd.DataFrame:
        """In R's print the degrees of freedom stand below the table, once."""
        return self.coefficients.drop(columns="df", errors="ignore")

    def __str__(self) -> str:
        parts = [
            f"{self.title}\n Family: {self.family}\n{call_text(self.formula, self.data)}",
            f"Deviance residuals:\n{quantiles_text(self.residuals)}",
            f"Coefficients:\n{coefficients_text(self._table, self.ddf != 'none')}",
            self._foot,
            notes_text(self.notes),
        ]
        return "\n\n".join(part for part in parts if part)

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        return [
            Heading(self.title),
            Paragraph(f"Family: {self.family}"),
            Formula(self.formula, self.data),
            Heading("Deviance residuals", 2),
            quantiles_cells(self.residuals),
            Heading("Coefficients", 2),
            coefficients_cells(self._table),
            Paragraph(self._foot),
            Notes(self.notes),
        ]
