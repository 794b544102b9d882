"""Pictures of quantile residuals: are they uniform, and are they so for all fitted values?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..diagnostics.quantile_tests import Ranked
from .accessor import PlotsOfModel
from .residual_data import predictor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..models.fitted import FittedModel

__all__ = ["QuantilePlots"]

Array = NDArray[np.float64]

DRAWN = 1_000  # points of the Q-Q plot
BINS, ROWS = 20, 40  # of fitted values, at most; rows in each, at least
QUARTILES = {0.25: "q25", 0.5: "q50", 0.75: "q75"}


class QuantilePlots(PlotsOfModel):
    """Simulation-based quantile residuals, for any family."""

    def quantile_residuals(
        self,
        nsim: int = 250,
        seed: int = 0,
        *,
        re_form: str | float | None = "NA",
        ax: Sequence[Axes] | None = None,
    ) -> Figure:
        """Quantile residuals: a uniform Q-Q plot, and quartiles against the fitted values.

        Left: if the model is right the points are inside the band, which holds 95 % of the
        simulated responses' residuals at each place (rows of a group depend on each other, so that
        a band for independent rows would be too narrow). Right: the three lines, quartiles in bins
        of fitted values, lie on the dashed ones, but for what groups have in common. Fitted values
        have the random effects that `re_form` keeps.

        Parameters
        ----------
        nsim, seed, re_form
            As in `m.quantile_residuals`.
        ax
            Two matplotlib Axes to draw on; None: a new figure.

        Returns
        -------
        matplotlib.figure.Figure
            That of the two.
        """
        from .style import figure_of, panels

        frame = self.quantile_residuals_data(nsim, seed, re_form=re_form)
        two = panels(2, ax, size=(10.5, 4.6))
        _draw_qq(two[0], frame.loc[["qq"]])
        part = " (fixed part)" if re_form is not None and self._model._matrices.terms else ""
        _draw_against_fitted(two[1], frame.loc[["fitted"]], part)
        return figure_of(two)

    def quantile_residuals_data(
        self, nsim: int = 250, seed: int = 0, *, re_form: str | float | None = "NA"
    ) -> pd.DataFrame:
        """What `quantile_residuals` draws: two frames one below the other, "qq" and "fitted".

        "qq": expected, residual, low, high, in increasing order; of more than 1,000 rows so many
        quantiles. "fitted": rank of the fitted value (0 to 1), residual, and q25, q50, q75 of the
        row's bin (NaN where there are fewer than 80 rows). Of more than 20,000 rows so many.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> frame = m.plot.quantile_residuals_data(50)
        >>> bool(frame.loc["qq"].eval("low <= residual <= high").mean() > 0.9)
        True
        """
        ranked = Ranked.of(self._model, nsim, seed, re_form)
        residuals = np.column_stack(list(ranked.residuals()))
        frames = {
            "qq": _quantiles(residuals),
            "fitted": _against_fitted(self._model, ranked.rows, residuals[:, 0], re_form),
        }
        return pd.concat(frames, names=["plot", "row"])


def _quantiles(residuals: Array) -> pd.DataFrame:
    """Order statistics of the first column, with a band from those of the others."""
    n = len(residuals)
    places = np.unique(np.linspace(0, n - 1, min(n, DRAWN)).astype(np.intp))
    ordered = np.sort(residuals, axis=0)[places]
    low, high = np.quantile(ordered[:, 1:], [0.025, 0.975], axis=1)
    expected = (places + 0.5) / n
    columns = {"expected": expected, "residual": ordered[:, 0], "low": low, "high": high}
    return pd.DataFrame(columns)


def _against_fitted(
    model: FittedModel, rows: NDArray[np.intp], residuals: Array, re_form: Any
) -> pd.DataFrame:
    fitted = predictor(model, re_form)[rows]
    n = len(fitted)
    rank = (pd.Series(fitted).rank().to_numpy() - 0.5) / n
    index = model._matrices.index.take(rows)
    frame = pd.DataFrame({"rank": rank, "residual": residuals}, index=index)
    count = max(min(BINS, n // ROWS), 1)
    bins = (rank * count).astype(np.intp)
    by_bin = pd.Series(residuals).groupby(bins)
    for quartile, name in QUARTILES.items():
        values = by_bin.transform("quantile", quartile).to_numpy()
        frame[name] = values if count > 1 else np.nan
    return frame


def _draw_qq(ax: Axes, frame: pd.DataFrame) -> None:
    from .large import point_style
    from .style import BLUE, SKY, describe, identity_line, legend

    x = frame["expected"]
    label = "95 % of simulated responses"
    ax.fill_between(x, frame["low"], frame["high"], color=SKY, alpha=0.3, linewidth=0, label=label)
    identity_line(ax)
    ax.plot(x, frame["residual"], linestyle="none", **point_style(len(x), BLUE))
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    legend(ax, "upper left")
    describe(
        ax,
        x="uniform quantile",
        y="quantile residual",
        title="Uniform Q-Q plot",
    )


def _draw_against_fitted(ax: Axes, frame: pd.DataFrame, part: str) -> None:
    from .large import cloud
    from .style import VERMILLION, describe, reference_line

    cloud(ax, frame["rank"].to_numpy(), frame["residual"].to_numpy())
    ordered = frame.sort_values("rank")
    for quartile, name in QUARTILES.items():
        reference_line(ax, y=quartile)
        ax.step(ordered["rank"], ordered[name], where="mid", color=VERMILLION, linewidth=2)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    describe(
        ax,
        x=f"fitted value{part}, rank",
        y="quantile residual",
        title="Quartiles over fitted values",
    )
