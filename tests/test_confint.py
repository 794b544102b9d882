"""Intervals: profiles against tight root finding, Wald against formulas, the boundaries."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
from mixedmodels.inference.confint import percent

PATHS = sorted((reference_data.ROOT / "inference").glob("profile_ci_*"))
PROFILES = [path.stem for path in PATHS if "cbpp" not in path.stem]  # linear models
# Where the reference is not at the inner optimum: it holds the variance at zero, where the gradient
# vanishes, although a positive one is better once the mean is held far from its estimate.
# `test_dyestuff2_mean_in_closed_form` has the right ends.
STUCK = {("profile_ci_dyestuff2_reml", "(Intercept)")}


@functools.cache
def intervals(name: str) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    reference = reference_data.read_json(f"inference/{name}.json")
    m = mm.lmer(reference["formula"], reference_data.load(reference["data"]))
    return m, m.confint(level=reference["level"]), reference["exact_profile"]


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_profile_intervals_of_reference_models(name: str) -> None:
    _, found, expected = intervals(name)
    assert list(found.index) == list(expected)
    for row, ends in expected.items():
        if (name, row) not in STUCK:
            got = found.loc[row].iloc[:2].to_numpy(dtype=float)
            np.testing.assert_allclose(got, ends, rtol=1e-6, atol=1e-8, err_msg=row)


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_dyestuff2_mean_in_closed_form() -> None:
    """Balanced one-way ML with the mean held at b: with SSB(b) = Σ n(ȳⱼ − b)², D(b) is that of two
    mean squares where SSB(b)/k exceeds the within one, else of one."""
    data = reference_data.load("Dyestuff2")
    groups = data.groupby("Batch", observed=True)["Yield"]
    k, n = groups.ngroups, 5
    means, within = groups.mean(), float((groups.var(ddof=0) * n).sum())

    def deviance(b: float) -> float:
        between = float(n * ((means - b) ** 2).sum())
        one = k * n * math.log((between + within) / (k * n))
        two = k * math.log(between / k) + k * (n - 1) * math.log(within / (k * (n - 1)))
        apart = between / k > within / (k * (n - 1))
        return two if apart else one

    _, found, reference = intervals("profile_ci_dyestuff2_reml")
    best = deviance(float(means.mean()))
    for end in found.loc["(Intercept)"].iloc[:2]:
        assert abs(deviance(end) - best - 1.959963984540054**2) < 1e-6
    # The reference's end is inside: the deviance has not risen enough there.
    inside = reference["(Intercept)"][0]
    assert deviance(inside) - best < 1.959963984540054**2 - 1e-3


def test_notes_say_where_an_interval_is_one_sided() -> None:
    _, found, _ = intervals("profile_ci_anxiety_rs_reml")
    assert found.loc[".sig02"].iloc[1] == 1.0
    assert any(".sig02" in note and "boundary 1" in note for note in found.notes)
    assert any("refitted by ML" in note for note in found.notes)


def test_a_correlation_does_not_change_sign_on_its_way() -> None:
    """A negative λ₂₁ with a negative λ₁₁ is a positive correlation: −1 is not as good as +1."""
    m, _, _ = intervals("profile_ci_anxiety_rs_reml")
    for level in (0.5, 0.9, 0.99):
        low, high = m.confint(".sig02", level).iloc[0, :2]
        assert -0.6 < low < 0.6, level
        assert high >= low
    curve = m.profile(".sig02").curves[".sig02"]
    assert (np.diff(curve["value"]) > 0).all()
    assert (np.diff(curve["zeta"]) > 0).all()


def test_profile_of_a_distant_intercept() -> None:
    data = reference_data.load("sleepstudy")
    ends = [
        mm.lmer("Reaction ~ Days + (1 | Subject)", data.assign(Reaction=data["Reaction"] + shift))
        .confint("(Intercept)")
        .iloc[0, :2]
        .to_numpy(dtype=float)
        - shift
        for shift in (0.0, 1e6)
    ]
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-7)


def test_profile_zeta_is_the_root_of_the_deviance() -> None:
    data = reference_data.load("sleepstudy")
    m = mm.lmer("Reaction ~ Days + (1 | Subject)", data, REML=False)
    curve = m.profile("Days", points=3).curves["Days"]
    for value, zeta in curve.itertuples(index=False):
        held = mm.lmer(
            "Reaction ~ 1 + (1 | Subject)",
            data.assign(Reaction=data["Reaction"] - value * data["Days"]),
            REML=False,
        )
        assert abs(held.deviance - m.deviance - zeta**2) < 1e-6


# --- Wald ---


def test_wald_intervals_of_fixed_effects() -> None:
    m, _, _ = intervals("profile_ci_sleepstudy_rs_reml")
    reference = reference_data.read_json("inference/profile_ci_sleepstudy_rs_reml.json")["wald"]
    found = m.confint("beta_", method="wald", ddf="asymptotic")
    for row in ("(Intercept)", "Days"):
        ends = found.loc[row].iloc[:2].to_numpy(dtype=float)
        np.testing.assert_allclose(ends, list(reference[row].values()), rtol=1e-6)
    table = m.coefficients("kenward-roger")
    found = m.confint("beta_", method="wald", ddf="kenward-roger")
    ends = found.iloc[:, :2].to_numpy(dtype=float)
    np.testing.assert_allclose(ends, table[["conf_low", "conf_high"]], rtol=1e-12)


def test_wald_intervals_of_variance_components_keep_their_range() -> None:
    m, _, _ = intervals("profile_ci_sleepstudy_rs_reml")
    found = m.confint("theta_", method="wald")
    assert list(found.index) == [".sig01", ".sig02", ".sig03", ".sigma"]
    low, high = found.iloc[:, 0].to_numpy(float), found.iloc[:, 1].to_numpy(float)
    sd = np.array([True, False, True, True])
    assert (low[sd] > 0).all()
    assert (np.abs([low[1], high[1]]) < 1).all()
    ratio = found["estimate"] / low
    np.testing.assert_allclose((high / found["estimate"])[sd], ratio[sd], rtol=1e-9)


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_wald_on_the_boundary_says_why_there_is_none() -> None:
    m, _, _ = intervals("profile_ci_dyestuff2_reml")
    found = m.confint(method="wald")
    assert np.isnan(found.loc[".sig01"].iloc[0])
    assert any(".sig01" in note and "boundary" in note for note in found.notes)


# --- Other models and arguments ---


def test_ordinary_regression_has_exact_t_intervals() -> None:
    o = mm.lm("Reaction ~ Days", reference_data.load("sleepstudy"))
    found = o.confint()
    np.testing.assert_allclose(
        found.iloc[:, :2], o.coefficients()[["conf_low", "conf_high"]], rtol=1e-12
    )
    assert "t intervals" in found.title


@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
@pytest.mark.parametrize(
    ("data", "formula"),
    [
        ("sleepstudy_aux", "Reaction ~ Days + Days2x + (Days | Subject)"),
        ("sleepstudy", "Reaction ~ 0 + Days + (Days | Subject)"),
        ("sleepstudy", "Reaction ~ 0 + (Days | Subject)"),
        ("sleepstudy", "Reaction ~ Days + (Days || Subject)"),
        ("Machines", "score ~ Machine + (Machine | Worker)"),
        ("Pastes", "strength ~ 1 + (1 | batch/cask)"),
    ],
)
def test_every_kind_of_model_has_profiles(data: str, formula: str) -> None:
    m = mm.lmer(formula, reference_data.load(data))
    found = m.confint()
    ends = found.iloc[:, :2].to_numpy(dtype=float)
    assert np.isfinite(ends).all(), found
    assert (ends[:, 0] <= found["estimate"] + 1e-9).all()
    assert (found["estimate"] <= ends[:, 1] + 1e-9).all()


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_a_correlation_that_does_not_exist_has_its_whole_range() -> None:
    r = np.random.default_rng(3)
    x, e = r.normal(size=12), r.normal(size=12)  # the same in every group: nothing varies by g
    d = pd.DataFrame({"g": np.repeat(np.arange(10), 12), "x": np.tile(x, 10)})
    m = mm.lmer("y ~ x + (x | g)", d.assign(y=1 + d["x"] + np.tile(e, 10)))
    assert (m.theta == 0).all()
    found = m.confint("theta_")
    assert found.loc[".sig02"].iloc[:2].tolist() == [-1.0, 1.0]
    assert any("does not exist" in note for note in found.notes)


def test_column_names() -> None:
    assert percent(0.95) == ("2.5 %", "97.5 %")
    assert percent(0.9) == ("5 %", "95 %")
    assert percent(0.9999) == ("0.005 %", "99.995 %")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "exact"}, "choose profile, wald or boot"),
        ({"level": 95}, "between 0 and 1"),
        ({"parm": "Day"}, "no parameter here"),
        ({"parm": []}, "a list of names"),
        ({"parm": 5}, "a list of names"),
        ({"n_threads": -1}, "n_threads"),
        ({"ddf": "residual"}, "belongs to method='wald'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    m, _, _ = intervals("profile_ci_sleepstudy_rs_reml")
    with pytest.raises(mm.ArgumentError, match=message):
        m.confint(**arguments)


def test_parameters_by_label_and_by_name() -> None:
    m, found, _ = intervals("profile_ci_sleepstudy_rs_reml")
    one = m.confint("sd_Days|Subject")
    assert list(one.index) == [".sig03"]
    np.testing.assert_allclose(
        one.iloc[0, :2].to_numpy(float), found.loc[".sig03"].iloc[:2].to_numpy(float)
    )
    assert list(m.confint(["Days", "sigma"]).index) == ["Days", ".sigma"]


def test_the_same_bits_for_any_number_of_threads() -> None:
    data = reference_data.load("ScotsSec")
    m = mm.lmer("attain ~ sex + (1 | primary) + (1 | second)", data, REML=False)
    tables = [m.confint(n_threads=k).iloc[:, :2].to_numpy(dtype=float) for k in (1, 2, 3)]
    assert np.array_equal(tables[0], tables[1])
    assert np.array_equal(tables[0], tables[2])


def test_a_profile_that_meets_a_better_optimum_starts_again_from_it() -> None:
    data = reference_data.load("sleepstudy")
    formula = "Reaction ~ Days + (Days | Subject)"
    expected = mm.lmer(formula, data).confint()
    # So loose a tolerance leaves the fit where it starts, 1.1 above the least deviance.
    loose = mm.Control(tolerance=100.0, start=[2.0, 0.5, 0.5])
    found = mm.lmer(formula, data, REML=False, control=loose).confint()
    assert any("deviance lower by 1.143" in note for note in found.notes)
    ends = [table.iloc[:, :2].to_numpy(dtype=float) for table in (found, expected)]
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-5)


@pytest.mark.parametrize("shift", [2000.0, 1.7e9])
def test_a_predictor_far_from_zero(shift: float) -> None:
    """Calendar years and unix times: what does not depend on where zero is keeps its intervals."""
    data = reference_data.load("sleepstudy")
    formula = "Reaction ~ Days + (Days | Subject)"
    near = mm.lmer(formula, data).confint().iloc[:, :2].astype(float)
    m = mm.lmer(formula, data.assign(Days=data["Days"] + shift))
    far = m.confint([".sig03", ".sigma", "(Intercept)", "Days"]).iloc[:, :2].astype(float)
    same = [".sig03", ".sigma", "Days"]
    np.testing.assert_allclose(far.loc[same], near.loc[same], rtol=1e-6)
    # So far away the intercept is −shift times the slope.
    expected = -shift * near.loc["Days"].to_numpy()[::-1]
    np.testing.assert_allclose(far.loc["(Intercept)"], expected, rtol=200 / shift)
