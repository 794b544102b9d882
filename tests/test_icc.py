"""Intraclass correlations against performance::icc 0.10.2 and against their definition."""

from __future__ import annotations

import numpy as np
import pytest

import clinic
import mixedmodels as mm

# formula: adjusted, unadjusted, by clinic, fixed and random variance
REFERENCE = {
    clinic.INTERCEPTS: (
        0.447505644653193,
        0.215820999822238,
        0.447505644653196,
        74.548035,
        31.0764,
    ),
    clinic.SLOPES: (0.48011011551865, 0.227829252508669, 0.172376515363426, 76.356731, 33.106507),
}


@pytest.mark.parametrize("formula", REFERENCE)
def test_reference(formula: str) -> None:
    icc = clinic.fit(formula).icc()
    adjusted, unadjusted, by_clinic, fixed, random = REFERENCE[formula]
    assert icc.adjusted == pytest.approx(adjusted, abs=1e-6)
    assert icc.unadjusted == pytest.approx(unadjusted, abs=1e-6)
    assert icc.by_group["clinic"] == pytest.approx(by_clinic, abs=1e-6)
    assert icc.variance_fixed == pytest.approx(fixed, rel=1e-5)
    assert icc.variance_random == pytest.approx(random, rel=1e-5)


def test_mean_random_variance_is_the_trace() -> None:
    m = clinic.fit(clinic.SLOPES)
    x = clinic.data()["therapy_sessions"].to_numpy()
    Z = np.column_stack([np.ones_like(x), x])
    expected = np.einsum("ni,ij,nj->n", Z, m.varcorr["clinic"].to_numpy(), Z).mean()
    assert m.icc().variance_random == pytest.approx(expected)


def test_two_grouping_factors() -> None:
    m = clinic.three_levels()
    icc = m.icc()
    variances = [m.varcorr[group].iloc[0, 0] for group in ("patient_id", "clinic")]
    total = sum(variances) + m.sigma**2
    assert list(icc.by_group.index) == ["patient_id", "clinic"]
    np.testing.assert_allclose(icc.by_group, np.array(variances) / total)
    assert icc.adjusted == pytest.approx(icc.by_group.sum())


def test_an_offset_is_no_fixed_variance() -> None:
    data = clinic.data().assign(o=np.arange(300.0))
    data["anxiety"] += data["o"]
    m = mm.lmer(clinic.INTERCEPTS, data, offset="o")
    assert m.icc().variance_fixed == pytest.approx(74.548035, rel=1e-5)
    assert m.icc().adjusted == pytest.approx(0.447505644653193, abs=1e-6)


def test_group_without_an_intercept() -> None:
    m = mm.lmer(f"{clinic.FIXED} + (0 + therapy_sessions | clinic)", clinic.data())
    assert np.isnan(m.icc().by_group["clinic"])
    assert 0 < m.icc().adjusted < 1


def test_print() -> None:
    text = str(clinic.fit(clinic.INTERCEPTS).icc())
    assert "0.448" in text
    assert "0.216" in text
    assert "clinic  0.172" in str(clinic.fit(clinic.SLOPES).icc())
