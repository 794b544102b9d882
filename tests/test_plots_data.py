"""Pictures of the data, group by group: their numbers against the model's, and where they stand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

import mixedmodels as mm
import reference_data
from plotted_models import draws_where_told, model

MIXED = ["lmer", "glmer", "binary", "weighted", "refitted"]
PLOTS = ["groups", "means", "shrinkage"]


@pytest.fixture(scope="module")
def wards() -> pd.DataFrame:
    """Two crossed factors, a covariate, a factor; one group of a single row."""
    rng = np.random.default_rng(4)
    n = 240
    frame = pd.DataFrame(
        {
            "x": rng.uniform(0, 10, n),
            "f": rng.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]),
            "v": rng.normal(size=n),
            "g": rng.integers(0, 12, n).astype(str),
            "h": rng.integers(0, 5, n).astype(str),
            "w": rng.uniform(0.5, 2.0, n),
        }
    )
    frame.loc[0, "g"] = "alone"
    effect = frame["g"].str.len() + frame["h"].astype(int)
    frame["y"] = frame["x"] * (1 + 0.2 * effect) + (frame["f"] == "b") + rng.normal(size=n)
    frame["z"] = (frame["y"] > frame["y"].median()).astype(int)
    return frame


@pytest.fixture(scope="module")
def crossed(wards: pd.DataFrame) -> Any:
    return mm.lmer("y ~ x + f + v + (x | g) + (1 | h)", wards, weights="w")


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("name", MIXED)
def test_drawn_where_told(name: str, plot: str) -> None:
    draws_where_told(getattr(model(name).plot, plot))


# --- Groups ---


@pytest.mark.parametrize("name", ["lmer", "refitted", "weighted"])
def test_a_groups_line_has_its_coefficients(name: str) -> None:
    m = model(name)
    frame = m.plot.groups_data()
    lines = frame[frame["kind"] == "line"]
    own = m.coef()["Subject"].rename(index=str)
    x, level = lines["x"].astype(float).to_numpy(), lines["level"].to_numpy()
    expected = own.loc[level, "(Intercept)"] + own.loc[level, "Days"] * x
    np.testing.assert_allclose(lines["y"].astype(float), expected, rtol=1e-12)
    population = frame[frame["kind"] == "population"]
    straight = m.fixef["(Intercept)"] + m.fixef["Days"] * population["x"].astype(float)
    np.testing.assert_allclose(population["y"].astype(float), straight, rtol=1e-12)


@pytest.mark.parametrize("name", ["lmer", "glmer", "weighted", "refitted"])
def test_rows_are_those_used(name: str) -> None:
    m = model(name)
    frame = m.plot.groups_data()
    rows = frame[frame["kind"] == "row"]
    np.testing.assert_array_equal(rows["y"], m._response)


def test_a_generalised_models_lines_are_means() -> None:
    m = model("glmer")
    frame = m.plot.groups_data()
    lines = frame[frame["kind"] == "line"]
    new = pd.DataFrame({"period": lines["x"], "herd": lines["level"]})
    np.testing.assert_allclose(lines["y"].astype(float), m.predict(new), rtol=1e-12)
    population = frame[frame["kind"] == "population"]
    means = m.predict(pd.DataFrame({"period": population["x"]}), re_form="NA")
    np.testing.assert_allclose(population["y"].astype(float), means, rtol=1e-12)


def test_other_variables_are_averaged_over(crossed: Any, wards: pd.DataFrame) -> None:
    frame = crossed.plot.groups_data()
    lines = frame[frame["kind"] == "line"]
    parts = [
        crossed.predict(
            {"x": lines["x"], "g": lines["level"], "f": [f] * len(lines), "v": [mean] * len(lines)},
            re_form="~ (x | g)",
        )
        for f in "abc"
        for mean in [wards["v"].mean()]
    ]
    np.testing.assert_allclose(lines["y"].astype(float), np.mean(parts, axis=0), rtol=1e-12)
    spans = lines.groupby("level")["x"].agg(["min", "max"]).astype(float)
    observed = wards.groupby("g")["x"].agg(["min", "max"]).loc[spans.index]
    np.testing.assert_allclose(spans, observed)


def test_a_variable_of_random_terms_alone(wards: pd.DataFrame) -> None:
    m = mm.lmer("y ~ x + (1 | g) + (0 + v | g)", wards)
    frame = m.plot.groups_data("v")
    line = frame[(frame["kind"] == "line") & (frame["level"] == "3")]
    slope = np.polyfit(line["x"].astype(float), line["y"].astype(float), 1)[0]
    assert slope == pytest.approx(m.ranef()["g"].loc["3", "v"])


def test_levels_of_a_factor_stand_in_their_order(crossed: Any) -> None:
    ax = crossed.plot.groups("f", "h")
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["a", "b", "c"]
    assert len(ax.get_legend().get_texts()) == 6  # five groups, the population
    plt.close(ax.figure)


def test_up_to_fifty_groups_have_a_panel_each() -> None:
    figure = model("lmer").plot.groups()
    assert isinstance(figure, Figure)
    assert [ax.get_title() for ax in figure.axes] == list(model("lmer").ranef()["Subject"].index)
    plt.close(figure)


def test_of_many_groups_and_rows_some_are_drawn() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    data = pd.DataFrame({"x": rng.normal(size=n), "g": rng.integers(0, 200, n)})
    data["y"] = data["x"] + rng.normal(size=200)[data["g"]] + rng.normal(size=n)
    m = mm.lmer("y ~ x + (1 | g)", data)
    frame = m.plot.groups_data()
    assert frame["level"].nunique() == 50
    ax = m.plot.groups()
    assert "50 of 200 groups" in ax.get_legend().get_title().get_text()
    assert not ax.texts  # which a legend could cover
    plt.close(ax.figure)
    assert len(m.plot.shrinkage_data()) == 150
    big = mm.lmer("y ~ x + (1 | k)", data.assign(k=data["g"] % 10))
    rows = big.plot.groups_data()["kind"].value_counts()["row"]
    assert rows == 5_000


# --- Means ---


def test_means_against_pandas() -> None:
    m = model("lmer")
    frame = m.plot.means_data().set_index("level")
    data = reference_data.load("sleepstudy")
    found = data.groupby("Subject", observed=True)["Reaction"].agg(["mean", "sem", "size"])
    found.index = found.index.astype(str)
    np.testing.assert_allclose(frame["mean"], found.loc[frame.index, "mean"])
    np.testing.assert_allclose(frame["std_error"], found.loc[frame.index, "sem"])
    assert frame["n"].tolist() == found.loc[frame.index, "size"].tolist()
    assert frame["grand_mean"].unique() == pytest.approx(data["Reaction"].mean())
    assert frame["mean"].is_monotonic_increasing


def test_proportions_count_by_their_trials() -> None:
    data = reference_data.load("cbpp")
    frame = model("glmer").plot.means_data().set_index("level")
    sums = data.groupby("herd", observed=True)[["incidence", "size"]].sum()
    expected = (sums["incidence"] / sums["size"]).set_axis(sums.index.astype(str))
    np.testing.assert_allclose(frame["mean"], expected.loc[frame.index])
    assert np.isnan(frame.loc["8", "std_error"])  # one row
    total = data["incidence"].sum() / data["size"].sum()
    assert frame["grand_mean"].iloc[0] == pytest.approx(total)


def test_rank_stays_where_groups_are_left_out() -> None:
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"g": np.repeat(np.arange(900), 2), "y": rng.normal(size=1800)})
    data["y"] += data["g"] % 7
    frame = mm.lmer("y ~ 1 + (1 | g)", data).plot.means_data()
    assert len(frame) == 400
    assert frame["rank"].iloc[[0, -1]].tolist() == [1, 900]


# --- Shrinkage ---


def test_own_lines_are_least_squares() -> None:
    m = model("lmer")
    wide = m.plot.shrinkage_data().pivot(index="level", columns="effect", values="no_pooling")
    data = reference_data.load("sleepstudy")
    for level, rows in data.groupby(data["Subject"].astype(str)):
        slope, intercept = np.polyfit(rows["Days"], rows["Reaction"], 1)
        assert wide.loc[level, "Days"] == pytest.approx(slope)
        assert wide.loc[level, "(Intercept)"] == pytest.approx(intercept)


@pytest.mark.parametrize("name", ["lmer", "arrays", "glmer", "weighted"])
def test_the_models_are_its_coefficients(name: str) -> None:
    m = model(name)
    frame = m.plot.shrinkage_data()
    (group,) = m.ngroups
    own = m.coef()[group].rename(index=str)
    for effect, part in frame.groupby("effect"):
        np.testing.assert_allclose(part["partial_pooling"], own.loc[part["level"], effect])
        np.testing.assert_allclose(part["population"], m.fixef[effect])


def test_all_else_stays_as_in_the_model(crossed: Any, wards: pd.DataFrame) -> None:
    """By weighted least squares on what the rest of the model leaves."""
    frame = crossed.plot.shrinkage_data("g")
    wide = frame.pivot(index="level", columns="effect", values="no_pooling")
    rest = crossed.predict(re_form="~ (1 | h)") - (
        crossed.fixef["(Intercept)"] + crossed.fixef["x"] * wards["x"]
    )
    for level, rows in wards.groupby("g"):
        if level == "alone":
            assert wide.loc[level].isna().all()
            continue
        y = rows["y"] - rest.loc[rows.index]
        slope, intercept = np.polyfit(rows["x"], y, 1, w=np.sqrt(rows["w"]))
        np.testing.assert_allclose(wide.loc[level], [intercept, slope], rtol=1e-8)


def test_own_estimates_of_a_generalised_model_maximise_the_likelihood() -> None:
    data = reference_data.load("Contraception")
    m = mm.glmer("use ~ age + (age | district)", data, family="binomial", nAGQ=0)
    frame = m.plot.shrinkage_data()
    wide = frame.pivot(index="level", columns="effect", values="no_pooling").dropna()
    assert len(wide) > 20
    for level in wide.index[::6]:
        alone = mm.glm("use ~ age", data[data["district"].astype(str) == level], family="binomial")
        np.testing.assert_allclose(wide.loc[level], alone.fixef, rtol=1e-4, atol=1e-5)


def test_a_group_that_separates_its_response_has_no_own_estimate(wards: pd.DataFrame) -> None:
    data = wards.assign(z=np.where(wards["g"] == "3", 1, wards["z"]))
    m = mm.glmer("z ~ 1 + (1 | g)", data, family="binomial")
    frame = m.plot.shrinkage_data().set_index("level")
    assert np.isnan(frame.loc[["3", "alone"], "no_pooling"]).all()
    for level in ("1", "4", "7"):
        share = data.loc[data["g"] == level, "z"].mean()
        logit = np.log(share / (1 - share))
        assert frame.loc[level, "no_pooling"] == pytest.approx(logit, abs=1e-6)
    ax = m.plot.shrinkage()
    assert "2 without an estimate" in ax.get_legend().get_title().get_text()
    plt.close(ax.figure)


@pytest.mark.filterwarnings("error")
def test_a_group_without_the_predictor_has_no_own_slope(wards: pd.DataFrame) -> None:
    table = wards.assign(x=wards["x"].where(wards["g"] != "3", 0.0))
    m = mm.lmer("y ~ x + (0 + x | g)", table)
    own = m.plot.shrinkage_data().set_index("level")["no_pooling"]
    assert own.index[own.isna()].tolist() == ["3"]


def test_one_effect_is_a_strip() -> None:
    ax = model("lmer").plot.shrinkage(effects="Days")
    assert ax.get_xlabel() == "Days"
    assert len(ax.get_yticklabels()) == 18
    plt.close(ax.figure)


# --- What is refused ---


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("name", ["lm", "glm"])
def test_no_groups(name: str, plot: str) -> None:
    with pytest.raises(mm.ArgumentError, match="no random effects"):
        getattr(model(name).plot, f"{plot}_data")()


WRONG = {
    "no such group": ("means_data", {"group": "clinic"}, "no grouping factor here"),
    "no such predictor": ("groups_data", {"predictor": "Day"}, "did you mean 'Days'"),
    "no such effect": ("shrinkage_data", {"effects": "Day"}, "choose one or two of"),
    "too many effects": ("shrinkage_data", {"effects": ["Days"] * 2}, "choose one or two of"),
    "not axes": ("means", {"ax": 3}, "expected matplotlib Axes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_arguments(case: str) -> None:
    plot, arguments, message = WRONG[case]
    with pytest.raises(mm.ArgumentError, match=message):
        getattr(model("lmer").plot, plot)(**arguments)


def test_no_predictor() -> None:
    m = mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff"))
    with pytest.raises(mm.ArgumentError, match="an intercept alone"):
        m.plot.groups()


def test_groups_need_a_formula() -> None:
    with pytest.raises(mm.DataError, match="fitted from arrays"):
        model("arrays").plot.groups()


@pytest.mark.parametrize("plot", PLOTS)
def test_a_model_without_rows(plot: str, tmp_path: Any) -> None:
    model("lmer").save(tmp_path / "m.mm", data=False)
    lean = mm.load(tmp_path / "m.mm")
    with pytest.raises(mm.DataError):
        getattr(lean.plot, plot)()


def test_lines_in_colours_differ_in_grey() -> None:
    data = reference_data.load("sleepstudy")
    data["half"] = np.where(data["Subject"].astype(int) > 340, "late", "early")
    ax = mm.lmer("Reaction ~ Days + (1 | half)", data).plot.groups()
    styles = {line.get_label(): line.get_linestyle() for line in ax.lines}
    assert styles["early"] != styles["late"]
    plt.close(ax.figure)
