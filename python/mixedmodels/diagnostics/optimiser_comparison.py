"""The same model by every optimiser: `mm.all_fit(m)`, to see whether they find one optimum."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, ConvergenceError
from ..lazy import lazy
from ..models.call import optimize, optimize_generalised
from ..models.control import Control, Optimizer
from ..models.mixed import Mixed
from ..printing.document import Block, Document, Paragraph
from ..printing.tables import WIDTH, ResultTable

if TYPE_CHECKING:
    from ..models.generalised_model import GeneralizedLinearMixedModel
    from ..models.model import LinearMixedModel

    MixedModel = LinearMixedModel | GeneralizedLinearMixedModel

__all__ = ["OptimizerComparison", "all_fit"]

Array = NDArray[np.float64]

SAME = 1e-3  # deviance units: what is closer is one optimum
MATTERS = 0.05  # standard errors of fixed effects, shares of θ's length: estimates that differ
PATIENCE = 10  # times the evaluations, for the optimiser without derivatives


@dataclass(frozen=True, eq=False, repr=False)
class OptimizerComparison(Document):
    """One model fitted by several optimisers; made by `mm.all_fit`.

    Attributes
    ----------
    fits
        Optimiser → fitted model, the model itself first.
    failed
        Optimiser → why it gave no fit at all.
    """

    fits: Mapping[str, MixedModel]
    failed: Mapping[str, str]

    # --- Numbers ---

    def to_frame(self) -> pd.DataFrame:
        """One row an optimiser: criterion, theta1, ..., the fixed effects by name, converged,
        singular, evaluations, seconds, reason."""
        return self._estimates.T.join(self._outcomes)[
            ["criterion", *self._estimates.index, *self._outcomes.columns[1:]]
        ]

    @lazy
    def _estimates(self) -> pd.DataFrame:
        """(parameters, optimisers)"""
        columns = {}
        for label, model in self.fits.items():
            theta = [f"theta{k + 1}" for k in range(len(model.theta))]
            values = np.concatenate([model.theta, model._fit.beta])
            columns[label] = pd.Series(values, index=[*theta, *model._matrices.fixed_names])
        return pd.DataFrame(columns)

    @lazy
    def _outcomes(self) -> pd.DataFrame:
        rows: dict[str, dict[str, Any]] = {
            label: {
                "criterion": model._minus2loglik,
                "converged": model.converged,
                "singular": model.is_singular,
                "evaluations": model.convergence.evaluations,
                "seconds": model.convergence.seconds,
                "reason": model.convergence.reason,
            }
            for label, model in self.fits.items()
        }
        return pd.DataFrame.from_dict(rows, orient="index")

    @property
    def best(self) -> str:
        """The optimiser with the lowest criterion; the model's own among equals."""
        criteria = self._outcomes["criterion"]
        own = self._own
        lowest = str(criteria.idxmin())
        return own if criteria[own] - criteria[lowest] <= SAME else lowest

    @property
    def _own(self) -> str:
        return next(iter(self.fits))

    @property
    def differences(self) -> pd.Series[float]:
        """The largest differences from the lowest of the fits that converged (where none did, of
        all): of the criterion in deviance units, of θ in units of its length (1 if it is shorter),
        of the fixed effects in standard errors."""
        certain = [label for label, model in self.fits.items() if model.converged]
        fits = [self.fits[label] for label in certain or self.fits]
        lowest = min(fits, key=lambda model: model._minus2loglik)
        errors = np.sqrt(np.diag(_conditional_vcov(lowest)))
        theta, beta = np.asarray(lowest._fit.theta), np.asarray(lowest._fit.beta)
        length = max(float(np.linalg.norm(theta)), 1.0)
        return pd.Series(
            {
                "criterion": max(m._minus2loglik for m in fits) - lowest._minus2loglik,
                "theta": max(_largest((m.theta - theta) / length) for m in fits),
                "fixef": max(_largest((np.asarray(m._fit.beta) - beta) / errors) for m in fits),
            },
            name="largest difference",
        )

    # --- Words ---

    @property
    def verdict(self) -> str:
        """What the comparison says of the model, and what to do."""
        sentences = [self._of_the_model()]
        outcomes = self._outcomes
        early = [label for label in self.fits if not outcomes["converged"][label]]
        if early and len(early) < len(self.fits):
            sentences.append(f"{_joined(early)} stopped before it was certain of an optimum.")
        if self.failed:
            sentences.append(f"No fit by {_joined(list(self.failed))}.")
        return " ".join(sentences)

    def _of_the_model(self) -> str:
        outcomes, best, own = self._outcomes, self.best, self._own
        if not outcomes["converged"].any():
            return (
                "No optimiser reached a certain optimum: centre and scale the predictors, or "
                "simplify the random part."
            )
        if best != own:
            gain = outcomes["criterion"][own] - outcomes["criterion"][best]
            return (
                f"{best} reached a lower criterion, by {gain:.4g}: the model is not at the "
                f"optimum. Use .fits[{best!r}] in its place."
            )
        differences = self.differences
        if differences["criterion"] > SAME:
            return (
                "The criterion has more than one optimum; the model is at the lowest found "
                f"(others are higher by up to {differences['criterion']:.4g})."
            )
        if max(differences["theta"], differences["fixef"]) > MATTERS:
            return (
                "The criterion is the same for different estimates: the data do not determine "
                "them. Simplify the model."
            )
        agreeing = int(outcomes["converged"].sum())
        if agreeing == 1:
            return "Only one optimiser reached an optimum; none found a lower criterion."
        return (
            f"{agreeing} fits reached the same optimum: the criterion differs by at most "
            f"{differences['criterion']:.1e}, fixed effects by {differences['fixef']:.1e} standard "
            "errors. The estimates can be relied on."
        )

    def _tables(self) -> tuple[ResultTable, ResultTable]:
        outcomes = self._outcomes
        rise = outcomes["criterion"] - outcomes["criterion"].min()
        shown: dict[str, Any] = {
            "criterion": [f"{value:.4f}" for value in outcomes["criterion"]],
            "above lowest": [f"{value:.1e}" for value in rise],
            "converged": outcomes["converged"].to_list(),
            "evaluations": outcomes["evaluations"].to_numpy(),
            "seconds": [f"{value:.3f}" for value in outcomes["seconds"]],
        }
        first = ResultTable.of(shown, "The model by each optimiser", index=outcomes.index)
        notes = [f"{label}: {why}" for label, why in self.failed.items()]
        return first, ResultTable.of(self._estimates, "", notes)

    def __str__(self) -> str:
        tables = "\n\n".join(str(table) for table in self._tables())
        return f"{tables}\n\n{textwrap.fill(self.verdict, WIDTH)}"

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        first, second = self._tables()
        return [*first._blocks(), *second._blocks(), Paragraph(self.verdict)]


def all_fit(model: MixedModel) -> OptimizerComparison:
    """Fit the same model by every optimiser, and by the default from another start.

    Parameters
    ----------
    model
        A fit of `lmer`, `lmer_arrays` or `glmer`. Its control settings hold for all, but for the
        start and the evaluations: at least 1000, ten times as many for "nelder-mead", which takes
        nearly all of the time (a `time_limit` holds for each fit).

    Returns
    -------
    OptimizerComparison
        Prints the fits side by side and a verdict; `.to_frame()`, `.differences`, `.verdict`,
        `.fits["bfgs"]`.

    Raises
    ------
    ArgumentError
        The model has no variance components, so there is nothing to choose an optimiser for.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> comparison = mm.all_fit(m)
    >>> list(comparison.fits)
    ['newton (the model)', 'bfgs', 'nelder-mead', 'newton, other start']
    >>> comparison.verdict.startswith("4 fits reached the same optimum")
    True

    Notes
    -----
    As lme4's allFit(). The other start is lme4's: standard deviations equal to σ, correlations
    of zero.
    """
    if not isinstance(model, Mixed):
        raise ArgumentError(
            f"all_fit compares optimisers of mixed models; {model!r} has no variance components"
        )
    control = model._call.without_start().control
    fits: dict[str, MixedModel] = {f"{control.optimizer} (the model)": model}
    failed = {}
    for label, settings in _alternatives(model, control).items():
        try:
            fits[label] = _fitted_by(model, settings)
        except ConvergenceError as error:
            failed[label] = str(error)
    return OptimizerComparison(fits, failed)


def _alternatives(model: MixedModel, control: Control) -> dict[str, Control]:
    """Label → settings, besides those of the model itself."""
    evaluations = max(control.max_evaluations, Control.max_evaluations)
    control = replace(control, max_evaluations=evaluations)
    found = {name: replace(control, optimizer=name) for name in get_args(Optimizer)}
    found["nelder-mead"] = replace(found["nelder-mead"], max_evaluations=PATIENCE * evaluations)
    start = _unit_start([len(term.columns) for term in model._matrices.terms])
    found["newton, other start"] = replace(found["newton"], start=start)
    if model._call.control.start is None:
        del found[control.optimizer]  # that is the model itself
    return found


def _unit_start(sizes: list[int]) -> Array:
    """θ of identity templates λ_t."""
    triangles = [np.eye(q)[np.triu_indices(q)] for q in sizes]  # by rows: λ' by columns
    return np.concatenate(triangles)


def _fitted_by(model: MixedModel, control: Control) -> MixedModel:
    from ..models.model import LinearMixedModel

    m, call = model._matrices, replace(model._call, control=control)
    if isinstance(model, LinearMixedModel):
        fit = optimize(m, model.reml, control, call.n_threads, design=model._design)
        return replace(model, _fit=fit, _call=call)
    generalised = optimize_generalised(m, call, design=model._design)
    return replace(model, _fit=generalised, _call=call)


def _conditional_vcov(model: MixedModel) -> Array:
    from ..models.generalised import Generalised

    return model._conditional_vcov if isinstance(model, Generalised) else model._vcov


def _largest(values: Array) -> float:
    """The largest |value|; columns that were dropped do not count."""
    return float(np.nanmax(np.abs(values), initial=0.0))


def _joined(labels: list[str]) -> str:
    return " and ".join([", ".join(labels[:-1]), labels[-1]] if len(labels) > 1 else labels)
