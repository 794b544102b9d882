"""Intraclass correlations against performance::icc 0.10.2 and against their definition."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
import reference_data

REFERENCE = reference_data.read_json("inference/icc_r2.json")["models"]
MODELS = [name for name in REFERENCE if REFERENCE[name].get("family") is None]


def fitted(name: str) -> mm.LinearMixedModel:
    reference = REFERENCE[name]
    data = reference_data.load(reference["data"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MissingDataWarning)
        return mm.lmer(reference["formula"], data, REML=name.endswith("_reml"))


@pytest.mark.parametrize("name", MODELS)
def test_reference(name: str) -> None:
    icc, reference = fitted(name).icc(), REFERENCE[name]
    assert icc.adjusted == pytest.approx(reference["icc_adjusted"], abs=1e-6)
    assert icc.unadjusted == pytest.approx(reference["icc_unadjusted"], abs=1e-6)
    for row in reference["icc_by_group"]:
        assert icc.by_group[row["Group"]] == pytest.approx(row["ICC"], abs=1e-6)
    assert icc.variance_fixed == pytest.approx(reference["variance"]["fixed"], rel=1e-5)
    assert icc.variance_random == pytest.approx(reference["variance"]["random"], rel=1e-5)
    assert icc.variance_residual == pytest.approx(reference["variance"]["residual"], rel=1e-5)


def test_mean_random_variance_is_the_trace() -> None:
    m = clinic.fit(clinic.SLOPES)
    x = clinic.data()["therapy_sessions"].to_numpy()
    Z = np.column_stack([np.ones_like(x), x])
    expected = np.einsum("ni,ij,nj->n", Z, m.varcorr["clinic"].to_numpy(), Z).mean()
    assert m.icc().variance_random == pytest.approx(expected)


def test_a_predictor_far_from_zero() -> None:
    """A shift of x changes neither model nor shares."""
    d = clinic.data().assign(therapy_sessions=lambda d: d["therapy_sessions"] + 1.7e9)
    icc, expected = mm.lmer(clinic.SLOPES, d).icc(), clinic.fit(clinic.SLOPES).icc()
    assert icc.adjusted == pytest.approx(expected.adjusted, rel=1e-6)
    assert icc.unadjusted == pytest.approx(expected.unadjusted, rel=1e-6)


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


# --- Design effect ---


def test_design_effect_of_equal_groups() -> None:
    m = clinic.fit(clinic.INTERCEPTS)
    icc = m.icc()
    assert icc.design_effect["clinic"] == pytest.approx(1 + (20 - 1) * icc.adjusted)
    assert icc.effective_sample_size["clinic"] == pytest.approx(300 / icc.design_effect["clinic"])


@pytest.fixture
def unequal() -> pd.DataFrame:
    data = clinic.data()
    return data[(data["clinic"] != "1") | (np.arange(len(data)) % 3 == 0)]


def test_design_effect_is_the_variance_of_a_mean(unequal: pd.DataFrame) -> None:
    """Relative to that of as many independent observations, for random intercepts."""
    m = mm.lmer("anxiety ~ 1 + (1 | clinic)", unequal)
    icc, codes = m.icc(), unequal["clinic"].cat.codes.to_numpy()
    V = icc.variance_random * (codes[:, None] == codes) + np.eye(m.nobs) * icc.variance_residual
    total = icc.variance_random + icc.variance_residual
    assert icc.design_effect["clinic"] == pytest.approx(V.sum() / m.nobs / total)


def test_design_effect_by_group(unequal: pd.DataFrame) -> None:
    """Rows dropped do not count; offsets, and groups whose term has no intercept, are no matter."""
    m = clinic.three_levels()
    sizes = clinic.visits().dropna(subset=["anxiety"]).groupby("patient_id").size()
    assert sizes.sum() == m.nobs
    expected = 1 + ((sizes**2).sum() / sizes.sum() - 1) * m.icc().by_group["patient_id"]
    assert m.icc().design_effect["patient_id"] == pytest.approx(expected)
    offset = np.arange(300.0)
    shifted = mm.lmer(clinic.INTERCEPTS, clinic.data(), offset=offset)
    assert shifted.icc().design_effect["clinic"] == pytest.approx(
        1 + 19 * shifted.icc().by_group["clinic"]
    )
    slopes = mm.lmer(f"{clinic.FIXED} + (0 + therapy_sessions | clinic)", unequal).icc()
    assert np.isnan(slopes.design_effect["clinic"])


def test_arrays() -> None:
    d = clinic.data()
    X = np.column_stack([np.ones(300), d["therapy_sessions"]])
    m = mm.lmer_arrays(d["anxiety"], X, [(X, d["clinic"])])
    expected = clinic.fit(clinic.SLOPES).icc()
    assert m.icc().adjusted == pytest.approx(expected.adjusted, abs=1e-7)
    assert m.icc().design_effect["clinic"] == pytest.approx(expected.design_effect["clinic"])


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_singular_fit() -> None:
    icc = mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff2")).icc()
    assert icc.adjusted == 0
    assert icc.design_effect["Batch"] == 1
    assert icc.effective_sample_size["Batch"] == 30


# --- Bootstrap intervals ---


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_intervals_are_quantiles_over_simulated_responses() -> None:
    m = clinic.fit(clinic.SLOPES)
    icc = m.icc(ci=0.8, nsim=25, seed=3)
    responses = m.simulate(25, seed=3)
    refits = [m.refit(responses.iloc[:, k]).icc() for k in range(25)]
    expected = {
        "adjusted": [r.adjusted for r in refits],
        "unadjusted": [r.unadjusted for r in refits],
        "by_group[clinic]": [r.by_group["clinic"] for r in refits],
    }
    assert list(icc.intervals.index) == list(expected)
    for row, values in expected.items():
        np.testing.assert_allclose(icc.intervals.loc[row], np.quantile(values, [0.1, 0.9]))
    low, high = icc.intervals.loc["adjusted"]
    assert f"0.480 [{low:.3f}, {high:.3f}]" in str(icc)
    assert "bootstrap of 25" in str(icc)


def test_intervals_without_random_intercepts() -> None:
    m = mm.lmer(f"{clinic.FIXED} + (0 + therapy_sessions | clinic)", clinic.data())
    assert list(m.icc(ci=0.9, nsim=20).intervals.index) == ["adjusted", "unadjusted"]


def test_level_of_intervals() -> None:
    m = clinic.fit(clinic.INTERCEPTS)
    assert m.icc().intervals is None
    with pytest.raises(mm.ArgumentError, match="level"):
        m.icc(ci=95)
