"""Plans + evaluated variables → the arguments of the kernel's `Design`.

The kernel receives each numeric column and each array of codes once, by position, and every
model-matrix column as a recipe of positions and tables.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..formulas.transforms import Matrix
from ..input_tables.factors import Factor
from .coding import ColumnPlan, MatrixPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Recipe = tuple[list[int], list[tuple[int, NDArray[np.float64]]]]

__all__ = ["Sources", "design_arguments"]


class Sources:
    """Numeric columns and code arrays in the order of first use, each once."""

    def __init__(self, variables: Mapping[str, Matrix | Factor]):
        self.variables = variables
        self.numeric: list[NDArray[np.float64]] = []
        self.codes: list[NDArray[np.int32]] = []
        self._numeric_at: dict[tuple[str, int], int] = {}
        self._codes_at: dict[str, int] = {}

    def recipe(self, column: ColumnPlan) -> Recipe:
        numeric = [self._numeric(name, j) for name, j in column.numeric]
        return numeric, [(self._coded(name), table) for name, table in column.coded]

    def _numeric(self, name: str, j: int) -> int:
        if (name, j) not in self._numeric_at:
            variable = self.variables[name]
            assert isinstance(variable, Matrix)
            self._numeric_at[name, j] = len(self.numeric)
            self.numeric.append(variable.columns[j])
        return self._numeric_at[name, j]

    def _coded(self, name: str) -> int:
        if name not in self._codes_at:
            variable = self.variables[name]
            assert isinstance(variable, Factor)
            self._codes_at[name] = len(self.codes)
            self.codes.append(variable.codes)
        return self._codes_at[name]


def design_arguments(
    n_table: int,
    variables: Mapping[str, Matrix | Factor],
    fixed: MatrixPlan,
    random: Sequence[tuple[str, MatrixPlan]],
    groups: Mapping[str, tuple[NDArray[np.int32], int]],
    **rest: Any,
) -> dict[str, Any]:
    """Keyword arguments for `_core.Design`.

    `random` are (group name, columns) in public order; `groups` maps a name to codes (n_table,) and
    the number of levels; `rest` is rows, response, weights, offset (each None where there is none).
    """
    sources = Sources(variables)
    fixed_recipes = [sources.recipe(column) for column in fixed.columns]
    names = list(dict.fromkeys(name for name, _ in random))
    terms = [
        (names.index(name), [sources.recipe(column) for column in plan.columns])
        for name, plan in random
    ]
    given = {"rows": None, "response": None, "weights": None, "offset": None} | rest
    return {
        "n_table": n_table,
        "numeric": sources.numeric,
        "codes": sources.codes,
        "fixed": fixed_recipes,
        "groups": [groups[name] for name in names],
        "terms": terms,
        "constant": fixed.constant,
        **given,
    }
