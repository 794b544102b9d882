"""Laplace's criterion and its gradient, at points away from any optimum.

The criterion against the dense oracle, the gradient against differences of the criterion: every
family and link, weights, offsets, binomial sizes, one factor and several, zeros in θ, both
criteria.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

import mixedmodels as mm
from dense_families import LINKS_OF
from dense_model import numeric_gradient
from generalised_examples import FAMILY_LINKS, LAYOUTS, Example, example
from mixedmodels import _core

CANONICAL = {
    "binomial": "logit",
    "poisson": "log",
    "gaussian": "identity",
    "gamma": "inverse",
    "inverse_gaussian": "1/mu^2",
}
CRITERIA = [
    (family, link, criterion)
    for family, link in FAMILY_LINKS
    for criterion in ("fisher", "observed")
    if not (family == "nb1" and criterion == "fisher")  # no closed form of the information
]
DIFFERENCES = 1e-6  # of the gradient's largest element, or of 1
ORACLE = 1e-8


@functools.cache
def fitted(family: str, link: str, layout: str, criterion: str, full: bool) -> tuple[Example, Any]:
    """`full`: with weights, an offset and, for the binomial, sizes."""
    case = example(
        family,
        link,
        layout,
        weights=full,
        offset=full,
        sizes=full and family == "binomial",
        observed=criterion == "observed",
    )
    return case, fit(case, criterion)


def fit(case: Example, criterion: str, **options: Any) -> Any:
    family = _core.Family(case.family, case.link)
    return case.design().fit_generalized(
        family=family, criterion=criterion, quadrature=1, **options
    )


def point(case: Example) -> np.ndarray:
    """(θ, β, log φ), the last in families that have a φ."""
    phi = [] if np.isnan(case.dispersion) else [np.log(case.dispersion)]
    return np.concatenate([case.theta, case.beta, phi])


def split(case: Example, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    k, p = len(case.theta), len(case.beta)
    return at[:k], at[k : k + p], float(np.exp(at[-1])) if len(at) > k + p else np.nan


def objective(case: Example, model: Any, at: np.ndarray) -> float:
    return float(model.objective(*split(case, at)))


def assert_gradient(case: Example, model: Any, at: np.ndarray) -> None:
    expected = numeric_gradient(lambda x: objective(case, model, x), at)
    actual = np.asarray(model.gradient(*split(case, at)))
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=DIFFERENCES * scale)


def assert_objective(case: Example, model: Any, at: np.ndarray) -> None:
    expected = case.oracle.criterion(*split(case, at))
    assert objective(case, model, at) == pytest.approx(expected, rel=1e-11, abs=ORACLE)


# Every family and link ---------------------------------------------------------------------------


@pytest.mark.parametrize("full", [False, True], ids=["plain", "weights-offset"])
@pytest.mark.parametrize("layout", ["scalar", "slopes crossed"])
@pytest.mark.parametrize(("family", "link", "criterion"), CRITERIA)
def test_objective(family: str, link: str, criterion: str, layout: str, full: bool) -> None:
    case, model = fitted(family, link, layout, criterion, full)
    assert_objective(case, model, point(case))


@pytest.mark.parametrize("full", [False, True], ids=["plain", "weights-offset"])
@pytest.mark.parametrize("layout", ["scalar", "slopes crossed"])
@pytest.mark.parametrize(("family", "link", "criterion"), CRITERIA)
def test_gradient(family: str, link: str, criterion: str, layout: str, full: bool) -> None:
    case, model = fitted(family, link, layout, criterion, full)
    assert_gradient(case, model, point(case))


@pytest.mark.parametrize(("family", "link"), CANONICAL.items())
def test_the_criteria_of_a_canonical_link_are_one(family: str, link: str) -> None:
    values = []
    for criterion in ("fisher", "observed"):
        case, model = fitted(family, link, "scalar", criterion, True)
        values.append(objective(case, model, point(case)))
    assert values[0] == pytest.approx(values[1], rel=1e-12)


# Every layout ------------------------------------------------------------------------------------

MODELS = {
    ("binomial", "logit"): "fisher",
    ("binomial", "cloglog"): "observed",
    ("poisson", "log"): "fisher",
    ("gamma", "log"): "fisher",
    ("inverse_gaussian", "log"): "observed",
    ("negative_binomial", "log"): "fisher",
    ("beta", "logit"): "observed",
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(("family", "link"), MODELS)
def test_layouts(family: str, link: str, layout: str) -> None:
    case, model = fitted(family, link, layout, MODELS[family, link], True)
    assert_objective(case, model, point(case))
    assert_gradient(case, model, point(case))


# Zeros in θ --------------------------------------------------------------------------------------

ZEROS = {
    "all of one term": ("scalar", [0]),
    "slopes": ("vector", [1, 2]),
    "perfect correlation": ("vector", [2]),
    "intercepts, with slopes left": ("vector", [0]),
    "one of two terms": ("crossed", [1]),
    "a whole vector term": ("slopes crossed", [0, 1, 2]),
    "everything": ("crossed", [0, 1]),
}


@pytest.mark.parametrize("zeros", ZEROS)
@pytest.mark.parametrize(("family", "link"), MODELS)
def test_singular_theta(family: str, link: str, zeros: str) -> None:
    layout, at_zero = ZEROS[zeros]
    case, model = fitted(family, link, layout, MODELS[family, link], True)
    at = point(case)
    at[at_zero] = 0.0
    assert_objective(case, model, at)
    assert_gradient(case, model, at)


# The multiplier at Λ = 0 -------------------------------------------------------------------------


def slope_in_variance(case: Example, beta: np.ndarray, phi: float) -> float:
    """∂d/∂(λ²) at λ = 0 for one scalar term: (d(ε) − d(0))/ε², extrapolated."""

    def quotient(step: float) -> float:
        zero, moved = (case.oracle.criterion(np.array([t]), beta, phi) for t in (0.0, step))
        return (moved - zero) / step**2

    one, two = quotient(1e-2), quotient(5e-3)
    return (4 * two - one) / 3


def total_weight(case: Example, beta: np.ndarray, phi: float) -> float:
    """What a multiplier is relative to: the trace of Z'WZ, at λ = 0."""
    rows = case.oracle.rows(case.oracle.fixed(beta), phi)
    return float((rows.observed if case.oracle.observed else rows.fisher).sum())


@pytest.mark.parametrize(("family", "link"), MODELS)
def test_multiplier_at_zero(family: str, link: str) -> None:
    """Data without group effects: a fit at zero has the oracle's slope in λ² as its multiplier."""
    criterion, found = MODELS[family, link], 0
    for seed in range(8):
        case = example(family, link, seed=seed, observed=criterion == "observed", spread=0.0)
        model = fit(case, criterion)
        assert model.converged
        if model.theta[0] == 0.0:
            found += 1
            assert model.singular
            at = model.beta, model.dispersion
            expected = slope_in_variance(case, *at) / total_weight(case, *at)
            assert expected > 0
            assert model.multipliers[0] == pytest.approx(expected, rel=1e-4)
        else:
            zero = case.oracle.criterion(np.zeros(1), model.beta, model.dispersion)
            assert model.criterion < zero
    assert found


@pytest.mark.parametrize("layout", ["scalar", "vector", "crossed"])
@pytest.mark.parametrize(("family", "link"), MODELS)
def test_a_start_at_zero_is_left(family: str, link: str, layout: str) -> None:
    """Zero is stationary in θ, and no optimum here."""
    case, model = fitted(family, link, layout, MODELS[family, link], True)
    again = fit(case, MODELS[family, link], start=np.zeros_like(case.theta))
    assert again.criterion == pytest.approx(model.criterion, abs=1e-6)


# Optima ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["scalar", "slopes crossed"])
@pytest.mark.parametrize(("family", "link", "criterion"), CRITERIA)
def test_the_gradient_vanishes_at_the_optimum(
    family: str, link: str, criterion: str, layout: str
) -> None:
    case, model = fitted(family, link, layout, criterion, True)
    assert model.converged, model.reason
    gradient = np.asarray(model.gradient(model.theta, model.beta, model.dispersion))
    np.testing.assert_allclose(gradient, 0.0, atol=1e-3)
    at = model.theta, model.beta, model.dispersion
    assert model.criterion == pytest.approx(model.objective(*at), rel=1e-10)
    assert model.criterion == pytest.approx(case.oracle.criterion(*at), rel=1e-9)
    mode = case.oracle.mode(*at)
    assert model.sigma == pytest.approx(case.oracle.sigma(mode), rel=1e-8)
    for actual, expected in zip(model.modes, case.oracle.modes(model.theta, mode), strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("layout", ["scalar", "slopes crossed"])
@pytest.mark.parametrize(("family", "link", "criterion"), CRITERIA)
def test_no_other_way_leads_lower(family: str, link: str, criterion: str, layout: str) -> None:
    """From the parameters of the data, by another optimiser."""
    case, model = fitted(family, link, layout, criterion, False)

    def value_and_slope(x: np.ndarray) -> tuple[float, np.ndarray]:
        try:
            return objective(case, model, x), np.asarray(model.gradient(*split(case, x)))
        except mm.ConvergenceError:  # means outside of the family's range
            return np.inf, np.zeros_like(x)

    other = minimize(value_and_slope, point(case), jac=True, method="L-BFGS-B")
    assert model.criterion <= other.fun + 1e-6


@pytest.mark.parametrize("layout", ["scalar", "slopes crossed"])
@pytest.mark.parametrize(("family", "link"), MODELS)
def test_hessian(family: str, link: str, layout: str) -> None:
    """In (θ, β, log φ), against differences of the gradient."""
    case, model = fitted(family, link, layout, MODELS[family, link], True)
    phi = [] if np.isnan(model.dispersion) else [np.log(model.dispersion)]
    at = np.concatenate([model.theta, model.beta, phi])

    def gradient(x: np.ndarray, k: int) -> float:
        return float(model.gradient(*split(case, x))[k])

    expected = np.array(
        [numeric_gradient(functools.partial(gradient, k=k), at) for k in range(len(at))]
    )
    scale = np.maximum(np.sqrt(np.outer(np.diag(expected), np.diag(expected))), 1.0)
    assert np.all(np.abs(model.hessian() - expected) <= 1e-5 * scale)


def test_no_family_is_left_out() -> None:
    for family, links in LINKS_OF.items():
        for link in links:
            assert _core.Family(family, link).link == link
