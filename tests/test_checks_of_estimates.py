"""Convergence, singularity, separation, rank and collinearity, from the numbers behind them."""

from __future__ import annotations

import numpy as np
import pytest

import mixedmodels as mm
import reference_data
from check_examples import faulty
from mixedmodels.diagnostics.check_report import Check
from mixedmodels.diagnostics.checks_of_estimates import (
    collinear,
    converged,
    rank_deficient,
    separated,
    singular,
)

DATA = faulty()


def one(found: list[object]) -> Check:
    (check,) = found
    assert isinstance(check, Check)
    return check


def test_an_optimum_and_none() -> None:
    batches = reference_data.load("Dyestuff")
    m = mm.lmer("Yield ~ 1 + (1 | Batch)", batches)
    check = one(converged(m))
    assert (check.verdict, check.statistic) == ("ok", m.convergence.decrement)
    with pytest.warns(mm.ConvergenceWarning):
        early = mm.lmer("Yield ~ 1 + (1 | Batch)", batches, control=mm.Control(max_evaluations=1))
    check = one(converged(early))
    assert check.verdict == "problem"
    assert "mm.all_fit(m)" in check.advice


def test_a_flat_criterion_is_a_problem() -> None:
    with pytest.warns(mm.ConvergenceWarning):
        m = mm.lmer("sound ~ x + (1 | g) + (1 | g)", DATA)
    check = one(converged(m))
    assert check.verdict == "problem"
    assert "flat" in check.finding


def test_ordinary_regressions_have_no_optimiser_and_no_variances() -> None:
    m = mm.lm("sound ~ x", DATA)
    assert converged(m) == singular(m) == separated(m) == []


def test_a_variance_of_zero_is_named() -> None:
    with pytest.warns(mm.SingularFitWarning):
        m = mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff2"))
    check = one(singular(m))
    assert check.verdict == "note"
    assert check.finding == "(1 | Batch): variance estimated as zero"
    assert one(singular(mm.lmer("sound ~ x + (1 | g)", DATA))).verdict == "ok"


def test_separation_is_named() -> None:
    d = DATA.assign(always=np.where(DATA["x"] > 1, 1.0, DATA["binary"]), high=DATA["x"] > 1)
    with pytest.warns(mm.SeparationWarning):
        m = mm.glm("always ~ high", d)
    check = one(separated(m))
    assert check.verdict == "problem"
    assert "highTRUE → +∞" in check.finding
    assert not check.finding.startswith("separation")
    assert one(separated(mm.glm("binary ~ x", d))).verdict == "ok"


def test_dropped_columns_are_named() -> None:
    with pytest.warns(mm.RankDeficiencyWarning):
        m = mm.lm("sound ~ x + I(2*x)", DATA)
    check = one(rank_deficient(m))
    assert (check.verdict, check.statistic) == ("note", 1.0)
    assert "I(2 * x)" in check.finding
    assert rank_deficient(mm.lm("sound ~ x", DATA)) == []


def test_collinearity_by_the_inflation_of_each_term() -> None:
    m = mm.lm("sound ~ x + near_x + few", DATA)
    checks = collinear(m)
    assert [c.subject for c in checks if isinstance(c, Check)] == ["near_x", "x"]
    worst = checks[0]
    assert isinstance(worst, Check)
    assert worst.statistic == pytest.approx(m.vif()["vif"].max())
    assert worst.verdict == "problem"
    assert one(collinear(mm.lm("sound ~ x + few", DATA))).verdict == "ok"
    assert collinear(mm.lm("sound ~ x", DATA)) == []


def test_a_term_and_its_interaction_overlap_by_construction() -> None:
    d = DATA.assign(x=DATA["x"] + 30)
    checks = collinear(mm.lm("sound ~ x * few", d))
    assert {c.verdict for c in checks if isinstance(c, Check)} == {"note"}
    assert one(collinear(mm.lm("sound ~ x * few", DATA.assign(few=DATA["few"] - 1.5))))
