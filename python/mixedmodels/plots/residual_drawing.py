"""Drawing of residual plots, from the frames of `residual_data.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..models.generalised import Generalised
from . import residual_data as data
from .large import cloud, curve, point_style
from .style import (
    BLUE,
    GREY,
    NOTE_SIZE,
    SKY,
    VERMILLION,
    axes,
    describe,
    identity_line,
    legend,
    reference_line,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ..models.fitted import FittedModel, ResidualType
    from .bands import Band

__all__ = [
    "draw_binned",
    "draw_calibration",
    "draw_leverage",
    "draw_observed",
    "draw_qq",
    "draw_residuals",
    "draw_scale_location",
]

COOK = (0.5, 1.0)  # Cook's distances worth a look (Cook & Weisberg 1982, §3.5)


def draw_residuals(model: FittedModel, type: ResidualType, re_form: Any, ax: Axes | None) -> Axes:
    frame, smooth = data.residuals(model, type, re_form)
    ax = axes(ax)
    reference_line(ax, y=0)
    cloud(ax, frame["fitted"].to_numpy(), frame["residual"].to_numpy())
    curve(ax, smooth)
    words = _residual_words(model, type)
    name = _predictor(model)
    against = "fitted values" if name == "fitted value" else "the linear predictor"
    title = f"Residuals against {against}"
    describe(ax, x=f"{name}{_part(model, re_form)}", y=words, title=title)
    return ax


def draw_scale_location(model: FittedModel, ax: Axes | None) -> Axes:
    frame, smooth = data.scale_location(model)
    ax = axes(ax)
    cloud(ax, frame["fitted"].to_numpy(), frame["root"].to_numpy())
    curve(ax, smooth)
    ax.set_ylim(bottom=0)
    words = f"√|{_standardised_words(model, 'deviance')}|"
    describe(ax, x=_predictor(model), y=words, title="Scale-location")
    return ax


def draw_qq(
    model: FittedModel, type: data.Standardised, band: Band, level: float, ax: Axes | None
) -> Axes:
    frame = data.quantiles(model, type, band, level)
    ax = axes(ax)
    x = frame["theoretical"].to_numpy()
    words = f"{100 * level:g} % band, {band}"
    ax.fill_between(x, frame["low"], frame["high"], color=SKY, alpha=0.3, linewidth=0, label=words)
    identity_line(ax)
    ax.plot(x, frame["residual"], linestyle="none", **point_style(len(x), BLUE))
    legend(ax, "upper left")
    describe(
        ax,
        x="normal quantile",
        y=_standardised_words(model, type),
        title="Normal Q-Q plot of residuals",
    )
    return ax


def draw_observed(model: FittedModel, ax: Axes | None) -> Axes:
    frame = data.observed(model)
    ax = axes(ax)
    identity_line(ax, float(frame["fitted"].mean()))
    cloud(ax, frame["fitted"].to_numpy(), frame["observed"].to_numpy())
    describe(
        ax,
        x="fitted value",
        y=f"observed {_response_words(model)}",
        title="Observed against fitted values",
    )
    return ax


def draw_calibration(model: FittedModel, ax: Axes | None) -> Axes:
    frame = data.calibration(model)
    ax = axes(ax)
    identity_line(ax, float(frame["fitted"].mean()))
    ax.vlines(frame["fitted"], frame["low"], frame["high"], color=SKY, linewidth=1.5)
    ax.plot(frame["fitted"], frame["observed"], linestyle="none", **point_style(len(frame)))
    describe(
        ax,
        x="fitted probability, mean of a bin",
        y="observed proportion ± 2 SE",
        title="Observed against fitted values",
    )
    return ax


def draw_binned(model: FittedModel, re_form: Any, ax: Axes | None) -> Axes:
    frame = data.binned_residuals(model, re_form)
    ax = axes(ax)
    reference_line(ax, y=0)
    for end in ("low", "high"):
        label = "± 2 standard errors" if end == "high" else None
        ax.plot(frame["fitted"], frame[end], color=GREY, linewidth=1.2, label=label)
    ax.plot(frame["fitted"], frame["residual"], linestyle="none", **point_style(len(frame)))
    legend(ax)
    what = "probability" if data.is_binary(model) else "value"
    describe(
        ax,
        x=f"fitted {what}{_part(model, re_form)}, mean of a bin",
        y="response residual, mean of a bin",
        title="Binned residuals",
    )
    return ax


def draw_leverage(model: FittedModel, ax: Axes | None) -> Axes:
    frame = data.by_leverage(model)
    ax = axes(ax)
    from matplotlib.ticker import MaxNLocator

    h = frame["leverage"].to_numpy()
    reference_line(ax, y=0)
    cloud(ax, h, frame["residual"].to_numpy())
    ax.xaxis.set_major_locator(MaxNLocator(6))  # leverages have many digits
    contours = model._fit.rank > 0 and _cook_contours(ax, int(model._fit.rank), h)
    describe(
        ax,
        x="leverage (D: Cook's distance)" if contours else "leverage",
        y=_standardised_words(model, "pearson"),
        title="Residuals against leverage",
    )
    return ax


def _cook_contours(ax: Axes, rank: int, h: Any) -> bool:
    """r = ±√(D p (1 − h)/h), where it runs through the frame that the points need; whether one
    does."""
    drawn = False
    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    grid = np.linspace(max(float(np.min(h)), 1e-3 * right), min(right, 1 - 1e-6), 200)
    for distance, line in zip(COOK, (":", "--"), strict=True):
        height = np.sqrt(distance * rank * (1 - grid) / grid)
        if height.min() > max(top, -bottom):
            continue
        drawn = True
        label = f"Cook's distance {distance:g}"
        style: dict[str, Any] = {"color": VERMILLION, "linestyle": line, "linewidth": 1.3}
        ax.plot(grid, height, label=label, **style)
        ax.plot(grid, -height, **style)
        end = height[-1] if height[-1] <= top else -height[-1]
        _name_contour(ax, f"D = {distance:g}", end, outside=distance == max(COOK))
    ax.set_xlim(left, right)
    ax.set_ylim(bottom, top)
    return drawn


def _name_contour(ax: Axes, name: str, end: float, *, outside: bool) -> None:
    """Its name beside its right end, on the side away from the other contour."""
    ax.annotate(
        name,
        (1, end),
        xycoords=ax.get_yaxis_transform(),
        xytext=(3, 0),
        textcoords="offset points",
        va="bottom" if outside == (end > 0) else "top",
        fontsize=NOTE_SIZE,
        color="#a04300",
        annotation_clip=False,
    )


def _part(model: FittedModel, re_form: Any) -> str:
    """Which random effects are in the fitted values, where not all are."""
    if re_form is None or not model._matrices.terms:
        return ""
    return f" with {re_form}" if isinstance(re_form, str) and "|" in re_form else ", fixed part"


def _predictor(model: FittedModel) -> str:
    if isinstance(model, Generalised) and model.family.link != "identity":
        return f"linear predictor ({model.family.link})"
    return "fitted value"


def _response_words(model: FittedModel) -> str:
    if isinstance(model, Generalised) and model.family.name == "binomial":
        return "proportion"
    return model._matrices.response_name


def _residual_words(model: FittedModel, type: ResidualType) -> str:
    plain = not isinstance(model, Generalised) and model._matrices.weights is None
    if plain and type != "scaled":
        return "residual"
    words = {"pearson": "Pearson residual", "scaled": "scaled residual"}
    return words.get(type, f"{type} residual")


def _standardised_words(model: FittedModel, type: data.Standardised) -> str:
    if type == "quantile":
        return "quantile residual"
    if not isinstance(model, Generalised):
        return "standardised residual"
    return f"standardised {'Pearson' if type == 'pearson' else type} residual"
