"""The numbers of `m.plot.shrinkage()`: each group's own estimate beside the model's.

For a grouping factor with random effects b of columns z the model's coefficients of group j are
γ̂ⱼ = β_z + b̂ⱼ, β_z the fixed effects of the same columns (0 where there is none). The group's own
are those that fit its rows alone, all else of the model as it stands: by least squares
γ̂ⱼ + (Z'WZ)⁻¹Z'We over its rows, e the model's residuals. For a generalised model the group's own
maximum likelihood estimate, by Fisher's scoring from γ̂ⱼ with working residuals and weights
(McCullagh & Nelder 1989, §2.5). All groups drawn at once, a pass over their rows an iteration.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..input_tables.columns import names_given
from ..input_tables.factors import level_label
from ..models.generalised import Generalised
from ..models.rows import group_codes
from .large import evenly_spaced
from .variables import grouping_factor, row_weights

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

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
    shown = evenly_spaced(len(modes), MOST_GROUPS)
    population = model.fixef.reindex(columns).fillna(0.0).to_numpy(dtype=float)
    pooled = population + modes[shown]
    own = pooled + _own_departures(model, _rows(model, name, [t for t, _ in terms], shown))
    labels = pd.Series([level_label(terms[0][1].levels[j]) for j in shown], dtype=object)
    parts = [
        pd.DataFrame(
            {
                "level": labels,
                "effect": effect,
                "no_pooling": own[:, k],
                "partial_pooling": pooled[:, k],
                "population": population[k],
            }
        )
        for k, effect in ((columns.index(effect), effect) for effect in chosen)
    ]
    lost = int(np.isnan(own).any(axis=1).sum())
    return Shrinkage(name, chosen, len(modes), lost, pd.concat(parts, ignore_index=True))


def _chosen(columns: list[str], effects: str | Sequence[str] | None) -> list[str]:
    if effects is None:
        return columns[:2]
    chosen = names_given(effects, "effects", "a random effect's name or two of them")
    unknown = [effect for effect in chosen if effect not in columns]
    if unknown or not 1 <= len(chosen) <= 2 or len(set(chosen)) < len(chosen):
        raise ArgumentError(f"effects={effects!r}: choose one or two of {', '.join(columns)}")
    return chosen


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of the groups drawn."""

    Z: Array  # (rows, q) the columns with random effects
    codes: Codes  # (rows,) positions among these groups
    groups: int
    response: Array
    weights: Array
    linear_predictor: Array

    def least_squares(self, weights: Array, residuals: Array) -> Array:
        """(Z'WZ)⁻¹Z'We of every group, shape (groups, q)."""
        return _least_squares(self.Z, weights, residuals, self.codes, self.groups)


def _rows(model: FittedModel, group: str, terms: Sequence[int], shown: Codes) -> _Rows:
    codes = group_codes(model, group)
    rows = np.flatnonzero(np.isin(codes, shown))
    return _Rows(
        np.column_stack([model._design.random_columns(t)[rows] for t in terms]),
        np.searchsorted(shown, codes[rows]),
        len(shown),
        model._response[rows],
        row_weights(model)[rows],
        model._linear_predictor[rows],
    )


def _own_departures(model: FittedModel, rows: _Rows) -> Array:
    """Each group's own coefficients minus the model's, shape (groups, q); NaN where its rows do
    not determine them."""
    if not isinstance(model, Generalised):
        return rows.least_squares(rows.weights, rows.response - rows.linear_predictor)
    departure = np.zeros((rows.groups, rows.Z.shape[1]))
    eta = rows.linear_predictor
    for _ in range(ITERATIONS):
        step = rows.least_squares(*_working(model, rows, eta))
        change = np.einsum("ij,ij->i", rows.Z, step[rows.codes])
        departure, eta = departure + step, eta + change
        moving = np.bincount(rows.codes, np.abs(change) > SETTLED, rows.groups) > 0
        if not moving.any():
            break
    departure[moving] = np.nan  # on its way to infinity: the group's data separate its response
    return departure


def _working(model: Generalised, rows: _Rows, eta: Array) -> tuple[Array, Array]:
    """Fisher's weights and working residuals at a linear predictor."""
    family = model._kernel_family
    mu, slope = np.asarray(family.mean(eta)), np.asarray(family.mean_slope(eta))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        weights = rows.weights * slope**2 / np.asarray(family.variance(mu))
        residuals = (rows.response - mu) / slope
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
    scaled = right[regular] * scale[regular]
    solution[regular] = np.linalg.solve(unit[regular], scaled[:, :, None])[:, :, 0]
    return np.asarray(solution * scale)
