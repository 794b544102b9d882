"""Likelihood-ratio tests between fitted models: `mm.anova(m1, m2, ...)`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError, MixedModelsWarning, warn
from ..models.fitted import FittedModel
from ..models.generalised_model import GeneralizedLinearModel
from ..models.mixed import Mixed
from ..models.model import LinearMixedModel, LinearModel, with_criterion
from ..printing.document import Block, Cells
from ..printing.output_frames import frame_as_asked
from ..printing.tables import ResultTable
from .comparability import definition_notes, is_poisson_limit
from .distributions import chi2_upper

__all__ = [
    "MIXTURE",
    "BoundaryWarning",
    "LikelihoodRatio",
    "LikelihoodRatioTable",
    "anova",
    "by_ml",
    "criterion",
    "likelihood_ratio",
    "require_same_data",
]

MIXTURE = "Pr(mixture)"
ROUNDING = 1e-8  # criteria that differ by less are equal


class BoundaryWarning(MixedModelsWarning):
    """A likelihood-ratio test has a variance of zero as its null hypothesis."""


class LikelihoodRatioTable(ResultTable):
    """The table of `mm.anova`: a DataFrame that also prints its models and notes.

    Columns npar, AIC, BIC, logLik, deviance, Chisq, Df, Pr(>Chisq) and, where a variance is
    tested on its boundary, Pr(mixture). `models` are the formulas by row, `notes` what a reader
    has to know.
    """

    _metadata = [*ResultTable._metadata, "models"]  # noqa: RUF012 (pandas's own protocol)
    models: dict[str, str]

    def __str__(self) -> str:
        width = max(len(str(name)) for name in self.index)
        models = [f"{name:<{width}}: {formula}" for name, formula in self.models.items()]
        return "\n".join(["Models:", *models, super().__str__()])

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        formulas = [[formula] for formula in self.models.values()]
        return [Cells(["formula"], formulas, list(self.models), text=1), *super()._blocks()]


@frame_as_asked
def anova(*models: FittedModel, refit: bool = True) -> LikelihoodRatioTable:
    """Likelihood-ratio tests, each model against the one before it.

    Models are sorted by their number of parameters. A test is valid where the smaller model is a
    special case of the larger one: that is for the caller to see to.

    Parameters
    ----------
    models
        Two or more fits of `lmer`, `lm`, `glmer` or `glm` to the same rows, response and weights.
    refit
        True (default): models fitted by REML are fitted again by ML first, because REML criteria
        of different fixed effects cannot be compared; a note says so. False: compare REML fits as
        they are, which is allowed for equal fixed effects only.

    Returns
    -------
    LikelihoodRatioTable
        A DataFrame, one row a model. Where the null hypothesis has a variance at zero, on the
        boundary of its range, the plain p-value is too large. If one random effect joins a term
        of q (with its q covariances), 2 log LR is distributed as ½χ²_q + ½χ²_(q+1), and
        Pr(mixture) has that p-value; for other changes no closed form holds and a note asks for
        simulation.

    Raises
    ------
    DataError
        The models have different rows, responses or weights; or REML criteria are not comparable.
    ArgumentError
        Fewer than two models, or something that is not a fitted model.

    Warns
    -----
    BoundaryWarning
        A variance is tested on its boundary.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> data = mm.datasets.load("anxiety")
    >>> m1 = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
    >>> m2 = mm.lmer("anxiety ~ therapy_sessions + (therapy_sessions | clinic)", data)
    >>> table = mm.anova(m1, m2)                                               # doctest: +SKIP

    References
    ----------
    Self & Liang (1987), JASA 82, 605-610, case 6; Stram & Lee (1994), Biometrics 50, 1171-1177.
    """
    _require_models(models)
    require_same_data(models)
    names = {id(model): f"model {k}" for k, model in enumerate(models, start=1)}
    ordered = sorted(models, key=lambda model: model.npar)
    labels = [names[id(model)] for model in ordered]
    compared, notes = _comparable(ordered, refit)
    notes += definition_notes(ordered)
    reml = not refit and any(_is_reml(model) for model in ordered)
    tests = [likelihood_ratio(small, large, reml) for small, large in pairwise(compared)]
    table = LikelihoodRatioTable.of(_columns(compared, tests, reml), "", index=labels)
    table.index.name = "model"
    table.models = {
        label: model.formula or "fitted from arrays"
        for label, model in zip(labels, ordered, strict=True)
    }
    for label, test in zip(labels[1:], tests, strict=True):
        if test.boundary:
            notes.append(f"{label}: {test.boundary}")
            warn(f"anova, {label}: {test.boundary}", BoundaryWarning)
    table.notes = (*notes, *_outcomes(table, compared))
    return table


@dataclass(frozen=True, slots=True)
class LikelihoodRatio:
    """The likelihood-ratio test of a smaller model within a larger one."""

    statistic: float  # 2 log LR, at least 0
    df: int  # parameters that the larger model adds
    p_value: float  # from χ²(df); NaN where df is not positive
    mixture: float  # p from ½χ²(df − 1) + ½χ²(df); NaN where that does not hold
    boundary: str  # what to tell of a variance of zero; empty where none is tested


def likelihood_ratio(small: FittedModel, large: FittedModel, reml: bool = False) -> LikelihoodRatio:
    """The test of two nested models by their ML (or, where `reml`, REML) criteria."""
    x = criterion(small, reml) - criterion(large, reml)
    x = x if x > ROUNDING else 0.0  # half of a mixture is the constant zero
    df = large.npar - small.npar
    p = chi2_upper(x, df) if df > 0 else math.nan
    simple, boundary = _boundary(small, large)
    half = 0.5 * (chi2_upper(x, df - 1) + chi2_upper(x, df)) if simple else math.nan
    return LikelihoodRatio(x, df, p, half, boundary)


def _require_models(models: Sequence[Any]) -> None:
    for model in models:
        if not isinstance(model, FittedModel):
            raise ArgumentError(
                f"mm.anova compares fitted models; got one of type {type(model).__name__}"
            )
    if len(models) < 2:
        raise ArgumentError("mm.anova compares two or more fitted models: mm.anova(m1, m2)")
    if len({id(model) for model in models}) < len(models):
        raise DataError("mm.anova was given the same model twice")


def require_same_data(models: Sequence[FittedModel]) -> None:
    """Refuse models whose likelihoods are of different rows, responses or weights."""
    first = models[0]
    for k, model in enumerate(models[1:], start=2):
        if model.nobs != first.nobs:
            raise DataError(
                f"models 1 and {k} were fitted to different data: {first.nobs} and {model.nobs} "
                "rows. Missing values in a column that only one of them uses are the usual reason: "
                "fit both to the rows that are complete for both"
            )
        if not np.array_equal(first._response, model._response):
            raise DataError(
                f"models 1 and {k} were fitted to different responses ({_response_name(first)}, "
                f"{_response_name(model)}) or other rows, so their likelihoods cannot be compared: "
                "fit both to the same response in the same table"
            )
        if not _same_weights(first, model):
            raise DataError(
                f"models 1 and {k} were fitted with different weights: fit both with the same"
            )


def _response_name(model: FittedModel) -> str:
    return str(model._matrices.response_name)


def _same_weights(a: FittedModel, b: FittedModel) -> bool:
    ones = np.ones(a.nobs)
    pairs = ((getattr(m._matrices, name) for m in (a, b)) for name in ("weights", "sizes"))
    return all(
        np.array_equal(ones if wa is None else wa, ones if wb is None else wb) for wa, wb in pairs
    )


def _is_reml(model: FittedModel) -> bool:
    return isinstance(model, LinearMixedModel) and model.reml


def _comparable(models: Sequence[FittedModel], refit: bool) -> tuple[list[FittedModel], list[str]]:
    """The models by a common criterion, and what was done for it."""
    mixed = [model for model in models if isinstance(model, LinearMixedModel)]
    if not any(model.reml for model in mixed):
        return list(models), []
    if refit:
        fits = [by_ml(model) for model in models]
        return fits, ["Fits by REML were refitted by ML for this comparison."]
    if not all(model.reml for model in mixed):
        raise DataError("REML and ML fits cannot be compared as they are: use refit=True")
    names = [tuple(model.fixef.dropna().index) for model in models]
    if len(set(names)) > 1:
        raise DataError(
            "REML criteria of models with different fixed effects cannot be compared: use "
            "refit=True"
        )
    return list(models), ["REML criteria compared as they are (equal fixed effects)."]


def by_ml(model: FittedModel) -> FittedModel:
    """The same model fitted by maximum likelihood."""
    if isinstance(model, LinearMixedModel) and model.reml:
        return with_criterion(model, REML=False)
    return model


def _outcomes(table: pd.DataFrame, models: Sequence[FittedModel]) -> list[str]:
    """What is wrong with the fits compared."""
    notes = []
    for label, larger, worse in zip(
        table.index, table["npar"].diff() > 0, table["deviance"].diff() > 1e-6, strict=True
    ):
        if larger and worse:
            notes.append(
                f"{label}: fits worse than the smaller model before it, so they are not nested, or "
                "one fit is not at its optimum."
            )
    for label, model in zip(table.index, models, strict=True):
        if not model.converged:
            notes.append(f"{label}: the fit did not converge, the test is void.")
        elif isinstance(model, Mixed) and model.is_singular:
            notes.append(f"{label}: the fit is singular.")
    return notes


def _columns(
    models: Sequence[FittedModel], tests: Sequence[LikelihoodRatio], reml: bool
) -> dict[str, list[Any]]:
    values = [criterion(model, reml) for model in models]
    npar = [model.npar for model in models]
    columns: dict[str, list[Any]] = {
        "npar": npar,
        "AIC": [c + 2 * k for c, k in zip(values, npar, strict=True)],
        "BIC": [c + math.log(m.nobs) * m.npar for c, m in zip(values, models, strict=True)],
        "logLik": [-c / 2 for c in values],
        "deviance": values,
        "Chisq": [math.nan, *(test.statistic for test in tests)],
        "Df": [math.nan, *(test.df for test in tests)],
        "Pr(>Chisq)": [math.nan, *(test.p_value for test in tests)],
    }
    mixture = [math.nan, *(test.mixture for test in tests)]
    if not np.isnan(mixture).all():
        columns[MIXTURE] = mixture
    return columns


def criterion(model: FittedModel, reml: bool) -> float:
    """−2 log-likelihood of a fit, restricted or not; an ordinary regression has both."""
    if isinstance(model, LinearModel):
        return model.reml_criterion if reml else model.deviance
    if isinstance(model, GeneralizedLinearModel):
        return float(model._fit.criterion)  # with the constants of glmer, unlike R's logLik(glm)
    return model._minus2loglik


def _boundary(small: FittedModel, large: FittedModel) -> tuple[bool, str]:
    """Whether the mixture holds, and what to tell where the smaller model is the larger one with a
    variance of zero."""
    before, after = _effects(small), _effects(large)
    if before == after and is_poisson_limit(small, large):
        return large.npar == small.npar + 1, (
            "the Poisson model is the negative binomial with 1/θ = 0 (nb1: φ = 0), on the boundary "
            f"of its range: {MIXTURE} is from ½χ²(0) + ½χ²(1); Pr(>Chisq) is too large."
        )
    added = sum(len(columns) for columns in after) - sum(len(columns) for columns in before)
    df = large.npar - small.npar
    if added <= 0 or df <= 0:
        return False, ""
    same_fixed = set(small.fixef.dropna().index) == set(large.fixef.dropna().index)
    joined = _joined(before, after)
    at_boundary = isinstance(small, Mixed) and small.is_singular
    if same_fixed and joined is not None and not at_boundary and df == joined + 1:
        return (
            True,
            f"the test has a variance of zero as its null, on the boundary of its range: {MIXTURE} "
            f"is from ½χ²({joined}) + ½χ²({joined + 1}); Pr(>Chisq) is too large.",
        )
    return (
        False,
        "the test has a variance of zero as its null, on the boundary of its range: Pr(>Chisq) is "
        "too large, and no simple mixture of χ² is right for this change; simulation from the "
        "smaller model is needed for an exact p-value (mm.bootstrap_lrt).",
    )


def _effects(model: FittedModel) -> list[frozenset[tuple[str, str]]]:
    """One set of (group, column) a term."""
    return [
        frozenset((term.group, column) for column in term.columns) for term in model._matrices.terms
    ]


def _joined(
    before: list[frozenset[tuple[str, str]]], after: list[frozenset[tuple[str, str]]]
) -> int | None:
    """The size q of the term that one random effect joins (0: a term of its own); None for other
    changes."""
    lost = [term for term in before if term not in after]
    new = [term for term in after if term not in before]
    if len(new) != 1 or len(lost) > 1:
        return None
    old: frozenset[tuple[str, str]] = lost[0] if lost else frozenset()
    return len(old) if old < new[0] and len(new[0]) == len(old) + 1 else None
