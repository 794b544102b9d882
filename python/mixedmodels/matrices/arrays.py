"""Arrays instead of a formula: `y`, `X`, [(Z, groups), ...] → the arguments of a `Design`.

Columns stay views on the caller's arrays.  A column that is 1 in every row is the intercept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import DataError
from ..input_tables.columns import Table, check_magnitude
from ..input_tables.factors import Factor

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
    Recipe = tuple[list[int], list[tuple[int, Array]]]

__all__ = ["ArrayModel", "array_model"]


@dataclass
class ArrayModel:
    """`arguments` for the kernel; `terms` are (group, column names, levels) in the order given."""

    n: int
    fixed_names: tuple[str, ...]
    arguments: dict[str, Any]
    terms: list[tuple[str, tuple[str, ...], pd.Index[Any]]] = field(default_factory=list)


def array_model(y: Any, X: Any, terms: Any, weights: Any, offset: Any) -> ArrayModel:
    """Check the arrays and describe them to the kernel; raises `DataError` naming the argument."""
    response = _vector(y, "y", None)
    n = len(response)
    if n == 0:
        raise DataError("y is empty; expected at least one value")
    numeric: list[Array] = []
    fixed, fixed_names = _columns(X, "X", n, numeric)
    constant = _constant(fixed)
    given = None if weights is None else _vector(weights, "weights", n)
    arguments: dict[str, Any] = {
        "n_table": n,
        "rows": _positive(given),
        "numeric": numeric,
        "codes": [],
        "fixed": fixed,
        "groups": [],
        "terms": [],
        "response": response,
        "weights": given,
        "offset": None if offset is None else _vector(offset, "offset", n),
        "constant": constant,
    }
    model = ArrayModel(n, fixed_names, arguments)
    known: list[tuple[Any, str, Factor]] = []
    if not isinstance(terms, Sequence) or len(terms) == 0:
        raise DataError("there is no random-effects term; give terms=[(Z, groups), ...]")
    for t, term in enumerate(terms):
        _add_term(model, term, t, known)
    return model


def _add_term(model: ArrayModel, term: Any, t: int, known: list[tuple[Any, str, Factor]]) -> None:
    try:
        Z, groups = term
    except (TypeError, ValueError):
        raise DataError(f"terms[{t}] is not a pair; expected (Z, groups)") from None
    recipes, names = _columns(Z, f"Z of terms[{t}]", model.n, model.arguments["numeric"])
    at = next((k for k, (array, _, _) in enumerate(known) if array is groups), None)
    if at is None:
        factor = _group(groups, t, model)
        known.append((groups, _group_name(groups, len(known), known), factor))
        model.arguments["groups"].append((factor.codes, len(factor.levels)))
        at = len(known) - 1
    _, name, factor = known[at]
    model.arguments["terms"].append((at, recipes))
    model.terms.append((name, names, factor.levels))


def _group(groups: Any, t: int, model: ArrayModel) -> Factor:
    what = f"groups of terms[{t}]"
    if np.ndim(groups) != 1:
        raise DataError(f"{what} have {np.ndim(groups)} dimensions; expected one label a row")
    if len(groups) != model.n:
        raise DataError(f"{what} have {len(groups)} values; y has {model.n}")
    factor = Table({what: groups}).column(what).factor
    missing = factor.missing()
    if missing is not None:
        raise DataError(f"{what} are missing in row {int(np.argmax(missing))}")
    return factor.drop_unused(model.arguments["rows"])


def _group_name(groups: Any, k: int, known: Sequence[tuple[Any, str, Factor]]) -> str:
    name = _own_name(groups)
    taken = {name for _, name, _ in known}
    return name if name and name not in taken else f"g{k + 1}"


def _own_name(values: Any) -> str:
    """The name of a Series; empty for other arrays."""
    name = getattr(values, "name", None)
    return "" if name is None else str(name)


def _columns(
    values: Any, what: str, n: int, numeric: list[Array]
) -> tuple[list[Recipe], tuple[str, ...]]:
    """Recipes and names of the columns of a matrix (n, k) or a vector (n,)."""
    if isinstance(values, pd.DataFrame):
        columns = [values.iloc[:, j] for j in range(values.shape[1])]
        names = [str(name) for name in values.columns]
    elif np.ndim(values) == 1:
        columns = [values]
        names = [_own_name(values)]
    else:
        array = np.asarray(values)
        if array.ndim != 2:
            raise DataError(f"{what} has {array.ndim} dimensions; expected (n,) or (n, k)")
        columns = list(array.T)
        names = [""] * len(columns)
    recipes: list[Recipe] = []
    labels = []
    for j, (column, given) in enumerate(zip(columns, names, strict=True)):
        vector = _vector(column, what, n)
        is_one = bool(np.all(vector == 1.0))
        labels.append(given or ("(Intercept)" if is_one else f"x{j + 1}"))
        recipes.append(([], []) if is_one else ([len(numeric)], []))
        if not is_one:
            numeric.append(vector)
    return recipes, tuple(labels)


def _vector(values: Any, what: str, n: int | None) -> Array:
    if np.ndim(values) != 1:
        raise DataError(f"{what} has {np.ndim(values)} dimensions; expected (n,)")
    if n is not None and len(values) != n:
        raise DataError(f"{what} has {len(values)} rows; y has {n}")
    vector = Table({what: values}).column(what).numeric
    finite = np.isfinite(vector)
    if not finite.all():
        row = int(np.argmin(finite))
        raise DataError(f"{what} is {vector[row]:g} in row {row}; expected finite numbers")
    check_magnitude(what, vector)
    return vector


def _positive(weights: Array | None) -> NDArray[np.uint32] | None:
    if weights is None or (weights > 0).all():
        return None
    if (weights < 0).any():
        row = int(np.argmax(weights < 0))
        raise DataError(f"the weight of row {row} is {weights[row]:g}; expected at least 0")
    rows = np.flatnonzero(weights > 0).astype(np.uint32)
    if len(rows) == 0:
        raise DataError("no row is left: every weight is zero")
    return rows


def _constant(fixed: list[Recipe]) -> Array | None:
    for j, recipe in enumerate(fixed):
        if recipe == ([], []):
            constant = np.zeros(len(fixed))
            constant[j] = 1.0
            return constant
    return None
