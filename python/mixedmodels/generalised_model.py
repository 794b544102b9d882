"""Fitted generalised models, immutable: `GeneralizedLinearMixedModel` from `glmer`,
`GeneralizedLinearModel` from `glm`."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .call import optimize_generalised
from .description import Description
from .errors import ArgumentError, ConvergenceWarning, warn
from .generalised_covariance import joint_covariance, not_positive
from .lazy import lazy
from .mixed import Mixed
from .response import Response

if TYPE_CHECKING:
    from . import _core
    from ._core import GeneralizedFit
    from .ddf import DdfMethod
    from .dispersion_checks import Overdispersion, ZeroInflation
    from .families import Criterion, Family
    from .fitted import FittedModel, ResidualType
    from .generalised_summary import GeneralizedMixedSummary, GeneralizedSummary
    from .model_matrix import ModelMatrices

__all__ = ["Generalised", "GeneralizedLinearMixedModel", "GeneralizedLinearModel"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Generalised(Description):
    """What the two generalised models share: g(E[y | b]) = η = Xβ + Zb + o, y | b of a family."""

    _fit: GeneralizedFit

    # --- Family ---

    @property
    def family(self) -> Family:
        """The family and its link."""
        family = self._call.family
        assert family is not None
        return family

    @lazy
    def _kernel_family(self) -> _core.Family:
        """The family at the estimated dispersion, as the kernel computes with it."""
        estimated = float(self._fit.dispersion) if self.family.estimates_shape else None
        return self.family.kernel(estimated)

    @property
    def dispersion(self) -> float:
        """The family's dispersion parameter.

        Negative binomial: θ of the variance μ + μ²/θ. nb1: φ of μ(1 + φ). beta: φ of
        μ(1 − μ)/(1 + φ). Gamma, inverse Gaussian and Gaussian: σ². Binomial and Poisson: 1.
        """
        shape = float(self._fit.dispersion)
        return self.sigma**2 if math.isnan(shape) else shape

    @property
    def criterion(self) -> Criterion:
        """The weights in the Laplace approximation: "fisher" (expected information, as lme4) or
        "observed" (as glmmTMB); equal for canonical links."""
        return self._call.criterion or self.family.criteria[0]

    @property
    def nAGQ(self) -> int:
        """Quadrature nodes per random effect: 1 is the Laplace approximation; 0 leaves the fixed
        effects to the inner iteration (faster, less exact)."""
        return self._call.quadrature

    @property
    def _has_sigma(self) -> bool:
        return self.family.has_sigma

    @property
    def _dispersions(self) -> int:
        return int(self.family.has_sigma) + int(self.family.estimates_shape)

    # --- Covariance of the fixed effects ---

    @property
    def vcov_conditional(self) -> pd.DataFrame:
        """Covariance matrix of `fixef` with θ taken as known, σ²(R_X'R_X)⁻¹, shape (p, p).

        lme4's vcov(m, use.hessian = FALSE).
        """
        return self._by_columns(self._conditional_vcov)

    @property
    def _conditional_vcov(self) -> Array:
        return np.asarray(self._fit.conditional_vcov, dtype=float)

    @lazy
    def _root(self) -> Array:
        kept = ~np.isnan(np.asarray(self._fit.beta))
        return np.linalg.cholesky(self._vcov[np.ix_(kept, kept)]) / self.sigma

    @property
    def _ddf_methods(self) -> tuple[DdfMethod, ...]:
        return ("asymptotic", "none")

    # --- Rows ---

    def _mean(self, eta: Array) -> Array:
        return np.asarray(self._kernel_family.mean(eta))

    @lazy
    def _sizes(self) -> Array:
        """The binomial's numbers of trials, else ones, shape (nobs,)."""
        sizes = self._matrices.sizes
        return np.ones(self.nobs) if sizes is None else np.asarray(sizes)

    @lazy
    def _prior_weights(self) -> Array:
        """Weights times sizes, lme4's prior weights, shape (nobs,)."""
        weights = self._matrices.weights
        return self._sizes if weights is None else weights * self._sizes

    @lazy
    def _deviances(self) -> Array:
        """What each row adds to the deviance, shape (nobs,)."""
        weights = self._prior_weights / self._sizes
        family, eta = self._kernel_family, self._linear_predictor
        return np.asarray(family.deviances(self._response, self._sizes, weights, eta))

    @property
    def deviance(self) -> float:
        """Sum of squared deviance residuals at the conditional modes, as lme4's deviance().

        The criterion of the fit is −2 `loglik`.
        """
        return float(self._deviances.sum())

    def _residuals(self, type: ResidualType) -> Array:
        raw = self._response - self._fitted
        if type == "response":
            return raw
        if type == "working":
            return raw / np.asarray(self._kernel_family.mean_slope(self._linear_predictor))
        if type == "deviance":
            return np.sign(raw) * np.sqrt(self._deviances)
        variance = np.asarray(self._kernel_family.variance(self._fitted))
        pearson = raw * np.sqrt(self._prior_weights / variance)
        return pearson / self.sigma if type == "scaled" else pearson

    # --- Other fits ---

    def _fitted_to(self, response: Array) -> GeneralizedFit:
        from .response import ResponseReader

        m = self._matrices
        reader = ResponseReader(m.response_name, self.family, m.full_index, m.rows)
        reader.check(Response(response, m.all_rows("sizes"), m.all_rows("weights")))
        return self._fit.refit(response)

    def _with_matrices(
        self, matrices: ModelMatrices, response: Array | None, REML: bool
    ) -> FittedModel:
        # θ may have another length now
        call = replace(self._call, control=replace(self._call.control, start=None))
        design = matrices.design if response is None else matrices.design.with_response(response)
        fit = optimize_generalised(matrices, call, design=design)
        kind = GeneralizedLinearMixedModel if matrices.terms else GeneralizedLinearModel
        return kind(self.formula, matrices, fit, call, response)

    # --- Checks ---

    def overdispersion(self) -> Overdispersion:
        """Whether the response varies more than the family has it: Pearson's χ² / df_resid.

        Returns
        -------
        Overdispersion
            `.ratio`, `.statistic`, `.df`, `.p_value`; prints what they mean.

        Raises
        ------
        ArgumentError
            For 0/1 data, whose variance the mean determines, and for families that estimate a
            dispersion.

        Examples
        --------
        >>> m.overdispersion().ratio                                           # doctest: +SKIP
        """
        from .dispersion_checks import overdispersion

        return overdispersion(self)

    def zero_inflation(self) -> ZeroInflation:
        """Zeros observed against those expected at the fitted means, for counts.

        Returns
        -------
        ZeroInflation
            `.observed`, `.expected`, `.ratio`, `.p_value`; prints what they mean.

        Raises
        ------
        ArgumentError
            The family has no counts, or the data are 0/1.

        Examples
        --------
        >>> m.zero_inflation().ratio                                           # doctest: +SKIP
        """
        from .dispersion_checks import zero_inflation

        return zero_inflation(self)


@dataclass(frozen=True, eq=False, repr=False)
class GeneralizedLinearMixedModel(Generalised, Mixed):
    """A fitted generalised linear mixed model, made by `glmer`.

    g(E[y | b]) = Xβ + Zb + o, b ~ N(0, σ²Λ_θΛ_θ'), y | b of a family (Bates et al. 2015; Breslow &
    Clayton 1993, JASA 88). σ is 1 for families without a scale.
    """

    @lazy
    def _joint_covariance(self) -> Array | None:
        """Covariance matrix of (θ̂, β̂ kept, log dispersion); None where the criterion has no
        regular minimum."""
        return joint_covariance(np.asarray(self._fit.hessian(), dtype=float))

    @lazy
    def _vcov(self) -> Array:
        """2H⁻¹, H the criterion's Hessian in (θ, β, log dispersion): lme4's use.hessian = TRUE.

        With nAGQ = 0, where the criterion is one of θ alone, `vcov_conditional`.
        """
        if self.nAGQ == 0:
            return self._conditional_vcov
        joint = self._joint_covariance
        if joint is None:  # said once: the result is kept
            warn(not_positive(), ConvergenceWarning)
            return self._conditional_vcov
        kept = np.flatnonzero(~np.isnan(np.asarray(self._fit.beta)))
        at = len(self._fit.theta) + np.arange(len(kept))
        vcov = np.full((len(self._fit.beta),) * 2, np.nan)
        vcov[np.ix_(kept, kept)] = joint[np.ix_(at, at)]
        return vcov

    @property
    def _vcov_notes(self) -> list[str]:
        """What a summary has to say of the standard errors."""
        if self.nAGQ > 0 and self._joint_covariance is None:
            text = not_positive()
            return [f"{text[0].upper()}{text[1:]}."]
        return []

    def objective(
        self, theta: ArrayLike, beta: ArrayLike | None = None, dispersion: float | None = None
    ) -> float:
        """−2 log-likelihood by the fit's approximation at θ and, where given, other β (p,) and
        dispersion."""
        return float(self._fit.objective(*self._point(theta, beta, dispersion)))

    def gradient(
        self, theta: ArrayLike, beta: ArrayLike | None = None, dispersion: float | None = None
    ) -> Array:
        """The exact gradient of `objective` in (θ, β kept, log dispersion where estimated)."""
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
        from .summarize_generalised import summarize_generalised_mixed

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
            `family`, `nAGQ` or `criterion` of `glmer`.
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
        """Everything on one page; `str()` reads as R's summary(glm)."""
        from .summarize_generalised import summarize_generalised

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
