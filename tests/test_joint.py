"""The joint covariance of (β̂, b̂ − b) as arrays and by the kernel, against one dense inverse."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
from henderson import design_rows, henderson
from mixedmodels.models.rows import group_codes
from mixedmodels.predictions import joint
from mixedmodels.predictions.joint import Effects, JointCovariance, SolvedJoint, joint_covariance_of
from reference_data import load

MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "correlated slopes": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", {}),
    "two terms of a group": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", {}),
    "slopes without intercepts": ("Reaction ~ Days + (0 + Days | Subject)", "sleepstudy", {}),
    "prior weights": (
        "Reaction ~ Days + (Days | Subject)",
        "sleepstudy_aux",
        {"weights": "w"},
    ),
    "nested": ("strength ~ 1 + (1 | batch/cask)", "Pastes", {}),
    "crossed": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", {}),
    "crossed with interactions": (
        "score ~ Machine + (1 | Worker) + (1 | Worker:Machine)",
        "Machines",
        {},
    ),
    "binomial": (
        "cbind(incidence, size - incidence) ~ period + (1 | herd)",
        "cbpp",
        {"family": "binomial"},
    ),
    "crossed counts": (
        "y_pois ~ x + trt + offset(log_exposure) + (x | grp) + (1 | site)",
        "glmmsim",
        {"family": "poisson"},
    ),
    "gamma": (
        "y_gamma ~ x + trt + (1 | grp)",
        "glmmsim",
        {"family": mm.families.Gamma(link="log")},
    ),
}


def fitted(name: str) -> Any:
    formula, data, arguments = MODELS[name]
    fit = mm.glmer if "family" in arguments else mm.lmer
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return fit(formula, load(data), **arguments)


def weights(m: Any) -> np.ndarray:
    if hasattr(m, "family"):
        family = m._kernel_family
        slope = family.mean_slope(m._linear_predictor)
        return np.asarray(m._prior_weights * slope**2 / family.variance(m._fitted))
    return np.ones(m.nobs) if m._matrices.weights is None else m._matrices.weights


def shuffled(m: Any) -> list[Effects]:
    """The rows of the fit at levels that never met in the data, and at none."""
    random = np.random.default_rng(2)
    codes = {t.group: random.integers(-1, len(t.levels), m.nobs) for t in m._matrices.terms}
    return [
        Effects(t, codes[term.group], m._design.random_columns(t))
        for t, term in enumerate(m._matrices.terms)
    ]


@pytest.mark.parametrize("name", MODELS)
def test_against_one_dense_inverse(name: str) -> None:
    m = fitted(name)
    terms = m._matrices.terms
    oracle = henderson(m, [group_codes(m, t.group) for t in terms], weights(m))
    X, effects = np.asarray(m._design.fixed_matrix()), shuffled(m)
    rows = design_rows(m, m._design, [e.codes for e in effects])
    expected = np.einsum("ij,jk,ik->i", rows, oracle.covariance, rows)
    got = m._joint.variances(X, effects, lambda: m._design)
    np.testing.assert_allclose(got, expected, rtol=1e-8)
    own = m._joint.variances(X, joint.own_effects(m), lambda: m._design)
    np.testing.assert_allclose(own, m._fit.row_variances(), rtol=1e-10)


def test_without_random_effects_it_is_the_covariance_of_the_coefficients() -> None:
    data = load("glmmsim")
    for m in (mm.lm("y_gamma ~ x + trt", data), mm.glm("y_pois ~ x + trt", data, family="poisson")):
        X, design = np.asarray(m._design.fixed_matrix()), m._design
        expected = np.einsum("ij,jk,ik->i", X, m.vcov, X)
        np.testing.assert_allclose(m._joint.variances(X, [], lambda d=design: d), expected)


@pytest.mark.parametrize("name", ["crossed", "nested", "crossed counts"])
def test_many_effects_are_solved_for_by_the_kernel(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    m = fitted(name)
    X, effects = np.asarray(m._design.fixed_matrix()), joint.own_effects(m)
    by_arrays = m._joint.variances(X, effects, lambda: m._design)
    monkeypatch.setattr(joint, "MOST_EFFECTS", 0)
    solved = joint_covariance_of(m)
    assert isinstance(solved, SolvedJoint)
    np.testing.assert_allclose(
        solved.variances(X, effects, lambda: m._design), by_arrays, rtol=1e-9
    )


def test_one_factor_is_kept_by_level() -> None:
    m = fitted("two terms of a group")
    assert isinstance(m._joint, JointCovariance)
    assert m._joint.covariance.shape == (18 * 2, 2)
    assert fitted("nested")._joint.covariance.shape == (40, 40)


@pytest.mark.parametrize("shift", [2000.0, 1e5])
def test_a_predictor_far_from_zero(shift: float) -> None:
    """What does not depend on where zero is keeps its digits."""
    data = load("sleepstudy")
    near, far = (
        mm.lmer("Reaction ~ Days + (Days | Subject)", data.assign(Days=data["Days"] + by))
        for by in (0.0, shift)
    )
    a, b = (
        m._joint.variances(np.asarray(m._design.fixed_matrix()), joint.own_effects(m), lambda: None)
        for m in (near, far)
    )
    np.testing.assert_allclose(b, a, rtol=1e-15 * shift**2 + 1e-7)


def test_columns_dropped_as_collinear_do_not_count() -> None:
    data = load("sleepstudy").assign(twice=lambda d: 2 * d["Days"])
    with pytest.warns(mm.RankDeficiencyWarning):
        m = mm.lmer("Reaction ~ Days + twice + (Days | Subject)", data)
    X = np.asarray(m._design.fixed_matrix())
    np.testing.assert_allclose(
        m._joint.variances(X, joint.own_effects(m), lambda: m._design),
        fitted("correlated slopes")._fit.row_variances(),
        rtol=1e-7,
    )


def test_observed_information_is_that_of_the_kernel() -> None:
    """Working weights that Python has no formula for come from the leverages."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        m = mm.glmer("y_pois ~ x + (1 | grp)", load("glmmsim"), family="nb1")
    X = np.asarray(m._design.fixed_matrix())
    got = m._joint.variances(X, joint.own_effects(m), lambda: m._design)
    np.testing.assert_allclose(got, m._fit.row_variances(), rtol=1e-9)
