"""The kernel's joint covariance of (β̂, b̂ − b), and fits revived from their state, against dense
algebra on the reference models."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
import reference_data
from henderson import Henderson, design_rows, henderson
from mixedmodels import _core

# Dense matrices of more effects are slow, and no other case.
LINEAR = [name for name in reference_data.model_ids() if reference_data.model(name)["q"] < 400]
GENERALISED = [
    name
    for name in reference_data.model_ids(generalised=True)
    if reference_data.model(name)["q"] < 400 and reference_data.model(name)["nAGQ"] < 2
]


@functools.cache
def fitted(name: str) -> Any:
    ref = reference_data.model(name)
    data = reference_data.load(ref["data"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not ref.get("family"):
            return mm.lmer(ref["formula"], data, **reference_data.fit_arguments(ref))
        arguments = {"weights": ref["weights"], "offset": ref["offset"], "nAGQ": ref["nAGQ"]}
        return mm.glmer(ref["formula"], data, family=family(ref), **arguments)


def family(ref: dict[str, Any]) -> Any:
    return getattr(mm.families, ref["family"].replace(".", "_"))(link=ref["link"])


def arguments(m: Any) -> dict[str, Any]:
    """The arguments of a design of the rows used."""
    data = m._call.data.loc[m._matrices.index]
    made, _ = m._matrices.spec.new_arguments(data)
    return dict(made)


def codes(made: dict[str, Any]) -> list[Any]:
    """Levels of every term, row by row."""
    return [made["groups"][group][0] for group, _ in made["terms"]]


def working_weights(m: Any) -> Any:
    """Of a linear model the prior ones, else Fisher's at the modes."""
    if not hasattr(m, "family"):
        weights = m._matrices.weights
        return np.ones(m.nobs) if weights is None else weights
    f = m._kernel_family
    return m._prior_weights * f.mean_slope(m._linear_predictor) ** 2 / f.variance(m._fitted)


@functools.cache
def oracle(name: str) -> Henderson:
    m = fitted(name)
    return henderson(m, codes(arguments(m)), working_weights(m))


@pytest.mark.parametrize("name", LINEAR + GENERALISED)
def test_variances_and_leverages_of_the_rows(name: str) -> None:
    m, dense = fitted(name), oracle(name)
    np.testing.assert_allclose(m._fit.row_variances(), dense.variances, rtol=1e-7)
    h = working_weights(m) * dense.variances / m._fit.sigma**2
    np.testing.assert_allclose(m._fit.leverages(), h, rtol=1e-7)
    assert h.max() < 1 + 1e-9
    assert m._fit.rank - 1e-6 < h.sum() < m._fit.rank + sum(map(np.size, m._fit.modes))


@pytest.mark.parametrize("name", LINEAR + GENERALISED)
def test_variances_of_rows_whose_levels_never_met(name: str) -> None:
    m, dense, rng = fitted(name), oracle(name), np.random.default_rng(3)
    made = arguments(m)
    groups = []
    for levels, count in made["groups"]:
        other = rng.permutation(levels)
        other[rng.random(len(other)) < 0.1] = -1
        groups.append((other, count))
    made["groups"] = groups
    design = _core.Design(**made)
    rows = design_rows(m, design, codes(made))
    expected = Henderson(rows, dense.covariance).variances
    found = m._fit.joint_variances(design, list(range(len(made["terms"]))))
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("name", ["penicillin_reml", "anxlong_3level_reml", "cbpp_laplace"])
def test_some_of_the_terms(name: str) -> None:
    m, dense = fitted(name), oracle(name)
    made = arguments(m)
    for k in range(len(made["terms"])):
        only = _core.Design(**made | {"terms": made["terms"][k : k + 1]})
        levels = [c if t == k else np.full_like(c, -1) for t, c in enumerate(codes(made))]
        rows = design_rows(m, _core.Design(**made), levels)
        expected = Henderson(rows, dense.covariance).variances
        np.testing.assert_allclose(m._fit.joint_variances(only, [k]), expected, rtol=1e-7)
    none = _core.Design(**made | {"terms": []})
    X = none.fixed_matrix()
    V = m._fit.vcov if not hasattr(m, "family") else m._fit.conditional_vcov
    fixed = np.einsum("ij,jk,ik->i", X, V, X)
    np.testing.assert_allclose(m._fit.joint_variances(none, []), fixed, rtol=1e-7)


def test_threads_do_not_change_a_bit() -> None:
    rng, n = np.random.default_rng(1), 60_000
    data = {"g": rng.integers(0, 3000, n), "h": rng.integers(0, 200, n), "x": rng.normal(size=n)}
    b = rng.normal(size=(2, 3000))[:, data["g"]]
    data["y"] = b[0] + b[1] * data["x"] + rng.normal(size=200)[data["h"]] + rng.normal(size=n)
    found = []
    for threads in (1, 2, 5):
        m = mm.lmer("y ~ x + (1 + x | g) + (1 | h)", data, n_threads=threads)
        design, _ = m._matrices.spec.new_design({k: v[:5000] for k, v in data.items()})
        values = [m._fit.row_variances(), m._fit.joint_variances(design, [0, 1])]
        found.append(np.concatenate(values))
        np.testing.assert_allclose(values[1], values[0][:5000], rtol=1e-9)
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_another_design_must_fit() -> None:
    m = fitted("penicillin_reml")
    design = _core.Design(**arguments(m))
    with pytest.raises(mm.DataError, match="fixed columns"):
        m._fit.joint_variances(design, [0])
    with pytest.raises(mm.DataError, match="fixed columns"):
        m._fit.joint_variances(design, [0, 7])


# --- State ---


def revived(m: Any) -> Any:
    state = m._fit.state()
    if not hasattr(m, "family"):
        return m._design.revive(state)
    kind, nodes = m._fit.criterion_kind, m._fit.quadrature
    family = m._call.family.kernel()
    return m._design.revive_generalized(family, state, criterion=kind, quadrature=nodes)


GETTERS = [
    name
    for name, value in vars(_core.Fit).items()
    if type(value).__name__ == "getset_descriptor" and name not in ("reml", "vcov")
]


@pytest.mark.parametrize("name", LINEAR + GENERALISED)
def test_a_revived_fit_has_the_same_bits(name: str) -> None:
    m = fitted(name)
    again = revived(m)
    for getter in GETTERS:
        one, other = getattr(again, getter), getattr(m._fit, getter)
        if getter == "modes":
            one, other = np.concatenate(one, axis=None), np.concatenate(other, axis=None)
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.hessian(), m._fit.hessian())
    np.testing.assert_array_equal(again.leverages(), m._fit.leverages())
    np.testing.assert_array_equal(again.simulate(2, 1), m._fit.simulate(2, 1))
    for one, other in zip(
        again.conditional_covariances(), m._fit.conditional_covariances(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_state_of_another_model_is_refused() -> None:
    state = fitted("penicillin_reml")._fit.state()
    with pytest.raises(mm.DataError, match="state"):
        fitted("sleepstudy_rs_reml")._design.revive(state)
    with pytest.raises(mm.DataError, match="no 'sigma'"):
        fitted("penicillin_reml")._design.revive({k: v for k, v in state.items() if k != "sigma"})
    spoilt = state | {"internal": np.full_like(state["internal"], np.nan)}
    with pytest.raises(mm.DataError, match="not all finite"):
        fitted("penicillin_reml")._design.revive(spoilt)


# --- Deletion ---


def test_deleted_groups_of_a_generalised_model() -> None:
    m = fitted("cbpp_laplace")
    data = m._call.data
    found = m._fit.jackknife(0, 15)
    for k, level in enumerate(m._matrices.terms[0].levels):
        if k % 5:
            continue
        alone = mm.glmer(m.formula, data[data["herd"] != level], family="binomial")
        np.testing.assert_allclose(found["beta"][k], alone.fixef, rtol=1e-6)
        np.testing.assert_allclose(found["theta"][k], alone.theta, rtol=1e-6)
