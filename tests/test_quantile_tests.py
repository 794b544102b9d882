"""Tests against simulated responses: right sizes where groups are few, power against the usual
suspects, the same numbers as by the plain definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mixedmodels as mm
from mixedmodels.diagnostics.quantile_tests import _ranks


def grouped(seed: int, sd: float = 0.5, groups: int = 6, rows: int = 25) -> pd.DataFrame:
    r = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), rows)
    x = r.normal(size=len(g))
    b = sd * r.normal(size=groups)[g]
    mu = np.exp(0.5 + 0.3 * x + b)
    y = r.poisson(mu)
    return pd.DataFrame({"x": x, "g": g, "y": x + b + r.normal(size=len(g)), "count": y}).assign(
        over=r.poisson(mu * r.gamma(0.7, 1 / 0.7, len(g))),
        zeros=np.where(r.random(len(g)) < 0.35, 0, y),
    )


def test_ranks_and_ties() -> None:
    values = np.random.default_rng(0).integers(0, 5, (50, 12)).astype(float)
    below, ties = _ranks(values)
    for k in range(12):
        np.testing.assert_array_equal(below[:, k], (values < values[:, [k]]).sum(axis=1))
        np.testing.assert_array_equal(ties[:, k], (values == values[:, [k]]).sum(axis=1))


def test_uniformity_is_kolmogorov_s_distance_of_the_quantile_residuals() -> None:
    m = mm.glm("count ~ x", grouped(1), family="poisson")
    found, residuals = m.quantile_tests(seed=4), m.quantile_residuals(seed=4)
    distance = stats.kstest(residuals, "uniform").statistic
    assert found.uniformity.observed == pytest.approx(distance, rel=1e-12)


def test_dispersion_outliers_and_zeros_by_definition() -> None:
    d = grouped(1)
    m = mm.glm("over ~ x", d, family="poisson")
    found = m.quantile_tests(50, seed=4)
    y = np.column_stack([d["over"], m.simulate(50, seed=4)])
    spread = (y - y.mean(axis=1, keepdims=True)) ** 2 / y.var(axis=1)[:, None]
    assert found.dispersion.observed == pytest.approx(spread[:, 0].mean())
    assert found.dispersion.expected == pytest.approx(spread[:, 1:].mean())
    low, high = y[:, 1:].min(axis=1), y[:, 1:].max(axis=1)
    assert found.outliers.observed == ((y[:, 0] < low) | (y[:, 0] > high)).sum()
    zeros = (y == 0).sum(axis=0)
    assert found.zeros is not None
    assert (found.zeros.observed, found.zeros.expected) == (zeros[0], zeros[1:].mean())
    tail = min(np.mean(zeros >= zeros[0]), np.mean(zeros <= zeros[0]))
    assert found.zeros.p_value == pytest.approx(min(1, 2 * tail))


def test_few_groups_raise_no_alarm() -> None:
    """Kolmogorov's p-value for independent rows rejects many correct models with few groups that
    differ much; the rank among simulated responses does not."""
    plain, ranked = [], []
    for seed in range(40):
        m = mm.glmer("count ~ x + (1 | g)", grouped(seed, sd=1.5), family="poisson")
        ranked.append(m.quantile_tests(99, seed).uniformity.p_value)
        plain.append(stats.kstest(m.quantile_residuals(99, seed), "uniform").pvalue)
    assert np.mean(np.array(ranked) <= 0.05) <= 0.05
    assert np.mean(np.array(plain) <= 0.05) > 0.3


@pytest.mark.parametrize(
    ("response", "test"), [("over", "dispersion"), ("zeros", "zeros"), ("over", "outliers")]
)
def test_power(response: str, test: str) -> None:
    d = grouped(3)
    for name, is_rejected in ((response, True), ("count", False)):
        m = mm.glmer(f"{name} ~ x + (1 | g)", d, family="poisson")
        p = getattr(m.quantile_tests(), test).p_value
        assert (p < 0.05) == is_rejected, name


def test_many_rows_are_thinned_out() -> None:
    n = 60_001
    r = np.random.default_rng(1)
    d = pd.DataFrame({"x": r.normal(size=n)}).assign(y=lambda d: d["x"] + r.normal(size=n))
    found = mm.lm("y ~ x", d).quantile_tests(20)
    assert found.nobs == 20_000
    assert found.uniformity.p_value > 0.05


def test_a_response_that_does_not_vary_in_simulations() -> None:
    d = grouped(2)
    d["never"] = 0
    d.loc[0, "never"] = 1
    m = mm.glm("never ~ 1", d)
    found = m.quantile_tests(19)
    assert np.isfinite(found.dispersion.observed)


def test_print_frame_and_html() -> None:
    found = mm.lmer("y ~ x + (1 | g)", grouped(1)).quantile_tests(19)
    frame = found.to_frame()
    assert list(frame.index) == ["uniformity", "dispersion", "outliers"]
    assert list(frame.columns) == ["observed", "expected", "p_value"]
    assert frame["p_value"].between(1 / 20, 1).all()
    assert "against 19 responses simulated" in str(found)
    assert "<table" in found._repr_html_()
