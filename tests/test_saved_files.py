"""Files of saved models: written, old, damaged, and forged."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
import saved_examples
import saved_mutations
from mixedmodels.saving.saved_model import from_bytes, to_bytes
from saved_examples import ESTIMATES, new


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


# Written ------------------------------------------------------------------------------------------


def test_predictions_are_the_same_bits_in_a_fresh_process(tmp_path: Path) -> None:
    code = (
        "import sys, pandas as pd, mixedmodels as mm\n"
        "new = pd.read_pickle(sys.argv[1])\n"
        "for path in sys.argv[2:]:\n"
        "    print(mm.load(path).predict(new).to_numpy().tobytes().hex())\n"
    )
    new().to_pickle(tmp_path / "new.pkl")
    expected, paths = [], []
    for name in ("stateful", "ml, crossed", "binomial", "lm"):
        for data in (True, False):
            paths.append(tmp_path / f"{len(paths)}.mm")
            saved_examples.model(name).save(paths[-1], data=data)
            expected.append(saved_examples.model(name).predict(new()).to_numpy().tobytes().hex())
    arguments = [sys.executable, "-c", code, str(tmp_path / "new.pkl"), *map(str, paths)]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == expected


def test_a_file_is_replaced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.mm"
    path.write_text("before")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            saved_examples.model("intercepts").save(path)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["model.mm"]
    saved_examples.model("intercepts").save(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["model.mm"]
    assert str(mm.load(path)) == str(saved_examples.model("intercepts"))


def test_paths(tmp_path: Path) -> None:
    m = saved_examples.model("intercepts")
    with pytest.raises(FileNotFoundError):
        mm.load(tmp_path / "none.mm")
    with pytest.raises(FileNotFoundError):
        m.save(tmp_path / "no folder" / "model.mm")
    with pytest.raises(IsADirectoryError):
        mm.load(tmp_path)
    with pytest.raises(mm.ArgumentError, match="a folder or a device"):
        m.save(tmp_path)
    (tmp_path / "link.mm").symlink_to(tmp_path / "model.mm")
    m.save(tmp_path / "link.mm")
    assert (tmp_path / "link.mm").is_symlink()
    assert mm.load(tmp_path / "model.mm").fixef.equals(m.fixef)
    for path in (3, None, b"model.mm"):
        with pytest.raises(mm.ArgumentError, match="expected a path"):
            m.save(path)
        with pytest.raises(mm.ArgumentError, match="expected a path"):
            mm.load(path)  # type: ignore[arg-type]


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
