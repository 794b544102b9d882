"""Conditional modes of the random effects as labelled frames: `m.ranef()` and `m.coef()`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..printing.output_frames import FramesAsAsked
from ..printing.text import escape

if TYPE_CHECKING:
    from ..matrices.model_matrix import TermInfo

__all__ = ["RandomEffects", "coefficients_by_group", "random_effects"]

Array = NDArray[np.float64]

ROWS = 20  # of a group that are shown as HTML


class RandomEffects(FramesAsAsked, dict[str, pd.DataFrame]):
    """group → DataFrame (levels, columns) of conditional modes; `.sd` the same with their
    conditional SDs.

    `.sd` is None unless asked for with `m.ranef(condvar=True)`. A group that occurs in several
    terms has the columns of all of them.
    """

    def __init__(self, modes: dict[str, pd.DataFrame], sd: dict[str, pd.DataFrame] | None = None):
        super().__init__(modes)
        self.sd = sd
        self._long: RandomEffects | None = None

    def _repr_html_(self) -> str:
        shown = ((escape(group), frame.to_html(max_rows=ROWS)) for group, frame in self.items())
        return "".join(f"<h5>{group}</h5>{table}" for group, table in shown)

    def converted(self, convert: Callable[[pd.DataFrame], Any]) -> RandomEffects:
        """The same with frames of another library; `to_frame` still knows these."""
        sd = (
            None if self.sd is None else {group: convert(frame) for group, frame in self.sd.items()}
        )
        other = RandomEffects({group: convert(frame) for group, frame in self.items()}, sd)
        other._long = self
        return other

    def to_frame(self) -> pd.DataFrame:
        """Long form: grp, term, level, value and, where there are any, sd (lme4's condval,
        condsd)."""
        if self._long is not None:
            return self._long.to_frame()
        parts = []
        for group, modes in self.items():
            for j, column in enumerate(modes.columns):
                part = {
                    "grp": group,
                    "term": column,
                    "level": modes.index,
                    "value": modes.iloc[:, j].to_numpy(),
                }
                if self.sd is not None:
                    part["sd"] = self.sd[group].iloc[:, j].to_numpy()
                parts.append(pd.DataFrame(part))
        return pd.concat(parts, ignore_index=True)


def random_effects(
    terms: Sequence[TermInfo], modes: Sequence[Array], covariances: Sequence[Array] | None
) -> RandomEffects:
    """From the kernel's modes (levels, q_t) and, if asked for, covariances (levels, q_t, q_t)."""
    if covariances is None:
        return RandomEffects(_by_group(terms, modes))
    sd = [np.sqrt(np.maximum(np.einsum("jkk->jk", c), 0.0)) for c in covariances]
    return RandomEffects(_by_group(terms, modes), _by_group(terms, sd))


def _by_group(terms: Sequence[TermInfo], values: Sequence[Array]) -> dict[str, pd.DataFrame]:
    collected: dict[str, list[pd.DataFrame]] = {}
    for term, value in zip(terms, values, strict=True):
        index = pd.Index(term.levels, name=term.group)
        frame = pd.DataFrame(np.array(value), index=index, columns=list(term.columns))
        collected.setdefault(term.group, []).append(frame)
    return {
        group: frames[0] if len(frames) == 1 else pd.concat(frames, axis=1)
        for group, frames in collected.items()
    }


def coefficients_by_group(
    fixef: pd.Series[float], ranef: dict[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Fixed plus random coefficients, group by group.

    Columns as in lme4's coef(): random effects of any group without a fixed counterpart come
    first, with a fixed part of zero; then the fixed effects. Dropped columns (NaN) count as
    absent.
    """
    kept = fixef.dropna()
    random = dict.fromkeys(str(c) for frame in ranef.values() for c in frame.columns)
    alone = [column for column in random if column not in kept.index]
    fixed = pd.concat([pd.Series(0.0, index=alone), kept]) if alone else kept
    result = {}
    for group, modes in ranef.items():
        values = np.tile(fixed.to_numpy(), (len(modes), 1))
        for j, column in enumerate(modes.columns):
            values[:, fixed.index.get_loc(column)] += modes.iloc[:, j].to_numpy()
        result[group] = pd.DataFrame(values, index=modes.index, columns=list(fixed.index))
    return result
