"""Small data sets that ship with the package.

A data set is two files here: `name.csv`, and beside it `name.json` with title, source, licence
and the type of each column (the order of a factor's levels too). To add one, add the two files.

>>> import mixedmodels as mm
>>> mm.datasets.names()
['anxiety', 'anxiety_longitudinal']
>>> mm.datasets.load("anxiety").shape
(300, 4)
"""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DataError

__all__ = ["describe", "load", "names"]


def names() -> list[str]:
    """The data sets there are."""
    return sorted(
        entry.name.removesuffix(".json")
        for entry in files(__name__).iterdir()
        if entry.name.endswith(".json")
    )


def describe(name: str) -> dict[str, Any]:
    """Title, description, number of rows, source, licence and columns of a data set.

    Raises
    ------
    DataError
        There is no such data set.
    """
    if name not in names():
        raise DataError(f"there is no data set {name!r}; there are {', '.join(names())}")
    text = (files(__name__) / f"{name}.json").read_text(encoding="utf-8")
    description: dict[str, Any] = json.loads(text)
    return description


def load(name: str) -> pd.DataFrame:
    """A data set as a fresh DataFrame; factors are categoricals in their documented order.

    Raises
    ------
    DataError
        There is no such data set.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> list(mm.datasets.load("anxiety").columns)
    ['patient_id', 'clinic', 'therapy_sessions', 'anxiety']
    """
    columns: dict[str, dict[str, Any]] = describe(name)["columns"]
    # The csv module and float() read every number back to the double that was written; pandas
    # needs an option for that, whose name depends on the version.
    with (files(__name__) / f"{name}.csv").open(encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    fields = dict(zip(header, zip(*rows, strict=True), strict=True))
    return pd.DataFrame({c: _column(fields[c], info) for c, info in columns.items()})


def _column(values: Sequence[str], info: dict[str, Any]) -> Any:
    """A column of its documented type; an empty field is missing."""
    if info["type"] in ("factor", "ordered"):
        ordered = info["type"] == "ordered"
        filled = [value or None for value in values]
        return pd.Categorical(filled, categories=info["levels"], ordered=ordered)
    numbers = np.array([float(value or "nan") for value in values])
    return numbers.astype(np.int64) if info["type"] == "integer" else numbers
