"""How each package fits a case, `fit(formula, frame) -> (model, −2 log L or REML criterion)`, and
what is done with the fitted model."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

Fitted = tuple[Any, float]


def mixedmodels(formula: str, frame: pd.DataFrame) -> Fitted:
    import mixedmodels as mm

    model = mm.lmer(formula, frame)
    return model, float(model.reml_criterion or "nan")


def glmm(formula: str, frame: pd.DataFrame) -> Fitted:
    import glmm

    model = glmm.fit(frame, formula, satterthwaite=False)  # nobody else computes them here
    return model, -2 * model.loglik


def mixedlm(formula: str, frame: pd.DataFrame) -> Fitted:
    import mixedlm

    model = mixedlm.lmer(formula, frame)
    return model, model.REMLcrit()


def statsmodels(formula: str, frame: pd.DataFrame) -> Fitted:
    from statsmodels.regression.mixed_linear_model import MixedLM

    fixed, columns, group = re.fullmatch(r"(.*) \+ \((.*) \| (\w+)\)", formula).groups()  # type: ignore[union-attr]
    model = MixedLM.from_formula(fixed, frame, groups=group, re_formula=f"~ {columns}")
    result = model.fit(reml=True)
    return result, -2 * result.llf


def response(formula: str, frame: pd.DataFrame) -> Any:
    return frame[formula.split(" ~ ")[0]].to_numpy()


def refit_many(model: Any, formula: str, frame: pd.DataFrame) -> Any:
    import numpy as np

    y = response(formula, frame)
    noise = np.random.default_rng(0).normal(size=(len(y), 10_000))
    return model.refit(y[:, None] + noise)


# Tasks on a fitted model, package by package; packages not named have none.
TASKS: dict[str, dict[str, Callable[[Any, str, pd.DataFrame], Any]]] = {
    "refit": {  # the fastest way that the package offers to fit another response
        "mixedmodels": lambda model, formula, frame: model.refit(response(formula, frame)),
        "mixedlm": lambda model, formula, frame: model.refit(response(formula, frame)),
        "glmm": lambda model, formula, frame: glmm(formula, frame),
    },
    "refit-many": {"mixedmodels": refit_many},
    "satterthwaite": {
        # A new object of the same fit each time: the model keeps what it has computed.
        "mixedmodels": lambda model, *_: replace(model).coefficients("satterthwaite"),
    },
    "kenward-roger": {
        "mixedmodels": lambda model, *_: replace(model).coefficients("kenward-roger"),
    },
    "profile": {"mixedmodels": lambda model, *_: model.confint(method="profile")},
    "bootstrap": {"mixedmodels": lambda model, *_: bootstrap(model)},
}


def bootstrap(model: Any) -> Any:
    import mixedmodels as mm

    return mm.bootstrap(model, 1000, seed=1, progress=False).to_frame()


FIT = {"mixedmodels": mixedmodels, "glmm": glmm, "mixedlm": mixedlm, "statsmodels": statsmodels}


def quiet() -> None:
    warnings.simplefilter("ignore")
