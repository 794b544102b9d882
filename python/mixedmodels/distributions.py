"""Tail probabilities, from scipy.special (scipy.stats takes two seconds to import)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["chi2_upper", "f_upper", "t_two_sided"]


def chi2_upper(x: float, df: float) -> float:
    """P(χ²_df > x); χ²_0 is the constant zero."""
    from scipy.special import chdtrc

    if df == 0:
        return float(x <= 0)
    return float(chdtrc(df, max(x, 0.0)))


def f_upper(f: float, df1: float, df2: float) -> float:
    """P(F > f)."""
    from scipy.special import fdtrc

    return float(fdtrc(df1, df2, f))


def t_two_sided(t: ArrayLike, df: ArrayLike) -> NDArray[np.float64]:
    """P(|T| > |t|), elementwise."""
    from scipy.special import stdtr

    lower = stdtr(np.asarray(df, dtype=np.float64), -np.abs(np.asarray(t, dtype=np.float64)))
    return np.asarray(2 * lower, dtype=np.float64)
