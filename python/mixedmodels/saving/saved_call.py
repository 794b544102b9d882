"""The arguments of a fit as a record, without the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError
from ..families import FAMILIES, Family
from ..input_tables.columns import Table
from ..input_tables.no_rows import NoRows
from ..matrices.model_frame import NA_ACTIONS
from ..models.call import Call, check_threads
from ..models.control import Control
from .codec import ArrayOf
from .container import refuse
from .saved_spec import SavedContrast, load_contrasts, save_contrasts

__all__ = ["SavedCall", "check_context", "load_call", "save_call"]

Vector = Annotated[NDArray[np.float64], ArrayOf("f8", 1)]
Context = Mapping[str, Callable[..., Any]]

MOST_NODES = 25


@dataclass(frozen=True)
class SavedControl:
    optimizer: str
    tolerance: float
    max_evaluations: int
    time_limit: float | None
    start: tuple[float, ...] | None
    allow_saturated: bool


@dataclass(frozen=True)
class SavedFamily:
    name: str
    link: str
    dispersion: float | None


@dataclass(frozen=True)
class SavedCall:
    """True for weights and an offset: given as numbers, which are not kept."""

    weights: str | Vector | bool | None
    offset: str | Vector | bool | None
    contrasts: dict[str, SavedContrast] | None
    na_action: str
    context: tuple[str, ...] | None
    control: SavedControl
    n_threads: int | None
    family: SavedFamily | None = None
    quadrature: int = 1
    criterion: Literal["fisher", "observed"] | None = None


def save_call(call: Call, used: set[str], with_rows: bool) -> SavedCall:
    """`used` are the names in the formula: of `context=` those are kept."""
    family, context = call.family, call.context
    return SavedCall(
        weights=_given(call.weights, "weights", with_rows),
        offset=_given(call.offset, "offset", with_rows),
        contrasts=save_contrasts(call.contrasts),
        na_action=str(call.na_action),
        context=None if context is None else tuple(n for n in map(str, context) if n in used),
        control=_save_control(call.control),
        n_threads=None if call.n_threads is None else int(call.n_threads),
        family=None if family is None else _save_family(family),
        quadrature=call.quadrature,
        criterion=call.criterion,
    )


def _save_family(family: Family) -> SavedFamily:
    return SavedFamily(family.name, family.link, family.dispersion)


def _given(value: Any, what: str, with_rows: bool) -> Any:
    if value is None or isinstance(value, str):
        return value
    return np.array(Table({what: value}).column(what).numeric) if with_rows else True


def _save_control(control: Control) -> SavedControl:
    start, limit = control.start, control.time_limit
    return SavedControl(
        optimizer=control.optimizer,
        tolerance=float(control.tolerance),
        max_evaluations=int(control.max_evaluations),
        time_limit=None if limit is None else float(limit),
        start=None if start is None else tuple(float(value) for value in start),
        allow_saturated=bool(control.allow_saturated),
    )


def load_call(saved: SavedCall, data: Any, context: Context | None, with_rows: bool) -> Call:
    """The arguments; raises a `MixedModelsError` for values that no fit accepts."""
    if saved.na_action not in NA_ACTIONS or not 0 <= saved.quadrature <= MOST_NODES:
        refuse("the arguments of its fit are none")
    check_threads(saved.n_threads)
    c = saved.control
    optimizer: Any = c.optimizer
    return Call(
        data=data,
        weights=_taken(saved.weights, with_rows),
        offset=_taken(saved.offset, with_rows),
        contrasts=load_contrasts(saved.contrasts),
        na_action=saved.na_action,
        context=None if saved.context is None else dict(context or {}),
        control=Control(
            optimizer=optimizer,
            tolerance=c.tolerance,
            max_evaluations=c.max_evaluations,
            time_limit=c.time_limit,
            start=c.start,
            allow_saturated=c.allow_saturated,
        ),
        n_threads=saved.n_threads,
        family=None if saved.family is None else _load_family(saved.family),
        quadrature=saved.quadrature,
        criterion=saved.criterion,
    )


def _taken(value: str | NDArray[np.float64] | bool | None, with_rows: bool) -> Any:
    if isinstance(value, np.ndarray | bool) and isinstance(value, bool) == with_rows:
        refuse("weights or an offset are there without the rows, or the rows without them")
    given: ArrayLike | str | NoRows | None = NoRows() if isinstance(value, bool) else value
    return given


def check_context(names: tuple[str, ...] | None, given: Context | None) -> None:
    """Refuse to load a formula without the functions that it calls."""
    missing = [name for name in names or () if name not in (given or {})]
    if missing:
        raise ArgumentError(
            f"the model's formula uses {', '.join(missing)} of context=, which a file does not "
            "hold: pass it again, as mm.load(path, context={'" + missing[0] + "': ...})"
        )


def _load_family(saved: SavedFamily) -> Family:
    if saved.name not in FAMILIES:
        refuse(f"its family is {saved.name!r:.40}")
    family = Family(saved.name, saved.link, saved.dispersion)
    held = saved.dispersion
    if held is not None and not (family.has_shape and 0 < held < float("inf")):
        refuse("its family has a dispersion that it cannot have")
    return family
