"""Adjusted p-values and critical values; the studentised range."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from scipy.special import gammaln, ndtr, stdtr

import mixedmodels as mm
from mixedmodels.inference.multiplicity import (
    Adjustment,
    adjusted_p_values,
    check_adjustment,
    critical_values,
    holm,
)
from mixedmodels.inference.studentized_range import (
    studentized_range_quantile,
    studentized_range_upper,
)

NODES, WEIGHTS = np.polynomial.legendre.leggauss(600)


def by_quadrature(q: float, k: int, df: float) -> float:
    """P(Q > q) as it is defined, one minus the lower tail, by Gauss-Legendre over z and s."""
    z, s = 9 * NODES, 3 * (NODES + 1)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    inside = (ndtr(z) - ndtr(z - q * s[:, None])) ** (k - 1)
    lower = k * (9 * WEIGHTS * density * inside).sum(axis=1)
    log_constant = df / 2 * np.log(df) - gammaln(df / 2) - (df / 2 - 1) * np.log(2)
    mixing = np.exp(log_constant + (df - 1) * np.log(s) - df * s * s / 2)
    return float((3 * WEIGHTS * mixing * (1 - lower)).sum())


# Upper 5 % points from printed tables (Harter 1960, Ann. Math. Stat. 31, 1122-1147): (k, df) → q
TABLE = {
    (2, 5): 3.635, (3, 5): 4.602, (10, 5): 6.995, (3, 10): 3.877, (20, 10): 6.467,
    (5, 20): 4.232, (3, np.inf): 3.314, (10, np.inf): 4.474, (100, np.inf): 6.085,
}  # fmt: skip


class TestStudentizedRange:
    @pytest.mark.parametrize("k", [2, 3, 7, 40])
    @pytest.mark.parametrize("df", [3.3, 5.0, 42.0, 309.6])
    @pytest.mark.parametrize("q", [0.4, 2.0, 3.7, 9.03621091706536 * 2**0.5])
    def test_upper_tail(self, q: float, k: int, df: float) -> None:
        expected = by_quadrature(q, k, df)
        assert studentized_range_upper(q, k, df) == pytest.approx(expected, rel=1e-8, abs=1e-12)

    @pytest.mark.parametrize(("k", "df"), TABLE)
    def test_printed_quantiles(self, k: int, df: float) -> None:
        assert studentized_range_quantile(0.05, k, df) == pytest.approx(TABLE[k, df], abs=6e-4)

    @pytest.mark.parametrize("df", [0.3, 1.0, 8.87, 1e4])
    @pytest.mark.parametrize("q", [0.01, 1.0, 20.0])
    def test_two_means_are_a_t_test(self, q: float, df: float) -> None:
        """To the last digits, far into the tail (1e-45)."""
        expected = 2 * stdtr(df, -q / np.sqrt(2))
        assert studentized_range_upper(q, 2, df) == pytest.approx(expected, rel=1e-10)

    @pytest.mark.parametrize(("k", "df"), [(3, 8.87), (5, np.inf), (12, 1.5)])
    def test_the_quantile_inverts_the_tail(self, k: int, df: float) -> None:
        q = studentized_range_quantile(0.01, k, df)
        assert studentized_range_upper(q, k, df) == pytest.approx(0.01, rel=1e-8)

    def test_ends(self) -> None:
        assert studentized_range_upper(0.0, 3, 5.0) == 1.0
        assert studentized_range_upper(np.inf, 3, 5.0) == 0.0
        assert np.isnan(studentized_range_upper(np.nan, 3, 5.0))
        assert np.isnan(studentized_range_quantile(0.05, 3, np.nan))


P = np.array([0.01, 0.04, 0.03, np.nan, 0.2])
ADJUSTED = {  # by hand; the test that could not be made does not count
    "holm": [0.04, 0.09, 0.09, np.nan, 0.2],
    "bonferroni": [0.04, 0.16, 0.12, np.nan, 0.8],
    "sidak": [1 - 0.99**4, 1 - 0.96**4, 1 - 0.97**4, np.nan, 1 - 0.8**4],
    "none": P.tolist(),
}


@pytest.mark.parametrize("adjust", ADJUSTED)
def test_adjusted_p_values(adjust: Adjustment) -> None:
    nothing = np.full(5, np.nan)
    adjusted = adjusted_p_values(adjust, nothing, nothing, P, n_means=5)
    np.testing.assert_allclose(adjusted, ADJUSTED[adjust])


def test_p_values_stay_below_one() -> None:
    np.testing.assert_array_equal(holm(np.array([0.6, 0.9, 1.0])), [1, 1, 1])
    small = adjusted_p_values("sidak", np.zeros(2), np.ones(2), np.array([1e-20, 1.0]), 2)
    np.testing.assert_allclose(small, [2e-20, 1])


@pytest.mark.parametrize("adjust", get_args(Adjustment))
def test_an_interval_excludes_zero_where_its_p_value_is_small(adjust: Adjustment) -> None:
    """Holm's p-values are smaller than those of its (bonferroni) intervals."""
    df = np.array([8.87, 42.0, np.inf])
    factor = critical_values(adjust, 0.95, df, n_tests=3, n_means=3)
    p = 2 * np.where(np.isinf(df), ndtr(-factor), stdtr(np.minimum(df, 1e300), -factor))
    adjusted = adjusted_p_values(adjust, factor, df, p, n_means=3)
    if adjust == "holm":
        adjusted = 3 * p
    np.testing.assert_allclose(adjusted, 0.05, rtol=1e-9)


def test_without_degrees_of_freedom_there_are_no_intervals() -> None:
    for adjust in get_args(Adjustment):
        assert np.isnan(critical_values(adjust, 0.95, np.full(3, np.nan), 3, 3)).all()


def test_refusals() -> None:
    with pytest.raises(mm.ArgumentError, match="choose one of tukey, holm"):
        check_adjustment("fdr", all_pairs=True)
    with pytest.raises(mm.ArgumentError, match="all pairwise differences"):
        check_adjustment("tukey", all_pairs=False)
