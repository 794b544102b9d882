"""Pictures of estimates and their uncertainty: their numbers against the model's and by hand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt

import mixedmodels as mm
import reference_data
from mixedmodels.plots.densities import density
from plotted_models import draws_where_told, dyestuff, model


@pytest.fixture(scope="module")
def flat() -> Any:
    """The variance between batches is estimated as zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        return dyestuff("Dyestuff2")


# --- Fixed effects ---


@pytest.mark.parametrize("name", ["lmer", "lm", "glmer", "glm", "weighted", "arrays"])
def test_forest(name: str) -> None:
    m = model(name)
    frame = m.plot.forest_data(intercept=True, level=0.9)
    table = m.coefficients(level=0.9)
    for column in ("term", "estimate", "std_error", "conf_low", "conf_high"):
        assert frame[column].tolist() == table[column].tolist()
    ax = draws_where_told(m.plot.forest)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == table["term"].tolist()[1:]


def test_several_models() -> None:
    models = [model("lm"), model("lmer"), model("weighted")]
    frame = models[0].plot.forest_data(models[1:], ["lm", "slopes", "weighted"])
    assert frame["model"].tolist() == ["lm", "slopes", "weighted"]
    ax = mm.forest(models)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "model 1",
        "model 2",
        "model 3",
    ]
    plt.close(ax.figure)


# --- Effects ---


def test_an_effects_line_is_that_of_the_coefficients() -> None:
    m = model("lmer")
    frame = m.plot.effects_data()
    np.testing.assert_allclose(frame["estimate"], m.fixef.iloc[0] + m.fixef.iloc[1] * frame["x"])
    assert frame["x"].iloc[[0, -1]].tolist() == [0, 9]
    at = m.emmeans("Days", at={"Days": [9]}).to_frame().iloc[0]
    np.testing.assert_allclose(
        frame.iloc[-1, 1:].astype(float), at[["emmean", "SE", "df", "lower.CL", "upper.CL"]]
    )


def test_a_generalised_models_effect_is_on_the_responses_scale() -> None:
    m = model("glmer")
    frame = m.plot.effects_data()
    assert frame["x"].tolist() == ["1", "2", "3", "4"]
    expected = m.predict(pd.DataFrame({"period": frame["x"]}), re_form="NA")
    np.testing.assert_allclose(frame["estimate"], expected)
    assert ((frame["conf_low"] > 0) & (frame["conf_high"] < 1)).all()


def test_a_line_for_each_level_of_another_factor() -> None:
    data = reference_data.load("Machines").assign(
        hour=lambda frame: np.arange(len(frame)) % 3, score=lambda frame: frame["score"]
    )
    m = mm.lmer("score ~ Machine * hour + (1 | Worker)", data)
    frame = m.plot.effects_data("hour", by="Machine")
    assert list(frame.columns[:2]) == ["x", "by"]
    for machine, part in frame.groupby("by"):
        expected = m.predict({"hour": part["x"], "Machine": [machine] * len(part)}, re_form="NA")
        np.testing.assert_allclose(part["estimate"], expected)
    ax = m.plot.effects("hour", by="Machine")
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["A", "B", "C"]
    plt.close(ax.figure)


@pytest.mark.parametrize("name", ["lmer", "lm", "glmer", "glm", "weighted", "binary"])
def test_effects_are_drawn_where_told(name: str) -> None:
    draws_where_told(model(name).plot.effects)


# --- Bootstrap ---


@pytest.fixture(scope="module")
def replicates(flat: Any) -> Any:
    return mm.bootstrap(flat, 200, seed=1, progress=False)


def test_zeros_are_a_spike_and_the_rest_a_density(replicates: Any) -> None:
    frame = replicates.plot_data(".sig01")
    share = float((replicates.to_frame()[".sig01"] == 0).mean())
    assert 0.3 < share < 0.8
    spike = frame[frame["kind"] == "spike"]
    assert spike[["value", "height"]].to_numpy().tolist() == [[0.0, share]]
    curve = frame[frame["kind"] == "density"]
    area = np.trapezoid(curve["height"], curve["value"])
    assert area == pytest.approx(1 - share, abs=2e-3)
    assert curve["value"].min() == 0


def test_interval_and_estimate(replicates: Any) -> None:
    frame = replicates.plot_data(level=0.8)
    expected = replicates.confint(0.8)
    for kind, columns in (("interval", expected.iloc[:, :2]), ("estimate", expected["estimate"])):
        values = frame[frame["kind"] == kind]["value"]
        assert values.tolist() == np.asarray(columns, dtype=float).ravel().tolist()


def test_a_bootstrap_is_drawn_by_the_model_too(replicates: Any, flat: Any) -> None:
    pd.testing.assert_frame_equal(flat.plot.bootstrap_data(200, 1), replicates.plot_data())
    figure = flat.plot.bootstrap(50, 1)
    assert [ax.get_xlabel() for ax in figure.axes] == [
        "sd_(Intercept)|Batch",
        "sigma",
        "(Intercept)",
    ]
    plt.close(figure)
    figure, ax = plt.subplots()
    assert replicates.plot(".sigma", ax=ax) is ax
    plt.close(figure)


def test_a_density_is_reflected_at_the_end_of_the_range() -> None:
    x = np.abs(np.random.default_rng(0).normal(size=200_000))
    grid, height = density(x, (0.0, np.inf))
    np.testing.assert_allclose(height, np.sqrt(2 / np.pi) * np.exp(-(grid**2) / 2), atol=0.012)
    assert np.trapezoid(height, grid) == pytest.approx(1, abs=1e-3)
    assert [part.shape for part in density(np.ones(5))] == [(0,), (0,)]


# --- Blocks ---


def test_blocks_of_nested_and_crossed_factors() -> None:
    nested = mm.lmer("strength ~ 1 + (1 | batch/cask)", reference_data.load("Pastes"))
    frame = nested.plot.blocks_data().set_index(["row", "column"])
    assert frame.loc[("batch", "batch"), "kind"] == "diagonal"
    assert frame.loc[("batch", "cask:batch"), "filled"] == pytest.approx(30 / 300)
    crossed = mm.lmer(
        "diameter ~ 1 + (1 | plate) + (1 | sample)", reference_data.load("Penicillin")
    )
    frame = crossed.plot.blocks_data().set_index(["row", "column"])
    assert frame["kind"].tolist() == ["diagonal", *["dense"] * 5]
    assert frame.loc[("sample", "plate"), ["rows", "columns"]].tolist() == [6, 24]


def test_blocks_of_slopes() -> None:
    frame = model("lmer").plot.blocks_data()
    assert frame["kind"].tolist() == ["block-diagonal", "dense", "dense"]
    assert frame["rows"].tolist() == [36, 3, 3]
    draws = model("glmer").plot.blocks()
    assert draws.get_title()
    plt.close(draws.figure)


def test_too_many_pairs_to_count(monkeypatch: pytest.MonkeyPatch) -> None:
    from mixedmodels.plots import blocks

    monkeypatch.setattr(blocks, "MOST_PRODUCTS", 40)
    crossed = mm.lmer(
        "diameter ~ 1 + (1 | plate) + (1 | sample)", reference_data.load("Penicillin")
    )
    kinds = crossed.plot.blocks_data().set_index(["row", "column"])["kind"]
    assert kinds["sample", "sample"] == "dense"  # the first plates show it
    monkeypatch.setattr(blocks, "MOST_PRODUCTS", 4)
    kinds = crossed.plot.blocks_data().set_index(["row", "column"])["kind"]
    assert kinds["sample", "sample"] == "not counted"


# --- What is refused ---

WRONG = {
    "no profile": ("lm", "profile", {}, "exact t intervals"),
    "no such parameter": ("lmer", "profile", {"parm": "Day"}, "no parameter here"),
    "one parameter": ("lmer", "profile_pairs", {"parm": "Days"}, "pairs need 2 to 8"),
    "no such statistic": ("lmer", "bootstrap", {"nsim": 20, "parm": "Day"}, "no statistic here"),
    "too few names": ("lmer", "forest", {"names": ["a", "b"]}, "expected 1 different names"),
    "not a model": ("lmer", "forest", {"other_models": [3]}, "needs fitted models"),
    "no such predictor": ("lmer", "effects", {"predictor": "Day"}, "did you mean 'Days'"),
    "no such factor": ("lmer", "effects", {"by": "Subject"}, "not a variable of the fixed part"),
    "level": ("lmer", "effects", {"level": 95}, "between 0 and 1"),
    "no blocks": ("lm", "blocks", {}, "no random effects"),
}


@pytest.mark.parametrize("case", WRONG)
def test_arguments(case: str) -> None:
    name, plot, arguments, message = WRONG[case]
    with pytest.raises(mm.ArgumentError, match=message):
        getattr(model(name).plot, plot)(**arguments)


@pytest.mark.parametrize("plot", ["profile", "bootstrap"])
def test_more_parameters_than_panels(plot: str) -> None:
    rng = np.random.default_rng(0)
    columns = {f"x{k}": rng.normal(size=200) for k in range(30)}
    data = pd.DataFrame(columns).assign(y=rng.normal(size=200), g=np.arange(200) % 10)
    m = mm.lmer(f"y ~ {' + '.join(columns)} + (1 | g)", data.assign(y=data["y"] + data["g"]))
    with pytest.raises(mm.ArgumentError, match=r"33 .* room for 1 to 30 panels: choose by parm="):
        getattr(m.plot, plot)()


def test_only_an_intercept() -> None:
    with pytest.raises(mm.ArgumentError, match="besides the intercept"):
        dyestuff().plot.forest()
    with pytest.raises(mm.ArgumentError, match="an intercept alone"):
        dyestuff().plot.effects()


def test_effects_need_a_formula() -> None:
    with pytest.raises(mm.DataError, match="fitted from arrays"):
        model("arrays").plot.effects()


@pytest.mark.parametrize("plot", ["profile", "bootstrap", "effects", "blocks"])
def test_a_model_without_rows(plot: str, tmp_path: Any) -> None:
    model("lmer").save(tmp_path / "m.mm", data=False)
    lean = mm.load(tmp_path / "m.mm")
    with pytest.raises(mm.DataError):
        getattr(lean.plot, plot)()
    draws_where_told(lean.plot.forest)
