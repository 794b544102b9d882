"""Tables of results: DataFrames that also print a title and what a reader has to know."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .document import Block, Cells, Document
from .text import decimals, p_values, right_table

__all__ = ["ResultTable"]

WIDTH = 92  # characters of a note's line
COUNTS = ("npar", "Df", "NumDF", "num_df", "nobs")
P_VALUES = ("Pr(", "p_value", "p.value")


class ResultTable(Document, pd.DataFrame):  # type: ignore[misc]  # to_markdown, to_latex
    """A DataFrame with a `title`, stated above it when printed, and `notes` below it.

    Arithmetic, selection and copies give plain DataFrames: a part of the table is not the table.
    `to_markdown()` and `to_latex()` are of what is printed; pandas' own are those of
    `pd.DataFrame(table)`.
    """

    _metadata = ["title", "notes"]  # noqa: RUF012 (pandas's own protocol)
    title: str
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        data: Mapping[str, Any] | pd.DataFrame,
        title: str,
        notes: Sequence[str] = (),
        index: Iterable[Any] | None = None,
    ) -> Self:
        """A table of these columns."""
        table = cls(data) if index is None else cls(data, index=pd.Index(list(index)))
        table.title = title
        table.notes = tuple(notes)
        return table

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    def _cells(self) -> list[list[str]]:
        columns = [_format(str(name), self.iloc[:, j]) for j, name in enumerate(self.columns)]
        return [list(row) for row in zip(*columns, strict=True)]

    def _names(self) -> list[str]:
        """Row names; none where rows are only numbered."""
        numbered = isinstance(self.index, pd.RangeIndex)
        return ["" if numbered else str(name) for name in self.index]

    def __str__(self) -> str:
        header = [str(c) for c in self.columns]
        table = right_table(header, self._cells(), self._names())
        notes = [textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in self.notes]
        return "\n".join([*([self.title] if self.title else []), table, *notes])

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        header = [str(c) for c in self.columns]
        return [Cells(header, self._cells(), self._names(), self._text, self.title, self.notes)]

    @property
    def _text(self) -> int:
        """How many columns, from the left, are words."""
        numeric = [pd.api.types.is_numeric_dtype(self.iloc[:, j]) for j in range(self.shape[1])]
        return numeric.index(True) if True in numeric else len(numeric)


def _format(name: str, values: pd.Series[Any]) -> list[str]:
    """A column's cells: labels as they are, counts whole, p-values to four digits, numbers to
    five."""
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        return ["" if value is None else str(value) for value in values]
    numbers: NDArray[np.float64] = values.to_numpy(dtype=float)
    if name.startswith(P_VALUES):
        return p_values(numbers, 4)
    if name in COUNTS or pd.api.types.is_integer_dtype(values):
        return ["" if math.isnan(value) else f"{value:.0f}" for value in numbers]
    cells = decimals(np.round(numbers, 4) if name == "Chisq" else numbers, 5, missing="")
    if any("." in cell for cell in cells):
        return cells
    return ["" if math.isnan(value) else f"{value:.1f}" for value in numbers]
