"""Quantile residuals: by definition, uniform under the model, not so under another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mixedmodels as mm
import reference_data
from mixedmodels.diagnostics.quantile_residuals import observed, simulated, uniforms

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


def data(seed: int = 1, n: int = 1000) -> pd.DataFrame:
    """Responses of each family with the same predictor; groups of five rows."""
    r = np.random.default_rng(seed)
    x, g = r.normal(size=n), np.arange(n) // 5
    b = 0.4 * r.normal(size=n // 5)[g]
    mu, size = np.exp(0.7 + 0.3 * x + b), r.integers(2, 12, n)
    p = 1 / (1 + np.exp(-0.3 - 0.5 * x - b))
    return pd.DataFrame(
        {
            "x": x,
            "g": g,
            "size": size,
            "normal": x + b + r.normal(size=n),
            "poisson": r.poisson(mu),
            "overdispersed": r.poisson(mu * r.gamma(1, 1, n)),
            "binary": (r.random(n) < p) * 1.0,
            "binomial": r.binomial(size, p),
            "gamma": r.gamma(4, mu / 4),
        }
    )


DATA = data()
LOG_GAMMA = mm.families.Gamma(link="log")
MODELS: dict[str, Any] = {
    "lm": lambda: mm.lm("normal ~ x", DATA),
    "lmer": lambda: mm.lmer("normal ~ x + (1 | g)", DATA),
    "poisson": lambda: mm.glmer("poisson ~ x + (1 | g)", DATA, family="poisson"),
    "negative binomial": lambda: mm.glmer(
        "overdispersed ~ x + (1 | g)", DATA, family="negative_binomial"
    ),
    "binary": lambda: mm.glmer("binary ~ x + (1 | g)", DATA),
    "binomial": lambda: mm.glmer("cbind(binomial, size - binomial) ~ x + (1 | g)", DATA),
    "gamma": lambda: mm.glmer("gamma ~ x + (1 | g)", DATA, family=LOG_GAMMA),
}


@pytest.mark.parametrize("name", MODELS)
def test_uniform_under_the_model(name: str) -> None:
    residuals = MODELS[name]().quantile_residuals(seed=3)
    assert ((residuals > 0) & (residuals < 1)).all()
    # rows of a group depend on each other: one row of each
    assert stats.kstest(residuals[::5], "uniform").pvalue > 0.05
    assert residuals.mean() == pytest.approx(0.5, abs=0.03)


def test_not_uniform_under_another_family() -> None:
    residuals = mm.glm("overdispersed ~ x", DATA, family="poisson").quantile_residuals()
    assert stats.kstest(residuals, "uniform").pvalue < 1e-10
    assert ((residuals < 0.01) | (residuals > 0.99)).mean() > 0.1  # 0.02 under the model


def test_exactly_uniform_where_parameters_are_known() -> None:
    """A response from the model has the rank of one among its equals: over many of them the
    residual of a row is uniform, with a handful of simulations and ties as with many."""
    m = mm.glmer(CBPP, reference_data.load("cbpp"))
    y = m.simulate(400, seed=11).to_numpy()
    below, equal, nsim = np.zeros(y.shape), np.zeros(y.shape), 7
    counts = np.rint(y * m._sizes[:, None])
    for values in simulated(m, nsim, 12, "NA"):
        for one in values.T:
            below += one[:, None] < counts
            equal += one[:, None] == counts
    v = uniforms(y.size, 1).reshape(y.shape)
    residuals = (below + v * (equal + 1)) / (nsim + 1)
    # replicates share the simulated values, rows of a herd an effect: look at each row's mean
    assert residuals.mean() == pytest.approx(0.5, abs=0.06)
    assert (residuals**2).mean() == pytest.approx(1 / 3, abs=0.06)


@pytest.mark.parametrize("re_form", ["NA", None])
def test_by_definition(re_form: str | None) -> None:
    m = mm.glmer(CBPP, reference_data.load("cbpp"))
    y = np.rint(m.simulate(40, seed=5, re_form=re_form).to_numpy() * m._sizes[:, None])
    own = reference_data.load("cbpp")["incidence"].to_numpy()
    np.testing.assert_array_equal(observed(m), own)
    below, equal = (y < own[:, None]).sum(axis=1), (y == own[:, None]).sum(axis=1)
    expected = (below + uniforms(len(own), 5) * (equal + 1)) / 41
    np.testing.assert_allclose(m.quantile_residuals(40, 5, re_form=re_form), expected, rtol=1e-14)


def test_blocks_of_simulations_do_not_count() -> None:
    m = MODELS["poisson"]()
    at_once = np.concatenate(list(simulated(m, 23, 9, "NA")), axis=1)
    by_twos = list(simulated(m, 23, 9, "NA", most=2 * m.nobs))
    assert [block.shape[1] for block in by_twos] == [2] * 11 + [1]
    np.testing.assert_array_equal(np.concatenate(by_twos, axis=1), at_once)


def test_some_random_effects_kept() -> None:
    d = DATA.assign(h=DATA["g"] % 7)
    d["normal"] += np.sin(2.0 * d["h"])
    m = mm.lmer("normal ~ x + (1 | g) + (1 | h)", d)
    y = m.simulate(30, seed=2, re_form="~ (1 | g)").to_numpy()
    own = d["normal"].to_numpy()
    expected = ((y < own[:, None]).sum(axis=1) + uniforms(len(d), 2)) / 31
    np.testing.assert_allclose(m.quantile_residuals(30, 2, re_form="~ (1 | g)"), expected)
    by_sevens = list(simulated(m, 30, 2, "~ (1 | g)", most=7 * len(d)))
    np.testing.assert_array_equal(np.concatenate(by_sevens, axis=1), y)


def test_the_seed_decides() -> None:
    m = MODELS["lmer"]()
    first, again, other = (m.quantile_residuals(30, seed) for seed in (1, 1, 2))
    pd.testing.assert_series_equal(first, again)
    assert not first.equals(other)


def test_on_the_index_of_the_data_padded_for_exclude() -> None:
    d = DATA[:100].set_index(np.arange(100) * 10)
    d.loc[50, "x"] = np.nan
    with pytest.warns(mm.MissingDataWarning):
        m = mm.lm("normal ~ x", d, na_action="exclude")
    residuals = m.quantile_residuals(20)
    assert residuals.index.equals(d.index)
    assert residuals.isna().to_numpy().nonzero()[0].tolist() == [5]


@pytest.mark.parametrize("arguments", [{"nsim": 0}, {"nsim": 2.5}, {"seed": -1}])
def test_arguments_out_of_range(arguments: dict[str, Any]) -> None:
    with pytest.raises(mm.ArgumentError, match="expected a whole number"):
        MODELS["lm"]().quantile_residuals(**arguments)
