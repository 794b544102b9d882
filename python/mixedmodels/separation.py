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
    from .call import Call
    from .expression import Expression
    from .families import Family
    from .generalised import Generalised
    from .model_matrix import ModelMatrices

__all__ = ["ADVICE", "Separation", "find_separation", "separation_in", "warn_about_separation"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

EXTREME = 1e-4  # distance of the mean from its limit, larger than at any row that is separated
HUGE = 5.0  # standard errors on the scale of the link, of a predictor's standard deviation
MARGIN = 1e-4  # of d'x, for columns scaled to 1 and |d| ≤ 1
ROUNDING = 1e-6  # of the linear programme
MOST_ROWS = 50_000  # distinct rows that the programme takes on

ADVICE = "Merge or leave out such levels, drop the predictor"
BOTH_ENDS = ("logit", "probit", "cloglog", "cauchit")  # links with limits at both ends


@dataclass(frozen=True, slots=True)
class Separation:
    """Coefficients that run off to infinity, each with its sign, and what in the data does it."""

    coefficients: dict[str, int]
    causes: tuple[str, ...]

    def finding(self) -> str:
        """What was found in the data."""
        signs = {1: "+∞", -1: "−∞"}
        which = ", ".join(f"{name} → {signs[sign]}" for name, sign in self.coefficients.items())
        why = "; ".join(self.causes) or "a combination of these predictors separates the responses"
        return f"separation: the likelihood has no maximum in {which}: {why}"

    def message(self) -> str:
        """The same, with what it means for the fit, and what to do."""
        return (
            f"{self.finding()}. Estimates and standard errors of these coefficients mean nothing; "
            f"the others are what the remaining rows say. {ADVICE}, or test it by likelihood ratio "
            "(mm.anova)"
        )


def warn_about_separation(model: Generalised) -> None:
    """Name the coefficients of a fresh fit that run off to infinity."""
    found = model._separation
    if found is not None:
        warn(found.message(), SeparationWarning)


def find_separation(model: Generalised) -> Separation | None:
    """The separation behind huge standard errors or a missing optimum; None where there is none."""
    if not _suspicious(model):
        return None
    kept = np.flatnonzero(~np.isnan(np.asarray(model._fit.beta)))
    return Data.of(model._matrices, model._call, model._response, kept).separation()


def separation_in(matrices: ModelMatrices, call: Call) -> Separation | None:
    """The same for data that no fit was found for."""
    kept = np.arange(len(matrices.fixed_names))
    return Data.of(matrices, call, np.asarray(matrices.response), kept).separation()


def _suspicious(model: Generalised) -> bool:
    """Whether the estimates look like separation: cheap, and never silent where there is some."""
    if not model.converged:
        return True
    top = model._fitted.max() if model.family.name == "binomial" else 0.0
    if model._fitted.min() > EXTREME and top < 1 - EXTREME:
        return False
    if _perfect(model):
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


@dataclass(frozen=True, slots=True)
class Data:
    """What of a model separation depends on."""

    matrices: ModelMatrices
    call: Call
    family: Family
    y: Array  # (nobs,)
    columns: dict[str, Array]  # of X, by name

    @classmethod
    def of(cls, matrices: ModelMatrices, call: Call, y: Array, kept: NDArray[np.intp]) -> Data:
        assert call.family is not None
        X = matrices.design.fixed_matrix()
        columns = {matrices.fixed_names[j]: X[:, j] for j in kept}
        return cls(matrices, call, call.family, y, columns)

    def separation(self) -> Separation | None:
        """The coefficients that run off, and why."""
        sides = self._sides()
        if sides is None or not self.columns:
            return None
        direction = _direction(np.column_stack(list(self.columns.values())), *sides)
        if direction is None:
            return None
        running = {
            name: int(np.sign(d))
            for name, d in zip(self.columns, direction, strict=True)
            if abs(d) > ROUNDING
        }
        return Separation(running, tuple(self._causes(running)))

    def _sides(self) -> tuple[Mask, Mask] | None:
        """Rows for which the linear predictor may rise and may fall without end."""
        if self.family.name == "binomial" and self.family.link in BOTH_ENDS:
            return self.y == 1, self.y == 0
        if self.family.is_discrete and self.family.link == "log":
            return np.zeros(len(self.y), dtype=bool), self.y == 0
        return None

    # --- What in the data does it ---

    def _causes(self, running: dict[str, int]) -> list[str]:
        spec = self.matrices.spec
        if spec is None:
            return self._one_sided_columns(running)
        variables = spec.formula.fixed.variables
        causes = [
            text for v in variables if v.text in spec.factors for text in self._one_sided_levels(v)
        ]
        for name, plan in zip(spec.fixed.names, spec.fixed.columns, strict=True):
            if name in running and len(plan.numeric) == 1 and not plan.coded:
                causes += self._in_order(name)
        return causes or self._one_sided_columns(running)

    def _one_sided_levels(self, factor: Expression) -> list[str]:
        """ "all 12 rows with trt = 'c' have y = 0"."""
        from .columns import Table
        from .evaluate import Evaluator

        spec, rows = self.matrices.spec, self.matrices.rows
        assert spec is not None
        evaluator = Evaluator(Table(self.call.data), spec.formula.text, spec.context, spec.state)
        value = evaluator.group(factor)
        codes = value.codes if rows is None else value.codes[rows]
        return [
            text
            for code, level in enumerate(value.levels)
            for text in self._one_sided(codes == code, f"{factor.text} = {show(level)}")
        ]

    def _one_sided_columns(self, running: dict[str, int]) -> list[str]:
        """Columns of zeros and others, such as combinations of levels, on which y is all one."""
        found = []
        for name in running:
            values = self.columns[name]
            if (values == 0).any() and len(np.unique(values)) == 2:
                found += self._one_sided(values != 0, f"{name} other than 0")
        return found

    def _one_sided(self, rows: Mask, where: str) -> list[str]:
        y = self.y[rows]
        ends = (0.0, 1.0) if self.family.name == "binomial" else (0.0,)
        if len(y) == 0 or (y != y[0]).any() or float(y[0]) not in ends:
            return []
        rows_have = f"all {len(y)} rows with {where} have"
        if len(y) == 1:
            rows_have = f"the only row with {where} has"
        return [f"{rows_have} {self._response} = {y[0]:.0f}"]

    def _in_order(self, name: str) -> list[str]:
        """ "y is 0 wherever x ≤ 3.1 and 1 wherever x ≥ 3.2"."""
        if self.family.name != "binomial":
            return []
        values = self.columns[name]
        low, high = values[self.y < 1], values[self.y > 0]
        for first, second, ends in ((low, high, "01"), (high, low, "10")):
            if len(first) and len(second) and first.max() <= second.min():
                below, above = ("<", ">") if first.max() == second.min() else ("≤", "≥")
                return [
                    f"{self._response} is {ends[0]} wherever {name} {below} {first.max():.6g} and "
                    f"{ends[1]} wherever {name} {above} {second.min():.6g}"
                ]
        return []

    @property
    def _response(self) -> str:
        name = self.matrices.response_name
        return "the proportion of successes" if name.startswith("cbind(") else name


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
