"""Pictures of quantile residuals: their numbers, and where they are drawn."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt

import mixedmodels as mm
from check_examples import faulty
from plotted_models import MAKERS, model

SIMULATIONS = 60


@pytest.mark.parametrize("name", MAKERS)
def test_drawn_where_told(name: str) -> None:
    m = model(name)
    figure, two = plt.subplots(1, 2)
    assert m.plot.quantile_residuals(SIMULATIONS, ax=two) is figure
    assert plt.get_fignums() == [figure.number]
    frame = m.plot.quantile_residuals_data(SIMULATIONS)
    for ax, part, columns in zip(
        two, ("qq", "fitted"), (["expected", "residual"], ["rank", "residual"]), strict=True
    ):
        points = frame.loc[part][columns].to_numpy()
        assert any(np.array_equal(points, line.get_xydata()) for line in ax.lines)
        assert ax.get_xlabel()
        assert ax.get_title()
    plt.close(figure)


def test_a_new_figure() -> None:
    figure = model("lm").plot.quantile_residuals(SIMULATIONS)
    assert len(figure.axes) == 2
    plt.close(figure)
    with pytest.raises(mm.ArgumentError, match="2 panels"):
        model("lm").plot.quantile_residuals(ax=plt.figure().add_subplot())
    plt.close("all")


@pytest.mark.parametrize("re_form", ["NA", None])
def test_the_residuals_are_those_of_the_model(re_form: str | None) -> None:
    m = model("glmer")
    frame = m.plot.quantile_residuals_data(SIMULATIONS, 3, re_form=re_form)
    residuals = m.quantile_residuals(SIMULATIONS, 3, re_form=re_form)
    np.testing.assert_allclose(frame.loc["fitted"]["residual"], residuals)
    np.testing.assert_allclose(frame.loc["qq"]["residual"], np.sort(residuals))
    fitted = m.linear_predictor if re_form is None else m.predict(re_form="NA", type="link")
    rank = (fitted.rank().to_numpy() - 0.5) / m.nobs
    np.testing.assert_allclose(frame.loc["fitted"]["rank"], rank)


def test_quartiles_are_those_of_equal_shares_of_the_rows() -> None:
    m = mm.lm("sound ~ x", faulty())  # 300 rows: 7 bins
    frame = m.plot.quantile_residuals_data(SIMULATIONS).loc["fitted"]
    bins = (frame["rank"] * 7).astype(int)
    for quartile, name in ((0.25, "q25"), (0.5, "q50"), (0.75, "q75")):
        expected = frame["residual"].groupby(bins).quantile(quartile)
        np.testing.assert_allclose(frame[name], expected[bins])
    small = mm.lm("sound ~ x", faulty()[:79]).plot.quantile_residuals_data(SIMULATIONS)
    assert small.loc["fitted"][["q25", "q50", "q75"]].isna().all(axis=None)


@pytest.mark.parametrize(("response", "inside"), [("count", True), ("mixed", False)])
def test_the_band_tells_the_right_family_from_the_wrong(response: str, inside: bool) -> None:
    m = mm.glmer(f"{response} ~ x + (1 | g)", faulty(4, 60, 5), family="poisson")
    qq = m.plot.quantile_residuals_data().loc["qq"]
    share = qq["residual"].between(qq["low"], qq["high"]).mean()
    assert (share > 0.95) == inside


def test_many_rows_are_thinned_out() -> None:
    m = mm.lm("sound ~ x", faulty(2, 20, 1200))
    frame = m.plot.quantile_residuals_data(20)
    assert frame.loc["qq"].shape == (1000, 4 + 4)
    assert frame.loc["fitted"].shape[0] == 20_000
