"""Predictions against lme4's predict(); levels and columns that are not there."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
import reference_data

LINEAR = ["anxiety_rs_reml", "anxlong_3level_reml", "cake_int_reml", "sleepstudy_rs_reml"]
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
POPULATION = ["NA", "~0", False, float("nan"), pd.NA]


@pytest.fixture
def m() -> Any:
    return clinic.fit(clinic.SLOPES)


@pytest.mark.parametrize("re_form", LME4)
def test_reference(m: Any, re_form: Any) -> None:
    prediction = m.predict(NEW, re_form, allow_new_levels=True)
    np.testing.assert_allclose(prediction, LME4[re_form], rtol=1e-6)
    assert list(prediction.index) == list("abcde")


@pytest.mark.parametrize("name", LINEAR)
@pytest.mark.filterwarnings("ignore::mixedmodels.MissingDataWarning")
def test_lme4s_predictions(name: str) -> None:
    given = reference_data.read_json(f"inference/predict_{name}.json")
    m = mm.lmer(given["formula"], reference_data.load(given["data"]))
    new = pd.DataFrame(given["newdata"])
    for case in given["predictions"]:
        re_form = None if case["re_form"] == "NULL" else case["re_form"]
        actual = m.predict(new, re_form, allow_new_levels=True)
        np.testing.assert_allclose(actual, case["values"], rtol=2e-6, err_msg=str(case))
    with pytest.raises(mm.DataError, match="is not among the levels"):
        m.predict(new)
    for re_form, key in [(None, "training_first10"), ("NA", "training_first10_NA")]:
        actual = m.predict(re_form=re_form).to_numpy()[:10]
        np.testing.assert_allclose(actual, given[key]["response"], rtol=2e-6)


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


def test_ordinary_regressions_have_no_random_effects_to_name() -> None:
    with pytest.raises(mm.FormulaError, match="the model has no random effects"):
        mm.lm("anxiety ~ 1", clinic.data()).predict(re_form="~ (1 | clinic)")


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


@pytest.mark.parametrize("null", [None, np.nan, pd.NA])
def test_a_missing_group_is_one_of_unknown_identity(m: Any, null: Any) -> None:
    groups = pd.Series(["1", null, "12", null, "5"], index=NEW.index, dtype=object)
    prediction = m.predict(NEW.assign(clinic=groups))
    population = m.predict(NEW, "NA")
    np.testing.assert_array_equal(prediction[["b", "d"]], population[["b", "d"]])
    np.testing.assert_allclose(prediction[["a", "e"]], [LME4[None][0], LME4[None][4]], rtol=1e-6)


def test_one_of_two_groups_may_be_missing() -> None:
    m, new = clinic.three_levels(), clinic.visits().head(3)
    np.testing.assert_array_equal(
        m.predict(new.assign(patient_id=None)), m.predict(new, "~ (1 | clinic)")
    )


def test_rows_are_those_of_the_new_data() -> None:
    new = NEW.assign(therapy_sessions=np.nan, clinic=None).set_index(pd.Index([7, 7, 8, 1, 0]))
    for arguments in ({}, {"interval": "confidence"}, {"type": "terms"}):
        got = clinic.fit(clinic.SLOPES).predict(new, **arguments)
        assert list(got.index) == [7, 7, 8, 1, 0]
        assert np.isnan(np.asarray(got)).all()


@pytest.mark.parametrize("interval", [None, "confidence", "prediction"])
def test_no_rows(m: Any, interval: Any) -> None:
    assert len(m.predict(NEW.head(0), interval=interval)) == 0


def test_excluded_rows_are_missing() -> None:
    m = clinic.three_levels("exclude")
    visits = clinic.visits()
    for arguments in ({}, {"interval": "prediction"}, {"type": "terms"}):
        got = m.predict(**arguments)
        assert got.index.equals(visits.index)
        np.testing.assert_array_equal(
            np.isnan(np.asarray(got).reshape(len(got), -1)[:, 0]), m.fitted.isna()
        )


def test_an_unknown_category_is_named() -> None:
    m = clinic.three_levels()
    with pytest.raises(mm.DataError, match=r"level 'placebo' of 'treatment'.*control, therapy"):
        m.predict(clinic.visits().head(2).assign(treatment="placebo"))


def test_dates_and_times_are_one_scale() -> None:
    """A date counts days and a time seconds: the model's own unit is kept."""
    days = pd.date_range("2020-01-01", periods=60)
    y = np.arange(60.0) + np.tile([0.0, 3.0, -2.0, 1.0], 15)
    times = pd.DataFrame({"y": y, "day": days, "g": np.arange(60) % 6})
    dates = times.assign(day=days.date)
    by_time = mm.lm("y ~ day + g", times)
    by_date = mm.lm("y ~ day + g", dates)
    for table in (times, dates):
        for model in (by_time, by_date, pickle.loads(pickle.dumps(by_date))):
            np.testing.assert_allclose(model.predict(table), by_time.fitted, rtol=1e-7)
    at = {"day": [pd.Timestamp("2020-01-05")]}
    means = [model.emmeans("day", at=at).to_frame()["emmean"] for model in (by_time, by_date)]
    np.testing.assert_allclose(*means, rtol=1e-7)


def test_dates_are_not_numbers(m: Any) -> None:
    dates = pd.DataFrame({"therapy_sessions": pd.date_range("2020", periods=2), "clinic": "1"})
    with pytest.raises(mm.DataError, match=r"'therapy_sessions' holds dates.*fitted with numbers"):
        m.predict(dates)


def test_an_infinite_offset() -> None:
    m = mm.lm("y ~ x + offset(o)", {"x": [0.0, 1, 2, 3], "y": [1.0, 3, 2, 4], "o": [0, 1, 0, 1]})
    with pytest.raises(mm.DataError, match="'offset' is infinite in row 1"):
        m.predict({"x": [1, 1], "o": [0, np.inf]})


def test_numbers_beyond_what_a_fit_takes(m: Any) -> None:
    with pytest.raises(
        mm.DataError, match=r"'therapy_sessions' is -1e\+308 in row 1.*below 1e\+75"
    ):
        m.predict({"therapy_sessions": [1.0, -1e308], "clinic": ["1", "1"]}, interval="prediction")


def test_an_offset_that_is_missing() -> None:
    m = mm.lmer(clinic.INTERCEPTS, clinic.data().assign(o=1.0), offset="o")
    with pytest.raises(mm.DataError, match="'o' is not in the data"):
        m.predict(NEW, "NA")
    assert m.predict(NEW.assign(o=[1, None, 1, 1, 1]), "NA").isna().tolist()[1]


def test_columns_dropped_as_collinear_do_not_count() -> None:
    with pytest.warns(mm.RankDeficiencyWarning):
        m = mm.lmer(
            f"{clinic.FIXED} + I(2 * therapy_sessions) + (therapy_sessions | clinic)", clinic.data()
        )
    np.testing.assert_allclose(m.predict(NEW, None, True), LME4[None], rtol=1e-6)


# --- Terms ---

# R's predict(lm(anxiety ~ therapy_sessions * arm), new, type = "terms") with arm = patient_id mod 3
ARMS = pd.DataFrame({"therapy_sessions": [0, 10, 25], "arm": ["a", "b", "c"]})
R_TERMS = {
    "therapy_sessions": [14.1984442378389, 0.13129340774752, -20.9694328373895],
    "arm": [0.875958071065728, -0.569604393417296, -0.306353677648432],
    "therapy_sessions:arm": [-0.377304392063311, 0.310306186206541, 0.731458108514964],
}


def with_arms() -> pd.DataFrame:
    data = clinic.data()
    number = data["patient_id"].to_numpy().astype(int)
    return data.assign(arm=np.array(["a", "b", "c"])[number % 3], w=1.0 + number % 3)


def test_terms_of_r() -> None:
    terms = mm.lm("anxiety ~ therapy_sessions * arm", with_arms()).predict(ARMS, type="terms")
    assert terms.columns.tolist() == list(R_TERMS)
    np.testing.assert_allclose(terms, pd.DataFrame(R_TERMS), rtol=1e-9)
    assert terms.attrs["constant"] == pytest.approx(36.6836809933433, rel=1e-12)


def test_terms_without_an_intercept_are_not_centred() -> None:
    m = mm.lm("anxiety ~ 0 + arm + therapy_sessions", with_arms())
    terms = m.predict(ARMS, type="terms")
    np.testing.assert_allclose(terms["arm"], [50.9755741310823, 50.2259516207346, 50.2466467472746])
    assert terms.attrs["constant"] == 0


@pytest.mark.parametrize("re_form", [None, "NA", "~ (1 | clinic)"])
def test_terms_add_up_to_the_linear_predictor(re_form: Any) -> None:
    data = clinic.data().assign(o=lambda d: d["patient_id"].astype(int) % 2)
    m = mm.lmer("anxiety ~ therapy_sessions + offset(o) + (therapy_sessions || clinic)", data)
    for new in (None, data.head(7)):
        terms = m.predict(new, re_form, type="terms")
        total = terms.sum(axis=1) + terms.attrs["constant"]
        np.testing.assert_allclose(total, m.predict(new, re_form, type="link"), rtol=1e-12)
    named = {None: 2, "NA": 0, "~ (1 | clinic)": 1}[re_form]
    expected = ["(1 | clinic)", "(0 + therapy_sessions | clinic)"]
    assert terms.columns[2:].tolist() == [c for c in terms.columns if c in expected]
    assert len(terms.columns) == 2 + named


def test_terms_of_nothing_but_an_intercept() -> None:
    m = mm.lm("anxiety ~ 1", clinic.data())
    terms = m.predict(type="terms")
    assert terms.shape == (300, 0)
    assert terms.attrs["constant"] == pytest.approx(clinic.data()["anxiety"].mean())


def test_terms_of_a_generalised_model_are_on_the_scale_of_the_link() -> None:
    m = mm.glmer(
        "y_pois ~ x + trt + offset(log_exposure) + (x | grp)",
        reference_data.load("glmmsim"),
        family="poisson",
    )
    terms = m.predict(type="terms")
    assert terms.columns.tolist() == ["x", "trt", "offset", "(1 + x | grp)"]
    np.testing.assert_allclose(terms.sum(axis=1) + terms.attrs["constant"], m.linear_predictor)


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
