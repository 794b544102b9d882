"""The results paragraph: what was fitted, to what, and what came out, one sentence a topic.

To add a sentence: a function of (model, style) that returns it, or "" where there is nothing to
say, and one line in `_sentences`.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..inference.ddf import describe, resolve
from ..inference.lrt import MIXTURE, BoundaryWarning, anova
from ..models.generalised import Generalised
from ..models.mixed import Mixed
from ..models.model import LinearMixedModel, LinearModel
from .apa import Style, joined, number, share
from .report_generalised import approximation_words, kind_words, residual_words, separation_words
from .report_words import intercept_is, slope_and_intercept

if TYPE_CHECKING:
    from ..models.description import Description
    from ..models.varcorr import TermCovariance
    from ..printing.tables import ResultTable

__all__ = ["report"]

LEVEL = 0.95
WORSE = 1e-6  # rise of the deviance that is not rounding


def report(model: Description, other: Description | None = None, format: str = "text") -> str:
    """The results paragraph; documented at `Description.report`."""
    if format not in ("text", "markdown"):
        raise ArgumentError(f"format={format!r}: choose text or markdown")
    sentences = _sentences(model, other, Style(format == "markdown"))
    return " ".join(sentence for sentence in sentences if sentence)


def _sentences(model: Description, other: Description | None, style: Style) -> list[str]:
    table = model.coefficients(level=LEVEL)
    parts = [_fit(model, style), _outcome(model), _method(model), *_effects(model, table, style)]
    if isinstance(model, Mixed):
        parts += [_random(model, style)]
        if isinstance(model, LinearMixedModel):
            parts += slope_and_intercept(model, table, style)
        parts += [_variance_shares(model, style)]
    elif isinstance(model, Generalised):
        parts += [_residual_deviance(model)]
    elif isinstance(model, LinearModel):
        parts += [_regression(model, style)]
    return [*parts, "" if other is None else _comparison(model, other, style)]


# --- The model and its fit ---


def _fit(model: Description, style: Style) -> str:
    formula = _formula(model, style)
    groups = {term.group: len(term.levels) for term in model._matrices.terms}
    levels = "; ".join(f"{count} levels of {style.name(g)}" for g, count in groups.items())
    what = "linear mixed model" if groups else "linear regression"
    if isinstance(model, Generalised):
        what = kind_words(model)
    return (
        f"A {what}{formula} was fitted by {_criterion(model)} to {model.nobs} observations"
        f"{f' ({levels})' if levels else ''}{_given(model, style)}.{_left_out(model)}"
    )


def _formula(model: Description, style: Style) -> str:
    return f" ({style.name(' '.join(model.formula.split()))})" if model.formula else ""


def _criterion(model: Description) -> str:
    if isinstance(model, Generalised):
        return approximation_words(model)
    if isinstance(model, LinearMixedModel):
        return f"{'restricted ' if model.reml else ''}maximum likelihood"
    weighted = model._matrices.is_weighted
    return f"{'weighted' if weighted else 'ordinary'} least squares"


def _given(model: Description, style: Style) -> str:
    given = {"prior weights": model._call.weights, "the offset": model._call.offset}
    parts = [
        what + (f" {style.name(value)}" if isinstance(value, str) else "")
        for what, value in given.items()
        if value is not None
    ]
    return f", with {joined(parts)}" if parts else ""


def _left_out(model: Description) -> str:
    m = model._matrices
    total = len(m.full_index)
    missing = total - model.nobs - m.zero_weights
    parts = [f"{missing} with missing values"] if missing else []
    parts += [f"{m.zero_weights} of weight zero"] if m.zero_weights else []
    return f" Of {total} rows, {joined(parts)} were left out." if parts else ""


def _outcome(model: Description) -> str:
    if isinstance(model, Generalised) and (separation := separation_words(model)):
        return separation
    if not model.converged:
        return "The fit did not converge, so these numbers are provisional."
    if isinstance(model, Mixed) and model.is_singular:
        return (
            "The fit is singular: a variance was estimated as zero, or a correlation as ±1, so the "
            "random effects are more than the data can tell apart."
        )
    return ""


# --- Fixed effects ---


def _method(model: Description) -> str:
    if int(model._fit.rank) == 0:
        return ""
    method = describe(resolve(model, None))
    return f"Tests and {LEVEL:.0%} confidence intervals (CI) of the fixed effects use {method}."


def _effects(model: Description, table: ResultTable, style: Style) -> list[str]:
    sentences, slopes = [], []
    for _, row in table.iterrows():
        if row["term"] == "(Intercept)":
            sentences.append(f"{intercept_is(model, style)} {_estimate(row, style)}.")
        else:
            slopes.append(f"of {style.name(row['term'])} was {_estimate(row, style)}")
    if slopes:
        sentences.append(f"The estimated effect {'; that '.join(slopes)}.")
    dropped = [style.name(str(name)) for name in model.fixef.index[model.fixef.isna()]]
    if dropped:
        sentences.append(f"Not estimable, being combinations of others: {joined(dropped)}.")
    return sentences


def _estimate(row: Any, style: Style) -> str:
    """ "b = -1.43, SE = 0.09, 95% CI [-1.63, -1.23], t(13.51) = -15.55, p < .001"."""
    parts = [
        f"{style.symbol('b')} = {number(row['estimate'])}",
        f"{style.symbol('SE')} = {number(row['std_error'])}",
    ]
    if not math.isnan(row["conf_low"]):
        low, high = number(row["conf_low"]), number(row["conf_high"])
        parts.append(f"{LEVEL:.0%} CI [{low}, {high}]")
    if not math.isnan(row["p_value"]):
        letter = "z" if math.isinf(row["df"]) else "t"
        parts.append(style.statistic(letter, _degrees(row["df"]), row["statistic"]))
        parts.append(style.p(row["p_value"]))
    return ", ".join(parts)


def _degrees(df: float) -> str:
    if math.isinf(df):
        return ""
    return f"{df:.0f}" if abs(df - round(df)) < 5e-3 else f"{df:.2f}"


# --- Random effects ---


def _random(model: Mixed, style: Style) -> str:
    by_group: dict[str, list[str]] = {}
    for term in model.varcorr.terms:
        by_group.setdefault(term.group, []).append(_spread(term, style))
    parts = [
        f"of {joined(spreads)} between levels of {style.name(group)}"
        for group, spreads in by_group.items()
    ]
    residual = f"the residual {style.symbol('SD')} was {number(model.sigma)}"
    if isinstance(model, Generalised):
        residual = residual_words(model)
    deviations = f"standard deviations ({style.symbol('SD')})"
    parts += [residual] if residual else []
    return f"The random effects had {deviations} {'; '.join(parts)}."


def _spread(term: TermCovariance, style: Style) -> str:
    """ "3.45 for the intercept and 0.28 for the slope of x (r = .55)"."""
    sds = [
        f"{number(sd)} for {_effect(column, style)}"
        for sd, column in zip(term.sd, term.columns, strict=True)
    ]
    pairs = [(i, j) for j in range(len(term.columns)) for i in range(j)]
    known = [(i, j) for i, j in pairs if not np.isnan(term.corr[i, j])]
    single = len(pairs) == 1
    correlations = [
        f"{style.symbol('r')} = {share(term.corr[i, j])}"
        + (
            ""
            if single
            else f" between {_effect(term.columns[i], style)} and {_effect(term.columns[j], style)}"
        )
        for i, j in known
    ]
    return joined(sds) + (f" ({'; '.join(correlations)})" if correlations else "")


def _effect(column: str, style: Style) -> str:
    return "the intercept" if column == "(Intercept)" else f"the effect of {style.name(column)}"


def _variance_shares(model: Mixed, style: Style) -> str:
    try:
        icc, r2 = model.icc(), model.r2()
    except ArgumentError:  # some families and links have no such shares
        return ""
    groups = icc.by_group.dropna()
    parts = [f"{share(value)} for {style.name(str(g))}" for g, value in groups.items()]
    each = f" (intercepts alone: {joined(parts)})" if len(groups) > 1 else ""
    R2 = f"{style.symbol('R')}²"
    return (
        "The intraclass correlation, the share of the random effects in the variance that the "
        f"fixed effects leave, was ICC = {share(icc.adjusted)}{each}; the fixed effects explained "
        f"{R2} = {share(r2.marginal)} of all variance (marginal), fixed and random effects "
        f"together {R2} = {share(r2.conditional)} (conditional)."
    )


def _residual_deviance(model: Generalised) -> str:
    words = residual_words(model)
    deviance = f"The residual deviance was {number(model.deviance)} on {model.df_resid} degrees of"
    return f"{deviance} freedom{f'; {words}' if words else ''}."


def _regression(model: LinearModel, style: Style) -> str:
    s = model.summary()
    R2 = f"{style.symbol('R')}²"
    text = f"The model explained {R2} = {share(s.r_squared)} of the variance"
    if not math.isnan(s.f_p_value):
        f = style.statistic("F", f"{s.f_df[0]}, {s.f_df[1]}", s.f_statistic)
        text += f" (adjusted {R2} = {share(s.adj_r_squared)}), {f}, {style.p(s.f_p_value)}"
    return f"{text}; the residual {style.symbol('SD')} was {number(model.sigma)}."


# --- Comparison with another model ---


def _comparison(model: Description, other: Description, style: Style) -> str:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", BoundaryWarning)
        table = anova(model, other)
    size = {-1: "smaller", 0: "other", 1: "larger"}[int(np.sign(other.npar - model.npar))]
    formula = _formula(other, style)
    own, others = (number(float(table["AIC"][label])) for label in ("model 1", "model 2"))
    mixed = [m for m in (model, other) if isinstance(m, LinearMixedModel)]
    by_ml = " (both fitted by maximum likelihood)" if any(m.reml for m in mixed) else ""
    aic = f"AIC was {own} against {others}{by_ml}"
    test = table.iloc[1]
    if test["Df"] == 0:
        return f"Compared with another model of as many parameters{formula}, {aic}."
    chi2 = style.statistic("χ²", f"{test['Df']:.0f}", test["Chisq"])
    text = (
        f"A likelihood-ratio test against the {size} model{formula} gave {chi2}, "
        f"{style.p(test['Pr(>Chisq)'])}{_boundary(test, bool(caught), style)}; {aic}."
    )
    return f"{text}{_doubts(table, other)}"


def _boundary(test: Any, at_boundary: bool, style: Style) -> str:
    """The null hypothesis of a variance at zero makes χ²(Df) conservative."""
    mixture = test.get(MIXTURE, math.nan)
    if not math.isnan(mixture):
        df = int(test["Df"])
        return (
            f", or {style.p(mixture)} by the even mixture of χ²({df - 1}) and χ²({df}) that holds "
            "for a variance of zero, on the boundary of its range"
        )
    if at_boundary:
        return (
            " (conservative, because the null hypothesis has a variance of zero, on the boundary "
            "of its range)"
        )
    return ""


def _doubts(table: Any, other: Description) -> str:
    if not other.converged:
        return " The fit of that model did not converge, so the test is void."
    if table["deviance"].diff().iloc[1] > WORSE:
        return (
            " The larger model fits worse than the smaller: they are not nested, or one fit is not "
            "at its optimum."
        )
    return ""
