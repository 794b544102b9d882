"""Intervals of predictions: R's for regressions, dense algebra and closed forms for mixed models,
coverage in simulated data for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import clinic
import mixedmodels as mm
from henderson import henderson
from mixedmodels.models.rows import group_codes
from mixedmodels.predictions import joint
from reference_data import load
from test_predict import ARMS, with_arms

BOTH = ["confidence", "prediction"]


# --- Regressions, against R ---

# R: predict(lm(anxiety ~ therapy_sessions * arm), new, interval = ...)
R_CONFIDENCE = [
    [51.3807789101846, 48.0493664173802, 54.7121914029891],
    [36.5556761938801, 34.9298067595356, 38.1815456282246],
    [16.1393525868203, 12.0241808702744, 20.2545243033662],
]
R_PREDICTION = [
    [51.3807789101846, 34.784627788348175, 67.9769300320211],
    [36.5556761938801, 20.216233905994137, 52.8951184817660],
    [16.1393525868203, -0.631710620927702, 32.9104157945683],
]
ENDS = ["prediction", "lower", "upper"]


def test_ordinary_regression_is_rs() -> None:
    m = mm.lm("anxiety ~ therapy_sessions * arm", with_arms())
    for interval, expected in zip(BOTH, (R_CONFIDENCE, R_PREDICTION), strict=True):
        got = m.predict(ARMS, interval=interval)
        assert got.columns.tolist() == ["prediction", "std_error", "lower", "upper"]
        np.testing.assert_allclose(got[ENDS], expected, rtol=1e-10)


def test_generalised_regression_is_rs() -> None:
    """Standard errors of predict(glm(..., epsilon = 1e-15), se.fit = TRUE)."""
    data = clinic.data().query("therapy_sessions > 0")
    m = mm.glm("therapy_sessions ~ anxiety", data, family=mm.families.Gamma(link="log"))
    new = {"anxiety": [20.0, 50.0]}
    link, means = (m.predict(new, interval="confidence", type=t) for t in ("link", "response"))
    np.testing.assert_allclose(link["std_error"], [0.0547419916581503, 0.0496366941014945])
    np.testing.assert_allclose(means["std_error"], [0.993954501010581, 0.269865892922235])
    t = stats.t.ppf(0.975, m.nobs - 2)
    np.testing.assert_allclose(link["upper"], link["prediction"] + t * link["std_error"])
    np.testing.assert_allclose(means[ENDS], np.exp(link[ENDS]))


# --- Mixed models: variances ---


@pytest.fixture(scope="module")
def slopes() -> Any:
    return clinic.fit(clinic.SLOPES)


NEW = pd.DataFrame({"therapy_sessions": [0.0, 10.0, 20.0, 5.0], "clinic": ["1", "12", None, "99"]})


def dense(m: Any, new: pd.DataFrame, columns: list[int]) -> np.ndarray:
    """Var(x'β̂ + z'(b̂ − b)) over some columns of (therapy_sessions | clinic), the first two rows
    of a known clinic."""
    oracle = henderson(m, [group_codes(m, "clinic")], np.ones(m.nobs))
    X = np.column_stack([np.ones(len(new)), new["therapy_sessions"]])
    Z = np.zeros((len(new), 15, 2))
    for row in (0, 1):
        level = m.ranef()["clinic"].index.get_loc(new["clinic"][row])
        Z[row, level, columns] = X[row, columns]
    rows = np.column_stack([X, Z.reshape(len(new), -1)])
    return np.einsum("ij,jk,ik->i", rows, oracle.covariance, rows)


@pytest.mark.parametrize(
    ("re_form", "columns"),
    [
        (None, [0, 1]),
        ("NA", []),
        ("~ (1 | clinic)", [0]),
        ("~ (0 + therapy_sessions | clinic)", [1]),
    ],
)
@pytest.mark.parametrize("solved", [False, True])
def test_variances_by_dense_algebra(
    re_form: Any, columns: list[int], solved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    m = mm.lmer(clinic.SLOPES, clinic.data())
    if solved:
        monkeypatch.setattr(
            type(m), "_joint", joint.SolvedJoint(m._fit, m.sigma, np.arange(2), m._root)
        )
    known = dense(m, NEW, columns)
    confidence = m.predict(NEW, re_form, True, interval="confidence")
    np.testing.assert_allclose(confidence["std_error"] ** 2, known, rtol=1e-7)
    z = np.column_stack([np.ones(4), NEW["therapy_sessions"]])
    z[:2, columns] = 0.0  # what is left are effects of a group that is not known
    sigma = m.varcorr["clinic"].to_numpy()
    left = np.einsum("ij,jk,ik->i", z, sigma, z)
    prediction = m.predict(NEW, re_form, True, interval="prediction")
    np.testing.assert_allclose(prediction["std_error"] ** 2, known + left + m.sigma**2, rtol=1e-7)
    np.testing.assert_array_equal(prediction["prediction"], m.predict(NEW, re_form, True))


def test_rows_of_the_fit_are_rows_like_others() -> None:
    for m in (clinic.three_levels(), clinic.fit(clinic.SLOPES)):
        data = m._call.data.loc[m._matrices.index]
        for re_form in (None, "NA", "~ (1 | clinic)"):
            for interval in BOTH:
                own = m.predict(re_form=re_form, interval=interval)
                new = m.predict(data, re_form, interval=interval)
                pd.testing.assert_frame_equal(own, new, rtol=1e-9)


def test_one_of_two_groups_may_be_unknown() -> None:
    m, new = clinic.three_levels(), clinic.visits().head(4)
    known, without = (
        m.predict(frame, interval="prediction")["std_error"] ** 2
        for frame in (new, new.assign(patient_id=None))
    )
    confidence = m.predict(new, "~ (1 | clinic)", interval="confidence")["std_error"] ** 2
    patients = m.varcorr["patient_id"].iloc[0, 0]
    np.testing.assert_allclose(without, confidence + patients + m.sigma**2, rtol=1e-10)
    assert (without > known).all()


def test_fits_from_arrays() -> None:
    data = clinic.data()
    X = np.column_stack([np.ones(300), data["therapy_sessions"]])
    a = mm.lmer_arrays(data["anxiety"], X, [(np.ones(300), data["clinic"])])
    b = clinic.fit(clinic.INTERCEPTS)
    for re_form in (None, "NA"):
        for interval in BOTH:
            got = a.predict(re_form=re_form, interval=interval)
            expected = b.predict(re_form=re_form, interval=interval)
            np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_arrays_that_do_not_tell_the_groups() -> None:
    """Without an intercept a row of z = 0 may be of any group."""
    data = clinic.data()
    x = data["therapy_sessions"]
    a = mm.lmer_arrays(data["anxiety"], np.column_stack([np.ones(300), x]), [(x, data["clinic"])])
    b = mm.lmer(f"{clinic.FIXED} + (0 + therapy_sessions | clinic)", data)
    for re_form in (None, "NA"):
        for interval in BOTH:
            got, expected = (m.predict(re_form=re_form, interval=interval) for m in (a, b))
            np.testing.assert_allclose(got, expected, rtol=1e-6)


def test_after_a_refit(slopes: Any) -> None:
    y = slopes.simulate(1, seed=3)[0]
    again = mm.lmer(clinic.SLOPES, clinic.data().assign(anxiety=y))
    np.testing.assert_allclose(
        slopes.refit(y).predict(NEW, None, True, interval="prediction"),
        again.predict(NEW, None, True, interval="prediction"),
        rtol=1e-5,
    )


# --- Mixed models: quantiles ---


def test_population_level_is_the_interval_of_the_coefficients(slopes: Any) -> None:
    """Satterthwaite's: at x = 0 the prediction is the intercept."""
    table = slopes.coefficients()
    got = slopes.predict({"therapy_sessions": [0.0]}, "NA", interval="confidence").iloc[0]
    expected = [table["estimate"][0], table["conf_low"][0], table["conf_high"][0]]
    np.testing.assert_allclose(got[ENDS], expected, rtol=1e-10)


def test_balanced_one_way_in_closed_form() -> None:
    """A new batch: the variance is a sum of the two mean squares, with Satterthwaite's degrees of
    freedom for such sums. A batch that is known: those of σ̂², N − k."""
    data = load("Dyestuff")
    m = mm.lmer("Yield ~ 1 + (1 | Batch)", data)
    k, n = 6, 5
    within = float(data.groupby("Batch", observed=True)["Yield"].var().mean())
    between = n * float(data.groupby("Batch", observed=True)["Yield"].mean().var())
    parts = np.array([(1 + 1 / k) / n * between, (1 - 1 / n) * within])
    df = parts.sum() ** 2 / (parts**2 / [k - 1, k * (n - 1)]).sum()
    new = m.predict({"Batch": [None]}, interval="prediction").iloc[0]
    assert new["std_error"] ** 2 == pytest.approx(parts.sum(), rel=1e-7)
    half = stats.t.ppf(0.975, df) * np.sqrt(parts.sum())
    assert new["upper"] - new["prediction"] == pytest.approx(half, rel=1e-5)
    known = m.predict({"Batch": ["A"]}, interval="prediction").iloc[0]
    ratio = (known["upper"] - known["prediction"]) / known["std_error"]
    assert ratio == pytest.approx(stats.t.ppf(0.975, k * (n - 1)), rel=1e-5)


# --- Generalised mixed models ---


@pytest.fixture(scope="module")
def herds() -> Any:
    return mm.glmer(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", load("cbpp"), family="binomial"
    )


def test_an_unknown_herd_has_the_variance_of_herds(herds: Any) -> None:
    new = {"period": ["1", "1"], "herd": ["1", None]}
    link = herds.predict(new, interval="confidence", type="link")
    wide = herds.predict(new, interval="prediction", type="link")
    more = wide["std_error"] ** 2 - link["std_error"] ** 2
    np.testing.assert_allclose(more, [0, herds.varcorr["herd"].iloc[0, 0]], atol=1e-12)
    z = (link["upper"] - link["prediction"]) / link["std_error"]
    np.testing.assert_allclose(z, stats.norm.ppf(0.975))
    means = herds.predict(new, interval="confidence")
    np.testing.assert_allclose(means[ENDS], 1 / (1 + np.exp(-link[ENDS])))


def test_means_beyond_the_link() -> None:
    """An interval of η that holds zero has no upper end under the inverse link."""
    random = np.random.default_rng(4)
    x = random.uniform(0, 1, 40)
    data = {"x": x, "y": random.gamma(2.0, 1 / (2 * (0.2 + x)))}
    m = mm.glm("y ~ x", data, family=mm.families.Gamma(link="inverse"))
    new = {"x": [-0.1, 0.5]}
    link = m.predict(new, interval="confidence", type="link")
    means = m.predict(new, interval="confidence")
    assert link["lower"][0] < 0 < link["upper"][0]
    np.testing.assert_allclose(means["lower"], 1 / link["upper"])
    np.testing.assert_allclose(means["upper"], [np.inf, 1 / link["lower"][1]])


# --- Coverage ---

GROUPS, OTHERS, ROWS = 40, 15, 6
REPLICATES, NEW_ROWS = 25, 60
ERRORS = 3.5  # Monte Carlo standard errors


@dataclass(frozen=True)
class World:
    """η = 1 + 0.5x + b_g + c_g x + d_h, and a response at it."""

    formula: str
    response: Callable[[np.random.Generator, np.ndarray], np.ndarray]
    family: str | None = None
    slope_sd: float = 0.0
    other_sd: float = 0.0

    def fit(self, data: pd.DataFrame) -> Any:
        if self.family is None:
            return mm.lmer(self.formula, data)
        trials = {"weights": "trials"} if self.family == "binomial" else {}
        return mm.glmer(self.formula, data, family=self.family, **trials)

    def effects(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        z = random.normal(size=(GROUPS, 2))
        b = np.column_stack([0.8 * z[:, 0], self.slope_sd * (0.4 * z[:, 0] + 0.9 * z[:, 1])])
        return b, self.other_sd * random.normal(size=OTHERS)

    def eta(self, d: pd.DataFrame, b: np.ndarray, c: np.ndarray) -> np.ndarray:
        return 1 + 0.5 * d["x"].to_numpy() + b[d["g"], 0] + b[d["g"], 1] * d["x"] + c[d["h"]]


WORLDS = {
    "random intercepts": World("y ~ x + (1 | g)", lambda r, eta: eta + r.normal(size=len(eta))),
    "random slopes": World(
        "y ~ x + (x | g)", lambda r, eta: eta + 0.7 * r.normal(size=len(eta)), slope_sd=0.8
    ),
    "crossed": World(
        "y ~ x + (1 | g) + (1 | h)", lambda r, eta: eta + r.normal(size=len(eta)), other_sd=0.6
    ),
    "counts": World(
        "y ~ x + (1 | g)", lambda r, eta: r.poisson(np.exp(eta)).astype(float), "poisson"
    ),
    "trials": World(
        "y ~ x + (1 | g)",
        lambda r, eta: r.binomial(8, 1 / (1 + np.exp(-eta))) / 8,
        "binomial",
    ),
}


def table(random: np.random.Generator, rows: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "x": random.uniform(-1.5, 1.5, rows),
            "g": random.permutation(np.arange(rows) % GROUPS),
            "h": random.integers(0, OTHERS, rows),
            "trials": 8.0,
        }
    )


def covered(frame: pd.DataFrame, truth: np.ndarray) -> float:
    return float(((frame["lower"] <= truth + 1e-9) & (truth <= frame["upper"] + 1e-9)).mean())


def shares(world: World, random: np.random.Generator) -> list[float]:
    """Of means of known groups and of the population, of responses in known and in new groups."""
    data, new = table(random, GROUPS * ROWS), table(random, NEW_ROWS)
    b, c = world.effects(random)
    m = world.fit(data.assign(y=world.response(random, world.eta(data, b, c))))
    others, _ = world.effects(random)
    eta, elsewhere = world.eta(new, b, c), world.eta(new, others, c)
    return [
        covered(m.predict(new, interval="confidence", type="link"), eta),
        covered(m.predict(new, "NA", interval="confidence", type="link"), 1 + 0.5 * new["x"]),
        covered(m.predict(new, interval="prediction"), world.response(random, eta)),
        covered(
            m.predict(new.assign(g=None), interval="prediction"), world.response(random, elsewhere)
        ),
    ]


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
def test_coverage(name: str) -> None:
    """95%, within Monte Carlo error; whole numbers cover more, since their bounds are whole."""
    world, random = WORLDS[name], np.random.default_rng(20)
    replicates = np.array([shares(world, random) for _ in range(REPLICATES)])
    coverage, error = replicates.mean(axis=0), replicates.std(axis=0) / np.sqrt(REPLICATES)
    assert (coverage > 0.95 - ERRORS * error).all(), coverage
    means = coverage if world.family is None else coverage[:2]
    assert (means < 0.95 + ERRORS * error[: len(means)]).all(), coverage
    assert (coverage < 0.995).all(), coverage
