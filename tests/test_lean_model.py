"""Models saved without their data: what they have is the same to the bit, what they lack says
so."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
import saved_examples
from mixedmodels.predictions import joint
from mixedmodels.saving.saved_model import from_bytes, to_bytes
from mixedmodels.saving.stored_fit import Failure, attempt
from saved_examples import ESTIMATES, MODELS, OF_ROWS, loaded, outcome


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        yield


@pytest.mark.parametrize("name", MODELS)
def test_estimates_tests_and_predictions_are_the_same_bits(name: str) -> None:
    original, lean = saved_examples.model(name), loaded(name, data=False)
    for what, method in ESTIMATES.items():
        if outcome(method, lean) != outcome(method, original):
            # the groups of the rows were not known
            assert (name, what) in {
                ("arrays without intercept", interval) for interval in ("confidence", "prediction")
            }


@pytest.mark.parametrize("name", ["ml, crossed", "lm, weighted", "gamma", "glm", "arrays"])
def test_what_needs_rows_says_that_there_are_none(name: str) -> None:
    original, lean = saved_examples.model(name), loaded(name, data=False)
    for what, method in OF_ROWS.items():
        if "Error: " in str(outcome(method, original)):
            continue  # not of this kind of model
        expected = "DataError: this model was saved without its data"
        assert str(outcome(method, lean)).startswith(expected), what


def test_other_ways_to_the_rows() -> None:
    lean: Any = loaded("ml, crossed", data=False)
    for use in (
        lambda: lean.profile(),
        lambda: lean.confint(method="boot"),
        lambda: lean.update(REML=True),
        lambda: lean.update(". ~ . - b"),
        lambda: mm.bootstrap(lean, 2),
        lambda: mm.anova(lean, loaded("intercepts", data=False)),
        lambda: lean.r2(),
        lambda: lean.report(),
        lambda: to_bytes(lean, data=True),
    ):
        with pytest.raises(mm.DataError, match="saved without its data"):
            use()


def test_other_data_can_be_given() -> None:
    lean: Any = loaded("intercepts", data=False)
    assert lean.update(data=saved_examples.data()).fixef.equals(lean.fixef)


def test_without_rows_there_are_none_in_the_file() -> None:
    """The size does not depend on the rows."""
    frame = saved_examples.data()
    sizes = []
    for k in (1, 4):
        m = mm.lmer("y ~ x + (1 | g)", pd.concat([frame] * k, ignore_index=True))
        sizes.append(len(to_bytes(m, data=False)))
    assert abs(sizes[1] - sizes[0]) < 200


def test_arrays_are_copies_as_the_kernels_are() -> None:
    lean: Any = loaded("intercepts", data=False)
    lean._fit.beta[:] = 0
    lean._fit.information()["hessian"][:] = 0
    lean._fit.modes[0][:] = 0
    for what in ("coefficients", "modes"):
        original = saved_examples.model("intercepts")
        assert outcome(ESTIMATES[what], lean) == outcome(ESTIMATES[what], original)


def test_an_error_of_the_kernel_is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> Any:
        raise mm.ConvergenceError("the Hessian has no digits")

    failure = attempt(fails)
    assert isinstance(failure, Failure)
    with pytest.raises(mm.ConvergenceError, match="no digits"):
        raise failure.again()
    monkeypatch.setattr(
        "mixedmodels.saving.stored_fit.attempt",
        lambda compute: failure if compute.__name__ == "variance_products" else attempt(compute),
    )
    m = mm.lmer("y ~ x + (1 | g)", saved_examples.data())
    lean: Any = from_bytes(to_bytes(m, data=False))
    with pytest.raises(mm.ConvergenceError, match="no digits"):
        lean.coefficients("kenward-roger")
    assert lean.coefficients().equals(m.coefficients())


def test_many_effects_of_several_factors_have_no_intervals() -> None:
    """Their covariances would take a matrix of effects by effects, which the file leaves out."""
    rng = np.random.default_rng(3)
    n = 3000
    frame = pd.DataFrame(
        {"y": rng.normal(size=n), "a": rng.integers(0, 700, n), "b": rng.integers(0, 400, n)}
    )
    m = mm.lmer("y ~ 1 + (1 | a) + (1 | b)", frame)
    lean: Any = from_bytes(to_bytes(m, data=False))
    rows = frame.iloc[:3]
    assert lean.predict(rows).equals(m.predict(rows))
    with pytest.raises(mm.DataError, match="saved without its data"):
        lean.predict(rows, interval="confidence")


def test_intervals_of_many_crossed_effects_need_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joint, "MOST_EFFECTS", 10)
    data = reference_data.load("Penicillin")
    m = mm.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data)
    lean, new = from_bytes(to_bytes(m, data=False)), data.head(2)
    pd.testing.assert_series_equal(lean.predict(new), m.predict(new))
    with pytest.raises(mm.DataError, match=r"up to 10 effects.*data=True.*without interval="):
        lean.predict(new, interval="confidence")
