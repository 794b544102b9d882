"""Prediction: means, linear predictors and their terms. Intervals stand in
`prediction_intervals.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from .prediction_rows import Rows, rows_of
from .re_form import effects_named

if TYPE_CHECKING:
    from ..models.prediction import Prediction

__all__ = ["predict"]

Array = NDArray[np.float64]

TYPES = ("response", "link", "terms")
INTERVALS = (None, "confidence", "prediction")


def predict(
    model: Prediction,
    newdata: Any = None,
    re_form: str | float | None = None,
    *,
    allow_new_levels: bool = False,
    type: str = "response",
    interval: str | None = None,
    level: float = 0.95,
) -> pd.Series[float] | pd.DataFrame:
    """Predictions; documented at `Prediction.predict`."""
    if type not in TYPES:
        raise ArgumentError(f"predictions of type {type!r}: choose one of {', '.join(TYPES)}")
    if interval not in INTERVALS:
        raise ArgumentError(f"interval={interval!r}: choose confidence or prediction, or None")
    rows = rows_of(
        model,
        newdata,
        effects_named(model, re_form),
        left_out=interval == "prediction",
        allow_new_levels=allow_new_levels,
    )
    if type == "terms":
        if interval is not None:
            raise ArgumentError("type='terms' has no intervals: choose type response or link")
        return _terms(model, rows)
    if interval is not None:
        from .prediction_intervals import with_interval

        return with_interval(model, rows, type, interval, level)
    return rows.series(rows.eta if type == "link" else model._mean(rows.eta), "prediction")


def _terms(model: Prediction, rows: Rows) -> pd.DataFrame:
    """What each term adds to the linear predictor; documented at `Prediction.predict`."""
    beta = np.nan_to_num(np.asarray(model._fit.beta, dtype=float))
    none = np.zeros(len(beta))
    columns, intercept = _columns_by_term(model)
    means = model._column_means if intercept else none
    X = rows.X - means
    parts = [(label, X[:, at] @ beta[at]) for label, at in columns.items()]
    offset = rows.linear_predictor(none)
    if model._matrices.has_offset:
        parts.append(("offset", offset))
    for t, used in enumerate(rows.used):
        if used.any():
            parts.append((_random_label(model, t), rows.linear_predictor(none, (t,)) - offset))
    frame = pd.DataFrame(index=rows.series(offset, "offset").index)
    if parts:  # two terms of arrays may have one name, which a dict would not allow
        frame = pd.concat([rows.series(values, label) for label, values in parts], axis=1)
    frame.attrs["constant"] = float(means @ beta)
    return frame


def _columns_by_term(model: Prediction) -> tuple[dict[str, list[int]], bool]:
    """Term of the fixed part → its columns of X, and whether there is an intercept; the columns of
    a model fitted from arrays are terms of their own."""
    spec = model._matrices.spec
    if spec is None:
        return {name: [k] for k, name in enumerate(model._matrices.fixed_names)}, False
    columns: dict[str, list[int]] = {label: [] for label in spec.formula.fixed.labels()}
    labels = list(columns)
    for k, term in enumerate(spec.fixed.assign):
        if term >= 0:
            columns[labels[term]].append(k)
    return columns, spec.formula.fixed.intercept


def _random_label(model: Prediction, term: int) -> str:
    """The term as the formula has it."""
    m = model._matrices
    if m.spec is not None:
        return m.spec.random[term].term.text
    return f"({' + '.join(m.terms[term].columns)} | {m.terms[term].group})"
