"""ICC and R² of generalised models against performance 0.10.2 and against their definitions."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
from mixedmodels.variance.variance_parts import VarianceParts
from test_generalised_reference import fitted

REFERENCE = reference_data.read_json("inference/icc_r2.json")["models"]
LATENT = ["cbpp_laplace", "cbpp_probit", "cbpp_cloglog", "contraception_rs", "verbagg_crossed"]
EXACT = [*LATENT, "glmmsim_gamma_log"]
# R's null model is glmer's default fit, which stops early (the reference has its warnings), and its
# variances of the negative binomial are not quite those of the reference model. Relative errors:
NULL_MODELS = {"mmmec_pois_offset": 1e-5, "glmmsim_nb": 3e-4, "grouseticks_pois": 1e-2}


@pytest.mark.parametrize("name", EXACT)
def test_reference(name: str) -> None:
    icc, r2, reference = fitted(name).icc(), fitted(name).r2(), REFERENCE[name]
    assert icc.adjusted == pytest.approx(reference["icc_adjusted"], abs=1e-6)
    assert icc.unadjusted == pytest.approx(reference["icc_unadjusted"], abs=1e-6)
    for row in reference["icc_by_group"]:
        assert icc.by_group[row["Group"]] == pytest.approx(row["ICC"], abs=1e-6)
    assert r2.marginal == pytest.approx(reference["r2_marginal"], abs=1e-6)
    assert r2.conditional == pytest.approx(reference["r2_conditional"], abs=1e-6)
    for part in ("fixed", "random", "residual"):
        expected = pytest.approx(reference["variance"][part], rel=2e-5)
        assert getattr(icc, f"variance_{part}") == expected, part


@pytest.mark.parametrize("name", NULL_MODELS)
def test_reference_with_a_null_model(name: str) -> None:
    icc, r2, reference = fitted(name).icc(), fitted(name).r2(), REFERENCE[name]
    allowed = NULL_MODELS[name]
    assert icc.variance_fixed == pytest.approx(reference["variance"]["fixed"], rel=2e-5)
    assert icc.variance_random == pytest.approx(reference["variance"]["random"], rel=3e-5)
    assert icc.variance_residual == pytest.approx(reference["variance"]["residual"], rel=allowed)
    assert icc.adjusted == pytest.approx(reference["icc_adjusted"], rel=allowed)
    assert icc.unadjusted == pytest.approx(reference["icc_unadjusted"], rel=allowed)
    assert r2.marginal == pytest.approx(reference["r2_marginal"], rel=allowed)
    assert r2.conditional == pytest.approx(reference["r2_conditional"], rel=allowed)
    for row in reference["icc_by_group"]:
        assert icc.by_group[row["Group"]] == pytest.approx(row["ICC"], rel=allowed)


@pytest.mark.parametrize("name", NULL_MODELS)
def test_given_the_references_variances_its_shares_are_exact(name: str) -> None:
    reference = REFERENCE[name]
    variance = reference["variance"]
    random = pd.Series({"all": variance["random"]})
    parts = VarianceParts(variance["fixed"], random, random, variance["residual"])
    assert random.sum() / parts.unexplained == pytest.approx(reference["icc_adjusted"], abs=1e-6)
    assert random.sum() / parts.total == pytest.approx(reference["icc_unadjusted"], abs=1e-6)
    assert parts.fixed / parts.total == pytest.approx(reference["r2_marginal"], abs=1e-6)


def test_random_intercepts_of_rows_count_as_residual() -> None:
    icc, reference = fitted("grouseticks_pois").icc(), REFERENCE["grouseticks_pois"]["variance"]
    own = fitted("grouseticks_pois").varcorr["INDEX"].iloc[0, 0]
    assert own == pytest.approx(reference["dispersion"], rel=1e-4)
    others = sum(fitted("grouseticks_pois").varcorr[g].iloc[0, 0] for g in ("BROOD", "LOCATION"))
    assert icc.variance_random == pytest.approx(others)
    assert f"variance is {own:.3f}" in str(icc)


# --- λ ---


@functools.cache
def counts() -> tuple[Any, Any]:
    """A Poisson model with an offset, and its null model."""
    data = reference_data.load("glmmsim")
    terms = "offset(log_exposure) + (1 | grp)"
    model = mm.glmer(f"y_pois ~ x + trt + {terms}", data, family="poisson")
    return model, mm.glmer(f"y_pois ~ 1 + {terms}", data, family="poisson")


def test_conditional_mean_is_that_of_the_null_models_intercept() -> None:
    model, null = counts()
    rate = math.exp(null.fixef.iloc[0])
    for method, expected in (("lognormal", math.log1p(1 / rate)), ("delta", 1 / rate)):
        assert model.icc(method).variance_residual == pytest.approx(expected, rel=1e-6)
    assert model.icc().variance_residual == model.icc("lognormal").variance_residual


def test_marginal_mean_is_over_random_effects_and_offsets() -> None:
    """λ = E exp(β₀ + o + N(0, σ²)): the paper's exp(β₀ + σ²/2), times the mean exposure."""
    model, null = counts()
    variance = null.varcorr["grp"].iloc[0, 0]
    exposure = np.exp(reference_data.load("glmmsim")["log_exposure"]).mean()
    mean = exposure * math.exp(null.fixef.iloc[0] + variance / 2)
    assert model.icc("delta", "marginal").variance_residual == pytest.approx(1 / mean, rel=1e-6)


def test_a_model_without_predictors_is_its_own_null_model() -> None:
    _, null = counts()
    expected = math.exp(-null.fixef.iloc[0])
    assert null.icc("delta").variance_residual == pytest.approx(expected, rel=1e-12)
    assert null.r2("delta").marginal == pytest.approx(0.0, abs=1e-12)


# --- Other questions ---


def test_the_icc_agrees_with_r2() -> None:
    m = fitted("cbpp_laplace")
    for method in ("theoretical", "delta"):
        r2, icc = m.r2(method), m.icc(method)
        assert r2.conditional == pytest.approx(r2.marginal + icc.unadjusted)


def test_no_design_effect() -> None:
    icc = fitted("cbpp_laplace").icc()
    assert icc.design_effect.isna().all()
    assert icc.effective_sample_size.isna().all()
    assert "design effect" not in str(icc)


def test_without_random_effects() -> None:
    """On the latent scale, the R² of McKelvey & Zavoina."""
    formula = "cbind(incidence, size - incidence) ~ period"
    m = mm.glm(formula, reference_data.load("cbpp"), family="binomial")
    fixed = np.var(m.linear_predictor, ddof=1)
    expected = fixed / (fixed + math.pi**2 / 3)
    assert m.r2().marginal == pytest.approx(expected)
    assert m.r2().conditional == pytest.approx(expected)
    assert "generalised regression" in str(m.r2())


def test_methods_of_other_families_are_refused() -> None:
    with pytest.raises(mm.ArgumentError, match="choose one of theoretical, delta"):
        fitted("cbpp_laplace").icc("lognormal")
    with pytest.raises(mm.ArgumentError, match="conditional or marginal"):
        fitted("cbpp_laplace").r2(mean="median")


def test_print() -> None:
    text = str(fitted("cbpp_laplace").icc())
    assert "adjusted    0.111" in text
    assert "Latent scale: the residual variance is π²/3 = 3.290" in text
    assert "Observation scale" in str(fitted("cbpp_laplace").r2("delta"))


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_bootstrap_intervals() -> None:
    """Each replicate has its own null model."""
    m = fitted("cbpp_laplace")
    icc = m.icc("delta", ci=0.8, nsim=12, seed=4)
    responses = m.simulate(12, seed=4)
    values = [m.refit(responses[k]).icc("delta").adjusted for k in range(12)]
    np.testing.assert_allclose(icc.intervals.loc["adjusted"], np.quantile(values, [0.1, 0.9]))
