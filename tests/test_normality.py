"""Shapiro & Francia's test and the moments: by definition, against scipy, and under normality."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from mixedmodels.diagnostics.normality import normality


def samples(seed: int = 0, n: int = 60) -> dict[str, np.ndarray]:
    r = np.random.default_rng(seed)
    return {"normal": r.normal(size=n), "skewed": r.gamma(2, size=n), "tailed": r.standard_t(3, n)}


@pytest.mark.parametrize("name", ["normal", "skewed", "tailed"])
def test_moments_and_w_by_definition(name: str) -> None:
    x = samples()[name]
    found = normality(x)
    assert found.skewness == pytest.approx(stats.skew(x))
    assert found.kurtosis == pytest.approx(stats.kurtosis(x))
    scores = stats.norm.ppf((np.arange(1, 61) - 0.375) / 60.25)
    assert found.w == pytest.approx(np.corrcoef(np.sort(x), scores)[0, 1] ** 2)
    # Shapiro & Wilk's test is another with the same aim: W and p are near
    w, p = stats.shapiro(x)
    assert found.w == pytest.approx(w, abs=0.02)
    assert (found.p_value < 0.01) == (p < 0.01)


@pytest.mark.parametrize("n", [8, 20, 100, 1000])
def test_the_size_of_the_test(n: int) -> None:
    r = np.random.default_rng(n)
    p = np.array([normality(r.normal(size=n)).p_value for _ in range(1000)])
    for level in (0.05, 0.01):
        assert np.mean(p < level) == pytest.approx(level, abs=3.5 * np.sqrt(level / 1000))


def test_units_do_not_count() -> None:
    x = samples()["skewed"]
    assert normality(3e6 * x - 1e7).w == pytest.approx(normality(x).w)


def test_a_large_sample_is_tested_by_5000_values_and_described_by_all() -> None:
    x = np.random.default_rng(1).standard_t(15, 200_000)  # harmless: excess kurtosis 6/11
    found = normality(x)
    assert found.kurtosis == pytest.approx(stats.kurtosis(x))
    assert found.w == pytest.approx(normality(x[::40]).w)
