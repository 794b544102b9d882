"""Plots of what a model says: profiles, fixed effects, effects of predictors, bootstrap, blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from .accessor import PlotsOfModel

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..models.fitted import FittedModel

__all__ = ["InferencePlots"]


class InferencePlots(PlotsOfModel):
    """Plots of estimates and of their uncertainty."""

    # --- Profiles ---

    def profile(
        self,
        parm: str | Sequence[str] | None = None,
        *,
        n_threads: int | None = None,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> Axes | Figure:
        """Likelihood profiles: ζ against each parameter, with its 50, 80, 90, 95 and 99 % intervals
        as vertical lines.

        A straight curve means that the Wald interval is as good. Keep the result of `m.profile()`
        where it takes long: `p.plot()` and `p.plot_pairs()` draw it without another fit.

        Parameters
        ----------
        parm
            Parameters, as in `confint`; default: all.
        n_threads
            Threads; default those of the model.
        ax
            As many axes as there are parameters; default: a new figure.

        Raises
        ------
        ArgumentError
            The model has no profile (ordinary regressions have exact t intervals; fits with
            nAGQ=0), or there is no such parameter.
        ConvergenceError
            The model's ML fit did not converge.
        """
        from .profile_numbers import profiled
        from .profiles import panel_grid

        panel_grid(self._model.npar if parm is None else 1, "parameters")  # before the work
        return profiled(self._model, parm, n_threads).plot(ax=ax)

    def profile_data(
        self, parm: str | Sequence[str] | None = None, *, n_threads: int | None = None
    ) -> pd.DataFrame:
        """What `profile` draws: name, parameter, kind ("point", "curve" between them, "interval":
        an end at `level`), level, value, zeta.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> data = m.plot.profile_data(".sigma")
        >>> ends = data[(data["kind"] == "interval") & (data["level"] == 0.95)]["value"]
        >>> [float(end) for end in ends.round(2)]
        [5.71, 6.73]
        """
        from .profile_curves import profile_frame
        from .profile_numbers import profiled

        return profile_frame(profiled(self._model, parm, n_threads))

    def profile_pairs(
        self,
        parm: str | Sequence[str] | None = None,
        *,
        n_threads: int | None = None,
        ax: Sequence[Axes] | None = None,
    ) -> Figure:
        """Joint confidence contours of every pair of parameters, by Bates & Watts's interpolation
        of their profiles.

        Below the diagonal in the parameters' units, above it on the scale of ζ, where a likelihood
        that is quadratic has ellipses; on the diagonal the profiles. Contours at 50, 80, 90, 95
        (strong) and 99 % joint coverage; dashed: the profile traces, the best y at every x and the
        best x at every y, which meet each contour where it is widest. There a contour is that of
        the likelihood; between those four points it is interpolated and, with few groups, may lie
        some per cent inside.

        Parameters
        ----------
        parm
            Two to eight parameters, as in `confint`; default: all.
        n_threads, ax
            As in `profile`; count² axes, by rows.

        Raises
        ------
        ArgumentError, ConvergenceError
            As `profile`; also for fewer than two or more than eight parameters.

        References
        ----------
        Bates & Watts (1988), Nonlinear Regression Analysis and Its Applications, §6.1, appendix A6.
        """
        from .profile_numbers import profiled_for_pairs

        return profiled_for_pairs(self._model, parm, n_threads).plot_pairs(ax=ax)

    def profile_pairs_data(
        self, parm: str | Sequence[str] | None = None, *, n_threads: int | None = None
    ) -> pd.DataFrame:
        """What `profile_pairs` draws besides the diagonal: name_x, name_y, kind ("contour",
        "trace"), level, x, y, zeta_x, zeta_y; x and y are NaN beyond the profiles' ends."""
        from .profile_numbers import profiled_for_pairs
        from .profile_pairs import pairs_frame

        return pairs_frame(profiled_for_pairs(self._model, parm, n_threads))

    # --- Fixed effects ---

    def forest(
        self,
        other_models: Sequence[FittedModel] = (),
        names: Sequence[str] | None = None,
        *,
        level: float = 0.95,
        ddf: str | None = None,
        intercept: bool = False,
        ax: Axes | None = None,
    ) -> Axes:
        """Fixed effects with Wald intervals, beside those of other models; see `mm.forest`."""
        from .forest import forest

        models = [self._model, *other_models]
        return forest(models, names, level=level, ddf=ddf, intercept=intercept, ax=ax)

    def forest_data(
        self,
        other_models: Sequence[FittedModel] = (),
        names: Sequence[str] | None = None,
        *,
        level: float = 0.95,
        ddf: str | None = None,
        intercept: bool = False,
    ) -> pd.DataFrame:
        """What `forest` draws: model, term, estimate, std_error, conf_low, conf_high.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.plot.forest_data()["term"].tolist()
        ['therapy_sessions']
        """
        from .forest import forest_data

        models = [self._model, *other_models]
        return forest_data(models, names, level=level, ddf=ddf, intercept=intercept)

    def effects(
        self,
        predictor: str | None = None,
        by: str | None = None,
        *,
        level: float = 0.95,
        ddf: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """The effect of a predictor: estimated means along it, with confidence bands.

        The means are those of `emmeans`: other numbers at their mean, other factors averaged over
        their levels, random effects zero; on the scale of the response.

        Parameters
        ----------
        predictor
            A variable of the fixed part; default: its first number, else its first factor.
        by
            A factor: a line for each of its levels, as an interaction asks for.
        level, ddf
            As in `emmeans`; a band holds at each value, not for the whole curve.
        ax
            Axes to draw on; default: a new figure.

        Raises
        ------
        ArgumentError
            The fixed part has no predictor, or not the one named.
        DataError
            The model was fitted from arrays or holds no data.
        """
        from .effects import draw_effects

        return draw_effects(self._model, predictor, by, level, ddf, ax)

    def effects_data(
        self,
        predictor: str | None = None,
        by: str | None = None,
        *,
        level: float = 0.95,
        ddf: str | None = None,
    ) -> pd.DataFrame:
        """What `effects` draws: x, (by,) estimate, std_error, df, conf_low, conf_high.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.plot.effects_data().columns.tolist()
        ['x', 'estimate', 'std_error', 'df', 'conf_low', 'conf_high']
        """
        from .effects import effect_means

        return effect_means(self._model, predictor, by, level, ddf)

    # --- Bootstrap ---

    def bootstrap(
        self,
        nsim: int = 1000,
        seed: int = 0,
        *,
        parm: str | Sequence[str] | None = None,
        level: float = 0.95,
        n_threads: int | None = None,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> Axes | Figure:
        """Densities of a parametric bootstrap's replicates, with percentile intervals.

        The orange bar is the interval, the dotted line the model's estimate. Replicates in which a
        standard deviation is zero or a correlation ±1 are a spike, as high as their share.
        `mm.bootstrap(m, ...).plot()` draws a bootstrap that there is.

        Parameters
        ----------
        nsim, seed, n_threads
            As in `mm.bootstrap`.
        parm
            Statistics; default: all.
        level
            Coverage of the intervals.
        ax
            As many axes as there are statistics; default: a new figure.
        """
        from ..inference.parametric_bootstrap import bootstrap
        from .profiles import panel_grid

        panel_grid(self._model.npar if parm is None else 1, "statistics")  # before the work
        found = bootstrap(self._model, nsim, seed, n_threads=n_threads)
        return found.plot(parm, level, ax=ax)

    def bootstrap_data(
        self,
        nsim: int = 1000,
        seed: int = 0,
        *,
        parm: str | Sequence[str] | None = None,
        level: float = 0.95,
        n_threads: int | None = None,
    ) -> pd.DataFrame:
        """What `bootstrap` draws: name, parameter, kind ("density", "spike", "interval",
        "estimate"), value, height."""
        from ..inference.parametric_bootstrap import bootstrap

        found = bootstrap(self._model, nsim, seed, n_threads=n_threads)
        return found.plot_data(parm, level)

    # --- Blocks ---

    def blocks(self, *, ax: Axes | None = None) -> Axes:
        """The blocks of the system matrix that the kernel factors, lower triangle, with their sizes
        and kinds; groups in the order of elimination.

        Raises
        ------
        ArgumentError
            The model has no random effects.
        """
        from .blocks import draw_blocks

        return draw_blocks(self._model, ax)

    def blocks_data(self) -> pd.DataFrame:
        """What `blocks` draws: row, column, rows, columns, kind ("diagonal", "block-diagonal",
        "sparse", "dense") and filled, the share of entries that are not zero.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.plot.blocks_data()["kind"].tolist()
        ['diagonal', 'dense', 'dense']
        """
        from .blocks import block_frame

        return block_frame(self._model)
