"""Separation: data that determine the response of some rows, so that a coefficient is infinite.

With d'x ≥ 0 for every success and d'x ≤ 0 for every failure (not all zero) the likelihood rises
along β + td without end (Albert & Anderson 1984, Biometrika 71); counts with a log link do the same
with d'x ≤ 0 for zeros and d'x = 0 for the others. Random effects do not stop it: they add to both
sides. Such a d is found by linear programming (Konis 2007), but only where a fit looks like it:
standard errors are huge, or there is no optimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .errors import SeparationWarning, warn
from .factors import show

if TYPE_CHECKING:
    from .generalised import Generalised

__all__ = ["Separation", "find_separation", "warn_about_separation"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

HUGE = 5.0  # standard errors on the scale of the link, of a predictor's standard deviation
MARGIN = 1e-4  # of d'x, for columns scaled to 1 and |d| ≤ 1
ROUNDING = 1e-6  # of the linear programme
MOST_ROWS = 50_000  # distinct rows that the programme takes on

BOTH_ENDS = ("logit", "probit", "cloglog", "cauchit")  # links with limits at both ends


@dataclass(frozen=True, slots=True)
class Separation:
    """Coefficients that run off to infinity, each with its sign, and what in the data does it."""

    coefficients: dict[str, int]
    causes: tuple[str, ...]

    def message(self) -> str:
        """What was found, and what to do."""
        signs = {1: "+∞", -1: "−∞"}
        which = ", ".join(f"{name} → {signs[sign]}" for name, sign in self.coefficients.items())
        why = "; ".join(self.causes) or "a combination of these predictors separates the responses"
        return (
            f"separation: the likelihood has no maximum in {which}: {why}. Estimates and standard "
            "errors of these coefficients mean nothing; the others are what the remaining rows "
            "say. Merge or leave out such levels, drop the predictor, or test it by likelihood "
            "ratio (mm.anova)"
        )


def warn_about_separation(model: Generalised) -> None:
    """Name the coefficients of a fresh fit that run off to infinity."""
    found = model._separation
    if found is not None:
        warn(found.message(), SeparationWarning)


def find_separation(model: Generalised) -> Separation | None:
    """The separation behind huge standard errors or a missing optimum; None where there is none."""
    sides = _sides(model)
    if sides is None or not _suspicious(model):
        return None
    kept = np.flatnonzero(~np.isnan(np.asarray(model._fit.beta)))
    X = model._design.fixed_matrix()[:, kept]
    direction = _direction(X, *sides)
    if direction is None:
        return None
    names = [model._matrices.fixed_names[j] for j in kept]
    running = {
        name: int(np.sign(d)) for name, d in zip(names, direction, strict=True) if abs(d) > ROUNDING
    }
    columns = dict(zip(names, X.T, strict=True))
    return Separation(running, tuple(_causes(model, running, columns)))


def _sides(model: Generalised) -> tuple[Mask, Mask] | None:
    """Rows for which the linear predictor may rise and may fall without end."""
    family, y = model.family, model._response
    if family.name == "binomial" and family.link in BOTH_ENDS:
        return y == 1, y == 0
    if family.is_discrete and family.link == "log":
        return np.zeros(len(y), dtype=bool), y == 0
    return None


def _suspicious(model: Generalised) -> bool:
    """Whether the estimates look like separation: cheap, and never silent where there is some."""
    if not model.converged or _perfect(model):
        return True
    errors = np.sqrt(np.diag(model._conditional_vcov))
    kept = ~np.isnan(np.asarray(model._fit.beta))
    spread = model._design.fixed_matrix().std(axis=0)
    scaled = errors * np.where(spread > 0, spread, 1.0)
    return bool((~(scaled[kept] < HUGE)).any())


def _perfect(model: Generalised) -> bool:
    """Whether the linear predictor of every success is above that of every failure."""
    eta, y = model._linear_predictor, model._response
    above, below = eta[y > 0], eta[y < 1]
    return len(above) > 0 and len(below) > 0 and bool(above.min() > below.max())


def _direction(X: Array, rises: Mask, falls: Mask) -> Array | None:
    """d with d'x ≥ 0 where η may rise, ≤ 0 where it may fall, 0 elsewhere, and not all zero."""
    from scipy.optimize import linprog

    side = rises.astype(float) - falls
    scale = np.abs(X).max(axis=0)
    rows = np.unique(np.column_stack([side, X / scale]), axis=0)
    if len(rows) > MOST_ROWS:
        return None
    side, X = rows[:, 0], rows[:, 1:]
    signed, fixed = side[side != 0, None] * X[side != 0], X[side == 0]
    if len(signed) == 0:
        return None
    equal = {"A_eq": fixed, "b_eq": np.zeros(len(fixed))} if len(fixed) else {}
    found = linprog(
        -signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1), **equal
    )
    if found.x is None:
        return None
    margins = signed @ found.x
    separated = margins.max() > MARGIN and margins.min() > -ROUNDING
    return np.asarray(found.x) / scale if separated else None


# --- What in the data does it ---


def _causes(model: Generalised, running: dict[str, int], columns: dict[str, Array]) -> list[str]:
    causes = [text for name in _factors(model) for text in _one_sided_levels(model, name)]
    for name in running:
        values = columns[name]
        if name in _covariates(model) and (text := _ordered(model, name, values)):
            causes.append(text)
    return causes or _one_sided_cells(model, running, columns)


def _factors(model: Generalised) -> list[str]:
    spec = model._matrices.spec
    if spec is None:
        return []
    names = [variable.text for variable in spec.formula.fixed.variables]
    return [name for name in names if name in spec.factors]


def _covariates(model: Generalised) -> list[str]:
    """Columns that are a numeric variable as it stands."""
    spec = model._matrices.spec
    if spec is None:
        return []
    plans = zip(spec.fixed.names, spec.fixed.columns, strict=True)
    return [name for name, plan in plans if len(plan.numeric) == 1 and not plan.coded]


def _one_sided_levels(model: Generalised, factor: str) -> list[str]:
    """ "all 12 rows with trt = 'c' have y = 0"."""
    from .columns import Table
    from .evaluate import Evaluator
    from .expression import parse_expression
    from .rows import kept_rows

    spec = model._matrices.spec
    assert spec is not None
    evaluator = Evaluator(Table(model._call.data), spec.formula.text, spec.context, spec.state)
    value = evaluator.group(parse_expression(factor))
    codes = kept_rows(model, value.codes)
    return [
        text
        for code, level in enumerate(value.levels)
        if (text := _one_sided(model, codes == code, f"{factor} = {show(level)}"))
    ]


def _one_sided_cells(
    model: Generalised, running: dict[str, int], columns: dict[str, Array]
) -> list[str]:
    """Columns of zeros and others, such as combinations of levels, on which y is all one."""
    found = []
    for name in running:
        values = columns[name]
        if (values == 0).any() and len(np.unique(values)) == 2:
            found.append(_one_sided(model, values != 0, f"{name} other than 0"))
    return [text for text in found if text]


def _one_sided(model: Generalised, rows: Mask, where: str) -> str:
    y = model._response[rows]
    count = len(y)
    ends = {0.0: "0", 1.0: "1"} if model.family.name == "binomial" else {0.0: "0"}
    if count == 0 or y.min() != y.max() or float(y[0]) not in ends:
        return ""
    rows_are = f"all {count} rows" if count > 1 else "the only row"
    have = "have" if count > 1 else "has"
    return f"{rows_are} with {where} {have} {_response(model)} = {ends[float(y[0])]}"


def _ordered(model: Generalised, name: str, values: Array) -> str:
    """ "y is 0 wherever x ≤ 3.1 and 1 wherever x ≥ 3.2"."""
    y = model._response
    if model.family.name != "binomial":
        return ""
    low, high = values[y < 1], values[y > 0]
    for first, second, ends in ((low, high, "01"), (high, low, "10")):
        if len(first) and len(second) and first.max() <= second.min():
            tied = first.max() == second.min()
            below, above = ("<", ">") if tied else ("≤", "≥")
            return (
                f"{_response(model)} is {ends[0]} wherever {name} {below} {first.max():.6g} and "
                f"{ends[1]} wherever {name} {above} {second.min():.6g}"
            )
    return ""


def _response(model: Generalised) -> str:
    name: str = model._matrices.response_name
    return "the proportion of successes" if name.startswith("cbind(") else name
