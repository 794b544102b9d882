"""Fitted models, immutable: `LinearMixedModel` from `lmer`, `LinearModel` from `lm`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..lazy import lazy
from .call import optimize
from .linear import Linear
from .mixed import Mixed

if TYPE_CHECKING:
    from ..inference.ddf import DdfMethod
    from ..matrices.model_matrix import ModelMatrices
    from ..reporting.summary import LinearMixedSummary, LinearSummary
    from .fitted import FittedModel

__all__ = ["LinearMixedModel", "LinearModel", "with_criterion"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class LinearMixedModel(Linear, Mixed):
    """A fitted linear mixed model, made by `lmer`.

    y | b ~ N(Xβ + Zb + o, σ²W⁻¹), b ~ N(0, σ²Λ_θΛ_θ') (Bates et al. 2015, eq. 2-4).
    """

    @property
    def reml(self) -> bool:
        """Whether the fit is by REML."""
        return bool(self._fit.reml)

    @property
    def reml_criterion(self) -> float | None:
        """The REML criterion at the optimum (−2 × the restricted log-likelihood); None for an ML
        fit."""
        return self._minus2loglik if self.reml else None

    @property
    def deviance(self) -> float | None:
        """−2 loglik of an ML fit; None for a REML fit."""
        return None if self.reml else self._minus2loglik

    def objective(self, theta: ArrayLike) -> float:
        """The profiled criterion (REML criterion or deviance) at θ, shape (n_theta,) or one
        number for all."""
        return float(self._fit.objective(self._theta(theta)))

    def gradient(self, theta: ArrayLike) -> Array:
        """The exact gradient of `objective` at θ, shape (n_theta,)."""
        return np.asarray(self._fit.gradient(self._theta(theta)), dtype=float)

    def blocks(self) -> str:
        """A picture of the blocks of the factor: which are diagonal, sparse or dense."""
        return str(self._fit.blocks())

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
        from ..reporting.summarize import summarize_mixed

        return summarize_mixed(self, ddf)

    @property
    def _ddf_methods(self) -> tuple[DdfMethod, ...]:
        return ("satterthwaite", "kenward-roger", "residual", "asymptotic", "none")

    def _with_matrices(
        self, matrices: ModelMatrices, response: Array | None, REML: bool
    ) -> FittedModel:
        return _fit_matrices(self, matrices, response, REML)

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
class LinearModel(Linear):
    """A fitted ordinary regression, made by `lm`: the baseline beside a mixed model."""

    @lazy
    def _minus2loglik(self) -> float:
        """ML, as R's logLik(lm): n (1 + log(2π RSS/n)) − Σ log w."""
        n, weights = self.nobs, self._matrices.weights
        log_weights = 0.0 if weights is None else float(np.log(weights).sum())
        with np.errstate(divide="ignore"):
            return float(n * (1 + np.log(2 * np.pi * self.rss / n)) - log_weights)

    @lazy
    def _explained(self) -> float:
        """Weighted sum of squares of the fitted values without the offset, about their mean where
        the model has an intercept."""
        weights = self._matrices.weights
        w = np.ones(self.nobs) if weights is None else np.asarray(weights)
        offset = self._design.linear_predictor(np.zeros(len(self._fit.beta)), [])
        fitted = self._fitted - offset
        intercept = "(Intercept)" in self._matrices.fixed_names
        centre = np.average(fitted, weights=w) if intercept else 0.0
        return float(np.sum(w * (fitted - centre) ** 2))

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
        from ..reporting.summarize import summarize_linear

        return summarize_linear(self, ddf)

    @property
    def _ddf_methods(self) -> tuple[DdfMethod, ...]:
        return ("residual", "satterthwaite", "kenward-roger", "asymptotic", "none")

    def _with_matrices(
        self, matrices: ModelMatrices, response: Array | None, REML: bool
    ) -> FittedModel:
        return _fit_matrices(self, matrices, response, REML)

    def update(self, formula: str | None = None, data: Any = None) -> LinearModel:
        """A new fit with some arguments changed; see `LinearMixedModel.update`."""
        from .update import update_linear

        return update_linear(self, formula, data)

    def __repr__(self) -> str:
        return f"<LinearModel {self.formula} · {self.nobs} rows · sigma {self.sigma:.4g}>"


def with_criterion(model: LinearMixedModel, REML: bool) -> LinearMixedModel:
    """The same model and data by either criterion, re-using the matrices; warns of nothing."""
    call = model._call.without_start()
    fit = optimize(model._matrices, REML, call.control, call.n_threads, design=model._design)
    return LinearMixedModel(model.formula, model._matrices, fit, call, model._new_response)


def _fit_matrices(
    model: Linear, matrices: ModelMatrices, response: Array | None, REML: bool
) -> FittedModel:
    """A linear model of these terms; without random terms a `LinearModel`."""
    call = model._call.without_start()
    design = matrices.design if response is None else matrices.design.with_response(response)
    kind = LinearMixedModel if matrices.terms else LinearModel
    reml = REML or not matrices.terms
    fit = optimize(matrices, reml, call.control, call.n_threads, design=design)
    return kind(model.formula, matrices, fit, call, response)
