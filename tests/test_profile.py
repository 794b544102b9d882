"""Profile traces: where all other parameters stand while one is held.

A coefficient is held by an offset, and the fit of the rest is an ordinary one. Standard deviations
and correlations are held in a dense likelihood, which has to be stationary in all others.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data

# --- Coefficients: the model with the held column as an offset ---


def far_from_zero(data: pd.DataFrame) -> pd.DataFrame:
    """Years: their shift is part of the intercept."""
    return data.assign(Days=data["Days"] + 2000.0)


def rank_deficient(data: pd.DataFrame) -> pd.DataFrame:
    return data.assign(twice=2 * data["Days"])


LINEAR = {
    "slope": ("Reaction ~ Days + (1 | Subject)", "Days", "Reaction ~ 1 + (1 | Subject)", None),
    "intercept": (
        "Reaction ~ Days + (1 | Subject)",
        "1",
        "Reaction ~ 0 + Days + (1 | Subject)",
        None,
    ),
    "slope far from zero": (
        "Reaction ~ Days + (1 | Subject)",
        "Days",
        "Reaction ~ 1 + (1 | Subject)",
        far_from_zero,
    ),
    "intercept far from zero": (
        "Reaction ~ Days + (1 | Subject)",
        "1",
        "Reaction ~ 0 + Days + (1 | Subject)",
        far_from_zero,
    ),
    "dropped column": (
        "Reaction ~ Days + twice + (1 | Subject)",
        "Days",
        "Reaction ~ 1 + (1 | Subject)",
        rank_deficient,
    ),
    "the only one": (
        "Reaction ~ 0 + Days + (1 | Subject)",
        "Days",
        "Reaction ~ 0 + (1 | Subject)",
        None,
    ),
}


def traced(model: Any, name: str, points: int = 2) -> pd.DataFrame:
    """The points of a curve with all parameters; what is held has the curve's values."""
    profile = model.profile(name, points=points)
    optima = profile.optima[name]
    np.testing.assert_allclose(optima[name], profile.curves[name]["value"], rtol=1e-9)
    return optima


@pytest.mark.filterwarnings("ignore::mixedmodels.RankDeficiencyWarning")
@pytest.mark.parametrize("case", LINEAR)
def test_a_held_coefficient(case: str) -> None:
    formula, held, without, change = LINEAR[case]
    data = reference_data.load("sleepstudy")
    data = data if change is None else change(data)
    m = mm.lmer(formula, data, weights=1 + np.arange(180) % 3, REML=False)
    name = "(Intercept)" if held == "1" else held
    for _, row in traced(m, name).iterrows():
        column = 1.0 if held == "1" else data[held]
        rest = mm.lmer(
            without,
            data.assign(known=row[name] * column),
            weights=1 + np.arange(180) % 3,
            offset="known",
            REML=False,
        )
        assert row[".sigma"] == pytest.approx(rest.sigma, rel=1e-6)
        assert row[".sig01"] == pytest.approx(rest.theta[0] * rest.sigma, rel=1e-5)
        for other, value in rest.fixef.items():
            assert row[str(other)] == pytest.approx(value, rel=1e-6)


GENERALISED: dict[str, tuple[str, str, Any]] = {
    "binomial": ("cbind(incidence, size - incidence) ~ late + (1 | herd)", "binomial", {}),
    "negative binomial": ("incidence ~ late + (1 | herd)", "negative_binomial", {}),
    "quadrature": (
        "cbind(incidence, size - incidence) ~ late + (1 | herd)",
        "binomial",
        {"nAGQ": 5},
    ),
    "gamma": ("rate ~ late + (1 | herd)", mm.families.Gamma("log"), {}),
}


@functools.cache
def herds() -> pd.DataFrame:
    data = reference_data.load("cbpp")
    late = np.where(data["period"] == "1", 0.0, 1.0)
    return data.assign(late=late, rate=(data["incidence"] + 0.5) / data["size"])


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
@pytest.mark.parametrize("case", GENERALISED)
def test_a_held_coefficient_of_a_generalised_model(case: str) -> None:
    formula, family, options = GENERALISED[case]
    m = mm.glmer(formula, herds(), family=family, **options)
    own = [name for name in (".sig01", ".dispersion") if name in traced(m, "late", 1)]
    for _, row in traced(m, "late", 1).iterrows():
        data = herds().assign(known=row["late"] * herds()["late"])
        rest = mm.glmer(
            formula.replace("late", "1"), data, family=family, offset="known", **options
        )
        values = {".sig01": rest.theta[0] * rest.sigma, ".dispersion": rest.dispersion}
        for name in own:
            assert row[name] == pytest.approx(values[name], rel=2e-4), name
        assert row["(Intercept)"] == pytest.approx(rest.fixef.iloc[0], rel=1e-4)


# --- Standard deviations, correlations, σ: a dense likelihood ---

REACTION = reference_data.load("sleepstudy")["Reaction"].to_numpy().reshape(18, 10)
Z = np.stack([np.ones(10), np.arange(10.0)], axis=1)  # of every subject
NAMES = [".sig01", ".sig02", ".sig03", ".sigma", "(Intercept)", "Days"]


def sleepstudy_deviance(point: np.ndarray) -> float:
    """−2 log-likelihood of (sd, correlation, sd, σ, β₀, β₁): ten days of every subject."""
    first, correlation, second, sigma, *beta = point
    covariance = correlation * first * second
    psi = np.array([[first**2, covariance], [covariance, second**2]])
    lower = np.linalg.cholesky(Z @ psi @ Z.T + sigma**2 * np.eye(10))
    whitened = np.linalg.solve(lower, (REACTION - Z @ beta).T)
    log_det = 2 * float(np.log(np.diag(lower)).sum())
    return 180 * np.log(2 * np.pi) + 18 * log_det + float((whitened**2).sum())


@pytest.mark.parametrize("held", NAMES)
def test_all_others_are_at_their_best(held: str) -> None:
    m = mm.lmer("Reaction ~ Days + (Days | Subject)", reference_data.load("sleepstudy"))
    profile = m.profile(held, level=0.9, points=2)
    least = sleepstudy_deviance(profile.optima[held].iloc[2].to_numpy())
    for zeta, (_, row) in zip(
        profile.curves[held]["zeta"], profile.optima[held].iterrows(), strict=True
    ):
        point = row[NAMES].to_numpy()
        assert sleepstudy_deviance(point) - least == pytest.approx(zeta**2, abs=1e-6)
        for k in range(6):
            step = np.zeros(6)
            step[k] = 1e-4 * max(1.0, abs(point[k]))
            rise = sleepstudy_deviance(point + step) - sleepstudy_deviance(point - step)
            if NAMES[k] != held:
                assert rise / (2 * step[k]) == pytest.approx(0, abs=2e-4), NAMES[k]


def test_a_standard_deviation_at_the_end_of_its_range() -> None:
    """Without it the model is a regression; its correlation is not known there."""
    data = reference_data.load("Dyestuff")
    end = mm.lmer("Yield ~ 1 + (1 | Batch)", data).profile(".sig01").optima[".sig01"].iloc[0]
    sd = float(np.std(data["Yield"]))
    assert end.tolist() == pytest.approx([0.0, sd, data["Yield"].mean()])
    m = mm.lmer("strength ~ 1 + (1 | batch) + (1 | cask:batch)", reference_data.load("Pastes"))
    assert m.profile(".sig02").optima[".sig02"].notna().all(axis=None)


def test_the_kernels_rows_are_theta_sigma_and_beta() -> None:
    m = mm.lmer("Reaction ~ Days + (Days | Subject)", reference_data.load("sleepstudy"), REML=False)
    [(values, _, optima, *_)] = m._fit.profile(
        [("theta", 2, m.theta[2] * m.sigma, 1.0, True)], [1.0]
    )
    assert optima.shape == (1, 3 + 1 + 2)
    theta, sigma = optima[0, :3], optima[0, 3]
    assert sigma * np.hypot(theta[1], theta[2]) == pytest.approx(values[0])
