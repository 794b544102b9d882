"""From formula and data to a fitted generalised model: `glmer` and `glm`, each the whole
pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from ..errors import ArgumentError, ConvergenceError, DataError, SingularFitWarning, warn
from ..families import Criterion, Family, criterion_of, family_of
from ..formulas.formula import parse
from ..matrices.model_matrix import ModelMatrices
from .call import Call, optimize_generalised
from .control import Control, settings_or_default
from .convergence import warn_about_fit
from .fit import NaAction, check_groups, refuse_random, require_random
from .generalised_model import GeneralizedLinearMixedModel, GeneralizedLinearModel
from .poisson_limit import poisson_limit
from .progress import Callback
from .separation import ADVICE, separation_in, warn_about_separation

if TYPE_CHECKING:
    from .._core import GeneralizedFit
    from .generalised import Generalised

__all__ = ["check_generalised_groups", "glm", "glmer"]

MOST_NODES = 25  # of a scalar random effect
MOST_DIMENSIONS = 3


def glmer(
    formula: str,
    data: Any,
    *,
    family: str | Family | Callable[..., Family] = "binomial",
    link: str | None = None,
    nAGQ: int = 1,
    criterion: Criterion | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    contrasts: Mapping[str, Any] | None = None,
    na_action: NaAction = "drop",
    context: Mapping[str, Callable[..., Any]] | None = None,
    control: Control | None = None,
    n_threads: int | None = None,
    verbose: bool = False,
    callback: Callback | None = None,
) -> GeneralizedLinearMixedModel:
    """Fit a generalised linear mixed model: g(E[y | b]) = Xβ + Zb + o, b ~ N(0, σ²Λ_θΛ_θ').

    By maximum likelihood; the integral over b is Laplace's approximation or adaptive Gauss-Hermite
    quadrature, with exact gradients in θ, β and the family's dispersion.

    Parameters
    ----------
    formula
        lme4's language, as in `lmer`. A binomial response is cbind(successes, failures), with
        arithmetic inside; 0/1; a proportion with the numbers of trials as weights; or a column
        with two levels, of which the second counts.
    data
        As in `lmer`.
    family
        "binomial", "poisson", "Gamma", "inverse_gaussian", "negative_binomial" (θ estimated, as
        glmer.nb), "nb1", "beta"; or one of mm.families, such as binomial(link="probit").
    link
        Of a family given by name; None (default) for its own default link.
    nAGQ
        1 (default): Laplace. Larger: quadrature with so many nodes a random effect, for models with
        one term (up to 25 for a scalar one; odd numbers for up to three correlated effects). 0: β
        is found along with the modes, as lme4 has it: faster and less exact.
    criterion
        The weights in Laplace's determinant: "fisher", the expected information, as lme4; or
        "observed", as glmmTMB. None (default): "fisher", for nb1 and beta "observed". They are
        equal for canonical links.
    weights
        Of the rows' log-likelihoods; of binomial proportions the numbers of trials.
    offset, contrasts, na_action, context, control, n_threads, verbose, callback
        As in `lmer`.

    Returns
    -------
    GeneralizedLinearMixedModel
        Fitted and immutable.

    Raises
    ------
    FormulaError
        The formula is not understood, or has no random effects (then `glm` is meant).
    DataError
        The data do not allow the model: the response is outside of the family's range (the message
        names the row), or constant.
    ArgumentError
        An argument is not one of the values listed here.
    ConvergenceError
        There is no optimum that could be reported.

    Warns
    -----
    MissingDataWarning, RankDeficiencyWarning, SingularFitWarning, ConvergenceWarning
        As in `lmer`.
    SeparationWarning
        A coefficient runs off to infinity; the message says which, and what in the data does it.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> d = {"sick": [2, 3, 4, 0, 1, 1], "n": [14, 12, 9, 5, 22, 18], "herd": [1, 1, 2, 2, 3, 3]}
    >>> m = mm.glmer("cbind(sick, n - sick) ~ 1 + (1 | herd)", d)
    >>> float(round(m.fixef["(Intercept)"], 2))
    -1.8

    References
    ----------
    Bates, Mächler, Bolker & Walker (2015), J. Stat. Softw. 67(1); Pinheiro & Chao (2006), J.
    Comput. Graph. Stat. 15(1) (quadrature); Skaug & Fournier (2006), Comput. Stat. Data Anal. 51
    (exact gradients of Laplace's approximation).
    """
    family = family_of(family, link)
    _refuse_gaussian(family, formula, "lmer")
    call = Call(
        data, weights, offset, contrasts, na_action, context, settings_or_default(control),
        n_threads, family, _quadrature(nAGQ, family), criterion_of(criterion, family),
    )  # fmt: skip
    matrices = _matrices(formula, call, mixed=True)
    check_generalised_groups(matrices, call)
    _check_nodes(call.quadrature, matrices)
    fit = _optimum(matrices, call, verbose=verbose, callback=callback)
    warn_about_fit(fit, matrices.terms, matrices.fixed_names)
    model = GeneralizedLinearMixedModel(formula, matrices, fit, call)
    _warn_about_limits(model)
    return model


def glm(
    formula: str,
    data: Any,
    *,
    family: str | Family | Callable[..., Family] = "binomial",
    link: str | None = None,
    weights: str | ArrayLike | None = None,
    offset: str | ArrayLike | None = None,
    contrasts: Mapping[str, Any] | None = None,
    na_action: NaAction = "drop",
    context: Mapping[str, Callable[..., Any]] | None = None,
    control: Control | None = None,
) -> GeneralizedLinearModel:
    """Fit a generalised linear model: the baseline that ignores clustering.

    Arguments as in `glmer`, without random effects in the formula. Standard errors are those of
    Fisher's information, and a Gamma, inverse Gaussian or Gaussian model's dispersion is Pearson's
    χ²/(n − p), as in R's glm.

    Returns
    -------
    GeneralizedLinearModel
        Fitted and immutable.

    Raises
    ------
    FormulaError
        The formula is not understood, or has random effects (then `glmer` is meant).
    DataError, ArgumentError
        As in `glmer`.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> d = {"y": [2, 3, 6, 7, 8, 9, 10, 12], "x": [1, 2, 3, 4, 5, 6, 7, 8]}
    >>> o = mm.glm("y ~ x", d, family="poisson")
    >>> float(round(o.fixef["x"], 3))
    0.2
    """
    family = family_of(family, link)
    _refuse_gaussian(family, formula, "lm")
    call = Call(
        data, weights, offset, contrasts, na_action, context, settings_or_default(control),
        None, family, 1, family.criteria[0],
    )  # fmt: skip
    matrices = _matrices(formula, call, mixed=False)
    fit = _optimum(matrices, call)
    warn_about_fit(fit, matrices.terms, matrices.fixed_names)
    model = GeneralizedLinearModel(formula, matrices, fit, call)
    _require_residuals(model)
    _warn_about_limits(model)
    return model


def _require_residuals(model: GeneralizedLinearModel) -> None:
    """Refuse a dispersion that no row is left to estimate."""
    if model.family.has_sigma and model.df_resid < 1:
        raise DataError(
            f"{model.nobs} observations cannot estimate {model.nobs - model.df_resid} fixed "
            f"effects and the {model.family.words} family's dispersion; use fewer columns or more "
            "data"
        )


def _matrices(formula: str, call: Call, mixed: bool) -> ModelMatrices:
    parsed = parse(formula)
    if mixed:
        require_random(parsed, "mm.glm")
    else:
        refuse_random(parsed, "mm.glm", "mm.glmer")
    return call.matrices(call.frame(parsed))


def check_generalised_groups(matrices: ModelMatrices, call: Call) -> None:
    """Refuse groups of one row where the response has no variance to tell theirs from."""
    assert call.family is not None
    check_groups(matrices, not call.family.has_sigma or call.control.allow_saturated)
    binary = call.family.name == "binomial" and (
        matrices.sizes is None or bool((matrices.sizes == 1).all())
    )
    for term in matrices.terms:
        if binary and len(term.levels) >= matrices.nobs and not call.control.allow_saturated:
            raise DataError(
                f"every row is a group of its own by '{term.group}' ({matrices.nobs} rows), and of "
                "a 0/1 response nothing tells the variance between rows: leave the term out, or "
                "ask for the fit with control=mm.Control(allow_saturated=True)"
            )


def _warn_about_limits(model: Generalised) -> None:
    """Warn of estimates that run off to infinity."""
    warn_about_separation(model)
    if limit := poisson_limit(model):
        warn(limit, SingularFitWarning)


def _optimum(matrices: ModelMatrices, call: Call, **progress: Any) -> GeneralizedFit:
    """The kernel's fit; where it finds none and the data are separated, that is said instead."""
    try:
        return optimize_generalised(matrices, call, **progress)
    except ConvergenceError as error:
        found = separation_in(matrices, call)
        if found is None:
            raise
        raise ConvergenceError(f"{found.finding()}. {ADVICE} ({error})") from None


def _refuse_gaussian(family: Family, formula: str, function: str) -> None:
    if (family.name, family.link) == ("gaussian", "identity"):
        reml = ", REML=False" if function == "lmer" else ""
        raise ArgumentError(
            "the Gaussian family with the identity link is a linear model: use "
            f"mm.{function}({formula!r}, data{reml})"
        )


def _quadrature(nAGQ: int, family: Family) -> int:
    if not isinstance(nAGQ, Integral) or isinstance(nAGQ, bool) or nAGQ < 0:
        raise ArgumentError(f"nAGQ is {nAGQ!r}; expected a whole number of at least 0")
    if nAGQ > 1 and family.has_sigma:
        raise ArgumentError(
            f"nAGQ={nAGQ}: the {family.words} family's σ is profiled out of Laplace's "
            "approximation, as in lme4, and quadrature has no counterpart: use nAGQ=1"
        )
    return int(nAGQ)


def _check_nodes(nodes: int, matrices: ModelMatrices) -> None:
    """Refuse quadrature that the terms do not allow."""
    if nodes <= 1:
        return
    terms = matrices.terms
    if len(terms) != 1:
        raise ArgumentError(
            f"nAGQ={nodes} is for models with one random term; this one has {len(terms)}: use "
            "nAGQ=1 (Laplace)"
        )
    size = len(terms[0].columns)
    if size == 1 and nodes > MOST_NODES:
        raise ArgumentError(f"nAGQ is {nodes}; expected at most {MOST_NODES}")
    if size > MOST_DIMENSIONS:
        raise ArgumentError(
            f"nAGQ={nodes} is for terms with up to {MOST_DIMENSIONS} random effects; this one has "
            f"{size}: use nAGQ=1 (Laplace)"
        )
    if size > 1 and (nodes % 2 == 0 or nodes > MOST_NODES):
        raise ArgumentError(
            f"nAGQ is {nodes}; expected an odd number of at most {MOST_NODES} for a term with "
            f"{size} random effects"
        )
