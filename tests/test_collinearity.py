"""Variance inflation factors: by regressions, by canonical correlations, whatever the coding."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm


def data(n: int = 240) -> pd.DataFrame:
    r = np.random.default_rng(5)
    x = r.normal(size=n)
    f = np.digitize(x + r.normal(size=n), [-0.8, 0.8])
    g = r.integers(0, 12, n)
    y = 1 + x + 0.5 * f + r.normal(size=12)[g] + r.normal(size=n)
    z = x + 0.5 * r.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "z": z, "f": np.array(list("abc"))[f], "g": g})


DATA = data()


def r_squared(y: np.ndarray, X: np.ndarray) -> float:
    X = np.column_stack([np.ones(len(y)), X])
    fitted = X @ np.linalg.lstsq(X, y, rcond=None)[0]
    return float(1 - ((y - fitted) ** 2).sum() / ((y - y.mean()) ** 2).sum())


# Prestige of 45 occupations (Duncan 1961, "A socioeconomic index for all occupations"): type,
# income, education, prestige.
DUNCAN = """
p 62 86 82, p 72 76 83, p 75 92 90, p 55 90 76, p 64 86 90, p 21 84 87, p 64 93 93, p 80 100 90,
w 67 87 52, p 72 86 88, p 42 74 57, p 76 98 89, p 76 97 97, p 41 84 59, p 48 91 73, w 76 34 38,
p 53 45 76, p 60 56 81, p 42 44 45, p 78 82 92, w 29 72 39, w 48 55 34, w 55 71 41, w 29 50 16,
b 21 23 33, b 47 39 53, b 81 28 67, b 36 32 57, b 22 22 26, b 44 25 29, b 15 29 10, b 7 7 15,
b 42 26 19, b 9 19 10, b 21 15 13, b 21 20 24, b 16 26 20, b 16 28 7, b 9 17 3, b 14 22 16,
b 12 30 6, b 17 25 11, b 7 20 8, b 34 47 41, b 8 32 10"""


def test_the_published_table_of_car() -> None:
    """vif(lm(prestige ~ income + education + type, data = Duncan)), R package car."""
    rows = [entry.split() for entry in DUNCAN.split(",")]
    d = pd.DataFrame(rows, columns=["type", "income", "education", "prestige"])
    numbers = d.columns[1:]
    d[numbers] = d[numbers].astype(float)
    table = mm.lm("prestige ~ income + education + type", d).vif()
    np.testing.assert_allclose(table["vif"], [2.209178, 5.297584, 5.098592], atol=5e-7)
    np.testing.assert_allclose(table["se_inflation"], [1.486330, 2.301648, 1.502666], atol=5e-7)


def test_a_single_column_by_its_regression_on_the_others() -> None:
    table = mm.lm("y ~ x + z", DATA).vif()
    expected = 1 / (1 - r_squared(DATA["x"].to_numpy(), DATA[["z"]].to_numpy()))
    np.testing.assert_allclose(table["vif"], [expected, expected])
    np.testing.assert_allclose(table["se_inflation"], np.sqrt(expected))


def test_a_factor_by_its_canonical_correlations_with_the_others() -> None:
    table = mm.lm("y ~ x + z + f", DATA).vif()
    A = pd.get_dummies(DATA["f"]).to_numpy(float)[:, 1:]
    B = DATA[["x", "z"]].to_numpy()
    qa, qb = (np.linalg.qr(M - M.mean(axis=0))[0] for M in (A, B))
    rho = np.linalg.svd(qa.T @ qb, compute_uv=False)
    assert table["vif"]["f"] == pytest.approx(1 / np.prod(1 - rho**2))
    assert table["df"].to_dict() == {"x": 1, "z": 1, "f": 2}
    assert table["se_inflation"]["f"] == pytest.approx(table["vif"]["f"] ** 0.25)


@pytest.mark.parametrize("coding", ["sum", "helmert", "poly"])
def test_the_coding_of_a_factor_does_not_count(coding: str) -> None:
    formula = "y ~ x + z + f + (1 | g)"
    plain, coded = mm.lmer(formula, DATA), mm.lmer(formula, DATA, contrasts={"f": coding})
    np.testing.assert_allclose(coded.vif()["vif"], plain.vif()["vif"], rtol=1e-9)


def test_generalised_models_use_their_own_covariance_matrix() -> None:
    m = mm.glmer("y > 1 ~ x + z + (1 | g)", DATA)
    V = m.vcov.to_numpy()[1:, 1:]
    r = V[0, 1] / np.sqrt(V[0, 0] * V[1, 1])
    np.testing.assert_allclose(m.vif()["vif"], 1 / (1 - r**2))


def test_dropped_columns_do_not_count() -> None:
    with pytest.warns(mm.RankDeficiencyWarning):
        m = mm.lm("y ~ x + z + I(2*x)", DATA)
    assert m.vif()["vif"].to_dict() == pytest.approx(
        mm.lm("y ~ x + z", DATA).vif()["vif"].to_dict()
    )


def test_columns_of_arrays_are_terms_and_a_constant_is_none() -> None:
    d = DATA
    X = pd.DataFrame({"one": 1.0, "x": d["x"], "z": d["z"]})
    m = mm.lmer_arrays(d["y"], X, [(np.ones(len(d)), d["g"])])
    expected = mm.lmer("y ~ x + z + (1 | g)", d).vif()["vif"]
    pd.testing.assert_series_equal(m.vif()["vif"], expected, rtol=1e-8)


def test_interactions_and_a_missing_intercept_are_remarked() -> None:
    assert "x, f, x:f: terms of an interaction" in str(mm.lm("y ~ x * f + z", DATA).vif())
    assert "There is no intercept" in str(mm.lm("y ~ 0 + x + z", DATA).vif())


def test_one_term_has_nothing_to_overlap_with() -> None:
    with pytest.raises(mm.ArgumentError, match="at least two"):
        mm.lm("y ~ x", DATA).vif()
