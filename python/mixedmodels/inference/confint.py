"""Confidence intervals by profile likelihood, by Wald's method and by bootstrap: `m.confint()`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError
from ..models.call import check_threads
from ..models.model import LinearModel
from ..printing.tables import ResultTable
from .coefficients import tested_columns
from .ddf import describe, resolve, t_tests
from .distributions import check_level, normal_quantile
from .profile import Profiled, chosen, profiled_parameters, trace

if TYPE_CHECKING:
    from ..models.fitted import FittedModel
    from .parametric_bootstrap import IntervalType

__all__ = ["confint", "percent"]

Array = NDArray[np.float64]

SCALES = {  # of Wald intervals that are not symmetric
    "theta": "standard deviations on the log scale, correlations on Fisher's z",
    "dispersion": "dispersion on the log scale",
}


def confint(
    model: FittedModel,
    parm: str | Sequence[str] | None,
    level: float,
    method: str,
    *,
    ddf: str | None,
    nsim: int,
    seed: int,
    boot_type: IntervalType,
    n_threads: int | None,
    progress: bool,
) -> ResultTable:
    """Documented at `Inference.confint`."""
    check_level(level)
    check_threads(n_threads)
    if method not in ("profile", "wald", "boot"):
        raise ArgumentError(f"method={method!r}: choose profile, wald or boot")
    if ddf is not None and method != "wald":
        raise ArgumentError(f"ddf={ddf!r} belongs to method='wald'; method='{method}' needs none")
    if method == "boot":
        options = {"n_threads": n_threads, "progress": progress}
        return _bootstrapped(model, parm, level, nsim, seed, boot_type, options)
    if isinstance(model, LinearModel):
        return _exact(model, parm, level, ddf)
    if method == "wald":
        return _wald(model, parm, level, ddf)
    return _profiled(model, parm, level, n_threads)


def percent(level: float) -> tuple[str, str]:
    """The two column names, as R writes them.

    >>> percent(0.95)
    ('2.5 %', '97.5 %')
    """
    ends = (50 * (1 - level), 50 * (1 + level))
    return f"{ends[0]:.6g} %", f"{ends[1]:.6g} %"


def _table(
    parameters: Sequence[Profiled],
    ends: ArrayLike,  # (parameters, 2)
    level: float,
    title: str,
    notes: Sequence[str],
    **more: Any,
) -> ResultTable:
    low, high = percent(level)
    lower, upper = np.asarray(ends, dtype=float).reshape(-1, 2).T
    columns = {
        low: lower,
        high: upper,
        "estimate": [p.estimate for p in parameters],
        **more,
        "parameter": [p.label for p in parameters],
    }
    return ResultTable.of(columns, title, notes, [p.name for p in parameters])


# --- Profile ---


def _profiled(
    model: FittedModel,
    parm: str | Sequence[str] | None,
    level: float,
    n_threads: int | None,
) -> ResultTable:
    found = trace(model, parm, normal_quantile([0.5 + level / 2]), n_threads)
    ends = [[s.values[-1] if len(s.values) else np.nan for s in pair] for pair in found.sides]
    notes = list(found.notes)
    undefined = [p.name for p in found.parameters if p.is_correlation and np.isnan(p.estimate)]
    if undefined:
        notes.append(
            f"{', '.join(undefined)}: a standard deviation is estimated as zero, so the "
            "correlation does not exist: any value from -1 to 1 fits as well."
        )
    title = f"Profile likelihood intervals, {level:.4g} coverage"
    return _table(found.parameters, ends, level, title, notes)


# --- Wald ---


def _wald(
    model: FittedModel, parm: str | Sequence[str] | None, level: float, ddf: str | None
) -> ResultTable:
    method = resolve(model, ddf)
    everything = profiled_parameters(model)
    parameters = chosen(everything, parm)
    fixed = _fixed_ends(model, level, method)
    names = [p.name for p in everything if p.kind == "beta"]
    z = float(normal_quantile(0.5 + level / 2))
    ends = [
        fixed[names.index(p.name)] if p.kind == "beta" else _transformed(p, z) for p in parameters
    ]
    errors = np.array([p.std_error for p in parameters])
    lost = [p.name for p, row in zip(parameters, ends, strict=True) if np.isnan(row).any()]
    notes = [
        f"{', '.join(lost)}: on the boundary of its range, where Wald intervals do not exist; use "
        "method='profile'."
    ]
    scales = [text for kind, text in SCALES.items() if any(p.kind == kind for p in everything)]
    by = ", ".join([f"fixed effects by {describe(method)}", *scales])
    title = f"Wald intervals, {level:.4g} coverage; {by}"
    return _table(parameters, ends, level, title, notes if lost else [], std_error=errors)


def _transformed(parameter: Profiled, z: float) -> tuple[float, float]:
    """log sd ± z se/sd; atanh ρ ± z se/(1 − ρ²)."""
    value, half = parameter.estimate, z * parameter.std_error
    if np.isnan(half):
        return np.nan, np.nan
    if parameter.is_correlation:
        center = np.arctanh(value)
        half /= 1 - value**2
        return float(np.tanh(center - half)), float(np.tanh(center + half))
    with np.errstate(over="ignore"):  # data that say nothing of it: up to infinity
        return value * float(np.exp(-half / value)), value * float(np.exp(half / value))


def _fixed_ends(model: FittedModel, level: float, ddf: str | None) -> Array:
    rank = len(model.fixef.dropna())
    columns = tested_columns(t_tests(model, np.eye(rank), ddf), level)
    return np.column_stack([columns["conf_low"], columns["conf_high"]])


def _exact(
    model: FittedModel, parm: str | Sequence[str] | None, level: float, ddf: str | None
) -> ResultTable:
    """An ordinary regression: exact t intervals, by profile and by Wald alike."""
    method = resolve(model, ddf)
    kept = model.fixef.dropna()
    everything = [
        Profiled(str(name), str(name), "beta", k, float(value), float(error))
        for k, (name, value, error) in enumerate(
            zip(kept.index, kept, model.bse.dropna(), strict=True)
        )
    ]
    parameters = chosen(everything, parm)
    ends = _fixed_ends(model, level, method)[[everything.index(p) for p in parameters]]
    title = f"t intervals, {level:.4g} coverage, by {describe(method)}"
    errors = np.array([p.std_error for p in parameters])
    return _table(parameters, ends, level, title, [], std_error=errors)


# --- Bootstrap ---


def _bootstrapped(
    model: FittedModel,
    parm: str | Sequence[str] | None,
    level: float,
    nsim: int,
    seed: int,
    boot_type: IntervalType,
    options: dict[str, Any],
) -> ResultTable:
    from .parametric_bootstrap import bootstrap

    found = bootstrap(model, nsim, seed, **options).confint(level, boot_type)
    fixed = set(model.fixef.index)
    rows = zip(found.index, found["parameter"], found["estimate"], strict=True)
    parameters = [
        Profiled(name, label, "beta" if name in fixed else "theta", k, estimate, np.nan)
        for k, (name, label, estimate) in enumerate(rows)
    ]
    wanted = [p.name for p in chosen(parameters, parm)]
    return ResultTable.of(found.loc[wanted], found.title, found.notes)
