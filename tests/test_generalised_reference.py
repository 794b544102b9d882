"""Every generalised reference model, quantity by quantity; the numbers: reference/README.md."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import mixedmodels as mm
import reference_data
from dense_generalised import DenseGeneralised
from design_columns import matrix, plan
from test_reference import Quantity, Reference, covariance_scale, first_ten, relative, values

MODELS = reference_data.model_ids(generalised=True)
FAMILIES = {
    "Gamma": "gamma",
    "inverse.gaussian": "inverse_gaussian",
    "negative.binomial": "negative_binomial",
}
SHOWS_CONDSD = [name for name in MODELS if reference_data.model(name)["ranef_condsd"]]


def reference(name: str) -> Reference:
    return reference_data.model(name)


@functools.cache
def fitted(name: str) -> Any:
    ref = reference(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        return mm.glmer(
            ref["formula"],
            reference_data.load(ref["data"]),
            family=FAMILIES.get(ref["family"], ref["family"]),
            link=ref["link"],
            nAGQ=ref["nAGQ"],
            weights=ref["weights"],
            offset=ref["offset"],
        )


def proportions(name: str) -> tuple[np.ndarray, np.ndarray | None]:
    """The response as the kernel has it, and binomial sizes; spelt out here, not by the formula."""
    data, text = reference_data.load(reference(name)["data"]), reference(name)["formula"]
    match text.split(" ~ ")[0]:
        case "cbind(incidence, size - incidence)" | "incidence/size":
            successes, size = data["incidence"], data["size"]
        case "cbind(succ, trials - succ)":
            successes, size = data["succ"], data["trials"]
        case column:
            y = data[column]
            coded = y.cat.codes if isinstance(y.dtype, pd.CategoricalDtype) else y
            return coded.to_numpy(dtype=float), None
    return (successes / size).to_numpy(dtype=float), size.to_numpy(dtype=float)


@functools.cache
def left_out(name: str) -> float:
    """What lme4 leaves out of −2 log L with nAGQ > 1: the saturated model's."""
    if reference(name)["nAGQ"] <= 1:
        return 0.0
    y, size = proportions(name)
    if size is None:  # 0/1 data: its likelihood is one
        return 0.0
    return float(-2 * stats.binom.logpmf(np.round(y * size), size, y).sum())


def adaptive(name: str) -> bool:
    return bool(reference(name)["nAGQ"] > 1)


# The definition: lme4's criterion in dense algebra at the references' own (θ, β) -----------------

# lme4's modes are 1e-7 off in these two, and their criterion is not stationary in the modes.
DEFINITION = {"glmmsim_gamma_log": 5e-7, "glmmsim_ig_log": 2e-6}
SMALL = [name for name in MODELS if reference(name)["n"] * reference(name)["q"] < 500_000]


@functools.cache
def oracle(name: str) -> DenseGeneralised:
    ref = reference(name)
    data = reference_data.load(ref["data"])
    y, size = proportions(name)
    right = ref["formula"].split(" ~ ", 1)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made, _, _ = plan(f"stand_in ~ {right}", data.assign(stand_in=np.arange(len(data))))
    terms = [
        (matrix(made, recipes), made["groups"][group][0].astype(np.intp))
        for group, recipes in made["terms"]
    ]
    family = FAMILIES.get(ref["family"], ref["family"])
    return DenseGeneralised(
        y, matrix(made), terms, family, ref["link"], sizes=size, offset=made["offset"]
    )


@pytest.mark.parametrize("name", SMALL)
def test_definition_of_the_criterion(name: str) -> None:
    ref, model = reference(name), oracle(name)
    theta, beta = np.array(ref["theta"]), values(ref["beta"])
    phi = ref["nb_theta"] or np.nan
    match ref["nAGQ"]:
        case 0:
            actual = model.criterion_at_joint_mode(theta)
            np.testing.assert_allclose(model.joint_mode(theta)[0], beta, atol=1e-12)
        case 1:
            actual = model.criterion(theta, beta, phi)
        case nodes:
            actual = model.quadrature(theta, beta, nodes) - left_out(name)
    assert actual == pytest.approx(ref["objective"], rel=0, abs=DEFINITION.get(name, 1e-7))


def test_what_lme4_leaves_out_of_quadrature() -> None:
    assert left_out("cbpp_agq9") == pytest.approx(83.95671, abs=5e-6)


# The fits ----------------------------------------------------------------------------------------


def minus_two_log_likelihood(ref: Reference) -> float:
    return float(ref["minus2logLik"]) + left_out(ref["id"])


@pytest.mark.parametrize("name", MODELS)
def test_likelihood(name: str) -> None:
    tolerance = 1e-4 if reference(name)["family"] == "inverse.gaussian" else 1e-5
    expected = minus_two_log_likelihood(reference(name))
    assert -2 * fitted(name).loglik == pytest.approx(expected, rel=0, abs=tolerance)


QUANTITIES = {
    "beta": Quantity(lambda m: m.fixef, lambda r: values(r["beta"]), 1e-4, lambda r: se(r)),
    "standard errors": Quantity(lambda m: m.bse, lambda r: values(r["se"]), 1e-4, relative("se")),
    "vcov": Quantity(
        lambda m: m.vcov, lambda r: np.array(r["vcov"]), 2e-4, lambda r: np.outer(se(r), se(r))
    ),
    "conditional standard errors": Quantity(
        lambda m: np.sqrt(np.diag(m.vcov_conditional)),
        lambda r: values(r["se_rx"]),
        1e-5,
        relative("se_rx"),
    ),
    "conditional vcov": Quantity(
        lambda m: m.vcov_conditional,
        lambda r: np.array(r["vcov_rx"]),
        2e-5,
        lambda r: np.outer(values(r["se_rx"]), values(r["se_rx"])),
    ),
    "theta": Quantity(
        lambda m: m.theta,
        lambda r: values(r["theta"]),
        1e-5,
        lambda r: np.maximum(np.abs(r["theta"]), 1e-2 * np.max(np.abs(r["theta"]))),
    ),
    "sigma": Quantity(lambda m: m.sigma, lambda r: r["sigma"], 1e-6, relative("sigma")),
    "deviance": Quantity(lambda m: m.deviance, lambda r: r["deviance"], 1e-5, relative("deviance")),
    "AIC": Quantity(lambda m: m.aic, lambda r: r["AIC"] + left_out(r["id"]), 1e-4),
    "BIC": Quantity(lambda m: m.bic, lambda r: r["BIC"] + left_out(r["id"]), 1e-4),
    "variance table, vcov": Quantity(
        lambda m: m.varcorr.to_frame()["vcov"],
        lambda r: [row["vcov"] for row in r["varcorr_table"]],
        2e-5,
        covariance_scale,
    ),
    "variance table, sdcor": Quantity(
        lambda m: m.varcorr.to_frame()["sdcor"],
        lambda r: [row["sdcor"] for row in r["varcorr_table"]],
        2e-5,
        lambda r: [
            1.0 if row["var2"] else row["sdcor"] or r["sigma"] for row in r["varcorr_table"]
        ],
    ),
    "scaled residual quantiles": Quantity(
        lambda m: np.quantile(m.residuals("pearson"), [0, 0.25, 0.5, 0.75, 1]),
        lambda r: r["residuals_scaled_quantiles"],
        2e-5,
    ),
    "sum of fitted": Quantity(
        lambda m: m.fitted.sum(), lambda r: r["fitted_sum"], 1e-5, relative("fitted_sum")
    ),
    "sum of squared residuals": Quantity(
        lambda m: (m.residuals("response") ** 2).sum(),
        lambda r: r["residuals_sumsq"],
        1e-5,
        relative("residuals_sumsq"),
    ),
    "sum of squared pearson residuals": Quantity(
        lambda m: (m.residuals("pearson") ** 2).sum(),
        lambda r: r["pearson_sumsq"],
        1e-5,
        relative("pearson_sumsq"),
    ),
    "sum of squared deviance residuals": Quantity(
        lambda m: (m.residuals("deviance") ** 2).sum(),
        lambda r: r["deviance"],
        1e-5,
        relative("deviance"),
    ),
}


def se(ref: Reference) -> np.ndarray:
    return values(ref["se"])


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_quantity(name: str, quantity: str) -> None:
    q, ref = QUANTITIES[quantity], reference(name)
    error = np.abs(np.asarray(q.actual(fitted(name)), dtype=float) - np.asarray(q.expected(ref)))
    assert np.all(error <= q.tolerance * np.asarray(q.scale(ref))), error


COUNTS: dict[str, tuple[Callable[[Any], Any], Callable[[Reference], Any]]] = {
    "rows": (lambda m: m.nobs, lambda r: r["n"]),
    "parameters": (lambda m: m.npar, lambda r: r["npar"]),
    "residual df": (lambda m: m.df_resid, lambda r: r["df_resid"]),
    "groups": (lambda m: list(m.ngroups.items()), lambda r: list(r["ngroups"].items())),
    "fixed effects": (lambda m: list(m.fixef.index), lambda r: r["X_names"]),
    "variance table": (
        lambda m: [
            tuple(None if pd.isna(v) else v for v in row)
            for row in m.varcorr.to_frame()[["grp", "var1", "var2"]].itertuples(index=False)
        ],
        lambda r: [(row["grp"], row["var1"], row["var2"]) for row in r["varcorr_table"]],
    ),
    "singular": (lambda m: m.is_singular, lambda r: r["singular"]),
    "converged": (lambda m: m.converged, lambda r: True),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("what", COUNTS)
def test_names_and_counts(name: str, what: str) -> None:
    actual, expected = COUNTS[what]
    assert actual(fitted(name)) == expected(reference(name))


def test_dispersion_of_the_negative_binomial() -> None:
    expected = reference("glmmsim_nb")["nb_theta"]
    assert fitted("glmmsim_nb").dispersion == pytest.approx(expected, rel=1e-5)


def shown(frames: dict[str, pd.DataFrame], table: dict[str, Any], what: str) -> Any:
    """(actual, expected) of one group after the other, at the levels the reference shows."""
    for group, entries in table.items():
        orient = "index" if what == "modes" else "columns"
        expected = pd.DataFrame.from_dict(entries, orient=orient)
        frame = frames[group].rename(index=str)
        assert list(frame.columns) == list(expected.columns)
        yield frame.loc[expected.index.astype(str)], expected


@pytest.mark.parametrize("name", MODELS)
def test_conditional_modes(name: str) -> None:
    for actual, expected in shown(fitted(name).ranef(), reference(name)["ranef"], "modes"):
        scale = expected.std().to_numpy() + 1e-9
        assert np.all(np.abs(actual.to_numpy() - expected.to_numpy()) <= 2e-5 * scale)


@pytest.mark.parametrize("name", SHOWS_CONDSD)
def test_conditional_standard_deviations(name: str) -> None:
    sds = fitted(name).ranef(condvar=True).sd
    for actual, expected in shown(sds, reference(name)["ranef_condsd"], "standard deviations"):
        np.testing.assert_allclose(actual, expected, rtol=2e-5, atol=1e-9)


ROWS: dict[str, Callable[[Any], pd.Series]] = {
    "fitted": lambda m: m.fitted,
    "linear_predictor": lambda m: m.linear_predictor,
    "residuals": lambda m: m.residuals("response"),
    "residuals_pearson": lambda m: m.residuals("pearson"),
    "residuals_deviance": lambda m: m.residuals("deviance"),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("column", ROWS)
def test_rows(name: str, column: str) -> None:
    series = ROWS[column](fitted(name))
    error = np.abs(first_ten(series) - np.array(reference(name)[column]))
    assert np.all(error <= 2e-5 * series.std())


@pytest.mark.parametrize("name", MODELS)
def test_working_residuals(name: str) -> None:
    """(y − μ) dη/dμ, by the oracle's link."""
    m = fitted(name)
    slope = oracle(name).link.slope(m.linear_predictor.to_numpy())
    np.testing.assert_allclose(m.residuals("working"), m.residuals("response") / slope, rtol=1e-9)


# Where lme4's defaults stop early ----------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_not_above_the_defaults_of_lme4(name: str) -> None:
    default = reference(name)["default"]["minus2logLik"] + left_out(name)
    ours = -2 * fitted(name).loglik
    print(f"{name}: glmer() is {default - ours:.1e} above")
    assert ours <= default + 1e-6


# How far −2 log L of plain glmer() is above ours, at least.
TOO_HIGH = {
    "guimmun_3level": 9e-2,
    "verbagg_crossed": 2.5e-3,
    "glmmsim_ig_log": 2e-3,
    "cbpp_laplace": 5e-4,
    "contraception_rs": 4e-4,
    "glmmsim_gamma_log": 4e-4,
    "glmmsim_nb": 2.9e-4,
}


@pytest.mark.parametrize("name", TOO_HIGH)
def test_the_defaults_of_lme4_stop_early(name: str) -> None:
    default = reference(name)["default"]["minus2logLik"]
    assert default + 2 * fitted(name).loglik >= TOO_HIGH[name]


def test_the_defaults_of_lme4_are_wrong_by_20_in_a_standard_error() -> None:
    default = reference("glmmsim_gamma_log")["default"]["se"]
    ratio = fitted("glmmsim_gamma_log").bse / pd.Series(default)
    assert ratio.max() > 15


# Predictions -------------------------------------------------------------------------------------

PREDICTED = ["cbpp_laplace", "glmmsim_pois_offset"]
RE_FORM = {"NULL": None, "NA": "NA"}  # R's spelling of the other is ours


@pytest.mark.parametrize("name", PREDICTED)
def test_predictions(name: str) -> None:
    given, m = reference_data.read_json(f"inference/predict_{name}.json"), fitted(name)
    new = pd.DataFrame(given["newdata"])
    for case in given["predictions"]:
        re_form = RE_FORM.get(case["re_form"], case["re_form"])
        actual = m.predict(new, re_form, allow_new_levels=True, type=case["type"])
        np.testing.assert_allclose(actual, case["values"], rtol=1e-6, err_msg=str(case))
    with pytest.raises(mm.DataError, match=given["error_without_allow_new_levels"].split()[-1]):
        m.predict(new)


@pytest.mark.parametrize("name", PREDICTED)
@pytest.mark.parametrize("scale", ["link", "response"])
def test_predictions_of_the_data(name: str, scale: str) -> None:
    given, m = reference_data.read_json(f"inference/predict_{name}.json"), fitted(name)
    for re_form, key in [(None, "training_first10"), ("NA", "training_first10_NA")]:
        actual = first_ten(m.predict(re_form=re_form, type=scale))
        np.testing.assert_allclose(actual, given[key][scale], rtol=1e-6)


# Likelihood ratios -------------------------------------------------------------------------------

ALL_LRT = reference_data.read_json("inference/anova_lrt.json")["tables"]
LRT = {name: table for name, table in ALL_LRT.items() if table.get("family")}


@pytest.mark.parametrize("name", LRT)
def test_likelihood_ratio(name: str) -> None:
    table = LRT[name]
    data = reference_data.load(table["data"])
    models = [mm.glmer(formula, data, family=table["family"]) for formula in table["models"]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.BoundaryWarning)  # of one more variance
        frame = mm.anova(*models)
    for (_, row), expected in zip(frame.iterrows(), table["refit_ML"], strict=True):
        for column in ["npar", "AIC", "BIC", "logLik", "deviance"]:
            assert row[column] == pytest.approx(expected[column], abs=2e-5), column
        for column, key in [("Chisq", "Chisq"), ("Df", "Df"), ("Pr(>Chisq)", "p")]:
            if expected[key] is None:
                assert pd.isna(row[column]), column
            else:
                assert row[column] == pytest.approx(expected[key], rel=1e-5, abs=2e-5), column
