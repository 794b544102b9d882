"""Every linear reference model, quantity by quantity; the numbers: reference/README.md."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data

Reference = dict[str, Any]


@functools.cache
def reference(name: str) -> Reference:
    return reference_data.model(name)


@functools.cache
def fitted(name: str) -> Any:
    ref = reference(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MissingDataWarning)
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        warnings.simplefilter("ignore", mm.RankDeficiencyWarning)
        return mm.lmer(
            ref["formula"], reference_data.load(ref["data"]), **reference_data.fit_arguments(ref)
        )


def criterion(m: Any) -> float:
    return float(m.reml_criterion if m.reml_criterion is not None else m.deviance)


def shown(m: Any, ref: Reference, what: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Conditional modes or SDs of the levels the reference shows: actual, expected, column SDs."""
    actual, expected, scale = [], [], []
    for group, levels in ref["ranef"].items():
        frame = ranef_frames(m, what)[group]
        if what == "ranef":
            table = pd.DataFrame.from_dict(levels, orient="index")
        else:
            table = pd.DataFrame(ref["ranef_condsd"][group])
        assert list(frame.columns) == list(table.columns)
        frame.index = frame.index.astype(str)
        modes = ranef_frames(m, "ranef")[group]
        for column in table.columns:
            actual.append(frame.loc[table.index, column])
            expected.append(table[column])
            sd = float(np.std(modes[column])) or m.sigma
            scale.append(np.full(len(table), sd))
    return np.concatenate(actual), np.concatenate(expected), np.concatenate(scale)


def ranef_frames(m: Any, what: str) -> dict[str, pd.DataFrame]:
    if what == "ranef":
        return {group: frame.copy() for group, frame in m.ranef().items()}
    return {group: sd.copy() for group, sd in m.ranef(condvar=True).sd.items()}


def first_ten(values: pd.Series) -> np.ndarray:
    return values.to_numpy()[:10]


def covariance_scale(ref: Reference) -> np.ndarray:
    """√(v₁ v₂) for each row of the variance table: what a covariance is measured against."""
    table = ref["varcorr_table"]
    variance = {(row["grp"], row["var1"]): row["vcov"] for row in table if row["var2"] is None}
    scale = [
        np.sqrt(
            variance[row["grp"], row["var1"]] * variance[row["grp"], row["var2"] or row["var1"]]
        )
        for row in table
    ]
    return np.where(np.array(scale) == 0, ref["sigma"] ** 2, scale)


@dataclass(frozen=True)
class Quantity:
    """|actual − expected| ≤ tolerance · scale, element by element."""

    actual: Callable[[Any], Any]
    expected: Callable[[Reference], Any]
    tolerance: float
    scale: Callable[[Reference], Any] = lambda ref: 1.0


def relative(field: str) -> Callable[[Reference], Any]:
    def scale(ref: Reference) -> np.ndarray:
        return np.abs(values(ref[field]))

    return scale


def values(field: Any) -> np.ndarray:
    return np.array(list(field.values()) if isinstance(field, dict) else field, dtype=float)


QUANTITIES = {
    "beta": Quantity(
        lambda m: m.fixef.dropna(), lambda r: values(r["beta"]), 1e-5, lambda r: values(r["se"])
    ),
    "standard errors": Quantity(
        lambda m: m.bse.dropna(), lambda r: values(r["se"]), 1e-5, relative("se")
    ),
    "vcov": Quantity(
        lambda m: m.vcov.dropna(how="all").dropna(how="all", axis=1),
        lambda r: np.array(r["vcov"]),
        2e-5,
        lambda r: np.outer(values(r["se"]), values(r["se"])),
    ),
    # The references' own θ is good to about 1e-6 of the largest element.
    "theta": Quantity(
        lambda m: m.theta,
        lambda r: values(r["theta"]),
        1e-4,
        lambda r: np.maximum(
            np.abs(values(r["theta"])), 1e-2 * np.max(np.abs(r["theta"]), initial=0.1)
        ),
    ),
    "sigma": Quantity(lambda m: m.sigma, lambda r: r["sigma"], 1e-6, relative("sigma")),
    "log-likelihood": Quantity(lambda m: m.loglik, lambda r: r["logLik"], 1e-6),
    "AIC": Quantity(lambda m: m.aic, lambda r: r["AIC"], 1e-6),
    "BIC": Quantity(lambda m: m.bic, lambda r: r["BIC"], 1e-6),
    "variance table, vcov": Quantity(
        lambda m: m.varcorr.to_frame()["vcov"],
        lambda r: [row["vcov"] for row in r["varcorr_table"]],
        1e-5,
        covariance_scale,
    ),
    "variance table, sdcor": Quantity(
        lambda m: m.varcorr.to_frame()["sdcor"],
        lambda r: [row["sdcor"] for row in r["varcorr_table"]],
        1e-5,
        lambda r: [
            1.0 if row["var2"] else row["sdcor"] or r["sigma"] for row in r["varcorr_table"]
        ],
    ),
    "scaled residual quantiles": Quantity(
        lambda m: np.nanquantile(m.residuals("scaled"), [0, 0.25, 0.5, 0.75, 1]),
        lambda r: r["residuals_scaled_quantiles"],
        1e-5,
    ),
    "sum of fitted": Quantity(
        lambda m: m.fitted.sum(), lambda r: r["fitted_sum"], 1e-8, relative("fitted_sum")
    ),
    "sum of squared residuals": Quantity(
        lambda m: (m.residuals() ** 2).sum(),
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
}

COUNTS: dict[str, tuple[Callable[[Any], Any], Callable[[Reference], Any]]] = {
    "rows": (lambda m: m.nobs, lambda r: r["n"]),
    "parameters": (lambda m: m.npar, lambda r: r["npar"]),
    "residual df": (lambda m: m.df_resid, lambda r: r["df_resid"]),
    "groups": (lambda m: list(m.ngroups.items()), lambda r: list(r["ngroups"].items())),
    "fixed effects": (lambda m: list(m.fixef.dropna().index), lambda r: r["X_names"]),
    "dropped columns": (
        lambda m: list(m.fixef.index[m.fixef.isna()]),
        lambda r: r["dropped_columns"],
    ),
    "variance table": (
        lambda m: [
            tuple(None if pd.isna(v) else v for v in row)
            for row in m.varcorr.to_frame()[["grp", "var1", "var2"]].itertuples(index=False)
        ],
        lambda r: [(row["grp"], row["var1"], row["var2"]) for row in r["varcorr_table"]],
    ),
    "singular": (lambda m: m.is_singular, lambda r: r["singular"]),
    "converged": (lambda m: m.converged, lambda r: True),
    "criteria": (
        lambda m: (m.reml_criterion is None, m.deviance is None),
        lambda r: (not r["REML"], r["REML"]),
    ),
}


@pytest.mark.parametrize("name", reference_data.model_ids())
def test_objective(name: str) -> None:
    m, expected = fitted(name), reference(name)["objective"]
    difference = criterion(m) - expected
    if difference < -1e-6:
        print(f"{name}: lower than the reference by {-difference:.2e}")
        assert m.converged
    assert difference <= 1e-6


@pytest.mark.parametrize("name", reference_data.model_ids())
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_quantity(name: str, quantity: str) -> None:
    m, ref, q = fitted(name), reference(name), QUANTITIES[quantity]
    error = np.abs(np.asarray(q.actual(m), dtype=float) - np.asarray(q.expected(ref)))
    assert np.all(error <= q.tolerance * np.asarray(q.scale(ref))), error


@pytest.mark.parametrize("name", reference_data.model_ids())
@pytest.mark.parametrize("what", COUNTS)
def test_names_and_counts(name: str, what: str) -> None:
    actual, expected = COUNTS[what]
    assert actual(fitted(name)) == expected(reference(name))


@pytest.mark.parametrize("name", reference_data.model_ids())
def test_conditional_modes(name: str) -> None:
    actual, expected, scale = shown(fitted(name), reference(name), "ranef")
    assert np.all(np.abs(actual - expected) <= 1e-5 * scale)


@pytest.mark.parametrize("name", reference_data.model_ids())
def test_levels_are_in_order(name: str) -> None:
    ranef = fitted(name).ranef()
    for group, levels in reference(name)["ranef"].items():
        assert [str(level) for level in ranef[group].index[: len(levels)]] == list(levels)


@pytest.mark.parametrize(
    "name", [name for name in reference_data.model_ids() if reference(name)["ranef_condsd"]]
)
def test_conditional_standard_deviations(name: str) -> None:
    actual, expected, scale = shown(fitted(name), reference(name), "condsd")
    assert np.all(np.abs(actual - expected) <= 1e-5 * scale)


@pytest.mark.parametrize("name", reference_data.model_ids())
@pytest.mark.parametrize("column", ["fitted", "residuals", "residuals_pearson"])
def test_rows(name: str, column: str) -> None:
    m = fitted(name)
    series = {
        "fitted": lambda: m.fitted,
        "residuals": lambda: m.residuals(),
        "residuals_pearson": lambda: m.residuals("pearson"),
    }[column]()
    error = np.abs(first_ten(series) - np.array(reference(name)[column]))
    assert np.all(error <= 1e-5 * series.std())


def test_ordinary_regression() -> None:
    ref = reference("lm_anxiety")
    m = mm.lm(ref["formula"], reference_data.load(ref["data"]))
    for name, row in ref["coefficients"].items():
        assert m.fixef[name] == pytest.approx(row["estimate"], rel=1e-10)
        assert m.bse[name] == pytest.approx(row["se"], rel=1e-10)
    assert m.sigma == pytest.approx(ref["sigma"], rel=1e-10)
    assert m.df_resid == ref["df_resid"]
    assert m.loglik == pytest.approx(ref["logLik"], abs=1e-8)
    assert m.aic == pytest.approx(ref["AIC"], abs=1e-8)
    assert m.bic == pytest.approx(ref["BIC"], abs=1e-8)
    np.testing.assert_allclose(m.vcov, ref["vcov"], rtol=1e-10)
    np.testing.assert_allclose(first_ten(m.fitted), ref["fitted"], rtol=1e-10)
    np.testing.assert_allclose(first_ten(m.residuals()), ref["residuals"], rtol=1e-9)


LRT = reference_data.linear(reference_data.read_json("inference/anova_lrt.json")["tables"])


@pytest.mark.parametrize("name", LRT)
@pytest.mark.parametrize("refit", ["refit_ML", "no_refit_REML"])
def test_likelihood_ratio(name: str, refit: str) -> None:
    table = LRT[name]
    data = reference_data.load(table["data"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = [mm.lmer(formula, data) for formula in table["models"]]
        if refit == "no_refit_REML" and len({tuple(m.fixef.index) for m in models}) > 1:
            with pytest.raises(mm.DataError):  # lme4 prints a table that means nothing
                mm.anova(*models, refit=False)
            return
        frame = mm.anova(*models, refit=refit == "refit_ML")
    for (_, row), expected in zip(frame.iterrows(), table[refit], strict=True):
        for column in ["npar", "AIC", "BIC", "logLik", "deviance"]:
            assert row[column] == pytest.approx(expected[column], abs=2e-6), column
        for column, key in [("Chisq", "Chisq"), ("Df", "Df"), ("Pr(>Chisq)", "p")]:
            if expected[key] is None:
                assert pd.isna(row[column]), column
            else:
                assert row[column] == pytest.approx(expected[key], rel=1e-5, abs=2e-6), column


ICC = reference_data.linear(reference_data.read_json("inference/icc_r2.json")["models"])


@pytest.mark.parametrize("name", ICC)
def test_intraclass_correlation(name: str) -> None:
    expected = ICC[name]
    icc = fitted(name).icc()
    assert icc.adjusted == pytest.approx(expected["icc_adjusted"], abs=1e-6)
    assert icc.unadjusted == pytest.approx(expected["icc_unadjusted"], abs=1e-6)
    by_group = {row["Group"]: row["ICC"] for row in expected["icc_by_group"]}
    assert dict(icc.by_group) == pytest.approx(by_group, abs=1e-6)
