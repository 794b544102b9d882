"""Simulated power against closed forms, single analyses, and itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mixedmodels as mm
from reference_data import load

pytestmark = pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")


def two_arms(groups, per_group, delta, between=0.8, within=1.0, **rest):
    """A cluster-randomised trial with random intercepts."""
    return mm.simulate_design(
        "y ~ arm + (1 | g)",
        {"arm": ["a", "b"]},
        groups={"g": groups},
        between={"arm": "g"},
        per_group=per_group,
        fixef={"(Intercept)": 3, "armb": delta},
        sd={"g": between},
        sigma=within,
        **rest,
    )


def t_power(noncentrality, df, alpha=0.05):
    critical = stats.t.ppf(1 - alpha / 2, df)
    return stats.nct.sf(critical, df, noncentrality) + stats.nct.cdf(-critical, df, noncentrality)


def within_error(power, expected, nsim):
    """Within four standard errors of the simulation."""
    return abs(power - expected) < 4 * np.sqrt(expected * (1 - expected) / nsim)


# --- Closed forms of balanced designs ---


@pytest.mark.parametrize(("groups", "per_group"), [(12, 6), (24, 3)])
def test_an_effect_between_groups(groups, per_group):
    """The t test of the group means: variance τ² + σ²/m, df = groups − 2."""
    design = two_arms(groups, per_group, delta=1.0)
    found = mm.power(design, "armb", nsim=1000, seed=1).to_frame().iloc[0]
    error = np.sqrt((0.8**2 + 1 / per_group) * 4 / groups)
    assert within_error(found["power"], t_power(1.0 / error, groups - 2), 1000)
    assert found["conf_low"] < found["power"] < found["conf_high"]
    assert abs(found["mean_estimate"] - 1) < 4 * error / np.sqrt(1000)


def test_an_effect_within_groups():
    """The paired t test: the random intercept cancels, df = groups − 1 for two rows a group."""
    design = mm.simulate_design(
        "y ~ arm + (1 | g)",
        {"arm": ["a", "b"]},
        groups={"g": 15},
        fixef={"(Intercept)": 0, "armb": 0.9},
        sd={"g": 3},
        sigma=1,
    )
    found = mm.power(design, "arm", nsim=1000, seed=2).to_frame().iloc[0]
    assert within_error(found["power"], t_power(0.9 / np.sqrt(2 / 15), 14), 1000)


@pytest.mark.parametrize("test", ["satterthwaite", "kenward-roger"])
def test_without_an_effect_alpha_is_left(test):
    found = mm.power(two_arms(10, 4, delta=0), "armb", nsim=600, seed=3, test=test)
    assert within_error(found.to_frame()["power"].iloc[0], 0.05, 600)
    assert np.isnan(found.to_frame()["type_m"].iloc[0])


def test_z_tests_and_ratios_reject_too_often_in_few_groups():
    design = two_arms(6, 4, delta=0)
    by_test = {
        test: mm.power(design, "armb", nsim=600, test=test).to_frame()["power"].iloc[0]
        for test in ("satterthwaite", "wald", "lrt")
    }
    assert by_test["wald"] > 0.09
    assert by_test["lrt"] > 0.09
    assert by_test["satterthwaite"] < 0.08


def test_an_ordinary_regression():
    design = mm.simulate_design(
        "y ~ arm", {"arm": ["a", "b"]}, per_group=20, fixef={"(Intercept)": 0, "armb": 0.8},
        sigma=1,
    )  # fmt: skip
    expected = t_power(0.8 / np.sqrt(2 / 20), 38)
    for test in (None, "lrt"):
        found = mm.power(design, "armb", nsim=1000, test=test).to_frame().iloc[0]
        assert within_error(found["power"], expected, 1000)


def test_several_coefficients_at_once():
    """The F test of a one-way layout."""
    design = mm.simulate_design(
        "y ~ dose", {"dose": ["none", "low", "high"]}, per_group=12, sigma=1,
        fixef={"(Intercept)": 0, "doselow": 0.5, "dosehigh": 1.0},
    )  # fmt: skip
    found = mm.power(design, "dose", nsim=1000).to_frame().iloc[0]
    critical = stats.f.ppf(0.95, 2, 33)
    assert within_error(found["power"], stats.ncf.sf(critical, 2, 33, 12 * 0.5), 1000)
    assert "mean_estimate" not in found
    both = mm.power(design, ["doselow", "dosehigh"], nsim=1000).to_frame().iloc[0]
    assert both["power"] == found["power"]


@pytest.mark.parametrize("test", ["wald", "lrt"])
def test_a_comparison_of_two_proportions(test):
    """Large samples: z = (logit difference)/√(Σ 1/(n p (1 − p)))."""
    design = mm.simulate_design(
        "y ~ arm", {"arm": ["a", "b"]}, per_group=150, family="binomial",
        fixef={"(Intercept)": 0.0, "armb": 0.6},
    )  # fmt: skip
    p = 1 / (1 + np.exp(-0.6))
    z = 0.6 / np.sqrt(1 / (150 * 0.25) + 1 / (150 * p * (1 - p)))
    found = mm.power(design, "armb", nsim=1000, test=test).to_frame()["power"].iloc[0]
    assert abs(found - stats.norm.sf(1.96 - z)) < 0.05


# --- The test is that of a single analysis ---


def trial(**changes):
    arguments = {
        "formula": "y ~ arm * visit + (1 | patient)",
        "predictors": {"arm": ["a", "b"], "visit": ["first", "last"]},
        "groups": {"patient": 20},
        "between": {"arm": "patient"},
        "fixef": {"(Intercept)": 0, "armb": 0.5, "visitlast": 0.3, "armb:visitlast": 0.5},
        "sd": {"patient": 1},
        "sigma": 1,
    }
    return mm.simulate_design(**{**arguments, **changes})


def share(p_values, alpha):
    return float(np.mean(np.array(p_values) < alpha))


@pytest.mark.parametrize("method", ["satterthwaite", "kenward-roger", "wald"])
def test_share_of_single_analyses(method):
    design, ddf = trial(), "asymptotic" if method == "wald" else method
    model = mm.lmer(design.formula, design.data)
    fits = [model.refit(y) for y in design.simulate(40).to_numpy().T]
    one = mm.power(design, "armb:visitlast", nsim=40, alpha=0.3, test=method)
    table = [fit.coefficients(ddf).set_index("term") for fit in fits]
    expected = share([t.loc["armb:visitlast", "p_value"] for t in table], 0.3)
    assert one.to_frame()["power"].iloc[0] == expected
    means = np.mean([fit.fixef["armb:visitlast"] for fit in fits])
    assert one.to_frame()["mean_estimate"].iloc[0] == pytest.approx(means, rel=1e-6)


def test_a_term_is_tested_as_in_anova_and_a_hypothesis_as_in_test():
    design = trial()
    model = mm.lmer(design.formula, design.data)
    fits = [model.refit(y) for y in design.simulate(30).to_numpy().T]
    found = mm.power(design, "arm", nsim=30, alpha=0.2).to_frame().iloc[0]
    assert found["power"] == share([fit.anova().loc["arm", "Pr(>F)"] for fit in fits], 0.2)
    assert found["truth"] == pytest.approx(0.5 + 0.25)  # averaged over the visits
    text = "armb + armb:visitlast = 0.2"
    found = mm.power(design, text, nsim=30, alpha=0.2).to_frame().iloc[0]
    assert found["power"] == share([fit.test(text)["p_value"].iloc[0] for fit in fits], 0.2)
    assert found["truth"] == pytest.approx(0.8)


@pytest.mark.parametrize("family", [None, "poisson"])
def test_the_likelihood_ratio(family):
    scale = {"sigma": 1} if family is None else {"sigma": None, "family": family}
    design = trial(**scale)
    fit = mm.lmer if family is None else mm.glmer
    rest = {"REML": False} if family is None else {"family": family}
    full = fit(design.formula, design.data, **rest)
    null = fit("y ~ arm + visit + (1 | patient)", design.data, **rest)
    p = []
    for y in design.simulate(25).to_numpy().T:
        ratio = 2 * (full.refit(y).loglik - null.refit(y).loglik)
        p.append(stats.chi2.sf(ratio, 1))
    found = mm.power(design, "visit:arm", nsim=25, alpha=0.3, test="lrt")
    assert found.to_frame()["power"].iloc[0] == share(p, 0.3)
    assert found.test == "lrt"


# --- Settings ---


def test_settings_are_all_combinations():
    design = two_arms(10, 2, delta=1.0)
    found = mm.power(design, "armb", {"g": [8, 16], "per_group": [2, 5]}, nsim=200, seed=5)
    frame = found.to_frame()
    assert frame[["g", "per_group", "nobs"]].to_numpy().tolist() == [
        [8, 2, 16], [8, 5, 40], [16, 2, 32], [16, 5, 80],
    ]  # fmt: skip
    assert frame["power"].iloc[3] > frame["power"].iloc[0]
    alone = mm.power(design.extend({"g": 16}, 5), "armb", nsim=200, seed=5).to_frame()
    pd.testing.assert_frame_equal(
        frame.iloc[[3]].drop(columns=["g", "per_group"]).reset_index(drop=True), alone
    )


@pytest.mark.parametrize("test", ["satterthwaite", "lrt"])
def test_threads_change_nothing(test):
    counts = two_arms(10, 3, 0.7, within=None, family="poisson")
    for design in (two_arms(10, 3, 0.7), counts):
        _same_for_all_threads(design, test)


def _same_for_all_threads(design, test):
    test = "wald" if design.family and test == "satterthwaite" else test
    frames = [
        mm.power(design, "armb", {"g": [8, 12]}, nsim=40, test=test, n_threads=k) for k in (1, 2, 5)
    ]
    for other in frames[1:]:
        pd.testing.assert_frame_equal(frames[0].to_frame(), other.to_frame(), check_exact=True)


def test_a_fitted_model_is_extended():
    model = mm.lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))
    design = mm.simulate_design(model, fixef={"Days": 3.0})
    found = mm.power(design, "Days", {"Subject": [9, 18, 36]}, nsim=300)
    frame = found.to_frame()
    assert frame["nobs"].tolist() == [90, 180, 360]
    assert frame["power"].is_monotonic_increasing
    assert (frame["truth"] == 3).all()
    observed = mm.power(model, "Days", nsim=100).to_frame()
    assert observed["truth"].iloc[0] == model.fixef["Days"]


def test_separated_responses_are_no_discoveries():
    design = mm.simulate_design(
        "y ~ arm", {"arm": ["a", "b"]}, per_group=6, family="binomial",
        fixef={"(Intercept)": 0.0, "armb": 3.0},
    )  # fmt: skip
    frame = mm.power(design, "armb", nsim=300).to_frame()
    assert 1 < frame["mean_estimate"].iloc[0] < 5  # of those that are not separated
    assert frame["nsim"].iloc[0] + frame["n_failed"].iloc[0] == 300


# --- Looks ---


def test_text_and_frame():
    found = mm.power(two_arms(10, 2, 1.0), "armb", {"g": [8, 16]}, nsim=100)
    assert "Power for armb" in str(found)
    assert "Satterthwaite" in str(found)
    assert "<table" in found._repr_html_()
    frame = found.to_frame()
    frame["power"] = 0.0
    assert (found.to_frame()["power"] > 0).all()


def test_the_curve():
    plt = pytest.importorskip("matplotlib.pyplot")
    found = mm.power(two_arms(10, 2, 1.0), "armb", {"g": [16, 8], "per_group": [2, 4]}, nsim=50)
    data = found.plot_data()
    assert data["x"].tolist() == [8, 16, 8, 16]
    assert data["line"].tolist() == ["per_group = 2"] * 2 + ["per_group = 4"] * 2
    figure, ax = plt.subplots()
    assert found.plot(ax=ax) is ax
    assert len(ax.get_legend().get_texts()) == 2
    plt.close(figure)
    with pytest.raises(mm.ArgumentError, match="no curve"):
        mm.power(two_arms(10, 2, 1.0), "armb", nsim=20).plot_data()


WRONG = {
    "is not a coefficient": {"effect": "dose"},
    "not one of the design's groups": {"over": {"G": [10]}},
    "expected a dict": {"over": [10, 20]},
    "whole number of at least 1": {"over": {"g": [10, 0]}},
    "nsim is 0": {"nsim": 0},
    "alpha is 1.5; expected a level of significance": {"alpha": 1.5},
    "over is 20; expected a dict": {"over": 20},
    r"over\['group'\] is empty": {"over": {"group": []}},
    r"over\['group'\] is 0; expected a whole number": {"over": {"group": [0]}},
    "choose one of": {"test": "student"},
    "no p-values": {"test": "none"},
    "a name or a list of names": {"effect": 3},
    "combination of them": {"effect": "armb = 1", "test": "lrt"},
    "n_threads": {"n_threads": 0},
}


@pytest.mark.parametrize("message", WRONG)
def test_errors(message):
    arguments = {"effect": "armb", "nsim": 10, **WRONG[message]}
    with pytest.raises((mm.ArgumentError, mm.FormulaError), match=message):
        mm.power(two_arms(10, 2, 1.0), **arguments)


def test_an_error_names_its_setting():
    with pytest.raises(mm.DataError, match="every row is a group") as error:
        mm.power(two_arms(10, 2, 1.0), "armb", {"per_group": [2, 1]}, nsim=5)
    assert error.value.__notes__ == ["in the setting per_group=1"]


def test_only_designs_have_power():
    with pytest.raises(mm.ArgumentError, match="needs a design"):
        mm.power("y ~ x", "x")
