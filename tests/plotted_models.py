"""Models that the tests of plots draw, one of each kind, and what every plot must do."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib
import pandas as pd

import mixedmodels as mm
import reference_data

matplotlib.use("Agg")

import matplotlib.pyplot as plt

CBPP = "cbind(incidence, size - incidence) ~ period"


def _lmer() -> Any:
    return mm.lmer("Reaction ~ Days + (Days | Subject)", reference_data.load("sleepstudy"))


def _lm() -> Any:
    return mm.lm("Reaction ~ Days", reference_data.load("sleepstudy"))


def _glmer() -> Any:
    return mm.glmer(f"{CBPP} + (1 | herd)", reference_data.load("cbpp"), family="binomial")


def _glm() -> Any:
    return mm.glm(CBPP, reference_data.load("cbpp"), family="binomial")


def _binary() -> Any:
    data = reference_data.load("Contraception")
    return mm.glmer("use ~ age + urban + (1 | district)", data, family="binomial", nAGQ=0)


def _weighted() -> Any:
    """Missing values, rows of weight zero, a column that is a combination of others."""
    data = reference_data.load("sleepstudy")
    data["w"] = 1.0 + data["Days"] % 3
    data.loc[data.index[5], "w"] = 0.0
    data["twice"] = 2 * data["Days"]
    data.loc[data.index[10], "Reaction"] = float("nan")
    return mm.lmer(
        "Reaction ~ Days + twice + (1 | Subject)", data, weights="w", na_action="exclude"
    )


def _arrays() -> Any:
    data = reference_data.load("sleepstudy")
    ones = pd.DataFrame({"(Intercept)": 1.0, "Days": data["Days"]})
    return mm.lmer_arrays(data["Reaction"], ones, [(ones, data["Subject"])])


def _refitted() -> Any:
    model = _lmer()
    return model.refit(model.simulate(1, seed=3).iloc[:, 0])


def _gamma() -> Any:
    return mm.glm("Reaction ~ Days", reference_data.load("sleepstudy"), family="gamma")


MAKERS: dict[str, Callable[[], Any]] = {
    "lmer": _lmer,
    "lm": _lm,
    "glmer": _glmer,
    "glm": _glm,
    "binary": _binary,
    "weighted": _weighted,
    "arrays": _arrays,
    "refitted": _refitted,
    "gamma": _gamma,
}


@functools.cache
def model(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return MAKERS[name]()


@functools.cache
def dyestuff(name: str = "Dyestuff") -> Any:
    """By maximum likelihood; of "Dyestuff2" the variance between batches is zero."""
    return mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load(name), REML=False)


def draws_where_told(plot: Callable[..., Any]) -> Any:
    """The Axes of a one-panel plot, which was given them; checks that no figure is left behind."""
    assert plt.get_fignums() == []
    figure, ax = plt.subplots()
    settings = matplotlib.rcParams.copy()
    assert plot(ax=ax) is ax
    assert plt.get_fignums() == [figure.number]
    assert matplotlib.rcParams == settings
    plt.close(figure)

    made = plot()  # a figure that pyplot shows
    assert plt.get_fignums() == [made.figure.number]
    plt.close(made.figure)
    assert ax.get_xlabel()
    assert ax.get_title()
    return ax
