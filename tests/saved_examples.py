"""Models of every kind and with every argument that saving has to keep, fitted once for all
tests."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

import mixedmodels as mm
from mixedmodels.saving.saved_model import from_bytes, to_bytes

ROWS, GROUPS = 180, 12


@functools.cache
def data() -> pd.DataFrame:
    """Rows with an index of their own; columns of every type that a formula reads."""
    rng = np.random.default_rng(5)
    group, effect = np.arange(ROWS) % GROUPS, rng.normal(size=GROUPS)
    x = rng.normal(size=ROWS)
    eta = 0.4 + 0.3 * x + 0.5 * effect[group]
    counts = rng.poisson(np.exp(eta))
    return pd.DataFrame(
        {
            "y": 1 + x + effect[group] + rng.normal(size=ROWS),
            "x": x,
            "z": rng.uniform(1, 9, ROWS),
            "g": [f"g{k:02}" for k in group],
            "h": rng.integers(0, 6, ROWS),
            "f": pd.Categorical(rng.choice(list("abc"), ROWS), categories=["c", "b", "a"]),
            "o": pd.Categorical(
                rng.choice(["lo", "mid", "hi"], ROWS), ["lo", "mid", "hi"], ordered=True
            ),
            "b": rng.random(ROWS) > 0.5,
            "d": pd.date_range("2020-01-01", periods=ROWS),
            "w": rng.uniform(0.5, 2, ROWS),
            "k": counts,
            "n": counts + rng.integers(1, 5, ROWS),
            "p": 1 / (1 + np.exp(-eta - rng.normal(size=ROWS))),
            "v": np.exp(eta + rng.normal(size=ROWS)),
        },
        index=pd.Index(2 * np.arange(ROWS) + 5, name="row"),
    )


@functools.cache
def gaps() -> pd.DataFrame:
    """The same with missing values and a weight of zero."""
    frame = data().copy()
    frame.loc[frame.index[[3, 50]], "x"] = np.nan
    frame.loc[frame.index[7], "g"] = None
    frame.loc[frame.index[9], "w"] = 0.0
    return frame


def new() -> pd.DataFrame:
    """Rows to predict, one of an unknown group."""
    rows = data().iloc[[0, 5, 9, 30]].copy()
    rows.loc[rows.index[1], "g"] = None
    return rows


def square(x: Any) -> Any:
    """A function of the user's."""
    return np.asarray(x) ** 2


CONTEXT = {"square": square}
HELMERT = {"f": np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]), "o": "helmert"}


def _arrays() -> Any:
    d, ones = data(), np.ones(ROWS)
    X = np.column_stack([ones, d["x"]])
    return mm.lmer_arrays(d["y"], X, [(ones, d["g"]), (X, d["h"])], offset=0.1 * d["z"])


def _arrays_without_intercept() -> Any:
    g = gaps()
    Z = pd.DataFrame({"x": data()["x"], "z": g["z"]})
    return mm.lmer_arrays(g["y"], Z, [(Z, g["h"])], weights=g["w"].to_numpy(), REML=False)


MODELS: dict[str, Callable[[], Any]] = {
    "intercepts": lambda: mm.lmer("y ~ x + (1 | g)", data()),
    "ml, crossed": lambda: mm.lmer("y ~ x + f * b + (x | g) + (1 | h)", data(), REML=False),
    "dot": lambda: mm.lmer("y ~ . - g - k - n - p - v - w - d + (1 | g)", data()),
    "stateful": lambda: mm.lmer(
        "y ~ poly(x, 2) * o + bs(z, df = 5) + scale(z) + center(x):b + (1 | g/h)", data()
    ),
    "factors": lambda: mm.lmer(
        "y ~ C(f, contr.sum) + factor(h) + I(x^2) + log(z) + d + (1 + x || g)", data()
    ),
    "contrasts": lambda: mm.lmer("y ~ f + o + (1 | g)", data(), contrasts=HELMERT),
    "exclude": lambda: mm.lmer("y ~ x + (1 | g)", gaps(), na_action="exclude"),
    "weights by name": lambda: mm.lmer(
        "y ~ x + (1 | g)", gaps(), weights="2 * w", offset="0.1 * z"
    ),
    "weights as numbers": lambda: mm.lmer(
        "y ~ x + (1 | g)", data(), weights=data()["w"].to_numpy(), offset=0.1 * data()["z"]
    ),
    "collinear": lambda: mm.lmer("y ~ x + I(2 * x) + f + (1 | g)", data()),
    "context": lambda: mm.lmer("y ~ square(x) + (1 | g)", data(), context=CONTEXT),
    "refitted": lambda: mm.lmer("y ~ x + (1 | g)", gaps()).refit(data()["y"] + data()["x"]),
    "dict": lambda: mm.lmer("y ~ x + (1 | h)", {c: data()[c].to_numpy() for c in ("y", "x", "h")}),
    "arrays": _arrays,
    "arrays without intercept": _arrays_without_intercept,
    "control": lambda: mm.lmer(
        "y ~ x + (1 | g)", data(), control=mm.Control(optimizer="bfgs", start=[1.2]), n_threads=1
    ),
    "singular": lambda: mm.lmer("k ~ x + (1 | b)", data()),
    "lm": lambda: mm.lm("y ~ x * f", data()),
    "lm, weighted": lambda: mm.lm("y ~ x", gaps(), weights="w", na_action="exclude"),
    "poisson": lambda: mm.glmer("k ~ x + (1 | g)", data(), family="poisson"),
    "quadrature": lambda: mm.glmer("k ~ x + (1 | g)", data(), family="poisson", nAGQ=5),
    "nAGQ 0": lambda: mm.glmer("k ~ x + (1 | g)", data(), family="poisson", nAGQ=0),
    "binomial": lambda: mm.glmer("cbind(k, n - k) ~ x + f + (1 | g)", data()),
    "probit": lambda: mm.glmer("b ~ x + (1 | g)", data(), family=mm.families.binomial("probit")),
    "proportions": lambda: mm.glmer("I(k / n) ~ x + (1 | g)", data(), weights="n"),
    "negative binomial": lambda: mm.glmer("k ~ x + (1 | g)", data(), family="nbinom2"),
    "negative binomial, held": lambda: mm.glmer(
        "k ~ x + (1 | g)", data(), family=mm.families.negative_binomial(theta=3)
    ),
    "beta": lambda: mm.glmer("p ~ x + (1 | g)", data(), family="beta", criterion="fisher"),
    "gamma": lambda: mm.glmer(
        "v ~ x + (x | g)", gaps(), family="Gamma", link="log", offset="0 * z"
    ),
    "refitted counts": lambda: mm.glmer("k ~ x + (1 | g)", gaps(), family="poisson").refit(
        data()["k"] + 1.0
    ),
    "glm": lambda: mm.glm("k ~ x + f", data(), family="poisson"),
    "glm, weighted": lambda: mm.glm(
        "v ~ x", data(), family="Gamma", link="log", weights=data()["w"].to_numpy()
    ),
    "separated": lambda: mm.glm("I(x > 0) ~ x", data()),
}


@functools.cache
def model(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return MODELS[name]()


def context(name: str) -> Any:
    return CONTEXT if name == "context" else None


def bits(value: Any) -> Any:
    """A result in a form that is equal only if every bit of a number is (all NaN are one)."""
    if isinstance(value, pd.DataFrame):
        return [(str(c), repr(value[c].tolist())) for c in value], str(value.index.tolist())
    if isinstance(value, pd.Series):
        return repr(value.tolist()), str(value.index.tolist())
    if isinstance(value, np.ndarray):
        return repr(value.tolist())
    if isinstance(value, dict):
        return {str(key): bits(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [bits(item) for item in value]
    return repr(float(value)) if isinstance(value, float) else str(value)


def outcome(method: Callable[[Any], Any], m: Any) -> Any:
    """What a method gives, or how it fails."""
    try:
        return bits(method(m))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def loaded(name: str, *, data: bool) -> Any:
    """The model after it was saved."""
    return from_bytes(to_bytes(model(name), data=data), context(name))


# What a model gives of itself, and (OF_ROWS) of its rows.
ESTIMATES: dict[str, Callable[[Any], Any]] = {
    "summary": lambda m: str(m.summary()),
    "repr": repr,
    "covariance": lambda m: [m.fixef, m.bse, m.vcov],
    "fit": lambda m: [m.loglik, m.aic, m.bic, m.sigma, m.nobs, m.npar, m.df_resid, m.deviance],
    "missing": lambda m: m.missing,
    "convergence": lambda m: [str(m.convergence), m.convergence.hessian],
    "modes": lambda m: [dict(m.ranef(True)), m.ranef(True).sd, m.coef()],
    "variances": lambda m: [str(m.varcorr), m.variance_components()],
    "coefficients": lambda m: m.coefficients(),
    "kenward-roger": lambda m: m.coefficients("kenward-roger"),
    "normal": lambda m: m.coefficients("asymptotic"),
    "wald": lambda m: m.confint(method="wald"),
    "anova 1": lambda m: m.anova(1),
    "anova 3": lambda m: m.anova(3),
    "predict": lambda m: m.predict(new()),
    "population": lambda m: m.predict(new(), re_form="NA"),
    "one term": lambda m: m.predict(new(), re_form="~ (1 | g)"),
    "confidence": lambda m: m.predict(new(), interval="confidence"),
    "prediction": lambda m: m.predict(new(), interval="prediction"),
    "terms": lambda m: m.predict(new(), type="terms"),
    "dict": lambda m: m.to_dict(),
    "tidy": lambda m: [m.tidy(), m.glance()],
    "test": lambda m: m.test("x"),
    "blocks": lambda m: m.blocks(),
}
OF_ROWS: dict[str, Callable[[Any], Any]] = {
    "fitted": lambda m: m.fitted,
    "linear predictor": lambda m: m.linear_predictor,
    "residuals": lambda m: [m.residuals(t) for t in ("response", "pearson", "scaled")],
    "own rows": lambda m: m.predict(),
    "simulate": lambda m: m.simulate(2, seed=1),
    "refit": lambda m: m.refit(m.simulate(1, seed=2).iloc[:, 0]).fixef,
    "many": lambda m: m.refit(m.simulate(2, seed=2)).fixef,
    "objective": lambda m: [m.objective(m.theta * 1.1), m.gradient(m.theta * 1.1)],
    "means": lambda m: m.emmeans("f"),
    "augment": lambda m: m.augment(),
    "update": lambda m: m.update(". ~ . + I(x^3)").fixef,
}
