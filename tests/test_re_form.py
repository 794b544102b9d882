"""Which random effects a `re_form` names."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
from mixedmodels.predictions.re_form import effects_named

R = np.random.default_rng(5)
N = 240
DATA = pd.DataFrame(
    {
        "y": R.normal(size=N),
        "x": R.uniform(1, 2, N),
        "f": R.choice(["a", "b", "c"], N),
        "g": R.integers(0, 12, N),
        "h": R.integers(0, 4, N),
    }
)
EFFECTS: dict[str, tuple[str, str, list[list[int]]]] = {
    "one of two columns": ("(x | g)", "~ (1 | g)", [[1, 0]]),
    "the other": ("(x | g)", "~ (0 + x | g)", [[0, 1]]),
    "without its tilde": ("(x | g)", "(x | g)", [[1, 1]]),
    "with a response": ("(x | g)", "y ~ (x | g)", [[1, 1]]),
    "split by bars": ("(x || g)", "~ (x | g)", [[1], [1]]),
    "of split terms one": ("(x || g)", "~ (0 + x | g)", [[0], [1]]),
    "one of two groups": ("(1 | g) + (1 | h)", "~ (1 | h)", [[0], [1]]),
    "an inner group": ("(1 | h/g)", "~ (1 | h:g)", [[1], [0]]),
    "nested shorthand": ("(1 | h/g)", "~ (1 | h/g)", [[1], [1]]),
    "a categorical's contrasts": ("(f | g)", "~ (f | g)", [[1, 1, 1]]),
    "its intercept": ("(f | g)", "~ (1 | g)", [[1, 0, 0]]),
    "indicators that are columns": ("(0 + f | g)", "~ (0 + f | g)", [[1, 1, 1]]),
    "a function": ("(log(x) | g)", "~ (0 + log(x) | g)", [[0, 1]]),
    "several columns of one": ("(poly(x, 2) | g)", "~ (0 + poly(x, 2) | g)", [[0, 1, 1]]),
    "an interaction the other way round": ("(x:f | g)", "~ (0 + f:x | g)", [[0, 1, 1, 1]]),
}


def fitted(random: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)
        return mm.lmer(f"y ~ x + {random}", DATA)


@pytest.mark.parametrize("name", EFFECTS)
def test_effects(name: str) -> None:
    random, re_form, expected = EFFECTS[name]
    named = effects_named(fitted(random), re_form)
    assert [mask.astype(int).tolist() for mask in named] == expected


def test_everything_and_nothing() -> None:
    m = fitted("(x | g) + (1 | h)")
    assert [mask.all() for mask in effects_named(m, None)] == [True, True]
    for none in ("NA", "~0", "~ 0", False, float("nan"), np.float64("nan")):
        assert not any(mask.any() for mask in effects_named(m, none))


def test_the_data_are_not_needed() -> None:
    """The model's own plan is: a saved model has no data."""
    m = fitted("(x | g)")
    object.__setattr__(m._call, "data", None)
    assert effects_named(m, "~ (1 | g)")[0].tolist() == [True, False]


@pytest.mark.parametrize(
    ("re_form", "error", "message"),
    [
        ("~ (z | g)", mm.FormulaError, "does not have: z by g"),
        ("~ (f | g)", mm.FormulaError, "does not have: f by g"),
        ("~ (1 | k)", mm.FormulaError, "no random effects by 'k'.*by g"),
        ("~ x", mm.FormulaError, "no term such as"),
        ("~ (1 | g", mm.FormulaError, "never closed"),
        (True, mm.ArgumentError, "re_form=True"),
        (["g"], mm.ArgumentError, "re_form"),
    ],
)
def test_refused(re_form: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        effects_named(fitted("(x | g)"), re_form)


def test_arrays_have_no_formula() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.SingularFitWarning)
        m = mm.lmer_arrays(DATA["y"], DATA[["x"]], [(np.ones(N), DATA["g"])])
    assert effects_named(m, None)[0].all()
    with pytest.raises(mm.DataError, match="arrays"):
        effects_named(m, "~ (1 | g)")
