"""Predictions against lme4's predict(); levels and columns that are not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm

NEW = pd.DataFrame(
    {"therapy_sessions": [0, 10, 20, 5, 7.5], "clinic": ["1", "11", "12", "99", "5"]},
    index=list("abcde"),
)
# lme4's predict(m, NEW, re.form = ..., allow.new.levels = TRUE) of the random-slope model by REML
LME4: dict[Any, list[float]] = {
    None: [52.8720072334396, 27.760060285483, 6.37872498726957, 43.8681042854972, 46.6765464028129],
    "NA": [51.0165989552944, 36.7196096157, 22.4226202761055, 43.8681042854972, 40.2938569505986],
    "~ (1 | clinic)": [
        52.8720072334396,
        32.690984105488,
        15.2993538000907,
        43.8681042854972,
        44.2965317053029,
    ],
}
POPULATION = ["NA", "~0", False, float("nan")]


@pytest.fixture
def m() -> Any:
    return clinic.fit(clinic.SLOPES)


@pytest.mark.parametrize("re_form", LME4)
def test_reference(m: Any, re_form: Any) -> None:
    prediction = m.predict(NEW, re_form, allow_new_levels=True)
    np.testing.assert_allclose(prediction, LME4[re_form], rtol=1e-6)
    assert list(prediction.index) == list("abcde")


@pytest.mark.parametrize("re_form", POPULATION)
def test_population_level(m: Any, re_form: Any) -> None:
    np.testing.assert_allclose(m.predict(NEW, re_form), LME4["NA"], rtol=1e-6)
    alone = NEW.drop(columns="clinic")  # the grouping factor is not even needed
    np.testing.assert_allclose(m.predict(alone, re_form), LME4["NA"], rtol=1e-6)


def test_without_new_data_it_is_fitted(m: Any) -> None:
    pd.testing.assert_series_equal(m.predict(), m.fitted, check_names=False)
    pd.testing.assert_series_equal(m.predict(clinic.data()), m.fitted, check_names=False)
    expected = (
        m.fixef["(Intercept)"] + m.fixef["therapy_sessions"] * clinic.data()["therapy_sessions"]
    )
    np.testing.assert_allclose(m.predict(re_form="NA"), expected)


def test_the_whole_formula_is_everything(m: Any) -> None:
    np.testing.assert_allclose(
        m.predict(NEW, "~ (therapy_sessions | clinic)", True), LME4[None], rtol=1e-6
    )


def test_one_of_two_groups() -> None:
    m, new = clinic.three_levels(), clinic.visits().head(8)
    effects = m.ranef()["clinic"].loc[new["clinic"], "(Intercept)"].to_numpy()
    np.testing.assert_allclose(
        m.predict(new, "~ (1 | clinic)"), m.predict(new, "NA") + effects, rtol=1e-10
    )


def test_ordinary_regression() -> None:
    o = clinic.ordinary()
    np.testing.assert_allclose(o.predict(NEW), 50.4728138393544 - 1.36616243520585 * NEW.iloc[:, 0])


def test_offset_is_evaluated_in_the_new_data() -> None:
    data = clinic.data().assign(o=1.0)
    m = mm.lmer(f"{clinic.INTERCEPTS} + offset(o)", data)
    shift = m.predict(NEW.assign(o=3.0), "NA") - m.predict(NEW.assign(o=1.0), "NA")
    np.testing.assert_allclose(shift, 2.0)


def test_missing_values_stay_missing(m: Any) -> None:
    new = NEW.assign(therapy_sessions=[0, np.nan, 20, 5, 7.5])
    prediction = m.predict(new, allow_new_levels=True)
    assert list(prediction.isna()) == [False, True, False, False, False]


def test_array_model_predicts_its_own_rows_only() -> None:
    data = clinic.data()
    a = mm.lmer_arrays(data["anxiety"], np.ones((300, 1)), [(np.ones(300), data["clinic"])])
    assert len(a.predict()) == 300
    assert a.predict(re_form="NA").nunique() == 1
    with pytest.raises(mm.DataError, match="arrays"):
        a.predict(NEW)


REFUSED: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "new level": ({"newdata": NEW}, mm.DataError, "99"),
    "missing column": ({"newdata": NEW[["clinic"]]}, mm.DataError, "therapy_sessions"),
    "missing group": ({"newdata": NEW[["therapy_sessions"]]}, mm.DataError, "clinic"),
    "effect that is not there": (
        {"newdata": NEW, "re_form": "~ (patient_id | clinic)"},
        mm.FormulaError,
        "patient_id by clinic",
    ),
    "no term": ({"newdata": NEW, "re_form": "~ therapy_sessions"}, mm.FormulaError, "term"),
    "group that is not there": (
        {"newdata": NEW, "re_form": "~ (1 | ward)"},
        mm.FormulaError,
        "no random effects by 'ward'.*by clinic",
    ),
    "number": ({"newdata": NEW, "re_form": 3}, mm.ArgumentError, "re_form"),
    "type": ({"type": "probability"}, mm.ArgumentError, "response, link, terms"),
    "interval": ({"interval": "tolerance"}, mm.ArgumentError, "confidence or prediction"),
    "level": ({"interval": "confidence", "level": 95}, mm.ArgumentError, "between 0 and 1"),
    "terms with an interval": (
        {"type": "terms", "interval": "confidence"},
        mm.ArgumentError,
        "no intervals",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(m: Any, name: str) -> None:
    arguments, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        m.predict(**arguments)
