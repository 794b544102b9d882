"""What every fitted model has: fixed effects, likelihood, rows, prediction, other fits.

Making a model costs next to nothing (a bootstrap makes thousands by `refit`): the constructor
keeps references to the kernel's `Fit` and to the labels, and each accessor is named after what it
returns.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .control import Control
from .convergence import warn_about_fit
from .errors import ArgumentError
from .lazy import lazy
from .progress import Callback, Progress

if TYPE_CHECKING:
    from ._core import Design, Fit
    from .ddf import Satterthwaite
    from .kenward_roger import KenwardRoger
    from .model_matrix import ModelMatrices
    from .refits import Refits

__all__ = ["Call", "FittedModel", "ResidualType", "check_threads", "optimize"]

Array = NDArray[np.float64]
ResidualType = Literal["response", "pearson", "deviance", "working", "scaled"]


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments of the fit, kept (by reference) for `update`."""

    data: Any
    weights: str | ArrayLike | None
    offset: str | ArrayLike | None
    contrasts: Mapping[str, Any] | None
    na_action: Any
    context: Mapping[str, Callable[..., Any]] | None
    control: Control
    n_threads: int | None


def optimize(
    matrices: ModelMatrices,
    REML: bool,
    control: Control,
    n_threads: int | None,
    *,
    verbose: bool = False,
    callback: Callback | None = None,
    design: Design | None = None,
) -> Fit:
    """One fit in the kernel, with its progress line."""
    if not isinstance(REML, bool | np.bool_):
        raise ArgumentError(f"REML is {REML!r}; expected True or False")
    check_threads(n_threads)
    n_theta = sum(len(t.columns) * (len(t.columns) + 1) // 2 for t in matrices.terms)
    criterion = "REML criterion" if REML else "deviance"
    with Progress(criterion, verbose=verbose, callback=callback) as progress:
        return (design or matrices.design).fit(
            reml=bool(REML),
            n_threads=n_threads,
            callback=progress.hook,
            **control.settings(n_theta),
        )


def check_threads(n_threads: int | None) -> None:
    """Refuse a number of threads that is not a whole number of at least 1, or None."""
    whole = isinstance(n_threads, Integral) and not isinstance(n_threads, bool)
    if n_threads is not None and not (whole and n_threads >= 1):
        raise ArgumentError(
            f"n_threads is {n_threads!r}; expected a whole number of at least 1, or None for all "
            "the machine grants"
        )


@dataclass(frozen=True, eq=False, repr=False)
class FittedModel(ABC):
    """What `LinearModel` and `LinearMixedModel` share: fixed effects, likelihood, rows, prediction.

    Made by `lm`, `lmer` and `lmer_arrays`, never by hand.
    """

    formula: str | None
    _matrices: ModelMatrices
    _fit: Fit
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
        return self._by_column(np.sqrt(np.diag(self._fit.vcov)), "std_error")

    @property
    def vcov(self) -> pd.DataFrame:
        """Covariance matrix of `fixef`, shape (p, p): σ²(X'V⁻¹X)⁻¹; NaN where dropped."""
        names = list(self._matrices.fixed_names)
        return pd.DataFrame(np.array(self._fit.vcov), index=names, columns=names)

    def _by_column(self, values: ArrayLike, name: str) -> pd.Series[float]:
        names = list(self._matrices.fixed_names)
        return pd.Series(np.array(values, dtype=float), index=names, name=name)

    @property
    def sigma(self) -> float:
        """Residual standard deviation σ̂, in units of the response (of a row with weight 1)."""
        return float(self._fit.sigma)

    @lazy
    def _root(self) -> Array:
        """S with vcov = σ²SS', shape (rank, rank), for the fixed effects kept."""
        return self._fit.root()

    @lazy
    def _information(self) -> dict[str, Array]:
        """Derivatives at the estimate in the kernel's θ: hessian, score, fixed, covariance."""
        return self._fit.information()

    @lazy
    def _satterthwaite(self) -> Satterthwaite:
        from .ddf import Satterthwaite

        return Satterthwaite.of(self)

    @lazy
    def _kenward_roger(self) -> KenwardRoger:
        from .kenward_roger import KenwardRoger

        return KenwardRoger.of(self)

    # --- Counts ---

    @property
    def nobs(self) -> int:
        """Rows used (after dropping missing values and weights of zero)."""
        return int(self._fit.n)

    @property
    def npar(self) -> int:
        """Parameters estimated: fixed effects kept, θ and σ."""
        return int(self._fit.rank) + len(self._fit.theta) + 1

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
        """Log-likelihood at the optimum (for a REML fit the restricted one), all constants
        included."""
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
    def _fitted(self) -> Array:
        return np.asarray(self._design.linear_predictor(self._fit.beta, list(self._modes)))

    def _on_rows(self, values: Array, name: str) -> pd.Series[float]:
        """A Series on the data's own index; padded with NaN to all rows for na_action="exclude"."""
        m = self._matrices
        if m.na_action != "exclude" or m.rows is None:
            return pd.Series(np.array(values), index=m.index, name=name)
        padded = np.full(len(m.full_index), np.nan)
        padded[m.rows] = values
        return pd.Series(padded, index=m.full_index, name=name)

    @property
    def fitted(self) -> pd.Series[float]:
        """Fitted values Xβ̂ + Zb̂ + offset, on the data's own index."""
        return self._on_rows(self._fitted, "fitted")

    def residuals(self, type: ResidualType = "response") -> pd.Series[float]:
        """Residuals on the data's own index.

        Parameters
        ----------
        type
            "response" and "working": y − μ. "pearson" and "deviance": √w (y − μ), in units of the
            response. "scaled": pearson/σ.

        Raises
        ------
        ArgumentError
            For another type.
        """
        raw = self._response - self._fitted
        if type in ("response", "working"):
            return self._on_rows(raw, "residual")
        if type not in ("pearson", "deviance", "scaled"):
            raise ArgumentError(
                f"residuals of type {type!r}: choose response, pearson, deviance, working or scaled"
            )
        weights = self._matrices.weights
        if weights is not None:
            raw = np.sqrt(weights) * raw
        return self._on_rows(raw / self.sigma if type == "scaled" else raw, "residual")

    def predict(
        self,
        newdata: Any = None,
        re_form: str | float | None = None,
        allow_new_levels: bool = False,
        type: Literal["response", "link"] = "response",
        interval: None = None,
        level: float = 0.95,
    ) -> pd.Series[float]:
        """Predicted means, on the index of `newdata` (default: of the data of the fit).

        Parameters
        ----------
        newdata
            A table with the columns of the formula (the response is not needed).
        re_form
            None (default): with all random effects. "NA", "~0" or False: population level, Xβ̂ +
            offset. A formula such as "~ (1 | clinic)": with the terms it names.
        allow_new_levels
            True: a level unseen in the fit has random effects of zero; False (default): it is an
            error.
        type
            "response" (a linear model's link is the identity, so "link" is the same).
        interval, level
            Prediction intervals are not available yet: anything but None raises.

        Raises
        ------
        DataError
            A column is missing, or a level is new.
        FormulaError
            `re_form` names a term that the model does not have.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> new = {"therapy_sessions": [0.0, 10.0], "clinic": ["3", "unknown"]}
        >>> prediction = m.predict(new, allow_new_levels=True)
        """
        from .predict import predict

        return predict(
            self,
            newdata,
            re_form,
            allow_new_levels=allow_new_levels,
            type=type,
            interval=interval,
        )

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
            Shape (rows of the table,) or (nobs,), in the order of the rows; labels are not used.
            Or k responses at once, a table or an array of shape (rows, k): they are fitted on
            one analysis of the model, in parallel.
        n_threads
            Threads for many responses; default those of the model.

        Returns
        -------
        LinearMixedModel or LinearModel
            For one response.
        Refits
            For many: estimates as frames with one row a response. A response that cannot be
            fitted does not stop the others; `.messages` says why.

        Raises
        ------
        DataError
            The length is wrong, or a value is missing or infinite.

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
        fit = self._fit.refit(response)
        if fit.singular or not fit.converged:
            names = self._matrices.fixed_names
            warn_about_fit(fit, self._matrices.terms, names)
        return self.__class__(self.formula, self._matrices, fit, self._call, response)

    def __str__(self) -> str:
        """What `print(m)` shows: the summary. `repr(m)` is one line, for logs."""
        return str(self.summary())

    def _repr_html_(self) -> str:
        html: str = self.summary()._repr_html_()
        return html

    @abstractmethod
    def summary(self) -> Any:
        """Everything on one page."""

    def __copy__(self) -> Self:
        return self  # immutable: a copy would be the same

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> str:
        raise TypeError(
            "a fitted model cannot be pickled; keep m.to_dict(), or the data and the formula"
        )

    def to_dict(self) -> dict[str, Any]:
        """The estimates as plain numbers, strings, lists and dicts, for logs: NaN and infinities
        are None.

        `json.dumps(m.to_dict(), allow_nan=False)` never fails.
        """
        from .summarize import as_dict

        return as_dict(self)
