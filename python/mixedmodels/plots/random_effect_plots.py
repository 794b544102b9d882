"""Pictures of the random effects: caterpillars, bars, and Q-Q plots of conditional modes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from . import random_effect_data as data
from .accessor import PlotsOfModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from .bands import Band

__all__ = ["RandomEffectPlots"]


class RandomEffectPlots(PlotsOfModel):
    """Conditional modes by group, and their distribution."""

    def ranef(
        self,
        group: str | None = None,
        term: str | None = None,
        *,
        bars: bool = False,
        sort: bool = True,
        level: float = 0.95,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> Axes | Figure:
        """Conditional modes with intervals, level by level: a caterpillar plot, or bars.

        Intervals are mode ± normal quantile × conditional standard deviation, β and θ taken as
        known (`m.ranef(condvar=True)`). They compare a level with the average, not two levels with
        each other.

        Parameters
        ----------
        group, term
            A grouping factor and a random effect, e.g. "clinic" and "(Intercept)"; None: all, one
            panel each.
        bars
            True: bars from zero; False (default): points.
        sort
            True (default): from the lowest mode, at the bottom, to the highest. False: in the order
            of the levels, from the top.
        level
            Coverage of the intervals.
        ax
            The matplotlib Axes to draw on, or a sequence of one a panel; None: a new figure. Up to
            50 levels are named; of more than 5,000 as many are drawn, evenly.

        Returns
        -------
        matplotlib.axes.Axes or matplotlib.figure.Figure
            The Axes of one panel, the Figure of several.

        Raises
        ------
        ArgumentError
            The model has no random effects, or none of this name; `level` is not between 0 and 1;
            `ax` holds another number of axes.
        """
        from .random_effect_drawing import draw_caterpillar

        frame = data.caterpillar(self._model, group, term, level, sort)
        return draw_caterpillar(data.panels_of(frame), level, bars, sort, ax)

    def ranef_data(
        self,
        group: str | None = None,
        term: str | None = None,
        *,
        sort: bool = True,
        level: float = 0.95,
    ) -> pd.DataFrame:
        """What `ranef` draws: grp, term, level, value, sd, conf_low, conf_high, one row a level.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.plot.ranef_data()[["grp", "term", "level"]].iloc[-1].tolist()
        ['clinic', '(Intercept)', '5']
        """
        return data.caterpillar(self._model, group, term, level, sort)

    def ranef_qq(
        self,
        group: str | None = None,
        term: str | None = None,
        *,
        band: Band = "simultaneous",
        level: float = 0.95,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> Axes | Figure:
        """Normal Q-Q plot of conditional modes, with a band and the intervals of `ranef`.

        The line's slope is the standard deviation that modes have in the model: their variance is
        Σ_kk less the conditional variance, since they are shrunken. With groups of very unequal
        size modes vary by different amounts, and the picture bends even where the random effects
        are normal (Lange & Ryan 1989, Ann. Stat. 17, 624-642).

        Parameters
        ----------
        group, term, ax
            As in `ranef`.
        band
            "simultaneous" or "pointwise", as in `qq`.
        level
            Coverage of the band and of the intervals.

        Returns
        -------
        matplotlib.axes.Axes or matplotlib.figure.Figure
            The Axes of one panel, the Figure of several.

        Raises
        ------
        ArgumentError
            As in `ranef`; another band.
        """
        from .random_effect_drawing import draw_quantiles

        frame = data.quantiles(self._model, group, term, level, band)
        return draw_quantiles(data.panels_of(frame), level, band, ax)

    def ranef_qq_data(
        self,
        group: str | None = None,
        term: str | None = None,
        *,
        band: Band = "simultaneous",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """What `ranef_qq` draws: the columns of `ranef_data`, theoretical, line, low, high.

        Of more than 2,000 levels the tails and ever fewer towards the middle.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> modes = m.plot.ranef_qq_data()
        >>> bool(modes["value"].between(modes["low"], modes["high"]).all())
        True
        """
        return data.quantiles(self._model, group, term, level, band)
