"""Standard errors of standard deviations and correlations against finite differences."""

from __future__ import annotations

import numpy as np
import pytest

import mixedmodels as mm
import reference_data
from mixedmodels.inference.standard_errors import covariance_slopes, sd_correlation_errors
from mixedmodels.models.parameters import sds_and_correlations
from mixedmodels.models.varcorr import templates

LMERTEST = sorted(path.stem for path in (reference_data.ROOT / "inference").glob("lmertest_*.json"))


@pytest.mark.parametrize("name", LMERTEST)
@pytest.mark.filterwarnings("ignore::mixedmodels.MissingDataWarning")
def test_delta_method(name: str) -> None:
    """From lmerTest's covariance matrix of (θ, σ) by differences of the values."""
    reference = reference_data.read_json(f"inference/{name}.json")
    m = mm.lmer(reference["formula"], reference_data.load(reference["data"]))
    sizes = [len(term.columns) for term in m._matrices.terms]
    parameters = np.append(m.theta, m.sigma)

    def values(p: np.ndarray) -> np.ndarray:
        return np.append(sds_and_correlations(p[None, :-1], p[-1:], sizes)[0], p[-1])

    step = 1e-6
    jacobian = np.array(
        [
            (values(parameters + step * e) - values(parameters - step * e)) / (2 * step)
            for e in np.eye(len(parameters))
        ]
    ).T
    expected = np.sqrt(np.diag(jacobian @ np.array(reference["vcov_varpar"]) @ jacobian.T))
    np.testing.assert_allclose(sd_correlation_errors(m), expected, rtol=1e-5)


@pytest.mark.parametrize("shift", [2000.0, 1e6, 1.7e9])
def test_a_predictor_far_from_zero(shift: float) -> None:
    data = reference_data.load("sleepstudy")
    formula = "Reaction ~ Days + (Days | Subject)"
    near = sd_correlation_errors(mm.lmer(formula, data))
    far = sd_correlation_errors(mm.lmer(formula, data.assign(Days=data["Days"] + shift)))
    np.testing.assert_allclose(far[2:], near[2:], rtol=1e-6)  # of the slopes and σ


def test_balanced_one_way_in_closed_form() -> None:
    """σ̂² = MSW has variance 2σ⁴/(N − k), so σ̂ has standard error σ/√(2(N − k))."""
    m = mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff"))
    np.testing.assert_allclose(sd_correlation_errors(m)[-1], m.sigma / np.sqrt(2 * 24), rtol=1e-9)


def test_table_has_the_rows_of_varcorr() -> None:
    m = mm.lmer("Reaction ~ Days + (Days | Subject)", reference_data.load("sleepstudy"))
    table = m.variance_components()
    errors = sd_correlation_errors(m)
    assert table["grp"].tolist() == m.varcorr.to_frame()["grp"].tolist()
    # θ's order is intercept, correlation, slope; the table has both deviations first.
    np.testing.assert_allclose(table["std_error"], errors[[0, 2, 1, 3]])
    assert "delta method" in table.title


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_no_standard_error_on_the_boundary() -> None:
    table = mm.lmer(
        "Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff2")
    ).variance_components()
    assert np.isnan(table["std_error"].iloc[0])
    assert table["std_error"].iloc[1] > 0
    assert "boundary" in table.notes[0]


@pytest.mark.parametrize("sizes", [[1], [2], [3, 1], [2, 2]])
def test_covariance_slopes_by_differences(sizes: list[int]) -> None:
    """∂(λλ')/∂θ, lower triangles in θ's order."""
    count = sum(q * (q + 1) // 2 for q in sizes)
    theta = np.random.default_rng(0).normal(size=count)

    def gamma(theta: np.ndarray) -> np.ndarray:
        squares = [template @ template.T for template in templates(theta, sizes)]
        columns = [square[np.triu_indices(len(square))[::-1]] for square in squares]
        return np.concatenate(columns)

    step = 1e-6
    expected = [
        (gamma(theta + step * e) - gamma(theta - step * e)) / (2 * step) for e in np.eye(count)
    ]
    np.testing.assert_allclose(covariance_slopes(theta, sizes), np.array(expected).T, atol=1e-8)
