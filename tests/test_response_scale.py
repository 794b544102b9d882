"""Back-transformation of marginal means and contrasts against R's emmeans and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import reference_data
from dense_families import LINKS
from mixedmodels.mean_contrasts import contrast_coefficients
from mixedmodels.response_scale import Scale, are_differences, ratio_scale

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
