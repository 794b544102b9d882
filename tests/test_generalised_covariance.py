"""The covariance matrix from the Hessian: regular, singular and indefinite."""

from __future__ import annotations

import numpy as np
import pytest

import mixedmodels as mm
import reference_data
from mixedmodels.models.generalised_covariance import joint_covariance, square_root

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


def test_twice_the_inverse() -> None:
    H = np.array([[4.0, 1.0], [1.0, 3.0]])
    np.testing.assert_allclose(joint_covariance(H), 2 * np.linalg.inv(H))  # type: ignore[arg-type]


def test_units_of_parameters_do_not_count() -> None:
    H, units = np.array([[4.0, 1.0], [1.0, 3.0]]), np.diag([1e9, 1e-9])
    found = joint_covariance(units @ H @ units)
    assert found is not None
    np.testing.assert_allclose(units @ found @ units, 2 * np.linalg.inv(H))


def test_flat_directions_count_as_known() -> None:
    np.testing.assert_allclose(joint_covariance(np.diag([2.0, 0.0])), np.diag([1.0, 0.0]))  # type: ignore[arg-type]


@pytest.mark.parametrize("H", [np.diag([2.0, -1.0]), np.diag([2.0, np.nan])])
def test_no_covariance_without_a_minimum(H: np.ndarray) -> None:
    assert joint_covariance(H) is None


def test_square_roots() -> None:
    V = np.array([[2.0, 1e-9], [1e-9, 3e-18]])
    S = square_root(V)
    np.testing.assert_allclose(S @ S.T, V)
    singular = square_root(np.ones((2, 2)))
    np.testing.assert_allclose(singular @ singular.T, np.ones((2, 2)))
    assert np.isnan(square_root(np.diag([1.0, np.inf]))).all()


def test_an_indefinite_hessian_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    m = mm.glmer(CBPP, reference_data.load("cbpp"))
    monkeypatch.setitem(m.convergence.__dict__, "_hessian", -np.eye(5))
    with pytest.warns(mm.ConvergenceWarning, match="not positive definite"):
        errors = m.bse
    np.testing.assert_allclose(errors**2, np.diag(m.vcov_conditional))
    assert "take θ as" in str(m.summary())


def test_the_shape_of_the_negative_binomial() -> None:
    """Known with the expected information, as lme4; estimated with the observed, as glmmTMB."""
    data = reference_data.load("glmmsim")
    formula = "y_nb ~ x + trt + offset(log_exposure) + (1 | grp)"
    for criterion, size in (("fisher", 5), ("observed", 6)):
        m = mm.glmer(formula, data, family="negative_binomial", criterion=criterion)
        H = m.convergence.hessian
        assert H.shape == (6, 6)
        expected = 2 * np.linalg.inv(H[:size, :size])[1:5, 1:5]
        np.testing.assert_allclose(m.vcov, expected, rtol=1e-8, atol=1e-12)
