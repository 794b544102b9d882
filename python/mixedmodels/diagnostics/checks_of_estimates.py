"""Checks of the estimates as such: is there an optimum, and do the data determine it?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..models.convergence import singular_terms
from ..models.generalised import Generalised
from ..models.separation import ADVICE
from .check_report import Check, Skipped
from .collinearity import entangled, variance_inflation

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["collinear", "converged", "rank_deficient", "separated", "singular"]

INFLATED, DETERMINED = 5.0, 10.0  # variance inflation per column: of a note, of a problem


def converged(model: FittedModel) -> list[Check | Skipped]:
    """Whether the optimiser reached an optimum. An ordinary regression has none to reach."""
    terms = model._matrices.terms
    if not terms and model.converged:
        return []
    outcome = model.convergence
    name, decrement = "convergence", outcome.decrement
    if not outcome.converged:
        return [
            Check(
                name=name,
                finding=f"the optimiser stopped without a certain optimum ({outcome.reason})",
                verdict="problem",
                advice="do not report this fit yet. Compare optimisers by mm.all_fit(m), centre "
                "and scale the predictors, or simplify the random part",
                statistic=decrement,
            )
        ]
    if flat := outcome._flat:
        return [Check(name=name, finding=flat, verdict="problem", statistic=decrement)]
    finding = "the optimiser found an optimum"
    return [Check(name=name, finding=finding, verdict="ok", statistic=decrement)]


def singular(model: FittedModel) -> list[Check | Skipped]:
    """Variances of zero and correlations of ±1."""
    terms = model._matrices.terms
    if not terms:
        return []
    found = singular_terms(model._fit, terms) if model._fit.singular else []
    if not found:
        finding = "no variance is estimated as zero, and no correlation as ±1"
        return [Check(name="singularity", finding=finding, verdict="ok")]
    return [
        Check(
            name="singularity",
            finding="; ".join(found),
            verdict="note",
            advice="the data do not support this random part in full. Unless the design asks for "
            "it, drop the effect, or its correlation by '||'. The fixed effects can be used",
        )
    ]


def rank_deficient(model: FittedModel) -> list[Check | Skipped]:
    """Fixed effects that were dropped, because others determine them."""
    lost = np.flatnonzero(np.isnan(np.asarray(model._fit.beta)))
    if not len(lost):
        return []
    names = ", ".join(model._matrices.fixed_names[j] for j in lost)
    return [
        Check(
            name="rank",
            finding=f"the other predictors determine {names}, which the model leaves out",
            verdict="note",
            statistic=float(len(lost)),
            threshold=0.0,
            advice="simplify the formula, or look for combinations of levels without data",
        )
    ]


def separated(model: FittedModel) -> list[Check | Skipped]:
    """Coefficients that run off to infinity."""
    if not isinstance(model, Generalised) or not model.family.is_discrete:
        return []
    found = model._separation
    if found is None:
        finding = "no predictor determines the response completely"
        return [Check(name="separation", finding=finding, verdict="ok")]
    return [
        Check(
            name="separation",
            finding=found.finding().removeprefix("separation: "),
            verdict="problem",
            advice=f"estimates and standard errors of these coefficients mean nothing. {ADVICE}, "
            "or test it by likelihood ratio (mm.anova)",
        )
    ]


def collinear(model: FittedModel) -> list[Check | Skipped]:
    """Terms whose standard errors suffer from the other terms, worst first; see `m.vif()`."""
    try:
        table = variance_inflation(model)
    except ArgumentError:  # fewer than two terms
        return []
    per_column = (table["se_inflation"] ** 2).sort_values(ascending=False)
    marginal = entangled(model)
    large = per_column[per_column > INFLATED]
    if len(large):
        return [_overlap(str(term), float(v), str(term) in marginal) for term, v in large.items()]
    term, value = str(per_column.index[0]), float(per_column.iloc[0])
    return [
        Check(
            name="collinearity",
            finding=f"predictors hardly overlap: the largest inflation is {value:.2f}, of {term}",
            verdict="ok",
            statistic=value,
            threshold=INFLATED,
        )
    ]


def _overlap(term: str, value: float, marginal: bool) -> Check:
    """A term with a large inflation; `marginal`: it shares variables with an interaction."""
    advice = (
        "keep one of the predictors that measure the same, or combine them; or test them together "
        "(m.test([...], joint=True)). Predictions do not suffer"
    )
    if marginal:
        advice = (
            "a term and its interaction overlap by construction: centre the covariates to see "
            "whether anything is left. The test of the interaction does not suffer"
        )
    return Check(
        name="collinearity",
        subject=term,
        finding=f"its variance inflation is {value:.1f}: with unrelated predictors its standard "
        f"error would be {np.sqrt(value):.1f} times smaller",
        verdict="problem" if value > DETERMINED and not marginal else "note",
        statistic=value,
        threshold=INFLATED,
        advice=advice,
    )
