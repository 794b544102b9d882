"""Fitted models: every accessor, immutability, other fits of the same model."""

from __future__ import annotations

import copy
import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm

# --- Numbers: R 4.2.2, lme4 1.1-31 at tight tolerances (tests/reference) ---

INTERCEPTS = {
    "reml_criterion": (lambda m: m.reml_criterion, 1987.36536962308, 1e-6),
    "loglik": (lambda m: m.loglik, -993.682684811541, 1e-6),
    "aic": (lambda m: m.aic, 1995.36536962308, 1e-6),
    "bic": (lambda m: m.bic, 2010.18049952171, 1e-6),
    "sigma": (lambda m: m.sigma, 38.3672345783039**0.5, 1e-6),
    "variance": (lambda m: m.varcorr["clinic"].iloc[0, 0], 31.0764334103407, 1e-4),
    "intercept": (lambda m: m.fixef["(Intercept)"], 50.94217, 1e-5),
    "slope": (lambda m: m.fixef["therapy_sessions"], -1.41266, 1e-5),
    "se": (lambda m: m.bse["therapy_sessions"], 0.05985, 1e-5),
}
SLOPES = {
    "reml_criterion": (lambda m: m.reml_criterion, 1973.10909100467, 1e-6),
    "sd of intercepts": (lambda m: m.varcorr.to_frame()["sdcor"][0], 3.44766689936671, 1e-5),
    "sd of slopes": (lambda m: m.varcorr.to_frame()["sdcor"][1], 0.276172511925086, 1e-6),
    "correlation": (lambda m: m.varcorr.to_frame()["sdcor"][2], 0.55202105333866, 1e-5),
    "sigma": (lambda m: m.sigma, 5.98745047863551, 1e-6),
    "vcov": (lambda m: m.vcov.iloc[0, 1], 0.00124018248020984, 1e-6),
    "first mode": (lambda m: m.ranef()["clinic"].iloc[0, 0], 1.8554, 1e-4),
    "first slope": (lambda m: m.ranef()["clinic"].iloc[0, 1], 0.13484, 1e-5),
}
NUMBERS = [(clinic.INTERCEPTS, *row) for row in INTERCEPTS.items()] + [
    (clinic.SLOPES, *row) for row in SLOPES.items()
]
Number = tuple[Callable[[Any], float], float, float]


@pytest.mark.parametrize(("formula", "name", "number"), NUMBERS)
def test_numbers(formula: str, name: str, number: Number) -> None:
    accessor, expected, tolerance = number
    assert accessor(clinic.fit(formula)) == pytest.approx(expected, abs=tolerance)


def test_criteria_of_ml_and_reml() -> None:
    reml, ml = clinic.fit(clinic.SLOPES), clinic.fit(clinic.SLOPES, REML=False)
    assert (reml.deviance, ml.reml_criterion) == (None, None)
    assert ml.deviance == pytest.approx(1972.16249597912, abs=1e-6)
    assert ml.deviance == pytest.approx(-2 * ml.loglik)
    assert ml.aic == pytest.approx(1984.16249597912, abs=1e-6)


def test_counts_and_names() -> None:
    m = clinic.fit(clinic.SLOPES)
    assert (m.nobs, m.npar, m.df_resid) == (300, 6, 294)
    assert m.ngroups == {"clinic": 15}
    assert m.formula == clinic.SLOPES
    names = ["(Intercept)", "therapy_sessions"]
    for labels in [m.fixef.index, m.bse.index, m.vcov.index, m.vcov.columns]:
        assert list(labels) == names
    assert m.theta.shape == (3,)
    assert m.converged
    assert not m.is_singular


def test_ordinary_regression() -> None:
    o = clinic.ordinary()
    assert o.fixef["therapy_sessions"] == pytest.approx(-1.36616243520585)
    assert o.bse["therapy_sessions"] == pytest.approx(0.077727189662686)
    assert (o.npar, o.df_resid) == (3, 298)
    assert o.aic == pytest.approx(2118.90592704265)
    assert o.deviance == pytest.approx(-2 * o.loglik)
    assert o.reml_criterion == pytest.approx(clinic.fit(clinic.INTERCEPTS).objective(0.0))


# --- Immutable ---


@pytest.mark.parametrize("name", ["formula", "fixef", "anything"])
def test_attributes_cannot_be_set(name: str) -> None:
    with pytest.raises((dataclasses.FrozenInstanceError, AttributeError)):
        setattr(clinic.fit(clinic.INTERCEPTS), name, 1)


def test_what_is_returned_is_the_callers() -> None:
    m = clinic.fit(clinic.SLOPES)
    returned: list[Callable[[], Any]] = [
        lambda: m.fixef,
        lambda: m.vcov,
        lambda: m.theta,
        lambda: m.fitted,
        lambda: m.residuals(),
        lambda: m.ranef()["clinic"],
        lambda: m.varcorr["clinic"],
        lambda: m.convergence.hessian,
    ]
    for get in returned:
        before = np.array(get())
        np.asarray(value := get())
        if isinstance(value, np.ndarray):
            value[...] = 0
        elif isinstance(value, pd.Series):
            value.iloc[:] = 0
        else:
            value.iloc[:, :] = 0
        np.testing.assert_array_equal(np.array(get()), before)


def test_a_copy_is_the_model_itself() -> None:
    m = clinic.fit(clinic.INTERCEPTS)
    assert copy.copy(m) is m
    assert copy.deepcopy({"model": m})["model"] is m


# --- Rows ---


@pytest.mark.parametrize("type", ["response", "working", "pearson", "deviance", "scaled"])
def test_residuals_with_weights(type: Any) -> None:
    data = clinic.data().assign(w=np.linspace(0.5, 2.0, 300))
    m = mm.lmer(clinic.INTERCEPTS, data, weights="w")
    raw = data["anxiety"] - m.fitted
    root = np.sqrt(data["w"])
    expected = {"response": raw, "working": raw, "scaled": root * raw / m.sigma}
    np.testing.assert_allclose(m.residuals(type), expected.get(type, root * raw))


def test_unknown_type_of_residuals() -> None:
    with pytest.raises(mm.ArgumentError, match="choose response"):
        clinic.fit(clinic.INTERCEPTS).residuals("studentized")


def test_rows_carry_the_data_s_labels() -> None:
    data = clinic.data().set_index(pd.Index([f"p{i}" for i in range(300)], name="who"))
    m = mm.lmer(clinic.INTERCEPTS, data)
    for series in [m.fitted, m.residuals(), m.predict()]:
        pd.testing.assert_index_equal(series.index, data.index)


@pytest.mark.parametrize(("na_action", "length"), [("drop", 1204), ("exclude", 1288)])
def test_missing_rows(na_action: str, length: int) -> None:
    m, visits = clinic.three_levels(na_action), clinic.visits()
    missing = visits.index[visits["anxiety"].isna()]
    assert m.nobs == 1204
    assert m.missing["anxiety"] == 84
    for series in [m.fitted, m.residuals(), m.predict(), m.residuals("scaled")]:
        assert len(series) == length
        assert series.notna().sum() == 1204
        if na_action == "drop":
            assert series.index.equals(visits.index.difference(missing))
        else:
            assert series.loc[missing].isna().all()


# --- Random effects ---


def test_order_of_groups() -> None:
    m = clinic.three_levels()
    assert list(m.ngroups.items()) == [("patient_id", 322), ("clinic", 15)]
    assert list(m.ranef()) == ["patient_id", "clinic"]
    assert list(m.varcorr.to_frame()["grp"]) == ["patient_id", "clinic", "Residual"]


def test_group_in_two_terms() -> None:
    m = clinic.fit(clinic.UNCORRELATED)
    names = ["(Intercept)", "therapy_sessions"]
    assert list(m.varcorr.to_frame()["grp"]) == ["clinic", "clinic.1", "Residual"]
    joint = m.varcorr["clinic"]
    assert list(joint.columns) == names
    assert joint.iloc[0, 1] == 0
    assert m.varcorr["clinic.1"].iloc[0, 0] == joint.iloc[1, 1]
    assert list(m.ranef()["clinic"].columns) == names
    assert m.varcorr.keys() == ["clinic"]
    with pytest.raises(KeyError, match="patient"):
        m.varcorr["patient"]


def test_variance_table_has_none_where_there_is_no_name() -> None:
    frame = clinic.fit(clinic.SLOPES).varcorr.to_frame()
    assert list(frame.columns) == ["grp", "var1", "var2", "vcov", "sdcor"]
    assert list(frame["var1"]) == ["(Intercept)", "therapy_sessions", "(Intercept)", None]
    assert list(frame["var2"]) == [None, None, "therapy_sessions", None]


def test_conditional_standard_deviations() -> None:
    m = clinic.fit(clinic.SLOPES)
    modes = m.ranef(condvar=True)
    assert m.ranef().sd is None
    assert modes.sd["clinic"].shape == modes["clinic"].shape == (15, 2)
    assert (modes.sd["clinic"] > 0).all(axis=None)
    assert (modes.sd["clinic"] < m.varcorr.terms[0].sd).all(axis=None)
    long = modes.to_frame()
    assert list(long.columns) == ["grp", "term", "level", "value", "sd"]
    assert len(long) == 30


def test_coef_is_fixed_plus_random() -> None:
    m = clinic.fit(clinic.SLOPES)
    np.testing.assert_allclose(m.coef()["clinic"], m.ranef()["clinic"] + m.fixef)
    only = mm.lmer("anxiety ~ 1 + (therapy_sessions | clinic)", clinic.data())
    assert list(only.coef()["clinic"].columns) == ["therapy_sessions", "(Intercept)"]
    np.testing.assert_allclose(
        only.coef()["clinic"]["therapy_sessions"], only.ranef()["clinic"]["therapy_sessions"]
    )


def test_fitted_is_made_of_coefficients() -> None:
    m, data = clinic.fit(clinic.SLOPES), clinic.data()
    own = m.coef()["clinic"].loc[data["clinic"]].to_numpy()
    expected = own[:, 0] + own[:, 1] * data["therapy_sessions"].to_numpy()
    np.testing.assert_allclose(m.fitted, expected)


# --- Other fits ---


def test_refit_of_the_same_response() -> None:
    m = clinic.fit(clinic.SLOPES)
    again = m.refit(clinic.data()["anxiety"])
    np.testing.assert_allclose(again.theta, m.theta, rtol=1e-5)
    np.testing.assert_allclose(again.fitted, m.fitted, rtol=1e-6)


def test_refit_of_another_response() -> None:
    m = clinic.fit(clinic.SLOPES)
    other = m.refit(2 * clinic.data()["anxiety"] + 1)
    assert other.sigma == pytest.approx(2 * m.sigma, rel=1e-5)
    np.testing.assert_allclose(other.fitted, 2 * m.fitted + 1, rtol=1e-5)
    np.testing.assert_allclose(other.residuals(), 2 * m.residuals(), atol=1e-4)
    by_ml = other.update(REML=False)
    assert by_ml.deviance == pytest.approx(1972.16249597912 + 600 * np.log(2), abs=1e-5)


def test_refit_of_an_ordinary_regression() -> None:
    o = clinic.ordinary()
    np.testing.assert_allclose(o.refit(2 * clinic.data()["anxiety"]).fixef, 2 * o.fixef)


def test_refit_where_rows_are_missing() -> None:
    m = clinic.three_levels("exclude")
    full = clinic.visits()["anxiety"]
    for y in [full, full.dropna()]:
        np.testing.assert_allclose(m.refit(y).fixef, m.fixef, rtol=1e-6)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(299), "shape"),
        (np.zeros((1, 300)), "shape"),
        (np.r_[np.nan, np.arange(299)], "row 0"),
        (np.r_[np.arange(299), np.inf], "row 299"),
        (["a"] * 300, "not numbers"),
    ],
)
def test_refit_refuses(y: Any, message: str) -> None:
    with pytest.raises(mm.DataError, match=message):
        clinic.fit(clinic.SLOPES).refit(y)


UPDATES = {
    "criterion": ({"REML": False}, clinic.INTERCEPTS, False),
    "formula": ({"formula": clinic.SLOPES}, clinic.SLOPES, True),
    "dots": ({"formula": ". ~ . + age"}, f"{clinic.INTERCEPTS} + age", True),
    "response": ({"formula": "log(anxiety + 9) ~ ."}, None, True),
    "data": ({"data": True}, clinic.INTERCEPTS, True),
    "response inside a function": (
        {"formula": "log(. + 9) ~ ."},
        clinic.INTERCEPTS.replace("anxiety", "log(anxiety + 9)"),
        True,
    ),
    "random term exchanged": (
        {"formula": ". ~ . - (1 | clinic) + (age | clinic)"},
        f"{clinic.INTERCEPTS} - (1 | clinic) + (age | clinic)",
        True,
    ),
}


@pytest.mark.parametrize("name", UPDATES)
def test_update(name: str) -> None:
    arguments, formula, reml = UPDATES[name]
    data = clinic.data().assign(age=np.arange(300) % 7)
    m = mm.lmer(clinic.INTERCEPTS, data)
    if "data" in arguments:
        arguments = {"data": data.iloc[:200]}
    updated = m.update(**arguments)
    assert updated.reml is reml
    assert updated.nobs == (200 if name == "data" else 300)
    if formula is not None:
        assert updated.formula == formula


def test_arrays_give_the_same_fit() -> None:
    data, m = clinic.data(), clinic.fit(clinic.SLOPES)
    X = np.column_stack([np.ones(300), data["therapy_sessions"]])
    a = mm.lmer_arrays(data["anxiety"], X, [(X, data["clinic"])])
    assert a.reml_criterion == pytest.approx(m.reml_criterion, abs=1e-8)
    np.testing.assert_allclose(a.fixef.to_numpy(), m.fixef.to_numpy())
    np.testing.assert_allclose(a.theta, m.theta, rtol=1e-6)
    assert "fitted from arrays" in str(a.summary())
    with pytest.raises(mm.DataError, match="arrays"):
        a.update(formula="y ~ 1 + (1 | g)")
    with pytest.raises(mm.DataError, match="term"):
        mm.lmer_arrays(data["anxiety"], X, [])


# --- Logs ---


@pytest.mark.parametrize("kind", ["mixed", "ordinary", "rank deficient"])
def test_to_dict_is_json(kind: str) -> None:
    if kind == "rank deficient":
        data = clinic.data().assign(twice=2 * clinic.data()["therapy_sessions"])
        with pytest.warns(mm.RankDeficiencyWarning):
            m: Any = mm.lmer(f"{clinic.FIXED} + twice + (1 | clinic)", data)
    else:
        m = clinic.fit(clinic.SLOPES) if kind == "mixed" else clinic.ordinary()
    logged = json.loads(json.dumps(m.to_dict(), allow_nan=False))
    assert logged["nobs"] == 300
    assert logged["fixef"]["(Intercept)"] == m.fixef["(Intercept)"]
    if kind == "rank deficient":
        assert logged["fixef"]["twice"] is None


def test_import_is_light() -> None:
    code = (
        "import sys, mixedmodels; "
        "sys.exit(bool({'formulaic', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
