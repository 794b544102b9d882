"""Properties that hold whatever the numbers: invariances, equal formulas, an independent oracle."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize

import mixedmodels as mm
import reference_data
from cases import CASES, maximal
from dense_model import DenseModel, numeric_gradient

Frame = pd.DataFrame
RELATIVE = 1e-7  # what a criterion or an estimate may move, relative, where nothing should


def fit(formula: str, data: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        warnings.simplefilter("ignore", mm.MissingDataWarning)
        return mm.lmer(formula, data, **options)


def criterion(m: Any) -> float:
    return float(m.reml_criterion if m.reml_criterion is not None else m.deviance)


def slopes_data(seed: int = 3, n: int = 400, groups: int = 25) -> Frame:
    """Random intercepts and slopes, correlated; two grouping factors, weights."""
    r = np.random.default_rng(seed)
    g, h = r.integers(0, groups, n), r.integers(0, 7, n)
    x, z = r.normal(size=n), r.normal(size=n)
    b = r.normal(size=(groups, 2)) @ np.array([[1.0, 0.3], [0.0, 0.6]])
    y = 2 + 0.5 * x - 0.2 * z + b[g, 0] + b[g, 1] * x + 0.8 * r.normal(size=7)[h] + r.normal(size=n)
    names = [f"g{k:02d}" for k in range(groups)]
    return pd.DataFrame(
        {
            "y": y,
            "x": x,
            "z": z,
            "g": np.array(names)[g],
            "h": np.array(list("abcdefg"))[h],
            "w": r.uniform(0.5, 2, n),
        }
    )


MODELS = {
    "intercepts": "y ~ x + z + (1 | g)",
    "slopes": "y ~ x + z + (x | g)",
    "crossed": "y ~ x + z + (x | g) + (1 | h)",
}


def assert_same_fit(a: Any, b: Any, *, rows: Any = slice(None)) -> None:
    """Same criterion, estimates, fitted values and modes (b's rows in the order `rows`)."""
    assert criterion(b) == pytest.approx(criterion(a), rel=RELATIVE)
    np.testing.assert_allclose(b.theta, a.theta, rtol=RELATIVE, atol=RELATIVE)
    np.testing.assert_allclose(b.fixef, a.fixef, rtol=RELATIVE, atol=RELATIVE * a.bse.max())
    np.testing.assert_allclose(b.bse, a.bse, rtol=RELATIVE)
    assert b.sigma == pytest.approx(a.sigma, rel=RELATIVE)
    fitted = a.fitted.to_numpy()[rows]
    np.testing.assert_allclose(b.fitted, fitted, atol=RELATIVE * a.sigma, rtol=1e-14)


# Shifts and scales -------------------------------------------------------------------------------


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_shift_of_the_response(model: str, reml: bool) -> None:
    data = slopes_data()
    shifted = data.assign(y=data["y"] + 1e7)
    data["y"] = shifted["y"] - 1e7  # as rounded
    a, b = fit(MODELS[model], data, REML=reml), fit(MODELS[model], shifted, REML=reml)
    assert criterion(b) == pytest.approx(criterion(a), rel=RELATIVE)
    np.testing.assert_allclose(b.theta, a.theta, rtol=RELATIVE, atol=RELATIVE)
    np.testing.assert_allclose(b.fixef.iloc[1:], a.fixef.iloc[1:], rtol=RELATIVE)
    assert b.fixef.iloc[0] - 1e7 == pytest.approx(a.fixef.iloc[0], abs=1e-7)
    np.testing.assert_allclose(b.bse, a.bse, rtol=RELATIVE)
    assert b.sigma == pytest.approx(a.sigma, rel=RELATIVE)
    np.testing.assert_allclose(b.residuals(), a.residuals(), atol=1e-7)


def shifted_template(theta: np.ndarray, c: float) -> np.ndarray:
    """θ of (1 + (x + c) | g) from θ of (1 + x | g), without cancellation."""
    l11, l21, l22 = theta
    first = math.hypot(l11 - c * l21, c * l22)
    return np.array([first, (l21 * (l11 - c * l21) - c * l22**2) / first, l11 * l22 / first])


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("shift", [100.0, 1.7e9])
def test_shift_of_a_predictor(model: str, shift: float, reml: bool) -> None:
    data = slopes_data()
    shifted = data.assign(x=data["x"] + shift)
    data["x"] = shifted["x"] - shift  # as rounded: a unix time has seven digits behind the point
    a, b = fit(MODELS[model], data, REML=reml), fit(MODELS[model], shifted, REML=reml)
    assert criterion(b) == pytest.approx(criterion(a), rel=RELATIVE)
    np.testing.assert_allclose(b.fixef.iloc[1:], a.fixef.iloc[1:], rtol=RELATIVE)
    np.testing.assert_allclose(b.bse.iloc[1:], a.bse.iloc[1:], rtol=RELATIVE)
    intercept = a.fixef["(Intercept)"] - shift * a.fixef["x"]
    assert b.fixef["(Intercept)"] == pytest.approx(intercept, rel=RELATIVE)
    assert b.sigma == pytest.approx(a.sigma, rel=RELATIVE)
    np.testing.assert_allclose(b.fitted, a.fitted, atol=1e-6 * a.sigma)
    theta = a.theta.copy()
    if model != "intercepts":
        theta[:3] = shifted_template(theta[:3], shift)
    np.testing.assert_allclose(b.theta, theta, rtol=1e-6)


def test_shift_with_dummies_for_the_intercept() -> None:
    """`0 + h` spans the constant too."""
    data = slopes_data()
    shifted = data.assign(y=data["y"] + 1e7, x=data["x"] + 1.7e9)
    data = data.assign(y=shifted["y"] - 1e7, x=shifted["x"] - 1.7e9)
    a = fit("y ~ 0 + h + x + (x | g)", data)
    b = fit("y ~ 0 + h + x + (x | g)", shifted)
    assert criterion(b) == pytest.approx(criterion(a), rel=RELATIVE)
    assert b.fixef["x"] == pytest.approx(a.fixef["x"], rel=RELATIVE)


@pytest.mark.parametrize("formula", ["y ~ x + (x || g)", "y ~ x + (0 + x | g)"])
def test_shift_that_changes_the_model(formula: str) -> None:
    """Uncorrelated or without an intercept, a shifted slope is another model: it must differ."""
    data = slopes_data()
    shifted = data.assign(x=data["x"] + 3)
    a, b = fit(formula, data), fit(formula, shifted)
    assert abs(criterion(a) - criterion(b)) > 0.1


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("c", [1e6, 1e-6])
def test_scale_of_a_predictor(model: str, c: float, reml: bool) -> None:
    data = slopes_data()
    a = fit(MODELS[model], data, REML=reml)
    b = fit(MODELS[model], data.assign(x=data["x"] * c), REML=reml)
    expected = criterion(a) + (2 * math.log(c) if reml else 0)  # log|X'V⁻¹X| sees the unit of x
    assert criterion(b) == pytest.approx(expected, rel=RELATIVE)
    assert b.fixef["x"] * c == pytest.approx(a.fixef["x"], rel=RELATIVE)
    assert b.bse["x"] * c == pytest.approx(a.bse["x"], rel=RELATIVE)
    assert b.sigma == pytest.approx(a.sigma, rel=RELATIVE)
    factor = np.ones(len(a.theta))
    if model != "intercepts":
        factor[[1, 2]] = c
    np.testing.assert_allclose(b.theta * factor, a.theta, rtol=1e-6)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("c", [1e6, 1e-6])
def test_scale_of_the_response(model: str, c: float, reml: bool) -> None:
    data = slopes_data()
    a = fit(MODELS[model], data, REML=reml)
    b = fit(MODELS[model], data.assign(y=data["y"] * c), REML=reml)
    df = a.nobs - (len(a.fixef) if reml else 0)
    assert criterion(b) == pytest.approx(criterion(a) + 2 * df * math.log(c), rel=RELATIVE)
    np.testing.assert_allclose(b.theta, a.theta, rtol=1e-6)
    np.testing.assert_allclose(b.fixef / c, a.fixef, rtol=RELATIVE)
    assert b.sigma / c == pytest.approx(a.sigma, rel=RELATIVE)


@pytest.mark.parametrize("c", [1e-3, 7.0, 1e4])
@pytest.mark.parametrize("model", MODELS)
def test_weights_times_a_constant(model: str, c: float) -> None:
    data = slopes_data()
    a = fit(MODELS[model], data, weights="w")
    b = fit(MODELS[model], data.assign(w=data["w"] * c), weights="w")
    assert criterion(b) == pytest.approx(criterion(a), rel=RELATIVE)
    np.testing.assert_allclose(b.fixef, a.fixef, rtol=RELATIVE)
    np.testing.assert_allclose(b.theta * math.sqrt(c), a.theta, rtol=1e-6)
    assert b.sigma / math.sqrt(c) == pytest.approx(a.sigma, rel=RELATIVE)
    np.testing.assert_allclose(b.varcorr["g"], a.varcorr["g"], rtol=1e-6)


# Names and order ---------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_row_order(model: str) -> None:
    data = slopes_data()
    order = np.random.default_rng(0).permutation(len(data))
    a, b = fit(MODELS[model], data), fit(MODELS[model], data.iloc[order])
    assert_same_fit(a, b, rows=order)
    pd.testing.assert_frame_equal(b.ranef()["g"], a.ranef()["g"], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("model", MODELS)
def test_level_names(model: str) -> None:
    data = slopes_data()
    names = {old: f"level {97 - 3 * k}" for k, old in enumerate(sorted(set(data["g"])))}
    a, b = fit(MODELS[model], data), fit(MODELS[model], data.assign(g=data["g"].map(names)))
    assert_same_fit(a, b)
    renamed = a.ranef()["g"].rename(index=names)
    ours = b.ranef()["g"].loc[renamed.index]
    np.testing.assert_allclose(ours, renamed, rtol=1e-6, atol=1e-8)


SAME = {
    "nesting": ("y ~ x + (1 | h/g)", "y ~ x + (1 | h) + (1 | h:g)"),
    "nesting, the other way round": ("y ~ x + (1 | h/g)", "y ~ x + (1 | g:h) + (1 | h)"),
    "interaction": ("y ~ x * z + (1 | g)", "y ~ x + z + x:z + (1 | g)"),
    "intercept written": ("y ~ x + (x | g)", "y ~ 1 + x + (1 + x | g)"),
    "double bar": ("y ~ x + (x || g)", "y ~ x + (1 | g) + (0 + x | g)"),
    "order of terms": ("y ~ x + (x | g) + (1 | h)", "y ~ x + (1 | h) + (x | g)"),
}


@pytest.mark.parametrize("case", SAME)
def test_equal_formulas(case: str) -> None:
    one, other = SAME[case]
    assert_same_fit(fit(one, slopes_data()), fit(other, slopes_data()))


def test_formula_and_arrays() -> None:
    data = slopes_data()
    a = fit(MODELS["crossed"], data)
    ones = np.ones(len(data))
    X = np.column_stack([ones, data["x"], data["z"]])
    Z = np.column_stack([ones, data["x"]])
    b = mm.lmer_arrays(data["y"].to_numpy(), X, [(Z, data["g"]), (ones, data["h"])])
    assert_same_fit(a, b)


def test_refit_is_a_new_fit() -> None:
    data = slopes_data()
    other = slopes_data(seed=4)["y"]
    a = fit(MODELS["crossed"], data.assign(y=other))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        b = fit(MODELS["crossed"], data).refit(other.to_numpy())
    assert_same_fit(a, b)


# Criterion and gradient --------------------------------------------------------------------------


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("name", ["sleepstudy_rs_reml", "penicillin_reml", "pastes_nested_reml"])
def test_zero_theta_is_ordinary_regression(name: str, reml: bool) -> None:
    ref = reference_data.model(name)
    data = reference_data.load(ref["data"])
    m = fit(ref["formula"], data, REML=reml)
    fixed = ref["formula"].split(" + (")[0]
    ols = mm.lm(fixed, data)
    n, p = ols.nobs, len(ols.fixef)
    rss = float((ols.residuals() ** 2).sum())
    expected = -2 * ols.loglik
    if reml:
        log_det = -np.linalg.slogdet(ols.vcov / ols.sigma**2)[1]
        expected = log_det + (n - p) * (1 + math.log(2 * math.pi * rss / (n - p)))
    assert m.objective(np.zeros_like(m.theta)) == pytest.approx(expected, rel=1e-12)


GRADIENT_MODELS = [
    "sleepstudy_rs_reml",
    "sleepstudy_rs_ml",
    "sleepstudy_dbar_reml",
    "machines_full_reml",
    "oxboys_quad_reml",
    "penicillin_reml",
    "pastes_nested_reml",
    "sleep_weights_reml",
    "sleep_rankdef_reml",
    "anxlong_3level_reml",
    "scotssec_crossed_reml",
]


@pytest.mark.parametrize("name", GRADIENT_MODELS)
def test_gradient_against_differences(name: str) -> None:
    ref = reference_data.model(name)
    data = reference_data.load(ref["data"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m = mm.lmer(ref["formula"], data, **reference_data.fit_arguments(ref))
    r = np.random.default_rng(1)
    for theta in (m.theta * 1.3 + 0.1, r.uniform(0.3, 1.5, len(m.theta))):
        expected = numeric_gradient(m.objective, theta)
        scale = np.abs(expected).max()
        np.testing.assert_allclose(m.gradient(theta), expected, atol=1e-7 * scale, rtol=1e-7)
    assert m.objective(m.theta) == pytest.approx(criterion(m), rel=1e-12)


Layout = list[tuple[int, int]]  # (levels, columns) of each term, by decreasing number of levels
LAYOUTS: dict[str, Layout] = {
    "intercept": [(6, 1)],
    "slope": [(8, 2)],
    "three columns": [(9, 3)],
    "crossed": [(8, 1), (5, 1)],
    "crossed slopes": [(9, 2), (6, 2)],
    "three factors": [(9, 1), (6, 2), (4, 1)],
    "more effects than rows": [(30, 2), (9, 1)],
}


def random_model(layout: Layout, seed: int, *, reml: bool, weighted: bool) -> DenseModel:
    r = np.random.default_rng(seed)
    n = 50
    X = np.column_stack([np.ones(n), r.normal(size=(n, 2))])
    y = X @ r.normal(size=3) + r.normal(size=n)
    terms = []
    for levels, q in layout:
        codes = np.concatenate([np.arange(levels), r.integers(0, levels, n - levels)])
        codes = r.permutation(codes)
        Z = np.column_stack([np.ones(n), r.normal(size=(n, q - 1))])
        y = y + (Z * r.normal(size=(levels, q))[codes]).sum(1)
        terms.append((Z, codes))
    weights = r.uniform(0.3, 3, n) if weighted else None
    offset = r.normal(size=n) if weighted else None
    return DenseModel(y, X, terms, reml=reml, weights=weights, offset=offset)


def fit_arrays(model: DenseModel) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mm.lmer_arrays(
            model.y,
            model.X,
            model.terms,
            REML=model.reml,
            weights=model.weights,
            offset=model.offset,
            control=mm.Control(allow_saturated=True),
        )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weights and offset"])
@pytest.mark.parametrize("reml", [True, False], ids=["REML", "ML"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_against_the_dense_likelihood(layout: str, reml: bool, weighted: bool, seed: int) -> None:
    model = random_model(LAYOUTS[layout], seed, reml=reml, weighted=weighted)
    m = fit_arrays(model)
    r = np.random.default_rng(seed)
    for theta in (m.theta, r.normal(size=len(m.theta)), np.zeros(len(m.theta))):
        assert m.objective(theta) == pytest.approx(model.criterion(theta), rel=1e-9, abs=1e-8)
    theta = r.normal(size=len(m.theta))
    gradient = model.gradient(theta)
    scale = np.abs(gradient).max()
    np.testing.assert_allclose(m.gradient(theta), gradient, atol=1e-6 * scale, rtol=1e-6)
    assert_estimates_match(m, model)


def assert_estimates_match(m: Any, model: DenseModel) -> None:
    """β, σ, vcov, modes and their SDs at θ̂, against the dense solution there."""
    dense = model.solve(m.theta)
    assert criterion(m) == pytest.approx(dense.criterion, rel=1e-9)
    np.testing.assert_allclose(m.fixef, dense.beta, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(m.vcov, dense.vcov, rtol=1e-6, atol=1e-9 * np.abs(dense.vcov).max())
    assert m.sigma == pytest.approx(dense.sigma, rel=1e-8)
    modes, deviations = m.ranef(), m.ranef(condvar=True).sd
    for group, expected, covariance in zip(
        modes, dense.modes, dense.conditional_covariances, strict=True
    ):
        np.testing.assert_allclose(modes[group], expected, rtol=1e-6, atol=1e-7)
        sd = np.sqrt(np.einsum("jaa->ja", covariance).clip(0))
        np.testing.assert_allclose(deviations[group], sd, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("layout", ["intercept", "slope", "crossed", "crossed slopes"])
def test_no_other_optimizer_finds_better(layout: str, seed: int) -> None:
    model = random_model(LAYOUTS[layout], seed + 10, reml=True, weighted=False)
    m = fit_arrays(model)
    starts = [np.ones(len(m.theta)), np.full(len(m.theta), 0.1), m.theta * 1.5 + 0.2]
    found = [
        minimize(model.criterion, start, method="Nelder-Mead", options={"maxfev": 600}).fun
        for start in starts
    ]
    assert criterion(m) <= min(found) + 1e-8


# Hard cases --------------------------------------------------------------------------------------


def trap() -> Frame:
    """Without a test of the boundary a fit stops at a slope variance of zero: not the optimum."""
    r = np.random.default_rng(0)
    n = 400
    x = r.normal(size=n)
    r.normal(size=n)
    g = [f"g{k}" for k in r.integers(0, 20, n)]
    b = dict(zip(sorted(set(g)), r.normal(size=20), strict=True))
    y = 1 + 0.5 * x + [b[k] for k in g] + r.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "g": g})


def test_zero_is_left_when_it_is_not_the_optimum() -> None:
    m = fit("y ~ x + (x | g)", trap())
    assert m.reml_criterion == pytest.approx(1219.50554, abs=1e-5)
    assert m.varcorr["g"].iloc[1, 1] == pytest.approx(0.00329, abs=1e-5)


@pytest.mark.parametrize("optimizer", ["newton", "bfgs", "nelder-mead"])
def test_optimizers_agree(optimizer: str) -> None:
    data = slopes_data()
    a = fit(MODELS["slopes"], data)
    b = fit(MODELS["slopes"], data, control=mm.Control(optimizer=optimizer))
    assert criterion(b) == pytest.approx(criterion(a), abs=1e-6)


def test_start_does_not_matter() -> None:
    data = slopes_data()
    a = fit(MODELS["slopes"], data)
    starts: list[Callable[[], list[float]]] = [
        lambda: [10.0, 0.0, 10.0],
        lambda: [0.0, 0.0, 0.0],
        lambda: [1e-6, 5.0, 1e-6],
    ]
    for start in starts:
        b = fit(MODELS["slopes"], data, control=mm.Control(start=start()))
        assert criterion(b) == pytest.approx(criterion(a), abs=1e-8)


def test_groups_a_million_times_wider_than_the_noise() -> None:
    """σ_b/σ = 1e6, balanced: REML in closed form, computed exactly from the data as stored."""
    r = np.random.default_rng(5)
    groups, per_group = 20, 15
    y = np.repeat(1e6 * r.normal(size=groups), per_group) + r.normal(size=groups * per_group)
    table = [[Fraction(float(v)) for v in row] for row in y.reshape(groups, per_group)]
    means = [sum(row) / per_group for row in table]
    grand = sum(means) / groups
    msb = per_group * sum((m - grand) ** 2 for m in means) / (groups - 1)
    within = sum((v - m) ** 2 for row, m in zip(table, means, strict=True) for v in row)
    msw = within / (groups * (per_group - 1))
    data = {"y": y, "g": np.repeat(np.arange(groups), per_group)}
    m = fit("y ~ 1 + (1 | g)", data)
    assert m.sigma**2 == pytest.approx(float(msw), rel=1e-7)
    assert m.varcorr["g"].iloc[0, 0] == pytest.approx(float((msb - msw) / per_group), rel=1e-7)
    error = m.fixef["(Intercept)"] - float(grand)  # of a mean that is known to 1e6/√20
    assert abs(error) <= RELATIVE * m.bse["(Intercept)"]


def test_maximal_crossed_model() -> None:
    """20 parameters, two crossed 4 × 4 terms; the optimum found independently is 30248.0246184."""
    m = fit(CASES["maximal"].formula, maximal())
    assert m.reml_criterion == pytest.approx(30248.0246184, abs=1e-6)


@pytest.mark.parametrize("c", [1e6, 1e-6])
def test_hessian_in_other_units(c: float) -> None:
    """A slope's θ has the unit 1/x, and so must the step of its second derivatives."""
    data = slopes_data()
    plain = fit("y ~ x + (x | g)", data)._fit.hessian()
    scaled = fit("y ~ x + (x | g)", data.assign(x=data["x"] * c))._fit.hessian()
    units = np.array([1, c, c])
    np.testing.assert_allclose(scaled / np.outer(units, units), plain, rtol=1e-5, atol=1e-6)
