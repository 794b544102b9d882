"""Plots of the data through the model: groups, their means, their shrinkage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from .accessor import PlotsOfModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DataPlots"]


class DataPlots(PlotsOfModel):
    """Plots of the data, group by group."""

    def groups(
        self, predictor: str | None = None, group: str | None = None, *, ax: Axes | None = None
    ) -> Axes | Figure:
        """The response against a predictor, with one regression line per group and the
        population's.

        A group's line is made of its fixed and random effects, on the scale of the response, over
        the values of the predictor that the group has. Up to seven groups stand in one panel in
        colours; up to fifty have a panel each; of more, fifty evenly spaced ones are drawn in one
        panel, and the picture says so. At most 5,000 rows are drawn.

        Parameters
        ----------
        predictor
            A variable of the formula; default: the first number of the fixed part, else its first
            factor. Other variables are averaged over as in `emmeans`: numbers at their mean,
            factors over their levels.
        group
            A grouping factor; default: the first. Effects of other grouping factors are zero.
        ax
            Axes to draw on, all groups together; default: a new figure.

        Returns
        -------
        matplotlib.axes.Axes or matplotlib.figure.Figure
            The Figure where each group has a panel.

        Raises
        ------
        ArgumentError
            The model has no random effects or no predictor, or not the one named.
        DataError
            The model was fitted from arrays or holds no data.
        """
        from .group_lines import group_lines
        from .groups import draw_groups

        return draw_groups(group_lines(self._model, predictor, group), ax)

    def groups_data(self, predictor: str | None = None, group: str | None = None) -> pd.DataFrame:
        """What `groups` draws: kind ("row", "line" or "population"), level (of the grouping
        factor), x (the predictor) and y (on the scale of the response).

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> int(m.plot.groups_data()["kind"].value_counts()["row"])
        300
        """
        from .group_lines import group_lines

        return group_lines(self._model, predictor, group).frame

    def means(self, group: str | None = None, *, ax: Axes | None = None) -> Axes:
        """Means of the response by group, sorted, a standard error either side, against the grand
        mean.

        Parameters
        ----------
        group
            A grouping factor; default: the first. Of more than 400 groups, 400 evenly spaced by
            rank are drawn.
        ax
            Axes to draw on; default: a new figure.

        Raises
        ------
        ArgumentError
            The model has no such grouping factor.
        """
        from .means import draw_means

        return draw_means(self._model, group, ax)

    def means_data(self, group: str | None = None) -> pd.DataFrame:
        """What `means` draws: rank, level, n (rows), mean, std_error (NaN of one row) and
        grand_mean.

        Rows count by their weights (times numbers of trials).

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.plot.means_data()["mean"].is_monotonic_increasing
        True
        """
        from .means import group_means

        return group_means(self._model, group)

    def shrinkage(
        self,
        group: str | None = None,
        effects: str | Sequence[str] | None = None,
        *,
        ax: Axes | None = None,
    ) -> Axes:
        """From no pooling to partial pooling: each group's own estimate joined to the model's.

        A group's own estimate fits its rows alone (least squares, of a generalised model maximum
        likelihood), all else of the model as it stands. Where a group's rows do not determine it,
        only the model's is drawn. One effect: a strip of groups; two: the plane. Of more than 150
        groups, 150 evenly spaced ones are drawn.

        Parameters
        ----------
        group
            A grouping factor; default: the first.
        effects
            One or two of its random effects; default: the first two.
        ax
            Axes to draw on; default: a new figure.

        Raises
        ------
        ArgumentError
            The model has no such grouping factor or random effects.
        """
        from .shrinkage import draw_shrinkage
        from .shrinkage_estimates import shrinkage

        return draw_shrinkage(shrinkage(self._model, group, effects), ax)

    def shrinkage_data(
        self, group: str | None = None, effects: str | Sequence[str] | None = None
    ) -> pd.DataFrame:
        """What `shrinkage` draws: level, effect, no_pooling (NaN: the group's rows do not
        determine it), partial_pooling and population.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.plot.shrinkage_data().shape
        (15, 5)
        """
        from .shrinkage_estimates import shrinkage

        return shrinkage(self._model, group, effects).frame
