"""Tests of generalised models: car's Wald tables, likelihood-ratio tables, single deletions."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data


def entries(file: str, what: str) -> dict[str, Any]:
    found = reference_data.read_json(f"inference/{file}.json")[what]
    return {name: entry for name, entry in found.items() if entry.get("family")}


WALD = entries("anova_wald", "models")
LRT = entries("anova_lrt", "tables")
DROP1 = entries("drop1", "models")


pytestmark = pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")


@functools.cache
def fit(formula: str, data: str, **rest: Any) -> Any:
    return mm.glmer(formula, reference_data.load(data), **rest)


# --- Wald tests of terms ---


def expected_rows(table: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(table).T.drop(index="(Intercept)", errors="ignore").astype(float)


def assert_rows_agree(table: pd.DataFrame, expected: pd.DataFrame) -> None:
    rows = table.loc[expected.index]
    np.testing.assert_allclose(rows["Chisq"], expected["Chisq"], rtol=1e-4)
    np.testing.assert_array_equal(rows["Df"], expected["Df"])
    np.testing.assert_allclose(rows["Pr(>Chisq)"], expected["Pr(>Chisq)"], rtol=2e-3)


@pytest.mark.parametrize("name", WALD)
def test_wald_tests_of_type_two(name: str) -> None:
    entry = WALD[name]
    table = fit(entry["formula"], entry["data"]).anova(type=2)
    expected = expected_rows(entry["type_II"])
    assert list(table.index) == list(expected.index)
    assert_rows_agree(table, expected)


# Where car tests at the base level of trt (treatment contrasts), ours averages over its levels.
AT_THE_BASE = {"glmmsim_binomial_slopes": ["x"]}


@pytest.mark.parametrize("name", WALD)
def test_wald_tests_of_type_three(name: str) -> None:
    entry = WALD[name]
    table = fit(entry["formula"], entry["data"]).anova()
    assert table.title == "Type III analysis of deviance; Wald χ² tests"
    expected = expected_rows(entry["type_III"]).drop(index=AT_THE_BASE.get(name, []))
    assert_rows_agree(table, expected)


def test_type_three_does_not_depend_on_contrasts() -> None:
    entry = WALD["glmmsim_binomial_slopes"]
    data = reference_data.load(entry["data"])
    tables = [
        mm.glmer(entry["formula"], data, contrasts={"trt": coding}).anova()
        for coding in ("treatment", "sum")
    ]
    np.testing.assert_allclose(tables[0]["Chisq"], tables[1]["Chisq"], rtol=1e-4)


def test_joint_hypotheses_are_chi_square() -> None:
    m = fit(WALD["cbpp_laplace"]["formula"], "cbpp")
    table = m.test(["period2 = 0", "period3 = 0", "period4 = 0"])
    expected = WALD["cbpp_laplace"]["type_II"]["period"]
    assert table.joint.statistic * 3 == pytest.approx(expected["Chisq"], rel=1e-4)
    assert np.isinf(table.joint.den_df)
    assert table.notes[0].startswith("Jointly: χ²(3) = 24.9")


# --- Likelihood ratios ---


@pytest.mark.parametrize("name", LRT)
def test_likelihood_ratio_tables(name: str) -> None:
    entry = LRT[name]
    models = [fit(formula, entry["data"]) for formula in entry["models"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.BoundaryWarning)
        table = mm.anova(*models)
    expected = pd.DataFrame(entry["refit_ML"])
    for column in ("npar", "AIC", "BIC", "logLik", "deviance", "Chisq", "Df"):
        np.testing.assert_allclose(table[column], expected[column].astype(float), atol=2e-5)
    np.testing.assert_allclose(table["Pr(>Chisq)"], expected["p"].astype(float), rtol=1e-4)


@pytest.mark.parametrize("name", DROP1)
def test_single_deletions(name: str) -> None:
    entry = DROP1[name]
    table = fit(entry["formula"], entry["data"]).drop1()
    expected = pd.DataFrame(entry["table"]).T.astype(float)
    assert list(table.index) == list(expected.index)
    np.testing.assert_allclose(table["npar"], expected["npar"])
    for column in ("AIC", "LRT"):
        np.testing.assert_allclose(table[column], expected[column], atol=2e-5)
    np.testing.assert_allclose(table["Pr(Chi)"], expected["p"], rtol=1e-4)


def test_a_mixed_model_against_the_baseline() -> None:
    formula = "cbind(incidence, size - incidence) ~ period"
    o, m = mm.glm(formula, reference_data.load("cbpp")), fit(f"{formula} + (1 | herd)", "cbpp")
    with pytest.warns(mm.BoundaryWarning):
        table = mm.anova(o, m)
    assert table["Chisq"].iloc[1] == pytest.approx(2 * (m.loglik - o.loglik))
    assert table["Pr(mixture)"].iloc[1] == pytest.approx(table["Pr(>Chisq)"].iloc[1] / 2)
    np.testing.assert_allclose(mm.ranova(m)["LRT"].iloc[1], table["Chisq"].iloc[1])


# --- Which likelihoods compare (comparability.py) ---

COUNTS = "y_nb ~ x + offset(log_exposure) + (1 | grp)"


def test_poisson_is_a_limit_of_the_negative_binomial() -> None:
    data = reference_data.load("glmmsim")
    poisson = mm.glmer(COUNTS, data, family="poisson")
    other = mm.glmer(COUNTS, data, family="negative_binomial")
    with pytest.warns(mm.BoundaryWarning, match="1/θ = 0"):
        table = mm.anova(poisson, other)
    assert table["Pr(mixture)"].iloc[1] == pytest.approx(table["Pr(>Chisq)"].iloc[1] / 2)
    assert not any("not nested" in note for note in table.notes)


@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
def test_notes_of_what_does_not_compare() -> None:
    data, formula = reference_data.load("cbpp"), "cbind(incidence, size - incidence) ~ period"
    m = fit(f"{formula} + (1 | herd)", "cbpp")
    null = m.update(". ~ . - period")

    def notes(*models: Any) -> str:
        return " ".join(mm.anova(*models).notes)

    assert "differ in nAGQ" in notes(null.update(nAGQ=5), m)
    probit = mm.families.binomial("probit")
    assert "not nested" in notes(null.update(family=probit), m)
    counts = reference_data.load("glmmsim")
    linear = mm.lmer("y_pois ~ x + (1 | grp)", counts, REML=False)
    assert "not nested" in notes(linear, mm.glmer(linear.formula, counts, family="poisson"))
    by_both = [f.update(family=probit, criterion=c) for f, c in ((null, "observed"), (m, "fisher"))]
    assert "expected or observed information" in notes(*by_both)
    assert notes(null, m) == ""
    with pytest.raises(mm.DataError, match="different weights"):
        mm.anova(m, mm.glmer("incidence/size ~ 1 + (1 | herd)", data, weights=data["size"] * 2))
    gammas = [
        mm.glm(f, reference_data.load("glmmsim"), family="Gamma", link="log")
        for f in ("y_gamma ~ 1", "y_gamma ~ x")
    ]
    table = mm.anova(*gammas)
    assert "lme4's definition" in table.notes[-1]
    assert table["Chisq"].iloc[1] == pytest.approx(2 * (gammas[1].loglik - gammas[0].loglik))
