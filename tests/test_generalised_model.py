"""Fitted generalised models: what follows from the estimates, by its definition."""

from __future__ import annotations

import copy
import functools
import json
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mixedmodels as mm
import reference_data

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@functools.cache
def cbpp() -> pd.DataFrame:
    return reference_data.load("cbpp")


@functools.cache
def binomial(**rest: Any) -> Any:
    return mm.glmer(CBPP, cbpp(), **rest)


@functools.cache
def gamma() -> Any:
    return mm.glmer(
        "y_gamma ~ x + trt + (1 | grp)", reference_data.load("glmmsim"), family="Gamma", link="log"
    )


@functools.cache
def poisson() -> Any:
    return mm.glmer(
        "y_pois ~ x + offset(log_exposure) + (1 | grp)",
        reference_data.load("glmmsim"),
        family="poisson",
    )


# --- Estimates and counts ---


def test_family_and_approximation() -> None:
    assert binomial().family == mm.families.binomial()
    assert (binomial().nAGQ, binomial().criterion) == (1, "fisher")
    assert (binomial().sigma, binomial().dispersion) == (1.0, 1.0)
    assert gamma().dispersion == pytest.approx(gamma().sigma ** 2)
    assert gamma().npar == 6  # four fixed effects, θ, σ


def test_criteria_follow_from_the_likelihood() -> None:
    m = binomial()
    assert m.aic == pytest.approx(-2 * m.loglik + 2 * m.npar)
    assert m.bic == pytest.approx(-2 * m.loglik + np.log(m.nobs) * m.npar)
    assert m.objective(m.theta) == pytest.approx(-2 * m.loglik, abs=1e-8)
    assert m.deviance == pytest.approx((m.residuals("deviance") ** 2).sum())


def test_the_gradient_is_that_of_the_objective() -> None:
    m = binomial()
    theta, beta = m.theta + 0.1, m.fixef.to_numpy() - 0.05
    step = 1e-5
    by_theta = (m.objective(theta + step, beta) - m.objective(theta - step, beta)) / (2 * step)
    moves = step * np.eye(len(beta))
    by_beta = [
        (m.objective(theta, beta + h) - m.objective(theta, beta - h)) / (2 * step) for h in moves
    ]
    np.testing.assert_allclose(m.gradient(theta, beta), [by_theta, *by_beta], rtol=1e-4, atol=1e-4)
    with pytest.raises(mm.ArgumentError, match="expected \\(4,\\)"):
        m.objective(theta, [1.0])


def test_conditional_covariance_leaves_theta_out() -> None:
    assert (np.sqrt(np.diag(binomial().vcov_conditional)) < 1.02 * binomial().bse).all()
    nodes_zero = mm.glmer(CBPP, cbpp(), nAGQ=0)
    np.testing.assert_array_equal(nodes_zero.vcov, nodes_zero.vcov_conditional)


def test_variances_have_a_residual_only_with_a_sigma() -> None:
    assert binomial().varcorr.to_frame()["grp"].tolist() == ["herd"]
    assert gamma().varcorr.to_frame()["grp"].tolist() == ["grp", "Residual"]
    assert gamma().varcorr["grp"].iloc[0, 0] == pytest.approx(
        (gamma().sigma * gamma().theta[0]) ** 2
    )


def test_coefficients_by_group() -> None:
    m = binomial()
    total = m.fixef["(Intercept)"] + m.ranef()["herd"]["(Intercept)"]
    np.testing.assert_allclose(m.coef()["herd"]["(Intercept)"], total)


# --- Rows ---


def test_residuals_of_a_binomial() -> None:
    m, d = binomial(), cbpp()
    y, mu, n = d["incidence"] / d["size"], m.fitted, d["size"]
    variance = mu * (1 - mu)
    pearson = np.sqrt(n) * (y - mu) / np.sqrt(variance)
    np.testing.assert_allclose(m.residuals(), y - mu)
    np.testing.assert_allclose(m.residuals("pearson"), pearson)
    np.testing.assert_allclose(m.residuals("scaled"), pearson)
    np.testing.assert_allclose(m.residuals("working"), (y - mu) / variance)
    logs = stats.binom.logpmf(d["incidence"], n, y) - stats.binom.logpmf(d["incidence"], n, mu)
    np.testing.assert_allclose(m.residuals("deviance"), np.sign(y - mu) * np.sqrt(2 * logs))
    with pytest.raises(mm.ArgumentError, match="choose response"):
        m.residuals("studentized")


def test_scaled_residuals_are_divided_by_sigma() -> None:
    m = gamma()
    np.testing.assert_allclose(m.residuals("scaled"), m.residuals("pearson") / m.sigma)


def test_rows_left_out_are_padded_when_excluded() -> None:
    data = cbpp().assign(period=cbpp()["period"].where(np.arange(56) != 3))
    with pytest.warns(mm.MissingDataWarning):
        m = mm.glmer(CBPP, data, na_action="exclude")
    assert m.nobs == 55
    for values in (m.fitted, m.linear_predictor, m.residuals("deviance")):
        assert np.flatnonzero(values.isna()).tolist() == [3]


# --- Prediction ---


def test_predictions_by_link_and_response() -> None:
    m = poisson()
    np.testing.assert_allclose(m.predict(), m.fitted)
    np.testing.assert_allclose(np.log(m.predict()), m.predict(type="link"))
    new = {"x": [0.0, 1.0], "log_exposure": [0.0, 2.0], "grp": ["1", "1"]}
    eta = m.fixef["(Intercept)"] + m.fixef["x"] * np.array([0, 1]) + np.array([0.0, 2.0])
    np.testing.assert_allclose(m.predict(new, re_form="NA", type="link"), eta)
    np.testing.assert_allclose(m.predict(new, re_form=False), np.exp(eta))
    b = m.ranef()["grp"].loc["1", "(Intercept)"]
    np.testing.assert_allclose(m.predict(new, re_form="~ (1 | grp)"), np.exp(eta + b))


def test_new_levels_and_missing_groups() -> None:
    m, new = binomial(), {"period": ["1", "1"], "herd": ["elsewhere", None]}
    with pytest.raises(mm.DataError, match="'elsewhere'"):
        m.predict(new)
    average = 1 / (1 + np.exp(-m.fixef["(Intercept)"]))
    assert m.predict(new, allow_new_levels=True).tolist() == pytest.approx([average, average])


# --- Other fits ---


def test_refit_to_the_same_and_to_another_response() -> None:
    m = binomial()
    y = (cbpp()["incidence"] / cbpp()["size"]).to_numpy()
    np.testing.assert_allclose(m.refit(y).fixef, m.fixef, atol=1e-6)
    other = cbpp().assign(incidence=lambda d: d["size"] - d["incidence"])
    turned = m.refit(1 - y)
    np.testing.assert_allclose(turned.fixef, mm.glmer(CBPP, other).fixef, atol=1e-5)
    np.testing.assert_allclose(turned.fixef, -m.fixef, atol=1e-5)
    np.testing.assert_allclose(turned.drop1()["LRT"], m.drop1()["LRT"], atol=1e-6)
    np.testing.assert_allclose(turned.anova(type=2)["Chisq"], m.anova()["Chisq"], rtol=1e-4)
    with pytest.raises(mm.DataError, match="expected 0 or 1"):
        m.refit(2 * np.ones(56))
    with pytest.raises(mm.DataError, match="whole numbers of successes"):
        m.refit(np.where(np.arange(56) == 0, 0.33, y))


def test_update() -> None:
    m = binomial()
    smaller = m.update(". ~ . - period")
    assert list(smaller.fixef.index) == ["(Intercept)"]
    probit = m.update(family=mm.families.binomial("probit"))
    assert probit.family.link == "probit"
    assert m.update(nAGQ=9).nAGQ == 9
    with pytest.raises(mm.ArgumentError, match="no argument 'REML'"):
        m.update(REML=True)
    o = mm.glm("cbind(incidence, size - incidence) ~ period", cbpp())
    assert o.update(". ~ 1").fixef.shape == (1,)
    with pytest.raises(mm.ArgumentError, match="no argument 'nAGQ'"):
        o.update(nAGQ=9)


def test_models_are_immutable() -> None:
    m = binomial()
    assert copy.deepcopy(m) is m
    with pytest.raises(AttributeError):
        m.formula = "y ~ x"


# --- Words and tables ---


def test_one_line() -> None:
    assert repr(binomial()).startswith("<GeneralizedLinearMixedModel cbind(incidence")
    assert 'binomial(link="logit")' in repr(binomial())
    assert "56 rows, herd 15 · converged" in repr(binomial())


def test_plain_data() -> None:
    for m in (
        binomial(),
        gamma(),
        mm.glm("y_pois ~ x", reference_data.load("glmmsim"), family="poisson"),
    ):
        found = json.loads(json.dumps(m.to_dict(), allow_nan=False))
        assert found["family"] == m.family.name
        assert found["link"] == m.family.link
        assert found["deviance"] == pytest.approx(m.deviance)
        assert found["converged"]


def test_tests_are_normal_ones() -> None:
    table = binomial().coefficients()
    assert np.isinf(table["df"]).all()
    z = binomial().fixef / binomial().bse
    np.testing.assert_allclose(table["p_value"], 2 * stats.norm.sf(np.abs(z)))
    for ddf in ("satterthwaite", "kenward-roger", "residual"):
        with pytest.raises(mm.ArgumentError, match="asymptotic"):
            binomial().coefficients(ddf)


def test_a_dispersion_of_glm_gives_t_tests() -> None:
    o = mm.glm("y_gamma ~ x", reference_data.load("glmmsim"), family="Gamma", link="log")
    assert (o.coefficients()["df"] == o.df_resid).all()
    assert np.isinf(o.coefficients("asymptotic")["df"]).all()


def test_what_linear_models_alone_have_says_so() -> None:
    with pytest.raises(mm.ArgumentError, match="linear models only"):
        binomial().vcov_robust()
    with pytest.raises(mm.ArgumentError):
        mm.exact_rlrt(binomial())


def test_broom_tables() -> None:
    m = binomial()
    fixed = m.tidy("fixed")
    assert fixed.columns.tolist() == [
        "effect", "group", "term", "estimate", "std.error", "statistic", "p.value"
    ]  # fmt: skip
    assert m.tidy("ran_pars")["term"].tolist() == ["sd__(Intercept)"]
    assert gamma().tidy("ran_pars")["term"].tolist() == ["sd__(Intercept)", "sd__Observation"]
    assert m.glance()["deviance"].iloc[0] == m.deviance


def test_augment_has_lme4_s_fields() -> None:
    m = binomial()
    table = m.augment()
    np.testing.assert_allclose(table[".fitted"], m.linear_predictor)
    np.testing.assert_allclose(table[".resid"], m.residuals("deviance"))
    np.testing.assert_allclose(table[".mu"], m.fitted)
    np.testing.assert_allclose(table[".wtres"], m.residuals("pearson"))
    np.testing.assert_allclose(table[".weights"], cbpp()["size"])
    mu = m.fitted
    np.testing.assert_allclose(table[".sqrtXwt"], np.sqrt(cbpp()["size"] * mu * (1 - mu)))
    assert {"incidence", "size", "period", "herd"} <= set(table.columns)


def test_report_names_family_link_and_scale() -> None:
    text = binomial().report()
    assert "generalised linear mixed model of the binomial family with the logit link" in text
    assert "the log odds of success at period = 1, was b = -1.40" in text
    assert "z = -6.02, p < .001" in text
    assert "the dispersion was σ² = 0.28 (variance σ²μ²)" in gamma().report()
    o = mm.glm("y_pois ~ x", reference_data.load("glmmsim"), family="poisson")
    assert "the logarithm of the expected y_pois at x = 0" in o.report()
    assert "The residual deviance was" in o.report()


def test_rank_deficient_columns_are_dropped() -> None:
    data = cbpp().assign(twice=lambda d: 2.0 * (d["period"] == "2"))
    with pytest.warns(mm.RankDeficiencyWarning, match="dropped twice"):
        m = mm.glmer("cbind(incidence, size - incidence) ~ period + twice + (1 | herd)", data)
    assert np.isnan(m.fixef["twice"])
    assert np.isnan(m.vcov.loc["twice", "period2"])
    np.testing.assert_allclose(m.bse.dropna(), binomial().bse, rtol=1e-5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(m.anova()) == 2
