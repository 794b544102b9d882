"""Sets of contrasts of k means, with R's names: coefficients and labels.

To add a set of differences: one line in `DIFFERENCES`. Any other set: one function labels →
(labels, coefficients) and one line in `OTHERS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import combinations
from math import gcd, lcm
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, closest

__all__ = ["METHODS", "contrast_coefficients"]

Array = NDArray[np.float64]
Contrasts = tuple[list[str], Array]

MAX_DEGREE = 6
DEGREES = ("linear", "quadratic", "cubic", "quartic")
OPERATOR = re.compile(r"[-+*/]")


def contrast_coefficients(method: Any, labels: Sequence[str], sign: str = "-") -> Contrasts:
    """Labels and coefficients, shape (m, k), of contrasts of k means called `labels`.

    Parameters
    ----------
    method
        A name of `METHODS`; a mapping of names to k coefficients; a matrix (m, k), or a DataFrame
        of one with the names as its index.
    sign
        What stands between the means in labels of differences: "/" where they become ratios.

    Raises
    ------
    ArgumentError
        For another name or shape, and where there are fewer than two means to contrast.
    """
    if isinstance(method, str):
        if method not in METHODS:
            hint = closest(method, METHODS) or f": choose one of {', '.join(METHODS)}"
            raise ArgumentError(f"contrasts {method!r} are unknown{hint}")
        if len(labels) < 2:
            raise ArgumentError(f"{method} contrasts need at least two means; there is one")
        if method in DIFFERENCES:
            return _differences(labels, list(DIFFERENCES[method](len(labels))), sign)
        return OTHERS[method](list(labels))
    if isinstance(method, Mapping):
        names, rows = [str(name) for name in method], list(method.values())
    elif isinstance(method, pd.DataFrame):
        names, rows = [str(name) for name in method.index], method.to_numpy().tolist()
    else:
        try:
            rows = np.atleast_2d(np.asarray(method)).tolist()
        except ValueError:  # rows of different lengths, which the check below names
            rows = list(method)
        names = [f"contrast {j + 1}" for j in range(len(rows))]
    return names, _matrix(names, rows, labels)


def _matrix(names: Sequence[str], rows: Sequence[Any], labels: Sequence[str]) -> Array:
    if not rows:
        raise ArgumentError("no contrasts are given; expected names with coefficients")
    for name, row in zip(names, rows, strict=True):
        if np.shape(row) != (len(labels),):
            raise ArgumentError(
                f"contrast '{name}' has coefficients of shape {np.shape(row)}; expected "
                f"{len(labels)}, one for each of: {', '.join(labels[:12])}"
            )
    try:
        matrix = np.asarray(rows, dtype=np.float64)
    except (TypeError, ValueError):
        matrix = np.array([[np.nan]])
    if not np.isfinite(matrix).all():
        raise ArgumentError("the coefficients of the contrasts are not all finite numbers")
    return matrix


def _apart(label: str) -> str:
    """In parentheses where the label could be read as an expression."""
    return f"({label})" if OPERATOR.search(label) else label


def _differences(labels: Sequence[str], pairs: Sequence[tuple[int, int]], sign: str) -> Contrasts:
    """Mean i minus mean j for each pair."""
    matrix = np.zeros((len(pairs), len(labels)))
    for row, (i, j) in zip(matrix, pairs, strict=True):
        row[i], row[j] = 1.0, -1.0
    return [f"{_apart(labels[i])} {sign} {_apart(labels[j])}" for i, j in pairs], matrix


def _effects(labels: list[str]) -> Contrasts:
    k = len(labels)
    return [f"{_apart(label)} effect" for label in labels], np.eye(k) - 1 / k


def _polynomial(labels: list[str]) -> Contrasts:
    """Orthogonal polynomials over the order of the means, in smallest whole numbers."""
    k = len(labels)
    basis = [[Fraction(1)] * k]
    for degree in range(1, min(MAX_DEGREE, k - 1) + 1):
        column = [Fraction(x) ** degree for x in range(k)]
        for other in basis:
            share = _dot(column, other) / _dot(other, other)
            column = [a - share * b for a, b in zip(column, other, strict=True)]
        basis.append(column)
    names = [*DEGREES, *(f"degree {d}" for d in range(len(DEGREES) + 1, MAX_DEGREE + 1))]
    return names[: len(basis) - 1], np.array([_whole(column) for column in basis[1:]])


def _dot(a: Sequence[Fraction], b: Sequence[Fraction]) -> Fraction:
    return sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))


def _whole(column: Sequence[Fraction]) -> list[float]:
    numbers = [int(x * lcm(*(y.denominator for y in column))) for x in column]
    return [x / gcd(*numbers) for x in numbers]


DIFFERENCES: dict[str, Callable[[int], Iterable[tuple[int, int]]]] = {
    "pairwise": lambda k: combinations(range(k), 2),
    "revpairwise": lambda k: ((j, i) for j in range(k) for i in range(j)),
    "trt.vs.ctrl": lambda k: ((j, 0) for j in range(1, k)),
    "consec": lambda k: ((j, j - 1) for j in range(1, k)),
}
OTHERS: dict[str, Callable[[list[str]], Contrasts]] = {"eff": _effects, "poly": _polynomial}
METHODS = (*DIFFERENCES, *OTHERS)
