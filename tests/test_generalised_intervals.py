"""Intervals of generalised models: profiles against dense algebra and lme4, Wald, the delta method.

A profile's end is right where the least deviance with the parameter held there, found by another
optimiser over a dense criterion, has risen by the square of the normal quantile.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit

import mixedmodels as mm
import reference_data
import saved_examples
from mixedmodels.inference.standard_errors import dispersion_error, sd_correlation_errors
from mixedmodels.models.parameters import sds_and_correlations
from test_generalised_reference import fitted, oracle

Z = 1.959963984540054
CBPP = reference_data.read_json("inference/profile_ci_cbpp_laplace.json")


@functools.cache
def cbpp_intervals() -> Any:
    return fitted("cbpp_laplace").confint()


def ends(table: Any, row: str) -> np.ndarray:
    return table.loc[row].iloc[:2].to_numpy(dtype=float)


# --- Profile ---


def test_profile_intervals_of_lme4() -> None:
    """lme4 interpolates its profile by splines."""
    found = cbpp_intervals()
    assert list(found.index) == [".sig01", "(Intercept)", "period2", "period3", "period4"]
    for label, expected in CBPP["lme4_profile"].items():
        row = found.index[found["parameter"] == label][0]
        np.testing.assert_allclose(ends(found, row), list(expected.values()), rtol=3e-4)
    found = fitted("cbpp_laplace").confint(level=0.9)
    for label, expected in CBPP["lme4_profile_90"].items():
        row = found.index[found["parameter"] == label][0]
        np.testing.assert_allclose(ends(found, row), list(expected.values()), rtol=3e-4)


def held_deviance(name: str, at: int, value: float) -> float:
    """The least criterion over (θ, β) with one of them held; the start is the estimate."""
    model, dense = fitted(name), oracle(name)
    point = np.concatenate([model.theta, model.fixef])
    free = np.arange(len(point)) != at

    def criterion(x: np.ndarray) -> float:
        full = point.copy()
        full[free], full[at] = x, value
        return dense.criterion(full[: len(model.theta)], full[len(model.theta) :])

    found = minimize(criterion, point[free], method="BFGS", options={"gtol": 1e-6})
    return float(found.fun)


@pytest.mark.parametrize("row", [".sig01", "(Intercept)", "period3"])
@pytest.mark.parametrize("name", ["cbpp_laplace", "cbpp_cloglog"])
def test_the_deviance_has_risen_by_the_quantile_at_both_ends(name: str, row: str) -> None:
    model = fitted(name)
    table = model.confint(row)
    at = 0 if row == ".sig01" else 1 + list(model.fixef.index).index(row)
    for end in ends(table, row):
        rise = held_deviance(name, at, float(end)) + 2 * model.loglik
        assert rise == pytest.approx(Z**2, abs=1e-5)


def test_zeta_is_the_root_of_the_rise() -> None:
    model = fitted("cbpp_laplace")
    curve = model.profile("period2", points=2).curves["period2"]
    for value, zeta in curve.itertuples(index=False):
        rise = held_deviance("cbpp_laplace", 2, value) + 2 * model.loglik
        assert rise == pytest.approx(zeta**2, abs=1e-5)
    assert (np.diff(curve["zeta"]) > 0).all()


@functools.cache
def overdispersed() -> Any:
    data = reference_data.load("glmmsim")
    return mm.glmer("y_nb ~ x + offset(log_exposure) + (1 | grp)", data, family="negative_binomial")


def test_profile_of_a_dispersion() -> None:
    """The deviance with θ held is that of a fit with θ held."""
    model, data = overdispersed(), reference_data.load("glmmsim")
    table = model.confint(".dispersion")
    assert table["estimate"].iloc[0] == model.dispersion
    for end in ends(table, ".dispersion"):
        family = mm.families.negative_binomial(theta=float(end))
        held = mm.glmer(model.formula, data, family=family)
        assert 2 * (model.loglik - held.loglik) == pytest.approx(Z**2, abs=1e-5)


def test_every_parameter_has_a_row() -> None:
    model = overdispersed()
    rows = [".sig01", ".dispersion", "(Intercept)", "x"]
    assert list(model.confint().index) == rows
    assert list(model.confint(method="wald").index) == rows
    assert list(model.confint("theta_", method="wald").index) == rows[:2]


def test_sigma_is_no_parameter_of_the_likelihood() -> None:
    """So that neither it nor standard deviations, which are multiples of it, have a profile."""
    model = fitted("glmmsim_gamma_log")
    assert ".sigma" not in model.confint(method="wald").index
    with pytest.raises(mm.ArgumentError, match="no parameter here"):
        model.confint(".sigma")
    found = model.confint()
    assert np.isnan(ends(found, ".sig01")).all()
    assert sum(".sig01: not profiled, σ is a function" in note for note in found.notes) == 1
    assert ends(found, "x") == pytest.approx(ends(model.confint("x", method="wald"), "x"), rel=0.02)


@pytest.mark.parametrize("method", ["wald", "profile", "boot"])
def test_tidy_has_the_intervals_that_there_are(method: str) -> None:
    table = fitted("glmmsim_gamma_log").tidy(conf_int=True, conf_method=method)
    table = table.set_index(table["group"].fillna("") + table["term"])
    assert table.loc["x", ["conf.low", "conf.high"]].notna().all()
    assert table.loc["Residualsd__Observation", "conf.low"] > 0 or method != "boot"


def test_no_profile_without_the_fixed_effects_in_the_criterion() -> None:
    with pytest.raises(mm.ArgumentError, match="nAGQ=1"):
        fitted("cbpp_nagq0").confint()
    found = fitted("cbpp_nagq0").confint(method="wald")
    assert (found["std_error"] > 0).all()


@pytest.mark.parametrize("name", ["contraception_rs", "glmmsim_binomial_slopes"])
def test_covariance_parameters_have_profiles(name: str) -> None:
    """Also where one is estimated at zero, as in the second model."""
    found = fitted(name).confint("theta_")
    values = found.iloc[:, :2].to_numpy(dtype=float)
    assert (values[:, 0] <= found["estimate"] + 1e-9).all()
    assert (found["estimate"] <= values[:, 1] + 1e-9).all()


def test_without_random_effects() -> None:
    """Against the profile of a one-parameter binomial: its deviance in closed form."""
    data = reference_data.load("cbpp")
    m = mm.glm("cbind(incidence, size - incidence) ~ 1", data, family="binomial")
    successes, trials = data["incidence"].sum(), data["size"].sum()

    def rise(eta: float) -> float:
        p, estimate = 1 / (1 + math.exp(-eta)), successes / trials
        gain = successes * math.log(estimate / p)
        return 2 * (gain + (trials - successes) * math.log((1 - estimate) / (1 - p)))

    table = m.confint()
    for end in ends(table, "(Intercept)"):
        assert rise(end) == pytest.approx(Z**2, abs=1e-7)
    wald = m.confint(method="wald").loc["(Intercept)"]
    half = Z / math.sqrt(trials * (successes / trials) * (1 - successes / trials))
    assert wald.iloc[1] - wald["estimate"] == pytest.approx(half)


def test_a_separated_coefficient_has_one_end() -> None:
    """Against the profile in closed form, but for the intercept: 0 of 40 against 12 of 30."""
    data = pd.DataFrame({"won": [12, 0], "lost": [18, 40], "f": ["a", "b"]})
    with pytest.warns(mm.SeparationWarning, match="fb → −∞"):
        m = mm.glm("cbind(won, lost) ~ f", data)

    def deviance(intercept: float, slope: float) -> float:
        a, b = expit(intercept), expit(intercept + slope)
        return float(-2 * (12 * np.log(a) + 18 * np.log1p(-a) + 40 * np.log1p(-b)))

    def rise(slope: float) -> float:
        best = minimize_scalar(lambda b: deviance(b, slope), bounds=(-6, 6)).fun
        return float(best) - deviance(math.log(12 / 18), -np.inf)

    low, high = ends(m.confint("fb"), "fb")
    assert low == -np.inf
    assert rise(high) == pytest.approx(Z**2, abs=1e-6)
    assert any("separation" in note for note in m.confint("fb").notes)
    assert m.report().count("Separation: the likelihood has no maximum in fb → −∞") == 1


def test_the_same_bits_for_any_number_of_threads() -> None:
    tables = [fitted("cbpp_laplace").confint(n_threads=k).iloc[:, :2] for k in (1, 2, 3)]
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])


# --- Wald ---


def test_wald_intervals_of_lme4() -> None:
    found = fitted("cbpp_laplace").confint(method="wald")
    for row, expected in CBPP["wald"].items():
        if row != ".sig01":  # lme4 has none
            np.testing.assert_allclose(ends(found, row), list(expected.values()), rtol=1e-5)
    low, high = ends(found, ".sig01")
    assert low * high == pytest.approx(found.loc[".sig01", "estimate"] ** 2)  # on the log scale
    assert "normal distribution" in found.title


def test_satterthwaite_is_refused() -> None:
    with pytest.raises(mm.ArgumentError, match="ddf"):
        fitted("cbpp_laplace").confint(method="wald", ddf="satterthwaite")


# --- Standard errors of variance components ---


@pytest.mark.parametrize("name", ["cbpp_laplace", "contraception_rs"])
def test_delta_method(name: str) -> None:
    """From the covariance matrix of θ̂ by differences of the values."""
    m = fitted(name)
    sizes = [len(term.columns) for term in m._matrices.terms]
    count, step = len(m.theta), 1e-6
    jacobian = np.array(
        [
            np.subtract(
                *(
                    sds_and_correlations((m.theta + side * e)[None], np.ones(1), sizes)[0]
                    for side in (step, -step)
                )
            )
            / (2 * step)
            for e in np.eye(count)
        ]
    ).T
    hessian = np.asarray(m._fit.hessian())
    covariance = 2 * np.linalg.inv(hessian)[:count, :count]
    expected = np.sqrt(np.diag(jacobian @ covariance @ jacobian.T))
    np.testing.assert_allclose(sd_correlation_errors(m), expected, rtol=1e-5)


def test_variance_components() -> None:
    table = fitted("cbpp_laplace").variance_components()
    assert table["grp"].tolist() == ["herd"]
    np.testing.assert_allclose(
        table["std_error"], sd_correlation_errors(fitted("cbpp_laplace")), rtol=1e-12
    )
    gamma = fitted("glmmsim_gamma_log").variance_components()
    assert gamma["grp"].tolist() == ["grp", "Residual"]
    assert gamma["std_error"].isna().tolist() == [False, True]
    assert any("sigma as known" in note for note in gamma.notes)


def test_no_standard_error_on_the_boundary() -> None:
    model = fitted("glmmsim_binomial_slopes")
    assert np.isnan(sd_correlation_errors(model)).tolist() == [False, True, False]
    found = model.confint(".sig02", method="wald")
    assert np.isnan(ends(found, ".sig02")).all()
    assert any(".sig02" in note and "boundary" in note for note in found.notes)


def test_standard_error_of_a_dispersion() -> None:
    """1/√(curvature) of the profile at its top, by second differences."""
    model = overdispersed()
    error = dispersion_error(model)
    data, step = reference_data.load("glmmsim"), 0.02 * model.dispersion
    sides = [
        mm.glmer(
            model.formula,
            data,
            family=mm.families.negative_binomial(theta=model.dispersion + side),
        ).loglik
        for side in (step, -step)
    ]
    curvature = (2 * model.loglik - sum(sides)) / step**2
    assert error == pytest.approx(curvature**-0.5, rel=1e-2)


@pytest.mark.filterwarnings("error::RuntimeWarning", "ignore::mixedmodels.MixedModelsWarning")
def test_a_theta_of_which_the_data_say_nothing_has_no_upper_end() -> None:
    """Counts that vary no more than Poisson ones."""
    found = saved_examples.model("negative binomial").confint("theta_", method="wald")
    assert found["97.5 %"].iloc[-1] == np.inf
