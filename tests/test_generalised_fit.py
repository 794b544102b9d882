"""`glmer` and `glm`: arguments that fit, and arguments that do not."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@functools.cache
def cbpp() -> pd.DataFrame:
    return reference_data.load("cbpp")


@functools.cache
def grouped() -> pd.DataFrame:
    """Counts, amounts and 0/1 by groups, with a covariate."""
    r = np.random.default_rng(2)
    g, x = np.repeat(np.arange(12), 10), r.normal(size=120)
    eta = 0.5 + 0.4 * x + 0.5 * r.normal(size=12)[g]
    return pd.DataFrame(
        {
            "x": x,
            "g": g,
            "h": np.tile(np.arange(10), 12),
            "one": 1,
            "count": r.poisson(np.exp(eta)),
            "amount": r.gamma(4, np.exp(eta) / 4),
            "y": (r.random(120) < 1 / (1 + np.exp(-eta))).astype(float),
        }
    )


def fit(formula: str = CBPP, data: Any = None, **rest: Any) -> Any:
    return mm.glmer(formula, cbpp() if data is None else data, **rest)


# --- The same model, written in other ways ---

SAME: dict[str, Callable[[], Any]] = {
    "proportions with weights": lambda: fit("incidence/size ~ period + (1 | herd)", weights="size"),
    "a family with its link": lambda: fit(family=mm.families.binomial(link="logit")),
    "a constructor": lambda: fit(family=mm.families.binomial),
    "one node": lambda: fit(nAGQ=1),
    "canonical: observed is expected": lambda: fit(criterion="observed"),
    "0/1 rows": lambda: fit("y ~ period + (1 | herd)", long_form()),
    "answers": lambda: fit(
        "y ~ period + (1 | herd)", long_form().assign(y=lambda d: d["y"].map({0: "no", 1: "sick"}))
    ),
}


def long_form() -> pd.DataFrame:
    """One row an animal."""
    d = cbpp()
    rows = d.loc[d.index.repeat(d["size"]), ["herd", "period"]].reset_index(drop=True)
    y = [np.arange(n) < k for k, n in zip(d["incidence"], d["size"], strict=True)]
    return rows.assign(y=np.concatenate(y).astype(int))


@pytest.mark.parametrize("how", SAME)
def test_the_same_model_in_other_words(how: str) -> None:
    m, other = fit(), SAME[how]()
    np.testing.assert_allclose(other.fixef, m.fixef, atol=1e-5)
    np.testing.assert_allclose(other.theta, m.theta, atol=1e-5)
    np.testing.assert_allclose(other.bse, m.bse, rtol=1e-4)


def test_rows_without_trials_count_for_nothing() -> None:
    extra = cbpp().iloc[:3].assign(incidence=0, size=0)
    with pytest.warns(mm.MissingDataWarning, match="3 of 59 rows dropped: number of trials 0"):
        m = fit(data=pd.concat([cbpp(), extra], ignore_index=True))
    assert m.nobs == 56
    np.testing.assert_allclose(m.fixef, fit().fixef, atol=1e-5)
    assert "3 rows with a weight of zero dropped" in str(m.summary())


def test_whole_weights_are_repeated_rows() -> None:
    data = grouped().assign(w=1 + grouped()["h"] % 3)
    repeated = data.loc[data.index.repeat(data["w"])]
    by_weight = fit("count ~ x + (1 | g)", data, family="poisson", weights="w")
    by_rows = fit("count ~ x + (1 | g)", repeated, family="poisson")
    np.testing.assert_allclose(by_weight.fixef, by_rows.fixef, atol=1e-5)
    assert by_weight.loglik == pytest.approx(by_rows.loglik, abs=1e-5)


def test_an_offset_shifts_the_linear_predictor() -> None:
    data = grouped().assign(o=0.7)
    plain = fit("count ~ x + (1 | g)", data, family="poisson")
    for shifted in (
        fit("count ~ x + (1 | g)", data, family="poisson", offset="o"),
        fit("count ~ x + offset(o) + (1 | g)", data, family="poisson"),
    ):
        assert shifted.fixef["(Intercept)"] == pytest.approx(
            plain.fixef["(Intercept)"] - 0.7, abs=1e-5
        )
        assert shifted.loglik == pytest.approx(plain.loglik, abs=1e-6)
        np.testing.assert_allclose(shifted.fitted, plain.fitted, rtol=1e-5)


def test_every_family_fits() -> None:
    data = grouped().assign(share=lambda d: 0.05 + 0.9 * d["amount"] / (d["amount"] + 2))
    for family, response in {
        "poisson": "count", "negative_binomial": "count", "nb1": "count", "Gamma": "amount",
        "binomial": "y", "beta": "share",
    }.items():  # fmt: skip
        link = "log" if family == "Gamma" else None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", mm.MixedModelsWarning)
            m = fit(f"{response} ~ x + (1 | g)", data, family=family, link=link)
            o = mm.glm(f"{response} ~ x", data, family=family, link=link)
        assert m.converged
        assert o.converged
        assert m.fixef["x"] > 0
        assert -2 * m.loglik <= o._fit.criterion + 1e-6


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_a_held_shape_is_not_counted() -> None:
    data = grouped()
    estimated = fit("count ~ x + (1 | g)", data, family="negative_binomial")
    held = fit(
        "count ~ x + (1 | g)", data,
        family=mm.families.negative_binomial(theta=estimated.dispersion),
    )  # fmt: skip
    assert (estimated.npar, held.npar) == (4, 3)
    assert held.dispersion == estimated.dispersion
    assert held.loglik == pytest.approx(estimated.loglik, abs=1e-6)


# --- Refused: call → (error, what the message says) ---

REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "Gaussian with identity": (
        lambda: fit("amount ~ x + (1 | g)", grouped(), family="gaussian"),
        mm.ArgumentError,
        r"mm.lmer\('amount ~ x \+ \(1 \| g\)', data, REML=False\)",
    ),
    "Gaussian without groups": (
        lambda: mm.glm("amount ~ x", grouped(), family="gaussian"),
        mm.ArgumentError,
        r"mm.lm\('amount ~ x', data\)",
    ),
    "misspelt": (lambda: fit(family="binomail"), mm.ArgumentError, "did you mean 'binomial'"),
    "quasi": (lambda: fit(family="quasipoisson"), mm.ArgumentError, "no likelihood"),
    "no random effects": (
        lambda: fit("y ~ x", grouped()), mm.FormulaError, r"use mm\.glm",
    ),
    "random effects": (
        lambda: mm.glm("y ~ x + (1 | g)", grouped()), mm.FormulaError, r"use mm\.glmer",
    ),
    "one group": (lambda: fit("y ~ x + (1 | one)", grouped()), mm.DataError, "one level only"),
    "negative nodes": (lambda: fit(nAGQ=-1), mm.ArgumentError, "at least 0"),
    "half a node": (lambda: fit(nAGQ=1.5), mm.ArgumentError, "whole number"),
    "too many nodes": (lambda: fit(nAGQ=26), mm.ArgumentError, "at most 25"),
    "nodes for two terms": (
        lambda: fit("y ~ x + (1 | g) + (1 | h)", grouped(), nAGQ=5),
        mm.ArgumentError,
        "one random term; this one has 2",
    ),
    "even nodes for slopes": (
        lambda: fit("y ~ x + (x | g)", grouped(), nAGQ=4), mm.ArgumentError, "odd number",
    ),
    "nodes for four effects": (
        lambda: fit("y ~ x + (x + I(x^2) + I(x^3) | g)", grouped(), nAGQ=3),
        mm.ArgumentError,
        "up to 3 random effects",
    ),
    "nodes for a family with sigma": (
        lambda: fit("amount ~ x + (1 | g)", grouped(), family="Gamma", link="log", nAGQ=5),
        mm.ArgumentError,
        "use nAGQ=1",
    ),
    "another criterion": (
        lambda: fit(criterion="reml"), mm.ArgumentError, "choose 'fisher', 'observed'",
    ),
    "every row a group, with a sigma": (
        lambda: fit(
            "amount ~ x + (1 | row)", grouped().assign(row=np.arange(120)), family="Gamma",
            link="log",
        ),
        mm.DataError,
        "every row is a group",
    ),
    "every row a group, 0/1": (
        lambda: fit("y ~ x + (1 | row)", grouped().assign(row=np.arange(120))),
        mm.DataError,
        "of a 0/1 response nothing tells",
    ),
    "no row left for the dispersion": (
        lambda: mm.glm("amount ~ x", grouped().iloc[:2], family="Gamma"),
        mm.DataError,
        "2 observations cannot estimate 2 fixed effects",
    ),
    "no control": (lambda: fit(control="bobyqa"), mm.ArgumentError, "expected settings"),
    "no threads": (lambda: fit(n_threads=0), mm.ArgumentError, "at least 1"),
    "counts below zero": (
        lambda: fit("d ~ x + (1 | g)", grouped().assign(d=-1), family="poisson"),
        mm.DataError,
        "-1 in row 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    call, error, message = REFUSED[what]
    with pytest.raises(error, match=message):
        call()


def test_a_random_effect_for_every_row_is_allowed() -> None:
    data = grouped().assign(row=np.arange(120), count=grouped()["count"] * 3)
    m = fit("count ~ x + (1 | row)", data, family="poisson")
    assert m.ngroups == {"row": 120}
    assert m.varcorr["row"].iloc[0, 0] > 0


@pytest.mark.parametrize(
    ("family", "what"), {"nbinom2": "θ runs to", "nbinom1": "φ runs to"}.items()
)
def test_counts_that_are_not_overdispersed(family: str, what: str) -> None:
    data = grouped().assign(count=lambda d: 2 + (d["x"] > 0) + (d["g"] > 6))
    with pytest.warns(mm.SingularFitWarning, match=f"not overdispersed: {what}"):
        m = fit("count ~ x + (1 | g)", data, family=family)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        poisson = fit("count ~ x + (1 | g)", data, family="poisson")
    assert m.loglik == pytest.approx(poisson.loglik, abs=1e-4)
    assert "The counts are not overdispersed" in str(m.summary())


@pytest.mark.parametrize("nAGQ", [0, 1, 7])
def test_the_same_bits_for_any_number_of_threads(nAGQ: int) -> None:
    one, two = (fit("y ~ x + (1 | g)", grouped(), nAGQ=nAGQ, n_threads=k) for k in (1, 2))
    np.testing.assert_array_equal(one.fixef, two.fixef)
    np.testing.assert_array_equal(one.theta, two.theta)
    np.testing.assert_array_equal(one.bse, two.bse)


def test_callback_and_verbose(capfd: pytest.CaptureFixture[str]) -> None:
    seen: list[tuple[int, float, float]] = []
    m = fit(callback=lambda *step: seen.append(step), verbose=True)
    assert seen[-1][1] == pytest.approx(-2 * m.loglik)
    assert "-2 log-likelihood 184.05" in capfd.readouterr().err


def test_settings_reach_the_kernel() -> None:
    slow = fit(control=mm.Control(optimizer="nelder-mead", max_evaluations=5000))
    np.testing.assert_allclose(slow.fixef, fit().fixef, atol=1e-3)
    started = fit(control=mm.Control(start=[1.5]))
    assert started.loglik == pytest.approx(fit().loglik, abs=1e-7)
    with pytest.raises(mm.ArgumentError, match="1 covariance parameters"):
        fit(control=mm.Control(start=[1.0, 2.0]))
    with pytest.warns(mm.ConvergenceWarning, match="did not converge"):
        assert not fit(control=mm.Control(max_evaluations=1)).converged


# lme4 1.1-31 (bobyqa, tolPwrss 1e-12) on glmmsim with weights 1 + row mod 3: −2 log L, θ, deviance
WEIGHTED = {
    "binomial": ("cbind(succ, trials - succ)", None, 2445.1858862, 0.7395841, 845.8595595),
    "poisson": ("y_pois", "log_exposure", 3889.0373640, 0.634053, 1566.4364385),
    "Gamma": ("y_gamma", None, 2135.1467096, 0.481124, 157.3479075),
}


@pytest.mark.parametrize("family", WEIGHTED)
def test_weights_multiply_log_likelihoods(family: str) -> None:
    response, offset, criterion, theta, deviance = WEIGHTED[family]
    data = reference_data.load("glmmsim").assign(w=lambda d: 1 + np.arange(1, len(d) + 1) % 3)
    link = "log" if family == "Gamma" else None
    formula = f"{response} ~ x + trt + (1 | grp)"
    m = fit(formula, data, family=family, link=link, weights="w", offset=offset)
    assert -2 * m.loglik == pytest.approx(criterion, abs=5e-6)
    assert m.theta[0] == pytest.approx(theta, rel=1e-5)
    assert m.deviance == pytest.approx(deviance, rel=1e-6)
