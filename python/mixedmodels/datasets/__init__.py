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

import json
from importlib.resources import files
from typing import Any

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
    with (files(__name__) / f"{name}.csv").open(encoding="utf-8") as file:
        frame = pd.read_csv(
            file,
            dtype={c: _dtype(info) for c, info in columns.items()},
            keep_default_na=False,  # "None" and "NA" may be levels; an empty field is missing
            na_values=[""],
            float_precision="round_trip",
        )
    return frame[list(columns)]


def _dtype(column: dict[str, Any]) -> Any:
    if column["type"] in ("factor", "ordered"):
        return pd.CategoricalDtype(column["levels"], ordered=column["type"] == "ordered")
    return {"integer": "int64", "numeric": "float64"}[column["type"]]
