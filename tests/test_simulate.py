"""Simulated responses: their moments against theory and lme4, and what a column depends on."""

from __future__ import annotations

import numpy as np
import pytest

import mixedmodels as mm
from reference_data import load, read_json

MODELS = ["anxiety_rs_reml", "sleepstudy_rs_reml"]
DRAWS = 4000
ERRORS = 5.0  # Monte Carlo standard errors


def fitted(name: str) -> mm.LinearMixedModel:
    ref = read_json(f"inference/simulate_{name}.json")
    return mm.lmer(ref["formula"], load(ref["data"]))


@pytest.fixture(scope="module")
def sleepstudy():
    return mm.lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


@pytest.mark.parametrize("name", MODELS)
def test_new_random_effects_give_the_exact_marginal_moments(name):
    exact = read_json(f"inference/simulate_{name}.json")["exact_marginal"]
    y = fitted(name).simulate(DRAWS, seed=1).to_numpy()
    sd = np.array(exact["sd_first10"])
    error = sd / np.sqrt(DRAWS)
    assert (np.abs(y[:10].mean(axis=1) - exact["mean_first10"]) < ERRORS * error).all()
    assert (np.abs(y[:10].std(axis=1) / sd - 1) < ERRORS / np.sqrt(2 * DRAWS)).all()
    covariance = np.cov(y[0], y[1])[0, 1]
    wanted = exact["cov_obs1_obs2"]
    allowed = ERRORS * np.sqrt((sd[0] ** 2 * sd[1] ** 2 + wanted**2) / DRAWS)
    assert abs(covariance - wanted) < allowed


@pytest.mark.parametrize("name", MODELS)
def test_kept_random_effects_give_lme4s_conditional_moments(name):
    ref = read_json(f"inference/simulate_{name}.json")["use_u"]
    m = fitted(name)
    y = m.simulate(DRAWS, seed=1, re_form=None).to_numpy()
    error = np.hypot(ref["mean_mc_se_first10"], m.sigma / np.sqrt(DRAWS))
    assert (np.abs(y[:10].mean(axis=1) - ref["mean_first10"]) < ERRORS * error).all()
    assert (np.abs(y[:10].std(axis=1) / m.sigma - 1) < ERRORS / np.sqrt(2 * DRAWS)).all()
    assert abs(np.corrcoef(y[0], y[1])[0, 1]) < ERRORS / np.sqrt(DRAWS)


def test_a_column_depends_on_seed_and_number_alone(sleepstudy):
    whole = sleepstudy.simulate(40, seed=5)
    np.testing.assert_array_equal(whole.iloc[:, :7], sleepstudy.simulate(7, seed=5))
    fit = sleepstudy._fit
    for n_threads in (1, 2, 3):
        np.testing.assert_array_equal(whole, fit.simulate(40, 5, n_threads=n_threads))
    np.testing.assert_array_equal(whole.iloc[:, 13:], fit.simulate(27, 5, 13))
    assert not np.array_equal(whole, sleepstudy.simulate(40, seed=6))


def test_prior_weights_and_offset():
    data = load("sleepstudy_aux").assign(known=lambda d: 100.0 * d["Days"])
    weights = np.where(data["Days"] > 4, 4.0, 1.0)
    with pytest.warns(mm.SingularFitWarning):
        m = mm.lmer("Reaction ~ 1 + (1 | Subject)", data, weights=weights, offset="known")
    y = m.simulate(DRAWS, seed=2, re_form=None).to_numpy()
    expected = m.sigma / np.sqrt(weights)
    assert np.allclose(y.std(axis=1), expected, rtol=ERRORS / np.sqrt(2 * DRAWS))
    assert np.allclose(y.mean(axis=1), m.fitted, atol=ERRORS * m.sigma / np.sqrt(DRAWS))


def test_rows_left_out():
    data = load("sleepstudy")
    data.loc[[3, 50], "Reaction"] = np.nan
    formula = "Reaction ~ Days + (Days | Subject)"
    with pytest.warns(mm.MissingDataWarning):
        dropped = mm.lmer(formula, data)
    with pytest.warns(mm.MissingDataWarning):
        padded = mm.lmer(formula, data, na_action="exclude")
    y = dropped.simulate(2, seed=3)
    assert y.index.equals(data.index.drop([3, 50]))
    wide = padded.simulate(2, seed=3)
    assert wide.index.equals(data.index)
    assert wide.loc[[3, 50]].isna().all(axis=None)
    np.testing.assert_array_equal(wide.drop([3, 50]), y)


def test_an_ordinary_regression_has_residuals_only():
    m = mm.lm("Reaction ~ Days", load("sleepstudy"))
    y = m.simulate(DRAWS, seed=4).to_numpy()
    assert np.allclose(y.std(axis=1), m.sigma, rtol=ERRORS / np.sqrt(2 * DRAWS))


@pytest.mark.parametrize(
    "wrong", [{"nsim": 0}, {"nsim": 2.5}, {"seed": -1}, {"seed": 2**64}, {"nsim": True}]
)
def test_arguments_out_of_range(sleepstudy, wrong):
    with pytest.raises(mm.ArgumentError, match="whole number"):
        sleepstudy.simulate(**{"nsim": 1, **wrong})
