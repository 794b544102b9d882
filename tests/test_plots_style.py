"""Axes, colours and clouds of points: what all plots share."""

from __future__ import annotations

import builtins
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

import matplotlib
import matplotlib.pyplot as plt

import mixedmodels as mm
from mixedmodels.plots import large, style
from plotted_models import model


@pytest.fixture(autouse=True)
def no_figures_left() -> Any:
    yield
    plt.close("all")


# --- Axes ---


def test_given_axes_keep_their_style() -> None:
    _, ax = plt.subplots()
    ax.xaxis.label.set_fontsize(20)
    assert style.axes(ax) is ax
    assert ax.spines["top"].get_visible()
    style.describe(ax, x="x", y="y", title="title")
    assert ax.xaxis.label.get_fontsize() == 20


def test_new_axes_are_on_a_figure_of_pyplots() -> None:
    settings = matplotlib.rcParams.copy()
    ax = style.axes()
    assert plt.get_fignums() == [ax.figure.number]
    assert not ax.spines["top"].get_visible()
    assert matplotlib.rcParams == settings


def test_panels() -> None:
    assert len(style.panels(5)) == len(plt.gcf().axes) == 5
    given = plt.subplots(2, 2)[1]
    assert style.panels(4, given) == list(given.flat)
    assert style.panels(2, given[0]) == list(given[0])
    assert style.panels(1, [given[0, 0]]) == [given[0, 0]]


@pytest.mark.parametrize("ax", ["axes", 3, [1, 2], [[None]]])
def test_something_else_than_axes(ax: Any) -> None:
    with pytest.raises(mm.ArgumentError, match="expected matplotlib Axes"):
        style.panels(np.size(ax), ax)


def test_wrong_number_of_axes() -> None:
    with pytest.raises(mm.ArgumentError, match="2 axes and the picture has 1 panel;"):
        model("lm").plot.qq(ax=plt.subplots(2)[1])


def test_a_figure_inside_a_figure() -> None:
    figure = plt.figure()
    inner = figure.subfigures(1, 2)[0].subplots(2, 2)
    assert model("lm").plot.diagnostics(ax=inner) is figure


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError("No module named 'matplotlib'")
        return original(name, *args, **kwargs)

    for name in [name for name in sys.modules if name.startswith("matplotlib")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", refuse)
    plots = model("lmer").plot
    for plot in (plots.residuals, plots.qq, plots.ranef, plots.ranef_qq, plots.diagnostics):
        with pytest.raises(mm.MissingDependencyError, match=r"pip install 'mixedmodels\[plot\]'"):
            plot()
        with pytest.raises(ImportError):
            plot()
    assert len(plots.diagnostics_data()) == 4 * 180
    assert len(plots.ranef_data()) == 36


# --- Colours ---


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2)."""
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_colours_show_on_white() -> None:
    for colour in style.CYCLE:
        assert 1.05 / (luminance(colour) + 0.05) > 2


def test_density_reads_in_grey() -> None:
    shades = [luminance(colour) for colour in style.density_colours()(np.linspace(0, 1, 20))]
    assert (np.diff(shades) < 0).all()
    assert shades[0] < 0.75  # a single point shows on white


# --- Clouds ---


def test_few_points_are_points_and_many_a_density() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, large.MANY + 1))
    ax = style.axes()
    large.cloud(ax, x[:-1], y[:-1])
    assert len(ax.lines) == 1
    assert not ax.collections
    large.cloud(ax, x, y)
    (density,) = ax.collections
    assert density.get_array().sum() == len(x)
    assert len(density.get_array()) < 5_000
    assert density.get_rasterized()


def test_what_is_not_finite_is_left_out() -> None:
    ax = style.axes()
    large.cloud(ax, np.array([0.0, np.nan, 2.0]), np.array([1.0, 1.0, np.inf]))
    assert ax.lines[0].get_xydata().tolist() == [[0.0, 1.0]]


def test_many_points_in_one_place() -> None:
    ax = style.axes()
    large.cloud(ax, np.ones(10_000), np.zeros(10_000))
    ax.figure.draw_without_rendering()


# --- Labels ---


def test_long_labels_stay_on_the_figure() -> None:
    ax = style.axes()
    name = "the_improvement_in_quality_of_life_score_after_twelve_months_of_treatment"
    style.describe(ax, x=f"mean of {name}", y=f"observed {name}", title="title")
    ax.set_yticks([0, 1], ["a hospital with a name of", "another"])
    ax.figure.canvas.draw()
    whole = ax.figure.bbox
    for label in (ax.xaxis.label, ax.yaxis.label):
        found = label.get_window_extent()
        assert whole.x0 <= found.x0 <= found.x1 <= whole.x1
        assert whole.y0 <= found.y0 <= found.y1 <= whole.y1


def test_abbreviations_of_different_labels_differ() -> None:
    arms = ["cognitive therapy in a group of", "waiting list with the usual", "mindfulness"]
    terms = [f"assigned_treatment{arm}:baseline_score_of_the_patient" for arm in arms]
    for most in (10, 16, 32):
        assert len(set(style.short(terms, most))) == 3


def test_numbers_of_panels_side_by_side_do_not_touch() -> None:
    for ax in style.panels(3, columns=3, size=(9.6, 3.8)):
        ax.set_xlim(-2.0831, -0.7214)
        ax.figure.canvas.draw()
        ends = [tick.get_window_extent() for tick in ax.get_xticklabels() if tick.get_text()]
        assert all(left.x1 < right.x0 for left, right in pairwise(ends))


@pytest.mark.parametrize("stamps", ["dates", "times"])
def test_dates_are_named_as_dates(stamps: str) -> None:
    rng = np.random.default_rng(3)
    day = pd.Timestamp("2023-01-15") + pd.to_timedelta(rng.integers(0, 700, 200), unit="D")
    data = pd.DataFrame({"day": day.date if stamps == "dates" else day, "g": np.arange(200) % 9})
    data["y"] = rng.normal(size=9)[data["g"]] + rng.normal(size=200)
    m = mm.lmer("y ~ day + (1 | g)", data)
    for figure in (m.plot.effects().figure, m.plot.groups()):
        figure.canvas.draw()
        ax = figure.axes[-1]
        assert "2024" in [tick.get_text() for tick in ax.get_xticklabels()]
        assert not ax.xaxis.get_offset_text().get_text()


def test_lines_of_reference_show_on_a_density() -> None:
    ax = style.axes()
    style.identity_line(ax)
    large.cloud(ax, *np.random.default_rng(1).normal(size=(2, large.MANY + 1)))
    assert ax.lines[0].get_zorder() > ax.collections[0].get_zorder()
