"""The outcome of the optimisation: `m.convergence`, and the warnings a fit gives."""

from __future__ import annotations

import textwrap
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import (
    ConvergenceError,
    ConvergenceWarning,
    RankDeficiencyWarning,
    SingularFitWarning,
    warn,
)
from ..lazy import lazy
from ..printing.document import PrintedDocument
from .varcorr import VarCorr, templates

if TYPE_CHECKING:
    from .._core import Fit, GeneralizedFit
    from ..matrices.model_matrix import TermInfo

__all__ = ["Convergence", "warn_about_fit"]

Array = NDArray[np.float64]
KernelFit: TypeAlias = "Fit | GeneralizedFit"

# Parameters × effects² up to which a gradient for every parameter costs milliseconds at most.
SMALL = 200_000


class Convergence(PrintedDocument):
    """Why the optimiser stopped, and how certain the optimum is.

    Examples
    --------
    >>> m.convergence.converged, m.convergence.evaluations                     # doctest: +SKIP
    >>> m.convergence.eigenvalues                                              # doctest: +SKIP
    """

    def __init__(self, fit: KernelFit, terms: tuple[TermInfo, ...], remarks: tuple[str, ...] = ()):
        self._fit = fit
        self._terms = terms
        self._remarks = remarks  # what the data say of the optimum

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

    @lazy
    def _flat(self) -> str:
        return flat_message(self._fit, self._terms)

    @lazy
    def _hessian(self) -> Array:
        return np.asarray(self._fit.hessian(), dtype=float)

    @property
    def hessian(self) -> Array:
        """Second derivatives of the criterion at the optimum; made on demand.

        In θ, shape (n_theta, n_theta); of a generalised model in (θ, β kept, the logarithm of the
        dispersion where that is estimated).
        """
        return self._hessian.copy()

    @lazy
    def _eigenvalues(self) -> Array:
        return np.asarray(np.linalg.eigvalsh(self._hessian), dtype=float)

    @property
    def eigenvalues(self) -> Array:
        """Eigenvalues of `hessian`, ascending; all above zero at a regular optimum."""
        return self._eigenvalues.copy()

    @property
    def messages(self) -> tuple[str, ...]:
        """Remarks in plain language, most important first; empty for an ordinary fit."""
        remarks = list(self._fit.messages)
        if self.singular:
            remarks.insert(0, singular_message(self._fit, self._terms))
        if self._flat:
            remarks.insert(0, self._flat)
        return (*remarks, *self._remarks)

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
        known = is_small(self._terms) or "_hessian" in self.__dict__
        if known and len(self._eigenvalues):
            low, high = self._eigenvalues[0], self._eigenvalues[-1]
            lines.append(f"  Hessian         eigenvalues {low:.4g} to {high:.4g}")
        elif self._terms and not known:
            lines.append("  Hessian         made on demand, by .eigenvalues or .hessian")
        for message in self.messages:
            lines.append(textwrap.fill(message, 92, initial_indent="  ", subsequent_indent="  "))
        return "\n".join(lines)

    __repr__ = __str__


def term_label(term: TermInfo) -> str:
    """A term as in a formula: "(1 + x | g)"; of many columns the first ones."""
    columns = ["1" if column == "(Intercept)" else column for column in term.columns]
    if columns[0] != "1":
        columns.insert(0, "0")
    if len(columns) > 7:
        columns[6:] = ["..."]
    return f"({' + '.join(columns)} | {term.group})"


def singular_message(fit: KernelFit, terms: tuple[TermInfo, ...]) -> str:
    """What is singular, and what to do about it."""
    return (
        "the fit is singular ("
        + "; ".join(singular_terms(fit, terms))
        + "). The data do not support this term in full: "
        "simplify it (drop the effect, or the correlation with '||') unless the design asks for "
        "it; the other estimates are an ordinary optimum and can be used."
    )


def singular_terms(fit: KernelFit, terms: tuple[TermInfo, ...]) -> list[str]:
    """ "(1 | g): variance estimated as zero", one a singular term."""
    varcorr = VarCorr.from_theta(np.asarray(fit.theta), fit.sigma, terms)
    multipliers = np.asarray(fit.multipliers)
    return [
        f"{term_label(info)}: {_what_is_singular(term.sd, term.corr, info.columns)}"
        for info, term, multiplier in zip(terms, varcorr.terms, multipliers, strict=True)
        if not np.isnan(multiplier)
    ]


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


def is_small(terms: tuple[TermInfo, ...]) -> bool:
    """Whether a few more evaluations cost next to nothing."""
    sizes = [len(term.columns) for term in terms]
    effects = sum(len(term.levels) * q for term, q in zip(terms, sizes, strict=True))
    return 0 < sum(q * (q + 1) // 2 for q in sizes) * effects**2 <= SMALL


def flat_message(fit: KernelFit, terms: tuple[TermInfo, ...]) -> str:
    """What to tell where the criterion does not depend on a variance; empty elsewhere."""
    flat = _repeated_terms(terms) or (_flat_terms(fit, terms) if is_small(terms) else [])
    if not flat:
        return ""
    return (
        f"the criterion is flat in the covariance parameters of {' and '.join(flat)}: other values "
        "fit as well, the ones reported are arbitrary. Usual reasons: the grouping factor is a "
        "fixed effect too, the same random effect stands in two terms, or a column is zero. Remove "
        "one of them"
    )


def _repeated_terms(terms: tuple[TermInfo, ...]) -> list[str]:
    """Terms that share an effect: only the sum of its variances can be estimated."""
    effects = Counter((term.group, column) for term in terms for column in term.columns)
    repeated = {effect for effect, count in effects.items() if count > 1}
    shared = [t for t in terms if any((t.group, column) in repeated for column in t.columns)]
    return list(dict.fromkeys(term_label(term) for term in shared))


def _flat_terms(fit: KernelFit, terms: tuple[TermInfo, ...]) -> list[str]:
    """Terms with a parameter along which the criterion has no curvature.

    Steps are relative to the standard deviation that a parameter belongs to, so that the units of
    predictors do not count.
    """
    theta = np.asarray(fit.theta)
    lambdas = templates(theta, [len(term.columns) for term in terms])
    flat, k = [], 0
    for term, template, multiplier in zip(terms, lambdas, np.asarray(fit.multipliers), strict=True):
        if abs(multiplier) < 1e-9:  # at zero, and the criterion does not rise from there
            flat.append(term_label(term))
        for scale in np.diag(template)[np.triu_indices(len(template))[1]]:
            moved = theta.copy()
            moved[k] += 0.01 * scale
            if scale > 0 and abs(scale * _slope(fit, moved, k)) < 1e-8:
                flat.append(term_label(term))
            k += 1
    return list(dict.fromkeys(flat))


def _slope(fit: KernelFit, theta: Array, k: int) -> float:
    """The criterion's derivative by covariance parameter k at others than the estimates; infinite
    where they leave the criterion's domain (a random slope on a year, say, moved by 1%)."""
    from .. import _core

    try:
        if isinstance(fit, _core.Fit):
            return float(fit.gradient(theta)[k])
        return float(fit.gradient(theta, fit.beta, fit.dispersion)[k])
    except ConvergenceError:
        return np.inf


def warn_about_fit(
    fit: KernelFit, terms: tuple[TermInfo, ...], fixed_names: tuple[str, ...]
) -> None:
    """Issue the warnings a fresh fit deserves."""
    dropped = np.flatnonzero(np.isnan(np.asarray(fit.beta)))
    if len(dropped):
        names = ", ".join(fixed_names[j] for j in dropped)
        message = (
            f"the fixed effects are rank deficient: dropped {names}, which the columns before "
            "determine (NaN in m.fixef); simplify the formula, or look for cells without data"
        )
        warn(message, RankDeficiencyWarning)
    if not fit.converged:
        remarks = "".join(f"; {message}" for message in fit.messages)
        message = (
            f"the fit did not converge: {fit.reason}{remarks}. See m.convergence; other ways to "
            "the optimum: another Control(optimizer=...), Control(start=...), rescaled predictors, "
            "a simpler random part"
        )
        warn(message, ConvergenceWarning)
    if fit.singular:
        warn(singular_message(fit, terms), SingularFitWarning)
    if flat := flat_message(fit, terms):
        warn(flat, ConvergenceWarning)
