"""Many responses on one analysis: the same numbers as one refit at a time."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
from reference_data import load

MANY_ROWS = ("insteval", "star", "chem97")
EQUAL = 1e-10  # relative


def quietly(call, *args, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return call(*args, **options)


def fitted(name: str):
    ref = reference_data.model(name)
    arguments = reference_data.fit_arguments(ref)
    return quietly(mm.lmer, ref["formula"], load(ref["data"]), **arguments)


def assert_same_fit(refits: mm.Refits, k: int, single) -> None:
    size = 1e-9 * float(np.nanmax(single.bse))
    np.testing.assert_allclose(refits.criterion.iloc[k], single._fit.criterion, rtol=EQUAL)
    np.testing.assert_allclose(refits.fixef.iloc[k], single.fixef, rtol=EQUAL, atol=size)
    np.testing.assert_allclose(refits.bse.iloc[k], single.bse, rtol=1e-8)
    np.testing.assert_allclose(refits.sigma.iloc[k], single.sigma, rtol=1e-8)
    theta = single._fit.theta
    np.testing.assert_allclose(refits.theta.iloc[k], theta, rtol=1e-6, atol=1e-6)


@pytest.fixture(scope="module")
def sleepstudy():
    return mm.lmer("Reaction ~ Days + (Days | Subject)", load("sleepstudy"))


@pytest.mark.parametrize(
    "name", [n for n in reference_data.model_ids() if not n.startswith(MANY_ROWS)]
)
def test_refits_are_those_of_single_responses(name):
    m = fitted(name)
    y = m.simulate(4, seed=11).to_numpy()
    refits = m.refit(y)
    for k in range(4):
        assert_same_fit(refits, k, quietly(m.refit, y[:, k]))


def test_large_ratios_of_standard_deviations_keep_their_digits():
    rng = np.random.default_rng(3)
    groups = np.repeat(np.arange(30), 12)
    x = rng.normal(size=360)
    base = 1e6 * rng.normal(size=30)[groups] + x
    data = pd.DataFrame({"y": base + rng.normal(size=360), "x": x, "g": groups})
    m = mm.lmer("y ~ x + (1 | g)", data)
    Y = base[:, None] + rng.normal(size=(360, 3))
    refits = m.refit(Y)
    for k in range(3):
        single = m.refit(Y[:, k])
        assert refits.sigma.iloc[k] == pytest.approx(single.sigma, rel=1e-9)
        assert refits.criterion.iloc[k] == pytest.approx(single.reml_criterion, rel=1e-12)


def test_almost_perfect_fits_keep_their_digits():
    data = load("sleepstudy")
    m = mm.lmer("Reaction ~ Days + (1 | Subject)", data)
    noise = m.simulate(2, seed=1).to_numpy() - m.fitted.to_numpy()[:, None]
    Y = 1e6 + 1e6 * data["Days"].to_numpy()[:, None] + noise
    refits = m.refit(Y)
    for k in range(2):
        assert refits.sigma.iloc[k] == pytest.approx(m.refit(Y[:, k]).sigma, rel=1e-9)


def test_threads_batches_and_layout_change_no_bit(sleepstudy):
    Y = sleepstudy.simulate(150, seed=2).to_numpy()
    whole = sleepstudy._fit.refit_many(np.asfortranarray(Y), 1)
    strided = np.zeros((360, 300))
    strided[::2, ::2] = Y
    for other in (
        sleepstudy._fit.refit_many(np.ascontiguousarray(Y), 2),
        sleepstudy._fit.refit_many(strided[::2, ::2], 3),
    ):
        for name in whole.keys() - {"messages"}:
            np.testing.assert_array_equal(whole[name], other[name])
    part = sleepstudy._fit.refit_many(Y[:, 37:40])
    np.testing.assert_array_equal(whole["theta"][37:40], part["theta"])
    np.testing.assert_array_equal(whole["vcov"][37:40], part["vcov"])


def test_labels_of_a_frame_are_kept(sleepstudy):
    Y = sleepstudy.simulate(3, seed=1)
    Y.columns = ["a", "b", "c"]
    refits = sleepstudy.refit(Y)
    for table in (refits.fixef, refits.bse, refits.theta, refits.varcorr, refits.sigma):
        assert list(table.index) == ["a", "b", "c"]
    assert list(refits.fixef.columns) == ["(Intercept)", "Days"]
    assert list(refits.varcorr.columns)[1:] == [
        "cor_Days.(Intercept)|Subject",
        "sd_Days|Subject",
        "sigma",
    ]
    assert refits.vcov.shape == (3, 2, 2)


def test_varcorr_is_that_of_the_single_fit(sleepstudy):
    Y = sleepstudy.simulate(2, seed=8)
    single = sleepstudy.refit(Y[1]).varcorr.to_frame()["sdcor"].to_numpy()
    row = sleepstudy.refit(Y).varcorr.iloc[1].to_numpy()
    np.testing.assert_allclose(row, single[[0, 2, 1, 3]], rtol=1e-8)


def test_a_response_that_cannot_be_fitted_does_not_stop_the_others(sleepstudy):
    Y = sleepstudy.simulate(3, seed=1)
    Y[1] = 7.0
    refits = sleepstudy.refit(Y)
    assert list(refits.failed) == [False, True, False]
    assert "constant" in refits.messages[1]
    assert refits.messages[0] is None
    assert refits.fixef.loc[1].isna().all()
    assert not refits.converged[1]
    assert "1 failed" in repr(refits)
    pd.testing.assert_frame_equal(refits.fixef.drop(1), sleepstudy.refit(Y.drop(columns=1)).fixef)


def test_rows_left_out():
    data = load("sleepstudy")
    data.loc[[3, 50], "Reaction"] = np.nan
    m = quietly(mm.lmer, "Reaction ~ Days + (Days | Subject)", data)
    Y = m.simulate(2, seed=3)
    table = np.full((180, 2), np.nan)
    table[m._matrices.rows] = Y
    np.testing.assert_array_equal(m.refit(Y).theta, m.refit(table).theta)


def test_ordinary_regressions():
    m = mm.lm("Reaction ~ Days", load("sleepstudy"))
    Y = m.simulate(2, seed=1)
    refits = m.refit(Y)
    single = m.refit(Y[1])
    np.testing.assert_allclose(refits.fixef.loc[1], single.fixef, rtol=EQUAL)
    assert refits.sigma[1] == pytest.approx(single.sigma, rel=EQUAL)
    assert refits.theta.shape == (2, 0)


def test_wrong_responses(sleepstudy):
    with pytest.raises(mm.DataError, match="expected 180 rows"):
        sleepstudy.refit(np.zeros((179, 2)))
    Y = sleepstudy.simulate(2, seed=1)
    Y.iloc[4, 1] = np.inf
    with pytest.raises(
        mm.DataError, match=r"shape \(2,\); expected \(\d+,\), the rows of the table$"
    ):
        sleepstudy.refit([1.0, 2.0])
    with pytest.raises(mm.DataError, match="response 1 is missing or infinite in row"):
        sleepstudy.refit(Y)
    with pytest.raises(mm.DataError, match="not numbers"):
        sleepstudy.refit(np.full((180, 2), "a"))
    for shape in (180, (180, 2)):
        with pytest.raises(mm.DataError, match="complex"):
            sleepstudy.refit(np.full(shape, 1j))
