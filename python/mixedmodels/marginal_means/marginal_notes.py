"""What a reader of marginal means has to know: the remarks below their tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..formulas.expression import Name

if TYPE_CHECKING:
    from ..inference.multiplicity import Adjustment
    from ..models.fitted import FittedModel
    from .reference_grid import ReferenceGrid
    from .response_scale import Scale

__all__ = ["adjustment_notes", "grid_notes", "scale_notes"]


def grid_notes(
    model: FittedModel, grid: ReferenceGrid, names: Sequence[str], weights: str
) -> list[str]:
    """What was averaged over, what was held where, and what interacts with it."""
    others = {name: axis for name, axis in grid.axes.items() if name not in names}
    averaged = [name for name, axis in others.items() if len(axis) > 1]
    held = {n: _short(axis.values[0]) for n, axis in others.items() if len(axis) == 1}
    notes = []
    if averaged:
        how = "" if weights == "equal" else ", in proportion to their frequencies"
        notes.append(f"Results are averaged over the levels of: {', '.join(averaged)}{how}")
    if held:
        values = ", ".join(f"{name} = {value}" for name, value in held.items())
        notes.append(f"Held at: {values}")
    notes += _interactions(model, names, averaged, held)
    spec, family = model._matrices.spec, model._call.family
    assert spec is not None  # or there were no grid
    response = spec.formula.response
    proportions = family is not None and family.name == "binomial"  # whatever they are made of
    if not (proportions or response is None or isinstance(response.node, Name)):
        notes.append(f"Results are on the scale of {response.text}")
    if np.any(grid.offset != 0):
        notes.append(
            f"The offset is included; its mean on the grid is {_short(grid.offset.mean())}"
        )
    return notes


def scale_notes(used: Scale | None, link: str | None) -> list[str]:
    """The scale of the results and of their tests; `link` is what they are not transformed from,
    None where that is the identity."""
    if used is not None:
        return [
            f"Intervals are back-transformed from the {used.link} scale",
            f"Tests are performed on the {used.link} scale",
        ]
    return [] if link is None else [f"Results are given on the {link} (not the response) scale"]


def _short(value: object) -> str:
    from ..input_tables.factors import level_label

    return f"{float(value):.5g}" if isinstance(value, float) else level_label(value)


def _interactions(
    model: FittedModel, names: Sequence[str], averaged: Sequence[str], held: dict[str, str]
) -> list[str]:
    fixed = model._matrices.spec.formula.fixed  # type: ignore[union-attr]
    terms = [{n for v in term for n in fixed.variables[v].names()} for term in fixed.terms]
    notes = []
    for name in names:
        partners = set().union(*(term for term in terms if name in term)) - set(names)
        mixed = [other for other in averaged if other in partners]
        if mixed:
            notes.append(
                f"Note: {name} interacts with {', '.join(mixed)}, so its averages may mislead; "
                f'see emmeans("{name}", by="{mixed[0]}")'
            )
        fixed_at = [f"{other} = {value}" for other, value in held.items() if other in partners]
        if fixed_at:
            notes.append(f"Note: {name} interacts with a covariate held at {', '.join(fixed_at)}")
    return notes


def adjustment_notes(
    adjust: Adjustment, families: Sequence[tuple[int, int]], by: Sequence[str]
) -> list[str]:
    """How p-values and intervals were adjusted; `families` are (tests, means) of each."""
    within = f", within each {' × '.join(by)}" if by else ""
    tests = sorted({tests for tests, _ in families})
    means = sorted({means for _, means in families})
    if adjust == "none" or (adjust == "tukey" and means[-1] <= 2) or tests[-1] <= 1:
        return ["P value adjustment: none"] if adjust == "none" and tests[-1] > 1 else []
    if adjust == "tukey":
        how = f"tukey method for comparing a family of {_counts(means)} estimates{within}"
        return [f"P value adjustment: {how}", f"Conf-level adjustment: {how}"]
    for_tests, for_intervals = f"{_counts(tests)} tests{within}", f"{_counts(tests)} estimates"
    interval = "bonferroni" if adjust == "holm" else adjust
    return [
        f"P value adjustment: {adjust} method for {for_tests}",
        f"Conf-level adjustment: {interval} method for {for_intervals}{within}",
    ]


def _counts(numbers: Sequence[int]) -> str:
    return " or ".join(str(number) for number in numbers)
