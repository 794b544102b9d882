"""Eigenvalues of scaled matrices, and inverses on the directions that are determined."""

from __future__ import annotations

import numpy as np
import pytest

import mixedmodels as mm
from mixedmodels.models.spectrum import RANK, inverse, scaled_spectrum

MATRIX = np.array([[4.0, 1.0, 0.5], [1.0, 3.0, -0.2], [0.5, -0.2, 2.0]])
UNITS = np.array([1e-6, 1.0, 1e5])


def test_the_inverse_of_a_positive_matrix() -> None:
    np.testing.assert_allclose(inverse(*scaled_spectrum(MATRIX)), np.linalg.inv(MATRIX), rtol=1e-13)


def test_units_do_not_decide_what_is_zero() -> None:
    rescaled = MATRIX * np.outer(UNITS, UNITS)
    found = inverse(*scaled_spectrum(rescaled)) * np.outer(UNITS, UNITS)
    np.testing.assert_allclose(found, np.linalg.inv(MATRIX), rtol=1e-12)
    np.testing.assert_allclose(scaled_spectrum(rescaled)[1], scaled_spectrum(MATRIX)[1], rtol=1e-12)


def test_flat_directions_have_no_variance() -> None:
    singular = np.zeros((3, 3))
    singular[:2, :2] = MATRIX[:2, :2]
    expected = np.zeros((3, 3))
    expected[:2, :2] = np.linalg.inv(MATRIX[:2, :2])
    np.testing.assert_allclose(inverse(*scaled_spectrum(singular)), expected, atol=1e-14)
    repeated = np.full((2, 2), 5.0)  # A⁺ of a matrix of rank one: A/(trace A)²
    values = scaled_spectrum(repeated)[1]
    assert values[0] <= RANK * values[1]
    np.testing.assert_allclose(inverse(*scaled_spectrum(repeated)), repeated / 100, rtol=1e-12)


def test_what_is_not_finite() -> None:
    with pytest.raises(mm.errors.ConvergenceError, match="not finite"):
        scaled_spectrum(np.array([[1.0, np.inf], [np.inf, 1.0]]))
