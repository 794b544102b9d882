"""A study before it is run: `mm.simulate_design(formula, predictors, ...)`.

The design is a table of predictors and groups, a model and the parameters it is thought to have;
from these come responses, and from many of them power (`power_analysis.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, DataError, FormulaError
from ..families import criterion_of, family_of
from ..formulas.formula import Formula, parse
from ..input_tables.pandas_columns import to_pandas
from ..models.call import Call
from ..models.columns_used import columns_used
from ..models.fitted import FittedModel
from ..models.replicates import check_replicates
from .design_table import Recipe, Rows, check_counts
from .simulated_design import SimulatedDesign, matrices_of, with_table
from .true_parameters import Truth, fixed_effects, roots_from_sd, roots_from_theta, scales

if TYPE_CHECKING:
    from ..families import Family
    from ..matrices.model_matrix import ModelMatrices

__all__ = ["simulate_design"]

Array = NDArray[np.float64]


def simulate_design(
    formula: str | FittedModel,
    predictors: Any = None,
    *,
    groups: Mapping[str, int] | None = None,
    between: Mapping[str, str] | None = None,
    per_group: int | None = None,
    fixef: Mapping[str, float] | pd.Series[float] | None = None,
    sd: Mapping[str, Any] | None = None,
    cor: Mapping[str, Any] | None = None,
    theta: ArrayLike | None = None,
    sigma: float | None = None,
    dispersion: float | None = None,
    family: Any = None,
    weights: str | None = None,
    contrasts: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> SimulatedDesign:
    """A study that is planned: its table, its model, and the parameters it is thought to have.

    Parameters
    ----------
    formula
        As in `lmer`; the response is a new name. Or a fitted model, whose rows and estimates are
        taken but for the parameters and groups given here.
    predictors
        A recipe: a dict of every predictor's values, as {"treatment": ["placebo", "drug"], "week":
        [0, 4, 8]}. All combinations occur in every group; text is taken as categories, the first
        one the base. Or a table with a row an observation, the grouping columns included.
    groups
        Numbers of groups: {"patient": 40}; nested ones as {"clinic": 10, "clinic/patient": 20}, 20
        patients in each of 10 clinics; else crossed. For tables: see `SimulatedDesign.extend`.
    between
        Predictors that vary between groups: {"treatment": "patient"}. Groups take their values in
        turn.
    per_group
        Rows of every combination of the predictors in a group (default 1); copies of every row of a
        table.
    fixef
        Coefficient → value, all of them; on the scale of the link.
    sd
        Group → standard deviation of its random effect, or a dict with that of each: {"patient":
        {"(Intercept)": 8, "week": 0.3}}; on the scale of the linear predictor.
    cor
        Group → correlation of two random effects, or the correlation matrix; default 0.
    theta
        In place of `sd` and `cor`: relative covariance parameters in the order of `m.theta`.
    sigma
        Residual standard deviation, where the model has one.
    dispersion
        Of the negative binomial (its θ), nb1 and beta families (their φ).
    family
        Of a generalised model, as in `glmer`; None: a linear model.
    weights
        A predictor with prior weights; of a binomial model numbers of trials, the response is then
        a proportion.
    contrasts
        As in `lmer`.
    seed
        0 to 2⁶⁴ − 1, of the random numbers.

    Returns
    -------
    SimulatedDesign
        `.data` (the table with a simulated response), `.simulate(nsim)`, `.extend(...)`; what
        `mm.power` takes.

    Raises
    ------
    ArgumentError
        A parameter is missing (the message lists all there are) or out of range.
    FormulaError, DataError
        As in `lmer`.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> design = mm.simulate_design(
    ...     "pain ~ treatment * week + (1 | patient)",
    ...     {"treatment": ["placebo", "drug"], "week": [0, 4, 8]},
    ...     groups={"patient": 40},
    ...     between={"treatment": "patient"},
    ...     fixef={"(Intercept)": 50, "treatmentdrug": 0, "week": -0.5,
    ...            "treatmentdrug:week": -0.4},
    ...     sd={"patient": 8},
    ...     sigma=5,
    ... )
    >>> design.data.shape
    (120, 4)

    References
    ----------
    Green & MacLeod (2016), Methods Ecol. Evol. 7(4), 493-498 (power by simulation).
    """
    parameters = _Parameters(fixef, sd, cor, theta, sigma, dispersion)
    check_replicates(1, seed)
    if isinstance(formula, FittedModel):
        _refuse_for_models(
            predictors=predictors, between=between, family=family, weights=weights,
            contrasts=contrasts,
        )  # fmt: skip
        design = _of_model(formula, parameters, seed)
        return design.extend(groups, per_group) if groups or per_group else design
    plan = _plan(formula, predictors, groups, between, 1 if per_group is None else per_group)
    known = None if family is None else family_of(family)
    call = Call(
        None, weights, None, contrasts, "drop", None, family=known,
        criterion=None if known is None else criterion_of(None, known),
    )  # fmt: skip
    call = with_table(call, plan.table(), _parsed(formula))
    matrices = matrices_of(call.frame(parse(formula)), call)
    return SimulatedDesign(formula, seed, parameters.truth(matrices, known), plan, call, True)


# --- Parameters ---


@dataclass(frozen=True)
class _Parameters:
    """The parameters as the caller gave them."""

    fixef: Any
    sd: Any
    cor: Any
    theta: Any
    sigma: Any
    dispersion: Any

    def truth(self, matrices: ModelMatrices, family: Family | None) -> Truth:
        """Checked, and by the names of the design."""
        beta = fixed_effects(self.fixef, matrices.fixed_names)
        sigma, dispersion = scales(family, self.sigma, self.dispersion)
        return Truth(beta, self.roots(matrices, sigma), sigma, dispersion)

    def changed(self, model: FittedModel) -> Truth:
        """The estimates of a model but for what was given; standard deviations stay as they are
        when σ changes."""
        m, family, own = model._matrices, model._call.family, float(model._fit.sigma)
        has_sigma = family is None or family.has_sigma
        shape = model._fit.dispersion if family and family.estimates_shape else None  # type: ignore[union-attr]
        sigma, dispersion = scales(
            family,
            (model.sigma if has_sigma else None) if self.sigma is None else self.sigma,
            shape if self.dispersion is None else self.dispersion,
        )
        beta = fixed_effects(self.fixef or {}, m.fixed_names, model.fixef.fillna(0.0))
        if self.sd is None and self.cor is None and self.theta is None:
            return Truth(beta, roots_from_theta(model._fit.theta, own, m.terms), sigma, dispersion)
        return Truth(beta, self.roots(m, sigma), sigma, dispersion)

    def roots(self, matrices: ModelMatrices, sigma: float) -> dict[Any, Array]:
        if self.theta is None:
            return roots_from_sd(self.sd, self.cor, matrices.terms)
        if self.sd is not None or self.cor is not None:
            raise ArgumentError("give theta, or sd and cor: they are the same parameters")
        return roots_from_theta(self.theta, sigma, matrices.terms)


# --- Tables ---


def _plan(
    formula: str, predictors: Any, groups: Any, between: Any, per_group: int
) -> Recipe | Rows:
    check_counts({"per_group": per_group})
    if predictors is None:
        raise ArgumentError(
            "predictors are missing: give a dict of every predictor's values, as {'week': [0, 4, "
            "8]}, or a table"
        )
    if isinstance(predictors, Mapping):
        return Recipe.of(predictors, groups, between, per_group)
    if between:
        raise ArgumentError("between belongs to a recipe: a table says which rows have what")
    check_counts(groups or {})
    frame = to_pandas(predictors).reset_index(drop=True)
    rows = Rows(frame, _group_columns(_parsed(formula), list(frame.columns)), {}, per_group)
    return rows.resized(groups or {}, per_group)


def _of_model(model: FittedModel, parameters: _Parameters, seed: int) -> SimulatedDesign:
    m, call = model._matrices, model._call
    if m.spec is None or model.formula is None:
        raise DataError(
            "the model was fitted from arrays, so its design cannot be extended: use mm.lmer with "
            "a formula, or mm.simulate_design(formula, table)"
        )
    frame = columns_used(model)
    frame = frame if m.rows is None or m.na_action != "exclude" else frame.iloc[m.rows]
    frame = frame.reset_index(drop=True)
    given: dict[str, Any] = {}
    for name in ("weights", "offset"):  # numbers, which an extended table would not have
        value = getattr(call, name)
        if value is not None and not isinstance(value, str):
            column = f".{name}"
            values = np.asarray(value, dtype=float)
            frame[column] = values if m.rows is None else values[m.rows]
            given[name] = column
    columns = _group_columns(m.spec.formula, list(frame.columns))
    call = replace(call.without_start(), data=frame, na_action="drop", **given)
    reml = bool(getattr(model, "reml", True))
    plan = Rows(frame, columns, {})
    return SimulatedDesign(model.formula, seed, parameters.changed(model), plan, call, reml)


def _group_columns(formula: Formula, columns: list[Any]) -> tuple[str, ...]:
    """Columns of the table that only group."""
    fixed = {name for variable in formula.fixed.variables for name in variable.names()}
    names = (n for term in formula.random for part in term.group for n in part.names())
    return tuple(dict.fromkeys(n for n in names if n in columns and n not in fixed))


def _parsed(formula: str) -> Formula:
    parsed = parse(formula)
    if parsed.response is None:
        raise FormulaError(
            "the formula has no response; expected 'y ~ ...' with the response left of '~'",
            formula,
            0,
        )
    return parsed


def _refuse_for_models(**given: Any) -> None:
    for name, value in given.items():
        if value is not None:
            raise ArgumentError(
                f"{name} is that of the fitted model: leave it out, or give a formula"
            )
