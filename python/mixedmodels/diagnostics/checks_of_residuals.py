"""Checks of a linear model's residuals: normal, of one variance everywhere, in every group?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..inference.distributions import chi2_upper, f_upper
from ..input_tables.factors import show
from ..models.linear import Linear
from ..models.rows import group_codes
from .check_report import Check, Skipped, Verdict, grade, p_text
from .normality import FEWEST, Normality, normality

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["departure", "grade_normality", "normal_residuals", "one_variance", "same_in_groups"]

Array = NDArray[np.float64]

SKEWED, LONG_TAILED = (0.5, 1.0), (1.0, 3.0)  # skewness, kurtosis: of a note, of a problem
SPREADS = (1.5, 3.0)  # ratio of standard deviations: of a note, of a problem
SHARES = (0.02, 0.1)  # of the variance of absolute deviations that groups explain: the same
ROBUST = (
    "standard errors may be off: use robust ones (m.vcov_robust) and give rows their weights "
    "(weights=), or "
)
OF_THE_MEAN = "model log(response), or a gamma response (mm.glmer), if the spread grows"
OF_GROUPS = "look for what sets the groups of large spread apart"
ROWS = 5  # of a group whose spread can be told


def normal_residuals(model: FittedModel) -> list[Check | Skipped]:
    """Normality of the residuals (conditional, scaled): Shapiro-Francia with effect sizes."""
    if not isinstance(model, Linear):
        return []
    residuals = model._residuals("scaled")
    if not _testable(residuals):
        return [Skipped("normality of residuals", "there are too few residuals, or all are equal")]
    found = normality(residuals)
    verdict = grade_normality(found)
    extreme = int(np.argmax(np.abs(residuals)))
    advice = (
        "fixed effects and their tests usually stand it; prediction intervals do not. Look at "
        f"m.plot.qq(), and first at row {show(model._matrices.index[extreme])}, whose residual is "
        f"{residuals[extreme]:.1f} standard deviations; transform the response (log) if it is "
        "skewed, or look for a missing predictor"
    )
    return [
        Check(
            name="normality of residuals",
            finding=departure(found, verdict),
            verdict=verdict,
            statistic=found.w,
            p_value=found.p_value,
            advice="" if verdict == "ok" else advice,
        )
    ]


def _testable(values: Array) -> bool:
    return len(values) >= FEWEST and float(np.ptp(values)) > 0


def grade_normality(found: Normality) -> Verdict:
    """A departure counts if it is certain, and large in skewness or in kurtosis."""
    skewness, kurtosis = abs(found.skewness), abs(found.kurtosis)
    large = max(skewness / SKEWED[1], kurtosis / LONG_TAILED[1])
    notable = max(skewness / SKEWED[0], kurtosis / LONG_TAILED[0])
    verdict = grade(found.p_value, large, 0.0, 1.0)
    return verdict if notable >= 1 else "ok"


def departure(found: Normality, verdict: Verdict) -> str:
    """The shape in words, with its numbers."""
    shape = "no clear departure" if verdict == "ok" else " and ".join(_shapes(found))
    return (
        f"{shape} (skewness {found.skewness:.2f}, excess kurtosis {found.kurtosis:.2f}; "
        f"Shapiro-Francia W' = {found.w:.4f}, {p_text(found.p_value)})"
    )


def _shapes(found: Normality) -> list[str]:
    shapes = []
    if abs(found.skewness) >= SKEWED[0]:
        shapes.append(f"a long tail to the {'right' if found.skewness > 0 else 'left'}")
    if abs(found.kurtosis) >= LONG_TAILED[0]:
        count = "more" if found.kurtosis > 0 else "fewer"
        shapes.append(f"{count} extreme values than a normal distribution has")
    return shapes


# --- Heteroscedasticity ---


def one_variance(model: FittedModel) -> list[Check | Skipped]:
    """Whether the residual variance changes with the fitted values.

    The score test of Breusch & Pagan (1979) in Koenker's (1981, J. Econometrics 17) form, which
    needs no normality: n times the squared correlation of e² and the fitted values is χ²₁.
    """
    if not isinstance(model, Linear):
        return []
    squares, fitted = model._residuals("pearson") ** 2, model._fitted
    if not (_testable(squares) and _testable(fitted)):
        return []
    lm = len(squares) * float(np.corrcoef(squares, fitted)[0, 1] ** 2)
    p_value = chi2_upper(lm, 1)
    low, high = np.quantile(fitted, [1 / 3, 2 / 3])
    spread_low, spread_high = (
        float(np.sqrt(squares[rows].mean())) for rows in (fitted <= low, fitted >= high)
    )
    smaller, larger = sorted([spread_low, spread_high])
    verdict = grade(p_value, larger / smaller if smaller > 0 else np.inf, *SPREADS)
    return [
        Check(
            name="constant variance",
            finding=f"the residual standard deviation is {spread_low:.3g} in the third of rows "
            f"with the lowest fitted values and {spread_high:.3g} in the highest (Breusch-Pagan "
            f"χ² = {lm:.2f}, {p_text(p_value)})",
            verdict=verdict,
            statistic=lm,
            p_value=p_value,
            advice="" if verdict == "ok" else f"{ROBUST}{OF_THE_MEAN}",
        )
    ]


def same_in_groups(model: FittedModel) -> list[Check | Skipped]:
    """Whether the residuals spread alike in all levels of the leading grouping factor."""
    terms = model._matrices.terms
    if not isinstance(model, Linear) or not terms:
        return []
    group = terms[0].group
    name = f"equal variance by {group}"
    try:
        codes = group_codes(model, group)
    except ArgumentError as error:
        return [Skipped(name, str(error))]
    residuals, codes = _large_groups(model._residuals("pearson"), codes)
    if len(residuals) == 0 or codes.max() < 1 or float(np.ptp(residuals)) == 0:
        return [Skipped(name, f"fewer than two levels of {group} have {ROWS} rows")]
    return [_levene(name, residuals, codes)]


def _large_groups(residuals: Array, codes: NDArray[np.intp]) -> tuple[Array, NDArray[np.intp]]:
    """The rows of groups that are large enough, and their groups, numbered anew."""
    large = np.bincount(codes) >= ROWS
    rows = large[codes]
    return residuals[rows], (np.cumsum(large) - 1)[codes[rows]]


def _levene(name: str, residuals: Array, codes: NDArray[np.intp]) -> Check:
    """Levene's test from the medians (Brown & Forsythe 1974, JASA 69): the F test of one-way
    analysis of variance on the absolute deviations; its ω² is the size of the departure."""
    sizes = np.bincount(codes)
    deviations = np.abs(residuals - _medians(residuals, codes, sizes)[codes])
    means = np.bincount(codes, deviations) / sizes
    between = float((sizes * (means - deviations.mean()) ** 2).sum())
    within = float(((deviations - means[codes]) ** 2).sum())
    df1, df2 = len(sizes) - 1, len(codes) - len(sizes)
    f = between / df1 / (within / df2)
    share = (between - df1 * within / df2) / (between + within + within / df2)
    p_value = f_upper(f, df1, df2)
    sums = np.bincount(codes, residuals**2) - np.bincount(codes, residuals) ** 2 / sizes
    low, high = np.quantile(np.sqrt(np.maximum(sums, 0) / (sizes - 1)), [0.1, 0.9])
    verdict = grade(p_value, share, *SHARES)
    return Check(
        name=name,
        finding=f"residual standard deviations within groups run from {low:.3g} to {high:.3g} (10% "
        f"and 90% of groups; Levene F = {f:.2f}, {p_text(p_value)})",
        verdict=verdict,
        statistic=f,
        p_value=p_value,
        advice="" if verdict == "ok" else f"{ROBUST}{OF_GROUPS}",
    )


def _medians(values: Array, codes: NDArray[np.intp], sizes: NDArray[np.intp]) -> Array:
    """The median of each group's values."""
    ordered = values[np.lexsort((values, codes))]
    start = np.cumsum(sizes) - sizes
    medians: Array = (ordered[start + (sizes - 1) // 2] + ordered[start + sizes // 2]) / 2
    return medians
