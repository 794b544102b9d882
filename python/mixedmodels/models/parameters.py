"""Names and values of the covariance parameters: standard deviations and correlations in θ's order.

Confidence intervals, profiles and bootstraps speak of the same parameters under the same names:
lme4's `.sig01`, `.sig02`, ... and `.sigma`, each with a label that a reader understands; and
`.dispersion`, the parameter of its own that a family has (the negative binomial's θ, the φ of nb1
and beta).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .varcorr import templates

if TYPE_CHECKING:
    from ..families import Family
    from ..matrices.model_matrix import TermInfo

__all__ = [
    "DISPERSION",
    "SIGMA",
    "CovarianceParameter",
    "covariance_parameters",
    "parameter_range",
    "scale_parameters",
    "sds_and_correlations",
]

Array = NDArray[np.float64]

SIGMA = ".sigma"
"""lme4's name of the residual standard deviation."""

DISPERSION = ".dispersion"
"""Of a family's own dispersion parameter."""


@dataclass(frozen=True)
class CovarianceParameter:
    """One standard deviation or correlation: θ's entry (row, column) of its term's λ."""

    name: str  # ".sig01"
    label: str  # "sd_(Intercept)|Subject", "cor_Days.(Intercept)|Subject"
    term: int  # index of the random-effects term
    row: int  # in λ_t; row == column is a standard deviation
    column: int

    @property
    def is_sd(self) -> bool:
        """A standard deviation (True) or a correlation."""
        return self.row == self.column


def covariance_parameters(terms: Sequence[TermInfo]) -> tuple[CovarianceParameter, ...]:
    """The parameters of a model's random-effects terms, one for every element of θ, in its order.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> d = mm.datasets.load("anxiety")
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (therapy_sessions | clinic)", d)
    >>> [p.name for p in covariance_parameters(m._matrices.terms)]
    ['.sig01', '.sig02', '.sig03']
    """
    found: list[CovarianceParameter] = []
    for t, term in enumerate(terms):
        for column, first in enumerate(term.columns):
            for row in range(column, len(term.columns)):
                what = f"sd_{first}" if row == column else f"cor_{term.columns[row]}.{first}"
                name, label = f".sig{len(found) + 1:02d}", f"{what}|{term.group}"
                found.append(CovarianceParameter(name, label, t, row, column))
    return tuple(found)


def parameter_range(label: str) -> tuple[float, float]:
    """The ends of the range of a parameter, by the label that this module gives it.

    >>> parameter_range("cor_x.(Intercept)|g"), parameter_range("sigma"), parameter_range("x")
    ((-1.0, 1.0), (0.0, inf), (-inf, inf))
    """
    if label.startswith("cor_") and "|" in label:
        return -1.0, 1.0
    positive = label.startswith("sd_") and "|" in label
    return (0.0 if positive or label in ("sigma", "dispersion") else -np.inf), np.inf


def scale_parameters(family: Family | None) -> dict[str, str]:
    """What is estimated besides β and the covariance parameters: name → label, which is also the
    name of the kernel's array. `family` is None for a linear model.

    >>> scale_parameters(None)
    {'.sigma': 'sigma'}
    """
    if family is None or family.has_sigma:
        return {SIGMA: "sigma"}
    return {DISPERSION: "dispersion"} if family.estimates_shape else {}


def sds_and_correlations(theta: Array, sigma: Array, sizes: Sequence[int]) -> Array:
    """Standard deviations and correlations at many θ at once.

    Parameters
    ----------
    theta
        Shape (k, n_theta): one θ a row.
    sigma
        Residual standard deviations, shape (k,).
    sizes
        Effects q_t of every term.

    Returns
    -------
    Array
        Shape (k, n_theta), in θ's order. A correlation with a standard deviation of zero is NaN:
        it does not exist.
    """
    places = templates(np.arange(1, theta.shape[1] + 1, dtype=float), sizes)
    values = np.empty_like(theta)
    for place in places:
        index = place.astype(int) - 1  # −1 above the diagonal
        lambdas = np.where(index < 0, 0.0, theta[:, index])
        lengths = np.sqrt((lambdas**2).sum(axis=2))
        with np.errstate(divide="ignore", invalid="ignore"):
            units = lambdas / lengths[:, :, None]
        for row, column in zip(*np.tril_indices(len(index)), strict=True):
            if row == column:
                values[:, index[row, row]] = sigma * lengths[:, row]
            else:
                cosine = (units[:, row] * units[:, column]).sum(axis=1)
                values[:, index[row, column]] = np.clip(cosine, -1.0, 1.0)
    return values
