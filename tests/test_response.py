"""Responses of generalised models: what is read, what is left out, what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
from mixedmodels.families import family_of
from mixedmodels.formulas.formula import parse
from mixedmodels.matrices.model_frame import ModelFrame, model_frame

ROWS = pd.Index(["r1", "r2", "r3", "r4"])
DATA = pd.DataFrame(
    {
        "s": [2, 0, 3, 1],
        "size": [4, 5, 3, 2],
        "y": [0.0, 1.0, 1.0, 0.0],
        "answer": ["no", "yes", "yes", "no"],
        "count": [3, 0, 2, 7],
        "amount": [0.5, 1.5, 2.0, 1.0],
        "share": [0.2, 0.5, 0.9, 0.4],
        "x": [1.0, 2.0, 3.0, 4.0],
        "w": [1.0, 2.0, 0.5, 1.0],
    },
    index=ROWS,
)


def frame(response: str, family: str = "binomial", data: Any = None, **rest: Any) -> ModelFrame:
    given = DATA if data is None else data
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MissingDataWarning)
        return model_frame(parse(f"{response} ~ x"), given, family=family_of(family), **rest)


# --- Read ---


def test_successes_and_failures() -> None:
    got = frame("cbind(s, size - s)", weights="w")
    np.testing.assert_allclose(got.response, DATA["s"] / DATA["size"])
    np.testing.assert_array_equal(got.sizes, DATA["size"])  # type: ignore[arg-type]
    np.testing.assert_array_equal(got.weights, DATA["w"])  # type: ignore[arg-type]


def test_arithmetic_inside_cbind() -> None:
    got = frame("cbind(s + 1, 2 * (size - s))")
    np.testing.assert_array_equal(got.sizes, DATA["s"] + 1 + 2 * (DATA["size"] - DATA["s"]))  # type: ignore[arg-type]


def test_proportions_take_their_weights_as_sizes() -> None:
    got = frame("s/size", weights="size")
    np.testing.assert_array_equal(got.sizes, DATA["size"])  # type: ignore[arg-type]
    assert got.weights is None


def test_rounded_proportions_are_taken_as_they_are() -> None:
    data = DATA.assign(p=(DATA["s"] / DATA["size"]).round(3))
    np.testing.assert_array_equal(frame("p", data=data, weights="size").response, data["p"])


LABELLED: dict[str, Any] = {
    "text": DATA["answer"],
    "categorical": DATA["answer"].astype(pd.CategoricalDtype(["no", "yes"])),
    "declared and unused levels": DATA["answer"].astype(
        pd.CategoricalDtype(["maybe", "no", "yes"])
    ),
    "boolean": DATA["answer"] == "yes",
    "0 and 1": DATA["y"].astype(int),
}


@pytest.mark.parametrize("what", LABELLED)
def test_the_second_level_counts(what: str) -> None:
    got = frame("answer", data=DATA.assign(answer=LABELLED[what]))
    np.testing.assert_array_equal(got.response, DATA["y"])
    assert got.sizes is None


def test_the_first_declared_level_is_a_failure() -> None:
    turned = DATA["answer"].astype(pd.CategoricalDtype(["yes", "no"]))
    np.testing.assert_array_equal(
        frame("answer", data=DATA.assign(answer=turned)).response, 1 - DATA["y"]
    )


def test_a_comparison_is_a_response() -> None:
    np.testing.assert_array_equal(frame("(answer == 'yes')").response, DATA["y"])


def test_missing_answers_are_dropped() -> None:
    data = DATA.assign(answer=["no", None, "yes", "no"])
    got = frame("answer", data=data)
    assert got.nobs == 3
    assert got.missing["answer"] == 1


@pytest.mark.parametrize("response", ["cbind(s, f)", "s"])
def test_rows_without_trials_are_left_out_and_counted(response: str) -> None:
    data = DATA.assign(s=[0, 0, 1, 1], f=[0, 1, 0, 1], size=[0.0, 1.0, 1.0, 1.0])
    weights = None if "cbind" in response else "size"
    with pytest.warns(mm.MissingDataWarning, match="1 of 4 rows dropped: number of trials 0"):
        got = model_frame(
            parse(f"{response} ~ x"), data, weights=weights, family=family_of("binomial")
        )
    assert (got.nobs, got.zero_weights) == (3, 1)


def test_rows_without_weight_may_hold_anything() -> None:
    data = DATA.assign(count=[3, -1, 2, 7], w=[1, 0, 1, 1])
    assert frame("count", "poisson", data, weights="w").nobs == 3


@pytest.mark.parametrize(
    ("response", "family"),
    [("count", "poisson"), ("count", "nbinom2"), ("amount", "Gamma"), ("share", "beta")],
)
def test_other_families_keep_y_and_weights(response: str, family: str) -> None:
    got = frame(response, family, weights="w")
    np.testing.assert_array_equal(got.response, DATA[response])
    np.testing.assert_array_equal(got.weights, DATA["w"])  # type: ignore[arg-type]
    assert got.sizes is None


def test_computed_counts_may_be_rounded() -> None:
    data = DATA.assign(count=np.array([0.3, 0, 0.1, 0.7]) * 10)
    assert frame("count", "poisson", data).nobs == 4


# --- Refused: (response, family, columns, arguments) → what the message says ---

REFUSED: dict[str, tuple[str, str, dict[str, Any], dict[str, Any], str]] = {
    "more successes than trials": (
        "cbind(s, size - s)", "binomial", {"s": [2, 6, 3, 1]}, {}, "-1 in row 'r2'.*as failures",
    ),
    "negative successes": (
        "cbind(s, size)", "binomial", {"s": [2, -1, 3, 1]}, {}, "-1 in row 'r2'.*successes",
    ),
    "fractions of successes": (
        "cbind(s, size)", "binomial", {"s": [2, 0.5, 3, 1]}, {}, "0.5 in row 'r2'.*whole numbers",
    ),
    "a proportion above one": ("y", "binomial", {"y": [0, 1, 2, 0]}, {}, "is 2 in row 'r3'"),
    "a negative proportion": ("y", "binomial", {"y": [0, -0.1, 1, 0]}, {}, "-0.1 in row 'r2'"),
    "proportions without trials": (
        "share", "binomial", {}, {}, "0.2 in row 'r1' .4 such rows.*number of trials",
    ),
    "proportions of other trials": (
        "share", "binomial", {}, {"weights": [3, 4, 10, 5]}, "0.6 in row 'r1'.*numbers of trials",
    ),
    "negative trials": ("y", "binomial", {}, {"weights": [1, -1, 1, 1]}, "number of trials.*'r2'"),
    "three levels": (
        "answer", "binomial", {"answer": list("abca")}, {},
        r"3 levels \(a, b, c\).*answer == 'c'",
    ),
    "one level": ("answer", "binomial", {"answer": ["no"] * 4}, {}, "'no' in every row"),
    "three columns": ("cbind(s, size, y)", "binomial", {}, {}, "3 columns.*expected two"),
    "all failures": ("y", "binomial", {"y": [0.0] * 4}, {}, "0 in every row.*no maximum"),
    "all successes": ("cbind(s, 0)", "binomial", {"s": [1, 2, 3, 1]}, {}, "1 in every row"),
    "negative counts": ("count", "poisson", {"count": [1, -2, 0, 1]}, {}, "-2 in row 'r2'"),
    "fractions of counts": ("amount", "poisson", {}, {}, "0.5 in row 'r1'.*offset"),
    "no events": ("count", "nb1", {"count": [0] * 4}, {}, "0 in every row.*no maximum"),
    "zeros of a gamma": ("count", "Gamma", {}, {}, "is 0 in row 'r2'.*positive"),
    "negative inverse Gaussian": (
        "amount", "inverse_gaussian", {"amount": [1, 2, -3, 1]}, {}, "-3 in row 'r3'",
    ),
    "ends of the beta": ("y", "beta", {}, {}, "0 in row 'r1'.*both excluded"),
    "constant gamma": ("amount", "Gamma", {"amount": [2.0] * 4}, {}, "nothing varies"),
    "counts of two columns": ("cbind(s, size)", "poisson", {}, {}, "several columns.*Poisson"),
    "text of counts": ("answer", "poisson", {}, {}, "categorical; the Poisson family"),
    "infinite": ("amount", "Gamma", {"amount": [1, np.inf, 1, 2]}, {}, "infinite in row 'r2'"),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    response, family, columns, arguments, message = REFUSED[what]
    with pytest.raises(mm.DataError, match=message):
        frame(response, family, DATA.assign(**columns), **arguments)


def test_constant_counts_have_an_estimate() -> None:
    assert frame("count", "poisson", DATA.assign(count=2)).nobs == 4
