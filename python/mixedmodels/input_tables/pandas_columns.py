"""The caller's table, of whichever library, as a pandas one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from ..errors import DataError
from .columns import Table

__all__ = ["to_pandas"]


def to_pandas(data: Any, used: set[str] | None = None) -> pd.DataFrame:
    """The columns called `used` (None: all), in the table's order, as pandas columns."""
    if isinstance(data, pd.DataFrame):
        return data[[c for c in data.columns if used is None or str(c) in used]]
    names = [name for name in Table(data).names if used is None or name in used]
    if isinstance(data, Mapping):
        by_name = {str(name): values for name, values in data.items()}
        try:
            return pd.DataFrame({name: by_name[name] for name in names})
        except ValueError as error:
            raise DataError(f"the columns of the table do not fit together: {error}") from None
    import narwhals.stable.v1 as nw

    frame = nw.from_native(data, eager_only=True)
    return pd.DataFrame({name: frame[name].to_numpy() for name in names})
