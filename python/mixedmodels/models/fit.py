"""From formula and data to a fitted model: `lm`, `lmer`, `lmer_arrays`, each the whole pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from numpy.typing import ArrayLike

from ..errors import DataError, FormulaError
from ..formulas.formula import Formula, parse
from ..matrices.model_matrix import ModelMatrices, from_arrays
from .call import Call, optimize
from .control import Control, settings_or_default
from .convergence import warn_about_fit
from .model import LinearMixedModel, LinearModel
from .progress import Callback

__all__ = ["check_groups", "lm", "lmer", "lmer_arrays", "refuse_random", "require_random"]

NaAction = Literal["drop", "raise", "exclude"]


def lmer(
    formula: str,
    data: Any,
    *,
    REML: bool = True,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    contrasts: Mapping[str, Any] | None = None,
    na_action: NaAction = "drop",
    context: Mapping[str, Callable[..., Any]] | None = None,
    control: Control | None = None,
    n_threads: int | None = None,
    verbose: bool = False,
    callback: Callback | None = None,
) -> LinearMixedModel:
    """Fit a linear mixed model: y | b ~ N(Xβ + Zb + o, σ²W⁻¹), b ~ N(0, σ²Λ_θΛ_θ').

    Parameters
    ----------
    formula
        lme4's language: "y ~ x + (1 + x | g)", "y ~ f + (1 | a/b)", "log(y) ~ poly(x, 2) + (x ||
        g)".
    data
        A pandas, polars or pyarrow table, or a dict of arrays; n rows. Columns of float64 are kept
        by reference, not copied: do not change their arrays in place while the model is in use.
    REML
        Restricted maximum likelihood (default) or, if False, maximum likelihood.
    weights
        Prior weights: a column's name or n numbers. The residual variance of row i is σ²/wᵢ.
    offset
        A known part of the mean: a column's name or n numbers; offset(...) in the formula adds to
        it.
    contrasts
        Factor → "treatment" (default), "sum", "helmert" or "poly".
    na_action
        Rows with a missing value in a used column: "drop" (counted, reported), "exclude"
        (dropped, but fitted values and residuals are padded with NaN to all rows), "raise".
    context
        Functions of yours that the formula may call, by name.
    control
        Settings of the optimiser; the default never needs one. See `Control`.
    n_threads
        Threads; default MIXEDMODELS_NUM_THREADS, else all the machine grants. Results are the
        same bits for any number.
    verbose
        Print a line at every step of the optimiser (to stderr).
    callback
        Called as callback(evaluation, criterion, decrement) after each step.

    Returns
    -------
    LinearMixedModel
        Fitted and immutable.

    Raises
    ------
    FormulaError
        The formula is not understood, or has no random effects (then `lm` is meant).
    DataError
        The data do not allow the model.
    ArgumentError
        An argument is not one of the values listed here.
    ConvergenceError
        There is no optimum that could be reported.

    Warns
    -----
    MissingDataWarning, RankDeficiencyWarning, SingularFitWarning, ConvergenceWarning
        Each says what was found and what to do.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> data = mm.datasets.load("anxiety")
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
    >>> round(m.reml_criterion, 1)
    1987.4

    References
    ----------
    Bates, Mächler, Bolker & Walker (2015), J. Stat. Softw. 67(1), eq. 1-4, 32, 39-41.
    """
    control = settings_or_default(control)
    parsed = parse(formula)
    require_random(parsed, "mm.lm")
    call = Call(data, weights, offset, contrasts, na_action, context, control, n_threads)
    matrices = call.matrices(call.frame(parsed))
    check_groups(matrices, control.allow_saturated)
    fit = optimize(matrices, REML, control, n_threads, verbose=verbose, callback=callback)
    warn_about_fit(fit, matrices.terms, matrices.fixed_names)
    return LinearMixedModel(formula, matrices, fit, call)


def lm(
    formula: str,
    data: Any,
    *,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    contrasts: Mapping[str, Any] | None = None,
    na_action: NaAction = "drop",
    context: Mapping[str, Callable[..., Any]] | None = None,
) -> LinearModel:
    """Fit an ordinary regression: the baseline that ignores clustering.

    Arguments as in `lmer`, without random effects in the formula. σ̂² = RSS/(n − p); the
    likelihood is the ML one, as in R's logLik(lm).

    Returns
    -------
    LinearModel
        Fitted and immutable.

    Raises
    ------
    FormulaError
        The formula is not understood, or has random effects (then `lmer` is meant).
    DataError
        The data do not allow the model.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> o = mm.lm("anxiety ~ therapy_sessions", mm.datasets.load("anxiety"))
    >>> float(round(o.fixef["therapy_sessions"], 5))
    -1.36616
    """
    parsed = parse(formula)
    refuse_random(parsed, "mm.lm", "mm.lmer")
    call = Call(data, weights, offset, contrasts, na_action, context, Control(), None)
    matrices = call.matrices(call.frame(parsed))
    fit = optimize(matrices, True, Control(), None)
    warn_about_fit(fit, matrices.terms, matrices.fixed_names)
    return LinearModel(formula, matrices, fit, call)


def lmer_arrays(
    y: ArrayLike,
    X: ArrayLike,
    terms: Sequence[tuple[ArrayLike, ArrayLike]],
    *,
    REML: bool = True,
    weights: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    control: Control | None = None,
    n_threads: int | None = None,
    verbose: bool = False,
    callback: Callback | None = None,
) -> LinearMixedModel:
    """Fit the same model as `lmer` from arrays, without a formula.

    Parameters
    ----------
    y
        Response, shape (n,). Arrays of float64 are kept by reference, as in `lmer`.
    X
        Fixed-effects columns, shape (n, p), the intercept's ones included.
    terms
        Random-effects terms (Z, groups): columns, shape (n, q) or (n,), and n labels of groups.
        Columns of one term are correlated; give two terms for uncorrelated ones.
    REML, weights, offset, control, n_threads, verbose, callback
        As in `lmer`; weights and offset are arrays.

    Returns
    -------
    LinearMixedModel
        Fitted and immutable; its columns are named after those of DataFrames and Series, else x1,
        x2, ..., and its groups after their Series, else g1, g2, ....

    Raises
    ------
    DataError
        Lengths differ, a value is missing or infinite, or there is no term.

    Examples
    --------
    >>> import numpy as np
    >>> import mixedmodels as mm
    >>> d = mm.datasets.load("anxiety")
    >>> ones = np.ones(len(d))
    >>> X = np.column_stack([ones, d["therapy_sessions"]])
    >>> m = mm.lmer_arrays(d["anxiety"], X, [(ones, d["clinic"])])
    >>> round(m.reml_criterion, 1)
    1987.4
    """
    control = settings_or_default(control)
    matrices = from_arrays(y, X, terms, weights=weights, offset=offset)
    check_groups(matrices, control.allow_saturated)
    fit = optimize(matrices, REML, control, n_threads, verbose=verbose, callback=callback)
    warn_about_fit(fit, matrices.terms, matrices.fixed_names)
    call = Call(None, weights, offset, None, "raise", None, control, n_threads)
    return LinearMixedModel(None, matrices, fit, call)


def require_random(parsed: Formula, otherwise: str) -> None:
    """Refuse a formula without random effects; `otherwise` is the function for those."""
    if not parsed.random:
        raise FormulaError(
            "the formula has no random effects: add a term such as (1 | group), or use "
            f"{otherwise}",
            parsed.text,
        )


def refuse_random(parsed: Formula, function: str, otherwise: str) -> None:
    """Refuse a formula with random effects; `otherwise` is the function for those."""
    if parsed.random:
        raise FormulaError(
            f"the formula has random effects, which {function} would ignore: use {otherwise}, or "
            "remove the terms with '|'",
            parsed.text,
            parsed.text.find("|"),
        )


def check_groups(matrices: ModelMatrices, allow_saturated: bool) -> None:
    """Refuse grouping factors with a single level and, unless allowed, terms whose variance cannot
    be told from σ²."""
    for term in matrices.terms:
        levels, effects = len(term.levels), len(term.levels) * len(term.columns)
        if levels < 2:
            raise DataError(
                f"grouping factor '{term.group}' has one level only, so it has no variance to "
                "estimate: remove the term, or check the data"
            )
        if effects < matrices.nobs or allow_saturated:
            continue
        if levels >= matrices.nobs:
            what = f"every row is a group of its own by '{term.group}' ({matrices.nobs} rows)"
        else:
            what = f"a term by '{term.group}' has {effects} effects for {matrices.nobs} rows"
        raise DataError(
            f"{what}: its variance cannot be told from the residual variance. Simplify the term, "
            "or ask for the fit with control=mm.Control(allow_saturated=True)"
        )
