"""Leverages, standardised residuals and Cook's distances: lme4's, R's, and dense algebra."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import clinic
import mixedmodels as mm
import reference_data
import test_glm_reference
from henderson import henderson
from influence_reference import fitted, reference
from mixedmodels.models.rows import group_codes
from mixedmodels.models.working import working_weights

Array = NDArray[np.float64]

LINEAR = ["anxiety_ri_reml", "anxiety_rs_reml", "sleepstudy_rs_reml"]
ORDINARY = reference_data.read_json("influence_ordinary.json")["models"]
MEASURES: dict[str, Callable[[Any], Any]] = {
    "hatvalues": lambda m: m.hatvalues,
    "cooks_distance": lambda m: m.cooks_distance(),
    "rstandard": lambda m: m.rstandard(),
    "rstudent": lambda m: m.rstudent(),
}


def dense(m: Any) -> Array:
    """The hat matrix's diagonal with W at the modes."""
    codes = [group_codes(m, term.group) for term in m._matrices.terms]
    W = working_weights(m)
    return np.asarray(W * henderson(m, codes, W).variances / m._fit.sigma**2)


# --- Linear mixed models against lme4 ---


@pytest.mark.parametrize("measure", ["hatvalues", "cooks_distance", "rstudent"])
@pytest.mark.parametrize("name", LINEAR)
def test_lme4(name: str, measure: str) -> None:
    m, ref = fitted(name), reference(name)
    np.testing.assert_allclose(MEASURES[measure](m), ref[measure], rtol=1e-6)
    assert m.hatvalues.sum() == pytest.approx(ref["hat_trace"], rel=1e-8)


@pytest.mark.parametrize("name", LINEAR)
def test_studentised_residuals_of_a_linear_mixed_model_are_standardised(name: str) -> None:
    m = fitted(name)
    expected = m.residuals("scaled") / np.sqrt(1 - m.hatvalues)
    np.testing.assert_allclose(m.rstandard(), expected)
    np.testing.assert_allclose(m.rstudent(), expected)


# --- Generalised mixed models ---


def test_lme4_takes_prior_for_working_weights() -> None:
    """hatvalues.merMod of lme4 1.1-31 scales rows by prior weights, J by working weights."""
    m, ref = fitted("cbpp_laplace"), reference("cbpp_laplace")
    prior, working = m._prior_weights, working_weights(m)
    theirs = dense(m) * prior / working
    assert theirs.sum() == pytest.approx(163.594256631244, rel=1e-6)
    np.testing.assert_allclose(theirs, ref["hatvalues"], rtol=1e-6)
    pearson, deviance = m.residuals("pearson"), m.residuals("deviance")
    distances = (pearson / (1 - theirs)) ** 2 * theirs / 4
    np.testing.assert_allclose(distances, ref["cooks_distance"], rtol=2e-6)
    with np.errstate(invalid="ignore"):
        studentised = np.sqrt(deviance**2 + theirs * pearson**2 / (1 - theirs))
    shown = np.array(ref["rstudent"], dtype=float)
    np.testing.assert_allclose(np.sign(deviance) * studentised, shown, rtol=1e-6)


def test_leverages_are_those_of_the_working_model() -> None:
    m = fitted("cbpp_laplace")
    h, p, q = m.hatvalues, len(m.fixef), m.ngroups["herd"]
    np.testing.assert_allclose(h, dense(m), rtol=1e-9)
    assert ((h > 0) & (h < 1)).all()
    assert p < h.sum() < p + q
    pearson, deviance = m.residuals("pearson"), m.residuals("deviance")
    np.testing.assert_allclose(m.cooks_distance(), (pearson / (1 - h)) ** 2 * h / p)
    likelihood = np.sign(deviance) * np.sqrt(deviance**2 + h * pearson**2 / (1 - h))
    np.testing.assert_allclose(m.rstudent(), likelihood)
    np.testing.assert_allclose(m.rstandard(), deviance / np.sqrt(1 - h))


def test_a_family_with_a_scale_divides_by_it() -> None:
    m = mm.glmer("y_gamma ~ x + (1 | grp)", reference_data.load("glmmsim"), family="gamma")
    h = m.hatvalues
    np.testing.assert_allclose(h, dense(m), rtol=1e-7)
    np.testing.assert_allclose(m.cooks_distance(), (m.residuals("scaled") / (1 - h)) ** 2 * h / 2)
    np.testing.assert_allclose(m.rstandard(), m.residuals("deviance") / m.sigma / np.sqrt(1 - h))


# --- Ordinary regressions against R ---


@functools.cache
def ordinary(name: str) -> Any:
    if name == "lm_anxiety":
        return clinic.ordinary()
    if name == "lm_weights":
        data = reference_data.load("sleepstudy_aux")
        return mm.lm("Reaction ~ Days + Subject", data, weights="w", offset="off")
    return test_glm_reference.fitted(name)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("name", ORDINARY)
def test_r(name: str, measure: str) -> None:
    values, ref = MEASURES[measure](ordinary(name)), ORDINARY[name]
    scale = np.abs(ref[measure]).max()
    np.testing.assert_allclose(values.to_numpy()[:10], ref[measure], atol=1e-7 * scale, rtol=0)
    assert values.sum() == pytest.approx(ref[f"{measure}_sum"], rel=1e-7)


@pytest.mark.parametrize("name", ORDINARY)
def test_dfbetas_as_r(name: str) -> None:
    values, ref = ordinary(name).dfbetas(), ORDINARY[name]
    assert list(values.columns) == ref["coefficients"]
    np.testing.assert_allclose(values.to_numpy()[:10], ref["dfbetas"], atol=1e-7, rtol=0)
    np.testing.assert_allclose(values.sum(), ref["dfbetas_sum"], atol=1e-6, rtol=0)


# --- Rows that are special ---


def test_a_row_that_determines_a_coefficient() -> None:
    d = clinic.data().assign(alone=0.0)
    d.loc[7, "alone"] = 1.0
    m = mm.lm("anxiety ~ therapy_sessions + alone", d)
    assert m.hatvalues[7] == pytest.approx(1)
    for values in (m.cooks_distance(), m.rstandard(), m.rstudent(), m.dfbetas()["alone"]):
        assert values.isna().sum() == 1
        assert np.isnan(values[7])


def test_missing_rows_are_padded_on_request() -> None:
    m, padded = clinic.three_levels(), clinic.three_levels("exclude")
    n = len(clinic.visits())
    for measure in MEASURES.values():
        assert len(measure(m)) == m.nobs < n == len(measure(padded))
        pd.testing.assert_series_equal(measure(padded).dropna(), measure(m))
    pd.testing.assert_frame_equal(padded.dfbetas().dropna(), m.dfbetas())
    assert len(padded.dfbetas()) == n


def test_dropped_columns() -> None:
    d = clinic.data().assign(twice=lambda d: 2 * d["therapy_sessions"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.RankDeficiencyWarning)
        models = [
            (mm.lm(f"{clinic.FIXED} + twice", d), clinic.ordinary()),
            (mm.lmer(f"{clinic.FIXED} + twice + (1 | clinic)", d), clinic.fit(clinic.INTERCEPTS)),
        ]
    for m, full in models:
        for measure in MEASURES.values():
            np.testing.assert_allclose(measure(m), measure(full), rtol=1e-7)
        assert m.dfbetas()["twice"].isna().all()
        np.testing.assert_allclose(
            m.dfbetas()[full.fixef.index], full.dfbetas(), rtol=1e-6, atol=1e-9
        )


def test_without_fixed_effects() -> None:
    m = mm.lmer("Reaction ~ 0 + (1 | Subject)", reference_data.load("sleepstudy"))
    assert 17 < m.hatvalues.sum() < 18
    with pytest.raises(mm.ArgumentError, match="the model has none"):
        m.cooks_distance()
    with pytest.raises(mm.ArgumentError, match="the model has none"):
        m.dfbetas()


def test_of_another_response() -> None:
    m = clinic.fit(clinic.INTERCEPTS)
    y = clinic.data()["anxiety"].to_numpy()[::-1]
    again, direct = m.refit(y), mm.lmer(clinic.INTERCEPTS, clinic.data().assign(anxiety=y))
    for measure in MEASURES.values():
        np.testing.assert_allclose(measure(again), measure(direct), rtol=1e-5)
