"""Single term deletions: lme4's numbers, marginality, and the rows they are made on."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
import reference_data

REFERENCE = ["cake_additive", "cake_int", "anxlong"]


@functools.cache
def fit(formula: str, data: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return mm.lmer(formula, reference_data.load(data))


@pytest.mark.parametrize("name", REFERENCE)
def test_reference(name: str) -> None:
    reference = reference_data.read_json("inference/drop1.json")["models"][name]
    expected = pd.DataFrame(reference["table"]).T.astype(float)
    table = fit(reference["formula"], reference["data"]).drop1()
    assert list(table.index) == list(expected.index)
    assert list(table.columns) == ["npar", "AIC", "LRT", "Pr(Chi)"]
    np.testing.assert_allclose(table, expected, rtol=1e-6)
    assert "maximum likelihood" in table.title


# formula → terms that may go
MARGINALITY = {
    "y ~ a * b + x": ["x", "a:b"],
    "y ~ a + b + x": ["a", "b", "x"],
    "y ~ x + x:z": ["x:z"],
    "y ~ 1": [],
    "y ~ 0 + a + x": ["a", "x"],
}


@functools.cache
def small() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    n = 120
    data = pd.DataFrame(
        {
            "a": rng.choice(["u", "v"], n),
            "b": rng.choice(["k", "l", "m"], n),
            "x": rng.normal(size=n),
            "z": rng.normal(size=n),
            "w": rng.uniform(0.5, 2.0, n),
            "g": rng.integers(0, 12, n),
        }
    )
    data["y"] = data["x"] + rng.normal(size=12)[data["g"]] + rng.normal(size=n)
    return data


@pytest.mark.parametrize("formula", MARGINALITY)
def test_marginality(formula: str) -> None:
    table = mm.lmer(f"{formula} + (1 | g)", small()).drop1()
    assert list(table.index) == ["<none>", *MARGINALITY[formula]]


@pytest.mark.parametrize("term", ["a", "x"])
def test_without_an_intercept_it_is_the_model_one_would_write(term: str) -> None:
    """Without `a` the other factor takes over one column a level."""
    m = mm.lmer("y ~ 0 + a + b + x + (1 | g)", small())
    left = {"a": "b + x", "x": "a + b"}[term]
    smaller = mm.lmer(f"y ~ 0 + {left} + (1 | g)", small(), REML=False)
    assert m.drop1(term).loc[term, "AIC"] == pytest.approx(smaller.aic, rel=1e-10)
    assert m.drop1(term).loc[term, "npar"] == 1


def test_scope() -> None:
    m = mm.lmer("y ~ a + b + x + (1 | g)", small())
    table = m.drop1(["x", "a"])
    assert list(table.index) == ["<none>", "a", "x"]
    np.testing.assert_allclose(table, m.drop1().loc[["<none>", "a", "x"]])
    assert list(m.drop1("b").index) == ["<none>", "b"]
    with pytest.raises(mm.ArgumentError, match="'B' is not a term of the fixed part; did you mean"):
        m.drop1("B")
    for nothing in ([], 5):
        with pytest.raises(mm.ArgumentError, match="list of labels"):
            m.drop1(nothing)  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::mixedmodels.MissingDataWarning")
def test_the_rows_stay() -> None:
    """x is missing in rows that a model without x would use."""
    data = small().copy()
    data.loc[::7, "x"] = np.nan
    m = mm.lmer("y ~ a + x + (1 | g)", data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = m.drop1()
    smaller = mm.lmer("y ~ a + (1 | g)", data.dropna(), REML=False)
    assert table.loc["x", "AIC"] == pytest.approx(smaller.aic, rel=1e-10)


def test_weights_offset_contrasts_and_functions_stay() -> None:
    options = {"weights": "w", "offset": "z", "contrasts": {"b": "sum"}}
    context = {"half": lambda x: x / 2}
    m = mm.lmer("y ~ half(x) + b + center(z) + (1 | g)", small(), **options, context=context)
    options.pop("contrasts")
    table = m.drop1()
    smaller = mm.lmer("y ~ x + z + (1 | g)", small(), REML=False, **options)
    assert table.loc["b", "AIC"] == pytest.approx(smaller.aic, rel=1e-8)


def test_after_refit() -> None:
    y = np.random.default_rng(1).normal(size=120)
    m = mm.lmer("y ~ a + x + (1 | g)", small())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        table = m.refit(y).drop1()
        expected = mm.lmer("y ~ a + x + (1 | g)", small().assign(y=y)).drop1()
    np.testing.assert_allclose(table, expected, rtol=1e-8)


def test_ordinary_regression() -> None:
    table = clinic.ordinary().drop1()
    n, rss = 300, clinic.ordinary().rss
    tss = float(((clinic.data()["anxiety"] - clinic.data()["anxiety"].mean()) ** 2).sum())
    assert table.loc["therapy_sessions", "LRT"] == pytest.approx(n * np.log(tss / rss))


def test_a_term_that_others_determine() -> None:
    table = fit("Reaction ~ Days + Days2x + grp + (1 | Subject)", "sleepstudy_aux").drop1()
    assert list(table["npar"].iloc[1:]) == [0, 0, 2]
    assert np.isnan(table.loc["Days", "Pr(Chi)"])
    assert "Days2x: other terms determine it" in str(table)


def test_a_model_from_arrays_has_no_terms() -> None:
    data = small()
    m = mm.lmer_arrays(data["y"], data[["x", "z"]], [(np.ones(120), data["g"])])
    with pytest.raises(mm.DataError, match="drop1 needs a formula"):
        m.drop1()
