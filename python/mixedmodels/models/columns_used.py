"""The columns of the caller's table that a fit uses, on the rows of its results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from ..errors import DataError
from ..formulas.variables_used import names_used
from ..input_tables.pandas_columns import to_pandas

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["columns_used", "on_rows"]


def columns_used(model: FittedModel) -> pd.DataFrame:
    """The columns of the table that the formula, weights and offset use; none for arrays."""
    m, call = model._matrices, model._call
    if m.spec is None or call.data is None:
        return on_rows(model, pd.DataFrame(index=m.full_index))
    used = names_used(m.spec.formula, call.weights, call.offset)
    frame = on_rows(model, to_pandas(call.data, used))
    if model._new_response is not None:  # of refit(y), not the table's
        response = m.response_name
        frame[response] = model._on_rows(model._response, response).to_numpy()
    return frame


def on_rows(model: FittedModel, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows used, or with na_action="exclude" all rows of the table, on the data's index."""
    m = model._matrices
    if len(frame) == model.nobs < len(m.full_index) and m.na_action != "exclude":
        return frame.copy()
    if len(frame) != len(m.full_index):
        raise DataError(
            f"the table has {len(frame)} rows; expected {len(m.full_index)}, those of the table of "
            f"the fit, or {model.nobs}, the rows used"
        )
    if m.rows is None or m.na_action == "exclude":
        return frame.set_axis(m.full_index)
    return frame.take(m.rows).set_axis(m.index)
