"""Pictures of residuals: what the model leaves, against what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from ..models.generalised import Generalised
from . import residual_data as data
from .accessor import PlotsOfModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..models.fitted import ResidualType
    from .bands import Band

__all__ = ["ResidualPlots"]


class ResidualPlots(PlotsOfModel):
    """Residuals against fitted values, their spread, their distribution, their leverage."""

    def residuals(
        self,
        type: ResidualType | Literal["binned"] | None = None,
        *,
        re_form: str | float | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Residuals against fitted values, with a robust smoother (lowess).

        Where the model holds the smoother is nearly flat at zero and the cloud equally wide
        everywhere (Pearson residuals). With random effects it rises: conditional modes are
        shrunken, so that rows of high groups lie above their fitted values, the more so the smaller
        the groups are. Against the fixed part, `re_form="NA"`, it does not.

        Parameters
        ----------
        type
            As in `m.residuals`, or "binned": means of response residuals over bins of the fitted
            mean with ± 2 standard errors, within which about 95 % of them lie (Gelman & Hill 2007,
            §5.6). Default "pearson"; for 0/1 data "binned", since their residuals lie on two
            curves.
        re_form
            The random effects in the fitted values on the horizontal axis, as in `m.predict`: None,
            all; "NA", none. The residuals are those of the model in any case.
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
            return drawing.draw_binned(self._model, re_form, ax)
        return drawing.draw_residuals(self._model, kind, re_form, ax)

    def residuals_data(
        self,
        type: ResidualType | Literal["binned"] | None = None,
        *,
        re_form: str | float | None = None,
    ) -> pd.DataFrame:
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
            return data.binned_residuals(self._model, re_form)
        return data.residuals(self._model, kind, re_form)[0]

    def scale_location(self, *, ax: Axes | None = None) -> Axes:
        """Roots of absolute standardised residuals against fitted values, with a smoother.

        A rising smoother means a variance that grows with the mean. The residuals are those of
        `m.rstandard()`: of generalised models deviance residuals. Of 0/1 data this picture says
        nothing.

        Parameters
        ----------
        ax
            The matplotlib Axes to draw on; None: a new figure.

        Raises
        ------
        DataError
            The model fits every row exactly: there is nothing to standardise.
        """
        from .residual_drawing import draw_scale_location

        return draw_scale_location(self._model, ax)

    def scale_location_data(self) -> pd.DataFrame:
        """What `scale_location` draws: fitted, root, smooth, one row a row used.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lm("anxiety ~ therapy_sessions", mm.datasets.load("anxiety"))
        >>> m.plot.scale_location_data().columns.tolist()
        ['fitted', 'root', 'smooth']
        """
        return data.scale_location(self._model)[0]

    def qq(
        self,
        type: data.Standardised | None = None,
        *,
        band: Band = "simultaneous",
        level: float = 0.95,
        ax: Axes | None = None,
    ) -> Axes:
        """Normal Q-Q plot of standardised residuals, with a band.

        Parameters
        ----------
        type
            "deviance" or "pearson": divided by σ√(1 − leverage). "quantile": normal quantiles of
            `m.quantile_residuals` given the conditional modes, exact for counts and 0/1 data, of
            which the others are normal only roughly (Dunn & Smyth 1996, J. Comp. Graph. Stat. 5,
            236-244). Default "quantile" for counted responses, else "deviance" (of linear models
            the same as "pearson").
        band
            "simultaneous": of normal samples with estimated mean and standard deviation the share
            `level` is inside everywhere (Aldor-Noiman, Brown, Buja, Rolke & Stine 2013, Am. Stat.
            67, 249-260). "pointwise": each order statistic is inside with that probability, so that
            some are outside in most pictures. Both take residuals as independent.
        level
            Coverage of the band.
        ax
            The matplotlib Axes to draw on; None: a new figure.

        Raises
        ------
        ArgumentError
            Another type or band, or `level` is not between 0 and 1.
        DataError
            The model fits every row exactly: there is nothing to standardise.
        """
        from .residual_drawing import draw_qq

        return draw_qq(self._model, type or self._normal_type, band, level, ax)

    def qq_data(
        self,
        type: data.Standardised | None = None,
        *,
        band: Band = "simultaneous",
        level: float = 0.95,
    ) -> pd.DataFrame:
        """What `qq` draws: theoretical, residual, low, high, in increasing order.

        One row a row used, under its label; of more than 2,000 the tails and ever fewer towards
        the middle.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lm("anxiety ~ therapy_sessions", mm.datasets.load("anxiety"))
        >>> quantiles = m.plot.qq_data()
        >>> outside = quantiles.query("residual < low or residual > high")
        >>> len(quantiles), len(outside)
        (300, 1)
        """
        return data.quantiles(self._model, type or self._normal_type, band, level)

    def observed(self, *, ax: Axes | None = None) -> Axes:
        """Observed against fitted values, with the line of identity.

        Of 0/1 data: observed proportions by bins of the fitted probability, with ± 2 standard
        errors (a calibration plot).

        Parameters
        ----------
        ax
            The matplotlib Axes to draw on; None: a new figure.
        """
        from . import residual_drawing as drawing

        if data.is_binary(self._model):
            return drawing.draw_calibration(self._model, ax)
        return drawing.draw_observed(self._model, ax)

    def observed_data(self) -> pd.DataFrame:
        """What `observed` draws: fitted, observed, one row a row used; of 0/1 data fitted,
        observed, low, high, rows, one row a bin.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lm("anxiety ~ therapy_sessions", mm.datasets.load("anxiety"))
        >>> m.plot.observed_data().columns.tolist()
        ['fitted', 'observed']
        """
        if data.is_binary(self._model):
            return data.calibration(self._model)
        return data.observed(self._model)

    def leverage(self, *, ax: Axes | None = None) -> Axes:
        """Standardised Pearson residuals against leverages, with contours of Cook's distance.

        Rows beyond 0.5 deserve a look, beyond 1 they move the fit (Cook & Weisberg 1982, §3.5);
        see `m.cooks_distance` and `m.hatvalues`. A model without fixed effects has no such
        distance: it is NaN, and no contour is drawn.

        Parameters
        ----------
        ax
            The matplotlib Axes to draw on; None: a new figure.

        Raises
        ------
        DataError
            The model fits every row exactly: there is nothing to standardise.
        """
        from .residual_drawing import draw_leverage

        return draw_leverage(self._model, ax)

    def leverage_data(self) -> pd.DataFrame:
        """What `leverage` draws: leverage, residual, cooks_distance, one row a row used.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lm("anxiety ~ therapy_sessions", mm.datasets.load("anxiety"))
        >>> float(round(m.plot.leverage_data()["leverage"].sum(), 9))
        2.0
        """
        return data.by_leverage(self._model)

    def diagnostics(self, *, ax: Sequence[Axes] | None = None) -> Figure:
        """The standard four on one figure: `residuals`, `qq`, `scale_location`, `leverage`.

        Of 0/1 data `residuals` are binned by the fixed part, and `observed` takes the place of
        `scale_location`.

        Parameters
        ----------
        ax
            Four matplotlib Axes to draw on; None: a new figure.

        Returns
        -------
        matplotlib.figure.Figure
            That of the four.
        """
        from .style import figure_of, panels

        four = panels(4, ax, size=(10.5, 8))
        for (name, arguments), each in zip(self._standard_four.items(), four, strict=True):
            getattr(self, name)(**arguments, ax=each)
        return figure_of(four)

    def diagnostics_data(self) -> pd.DataFrame:
        """What `diagnostics` draws: the four frames one below the other, under the plots' names.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lm("anxiety ~ therapy_sessions", mm.datasets.load("anxiety"))
        >>> frames = m.plot.diagnostics_data()
        >>> frames.index.unique("plot").tolist()
        ['residuals', 'qq', 'scale_location', 'leverage']
        """
        frames: dict[str, pd.DataFrame] = {
            name: getattr(self, f"{name}_data")(**arguments)
            for name, arguments in self._standard_four.items()
        }
        return pd.concat(frames, names=["plot"])

    @property
    def _standard_four(self) -> dict[str, dict[str, Any]]:
        """Names of plots, and their arguments."""
        if not data.is_binary(self._model):
            return {"residuals": {}, "qq": {}, "scale_location": {}, "leverage": {}}
        # with few rows a group the shrunken modes alone would put most bins outside
        return {"residuals": {"re_form": "NA"}, "qq": {}, "observed": {}, "leverage": {}}

    @property
    def _default_type(self) -> Literal["binned", "pearson"]:
        return "binned" if data.is_binary(self._model) else "pearson"

    @property
    def _normal_type(self) -> data.Standardised:
        """Of a generalised model's residuals the deviance ones are nearest to normal (Pierce &
        Schafer 1986, J. Am. Stat. Assoc. 81, 977-986), but not those of small counts."""
        model = self._model
        counted = isinstance(model, Generalised) and model.family.is_discrete
        return "quantile" if counted else "deviance"
