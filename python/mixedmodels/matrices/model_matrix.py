"""Formula + model frame → the kernel's design, the names, and the spec that `predict` uses again.

The public order of random terms is lme4's: as written if their numbers of levels never increase,
else by decreasing number of levels with ties reversed (`rev(order(nlevels))`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError, MixedModelsWarning, warn
from ..formulas.contrasts import Contrast, contrast_from
from ..formulas.formula import Formula, RandomTerm
from ..input_tables.factors import Factor, combine
from ..input_tables.no_rows import NoRows
from .arrays import ArrayModel, array_model
from .coding import plan_matrix
from .design import design_arguments
from .model_frame import ModelFrame, contrast_key
from .model_spec import ModelSpec, RandomPlan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .._core import Design
    from ..formulas.transforms import Matrix

    Array = NDArray[np.float64]

__all__ = [
    "ModelMatrices",
    "ModelSpec",
    "TermInfo",
    "from_arrays",
    "model_matrices",
    "plan_model",
    "plan_spec",
    "term_infos",
]


@dataclass(frozen=True)
class TermInfo:
    """One random term in public order: its group, its columns, the levels of the group."""

    group: str
    columns: tuple[str, ...]
    levels: pd.Index[Any]


@dataclass(frozen=True)
class ModelMatrices:
    """The kernel's design and everything a label needs.

    `index` has the kept rows' labels, `full_index` the whole table's; `rows` are the positions kept
    (None: all).  `response`, `sizes`, `weights`, `offset` are arrays over the kept rows, made on
    demand.
    """

    design: Design
    fixed_names: tuple[str, ...]
    response_name: str
    terms: tuple[TermInfo, ...]
    full_index: pd.Index[Any]
    rows: NDArray[np.uint32] | None
    nobs: int
    missing: pd.Series[int]
    zero_weights: int
    na_action: str
    spec: ModelSpec | None
    _full: Mapping[str, Array | NoRows | None] = field(repr=False)
    arrays: ArrayModel | None = field(default=None, repr=False)  # of a model without a formula

    @property
    def index(self) -> pd.Index[Any]:
        return self.full_index if self.rows is None else self.full_index.take(self.rows)

    @property
    def response(self) -> Array:
        """(nobs,) the response."""
        values = self._kept("response")
        assert values is not None
        return values

    @property
    def sizes(self) -> Array | None:
        """(nobs,) the binomial's numbers of trials, or None."""
        return self._kept("sizes")

    @property
    def weights(self) -> Array | None:
        """(nobs,) prior weights, or None."""
        return self._kept("weights")

    @property
    def offset(self) -> Array | None:
        """(nobs,) the known part of the mean, or None."""
        return self._kept("offset")

    @property
    def is_weighted(self) -> bool:
        """Whether there are prior weights."""
        return self._full["weights"] is not None

    @property
    def has_offset(self) -> bool:
        """Whether a part of the mean is known."""
        return self._full["offset"] is not None

    def all_rows(self, name: str) -> Array | None:
        """response, sizes, weights or offset over all rows of the table, or None."""
        values = self._full[name]
        if isinstance(values, NoRows):
            values.refuse()
        return values

    def on_table(self, values: Array) -> Array:
        """Values of the rows used → of all rows of the table, NaN elsewhere; shape (rows, ...)."""
        if self.rows is None:
            return values
        padded = np.full((len(self.full_index), *values.shape[1:]), np.nan)
        padded[self.rows] = values
        return padded

    def _kept(self, name: str) -> Array | None:
        values = self.all_rows(name)
        return values if values is None or self.rows is None else values[self.rows]


def model_matrices(
    formula: Formula, frame: ModelFrame, *, contrasts: Mapping[str, Any] | None = None
) -> ModelMatrices:
    """Plan the matrices of a formula on its frame and hand them to the kernel.

    `contrasts` maps a factor of the fixed part to a coding: "treatment", "sum", "helmert", "poly",
    "SAS", or a matrix with one row per level; random terms keep the default coding, as in lme4.
    Raises `DataError` for a factor with one level, a response that is constant or not one column.
    """
    from .. import _core

    arguments, spec, terms = plan_model(frame, contrasts)
    return ModelMatrices(
        design=_core.Design(**arguments),
        fixed_names=spec.fixed.names,
        response_name=formula.response.text if formula.response else "y",
        terms=terms,
        full_index=frame.index,
        rows=frame.rows,
        nobs=frame.nobs,
        missing=frame.missing,
        zero_weights=frame.zero_weights,
        na_action=frame.na_action,
        spec=spec,
        _full={
            "response": frame.response,
            "sizes": frame.sizes,
            "weights": frame.weights,
            "offset": frame.offset,
        },
    )


def plan_model(
    frame: ModelFrame, contrasts: Mapping[str, Any] | None = None
) -> tuple[dict[str, Any], ModelSpec, tuple[TermInfo, ...]]:
    """The kernel's arguments, the spec and the terms in public order; needs no kernel."""
    formula = frame.formula
    _check_response(frame)
    groups = _combined_groups(frame)
    spec = plan_spec(
        formula,
        frame.variables,
        frame.groups | groups,
        contrasts,
        state=frame.state,
        context=frame.context,
        offset_argument=frame.offset_argument,
    )
    _report_double_bars(spec.random)
    arguments = design_arguments(
        frame.n_table,
        frame.variables,
        spec.fixed,
        [(plan.term.group_name, plan.plan) for plan in spec.random],
        {name: (group.codes, len(group.levels)) for name, group in groups.items()},
        rows=frame.rows,
        response=frame.response,
        weights=frame.weights,
        offset=frame.offset,
        **({} if frame.sizes is None else {"sizes": frame.sizes}),
    )
    return arguments, spec, term_infos(spec)


def plan_spec(
    formula: Formula,
    variables: Mapping[str, Matrix | Factor],
    groups: Mapping[str, Factor],
    contrasts: Mapping[str, Any] | None = None,
    **known: Any,
) -> ModelSpec:
    """The plans of a formula's matrices, from levels and names alone: codes and columns may be
    empty.

    `groups` has the parts of grouping factors by their texts, and their combinations by the terms'
    group names; `known` are the other fields of the spec.
    """
    fixed = plan_matrix(formula.fixed, variables, _chosen_contrasts(contrasts, formula, variables))
    random = [_random_plan(term, variables, groups) for term in formula.random]
    return ModelSpec(
        formula=formula,
        fixed=fixed,
        random=tuple(random[t] for t in public_order([len(plan.levels) for plan in random])),
        factors={k: _no_codes(v) for k, v in variables.items() if isinstance(v, Factor)},
        **known,
    )


def term_infos(spec: ModelSpec) -> tuple[TermInfo, ...]:
    """The labels of a spec's random terms."""
    return tuple(TermInfo(p.term.group_name, p.plan.names, p.levels) for p in spec.random)


def public_order(n_levels: list[int]) -> list[int]:
    """lme4's order of terms by their numbers of levels.

    >>> public_order([3, 5, 5])
    [2, 1, 0]
    """
    if all(a >= b for a, b in pairwise(n_levels)):
        return list(range(len(n_levels)))
    return sorted(range(len(n_levels)), key=n_levels.__getitem__)[::-1]


def _check_response(frame: ModelFrame) -> None:
    if frame.family is not None or not frame.formula.random:
        return
    text = frame.formula.response.text if frame.formula.response else ""
    kept = frame.response if frame.rows is None else frame.response[frame.rows]
    if len(kept) > 1 and float(kept.min()) == float(kept.max()):
        raise DataError(
            f"the response '{text}' is {kept[0]:g} in every row used; nothing varies that a mixed "
            "model could explain"
        )


def _chosen_contrasts(
    contrasts: Mapping[str, Any] | None,
    formula: Formula,
    variables: Mapping[str, Matrix | Factor],
) -> dict[str, Contrast]:
    if not isinstance(contrasts or {}, Mapping):
        raise ArgumentError(
            f"contrasts is {contrasts!r}; expected a coding by factor, as {{'f': 'sum'}}"
        )
    wanted = {v.text for v in formula.fixed.variables}
    fixed = {text: value for text, value in variables.items() if text in wanted}
    return {
        contrast_key(str(name), fixed): contrast_from(value, str(name))
        for name, value in (contrasts or {}).items()
    }


def _combined_groups(frame: ModelFrame) -> dict[str, Factor]:
    """Every grouping factor of the formula by its public name; interactions keep what occurs."""
    groups: dict[str, Factor] = {}
    for term in frame.formula.random:
        if term.group_name not in groups:
            factor = combine([frame.groups[part.text] for part in term.group])
            factor = factor.drop_unused(frame.rows) if len(term.group) > 1 else factor
            groups[term.group_name] = factor
    return groups


def _random_plan(
    term: RandomTerm, variables: Mapping[str, Matrix | Factor], groups: Mapping[str, Factor]
) -> RandomPlan:
    plan = plan_matrix(term.columns, variables)
    parts = tuple(_no_codes(groups[part.text]) for part in term.group)
    return RandomPlan(term, plan, groups[term.group_name].levels, parts)


def _report_double_bars(random: tuple[RandomPlan, ...]) -> None:
    for plan in random:
        if plan.term.from_double_bar and len(plan.plan.columns) > 1:
            warn(
                f"a factor left of '||' keeps its correlations: the term is {plan.term.text}, "
                "as in lme4",
                MixedModelsWarning,
            )


def _no_codes(factor: Factor) -> Factor:
    return replace(factor, codes=np.zeros(0, dtype=np.int32))


def from_arrays(
    y: Any, X: Any, terms: Any, *, weights: Any = None, offset: Any = None
) -> ModelMatrices:
    """The same for arrays: `terms` is [(Z (n, q) or (n,), groups (n,)), ...].

    Columns take their names from DataFrames and Series (else x1, x2, ... and g1, g2, ...); terms
    are put into the public order.  Nothing may be missing or infinite.  Raises `DataError` naming
    the argument.
    """
    from .. import _core

    model = array_model(y, X, terms, weights, offset)
    arguments, n = dict(model.arguments), model.n
    infos = [TermInfo(*info) for info in model.terms]
    order = public_order([len(info.levels) for info in infos])
    arguments["terms"] = [arguments["terms"][t] for t in order]
    rows = arguments["rows"]
    nobs = n if rows is None else len(rows)
    return ModelMatrices(
        design=_core.Design(**arguments),
        fixed_names=model.fixed_names,
        response_name=str(y.name) if isinstance(y, pd.Series) and y.name is not None else "y",
        terms=tuple(infos[t] for t in order),
        full_index=y.index if isinstance(y, pd.Series) else pd.RangeIndex(n),
        rows=rows,
        nobs=nobs,
        missing=pd.Series({}, dtype=np.int64, name="missing"),
        zero_weights=n - nobs,
        na_action="drop",
        spec=None,
        _full={name: arguments.get(name) for name in ("response", "sizes", "weights", "offset")},
        arrays=model,
    )
