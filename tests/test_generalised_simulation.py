"""Responses simulated from generalised models, and what is fitted to them."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mixedmodels as mm
import reference_data
from mixedmodels.inference.jackknife import jackknife
from test_generalised_reference import fitted

DRAWS = 4000
ERRORS = 5.0  # Monte Carlo standard errors, of both programs' draws
# lme4 draws gamma responses with shape σ in place of 1/σ² and random effects without σ, so only the
# means given the random effects compare; see `test_gamma_responses_have_the_moments_of_the_model`.
MODELS = ["cbpp_laplace", "glmmsim_pois_offset"]
MEANS = [*((name, kind) for name in MODELS for kind in ("marginal", "use_u"))]
MEANS += [("glmmsim_gamma_log", "use_u")]


def moments(name: str) -> dict[str, Any]:
    return reference_data.read_json(f"inference/simulate_{name}.json")


@functools.cache
def drawn(name: str, use_u: bool) -> np.ndarray:
    """On the scale of the reference: successes of a binomial."""
    values = fitted(name).simulate(DRAWS, seed=1, re_form=None if use_u else "NA")
    sizes = fitted(name)._matrices.sizes
    return values.to_numpy() * (1.0 if sizes is None else sizes[:, None])


# --- Moments ---


@pytest.mark.parametrize(("name", "kind"), MEANS)
def test_means_are_those_of_lme4(name: str, kind: str) -> None:
    """Of ten rows and of all, against the Monte Carlo errors of both programs."""
    y, expected = drawn(name, kind == "use_u"), moments(name)[kind]
    error = np.hypot(y[:10].std(axis=1) / np.sqrt(DRAWS), expected["mean_mc_se_first10"])
    assert (np.abs(y[:10].mean(axis=1) - expected["mean_first10"]) < ERRORS * error).all()
    means = y.mean(axis=0)
    error = np.hypot(means.std(), expected["sd_of_sim_means"]) / np.sqrt(DRAWS)
    assert abs(means.mean() - expected["grand_mean"]) < ERRORS * error


@pytest.mark.parametrize("kind", ["marginal", "use_u"])
@pytest.mark.parametrize("name", MODELS)
def test_spreads_are_those_of_lme4(name: str, kind: str) -> None:
    y, expected = drawn(name, kind == "use_u"), moments(name)[kind]
    assert y.mean(axis=0).std() == pytest.approx(expected["sd_of_sim_means"], rel=0.15)
    within = y.std(axis=0, ddof=1)
    error = within.std() * np.sqrt(2 / DRAWS)
    assert abs(within.mean() - expected["mean_within_sim_sd"]) < ERRORS * error
    zero = (y == 0).mean(axis=0)
    error = zero.std() * np.sqrt(2 / DRAWS)
    assert abs(zero.mean() - expected["fraction_zero"]) < ERRORS * error


@pytest.mark.parametrize("name", MODELS)
def test_rows_of_a_group_vary_together_unless_random_effects_are_kept(name: str) -> None:
    kept = drawn(name, True)
    assert abs(np.corrcoef(kept[0], kept[1])[0, 1]) < ERRORS / np.sqrt(DRAWS)
    wanted = moments(name)["marginal"]["cov_obs1_obs2"]
    found = np.cov(drawn(name, False)[:2])[0, 1]
    assert found == pytest.approx(wanted, rel=0.35)  # heavy tails


def test_gamma_responses_have_the_moments_of_the_model() -> None:
    """Var(y | b) = σ²μ²; with new random effects E y = E μ and E y² = E μ² (1 + σ²), μ lognormal.

    lme4's have the squared coefficient of variation 1/σ, and variance θ² of the random effects.
    """
    m, name = fitted("glmmsim_gamma_log"), "glmmsim_gamma_log"
    kept, mu = drawn(name, True), m.fitted.to_numpy()
    assert np.median(kept.var(axis=1) / mu**2) == pytest.approx(m.sigma**2, rel=0.02)
    variance, fixed = m.varcorr.terms[0].cov[0, 0], m.predict(re_form="NA").to_numpy()
    mean = fixed * math.exp(variance / 2)
    square = mean**2 * math.exp(variance) * (1 + m.sigma**2)
    y = drawn(name, False)
    assert np.median(y.mean(axis=1) / mean) == pytest.approx(1, abs=0.01)
    assert np.median((y**2).mean(axis=1) / square) == pytest.approx(1, abs=0.03)
    kept_by_lme4, by_lme4 = moments(name)["use_u"], moments(name)["marginal"]
    ratio = np.array(kept_by_lme4["sd_first10"]) / kept_by_lme4["mean_first10"]
    assert np.mean(ratio**2) == pytest.approx(1 / m.sigma, rel=0.05)
    wrong = fixed.mean() * math.exp(m.theta[0] ** 2 / 2)
    error = by_lme4["sd_of_sim_means"] / np.sqrt(DRAWS)
    assert abs(by_lme4["grand_mean"] - wrong) < 3 * error
    assert abs(by_lme4["grand_mean"] - mean.mean()) > 30 * error


FAMILIES = {  # family → its name, and its variance at mean μ
    "poisson": ("poisson", lambda mu, m: mu),
    "negative_binomial": ("negative_binomial", lambda mu, m: mu + mu**2 / m.dispersion),
    "nb1": ("nb1", lambda mu, m: mu * (1 + m.dispersion)),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_conditional_variance_is_that_of_the_family(name: str) -> None:
    family, variance = FAMILIES[name]
    data = reference_data.load("glmmsim")
    m = mm.glmer("y_nb ~ x + (1 | grp)", data, family=family)
    y = m.simulate(DRAWS, seed=3, re_form=None).to_numpy()
    expected = variance(m.fitted.to_numpy(), m)
    assert (y == np.round(y)).all()
    ratio = y.var(axis=1, ddof=1) / expected
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
    error = np.sqrt(expected / DRAWS)
    assert (np.abs(y.mean(axis=1) - m.fitted) < ERRORS * error).all()


def test_binary_responses_are_zeros_and_ones() -> None:
    m = fitted("glmmsim_binary_agq15")
    y = m.simulate(200, seed=5, re_form=None).to_numpy()
    assert set(np.unique(y)) == {0.0, 1.0}
    assert y.mean() == pytest.approx(m.fitted.mean(), abs=0.02)


def test_beta_and_inverse_gaussian_have_their_variance() -> None:
    data = reference_data.load("glmmsim")
    share = data.assign(share=(data["succ"] + 0.5) / (data["trials"] + 1))
    m = mm.glmer("share ~ x + (1 | grp)", share, family="beta")
    mu, y = m.fitted.to_numpy(), m.simulate(DRAWS, seed=6, re_form=None).to_numpy()
    assert ((y > 0) & (y < 1)).all()
    ratio = y.var(axis=1) / (mu * (1 - mu) / (1 + m.dispersion))
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
    m = fitted("glmmsim_ig_log")
    mu, y = m.fitted.to_numpy(), m.simulate(DRAWS, seed=6, re_form=None).to_numpy()
    assert np.median(y.var(axis=1) / (m.sigma**2 * mu**3)) == pytest.approx(1.0, abs=0.05)
    shape = 1 / m.sigma**2
    test = stats.kstest(y[0], stats.invgauss(mu[0] / shape, scale=shape).cdf)
    assert test.pvalue > 1e-3


def test_a_column_depends_on_seed_and_number_alone() -> None:
    m = fitted("cbpp_laplace")
    whole = m.simulate(20, seed=5)
    np.testing.assert_array_equal(whole.iloc[:, :7], m.simulate(7, seed=5))
    for n_threads in (1, 2, 3):
        np.testing.assert_array_equal(whole, m._fit.simulate(20, 5, n_threads=n_threads))
    np.testing.assert_array_equal(whole.iloc[:, 13:], m._fit.simulate(7, 5, 13))


# --- Other responses ---


def test_a_simulated_response_can_be_fitted() -> None:
    """Proportions of the same numbers of trials; the model of a new table with counts is equal."""
    m, data = fitted("cbpp_laplace"), reference_data.load("cbpp")
    response = m.simulate(1, seed=2)[0]
    again = m.refit(response)
    successes = np.round(response * data["size"])
    expected = mm.glmer(m.formula, data.assign(incidence=successes), family="binomial")
    np.testing.assert_allclose(again.fixef, expected.fixef, atol=1e-5)
    assert again.loglik == pytest.approx(expected.loglik, abs=1e-6)


def test_many_responses_are_fitted_as_each_alone() -> None:
    m = fitted("cbpp_laplace")
    responses = m.simulate(4, seed=2)
    many = m.refit(responses)
    for k in range(4):
        one = m.refit(responses[k])
        np.testing.assert_allclose(many.fixef.loc[k], one.fixef, atol=1e-5)
        assert many.criterion[k] == pytest.approx(-2 * one.loglik, abs=1e-6)
    assert list(many.to_frame().columns) == [*m.fixef.index, ".sig01"]
    assert list(many.varcorr.columns) == ["sd_(Intercept)|herd"]
    assert not many.failed.any()


def test_separated_responses_have_not_converged() -> None:
    """No infection in period 4: its coefficient runs to minus infinity."""
    m, data = fitted("cbpp_laplace"), reference_data.load("cbpp")
    responses = pd.DataFrame(dict.fromkeys(("seen", "none"), data["incidence"] / data["size"]))
    responses.loc[data["period"] == "4", "none"] = 0.0
    found = m.refit(responses)
    assert found.converged.tolist() == [True, False]
    assert found.messages["seen"] is None
    assert "separated" in found.messages["none"]
    assert found.fixef.loc["none", "period4"] < -10


def test_a_response_out_of_range_is_refused() -> None:
    m = fitted("cbpp_laplace")
    with pytest.raises(mm.DataError):
        m.refit(m.fitted + 1.0)
    p = fitted("glmmsim_pois_offset")
    counts = p.simulate(2, seed=1).set_axis(["whole", "half"], axis=1)
    counts.loc[counts.index[3], "half"] += 0.5
    with pytest.raises(mm.DataError, match=r"response 'half' is .*\.5 in row 3.*whole numbers"):
        p.refit(counts)


# --- Bootstrap ---


@pytest.fixture(scope="module")
def boot() -> Any:
    return mm.bootstrap(fitted("cbpp_laplace"), 60, seed=7, progress=False)


def test_a_replicate_is_the_refit_of_a_simulated_response(boot: Any) -> None:
    m = fitted("cbpp_laplace")
    assert list(boot.to_frame().columns) == [*m.fixef.index, ".sig01"]
    responses = m.simulate(60, seed=7)
    for k in (0, 31, 59):
        one = m.refit(responses[k])
        np.testing.assert_allclose(boot.to_frame().loc[k, m.fixef.index], one.fixef, atol=1e-5)


def test_estimates_are_the_models_own(boot: Any) -> None:
    m = fitted("cbpp_laplace")
    np.testing.assert_array_equal(boot.estimate[m.fixef.index], m.fixef)
    assert boot.estimate[".sig01"] == pytest.approx(m.varcorr.terms[0].sd[0])
    assert ".sigma" not in boot.labels


def test_threads_and_parts_change_no_bit(boot: Any) -> None:
    m = fitted("cbpp_laplace")
    for n_threads in (1, 2, 3):
        again = mm.bootstrap(m, 60, seed=7, n_threads=n_threads, progress=False)
        pd.testing.assert_frame_equal(again.to_frame(), boot.to_frame(), check_exact=True)
    parts = mm.bootstrap(m, 20, seed=7, progress=False).resume(40, progress=False)
    pd.testing.assert_frame_equal(parts.to_frame(), boot.to_frame(), check_exact=True)


def test_percentile_intervals(boot: Any) -> None:
    found = boot.confint(0.8)
    assert list(found.index) == [".sig01", *fitted("cbpp_laplace").fixef.index]
    expected = np.quantile(boot.to_frame()["period2"], [0.1, 0.9])
    np.testing.assert_allclose(found.loc["period2"].iloc[:2].to_numpy(float), expected)
    same = fitted("cbpp_laplace").confint("period2", 0.8, "boot", nsim=60, seed=7, progress=False)
    np.testing.assert_allclose(same.iloc[0, :2].to_numpy(float), expected)


def test_the_jackknife_leaves_out_whole_groups() -> None:
    m, data = fitted("cbpp_laplace"), reference_data.load("cbpp")
    found = jackknife(m)
    assert len(found) == 15
    for k, herd in ((0, "1"), (7, "8")):
        part = data[data["herd"].astype(str) != herd]
        one = mm.glmer(m.formula, part.assign(herd=part["herd"].astype(str)), family="binomial")
        np.testing.assert_allclose(found.fixef.loc[k], one.fixef, atol=1e-5)
        assert found.varcorr.iloc[k, 0] == pytest.approx(one.theta[0], abs=1e-5)


def test_bca_intervals(boot: Any) -> None:
    found = boot.confint(type="bca")
    assert np.isfinite(found.iloc[:, :2].to_numpy(dtype=float)).all()
    assert "BCa" in found.title


def test_families_with_a_sigma_or_a_dispersion() -> None:
    data = reference_data.load("glmmsim")
    gamma = mm.bootstrap(fitted("glmmsim_gamma_log"), 12, seed=1, progress=False)
    assert list(gamma.confint().index)[:2] == [".sig01", ".sigma"]
    assert gamma.estimate[".sigma"] == fitted("glmmsim_gamma_log").sigma
    m = mm.glmer("y_nb ~ x + (1 | grp)", data, family="negative_binomial")
    counts = mm.bootstrap(m, 12, seed=1, progress=False)
    assert list(counts.confint().index)[:2] == [".sig01", ".dispersion"]
    assert counts.estimate[".dispersion"] == m.dispersion
    assert (counts.to_frame()[".dispersion"].dropna() > 0).all()


def test_ordinary_regression_has_its_own_sigma() -> None:
    """Pearson's χ²/(n − p) in the model, in refits and in the bootstrap alike."""
    m = mm.glm("y_gamma ~ x", reference_data.load("glmmsim"), family=mm.families.Gamma("log"))
    boot = mm.bootstrap(m, 3, seed=1, progress=False)
    assert boot.estimate[".sigma"] == pytest.approx(m.sigma)
    one = m.refit(m.simulate(3, seed=1)[2])
    assert boot.to_frame().loc[2, ".sigma"] == pytest.approx(one.sigma, rel=1e-6)
    np.testing.assert_allclose(m.refit(m.simulate(3, seed=1)).bse.loc[2], one.bse, rtol=1e-5)


def test_a_statistic_sees_the_refitted_models() -> None:
    m = fitted("cbpp_laplace")
    found = mm.bootstrap(m, 5, 7, lambda refitted: refitted.theta[0], progress=False)
    expected = [m.refit(m.simulate(5, seed=7)[k]).theta[0] for k in range(5)]
    np.testing.assert_allclose(found.to_frame()["statistic"], expected, atol=1e-6)


# --- Likelihood-ratio test ---


def test_bootstrap_lrt() -> None:
    formula, data = "cbind(incidence, size - incidence)", reference_data.load("cbpp")
    small = mm.glm(f"{formula} ~ period", data, family="binomial")
    test = mm.bootstrap_lrt(small, fitted("cbpp_laplace"), nsim=80, seed=3, progress=False)
    large = fitted("cbpp_laplace")
    assert test.statistic == pytest.approx(2 * (large.loglik - small.loglik))
    assert test.df == 1
    assert test.p_value < 0.05
    assert (test.null > -1e-6).all()
    assert 0.3 < (test.null < 1e-3).mean() < 0.8  # about half of them have no variance
    again = mm.bootstrap_lrt(small, large, nsim=80, seed=3, n_threads=1, progress=False)
    np.testing.assert_array_equal(again.null, test.null)


def test_bootstrap_lrt_of_an_overdispersion() -> None:
    """A Poisson model within a negative binomial one; a linear model is within neither."""
    data = reference_data.load("glmmsim")
    small = mm.glmer("y_nb ~ x + (1 | grp)", data, family="poisson")
    large = mm.glmer("y_nb ~ x + (1 | grp)", data, family="negative_binomial")
    test = mm.bootstrap_lrt(small, large, nsim=40, seed=1, progress=False)
    assert test.p_value == pytest.approx(1 / 41)
    assert test.models[0].endswith('poisson(link="log")')
    with pytest.raises(mm.ArgumentError, match="linear"):
        mm.bootstrap_lrt(mm.lmer("y_nb ~ 1 + (1 | grp)", data), large, nsim=10)


def test_bootstrap_lrt_of_a_fixed_effect() -> None:
    formula, data = "cbind(incidence, size - incidence)", reference_data.load("cbpp")
    small = mm.glmer(f"{formula} ~ 1 + (1 | herd)", data, family="binomial")
    test = mm.bootstrap_lrt(small, fitted("cbpp_laplace"), nsim=100, seed=2, progress=False)
    assert test.df == 3
    assert np.nanmean(test.null) == pytest.approx(3, abs=1)  # χ²(3)
    assert test.p_value == pytest.approx(1 / 101)
