"""Tests of the terms of the fixed part, types I, II and III: `m.anova()`. F tests of linear models,
Wald χ² tests of generalised ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..printing.tables import ResultTable
from .ddf import DdfMethod, FTest, covariance, describe, f_test, resolve
from .term_hypotheses import (
    FixedPart,
    after_all_but_containing,
    conjugate,
    sequential,
    sum_to_zero,
)

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["anova"]

Array = NDArray[np.float64]

TYPES = {1: 1, 2: 2, 3: 3, "1": 1, "2": 2, "3": 3, "I": 1, "II": 2, "III": 3}
ROMAN = {1: "I", 2: "II", 3: "III"}
HYPOTHESES = {1: sequential, 2: after_all_but_containing, 3: sum_to_zero}


def anova(model: FittedModel, type: int | str, ddf: str | None) -> ResultTable:
    """Documented at `Inference.anova`."""
    kind = _kind(type)
    generalised = model._call.family is not None
    method = resolve(model, "asymptotic" if generalised and ddf is None else ddf)
    fixed = FixedPart.of(model)
    choose = conjugate if generalised and kind == 2 else HYPOTHESES[kind]
    hypotheses, notes = choose(fixed)
    undefined = FTest(np.nan, 0, np.nan, np.nan)
    tests = [undefined if L is None else f_test(model, L, method) for L in hypotheses]
    notes += _notes(fixed, kind, hypotheses)
    if generalised and method == "asymptotic":
        title, columns = "Wald χ² tests", _wald_columns(tests)
    else:
        title = f"F tests by {describe(method)}"
        columns = _f_columns(model, hypotheses, tests, method)
    title = f"Type {ROMAN[kind]} analysis of {'deviance' if generalised else 'variance'}; {title}"
    return ResultTable.of(columns, title, notes, index=fixed.labels)


def _wald_columns(tests: list[FTest]) -> dict[str, list[float]]:
    return {
        "Chisq": [test.statistic * test.num_df for test in tests],
        "Df": [test.num_df for test in tests],
        "Pr(>Chisq)": [test.p_value for test in tests],
    }


def _f_columns(
    model: FittedModel, hypotheses: list[Array | None], tests: list[FTest], method: DdfMethod
) -> dict[str, list[float]]:
    pairs = zip(hypotheses, tests, strict=True)
    mean_square = [_mean_square(model, L, test, method) for L, test in pairs]
    return {
        "Sum Sq": [m * test.num_df for m, test in zip(mean_square, tests, strict=True)],
        "Mean Sq": mean_square,
        "NumDF": [test.num_df for test in tests],
        "DenDF": [test.den_df for test in tests],
        "F value": [test.statistic for test in tests],
        "Pr(>F)": [test.p_value for test in tests],
    }


def _mean_square(model: FittedModel, L: Array | None, test: FTest, method: DdfMethod) -> float:
    """σ² times Wald's statistic per row, which is F but for Kenward-Roger, where F has a scale."""
    if method != "kenward-roger" or L is None or len(L) < 2:
        return test.statistic * model.sigma**2
    estimate = L @ model.fixef.dropna().to_numpy()
    spread = L @ covariance(model, method) @ L.T
    # rows that depend on others add nothing
    solution = np.linalg.lstsq(spread, estimate, rcond=1e-12)[0]
    return float(estimate @ solution) / test.num_df * model.sigma**2


def _kind(type: int | str) -> int:
    kind = None
    if isinstance(type, int | str) and not isinstance(type, bool):
        kind = TYPES.get(type.upper() if isinstance(type, str) else type)
    if kind is None:
        raise ArgumentError(f'anova of type {type!r}: choose 1, 2 or 3 (or "I", "II", "III")')
    return kind


# --- Notes ---


def _notes(fixed: FixedPart, kind: int, hypotheses: list[Array | None]) -> list[str]:
    notes = []
    terms = range(len(fixed.labels))
    absent = [fixed.labels[t] for t in fixed.absent]
    empty = [label for label, L in zip(fixed.labels, hypotheses, strict=True) if _no_rows(L)]
    determined = [label for label in empty if label not in absent]
    if absent:
        notes.append(
            f"Not in the model: {', '.join(absent)}; other terms determine all columns, which were "
            "dropped."
        )
    if determined:
        notes.append(f"Nothing to test of {', '.join(determined)}: the other terms determine it.")
    at_zero = [] if kind == 1 else [text for t in terms if (text := _tested_at_zero(fixed, t))]
    if at_zero:
        notes.append(
            f"Tested where a covariate of their interaction is 0: {', '.join(at_zero)}. Centre it "
            "to test elsewhere."
        )
    if not fixed.labels:
        notes.append("The fixed part has no terms besides the intercept.")
    return notes


def _no_rows(L: Array | None) -> bool:
    return L is not None and len(L) == 0


def _tested_at_zero(fixed: FixedPart, t: int) -> str:
    """ "f (x)" where f interacts with a covariate x, so that its own test holds at x = 0."""
    factors, covariates = fixed.variables(t)
    others: set[str] = set()
    for u in range(len(fixed.labels)):
        more_factors, more_covariates = fixed.variables(u)
        if factors | covariates < more_factors | more_covariates:
            others |= more_covariates - covariates
    return f"{fixed.labels[t]} ({', '.join(sorted(others))})" if others else ""
