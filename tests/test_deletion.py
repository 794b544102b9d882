"""Deletions in closed form against dense fits of the rows left, at the same θ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import clinic
import mixedmodels as mm
import reference_data
from dense_model import DenseModel, Term
from mixedmodels.models.rows import group_codes
from mixedmodels.models.working import working_weights

Array = NDArray[np.float64]
GAMMA = mm.families.Gamma(link="log")


def unequal() -> pd.DataFrame:
    """The clinics, of unequal size, with weights and an offset."""
    rng = np.random.default_rng(4)
    data = clinic.data()
    keep = rng.random(300) < 1 / (1 + data["clinic"].cat.codes / 4)
    data = data[keep | (np.arange(300) % 20 < 3)]
    n = len(data)
    return data.assign(w=rng.uniform(0.5, 2, n), o=rng.normal(0, 2, n), two=np.arange(n) % 2)


# a model, and the groups left out (None: rows)
CASES: dict[str, Callable[[], tuple[Any, str | None]]] = {
    "rows": lambda: (mm.lmer(clinic.SLOPES, unequal()), None),
    "rows, crossed": lambda: (
        mm.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", reference_data.load("Penicillin")),
        None,
    ),
    "rows, weights and an offset": lambda: (
        mm.lmer(clinic.INTERCEPTS, unequal(), weights="w", offset="o", REML=False),
        None,
    ),
    "groups": lambda: (mm.lmer(clinic.SLOPES, unequal()), "clinic"),
    "groups by ML": lambda: (mm.lmer(clinic.SLOPES, unequal(), REML=False), "clinic"),
    "groups, weights and an offset": lambda: (
        mm.lmer(clinic.INTERCEPTS, unequal(), weights="w", offset="o"),
        "clinic",
    ),
    "nested": lambda: (
        mm.lmer("strength ~ 1 + (1 | batch/cask)", reference_data.load("Pastes")),
        "batch",
    ),
    "rows of a regression": lambda: (mm.lm(clinic.FIXED, unequal(), weights="w"), None),
    "parts of a regression": lambda: (
        mm.lm(clinic.FIXED, unequal(), weights="w", offset="o"),
        "clinic",
    ),
}


def dense_terms(m: Any) -> list[Term]:
    columns = [m._design.random_columns(t) for t in range(len(m._matrices.terms))]
    return [
        (z, group_codes(m, term.group)) for z, term in zip(columns, m._matrices.terms, strict=True)
    ]


def solution(m: Any, rows: NDArray[np.bool_]) -> Any:
    """The dense fit of some rows at the θ of all; levels without rows stay."""
    w, o = m._matrices.weights, m._matrices.offset
    X = np.asarray(m._design.fixed_matrix())
    model = DenseModel(
        m._response[rows],
        X[rows],
        [(z[rows], pd.factorize(codes[rows], sort=True)[0]) for z, codes in dense_terms(m)],
        reml=bool(m._fit.reml),
        weights=None if w is None else w[rows],
        offset=None if o is None else o[rows],
    )
    return model.solve(np.asarray(m._fit.theta))


@pytest.mark.parametrize("name", CASES)
def test_dense(name: str) -> None:
    m, group = CASES[name]()
    found = m.influence(group, "fast")
    parts = np.arange(m.nobs) if group is None else codes_of(m, group)
    p, C = len(m.fixef), m.vcov.to_numpy()
    for part in some(parts):
        dense = solution(m, parts != part)
        change = m.fixef.to_numpy() - dense.beta
        np.testing.assert_allclose(found.fixef.iloc[part], dense.beta, rtol=1e-8)
        assert found.sigma.iloc[part] == pytest.approx(dense.sigma, rel=1e-8)
        error = np.sqrt(np.diag(dense.vcov))
        np.testing.assert_allclose(found.bse.iloc[part], error, rtol=1e-8)
        np.testing.assert_allclose(found.dfbetas.iloc[part], change / error, atol=1e-8)
        distance = change @ np.linalg.solve(C, change) / p
        assert found.cooks_distance.iloc[part] == pytest.approx(distance, rel=1e-7, abs=1e-12)
        distance = change @ np.linalg.solve(dense.vcov, change) / p
        assert found.mdffits.iloc[part] == pytest.approx(distance, rel=1e-7, abs=1e-12)
        ratio = np.linalg.det(dense.vcov) / np.linalg.det(C)
        assert found.covratio.iloc[part] == pytest.approx(ratio, rel=1e-8)


def some(parts: NDArray[np.intp]) -> NDArray[np.intp]:
    """A few of them: a dense fit takes a while."""
    every = np.unique(parts)
    return every[:: max(1, len(every) // 5)]


def codes_of(m: Any, group: str) -> NDArray[np.intp]:
    if m._matrices.terms:
        return group_codes(m, group)
    return m._call.data[group].cat.codes.to_numpy()


def test_dfbetas_of_a_mixed_model_are_those_of_its_rows() -> None:
    m = mm.lmer(clinic.SLOPES, unequal())
    pd.testing.assert_frame_equal(m.dfbetas(), m.influence(method="fast").dfbetas)


# --- Generalised models ---


def working_solution(m: Any, rows: NDArray[np.bool_]) -> Any:
    """The working model of some rows, at the θ and W of all."""
    z = m._linear_predictor + m._residuals("working")
    offset = m._matrices.offset
    X = np.asarray(m._design.fixed_matrix())
    model = DenseModel(
        z[rows],
        X[rows],
        [(c[rows], codes[rows]) for c, codes in dense_terms(m)],
        reml=not m._matrices.terms,
        weights=working_weights(m)[rows],
        offset=None if offset is None else offset[rows],
    )
    return model.solve(np.asarray(m._fit.theta))


GENERALISED: dict[str, Callable[[], tuple[Any, str | None]]] = {
    "binomial groups": lambda: (cattle(nAGQ=0), "herd"),
    "binomial rows": lambda: (cattle(nAGQ=0), None),
    "crossed rows": lambda: (
        mm.glmer(
            "y_pois ~ x + (1 | grp) + (1 | site)",
            simulated(),
            family="poisson",
            nAGQ=0,
        ),
        None,
    ),
    "gamma groups": lambda: (
        mm.glmer("y_gamma ~ x + (1 | grp)", simulated(), family=GAMMA, nAGQ=0, weights="w"),
        "grp",
    ),
    "gamma rows": lambda: (
        mm.glmer("y_gamma ~ x + (1 | grp)", simulated(), family=GAMMA, nAGQ=0),
        None,
    ),
    "rows of a regression": lambda: (
        mm.glm("y_pois ~ x + trt + offset(log_exposure)", simulated(), family="poisson"),
        None,
    ),
    "parts of a regression": lambda: (
        mm.glm("y_gamma ~ x + trt", simulated(), family=GAMMA, weights="w"),
        "grp",
    ),
}


def simulated() -> pd.DataFrame:
    data = reference_data.load("glmmsim")
    return data.assign(grp=data["grp"].astype("category"))


def cattle(**arguments: Any) -> Any:
    ref = reference_data.model("cbpp_laplace")
    return mm.glmer(ref["formula"], reference_data.load("cbpp"), family="binomial", **arguments)


@pytest.mark.parametrize("name", GENERALISED)
def test_one_step_of_a_generalised_model(name: str) -> None:
    """A regression's β̂, and with nAGQ = 0 a mixed model's, is that of its working model, and the
    step is exact there."""
    m, group = GENERALISED[name]()
    found = m.influence(group, "fast")
    parts = np.arange(m.nobs) if group is None else codes_of(m, group)
    for part in some(parts):
        dense = working_solution(m, parts != part)
        np.testing.assert_allclose(found.fixef.iloc[part], dense.beta, rtol=1e-6, atol=1e-7)
        sigma = dense.sigma if m.family.has_sigma else 1.0
        assert found.sigma.iloc[part] == pytest.approx(sigma, rel=1e-6)
        error = np.sqrt(np.diag(dense.vcov)) * sigma / dense.sigma
        np.testing.assert_allclose(found.bse.iloc[part], error, rtol=1e-6)


def test_one_step_is_near_the_refit() -> None:
    m = cattle()
    fast, exact = m.influence("herd", "fast"), m.influence("herd")
    difference = (fast.dfbetas - exact.dfbetas).abs().to_numpy()
    assert difference.max() < 0.1
    assert np.corrcoef(fast.cooks_distance, exact.cooks_distance)[0, 1] > 0.99
