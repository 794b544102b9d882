"""The names that a fit uses."""

from __future__ import annotations

import pytest

from mixedmodels.formulas.formula import parse
from mixedmodels.formulas.variables_used import names_used

USED = {
    "log(y) ~ I(a + b)^2 + offset(c) + (d | e/f)": {"log", "y", "I", "a", "b", "c", "d", "e", "f"},
    "cbind(s, n - s) ~ `my column` + square(x)": {"cbind", "s", "n", "my column", "square", "x"},
    "y ~ C(f, mine) + (1 | factor(g))": {"y", "C", "f", "mine", "factor", "g"},
}


@pytest.mark.parametrize("formula", USED)
def test_names_of_columns_and_functions(formula: str) -> None:
    assert names_used(parse(formula), None, None) == USED[formula]


def test_weights_and_offset() -> None:
    """Expressions, and columns with names that are none."""
    found = names_used(parse("y ~ 1"), "2 * w", "log(my offset")
    assert found == {"y", "w", "2 * w", "log(my offset"}
