"""R² against performance::r2_nakagawa 0.10.2 and against its definition."""

from __future__ import annotations

import numpy as np
import pytest

import clinic
import mixedmodels as mm
import reference_data
import test_icc


@pytest.mark.parametrize("name", test_icc.MODELS)
def test_reference(name: str) -> None:
    r2, reference = test_icc.fitted(name).r2(), test_icc.REFERENCE[name]
    assert r2.marginal == pytest.approx(reference["r2_marginal"], abs=1e-6)
    assert r2.conditional == pytest.approx(reference["r2_conditional"], abs=1e-6)


def test_it_agrees_with_the_icc() -> None:
    """Conditional R² is marginal R² and the unadjusted ICC."""
    m = clinic.three_levels()
    assert m.r2().conditional == pytest.approx(m.r2().marginal + m.icc().unadjusted)


def test_ordinary_regression() -> None:
    d = clinic.data()
    expected = np.corrcoef(d["anxiety"], d["therapy_sessions"])[0, 1] ** 2
    r2 = clinic.ordinary().r2()
    assert r2.marginal == r2.conditional == pytest.approx(expected)
    assert str(r2) == f"R²  {expected:.3f}   ordinary regression"


def test_no_intercept_and_dropped_columns() -> None:
    d = clinic.data().assign(twice=lambda d: 2 * d["therapy_sessions"])
    with pytest.warns(mm.RankDeficiencyWarning):
        m = mm.lmer(f"{clinic.FIXED} + twice + (1 | clinic)", d)
    assert m.r2().marginal == pytest.approx(clinic.fit(clinic.INTERCEPTS).r2().marginal)
    m = mm.lmer("anxiety ~ 0 + therapy_sessions + (1 | clinic)", d)
    assert 0 < m.r2().marginal < m.r2().conditional < 1


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_singular_fit() -> None:
    r2 = mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff2")).r2()
    assert r2.marginal == pytest.approx(0, abs=1e-12)
    assert r2.conditional == pytest.approx(0, abs=1e-12)


def test_print() -> None:
    text = str(clinic.fit(clinic.SLOPES).r2())
    assert "marginal     0.525" in text
    assert "conditional  0.753" in text


def test_bootstrap_intervals() -> None:
    m = clinic.fit(clinic.INTERCEPTS)
    r2 = m.r2(ci=0.8, nsim=20, seed=5)
    responses = m.simulate(20, seed=5)
    marginal = [m.refit(responses.iloc[:, k]).r2().marginal for k in range(20)]
    np.testing.assert_allclose(r2.intervals.loc["marginal"], np.quantile(marginal, [0.1, 0.9]))
    low, high = r2.intervals.loc["conditional"]
    assert low < r2.conditional < high
    assert f"[{low:.3f}, {high:.3f}]" in str(r2)
    ordinary = clinic.ordinary().r2(ci=0.95, nsim=20)
    assert ordinary.intervals.loc["marginal", "conf_low"] < ordinary.marginal
