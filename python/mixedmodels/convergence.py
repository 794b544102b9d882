"""The outcome of the optimisation: `m.convergence`, and the warnings a fit gives."""

from __future__ import annotations

import textwrap
import warnings
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import ConvergenceWarning, RankDeficiencyWarning, SingularFitWarning
from .varcorr import VarCorr

if TYPE_CHECKING:
    from ._core import Fit
    from .model_matrix import TermInfo

__all__ = ["Convergence", "warn_about_fit"]

Array = NDArray[np.float64]


class Convergence:
    """Why the optimiser stopped, and how certain the optimum is.

    Examples
    --------
    >>> m.convergence.converged, m.convergence.evaluations                     # doctest: +SKIP
    >>> m.convergence.eigenvalues                                              # doctest: +SKIP
    """

    def __init__(self, fit: Fit, terms: tuple[TermInfo, ...]):
        self._fit = fit
        self._terms = terms

    @property
    def converged(self) -> bool:
        """Whether the optimum is one: gradient, curvature and multipliers as they should be."""
        return bool(self._fit.converged)

    @property
    def singular(self) -> bool:
        """Whether a variance is estimated as zero or a correlation as ±1 (a point on the
        boundary)."""
        return bool(self._fit.singular)

    @property
    def reason(self) -> str:
        """Why the optimiser stopped."""
        return str(self._fit.reason)

    @property
    def optimizer(self) -> str:
        """The optimiser that finished."""
        return str(self._fit.optimizer)

    @property
    def evaluations(self) -> int:
        """Evaluations of the criterion."""
        return int(self._fit.evaluations)

    @property
    def iterations(self) -> int:
        """Accepted steps."""
        return int(self._fit.iterations)

    @property
    def seconds(self) -> float:
        """Time of the fit in the kernel."""
        return float(self._fit.seconds)

    @property
    def gradient_norm(self) -> float:
        """Length of the criterion's gradient at θ̂, on the scaled columns of the kernel."""
        return float(self._fit.gradient_norm)

    @property
    def decrement(self) -> float:
        """Newton decrement ½g'H⁻¹g: the fall of the criterion still to be expected, in deviance
        units."""
        return float(self._fit.decrement)

    @property
    def multipliers(self) -> pd.Series[float]:
        """One a term: the smallest multiplier at the boundary; NaN where the term is not singular.

        At an optimum it is 0 or more: below 0 the criterion would fall if a variance left zero.
        """
        names = [term_label(term) for term in self._terms]
        return pd.Series(self._fit.multipliers, index=names, name="multiplier", dtype=float)

    @cached_property
    def _hessian(self) -> Array:
        return np.asarray(self._fit.hessian(), dtype=float)

    @property
    def hessian(self) -> Array:
        """Second derivatives of the criterion in θ at θ̂, shape (n_theta, n_theta); made on
        demand."""
        return self._hessian.copy()

    @cached_property
    def _eigenvalues(self) -> Array:
        return np.asarray(np.linalg.eigvalsh(self._hessian), dtype=float)

    @property
    def eigenvalues(self) -> Array:
        """Eigenvalues of `hessian`, ascending, shape (n_theta,); all above zero at a regular
        optimum."""
        return self._eigenvalues.copy()

    @property
    def messages(self) -> tuple[str, ...]:
        """Remarks in plain language, most important first; empty for an ordinary fit."""
        remarks = list(self._fit.messages)
        if self.singular:
            remarks.insert(0, singular_message(self._fit, self._terms))
        return tuple(remarks)

    @property
    def verdict(self) -> str:
        """ "converged", "singular" or "failed"."""
        if not self.converged:
            return "failed"
        return "singular" if self.singular else "converged"

    def __str__(self) -> str:
        lines = [
            f"{self.verdict}: {self.reason}",
            f"  optimizer       {self.optimizer}, {self.evaluations} evaluations, "
            f"{self.iterations} steps, {self.seconds:.3g} s",
            f"  gradient norm   {self.gradient_norm:.2e}",
            f"  decrement       {self.decrement:.2e} deviance units",
        ]
        if len(self._eigenvalues):
            low, high = self._eigenvalues[0], self._eigenvalues[-1]
            lines.append(f"  Hessian         eigenvalues {low:.4g} to {high:.4g}")
        for message in self.messages:
            lines.append(textwrap.fill(message, 92, initial_indent="  ", subsequent_indent="  "))
        return "\n".join(lines)

    __repr__ = __str__


def term_label(term: TermInfo) -> str:
    """A term as in a formula: "(1 + x | g)"."""
    columns = ["1" if column == "(Intercept)" else column for column in term.columns]
    if columns[0] != "1":
        columns.insert(0, "0")
    return f"({' + '.join(columns)} | {term.group})"


def singular_message(fit: Fit, terms: tuple[TermInfo, ...]) -> str:
    """What is singular, and what to do about it."""
    varcorr = VarCorr.from_theta(np.asarray(fit.theta), fit.sigma, terms)
    multipliers = np.asarray(fit.multipliers)
    found = []
    for info, term, multiplier in zip(terms, varcorr.terms, multipliers, strict=True):
        if not np.isnan(multiplier):
            found.append(
                f"{term_label(info)}: {_what_is_singular(term.sd, term.corr, info.columns)}"
            )
    return (
        "the fit is singular ("
        + "; ".join(found)
        + "). The data do not support this term in full: "
        "simplify it (drop the effect, or the correlation with '||') unless the design asks for "
        "it; the other estimates are an ordinary optimum and can be used."
    )


def _what_is_singular(sd: Array, corr: Array, columns: tuple[str, ...]) -> str:
    zero = [c for c, s in zip(columns, sd, strict=True) if s <= 1e-4 * max(sd.max(), 1e-300)]
    if len(zero) == len(columns) or sd.max() == 0:
        return "variance estimated as zero"
    if zero:
        return f"variance of {', '.join(zero)} estimated as zero"
    lower = np.tril(np.abs(corr), -1)
    i, j = np.unravel_index(np.argmax(lower), lower.shape)
    if lower[i, j] > 1 - 1e-6:
        return f"correlation of {columns[j]} and {columns[i]} estimated as {corr[i, j]:+.0f}"
    return "its covariance matrix is not of full rank"


def warn_about_fit(
    fit: Fit, terms: tuple[TermInfo, ...], fixed_names: tuple[str, ...], *, stacklevel: int
) -> None:
    """Issue the warnings a fresh fit deserves; `stacklevel` as of the function that calls this
    one."""
    if fit.dropped:
        names = ", ".join(fixed_names[j] for j in fit.dropped)
        message = (
            f"the fixed effects are rank deficient: dropped {names}, a linear combination of the "
            "columns before (the coefficient is NaN); remove it from the formula, or look for "
            "cells without data"
        )
        warnings.warn(message, RankDeficiencyWarning, stacklevel=stacklevel + 1)
    if not fit.converged:
        remarks = "".join(f"; {message}" for message in fit.messages)
        message = (
            f"the fit did not converge: {fit.reason}{remarks}. See m.convergence; other ways to "
            "the optimum: another Control(optimizer=...), Control(start=...), rescaled predictors, "
            "a simpler random part"
        )
        warnings.warn(message, ConvergenceWarning, stacklevel=stacklevel + 1)
    if fit.singular:
        warnings.warn(singular_message(fit, terms), SingularFitWarning, stacklevel=stacklevel + 1)
