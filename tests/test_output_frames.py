"""polars in, polars out, where it is asked for."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm

pl = pytest.importorskip("polars")


@pytest.fixture(scope="module")
def model():
    data = pl.from_pandas(mm.datasets.load("anxiety").astype({"clinic": str}))
    return mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)


@pytest.fixture(scope="module")
def logistic():
    data = mm.datasets.load("anxiety")
    data["high"] = (data["anxiety"] > 35).astype(float)
    return mm.glmer("high ~ therapy_sessions + (1 | clinic)", data)


FRAMES = {
    "vcov": lambda m: m.vcov,
    "fixef": lambda m: m.fixef,
    "coefficients": lambda m: m.coefficients(),
    "tidy": lambda m: m.tidy(),
    "ran_vals": lambda m: m.tidy("ran_vals"),
    "glance": lambda m: m.glance(),
    "augment": lambda m: m.augment(),
    "anova": lambda m: m.anova(),
    "confint": lambda m: m.confint(method="wald"),
    "test": lambda m: m.test("therapy_sessions = 1"),
    "simulate": lambda m: m.simulate(2),
    "variance_components": lambda m: m.variance_components(),
    "ranova": lambda m: mm.ranova(m),
    "drop1": lambda m: m.drop1(),
    "varcorr": lambda m: m.varcorr.to_frame(),
    "emmeans": lambda m: m.emmeans("therapy_sessions").to_frame(),
    "bootstrap": lambda m: mm.bootstrap(m, 5).to_frame(),
    "refits": lambda m: m.refit(np.asarray(m.simulate(3))).fixef,
    "long": lambda m: m.ranef(condvar=True).to_frame(),
    "dfbetas": lambda m: m.dfbetas,
    "compared": lambda m: mm.compare([m]).to_frame(),
    "plot": lambda m: m.plot.groups_data(),
    "influence": lambda m: m.influence("clinic", method="fast").to_frame(),
    "models": lambda m: mm.anova(m, m.update(". ~ . - therapy_sessions")),
}
SERIES = {
    "fitted": lambda m: m.fitted,
    "linear_predictor": lambda m: m.linear_predictor,
    "residuals": lambda m: m.residuals(),
    "predict": lambda m: m.predict(),
    "hatvalues": lambda m: m.hatvalues,
}
pytestmark = pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")


def called(function, model):
    found = function(model)
    return found() if callable(found) else found


@pytest.mark.parametrize("kind", ["model", "logistic"])
@pytest.mark.parametrize("name", FRAMES)
def test_frames(request, kind, name):
    model = request.getfixturevalue(kind)
    expected = called(FRAMES[name], model)
    with mm.options(frame="polars"):
        found = called(FRAMES[name], model)
    assert isinstance(found, pl.DataFrame), type(found)
    assert len(found) == len(expected)
    series = isinstance(expected, pd.Series)
    columns = [expected.name] if series else [str(c) for c in expected.columns]
    assert found.columns[-len(columns) :] == columns
    for column in columns if not series else ():
        values = expected.iloc[:, columns.index(column)]
        if pd.api.types.is_numeric_dtype(values):
            got = found[column].cast(pl.Float64).to_numpy()
            np.testing.assert_array_equal(got, values.to_numpy(dtype=float))


@pytest.mark.parametrize("name", SERIES)
def test_series(model, name):
    expected = called(SERIES[name], model)
    with mm.options(frame="polars"):
        found = called(SERIES[name], model)
    assert isinstance(found, pl.Series)
    assert found.name == expected.name
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


def test_the_index_becomes_a_column(model):
    data = mm.datasets.load("anxiety").set_index(np.arange(300) + 7)
    own = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
    with mm.options(frame="polars"):
        assert model.fixef.columns == ["term", "estimate"]
        assert own.fitted.columns == ["index", "fitted"]
        assert own.fitted["index"].to_list() == list(range(7, 307))
        assert model.ranef()["clinic"].columns == ["clinic", "(Intercept)"]
        assert model.coef()["clinic"]["clinic"].to_list()[:2] == ["1", "10"]
        assert mm.anova(model, model.update(". ~ 1 + (1 | clinic)")).columns[0] == "model"


def test_missing_values_are_null(model):
    new = pl.DataFrame({"therapy_sessions": [1.0, None], "clinic": ["3", "3"]})
    with mm.options(frame="polars"):
        found = model.predict(new)
        assert found.null_count() == 1
        assert model.varcorr.to_frame()["var2"].null_count() == 2
    assert np.isnan(model.predict(new).iloc[1])


def test_random_effects(model):
    expected = model.ranef(condvar=True)
    with mm.options(frame="polars"):
        found = model.ranef(condvar=True)
        assert isinstance(found.sd["clinic"], pl.DataFrame)
        assert isinstance(found.to_frame(), pl.DataFrame)
    pd.testing.assert_frame_equal(found.to_frame(), expected.to_frame())


def test_categories_keep_their_levels():
    data = mm.datasets.load("anxiety")
    data["clinic"] = data["clinic"].astype("category")
    model = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
    with mm.options(frame="polars"):
        column = model.augment()["clinic"]
    assert isinstance(column.dtype, pl.Enum)
    assert column.to_list() == [str(c) for c in data["clinic"]]


def test_everything_else_works_as_ever(model):
    """What the package gets from itself stays pandas."""
    texts = [str(model.summary()), model.report(), str(mm.compare([model])), repr(model.icc())]
    with mm.options(frame="polars"):
        again = [str(model.summary()), model.report(), str(mm.compare([model])), repr(model.icc())]
        assert model.refit(model.simulate(2)).fixef.shape == (2, 3)
        assert model.refit(model.simulate(1)["0"]).converged
        mm.bootstrap(model, 5, statistic=lambda m: float(m.fixef["estimate"][0]))
        model._repr_html_()
    assert texts == again


def test_power_and_planned_designs(model):
    with mm.options(frame="polars"):
        design = mm.simulate_design(model)
        assert isinstance(design.data, pl.DataFrame)
        assert isinstance(mm.power(design, "therapy_sessions", nsim=5).to_frame(), pl.DataFrame)


# --- The setting ---


def test_until_changed(model):
    mm.options(frame="polars")
    try:
        assert isinstance(model.fixef, pl.DataFrame)
    finally:
        mm.options(frame="pandas")
    assert isinstance(model.fixef, pd.Series)


def test_blocks_nest_and_end_with_errors(model):
    with mm.options(frame="polars"):
        with mm.options(frame="pandas"):
            assert isinstance(model.fixef, pd.Series)
        assert isinstance(model.fixef, pl.DataFrame)
    with pytest.raises(ZeroDivisionError), mm.options(frame="polars"):
        _ = 1 / 0
    assert isinstance(model.fixef, pd.Series)


def test_threads_have_their_own(model):
    def asked(kind):
        with mm.options(frame=kind):
            return {type(model.predict()) for _ in range(200)}

    with ThreadPoolExecutor(4) as pool:
        kinds = ["pandas", "polars"] * 4
        found = list(pool.map(asked, kinds))
    assert found == [{pd.Series}, {pl.Series}] * 4


def test_wrong_kinds():
    with pytest.raises(mm.ArgumentError, match="choose 'pandas' or 'polars'"):
        mm.options(frame="arrow")


def test_without_polars():
    code = (
        "import sys; sys.modules['polars'] = None; import mixedmodels as mm\n"
        "try: mm.options(frame='polars')\n"
        "except ImportError as error: print(type(error).__name__, error)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.startswith("MissingDependencyError frame='polars' needs polars")


def test_names_and_signatures_stay(model):
    assert type(model).predict.__name__ == "predict"
    assert "newdata" in type(model).predict.__doc__
    assert type(model).fixef.__doc__.startswith("Estimates")
