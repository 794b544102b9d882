"""Pickles, copies, and other processes."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import pickletools
from concurrent.futures import ProcessPoolExecutor
from operator import methodcaller
from typing import Any

import pytest

import mixedmodels as mm
import saved_examples
from saved_examples import ESTIMATES, OF_ROWS, new, outcome

KINDS = (
    "ml, crossed",
    "context",
    "refitted",
    "arrays",
    "lm",
    "binomial",
    "glm",
    "negative binomial",
)


@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
@pytest.mark.parametrize("name", KINDS)
def test_a_pickle_gives_the_same_bits(name: str) -> None:
    original = saved_examples.model(name)
    again = pickle.loads(pickle.dumps(original))
    for what in ("summary", "covariance", "modes", "predict", "fitted", "simulate", "refit"):
        method = {**ESTIMATES, **OF_ROWS}[what]
        assert outcome(method, again) == outcome(method, original), what


def test_a_pickle_of_a_model_without_rows_has_none() -> None:
    lean: Any = saved_examples.loaded("intercepts", data=False)
    again = pickle.loads(pickle.dumps(lean))
    assert str(again.summary()) == str(lean.summary())
    with pytest.raises(mm.DataError, match="saved without its data"):
        again.fitted  # noqa: B018


def test_a_pickle_names_one_function_only() -> None:
    """All else is bytes."""
    stream = pickle.dumps(saved_examples.model("intercepts"))
    names = [
        argument
        for opcode, argument, _ in pickletools.genops(stream)
        if opcode.name in ("SHORT_BINUNICODE", "GLOBAL", "BINUNICODE")
    ]
    assert names == ["mixedmodels.saving.saved_model", "from_bytes"]


def test_copies_are_the_model_itself() -> None:
    m = saved_examples.model("intercepts")
    assert copy.copy(m) is m
    assert copy.deepcopy(m) is m
    assert copy.deepcopy({"model": [m]})["model"][0] is m


def test_processes_that_are_spawned() -> None:
    names = ("ml, crossed", "binomial", "lm")
    models = [saved_examples.model(name) for name in names]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        predicted = list(pool.map(methodcaller("predict", new()), models))
        simulated = list(pool.map(methodcaller("simulate", 2, seed=4), models))
    for m, values, responses in zip(models, predicted, simulated, strict=True):
        assert values.equals(m.predict(new()))
        assert responses.equals(m.simulate(2, seed=4))


def test_joblib() -> None:
    joblib = pytest.importorskip("joblib")
    m = saved_examples.model("context")
    run = joblib.Parallel(n_jobs=2)
    parts = run(joblib.delayed(m.predict)(new().iloc[[k]]) for k in range(4))
    assert [part.iloc[0] for part in parts] == m.predict(new()).tolist()
