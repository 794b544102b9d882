"""Checks of the random part: enough groups, enough rows, normal effects, none that decides all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError, ConvergenceError
from ..input_tables.factors import level_label
from ..models.convergence import term_label
from ..models.generalised import Generalised
from .check_report import Check, Skipped, Verdict
from .checks_of_residuals import departure, grade_normality
from .normality import FEWEST, normality

if TYPE_CHECKING:
    from ..matrices.model_matrix import TermInfo
    from ..models.fitted import FittedModel
    from .influence_by_group import Influence

__all__ = ["enough_groups", "enough_rows", "influential_groups", "normal_effects"]

Array = NDArray[np.float64]

FEW, TOO_FEW = 10, 5  # levels of a grouping factor: of a note, of a problem
ROWS_PER_EFFECT = 2.0
ZERO = 1e-8  # of σ: a range of random effects that is rounding
MOVES, DECIDES = 0.5, 1.0  # Cook's distance of a group: of a note, of a problem


def enough_groups(model: FittedModel) -> list[Check | Skipped]:
    """How many levels each grouping factor has, from which its variance is estimated."""
    levels = {term.group: len(term.levels) for term in model._matrices.terms}
    return [_group_count(model, group, count) for group, count in levels.items()]


def _group_count(model: FittedModel, group: str, count: int) -> Check:
    verdict: Verdict = "problem" if count < TOO_FEW else "note" if count < FEW else "ok"
    finding, advice = f"{count}", ""
    if verdict != "ok":
        finding += ", from which a variance can hardly be estimated"
        tests = (
            "a likelihood-ratio or bootstrap test (mm.bootstrap_lrt)"
            if isinstance(model, Generalised)
            else 'ddf="kenward-roger"'
        )
        advice = f"give the variance with its interval (m.confint()) and test by {tests}"
        if count < TOO_FEW:
            advice = f"make {group} a fixed effect, which asks for no variance; or {advice}"
    return Check(
        name="number of levels",
        subject=group,
        finding=finding,
        verdict=verdict,
        statistic=float(count),
        threshold=float(FEW),
        advice=advice,
    )


def enough_rows(model: FittedModel) -> list[Check | Skipped]:
    """How many rows there are for each random effect of a term."""
    return [_rows_per_effect(model, term) for term in model._matrices.terms]


def _rows_per_effect(model: FittedModel, term: TermInfo) -> Check:
    effects = len(term.levels) * len(term.columns)
    ratio = model.nobs / effects
    finding = f"{ratio:.{0 if ratio >= 10 else 1}f} rows for each of {effects} random effects"
    by_design = _one_a_row(model, term)
    if by_design:
        finding = "one effect for every row, which takes up overdispersion"
    few = ratio < ROWS_PER_EFFECT and not by_design
    return Check(
        name="rows per random effect",
        subject=term_label(term),
        finding=finding,
        verdict="note" if few else "ok",
        advice="the term's variance can hardly be told from the residual variance: drop its slopes "
        "first, and look at the interval of its standard deviation (m.confint())"
        if few
        else "",
        statistic=ratio,
        threshold=ROWS_PER_EFFECT,
    )


def normal_effects(model: FittedModel) -> list[Check | Skipped]:
    """Normality of the conditional modes, column by column of each term."""
    checks: list[Check | Skipped] = []
    for term, modes in zip(model._matrices.terms, model._modes, strict=True):
        for column, values in zip(term.columns, modes.T, strict=True):
            subject = f"{column} by {term.group}"
            if reason := _no_normality(model, term, values):
                checks.append(Skipped(f"normality of random effects of {subject}", reason))
            else:
                checks.append(_normal_modes(term, subject, values))
    return checks


def _no_normality(model: FittedModel, term: TermInfo, values: Array) -> str:
    """Why the distribution of a column's modes says nothing; empty where it does."""
    if len(values) < FEWEST:
        return f"fewer than {FEWEST} levels"
    if _one_a_row(model, term):
        return "an effect of one row has the shape of that row's response"
    return "a variance of zero" if float(np.ptp(values)) <= ZERO * model.sigma else ""


def _one_a_row(model: FittedModel, term: TermInfo) -> bool:
    """Whether the term takes up overdispersion: an effect for every row, by design."""
    return isinstance(model, Generalised) and len(term.levels) >= model.nobs


def _normal_modes(term: TermInfo, subject: str, values: Array) -> Check:
    found = normality(values)
    verdict = grade_normality(found)
    odd = verdict != "ok"
    extreme = level_label(term.levels[int(np.argmax(np.abs(values)))])
    return Check(
        name="normality of random effects",
        subject=subject,
        finding=departure(found, verdict),
        verdict="note" if odd else "ok",
        statistic=found.w,
        p_value=found.p_value,
        advice=f"fixed effects stand it; predictions of single groups less. Look at "
        f"m.plot.ranef_qq() and first at {term.group} {extreme}, or for a predictor of the groups "
        "that is missing"
        if odd
        else "",
    )


def influential_groups(model: FittedModel) -> list[Check | Skipped]:
    """Cook's distance of each group, in closed form at the θ of the fit."""
    from .influence_by_group import influence

    checks: list[Check | Skipped] = []
    terms = [term for term in model._matrices.terms if not _one_a_row(model, term)]
    for group in dict.fromkeys(term.group for term in terms):
        try:
            found = influence(model, group, "fast")
        except (ArgumentError, ConvergenceError) as error:
            checks.append(Skipped(f"influence of {group}", str(error)))
        else:
            checks.append(_influence(group, found))
    return checks


def _influence(group: str, found: Influence) -> Check:
    distances = found.cooks_distance
    at, most = int(distances.argmax()), float(distances.max())
    top, changes = distances.index[at], found.dfbetas.iloc[at].dropna()
    coefficient = str(changes.abs().idxmax())
    change = float(changes[coefficient])
    verdict: Verdict = "problem" if most > DECIDES else "note" if most > MOVES else "ok"
    return Check(
        name="influence",
        subject=group,
        finding=f"the most influential level, {level_label(top)}, has Cook's distance {most:.3g} "
        f"and moves {coefficient} by {abs(change):.2f} standard errors",
        verdict=verdict,
        statistic=most,
        threshold=MOVES,
        advice=""
        if verdict == "ok"
        else f"see m.influence({group!r}) for the fits without each level; look for errors in "
        f"{level_label(top)}'s data, and report the results with and without it",
    )
