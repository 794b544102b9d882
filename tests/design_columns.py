"""A numpy evaluation of the kernel's column recipes, to test designs without the kernel."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mixedmodels.formulas.formula import parse
from mixedmodels.matrices.model_frame import model_frame
from mixedmodels.matrices.model_matrix import plan_model


def plan(formula: str, data: Any, *, contrasts: Any = None, **rest: Any) -> Any:
    """(arguments, spec, terms) of a formula on data."""
    return plan_model(model_frame(parse(formula), data, **rest), contrasts)


def column(arguments: dict[str, Any], recipe: Any) -> NDArray[np.float64]:
    """One column over all rows of the table; a code of -1 is missing."""
    out = np.ones(arguments["n_table"])
    for k in recipe[0]:
        out = out * arguments["numeric"][k]
    for c, table in recipe[1]:
        out = out * np.append(table, np.nan)[arguments["codes"][c]]
    return out


def matrix(arguments: dict[str, Any], recipes: Any = None) -> NDArray[np.float64]:
    """The columns of `recipes` (default: the fixed part) over the kept rows."""
    recipes = arguments["fixed"] if recipes is None else recipes
    columns = [column(arguments, recipe) for recipe in recipes]
    full = np.column_stack(columns) if columns else np.empty((arguments["n_table"], 0))
    return full if arguments["rows"] is None else full[arguments["rows"]]


def fixed(formula: str, data: Any, **rest: Any) -> tuple[list[str], NDArray[np.float64]]:
    """Names and columns of the fixed part."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        arguments, spec, _ = plan(formula, data, **rest)
    return list(spec.fixed.names), matrix(arguments)
