"""Pictures of residuals: what the model leaves, against what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd

from ..generalised import Generalised
from . import residual_data as data
from .accessor import PlotsOfModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..fitted import ResidualType

__all__ = ["ResidualPlots"]


class ResidualPlots(PlotsOfModel):
    """Residuals against fitted values, their spread, their distribution, their leverage."""

    def residuals(
        self, type: ResidualType | Literal["binned"] | None = None, *, ax: Axes | None = None
    ) -> Axes:
        """Residuals against fitted values, with a robust smoother (lowess).

        Where the model holds the smoother is flat at zero and the cloud equally wide everywhere
        (Pearson and deviance residuals).

        Parameters
        ----------
        type
            As in `m.residuals`, or "binned": means of response residuals over bins of the fitted
            mean with ± 2 standard errors, within which about 95 % of them lie (Gelman & Hill 2007,
            §5.6). Default "pearson"; for 0/1 data "binned", since their residuals lie on two
            curves.
        ax
            The matplotlib Axes to draw on; None: a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            The horizontal axis is the linear predictor, that of "binned" the fitted mean.

        Raises
        ------
        ArgumentError
            For another type.
        MissingDependencyError
            matplotlib is not installed.
        """
        from . import residual_drawing as drawing

        kind = type or self._default_type
        if kind == "binned":
            return drawing.draw_binned(self._model, ax)
        return drawing.draw_residuals(self._model, kind, ax)

    def residuals_data(self, type: ResidualType | Literal["binned"] | None = None) -> pd.DataFrame:
        """What `residuals` draws: fitted, residual, smooth, one row a row used; "binned": fitted,
        residual, low, high, rows, one row a bin.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.plot.residuals_data().shape
        (300, 3)
        """
        kind = type or self._default_type
        if kind == "binned":
            return data.binned_residuals(self._model)
        return data.residuals(self._model, kind)[0]

    @property
    def _default_type(self) -> Literal["binned", "pearson"]:
        return "binned" if data.is_binary(self._model) else "pearson"

    @property
    def _normal_type(self) -> data.Standardised:
        """Of a generalised model's residuals the deviance ones are nearest to normal (Pierce &
        Schafer 1986, J. Am. Stat. Assoc. 81, 977-986)."""
        return "deviance" if isinstance(self._model, Generalised) else "pearson"
