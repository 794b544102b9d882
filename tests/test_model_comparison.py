"""Models side by side."""

from __future__ import annotations

import numpy as np
import pytest

import mixedmodels as mm
from reference_data import load

pytestmark = pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")


@pytest.fixture(scope="module")
def models():
    data = mm.datasets.load("anxiety")
    return {
        "pooled": mm.lm("anxiety ~ therapy_sessions", data),
        "mixed": mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data),
        "slopes": mm.lmer("anxiety ~ therapy_sessions + (therapy_sessions | clinic)", data),
    }


def cells(table, name):
    frame = table.to_frame().set_index("term")
    return {term: cell for term, cell in frame[name].items() if cell}


def test_cells_are_the_models_numbers(models):
    table = mm.compare(models)
    mixed = models["mixed"]
    found = cells(table, "mixed")
    estimate, error = found["therapy_sessions"].split()
    assert float(estimate) == pytest.approx(mixed.fixef["therapy_sessions"], abs=5e-5)
    assert float(error.strip("()")) == pytest.approx(mixed.bse["therapy_sessions"], abs=5e-5)
    assert found["Observations"] == "300"
    assert found["Groups: clinic"] == "15"
    expected = {
        "SD (Intercept) by clinic": mixed.varcorr.terms[0].sd[0],
        "SD residual": mixed.sigma,
        "R² marginal": mixed.r2().marginal,
        "R² conditional": mixed.r2().conditional,
        "ICC": mixed.icc().adjusted,
        "AIC": mixed.aic,
        "BIC": mixed.bic,
        "Log-likelihood": mixed.loglik,
    }
    for label, value in expected.items():
        assert float(found[label]) == pytest.approx(value, rel=1e-2), label


def test_each_model_has_its_own_rows(models):
    table = mm.compare(models)
    pooled, slopes = cells(table, "pooled"), cells(table, "slopes")
    assert "SD (Intercept) by clinic" not in pooled
    assert float(pooled["R²"]) == pytest.approx(models["pooled"].r2().marginal, abs=5e-4)
    assert "Correlation (Intercept), therapy_sessions by clinic" in slopes
    frame = table.to_frame()
    assert frame["section"].unique().tolist() == ["Fixed effects", "Random effects", "Fit"]
    assert frame["term"].is_unique


def test_names(models):
    assert list(mm.compare(list(models.values())).models) == ["model 1", "model 2", "model 3"]
    assert list(mm.compare(models).models) == list(models)
    assert mm.compare(models).models["mixed"].endswith("REML")


def test_what_stands_beside_an_estimate(models):
    interval = cells(mm.compare(models, beside="interval", level=0.9), "pooled")
    low, high = interval["therapy_sessions"].split("[")[1].strip("]").split(", ")
    expected = models["pooled"].coefficients(level=0.9).set_index("term")
    ends = expected.loc["therapy_sessions", ["conf_low", "conf_high"]].tolist()
    np.testing.assert_allclose([float(low), float(high)], ends, atol=5e-5)
    p = mm.compare(models, beside="p_value", ddf="none")
    assert cells(p, "mixed")["(Intercept)"] == "50.942"
    assert "(<2e-16)" in cells(mm.compare(models, beside="p_value"), "mixed")["(Intercept)"]


def test_stars(models):
    assert "*** (" in cells(mm.compare(models, stars=True), "mixed")["(Intercept)"]
    assert "Signif. codes" in str(mm.compare(models, stars=True))
    assert "*" not in cells(mm.compare(models), "mixed")["(Intercept)"]


def test_models_of_different_kinds(models):
    data = load("cbpp")
    formula = "cbind(incidence, size - incidence) ~ period"
    table = mm.compare(
        {
            "glm": mm.glm(formula, data),
            "glmer": mm.glmer(f"{formula} + (1 | herd)", data),
            "nb": mm.glmer("incidence ~ period + (1 | herd)", data, family="negative_binomial"),
            "linear": models["mixed"],
        }
    )
    assert "period2" not in cells(table, "linear")
    assert "SD residual" not in cells(table, "glmer")
    assert float(cells(table, "nb")["Dispersion"]) > 0
    assert "cannot be compared: models 1 and 3" in str(table)
    assert "Laplace" in table.models["glmer"]


def test_a_model_from_arrays_and_one_without_some_coefficients(models):
    data = mm.datasets.load("anxiety")
    ones = np.ones(len(data))
    arrays = mm.lmer_arrays(data["anxiety"], ones, [(ones, data["clinic"])])
    data["twice"] = 2 * data["therapy_sessions"]
    with pytest.warns(mm.RankDeficiencyWarning):
        deficient = mm.lmer("anxiety ~ therapy_sessions + twice + (1 | clinic)", data)
    table = mm.compare({"arrays": arrays, "deficient": deficient})
    assert "twice" not in table.to_frame()["term"].tolist()
    assert table.models["arrays"].startswith("fitted from arrays")


def test_fits_by_reml_are_told_apart(models):
    mixed = models["mixed"]
    assert "REML cannot be compared" in str(mm.compare([mixed, mixed.update(REML=False)]))
    assert "cannot be compared" not in str(mm.compare([mixed, models["slopes"]]))


def test_formats(models):
    table = mm.compare(models)
    text = str(table).split("\n")
    rules = [line for line in text if set(line) == {"-"}]
    assert len(rules) == 4
    assert table.to_latex().count(r"\midrule") == 3
    assert table._repr_html_().count("border-top:1px solid") == 2
    assert table.to_markdown().count("\n| ") == len(table.to_frame()) + 1


def test_great_tables(models):
    package = pytest.importorskip("great_tables")
    frame = mm.compare(models).to_frame()
    html = package.GT(frame, rowname_col="term", groupname_col="section").as_raw_html()
    assert "Random effects" in html


WRONG = {
    "a list or a dict": lambda m: mm.compare(m["mixed"]),
    "is of type str": lambda m: mm.compare(["mixed"]),
    "no model": lambda m: mm.compare([]),
    "choose one of": lambda m: mm.compare(m, beside="t"),
    "level is": lambda m: mm.compare(m, level=95),
}


@pytest.mark.parametrize("message", WRONG)
def test_errors(models, message):
    with pytest.raises(mm.ArgumentError, match=message):
        WRONG[message](models)
