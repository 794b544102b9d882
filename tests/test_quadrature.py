"""Adaptive Gauss-Hermite quadrature against the oracle's and against brute-force integration."""

from __future__ import annotations

import functools
import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
from dense_generalised import DenseGeneralised
from dense_model import numeric_gradient
from generalised_examples import Example, example
from mixedmodels import _core
from test_laplace_gradient import point, split

MODELS = {
    ("binomial", "logit"): "fisher",
    ("binomial", "probit"): "fisher",
    ("binomial", "cloglog"): "observed",
    ("poisson", "log"): "fisher",
    ("poisson", "sqrt"): "observed",
    ("negative_binomial", "log"): "fisher",
    ("nb1", "log"): "observed",
    ("beta", "logit"): "observed",
}
NODES = {"scalar": [2, 3, 9, 25], "vector": [3, 5, 9], "three columns": [3, 5]}
CASES = [(layout, nodes) for layout, counts in NODES.items() for nodes in counts]


@functools.cache
def fitted(family: str, link: str, layout: str, nodes: int) -> tuple[Example, Any]:
    criterion = MODELS[family, link]
    case = example(
        family,
        link,
        layout,
        weights=True,
        offset=True,
        sizes=family == "binomial",
        observed=criterion == "observed",
    )
    model = case.design().fit_generalized(
        family=_core.Family(family, link), criterion=criterion, quadrature=nodes
    )
    return case, model


def brute_force(model: DenseGeneralised, theta: np.ndarray, beta: np.ndarray, phi: float) -> float:
    """−2 log likelihood by the trapezoidal rule on a fixed grid of u.

    The integrand is analytic and falls off as exp(−u²/2): the rule's error falls off as
    exp(−2π²/h²) with the spacing h.
    """
    (columns, codes), ZL = model.terms[0], model.scaled_indicators(theta)
    q, spacing = columns.shape[1], 0.2
    axis = np.arange(-7.5, 7.5, spacing)
    grid = np.array(list(itertools.product(axis, repeat=q)))
    total = 0.0
    for j in range(codes.max() + 1):
        logs = model.joint_log_density(
            grid, slice(j * q, (j + 1) * q), codes == j, model.fixed(beta), ZL, phi
        )
        total += float(np.logaddexp.reduce(logs)) + q * np.log(spacing)
    return -2 * total


# The criterion -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("layout", "nodes"), CASES)
@pytest.mark.parametrize(("family", "link"), MODELS)
def test_objective(family: str, link: str, layout: str, nodes: int) -> None:
    case, model = fitted(family, link, layout, nodes)
    theta, beta, phi = split(case, point(case))
    expected = case.oracle.quadrature(theta, beta, nodes, phi)
    assert model.objective(theta, beta, phi) == pytest.approx(expected, rel=1e-11, abs=1e-8)


@pytest.mark.parametrize(("layout", "nodes"), [("scalar", 9), ("vector", 5), ("three columns", 3)])
@pytest.mark.parametrize(("family", "link"), MODELS)
def test_gradient(family: str, link: str, layout: str, nodes: int) -> None:
    case, model = fitted(family, link, layout, nodes)
    at = point(case)
    expected = numeric_gradient(lambda x: float(model.objective(*split(case, x))), at)
    actual = np.asarray(model.gradient(*split(case, at)))
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize(("layout", "nodes"), [("scalar", 25), ("vector", 15)])
@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log")])
def test_many_nodes_are_the_integral(family: str, link: str, layout: str, nodes: int) -> None:
    case, model = fitted(family, link, layout, nodes)
    theta, beta, phi = split(case, point(case))
    expected = brute_force(case.oracle, theta, beta, phi)
    assert model.objective(theta, beta, phi) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(("family", "link"), MODELS)
def test_one_node_is_laplace(family: str, link: str) -> None:
    """All constants are in both, so that their values compare."""
    case, _ = fitted(family, link, "scalar", 9)
    theta, beta, phi = split(case, point(case))
    laplace = case.oracle.criterion(theta, beta, phi)
    assert case.oracle.quadrature(theta, beta, 1, phi) == pytest.approx(laplace, abs=1e-9)


def test_zero_variance() -> None:
    """At θ = 0 every number of nodes gives the likelihood of the model without random effects."""
    case, model = fitted("binomial", "logit", "vector", 5)
    _, beta, phi = split(case, point(case))
    theta = np.zeros(3)
    expected = case.oracle.criterion(theta, beta, phi)
    assert model.objective(theta, beta, phi) == pytest.approx(expected, abs=1e-9)


# nAGQ = 0: β with the modes -----------------------------------------------------------------------


@pytest.mark.parametrize("layout", ["scalar", "vector", "crossed"])
@pytest.mark.parametrize(
    ("family", "link"), [("binomial", "logit"), ("poisson", "log"), ("gamma", "log")]
)
def test_no_nodes(family: str, link: str, layout: str) -> None:
    """The β that maximises the penalised likelihood jointly with u, and the best θ for it."""
    case = example(family, link, layout, offset=True)
    model = case.design().fit_generalized(
        family=_core.Family(family, link), criterion="fisher", quadrature=0
    )
    beta, _ = case.oracle.joint_mode(model.theta)
    np.testing.assert_allclose(model.beta, beta, rtol=1e-7, atol=1e-8)
    criterion = case.oracle.criterion_at_joint_mode
    assert model.criterion == pytest.approx(criterion(model.theta), abs=1e-8)
    inside = model.theta != 0
    slope = numeric_gradient(criterion, model.theta)
    np.testing.assert_allclose(slope[inside], 0.0, atol=1e-3)


# Fits --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("layout", "nodes"), [("scalar", 9), ("vector", 5)])
@pytest.mark.parametrize(("family", "link"), MODELS)
def test_the_gradient_vanishes_at_the_optimum(
    family: str, link: str, layout: str, nodes: int
) -> None:
    _, model = fitted(family, link, layout, nodes)
    assert model.converged, model.reason
    at = model.theta, model.beta, model.dispersion
    np.testing.assert_allclose(model.gradient(*at), 0.0, atol=1e-3)
    assert model.criterion == pytest.approx(model.objective(*at), rel=1e-10)


@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log")])
def test_a_predictor_far_from_zero(family: str, link: str) -> None:
    """The nodes lie along centred columns; along the columns as given few nodes would give another
    value after each shift."""
    case, _ = fitted(family, link, "vector", 3)
    oracle, criteria = case.oracle, []
    columns, codes = oracle.terms[0]
    for shift in (np.array([0.0, 10.0]), np.array([0.0, 1000.0])):
        shifted = replace(oracle, X=oracle.X + shift, terms=[(columns + shift, codes)])
        model = (
            replace(case, oracle=shifted)
            .design()
            .fit_generalized(family=_core.Family(family, link), criterion="fisher", quadrature=3)
        )
        criteria.append(model.criterion)
    assert criteria[1] == pytest.approx(criteria[0], abs=1e-9)


def cbpp(**options: Any) -> Any:
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    return mm.glmer(formula, reference_data.load("cbpp"), family="binomial", **options)


def test_more_nodes_settle() -> None:
    values = [cbpp(nAGQ=nodes).loglik for nodes in (1, 5, 15, 25)]
    assert abs(values[3] - values[2]) < 1e-6 < abs(values[1] - values[0])


def test_threads_change_no_bit() -> None:
    one, two = (cbpp(nAGQ=9, n_threads=n) for n in (1, 2))
    np.testing.assert_array_equal(one.theta, two.theta)
    np.testing.assert_array_equal(one.fixef, two.fixef)
    assert one.loglik == two.loglik


# What it is not for ------------------------------------------------------------------------------


def crossed_data() -> pd.DataFrame:
    r = np.random.default_rng(5)
    n = 120
    return pd.DataFrame(
        {
            "y": r.integers(0, 2, n),
            "g": r.integers(0, 10, n),
            "h": r.integers(0, 6, n),
            **{f"x{k}": r.normal(size=n) for k in range(4)},
        }
    )


REFUSED = {
    "two factors": ("y ~ x0 + (1 | g) + (1 | h)", 5),
    "nested factors": ("y ~ x0 + (1 | g / h)", 5),
    "even number of nodes for two columns": ("y ~ x0 + (x0 | g)", 4),
    "four columns": ("y ~ x0 + (x0 + x1 + x2 | g)", 3),
    "more than 25": ("y ~ x0 + (1 | g)", 26),
    "negative": ("y ~ x0 + (1 | g)", -1),
    "a fraction": ("y ~ x0 + (1 | g)", 2.5),
    "True": ("y ~ x0 + (1 | g)", True),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    formula, nodes = REFUSED[what]
    with pytest.raises(mm.ArgumentError, match="nAGQ"):
        mm.glmer(formula, crossed_data(), family="binomial", nAGQ=nodes)
