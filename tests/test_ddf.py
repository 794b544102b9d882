"""Degrees of freedom and tests against lmerTest, pbkrtest, closed forms and dense algebra."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
from dense_model import DenseModel, indicator, templates
from mixedmodels.inference.ddf import (
    covariance,
    f_test,
    resolve,
    t_tests,
)

LMERTEST = sorted(path.stem for path in (reference_data.ROOT / "inference").glob("lmertest_*.json"))
METHODS = {"satterthwaite": "satterthwaite_coef", "kenward-roger": "kenward_roger_coef"}
# ScotsSec is too large for pbkrtest's n × n matrices: no Kenward-Roger results there.
KENWARD_ROGER = [name for name in LMERTEST if "scotssec" not in name]
TABLES = [(name, "satterthwaite") for name in LMERTEST] + [
    (name, "kenward-roger") for name in KENWARD_ROGER
]


@functools.cache
def fitted(name: str) -> tuple[Any, dict[str, Any]]:
    reference = reference_data.read_json(f"inference/{name}.json")
    return mm.lmer(reference["formula"], reference_data.load(reference["data"])), reference


@pytest.mark.parametrize(("name", "method"), TABLES)
@pytest.mark.filterwarnings("ignore::mixedmodels.MissingDataWarning")
def test_coefficients_of_reference_models(name: str, method: str) -> None:
    m, reference = fitted(name)
    expected = pd.DataFrame(reference[METHODS[method]]).T
    tests = t_tests(m, np.eye(len(expected)), method)
    # Satterthwaite's reference rests on finite differences: the 1e-4; it is met to 1e-6.
    np.testing.assert_allclose(tests.df, expected["df"], rtol=1e-6)
    np.testing.assert_allclose(tests.std_error, expected["Std. Error"], rtol=1e-6)
    np.testing.assert_allclose(tests.estimate, expected["Estimate"], rtol=1e-6, atol=1e-8)
    p = expected["Pr(>|t|)"].to_numpy()
    np.testing.assert_allclose(tests.p_value[p > 1e-6], p[p > 1e-6], rtol=1e-4)
    small = p <= 1e-6
    np.testing.assert_allclose(np.log10(tests.p_value[small]), np.log10(p[small]), atol=1e-3)


@pytest.mark.parametrize("name", KENWARD_ROGER)
def test_kenward_roger_covariance(name: str) -> None:
    m, reference = fitted(name)
    expected = np.array(reference["kenward_roger_vcov"])
    found = covariance(m, "kenward-roger")
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8 * np.abs(expected).max())


# --- The exact Hessian against differences of the exact gradient ---

HESSIANS = {
    "one factor": ("cake", "angle ~ temp + (1 | replicate)"),
    "vector term": ("sleepstudy", "Reaction ~ Days + (Days | Subject)"),
    "uncorrelated": ("sleepstudy", "Reaction ~ Days + (Days || Subject)"),
    "nested": ("Pastes", "strength ~ 1 + (1 | batch/cask)"),
    "crossed": ("Penicillin", "diameter ~ 1 + (1 | plate) + (1 | sample)"),
    "crossed vectors": ("ScotsSec", "attain ~ sex + (sex | primary) + (verbal | second)"),
    "three nested": ("egsingle", "math ~ year + (year | childid) + (year | schoolid)"),
    "no fixed effects": ("sleepstudy", "Reaction ~ 0 + (Days | Subject)"),
    "singular": ("Dyestuff2", "Yield ~ 1 + (1 | Batch)"),
    "rank-deficient X": ("sleepstudy_aux", "Reaction ~ Days + Days2x + (Days | Subject)"),
}


@pytest.mark.parametrize("REML", [True, False])
@pytest.mark.parametrize("name", HESSIANS)
@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
def test_exact_hessian_is_the_gradients_derivative(name: str, REML: bool) -> None:
    data, formula = HESSIANS[name]
    m = mm.lmer(formula, reference_data.load(data), REML=REML)
    theta, step = m.theta, 1e-5
    differences = np.array(
        [
            (m.gradient(theta + step * e) - m.gradient(theta - step * e)) / (2 * step)
            for e in np.eye(len(theta))
        ]
    )
    exact = m.convergence.hessian
    np.testing.assert_allclose(exact, exact.T, atol=1e-9 * np.abs(exact).max())
    np.testing.assert_allclose(exact, differences, rtol=1e-5, atol=2e-6 * np.abs(exact).max())


def test_hessian_where_a_level_links_all_nodes_of_a_singular_term() -> None:
    """λ̃ may not be divided by: K and products with it take over."""
    d = reference_data.load("Penicillin").assign(z=lambda d: np.arange(len(d)) % 7 - 3.0)
    formula = "diameter ~ z + (1 | plate) + (z | sample)"
    with pytest.warns(mm.SingularFitWarning):
        m = mm.lmer(formula, d)
    step = 1e-5
    differences = np.array(
        [
            (m.gradient(m.theta + step * e) - m.gradient(m.theta - step * e)) / (2 * step)
            for e in np.eye(len(m.theta))
        ]
    )
    exact = m.convergence.hessian
    np.testing.assert_allclose(exact, differences, rtol=1e-4, atol=1e-5 * np.abs(exact).max())


# --- Kenward and Roger's products against n × n matrices ---


@pytest.mark.parametrize("weighted", [False, True])
def test_products_against_dense_algebra(weighted: bool) -> None:
    r = np.random.default_rng(4)
    n = 90
    a, b = r.integers(0, 12, n), r.integers(0, 5, n)
    # A factor's columns are not shifted: the kernel's coordinates are the user's.
    x, w = r.integers(0, 2, n) * 1.0, r.uniform(0.5, 2, n) if weighted else np.ones(n)
    y = x + r.normal(size=12)[a] + x * r.normal(size=12)[a] + r.normal(size=5)[b] + r.normal(size=n)
    d = pd.DataFrame({"y": y, "x": np.where(x == 1, "yes", "no"), "a": a, "b": b, "w": w})
    m = mm.lmer("y ~ x + (x | a) + (1 | b)", d, weights="w")
    X, columns = np.column_stack([np.ones(n), x]), np.column_stack([np.ones(n), x])
    dense = DenseModel(y, X, [(columns, a), (np.ones((n, 1)), b)], weights=w)
    Z = [indicator(term) for term in dense.terms]
    V = np.diag(1 / w) + sum(
        z @ D @ z.T for z, D in zip(Z, dense.relative_covariance(m.theta), strict=True)
    )
    elements = [(0, 0), (1, 0), (1, 1)]
    changes = [_change(Z[0], i, j, 2) for i, j in elements] + [Z[1] @ Z[1].T]
    inverse, S = np.linalg.inv(V), m._root
    np.testing.assert_allclose(S @ S.T, np.linalg.inv(X.T @ inverse @ X), rtol=1e-8)
    found = m._fit.variance_products()
    white = inverse @ X @ S
    for k, change in enumerate(changes):
        np.testing.assert_allclose(found["trace"][k], np.trace(inverse @ change), rtol=1e-8)
        np.testing.assert_allclose(
            found["fixed"][k], white.T @ change @ white, rtol=1e-7, atol=1e-9
        )
        for l, other in enumerate(changes):
            product = inverse @ change @ inverse @ other
            np.testing.assert_allclose(found["traces"][k, l], np.trace(product), rtol=1e-8)
            expected = white.T @ change @ inverse @ other @ white
            np.testing.assert_allclose(found["pairs"][k, l], expected, rtol=1e-7, atol=1e-9)


def _change(Z: Any, i: int, j: int, q: int) -> Any:
    unit = np.zeros((q, q))
    unit[i, j] = unit[j, i] = 1.0
    return Z @ np.kron(np.eye(Z.shape[1] // q), unit) @ Z.T


def test_elements_are_in_the_order_of_theta() -> None:
    m = mm.lmer("score ~ Machine + (Machine | Worker)", reference_data.load("Machines"))
    (template,) = templates(m.theta, [3])
    expected = (template @ template.T)[np.triu_indices(3)[::-1]]
    np.testing.assert_allclose(m._fit.variance_products()["elements"], expected, rtol=1e-9)


@pytest.mark.parametrize("ddf", METHODS)
@pytest.mark.parametrize("shift", [2000.0, 1e6, 1.7e9])
def test_a_predictor_far_from_zero(ddf: str, shift: float) -> None:
    """Calendar years and unix times: the slope's test is the same."""
    data = reference_data.load("sleepstudy")
    formula = "Reaction ~ Days + (Days | Subject)"
    slope = np.array([[0.0, 1.0]])
    near = t_tests(mm.lmer(formula, data), slope, ddf)
    far = t_tests(mm.lmer(formula, data.assign(Days=data["Days"] + shift)), slope, ddf)
    np.testing.assert_allclose(far.df, near.df, rtol=1e-6)
    np.testing.assert_allclose(far.std_error, near.std_error, rtol=1e-7)


# --- Closed forms ---


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_balanced_one_way(ddf: str) -> None:
    """The mean of k balanced groups has k − 1 degrees of freedom."""
    m = mm.lmer("travel ~ 1 + (1 | Rail)", reference_data.load("Rail"))
    tests = t_tests(m, np.eye(1), ddf)
    np.testing.assert_allclose(tests.df, 5, rtol=1e-9)


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_split_plot_has_exact_degrees_of_freedom(ddf: str) -> None:
    data = pd.read_csv(reference_data.ROOT / "certified" / "splitplot.csv", dtype=str)
    data["y"] = data["y"].astype(float)
    m = mm.lmer("y ~ A * B + (1 | block) + (1 | block:A)", data, contrasts={"A": "sum", "B": "sum"})
    names = list(m.fixef.index)
    rows = np.eye(len(names))
    whole = f_test(m, rows[[n in ("A1", "A2") for n in names]], ddf)
    within = f_test(m, rows[[n == "B1" for n in names]], ddf)
    assert (whole.num_df, within.num_df) == (2, 1)
    np.testing.assert_allclose([whole.den_df, within.den_df], [6, 9], rtol=1e-8)
    expected = [4.069574247144341, 19.38872403560831]
    np.testing.assert_allclose([whole.statistic, within.statistic], expected, rtol=1e-8)


# --- What is allowed ---


def test_methods_and_their_names() -> None:
    m, _ = fitted("lmertest_sleepstudy_rs_reml")
    assert resolve(m, None) == "satterthwaite"
    assert resolve(m, "Kenward-Roger") == "kenward-roger"
    assert resolve(mm.lm("Reaction ~ Days", reference_data.load("sleepstudy")), None) == "residual"
    for wrong in ("between-within", "", 0):
        with pytest.raises(mm.ArgumentError, match="choose one of satterthwaite"):
            resolve(m, wrong)  # type: ignore[arg-type]
    ml = m.update(REML=False)
    with pytest.raises(mm.ArgumentError, match=r"update\(REML=True\)"):
        resolve(ml, "kenward-roger")
    assert np.isinf(t_tests(m, np.eye(2), "asymptotic").df).all()
    assert np.isnan(t_tests(m, np.eye(2), "none").p_value).all()
    assert (t_tests(m, np.eye(2), "residual").df == 178).all()


@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
@pytest.mark.parametrize(
    ("data", "formula"),
    [
        ("Dyestuff2", "Yield ~ 1 + (1 | Batch)"),
        ("sleepstudy_aux", "Reaction ~ Days + Days2x + (Days | Subject)"),
        ("sleepstudy", "Reaction ~ 0 + Days + (Days | Subject)"),
        ("Machines", "score ~ Machine + (Machine | Worker)"),
    ],
)
def test_every_kind_of_model_has_degrees_of_freedom(data: str, formula: str, ddf: str) -> None:
    m = mm.lmer(formula, reference_data.load(data))
    tests = t_tests(m, np.eye(len(m.fixef.dropna())), ddf)
    assert np.isfinite(tests.df).all()
    assert (tests.df > 1).all()
    assert (tests.df <= m.nobs).all()


def test_three_groups_have_two_degrees_of_freedom() -> None:
    y = [1.0, 2.0, 4.0, 5.5, 9.0, 9.5]
    m = mm.lmer("y ~ 1 + (1 | g)", {"y": y, "g": list("aabbcc")})
    for ddf in METHODS:
        assert t_tests(m, np.eye(1), ddf).df[0] == pytest.approx(2, rel=1e-8)
        assert f_test(m, np.eye(1), ddf).den_df == pytest.approx(2, rel=1e-8)


@pytest.mark.parametrize("groups", [4, 5, 6, 8])
def test_two_means_of_few_groups_are_jointly_tested_with_exact_degrees_of_freedom(
    groups: int,
) -> None:
    level = np.repeat(np.arange(groups), 2)
    y = 3.0 * np.sin(level) + np.tile([0.0, 0.5], groups)
    m = mm.lmer("y ~ f + (1 | g)", {"y": y, "g": level.astype(str), "f": (level % 2).astype(str)})
    test = f_test(m, np.eye(2), "kenward-roger")
    if groups % 2 == 0:  # balanced
        assert test.den_df == pytest.approx(groups - 2, rel=1e-6)
        wald = f_test(m, np.eye(2), "satterthwaite").statistic
        assert test.statistic == pytest.approx(wald, rel=1e-6)
    assert test.den_df > 0


@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
def test_kenward_roger_needs_information_on_every_variance() -> None:
    y = [1.0, 2.0, 4.0, 5.5]
    m = mm.lmer("y ~ b + (1 | g)", {"y": y, "g": list("aabb"), "b": [0, 0, 1, 1]})
    with pytest.raises(mm.ConvergenceError, match="fixed effects explain all"):
        t_tests(m, np.eye(2), "kenward-roger")


FAR = {  # name → (shift, scale, tolerance) of a covariate with random slopes
    "height in cm": (170.0, 1.0, 1e-6),
    # sums over the rows cancel to (spread/shift)⁴ of themselves in Kenward and Roger's traces
    "calendar year": (2000.0, 1.0, 1e-3),
    "in thousandths": (0.0, 1e3, 1e-6),
    "in millions": (0.0, 1e-6, 1e-6),
}


@pytest.mark.parametrize("ddf", METHODS)
@pytest.mark.parametrize("name", FAR)
def test_a_covariates_zero_and_unit_do_not_matter(name: str, ddf: str) -> None:
    shift, scale, tolerance = FAR[name]
    data = reference_data.load("sleepstudy")
    moved = data.assign(Days=shift + scale * data["Days"])
    here, there = (mm.lmer("Reaction ~ Days + (Days | Subject)", d) for d in (data, moved))
    L = np.array([[0.0, 1.0]])
    expected, tests = t_tests(here, L, ddf), t_tests(there, scale * L, ddf)
    for field in ("estimate", "std_error", "df", "p_value"):
        value, right = getattr(tests, field), getattr(expected, field)
        assert value == pytest.approx(right, rel=tolerance), field


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "residual", "asymptotic"])
def test_a_mean_far_from_a_covariates_zero_keeps_its_standard_error(ddf: str) -> None:
    data = reference_data.load("sleepstudy")
    data = data.assign(Time=data["Days"] * 86400 + 1.7e9)  # seconds since 1970
    here, there = (mm.lmer(f"Reaction ~ {x} + (1 | Subject)", data) for x in ("Days", "Time"))
    middle = t_tests(here, np.array([[1.0, 4.5]]), ddf)
    same = t_tests(there, np.array([[1.0, 4.5 * 86400 + 1.7e9]]), ddf)
    assert same.std_error == pytest.approx(middle.std_error, rel=1e-6)
    assert same.df == pytest.approx(middle.df, rel=1e-6)
    both = f_test(there, np.array([[1.0, 1.7e9], [0.0, 1.0]]), ddf)
    assert both.statistic == pytest.approx(f_test(here, np.eye(2), ddf).statistic, rel=1e-6)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
def test_contradictions_do_not_depend_on_the_unit(unit: float) -> None:
    data = reference_data.load("sleepstudy")
    m = mm.lmer("y ~ Days + (1 | Subject)", data.assign(y=unit * data["Reaction"]))
    L = np.array([[0.0, 1.0], [0.0, 2.0]])
    assert f_test(m, L, value=unit * np.array([1.0, 2.0])).num_df == 1
    with pytest.raises(mm.ArgumentError, match="contradict"):
        f_test(m, L, value=unit * np.array([1.0, 3.0]))


def test_contradicting_hypotheses_are_refused() -> None:
    m, _ = fitted("lmertest_sleepstudy_rs_reml")
    L = np.array([[0.0, 1.0], [0.0, 2.0]])
    assert f_test(m, L, value=np.array([1.0, 2.0])).num_df == 1
    with pytest.raises(mm.ArgumentError, match="contradict"):
        f_test(m, L, value=np.array([1.0, 3.0]))


def test_the_same_bits_for_any_number_of_threads() -> None:
    data = reference_data.load("ScotsSec")
    fits = [
        mm.lmer("attain ~ sex + (sex | primary) + (1 | second)", data, n_threads=k)
        for k in (1, 2, 3)
    ]
    first = fits[0]._fit
    for other in fits[1:]:
        for make in ("information", "variance_products"):
            a, b = getattr(first, make)(), getattr(other._fit, make)()
            for name in a:
                assert np.array_equal(a[name], b[name]), name


def test_without_room_for_dense_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """Satterthwaite falls back on differences of the gradient; Kenward-Roger says what it needs."""
    data = reference_data.load("ScotsSec")
    formula = "attain ~ sex + (1 | primary) + (1 | second)"
    exact = t_tests(mm.lmer(formula, data), np.eye(2), "satterthwaite").df
    m = mm.lmer(formula, data)
    seconds = m.ngroups["second"]
    # Divided by the share of free memory that the kernel plans with.
    monkeypatch.setenv("MIXEDMODELS_MAX_MEMORY", str(int(8 * 6 * seconds**2 / 0.9)))
    np.testing.assert_allclose(t_tests(m, np.eye(2), "satterthwaite").df, exact, rtol=1e-6)
    with pytest.raises(mm.InsufficientMemoryError, match="all pairs of levels"):
        t_tests(m, np.eye(2), "kenward-roger")
