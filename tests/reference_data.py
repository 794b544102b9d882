"""Reference models and the data sets they use (see reference/README.md)."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pandas as pd

ROOT = Path(__file__).parent / "reference"


@functools.cache
def schema() -> dict[str, Any]:
    return read_json("data/schema.json")


def read_json(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((ROOT / name).read_text(encoding="utf-8"))
    return result


def load(name: str) -> pd.DataFrame:
    """The data set `name`; factors are categoricals with R's level order."""
    return _load(name).copy()


@functools.cache
def _load(name: str) -> pd.DataFrame:
    entry = schema()[name]
    columns: dict[str, dict[str, Any]] = entry["columns"]
    factors = {c for c, info in columns.items() if info["type"] in ("factor", "ordered")}
    frame = pd.read_csv(
        ROOT / "data" / entry["file"],
        usecols=list(columns),
        dtype=dict.fromkeys(factors, "str"),
        keep_default_na=False,  # strings such as "None" and "N" are levels
        na_values={c: [""] for c in columns},
    )
    for name_, info in columns.items():
        if name_ in factors:
            dtype = pd.CategoricalDtype(info["levels"], ordered=info["type"] == "ordered")
            frame[name_] = frame[name_].astype(dtype)
    return frame


def model_ids(*, generalised: bool = False) -> list[str]:
    """Every linear, or every generalised, mixed model with reference results."""
    names = sorted(path.stem for path in (ROOT / "models").glob("*.json"))
    mixed = [name for name in names if not name.startswith("lm_")]
    return [name for name in mixed if bool(model(name).get("family")) == generalised]


def linear(entries: dict[str, Any]) -> dict[str, Any]:
    """The entries of an inference file that belong to linear models."""
    return {name: entry for name, entry in entries.items() if not entry.get("family")}


@functools.cache
def model(name: str) -> dict[str, Any]:
    return read_json(f"models/{name}.json")


def fit_arguments(reference: dict[str, Any]) -> dict[str, Any]:
    """The keyword arguments of `lmer` for a reference model."""
    contrasts = reference["contrasts"] or {}
    return {
        "REML": reference["REML"],
        "weights": reference["weights"],
        "offset": reference["offset"],
        "contrasts": {k: v.removeprefix("contr.") for k, v in contrasts.items()} or None,
    }
