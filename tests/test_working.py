"""The working model of a generalised fit, at its θ."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import clinic
import mixedmodels as mm
import reference_data
from mixedmodels.models.working import working_fit, working_weights


def simulated() -> Any:
    data = reference_data.load("glmmsim")
    rng = np.random.default_rng(1)
    missing = np.where(np.arange(len(data)) % 11 == 3, np.nan, data["x"])
    return data.assign(flat=rng.poisson(3, len(data)), gaps=missing)


MODELS: dict[str, Any] = {
    "binomial": lambda d: mm.glmer(
        "cbind(succ, trials - succ) ~ x + (x | grp)", d, family="binomial"
    ),
    "no variance": lambda d: mm.glmer("flat ~ x + (1 | grp) + (1 | site)", d, family="poisson"),
    "missing rows": lambda d: mm.glmer("y_pois ~ gaps + (1 | grp)", d, family="poisson"),
    "gamma, weights": lambda d: mm.glmer(
        "y_gamma ~ x + (1 | grp)", d, family=mm.families.Gamma(link="log"), weights="w"
    ),
    "offset, negative binomial": lambda d: mm.glmer(
        "y_nb ~ x + offset(log_exposure) + (1 | grp)", d, family="negative_binomial"
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_it_has_the_theta_and_the_precision_of_the_fit(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m = MODELS[name](simulated())
    fit = working_fit(m)
    np.testing.assert_array_equal(fit.theta, m.theta)
    np.testing.assert_allclose(fit.leverages(), m.hatvalues.dropna(), rtol=1e-9)
    vcov = m.vcov_conditional / m.sigma**2
    np.testing.assert_allclose(np.asarray(fit.vcov) / fit.sigma**2, vcov, rtol=1e-7)


def test_weights() -> None:
    m = mm.glmer("bin ~ x + (1 | grp)", simulated(), family="binomial")
    np.testing.assert_allclose(working_weights(m), m.fitted * (1 - m.fitted))
    assert (working_weights(clinic.fit(clinic.INTERCEPTS)) == 1).all()


def test_leverages_by_observed_information_are_those_of_the_working_model() -> None:
    """Observed weights of single rows may be negative."""
    m = mm.glmer(
        "y_nb ~ x + (1 | grp)", simulated(), family="negative_binomial", criterion="observed"
    )
    assert 0 < m.hatvalues.min() < m.hatvalues.max() < 1
    np.testing.assert_array_equal(m.hatvalues, working_fit(m).leverages())


def test_a_mean_at_its_limit_has_no_weight() -> None:
    """Where μ rounds to 1 the variance is zero before the slope is: their ratio says ∞."""
    x = np.linspace(-1.0, 1.0, 40)
    y = np.where(np.abs(x) < 0.1, np.arange(40) % 2, x > 0).astype(float)
    data = {"y": [*y, 1.0], "x": [*x, 30.0], "g": np.arange(41) % 5}
    m = separated("y ~ x + (1 | g)", data, link="probit")
    assert m.fitted.iloc[-1] == 1
    assert working_weights(m)[-1] < 1e-100
    assert np.isfinite(m.influence("g", "fast").cooks_distance).all()


def test_too_few_rows_with_a_weight() -> None:
    x = np.linspace(-5.0, 5.0, 40)
    m = separated("y ~ x + (1 | g)", {"y": (x > 0).astype(float), "x": x, "g": np.arange(40) % 5})
    with pytest.raises(mm.ConvergenceError, match="look for separation"):
        m.influence("g", "fast")
    found = m.check()
    assert "influence of g" in {skipped.name for skipped in found.skipped}
    assert "separation" in {check.name for check in found.problems}


def separated(formula: str, data: dict[str, Any], **settings: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mm.glmer(formula, data, family="binomial", **settings)


def test_a_linear_model_is_its_own() -> None:
    m = clinic.fit(clinic.INTERCEPTS)
    assert working_fit(m) is m._fit
