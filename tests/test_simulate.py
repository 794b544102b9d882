"""Simulated responses: their moments against theory and lme4, and what a column depends on."""

from __future__ import annotations

import numpy as np
import pandas as pd
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


# --- Effects kept, and others drawn ---


@pytest.fixture(scope="module")
def visits():
    """Two groups: patients within clinics."""
    data = mm.datasets.load("anxiety_longitudinal").dropna()
    return mm.lmer("anxiety ~ month * treatment + (1 | clinic) + (1 | patient_id)", data)


def draws_of_rows(m, *rows, **arguments):
    """Draws at some rows, shape (rows, DRAWS)."""
    return m.simulate(DRAWS, seed=8, **arguments).to_numpy()[list(rows)]


def test_named_effects_are_kept_and_the_others_drawn(visits):
    data = visits._call.data
    patient = data["patient_id"].to_numpy()
    a, b = np.flatnonzero(patient == patient[0])[:2]
    clinic_kept = draws_of_rows(visits, a, b, re_form="~ (1 | clinic)")
    between = visits.varcorr["patient_id"].iloc[0, 0]
    total = between + visits.sigma**2
    mean = visits.predict(re_form="~ (1 | clinic)").to_numpy()[a]
    assert abs(clinic_kept[0].mean() - mean) < ERRORS * np.sqrt(total / DRAWS)
    assert abs(clinic_kept[0].var() / total - 1) < ERRORS * np.sqrt(2 / DRAWS)
    covariance = np.cov(clinic_kept)[0, 1]  # both rows have the same drawn patient
    assert abs(covariance - between) < ERRORS * np.sqrt((total**2 + between**2) / DRAWS)


def test_some_columns_of_a_term_are_kept(sleepstudy):
    last = 9  # Days = 9
    y = draws_of_rows(sleepstudy, last, re_form="~ (1 | Subject)")[0]
    slope = sleepstudy.varcorr["Subject"].loc["Days", "Days"]
    variance = 81 * slope + sleepstudy.sigma**2
    mean = sleepstudy.predict(re_form="~ (1 | Subject)").iloc[last]
    assert abs(y.mean() - mean) < ERRORS * np.sqrt(variance / DRAWS)
    assert abs(y.var() / variance - 1) < ERRORS * np.sqrt(2 / DRAWS)


@pytest.mark.parametrize("re_form", ["NA", None, "~ (1 | Subject)"])
def test_new_rows(sleepstudy, re_form):
    """Subjects that are known are kept or drawn; new and missing ones are drawn, a missing one for
    its row alone."""
    new = {"Days": [0.0, 4.0, 4.0, 4.0, 4.0], "Subject": ["308", "x", "x", None, None]}
    y = sleepstudy.simulate(DRAWS, seed=3, re_form=re_form, newdata=new, allow_new_levels=True)
    frame = sleepstudy.predict(new, re_form, True, interval="prediction")
    known = sleepstudy.predict(new, re_form, True, interval="confidence")
    # The interval's variance but for the uncertainty of β̂ and b̂.
    variance = frame["std_error"] ** 2 - known["std_error"] ** 2
    y, error = y.to_numpy(), np.sqrt(variance / DRAWS)
    assert (np.abs(y.mean(axis=1) - frame["prediction"]) < ERRORS * error).all()
    assert (np.abs(y.var(axis=1) / variance - 1) < ERRORS * np.sqrt(2 / DRAWS)).all()
    correlation = np.corrcoef(y)
    assert abs(correlation[3, 4]) < ERRORS / np.sqrt(DRAWS)
    shared = 1 - sleepstudy.sigma**2 / variance[1]
    assert abs(correlation[1, 2] - shared) < ERRORS / np.sqrt(DRAWS)


def test_drawn_in_python_or_in_the_kernel_it_is_one_distribution(sleepstudy):
    data = load("sleepstudy")
    y = sleepstudy.simulate(DRAWS, seed=1, newdata=data).to_numpy()
    exact = read_json("inference/simulate_sleepstudy_rs_reml.json")["exact_marginal"]
    sd = np.array(exact["sd_first10"])
    assert (
        np.abs(y[:10].mean(axis=1) - exact["mean_first10"]) < ERRORS * sd / np.sqrt(DRAWS)
    ).all()
    assert (np.abs(y[:10].std(axis=1) / sd - 1) < ERRORS / np.sqrt(2 * DRAWS)).all()


def test_generalised_responses_at_new_rows():
    m = mm.glmer(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", load("cbpp"), family="binomial"
    )
    new = {"period": ["1", "2", "3"], "herd": ["1", None, "3"], "size": [7, 20, 11]}
    y = m.simulate(DRAWS, seed=2, newdata=new, re_form=None).to_numpy()
    counts = y * np.array(new["size"])[:, None]
    np.testing.assert_allclose(counts, np.rint(counts), atol=1e-9)
    mean = m.predict(new).to_numpy()[[0, 2]]
    error = np.sqrt(mean * (1 - mean) / np.array([7, 11]) / DRAWS)
    assert (np.abs(y[[0, 2]].mean(axis=1) - mean) < ERRORS * error).all()
    interval = m.predict(new, interval="prediction").iloc[1]
    outside = (y[1] < interval["lower"] - 1e-9) | (y[1] > interval["upper"] + 1e-9)
    assert outside.mean() < 0.05 + ERRORS * np.sqrt(0.05 * 0.95 / DRAWS)


def test_a_column_of_new_rows_depends_on_seed_and_number_alone(visits):
    arguments = {"re_form": "~ (1 | clinic)"}
    whole = visits.simulate(5, seed=5, **arguments)
    np.testing.assert_array_equal(whole.iloc[:, :2], visits.simulate(2, seed=5, **arguments))
    assert not np.array_equal(whole, visits.simulate(5, seed=6, **arguments))
    biggest = visits.simulate(1, seed=2**64 - 1, **arguments)
    assert np.isfinite(biggest).all(axis=None)


def test_new_rows_with_missing_values(sleepstudy):
    new = pd.DataFrame({"Days": [1.0, np.nan], "Subject": ["308", "309"]}, index=["a", "b"])
    y = sleepstudy.simulate(2, newdata=new)
    assert list(y.index) == ["a", "b"]
    assert y.isna().all(axis=1).tolist() == [False, True]


def test_new_rows_with_missing_numbers_of_trials():
    data = load("cbpp")
    m = mm.glmer(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", data, family="binomial"
    )
    new = data.head(3).astype({"size": float})
    new.loc[new.index[1], "size"] = np.nan
    assert m.simulate(2, newdata=new).isna().all(axis=1).tolist() == [False, True, False]


def test_a_new_group_whose_effects_are_kept(sleepstudy):
    new = {"Days": [1.0], "Subject": ["x"]}
    with pytest.raises(mm.DataError, match="level 'x' of 'Subject'"):
        sleepstudy.simulate(1, newdata=new, re_form=None)
    assert sleepstudy.simulate(1, newdata=new).shape == (1, 1)


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
