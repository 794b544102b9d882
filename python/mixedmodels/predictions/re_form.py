"""`re_form`: which random effects a prediction or a simulation takes as they were estimated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, DataError, FormulaError
from ..formulas.formula import RandomTerm, parse
from ..formulas.transforms import Matrix
from ..matrices.coding import ColumnPlan, plan_matrix

if TYPE_CHECKING:
    from ..input_tables.factors import Factor
    from ..matrices.model_spec import ModelSpec, RandomPlan
    from ..models.fitted import FittedModel

__all__ = ["effects_named"]

Mask = NDArray[np.bool_]

NONE = ("NA", "~NA", "0", "~0")


def effects_named(model: FittedModel, re_form: Any) -> list[Mask]:
    """Which columns of every random term `re_form` names, (q,) each.

    Raises
    ------
    ArgumentError
        `re_form` is no formula, nor None, "NA" or False.
    FormulaError
        It names an effect that the model does not have.
    DataError
        It is a formula, and the model was fitted from arrays.
    """
    terms = model._matrices.terms
    if re_form is None:
        return [np.ones(len(term.columns), dtype=bool) for term in terms]
    if re_form is False or re_form is pd.NA or (isinstance(re_form, float) and math.isnan(re_form)):
        return [np.zeros(len(term.columns), dtype=bool) for term in terms]
    if not isinstance(re_form, str):
        raise ArgumentError(
            f're_form={re_form!r}: give None (all random effects), "NA" or False (none), or a '
            'formula such as "~ (1 | g)"'
        )
    if re_form.replace(" ", "") in NONE:
        return [np.zeros(len(term.columns), dtype=bool) for term in terms]
    spec = model._matrices.spec
    if spec is None:
        raise DataError("a model fitted from arrays has no formula: re_form can be None or False")
    return _by_formula(spec, re_form)


def _by_formula(spec: ModelSpec, re_form: str) -> list[Mask]:
    named = _terms(re_form, [plan.term for plan in spec.random])
    masks = [np.zeros(len(plan.plan.columns), dtype=bool) for plan in spec.random]
    for term in named:
        for column in plan_matrix(term.columns, _variables(spec, term)).columns:
            if not _mark(masks, spec.random, term, column):
                raise FormulaError(
                    "re_form has random effects that the model does not have: "
                    f"{column.name} by {term.group_name}",
                    re_form,
                )
    return masks


def _terms(re_form: str, own: Sequence[RandomTerm]) -> tuple[RandomTerm, ...]:
    """The random terms of a one-sided formula, all by groups of the model."""
    named = parse(re_form if "~" in re_form else f"~ {re_form}").random
    if not named:
        raise FormulaError("re_form has no term such as (1 | g)", re_form)
    if not own:
        raise FormulaError("re_form: the model has no random effects", re_form)
    for term in named:
        if not any(_same_group(term, other) for other in own):
            known = ", ".join(dict.fromkeys(other.group_name for other in own))
            raise FormulaError(
                f"re_form: the model has no random effects by '{term.group_name}'; it has them by "
                f"{known}",
                re_form,
            )
    return named


def _same_group(a: RandomTerm, b: RandomTerm) -> bool:
    """a:b is b:a."""
    return {part.text for part in a.group} == {part.text for part in b.group}


def _variables(spec: ModelSpec, term: RandomTerm) -> dict[str, Matrix | Factor]:
    """What stands for the variables of a term: the model's factors, and as many numeric columns as
    the model's own terms have of a variable."""
    result: dict[str, Matrix | Factor] = dict(spec.factors)
    for variable in term.columns.variables:
        if variable.text not in result:
            width = spec.widths.get(variable.text, 1)
            names = ("",) if width == 1 else tuple(str(j + 1) for j in range(width))
            result[variable.text] = Matrix((np.zeros(0),) * width, names)
    return result


def _mark(
    masks: list[Mask], plans: Sequence[RandomPlan], term: RandomTerm, column: ColumnPlan
) -> bool:
    """Marks the model's effects that are this column by this group; False where there is none."""
    found = False
    for mask, plan in zip(masks, plans, strict=True):
        if _same_group(plan.term, term):
            same = [_recipe(own) == _recipe(column) for own in plan.plan.columns]
            mask |= same
            found = found or any(same)
    return found


def _recipe(column: ColumnPlan) -> tuple[Any, Any]:
    """What the column is, whatever its name and the order of its factors."""
    coded = sorted((name, table.tobytes()) for name, table in column.coded)
    return sorted(column.numeric), coded
