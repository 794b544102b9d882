"""What every fitted model has: fixed effects, likelihood, rows, prediction, other fits.

Making a model costs next to nothing (a bootstrap makes thousands by `refit`): the constructor
keeps references to the kernel's `Fit` and to the labels, and each accessor is named after what it
returns.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Self, get_args, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError
from ..input_tables.no_rows import NoRows
from ..lazy import lazy
from ..printing.output_frames import FramesAsAsked
from .call import Call, check_threads
from .convergence import Convergence, warn_about_fit
from .keeping import Keeping

if TYPE_CHECKING:
    from .._core import Design, Fit, GeneralizedFit
    from ..inference.ddf import DdfMethod
    from ..matrices.model_matrix import ModelMatrices
    from .refits import Refits

__all__ = ["FittedModel", "ResidualType"]

Array = NDArray[np.float64]
ResidualType = Literal["response", "pearson", "deviance", "working", "scaled"]


@dataclass(frozen=True, eq=False, repr=False)
class FittedModel(FramesAsAsked, Keeping, ABC):
    """What all fitted models share: fixed effects, likelihood, rows, prediction.

    Made by `lm`, `lmer`, `lmer_arrays`, `glm` and `glmer`, never by hand. What a kind of model adds
    stands in `linear.py`, `mixed.py` and `generalised_model.py`.
    """

    formula: str | None
    _matrices: ModelMatrices
    _fit: Fit | GeneralizedFit
    _call: Call
    _new_response: Array | None = None  # table length, after refit(y)

    # --- Fixed effects ---

    @property
    def fixef(self) -> pd.Series[float]:
        """Estimates β̂ of the fixed effects, shape (p,), by name; NaN for columns dropped as
        collinear."""
        return self._by_column(self._fit.beta, "estimate")

    @property
    def bse(self) -> pd.Series[float]:
        """Standard errors of `fixef`, shape (p,); NaN where dropped."""
        return self._by_column(np.sqrt(np.diag(self._vcov)), "std_error")

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of `fixef`, shape (p, p); NaN where dropped.

        Linear models: σ²(X'V⁻¹X)⁻¹. Generalised ones: see their `vcov_conditional`.
        """
        return self._by_columns(self._vcov)

    @property
    @abstractmethod
    def _vcov(self) -> Array: ...

    @property
    @abstractmethod
    def _root(self) -> Array:
        """S with vcov = σ²SS', shape (rank, rank), for the fixed effects kept."""

    @property
    @abstractmethod
    def _ddf_methods(self) -> tuple[DdfMethod, ...]:
        """The degrees of freedom that tests of this model can have, the default first."""

    def _by_columns(self, matrix: ArrayLike) -> pd.DataFrame:
        names = list(self._matrices.fixed_names)
        return pd.DataFrame(np.array(matrix, dtype=float), index=names, columns=names)

    def _by_column(self, values: ArrayLike, name: str) -> pd.Series[float]:
        names = list(self._matrices.fixed_names)
        return pd.Series(np.array(values, dtype=float), index=names, name=name)

    @property
    def sigma(self) -> float:
        """Residual standard deviation σ̂, in units of the response (of a row with weight 1); 1 for
        families without one."""
        return float(self._fit.sigma)

    # --- Counts ---

    @property
    def nobs(self) -> int:
        """Rows used (after dropping missing values and weights of zero)."""
        return int(self._fit.n)

    @property
    def npar(self) -> int:
        """Parameters estimated: fixed effects kept, θ, and σ or what the family has in its
        place."""
        return int(self._fit.rank) + len(self._fit.theta) + self._dispersions

    @property
    def _dispersions(self) -> int:
        """Number of parameters estimated besides β and θ."""
        return 1

    @property
    def df_resid(self) -> int:
        """Rows used minus parameters, n − npar."""
        return self.nobs - self.npar

    @property
    def missing(self) -> pd.Series[int]:
        """Column → number of rows in which it was missing; empty if none was."""
        missing: pd.Series[int] = self._matrices.missing
        return missing.copy()

    # --- Likelihood ---

    @property
    def _minus2loglik(self) -> float:
        """The criterion that loglik, AIC and BIC are made of."""
        return float(self._fit.criterion)

    @property
    def loglik(self) -> float:
        """Log-likelihood at the optimum, all constants included: for a REML fit the restricted one,
        for a generalised model the Laplace or quadrature value."""
        return -0.5 * self._minus2loglik

    @property
    def aic(self) -> float:
        """−2 loglik + 2 npar."""
        return self._minus2loglik + 2 * self.npar

    @property
    def bic(self) -> float:
        """−2 loglik + log(nobs) npar."""
        return self._minus2loglik + math.log(self.nobs) * self.npar

    # --- Rows ---

    @property
    def _has_rows(self) -> bool:
        """Whether the data are there; they are not in a model saved without them."""
        return not isinstance(self._matrices.design, NoRows)

    @lazy
    def _quartiles(self) -> dict[str, Array]:
        """Quartiles of the residuals by type, as summaries ask for them."""
        return {}

    @lazy
    def _triangle(self) -> Array:
        from .rows import triangle

        return triangle(self)

    @property
    def _has_sigma(self) -> bool:
        """Whether σ is one of the estimates."""
        return True

    @lazy
    def _design(self) -> Design:
        """The kernel's design with this model's own response."""
        if self._new_response is None:
            return self._matrices.design
        return self._matrices.design.with_response(self._new_response)

    @lazy
    def _response(self) -> Array:
        """The response of the rows used, shape (nobs,)."""
        if self._new_response is None:
            return np.asarray(self._matrices.response, dtype=float)
        rows = self._matrices.rows
        return self._new_response if rows is None else self._new_response[rows]

    @lazy
    def _modes(self) -> list[Array]:
        return [np.asarray(modes, dtype=float) for modes in self._fit.modes]

    @lazy
    def _linear_predictor(self) -> Array:
        return np.asarray(self._design.linear_predictor(self._fit.beta, list(self._modes)))

    @lazy
    def _fitted(self) -> Array:
        return self._mean(self._linear_predictor)

    @lazy
    def _leverages(self) -> Array:
        return np.asarray(self._fit.leverages())

    def _mean(self, eta: Array) -> Array:
        """The mean at a linear predictor; a linear model's link is the identity."""
        return eta

    def _on_rows(self, values: Array, name: str) -> pd.Series[float]:
        """A Series on the data's own index; padded with NaN to all rows for na_action="exclude"."""
        m = self._matrices
        if m.na_action != "exclude" or m.rows is None:
            return pd.Series(np.array(values), index=m.index, name=name)
        return pd.Series(m.on_table(values), index=m.full_index, name=name)

    @property
    def fitted(self) -> pd.Series[float]:
        """Fitted means, on the data's own index: of a linear model Xβ̂ + Zb̂ + offset, of a
        generalised one the inverse link of that."""
        return self._on_rows(self._fitted, "fitted")

    @property
    def linear_predictor(self) -> pd.Series[float]:
        """η = Xβ̂ + Zb̂ + offset, on the data's own index."""
        return self._on_rows(self._linear_predictor, "linear_predictor")

    def residuals(self, type: ResidualType = "response") -> pd.Series[float]:
        """Residuals on the data's own index.

        Parameters
        ----------
        type
            "response": y − μ. "pearson": √w (y − μ)/√V(μ), with a linear model's V = 1 in units of
            the response. "scaled": pearson/σ. "deviance": signed roots of what the rows add to the
            deviance (a linear model's are "pearson"). "working": (y − μ) dη/dμ. Those divided by
            what their leverage makes of their standard deviation: `rstandard`, `rstudent`.

        Raises
        ------
        ArgumentError
            For another type.
        """
        if type not in get_args(ResidualType):
            known = ", ".join(get_args(ResidualType))
            raise ArgumentError(f"residuals of type {type!r}: choose {known}")
        return self._on_rows(self._residuals(type), "residual")

    @abstractmethod
    def _residuals(self, type: ResidualType) -> Array:
        """Residuals of the rows used, shape (nobs,)."""

    # --- Other fits ---

    @overload
    def refit(self, y: pd.DataFrame, *, n_threads: int | None = None) -> Refits: ...

    @overload
    def refit(self, y: ArrayLike, *, n_threads: int | None = None) -> Self: ...

    def refit(self, y: Any, *, n_threads: int | None = None) -> Self | Refits:
        """The same model fitted to another response, or to many.

        Parameters
        ----------
        y
            Shape (rows of the table,) or (nobs,), in the order of the rows; labels are not used
            (binomial models: proportions of the numbers of trials, which stay as they were).
            Or k responses at once, a table or an array of shape (rows, k): they are fitted on
            one analysis of the model, in parallel.
        n_threads
            Threads for many responses; default those of the model.

        Returns
        -------
        a fitted model
            For one response: of the same kind.
        Refits
            For many: estimates as frames with one row a response. A response that cannot be
            fitted does not stop the others; `.messages` says why.

        Raises
        ------
        DataError
            The length is wrong, or a value is missing, infinite, or outside of the family's range.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.refit(m.simulate(3, seed=1)).fixef.shape
        (3, 2)
        """
        from .refits import refit_many, table_response

        check_threads(n_threads)
        if hasattr(y, "columns") or np.ndim(y) == 2:
            return refit_many(self, y, n_threads)
        response = table_response(self, y)
        fit = self._fitted_to(response)
        if fit.singular or not fit.converged:
            names = self._matrices.fixed_names
            warn_about_fit(fit, self._matrices.terms, names)
        return self.__class__(self.formula, self._matrices, fit, self._call, response)

    def _fitted_to(self, response: Array) -> Fit | GeneralizedFit:
        """The kernel's fit to another response, shape (rows of the table,)."""
        return self._fit.refit(response)

    @abstractmethod
    def _with_matrices(
        self, matrices: ModelMatrices, response: Array | None, REML: bool
    ) -> FittedModel:
        """The same kind of model with other terms, fitted; warns of nothing."""

    # --- Outcome ---

    @property
    def converged(self) -> bool:
        """Whether the optimum is certain; `convergence` has the details."""
        return bool(self._fit.converged)

    @lazy
    def convergence(self) -> Convergence:
        """Gradient, curvature, evaluations, reason and remarks; see `Convergence`."""
        return Convergence(self._fit, self._matrices.terms)

    def __str__(self) -> str:
        """What `print(m)` shows: the summary. `repr(m)` is one line, for logs."""
        return str(self.summary())

    def _repr_html_(self) -> str:
        html: str = self.summary()._repr_html_()
        return html

    @abstractmethod
    def summary(self) -> Any:
        """Everything on one page."""

    def to_dict(self) -> dict[str, Any]:
        """The estimates as plain numbers, strings, lists and dicts, for logs: NaN and infinities
        are None.

        `json.dumps(m.to_dict(), allow_nan=False)` never fails.
        """
        from ..reporting.summarize import as_dict

        return as_dict(self)
