"""Checks of a generalised model's response: does it vary as the family has it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..models.generalised import Generalised
from .check_report import NOTABLE, Check, Skipped, Verdict, grade, p_text
from .dispersion_checks import TIGHT, overdispersion, zero_inflation
from .quantile_tests import QuantileTests, SimulationTest, quantile_tests

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["as_simulated", "overdispersed"]

EXCESS = (1.1, 1.5)  # Pearson's χ² per degree of freedom: of a note, of a problem
CERTAIN = 3.0  # standard errors of the mean squared residual
DISTANCE = (0.05, 0.1)  # Kolmogorov's, beyond what is expected: the same
ZEROS = (1.2, 2.0)  # ratio of zeros: the same
VALUES = 20_000_000  # simulated: about two seconds
# Two-sided p-values, 2/(k + 1) at least, must be able to fall below those that `grade` asks for.
SIMULATIONS, FEWEST = 400, 200


def overdispersed(model: FittedModel) -> list[Check | Skipped]:
    """Pearson's χ² against its degrees of freedom; see `m.overdispersion()`."""
    if not isinstance(model, Generalised) or model.family.has_sigma:
        return []
    try:
        found = overdispersion(model)
    except ArgumentError as error:
        return [Skipped("overdispersion", str(error))]
    verdict: Verdict = "ok"
    if found.p_value < TIGHT and found.ratio > EXCESS[0]:
        certain = _excess_in_errors(model) > CERTAIN
        verdict = "problem" if found.ratio > EXCESS[1] and certain else "note"
    notes = " ".join(["", *found.notes]).removesuffix(".")
    remedies = f"{', '.join(found.remedies[:-1])}, or {found.remedies[-1]}"
    return [
        Check(
            name="overdispersion",
            finding=f"the response varies {found.ratio:.2f} times as much as a "
            f"{model.family.words} response would (Pearson χ² = {found.statistic:.4g} on "
            f"{found.df} df, {p_text(found.p_value)}){'.' if notes else ''}{notes}",
            verdict=verdict,
            statistic=found.ratio,
            p_value=found.p_value,
            threshold=EXCESS[0],
            advice=""
            if verdict == "ok"
            else f"standard errors are too small. Usual ways out: {remedies}",
        )
    ]


def _excess_in_errors(model: Generalised) -> float:
    """Excess of the mean squared Pearson residual over 1, in standard errors from the residuals
    themselves: right also where χ² is a rough approximation, because rows expect few events."""
    squares = model._residuals("pearson") ** 2
    return float((squares.mean() - 1) / (squares.std() / np.sqrt(len(squares))))


def as_simulated(model: FittedModel) -> list[Check | Skipped]:
    """The distribution, its outliers and its zeros against responses simulated from the model."""
    if not isinstance(model, Generalised):
        return []
    name = "distribution"
    if model.family.name == "binomial" and (model._sizes == 1).all():
        return [Skipped(name, "a response of 0 and 1 has no shape besides its mean")]
    nsim = min(SIMULATIONS, VALUES // model.nobs)
    if nsim < FEWEST:
        reason = f"{model.nobs} rows; m.quantile_tests() simulates them at leisure"
        return [Skipped(name, reason), *_zeros_expected(model)]
    tests = quantile_tests(model, nsim)
    checks: list[Check | Skipped] = [_distribution(tests), _outliers(tests)]
    return checks if tests.zeros is None else [*checks, _zeros(tests.zeros)]


def _distribution(tests: QuantileTests) -> Check:
    found = tests.uniformity
    verdict = grade(found.p_value, found.observed - found.expected, *DISTANCE)
    return Check(
        name="distribution",
        finding=f"quantile residuals are at most {found.observed:.3f} from uniform, "
        f"{found.expected:.3f} expected ({p_text(found.p_value)} by simulation)",
        verdict=verdict,
        statistic=found.observed,
        p_value=found.p_value,
        advice=""
        if verdict == "ok"
        else "the family does not describe the response: look at m.quantile_residuals() against "
        "the fitted values, and consider another family or link, or a missing predictor",
    )


def _outliers(tests: QuantileTests) -> Check:
    found = tests.outliers
    many = found.p_value < NOTABLE and found.observed > 2 * found.expected
    return Check(
        name="outliers",
        finding=f"{found.observed:.0f} of {tests.nobs} rows lie outside of all {tests.nsim} "
        f"simulated responses, {found.expected:.1f} expected ({p_text(found.p_value)})",
        verdict="note" if many else "ok",
        statistic=found.observed,
        p_value=found.p_value,
        advice="look at these rows (m.quantile_residuals() next to 0 or 1) for errors; many "
        "of them mean overdispersion"
        if many
        else "",
    )


def _zeros(found: SimulationTest, how: str = " by simulation") -> Check:
    ratio = found.observed / found.expected if found.expected > 0 else np.inf
    if found.observed == 0:
        ratio = 1.0 if found.expected < 1 else 0.0
    size = max(ratio, 1 / ratio) if ratio > 0 else np.inf
    verdict = grade(found.p_value, size, *ZEROS)
    p = "" if np.isnan(found.p_value) else f" ({p_text(found.p_value)}{how})"
    return Check(
        name="zeros",
        finding=f"{found.observed:.0f} responses of zero, {found.expected:.1f} expected{p}",
        verdict=verdict,
        statistic=ratio,
        p_value=found.p_value,
        threshold=ZEROS[0],
        advice=_about_zeros(ratio) if verdict != "ok" else "",
    )


def _about_zeros(ratio: float) -> str:
    if ratio > 1:
        return (
            "more zeros than the family makes: take up overdispersion first; if they have a reason "
            "of their own, model any against none (binomial) apart from how many"
        )
    return "fewer zeros than the family makes: is the response cut off, or counted from 1?"


def _zeros_expected(model: Generalised) -> list[Check]:
    """Zeros at the fitted means, without simulation."""
    if not model.family.is_discrete:
        return []
    found = zero_inflation(model)
    p_value = np.nan if found.p_value is None else found.p_value
    return [_zeros(SimulationTest(found.observed, found.expected, p_value), "")]
