"""Studies that are planned: their tables, their parameters, the responses drawn from them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
from reference_data import load

TRIAL = {
    "formula": "pain ~ treatment * week + (week | patient)",
    "predictors": {"treatment": ["placebo", "drug"], "week": [0, 4, 8]},
    "groups": {"patient": 6},
    "between": {"treatment": "patient"},
    "fixef": {"(Intercept)": 50, "treatmentdrug": 0, "week": -0.5, "treatmentdrug:week": -0.4},
    "sd": {"patient": {"(Intercept)": 8, "week": 0.5}},
    "cor": {"patient": -0.3},
    "sigma": 5,
}
SCHOOL = {
    "predictors": {"treatment": ["control", "new"]},
    "fixef": {"(Intercept)": 1.0, "treatmentnew": 0.5},
}


def trial(**changes):
    return mm.simulate_design(**{**TRIAL, **changes})


# --- Tables ---


def test_recipe():
    data = trial().data
    assert list(data) == ["patient", "treatment", "week", "pain"]
    assert data["patient"].tolist() == [p for p in range(1, 7) for _ in range(3)]
    assert data["week"].tolist() == [0, 4, 8] * 6
    by_patient = data.groupby("patient")["treatment"].unique()
    assert [list(values) for values in by_patient] == [["placebo"], ["drug"]] * 3
    assert list(data["treatment"].cat.categories) == ["placebo", "drug"]


def test_nested_groups_are_numbered_across_their_parents():
    design = mm.simulate_design(
        "y ~ treatment + (1 | clinic/patient)",
        groups={"clinic": 3, "clinic/patient": 4},
        between={"treatment": "patient"},
        per_group=2,
        sd={"clinic": 1, "clinic/patient": 2},
        sigma=1,
        **SCHOOL,
    )
    data = design.data
    assert design.ngroups == {"patient:clinic": 12, "clinic": 3}
    pairs = data[["clinic", "patient"]].drop_duplicates()
    assert pairs["patient"].tolist() == list(range(1, 13))
    assert pairs["clinic"].tolist() == [1] * 4 + [2] * 4 + [3] * 4
    assert (data.groupby("patient")["treatment"].nunique() == 1).all()
    assert (data.groupby("clinic")["treatment"].value_counts() == 4).all()
    assert design.varcorr["patient:clinic"].iloc[0, 0] == pytest.approx(4)


def test_crossed_groups_and_predictors_between_both():
    design = mm.simulate_design(
        "y ~ a * b + (1 | subject) + (1 | item)",
        {"a": ["x", "y"], "b": ["u", "v", "w"]},
        groups={"subject": 4, "item": 6},
        between={"a": "subject", "b": "item"},
        fixef=dict.fromkeys(["(Intercept)", "ay", "bv", "bw", "ay:bv", "ay:bw"], 0.0),
        sd={"subject": 1, "item": 1},
        sigma=1,
    )
    counts = design.data.groupby(["a", "b"], observed=True).size()
    assert len(design.data) == 24
    assert (counts == 4).all()


def test_predictors_between_the_same_groups_are_crossed():
    design = mm.simulate_design(
        "y ~ a + b + (1 | g)",
        {"a": ["x", "y"], "b": ["u", "v", "w"]},
        groups={"g": 12},
        between={"a": "g", "b": "g"},
        per_group=2,
        fixef=dict.fromkeys(["(Intercept)", "ay", "bv", "bw"], 0.0),
        sd={"g": 1},
        sigma=1,
    )
    assert (design.data.groupby(["a", "b"], observed=True)["g"].nunique() == 2).all()


def test_a_design_without_groups():
    design = mm.simulate_design("y ~ treatment", per_group=5, sigma=2, **SCHOOL)
    assert design.nobs == 10
    assert isinstance(mm.lm(design.formula, design.data), mm.LinearModel)


@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_rows_of_a_table(kind):
    table = pd.DataFrame({"x": [0.0, 1.0, 2.0, 3.0], "g": ["a", "a", "b", "b"]})
    if kind == "polars":
        table = pytest.importorskip("polars").from_pandas(table)
    design = mm.simulate_design(
        "y ~ x + (1 | g)",
        table,
        groups={"g": 5},
        per_group=3,
        fixef={"(Intercept)": 0, "x": 1},
        sd={"g": 1},
        sigma=1,
    )
    assert design.ngroups == {"g": 5}
    assert design.data.groupby("g")["x"].unique().map(list).tolist() == [
        [0, 1], [2, 3], [0, 1], [2, 3], [2, 3],
    ]  # fmt: skip
    assert (design.data.groupby("g").size() == 6).all()


def test_more_and_fewer_groups_keep_the_shares_of_a_factor_between_them():
    arm = ["a"] * 12 + ["b"] * 6  # sorted, so that the first half are all alike
    table = pd.DataFrame({"g": np.arange(18).repeat(4), "arm": np.repeat(arm, 4)})
    for count, shares in ((6, [4, 2]), (18, [12, 6]), (27, [18, 9])):
        design = mm.simulate_design(
            "y ~ arm + (1 | g)",
            table,
            groups={"g": count},
            fixef={"(Intercept)": 0, "armb": 1},
            sd={"g": 1},
            sigma=1,
        )
        assert design.data.groupby("arm")["g"].nunique().tolist() == shares


def test_nested_columns_of_a_table_stay_nested():
    table = pd.DataFrame({"a": [1, 1, 1, 2, 2, 2], "b": list("uuvwwx"), "c": list("pqpqpq")})
    table = pd.concat([table] * 3)
    design = mm.simulate_design(
        "y ~ 1 + (1 | a) + (1 | b) + (1 | c)",
        table,
        groups={"a": 5},
        fixef={"(Intercept)": 0},
        sd={"a": 1, "b": 1, "c": 1},
        sigma=1,
    )
    assert design.ngroups == {"b": 10, "a": 5, "c": 2}


# --- Parameters ---


def test_covariances_are_those_asked_for():
    expected = [[64, -0.3 * 8 * 0.5], [-0.3 * 8 * 0.5, 0.25]]
    np.testing.assert_allclose(trial().varcorr["patient"], expected)
    singular = trial(cor={"patient": [[1, 1], [1, 1]]}).varcorr["patient"]
    np.testing.assert_allclose(singular, [[64, 4], [4, 0.25]], atol=1e-12)
    assert trial(sd={"patient": {"(Intercept)": 0, "week": 0}}).varcorr["patient"].sum().sum() == 0


def test_theta_is_relative_to_sigma():
    design = trial(sd=None, cor=None, theta=[1.6, -0.03, 0.0954], sigma=5)
    np.testing.assert_allclose(
        design.varcorr["patient"],
        25 * np.array([[1.6**2, -1.6 * 0.03], [-1.6 * 0.03, 0.03**2 + 0.0954**2]]),
    )


WRONG = {
    "no value for 'week'": {"fixef": {"(Intercept)": 1, "treatmentdrug": 0}},
    "did you mean 'treatmentdrug'": {"fixef": {"treatmentDrug": 0}},
    "expected a dict": {"fixef": [1, 2, 3, 4]},
    "sd has nothing for 'patient'": {"sd": None},
    "by which nothing varies": {"sd": {"clinic": 1}},
    "nothing for 'week'": {"sd": {"patient": {"(Intercept)": 1}}},
    "which is not one of its random effects": {
        "sd": {"patient": {"(Intercept)": 1, "week": 1, "x": 1}}
    },
    "one for each random effect": {"sd": {"patient": 8}},
    "expected a number ≥ 0": {"sd": {"patient": {"(Intercept)": -8, "week": 1}}},
    "from -1 to 1": {"cor": {"patient": 1.2}},
    "sigma is missing": {"sigma": None},
    "expected a number > 0": {"sigma": 0},
    "has none: leave dispersion out": {"dispersion": 1.0},
    "they are the same parameters": {"theta": [1, 0, 1]},
    "whole number of at least 1": {"groups": {"patient": 0}},
    "is not one of the groups": {"between": {"treatment": "clinic"}},
    "which is not a predictor": {"between": {"dose": "patient"}},
    "given twice": {"groups": {"patient": 3, "week": 2}},
    "the outer one first": {"groups": {"clinic/patient": 3, "clinic": 2}},
    "expected a list of its values": {"predictors": {"treatment": "drug", "week": [0]}},
    "predictors are missing": {"predictors": None},
    "seed is -1": {"seed": -1},
    "groups is 40; expected a dict": {"groups": 40},
    "between is 'patient'; expected a dict": {"between": "patient"},
    "sd is 8; expected a dict": {"sd": 8},
    "cor is 0.3; expected a dict": {"cor": 0.3},
}


@pytest.mark.parametrize("message", WRONG)
def test_errors_name_what_was_found(message):
    with pytest.raises(mm.ArgumentError, match=message):
        trial(**WRONG[message])


def test_a_formula_needs_a_response():
    with pytest.raises(mm.FormulaError, match="no response"):
        trial(formula="~ week + (1 | patient)")


# --- Responses ---


def test_replicates_depend_on_seed_and_number_alone():
    design = trial(seed=7)
    few, many = design.simulate(2), design.simulate(5)
    pd.testing.assert_frame_equal(few, many[[0, 1]])
    np.testing.assert_array_equal(design.data["pain"], many[0])
    assert (design.simulate(1, seed=8)[0] != few[0]).all()


def test_moments_of_linear_responses():
    design = trial(groups={"patient": 2})
    y = design.simulate(5_000).to_numpy()
    week = np.array([0.0, 4.0, 8.0])
    Z = np.column_stack([np.ones(3), week])
    block = Z @ design.varcorr["patient"].to_numpy() @ Z.T + 25 * np.eye(3)
    V = np.kron(np.eye(2), block)
    mean = np.concatenate([50 - 0.5 * week, 50 - 0.9 * week])
    assert (np.abs(y.mean(axis=1) - mean) < 5 * np.sqrt(np.diag(V) / 5_000)).all()
    spread = np.sqrt((V**2 + np.outer(np.diag(V), np.diag(V))) / 5_000)
    assert (np.abs(np.cov(y) - V) < 5 * spread).all()


FAMILIES = {
    # family → parameters, variance of y at mean μ
    "binomial": ({}, lambda mu: mu * (1 - mu)),
    "poisson": ({}, lambda mu: mu),
    "Gamma": ({"sigma": 0.5}, lambda mu: 0.25 * mu**2),
    "inverse_gaussian": ({"sigma": 0.5}, lambda mu: 0.25 * mu**3),
    "negative_binomial": ({"dispersion": 2.0}, lambda mu: mu + mu**2 / 2),
    "nb1": ({"dispersion": 2.0}, lambda mu: mu * 3),
    "beta": ({"dispersion": 4.0}, lambda mu: mu * (1 - mu) / 5),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_moments_of_generalised_responses(name):
    parameters, variance = FAMILIES[name]
    link = "logit" if name in ("binomial", "beta") else "log"
    family = getattr(mm.families, name)(link=link)
    design = mm.simulate_design(
        "y ~ x", {"x": [-1.0, 0.5]}, fixef={"(Intercept)": 0.3, "x": 0.8}, family=family,
        **parameters,
    )  # fmt: skip
    y = design.simulate(5_000, seed=3).to_numpy()
    eta = 0.3 + 0.8 * np.array([-1.0, 0.5])
    mean = 1 / (1 + np.exp(-eta)) if link == "logit" else np.exp(eta)
    sd = np.sqrt(variance(mean))
    assert (np.abs(y.mean(axis=1) - mean) < 5 * sd / np.sqrt(5_000)).all()
    kurtosis = ((y - mean[:, None]) ** 4).mean(axis=1) / sd**4
    assert (np.abs(y.var(axis=1) / sd**2 - 1) < 5 * np.sqrt(kurtosis / 5_000)).all()


def test_binomial_proportions_of_trials():
    design = mm.simulate_design(
        "y ~ x + (1 | g)",
        {"x": [0, 1], "n": [12]},
        groups={"g": 10},
        fixef={"(Intercept)": 0, "x": 1},
        sd={"g": 0.5},
        family="binomial",
        weights="n",
    )
    successes = design.data["y"] * 12
    assert np.allclose(successes, successes.round())
    assert successes.nunique() > 2
    model = mm.glmer(design.formula, design.data, weights="n")
    assert model.nobs == 20


def test_a_held_theta_of_the_negative_binomial():
    family = mm.families.negative_binomial(theta=2)
    arguments = {"predictors": {"x": [0, 1]}, "fixef": {"(Intercept)": 1, "x": 0}, "per_group": 4}
    design = mm.simulate_design("y ~ x", family=family, **arguments)
    assert (design.data["y"] >= 0).all()
    with pytest.raises(mm.ArgumentError, match="holds it at a value"):
        mm.simulate_design("y ~ x", family=family, dispersion=3, **arguments)


# --- From a fitted model ---


@pytest.fixture(scope="module")
def sleep():
    return mm.lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


def test_a_model_gives_its_rows_and_estimates(sleep):
    design = mm.simulate_design(sleep)
    pd.testing.assert_series_equal(design.fixef, sleep.fixef, check_names=False)
    np.testing.assert_allclose(design.varcorr["Subject"], sleep.varcorr["Subject"])
    assert design.sigma == sleep.sigma
    assert design.ngroups == {"Subject": 18}
    changed = mm.simulate_design(sleep, fixef={"Days": 5.0}, sigma=10, groups={"Subject": 30})
    assert changed.fixef.tolist() == [sleep.fixef["(Intercept)"], 5.0]
    np.testing.assert_allclose(changed.varcorr["Subject"], sleep.varcorr["Subject"])
    assert changed.ngroups == {"Subject": 30}
    assert changed.nobs == 300


def test_a_model_with_weights_offset_and_missing_rows():
    data = load("sleepstudy").copy()
    data.loc[data.index[:7], "Days"] = np.nan
    with pytest.warns(mm.MissingDataWarning):
        model = mm.lmer(
            "Reaction ~ Days + (1 | Subject)",
            data,
            weights=np.linspace(1, 2, 180),
            offset=np.linspace(0, 9, 180),
            na_action="exclude",
        )
    design = mm.simulate_design(model)
    assert design.nobs == 173
    y = design.simulate(4000).to_numpy()
    expected = model.predict(re_form="NA").dropna().to_numpy()
    sd = np.sqrt(model.varcorr["Subject"].iloc[0, 0] + model.sigma**2)
    assert np.abs(y.mean(axis=1) - expected).max() < 5 * sd / np.sqrt(4000)


def test_a_generalised_model(sleep):
    data = load("cbpp")
    model = mm.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data)
    design = mm.simulate_design(model, groups={"herd": 20})
    assert design.ngroups == {"herd": 20}
    with pytest.raises(mm.DataError, match="not a column"):
        _ = design.data


def test_models_are_refused_what_is_theirs(sleep):
    with pytest.raises(mm.ArgumentError, match="family is that of the fitted model"):
        mm.simulate_design(sleep, family="poisson")
    with pytest.raises(mm.ArgumentError, match="not a grouping column"):
        mm.simulate_design(sleep, groups={"subject": 30})
    ones = np.ones(180)
    data = load("sleepstudy")
    arrays = mm.lmer_arrays(data["Reaction"], ones, [(ones, data["Subject"])])
    with pytest.raises(mm.DataError, match="from arrays"):
        mm.simulate_design(arrays)


def test_too_few_groups_to_have_every_level():
    design = mm.simulate_design(
        "y ~ arm + (1 | g)",
        pd.DataFrame({"g": np.arange(6).repeat(3), "arm": np.repeat(list("aabbcc"), 3)}),
        fixef={"(Intercept)": 0, "armb": 1, "armc": 1},
        sd={"g": 1},
        sigma=1,
    )
    with pytest.raises(mm.DataError, match="too few groups"):
        design.extend({"g": 2})


def test_text():
    design = trial()
    assert "patient 6" in repr(design)
    assert "treatmentdrug:week" in str(design)
