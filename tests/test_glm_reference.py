"""`mm.glm` against R's glm and MASS::glm.nb, quantity by quantity; reference/glm.json."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
from test_generalised_reference import FAMILIES
from test_reference import Quantity, Reference, first_ten, relative, values

MODELS: dict[str, Reference] = reference_data.read_json("glm.json")["models"]


@functools.cache
def fitted(name: str) -> Any:
    ref = MODELS[name]
    return mm.glm(
        ref["formula"],
        reference_data.load(ref["data"]),
        family=FAMILIES.get(ref["family"], ref["family"]),
        link=ref["link"],
        weights=ref["weights"],
    )


QUANTITIES = {
    "beta": Quantity(
        lambda m: m.fixef, lambda r: values(r["beta"]), 1e-6, lambda r: values(r["se"])
    ),
    "standard errors": Quantity(lambda m: m.bse, lambda r: values(r["se"]), 1e-6, relative("se")),
    "vcov": Quantity(
        lambda m: m.vcov,
        lambda r: np.array(r["vcov"]),
        2e-6,
        lambda r: np.outer(values(r["se"]), values(r["se"])),
    ),
    "log-likelihood": Quantity(lambda m: m.loglik, lambda r: r["logLik"], 1e-7),
    "AIC": Quantity(lambda m: m.aic, lambda r: r["AIC"], 1e-6),
    "BIC": Quantity(lambda m: m.bic, lambda r: r["BIC"], 1e-6),
    "deviance": Quantity(lambda m: m.deviance, lambda r: r["deviance"], 1e-6, relative("deviance")),
    "sigma": Quantity(lambda m: m.sigma, lambda r: r["sigma"], 1e-6, relative("sigma")),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_quantity(name: str, quantity: str) -> None:
    q, ref = QUANTITIES[quantity], MODELS[name]
    error = np.abs(np.asarray(q.actual(fitted(name)), dtype=float) - np.asarray(q.expected(ref)))
    assert np.all(error <= q.tolerance * np.asarray(q.scale(ref))), error


@pytest.mark.parametrize("name", MODELS)
def test_names_and_counts(name: str) -> None:
    m, ref = fitted(name), MODELS[name]
    assert list(m.fixef.index) == list(ref["beta"])
    assert m.nobs == ref["n"]
    assert m.df_resid == ref["df_resid"]
    assert m.converged


ROWS: dict[str, Callable[[Any], pd.Series]] = {
    "fitted": lambda m: m.fitted,
    "linear_predictor": lambda m: m.linear_predictor,
    "residuals": lambda m: m.residuals("response"),
    "residuals_pearson": lambda m: m.residuals("pearson"),
    "residuals_deviance": lambda m: m.residuals("deviance"),
    "residuals_working": lambda m: m.residuals("working"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("column", ROWS)
def test_rows(name: str, column: str) -> None:
    series = ROWS[column](fitted(name))
    error = np.abs(first_ten(series) - np.array(MODELS[name][column]))
    assert np.all(error <= 1e-6 * series.std())


def test_dispersion_of_the_negative_binomial() -> None:
    expected = MODELS["negative_binomial"]["nb_theta"]
    assert fitted("negative_binomial").dispersion == pytest.approx(expected, rel=1e-5)
