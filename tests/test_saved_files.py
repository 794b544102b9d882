"""Saved files that are old, damaged, or forged."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
import saved_examples
import saved_mutations
from mixedmodels.saved_model import from_bytes, to_bytes
from saved_examples import ESTIMATES


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


# Old files ----------------------------------------------------------------------------------------

OLD = reference_data.ROOT / "saved"
RECORDED = reference_data.read_json("saved/recorded.json")


@pytest.mark.parametrize("name", RECORDED)
def test_files_of_version_1_open(name: str) -> None:
    """Estimates as they were recorded, to the bit; predictions up to another processor's
    rounding."""
    m, recorded = mm.load(OLD / f"{name}.mm"), RECORDED[name]
    assert type(m).__name__ == recorded["kind"]
    assert m.formula == recorded["formula"]
    assert m.fixef.to_dict() == recorded["fixef"]
    assert m.bse.to_list() == pytest.approx(recorded["bse"], rel=1e-12)
    assert m.loglik == pytest.approx(recorded["loglik"], rel=1e-12)
    p_values = m.coefficients()["p_value"].to_list()
    assert p_values == pytest.approx(recorded["coefficients"], rel=1e-9)
    assert m.formula in str(m.summary())
    predicted = m.predict(pd.DataFrame(recorded["new"])).to_list()
    assert predicted == pytest.approx(recorded["predicted"], rel=1e-12)
    if recorded["rows"]:
        assert float(m.fitted.iloc[0]) == pytest.approx(recorded["fitted"], rel=1e-12)


# Damage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [True, False])
def test_every_single_flipped_bit_is_noticed(data: bool) -> None:
    saved = to_bytes(saved_examples.model("intercepts"), data=data)
    rng = np.random.default_rng(1)
    for at in rng.integers(0, len(saved), 200):
        damaged = bytearray(saved)
        damaged[at] ^= 1 << rng.integers(8)
        with pytest.raises(mm.SavedModelError):
            from_bytes(bytes(damaged))


@pytest.mark.parametrize("seed", range(4))
def test_files_that_were_forged_give_a_model_or_a_typed_error(seed: int) -> None:
    """Bytes, header and arrays changed at random, and the checksum made to fit."""
    names = ("intercepts", "stateful", "contrasts", "arrays", "refitted", "binomial", "glm", "lm")
    saved = [to_bytes(saved_examples.model(n), data=data) for n in names for data in (True, False)]
    opened = refused = 0
    for mutant in saved_mutations.mutants(saved, 150, seed):
        try:
            m = from_bytes(mutant)
        except mm.MixedModelsError:
            refused += 1
            continue
        opened += 1
        for method in (ESTIMATES["summary"], ESTIMATES["predict"], ESTIMATES["wald"]):
            with contextlib.suppress(mm.MixedModelsError):
                method(m)
    assert opened > 5
    assert refused > 80


def test_a_formula_cannot_ask_for_columns_without_number() -> None:
    """400 × 400 levels: a few kilobytes that would ask for a matrix of 160,000 columns."""
    frame = pd.DataFrame({"y": np.arange(400.0), "a": np.arange(400), "b": np.arange(400)})
    with pytest.raises(mm.DataError, match="has 160000 columns; expected at most 100000"):
        mm.lm("y ~ factor(a) * factor(b)", frame)
