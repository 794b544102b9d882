"""One model fitted to many responses: `m.refit(Y)` with an n × k array or frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..input_tables.factors import show
from ..lazy import lazy
from ..printing.document import Block, Document
from .generalised import Generalised
from .parameters import covariance_parameters, scale_parameters, sds_and_correlations

if TYPE_CHECKING:
    from ..matrices.model_matrix import TermInfo
    from .fitted import FittedModel

__all__ = ["Refits", "refit_many", "table_response"]

Array = NDArray[np.float64]

RUNAWAY = 100.0  # times the model's own standard error: an estimate that runs to infinity
RUNS_AWAY = (
    "a fixed effect runs to infinity (its standard error is over 100 times that of the model): the "
    "response is separated, and its likelihood has no maximum"
)


@dataclass(frozen=True, eq=False, repr=False)
class Refits(Document):
    """Estimates of one model for k responses, each a frame or series with one row a response.

    Made by `m.refit(Y)`. A response that could not be fitted has NaN estimates; `messages` says
    why.

    Attributes
    ----------
    labels
        The responses' labels, shape (k,): the columns of a frame, else 0, 1, ....
    """

    labels: pd.Index[Any]
    _fixed_names: tuple[str, ...]
    _terms: tuple[TermInfo, ...]
    _scales: dict[str, str]  # name → label, see `scale_parameters`
    _arrays: dict[str, Any]  # the kernel's, see `_core.Fit.refit_many`

    @classmethod
    def of(cls, model: FittedModel, arrays: dict[str, Any], labels: pd.Index[Any]) -> Refits:
        """The kernel's arrays with the labels of the model, and its own definition of σ² where that
        is not the kernel's (`GeneralizedLinearModel.sigma`)."""
        m = model._matrices
        sigma = float(model._fit.sigma)
        if model.sigma != sigma:
            powers = {name: k for name, k in (("sigma", 1), ("vcov", 2)) if name in arrays}
            arrays = arrays | {
                name: (model.sigma / sigma) ** k * arrays[name] for name, k in powers.items()
            }
        if isinstance(model, Generalised) and "vcov" in arrays:
            arrays = _without_runaways(model, arrays)
        scales = scale_parameters(model._call.family)
        return cls(labels, tuple(m.fixed_names), tuple(m.terms), scales, arrays)

    def __len__(self) -> int:
        return len(self.labels)

    # --- Fixed effects ---

    @property
    def fixef(self) -> pd.DataFrame:
        """Estimates of the fixed effects, shape (k, p); NaN where a column was dropped."""
        return self._frame(self._arrays["beta"], self._fixed_names)

    @property
    def bse(self) -> pd.DataFrame:
        """Standard errors of `fixef`, shape (k, p)."""
        variances = np.diagonal(self.vcov, axis1=1, axis2=2)
        return self._frame(np.sqrt(variances), self._fixed_names)

    @property
    def vcov(self) -> Array:
        """Covariance matrices of the fixed effects, shape (k, p, p); of generalised models with θ
        taken as known, as `vcov_conditional`."""
        vcov: Array = self._arrays["vcov"].copy()
        return vcov

    # --- Variances ---

    @property
    def theta(self) -> pd.DataFrame:
        """Relative covariance parameters, shape (k, n_theta)."""
        names = [f"theta{k + 1}" for k in range(self._arrays["theta"].shape[1])]
        return self._frame(self._arrays["theta"], names)

    @property
    def sigma(self) -> pd.Series[float]:
        """Residual standard deviations, shape (k,); 1 for families without one."""
        return self._series("sigma")

    @property
    def varcorr(self) -> pd.DataFrame:
        """Standard deviations and correlations in θ's order, and sigma or dispersion if the model
        estimates one: shape (k, n_theta + 1) or (k, n_theta).

        Columns "sd_Days|Subject", "cor_Days.(Intercept)|Subject", "sigma"; a correlation with a
        standard deviation of zero is NaN.
        """
        labels = [p.label for p in covariance_parameters(self._terms)]
        return self._frame(self._covariance_values, [*labels, *self._scales.values()])

    @lazy
    def _covariance_values(self) -> Array:
        sizes = [len(term.columns) for term in self._terms]
        theta, sigma = self._arrays["theta"], self._arrays["sigma"]
        scales = [self._arrays[name] for name in self._scales.values()]
        return np.column_stack([sds_and_correlations(theta, sigma, sizes), *scales])

    def to_frame(self) -> pd.DataFrame:
        """Fixed effects by name, then `.sig01`, `.sig02`, ..., and `.sigma` or `.dispersion` if the
        model estimates one: one row a response."""
        names = [p.name for p in covariance_parameters(self._terms)]
        values = np.column_stack([self._arrays["beta"], self._covariance_values])
        return self._frame(values, [*self._fixed_names, *names, *self._scales])

    # --- Outcomes ---

    @property
    def criterion(self) -> pd.Series[float]:
        """REML criterion or deviance at the optimum, as of the model itself, shape (k,)."""
        return self._series("criterion")

    @property
    def converged(self) -> pd.Series[bool]:
        """Whether the optimum is one, shape (k,)."""
        return self._series("converged")

    @property
    def singular(self) -> pd.Series[bool]:
        """Whether a variance is zero or a correlation ±1, shape (k,)."""
        return self._series("singular")

    @property
    def messages(self) -> pd.Series[str]:
        """What there is to say of a fit, or None, shape (k,)."""
        found = self._arrays["messages"]
        return pd.Series(found, index=self.labels, name="messages", dtype=object)

    @property
    def failed(self) -> pd.Series[bool]:
        """Whether there is no estimate at all, shape (k,)."""
        return pd.Series(np.isnan(self._arrays["sigma"]), index=self.labels, name="failed")

    def _frame(self, values: Array, names: Sequence[str]) -> pd.DataFrame:
        return pd.DataFrame(values.copy(), index=self.labels, columns=list(names))

    def _series(self, name: str) -> pd.Series[Any]:
        return pd.Series(self._arrays[name].copy(), index=self.labels, name=name)

    def _blocks(self) -> list[Block]:
        """Mean and standard deviation of every estimate over the responses."""
        from ..printing.tables import ResultTable

        values = self.to_frame()
        columns = {"mean": values.mean(), "std_dev": values.std()}
        return ResultTable.of(columns, repr(self)[1:-1], index=values.columns)._blocks()

    def __repr__(self) -> str:
        counts = [f"{int(self.failed.sum())} failed", f"{int(self.singular.sum())} singular"]
        return f"<Refits of {len(self)} responses · {' · '.join(counts)}>"


def _without_runaways(model: Generalised, arrays: dict[str, Any]) -> dict[str, Any]:
    """Fits to responses that a predictor separates have not converged: the criterion falls for
    ever, and flattens out where the optimiser stops."""
    own = np.diag(np.asarray(model._fit.conditional_vcov))
    ratio = np.diagonal(arrays["vcov"], axis1=1, axis2=2) / own
    runaway: NDArray[np.bool_] = np.asarray((ratio > RUNAWAY**2).any(axis=1))
    messages = [
        message or (RUNS_AWAY if runs else None)
        for message, runs in zip(arrays["messages"], runaway, strict=True)
    ]
    return arrays | {"converged": arrays["converged"] & ~runaway, "messages": messages}


def table_response(model: FittedModel, y: Any) -> Array:
    """One response as an array over all rows of the table, NaN in rows that are not used.

    Raises
    ------
    DataError
        The length is wrong, or a value is missing or infinite.
    """
    m = model._matrices
    try:
        values = np.array(_real(y), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the new response is not numbers: {error}") from None
    n_table = len(m.full_index)
    if values.shape == (n_table,):
        kept = values if m.rows is None else values[m.rows]
    elif values.shape == (m.nobs,):
        kept, values = values, m.on_table(values)
    else:
        used = f", or ({m.nobs},), the rows used" if m.nobs < n_table else ""
        raise DataError(
            f"the new response has shape {values.shape}; expected ({n_table},), the rows of the "
            f"table{used}"
        )
    if not np.isfinite(kept).all():
        row = m.index[int(np.flatnonzero(~np.isfinite(kept))[0])]
        raise DataError(f"the new response is missing or infinite in row {show(row)}")
    return values


def refit_many(model: FittedModel, responses: Any, n_threads: int | None = None) -> Refits:
    """Fit the model to every column of `responses`.

    Parameters
    ----------
    model
        A fitted model.
    responses
        A table or array of shape (rows of the table, k) or (nobs, k), in the order of the rows.
    n_threads
        Threads; default those of the model. Results are the same bits for any number.

    Raises
    ------
    DataError
        The shape is wrong, or a value is missing, infinite, or outside of the family's range.
    """
    columns = getattr(responses, "columns", None)
    values = _numbers(responses)
    m = model._matrices
    if values.shape[0] == len(m.full_index):
        kept = values if m.rows is None else values[m.rows]
    elif values.shape[0] == m.nobs:
        kept, values = values, m.on_table(values)
    else:
        raise DataError(
            f"the new responses have shape {values.shape}; expected {len(m.full_index)} rows, as "
            f"the table{', or ' + str(m.nobs) + ', the rows used' if m.rows is not None else ''}"
        )
    labels = pd.RangeIndex(values.shape[1]) if columns is None else pd.Index(list(columns))
    _check_finite(kept, m.index, labels)
    if isinstance(model, Generalised):
        for label, column in zip(labels, values.T, strict=True):
            model._reader(str(label)).check_range(model._sized(column))
    threads = n_threads or model._call.n_threads
    return Refits.of(model, model._fit.refit_many(values, threads), labels)


def _numbers(responses: Any) -> Array:
    try:
        return np.asarray(_real(responses), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"the new responses are not numbers: {error}") from None


def _real(values: Any) -> Any:
    """The values themselves; complex ones, which NumPy would cut, are refused."""
    if np.iscomplexobj(values):
        raise TypeError("they are complex")
    return values


def _check_finite(values: Array, rows: pd.Index[Any], labels: pd.Index[Any]) -> None:
    bad = ~np.isfinite(values)
    if bad.any():
        i, k = np.argwhere(bad)[0]
        raise DataError(
            f"response {labels.tolist()[k]!r} is missing or infinite in row {rows.tolist()[i]!r}: "
            "give complete columns, or fit it by itself with lmer"
        )
