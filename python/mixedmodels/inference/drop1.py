"""Likelihood-ratio tests of single fixed terms: `m.drop1()`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ArgumentError, closest
from ..formulas.formula import Terms
from ..input_tables.columns import names_given
from ..models.submodels import Submodels, convergence_notes, droppable, without
from ..printing.tables import ResultTable
from .lrt import LikelihoodRatio, by_ml, likelihood_ratio

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["drop1"]


def drop1(model: FittedModel, scope: Sequence[str] | None) -> ResultTable:
    """Documented at `Inference.drop1`."""
    submodels = Submodels.of(model, "drop1")
    fixed = submodels.frame.formula.fixed
    chosen = droppable(fixed) if scope is None else _in_scope(fixed, scope)
    full = by_ml(model)
    smaller = [submodels.fit(REML=False, fixed=without(fixed, t)) for t in chosen]
    tests = [likelihood_ratio(small, full) for small in smaller]
    columns = {
        "npar": [math.nan, *(float(test.df) for test in tests)],
        "AIC": [full.aic, *(small.aic for small in smaller)],
        "LRT": [math.nan, *(test.statistic for test in tests)],
        "Pr(Chi)": [math.nan, *(test.p_value for test in tests)],
    }
    rows = ["<none>", *(fixed.labels()[t] for t in chosen)]
    title = "Single term deletions; likelihood-ratio tests of fits by maximum likelihood"
    notes = _notes([full, *smaller], rows, tests)
    return ResultTable.of(columns, title, notes, index=rows)


def _in_scope(fixed: Terms, scope: Sequence[str]) -> list[int]:
    """Positions of the terms named, in the order of the formula."""
    labels = fixed.labels()
    names = names_given(scope, "scope", "a term's label or a list of labels")
    for name in names:
        if name not in labels:
            known = closest(name, labels) or f"; its terms: {', '.join(labels) or 'none'}"
            raise ArgumentError(f"scope: '{name}' is not a term of the fixed part{known}")
    return [t for t, label in enumerate(labels) if label in names]


def _notes(
    models: Sequence[FittedModel], rows: Sequence[str], tests: Sequence[LikelihoodRatio]
) -> list[str]:
    """What a reader has to know about the fits and tests."""
    notes = convergence_notes(rows, models)
    for row, test in zip(rows[1:], tests, strict=True):
        if test.df == 0:
            notes.append(f"{row}: other terms determine it, so there is nothing to test.")
    return notes
