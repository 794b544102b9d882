"""The functions a formula may call, and nothing else.

elementwise     log log2 log10 log1p exp expm1 sqrt abs sign sin cos tan asin acos atan sinh cosh
                tanh asinh acosh atanh floor ceiling ceil trunc round plogis qlogis pmin pmax
                ifelse is.na
whole column    center scale poly bs mean sd median min max sum     (state kept for new data)
factors         C factor as.factor ordered relevel
conversion      as.numeric as.integer as.logical as.character
structure       I c cbind (the response) offset (a term of its own)

numpy's elementwise functions may also be written `np.log(x)`.  A stateful function keeps what it
learnt from the model's data (a mean, knots, polynomial coefficients) in a dict, so that new data
are treated alike; as in R the state comes from every row of the table, also from those dropped for
a missing response.

To add a function: one line in `ELEMENTWISE`, or a function with a `state` dict in `STATEFUL`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    State = dict[str, Any]

__all__ = ["ELEMENTWISE", "STATEFUL", "Matrix", "function_names"]

MAX_COLUMNS = 100


@dataclass(frozen=True, slots=True)
class Matrix:
    """Several columns from one call: `columns[j]` is (n,) float64, `names[j]` ends its name."""

    columns: tuple[Array, ...]
    names: tuple[str, ...]


def _round(x: Array, digits: float = 0.0) -> Array:
    return np.asarray(np.round(x, int(np.clip(digits, -300, 300))))


def _ifelse(test: Array, yes: Array, no: Array) -> Array:
    return np.where(np.isnan(test), np.nan, np.where(test != 0, yes, no))


def _logit(p: Array) -> Array:
    return np.asarray(np.log(p) - np.log1p(-p))


def _logistic(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x >= 0, 1, e) / (1 + e))


ELEMENTWISE: dict[str, Callable[..., Any]] = {
    "log": lambda x, base=None: np.log(x) if base is None else np.log(x) / np.log(base),
    "log2": np.log2, "log10": np.log10, "log1p": np.log1p, "exp": np.exp, "expm1": np.expm1,
    "exp2": np.exp2, "sqrt": np.sqrt, "abs": np.abs, "sign": np.sign, "square": np.square,
    "sin": np.sin, "cos": np.cos, "tan": np.tan, "sinh": np.sinh, "cosh": np.cosh, "tanh": np.tanh,
    "asin": np.arcsin, "acos": np.arccos, "atan": np.arctan, "arcsin": np.arcsin,
    "arccos": np.arccos, "arctan": np.arctan, "asinh": np.arcsinh, "acosh": np.arccosh,
    "atanh": np.arctanh, "floor": np.floor, "ceiling": np.ceil, "ceil": np.ceil,
    "trunc": np.trunc, "round": _round, "plogis": _logistic, "qlogis": _logit,
    "pmin": np.minimum, "pmax": np.maximum, "minimum": np.minimum, "maximum": np.maximum,
    "ifelse": _ifelse, "where": _ifelse,
}  # fmt: skip

FACTOR_FUNCTIONS = ("C", "factor", "as.factor", "ordered", "relevel")
OTHER_FUNCTIONS = (
    "I", "c", "cbind", "offset", "is.na", "as.numeric", "as.integer", "as.logical", "as.character",
)  # fmt: skip


def function_names() -> tuple[str, ...]:
    """Every function a formula may call without `context=`."""
    return (*ELEMENTWISE, *STATEFUL, *FACTOR_FUNCTIONS, *OTHER_FUNCTIONS)


# --- functions of a whole column ----------------------------------------------------------------


def center(x: Array, *, state: State) -> Array:
    """x minus its mean over the model's data."""
    if "center" not in state:
        state["center"] = _statistic(np.nanmean, x)
    return np.asarray(x - state["center"])


def scale(x: Array, center: Any = True, scale: Any = True, *, state: State) -> Array:
    """R's `scale`: (x − mean)/sd, or the numbers given; without centring the root mean square."""
    if "center" not in state:
        wanted = _flag_or_number(center, "center")
        state["center"] = _statistic(np.nanmean, x) if wanted is True else float(wanted)
        wanted = _flag_or_number(scale, "scale")
        rest = x - state["center"]
        n = int(np.count_nonzero(~np.isnan(rest)))
        spread = (
            float(np.sqrt(np.nansum(rest * rest) / max(n - 1, 1))) if wanted is True else wanted
        )
        state["scale"] = 1.0 if wanted is False else float(spread)
        if state["scale"] == 0.0:
            raise DataError("the column to scale is constant; its standard deviation is 0")
    out = np.asarray(x - state["center"])
    out /= state["scale"]
    return out


def _flag_or_number(value: Any, name: str) -> Any:
    if isinstance(value, bool) or (np.isscalar(value) and isinstance(value, float)):
        return value
    raise DataError(f"argument '{name}' of scale() is TRUE, FALSE or a number")


def poly(x: Array, degree: Any = 1.0, raw: Any = False, *, state: State) -> Matrix:
    """Orthogonal polynomials of x with R's numbers (formulaic's recurrence), or raw powers."""
    k = _whole(degree, "the degree of poly()", 1, MAX_COLUMNS)
    names = tuple(str(j) for j in range(1, k + 1))
    if raw is True:
        return Matrix(tuple(np.asarray(x**j) for j in range(1, k + 1)), names)
    if not state and len(np.unique(x[~np.isnan(x)])) <= k:
        raise DataError(
            f"poly() of degree {k} needs more than {k} distinct values; the column has fewer"
        )
    from formulaic.transforms.poly import poly as formulaic_poly

    basis = np.asarray(formulaic_poly(x, degree=k, _state=state))
    return Matrix(tuple(basis.T), names)


def bs(
    x: Array,
    df: Any = None,
    knots: Any = None,
    degree: Any = 3.0,
    intercept: Any = False,
    *,
    state: State,
) -> Matrix:
    """R's B-spline basis; beyond the boundary knots the polynomials are continued, as in R."""
    from formulaic.transforms.basis_spline import basis_spline

    order = _whole(degree, "the degree of bs()", 1, 20)
    count = None if df is None else _whole(df, "df of bs()", order + bool(intercept), MAX_COLUMNS)
    inner = None if knots is None else [float(k) for k in np.atleast_1d(knots)]
    if inner is not None and len(inner) > MAX_COLUMNS:
        raise DataError(f"bs() takes at most {MAX_COLUMNS} knots")
    basis = basis_spline(
        x, df=None if inner is not None else count, knots=inner, degree=order,
        include_intercept=bool(intercept), extrapolation="extend", _state=state,
    )  # fmt: skip
    columns = tuple(np.asarray(column, dtype=np.float64) for column in dict(basis).values())
    return Matrix(columns, tuple(str(j) for j in range(1, len(columns) + 1)))


def _whole(value: Any, what: str, low: int, high: int) -> int:
    if isinstance(value, bool) or not isinstance(value, float) or value != int(value):
        raise DataError(f"{what} is a whole number")
    if not low <= value <= high:
        raise DataError(f"{what} is {int(value)}; expected {low} to {high}")
    return int(value)


def _statistic(function: Callable[[Array], Any], x: Array) -> float:
    if len(x) == 0 or np.isnan(x).all():
        return float("nan")
    return float(function(x))


def _summary(function: Callable[[Array], Any]) -> Callable[..., float]:
    def summary(x: Array, *, state: State) -> float:
        if "value" not in state:
            state["value"] = _statistic(function, x)
        return float(state["value"])

    return summary


STATEFUL: dict[str, Callable[..., Any]] = {
    "center": center, "scale": scale, "standardize": scale, "poly": poly, "bs": bs,
    "mean": _summary(np.nanmean), "median": _summary(np.nanmedian), "sum": _summary(np.nansum),
    "sd": _summary(lambda x: np.nanstd(x, ddof=1)), "min": _summary(np.nanmin),
    "max": _summary(np.nanmax),
}  # fmt: skip
