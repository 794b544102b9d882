"""Contrasts: how the levels of a factor become columns, with R's numbers and R's column names.

    treatment   one column a level but the base            period2, period3
    sum         last level is minus the sum of the others  recipe1, recipe2
    helmert     each level against the mean of those before
    poly        orthogonal polynomials over the level's rank      temperature.L, .Q, .C, ^4

To add a coding: one function k -> (k, m) matrix and its suffixes, and one line in `_CODINGS`.
Definitions as in Chambers & Hastie (1992), "Statistical Models in S", §2.3.2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import DataError, FormulaError, closest
from ..input_tables.factors import Factor, level_label

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Coding", "Contrast", "code_levels", "contrast_from", "default_contrast", "dummies"]

MAX_POLYNOMIAL_LEVELS = 95  # beyond, orthogonal polynomials lose their digits (R's limit)


@dataclass(frozen=True)
class Contrast:
    """A choice of coding: a name of `_CODINGS`, or a `matrix` with one row per level.

    `base` is the base level of treatment contrasts: a level, or R's 1-based number as
    `base_number`.
    """

    coding: str
    base: Any = None
    base_number: int | None = None
    matrix: NDArray[np.float64] | None = None
    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Coding:
    """Columns of one factor: `tables[m]` has one value per level; `suffixes[m]` ends its name."""

    tables: tuple[NDArray[np.float64], ...]
    suffixes: tuple[str, ...]
    is_dummies: bool = False


def dummies(factor: Factor) -> Coding:
    """One indicator per level: `MachineA`, `MachineB`, `MachineC`."""
    return Coding(_indicators(len(factor.levels)), tuple(factor.labels()), is_dummies=True)


def _indicators(k: int) -> tuple[NDArray[np.float64], ...]:
    """The unit vectors of length k as views on one array: k levels cost 2k numbers, not k²."""
    band = np.zeros(max(2 * k - 1, 0))
    band[k - 1 : k] = 1.0
    return tuple(band[k - 1 - j : 2 * k - 1 - j] for j in range(k))


def default_contrast(factor: Factor) -> Contrast:
    """Polynomials for ordered factors, treatment with the first level as base for others."""
    return factor.contrast or Contrast("poly" if factor.ordered else "treatment")


def code_levels(factor: Factor, contrast: Contrast, name: str) -> Coding:
    """The columns of `factor` under `contrast`; raises `DataError` naming the factor.

    >>> f = Factor(np.array([0, 1, 2], np.int32), pd.Index(["a", "b", "c"]))
    >>> code_levels(f, Contrast("sum"), "f").suffixes
    ('1', '2')
    """
    k = len(factor.levels)
    if k < 2:
        only = f" ('{level_label(factor.levels[0])}')" if k else ""
        raise DataError(
            f"factor '{name}' has {k} level{'s' if k != 1 else ''}{only} in the rows used; "
            "contrasts need at least 2. Remove it from the formula"
        )
    if contrast.matrix is not None:
        return _custom(contrast, k, name)
    return _CODINGS[contrast.coding](factor, contrast, name)


def _custom(contrast: Contrast, k: int, name: str) -> Coding:
    matrix = contrast.matrix
    assert matrix is not None
    if matrix.ndim != 2 or matrix.shape[0] != k or not 1 <= matrix.shape[1] <= k:
        raise DataError(
            f"the contrasts of '{name}' are a matrix of shape {matrix.shape}; expected one row for "
            f"each of its {k} levels and at most {k - 1} columns"
        )
    return _coding(matrix, contrast.names or _numbers(matrix.shape[1]))


def _coding(matrix: NDArray[np.float64], suffixes: tuple[str, ...]) -> Coding:
    tables = tuple(np.ascontiguousarray(column, dtype=np.float64) for column in matrix.T)
    return Coding(tables, suffixes)


def _numbers(m: int) -> tuple[str, ...]:
    return tuple(str(j) for j in range(1, m + 1))


def _treatment(factor: Factor, contrast: Contrast, name: str) -> Coding:
    base = _base_position(factor, contrast, name)
    full = dummies(factor)
    keep = [j for j in range(len(factor.levels)) if j != base]
    return Coding(tuple(full.tables[j] for j in keep), tuple(full.suffixes[j] for j in keep))


def _base_position(factor: Factor, contrast: Contrast, name: str) -> int:
    labels = factor.labels()
    if contrast.base is not None and level_label(contrast.base) in labels:
        return labels.index(level_label(contrast.base))
    if contrast.base is not None and contrast.base_number is None:
        raise DataError(
            f"the base level '{contrast.base}' is not a level of '{name}'"
            f"{closest(str(contrast.base), labels)} (levels: {', '.join(labels[:12])})"
        )
    number = 1 if contrast.base_number is None else contrast.base_number
    number = len(labels) if number == 0 else number
    if not 1 <= number <= len(labels):
        raise DataError(f"base {number} of '{name}' is outside its levels 1 to {len(labels)}")
    return number - 1


def _sum(factor: Factor, contrast: Contrast, name: str) -> Coding:
    k = len(factor.levels)
    return _coding(np.vstack([np.eye(k - 1), -np.ones(k - 1)]), _numbers(k - 1))


def _helmert(factor: Factor, contrast: Contrast, name: str) -> Coding:
    k = len(factor.levels)
    matrix = np.triu(-np.ones((k, k - 1)))
    matrix[np.arange(1, k), np.arange(k - 1)] = np.arange(1, k)
    return _coding(matrix, _numbers(k - 1))


def _poly(factor: Factor, contrast: Contrast, name: str) -> Coding:
    """Orthonormal polynomials in the rank, leading coefficients positive."""
    k = len(factor.levels)
    if k > MAX_POLYNOMIAL_LEVELS:
        raise DataError(
            f"ordered factor '{name}' has {k} levels; polynomial contrasts are accurate up to "
            f"{MAX_POLYNOMIAL_LEVELS}. Use C({name}, contr.treatment), or its number as a predictor"
        )
    basis = np.full((k, 1), 1 / np.sqrt(k))
    rank = np.linspace(-1.0, 1.0, k)
    for _ in range(1, k):
        column = rank * basis[:, -1]
        for _twice in range(2):  # the second pass removes what rounding left of the first
            column = column - basis @ (basis.T @ column)
        basis = np.column_stack([basis, column / np.linalg.norm(column)])
    suffixes = [(".L", ".Q", ".C")[d - 1] if d <= 3 else f"^{d}" for d in range(1, k)]
    return _coding(basis[:, 1:], tuple(suffixes))


_CODINGS: dict[str, Callable[[Factor, Contrast, str], Coding]] = {
    "treatment": _treatment,
    "sum": _sum,
    "helmert": _helmert,
    "poly": _poly,
}

_SPELLINGS = {
    "treatment": "treatment", "Treatment": "treatment", "sum": "sum", "Sum": "sum",
    "helmert": "helmert", "Helmert": "helmert", "poly": "poly", "Poly": "poly", "SAS": "SAS",
}  # fmt: skip


def contrast_named(name: str) -> Contrast | None:
    """The contrast of a spelling (`contr.sum`, `sum`, `Sum`), or None."""
    coding = _SPELLINGS.get(name.removeprefix("contr."))
    return Contrast("treatment", base_number=0) if coding == "SAS" else coding and Contrast(coding)  # type: ignore[return-value]


def contrast_from(value: Any, name: str) -> Contrast:
    """A contrast as a caller gives it: a name, a `Contrast`, or a matrix (levels × columns).

    Raises `FormulaError` for an unknown name, `DataError` for something else altogether.

    >>> contrast_from("contr.sum", "f").coding
    'sum'
    """
    if isinstance(value, Contrast):
        return value
    if isinstance(value, str):
        found = contrast_named(value)
        if found is None:
            raise FormulaError(
                f"contrast '{value}' of '{name}' is unknown; there are treatment, sum, helmert, "
                "poly and SAS (or a matrix with one row per level)"
            )
        return found
    try:
        matrix = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"the contrasts of '{name}' are neither a name nor a matrix") from None
    if matrix.ndim not in (1, 2):
        raise DataError(f"the contrasts of '{name}' are neither a name nor a matrix")
    if not np.isfinite(matrix).all():
        raise DataError(f"the contrast matrix of '{name}' has values that are not finite")
    names = tuple(str(c) for c in value.columns) if isinstance(value, pd.DataFrame) else None
    return Contrast("matrix", matrix=matrix.reshape(len(matrix), -1), names=names)
