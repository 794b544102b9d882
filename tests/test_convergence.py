"""The criterion, the outcome of its optimisation, and the settings and hooks of the optimiser."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pytest

import clinic
import mixedmodels as mm

# --- The criterion and the outcome ---


def test_objective_and_gradient() -> None:
    m = clinic.fit(clinic.SLOPES)
    assert m.objective(m.theta) == pytest.approx(m.reml_criterion, abs=1e-8)
    np.testing.assert_allclose(m.gradient(m.theta), 0, atol=1e-4)
    away = m.theta + 0.1
    step = np.array([1e-5, 0, 0])
    slope = (m.objective(away + step) - m.objective(away - step)) / 2e-5
    assert m.gradient(away)[0] == pytest.approx(slope, rel=1e-5)
    with pytest.raises(ValueError, match="3 finite numbers"):
        m.objective([1.0, 2.0])


def test_convergence_report() -> None:
    outcome = clinic.fit(clinic.SLOPES).convergence
    assert outcome.converged
    assert outcome.verdict == "converged"
    assert outcome.gradient_norm < 1e-3
    assert outcome.evaluations >= 1
    assert outcome.eigenvalues.shape == (3,)
    assert (outcome.eigenvalues > 0).all()
    assert outcome.reason
    assert outcome.messages == ()
    assert "gradient norm" in str(outcome)
    assert "eigenvalues" in str(outcome)


def test_convergence_report_of_a_large_model_computes_no_hessian() -> None:
    data = clinic.visits().dropna()
    outcome = mm.lmer("anxiety ~ visit + (1 | patient_id) + (1 | clinic)", data).convergence
    assert "Hessian         made on demand" in str(outcome)
    assert outcome.eigenvalues.shape == (2,)
    assert "Hessian         eigenvalues" in str(outcome)


def test_blocks_is_a_picture() -> None:
    assert isinstance(clinic.fit(clinic.SLOPES).blocks(), str)


# --- Warnings and refusals ---


def test_rank_deficiency() -> None:
    data = clinic.data().assign(twice=2 * clinic.data()["therapy_sessions"])
    with pytest.warns(mm.RankDeficiencyWarning, match="dropped twice") as caught:
        m = mm.lmer(f"{clinic.FIXED} + twice + (1 | clinic)", data)
    assert caught[0].filename == __file__
    assert np.isnan([m.fixef["twice"], m.bse["twice"], m.vcov.loc["twice", "twice"]]).all()
    assert m.npar == 4
    assert m.fixef["therapy_sessions"] == pytest.approx(-1.41266, abs=1e-5)
    assert "dropped twice" in str(m.summary())
    assert "twice" not in m.coef()["clinic"].columns


def test_singular_fit() -> None:
    data = clinic.data().assign(group=np.arange(300) % 5)
    data["y"] = np.tile([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 50)
    with pytest.warns(mm.SingularFitWarning, match=r"\(1 \| group\): variance estimated as zero"):
        m = mm.lmer("y ~ 1 + (1 | group)", data)
    assert m.is_singular
    assert m.converged
    assert m.convergence.verdict == "singular"
    assert m.convergence.multipliers.iloc[0] >= 0
    assert "singular" in str(m.summary())


def test_unfinished_fit() -> None:
    with pytest.warns(mm.ConvergenceWarning, match="did not converge"):
        m = mm.lmer(clinic.SLOPES, clinic.data(), control=mm.Control(max_evaluations=2))
    assert not m.converged
    assert m.convergence.verdict == "failed"


REFUSED = {
    "no random effects": (lambda d: mm.lmer(clinic.FIXED, d), mm.FormulaError, "mm.lm"),
    "random effects in lm": (lambda d: mm.lm(clinic.INTERCEPTS, d), mm.FormulaError, "mm.lmer"),
    "one group": (
        lambda d: mm.lmer(clinic.INTERCEPTS, d[d["clinic"] == "1"]),
        mm.DataError,
        "one level",
    ),
    "every row a group": (
        lambda d: mm.lmer("anxiety ~ 1 + (1 | patient_id)", d),
        mm.DataError,
        "allow_saturated",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    fit, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        fit(clinic.data())


# --- Settings ---


@pytest.mark.parametrize("optimizer", ["newton", "bfgs", "nelder-mead"])
def test_optimizers_agree(optimizer: Any) -> None:
    control = mm.Control(optimizer=optimizer, max_evaluations=5000)
    m = mm.lmer(clinic.SLOPES, clinic.data(), control=control)
    assert m.reml_criterion == pytest.approx(1973.10909100467, abs=1e-6)


@pytest.mark.parametrize("start", [[0.5, 0.0, 0.05], [2.0, 0.5, 1.0]])
def test_start_does_not_matter(start: list[float]) -> None:
    m = mm.lmer(clinic.SLOPES, clinic.data(), control=mm.Control(start=start))
    assert m.reml_criterion == pytest.approx(1973.10909100467, abs=1e-6)


@pytest.mark.parametrize(
    "setting",
    [
        {"optimizer": "adam"},
        {"tolerance": 0.0},
        {"tolerance": "tight"},
        {"max_evaluations": 0},
        {"time_limit": -1.0},
    ],
)
def test_settings_out_of_range(setting: Any) -> None:
    with pytest.raises(mm.ArgumentError, match=next(iter(setting))):
        mm.Control(**setting)


def test_start_of_another_length() -> None:
    with pytest.raises(mm.ArgumentError, match="3 covariance parameters"):
        mm.lmer(clinic.SLOPES, clinic.data(), control=mm.Control(start=[1.0]))


def test_callback_and_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    steps: list[tuple[int, float, float]] = []
    m = mm.lmer(
        clinic.SLOPES, clinic.data(), verbose=True, callback=lambda *step: steps.append(step)
    )
    assert steps
    assert steps[-1][1] == pytest.approx(m.reml_criterion, abs=1e-4)
    assert "REML criterion" in capsys.readouterr().err
    m.refit(clinic.data()["anxiety"])
    assert "REML criterion" not in capsys.readouterr().err


def test_a_short_fit_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mm.lmer(clinic.INTERCEPTS, clinic.data())
    assert capsys.readouterr() == ("", "")


def test_a_long_fit_shows_a_line_in_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("mixedmodels.models.progress._QUIET", 0.0)  # every fit is a long one
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    mm.lmer(clinic.SLOPES, clinic.data())
    shown = capsys.readouterr().err
    assert "REML criterion 19" in shown
    assert shown.endswith("\r")  # and takes it away at the end
    assert "\n" not in shown


def test_an_error_in_the_callback_ends_the_fit() -> None:
    def callback(*_: float) -> None:
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        mm.lmer(clinic.SLOPES, clinic.data(), callback=callback)
