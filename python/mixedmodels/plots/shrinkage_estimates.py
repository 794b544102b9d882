"""The numbers of `m.plot.shrinkage()`: each group's own estimate beside the model's.

For a grouping factor with random effects b of columns z the model's coefficients of group j are
γ̂ⱼ = β_z + b̂ⱼ, β_z the fixed effects of the same columns (0 where there is none). The group's own
are those that fit its rows alone, all else of the model as it stands: by least squares
γ̂ⱼ + (Z'WZ)⁻¹Z'We over its rows, e the model's residuals. For a generalised model the group's own
maximum likelihood estimate, by Fisher's scoring from γ̂ⱼ with working residuals and weights
(McCullagh & Nelder 1989, §2.5). All groups at once: a pass over the rows an iteration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..columns import names_given
from ..errors import ArgumentError
from ..factors import level_label
from ..generalised import Generalised
from ..rows import group_codes, linear_part
from .large import evenly_spaced
from .variables import grouping_factor, row_weights

if TYPE_CHECKING:
    from ..fitted import FittedModel

__all__ = ["Shrinkage", "shrinkage"]

Array = NDArray[np.float64]
Codes = NDArray[np.intp]

MOST_GROUPS = 150  # arrows that can be told apart; of more groups, evenly spaced ones
FLAT = 1e-10  # a pivot of Z'WZ, scaled to a unit diagonal, that is zero
ITERATIONS = 30
SETTLED = 1e-6  # change of a group's linear predictors


@dataclass(frozen=True, eq=False)
class Shrinkage:
    """What is drawn, and what its labels say."""

    group: str
    effects: list[str]
    total: int
    without: int  # groups of those drawn that have no estimate of their own
    frame: pd.DataFrame  # level, effect, no_pooling, partial_pooling, population


def shrinkage(
    model: FittedModel, group: str | None, effects: str | Sequence[str] | None
) -> Shrinkage:
    """Own and model's coefficients of at most `MOST_GROUPS` groups, of one or two effects."""
    name = grouping_factor(model, group)
    terms = [(t, term) for t, term in enumerate(model._matrices.terms) if term.group == name]
    columns = [str(column) for _, term in terms for column in term.columns]
    chosen = _chosen(columns, effects)
    modes = np.column_stack([model._modes[t] for t, _ in terms])
    population = model.fixef.reindex(columns).fillna(0.0).to_numpy(dtype=float)
    Z = _random_columns(model, [t for t, _ in terms])
    codes = group_codes(model, name)
    own = population + modes + _own_departures(model, Z, codes, len(modes))
    shown = evenly_spaced(len(modes), MOST_GROUPS)
    labels = pd.Series([level_label(terms[0][1].levels[j]) for j in shown], dtype=object)
    parts = [
        pd.DataFrame(
            {
                "level": labels,
                "effect": effect,
                "no_pooling": own[shown, k],
                "partial_pooling": population[k] + modes[shown, k],
                "population": population[k],
            }
        )
        for k, effect in ((columns.index(effect), effect) for effect in chosen)
    ]
    lost = int(np.isnan(own[shown]).any(axis=1).sum())
    return Shrinkage(name, chosen, len(modes), lost, pd.concat(parts, ignore_index=True))


def _chosen(columns: list[str], effects: str | Sequence[str] | None) -> list[str]:
    if effects is None:
        return columns[:2]
    chosen = names_given(effects, "effects", "a random effect's name or two of them")
    unknown = [effect for effect in chosen if effect not in columns]
    if unknown or not 1 <= len(chosen) <= 2 or len(set(chosen)) < len(chosen):
        raise ArgumentError(f"effects={effects!r}: choose one or two of {', '.join(columns)}")
    return chosen


def _random_columns(model: FittedModel, terms: Sequence[int]) -> Array:
    """The values of the terms' columns z, shape (nobs, q)."""
    found = []
    for t in terms:
        levels, q = model._modes[t].shape
        for k in range(q):  # a random effect of one everywhere: its linear predictor is its column
            modes: list[Array | None] = [None] * len(model._modes)
            modes[t] = np.tile(np.eye(q)[k], (levels, 1))
            found.append(linear_part(model, modes=modes))
    return np.column_stack(found)


def _own_departures(model: FittedModel, Z: Array, codes: Codes, groups: int) -> Array:
    """Each group's own coefficients minus the model's, shape (groups, q); NaN where its rows do
    not determine them."""
    if not isinstance(model, Generalised):
        residuals = model._response - model._fitted
        return _least_squares(Z, row_weights(model), residuals, codes, groups)
    departure = np.zeros((groups, Z.shape[1]))
    eta = model._linear_predictor
    for _ in range(ITERATIONS):
        weights, residuals = _working(model, eta)
        step = _least_squares(Z, weights, residuals, codes, groups)
        departure, change = departure + step, np.einsum("ij,ij->i", Z, step[codes])
        moving = np.bincount(codes, np.abs(change) > SETTLED, groups) > 0
        if not moving.any():
            break
        eta = eta + change
    departure[moving] = np.nan  # on its way to infinity: the group's data separate its response
    return departure


def _working(model: Generalised, eta: Array) -> tuple[Array, Array]:
    """Fisher's weights and working residuals at a linear predictor."""
    family = model._kernel_family
    mu, slope = np.asarray(family.mean(eta)), np.asarray(family.mean_slope(eta))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        weights = model._prior_weights * slope**2 / np.asarray(family.variance(mu))
        residuals = (model._response - mu) / slope
    usable = np.isfinite(weights) & np.isfinite(residuals)
    return np.where(usable, weights, 0.0), np.where(usable, residuals, 0.0)


def _least_squares(Z: Array, w: Array, e: Array, codes: Codes, groups: int) -> Array:
    """(Z'WZ)⁻¹Z'We of every group, shape (groups, q); NaN where Z'WZ is singular."""
    q = Z.shape[1]
    crossed = np.empty((groups, q, q))
    right = np.empty((groups, q))
    for j in range(q):
        right[:, j] = np.bincount(codes, w * Z[:, j] * e, groups)
        for k in range(j + 1):
            crossed[:, j, k] = crossed[:, k, j] = np.bincount(codes, w * Z[:, j] * Z[:, k], groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 1 / np.sqrt(np.einsum("gjj->gj", crossed))
        unit = crossed * scale[:, :, None] * scale[:, None, :]
    regular = np.isfinite(unit).all(axis=(1, 2))
    regular[regular] = np.linalg.eigvalsh(unit[regular])[:, 0] > FLAT
    solution = np.full((groups, q), np.nan)
    scaled = (right * scale)[regular]
    solution[regular] = np.linalg.solve(unit[regular], scaled[:, :, None])[:, :, 0]
    return np.asarray(solution * scale)
