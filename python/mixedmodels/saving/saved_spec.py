"""A `ModelSpec` as a record: what it was made from, not what was made.

Formula, levels, contrasts, the numbers of columns and what stateful functions learnt: loading plans
the matrices from them again, as a fit does, so that a file cannot hold plans that contradict their
formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..formulas.contrasts import Contrast, contrast_from
from ..formulas.expression import parse_expression
from ..formulas.formula import parse
from ..formulas.transforms import MAX_COLUMNS, Matrix
from ..input_tables.factors import Factor
from ..matrices.model_matrix import plan_spec
from ..matrices.model_spec import ModelSpec
from .codec import ArrayOf
from .container import refuse
from .saved_levels import SavedLevels, load_levels, save_levels

__all__ = [
    "SavedContrast",
    "SavedSpec",
    "load_contrasts",
    "load_spec",
    "save_contrasts",
    "save_spec",
]

Table = Annotated[NDArray[np.float64], ArrayOf("f8", 2)]
State = dict[str, float | tuple[float, ...] | dict[str, float]]


@dataclass(frozen=True)
class SavedContrast:
    coding: Literal["treatment", "sum", "helmert", "poly", "matrix"]
    base: bool | int | float | str | None
    base_number: int | None
    matrix: Table | None
    names: tuple[str, ...] | None


@dataclass(frozen=True)
class SavedFactor:
    levels: SavedLevels
    ordered: bool
    contrast: SavedContrast | None


@dataclass(frozen=True)
class SavedSpec:
    columns: tuple[str, ...] | None  # of the table, where the formula has a `.`
    factors: dict[str, SavedFactor]  # the variables that are factors
    widths: dict[str, int]  # of the others: their numbers of columns
    parts: dict[str, SavedLevels]  # of grouping factors, by their texts
    groups: dict[str, SavedLevels]  # of combinations of several, by the terms' names
    state: dict[str, State]  # of stateful functions, by call
    offset: str | None  # the argument: an expression
    offset_given: bool  # as numbers


# --- Saving ---


def save_spec(spec: ModelSpec) -> SavedSpec:
    """A spec as a record; raises `DataError` for levels that a file cannot hold."""
    parts: dict[str, SavedLevels] = {}
    groups: dict[str, SavedLevels] = {}
    for plan in spec.random:
        for part, factor in zip(plan.term.group, plan.parts, strict=True):
            parts[part.text] = save_levels(factor.levels, f"the groups of '{part.text}'")
        if len(plan.parts) > 1:
            groups[plan.term.group_name] = save_levels(plan.levels, "the groups")
    argument = spec.offset_argument
    return SavedSpec(
        columns=spec.formula.columns,
        factors={text: _save_factor(factor, text) for text, factor in spec.factors.items()},
        widths=spec.widths,
        parts=parts,
        groups=groups,
        state={call: _save_state(state) for call, state in spec.state.items()},
        offset=None if argument is None or isinstance(argument, str) else argument.text,
        offset_given=isinstance(argument, str),
    )


def _save_factor(factor: Factor, text: str) -> SavedFactor:
    contrast = None if factor.contrast is None else _save_contrast(factor.contrast)
    return SavedFactor(
        save_levels(factor.levels, f"the levels of '{text}'"), factor.ordered, contrast
    )


def _save_state(state: Mapping[str, Any]) -> State:
    """Numbers, lists of them, and dicts by number, as formulaic has them."""
    saved: State = {}
    for name, value in state.items():
        if isinstance(value, dict):
            saved[name] = {str(k): float(v) for k, v in value.items()}
        elif isinstance(value, list):
            saved[name] = tuple(float(v) for v in value)
        else:
            saved[name] = float(value)
    return saved


def save_contrasts(contrasts: Mapping[str, Any] | None) -> dict[str, SavedContrast] | None:
    """The argument `contrasts=` of a fit."""
    if contrasts is None:
        return None
    named = {str(name): contrast_from(value, str(name)) for name, value in contrasts.items()}
    return {name: _save_contrast(contrast) for name, contrast in named.items()}


def _save_contrast(contrast: Contrast) -> SavedContrast:
    coding: Any = contrast.coding
    base, names = contrast.base, contrast.names
    return SavedContrast(coding, base, contrast.base_number, contrast.matrix, names)


# --- Loading ---


def load_spec(saved: SavedSpec, text: str, contrasts: Any, context: Mapping[str, Any]) -> ModelSpec:
    """The spec of a formula; raises a `MixedModelsError` where the parts do not fit together."""
    formula = parse(text)
    if formula.has_dot:
        formula = formula.expand(saved.columns or ())
    variables = {text: _load_factor(factor) for text, factor in saved.factors.items()}
    variables |= {text: _columns(width) for text, width in saved.widths.items()}
    groups = {text: _levels_only(levels) for text, levels in saved.parts.items()}
    # labels of combinations such as "a:b" + "c" and "a" + "b:c" are the same
    combined = {name: _levels_only(levels, unique=False) for name, levels in saved.groups.items()}
    for term in formula.random:
        if len(term.group) == 1 and term.group[0].text in groups:
            combined[term.group_name] = groups[term.group[0].text]
    _check_complete(formula, variables, groups | combined)
    offset = None if saved.offset is None else parse_expression(saved.offset)
    return plan_spec(
        formula,
        variables,
        groups | combined,
        contrasts,
        state={call: _load_state(state) for call, state in saved.state.items()},
        context=dict(context),
        offset_argument="array" if saved.offset_given else offset,
    )


def _check_complete(formula: Any, variables: Mapping[str, Any], groups: Mapping[str, Any]) -> None:
    sides = (formula.fixed, *(term.columns for term in formula.random))
    wanted = {variable.text for side in sides for variable in side.variables}
    parts = {part.text for term in formula.random for part in term.group}
    parts |= {term.group_name for term in formula.random}
    if wanted != variables.keys() or not parts <= groups.keys():
        refuse("its variables are not those of its formula")


def _load_factor(saved: SavedFactor) -> Matrix | Factor:
    factor = replace(_levels_only(saved.levels), ordered=saved.ordered)
    if saved.contrast is None:
        return factor
    return replace(factor, contrast=_load_contrast(saved.contrast))


def _levels_only(saved: SavedLevels, unique: bool = True) -> Factor:
    levels: pd.Index[Any] = load_levels(saved)
    if unique and not levels.is_unique:
        refuse("a level stands twice")
    return Factor(np.zeros(0, dtype=np.int32), levels)


def _columns(width: int) -> Matrix:
    """So many columns without rows; one has no name of its own, several are counted."""
    if not 1 <= width <= MAX_COLUMNS:
        refuse(f"a variable has {width} columns")
    names = ("",) if width == 1 else tuple(str(j + 1) for j in range(width))
    return Matrix((np.zeros(0),) * width, names)


def _load_state(saved: State) -> dict[str, Any]:
    state: dict[str, Any] = {}
    for name, value in saved.items():
        if isinstance(value, dict):
            if not all(key.isascii() and key.isdigit() and len(key) < 4 for key in value):
                refuse("what a function learnt from the data has other keys than numbers")
            state[name] = {int(key): number for key, number in value.items()}
        else:
            state[name] = list(value) if isinstance(value, tuple) else value
    return state


def load_contrasts(saved: Mapping[str, SavedContrast] | None) -> dict[str, Contrast] | None:
    """The argument `contrasts=` of the fit."""
    if saved is None:
        return None
    return {name: _load_contrast(contrast) for name, contrast in saved.items()}


def _load_contrast(saved: SavedContrast) -> Contrast:
    given = saved.matrix is not None
    if given != (saved.coding == "matrix") or (saved.names is not None and not given):
        refuse("contrasts are neither a coding nor a matrix")
    if saved.matrix is not None:
        names = saved.names
        if names is not None and len(names) != saved.matrix.shape[1]:
            refuse("a contrast matrix has another number of names than of columns")
    return Contrast(saved.coding, saved.base, saved.base_number, saved.matrix, saved.names)
