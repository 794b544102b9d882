"""Responses and families that cannot be, and those that are hard: a clear error, a warning that
names what is wrong, or the right result. Never a silent number."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
from dense_generalised import DenseGeneralised

N, GROUPS = 120, 10


def data(seed: int = 6) -> pd.DataFrame:
    """Rows r0, r1, ...; one response of every kind."""
    r = np.random.default_rng(seed)
    g, x = r.integers(0, GROUPS, N), r.normal(size=N)
    eta = 0.3 + 0.5 * x + 0.6 * r.normal(size=GROUPS)[g]
    p, size = 1 / (1 + np.exp(-eta)), r.integers(1, 9, N)
    hits = r.binomial(size, p)
    return pd.DataFrame(
        {
            "x": x,
            "g": np.array([f"g{k}" for k in range(GROUPS)])[g],
            "f": np.array(["a", "b", "c"])[r.integers(0, 3, N)],
            "won": r.binomial(1, p),
            "hits": hits,
            "size": size,
            "share": hits / size,
            "count": r.poisson(np.exp(eta)),
            "time": r.gamma(4.0, np.exp(eta) / 4),
            "part": r.beta(5 * p, 5 * (1 - p)),
        },
        index=[f"r{k}" for k in range(N)],
    )


def with_value(column: str, value: float) -> pd.DataFrame:
    """`value` in row r7."""
    frame = data().astype({column: float})
    frame.loc["r7", column] = value
    return frame


def constant(column: str, value: Any) -> pd.DataFrame:
    return data().assign(**{column: value})


def fit(response: str, frame: pd.DataFrame, family: Any, **options: Any) -> Any:
    return mm.glmer(f"{response} ~ x + (1 | g)", frame, family=family, **options)


COUNTS = "cbind(hits, size - hits)"

# What is wrong → (response, data, family, what the message says).
REFUSED: dict[str, tuple[str, pd.DataFrame, str, str]] = {
    "a negative count": ("count", with_value("count", -1), "poisson", "-1 in row .?r7"),
    "a fraction among counts": ("count", with_value("count", 2.5), "poisson", "2.5 in row .?r7"),
    "a fraction, negative binomial": (
        "count",
        with_value("count", 2.5),
        "negative_binomial",
        "2.5 in row .?r7",
    ),
    "negative successes": (COUNTS, with_value("hits", -2), "binomial", "-2 in row .?r7"),
    "a fraction of a success": (COUNTS, with_value("hits", 0.5), "binomial", "0.5 in row .?r7"),
    "more successes than trials": (
        COUNTS,
        with_value("hits", 11).assign(size=9),
        "binomial",
        "-2 in row .?r7",
    ),
    "three columns": ("cbind(hits, size, won)", data(), "binomial", "cbind"),
    "cbind in another family": (COUNTS, data(), "poisson", "cbind"),
    "neither 0 nor 1": ("won", with_value("won", 2), "binomial", "2 in row .?r7"),
    "proportions without trials": ("share", data(), "binomial", "weights"),
    "three levels": ("f", data(), "binomial", "3 levels.*a, b, c"),
    "levels in another family": ("f", data(), "poisson", "categorical"),
    "zero among positive values": ("time", with_value("time", 0), "Gamma", "0 in row .?r7"),
    "negative among positive values": (
        "time",
        with_value("time", -0.5),
        "inverse_gaussian",
        "-0.5 in row .?r7",
    ),
    "zero among open proportions": ("part", with_value("part", 0), "beta", "0 in row .?r7"),
    "one among open proportions": ("part", with_value("part", 1), "beta", "1 in row .?r7"),
    "infinite": ("count", with_value("count", np.inf), "poisson", "inf.*r7"),
    "only zeros": ("count", constant("count", 0), "poisson", "0 in every row"),
    "only failures": ("won", constant("won", 0), "binomial", "0 in every row"),
    "only successes": ("won", constant("won", 1), "binomial", "1 in every row"),
    "only failures, counted": (COUNTS, constant("hits", 0), "binomial", "0 in every row"),
    "one level": ("won", constant("won", "yes"), "binomial", "every row"),
    "one positive value": ("time", constant("time", 2.0), "Gamma", "2 in every row"),
    "nothing": ("won", constant("won", np.nan), "binomial", "missing"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    response, frame, family, says = REFUSED[what]
    with pytest.raises(mm.DataError, match=says) as caught:
        fit(response, frame, family)
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize("what", REFUSED)
def test_refused_without_random_effects(what: str) -> None:
    response, frame, family, says = REFUSED[what]
    with pytest.raises(mm.DataError, match=says):
        mm.glm(f"{response} ~ x", frame, family=family)


@pytest.mark.parametrize(("value", "says"), [(1.25, "1.25 in row .?r7"), (-0.25, "-0.25 in row")])
def test_a_proportion_outside_of_0_and_1(value: float, says: str) -> None:
    with pytest.raises(mm.DataError, match=says):
        fit("share", with_value("share", value), "binomial", weights="size")


# Families ----------------------------------------------------------------------------------------

FAMILIES: dict[str, tuple[Any, str]] = {
    "misspelt": ("binomal", "binomial"),
    "misspelt, with a link": ("poison", "poisson"),
    "quasi": ("quasi", "quasi"),
    "quasibinomial": ("quasibinomial", "beta|observation-level|random effect"),
    "quasipoisson": ("quasipoisson", "negative_binomial"),
    "a linear model": ("gaussian", "lmer"),
    "nothing": (None, "family"),
    "a number": (3, "family"),
}


@pytest.mark.parametrize("what", FAMILIES)
def test_family_refused(what: str) -> None:
    family, says = FAMILIES[what]
    with pytest.raises(mm.ArgumentError, match=says):
        fit("won", data(), family)


@pytest.mark.parametrize(
    ("family", "link", "says"),
    [
        ("binomial", "logti", "logit"),
        ("poisson", "logit", "log, sqrt"),
        ("Gamma", "probit", "inverse"),
        ("binomial", "1/mu^2", "cloglog"),
    ],
)
def test_link_refused(family: str, link: str, says: str) -> None:
    with pytest.raises(mm.ArgumentError, match=says):
        fit("won", data(), family, link=link)


# Spellings of one response -----------------------------------------------------------------------

SPELLINGS: dict[str, Callable[[pd.DataFrame], Any]] = {
    "boolean": lambda d: d["won"] == 1,
    "fractional type": lambda d: d["won"].astype(float),
    "strings": lambda d: np.where(d["won"] == 1, "yes", "no"),
    "categorical": lambda d: pd.Categorical.from_codes(d["won"], ["lost", "a win"]),
    "categorical with an unused level": lambda d: pd.Categorical.from_codes(
        d["won"], ["lost", "a win", "never"]
    ),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spellings_of_success(spelling: str) -> None:
    """The second level counts, True and 1 likewise."""
    frame = data()
    expected = fit("won", frame, "binomial")
    m = fit("won", frame.assign(won=SPELLINGS[spelling]), "binomial")
    assert m.loglik == expected.loglik
    np.testing.assert_array_equal(m.fixef, expected.fixef)


def test_counts_proportions_and_single_trials_are_one_model() -> None:
    frame = data()
    counts = fit(COUNTS, frame, "binomial")
    shares = fit("share", frame, "binomial", weights="size")
    assert shares.loglik == pytest.approx(counts.loglik, rel=1e-12)
    np.testing.assert_allclose(shares.fixef, counts.fixef, rtol=1e-8)
    long = frame.loc[frame.index.repeat(frame["size"])]
    trial = np.concatenate([np.arange(k) for k in frame["size"]])
    single = fit("hit", long.assign(hit=trial < long["hits"]), "binomial")
    np.testing.assert_allclose(single.fixef, counts.fixef, rtol=1e-6)
    np.testing.assert_allclose(single.theta, counts.theta, rtol=1e-6)


# Rows that tell nothing --------------------------------------------------------------------------


def test_rows_of_size_zero_are_left_out() -> None:
    frame = data()
    frame.loc[["r3", "r50"], ["hits", "size"]] = 0
    with pytest.warns(mm.MissingDataWarning, match="2 of 120 rows dropped: number of trials 0"):
        m = fit(COUNTS, frame, "binomial")
    expected = fit(COUNTS, frame.drop(index=["r3", "r50"]), "binomial")
    assert m.nobs == expected.nobs == N - 2
    assert m.loglik == pytest.approx(expected.loglik, rel=1e-12)
    assert m.bic == pytest.approx(expected.bic, rel=1e-12)


def test_missing_responses_are_counted() -> None:
    with pytest.warns(mm.MissingDataWarning, match="hits"):
        m = fit(COUNTS, with_value("hits", np.nan), "binomial")
    assert m.nobs == N - 1


# Separation --------------------------------------------------------------------------------------


def caught(call: Callable[[], Any]) -> tuple[Any, str]:
    """What the call gives and the separation it warns of."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        m = call()
    texts = [str(w.message) for w in found if issubclass(w.category, mm.SeparationWarning)]
    return m, " ".join(texts)


@pytest.mark.parametrize("family", ["binomial", "poisson"])
def test_a_level_of_only_zeros_is_named(family: str) -> None:
    response = "won" if family == "binomial" else "count"
    frame = data()
    frame.loc[frame["f"] == "c", response] = 0
    for formula, fitter in [("f + (1 | g)", mm.glmer), ("f", mm.glm)]:
        m, text = caught(lambda: fitter(f"{response} ~ {formula}", frame, family=family))  # noqa: B023
        assert "fc" in text
        assert "c" in text
        assert np.isfinite(m.loglik)


def test_complete_separation_is_named() -> None:
    frame = data().assign(won=lambda d: (d["x"] > 0.2).astype(int))
    _, text = caught(lambda: mm.glm("won ~ x", frame, family="binomial"))
    assert "x" in text
    _, text = caught(lambda: fit("won", frame, "binomial"))
    assert "x" in text


def test_no_separation_is_seen_where_there_is_none() -> None:
    for response, family in [("won", "binomial"), ("count", "poisson"), (COUNTS, "binomial")]:
        assert caught(lambda: fit(response, data(), family))[1] == ""  # noqa: B023


@pytest.mark.parametrize("value", [0, 1])
def test_a_group_of_only_one_outcome_is_no_separation(value: int) -> None:
    """The group's mode is finite: the random effects' variance holds it."""
    frame = data()
    frame.loc[frame["g"] == "g4", "won"] = value
    m, text = caught(lambda: fit("won", frame, "binomial"))
    assert text == ""
    assert m.converged
    codes = pd.factorize(frame["g"], sort=True)[0]
    X = np.column_stack([np.ones(N), frame["x"]])
    oracle = DenseGeneralised(
        frame["won"].to_numpy(dtype=float), X, [(np.ones((N, 1)), codes)], "binomial", "logit"
    )
    expected = oracle.criterion(m.theta, m.fixef.to_numpy())
    assert -2 * m.loglik == pytest.approx(expected, abs=1e-8)
    modes = m.ranef()["g"].iloc[:, 0]
    assert modes.idxmax() == "g4" if value else modes.idxmin() == "g4"


# Scale of the linear predictor -------------------------------------------------------------------


@pytest.mark.parametrize("shift", [50.0, 300.0, 1000.0])
@pytest.mark.parametrize(("response", "family"), [("count", "poisson"), ("won", "binomial")])
def test_an_offset_beyond_the_range_of_exp(response: str, family: str, shift: float) -> None:
    """The intercept takes it up: the same fit, or an error of ours."""
    frame = data().assign(far=shift)
    expected = fit(response, frame, family)
    try:
        m = fit(response, frame, family, offset="far")
    except mm.MixedModelsError:
        return
    assert m.loglik == pytest.approx(expected.loglik, abs=1e-6)
    assert m.fixef.iloc[0] + shift == pytest.approx(expected.fixef.iloc[0], abs=1e-4)


@pytest.mark.parametrize("scale", [1e-8, 1e6])
@pytest.mark.parametrize(("response", "family"), [("count", "poisson"), ("won", "binomial")])
def test_the_unit_of_a_predictor(response: str, family: str, scale: float) -> None:
    expected = fit(response, data(), family)
    m = fit(response, data().assign(x=lambda d: d["x"] * scale), family)
    assert m.loglik == pytest.approx(expected.loglik, abs=1e-6)
    assert m.fixef["x"] * scale == pytest.approx(expected.fixef["x"], rel=1e-4)
    assert m.bse["x"] * scale == pytest.approx(expected.bse["x"], rel=1e-4)


@pytest.mark.parametrize("shift", [100.0, 1e6])
def test_a_predictor_far_from_zero(shift: float) -> None:
    expected = fit("count", data(), "poisson")
    m = fit("count", data().assign(x=lambda d: d["x"] + shift), "poisson")
    assert m.loglik == pytest.approx(expected.loglik, abs=1e-6)
    assert m.fixef["x"] == pytest.approx(expected.fixef["x"], rel=1e-4)
    assert m.bse["x"] == pytest.approx(expected.bse["x"], rel=1e-4)


def test_counts_in_the_millions() -> None:
    r = np.random.default_rng(8)
    frame = data()
    codes = pd.factorize(frame["g"])[0]
    b = 0.3 * r.normal(size=GROUPS)
    mean = np.exp(14 + 0.2 * frame["x"].to_numpy() + b[codes])
    m = fit("count", frame.assign(count=r.poisson(mean)), "poisson")
    assert m.converged
    assert m.fixef["x"] == pytest.approx(0.2, abs=6 * m.bse["x"])
    assert m.bse["x"] < 1e-3


def test_an_offset_that_is_not_finite() -> None:
    frame = data().assign(o=0.0)
    frame.loc["r7", "o"] = -np.inf
    with pytest.raises(mm.DataError, match=r"inf|r7"):
        fit("count", frame, "poisson", offset="o")
