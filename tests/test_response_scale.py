"""Back-transformation of marginal means and contrasts against R's emmeans and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import mixedmodels as mm
import reference_data
from dense_families import LINKS
from mixedmodels.marginal_means.mean_contrasts import contrast_coefficients
from mixedmodels.marginal_means.response_scale import Scale, are_differences, ratio_scale
from test_emmeans import check_p_value
from test_generalised_reference import fitted

CBPP = reference_data.read_json("inference/emmeans_cbpp_laplace.json")["asymptotic"]


def test_means_of_emmeans() -> None:
    """The reference's own probabilities from its means on the scale of the link."""
    link, response = pd.DataFrame(CBPP["emmeans"]), pd.DataFrame(CBPP["response"])
    scale = Scale("logit", "prob", LINKS["logit"].mean, LINKS["logit"].slope)
    estimate, error = scale.estimate(link["emmean"].to_numpy(), link["SE"].to_numpy())
    np.testing.assert_allclose(estimate, response["prob"], rtol=1e-12)
    np.testing.assert_allclose(error, response["SE"], rtol=1e-12)
    low, high = scale.ends(link["asymp.LCL"].to_numpy(), link["asymp.UCL"].to_numpy())
    np.testing.assert_allclose(low, response["asymp.LCL"], rtol=1e-10)
    np.testing.assert_allclose(high, response["asymp.UCL"], rtol=1e-10)
    np.testing.assert_allclose(scale.mean(np.zeros(4)), response["null"])


def test_a_decreasing_link_turns_the_ends_round() -> None:
    scale = Scale("inverse", "response", LINKS["inverse"].mean, LINKS["inverse"].slope)
    low, high = scale.ends(np.array([0.25]), np.array([0.5]))
    assert (low[0], high[0]) == (2.0, 4.0)
    estimate, error = scale.estimate(np.array([0.5]), np.array([0.1]))
    assert (estimate[0], error[0]) == (2.0, pytest.approx(0.4))


def test_an_end_beyond_the_range_of_exp_is_infinite() -> None:
    scale = ratio_scale("logit")
    assert scale is not None
    low, high = scale.ends(np.array([-1e4]), np.array([1e4]))
    assert (low[0], high[0]) == (0.0, np.inf)


@pytest.mark.parametrize(
    ("link", "column", "name"),
    [("logit", "odds.ratio", "log odds ratio"), ("log", "ratio", "log")],
)
def test_differences_become_ratios(link: str, column: str, name: str) -> None:
    scale = ratio_scale(link)
    assert scale is not None
    assert (scale.column, scale.link) == (column, name)
    estimate, error = scale.estimate(np.array([0.7]), np.array([0.2]))
    assert estimate[0] == pytest.approx(np.exp(0.7))
    assert error[0] == pytest.approx(0.2 * np.exp(0.7))


def test_the_odds_ratio_is_one_of_odds() -> None:
    scale = ratio_scale("logit")
    assert scale is not None
    a, b = expit(0.4), expit(-0.9)
    odds = (a / (1 - a)) / (b / (1 - b))
    assert scale.mean(np.array([0.4 + 0.9]))[0] == pytest.approx(odds)


@pytest.mark.parametrize("link", [None, "probit", "cloglog", "inverse", "sqrt"])
def test_other_links_keep_differences(link: str | None) -> None:
    assert ratio_scale(link) is None


def test_only_differences_are_ratios() -> None:
    assert are_differences(np.array([[1.0, -1.0, 0.0], [1 / 3, 1 / 3, -2 / 3]]))
    assert not are_differences(np.array([[1.0, -1.0, 0.0], [1.0, 0.0, 0.0]]))


LABELS = {  # of three means "a", "b" and the awkward "c-d"
    "pairwise": ["a / b", "a / (c-d)", "b / (c-d)"],
    "revpairwise": ["b / a", "(c-d) / a", "(c-d) / b"],
    "trt.vs.ctrl": ["b / a", "(c-d) / a"],
    "consec": ["b / a", "(c-d) / b"],
    "eff": ["a effect", "b effect", "(c-d) effect"],
    "poly": ["linear", "quadratic"],
}


@pytest.mark.parametrize("method", LABELS)
def test_labels_of_ratios(method: str) -> None:
    labels, coefficients = contrast_coefficients(method, ["a", "b", "c-d"], "/")
    assert labels == LABELS[method]
    assert are_differences(coefficients)
    minus, same = contrast_coefficients(method, ["a", "b", "c-d"])
    assert [label.replace(" / ", " - ") for label in labels] == minus
    np.testing.assert_array_equal(coefficients, same)


# --- Fitted models ---

TABLES = {
    "emmeans": lambda m: m.emmeans("period").table,
    "response": lambda m: m.emmeans("period", type="response").table,
    "pairs_tukey": lambda m: m.emmeans("period").pairs(),
    "pairs_none": lambda m: m.emmeans("period").pairs("none"),
    "pairs_holm": lambda m: m.emmeans("period").pairs("holm"),
}


@pytest.mark.parametrize("name", TABLES)
def test_tables_of_emmeans(name: str) -> None:
    table, expected = TABLES[name](fitted("cbpp_laplace")), CBPP[name]
    assert len(table) == len(expected)
    for (_, row), wanted in zip(table.iterrows(), expected, strict=True):
        for column, value in wanted.items():
            if isinstance(value, str):
                assert row[column] == value
            elif value is None:
                assert row[column] == np.inf
            elif column == "p.value":
                check_p_value(row[column], value)
            else:
                assert row[column] == pytest.approx(value, rel=1e-6, abs=1e-9), column


def test_odds_ratios_are_the_exponentials_of_the_differences() -> None:
    means = fitted("cbpp_laplace").emmeans("period")
    ratios = fitted("cbpp_laplace").emmeans("period", type="response").pairs()
    differences = means.pairs()
    np.testing.assert_allclose(ratios["odds.ratio"], np.exp(differences["estimate"]))
    for end in ("asymp.LCL", "asymp.UCL"):
        np.testing.assert_allclose(ratios[end], np.exp(differences[end]))
    np.testing.assert_allclose(ratios["SE"], ratios["odds.ratio"] * differences["SE"])
    np.testing.assert_allclose(ratios["p.value"], differences["p.value"])
    assert list(ratios["null"]) == [1.0] * 6
    assert ratios["contrast"][0] == "period1 / period2"
    assert "Tests are performed on the log odds ratio scale" in ratios.notes
    assert any("log odds ratio (not the response)" in note for note in differences.notes)


def test_a_contrast_that_is_no_difference_stays_on_the_links_scale() -> None:
    means = fitted("cbpp_laplace").emmeans("period", type="response")
    first = means.contrast({"first": [1, 0, 0, 0]})
    assert first["estimate"][0] == pytest.approx(CBPP["emmeans"][0]["emmean"], rel=1e-5)
    assert any("logit (not the response)" in note for note in first.notes)


def test_other_links_have_differences() -> None:
    means = fitted("cbpp_probit").emmeans("period", type="response")
    assert "prob" in means.table
    assert "estimate" in means.pairs()
    assert any("probit (not the response)" in note for note in means.pairs().notes)


@pytest.fixture(scope="module")
def rates() -> Any:
    formula = "y_pois ~ trt + offset(log(exposure)) + (1 | grp)"
    return mm.glmer(formula, reference_data.load("glmmsim"), family="poisson")


def test_rates_are_predictions_on_the_grid(rates: Any) -> None:
    """The offset is evaluated at the mean exposure."""
    exposure = reference_data.load("glmmsim")["exposure"].mean()
    grid = pd.DataFrame({"trt": ["a", "b", "c"], "exposure": exposure})
    means = rates.emmeans("trt", type="response")
    np.testing.assert_allclose(means["rate"], rates.predict(grid, re_form="NA"))
    ratios = means.pairs("none")
    assert ratios["ratio"][0] == pytest.approx(np.exp(-rates.fixef["trtb"]))
    assert "emmean" in rates.emmeans("trt").table


def test_joint_tests_have_infinite_degrees_of_freedom(rates: Any) -> None:
    tests = rates.emmeans("trt").joint_tests()
    assert (tests["df1"][0], tests["df2"][0]) == (2, np.inf)
    kept = ["trtb", "trtc"]
    beta, covariance = rates.fixef[kept], rates.vcov.loc[kept, kept]
    wald = beta @ np.linalg.solve(covariance, beta)
    assert tests["F.ratio"][0] == pytest.approx(wald / 2)


def test_means_of_a_linear_model_have_one_scale() -> None:
    m = mm.lmer("Reaction ~ factor(Days) + (1 | Subject)", reference_data.load("sleepstudy"))
    link, response = (m.emmeans("Days", type=type) for type in ("link", "response"))
    pd.testing.assert_frame_equal(link.to_frame(), response.to_frame())
    with pytest.raises(mm.ArgumentError, match="link, response"):
        m.emmeans("Days", type="prob")
