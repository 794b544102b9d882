"""Fitted models, immutable: `LinearMixedModel` from `lmer`, `LinearModel` from `lm`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .convergence import Convergence
from .description import Description
from .errors import ArgumentError
from .fitted import optimize
from .lazy import lazy
from .random_effects import RandomEffects, coefficients_by_group, random_effects
from .varcorr import VarCorr

if TYPE_CHECKING:
    from .icc import IntraclassCorrelation
    from .profile import Profile
    from .summary import LinearMixedSummary, LinearSummary
    from .tables import ResultTable

__all__ = ["LinearMixedModel", "LinearModel", "with_criterion"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class LinearMixedModel(Description):
    """A fitted linear mixed model, made by `lmer`.

    y | b ~ N(Xβ + Zb + o, σ²W⁻¹), b ~ N(0, σ²Λ_θΛ_θ') (Bates et al. 2015, eq. 2-4).
    """

    @property
    def reml(self) -> bool:
        """Whether the fit is by REML."""
        return bool(self._fit.reml)

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
        return VarCorr.from_theta(self.theta, self.sigma, self._matrices.terms)

    def ranef(self, condvar: bool = False) -> RandomEffects:
        """Conditional modes b̂: a dict group → DataFrame (levels, columns).

        With `condvar=True` the result's `.sd` holds the conditional standard deviations in the
        same shape: square roots of the diagonal of σ²ΛM⁻¹Λ', β and θ taken as known (as in lme4).

        Examples
        --------
        >>> m.ranef()["clinic"]                                                # doctest: +SKIP
        >>> m.ranef(condvar=True).sd["clinic"]                                 # doctest: +SKIP
        """
        covariances = self._fit.conditional_covariances() if condvar else None
        return random_effects(self._matrices.terms, self._modes, covariances)

    def coef(self) -> dict[str, pd.DataFrame]:
        """Coefficients of each group, fixed + random: a dict group → DataFrame (levels,
        columns)."""
        return coefficients_by_group(self.fixef, self.ranef())

    @property
    def reml_criterion(self) -> float | None:
        """The REML criterion at the optimum (−2 × the restricted log-likelihood); None for an ML
        fit."""
        return self._minus2loglik if self.reml else None

    @property
    def deviance(self) -> float | None:
        """−2 loglik of an ML fit; None for a REML fit."""
        return None if self.reml else self._minus2loglik

    @property
    def converged(self) -> bool:
        """Whether the optimum is certain; `convergence` has the details."""
        return bool(self._fit.converged)

    @property
    def is_singular(self) -> bool:
        """Whether a variance is estimated as zero or a correlation as ±1."""
        return bool(self._fit.singular)

    @lazy
    def convergence(self) -> Convergence:
        """Gradient, curvature, evaluations, reason and remarks; see `Convergence`."""
        return Convergence(self._fit, self._matrices.terms)

    def objective(self, theta: ArrayLike) -> float:
        """The profiled criterion (REML criterion or deviance) at θ, shape (n_theta,) or one
        number for all."""
        return float(self._fit.objective(self._theta(theta)))

    def gradient(self, theta: ArrayLike) -> Array:
        """The exact gradient of `objective` at θ, shape (n_theta,)."""
        return np.asarray(self._fit.gradient(self._theta(theta)), dtype=float)

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

    def blocks(self) -> str:
        """A picture of the blocks of the factor: which are diagonal, sparse or dense."""
        return str(self._fit.blocks())

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
        from .profile import profile

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
        from .icc import intraclass_correlation

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
            delta method from the exact Hessian over (θ, σ); NaN on the boundary (a standard
            deviation of 0, a correlation of ±1). For intervals see `confint`.
        """
        from .standard_errors import variance_components

        return variance_components(self)

    def summary(self, ddf: str | None = None) -> LinearMixedSummary:
        """Everything on one page; `str()` reads as lmerTest's print.

        Parameters
        ----------
        ddf
            Degrees of freedom of the t tests: "satterthwaite" (default), "kenward-roger",
            "residual" (n − rank X: too many for anything that varies between groups),
            "asymptotic" (z tests), or "none" (t values without p, as lme4 prints).

        Raises
        ------
        ArgumentError
            For a method that is not available.
        """
        from .summarize import summarize_mixed

        return summarize_mixed(self, ddf)

    def update(
        self, formula: str | None = None, data: Any = None, REML: bool | None = None
    ) -> LinearMixedModel:
        """A new fit with some arguments changed, the others as they were.

        Parameters
        ----------
        formula
            A new formula; a "." on the left stands for the old response, and one at the start of
            the right side for the old right side: ". ~ . + x", "log(.) ~ . - (x | g)".
        data
            Another table.
        REML
            The other criterion.

        Raises
        ------
        FormulaError, DataError
            As `lmer`; also for a new formula or table where the model was fitted from arrays.
        """
        from .update import update

        return update(self, formula, data, REML)

    def __repr__(self) -> str:
        criterion = "REML criterion" if self.reml else "deviance"
        what = self.formula or "fitted from arrays"
        return (
            f"<LinearMixedModel {what} · {criterion} {self._minus2loglik:.4f} · "
            f"{self.nobs} rows, {', '.join(f'{g} {k}' for g, k in self.ngroups.items())} · "
            f"{self.convergence.verdict}>"
        )


@dataclass(frozen=True, eq=False, repr=False)
class LinearModel(Description):
    """A fitted ordinary regression, made by `lm`: the baseline beside a mixed model."""

    @lazy
    def _minus2loglik(self) -> float:
        """ML, as R's logLik(lm): n (1 + log(2π RSS/n)) − Σ log w."""
        n, weights = self.nobs, self._matrices.weights
        log_weights = 0.0 if weights is None else float(np.log(weights).sum())
        with np.errstate(divide="ignore"):
            return float(n * (1 + np.log(2 * np.pi * self.rss / n)) - log_weights)

    @property
    def rss(self) -> float:
        """Residual sum of squares, weighted."""
        return float(self._fit.wrss)

    @property
    def df_resid(self) -> int:
        """n − p, the degrees of freedom of σ̂² and of the t tests."""
        return self.nobs - int(self._fit.rank)

    @property
    def reml_criterion(self) -> float:
        """The REML criterion, what an `lmer` fit of the same fixed effects would have at θ = 0."""
        return float(self._fit.criterion)

    @property
    def deviance(self) -> float:
        """−2 loglik, as for a mixed model fitted by ML (R's deviance(lm) is `rss`)."""
        return self._minus2loglik

    def summary(self, ddf: str | None = "residual") -> LinearSummary:
        """Everything on one page; `str()` reads as R's summary(lm).

        Raises
        ------
        ArgumentError
            When `ddf` is not "residual".
        """
        from .summarize import summarize_linear

        return summarize_linear(self, ddf)

    def update(self, formula: str | None = None, data: Any = None) -> LinearModel:
        """A new fit with some arguments changed; see `LinearMixedModel.update`."""
        from .update import update_linear

        return update_linear(self, formula, data)

    def __repr__(self) -> str:
        return f"<LinearModel {self.formula} · {self.nobs} rows · sigma {self.sigma:.4g}>"


def with_criterion(model: LinearMixedModel, REML: bool) -> LinearMixedModel:
    """The same model and data by either criterion, re-using the matrices; warns of nothing."""
    call = replace(model._call, control=replace(model._call.control, start=None))
    fit = optimize(model._matrices, REML, call.control, call.n_threads, design=model._design)
    return LinearMixedModel(model.formula, model._matrices, fit, call, model._new_response)
