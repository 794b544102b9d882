"""The scikit-learn estimators: scikit-learn's own checks, the models they are, and its tools."""

from __future__ import annotations

import importlib
import pickle
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import clinic
import mixedmodels as mm
from mixedmodels.sklearn import MixedModelClassifier, MixedModelRegressor

BOTH = ["therapy_sessions", "clinic"]

EXACT = (
    "the data of this check have so few distinct rows that the fixed effects reproduce them "
    "exactly; the likelihood is then unbounded, and the model is refused"
)
NOT_APPLICABLE = {
    "check_sample_weights_shape": EXACT,
    "check_sample_weights_not_overwritten": EXACT,
    "check_sample_weight_equivalence_on_dense_data": EXACT + " (test_weights_repeat_rows instead)",
    "check_regressors_no_decision_function": EXACT,
}


def in_turn(y: Any) -> np.ndarray[Any, Any]:
    return np.arange(np.asarray(y, dtype=object).size) % 4


class GroupedRegressor(MixedModelRegressor):
    """With groups of its own making, so that the checks fit mixed models too."""

    def fit(self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None) -> Any:
        return super().fit(X, y, groups=in_turn(y), sample_weight=sample_weight)


class GroupedClassifier(MixedModelClassifier):
    def fit(self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None) -> Any:
        return super().fit(X, y, groups=in_turn(y), sample_weight=sample_weight)


def not_applicable(estimator: Any) -> dict[str, str]:
    if isinstance(estimator, GroupedRegressor):
        return NOT_APPLICABLE | {"check_estimators_dtypes": EXACT}
    return NOT_APPLICABLE if isinstance(estimator, MixedModelRegressor) else {}


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@parametrize_with_checks(
    [MixedModelRegressor(), MixedModelClassifier(), GroupedRegressor(), GroupedClassifier()],
    expected_failed_checks=not_applicable,
)
def test_estimator_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def data() -> pd.DataFrame:
    return clinic.data()


@pytest.fixture(scope="module")
def mixed(data: pd.DataFrame) -> Any:
    return mm.lmer("anxiety ~ therapy_sessions + (1 + therapy_sessions | clinic)", data)


def numbers(data: pd.DataFrame) -> np.ndarray[Any, Any]:
    return data[["therapy_sessions"]].to_numpy(dtype=float)


SPELLINGS = {
    "formula": {"formula": "anxiety ~ therapy_sessions + (1 + therapy_sessions | clinic)"},
    "formula without response": {"formula": "therapy_sessions + (therapy_sessions | clinic)"},
    "random": {"random": "1 + therapy_sessions | clinic"},
    "random in brackets": {"random": "(1 + therapy_sessions | clinic)"},
}
FRAMES = {
    "pandas": lambda frame: frame,
    "pandas, odd index": lambda frame: frame.set_index(np.arange(len(frame))[::-1]),
    "polars": pl.from_pandas,
    "pyarrow": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}


class TestRegressor:
    @pytest.mark.parametrize("spelling", SPELLINGS)
    def test_is_the_model(self, spelling: str, data: pd.DataFrame, mixed: Any) -> None:
        estimator = MixedModelRegressor(**SPELLINGS[spelling]).fit(data[BOTH], data["anxiety"])
        np.testing.assert_array_equal(estimator.predict(data[BOTH]), mixed.fitted)
        assert estimator.intercept_ == mixed.fixef["(Intercept)"]
        assert estimator.coef_.tolist() == [mixed.fixef["therapy_sessions"]]
        assert estimator.n_features_in_ == 2
        assert estimator.feature_names_in_.tolist() == BOTH
        assert estimator.model_.loglik == mixed.loglik

    @pytest.mark.parametrize("kind", FRAMES)
    def test_frames(self, kind: str, data: pd.DataFrame, mixed: Any) -> None:
        X = FRAMES[kind](data[BOTH])
        estimator = MixedModelRegressor(random="1 + therapy_sessions | clinic")
        predicted = estimator.fit(X, data["anxiety"]).predict(X)
        np.testing.assert_allclose(predicted, mixed.fitted, rtol=1e-9)  # levels in other orders

    def test_groups_beside_an_array(self, data: pd.DataFrame, mixed: Any) -> None:
        X, groups = numbers(data), data["clinic"].astype(str).to_numpy()
        estimator = MixedModelRegressor(random="1 + x0 | groups").fit(
            X, data["anxiety"], groups=groups
        )
        np.testing.assert_allclose(estimator.predict(X, groups), mixed.fitted, rtol=1e-12)
        population = mixed.predict(data, "NA")
        np.testing.assert_allclose(estimator.predict(X), population, rtol=1e-12)
        unseen = np.full(len(X), "elsewhere")
        np.testing.assert_allclose(estimator.predict(X, unseen), population, rtol=1e-12)

    def test_groups_alone_are_random_intercepts(self, data: pd.DataFrame) -> None:
        estimator = MixedModelRegressor().fit(
            numbers(data), data["anxiety"], groups=list(data["clinic"])
        )
        m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
        assert estimator.model_.loglik == pytest.approx(m.loglik, rel=1e-12)
        assert estimator.model_.ngroups == {"groups": 15}

    def test_groups_left_out_leave_the_other_random_effects(self) -> None:
        visits = clinic.visits().dropna(subset=["anxiety"])
        X = visits[["month", "clinic"]]
        estimator = MixedModelRegressor(random="(1 | clinic) + (1 | patient)")
        estimator.fit(X, visits["anxiety"], groups=visits["patient_id"])
        expected = estimator.model_.predict(X, "~ (1 | clinic)")
        np.testing.assert_array_equal(estimator.predict(X), expected)

    def test_without_groups_it_is_an_ordinary_regression(self, data: pd.DataFrame) -> None:
        X, y, w = numbers(data), data["anxiety"], np.linspace(0.5, 2, len(data))
        ours = MixedModelRegressor().fit(X, y, sample_weight=w)
        theirs = LinearRegression().fit(X, y, sample_weight=w)
        np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-10)
        assert ours.score(X, y, w) == pytest.approx(theirs.score(X, y, w), rel=1e-10)
        np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-10)

    def test_weights_repeat_rows(self, data: pd.DataFrame) -> None:
        X, y = numbers(data), data["anxiety"].to_numpy()
        weights = np.arange(len(X)) % 3
        with pytest.warns(mm.MissingDataWarning, match="100 of 300 rows dropped: weight 0"):
            weighted = MixedModelRegressor().fit(X, y, sample_weight=weights)
        repeated = MixedModelRegressor().fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
        np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-12)

    def test_weights_are_those_of_the_model(self, data: pd.DataFrame) -> None:
        w = np.linspace(0.5, 2, len(data))
        estimator = MixedModelRegressor(random="1 | clinic", REML=False)
        estimator.fit(data[BOTH], data["anxiety"], sample_weight=w)
        formula = "anxiety ~ therapy_sessions + (1 | clinic)"
        assert estimator.model_.loglik == mm.lmer(formula, data, weights=w, REML=False).loglik

    def test_families(self, data: pd.DataFrame) -> None:
        X, y = data[["anxiety", "clinic"]], data["therapy_sessions"]
        estimator = MixedModelRegressor(random="1 | clinic", family="poisson").fit(X, y)
        m = mm.glmer("therapy_sessions ~ anxiety + (1 | clinic)", data, family="poisson")
        np.testing.assert_array_equal(estimator.predict(X), m.fitted)
        ordinary = MixedModelRegressor("anxiety", family="poisson").fit(X, y)
        o = mm.glm("therapy_sessions ~ anxiety", data, family="poisson")
        np.testing.assert_array_equal(ordinary.predict(X), o.fitted)

    def test_text_columns_are_factors_and_dependent_ones_count_nothing(self) -> None:
        rng = np.random.default_rng(0)
        X = pd.DataFrame({"f": rng.choice(["a", "b", "c"], 60), "x": rng.normal(size=60)})
        X["twice"] = 2 * X["x"]
        with pytest.warns(mm.RankDeficiencyWarning):
            estimator = MixedModelRegressor().fit(X, rng.normal(size=60))
        assert estimator.coef_.shape == (4,)
        assert estimator.coef_[3] == 0
        assert np.isfinite(estimator.predict(X)).all()

    def test_names_that_need_care(self) -> None:
        rng = np.random.default_rng(1)
        X = pd.DataFrame(rng.normal(size=(40, 3)), columns=["y", "groups", "a b"])
        groups = np.arange(40) % 8
        estimator = MixedModelRegressor().fit(X, rng.normal(size=40) + groups, groups=groups)
        assert estimator.model_.formula == "y_ ~ y + groups + `a b` + (1 | groups_)"
        unnamed = X.set_axis(range(3), axis=1)
        assert not hasattr(
            MixedModelRegressor().fit(unnamed, X["y"] + X["a b"] ** 2), "feature_names_in_"
        )


REFUSED: dict[str, tuple[dict[str, Any], dict[str, Any], type[Exception], str]] = {
    "both": ({"formula": "~ x0", "random": "1 | g"}, {}, mm.ArgumentError, "both formula and"),
    "no text": ({"random": 1}, {}, mm.ArgumentError, "random is 1"),
    "no bar": ({"random": "x0"}, {}, mm.ArgumentError, "expected random effects only"),
    "fixed too": ({"random": "x0 + (1 | x0)"}, {}, mm.ArgumentError, "random effects only"),
    "no such group": ({"random": "1 | g"}, {}, mm.DataError, r"'g' is not a column of X.*groups="),
    "groups for nothing": (
        {"formula": "x0"}, {"groups": [1, 2] * 150}, mm.ArgumentError, "no grouping factor outside",
    ),
    "two groups": (
        {"random": "(1 | g) + (1 | h)"}, {"groups": [1, 2] * 150}, mm.DataError, "one factor only",
    ),
    "transformed": ({"formula": "log(y) ~ x0"}, {}, mm.ArgumentError, "TransformedTargetRegressor"),
    "short groups": ({}, {"groups": [1, 2]}, mm.DataError, "equally long"),
    "syntax": ({"formula": "x0 +"}, {}, mm.FormulaError, "\\+"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str, data: pd.DataFrame) -> None:
    parameters, arguments, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        MixedModelRegressor(**parameters).fit(numbers(data), data["anxiety"], **arguments)


class TestMissingValues:
    def test_in_the_fit(self, data: pd.DataFrame) -> None:
        X = data[BOTH].assign(therapy_sessions=data["therapy_sessions"].where(data.index > 3))
        with pytest.raises(mm.DataError, match="therapy_sessions"):
            MixedModelRegressor(random="1 | clinic").fit(X, data["anxiety"])

    def test_in_prediction(self, data: pd.DataFrame) -> None:
        estimator = MixedModelRegressor(random="1 | clinic").fit(data[BOTH], data["anxiety"])
        X = data[BOTH].assign(therapy_sessions=data["therapy_sessions"].where(data.index != 3))
        with pytest.raises(mm.DataError, match="row 3"):
            estimator.predict(X)


@pytest.fixture(scope="module")
def worse(data: pd.DataFrame) -> Any:
    return np.where(data["anxiety"] > 40, "worse", "better")


class TestClassifier:
    def test_is_the_model(self, data: pd.DataFrame, worse: Any) -> None:
        estimator = MixedModelClassifier(random="1 | clinic").fit(data[BOTH], worse)
        table = data.assign(worse=worse)
        m = mm.glmer("worse ~ therapy_sessions + (1 | clinic)", table)
        assert estimator.classes_.tolist() == ["better", "worse"]
        np.testing.assert_allclose(estimator.predict_proba(data[BOTH])[:, 1], m.fitted, rtol=1e-12)
        np.testing.assert_allclose(estimator.decision_function(data[BOTH]), m.linear_predictor)
        predicted = np.where(m.fitted > 0.5, "worse", "better")
        np.testing.assert_array_equal(estimator.predict(data[BOTH]), predicted)
        assert estimator.score(data[BOTH], worse) == np.mean(predicted == worse)
        assert estimator.coef_.shape == (1, 1)
        assert estimator.intercept_.shape == (1,)

    @pytest.mark.parametrize("link", ["probit", "cloglog"])
    def test_other_links_decide_at_a_half(self, link: str, data: pd.DataFrame, worse: Any) -> None:
        estimator = MixedModelClassifier(random="1 | clinic", link=link).fit(data[BOTH], worse)
        second = estimator.predict_proba(data[BOTH])[:, 1] > 0.5
        np.testing.assert_array_equal(estimator.decision_function(data[BOTH]) > 0, second)
        assert 0.2 < second.mean() < 0.8

    def test_weights_are_of_the_likelihood(self, data: pd.DataFrame, worse: Any) -> None:
        weights = 1 + np.arange(len(data)) % 2
        weighted = MixedModelClassifier(random="1 | clinic")
        weighted.fit(data[BOTH], worse, sample_weight=weights)
        twice = data.loc[data.index.repeat(weights), BOTH]
        repeated = MixedModelClassifier(random="1 | clinic").fit(twice, np.repeat(worse, weights))
        np.testing.assert_allclose(weighted.coef_, repeated.coef_, rtol=1e-6)
        halves = MixedModelClassifier().fit(
            numbers(data), worse, sample_weight=np.full(len(data), 0.5)
        )
        ones = MixedModelClassifier().fit(numbers(data), worse)
        np.testing.assert_allclose(halves.coef_, ones.coef_, rtol=1e-8)

    def test_two_classes_only(self, data: pd.DataFrame) -> None:
        three = np.array(["a", "b", "c"])[np.arange(len(data)) % 3]
        with pytest.raises(mm.DataError, match="multiclass, with 3 classes"):
            MixedModelClassifier().fit(numbers(data), three)
        with pytest.raises(mm.DataError, match="one class only"):
            MixedModelClassifier().fit(numbers(data), np.full(len(data), "a"))


class TestTools:
    def test_pipeline_with_named_columns(self, data: pd.DataFrame) -> None:
        columns = ColumnTransformer(
            [("number", StandardScaler(), ["therapy_sessions"])],
            remainder="passthrough",
            verbose_feature_names_out=False,
        ).set_output(transform="pandas")
        pipeline = make_pipeline(columns, MixedModelRegressor(random="1 | clinic"))
        predicted = pipeline.fit(data[BOTH], data["anxiety"]).predict(data[BOTH])
        m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
        np.testing.assert_allclose(predicted, m.fitted, rtol=1e-7)

    def test_new_groups_are_predicted_at_the_population_level(self, data: pd.DataFrame) -> None:
        X, y = data[BOTH], data["anxiety"]
        folds = GroupKFold(3)
        scores = cross_val_score(
            MixedModelRegressor(random="1 | clinic"), X, y, cv=folds, groups=X["clinic"]
        )
        for score, (train, test) in zip(scores, folds.split(X, y, X["clinic"]), strict=True):
            m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data.iloc[train])
            left = y.iloc[test] - m.predict(X.iloc[test], "NA")
            total = y.iloc[test] - y.iloc[test].mean()
            assert score == pytest.approx(1 - (left**2).sum() / (total**2).sum(), rel=1e-10)

    @pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
    def test_grid_search_over_random_parts(self, data: pd.DataFrame) -> None:
        grid = {"random": ["1 | clinic", "1 + therapy_sessions | clinic"], "REML": [True, False]}
        search = GridSearchCV(MixedModelRegressor(), grid, cv=3)
        search.fit(data[BOTH], data["anxiety"])
        assert search.best_params_["random"] in grid["random"]
        assert len(search.cv_results_["params"]) == 4

    def test_clone_keeps_parameters(self) -> None:
        control = mm.Control(optimizer="bfgs")
        estimator = MixedModelClassifier(random="1 | g", link="probit", control=control)
        assert clone(estimator).get_params() == estimator.get_params() | {
            "control": clone(estimator).control
        }
        with pytest.raises(NotFittedError):
            clone(estimator).predict([[1.0]])

    def test_pickle(self, data: pd.DataFrame) -> None:
        estimator = MixedModelRegressor(random="1 | clinic").fit(data[BOTH], data["anxiety"])
        again = pickle.loads(pickle.dumps(estimator))
        np.testing.assert_array_equal(again.predict(data[BOTH]), estimator.predict(data[BOTH]))


class TestMetadataRouting:
    @pytest.fixture(autouse=True)
    def _routing(self) -> Iterator[None]:
        with sklearn.config_context(enable_metadata_routing=True):
            yield

    def test_groups_reach_the_estimator(self, data: pd.DataFrame) -> None:
        X, y, groups = numbers(data), data["anxiety"].to_numpy(), data["clinic"].to_numpy()
        estimator = MixedModelRegressor().set_fit_request(groups=True)
        estimator.set_score_request(groups=False)
        pipeline = make_pipeline(StandardScaler(), estimator)
        result = cross_validate(
            pipeline, X, y, cv=GroupKFold(3), params={"groups": groups}, return_estimator=True
        )
        assert [e[-1].model_.ngroups for e in result["estimator"]] == [{"groups": 10}] * 3

    def test_groups_reach_prediction_and_score(self, data: pd.DataFrame) -> None:
        X, y, groups = numbers(data), data["anxiety"].to_numpy(), data["clinic"].to_numpy()
        estimator = MixedModelRegressor().set_fit_request(groups=True)
        estimator.set_predict_request(groups=True).set_score_request(groups=True)
        pipeline = make_pipeline(StandardScaler(), estimator).fit(X, y, groups=groups)
        m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
        np.testing.assert_allclose(pipeline.predict(X, groups=groups), m.fitted, rtol=1e-7)
        assert pipeline.score(X, y, groups=groups) > 0.7
        scores = cross_val_score(estimator, X, y, cv=3, params={"groups": groups})
        assert scores.shape == (3,)


def test_without_scikit_learn_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("", ".estimators", ".estimator"):
        monkeypatch.delitem(sys.modules, f"mixedmodels.sklearn{name}")
    monkeypatch.setitem(sys.modules, "sklearn.base", None)
    with pytest.raises(mm.MissingDependencyError, match=r'pip install "mixedmodels\[sklearn\]"'):
        importlib.import_module("mixedmodels.sklearn")
