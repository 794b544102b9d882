"""Fixed effects of one or several models with their intervals: `m.plot.forest()`, `mm.forest`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..inference.coefficients import coefficients
from ..models.fitted import FittedModel
from ..models.generalised import Generalised
from .style import CYCLE, MARKERS, SINGLE, axes, describe, legend, reference_line, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["forest", "forest_data"]

INTERCEPT = "(Intercept)"
SPREAD = 0.6  # of a row, over which the models' marks stand
TALLEST = 24.0  # inches


def forest(
    models: FittedModel | Sequence[FittedModel],
    names: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    ddf: str | None = None,
    intercept: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Fixed effects of one or several models with Wald intervals, one row a coefficient.

    Coefficients are on the scale of the linear predictor (log odds with a logit link).

    Parameters
    ----------
    models
        A fitted model or several.
    names
        Their names in the legend; default: "model 1", "model 2", ...
    level
        Coverage of the intervals.
    ddf
        Degrees of freedom, as in `coefficients`.
    intercept
        True: also the intercept, which often lies far from all others.
    ax
        Axes to draw on; default: a new figure.

    Raises
    ------
    ArgumentError
        What was given is no model, there are not as many names as models, or no coefficient.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> data = mm.datasets.load("anxiety")
    >>> small = mm.lm("anxiety ~ therapy_sessions", data)
    >>> large = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
    >>> forest_data([small, large], ["lm", "lmer"])["model"].tolist()
    ['lm', 'lmer']
    """
    frame = forest_data(models, names, level=level, ddf=ddf, intercept=intercept)
    return _drawn(frame, f"estimate{_scale(models)}, {100 * level:g} % interval", ax)


def _scale(models: FittedModel | Sequence[FittedModel]) -> str:
    """' (logit scale)' of models with that link; nothing for the identity."""
    given = [models] if isinstance(models, FittedModel) else list(models)
    links = {m.family.link if isinstance(m, Generalised) else "identity" for m in given}
    return "" if links == {"identity"} else f" ({' and '.join(sorted(links))} scale)"


def forest_data(
    models: FittedModel | Sequence[FittedModel],
    names: Sequence[str] | None = None,
    *,
    level: float = 0.95,
    ddf: str | None = None,
    intercept: bool = False,
) -> pd.DataFrame:
    """What `forest` draws: model, term, estimate, std_error, conf_low, conf_high."""
    given = [models] if isinstance(models, FittedModel) else list(models)
    wrong = next((each for each in given if not isinstance(each, FittedModel)), None)
    if wrong is not None or not given:
        found = type(wrong).__name__ if given else "none"
        raise ArgumentError(f"mm.forest needs fitted models; got {found}")
    labels = [f"model {k + 1}" for k in range(len(given))] if names is None else list(names)
    if len(labels) != len(given) or len(set(labels)) < len(labels):
        raise ArgumentError(f"names={labels!r}: expected {len(given)} different names, one a model")
    columns = ["term", "estimate", "std_error", "conf_low", "conf_high"]
    tables = [coefficients(model, ddf, level)[columns] for model in given]
    frame = pd.concat(
        [table.assign(model=label) for table, label in zip(tables, labels, strict=True)],
        ignore_index=True,
    )[["model", *columns]]
    if not intercept:
        frame = frame[frame["term"] != INTERCEPT].reset_index(drop=True)
    if not len(frame):
        raise ArgumentError(
            "there is no coefficient to draw besides the intercept: intercept=True draws that one"
        )
    return pd.DataFrame(frame)


def _drawn(frame: pd.DataFrame, label: str, ax: Any) -> Axes:
    """Terms from top to bottom in the order of the models, models beside each other in a row."""
    terms, models = list(dict.fromkeys(frame["term"])), list(dict.fromkeys(frame["model"]))
    height = min(1.1 + len(terms) * (0.24 + 0.13 * len(models)), TALLEST)
    drawn: Axes = axes(ax, (SINGLE[0], max(height, 2.2)))
    step = SPREAD / len(models)
    for k, model in enumerate(models):
        mine = frame[frame["model"] == model]
        at = np.array([terms.index(term) for term in mine["term"]]) + step * (
            k - (len(models) - 1) / 2
        )
        estimate = mine["estimate"].to_numpy()
        drawn.errorbar(
            estimate,
            at,
            xerr=(estimate - mine["conf_low"], mine["conf_high"] - estimate),
            fmt=MARKERS[k % len(MARKERS)],
            color=CYCLE[k % len(CYCLE)],
            elinewidth=1.8,
            markersize=6,
            label=short([model])[0],
        )
    reference_line(drawn, x=0.0)
    drawn.set_yticks(range(len(terms)), short(terms, 32))
    drawn.set_ylim(len(terms) - 0.4, -0.6)
    if len(models) > 1:
        legend(drawn)
    describe(drawn, x=label, y="", title="Fixed effects")
    return drawn
