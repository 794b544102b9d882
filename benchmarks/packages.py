"""How each package fits a case: `fit(formula, frame) -> (model, −2 log L or REML criterion)`."""

from __future__ import annotations

import re
import warnings
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


def refit(package: str, model: Any, formula: str, frame: pd.DataFrame) -> Any:
    """The fastest way that the package offers to fit the same model to another response."""
    response = frame[formula.split(" ~ ")[0]].to_numpy()
    if package in ("mixedmodels", "mixedlm"):
        return model.refit(response)
    return glmm(formula, frame)


FIT = {"mixedmodels": mixedmodels, "glmm": glmm, "mixedlm": mixedlm, "statsmodels": statsmodels}


def quiet() -> None:
    warnings.simplefilter("ignore")
