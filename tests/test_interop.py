"""Our models in marginaleffects and maketables; nothing of either is imported before it is used."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data


@pytest.fixture(scope="module")
def model() -> mm.LinearMixedModel:
    data = reference_data.load("anxiety_longitudinal").dropna(subset=["anxiety"])
    return mm.lmer("anxiety ~ month * treatment + poly(age, 2) + sex + (month | clinic)", data)


def test_importing_us_imports_neither() -> None:
    code = (
        "import sys, mixedmodels as mm; mm.interop, mm.lmer, mm.MarginalMeans; "
        "assert not {'marginaleffects', 'maketables', 'polars'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture(scope="module")
def package() -> Any:
    return pytest.importorskip("marginaleffects")


class TestMarginalEffects:
    def test_predictions_are_those_of_the_population(self, model: Any, package: Any) -> None:
        found = package.predictions(mm.interop.to_marginaleffects(model))
        expected = model.predict(re_form="NA")
        np.testing.assert_allclose(found["estimate"].to_numpy(), expected, rtol=1e-10)

    def test_comparisons_are_our_contrasts(self, model: Any, package: Any) -> None:
        from marginaleffects.datagrid import datagrid

        adapter = mm.interop.to_marginaleffects(model)
        grid = datagrid(model=adapter, month=[0.0, 6.0])
        found = package.comparisons(adapter, variables="treatment", newdata=grid)
        at = {"month": [0, 6], "age": adapter.get_modeldata()["age"].mean()}
        means = model.emmeans("treatment", by="month", at=at, ddf="asymptotic")
        ours = means.contrast("revpairwise")
        np.testing.assert_allclose(found["estimate"].to_numpy(), ours["estimate"], rtol=1e-8)
        np.testing.assert_allclose(found["std_error"].to_numpy(), ours["SE"], rtol=1e-4)

    def test_slopes(self, model: Any, package: Any) -> None:
        found = package.avg_slopes(mm.interop.to_marginaleffects(model), variables="month")
        therapy = (model._call.data["treatment"] == "therapy").mean()
        expected = model.fixef["month"] + therapy * model.fixef["month:treatmenttherapy"]
        assert found["estimate"].item() == pytest.approx(expected, rel=1e-6)

    def test_dropped_columns_offsets_and_odd_levels(self, package: Any) -> None:
        rng = np.random.default_rng(0)
        data = pd.DataFrame({"f": pd.Categorical(rng.choice([1, 2, 3], 60)), "x": rng.random(60)})
        data = data.assign(x2=data["x"], w=rng.random(60), old=rng.random(60) < 0.5)
        data["y"] = rng.normal(size=60)
        with pytest.warns(mm.RankDeficiencyWarning):
            linear = mm.lm("y ~ f + x + x2 + old + offset(w)", data)
        found = package.predictions(mm.interop.to_marginaleffects(linear))
        np.testing.assert_allclose(found["estimate"].to_numpy(), linear.fitted)

    def test_generalised_models_predict_means(self, package: Any) -> None:
        data = reference_data.load("cbpp")
        m = mm.glmer("cbind(incidence, size - incidence) ~ period + (1 | herd)", data)
        found = package.predictions(mm.interop.to_marginaleffects(m))
        mu = m.predict(re_form=False)
        np.testing.assert_allclose(found["estimate"].to_numpy(), mu)
        X = m._design.fixed_matrix()
        errors = mu * (1 - mu) * np.sqrt(np.einsum("ij,jk,ik->i", X, m.vcov.to_numpy(), X))
        np.testing.assert_allclose(found["std_error"].to_numpy(), errors, rtol=1e-4)

    def test_refusals(self, model: Any, package: Any) -> None:
        data = reference_data.load("sleepstudy")
        given = mm.lm("Reaction ~ Days", data, offset=np.ones(len(data)))
        with pytest.raises(mm.DataError, match="offset was given as numbers"):
            mm.interop.to_marginaleffects(given)
        with pytest.raises(mm.ArgumentError, match="vcov='HC3'"):
            package.avg_slopes(mm.interop.to_marginaleffects(model), vcov="HC3")


def test_without_the_package_the_error_says_what_to_install(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    mm.interop._adapter.cache_clear()
    monkeypatch.setitem(sys.modules, "marginaleffects.classes", None)
    with pytest.raises(ImportError, match=r"pip install \"mixedmodels\[interop\]\""):
        mm.interop.to_marginaleffects(model)
    mm.interop._adapter.cache_clear()


class TestMakeTables:
    """The protocol's attributes by themselves, then the package."""

    def test_coefficients(self, model: Any) -> None:
        table = model.__maketables_coef_table__
        assert list(table.columns) == ["b", "se", "t", "p", "df", "ci95l", "ci95u"]
        assert table.index.name == "Coefficient"
        ours = model.coefficients()
        np.testing.assert_array_equal(table["p"], ours["p_value"])
        np.testing.assert_array_equal(table["ci95l"], ours["conf_low"])

    def test_statistics(self, model: Any) -> None:
        assert model.__maketables_depvar__ == "anxiety"
        assert model.__maketables_stat__("N") == model.nobs
        assert model.__maketables_stat__("Groups: clinic") == 15
        sd = model.varcorr.terms[0].sd[0]
        assert model.__maketables_stat__("SD (Intercept) by clinic") == sd
        assert model.__maketables_stat__("r2_within") is None
        keys = model.__maketables_default_stat_keys__
        assert len(set(keys)) == len(keys)
        assert {"N", "aic", "SD residual", "Correlation (Intercept), month by clinic"} <= set(keys)

    def test_no_residual_where_there_is_none(self) -> None:
        formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
        m = mm.glmer(formula, reference_data.load("cbpp"))
        assert m.__maketables_stat__("SD residual") is None
        assert m.__maketables_stat__("SD (Intercept) by herd") == m.varcorr.terms[0].sd[0]

    def test_tables(self, model: Any) -> None:
        package = pytest.importorskip("maketables")
        linear = mm.lm("anxiety ~ month + sex", model._call.data)
        html = package.ETable([model, linear]).make(type="gt").as_raw_html()
        assert "SD (Intercept) by clinic" in html
        assert f"{model.fixef['month']:.3f}" in html
