"""The models of the clinic tutorial, fitted once for all tests."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import pandas as pd

import mixedmodels as mm

FIXED = "anxiety ~ therapy_sessions"
INTERCEPTS = f"{FIXED} + (1 | clinic)"
SLOPES = f"{FIXED} + (therapy_sessions | clinic)"
UNCORRELATED = f"{FIXED} + (therapy_sessions || clinic)"


@functools.cache
def data() -> pd.DataFrame:
    return mm.datasets.load("anxiety")


@functools.cache
def visits() -> pd.DataFrame:
    return mm.datasets.load("anxiety_longitudinal")


@functools.cache
def ordinary() -> Any:
    return mm.lm(FIXED, data())


@functools.cache
def fit(formula: str, REML: bool = True) -> Any:
    return mm.lmer(formula, data(), REML=REML)


@functools.cache
def three_levels(na_action: Any = "drop") -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MissingDataWarning)
        formula = "anxiety ~ month * treatment + (1 | clinic) + (1 | patient_id)"
        return mm.lmer(formula, visits(), na_action=na_action)
