"""The numbers of the pictures of conditional modes: one row a level and column."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, closest
from ..inference.distributions import check_level, normal_quantile
from ..models.mixed import Mixed
from .bands import Band, normal_band, normal_scores, order_statistics

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["caterpillar", "panels_of", "quantiles"]

Array = NDArray[np.float64]


def caterpillar(
    model: FittedModel, group: str | None, term: str | None, level: float, sort: bool
) -> pd.DataFrame:
    """grp, term, level, value, sd, conf_low, conf_high; within a panel from low to high."""
    check_level(level)
    frame = _chosen(model, group, term)
    reach = float(normal_quantile((1 + level) / 2)) * frame["sd"]
    frame["conf_low"], frame["conf_high"] = frame["value"] - reach, frame["value"] + reach
    if not sort:
        return frame
    parts = [part.sort_values("value", kind="stable") for part in panels_of(frame)]
    return pd.concat(parts, ignore_index=True)


def quantiles(
    model: FittedModel,
    group: str | None,
    term: str | None,
    level: float,
    band: Band,
) -> pd.DataFrame:
    """`caterpillar`'s columns, theoretical, line, low, high; of many levels the order statistics
    that are drawn.

    `line` is the normal quantile times the root mean square of what modes vary by in the model,
    Σ_kk less their conditional variances.
    """
    frame = caterpillar(model, group, term, level, sort=True)
    parts = [_with_band(model, part, level, band) for part in panels_of(frame)]
    return pd.concat(parts, ignore_index=True)


def panels_of(frame: pd.DataFrame) -> list[pd.DataFrame]:
    """The rows of each panel, in the order of the frame."""
    return [part for _, part in frame.groupby(["grp", "term"], sort=False)]


def _with_band(model: FittedModel, part: pd.DataFrame, level: float, band: Band) -> pd.DataFrame:
    n = len(part)
    ranks = order_statistics(n)
    low, high = normal_band(ranks, n, level, band)
    theoretical = normal_scores(ranks, n)
    drawn = part.iloc[ranks.astype(np.intp) - 1]
    scale = _marginal_sd(model, part)
    return drawn.assign(
        theoretical=theoretical, line=scale * theoretical, low=scale * low, high=scale * high
    )


def _marginal_sd(model: FittedModel, part: pd.DataFrame) -> float:
    """Var(b̂ⱼ) = Σ_kk − Var(bⱼ | y), the mean over the levels, as a standard deviation."""
    assert isinstance(model, Mixed)
    covariance = model.varcorr[str(part["grp"].iloc[0])]
    at = covariance.columns.tolist().index(part["term"].iloc[0])
    variance = float(covariance.to_numpy()[at, at]) - float((part["sd"] ** 2).mean())
    return float(np.sqrt(max(variance, 0.0)))


def _chosen(model: FittedModel, group: str | None, term: str | None) -> pd.DataFrame:
    """All conditional modes with their conditional standard deviations, or those asked for."""
    if not isinstance(model, Mixed):
        raise ArgumentError(
            "the model has no random effects; they are those of a fit by lmer, glmer or lmer_arrays"
        )
    frame = model.ranef(condvar=True).to_frame()
    for column, wanted in (("grp", group), ("term", term)):
        known = [str(name) for name in frame[column].unique()]
        if wanted is None:
            continue
        if wanted not in known:
            what = "grouping factor" if column == "grp" else "random effect"
            of = "" if group is None or column == "grp" else f" of {group}"
            raise ArgumentError(
                f"{wanted!r} is no {what}{of}{closest(str(wanted), known)} "
                f"(choose one of {', '.join(known)})"
            )
        frame = frame[frame[column] == wanted]
    return frame.reset_index(drop=True)
