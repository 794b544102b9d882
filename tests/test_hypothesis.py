"""Linear hypotheses: how they are read, their numbers, and what cannot be tested."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
import reference_data
from mixedmodels.inference.linear_forms import linear_form


@functools.cache
def fit(formula: str, data: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return mm.lmer(formula, reference_data.load(data))


def growth() -> Any:
    return fit("distance ~ I(age - 11) * Sex + (I(age - 11) | Subject)", "Orthodont")


def collinear() -> Any:
    return fit("Reaction ~ Days + Days2x + grp + (1 | Subject)", "sleepstudy_aux")


# --- Reading ---

NAMES = ["(Intercept)", "x", "x:sexM", "sexM", "I(age^2)", "f.L", "odd name", "a-b", "poly(x, 2)1"]
NAMES += ["`as in R`", "`as in R`:x"]  # the name keeps the backticks of the formula

# text → weights by name, value
READ: dict[str, tuple[dict[str, float], float]] = {
    "`as in R` = 2": ({"`as in R`": 1}, 2),
    "`as in R`:x - `as in R`": ({"`as in R`:x": 1, "`as in R`": -1}, 0),
    "x": ({"x": 1}, 0),
    "x = 0": ({"x": 1}, 0),
    "x == 2.5": ({"x": 1}, 2.5),
    "x = sexM": ({"x": 1, "sexM": -1}, 0),
    "x - sexM = 1e1": ({"x": 1, "sexM": -1}, 10),
    "x:sexM": ({"x:sexM": 1}, 0),
    "x + x:sexM = 0": ({"x": 1, "x:sexM": 1}, 0),
    "(Intercept) = 50": ({"(Intercept)": 1}, 50),
    "((Intercept) + x) / 2 = sexM": ({"(Intercept)": 0.5, "x": 0.5, "sexM": -1}, 0),
    "2*x + 0.5*`odd name` = 1": ({"x": 2, "odd name": 0.5}, 1),
    "odd name*3": ({"odd name": 3}, 0),
    "I(age^2) - f.L": ({"I(age^2)": 1, "f.L": -1}, 0),
    "a-b": ({"a-b": 1}, 0),
    "poly(x, 2)1 = -x": ({"poly(x, 2)1": 1, "x": 1}, 0),
    "-(x - 2*(sexM - 3)) + 1 = 4": ({"x": -1, "sexM": 2}, 9),
    "1 = x": ({"x": -1}, -1),
    "x + 2 = 2": ({"x": 1}, 0),
    "+x - -sexM": ({"x": 1, "sexM": 1}, 0),
}


@pytest.mark.parametrize("text", READ)
def test_reading(text: str) -> None:
    weights, value = READ[text]
    form, found = linear_form(text, NAMES)
    assert {name: w for name, w in zip(NAMES, form, strict=True) if w} == weights
    assert found == value
    assert not np.signbit(found) or value < 0


# text → message, and where it points
MISREAD: dict[str, tuple[str, int]] = {
    "sexN": ("'sexN' is not a coefficient of the model; did you mean 'sexM'?", 0),
    "x - 2*xx": ("'xx' is not a coefficient of the model", 6),
    "x:sexF": ("did you mean 'x:sexM'?", 0),
    "`odd`": ("'odd' is not a coefficient", 0),
    "x*sexM": ("not linear", 2),
    "1/x": ("number other than 0 to divide by", 2),
    "x/0": ("number other than 0 to divide by", 2),
    "2 x": ("expected the end", 2),
    "x = 1 = 2": ("one '='", 6),
    "x > 0": ("one '='", 2),
    "(x + sexM": ("expected ')'", 9),
    "x +": ("expected a coefficient", 3),
    "x - x = 0": ("no coefficient is left", 0),
    "": ("expected a coefficient", 0),
    "1e400*x": ("too large", 0),
    "(" * 3000 + "x": ("nested too deeply", 0),
}


@pytest.mark.parametrize("text", MISREAD)
def test_misreading(text: str) -> None:
    message, position = MISREAD[text]
    with pytest.raises(mm.FormulaError) as caught:
        linear_form(text, NAMES)
    assert message in str(caught.value)
    assert caught.value.position == position


# --- Numbers ---


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger", "residual", "asymptotic"])
def test_coefficients_one_by_one(ddf: str) -> None:
    m = growth()
    table = m.test(np.eye(4), ddf=ddf, joint=False)
    expected = m.coefficients(ddf)
    for column in ("estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high"):
        np.testing.assert_allclose(table[column], expected[column], rtol=1e-12)
    assert list(table.index) == [f"{name} = 0" for name in m.fixef.index]
    assert table.joint is None


def test_a_linear_function() -> None:
    m = growth()
    L = np.array([0.0, 2.0, 0.0, 0.5])
    table = m.test("2*I(age - 11) + 0.5*I(age - 11):SexFemale = 1", ddf="residual", level=0.9)
    row = table.iloc[0]
    error = np.sqrt(L @ m.vcov.to_numpy() @ L)
    assert row["estimate"] == pytest.approx(L @ m.fixef)
    assert row["std_error"] == pytest.approx(error)
    assert row["statistic"] == pytest.approx((L @ m.fixef - 1) / error)
    assert row["df"] == m.nobs - 4
    assert row["conf_high"] - row["conf_low"] == pytest.approx(2 * 1.6596374 * error, rel=1e-6)
    assert table.joint is None  # one row: t² is F
    assert "residual degrees of freedom" in table.title


def test_a_value_moves_the_statistic_alone() -> None:
    m = growth()
    moved, zero = m.test("SexFemale = -2"), m.test("SexFemale")
    assert moved["estimate"].iloc[0] == zero["estimate"].iloc[0]
    assert moved["statistic"].iloc[0] == pytest.approx(
        (m.fixef["SexFemale"] + 2) / m.bse["SexFemale"]
    )


@pytest.mark.parametrize("ddf", ["satterthwaite", "kenward-roger"])
def test_joint_test_is_the_f_table_s(ddf: str) -> None:
    m = fit("score ~ Machine + (Machine | Worker)", "Machines")
    row = m.anova(1, ddf).loc["Machine"]
    table = m.test(["MachineB = 0", "MachineC = 0"], ddf=ddf)
    assert table.joint.num_df == 2
    assert table.joint.statistic == pytest.approx(row["F value"], rel=1e-10)
    assert table.joint.den_df == pytest.approx(row["DenDF"], rel=1e-10)
    assert table.joint.p_value == pytest.approx(row["Pr(>F)"], rel=1e-8)
    assert table.notes[0].startswith(f"Jointly: F(2, {row['DenDF']:.1f}".removesuffix(".0"))


def test_joint_alone() -> None:
    m = growth()
    table = m.test(["I(age - 11) = 0.5", "SexFemale"], joint=True)
    assert len(table) == 1
    assert list(table.columns) == ["statistic", "num_df", "den_df", "p_value"]
    assert table["statistic"].iloc[0] == table.joint.statistic
    assert table.index[0] == "I(age - 11) = 0.5; SexFemale"
    single = m.test("I(age - 11) = 0.5", joint=True).joint
    assert single.statistic == pytest.approx(m.test("I(age - 11) = 0.5")["statistic"].iloc[0] ** 2)


def test_rows_that_say_the_same_count_once() -> None:
    m = growth()
    twice = m.test(["SexFemale = 1", "2*SexFemale = 2", "I(age - 11)"], ddf="residual").joint
    once = m.test(["SexFemale = 1", "I(age - 11)"], ddf="residual").joint
    assert twice.num_df == 2
    assert twice.statistic == pytest.approx(once.statistic)


# car::Anova of type III on treatment contrasts tests the coefficients of a term as they are
WALD = {
    "cake_int_reml": {"recipe": "recipe[BC]", "temperature": r"temperature\..|temperature\^\d"},
    "anxlong_3level_reml": {"month": "month", "treatment": "treatment[^:]*"},
    "oats_split_reml": {"Variety": "Variety[^:]*", "nitro": "nitro"},
}


@pytest.mark.parametrize("name", WALD)
def test_wald(name: str) -> None:
    reference = reference_data.read_json("inference/anova_wald.json")["models"][name]
    m = fit(reference["formula"], reference["data"])
    for term, pattern in WALD[name].items():
        names = m.fixef.index[m.fixef.index.str.fullmatch(pattern)]
        rows = pd.DataFrame(np.eye(len(names)), columns=names)
        joint = m.test(rows, joint=True, ddf="asymptotic").joint
        expected = reference["type_III"][term]
        assert joint.num_df == expected["Df"]
        assert joint.statistic * joint.num_df == pytest.approx(expected["Chisq"], rel=1e-6)


# --- Matrices ---

MATRICES: dict[str, Any] = {
    "list": [0, 0, 1, -1],
    "nested": [[0, 0, 1, -1]],
    "array": np.array([0.0, 0.0, 1.0, -1.0]),
    "frame": pd.DataFrame({"I(age - 11):SexFemale": [-1.0], "SexFemale": [1.0]}),
    "series": pd.Series({"I(age - 11):SexFemale": -1.0, "SexFemale": 1.0}),
}


@pytest.mark.parametrize("kind", MATRICES)
def test_matrix(kind: str) -> None:
    table = growth().test(MATRICES[kind], value=2)
    expected = growth().test("SexFemale - I(age - 11):SexFemale = 2")
    np.testing.assert_allclose(table, expected, rtol=1e-12)
    assert list(table.index) == list(expected.index)


def test_a_frame_s_rows_are_named() -> None:
    rows = pd.DataFrame({"SexFemale": [1.0, 2.0]}, index=["once", "twice"])
    table = growth().test(rows, value=[0, -4], joint=False)
    assert list(table.index) == ["once", "twice"]
    assert table.index.name == "hypothesis"


# --- Models at the edge ---


def test_dropped_coefficients() -> None:
    with pytest.raises(mm.DataError, match="not estimable: the other columns determine 'Days2x'"):
        collinear().test("grpmid + Days2x = 0")
    by_name = collinear().test("grpmid - grpold")
    assert np.isfinite(by_name.to_numpy()).all()
    for row in ([0, 0, 1, -1], [0, 0, 0, 1, -1]):  # the columns kept, and all columns
        np.testing.assert_allclose(collinear().test(row), by_name)


def test_models_from_arrays_and_ordinary_regressions() -> None:
    data = clinic.data()
    X = pd.DataFrame({"one": np.ones(300), "sessions": data["therapy_sessions"]})
    m = mm.lmer_arrays(data["anxiety"], X, [(np.ones(300), data["clinic"])])
    expected = clinic.fit(clinic.INTERCEPTS).test("therapy_sessions = -1")
    np.testing.assert_allclose(m.test("sessions = -1"), expected, rtol=1e-6)
    o = clinic.ordinary()
    assert o.test("therapy_sessions")["statistic"].iloc[0] == pytest.approx(
        o.summary().coefficients.loc["therapy_sessions", "t value"]
    )


def test_no_test_method() -> None:
    table = growth().test(["SexFemale", "I(age - 11)"], ddf="none")
    assert np.isnan(table["p_value"]).all()
    assert np.isfinite(table["estimate"]).all()


def test_it_prints() -> None:
    text = str(growth().test(["SexFemale", "I(age - 11) = 1"]))
    for piece in ("Satterthwaite", "I(age - 11) = 1", "Jointly: F(2, 25.1) = ", "estimate"):
        assert piece in text


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "three columns": (
        lambda m: m.test(np.eye(3)),
        mm.ArgumentError,
        "one column for each of the 4",
    ),
    "nothing": (lambda m: m.test([]), mm.ArgumentError, "shape"),
    "ragged": (lambda m: m.test([[1, 2], [3]]), mm.ArgumentError, "neither text nor a matrix"),
    "mixed": (lambda m: m.test(["SexFemale", 2]), mm.ArgumentError, "neither text nor a matrix"),
    "zeros": (lambda m: m.test(np.zeros((1, 4))), mm.ArgumentError, "all zeros"),
    "missing": (lambda m: m.test([0, 1, np.nan, 0]), mm.ArgumentError, "finite numbers"),
    "a column": (
        lambda m: m.test(pd.DataFrame({"SexFemal": [1]})),
        mm.ArgumentError,
        "did you mean 'SexFemale'",
    ),
    "a frame of text": (
        lambda m: m.test(pd.DataFrame({"SexFemale": ["a"]})),
        mm.ArgumentError,
        "neither text nor a matrix",
    ),
    "values": (lambda m: m.test(np.eye(4), [1, 2]), mm.ArgumentError, "one for each of 4 rows"),
    "value of text": (lambda m: m.test("SexFemale", 1), mm.ArgumentError, "into the hypothesis"),
    "contradiction": (
        lambda m: m.test(["SexFemale = 1", "SexFemale = 2"]),
        mm.ArgumentError,
        "contradict",
    ),
    "joint": (lambda m: m.test("SexFemale", joint="no"), mm.ArgumentError, "joint is 'no'"),
    "level": (lambda m: m.test("SexFemale", level=95), mm.ArgumentError, "level is 95"),
}


def test_without_fixed_effects_there_is_nothing_to_test() -> None:
    with pytest.raises(mm.DataError, match="no fixed effects"):
        fit("Reaction ~ 0 + (1 | Subject)", "sleepstudy").test("x = 0")


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call(growth())
