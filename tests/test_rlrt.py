"""The exact restricted likelihood-ratio test, against F tests, refits and its own eigenvalues."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
import reference_data
from mixedmodels.inference.distributions import f_upper
from mixedmodels.inference.rlrt import _spectrum, null_distribution


@functools.cache
def small() -> pd.DataFrame:
    """Six groups of unequal size."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(6), [2, 3, 3, 5, 5, 7])
    n = len(g)
    return pd.DataFrame(
        {
            "g": g,
            "x": rng.normal(size=n),
            "w": rng.uniform(0.5, 2.0, n),
            "o": 10 * rng.normal(size=n),
            "y": rng.normal(size=n),
        }
    )


def fit(formula: str, data: pd.DataFrame, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return mm.lmer(formula, data, **options)


# formula → weights
DESIGNS = {
    "y ~ x + (1 | g)": None,
    "y ~ 1 + (1 | g)": None,
    "y ~ x + (0 + x | g)": "w",
    "y ~ 0 + x + (1 | g)": "w",
    "y ~ 0 + (1 | g)": None,
}


@pytest.mark.parametrize("formula", DESIGNS)
def test_eigenvalues(formula: str) -> None:
    weights = DESIGNS[formula]
    data = small()
    m = fit(formula, data, weights=weights, offset="o")
    X = m._design.fixed_matrix()
    W = np.diag(data["w"]) if weights else np.eye(len(data))
    P = W - W @ X @ np.linalg.solve(X.T @ W @ X, X.T @ W)
    Z = (data["g"].to_numpy()[:, None] == np.arange(6)).astype(float)
    Z = Z * data[["x"]].to_numpy() if "0 + x |" in formula else Z
    expected = np.linalg.eigvalsh(Z.T @ P @ Z)
    values, multiplicity = _spectrum(m)
    expected = expected[expected > 1e-10]
    np.testing.assert_allclose(np.repeat(values, multiplicity), expected, rtol=1e-9)


def test_eigenvalues_of_a_balanced_design_are_few() -> None:
    m = fit("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff"))
    values, multiplicity = _spectrum(m)
    np.testing.assert_allclose(values, [5.0])
    assert list(multiplicity) == [5]


def test_balanced_one_way_is_the_f_test() -> None:
    """The ratio rises with F of the analysis of variance, so that the p-values are equal."""
    data = reference_data.load("Dyestuff")
    test = mm.exact_rlrt(fit("Yield ~ 1 + (1 | Batch)", data), nsim=100_000)
    groups = data.groupby("Batch", observed=True)["Yield"]
    f = 5 * groups.mean().var() / groups.var().mean()
    assert test.p_value == pytest.approx(f_upper(f, 5, 24), abs=4 * test.mc_error)


@pytest.mark.parametrize("formula", ["y ~ x + (1 | g)", "y ~ x + (0 + x | g)"])
def test_null_distribution_is_that_of_refits(formula: str) -> None:
    data = small()
    m = fit(formula, data, weights=DESIGNS[formula])
    scale = 1.0 if DESIGNS[formula] is None else np.sqrt(data["w"].to_numpy())
    rng = np.random.default_rng(7)
    refits = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        for _ in range(600):
            new = m.refit(rng.normal(size=len(data)) / scale)
            refits.append(new.objective(np.zeros(1)) - new.reml_criterion)
    null = null_distribution(*_spectrum(m), len(data) - 2, 50_000, 0)
    for at in (1e-6, 0.1, 0.5, 1.0, 2.0, 4.0):  # standard error at most 0.02
        assert np.mean(np.array(refits) > at) == pytest.approx(np.mean(null > at), abs=0.06)


def test_p_values_are_uniform_where_they_are_not_one() -> None:
    m = fit("y ~ x + (1 | g)", small())
    null = null_distribution(*_spectrum(m), len(small()) - 2, 20_000, 1)
    other = np.sort(null_distribution(*_spectrum(m), len(small()) - 2, 20_000, 2))
    p = 1 - np.searchsorted(other, null) / 20_000
    for alpha in (0.01, 0.05, 0.1, 0.25):
        assert np.mean(p <= alpha) == pytest.approx(alpha, abs=0.015)


def test_the_maximum_between_grid_points(monkeypatch: pytest.MonkeyPatch) -> None:
    m = fit("y ~ x + (1 | g)", small())
    coarse = null_distribution(*_spectrum(m), 23, 1000, 0)
    monkeypatch.setattr("mixedmodels.inference.rlrt.GRID", 4000)
    np.testing.assert_allclose(coarse, null_distribution(*_spectrum(m), 23, 1000, 0), atol=5e-4)


def test_many_groups_tend_to_the_mixture() -> None:
    """Self & Liang (1987): half of the values are zero, the others χ²(1)."""
    null = null_distribution(np.array([5.0]), np.array([1999]), 9999, 50_000, 0)
    assert np.mean(null == 0) == pytest.approx(0.5, abs=0.015)
    assert np.quantile(null, 0.95) == pytest.approx(2.7055, abs=0.12)


# --- The result ---


def test_dyestuff2_has_no_variance_at_all() -> None:
    test = mm.exact_rlrt(fit("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff2")))
    assert (test.statistic, test.p_value, test.mc_error) == (0.0, 1.0, 0.0)


def test_result() -> None:
    m = clinic.fit(clinic.INTERCEPTS)
    test = mm.exact_rlrt(m, nsim=2000, seed=3)
    assert test.statistic == pytest.approx(mm.ranova(m)["LRT"].iloc[1], rel=1e-9)
    assert test.p_value == 1 / 2001
    assert (test.nsim, test.seed, test.effect) == (2000, 3, "(Intercept) by clinic")
    text = str(test)
    for piece in (
        "RLRT = 128.47",
        "p < 0.0005",
        "2000 values",
        "seed 3",
        "variance of (Intercept)",
    ):
        assert piece in text


def test_a_longer_simulation_begins_with_a_shorter_one() -> None:
    spectrum = _spectrum(fit("y ~ x + (1 | g)", small()))
    short, long = (null_distribution(*spectrum, 23, nsim, 5) for nsim in (300, 2500))
    np.testing.assert_array_equal(short, long[:300])
    assert not np.array_equal(short, null_distribution(*spectrum, 23, 300, 6))


def test_models_from_arrays() -> None:
    data = clinic.data()
    X = np.column_stack([np.ones(300), data["therapy_sessions"]])
    m = mm.lmer_arrays(data["anxiety"], X, [(np.ones(300), data["clinic"])])
    expected = mm.exact_rlrt(clinic.fit(clinic.INTERCEPTS), nsim=1000)
    assert mm.exact_rlrt(m, nsim=1000).statistic == pytest.approx(expected.statistic)


def test_fixed_effects_that_explain_the_groups() -> None:
    """With a mean for every group nothing is left for a random effect."""
    data = small().assign(f=small()["g"].astype(str))
    test = mm.exact_rlrt(fit("y ~ f + (1 | g)", data), nsim=100)
    assert (test.statistic, test.p_value) == (0.0, 1.0)


def test_rank_deficient_fixed_effects() -> None:
    data = small().assign(twice=2 * small()["x"])
    test = mm.exact_rlrt(fit("y ~ x + twice + (1 | g)", data), nsim=1000)
    expected = mm.exact_rlrt(fit("y ~ x + (1 | g)", data), nsim=1000)
    assert test.p_value == expected.p_value


def test_too_many_different_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mixedmodels.inference.rlrt.MOST_ROWS", 5)
    with pytest.raises(mm.ArgumentError, match="eigenproblem of 6 rows"):
        mm.exact_rlrt(fit("y ~ x + (1 | g)", small(), weights="w"))


REFUSED: dict[str, tuple[Any, str]] = {
    "ML": (lambda: clinic.fit(clinic.INTERCEPTS, REML=False), "update\\(REML=True\\)"),
    "two columns": (lambda: clinic.fit(clinic.SLOPES), "2 random effects .* mm.bootstrap_lrt"),
    "two terms": (clinic.three_levels, "2 random effects"),
    "ordinary": (clinic.ordinary, "got LinearModel"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    make, message = REFUSED[name]
    with pytest.raises(mm.ArgumentError, match=message):
        mm.exact_rlrt(make())


@pytest.mark.parametrize("options", [{"nsim": 0}, {"nsim": 1.5}, {"seed": -1}, {"seed": None}])
def test_bad_numbers(options: dict[str, Any]) -> None:
    with pytest.raises(mm.ArgumentError, match="expected a whole number"):
        mm.exact_rlrt(clinic.fit(clinic.INTERCEPTS), **options)
