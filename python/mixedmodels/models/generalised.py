"""What generalised models have beyond any fitted model: a family, a link, and what they entail."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..lazy import lazy
from ..matrices.response import Response, ResponseReader
from .call import optimize_generalised
from .convergence import Convergence
from .description import Description
from .generalised_covariance import joint_covariance, square_root

if TYPE_CHECKING:
    from .. import _core
    from .._core import GeneralizedFit
    from ..diagnostics.dispersion_checks import Overdispersion, ZeroInflation
    from ..families import Criterion, Family
    from ..inference.ddf import DdfMethod
    from ..matrices.model_matrix import ModelMatrices
    from ..variance.r2 import RSquared
    from .fitted import FittedModel, ResidualType
    from .separation import Separation

__all__ = ["Generalised"]

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
        """The family's dispersion parameter, estimated or held.

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
    def _joint_covariance(self) -> Array | None:
        """Covariance matrix of (θ̂, β̂ kept, log dispersion); None where the criterion has no
        regular minimum."""
        return joint_covariance(self.convergence.hessian)

    @lazy
    def _root(self) -> Array:
        kept = ~np.isnan(np.asarray(self._fit.beta))
        return square_root(self._vcov[np.ix_(kept, kept)]) / self.sigma

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
    def _leverages(self) -> Array:
        """By Fisher's weights: observed ones may be negative, and the rows' leverages with them."""
        if self._fit.criterion_kind == "fisher":
            return np.asarray(self._fit.leverages())
        from .working import working_fit

        return np.asarray(working_fit(self).leverages())

    @lazy
    def _deviances(self) -> Array:
        """What each row adds to the deviance, shape (nobs,)."""
        weights = self._prior_weights / self._sizes
        family, eta = self._kernel_family, self._linear_predictor
        return np.asarray(family.deviances(self._response, self._sizes, weights, eta))

    @lazy
    def _deviance(self) -> float:
        return float(self._deviances.sum())

    @lazy
    def _mean_fitted(self) -> float:
        """Average of the fitted means over the rows used."""
        return float(self._fitted.mean())

    @property
    def deviance(self) -> float:
        """Sum of squared deviance residuals at the conditional modes, as lme4's deviance().

        It is no measure of the whole fit: the criterion is −2 `loglik`, which `mm.anova` compares.
        """
        return self._deviance

    def _residuals(self, type: ResidualType) -> Array:
        raw = self._response - self._fitted
        if type == "response":
            return raw
        if type == "deviance":
            return np.sign(raw) * np.sqrt(self._deviances)
        with np.errstate(divide="ignore", invalid="ignore"):  # a mean at its limit has no variance
            if type == "working":
                scaled = raw / np.asarray(self._kernel_family.mean_slope(self._linear_predictor))
            else:
                variance = np.asarray(self._kernel_family.variance(self._fitted))
                scaled = raw * np.sqrt(self._prior_weights / variance)
        residuals = np.where(raw == 0, 0.0, scaled)
        return residuals / self.sigma if type == "scaled" else residuals

    # --- Other fits ---

    def _fitted_to(self, response: Array) -> GeneralizedFit:
        self._reader(self._matrices.response_name).check(self._sized(response))
        return self._fit.refit(response)

    def _reader(self, name: str) -> ResponseReader:
        """Checks responses called `name` over all rows of the table."""
        m = self._matrices
        return ResponseReader(name, self.family, m.full_index, m.rows)

    def _sized(self, response: Array) -> Response:
        """A response, shape (rows of the table,), with the model's sizes and weights."""
        m = self._matrices
        return Response(response, m.all_rows("sizes"), m.all_rows("weights"))

    def _with_matrices(
        self, matrices: ModelMatrices, response: Array | None, REML: bool
    ) -> FittedModel:
        call = self._call.without_start()
        design = matrices.design if response is None else matrices.design.with_response(response)
        fit = optimize_generalised(matrices, call, design=design)
        from .generalised_model import GeneralizedLinearMixedModel, GeneralizedLinearModel

        kind = GeneralizedLinearMixedModel if matrices.terms else GeneralizedLinearModel
        return kind(self.formula, matrices, fit, call, response)

    # --- Shares of variance ---

    @lazy
    def _null_model(self) -> FittedModel:
        """All random effects and the offset, an intercept in place of the predictors."""
        from ..variance.residual_variance import null_model

        return null_model(self)

    def r2(
        self,
        method: str | None = None,
        mean: str = "conditional",
        *,
        ci: float | None = None,
        nsim: int = 1000,
        seed: int = 0,
        n_threads: int | None = None,
    ) -> RSquared:
        """R² of Nakagawa, Johnson & Schielzeth: `.marginal` and `.conditional`; see `RSquared`.

        Parameters
        ----------
        method
            What takes the place of the residual variance. "theoretical": that of the link on the
            latent scale (binomial: π²/3, 1, π²/6; their default). "delta", "lognormal" (default of
            counts with a log link), "trigamma": that of an observation, on the scale of the link.
        mean
            The mean at which it is taken: "conditional", where the null model's random effects are
            zero, or "marginal", its average over them.
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
        >>> round(m.r2(method="delta").conditional, 3)
        0.106
        """
        from ..variance.r2 import r_squared

        return r_squared(self, method, mean, ci=ci, nsim=nsim, seed=seed, n_threads=n_threads)

    # --- Checks ---

    @lazy
    def _separation(self) -> Separation | None:
        from .separation import find_separation

        return find_separation(self)

    @lazy
    def convergence(self) -> Convergence:
        """Gradient, curvature, evaluations, reason and remarks; see `Convergence`.

        Where the data separate the response the criterion converges while coefficients run off to
        infinity: a remark names them.
        """
        found = self._separation
        remarks = () if found is None else (found.message(),)
        return Convergence(self._fit, self._matrices.terms, remarks)

    def overdispersion(self) -> Overdispersion:
        """Whether the response varies more than the family has it: Pearson's χ² / df_resid.

        Returns
        -------
        Overdispersion
            `.ratio`, `.statistic`, `.df`, `.p_value`; prints what they mean.

        Raises
        ------
        ArgumentError
            For 0/1 data, whose variance the mean determines, and for families with a σ, which take
            up all dispersion.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> data = mm.datasets.load("anxiety")
        >>> m = mm.glmer("therapy_sessions ~ 1 + (1 | clinic)", data, family="poisson")
        >>> round(m.overdispersion().ratio, 2)
        3.59
        """
        from ..diagnostics.dispersion_checks import overdispersion

        return overdispersion(self)

    def zero_inflation(self) -> ZeroInflation:
        """Zeros observed against those expected at the fitted means, for counts.

        Returns
        -------
        ZeroInflation
            `.observed`, `.expected`, `.ratio`, and `.p_value` where there is one without
            simulation; prints what they mean.

        Raises
        ------
        ArgumentError
            The family has no counts, or the data are 0/1.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> data = mm.datasets.load("anxiety")
        >>> m = mm.glmer("therapy_sessions ~ 1 + (1 | clinic)", data, family="poisson")
        >>> zeros = m.zero_inflation()
        >>> zeros.observed, round(zeros.expected, 2)
        (8, 0.02)
        """
        from ..diagnostics.dispersion_checks import zero_inflation

        return zero_inflation(self)
