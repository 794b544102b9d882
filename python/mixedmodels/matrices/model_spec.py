"""What a fitted model remembers of its formula and data, to read new data the same way.

Levels, contrasts, the state of stateful functions and the plans of the matrices; not the data.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import DataError
from ..formulas.evaluate import Evaluator
from ..formulas.expression import Expression
from ..formulas.formula import Formula, RandomTerm
from ..formulas.transforms import Matrix
from ..input_tables.columns import MAX_MAGNITUDE, Table
from ..input_tables.factors import Factor, combine, level_label, show
from ..lazy import lazy
from .coding import MatrixPlan
from .design import design_arguments

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._core import Design

__all__ = ["ModelSpec", "RandomPlan", "new_group"]

UNKNOWN = ""  # the grouping factor that no row has a level of


@dataclass(frozen=True)
class RandomPlan:
    """One random term in public order: its columns, its grouping factors and their known levels."""

    term: RandomTerm
    plan: MatrixPlan
    levels: pd.Index[Any]
    parts: tuple[Factor, ...] = field(repr=False)  # levels only; the codes are empty


@dataclass(frozen=True)
class ModelSpec:
    """Everything `predict` needs to build the matrices of new data."""

    formula: Formula
    fixed: MatrixPlan
    random: tuple[RandomPlan, ...]
    factors: Mapping[str, Factor] = field(
        repr=False
    )  # the variables that are factors, without codes
    state: dict[str, dict[str, Any]] = field(repr=False)
    context: Mapping[str, Any] = field(repr=False)
    offset_argument: Expression | str | None = None

    @lazy
    def widths(self) -> dict[str, int]:
        """Numeric variable → its number of columns; all of them stand in the plans."""
        widths: dict[str, int] = {}
        for plan in (self.fixed, *(term.plan for term in self.random)):
            for column in plan.columns:
                for text, j in column.numeric:
                    widths[text] = max(widths.get(text, 0), j + 1)
        return widths

    def new_design(
        self,
        newdata: Any,
        *,
        random: bool = True,
        terms: Sequence[int] | None = None,
        unknown: Collection[int] = (),
        allow_new_levels: bool = False,
    ) -> tuple[Design, pd.Index[Any]]:
        """The kernel's design for new data, and the index of its rows.

        `terms` picks random terms by public position (default: all; none if `random` is false); the
        design holds them in that order.  The response is not needed.  A row with a missing value of
        a variable stays and its prediction is NaN.  A row whose group is missing is of an unknown
        group: its code is -1, and its random effects count zero.  So are all rows in the terms
        `unknown`, whose grouping factors need not be there.  Raises `DataError` for a column or
        offset that is missing, for a factor level the model has not seen, and for a new grouping
        level unless `allow_new_levels` (then its code is -1 as well).
        """
        from .. import _core

        arguments, index = self.new_arguments(
            newdata,
            random=random,
            terms=terms,
            unknown=unknown,
            allow_new_levels=allow_new_levels,
        )
        return _core.Design(**arguments), index

    def new_arguments(
        self,
        newdata: Any,
        *,
        random: bool = True,
        terms: Sequence[int] | None = None,
        unknown: Collection[int] = (),
        allow_new_levels: bool = False,
    ) -> tuple[dict[str, Any], pd.Index[Any]]:
        """Arguments of `new_design` for the kernel."""
        table = Table(newdata)
        evaluator = Evaluator(table, self.formula.text, self.context, self.state)
        wanted = range(len(self.random)) if terms is None else terms
        chosen = [(self.random[t], t in unknown) for t in (wanted if random else ())]
        variables = self._variables(evaluator, [plan for plan, _ in chosen])
        groups = {UNKNOWN: (np.full(table.n, -1, dtype=np.int32), 1)}
        names = [UNKNOWN if no_level else plan.term.group_name for plan, no_level in chosen]
        for name, (plan, _) in zip(names, chosen, strict=True):
            if name not in groups:
                codes = _group_codes(plan, evaluator, allow_new_levels)
                groups[name] = (codes, len(plan.levels))
        arguments = design_arguments(
            table.n,
            variables,
            self.fixed,
            [(name, plan.plan) for name, (plan, _) in zip(names, chosen, strict=True)],
            groups,
            offset=self._offset(evaluator),
        )
        return arguments, table.index

    def random_columns(self, newdata: Any, term: int) -> NDArray[np.float64]:
        """The columns of a random term, by public position, on new data: shape (rows, q).

        Its grouping factor is not needed.
        """
        from .. import _core

        table, plan = Table(newdata), self.random[term]
        evaluator = Evaluator(table, self.formula.text, self.context, self.state)
        wanted = {v.text: v for v in plan.term.columns.variables}
        variables = {text: self._variable(v, evaluator) for text, v in wanted.items()}
        arguments = design_arguments(table.n, variables, plan.plan, [], {})
        return np.asarray(_core.Design(**arguments).fixed_matrix(), dtype=np.float64)

    def _variables(
        self, evaluator: Evaluator, chosen: Sequence[RandomPlan]
    ) -> dict[str, Matrix | Factor]:
        sides = (self.formula.fixed, *(plan.term.columns for plan in chosen))
        wanted = {v.text: v for side in sides for v in side.variables}
        return {text: self._variable(v, evaluator) for text, v in wanted.items()}

    def _variable(self, expression: Expression, evaluator: Evaluator) -> Matrix | Factor:
        known = self.factors.get(expression.text)
        if known is None:
            value = evaluator.variable(expression)
            if isinstance(value, Factor):
                raise DataError(
                    f"'{expression.text}' is not numeric in the new data; the model was fitted "
                    "with numbers"
                )
            width = self.widths.get(expression.text, len(value.columns))
            if len(value.columns) != width:
                raise DataError(
                    f"'{expression.text}' has {len(value.columns)} columns in the new data; the "
                    f"model was fitted with {width}"
                )
            _refuse_infinite(expression.text, value, evaluator.table)
            return value
        value = evaluator.group(expression)
        codes, _ = value.recode(known.levels)
        new = (codes < 0) & (value.codes >= 0)
        if new.any():
            level = value.levels[int(value.codes[int(np.argmax(new))])]
            raise DataError(_new_level(expression.text, level, known.levels))
        return Factor(codes, known.levels)

    def _offset(self, evaluator: Evaluator) -> NDArray[np.float64] | None:
        parts = [evaluator.numbers(e, "offset") for e in self.formula.offsets]
        if isinstance(self.offset_argument, Expression):
            parts.append(evaluator.numbers(self.offset_argument, "offset"))
        elif self.offset_argument is not None:
            raise DataError(
                "the model's offset was given as numbers, so it is not known for new data; fit "
                "with offset='column' or offset(column) in the formula"
            )
        if not parts:
            return None
        offset = np.asarray(np.sum(parts, axis=0))
        _refuse_infinite("offset", Matrix((offset,), ("",)), evaluator.table)
        return offset


def new_group(plan: RandomPlan, evaluator: Evaluator) -> Factor:
    """A grouping factor in new data, its levels spelt as the model's; code -1 where it is
    missing."""
    names = evaluator.table.names
    for name in (name for expression in plan.term.group for name in expression.names()):
        if name not in names:
            raise DataError(
                evaluator.table.missing(name)
                + "; without groups, re_form='NA' predicts at the population level"
            )
    values = [evaluator.group(expression) for expression in plan.term.group]
    if len(values) == 1:
        return values[0]
    pairs = zip(values, plan.parts, strict=True)
    return combine([_with_labels(value, part) for value, part in pairs])


def _group_codes(
    plan: RandomPlan, evaluator: Evaluator, allow_new_levels: bool
) -> NDArray[np.int32]:
    """Codes among the known levels; -1 where the group is missing, or new and that is allowed."""
    group = new_group(plan, evaluator)
    codes, _ = group.recode(plan.levels)
    new = (codes < 0) & (group.codes >= 0)
    if not new.any():
        return codes
    name = plan.term.group_name
    if not allow_new_levels:
        level = group.levels[int(group.codes[int(np.argmax(new))])]
        raise DataError(
            _new_level(name, level, plan.levels)
            + "; allow_new_levels=True predicts it with random effects of zero, as a missing value "
            "(None) of the group does"
        )
    _require_same_kind(name, group.levels[np.unique(group.codes[new])], plan.levels)
    return codes


def _require_same_kind(name: str, new: pd.Index[Any], known: pd.Index[Any]) -> None:
    """A "3" where the model has a 3 is that level misread, not a new one."""
    labels = {level_label(level) for level in known}
    for level in new:
        if level_label(level) in labels:
            raise DataError(_new_level(name, level, known))


def _with_labels(value: Factor, known: Factor) -> Factor:
    """The levels of new data spelt like the known ones (1 and 1.0 are one level)."""
    positions = known.levels.get_indexer(value.levels).tolist()
    labels = [
        level_label(known.levels[p]) if p >= 0 else level_label(level)
        for p, level in zip(positions, value.levels, strict=True)
    ]
    return Factor(value.codes, pd.Index(labels, dtype=object))


def _new_level(name: str, level: Any, levels: pd.Index[Any]) -> str:
    known = ", ".join(level_label(known) for known in levels[:8])
    more = ", ..." if len(levels) > 8 else ""
    hint = ""
    if level_label(level) in {level_label(known) for known in levels}:
        hint = f" (of type {type(level).__name__}; the model has {type(levels[0]).__name__})"
    return (
        f"level {show(level)} of '{name}' is not among the levels the model was fitted with: "
        f"{known}{more}{hint}"
    )


def _refuse_infinite(name: str, matrix: Matrix, table: Table) -> None:
    for column in matrix.columns:
        beyond = np.abs(column) >= MAX_MAGNITUDE
        if beyond.any():
            at = int(np.argmax(beyond))
            value = "infinite" if np.isinf(column[at]) else f"{column[at]:g}"
            raise DataError(
                f"'{name}' is {value} in row {show(table.index[at])} of the new data; expected "
                f"absolute values below {MAX_MAGNITUDE:g}"
            )
