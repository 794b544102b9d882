"""Generalised models under stress: threads, interrupts, equivalent data, wild units, random
models."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import comb
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm

Array = np.ndarray


def data(n: int = 600, groups: int = 30, others: int = 8, seed: int = 0) -> pd.DataFrame:
    """One response of every kind; the last of `others` has a single row, groups are unbalanced."""
    r = np.random.default_rng(seed)
    g = np.minimum(r.geometric(2 / groups, n) - 1, groups - 1)
    h = np.append(r.integers(0, others - 1, n - 1), others - 1)
    x, z = r.normal(size=n), r.normal(size=n)
    b, c, s = r.normal(size=groups), r.normal(size=others), r.normal(size=groups)
    eta = 0.4 + 0.5 * x + 0.6 * b[g] + 0.3 * c[h] + 0.25 * s[g] * x
    mu, p = np.exp(eta), 1 / (1 + np.exp(-eta))
    size = r.integers(1, 9, n)
    return pd.DataFrame(
        {
            "x": x, "z": z, "g": [f"g{k}" for k in g], "h": [f"h{k}" for k in h],
            "won": r.binomial(1, p), "hits": r.binomial(size, p), "size": size,
            "count": r.poisson(mu), "over": r.negative_binomial(2, 2 / (2 + mu)),
            "time": r.gamma(3.0, mu / 3),
            "part": np.clip(r.beta(6 * p, 6 * (1 - p)), 1e-6, 1 - 1e-6),
        }
    )  # fmt: skip


# Name → (formula, options of glmer).
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "one factor": ("won ~ x + (1 | g)", {}),
    "quadrature": ("won ~ x + (1 | g)", {"nAGQ": 9}),
    "counted, slopes": ("cbind(hits, size - hits) ~ x + (x | g)", {}),
    "crossed": ("count ~ x + z + (1 | g) + (1 | h)", {"family": "poisson"}),
    "crossed slopes": ("won ~ x + (x | g) + (1 | h)", {"link": "probit"}),
    "dispersion": ("over ~ x + (1 | g)", {"family": "negative_binomial"}),
    "profiled": ("time ~ x + (x | g)", {"family": "Gamma", "link": "log"}),
    "observed": ("part ~ x + (1 | g)", {"family": "beta"}),
}


def fit(name: str, frame: pd.DataFrame, **more: Any) -> Any:
    formula, options = MODELS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        return mm.glmer(formula, frame, **{**options, **more})


def assert_same(a: Any, b: Any, tolerance: float = 1e-4) -> None:
    """The same optimum: criterion, θ, and β against its standard errors."""
    assert a.converged
    assert b.converged
    assert b.loglik == pytest.approx(a.loglik, abs=1e-6)
    np.testing.assert_allclose(b.theta, a.theta, atol=tolerance)
    np.testing.assert_array_less(np.abs(b.fixef.to_numpy() - a.fixef.to_numpy()) / a.bse, tolerance)


# Threads, processes, signals ---------------------------------------------------------------------


def bits(m: Any) -> list[bytes]:
    f = m._fit
    refits = f.bootstrap(2, 7)
    arrays = [f.theta, f.beta, f.criterion, f.dispersion, *f.modes, f.hessian(), f.conditional_vcov]
    arrays += [*f.conditional_covariances(), f.simulate(2, 1), refits["theta"], refits["beta"]]
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


@pytest.mark.parametrize("name", MODELS)
def test_bits_do_not_depend_on_threads(name: str) -> None:
    frame = data(4_500, 450, 60)
    results = [bits(fit(name, frame, n_threads=threads)) for threads in (1, 2, 3, 5)]
    assert all(result == results[0] for result in results)


def test_python_threads_and_forks() -> None:
    frame = data(3_000, 200, 60)

    def criterion(_: int = 0) -> float:
        return float(fit("crossed", frame)._fit.criterion)

    expected = criterion()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(criterion, range(8))) == {expected}
    if hasattr(os, "fork"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # fork in a process with threads
            child = os.fork()
        if child == 0:
            os._exit(0 if criterion() == expected else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.alone
def test_an_exception_in_the_callback_ends_the_fit() -> None:
    frame = data(30_000, 3_000, 900)
    raised: list[float] = []

    def callback(*_: object) -> None:
        raised.append(time.perf_counter())
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        fit("crossed", frame, callback=callback)
    assert len(raised) == 1
    assert time.perf_counter() - raised[0] < 0.5


# Equivalent data ---------------------------------------------------------------------------------


def renamed(frame: pd.DataFrame) -> pd.DataFrame:
    """Other names, hence another order of the levels."""
    return frame.assign(
        g=[name[::-1] + "?" for name in frame.g], h=[f"{len(h)}{h}" for h in frame.h]
    )


EQUIVALENT: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "rows in another order": lambda frame: frame.sample(frac=1, random_state=1),
    "other names of the levels": renamed,
    "levels without rows": lambda frame: frame.assign(
        g=pd.Categorical(frame.g, [*sorted(set(frame.g)), "nobody"])
    ),
}


@pytest.mark.parametrize("how", EQUIVALENT)
@pytest.mark.parametrize("name", MODELS)
def test_equivalent_data(name: str, how: str) -> None:
    frame = data()
    assert_same(fit(name, frame), fit(name, EQUIVALENT[how](frame)))


@pytest.mark.parametrize("name", ["crossed", "crossed slopes"])
def test_order_of_terms(name: str) -> None:
    frame, (formula, options) = data(), MODELS[name]
    fixed, first, second = formula.split(" + (")
    a, b = fit(name, frame), mm.glmer(f"{fixed} + ({second} + ({first}", frame, **options)
    assert b.loglik == pytest.approx(a.loglik, abs=1e-6)
    np.testing.assert_allclose(np.sort(b.theta), np.sort(a.theta), atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("shift", "scale"), [(0, 1e3), (0, 1e-9), (2024, 1), (1.7e9, 1), (0, 1e9)])
def test_units_of_a_predictor(name: str, shift: float, scale: float) -> None:
    frame = data()
    a, b = fit(name, frame), fit(name, frame.assign(x=shift + scale * frame.x))
    assert b.converged
    assert b.loglik == pytest.approx(a.loglik, abs=1e-5)
    slope, error = a.fixef["x"], a.bse["x"]
    assert b.fixef["x"] * scale == pytest.approx(slope, abs=1e-3 * error)


@pytest.mark.parametrize("unit", [1e-3, 1e3, 1e4])
@pytest.mark.parametrize("family", ["Gamma", "inverse_gaussian", "gaussian"])
def test_units_of_a_response(family: str, unit: float) -> None:
    """Wages in cents or thousands: found, and in few evaluations. (lme4's criterion penalises u
    without σ: estimates of other families than Gamma depend a little on the unit.)"""
    frame = data().query("time > 0.05")
    a = mm.glmer("time ~ x + (1 | g)", frame, family=family, link="log")
    b = mm.glmer(
        "time ~ x + (1 | g)", frame.assign(time=unit * frame.time), family=family, link="log"
    )
    assert a.converged
    assert b.converged
    assert b._fit.evaluations < 60
    near = 1e-4 if family == "Gamma" else 1.0
    assert b.fixef["x"] == pytest.approx(a.fixef["x"], abs=near * a.bse["x"])


def test_duplicated_rows_are_weights() -> None:
    frame = data()
    twice = pd.concat([frame, frame])
    for name in ("counted, slopes", "crossed", "dispersion"):
        assert_same(fit(name, twice), fit(name, frame.assign(w=2.0), weights="w"))


def test_counted_rows_are_rows() -> None:
    """0/1 rows, their counts, and their proportions: one model; the constant is the binomials'."""
    frame = data().assign(x=lambda d: d.x.round(0))
    cells = frame.groupby(["x", "g"], as_index=False).agg(s=("won", "sum"), n=("won", "size"))
    cells["share"] = cells.s / cells.n
    rows = mm.glmer("won ~ x + (1 | g)", frame)
    counts = mm.glmer("cbind(s, n - s) ~ x + (1 | g)", cells)
    shares = mm.glmer("share ~ x + (1 | g)", cells, weights="n")
    assert_same(counts, shares)
    np.testing.assert_allclose(counts.theta, rows.theta, atol=1e-5)
    np.testing.assert_allclose(counts.fixef, rows.fixef, atol=1e-5)
    constant = sum(np.log(comb(int(n), int(s))) for n, s in zip(cells.n, cells.s, strict=True))
    assert counts.loglik - rows.loglik == pytest.approx(constant, abs=1e-6)


# Models at the edge ------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 1e3])
def test_a_column_that_nearly_equal_ones_hide_is_dropped(scale: float) -> None:
    """Two columns that differ by little hide a third, and the Gram matrix' rounding with it."""
    frame = data().assign(x=lambda d: scale * d.x, sum=lambda d: 2 * d.x + 3 * d.z)
    with pytest.warns(mm.RankDeficiencyWarning):
        m = mm.glmer("won ~ x + sum + z + (1 | g) + (1 | h)", frame)
    assert m.converged
    assert m.fixef.isna().sum() == 1


@pytest.mark.parametrize("weight", [1e-8, 1e4, 1e8])
def test_wild_weights(weight: float) -> None:
    frame = data().assign(w=weight)
    m = fit("counted, slopes", frame, weights="w")
    assert np.isfinite(m.loglik)
    assert np.isfinite(m.fixef).all()


def test_huge_counts_and_tiny_times() -> None:
    frame = data()
    counts = mm.glmer(
        "count ~ x + (1 | g)", frame.assign(count=frame["count"] * 10**8), family="poisson"
    )
    assert counts.converged
    times = mm.glmer(
        "time ~ x + (1 | g)", frame.assign(time=1e-70 * frame.time), family="Gamma", link="log"
    )
    usual = mm.glmer("time ~ x + (1 | g)", frame, family="Gamma", link="log")
    assert times.fixef["x"] == pytest.approx(usual.fixef["x"], abs=1e-6)


def test_no_fixed_effects() -> None:
    m = mm.glmer("count ~ 0 + (1 | g)", data(), family="poisson")
    assert m.converged
    assert len(m.fixef) == 0
    assert m.theta[0] > 0


# Random models -----------------------------------------------------------------------------------

RANDOM = ["(1 | g)", "(x | g)", "(x || g)", "(1 | g) + (1 | h)", "(x | g) + (1 | h)", "(1 | h / g)"]
FIXED = ["1", "x", "x * z", "x + z + both", "0 + x"]


def random_model(seed: int) -> tuple[str, pd.DataFrame, dict[str, Any]]:
    r = np.random.default_rng(seed)
    name = str(r.choice(list(MODELS)))
    formula, options = MODELS[name]
    n = int(r.choice([12, 40, 150, 500]))
    frame = data(n, int(r.choice([3, 10, 30])), int(r.choice([3, 6])), seed)
    frame = frame.assign(
        both=frame.x - 2 * frame.z, w=r.integers(0, 3, n), o=0.3 * r.normal(size=n)
    )
    if name != "quadrature":
        formula = f"{formula.split(' ~ ')[0]} ~ {r.choice(FIXED)} + {r.choice(RANDOM)}"
    if r.random() < 0.3 and "won" not in formula:
        options = {**options, "weights": "w"}
    if r.random() < 0.3:
        options = {**options, "offset": "o"}
    return formula, frame, options


@pytest.mark.parametrize("first", range(0, 200, 20))
def test_random_models(first: int) -> None:
    """A typed error; or finite estimates, and where they claim convergence, a gradient that
    vanishes on the scale of the estimates' errors."""
    for seed in range(first, first + 20):
        formula, frame, options = random_model(seed)
        began = time.perf_counter()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                m = mm.glmer(formula, frame, **options)
        except (mm.DataError, mm.ConvergenceError):
            continue
        finally:
            assert time.perf_counter() - began < 10, (seed, formula)
        kinds = {w.category for w in caught}
        assert not kinds & {RuntimeWarning, FutureWarning}, (seed, formula, kinds)
        f = m._fit
        assert np.isfinite([f.criterion, f.sigma, *f.theta]).all(), (seed, formula)
        kept = ~np.isnan(f.beta)
        assert (~kept).sum() == len(f.dropped)
        if f.converged and mm.SeparationWarning not in kinds:
            gradient = np.asarray(f.gradient(f.theta, f.beta, f.dispersion))
            k, p = len(f.theta), int(kept.sum())
            errors = np.sqrt(np.diag(f.conditional_vcov)[kept])
            scaled = [*(0.1 * gradient[:k]), *(gradient[k : k + p] * errors), *gradient[k + p :]]
            assert np.abs(scaled).max() < 2e-2, (seed, formula, scaled)
