"""What mixed models have beyond any fitted model: variance components and conditional modes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError
from ..lazy import lazy
from .description import Description
from .random_effects import RandomEffects, coefficients_by_group, random_effects
from .varcorr import VarCorr

if TYPE_CHECKING:
    from ..inference.profile import Profile
    from ..printing.tables import ResultTable
    from ..variance.icc import IntraclassCorrelation

__all__ = ["Mixed"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Mixed(Description):
    """What `LinearMixedModel` and `GeneralizedLinearMixedModel` share: b ~ N(0, σ²Λ_θΛ_θ')."""

    @property
    def ngroups(self) -> dict[str, int]:
        """Grouping factor → number of levels, most levels first."""
        return {term.group: len(term.levels) for term in self._matrices.terms}

    @property
    def theta(self) -> Array:
        """Relative covariance parameters θ̂, shape (n_theta,).

        Term by term (decreasing number of levels), each the lower triangle of λ_t column by column.
        """
        return np.array(self._fit.theta)

    @lazy
    def varcorr(self) -> VarCorr:
        """Variances, standard deviations and correlations of the random effects; see `VarCorr`."""
        return VarCorr.from_theta(self.theta, self.sigma, self._matrices.terms, self._has_sigma)

    def ranef(self, condvar: bool = False) -> RandomEffects:
        """Conditional modes b̂: a dict group → DataFrame (levels, columns).

        With `condvar=True` the result's `.sd` holds the conditional standard deviations in the
        same shape: square roots of the diagonal of σ²ΛM⁻¹Λ', β and θ taken as known (as in lme4).

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> effects = m.ranef(condvar=True)
        >>> effects["clinic"].shape, effects.sd["clinic"].shape
        ((15, 1), (15, 1))
        """
        covariances = self._fit.conditional_covariances() if condvar else None
        return random_effects(self._matrices.terms, self._modes, covariances)

    def coef(self) -> dict[str, pd.DataFrame]:
        """Coefficients of each group, fixed + random: a dict group → DataFrame (levels,
        columns)."""
        return coefficients_by_group(self.fixef, self.ranef())

    @property
    def is_singular(self) -> bool:
        """Whether a variance is estimated as zero or a correlation as ±1."""
        return bool(self._fit.singular)

    def _theta(self, theta: ArrayLike) -> Array:
        size = len(self._fit.theta)
        try:
            values = np.array(theta, dtype=np.float64)
        except (TypeError, ValueError):
            values = np.empty(0)
        values = np.full(size, float(values)) if values.ndim == 0 else values
        if values.shape != (size,) or not np.isfinite(values).all():
            raise ArgumentError(f"theta must be {size} finite numbers, in the order of m.theta")
        return values

    def profile(
        self,
        parm: str | Sequence[str] | None = None,
        level: float = 0.99,
        *,
        points: int = 8,
        n_threads: int | None = None,
    ) -> Profile:
        """Likelihood profiles: ζ, the signed root of the deviance's rise, against the parameter.

        Parameters
        ----------
        parm
            Rows wanted, as in `confint`.
        level
            The profile reaches as far as an interval of this coverage would.
        points
            Values either side of the estimate.
        """
        from ..inference.profile import profile

        return profile(self, parm, level, points=points, n_threads=n_threads)

    def icc(
        self,
        *,
        ci: float | None = None,
        nsim: int = 1000,
        seed: int = 0,
        n_threads: int | None = None,
    ) -> IntraclassCorrelation:
        """Intraclass correlations: `.adjusted`, `.unadjusted`, `.by_group`, and the design effects;
        see `IntraclassCorrelation`.

        Parameters
        ----------
        ci
            Coverage of percentile intervals from a parametric bootstrap, e.g. 0.95; None: none.
        nsim, seed, n_threads
            Of the bootstrap; see `mm.bootstrap`.
        """
        from ..variance.icc import intraclass_correlation

        return intraclass_correlation(
            self,
            ci=ci,
            nsim=nsim,
            seed=seed,
            n_threads=n_threads,
        )

    def variance_components(self) -> ResultTable:
        """Variances, standard deviations and correlations with their standard errors.

        Returns
        -------
        ResultTable
            The rows and columns of `varcorr.to_frame()`, and `std_error`: that of sdcor, by the
            delta method from the exact Hessian over (θ, σ), of generalised models over (θ, β, log
            dispersion); NaN on the boundary (a standard deviation of 0, a correlation of ±1). For
            intervals see `confint`.
        """
        from ..inference.standard_errors import variance_components

        return variance_components(self)
