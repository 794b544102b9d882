"""Fitted generalised models, immutable: `GeneralizedLinearMixedModel` from `glmer`,
`GeneralizedLinearModel` from `glm`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, ConvergenceWarning, warn
from ..lazy import lazy
from .generalised import Generalised
from .generalised_covariance import joint_covariance, not_positive
from .mixed import Mixed

if TYPE_CHECKING:
    from ..inference.ddf import DdfMethod
    from ..reporting.generalised_summary import GeneralizedMixedSummary, GeneralizedSummary
    from ..variance.icc import IntraclassCorrelation

__all__ = ["GeneralizedLinearMixedModel", "GeneralizedLinearModel"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class GeneralizedLinearMixedModel(Generalised, Mixed):
    """A fitted generalised linear mixed model, made by `glmer`.

    g(E[y | b]) = Xβ + Zb + o, b ~ N(0, σ²Λ_θΛ_θ'), y | b of a family (Bates et al. 2015; Breslow &
    Clayton 1993, JASA 88). σ is 1 for families without a scale.
    """

    @lazy
    def _vcov(self) -> Array:
        """2H⁻¹, H the criterion's Hessian in (θ, β, log dispersion): lme4's use.hessian = TRUE.

        With nAGQ = 0, where the criterion is one of θ alone, `vcov_conditional`.
        """
        if self.nAGQ == 0:
            return self._conditional_vcov
        joint = self._covariance
        if joint is None:  # said once: the result is kept
            warn(not_positive(), ConvergenceWarning)
            return self._conditional_vcov
        kept = np.flatnonzero(~np.isnan(np.asarray(self._fit.beta)))
        at = len(self._fit.theta) + np.arange(len(kept))
        vcov = np.full((len(self._fit.beta),) * 2, np.nan)
        vcov[np.ix_(kept, kept)] = joint[np.ix_(at, at)]
        return vcov

    @lazy
    def _covariance(self) -> Array | None:
        """Covariance matrix of (θ̂, β̂ kept, ...), of which `vcov` is a part.

        The negative binomial's shape counts as known with criterion="fisher", as in lme4's
        glmer.nb, and as estimated with "observed", as in glmmTMB.
        """
        if self.family.name == "negative_binomial" and self.criterion == "fisher":
            size = len(self._fit.theta) + int(self._fit.rank)
            return joint_covariance(self.convergence.hessian[:size, :size])
        return self._joint_covariance

    @property
    def _vcov_notes(self) -> list[str]:
        """What a summary has to say of the standard errors."""
        if self.nAGQ > 0 and self._covariance is None:
            text = not_positive()
            return [f"{text[0].upper()}{text[1:]}."]
        return []

    def icc(
        self,
        method: str | None = None,
        mean: str = "conditional",
        *,
        ci: float | None = None,
        nsim: int = 1000,
        seed: int = 0,
        n_threads: int | None = None,
    ) -> IntraclassCorrelation:
        """Intraclass correlations: `.adjusted`, `.unadjusted`, `.by_group`; see
        `IntraclassCorrelation`.

        Parameters
        ----------
        method, mean
            The residual variance: see `r2`.
        ci
            Coverage of percentile intervals from a parametric bootstrap, e.g. 0.95; None: none.
        nsim, seed, n_threads
            Of the bootstrap; see `mm.bootstrap`.

        Raises
        ------
        ArgumentError
            The family and link have no such method.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> data = mm.datasets.load("anxiety")
        >>> m = mm.glmer("therapy_sessions ~ 1 + (1 | clinic)", data, family="poisson")
        >>> round(m.icc(method="trigamma").adjusted, 3)
        0.102
        """
        from ..variance.icc import intraclass_correlation

        return intraclass_correlation(
            self, method, mean, ci=ci, nsim=nsim, seed=seed, n_threads=n_threads
        )

    def objective(
        self, theta: ArrayLike, beta: ArrayLike | None = None, dispersion: float | None = None
    ) -> float:
        """−2 log-likelihood by the fit's approximation at any θ, β and dispersion.

        Parameters
        ----------
        theta
            Shape (n_theta,), in the order of `theta`.
        beta
            Shape (p,), in the order of `fixef`; None: the estimate. Columns dropped do not count.
        dispersion
            Of families that estimate one, above zero; None: the estimate.

        Raises
        ------
        ArgumentError
            A shape is wrong, or a value not finite.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> data = mm.datasets.load("anxiety")
        >>> m = mm.glmer("therapy_sessions ~ 1 + (1 | clinic)", data, family="poisson")
        >>> abs(m.objective(m.theta) + 2 * m.loglik) < 1e-9
        True
        """
        return float(self._fit.objective(*self._point(theta, beta, dispersion)))

    def gradient(
        self, theta: ArrayLike, beta: ArrayLike | None = None, dispersion: float | None = None
    ) -> Array:
        """The exact gradient of `objective` at the same arguments.

        Returns
        -------
        Array
            Shape (n_theta + rank + 1,) or (n_theta + rank,): by θ, by β of the columns kept, and by
            the logarithm of the dispersion where the family estimates one. With nAGQ=0 the
            criterion is a function of θ and the dispersion alone.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> data = mm.datasets.load("anxiety")
        >>> m = mm.glmer("therapy_sessions ~ 1 + (1 | clinic)", data, family="poisson")
        >>> bool(abs(m.gradient(m.theta)).max() < 1e-3)
        True
        """
        return np.asarray(self._fit.gradient(*self._point(theta, beta, dispersion)))

    def _point(
        self, theta: ArrayLike, beta: ArrayLike | None, dispersion: float | None
    ) -> tuple[Array, Array, float]:
        estimate = np.array(self._fit.beta, dtype=float)
        values = estimate if beta is None else np.array(beta, dtype=float)
        if values.shape != estimate.shape:
            raise ArgumentError(f"beta has shape {values.shape}; expected {estimate.shape}")
        shape = self._fit.dispersion if dispersion is None else dispersion
        return self._theta(theta), values, float(shape)

    def summary(self, ddf: str | None = None) -> GeneralizedMixedSummary:
        """Everything on one page; `str()` reads as lme4's print.

        Parameters
        ----------
        ddf
            "asymptotic" (default): z tests. "none": z values without p.

        Raises
        ------
        ArgumentError
            For a method that generalised models do not have.
        """
        from ..reporting.summarize_generalised import summarize_generalised_mixed

        return summarize_generalised_mixed(self, ddf)

    def update(
        self, formula: str | None = None, data: Any = None, **arguments: Any
    ) -> GeneralizedLinearMixedModel:
        """A new fit with some arguments changed, the others as they were.

        Parameters
        ----------
        formula
            As in `LinearMixedModel.update`: "." stands for what was there.
        data
            Another table.
        **arguments
            `family` (with a link of its own: one of mm.families), `nAGQ` or `criterion` of `glmer`.

        Raises
        ------
        ArgumentError
            For another argument.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> data = mm.datasets.load("anxiety")
        >>> m = mm.glmer("therapy_sessions ~ 1 + (1 | clinic)", data, family="poisson")
        >>> m.update(nAGQ=9).theta.round(4).tolist()
        [0.1088]
        """
        from .update import update_generalised

        return update_generalised(self, formula, data, arguments)

    def __repr__(self) -> str:
        groups = ", ".join(f"{g} {k}" for g, k in self.ngroups.items())
        return (
            f"<GeneralizedLinearMixedModel {self.formula} · {self.family!r} · −2 loglik "
            f"{self._minus2loglik:.4f} · {self.nobs} rows, {groups} · {self.convergence.verdict}>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class GeneralizedLinearModel(Generalised):
    """A fitted generalised linear model, made by `glm`: the baseline beside a mixed model."""

    @property
    def sigma(self) -> float:
        """Square root of the dispersion: Pearson's χ²/(n − p), as R's summary(glm); 1 for families
        without one."""
        if not self.family.has_sigma:
            return 1.0
        return math.sqrt(float(self._fit.wrss) / self.df_resid)

    @property
    def df_resid(self) -> int:
        """n − p."""
        return self.nobs - int(self._fit.rank)

    @property
    def _minus2loglik(self) -> float:
        """As R's logLik(glm): lme4's criterion of the families with a σ is 2 higher."""
        return float(self._fit.criterion) - 2.0 * self.family.has_sigma

    @property
    def _conditional_vcov(self) -> Array:
        scale = (self.sigma / float(self._fit.sigma)) ** 2
        return scale * np.asarray(self._fit.conditional_vcov, dtype=float)

    @property
    def _vcov(self) -> Array:
        """σ²(X'WX)⁻¹ with Fisher's weights, as R's vcov(glm)."""
        return self._conditional_vcov

    @property
    def _ddf_methods(self) -> tuple[DdfMethod, ...]:
        if self.family.has_sigma:  # as R: the dispersion is estimated
            return ("residual", "asymptotic", "none")
        return ("asymptotic", "none")

    def summary(self, ddf: str | None = None) -> GeneralizedSummary:
        """Everything on one page; `str()` reads as R's summary(glm).

        Parameters
        ----------
        ddf
            "asymptotic": z tests. "residual": t tests on n − p degrees of freedom, the default of
            families with a σ. "none": no p.

        Raises
        ------
        ArgumentError
            For another method.
        """
        from ..reporting.summarize_generalised import summarize_generalised

        return summarize_generalised(self, ddf)

    def update(
        self, formula: str | None = None, data: Any = None, **arguments: Any
    ) -> GeneralizedLinearModel:
        """A new fit with some arguments changed; see `GeneralizedLinearMixedModel.update`."""
        from .update import update_generalised

        return update_generalised(self, formula, data, arguments)

    def __repr__(self) -> str:
        return (
            f"<GeneralizedLinearModel {self.formula} · {self.family!r} · −2 loglik "
            f"{self._minus2loglik:.4f} · {self.nobs} rows>"
        )
