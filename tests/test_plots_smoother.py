"""The smoother of the plots against published values and on data whose curve is known."""

from __future__ import annotations

import numpy as np
import pytest

from mixedmodels.plots.smoother import KNOTS, lowess

# Speed and stopping distance of cars (Ezekiel 1930), and the values of R's lowess(cars).
SPEED = [4, 4, 7, 7, 8, 9, *[10] * 3, 11, 11, *[12] * 4, *[13] * 4, *[14] * 4, *[15] * 3, 16, 16]
SPEED += [*[17] * 3, *[18] * 4, *[19] * 3, *[20] * 5, 22, 23, *[24] * 4, 25]
DISTANCE = [2, 10, 4, 22, 16, 10, 18, 26, 34, 17, 28, 14, 20, 24, 28, 26, 34, 34, 46, 26, 36, 60]
DISTANCE += [80, 20, 26, 54, 32, 40, 32, 40, 50, 42, 56, 76, 84, 36, 46, 68, 32, 48, 52, 56, 64]
DISTANCE += [66, 54, 70, 92, 93, 120, 85]
LOWESS = {
    4: 4.965459, 7: 13.124495, 8: 15.858633, 9: 18.579691, 10: 21.280313, 11: 24.129277,
    12: 27.119549, 13: 30.027276, 14: 32.962506, 15: 36.757728, 16: 40.435075, 17: 43.463492,
    18: 46.885479, 19: 50.793152, 20: 56.491224, 22: 67.585824, 23: 73.079695, 24: 78.643164,
    25: 84.328698,
}  # fmt: skip


def test_published_values() -> None:
    curve = lowess(SPEED, DISTANCE)
    assert curve.x.tolist() == list(LOWESS)
    np.testing.assert_allclose(curve.y, list(LOWESS.values()), atol=5e-7)


def test_a_line_is_reproduced_whatever_the_outliers() -> None:
    x = np.linspace(0, 10, 80)
    y = 3 - 2 * x
    y[::9] += 40
    np.testing.assert_allclose(lowess(x, y)(x), 3 - 2 * x, atol=1e-6)


@pytest.mark.parametrize(("iterations", "tolerance"), [(0, 1e-3), (3, 0.02)])
def test_bins_of_many_points_have_the_curve_of_all(
    iterations: int, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(1)
    x = rng.gamma(2, size=20_000)
    y = np.log1p(x) + 0.5 * rng.standard_t(3, len(x))
    at = np.quantile(x, [0, 0.001, 0.1, 0.5, 0.9, 0.999])
    binned = lowess(x, y, iterations=iterations)(at)
    monkeypatch.setattr("mixedmodels.plots.smoother.MANY", len(x))
    np.testing.assert_allclose(binned, lowess(x, y, iterations=iterations)(at), atol=tolerance)


def test_knots_are_few_and_reach_from_end_to_end() -> None:
    x = np.random.default_rng(2).normal(size=100_000)
    curve = lowess(x, x)
    assert len(curve.x) <= KNOTS
    assert (np.diff(curve.x) > 0).all()
    np.testing.assert_allclose(curve(x), np.clip(x, curve.x[0], curve.x[-1]), atol=1e-6)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([1, 1, 1], [1, 2, 3], [2, 2, 2]),  # one x: the mean
        ([0, 0, 1, 1], [1, 3, 5, 7], [2, 2, 6, 6]),  # two
        ([1, 2], [5, 7], [5, 7]),
        ([3], [4], [4]),
        ([0, 1, 2, np.nan], [0, np.inf, 4, 1], [0, 2, 4, 4]),  # pairs that are not finite
    ],
)
def test_few_points(x: list[float], y: list[float], expected: list[float]) -> None:
    found = lowess(x, y)(np.nan_to_num(x, nan=2))
    np.testing.assert_allclose(found, expected)


def test_no_points_no_curve() -> None:
    curve = lowess([], [])
    assert len(curve.x) == 0
    assert np.isnan(curve([1.0])).all()
