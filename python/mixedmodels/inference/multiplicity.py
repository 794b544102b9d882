"""Adjustment of p-values and intervals for many comparisons within one family.

    tukey        all pairs of k means: the studentised range of k (Tukey 1953; Kramer 1956)
    holm         step-down Bonferroni (Holm 1979, Scand. J. Stat. 6, 65-70); intervals: bonferroni
    bonferroni   m p
    sidak        1 − (1 − p)^m (Šidák 1967, J. Am. Stat. Assoc. 62, 626-633)
    none

To add a method: one entry in `METHODS`, and its line in the two functions.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from .distributions import t_quantile
from .studentized_range import studentized_range_quantile, studentized_range_upper

__all__ = ["Adjustment", "adjusted_p_values", "check_adjustment", "critical_values", "holm"]

Array = NDArray[np.float64]
Adjustment = Literal["tukey", "holm", "bonferroni", "sidak", "none"]


def check_adjustment(adjust: str, all_pairs: bool) -> Adjustment:
    """The method meant; raises `ArgumentError` for another name, and for tukey of other
    contrasts."""
    if adjust not in get_args(Adjustment):
        raise ArgumentError(f"adjust={adjust!r}: choose one of {', '.join(get_args(Adjustment))}")
    if adjust == "tukey" and not all_pairs:
        raise ArgumentError(
            "adjust='tukey' is for all pairwise differences of a set of means; these are other "
            "contrasts: use 'holm', 'sidak' or 'bonferroni'"
        )
    return adjust  # type: ignore[return-value]


def adjusted_p_values(
    adjust: Adjustment, statistic: Array, df: Array, p_value: Array, n_means: int
) -> Array:
    """Adjusted p-values of one family, shape (m,); NaN (a test that could not be made) does not
    count and stays.

    Parameters
    ----------
    statistic, df, p_value
        Of the single tests, shape (m,).
    n_means
        Number of means compared, for tukey.
    """
    adjusted, made = p_value.copy(), ~np.isnan(p_value)
    p, m = p_value[made], int(made.sum())
    if adjust == "tukey" and n_means > 2:  # for two, the range is the t test itself
        q = np.sqrt(2) * np.abs(statistic[made])
        pairs = zip(q, df[made], strict=True)
        adjusted[made] = [studentized_range_upper(float(a), n_means, float(b)) for a, b in pairs]
    elif adjust == "holm":
        adjusted[made] = holm(p)
    elif adjust == "bonferroni":
        adjusted[made] = np.minimum(m * p, 1.0)
    elif adjust == "sidak":
        with np.errstate(divide="ignore"):
            adjusted[made] = -np.expm1(m * np.log1p(-p))
    return adjusted


def holm(p_value: Array) -> Array:
    """Holm's step-down p-values, shape (m,).

    >>> holm(np.array([0.01, 0.04, 0.03])).round(2).tolist()
    [0.03, 0.06, 0.06]
    """
    m = len(p_value)
    order = np.argsort(p_value)
    result = np.empty(m)
    steps = (m - np.arange(m)) * p_value[order]
    result[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return result


def critical_values(
    adjust: Adjustment, level: float, df: Array, n_tests: int, n_means: int
) -> Array:
    """Multiples of the standard error that make intervals of joint coverage `level`, shape (m,)."""
    alpha = 1 - level
    if adjust == "tukey" and n_means > 2:
        distinct, where = np.unique(df, return_inverse=True)  # NaNs are one value
        quantiles = [studentized_range_quantile(alpha, n_means, float(d)) for d in distinct]
        return np.asarray(np.array(quantiles)[where] / np.sqrt(2))
    if adjust in ("holm", "bonferroni"):
        alpha /= max(n_tests, 1)
    elif adjust == "sidak":
        alpha = -np.expm1(np.log(level) / max(n_tests, 1))
    return t_quantile(1 - alpha / 2, df)
