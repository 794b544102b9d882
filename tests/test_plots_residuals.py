"""Pictures of residuals: their numbers against the model's, and where they are drawn."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt

import mixedmodels as mm
from mixedmodels.plots.smoother import lowess
from plotted_models import MAKERS, draws_where_told, model

PLOTS = ["residuals", "scale_location", "qq", "observed", "leverage"]
BINARY = ("binary",)
CONTINUOUS = [name for name in MAKERS if name not in BINARY]


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("name", MAKERS)
def test_drawn_where_told(name: str, plot: str) -> None:
    m = model(name)
    ax = draws_where_told(getattr(m.plot, plot))
    frame = getattr(m.plot, f"{plot}_data")()
    drawn = [line.get_xydata() for line in ax.lines]
    points = frame[_columns(plot)].to_numpy()
    assert any(np.array_equal(points, line) for line in drawn)
    assert np.isfinite(points).all()


def _columns(plot: str) -> list[str]:
    return {
        "residuals": ["fitted", "residual"],
        "scale_location": ["fitted", "root"],
        "qq": ["theoretical", "residual"],
        "observed": ["fitted", "observed"],
        "leverage": ["leverage", "residual"],
    }[plot]


# --- Numbers ---


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("type", ["response", "pearson", "deviance", "working", "scaled"])
def test_residuals(name: str, type: Any) -> None:
    m = model(name)
    frame = m.plot.residuals_data(type)
    assert len(frame) == m.nobs
    expected = m.residuals(type).loc[frame.index]
    np.testing.assert_array_equal(frame["residual"], expected)
    np.testing.assert_array_equal(frame["fitted"], m.linear_predictor.loc[frame.index])
    curve = lowess(frame["fitted"], frame["residual"])
    np.testing.assert_array_equal(frame["smooth"], curve(frame["fitted"]))


@pytest.mark.parametrize("name", CONTINUOUS)
def test_scale_location_is_of_standardised_residuals(name: str) -> None:
    m = model(name)
    frame = m.plot.scale_location_data()
    np.testing.assert_allclose(frame["root"] ** 2, m.rstandard().abs().loc[frame.index])


@pytest.mark.parametrize("name", ["lmer", "lm", "gamma", "weighted", "arrays", "refitted"])
def test_quantiles_are_sorted_standardised_residuals_under_their_labels(name: str) -> None:
    m = model(name)
    frame = m.plot.qq_data()
    np.testing.assert_allclose(frame["residual"], m.rstandard().loc[frame.index])
    assert frame["residual"].is_monotonic_increasing
    assert len(frame) == m.nobs
    assert (frame["low"] < frame["theoretical"]).all()
    assert (frame["theoretical"] < frame["high"]).all()


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_the_band_holds_residuals_of_the_model_itself() -> None:
    """Of 100 responses simulated from it about 95 are inside everywhere (binomial: 88 to 100)."""
    m = model("lmer")
    responses = m.simulate(100, seed=2)
    inside = 0
    for k in range(100):
        frame = m.refit(responses[k]).plot.qq_data()
        inside += frame["residual"].between(frame["low"], frame["high"]).all()
    assert inside >= 88


def test_quantiles_of_counts_are_those_of_quantile_residuals() -> None:
    m = model("glmer")
    frame = m.plot.qq_data()
    from scipy.stats import norm

    expected = m.quantile_residuals(250, re_form=None).loc[frame.index]
    np.testing.assert_allclose(norm.cdf(frame["residual"]), expected)
    pearson = m.plot.qq_data("pearson")
    h = m.hatvalues.loc[pearson.index]
    expected = m.residuals("pearson").loc[pearson.index] / np.sqrt(1 - h)
    np.testing.assert_allclose(pearson["residual"], expected)


@pytest.mark.parametrize("name", MAKERS)
def test_leverage(name: str) -> None:
    m = model(name)
    frame = m.plot.leverage_data()
    np.testing.assert_array_equal(frame["leverage"], m.hatvalues.loc[frame.index])
    np.testing.assert_allclose(frame["cooks_distance"], m.cooks_distance().loc[frame.index])
    expected = m.residuals("scaled").loc[frame.index] / np.sqrt(1 - frame["leverage"])
    np.testing.assert_allclose(frame["residual"], expected)


def test_contours_are_where_the_distance_is() -> None:
    m = model("lmer")
    ax = m.plot.leverage()
    contours = {line.get_label(): line.get_xydata() for line in ax.lines}
    h, r = contours["Cook's distance 0.5"].T
    np.testing.assert_allclose(r**2 * h / (1 - h) / len(m.fixef), 0.5)
    assert ax.get_legend() is None  # it would cover points
    texts = {text.get_text(): text for text in ax.texts}
    outer, inner = texts["D = 1"], texts["D = 0.5"]
    assert outer.get_window_extent().y0 > inner.get_window_extent().y1
    plt.close(ax.figure)


def test_observed() -> None:
    m = model("lmer")
    frame = m.plot.observed_data()
    np.testing.assert_array_equal(frame["fitted"], m.fitted)
    np.testing.assert_allclose(frame["observed"] - frame["fitted"], m.residuals(), atol=1e-9)


# --- 0/1 data ---


def test_binned_residuals() -> None:
    m = model("binary")
    frame = m.plot.residuals_data()
    assert list(frame) == ["fitted", "residual", "low", "high", "rows"]
    assert frame["rows"].sum() == m.nobs
    assert abs(len(frame) - math.isqrt(m.nobs)) <= 2
    order = np.argsort(m.fitted.to_numpy(), kind="stable")[: frame["rows"].iloc[0]]
    p, y = m.fitted.to_numpy()[order], m.fitted.to_numpy()[order] + m.residuals().to_numpy()[order]
    assert frame["fitted"].iloc[0] == pytest.approx(p.mean())
    assert frame["residual"].iloc[0] == pytest.approx((y - p).mean())
    assert frame["high"].iloc[0] == pytest.approx(2 * math.sqrt((p * (1 - p)).sum()) / len(p))
    np.testing.assert_array_equal(frame["low"], -frame["high"])
    total = (frame["residual"] * frame["rows"]).sum()
    assert total == pytest.approx(m.residuals().sum())


@pytest.mark.parametrize("name", ["lmer", "binary", "weighted", "arrays"])
@pytest.mark.parametrize("re_form", [None, "NA"])
def test_fitted_values_with_the_random_effects_named(name: str, re_form: Any) -> None:
    m = model(name)
    frame = m.plot.residuals_data("pearson", re_form=re_form)
    expected = m.predict(re_form=re_form, type="link").loc[frame.index]
    np.testing.assert_allclose(frame["fitted"], expected)
    all_effects = m.plot.residuals_data("pearson")
    np.testing.assert_array_equal(frame["residual"], all_effects["residual"])


def test_residuals_rise_with_fitted_values_that_are_shrunken() -> None:
    """In a model that is right, with groups of five; against the fixed part they do not."""
    rng = np.random.default_rng(4)
    g = np.repeat(np.arange(4_000), 5)
    data = pd.DataFrame({"g": g, "x": rng.normal(size=len(g))})
    p = 1 / (1 + np.exp(-data["x"] - rng.normal(size=4_000)[g]))
    data["y"] = (rng.random(len(g)) < p).astype(int)
    m = mm.glmer("y ~ x + (1 | g)", data, family="binomial")
    inside = {
        re_form: frame["residual"].between(frame["low"], frame["high"]).mean()
        for re_form in (None, "NA")
        for frame in [m.plot.residuals_data(re_form=re_form)]
    }
    assert inside["NA"] > 0.9
    assert inside[None] < 0.6
    ax = m.plot.residuals(re_form="NA")
    assert "fixed part" in ax.get_xlabel()
    plt.close("all")


def test_calibration() -> None:
    m = model("binary")
    bins, frame = m.plot.residuals_data(), m.plot.observed_data()
    np.testing.assert_allclose(frame["observed"], bins["fitted"] + bins["residual"])
    np.testing.assert_allclose(frame["high"] - frame["observed"], bins["high"])


def test_equal_fitted_means_are_in_one_bin() -> None:
    data = pd.DataFrame({"y": [0, 1] * 100, "x": [0, 0, 1, 1, 2, 2, 3, 3] * 25})
    m = mm.glm("y ~ x", data, family="binomial")
    assert len(m.plot.residuals_data()) <= 4


@pytest.mark.parametrize("name", ["lmer", "weighted", "glmer", "gamma"])
def test_binned_residuals_of_other_models(name: str) -> None:
    """About 95 % of the means of bins are within two standard errors."""
    frame = model(name).plot.residuals_data("binned")
    inside = frame["residual"].between(frame["low"], frame["high"])
    assert inside.mean() > 0.7
    plt.close(model(name).plot.residuals("binned").figure)


# --- Four at once ---


@pytest.mark.parametrize("name", ["lmer", "lm", "glmer", "glm", "binary", "weighted", "arrays"])
def test_diagnostics(name: str) -> None:
    m = model(name)
    figure = m.plot.diagnostics()
    assert plt.get_fignums() == [figure.number]
    assert len(figure.axes) == 4
    names = m.plot.diagnostics_data().index.unique("plot").tolist()
    third = "observed" if name == "binary" else "scale_location"
    assert names == ["residuals", "qq", third, "leverage"]
    own, axes = plt.subplots(2, 2)
    assert m.plot.diagnostics(ax=axes) is own
    assert all(ax.get_title() for ax in axes.flat)
    plt.close("all")


# --- Large and odd data ---


def test_many_rows_are_a_density_of_bounded_size(tmp_path: Any) -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"x": rng.normal(size=60_000)})
    data["y"] = data["x"] + rng.normal(size=len(data))
    m = mm.lm("y ~ x", data)
    figure = m.plot.diagnostics()
    elements = sum(len(line.get_xdata()) for ax in figure.axes for line in ax.lines)
    assert elements < 5_000
    assert len(m.plot.residuals_data()) == 60_000
    assert len(m.plot.qq_data()) <= 2_000
    figure.savefig(tmp_path / "diagnostics.svg")
    assert (tmp_path / "diagnostics.svg").stat().st_size < 1.5e6
    plt.close(figure)


@pytest.mark.parametrize("formula", ["y ~ 1", "y ~ 0 + (1 | g)"])
def test_fewest_coefficients(formula: str) -> None:
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(8), 5)
    data = pd.DataFrame({"g": g, "y": rng.normal(size=8)[g] + rng.normal(size=40)})
    m = mm.lmer(formula, data) if "|" in formula else mm.lm(formula, data)
    m.plot.diagnostics().draw_without_rendering()
    assert m.plot.leverage_data()["cooks_distance"].isna().all() == ("|" in formula)
    plt.close("all")


def test_a_row_that_determines_a_coefficient_is_left_out() -> None:
    data = pd.DataFrame({"y": [1.0, 3, 2, 4, 9], "alone": [0, 0, 0, 0, 1]})
    m = mm.lm("y ~ alone", data)
    assert m.plot.leverage_data()["residual"].isna().tolist() == [False] * 4 + [True]
    assert m.plot.qq_data().index.tolist() == [0, 2, 1, 3]
    m.plot.diagnostics().draw_without_rendering()
    plt.close("all")


def test_errors() -> None:
    m = model("lm")
    with pytest.raises(mm.ArgumentError, match="choose response"):
        m.plot.residuals("raw")
    with pytest.raises(mm.ArgumentError, match="choose one of 'deviance'"):
        m.plot.qq_data("response")
    with pytest.raises(mm.ArgumentError, match="choose simultaneous"):
        m.plot.qq(band="wide")
    with pytest.raises(mm.ArgumentError, match="between 0 and 1"):
        m.plot.qq(level=95)
    assert plt.get_fignums() == []
    saturated = mm.glm("y ~ g", {"y": [3, 4, 9], "g": ["a", "b", "c"]}, family="poisson")
    for plot in (saturated.plot.scale_location, saturated.plot.leverage_data):
        with pytest.raises(mm.DataError, match="a coefficient for every row"):
            plot()
    assert plt.get_fignums() == []


def test_the_line_of_equality_asks_for_no_room() -> None:
    ax = model("lmer").plot.observed()
    assert ax.get_xlim()[0] > 150  # ms: reaction times lie far from zero
    plt.close(ax.figure)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("lmer", "Residuals against fitted values"),
        ("glmer", "Residuals against the linear predictor"),
    ],
)
def test_the_title_says_what_the_axis_says(name: str, title: str) -> None:
    ax = model(name).plot.residuals()
    assert ax.get_title() == title
    plt.close(ax.figure)
