"""What the intercept means, and what its correlation with a slope means, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..models.generalised import Generalised
from .apa import Style, joined
from .report_generalised import of_the_intercept

if TYPE_CHECKING:
    from ..matrices.model_spec import ModelSpec
    from ..models.fitted import FittedModel
    from ..models.model import LinearMixedModel
    from ..printing.tables import ResultTable

__all__ = ["intercept_is", "slope_and_intercept"]

INTERCEPT = "(Intercept)"
WEAK, PERFECT = 0.1, 0.9995  # |correlation| outside these is not put into words

# signs of (mean slope, correlation) → how the slope changes with the intercept
DIRECTIONS = {
    (-1, 1): ("weaker", "less negative", "reduction"),
    (-1, -1): ("stronger", "more negative", "reduction"),
    (1, 1): ("stronger", "more positive", "increase"),
    (1, -1): ("weaker", "less positive", "increase"),
}


def intercept_is(model: FittedModel, style: Style) -> str:
    """ "The intercept, the expected anxiety at therapy_sessions = 0, was"."""
    of = f"expected {style.name(model._matrices.response_name)}"
    if isinstance(model, Generalised):
        of = of_the_intercept(model, style)
    at = _zero(model, style)
    return f"The intercept, the {f'{of} at {at}' if at else f'overall {of}'}, was"


def _zero(model: FittedModel, style: Style) -> str:
    """The place in the space of predictors where only the intercept counts."""
    spec = model._matrices.spec
    if spec is None:
        names = [name for name in model.fixef.dropna().index if name != INTERCEPT]
        places = [f"{style.name(name)} = 0" for name in names]
    else:
        places = _places(spec, style)
    if model._matrices.has_offset:
        places.append("an offset of 0")
    return joined(places)


def _places(spec: ModelSpec, style: Style) -> list[str]:
    numeric = dict.fromkeys(v for column in spec.fixed.columns for v, _ in column.numeric)
    places = [f"{style.name(variable)} = 0" for variable in numeric]
    tables: dict[str, list[np.ndarray[tuple[int, ...], np.dtype[np.float64]]]] = {}
    for column in spec.fixed.columns:
        for variable, table in column.coded:
            tables.setdefault(variable, []).append(table)
    for variable, columns in tables.items():
        codes = np.column_stack(columns)
        base = np.flatnonzero(~codes.any(axis=1))
        if len(base):
            level = spec.factors[variable].labels()[int(base[0])]
            places.append(f"{style.name(variable)} = {style.name(level)}")
        elif np.allclose(codes.mean(axis=0), 0, atol=1e-12):
            places.append(f"the mean of the levels of {style.name(variable)}")
        else:
            places.append(f"codes of 0 for {style.name(variable)}")
    return places


def slope_and_intercept(model: LinearMixedModel, table: ResultTable, style: Style) -> list[str]:
    """Which groups have the stronger effects: one sentence a correlation worth it.

    The sign of an effect counts as much as that of the correlation: where a mean effect is
    negative, groups of higher intercept with positive correlation have effects nearer to zero.
    """
    rows = table.set_index("term")
    sentences = []
    for term in model.varcorr.terms:
        if INTERCEPT not in term.columns:
            continue
        correlations = term.corr[term.columns.index(INTERCEPT)]
        for column, correlation in zip(term.columns, correlations, strict=True):
            if column == INTERCEPT or not WEAK <= abs(correlation) <= PERFECT:
                continue
            sign = _clear_sign(rows, column)
            if sign and not _interacts(model, column):
                direction = (sign, int(np.sign(correlation)))
                sentences.append(_direction(model, term.group, column, direction, style))
    return sentences


def _clear_sign(rows: ResultTable, column: str) -> int:
    """The sign of a mean effect whose interval excludes zero, else 0."""
    if column not in rows.index:
        return 0
    low, high = float(rows["conf_low"][column]), float(rows["conf_high"][column])
    return int(low > 0) - int(high < 0)


def _interacts(model: LinearMixedModel, column: str) -> bool:
    """Whether the mean effect differs by another predictor, so that it has no one sign."""
    return any(column in name.split(":") for name in model.fixef.index if name != column)


def _direction(
    model: LinearMixedModel, group: str, column: str, signs: tuple[int, int], style: Style
) -> str:
    strength, change, what = DIRECTIONS[signs]
    mean, correlation = ("negative" if sign < 0 else "positive" for sign in signs)
    response, name = style.name(model._matrices.response_name), style.name(column)
    tie = "and" if mean == correlation else "but"
    return (
        f"The mean effect of {name} is {mean} {tie} its correlation with the intercept "
        f"{correlation}: levels of {style.name(group)} with a higher intercept ({response} at "
        f"{name} = 0) tend to have a {strength} ({change}) effect of {name}, that is, a {strength} "
        f"{what} of {response}."
    )
