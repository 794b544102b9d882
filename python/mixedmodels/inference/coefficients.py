"""The coefficient table: estimates, tests and Wald intervals of the fixed effects."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..printing.tables import ResultTable
from .ddf import TTests, describe, resolve, t_tests
from .distributions import check_level, t_quantile

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["coefficients", "tested_columns"]


def coefficients(model: FittedModel, ddf: str | None, level: float) -> ResultTable:
    """Documented at `Description.coefficients`."""
    method = resolve(model, ddf)
    check_level(level)
    names = list(model.fixef.dropna().index)
    tests = t_tests(model, np.eye(len(names)), method)
    title = f"Fixed effects; tests by {describe(method)}"
    return ResultTable.of({"term": names, **tested_columns(tests, level)}, title)


def tested_columns(tests: TTests, level: float) -> dict[str, NDArray[np.float64]]:
    """estimate, std_error, statistic, df, p_value and the ends conf_low, conf_high."""
    half = t_quantile(0.5 + level / 2, tests.df) * tests.std_error
    return {
        "estimate": tests.estimate,
        "std_error": tests.std_error,
        "statistic": tests.statistic,
        "df": tests.df,
        "p_value": tests.p_value,
        "conf_low": tests.estimate - half,
        "conf_high": tests.estimate + half,
    }
