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

from ..errors import SeparationWarning, warn
from ..input_tables.factors import show

if TYPE_CHECKING:
    from ..families import Family
    from ..formulas.expression import Expression
    from ..matrices.model_matrix import ModelMatrices
    from .call import Call
    from .generalised import Generalised

__all__ = ["ADVICE", "Separation", "find_separation", "separation_in", "warn_about_separation"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

EXTREME = 1e-4  # distance of the mean from its limit, larger than at any row that is separated
HUGE = 5.0  # standard errors on the scale of the link, of a predictor's standard deviation
MARGIN = 1e-4  # of d'x, for columns scaled to 1 and |d| ≤ 1
ROUNDING = 1e-6  # of the linear programme
MOST_AT_ONCE = 2000  # constraints that the programme begins with, and is given each time
ROUNDS = 50
SHARE = 1e-12  # of the largest eigenvalue of X'X: what is below is zero

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
            name: int(np.sign(d)) for name, d in zip(self.columns, direction, strict=True) if d != 0
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
        from ..formulas.evaluate import Evaluator
        from ..input_tables.columns import Table

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
    """d with d'x ≥ 0 where η may rise, ≤ 0 where it may fall, 0 elsewhere, and not all zero.

    The sum of these margins is maximised under some of their constraints, to which those that are
    violated are added until none is: exact, and small however many rows there are.
    """
    scale = np.abs(X).max(axis=0)
    free = rises | falls
    basis = _null_space((X / scale)[~free])
    if basis.shape[1] == 0 or not free.any():
        return None
    margins_of = (np.where(rises, 1.0, -1.0)[:, None] * (X / scale) @ basis)[free]
    total = margins_of.sum(axis=0)
    active = np.unique(np.linspace(0, len(margins_of) - 1, MOST_AT_ONCE).astype(int))
    for _ in range(ROUNDS):
        direction = _maximum(total, margins_of[active])
        margins = margins_of @ direction
        if not (margins > MARGIN).any():
            return None
        violated = np.flatnonzero(margins < -ROUNDING)
        if len(violated) == 0:
            d = basis @ direction
            return np.asarray(np.where(np.abs(d) > MARGIN, d / scale, 0.0))
        worst = violated[np.argsort(margins[violated])[:MOST_AT_ONCE]]
        active = np.union1d(active, worst)
    return None


def _maximum(total: Array, rows: Array) -> Array:
    """The d with rows d ≥ 0 and |d| ≤ 1 that makes total'd largest; zero where there is none."""
    from scipy.optimize import linprog

    found = linprog(-total, A_ub=-rows, b_ub=np.zeros(len(rows)), bounds=(-1, 1))
    return np.zeros(len(total)) if found.x is None else np.asarray(found.x)


def _null_space(rows: Array) -> Array:
    """Orthonormal columns v with rows v = 0; all directions where there are no rows."""
    values, vectors = np.linalg.eigh(rows.T @ rows)
    return np.asarray(vectors[:, values <= SHARE * max(values.max(initial=0.0), 1e-300)])
