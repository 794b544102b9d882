"""Frames under broom.mixed's column names: tidy, glance, augment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
import reference_data

FIXED = ["effect", "group", "term", "estimate", "std.error", "statistic", "df", "p.value"]
ADDED = [
    ".fitted", ".resid", ".hat", ".cooksd", ".fixed", ".mu", ".offset", ".sqrtXwt", ".sqrtrwt",
    ".weights", ".wtres",
]  # fmt: skip


@pytest.fixture(scope="module")
def sleep() -> Any:
    return mm.lmer("Reaction ~ Days + (Days | Subject)", reference_data.load("sleepstudy"))


# --- tidy ---


def test_all_rows_in_order(sleep: Any) -> None:
    table = sleep.tidy()
    assert list(table.columns) == FIXED
    assert table[["effect", "group", "term"]].to_numpy(na_value=None).tolist() == [
        ["fixed", None, "(Intercept)"],
        ["fixed", None, "Days"],
        ["ran_pars", "Subject", "sd__(Intercept)"],
        ["ran_pars", "Subject", "cor__(Intercept).Days"],
        ["ran_pars", "Subject", "sd__Days"],
        ["ran_pars", "Residual", "sd__Observation"],
    ]
    reference = reference_data.model("sleepstudy_rs_reml")
    np.testing.assert_allclose(table["estimate"][:2], list(reference["beta"].values()), rtol=1e-6)
    expected = {row["var1"]: row for row in reference["varcorr_table"] if row["var2"] is None}
    assert table["estimate"][2] == pytest.approx(expected["(Intercept)"]["sdcor"], rel=1e-5)
    assert table["estimate"][5] == pytest.approx(reference["sigma"], rel=1e-6)
    assert type(table) is pd.DataFrame


def test_fixed_rows_are_the_coefficients(sleep: Any) -> None:
    for ddf in (None, "kenward-roger", "asymptotic"):
        table, expected = sleep.tidy("fixed", ddf=ddf), sleep.coefficients(ddf)
        assert set(table["effect"]) == {"fixed"}
        np.testing.assert_array_equal(
            table[["estimate", "std.error", "statistic", "df", "p.value"]],
            expected[["estimate", "std_error", "statistic", "df", "p_value"]],
        )


@pytest.mark.parametrize("method", ["wald", "profile", "boot"])
def test_intervals(method: Any) -> None:
    m = clinic.fit(clinic.SLOPES, REML=False)
    expected = m.confint(level=0.9, method=method, progress=False)
    table = m.tidy(conf_int=True, conf_level=0.9, conf_method=method)
    assert list(table.columns) == [*FIXED, "conf.low", "conf.high"]
    rows = ["(Intercept)", "therapy_sessions", ".sig01", ".sig02", ".sig03", ".sigma"]
    np.testing.assert_array_equal(
        table[["conf.low", "conf.high"]], expected.loc[rows, ["5 %", "95 %"]]
    )
    for effects in ("fixed", "ran_pars"):
        part = m.tidy(effects, conf_int=True, conf_level=0.9, conf_method=method)
        np.testing.assert_array_equal(
            part["conf.low"], table.loc[table["effect"] == effects, "conf.low"]
        )


def test_intervals_by_ddf(sleep: Any) -> None:
    table, expected = (
        sleep.tidy("fixed", conf_int=True, ddf="kenward-roger"),
        sleep.coefficients("kenward-roger"),
    )
    np.testing.assert_allclose(table["conf.high"], expected["conf_high"])
    ordinary = clinic.ordinary().tidy(conf_int=True)
    np.testing.assert_allclose(ordinary["conf.low"], clinic.ordinary().coefficients()["conf_low"])


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_standard_errors_of_random_parameters(sleep: Any) -> None:
    table = sleep.tidy("ran_pars")
    expected = sleep.variance_components()["std_error"].to_numpy()
    np.testing.assert_allclose(table["std.error"], expected[[0, 2, 1, 3]])
    singular = mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff2"))
    assert singular.tidy("ran_pars")["std.error"].isna().tolist() == [True, False]


def test_repeated_groups_and_three_effects() -> None:
    d = reference_data.load("Machines")
    m = mm.lmer("score ~ Machine + (0 + Machine | Worker)", d)
    assert m.tidy("ran_pars")["term"].tolist() == [
        "sd__MachineA",
        "cor__MachineA.MachineB",
        "cor__MachineA.MachineC",
        "sd__MachineB",
        "cor__MachineB.MachineC",
        "sd__MachineC",
        "sd__Observation",
    ]
    uncorrelated = clinic.fit(clinic.UNCORRELATED).tidy("ran_pars")
    assert uncorrelated["group"].tolist() == ["clinic", "clinic.1", "Residual"]
    assert "cor__(Intercept).therapy_sessions" not in set(uncorrelated["term"])


def test_conditional_modes(sleep: Any) -> None:
    table = sleep.tidy("ran_vals", conf_int=True, conf_level=0.9)
    names = ["effect", "group", "level", "term", "estimate", "std.error", "conf.low", "conf.high"]
    assert list(table.columns) == names
    modes = sleep.ranef(condvar=True)
    first = table[(table["term"] == "Days") & (table["level"] == "308")].iloc[0]
    assert first["estimate"] == modes["Subject"].loc["308", "Days"]
    assert first["std.error"] == modes.sd["Subject"].loc["308", "Days"]
    half = 1.6448536269514722 * first["std.error"]
    assert first["conf.high"] - first["estimate"] == pytest.approx(half)
    assert len(sleep.tidy("ran_vals").columns) == 6


def test_ordinary_regression() -> None:
    o = clinic.ordinary()
    assert list(o.tidy().columns) == ["term", "estimate", "std.error", "statistic", "p.value"]
    np.testing.assert_allclose(o.tidy("fixed")["std.error"], o.bse)
    for effects in ("ran_pars", "ran_vals"):
        with pytest.raises(mm.ArgumentError, match="no random effects"):
            o.tidy(effects)


def test_arguments(sleep: Any) -> None:
    with pytest.raises(mm.ArgumentError, match="ran_pars"):
        sleep.tidy("random")
    with pytest.raises(mm.ArgumentError, match="conf_method"):
        sleep.tidy(conf_int=True, conf_method="bayes")
    with pytest.raises(mm.ArgumentError, match="level"):
        sleep.tidy(conf_int=True, conf_level=95)


def test_without_fixed_effects_the_table_is_empty() -> None:
    m = mm.lmer("Reaction ~ 0 + (1 | Subject)", reference_data.load("sleepstudy"))
    for method in ("wald", "profile"):
        assert m.tidy("fixed", conf_int=True, conf_method=method).empty  # type: ignore[arg-type]


def test_augment_needs_a_table(sleep: Any) -> None:
    for data in (5, "Reaction", {"a": [1], "b": [1, 2]}):
        with pytest.raises(mm.DataError, match="table"):
            sleep.augment(data)


def test_dropped_columns_are_left_out() -> None:
    d = clinic.data().assign(twice=lambda d: 2 * d["therapy_sessions"])
    with pytest.warns(mm.RankDeficiencyWarning):
        m = mm.lmer(f"{clinic.FIXED} + twice + (1 | clinic)", d)
    assert m.tidy("fixed")["term"].tolist() == list(m.fixef.dropna().index)


# --- glance ---


def test_glance(sleep: Any) -> None:
    reference = reference_data.model("sleepstudy_rs_reml")
    row = sleep.glance()
    assert list(row.columns) == ["nobs", "sigma", "logLik", "AIC", "BIC", "REMLcrit", "df.residual"]
    for column, key in {
        "REMLcrit": "REMLcrit",
        "AIC": "AIC",
        "BIC": "BIC",
        "sigma": "sigma",
    }.items():
        assert row[column].item() == pytest.approx(reference[key], rel=1e-8)
    assert row["nobs"].item() == 180
    assert row["df.residual"].item() == reference["df_resid"]
    by_ml = clinic.fit(clinic.INTERCEPTS, REML=False)
    assert by_ml.glance()["deviance"].item() == by_ml.deviance


def test_glance_of_an_ordinary_regression() -> None:
    o = clinic.ordinary()
    row = o.glance()
    assert list(row.columns) == [
        "r.squared", "adj.r.squared", "sigma", "statistic", "p.value", "df", "logLik", "AIC",
        "BIC", "deviance", "df.residual", "nobs",
    ]  # fmt: skip
    assert row["r.squared"].item() == pytest.approx(o.r2().marginal)
    assert row["deviance"].item() == pytest.approx(o.rss)


# --- augment ---


def test_augment(sleep: Any) -> None:
    table = sleep.augment()
    assert list(table.columns) == ["Reaction", "Days", "Subject", *ADDED]
    np.testing.assert_array_equal(table[".fitted"], sleep.fitted)
    np.testing.assert_array_equal(table[".resid"], sleep.residuals())
    np.testing.assert_array_equal(table[".hat"], sleep.hatvalues)
    np.testing.assert_array_equal(table[".cooksd"], sleep.cooks_distance())
    np.testing.assert_allclose(table[".fixed"], sleep.predict(re_form="NA"))
    assert (table[".weights"] == 1).all()
    assert (table[".offset"] == 0).all()


def test_weights_and_offset() -> None:
    rng = np.random.default_rng(1)
    d = clinic.data().assign(w=rng.uniform(0.5, 2, 300), o=rng.normal(size=300), unused=1)
    m = mm.lmer(clinic.INTERCEPTS, d, weights="w", offset="o")
    table = m.augment()
    assert list(table.columns)[:5] == ["clinic", "therapy_sessions", "anxiety", "w", "o"]
    np.testing.assert_allclose(table[".fixed"], m.predict(re_form="NA"))
    np.testing.assert_array_equal(table[".offset"], d["o"])
    np.testing.assert_array_equal(table[".weights"], d["w"])
    np.testing.assert_allclose(table[".wtres"], m.residuals("pearson"))
    np.testing.assert_allclose(table[".sqrtXwt"], np.sqrt(d["w"]))
    assert list(m.augment(d).columns)[:7] == list(d.columns)


def test_missing_rows() -> None:
    m, padded = clinic.three_levels(), clinic.three_levels("exclude")
    visits = clinic.visits()
    assert len(m.augment()) == m.nobs < len(visits) == len(padded.augment())
    assert m.augment().index.equals(m.fitted.index)
    assert padded.augment()[".resid"].isna().sum() == len(visits) - m.nobs
    assert padded.augment()[".weights"].isna().sum() == len(visits) - m.nobs
    whole, used = m.augment(visits), m.augment(visits.dropna(subset=["anxiety"]))
    pd.testing.assert_frame_equal(whole, used)
    with pytest.raises(mm.DataError, match="7 rows; expected"):
        m.augment(visits.head(7))


def test_tables_of_other_kinds(sleep: Any) -> None:
    d = reference_data.load("sleepstudy")
    plain = {name: np.asarray(d[name]) for name in ("Reaction", "Days", "Subject")}
    m = mm.lmer("Reaction ~ log(Days + 1) + (Days | Subject)", plain)
    assert list(m.augment().columns) == ["Reaction", "Days", "Subject", *ADDED]
    pl = pytest.importorskip("polars")
    m = mm.lmer(sleep.formula, pl.DataFrame(plain))
    table = m.augment()
    assert type(table) is pd.DataFrame
    np.testing.assert_array_equal(table["Days"], plain["Days"])
    np.testing.assert_allclose(table[".fitted"], sleep.fitted)


def test_the_response_of_a_refit(sleep: Any) -> None:
    y = reference_data.load("sleepstudy")["Reaction"].to_numpy()[::-1]
    table = sleep.refit(y).augment()
    np.testing.assert_array_equal(table["Reaction"], y)
    np.testing.assert_allclose(table[".fitted"] + table[".resid"], y)


def test_arrays_have_no_data_columns() -> None:
    d = clinic.data()
    X = np.column_stack([np.ones(300), d["therapy_sessions"]])
    m = mm.lmer_arrays(d["anxiety"], X, [(np.ones(300), d["clinic"])])
    assert list(m.augment().columns) == ADDED
    assert list(m.augment(d).columns) == [*d.columns, *ADDED]
    assert m.tidy("ran_pars")["group"].tolist() == ["clinic", "Residual"]


def test_augment_of_an_ordinary_regression() -> None:
    o = clinic.ordinary()
    table = o.augment()
    names = [".fitted", ".resid", ".hat", ".sigma", ".cooksd", ".std.resid"]
    assert list(table.columns) == ["therapy_sessions", "anxiety", *names]
    np.testing.assert_array_equal(table[".std.resid"], o.rstandard())
    np.testing.assert_array_equal(table[".cooksd"], o.cooks_distance())
    np.testing.assert_allclose(table[".sigma"], o.influence().sigma)
    poisson = mm.glm("therapy_sessions ~ anxiety", clinic.data(), family="poisson")
    assert list(poisson.augment().columns)[2:] == names


def test_augment_without_fixed_effects() -> None:
    table = mm.lmer("Reaction ~ 0 + (1 | Subject)", reference_data.load("sleepstudy")).augment()
    assert table[".hat"].notna().all()
    assert table[".cooksd"].isna().all()
