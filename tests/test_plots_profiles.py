"""Pictures of profiles, their contours and traces: against the likelihood and by hand."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize

pytest.importorskip("matplotlib")

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

import mixedmodels as mm
import reference_data
from mixedmodels.inference.distributions import chi2_quantile
from plotted_models import dyestuff, model
from test_profile import NAMES, sleepstudy_deviance

INTERPOLATION = 3e-4  # of an interval's width: 8 points a side, monotone cubics between them


@pytest.fixture(scope="module")
def flat() -> Any:
    """The variance between batches is estimated as zero."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        return dyestuff("Dyestuff2")


@pytest.mark.parametrize("name", ["lmer", "glmer", "glm"])
def test_intervals_of_a_profile_are_those_of_confint(name: str) -> None:
    m = model(name)
    frame = m.plot.profile_data()
    ends = frame[frame["kind"] == "interval"]
    for level in (0.5, 0.95, 0.99):
        expected = m.confint(level=level)
        for parameter, row in expected.iterrows():
            mine = ends[(ends["name"] == parameter) & (ends["level"] == level)]["value"]
            width = row.iloc[1] - row.iloc[0]
            np.testing.assert_allclose(mine, list(row.iloc[:2]), atol=INTERPOLATION * width)


def test_a_profile_ends_at_the_boundary(flat: Any) -> None:
    frame = flat.plot.profile_data(".sig01")
    ends = frame[(frame["kind"] == "interval") & (frame["level"] == 0.95)]["value"]
    expected = flat.confint(".sig01").iloc[0, :2]
    np.testing.assert_allclose(ends, list(expected), atol=INTERPOLATION * expected.iloc[1])
    assert ends.iloc[0] == 0


def test_the_points_of_a_profile_are_drawn() -> None:
    profile = model("lmer").profile(points=3)
    frame = model("lmer").plot.profile_data(".sigma")
    curve = profile.curves[".sigma"]
    points = frame[frame["kind"] == "point"]
    assert curve["zeta"].iloc[0] == pytest.approx(points["zeta"].iloc[0])
    assert curve["value"].iloc[-1] == pytest.approx(points["value"].iloc[-1])
    figure = profile.plot()
    assert isinstance(figure, Figure)
    assert [ax.get_xlabel() for ax in figure.axes] == list(profile.labels.values())
    plt.close(figure)


def test_one_profile_is_drawn_where_told() -> None:
    figure, ax = plt.subplots()
    assert model("lmer").plot.profile("Days", ax=ax) is ax
    plt.close(figure)


def test_contours_reach_as_far_as_their_level() -> None:
    frame = model("lmer").plot.profile_pairs_data([".sig01", ".sigma", "Days"])
    assert set(zip(frame["name_x"], frame["name_y"], strict=True)) == {
        (".sig01", ".sigma"),
        (".sig01", "Days"),
        (".sigma", "Days"),
    }
    for level, contour in frame[frame["kind"] == "contour"].groupby("level"):
        reach = np.sqrt(chi2_quantile(float(level), 2))  # type: ignore[arg-type]
        np.testing.assert_allclose(contour["zeta_x"].abs().max(), reach, rtol=1e-3)
        assert contour[["x", "y"]].notna().all(axis=None)


def test_contours_against_the_likelihood() -> None:
    """Of a logistic regression with two coefficients, whose deviance is known everywhere."""
    data = reference_data.load("cbpp")
    x = np.where(data["period"] == "1", 0.0, 1.0)
    m = mm.glm("cbind(incidence, size - incidence) ~ late", data.assign(late=x), family="binomial")
    frame = m.plot.profile_pairs_data()

    def deviance(first: float, second: float) -> float:
        eta = first + second * x
        likelihood = data["incidence"] * eta - data["size"] * np.log1p(np.exp(eta))
        return -2 * float(likelihood.sum())

    least = deviance(*m.fixef)
    contours = frame[frame["kind"] == "contour"]
    for level, tolerance in ((0.5, 0.004), (0.95, 0.009)):
        for x_at, y_at in contours[contours["level"] == level][["x", "y"]].to_numpy()[::10]:
            rise = deviance(x_at, y_at) - least
            assert rise == pytest.approx(chi2_quantile(level, 2), rel=tolerance)


# How far the contours of eighteen subjects stay inside of those of the likelihood, as a share of c,
# at 50 and at 95 %: nothing where the traces meet them, and most midway between two such points,
# of which the traces say nothing.
SHORT = {
    (".sig03", "Days"): (0.004, 0.01),
    (".sig01", ".sigma"): (0.002, 0.01),
    (".sig01", ".sig03"): (0.003, 0.02),
    ("(Intercept)", "Days"): (0.013, 0.05),
    (".sig01", ".sig02"): (0.02, 0.12),
}


@pytest.mark.parametrize("pair", SHORT)
def test_contours_against_a_likelihood_with_the_rest_at_its_best(pair: tuple[str, str]) -> None:
    m = mm.lmer("Reaction ~ Days + (Days | Subject)", reference_data.load("sleepstudy"))
    frame = m.plot.profile_pairs_data(pair)
    estimate = m.profile(points=1).optima[".sigma"].iloc[1].to_numpy()
    at = [NAMES.index(name) for name in pair]
    free = np.setdiff1d(range(6), at)

    def rise(values: Any) -> float:
        point = estimate.copy()
        point[at] = values

        def deviance(x: Any) -> float:
            point[free] = x
            return sleepstudy_deviance(point) - sleepstudy_deviance(estimate)

        return float(minimize(deviance, estimate[free], options={"gtol": 1e-4}).fun)

    for level, short in zip((0.5, 0.95), SHORT[pair], strict=True):
        c = np.sqrt(chi2_quantile(level, 2))
        contour = frame[frame["level"] == level]
        found = np.sqrt([rise(point) for point in contour[["x", "y"]].to_numpy()[:-1:20]])
        assert (found < 1.001 * c).all()
        assert (found > (1 - short) * c).all()
        widest = [contour[f"zeta_{axis}"].abs().argmax() for axis in "xy"]
        for point in contour[["x", "y"]].to_numpy()[widest]:
            assert np.sqrt(rise(point)) == pytest.approx(c, rel=2e-3)


def test_traces_are_the_best_of_the_other() -> None:
    """Midway between the profile's points, against regressions with an offset."""
    data = reference_data.load("sleepstudy")
    m = mm.lmer("Reaction ~ Days + (1 | Subject)", data, REML=False)
    frame = m.plot.profile_pairs_data([".sig01", "Days"])
    of_sd = frame[frame["kind"] == "trace"].iloc[121::15]
    for sd, slope in of_sd[["x", "y"]].to_numpy():
        known = slope * data["Days"]
        rest = mm.lmer("Reaction ~ 1 + (1 | Subject)", data, offset=known, REML=False)
        assert sd == pytest.approx(rest.theta[0] * rest.sigma, rel=2e-4)


def test_correlation_of_a_standard_deviation_and_sigma() -> None:
    """By differences of the likelihood of a balanced layout, which is known in closed form."""
    m = dyestuff()
    data = reference_data.load("Dyestuff")
    batches, size = 6, 5
    means = data.groupby("Batch", observed=True)["Yield"].mean()
    within = float(((data["Yield"] - data["Batch"].map(means).astype(float)) ** 2).sum())
    between = size * float(((means - means.mean()) ** 2).sum())

    def deviance(sd: float, sigma: float) -> float:
        total = size * sd**2 + sigma**2
        free = batches * (size - 1)
        return (
            free * np.log(sigma**2) + batches * np.log(total) + within / sigma**2 + between / total
        )

    at, step = np.array([m.profile(points=1).curves[".sig01"]["value"].iloc[1], m.sigma]), 1e-2
    unit = step * np.eye(2)
    hessian = [
        [
            (
                deviance(*(at + unit[i] + unit[j]))
                - deviance(*(at + unit[i] - unit[j]))
                - deviance(*(at - unit[i] + unit[j]))
                + deviance(*(at - unit[i] - unit[j]))
            )
            / (4 * step**2)
            for j in range(2)
        ]
        for i in range(2)
    ]
    covariance = np.linalg.inv(hessian)
    expected = covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
    found = m.profile(points=1).correlation
    assert found.loc[".sig01", ".sigma"] == pytest.approx(expected, rel=1e-4)
    assert found.loc[".sig01", "(Intercept)"] == 0


def test_pairs_are_a_square_of_panels(flat: Any) -> None:
    figure = flat.plot.profile_pairs()
    assert len(figure.axes) == 9
    plt.close(figure)
    frame = flat.plot.profile_pairs_data()  # no correlation at the boundary
    assert set(frame["name_x"]) == {".sigma"}
