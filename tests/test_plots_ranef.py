"""Pictures of conditional modes: their numbers against the model's, and where they are drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt
from scipy.stats import norm

import mixedmodels as mm
import reference_data
from plotted_models import draws_where_told, model

MIXED = ["lmer", "glmer", "binary", "weighted", "arrays", "refitted"]
ONE_PANEL = ["glmer", "binary", "weighted"]


@pytest.fixture(scope="module")
def crossed() -> Any:
    return mm.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", reference_data.load("Penicillin"))


@pytest.fixture(scope="module")
def many() -> Any:
    """7,000 groups, two columns of random effects."""
    rng = np.random.default_rng(1)
    g = np.repeat(np.arange(7_000), 4)
    data = pd.DataFrame({"g": g, "x": np.tile(np.arange(4.0), 7_000)})
    effects = rng.normal(size=(7_000, 2))
    data["y"] = effects[g, 0] + effects[g, 1] * data["x"] + rng.normal(size=len(g))
    return mm.lmer("y ~ x + (x | g)", data)


# --- Where they are drawn ---


@pytest.mark.parametrize("bars", [False, True])
@pytest.mark.parametrize("name", ONE_PANEL)
def test_caterpillar_drawn_where_told(name: str, bars: bool) -> None:
    m = model(name)
    ax = draws_where_told(lambda ax=None: m.plot.ranef(bars=bars, ax=ax))
    frame = m.plot.ranef_data()
    ends = [segment[:, 0] for segment in ax.collections[0].get_segments()] if not bars else []
    for end, row in zip(ends, frame.itertuples(), strict=False):
        assert end.tolist() == [row.conf_low, row.conf_high]
    assert len(frame) <= 50 or ax.get_ylabel() == f"{len(frame)} levels of {frame['grp'].iloc[0]}"


@pytest.mark.parametrize("name", ONE_PANEL)
def test_quantiles_drawn_where_told(name: str) -> None:
    m = model(name)
    ax = draws_where_told(m.plot.ranef_qq)
    points = m.plot.ranef_qq_data()[["theoretical", "value"]].to_numpy()
    assert any(np.array_equal(points, line.get_xydata()) for line in ax.lines)


@pytest.mark.parametrize("plot", ["ranef", "ranef_qq"])
def test_a_panel_a_term(plot: str, crossed: Any) -> None:
    for m, titles in (
        (model("lmer"), ["(Intercept) by Subject", "Days by Subject"]),
        (crossed, ["(Intercept) by plate", "(Intercept) by sample"]),
    ):
        figure = getattr(m.plot, plot)()
        assert plt.get_fignums() == [figure.number]
        assert [ax.get_title().removeprefix("Q-Q plot: ") for ax in figure.axes] == titles
        plt.close(figure)
        figure, axes = plt.subplots(2)
        assert getattr(m.plot, plot)(ax=axes) is figure
        assert plt.get_fignums() == [figure.number]
        plt.close(figure)


def test_one_of_several_panels(crossed: Any) -> None:
    _, ax = plt.subplots()
    assert crossed.plot.ranef("sample", ax=ax) is ax
    assert crossed.plot.ranef_data("sample")["grp"].unique().tolist() == ["sample"]
    assert model("lmer").plot.ranef_data(term="Days")["term"].unique().tolist() == ["Days"]
    plt.close("all")


def test_names_from_the_lowest_mode_upwards() -> None:
    m = model("lmer")
    ax = m.plot.ranef(term="Days")
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == m.ranef()["Subject"]["Days"].sort_values().index.tolist()
    assert ax.get_ylim()[0] < ax.get_ylim()[1]
    ax = m.plot.ranef(term="Days", sort=False)
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == m.ranef()["Subject"].index.tolist()
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first on top
    plt.close("all")


# --- Numbers ---


@pytest.mark.parametrize("name", MIXED)
def test_modes_and_intervals(name: str) -> None:
    m = model(name)
    frame = m.plot.ranef_data(level=0.9, sort=False)
    modes = m.ranef(condvar=True)
    pd.testing.assert_frame_equal(frame[["grp", "term", "level", "value", "sd"]], modes.to_frame())
    np.testing.assert_allclose(frame["conf_high"], frame["value"] + norm.ppf(0.95) * frame["sd"])
    np.testing.assert_allclose(frame["conf_low"] + frame["conf_high"], 2 * frame["value"])
    for _, part in m.plot.ranef_data().groupby("term"):
        assert part["value"].is_monotonic_increasing


@pytest.mark.parametrize("name", MIXED)
def test_the_line_has_the_standard_deviation_of_modes(name: str) -> None:
    m = model(name)
    for (group, term), part in m.plot.ranef_qq_data().groupby(["grp", "term"]):
        variance = m.varcorr[group].loc[term, term]
        expected = np.sqrt(variance - (part["sd"] ** 2).mean()) * part["theoretical"]
        np.testing.assert_allclose(part["line"], expected)
        assert (part["low"] < part["line"]).all()


def test_modes_of_normal_effects_follow_the_line(many: Any) -> None:
    frame = many.plot.ranef_qq_data()
    for _, part in frame.groupby("term"):
        assert len(part) <= 2_000
        assert part["value"].between(part["low"], part["high"]).all()
        assert np.polyfit(part["line"], part["value"], 1)[0] == pytest.approx(1, abs=0.05)


# --- Many levels, none, wrong names ---


def test_thousands_of_levels_are_drawn_without_names(many: Any, tmp_path: Any) -> None:
    assert len(many.plot.ranef_data()) == 14_000
    for bars in (False, True):
        figure = many.plot.ranef(bars=bars)
        assert figure.axes[0].get_ylabel() == "7,000 levels of g, 5,000 drawn"
        assert len(figure.axes[0].get_yticks()) == 0
        figure.savefig(tmp_path / "ranef.svg")
        assert (tmp_path / "ranef.svg").stat().st_size < 0.5e6
        plt.close(figure)


def test_a_variance_of_zero() -> None:
    """Dyestuff2: every mode is zero."""
    with pytest.warns(mm.SingularFitWarning):
        m = mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff2"))
    frame = m.plot.ranef_qq_data()
    assert (frame[["value", "line", "low", "high"]].abs() < 1e-9).all(axis=None)
    for plot in (m.plot.ranef, m.plot.ranef_qq):
        plot().figure.draw_without_rendering()
    plt.close("all")


def test_errors() -> None:
    m = model("lmer")
    for name in ("lm", "glm"):
        with pytest.raises(mm.ArgumentError, match="no random effects"):
            model(name).plot.ranef()
    with pytest.raises(mm.ArgumentError, match="no grouping factor; did you mean 'Subject'"):
        m.plot.ranef("subject")
    with pytest.raises(mm.ArgumentError, match=r"no random effect.*choose one of"):
        m.plot.ranef_qq_data("Subject", "week")
    with pytest.raises(mm.ArgumentError, match="between 0 and 1"):
        m.plot.ranef(level=2)
    _, ax = plt.subplots()
    with pytest.raises(mm.ArgumentError, match="1 axes and the picture has 2 panels"):
        m.plot.ranef(ax=ax)
    plt.close("all")
