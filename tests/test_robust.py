"""Cluster-robust covariance against dense algebra and against clubSandwich 0.5.8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

import clinic
import mixedmodels as mm
import reference_data
from dense_model import DenseModel, Term, indicator
from mixedmodels.inference import bias_reduction

Array = NDArray[np.float64]


# --- An independent route: n × n matrices ---


def dense_variance(m: Any, terms: list[Term]) -> tuple[Array, Array]:
    """X (columns kept) and V."""
    X = np.asarray(m._design.fixed_matrix())[:, m.fixef.notna().to_numpy()]
    weights = m._matrices.weights
    V = np.diag(np.ones(m.nobs) if weights is None else 1 / weights)
    if terms:
        model = DenseModel(m._response, X, terms)
        for term, D in zip(terms, model.relative_covariance(m.theta), strict=True):
            Z = indicator(term)
            V += Z @ D @ Z.T
    return X, V


def inverse_root(A: Array) -> Array:
    values, vectors = np.linalg.eigh(A)
    free = values > 1e-8
    return vectors * np.where(free, np.where(free, values, 1.0) ** -0.5, 0.0) @ vectors.T


def dense_sandwich(
    m: Any, terms: list[Term], clusters: NDArray[np.intp], kind: str
) -> tuple[Array, Array]:
    """The covariance matrix and Satterthwaite's df; D is Cholesky's root of V."""
    X, V = dense_variance(m, terms)
    offset, weights = m._matrices.offset, m._matrices.weights
    e = m._response - X @ m.fixef.dropna().to_numpy() - (0.0 if offset is None else offset)
    scale = np.ones(m.nobs) if weights is None else np.sqrt(weights)
    X, e, V = scale[:, None] * X, scale * e, V * np.outer(scale, scale)
    bread = np.linalg.inv(X.T @ np.linalg.solve(V, X))
    scores, projections = [], []
    for c in np.unique(clusters):
        rows = np.flatnonzero(clusters == c)
        V_c, X_c = V[np.ix_(rows, rows)], X[rows]
        weight = bread @ np.linalg.solve(V_c, X_c).T
        if kind == "CR2":
            D = np.linalg.cholesky(V_c).T
            weight = weight @ D.T @ inverse_root(D @ (V_c - X_c @ bread @ X_c.T) @ D.T) @ D
        scores.append(weight @ e[rows])
        projections.append(np.zeros((len(bread), m.nobs)))
        projections[-1][:, rows] = weight
    meat, G = np.einsum("ck,cl->kl", scores, scores), len(scores)
    if kind != "CR2":
        return (G / (G - 1) if kind == "CR1" else 1.0) * meat, np.full(len(bread), G - 1.0)
    P = np.einsum("ckn,nm,dkm->kcd", projections, V - X @ bread @ X.T, projections, optimize=True)
    return meat, np.einsum("kcc->k", P) ** 2 / np.einsum("kcd,kcd->k", P, P)


def codes(values: Any) -> NDArray[np.intp]:
    return pd.factorize(np.asarray(values), sort=True)[0]


def columns(*values: Any) -> Array:
    return np.column_stack([np.broadcast_to(v, len(values[-1])) for v in values]).astype(float)


@pytest.fixture(scope="module")
def unequal() -> pd.DataFrame:
    """The clinics, of unequal size and correlated with the sessions."""
    data = clinic.data()
    rng = np.random.default_rng(4)
    keep = rng.random(300) < 1 / (1 + data["clinic"].cat.codes / 4)
    data = data[keep | (np.arange(300) % 20 < 3)].assign(w=1.0, o=1.0)
    data["w"] = rng.uniform(0.5, 2, len(data))
    data["o"] = rng.normal(0, 2, len(data))
    data["twice"] = 2 * data["therapy_sessions"]
    return data


Case = Callable[[pd.DataFrame], tuple[Any, list[Term], str | None]]

# a model of unequal clusters, its random terms, the clusters
DENSE: dict[str, Case] = {
    "random intercepts": lambda d: (
        mm.lmer(clinic.INTERCEPTS, d),
        [(np.ones((len(d), 1)), codes(d["clinic"]))],
        None,
    ),
    "random slopes by ML": lambda d: (
        mm.lmer(clinic.SLOPES, d, REML=False),
        [(columns(1, d["therapy_sessions"]), codes(d["clinic"]))],
        None,
    ),
    "weights and an offset": lambda d: (
        mm.lmer(clinic.INTERCEPTS, d, weights="w", offset="o"),
        [(np.ones((len(d), 1)), codes(d["clinic"]))],
        "clinic",
    ),
    "a slope without an intercept": lambda d: (
        mm.lmer(f"{clinic.FIXED} + (0 + therapy_sessions | clinic)", d),
        [(columns(d["therapy_sessions"]), codes(d["clinic"]))],
        None,
    ),
    "no intercept": lambda d: (
        mm.lmer("anxiety ~ 0 + therapy_sessions + (1 | clinic)", d),
        [(np.ones((len(d), 1)), codes(d["clinic"]))],
        None,
    ),
    "intercept only": lambda d: (
        mm.lmer("anxiety ~ 1 + (1 | clinic)", d),
        [(np.ones((len(d), 1)), codes(d["clinic"]))],
        None,
    ),
    "a column dropped": lambda d: (
        mm.lmer(f"{clinic.FIXED} + twice + (1 | clinic)", d),
        [(np.ones((len(d), 1)), codes(d["clinic"]))],
        None,
    ),
    "arrays": lambda d: (
        mm.lmer_arrays(
            d["anxiety"],
            columns(1, d["therapy_sessions"]),
            [(columns(1, d["therapy_sessions"]), d["clinic"])],
        ),
        [(columns(1, d["therapy_sessions"]), codes(d["clinic"]))],
        None,
    ),
    "ordinary regression": lambda d: (mm.lm(clinic.FIXED, d), [], "clinic"),
    "weighted regression": lambda d: (
        mm.lm(f"{clinic.FIXED} + twice", d, weights="w", offset="o"),
        [],
        "clinic",
    ),
    "a column for every cluster": lambda d: (
        mm.lm("anxiety ~ 0 + clinic + therapy_sessions", d),
        [],
        "clinic",
    ),
}


@pytest.mark.filterwarnings("ignore::mixedmodels.RankDeficiencyWarning")
@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2"])
@pytest.mark.parametrize("name", DENSE)
def test_dense(name: str, kind: Any, unequal: pd.DataFrame) -> None:
    m, terms, cluster = DENSE[name](unequal)
    robust = m.vcov_robust(kind, cluster)
    vcov, df = dense_sandwich(m, terms, codes(unequal["clinic"]), kind)
    kept = m.fixef.dropna().index
    scale = np.abs(vcov).max()
    np.testing.assert_allclose(robust.vcov.loc[kept, kept], vcov, rtol=1e-8, atol=1e-11 * scale)
    np.testing.assert_allclose(robust.df[kept], df, rtol=1e-8)
    assert list(robust.vcov.index) == list(robust.vcov.columns) == list(m.fixef.index)
    assert robust.std_error.isna().equals(m.fixef.isna())
    assert robust.n_clusters == 15


@pytest.fixture(scope="module")
def visits() -> pd.DataFrame:
    """Four or fewer patients of every clinic, with visits missing."""
    d = clinic.visits().dropna(subset=["anxiety"])
    d = d[d["patient_no"].astype(int) <= d["clinic"].cat.codes % 4 + 1]
    rng = np.random.default_rng(5)
    day = codes(d["clinic"].astype(str) + d["visit"].astype(str))
    return d.assign(
        day=day,
        w=rng.uniform(0.5, 2, len(d)),
        day_by_day=d["anxiety"] + rng.normal(0, 8, day.max() + 1)[day],
    )


def one(d: pd.DataFrame) -> Array:
    return np.ones((len(d), 1))


# a model with random effects within clinics, its random terms
NESTED: dict[str, Callable[[pd.DataFrame], tuple[Any, list[Term]]]] = {
    "patients in clinics": lambda d: (
        mm.lmer("anxiety ~ month * treatment + (1 | clinic) + (month | patient_id)", d),
        [(columns(1, d["month"]), codes(d["patient_id"])), (one(d), codes(d["clinic"]))],
    ),
    "patients alone, weighted": lambda d: (
        mm.lmer("anxiety ~ month * treatment + (month | patient_id)", d, weights="w"),
        [(columns(1, d["month"]), codes(d["patient_id"]))],
    ),
    "patients cross days in clinics": lambda d: (
        mm.lmer("day_by_day ~ month + (1 | day) + (1 | patient_id)", d),
        [(one(d), codes(d["day"])), (one(d), codes(d["patient_id"]))],
    ),
    "a group in two terms": lambda d: (
        mm.lmer("anxiety ~ 0 + treatment + (1 | patient_id) + (0 + month | patient_id)", d),
        [(one(d), codes(d["patient_id"])), (columns(d["month"]), codes(d["patient_id"]))],
    ),
    "a column for every clinic": lambda d: (
        mm.lmer("anxiety ~ 0 + clinic + month + (month | patient_id)", d),
        [(columns(1, d["month"]), codes(d["patient_id"]))],
    ),
}


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2"])
@pytest.mark.parametrize("name", NESTED)
def test_nested_factors(name: str, kind: Any, visits: pd.DataFrame) -> None:
    m, terms = NESTED[name](visits)
    robust = m.vcov_robust(kind, "clinic")
    vcov, df = dense_sandwich(m, terms, codes(visits["clinic"]), kind)
    scale = np.abs(vcov).max()
    np.testing.assert_allclose(robust.vcov, vcov, rtol=1e-8, atol=1e-11 * scale)
    np.testing.assert_allclose(robust.df, df, rtol=1e-8)


def test_many_random_effects(visits: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clusters one by one give the same; a matrix that is too large is refused."""
    m, _ = NESTED["patients in clinics"](visits)
    expected = m.vcov_robust()
    assert expected.cluster == "clinic"
    monkeypatch.setattr(bias_reduction, "ENTRIES", 1)
    robust = m.vcov_robust()
    np.testing.assert_allclose(robust.vcov, expected.vcov, rtol=1e-11)
    np.testing.assert_allclose(robust.df, expected.df, rtol=1e-11)
    monkeypatch.setattr(bias_reduction, "MOST", 8)
    with pytest.raises(mm.ArgumentError, match="9 in one of clinic, expected at most 8"):
        m.vcov_robust()


@pytest.mark.parametrize("kind", ["CR0", "CR1"])
@pytest.mark.parametrize("cluster", ["sample", "plate"])
def test_crossed_factors(kind: Any, cluster: str) -> None:
    d = reference_data.load("Penicillin")
    m = mm.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", d)
    one = np.ones((len(d), 1))
    terms = [(one, codes(d["plate"])), (one, codes(d["sample"]))]
    robust = m.vcov_robust(kind, cluster)
    X, V = dense_variance(m, terms)
    weighted = np.linalg.solve(V, m._response - X @ m.fixef.to_numpy())
    score = np.bincount(codes(d[cluster]), weights=weighted)
    G = len(score)
    factor = G / (G - 1) if kind == "CR1" else 1.0
    information = (X.T @ np.linalg.solve(V, X)).item()
    np.testing.assert_allclose(robust.vcov, factor * np.sum(score**2) / information**2, rtol=1e-7)
    assert "share levels" in robust.notes[-1]


def test_predictor_far_from_zero(unequal: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shift of x changes no slope's standard error; where digits run out, that is said."""
    expected = mm.lmer(clinic.FIXED + " + (1 | clinic)", unequal).vcov_robust()
    for shift in (1e3, 1e5, 1.7e9):
        d = unequal.assign(therapy_sessions=unequal["therapy_sessions"] + shift)
        robust = mm.lmer(clinic.INTERCEPTS, d).vcov_robust()
        assert robust.std_error.iloc[1] == pytest.approx(expected.std_error.iloc[1], rel=1e-6)
        assert robust.df.iloc[1] == pytest.approx(expected.df.iloc[1], rel=1e-6)
    plain = mm.lmer(clinic.INTERCEPTS, unequal).vcov_robust("CR1").std_error.iloc[1]
    robust = mm.lmer(clinic.INTERCEPTS, d).vcov_robust("CR1")
    assert robust.std_error.iloc[1] == pytest.approx(plain, rel=1e-6)
    monkeypatch.setattr(bias_reduction, "ACCURACY", 1e-12)
    with pytest.raises(mm.DataError, match="centre it"):
        mm.lmer(clinic.INTERCEPTS, d).vcov_robust()


# --- clubSandwich ---

REFERENCE = reference_data.read_json("inference/robust.json")["models"]


@pytest.mark.parametrize("kind", ["CR0", "CR1", "CR2"])
@pytest.mark.parametrize("name", REFERENCE)
def test_clubsandwich(name: str, kind: Any) -> None:
    reference = REFERENCE[name]
    data = reference_data.load(reference["data"])
    data = data.query(reference.get("subset", "index >= 0"), engine="python")
    weights = data.eval(reference["weights"]) if "weights" in reference else None
    fit = mm.lmer if "|" in reference["formula"] else mm.lm
    robust = fit(reference["formula"], data, weights=weights).vcov_robust(
        kind, reference["cluster"]
    )
    expected = reference[kind]
    assert list(robust.std_error.index) == list(expected["std_error"])
    np.testing.assert_allclose(robust.vcov, expected["vcov"], rtol=1e-6)
    np.testing.assert_allclose(robust.std_error, list(expected["std_error"].values()), rtol=1e-6)
    np.testing.assert_allclose(robust.df, list(expected["df"].values()), rtol=1e-6)
    table = robust.coefficients()
    np.testing.assert_allclose(table["p_value"], list(expected["p"].values()), rtol=1e-4)


# --- Looks ---


def test_print() -> None:
    robust = clinic.fit(clinic.SLOPES).vcov_robust()
    text = str(robust)
    for piece in ("CR2", "15 clusters (clinic)", "Satterthwaite", "therapy_sessions"):
        assert piece in text
    assert "15 clusters" in robust._repr_html_()
    table = robust.coefficients(0.9)
    assert (table["conf_high"] - table["estimate"] < 1.9 * table["std_error"]).all()


def test_few_clusters_are_told() -> None:
    few = clinic.data()[clinic.data()["clinic"].isin(["1", "2", "3", "4"])]
    o = mm.lm(clinic.FIXED, few)
    assert "Only 4 clusters" in str(o.vcov_robust("CR1", "clinic"))
    assert "below 4" in str(o.vcov_robust("CR2", "clinic"))
    assert clinic.ordinary().vcov_robust("CR1", "clinic").notes == ()


def test_coefficients_that_one_cluster_determines() -> None:
    """The mean of a cluster has no residual of its own: no variance, no degrees of freedom."""
    robust = mm.lm("anxiety ~ 0 + clinic", clinic.data()).vcov_robust("CR2", "clinic")
    np.testing.assert_allclose(robust.std_error, 0, atol=1e-12)
    assert robust.df.isna().all()
    assert "15 cluster(s) alone determine" in robust.notes[0]


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
def test_singular_fit_is_the_ordinary_regression() -> None:
    d = reference_data.load("Dyestuff2")
    robust = mm.lmer("Yield ~ 1 + (1 | Batch)", d).vcov_robust()
    expected = mm.lm("Yield ~ 1", d).vcov_robust("CR2", "Batch")
    np.testing.assert_allclose(robust.vcov, expected.vcov, rtol=1e-9)
    np.testing.assert_allclose(robust.df, expected.df, rtol=1e-9)


def test_the_result_is_the_matrix() -> None:
    m = clinic.fit(clinic.INTERCEPTS)
    robust = m.vcov_robust("CR0")
    assert robust.index.equals(m.vcov.index)
    assert robust.columns.equals(m.vcov.columns)
    np.testing.assert_array_equal(robust.to_numpy(), robust.vcov)
    np.testing.assert_allclose(np.sqrt(np.diag(robust)), robust.std_error)
    assert type(2 * robust) is pd.DataFrame
