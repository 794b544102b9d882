"""Influence of groups and rows by refits, against lme4's and against fits of the rows left."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pandas as pd
import pytest

import clinic
import mixedmodels as mm
import reference_data
from dense_model import DenseModel
from influence_reference import fitted, reference

# lme4's refit without this group stopped at θ₁ = 0, far from its optimum: shown below
STOPPED = ("anxiety_rs_reml", "9")
NAMES = ["anxiety_ri_reml", "anxiety_rs_reml", "sleepstudy_rs_reml", "cbpp_laplace"]


@functools.cache
def without(name: str) -> Any:
    return fitted(name).influence(reference(name)["delete_group_factor"])


@pytest.mark.parametrize("name", NAMES)
def test_groups_of_lme4(name: str) -> None:
    found, groups = without(name), reference(name)["delete_group"]
    assert list(found.fixef.index) == list(groups)
    assert found.messages.isna().all()
    for label, group in groups.items():
        if (name, label) == STOPPED:
            continue
        for quantity in ("cooks_distance", "mdffits", "covratio", "sigma"):
            assert getattr(found, quantity)[label] == pytest.approx(group[quantity], rel=1e-6)
        for quantity in ("fixef", "dfbetas"):
            row = getattr(found, quantity).loc[label]
            assert list(row.index) == list(group[quantity])
            np.testing.assert_allclose(row, list(group[quantity].values()), rtol=1e-6)
        np.testing.assert_allclose(found.theta.loc[label], group["theta"], atol=1e-6)


def test_a_refit_of_lme4_that_stopped_on_the_boundary() -> None:
    name, label = STOPPED
    d = clinic.data()
    d = d[d["clinic"] != label]
    columns = np.column_stack([np.ones(len(d)), d["therapy_sessions"]])
    codes = pd.factorize(d["clinic"], sort=True)[0]
    dense = DenseModel(d["anxiety"].to_numpy(dtype=float), columns, [(columns, codes)])
    theirs = dense.criterion(np.array(reference(name)["delete_group"][label]["theta"]))
    ours = dense.solve(without(name).theta.loc[label].to_numpy())
    assert theirs - ours.criterion > 16
    np.testing.assert_allclose(without(name).fixef.loc[label], ours.beta, rtol=1e-9)
    assert without(name).sigma[label] == pytest.approx(ours.sigma, rel=1e-9)


def test_rows_of_lme4() -> None:
    ref = reference("anxiety_ri_reml")["delete_observation_first10"]
    found = fitted("anxiety_ri_reml").influence()
    assert len(found) == 300
    assert found.group is None
    for k, row in enumerate(ref):
        np.testing.assert_allclose(found.fixef.iloc[k], list(row["fixef"].values()), rtol=1e-8)
        assert found.sigma.iloc[k] == pytest.approx(row["sigma"], rel=1e-8)
        assert found.cooks_distance.iloc[k] == pytest.approx(row["cooks_distance"], rel=1e-6)
        np.testing.assert_allclose(found.theta.iloc[k], row["theta"], atol=1e-6)


# --- Which groups ---


def agrees(m: Any, found: Any, label: Any, alone: Any) -> None:
    """One row of `found` is the fit `alone` of the rows left."""
    np.testing.assert_allclose(found.fixef.loc[label], alone.fixef, rtol=1e-5)
    np.testing.assert_allclose(found.bse.loc[label], alone.bse, rtol=1e-4)
    np.testing.assert_allclose(found.sigma.loc[label], alone.sigma, rtol=1e-5)
    np.testing.assert_allclose(found.theta.loc[label], getattr(alone, "theta", []), atol=1e-4)


def test_a_column_that_is_no_grouping_factor() -> None:
    d = reference_data.load("cbpp")
    g = mm.glmer(reference("cbpp_laplace")["formula"], d, family="binomial")
    found = g.influence("size")
    agrees(g, found, 14, g.update(data=d[d["size"] != 14]))
    d = clinic.data().assign(ward=np.arange(300) % 7, w=np.linspace(0.5, 2, 300))
    m = mm.lmer(clinic.SLOPES, d, weights="w", REML=False)
    found = m.influence("ward")
    assert list(found.rows) == [43, 43, 43, 43, 43, 43, 42]
    agrees(m, found, 3, m.update(data=d[d["ward"] != 3]))


def test_weights_and_an_offset() -> None:
    rng = np.random.default_rng(2)
    d = clinic.data().assign(w=rng.uniform(0.5, 2, 300), o=rng.normal(0, 2, 300))
    m = mm.lmer(clinic.INTERCEPTS, d, weights="w", offset="o", REML=False)
    agrees(m, m.influence("clinic"), "4", m.update(data=d[d["clinic"] != "4"]))
    agrees(m, m.influence(), 17, m.update(data=d.drop(index=17)))


def test_crossed_and_nested_factors() -> None:
    d = reference_data.load("Penicillin")
    m = mm.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", d)
    agrees(m, m.influence("sample"), "C", m.update(data=d[d["sample"] != "C"]))
    with pytest.raises(mm.ArgumentError, match=r"'plate' has levels .* more than one group"):
        m.influence("sample", "fast")
    d = reference_data.load("Pastes")
    m = mm.lmer("strength ~ 1 + (1 | batch/cask)", d)
    agrees(m, m.influence("batch"), "B", m.update(data=d[d["batch"] != "B"]))
    assert len(m.influence("cask:batch")) == 30


def test_ordinary_regressions() -> None:
    d = clinic.data()
    o = clinic.ordinary()
    found = o.influence("clinic")
    agrees(o, found, "2", o.update(data=d[d["clinic"] != "2"]))
    assert o.influence("clinic", "fast").method == "exact"
    p = mm.glm("therapy_sessions ~ anxiety", d, family="poisson")
    found = p.influence("clinic")
    agrees(p, found, "2", p.update(data=d[d["clinic"] != "2"]))


def test_arrays() -> None:
    d, m = clinic.data(), clinic.fit(clinic.INTERCEPTS)
    X = np.column_stack([np.ones(300), d["therapy_sessions"]])
    a = mm.lmer_arrays(d["anxiety"], X, [(np.ones(300), d["clinic"])])
    for method in ("exact", "fast"):
        expected = m.influence("clinic", method)
        np.testing.assert_allclose(a.influence("clinic", method).dfbetas, expected.dfbetas)
    np.testing.assert_allclose(a.hatvalues, m.hatvalues)
    ward = np.arange(300) % 7
    with pytest.raises(mm.ArgumentError, match="fitted from arrays is refitted without"):
        a.influence(ward)
    with pytest.raises(mm.ArgumentError, match="group='ward': a model fitted from arrays"):
        a.influence("ward")


def test_another_response_and_missing_rows() -> None:
    d = clinic.data()
    y = d["anxiety"].to_numpy()[::-1]
    m = clinic.fit(clinic.INTERCEPTS).refit(y)
    alone = mm.lmer(clinic.INTERCEPTS, d.assign(anxiety=y)[d["clinic"] != "5"])
    agrees(m, m.influence("clinic"), "5", alone)
    ward = np.arange(300) % 7
    alone = mm.lmer(clinic.INTERCEPTS, d.assign(anxiety=y)[ward != 5])
    agrees(m, m.influence(ward), 5, alone)
    plain, padded = clinic.three_levels(), clinic.three_levels("exclude")
    pd.testing.assert_frame_equal(
        plain.influence("clinic").to_frame(), padded.influence("clinic").to_frame()
    )
    found = padded.influence("treatment")
    assert found.rows.sum() == padded.nobs
    # of one treatment alone there is no effect of treatment, and the others are known
    assert found.fixef.columns[found.fixef.isna().all()].str.contains("treatment").all()
    assert found.fixef[["(Intercept)", "month"]].notna().all(axis=None)
    assert found.messages.str.contains("do not determine every coefficient").all()


def test_threads_do_not_change_a_bit() -> None:
    m = fitted("cbpp_laplace")
    one, two = (m.influence("herd", n_threads=k).to_frame() for k in (1, 2))
    pd.testing.assert_frame_equal(one, two, check_exact=True)


def test_a_predictor_far_from_zero_costs_no_digits() -> None:
    d = reference_data.load("sleepstudy")
    m = mm.lmer("Reaction ~ year + (Days | Subject)", d.assign(year=d["Days"] + 1e5))
    near = without("sleepstudy_rs_reml")
    for method in ("exact", "fast"):
        found = m.influence("Subject", method)
        np.testing.assert_allclose(found.cooks_distance, near.cooks_distance, rtol=1e-7)


# --- What cannot be had ---


def test_a_group_that_determines_a_coefficient() -> None:
    d = clinic.data().assign(big=lambda d: (d["clinic"] == "3").astype(float))
    m = mm.lmer(f"{clinic.FIXED} + big + (1 | clinic)", d)
    for method in ("exact", "fast"):
        found = m.influence("clinic", method)
        lost = found.cooks_distance.isna()
        assert list(lost.index[lost]) == ["3"]
        assert "do not determine every coefficient" in found.messages["3"]
        assert found.mdffits.isna().sum() == found.covratio.isna().sum() == 1
        assert "NaN: without 3." in str(found)
        assert all(text is None for text in found.messages.drop("3"))


def test_arguments() -> None:
    m = clinic.fit(clinic.INTERCEPTS)
    with pytest.raises(mm.ArgumentError, match="method='slow': choose one of exact, fast"):
        m.influence("clinic", "slow")
    with pytest.raises(mm.ArgumentError, match="n_threads"):
        m.influence("clinic", n_threads=0)
    with pytest.raises(mm.DataError, match="clinics"):
        m.influence("clinics")
    with pytest.raises(mm.DataError, match=r"group has 7 values; expected 300"):
        m.influence(np.arange(7))
    with pytest.raises(mm.DataError, match="group: the labels given is missing"):
        m.influence([None, *range(299)])
    empty = mm.lmer("Reaction ~ 0 + (1 | Subject)", reference_data.load("sleepstudy"))
    with pytest.raises(mm.ArgumentError, match="the model has none"):
        empty.influence("Subject")


# --- In print ---

PRINTED = """\
Influence of 18 groups (Subject), each left out in turn; exact
    cooks_distance  mdffits covratio  dfbetas          of
309       0.148525 0.187811  0.88967 -0.41088 (Intercept)
335       0.129481 0.155314  0.93788 -0.55598        Days
337       0.125997 0.149728  0.94669  0.33359 (Intercept)
310       0.110522 0.126120  0.98587 -0.42761 (Intercept)
308       0.092417 0.100775  1.03169  0.44893        Days
370       0.091721 0.099846  1.03345 -0.35573 (Intercept)
Cook's distance above 4/18 = 0.222: none. |DFBETAS| above 2/√18 = 0.471: 335."""


def test_print() -> None:
    found = without("sleepstudy_rs_reml")
    assert str(found) == PRINTED == repr(found)
    assert "<table" in found._repr_html_()
    assert "one step at fixed θ" in str(fitted("sleepstudy_rs_reml").influence("Subject", "fast"))
    frame = found.to_frame()
    assert list(frame.columns) == [
        "rows", "cooks_distance", "mdffits", "covratio", "sigma", "dfbetas_(Intercept)",
        "dfbetas_Days",
    ]  # fmt: skip
    assert (frame["rows"] == 10).all()
    assert without("cbpp_laplace").influential == ["11", "1"]


def test_rows_with_equal_labels() -> None:
    d = clinic.data()
    m = mm.lmer(clinic.INTERCEPTS, d.set_axis(np.arange(300) % 100))
    found, expected = m.influence(), clinic.fit(clinic.INTERCEPTS).influence()
    np.testing.assert_array_equal(found.to_frame(), expected.to_frame())
    assert str(found).startswith("Influence of 300 rows")
