"""Pictures of fitted models: `m.plot.<name>()`, and their numbers, `m.plot.<name>_data()`.

Every plot takes `ax=`, the matplotlib Axes to draw on (None: a new figure), and returns the Axes,
or the Figure where the picture has several panels. Every plot's twin `<name>_data()` returns a
pandas DataFrame of what is drawn and needs no matplotlib.

To add a group of plots: a mixin of `PlotsOfModel` in a file of its own, and its name below.
"""

from __future__ import annotations

from .data_plots import DataPlots
from .inference_plots import InferencePlots
from .quantile_plots import QuantilePlots
from .random_effect_plots import RandomEffectPlots
from .residual_plots import ResidualPlots

__all__ = ["Plots"]


class Plots(DataPlots, InferencePlots, ResidualPlots, QuantilePlots, RandomEffectPlots):
    """The plots of one model, `m.plot`."""
