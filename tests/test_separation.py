"""Separation is named: which coefficient, which level, which values."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm


@functools.cache
def data() -> pd.DataFrame:
    r = np.random.default_rng(5)
    n = 240
    f = np.array(list("abcd"))[r.integers(0, 4, n)]
    d = pd.DataFrame({"x": r.normal(size=n), "z": r.normal(size=n), "g": r.integers(0, 12, n)})
    d["f"], d["h"] = f, np.where(r.random(n) < 0.5, "u", "v")
    eta = 0.4 * d["x"] + 0.5 * r.normal(size=12)[d["g"]]
    d["y"] = (r.random(n) < 1 / (1 + np.exp(-eta))).astype(float)
    d["count"] = r.poisson(np.exp(eta))
    d["size"] = 5
    d["s"] = r.binomial(5, 1 / (1 + np.exp(-eta)))
    return d


def with_level(level: str, column: str = "y", value: float = 0.0) -> pd.DataFrame:
    d = data()
    return d.assign(**{column: d[column].where(d["f"] != level, value)})


# what → (fit, coefficients and their signs, what the message says)
FOUND: dict[str, tuple[Callable[[], Any], dict[str, int], str]] = {
    "a level of failures": (
        lambda: mm.glmer("y ~ x + f + (1 | g)", with_level("c")),
        {"fc": -1},
        r"fc → −∞: all \d+ rows with f = 'c' have y = 0",
    ),
    "a level of successes": (
        lambda: mm.glmer("y ~ x + f + (1 | g)", with_level("c", value=1.0)),
        {"fc": 1},
        r"fc → \+∞: all \d+ rows with f = 'c' have y = 1",
    ),
    "a level of cbind": (
        lambda: mm.glmer("cbind(s, size - s) ~ f + (1 | g)", with_level("b", "s")),
        {"fb": -1},
        "f = 'b' have the proportion of successes = 0",
    ),
    "a level without events": (
        lambda: mm.glmer("count ~ x + f + (1 | g)", with_level("d", "count"), family="poisson"),
        {"fd": -1},
        "rows with f = 'd' have count = 0",
    ),
    "another link": (
        lambda: mm.glmer("y ~ f + (1 | g)", with_level("c"), family="binomial", link="cloglog"),
        {"fc": -1},
        "f = 'c'",
    ),
    "a combination of levels": (
        lambda: mm.glmer(
            "y ~ f * h + (1 | g)",
            data().assign(y=lambda d: d["y"].where((d["f"] != "c") | (d["h"] != "v"), 0.0)),
        ),
        {"fc:hv": -1},
        r"rows with fc:hv other than 0 have y = 0",
    ),
    "a covariate in order": (
        lambda: mm.glm("y ~ x", data().assign(y=lambda d: (d["x"] > 0.1).astype(float))),
        {"(Intercept)": -1, "x": 1},
        r"y is 0 wherever x ≤ \S+ and 1 wherever x ≥",
    ),
    "a covariate in reverse": (
        lambda: mm.glm("y ~ x", data().assign(y=lambda d: (d["x"] < 0.1).astype(float))),
        {"(Intercept)": 1, "x": -1},
        r"y is 1 wherever x ≤ \S+ and 0 wherever x ≥",
    ),
    "two covariates together": (
        lambda: mm.glm("y ~ x + z", data().assign(y=lambda d: (d["x"] > d["z"]).astype(float))),
        {"x": 1, "z": -1},
        "a combination of these predictors",
    ),
    "without random effects": (
        lambda: mm.glm("y ~ x + f", with_level("c")), {"fc": -1}, "f = 'c'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", FOUND)
def test_found_and_named(what: str) -> None:
    fit, signs, message = FOUND[what]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        m = fit()
    texts = [str(w.message) for w in caught if w.category is mm.SeparationWarning]
    assert len(texts) == 1
    found = m._separation.coefficients
    assert {name: found.get(name) for name in signs} == signs
    assert pd.Series(texts).str.contains(message).all(), texts
    assert "Separation: the likelihood has no maximum" in str(m.summary()).replace("\n ", "")


def said(fit: Callable[[], Any]) -> str:
    """The warning of a fit, or the error where the estimates ran too far for one."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fit()
        except mm.ConvergenceError as error:
            return str(error)
    return "".join(str(w.message) for w in caught if w.category is mm.SeparationWarning)


@pytest.mark.parametrize("random", ["", " + (1 | g)"])
def test_the_base_level_is_named(random: str) -> None:
    """Every coefficient runs off."""
    fit: Any = mm.glmer if random else mm.glm
    text = said(lambda: fit(f"y ~ f{random}", with_level("a")))
    assert "(Intercept) → −∞, fb → +∞, fc → +∞, fd → +∞: all" in text
    assert "rows with f = 'a' have y = 0" in text


def test_the_other_estimates_are_those_of_the_rows_left() -> None:
    with pytest.warns(mm.SeparationWarning):
        m = mm.glm("y ~ x + f", with_level("c"))
    left = mm.glm("y ~ x + f", data()[data()["f"] != "c"])
    for name in ("(Intercept)", "x", "fb", "fd"):
        assert m.fixef[name] == pytest.approx(left.fixef[name], abs=1e-5)
        assert m.bse[name] == pytest.approx(left.bse[name], rel=1e-4)


NOT_FOUND: dict[str, Callable[[], Any]] = {
    "an ordinary fit": lambda: mm.glmer("y ~ x + f + (1 | g)", data()),
    "a group of failures": lambda: mm.glmer(
        "y ~ x + (1 | g)", data().assign(y=lambda d: d["y"].where(d["g"] != 3, 0.0))
    ),
    "one success in a level": lambda: mm.glmer("y ~ x + f + (1 | g)", one_success()),
    "a steep slope": lambda: mm.glm(
        "y ~ x", data().assign(y=lambda d: (d["x"] + 0.05 * d["z"] > 0.1).astype(float))
    ),
    "counts with zeros": lambda: mm.glmer("count ~ f + (1 | g)", data(), family="poisson"),
}


def one_success() -> pd.DataFrame:
    d = with_level("c")
    d.loc[d.index[d["f"] == "c"][0], "y"] = 1.0
    return d


@pytest.mark.parametrize("what", NOT_FOUND)
def test_not_found_where_there_is_none(what: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", mm.SeparationWarning)
        assert NOT_FOUND[what]()._separation is None


def test_many_rows() -> None:
    """A level among 30, then two covariates: constraints are added as they are needed."""
    r = np.random.default_rng(0)
    n = 20_000
    d = pd.DataFrame(r.normal(size=(n, 2)), columns=["x", "z"]).assign(f=r.integers(0, 30, n))
    d["f"] = d["f"].astype(str)
    d["y"] = (r.random(n) < 1 / (1 + np.exp(-d["x"]))).astype(float)
    with pytest.warns(mm.SeparationWarning, match=r"in f7 → −∞: all \d+ rows with f = '7'"):
        mm.glm("y ~ x + z + f", d.assign(y=d["y"].where(d["f"] != "7", 0.0)))
    with pytest.warns(mm.SeparationWarning, match=r"x → \+∞, z → \+∞"):
        mm.glm("y ~ x + z", d.assign(y=(d["x"] + d["z"] > 0).astype(float)))
