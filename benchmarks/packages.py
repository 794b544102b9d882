"""How each package fits a case, `fit(case, frame) -> (model, REML criterion or −2 log L)`, and
what is done with the fitted model.

A fit includes standard errors. Those of generalised models need a Hessian: glmm and lme4 compute it
in the call, ours on demand, so that it is demanded here.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from cases import Case

Fitted = tuple[Any, float]


def mixedmodels(case: Case, frame: pd.DataFrame) -> Fitted:
    import mixedmodels as mm

    if case.family is None:
        linear = mm.lmer(case.formula, frame)
        return linear, float(linear.reml_criterion or "nan")
    model = mm.glmer(case.formula, frame, family=case.family, nAGQ=case.nAGQ)
    assert model.bse.notna().all()
    return model, -2 * model.loglik


def glmm(case: Case, frame: pd.DataFrame) -> Fitted:
    import glmm

    # Nobody else computes these here: Satterthwaite's degrees of freedom, refits for a Poisson
    # model's table of likelihood ratios.
    options = {"satterthwaite": False, "anova_test": "Wald", "nagq": case.nAGQ}
    model = glmm.fit(frame, case.formula, family=case.family or "gaussian", **options)
    return model, -2 * model.loglik


def mixedlm(case: Case, frame: pd.DataFrame) -> Fitted:
    import mixedlm

    if case.family is None:
        linear = mixedlm.lmer(case.formula, frame)
        return linear, linear.REMLcrit()
    family = {"binomial": mixedlm.families.Binomial, "poisson": mixedlm.families.Poisson}
    model = mixedlm.glmer(case.formula, frame, family=family[case.family](), nAGQ=case.nAGQ)
    return model, -2 * float(model.logLik())


def statsmodels(case: Case, frame: pd.DataFrame) -> Fitted:
    from statsmodels.regression.mixed_linear_model import MixedLM

    fixed, columns, group = re.fullmatch(r"(.*) \+ \((.*) \| (\w+)\)", case.formula).groups()  # type: ignore[union-attr]
    model = MixedLM.from_formula(fixed, frame, groups=group, re_formula=f"~ {columns}")
    result = model.fit(reml=True)
    return result, -2 * result.llf


def response(case: Case, frame: pd.DataFrame) -> Any:
    return frame[case.formula.split(" ~ ")[0]].to_numpy()


def refit_many(model: Any, case: Case, frame: pd.DataFrame) -> Any:
    import numpy as np

    y = response(case, frame)
    noise = np.random.default_rng(0).normal(size=(len(y), 10_000))
    return model.refit(y[:, None] + noise)


# Tasks on a fitted model, package by package; packages not named have none.
TASKS: dict[str, dict[str, Callable[[Any, Case, pd.DataFrame], Any]]] = {
    "refit": {  # the fastest way that the package offers to fit another response
        "mixedmodels": lambda model, case, frame: model.refit(response(case, frame)),
        "mixedlm": lambda model, case, frame: model.refit(response(case, frame)),
        "glmm": lambda model, case, frame: glmm(case, frame),
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
    "leverages": {"mixedmodels": lambda model, *_: replace(model).hatvalues},
    "influence": {"mixedmodels": lambda model, *_: replace(model).influence(group(model))},
    "intervals": {
        "mixedmodels": lambda model, *_: replace(model).predict(interval="prediction"),
    },
}


def group(model: Any) -> str:
    """The first grouping factor."""
    return str(next(iter(model.ngroups)))


def bootstrap(model: Any) -> Any:
    import mixedmodels as mm

    return mm.bootstrap(model, 1000, seed=1, progress=False).to_frame()


FIT = {"mixedmodels": mixedmodels, "glmm": glmm, "mixedlm": mixedlm, "statsmodels": statsmodels}


def quiet() -> None:
    warnings.simplefilter("ignore")
