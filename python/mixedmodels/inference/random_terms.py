"""Likelihood-ratio tests of the random-effects terms one by one: `mm.ranova(m)`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ..errors import ArgumentError
from ..formulas.formula import RandomTerm
from ..input_tables.factors import Factor
from ..models.fitted import FittedModel
from ..models.mixed import Mixed
from ..models.model import LinearMixedModel
from ..models.submodels import Submodels, convergence_notes, droppable, without
from ..printing.output_frames import frame_as_asked
from ..printing.tables import ResultTable
from .lrt import MIXTURE, LikelihoodRatio, criterion, likelihood_ratio

__all__ = ["ranova"]


@frame_as_asked
def ranova(model: Mixed) -> ResultTable:
    """Test each random-effects term by leaving out what it has most.

    `(x | g)` is reduced to `(1 | g)`, `(1 | g)` is left out, `(a + b | g)` is reduced to `(b | g)`
    and to `(a | g)`, one row each; `(0 + x | g)` is left out for a covariate and reduced to
    `(1 | g)` for a factor x. The criterion is that of the fit: REML, ML, or the Laplace or
    quadrature value.

    Parameters
    ----------
    model
        A fit of `lmer` or `glmer`.

    Returns
    -------
    ResultTable
        One row a reduced model: npar, logLik, AIC, LRT, Df, Pr(>Chisq) and Pr(mixture), first
        "<none>", the model itself. The null hypothesis of a test has a variance of zero, so that
        Pr(>Chisq), from χ²(Df), is too large. Where one effect goes from a term of q + 1,
        Pr(mixture) is right: ½χ²(q) + ½χ²(q + 1). Elsewhere it is NaN and a note asks for
        simulation.

    Raises
    ------
    ArgumentError
        The argument is no mixed model.
    DataError
        The model was fitted from arrays.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> float(round(mm.ranova(m)["LRT"].iloc[1], 2))
    128.47

    References
    ----------
    Kuznetsova, Brockhoff & Christensen (2017), J. Stat. Softw. 82(13), §2.4; Self & Liang (1987),
    JASA 82, 605-610; Stram & Lee (1994), Biometrics 50, 1171-1177.
    """
    if not isinstance(model, Mixed):
        raise ArgumentError(
            f"mm.ranova tests the random effects of a mixed model; got {type(model).__name__}"
        )
    reml = isinstance(model, LinearMixedModel) and model.reml
    submodels = Submodels.of(model, "ranova")
    reduced = list(_reductions(submodels))
    smaller = [submodels.fit(reml, random=random) for _, random in reduced]
    tests = [likelihood_ratio(small, model, reml) for small in smaller]
    rows = ["<none>", *(label for label, _ in reduced)]
    models: list[FittedModel] = [model, *smaller]
    by = "REML" if reml else "maximum likelihood"
    title = f"Random-effects terms one by one; likelihood-ratio tests of fits by {by}"
    notes = [*_boundary_notes(rows[1:], tests), *_exact(model), *convergence_notes(rows, models)]
    return ResultTable.of(_columns(models, tests, reml), title, notes, index=rows)


def _columns(
    models: Sequence[FittedModel], tests: Sequence[LikelihoodRatio], reml: bool
) -> dict[str, list[Any]]:
    values = [criterion(model, reml) for model in models]
    return {
        "npar": [model.npar for model in models],
        "logLik": [-value / 2 for value in values],
        "AIC": [value + 2 * model.npar for value, model in zip(values, models, strict=True)],
        "LRT": [math.nan, *(test.statistic for test in tests)],
        "Df": [math.nan, *(test.df for test in tests)],
        "Pr(>Chisq)": [math.nan, *(test.p_value for test in tests)],
        MIXTURE: [math.nan, *(test.mixture for test in tests)],
    }


# --- Which models ---


def _reductions(submodels: Submodels) -> Iterator[tuple[str, list[RandomTerm]]]:
    """Label and random terms of every reduced model, in the order of the formula."""
    random = submodels.frame.formula.random
    for k, term in enumerate(random):
        others = [*random[:k], *random[k + 1 :]]
        text = _text(term)
        if not term.columns.terms:
            yield text, others
        for t in droppable(term.columns):
            smaller = _without_columns(term, t, submodels)
            left = smaller.columns.intercept or smaller.columns.terms
            if not left or _text(smaller) in map(_text, others):
                rest = others
            else:
                rest = [*random[:k], smaller, *random[k + 1 :]]
            yield f"{term.columns.labels()[t]} in {text}", rest


def _without_columns(term: RandomTerm, t: int, submodels: Submodels) -> RandomTerm:
    """The random term without one of its columns' terms.

    The indicators of a factor's levels sum to the intercept, which therefore stays.
    """
    columns = term.columns
    variables = [columns.variables[v].text for v in columns.terms[t]]
    factors = all(isinstance(submodels.frame.variables[name], Factor) for name in variables)
    smaller = replace(without(columns, t), intercept=columns.intercept or factors)
    return replace(term, columns=smaller)


def _text(term: RandomTerm) -> str:
    """As one would write it: "(Days | Subject)", the intercept understood."""
    return "(" + term.text[1:].removeprefix("1 + ")


# --- Notes ---


def _boundary_notes(rows: Sequence[str], tests: Sequence[LikelihoodRatio]) -> list[str]:
    """What holds of the p-values, said once for all rows of which it is true."""
    said: dict[str, list[str]] = {}
    for row, test in zip(rows, tests, strict=True):
        if test.boundary:
            said.setdefault(test.boundary, []).append(row)
    return [f"{', '.join(of)}: {text}" for text, of in said.items()]


def _exact(model: Mixed) -> list[str]:
    terms = model._matrices.terms
    if not (isinstance(model, LinearMixedModel) and model.reml):
        return []
    if len(terms) != 1 or len(terms[0].columns) != 1:
        return []
    return ["mm.exact_rlrt(m) simulates the exact distribution of this test."]
