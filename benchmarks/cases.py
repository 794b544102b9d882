"""The models that are timed: a formula and the recipe of its data. Needs numpy and pandas only."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).resolve().parents[1] / "tests" / "reference" / "data"


@dataclass(frozen=True)
class Case:
    name: str
    formula: str
    data: Callable[[], pd.DataFrame]
    family: str | None = None  # None: a linear model by REML
    nAGQ: int = 1
    calls: int = 1  # timed calls in one process; the median counts
    task: str = "fit"  # what is timed: the whole call, or a task of packages.py on a fitted model
    skip: tuple[str, ...] = ()  # packages that cannot fit it at all


def reference(name: str) -> pd.DataFrame:
    """One of the tests' data sets, factors as categoricals."""
    entry = json.loads((DATA / "schema.json").read_text(encoding="utf-8"))[name]
    kinds = {c: info["type"] for c, info in entry["columns"].items()}
    text = {c: "str" for c, kind in kinds.items() if kind == "factor"}
    frame = pd.read_csv(DATA / entry["file"], usecols=list(kinds), dtype=text)
    return frame.astype(dict.fromkeys(text, "category"))


def answered(name: str, response: str, success: str) -> pd.DataFrame:
    """A data set of the tests with its binary response as 0 and 1, which every package takes."""
    frame = reference(name)
    return frame.assign(**{response: (frame[response] == success).astype(int)})


def sleepstudy() -> pd.DataFrame:
    return reference("sleepstudy")


def insteval() -> pd.DataFrame:
    return reference("InstEval")


def one_factor(n: int = 1_000_000, groups: int = 20_000) -> pd.DataFrame:
    """Random intercepts and slopes over many groups."""
    r = np.random.default_rng(1)
    g = r.integers(0, groups, n)
    X = r.standard_normal((n, 5))
    b = r.standard_normal((groups, 2)) @ np.linalg.cholesky([[1, 0.2], [0.2, 0.25]]).T
    y = 1 + X @ [0.5, -0.3, 0.2, 0, 1] + b[g, 0] + b[g, 1] * X[:, 0] + 2 * r.standard_normal(n)
    return pd.DataFrame({"y": y, **{f"x{k + 1}": X[:, k].copy() for k in range(5)}, "g": g})


def many_groups(n: int = 100_000, groups: int = 5_000) -> pd.DataFrame:
    """Random intercepts and slopes, for a bootstrap of a large model."""
    r = np.random.default_rng(2)
    g, x = r.integers(0, groups, n), r.normal(size=n)
    b = r.normal(size=(groups, 2)) * [0.7, 0.3]
    y = 1 + 0.5 * x + b[g, 0] + b[g, 1] * x + r.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "g": g})


def crossed(n: int = 200_000) -> pd.DataFrame:
    """Users and items, items with a heavy tail."""
    r = np.random.default_rng(9)
    u = r.integers(0, 20000, n)
    i = (r.pareto(1.2, n) * 40).astype(int) % 2000
    x = r.normal(size=n)
    user, item = r.normal(size=20000), r.normal(size=2000)
    y = 1 + 0.5 * x + 0.7 * user[u] + 0.5 * item[i] + r.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "u": u, "i": i})


def maximal(n: int = 8000) -> pd.DataFrame:
    """Two crossed 4 × 4 terms: subjects and items of an experiment with three factors."""
    r = np.random.default_rng(11)
    s, i = r.integers(0, 60, n), r.integers(0, 40, n)
    X = r.choice([-0.5, 0.5], size=(n, 3))

    def factor(sd: float) -> np.ndarray:
        return (r.standard_normal((4, 4)) * 0.4 + np.eye(4)) * sd

    subject = r.standard_normal((60, 4)) @ factor(0.8).T
    item = r.standard_normal((40, 4)) @ factor(0.5).T
    D = np.c_[np.ones(n), X]
    y = D @ [2, 0.5, -0.3, 0.2] + (D * subject[s]).sum(1) + (D * item[i]).sum(1)
    y = y + 1.5 * r.standard_normal(n)
    return pd.DataFrame({"y": y, "a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "s": s, "i": i})


def herds() -> pd.DataFrame:
    return reference("cbpp").assign(healthy=lambda d: d["size"] - d["incidence"])


def verbal_aggression() -> pd.DataFrame:
    return answered("VerbAgg", "r2", "Y")


def grouseticks() -> pd.DataFrame:
    return reference("grouseticks")


def immunised() -> pd.DataFrame:
    return answered("guImmun", "immun", "Y")


def binary(n: int = 100_000, groups: int = 2000) -> pd.DataFrame:
    """0/1 responses, random intercepts."""
    r = np.random.default_rng(3)
    g, x1, x2 = r.integers(0, groups, n), r.normal(size=n), r.normal(size=n)
    b = 0.8 * r.normal(size=groups)
    eta = -1 + 0.6 * x1 - 0.4 * x2 + b[g]
    y = r.random(n) < 1 / (1 + np.exp(-eta))
    return pd.DataFrame({"y": y.astype(int), "x1": x1, "x2": x2, "g": g})


def binary_crossed(n: int = 200_000) -> pd.DataFrame:
    """`crossed` with the chance of a 1 in place of the mean."""
    frame, r = crossed(n), np.random.default_rng(10)
    chance = 1 / (1 + np.exp(1.5 - frame["y"]))
    return frame.assign(y=(r.random(n) < chance).astype(int))


SLEEP = "Reaction ~ Days + (Days | Subject)"
RATINGS = "y ~ service + (1 | s) + (1 | d) + (1 | dept)"
HERDS = "cbind(incidence, healthy) ~ period + (1 | herd)"
MILLION = "y ~ x1 + x2 + x3 + x4 + x5 + (1 + x1 | g)"
CASES = {
    case.name: case
    for case in [
        Case("sleepstudy", SLEEP, sleepstudy, calls=51),
        Case("sleepstudy-refit", SLEEP, sleepstudy, calls=201, task="refit"),
        Case("sleepstudy-profile", SLEEP, sleepstudy, calls=21, task="profile"),
        Case("sleepstudy-bootstrap", SLEEP, sleepstudy, calls=5, task="bootstrap"),
        Case("sleepstudy-10000-responses", SLEEP, sleepstudy, calls=3, task="refit-many"),
        Case("sleepstudy-influence", SLEEP, sleepstudy, calls=21, task="influence"),
        Case("insteval", RATINGS, insteval, skip=("statsmodels",)),
        Case("insteval-satterthwaite", RATINGS, insteval, calls=3, task="satterthwaite"),
        Case(
            "insteval-slopes",
            "y ~ service + (1 | s) + (service | d)",
            insteval,
            skip=("statsmodels",),
        ),
        Case("million-rows", MILLION, one_factor),
        Case("million-rows-satterthwaite", MILLION, one_factor, calls=3, task="satterthwaite"),
        Case(
            "million-rows-leverages",
            MILLION,
            one_factor,
            calls=3,
            task="leverages",
            skip=("lme4",),  # minutes, and more memory than there is
        ),
        Case("million-rows-intervals", MILLION, one_factor, calls=3, task="intervals"),
        Case("100000-rows-leverages", "y ~ x + (x | g)", many_groups, calls=5, task="leverages"),
        Case("100000-rows-kenward-roger", "y ~ x + (x | g)", many_groups, task="kenward-roger"),
        Case("100000-rows-bootstrap", "y ~ x + (x | g)", many_groups, task="bootstrap"),
        Case("crossed", "y ~ x + (1 | u) + (1 | i)", crossed, skip=("statsmodels",)),
        Case(
            "maximal",
            "y ~ a + b + c + (1 + a + b + c | s) + (1 + a + b + c | i)",
            maximal,
            skip=("statsmodels",),
        ),
        # Generalised models; statsmodels has none by maximum likelihood.
        Case(
            "binomial-100000-rows",
            "y ~ x1 + x2 + (1 | g)",
            binary,
            "binomial",
            calls=3,
            skip=("statsmodels",),
        ),
        Case(
            "verbagg",
            "r2 ~ btype + situ + mode + (1 | id) + (1 | item)",
            verbal_aggression,
            "binomial",
            calls=5,
            skip=("statsmodels",),
        ),
        Case(
            "grouseticks",
            "TICKS ~ YEAR + cHEIGHT + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION)",
            grouseticks,
            "poisson",
            calls=5,
            skip=("statsmodels",),
        ),
        Case(
            "guimmun",
            "immun ~ kid2p + mom25p + ord + ethn + momEd + husEd + momWork + rural + pcInd81"
            " + (1 | mom) + (1 | comm)",
            immunised,
            "binomial",
            calls=3,
            skip=("statsmodels",),
        ),
        Case(
            "binomial-crossed",
            "y ~ x + (1 | u) + (1 | i)",
            binary_crossed,
            "binomial",
            skip=("statsmodels", "mixedlm", "lme4"),  # minutes and more
        ),
        Case("cbpp-25-nodes", HERDS, herds, "binomial", 25, 21, skip=("statsmodels", "mixedlm")),
    ]
}
