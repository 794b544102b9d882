"""Weights and numbers of trials of responses at new rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
from mixedmodels.predictions.new_responses import trials_of, weights_of
from mixedmodels.predictions.prediction_rows import rows_of
from mixedmodels.predictions.re_form import effects_named
from reference_data import load
from test_predict import ARMS, with_arms

ENDS = ["prediction", "lower", "upper"]
# R's predict(lm(anxiety ~ therapy_sessions, weights = w), new, weights = c(1, 2, 4), level = 0.9)
R_WEIGHTED = [
    [50.2906604684658, 30.77997452866353, 69.8013464082680],
    [36.6893258416554, 22.91175142068371, 50.4669002626272],
    [16.2873239014400, 6.34413352509814, 26.2305142777818],
]


@pytest.fixture(scope="module")
def herds() -> Any:
    return mm.glmer(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", load("cbpp"), family="binomial"
    )


def rows(m: Any, newdata: Any = None) -> Any:
    return rows_of(m, newdata, effects_named(m, None), left_out=False)


def test_a_new_response_has_the_weight_of_its_column() -> None:
    m = mm.lm("anxiety ~ therapy_sessions", with_arms(), weights="w")
    got = m.predict(ARMS.assign(w=[1, 2, 4]), interval="prediction", level=0.9)
    np.testing.assert_allclose(got[ENDS], R_WEIGHTED, rtol=1e-10)
    ones = m.predict(ARMS, interval="prediction", level=0.9)
    np.testing.assert_allclose(ones.iloc[0][ENDS], R_WEIGHTED[0], rtol=1e-10)


def test_trials_come_from_the_new_data(herds: Any) -> None:
    """`size` is enough: successes cancel in their sum with the failures."""
    new = pd.DataFrame({"period": ["1"] * 3, "herd": ["1"] * 3, "size": [1, 10, 1000]})
    got = herds.predict(new, interval="prediction")
    counts = got[["lower", "upper"]].mul(new["size"], axis=0)
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    widths = (got["upper"] - got["lower"]).tolist()
    assert widths == sorted(widths, reverse=True)
    one = herds.predict(new.drop(columns="size"), interval="prediction")
    np.testing.assert_array_equal(one["upper"], [1.0] * 3)
    both = herds.predict(new.assign(incidence=0), interval="prediction")
    pd.testing.assert_frame_equal(both, got)
    with pytest.raises(mm.DataError, match="numbers of trials of row 2"):
        herds.predict(new.assign(size=[3, 2, 0]), interval="prediction")


def test_trials_as_weights() -> None:
    data = load("cbpp").assign(share=lambda d: d["incidence"] / d["size"])
    m = mm.glmer("share ~ period + (1 | herd)", data, family="binomial", weights="size")
    new = pd.DataFrame({"period": ["1"], "herd": ["1"], "size": [10]})
    assert m.predict(new, interval="prediction")["upper"][0] * 10 == pytest.approx(
        round(m.predict(new, interval="prediction")["upper"][0] * 10)
    )
    assert m.predict(new.drop(columns="size"), interval="prediction")["upper"][0] == 1


def test_rows_of_the_fit_have_their_own(herds: Any) -> None:
    np.testing.assert_array_equal(trials_of(rows(herds)), load("cbpp")["size"])
    m = mm.lm("anxiety ~ therapy_sessions", with_arms(), weights="w")
    np.testing.assert_array_equal(weights_of(rows(m)), with_arms()["w"])
    np.testing.assert_array_equal(weights_of(rows(mm.lm("anxiety ~ 1", with_arms()))), np.ones(300))


def test_weights_given_as_numbers_are_not_known_of_new_rows() -> None:
    data = with_arms()
    m = mm.lm("anxiety ~ therapy_sessions", data, weights=data["w"].to_numpy())
    np.testing.assert_array_equal(weights_of(rows(m, ARMS.assign(w=7))), np.ones(3))


def test_weights_may_be_an_expression() -> None:
    m = mm.lm("anxiety ~ therapy_sessions", with_arms(), weights="2 * w")
    assert weights_of(rows(m, ARMS.assign(w=[1, 2, 3]))).tolist() == [2, 4, 6]
    assert weights_of(rows(m, ARMS)).tolist() == [1, 1, 1]
    with pytest.raises(mm.DataError, match="weights of row 1 of the new data are -4; expected"):
        weights_of(rows(m, ARMS.assign(w=[1, -2, 3])))
