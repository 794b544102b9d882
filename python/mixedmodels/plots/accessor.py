"""What the groups of plots share: the model they are of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..printing.output_frames import FramesAsAsked

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["PlotsOfModel"]


@dataclass(frozen=True, eq=False, repr=False)
class PlotsOfModel(FramesAsAsked):
    """Base of the mixins that `Plots` is made of."""

    _model: FittedModel

    def __repr__(self) -> str:
        names = [name for name in dir(self) if not name.startswith("_")]
        plots = [name for name in names if not name.endswith("_data")]
        return f"<plots of {self._model!r}: {', '.join(plots)}>"
