"""All optimisers find one optimum; where they do not, the verdict says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
import reference_data
from mixedmodels.diagnostics import optimiser_comparison

MODELS: dict[str, Any] = {
    "slopes": lambda: mm.lmer(
        "Reaction ~ Days + (Days | Subject)", reference_data.load("sleepstudy")
    ),
    "ML, other start": lambda: mm.lmer(
        "Yield ~ 1 + (1 | Batch)",
        reference_data.load("Dyestuff"),
        REML=False,
        control=mm.Control(start=[2.0]),
    ),
    "at zero": lambda: mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff2")),
    "binomial": lambda: mm.glmer(
        "cbind(incidence, size - incidence) ~ period + (1 | herd)", reference_data.load("cbpp")
    ),
    "negative binomial": lambda: mm.glmer(
        "therapy_sessions ~ anxiety + (1 | clinic)",
        mm.datasets.load("anxiety"),
        family="negative_binomial",
    ),
}


@pytest.mark.filterwarnings("ignore::mixedmodels.SingularFitWarning")
@pytest.mark.parametrize("name", MODELS)
def test_every_optimiser_finds_the_optimum(name: str) -> None:
    m = MODELS[name]()
    comparison = mm.all_fit(m)
    table = comparison.to_frame()
    assert table["converged"].all()
    assert np.ptp(table["criterion"]) < 1e-8
    assert comparison.differences["fixef"] < 1e-4
    assert comparison.differences["theta"] < 1e-4
    assert "reached the same optimum" in comparison.verdict
    assert comparison.best == comparison._own
    assert next(iter(comparison.fits.values())) is m


def test_the_table_has_criterion_estimates_and_outcome() -> None:
    m = MODELS["slopes"]()
    table = mm.all_fit(m).to_frame()
    assert list(table.columns) == [
        "criterion", "theta1", "theta2", "theta3", "(Intercept)", "Days",
        "converged", "singular", "evaluations", "seconds", "reason",
    ]  # fmt: skip
    own = table.loc["newton (the model)"]
    assert own["criterion"] == m.reml_criterion
    np.testing.assert_array_equal(own[["theta1", "theta2", "theta3"]].astype(float), m.theta)
    assert table["evaluations"].is_unique  # four runs, not one


def test_settings_of_the_model_hold_but_for_its_start() -> None:
    fits = mm.all_fit(MODELS["ML, other start"]()).fits
    assert list(fits) == [
        "newton (the model)", "newton", "bfgs", "nelder-mead", "newton, other start"
    ]  # fmt: skip
    assert not any(model.reml for model in fits.values())
    assert fits["bfgs"]._call.control.start is None
    other = mm.lmer(
        "Yield ~ 1 + (1 | Batch)",
        reference_data.load("Dyestuff"),
        control=mm.Control(optimizer="bfgs"),
    )
    assert list(mm.all_fit(other).fits)[:2] == ["bfgs (the model)", "newton"]


def test_a_model_short_of_the_optimum_is_told_so() -> None:
    start = mm.Control(max_evaluations=1, start=[5.0])
    with pytest.warns(mm.ConvergenceWarning):
        m = mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff"), control=start)
    comparison = mm.all_fit(m)
    assert comparison.best != "newton (the model)"
    assert "the model is not at the optimum" in comparison.verdict
    assert "newton (the model) stopped before it was certain" in comparison.verdict
    assert comparison.fits[comparison.best].converged


def test_no_optimum_another_optimum_and_a_flat_one() -> None:
    m = MODELS["slopes"]()
    good = mm.all_fit(m)
    own, other = m, good.fits["bfgs"]

    class Fit:
        """The kernel's fit with something else in places."""

        def __init__(self, fit: Any, **changes: Any):
            self.__dict__.update(changes, _fit=fit)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._fit, name)

    def verdict(own_changes: dict[str, Any], other_changes: dict[str, Any]) -> str:
        fits = {
            "a": replace(own, _fit=Fit(own._fit, **own_changes)),
            "b": replace(other, _fit=Fit(other._fit, **other_changes)),
        }
        return replace(good, fits=fits).verdict

    no = {"converged": False}
    assert "No optimiser reached a certain optimum" in verdict(no, no)
    higher = {"criterion": m.reml_criterion + 2.5}
    assert "higher by up to 2.5" in verdict({}, higher)
    assert "by 2.5: the model is not at the optimum" in verdict(higher, {})
    flat = {"beta": np.asarray(m._fit.beta) + 5}
    assert "do not determine them" in verdict({}, flat)
    assert "Only one optimiser" in verdict({}, no)


def test_a_fit_that_fails_is_listed() -> None:
    comparison = replace(mm.all_fit(MODELS["slopes"]()), failed={"bfgs": "not finite"})
    assert "bfgs: not finite" in str(comparison)
    assert "No fit by bfgs." in comparison.verdict


def test_an_optimiser_that_breaks_down_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted_by = optimiser_comparison._fitted_by

    def breaks(model: Any, control: mm.Control) -> Any:
        if control.optimizer == "bfgs":
            raise mm.ConvergenceError("the criterion is not finite")
        return fitted_by(model, control)

    monkeypatch.setattr(optimiser_comparison, "_fitted_by", breaks)
    comparison = mm.all_fit(MODELS["slopes"]())
    assert comparison.failed == {"bfgs": "the criterion is not finite"}
    assert "bfgs" not in comparison.fits


def test_a_model_without_rows_cannot_be_fitted_again(tmp_path: Path) -> None:
    MODELS["slopes"]().save(tmp_path / "m.mm", data=False)
    with pytest.raises(mm.DataError, match="saved without its data"):
        mm.all_fit(mm.load(tmp_path / "m.mm"))


def test_print_and_html() -> None:
    comparison = mm.all_fit(MODELS["binomial"]())
    text = str(comparison)
    assert "nelder-mead" in text
    assert "period4" in text
    assert text.replace("\n", " ").endswith("The estimates can be relied on.")
    html = comparison._repr_html_()
    assert html.count("<table") == 2
    assert "relied on" in html


def test_arrays_and_refits() -> None:
    d = mm.datasets.load("anxiety")
    ones = np.ones(len(d))
    arrays = mm.lmer_arrays(d["anxiety"], ones, [(ones, d["clinic"])])
    assert "4 fits reached" in mm.all_fit(arrays).verdict
    m = mm.lmer("anxiety ~ 1 + (1 | clinic)", d).refit(2 * d["anxiety"])
    frame = mm.all_fit(m).to_frame()
    assert frame["(Intercept)"].to_numpy() == pytest.approx(m.fixef.iloc[0])


def test_an_ordinary_regression_has_no_optimiser() -> None:
    with pytest.raises(mm.ArgumentError, match="no variance components"):
        mm.all_fit(mm.lm("anxiety ~ therapy_sessions", mm.datasets.load("anxiety")))
