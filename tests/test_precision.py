"""V⁻¹ times the fixed columns, against V as an n × n matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import clinic
import mixedmodels as mm
import reference_data
from dense_model import DenseModel, indicator
from mixedmodels.models.precision import coefficient_basis, precision_columns
from mixedmodels.models.rows import group_codes
from mixedmodels.models.working import working_fit, working_weights

MODELS: dict[str, Callable[[], Any]] = {
    "slopes": lambda: mm.lmer(clinic.SLOPES, clinic.data()),
    "weights and an offset": lambda: mm.lmer(
        clinic.INTERCEPTS,
        clinic.data().assign(w=np.linspace(0.5, 2, 300), o=np.arange(300.0)),
        weights="w",
        offset="o",
    ),
    "crossed": lambda: mm.lmer(
        "diameter ~ 1 + (1 | plate) + (1 | sample)", reference_data.load("Penicillin")
    ),
    "a column dropped": lambda: mm.lmer(
        "anxiety ~ therapy_sessions + twice + (1 | clinic)",
        clinic.data().assign(twice=lambda d: 2 * d["therapy_sessions"]),
    ),
    "working model": lambda: mm.glmer(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)",
        reference_data.load("cbpp"),
        family="binomial",
    ),
    "ordinary": lambda: mm.lm(clinic.FIXED, clinic.data()),
}


@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
@pytest.mark.parametrize("name", MODELS)
def test_against_dense_algebra(name: str) -> None:
    m = MODELS[name]()
    weights, X = working_weights(m), np.nan_to_num(m._design.fixed_matrix())
    terms = [
        (m._design.random_columns(t), group_codes(m, info.group))
        for t, info in enumerate(m._matrices.terms)
    ]
    dense = DenseModel(m._response, X, terms, weights=weights)
    V = np.diag(1 / weights)
    for term, D in zip(terms, dense.relative_covariance(np.asarray(m._fit.theta)), strict=True):
        V += indicator(term) @ D @ indicator(term).T
    fit = working_fit(m)
    root = np.asarray(fit.root())
    basis = coefficient_basis(m, root)
    found = np.column_stack(list(precision_columns(m, fit, root, basis)))
    expected = np.linalg.solve(V, X @ basis.T) / weights[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())
    # S makes the columns orthonormal: U'V⁻¹U = I
    information = (X @ basis.T).T @ (weights[:, None] * found)
    np.testing.assert_allclose(information, np.eye(len(root)), atol=1e-9)
