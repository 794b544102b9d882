"""The numbers of a fit without the fit: what the kernel's `Fit` gives, for a model without rows.

Its attributes and methods have the names of the kernel's, so that models, tests and predictions do
not see a difference. What the kernel would compute from the rows is not there (`NoRows`); where it
had failed with an error, the same error is raised again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast, get_args

import numpy as np
from numpy.typing import NDArray

from .. import errors
from ..errors import MixedModelsError
from ..input_tables.columns import MAX_MAGNITUDE
from ..input_tables.no_rows import NoRows
from .codec import ArrayOf
from .container import refuse

if TYPE_CHECKING:
    from .._core import Fit, GeneralizedFit
    from ..matrices.model_matrix import TermInfo

__all__ = [
    "Estimates",
    "Failure",
    "Results",
    "StoredFit",
    "attempt",
    "check_estimates",
    "save_fit",
]

Vector = Annotated[NDArray[np.float64], ArrayOf("f8", 1)]
Matrix = Annotated[NDArray[np.float64], ArrayOf("f8", 2)]
Cube = Annotated[NDArray[np.float64], ArrayOf("f8", 3)]
Pairs = Annotated[NDArray[np.float64], ArrayOf("f8", 4)]
FailureName = Literal[
    "ArgumentError",
    "ConvergenceError",
    "DataError",
    "InsufficientMemoryError",
    "InternalError",
    "MixedModelsError",
]
Value = TypeVar("Value")


@dataclass(frozen=True)
class Failure:
    """An error of the kernel."""

    error: FailureName
    message: str

    def again(self) -> MixedModelsError:
        kind: type[MixedModelsError] = getattr(errors, self.error)
        return kind(self.message)


@dataclass(frozen=True)
class Estimates:
    """The kernel's attributes; those of one kind of fit are None in the other."""

    n: int
    rank: int
    theta: Vector
    beta: Vector
    dropped: tuple[int, ...]
    sigma: float
    criterion: float
    log_det_l: float
    log_det_rx: float
    pwrss: float
    wrss: float
    ussq: float
    modes: tuple[Matrix, ...]
    evaluations: int
    iterations: int
    reason: str
    converged: bool
    singular: bool
    gradient_norm: float
    decrement: float
    multipliers: Vector
    messages: tuple[str, ...]
    optimizer: str
    residual_check: float
    seconds: float
    reml: bool | None = None
    vcov: Matrix | None = None
    dispersion: float | None = None
    criterion_kind: Literal["fisher", "observed"] | None = None
    quadrature: int | None = None
    conditional_vcov: Matrix | None = None


@dataclass(frozen=True)
class Information:
    hessian: Matrix
    score: Vector
    fixed: Cube
    covariance: Matrix


@dataclass(frozen=True)
class VarianceProducts:
    elements: Vector
    fixed: Cube
    pairs: Pairs
    traces: Matrix
    trace: Vector


@dataclass(frozen=True)
class Results:
    """What the kernel's methods without arguments return; None: the fit has no such method."""

    conditional_covariances: tuple[Cube, ...] | Failure
    hessian: Matrix | Failure
    root: Matrix | Failure | None = None
    information: Information | Failure | None = None
    variance_products: VarianceProducts | Failure | None = None
    blocks: str | None = None


def check_estimates(fit: Any, p: int, terms: int, linear: bool) -> None:
    """Refuse estimates that p columns and so many terms cannot have: of other shapes, missing
    elsewhere than where columns were dropped, with negative variances."""
    beta, vcov = np.asarray(fit.beta), np.asarray(fit.vcov if linear else fit.conditional_vcov)
    if beta.shape != (p,) or vcov.shape != (p, p) or np.shape(fit.multipliers) != (terms,):
        refuse("its estimates are not those of its columns and terms")
    lost, missing = np.isnan(beta), np.isnan(vcov)
    kept = missing[np.ix_(~lost, ~lost)]
    fits = (
        sorted(fit.dropped) == np.flatnonzero(lost).tolist()
        and fit.rank == p - lost.sum()
        and bool(missing[lost].all() and missing[:, lost].all())
        and bool(kept.all() or not kept.any())  # all: there are no degrees of freedom
    )
    if not fits:
        refuse("its estimates are not those of the columns that its data determine")
    too_low = fit.sigma <= 0 if terms else fit.sigma < 0
    if too_low or fit.sigma > MAX_MAGNITUDE or (np.diag(vcov) < 0).any():
        refuse("its variances are none")


class StoredFit(NoRows):
    """Stands for a kernel's `Fit` or `GeneralizedFit`; arrays are copies, as the kernel's are."""

    def __init__(self, estimates: Estimates, results: Results):
        self._estimates = estimates
        self._results = results

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if getattr(self._estimates, name, None) is not None:
            return _copied(getattr(self._estimates, name))
        if getattr(self._results, name, None) is not None:
            return lambda: _given(getattr(self._results, name))
        self.refuse()

    def check(self, p: int, terms: Sequence[TermInfo], linear: bool) -> None:
        """Refuse shapes that are not those of p columns and these terms."""
        e, r = self._estimates, self._results
        q = [len(term.columns) for term in terms]
        size = sum(k * (k + 1) // 2 for k in q)
        check_estimates(self, p, len(terms), linear)
        effects = [(len(term.levels), k) for term, k in zip(terms, q, strict=True)]
        _require(e.theta, (size,))
        _require(*(x for pair in zip(e.modes, effects, strict=False) for x in pair))
        if len(e.modes) != len(terms) or not np.isfinite(e.theta).all():
            refuse("its random effects are not those of its terms")
        if not isinstance(r.conditional_covariances, Failure):
            if len(r.conditional_covariances) != len(terms):
                refuse("its conditional covariances are not those of its terms")
            for array, (levels, k) in zip(r.conditional_covariances, effects, strict=True):
                _require(array, (levels, k, k))
        if linear:
            self._check_linear(size)
        else:
            self._check_generalized(size)

    def _check_linear(self, size: int) -> None:
        r, rank = self._results, self._estimates.rank
        if r.blocks is None:
            refuse("it lacks estimates of a linear model")
        _require(r.root, (rank, rank), r.hessian, (size, size))
        i, v = r.information, r.variance_products
        if isinstance(i, Information):
            k = len(i.score)
            _require(i.score, (size,), i.hessian, (k, k), i.fixed, (k, rank, rank))
            _require(i.covariance, (size, k))
        if isinstance(v, VarianceProducts):
            k = len(v.elements)
            _require(v.fixed, (k, rank, rank), v.pairs, (k, k, rank, rank))
            _require(v.traces, (k, k), v.trace, (k,))

    def _check_generalized(self, size: int) -> None:
        e, h = self._estimates, self._results.hessian
        if e.dispersion is None or e.criterion_kind is None or e.quadrature is None:
            refuse("it lacks estimates of a generalised model")
        if not isinstance(h, Failure):
            _require(h, (len(h), len(h)))
            if not size <= len(h) <= size + e.rank + 1:
                refuse("its Hessian is not that of its parameters")


def _require(*arrays_and_shapes: Any) -> None:
    """Refuse an array that is not of the shape after it; failures have none."""
    pairs = zip(arrays_and_shapes[::2], arrays_and_shapes[1::2], strict=True)
    for array, shape in pairs:
        if array is None or (not isinstance(array, Failure) and array.shape != shape):
            refuse(f"an array of its fit is not of shape {shape}")


def _copied(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.copy()
    return [_copied(item) for item in value] if isinstance(value, tuple) else value


def _given(value: Any) -> Any:
    """What the kernel's method returns."""
    if isinstance(value, Failure):
        raise value.again()
    if isinstance(value, Information | VarianceProducts):
        return {name: array.copy() for name, array in asdict(value).items()}
    return _copied(value)


# --- Saving ---


def save_fit(fit: Fit | GeneralizedFit | StoredFit) -> tuple[Estimates, Results]:
    """A fit's attributes, and what its methods return."""
    if isinstance(fit, StoredFit):
        return fit._estimates, fit._results
    given = {f.name: _plain(getattr(fit, f.name, None)) for f in fields(Estimates)}
    return Estimates(**given), _results(fit)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _results(fit: Any) -> Results:
    results: dict[str, Any] = {
        "conditional_covariances": attempt(lambda: tuple(fit.conditional_covariances())),
        "hessian": attempt(fit.hessian),
    }
    if hasattr(fit, "reml"):
        results["root"] = attempt(fit.root)
        results["information"] = _record(Information, attempt(fit.information))
        results["blocks"] = str(fit.blocks())
        if fit.reml and len(fit.theta):
            products = attempt(fit.variance_products)
            results["variance_products"] = _record(VarianceProducts, products)
    return Results(**results)


def _record(kind: type[Value], result: Mapping[str, Any] | Failure) -> Value | Failure:
    return result if isinstance(result, Failure) else kind(**result)


def attempt(compute: Callable[[], Value]) -> Value | Failure:
    """A result of the kernel, or the error that it ends with."""
    try:
        return compute()
    except MixedModelsError as error:
        names = get_args(FailureName)
        known = [kind.__name__ for kind in type(error).__mro__ if kind.__name__ in names]
        return Failure(cast("FailureName", known[0]), str(error))
