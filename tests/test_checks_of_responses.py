"""Overdispersion, distribution, outliers and zeros of generalised models."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
from check_examples import faulty
from mixedmodels.diagnostics import checks_of_responses
from mixedmodels.diagnostics.check_report import Check, Skipped
from mixedmodels.diagnostics.checks_of_responses import as_simulated, overdispersed

DATA = faulty()


def fit(response: str, family: Any = "poisson") -> Any:
    return mm.glmer(f"{response} ~ x + (1 | g)", DATA, family=family)


def by_name(found: list[Check | Skipped]) -> dict[str, Check]:
    return {entry.name: entry for entry in found if isinstance(entry, Check)}


def test_overdispersion_is_that_of_the_model_s_own_test() -> None:
    m = fit("mixed")
    check, expected = by_name(overdispersed(m))["overdispersion"], m.overdispersion()
    assert (check.statistic, check.p_value) == (expected.ratio, expected.p_value)
    assert check.verdict == "problem"
    assert "negative_binomial" in check.advice
    assert by_name(overdispersed(fit("count")))["overdispersion"].verdict == "ok"


def test_families_that_take_up_dispersion_and_binary_data_have_none() -> None:
    gamma = mm.glm("I(mixed + 1) ~ x", DATA, family=mm.families.Gamma(link="log"))
    assert overdispersed(gamma) == []
    (skipped,) = overdispersed(fit("binary", "binomial"))
    assert isinstance(skipped, Skipped)
    assert "0/1" in skipped.reason
    assert overdispersed(mm.lm("sound ~ x", DATA)) == as_simulated(mm.lm("sound ~ x", DATA)) == []


def test_checks_by_simulation_are_those_of_the_quantile_tests() -> None:
    m = fit("zeros")
    found, tests = by_name(as_simulated(m)), m.quantile_tests(400)
    assert found["distribution"].statistic == tests.uniformity.observed
    assert found["distribution"].p_value == tests.uniformity.p_value
    assert found["outliers"].statistic == tests.outliers.observed
    assert tests.zeros is not None
    assert found["zeros"].p_value == tests.zeros.p_value
    assert found["zeros"].statistic == tests.zeros.observed / tests.zeros.expected


def test_a_wrong_family_is_a_problem() -> None:
    found = by_name(as_simulated(mm.glm("zeros ~ x", DATA, family="poisson")))
    assert found["distribution"].verdict == "problem"
    assert found["zeros"].verdict == "problem"
    assert "more zeros" in found["zeros"].advice
    shifted = DATA.assign(no_zeros=np.maximum(DATA["count"] % 5, 1))
    found = by_name(as_simulated(mm.glm("no_zeros ~ x", shifted, family="poisson")))
    assert "fewer zeros" in found["zeros"].advice


def test_many_rows_are_not_simulated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks_of_responses, "VALUES", 199 * len(DATA))
    m = mm.glm("zeros ~ x", DATA, family="poisson")
    skipped, zeros = as_simulated(m)
    assert isinstance(skipped, Skipped)
    assert "m.quantile_tests()" in skipped.reason
    assert isinstance(zeros, Check)
    expected = m.zero_inflation()
    assert (zeros.statistic, zeros.p_value) == (expected.ratio, expected.p_value)
    assert by_name(as_simulated(fit("zeros")))["zeros"].verdict == "note"  # no p-value
