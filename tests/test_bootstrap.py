"""Parametric bootstrap against lme4's bootMer, against refits, and against its own definition."""

from __future__ import annotations

import os
import signal
import threading
import time
import warnings

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
from mixedmodels.inference.distributions import normal_quantile
from mixedmodels.inference.jackknife import jackknife
from reference_data import load, read_json

REPLICATES = 4000
ERRORS = 5.0  # Monte Carlo standard errors
ROWS = {
    "boot_anxiety_rs_reml": {
        "(Intercept)": "(Intercept)",
        "therapy_sessions": "therapy_sessions",
        "sd_(Intercept)|clinic": ".sig01",
        "cor_(Intercept).therapy_sessions|clinic": ".sig02",
        "sd_therapy_sessions|clinic": ".sig03",
        "sd_Residual": ".sigma",
    },
    "boot_dyestuff_reml": {
        "(Intercept)": "(Intercept)",
        "sd_(Intercept)|Batch": ".sig01",
        "sd_Residual": ".sigma",
    },
}


@pytest.fixture(scope="module")
def model():
    return mm.lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


@pytest.fixture(scope="module")
def boot(model):
    return mm.bootstrap(model, 400, seed=3)


# --- Against lme4 ---


@pytest.mark.parametrize("name", ROWS)
def test_distribution_is_that_of_lme4(name):
    ref = read_json(f"inference/{name}.json")
    b = mm.bootstrap(mm.lmer(ref["formula"], load(ref["data"])), REPLICATES, seed=1)
    values = b.to_frame()
    total = 1 / REPLICATES + 1 / ref["nsim"]
    for theirs, ours in ROWS[name].items():
        # lme4's own optimum, at its default tolerance.
        assert b.estimate[ours] == pytest.approx(ref["t0"][theirs], rel=1e-3)
        x, sd = values[ours], ref["sd"][theirs]
        assert abs(x.mean() - ref["mean"][theirs]) < ERRORS * sd * np.sqrt(total)
        assert abs(x.std() / sd - 1) < 1.5 * ERRORS * np.sqrt(total / 2)
        for p, q in zip(ref["quantile_probs"], ref["quantiles"][theirs], strict=True):
            allowed = ERRORS * np.sqrt(p * (1 - p) * total)
            assert (x < q - 1e-3).mean() <= p + allowed  # a point mass may lie at q
            assert (x <= q + 1e-3).mean() >= p - allowed


# --- Replicates ---


def test_a_replicate_is_the_refit_of_a_simulated_response(model, boot):
    refits = model.refit(model.simulate(400, seed=3))
    pd.testing.assert_frame_equal(
        boot.to_frame().reset_index(drop=True), refits.to_frame(), check_exact=True
    )
    np.testing.assert_array_equal(boot.singular, refits.singular)


def test_random_effects_are_redrawn_unless_kept(model):
    intercepts = model.bse["(Intercept)"]
    redrawn = mm.bootstrap(model, 1000, seed=1).to_frame()["(Intercept)"].std()
    kept = mm.bootstrap(model, 1000, seed=1, use_u=True)
    assert redrawn == pytest.approx(intercepts, rel=0.12)
    assert kept.to_frame()["(Intercept)"].std() < 0.7 * intercepts
    assert "kept" in str(kept)


def test_threads_and_parts_change_no_bit(model, boot):
    for n_threads in (1, 2, 3):
        other = mm.bootstrap(model, 400, seed=3, n_threads=n_threads)
        pd.testing.assert_frame_equal(other.to_frame(), boot.to_frame(), check_exact=True)
    joined = mm.bootstrap(model, 130, seed=3) + mm.bootstrap(model, 270, seed=3, offset=130)
    pd.testing.assert_frame_equal(joined.to_frame(), boot.to_frame(), check_exact=True)
    assert joined.messages.equals(boot.messages)
    resumed = mm.bootstrap(model, 130, seed=3).resume(270)
    pd.testing.assert_frame_equal(resumed.to_frame(), boot.to_frame(), check_exact=True)


def test_bootstraps_that_do_not_follow_one_another(model, boot):
    with pytest.raises(mm.ArgumentError, match="expected offset=400"):
        boot + mm.bootstrap(model, 10, seed=3, offset=5)
    with pytest.raises(mm.ArgumentError, match="same model, seed"):
        boot + mm.bootstrap(model, 10, seed=4, offset=400)


def test_singular_replicates_are_counted_and_kept():
    with pytest.warns(mm.SingularFitWarning):
        m = mm.lmer("Yield ~ 1 + (1 | Batch)", load("Dyestuff2"))
    b = mm.bootstrap(m, 300, seed=1)
    assert 0.4 < b.n_singular / 300 < 0.7
    assert ((b.to_frame()[".sig01"] == 0) == b.singular).all()
    assert "singular" in str(b)
    assert b.n_failed == 0
    assert b.converged.all()


def test_share_of_zero_variances_is_exact():
    # Balanced data: the variance is zero where the mean square between is below that within.
    from scipy.stats import f

    m = mm.lmer("Yield ~ 1 + (1 | Batch)", load("Dyestuff"))
    expected = f.cdf(1 / (1 + 5 * m.theta[0] ** 2), 5, 24)
    share = mm.bootstrap(m, 10_000, seed=1).n_singular / 10_000
    assert abs(share - expected) < 4 * np.sqrt(expected / 10_000)


def test_other_models():
    regression = mm.lm("Reaction ~ Days", load("sleepstudy"))
    b = mm.bootstrap(regression, 500, seed=1)
    assert list(b.to_frame()) == ["(Intercept)", "Days", ".sigma"]
    np.testing.assert_allclose(b.to_frame().std()[:2], regression.bse, rtol=0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.RankDeficiencyWarning)
        dependent = mm.lmer("Reaction ~ Days + I(2 * Days) + (1 | Subject)", load("sleepstudy"))
    b = mm.bootstrap(dependent, 20, seed=1)
    assert b.to_frame()["I(2 * Days)"].isna().all()
    assert "I(2 * Days)" not in b.confint().index
    assert b.n_failed == 0


# --- Statistics of the caller's ---


def test_a_statistic_sees_the_refitted_models(model, boot):
    b = mm.bootstrap(model, 30, seed=3, statistic=lambda m: m.fixef)
    pd.testing.assert_frame_equal(b.to_frame(), boot.to_frame().iloc[:30, :2], rtol=1e-9)
    number = mm.bootstrap(model, 12, seed=3, statistic=lambda m: m.sigma)
    np.testing.assert_allclose(number.to_frame()["statistic"], boot.to_frame()[".sigma"][:12])
    assert number.confint().index.tolist() == ["statistic"]


def test_an_error_in_a_statistic_names_the_replicate(model):
    def statistic(m):
        if m is not model:
            raise KeyError("mine")
        return 1.0

    with pytest.raises(KeyError, match="mine") as caught:
        mm.bootstrap(model, 3, seed=3, statistic=statistic, offset=7)
    assert "replicate 7 (seed 3)" in caught.value.__notes__[0]


@pytest.mark.parametrize("value", ["text", None, {}, {"a": "b"}])
def test_a_statistic_gives_numbers(model, value):
    with pytest.raises(mm.ArgumentError, match="statistic gave"):
        mm.bootstrap(model, 2, statistic=lambda m: value)


def test_failed_replicates_of_a_statistic_are_kept(model, monkeypatch):
    from mixedmodels.inference import parametric_bootstrap as module

    original, calls = module.refitted, iter(range(5))

    def refitted(m, response):
        if next(calls) == 2:
            raise mm.ConvergenceError("no optimum")
        return original(m, response)

    monkeypatch.setattr(module, "refitted", refitted)
    b = mm.bootstrap(model, 5, statistic=lambda m: m.fixef)
    assert b.n_failed == 1
    assert b.messages[2] == "no optimum"
    assert "1 replicates failed" in str(b)


# --- Intervals ---


def test_percentile_and_basic_intervals_are_quantiles(boot):
    values, estimate = boot.to_frame(), boot.estimate
    percentile, basic = boot.confint(0.9), boot.confint(0.9, "basic")
    assert list(percentile.columns) == ["5 %", "95 %", "estimate", "parameter"]
    assert list(percentile.index) == [".sig01", ".sig02", ".sig03", ".sigma", "(Intercept)", "Days"]
    for name in percentile.index:
        low, high = np.nanquantile(values[name], [0.05, 0.95])
        np.testing.assert_allclose(percentile.loc[name, ["5 %", "95 %"]].astype(float), [low, high])
        reflected = [2 * estimate[name] - high, 2 * estimate[name] - low]
        np.testing.assert_allclose(basic.loc[name, ["5 %", "95 %"]].astype(float), reflected)
    assert percentile["parameter"][".sig02"] == "cor_Days.(Intercept)|Subject"


def test_bca_interval_by_its_formula(model, boot):
    from scipy.special import ndtr

    left_out = [
        mm.lmer("Reaction ~ Days + (Days | Subject)", part.reset_index(drop=True)).sigma
        for subject in load("sleepstudy")["Subject"].cat.categories
        for part in [load("sleepstudy").query("Subject != @subject")]
    ]
    np.testing.assert_allclose(jackknife(model).sigma, left_out, rtol=1e-8)
    d = np.mean(left_out) - left_out
    a = (d**3).sum() / (6 * (d**2).sum() ** 1.5)
    x = boot.to_frame()[".sigma"]
    z0 = normal_quantile((x < model.sigma).mean())
    z = z0 + normal_quantile(np.array([0.025, 0.975]))
    expected = np.quantile(x, ndtr(z0 + z / (1 - a * z)))
    got = boot.confint(type="bca").loc[".sigma", ["2.5 %", "97.5 %"]].astype(float)
    np.testing.assert_allclose(got, expected, rtol=1e-8)


def test_a_correlation_that_does_not_exist_is_explained():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.repeat(np.arange(12), 5), "x": np.tile(np.arange(5.0), 12)})
    data["y"] = data["x"] + rng.normal(size=60)
    data["y"] -= data.groupby("g")["y"].transform("mean") - data["y"].mean()
    with pytest.warns(mm.SingularFitWarning):
        m = mm.lmer("y ~ x + (x | g)", data)
    b = mm.bootstrap(m, 200, seed=1)
    assert b.n_singular > 50
    assert b.n_failed == 0  # θ = 0 is found although the last steps towards it underflow
    for kind in ("percentile", "basic", "bca"):
        table = b.confint(type=kind)
        missing = table[table.iloc[:, 0].isna()].index
        assert all(any(name in note for note in table.notes) for name in missing)
        assert np.isfinite(table.loc[[".sig01", ".sigma", "x"]].iloc[:, :2].astype(float)).all(
            axis=None
        )


def test_intervals_that_cannot_be_had(model, boot):
    with pytest.raises(mm.ArgumentError, match="choose percentile"):
        boot.confint(type="normal")
    with pytest.raises(mm.ArgumentError, match="at least 10"):
        mm.bootstrap(model, 5).confint()
    own = mm.bootstrap(model, 12, statistic=lambda m: m.sigma)
    with pytest.raises(mm.ArgumentError, match="acceleration"):
        own.confint(type="bca")


def test_arguments(model):
    with pytest.raises(mm.ArgumentError, match="fitted model"):
        mm.bootstrap("m", 10)
    with pytest.raises(mm.ArgumentError, match="nsim"):
        mm.bootstrap(model, 0)
    with pytest.raises(mm.ArgumentError, match="offset"):
        mm.bootstrap(model, 10, offset=-1)
    with pytest.raises(mm.ArgumentError, match="n_threads"):
        mm.bootstrap(model, 10, n_threads=0)
    with pytest.raises(mm.ArgumentError, match="function"):
        mm.bootstrap(model, 10, statistic="sigma")


@pytest.mark.alone
def test_ctrl_c_stops_it(model):
    began = time.perf_counter()
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        mm.bootstrap(model, 10**6, seed=1)
    assert time.perf_counter() - began < 5.0


def test_a_bar_moves_in_a_terminal_only(model, monkeypatch, capsys):
    import sys

    from mixedmodels.models import replicates

    assert list(replicates.chunks(10, what="x", progress=True, most=4)) == [
        range(4),
        range(4, 8),
        range(8, 10),
    ]
    monkeypatch.setattr(replicates, "QUIET", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    mm.bootstrap(model, 200, seed=1)
    assert "bootstrap" in capsys.readouterr().err
    mm.bootstrap(model, 200, seed=1, progress=False)
    assert capsys.readouterr().err == ""
