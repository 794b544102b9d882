"""Models ↔ bytes: what files of `m.save` and pickles hold.

With data a model is saved as its call and its table: loading evaluates the formula again, as the
fit did, and the kernel takes up the fit from its numbers without optimising. Without data it is
saved as in `lean_model.py`.

To add to what is saved: a field with a default in a record, which older files then load with.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np

from ..errors import (
    ArgumentError,
    DataError,
    InsufficientMemoryError,
    MixedModelsError,
    SavedModelError,
)
from ..formulas.formula import parse
from ..formulas.variables_used import names_used
from ..input_tables.columns import Table
from ..input_tables.no_rows import NoRows
from ..matrices.model_matrix import ModelMatrices
from ..models.call import Call, revive
from ..models.generalised_model import GeneralizedLinearMixedModel, GeneralizedLinearModel
from ..models.model import LinearMixedModel, LinearModel
from . import container
from .codec import decode, encode
from .container import refuse
from .lean_model import LeanModel, load_lean, put_back, save_lean
from .saved_arrays import SavedArrays, load_arrays, save_arrays
from .saved_call import SavedCall, check_context, load_call, save_call
from .saved_spec import SavedSpec, load_spec, save_spec
from .saved_table import SavedTable, load_table, save_table
from .stored_fit import Vector, check_estimates

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["Context", "Model", "from_bytes", "pieces", "to_bytes"]

Context = Mapping[str, Callable[..., Any]]
Model: TypeAlias = (
    LinearMixedModel | LinearModel | GeneralizedLinearMixedModel | GeneralizedLinearModel
)

KINDS: dict[str, Any] = {kind.__name__: kind for kind in get_args(Model)}
CLOSE = 1e-6  # relative difference of fitted values made again, by another version of a library say


@dataclass(frozen=True)
class FitState:
    """The kernel's `Fit.state()`."""

    numbers: dict[str, bool | int | float | str]
    vectors: dict[str, Vector]
    lists: dict[str, tuple[Vector, ...]]
    texts: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class FullModel:
    table: SavedTable | None
    arrays: SavedArrays | None  # of a model without a formula
    response: Vector | None  # of refit(y)
    state: FitState
    size: float  # √Σ η², to compare with when the linear predictor is made again


@dataclass(frozen=True)
class SavedModel:
    kind: Literal[
        "LinearMixedModel", "LinearModel", "GeneralizedLinearMixedModel", "GeneralizedLinearModel"
    ]
    written_by: str  # version of the package
    formula: str | None
    names: tuple[str, ...]  # of the columns of X
    call: SavedCall
    spec: SavedSpec | None  # without rows, of a model with a formula
    full: FullModel | None
    lean: LeanModel | None


# --- Saving ---


def to_bytes(model: FittedModel, *, data: bool) -> bytes:
    """The bytes of a model, with or without its data."""
    return b"".join(pieces(model, data=data))


def pieces(model: FittedModel, *, data: bool) -> list[bytes | memoryview]:
    """The same in parts; raises `DataError` for data that are not there or that a file cannot
    hold."""
    from .. import __version__

    if data and not model._has_rows:
        raise DataError(
            "this model was saved without its data, so there are none to save: save(path, "
            "data=False)"
        )
    m, call = model._matrices, model._call
    used = set() if m.spec is None else names_used(m.spec.formula, call.weights, call.offset)
    record = SavedModel(
        kind=type(model).__name__,  # type: ignore[arg-type]
        written_by=__version__,
        formula=model.formula,
        names=m.fixed_names,
        call=save_call(call, used, data),
        spec=None if data or m.spec is None else save_spec(m.spec),
        full=_save_full(model, used) if data else None,
        lean=None if data else save_lean(model),
    )
    return container.pack(*encode(record, SavedModel))


def _save_full(model: FittedModel, used: set[str]) -> FullModel:
    m, table = model._matrices, None
    if m.spec is not None:
        given = Table(model._call.data)
        every = m.spec.formula.has_dot  # a dot stands for all columns, in their order
        table = save_table(given, [name for name in given.names if every or name in used])
    return FullModel(
        table=table,
        arrays=save_arrays(m) if m.spec is None else None,
        response=model._new_response,
        state=_save_state(model._fit.state()),
        size=_size(model),
    )


def _size(model: FittedModel) -> float:
    return float(np.linalg.norm(model._linear_predictor))


def _save_state(state: Mapping[str, Any]) -> FitState:
    lists = {name: tuple(value) for name, value in state.items() if isinstance(value, list)}
    vectors = {name: value for name, value in state.items() if isinstance(value, np.ndarray)}
    return FitState(
        numbers={k: v for k, v in state.items() if k not in lists and k not in vectors},
        vectors=vectors,
        lists={k: v for k, v in lists.items() if k != "messages"},
        texts={"messages": lists["messages"]},
    )


# --- Loading ---


def from_bytes(data: bytes, context: Context | None = None) -> Model:
    """The model of `to_bytes`."""
    if not isinstance(context or {}, Mapping):
        raise ArgumentError(f"context is {context!r:.80}; expected functions by name")
    content, arrays = container.unpack(data)
    saved = decode(content, SavedModel, arrays)
    check_context(saved.call.context, context)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # given when the model was fitted
            return _model(saved, context)
    except (InsufficientMemoryError, SavedModelError):
        raise
    except MixedModelsError as error:
        raise SavedModelError(f"the saved model cannot be made again: {error}") from error


def _model(saved: SavedModel, context: Context | None) -> Model:
    linear, mixed = saved.call.family is None, "Mixed" in saved.kind
    if linear != saved.kind.startswith("Linear"):
        refuse("its family is not that of its kind of model")
    model = _full(saved, context) if saved.lean is None else _lean(saved, context)
    if mixed != bool(model._matrices.terms):
        refuse("its terms are not those of its kind of model")
    return model


def _lean(saved: SavedModel, context: Context | None) -> Model:
    assert saved.lean is not None
    if saved.full is not None or (saved.spec is None) != (saved.formula is None):
        refuse("it has parts that exclude each other")
    data = None if saved.formula is None else NoRows()
    call = load_call(saved.call, data, context, with_rows=False)
    spec = None
    if saved.spec is not None and saved.formula is not None:
        spec = load_spec(saved.spec, saved.formula, call.contrasts, call.context or {})
        _check_names(saved, spec.fixed.names)
    linear = call.family is None
    matrices, fit = load_lean(saved.lean, spec, saved.names, str(call.na_action), linear)
    model: Model = KINDS[saved.kind](saved.formula, matrices, fit, call)
    put_back(model, saved.lean.made)
    return model


def _full(saved: SavedModel, context: Context | None) -> Model:
    full = saved.full
    if full is None or (full.table is None) == (full.arrays is None):
        refuse("it has neither data nor what is saved without them")
    table = None if full.table is None else load_table(full.table)
    call = load_call(saved.call, table, context, with_rows=True)
    if full.arrays is not None:
        matrices = load_arrays(full.arrays, call.weights, call.offset)
    else:
        matrices = _matrices(saved.formula, call)
    _check_names(saved, matrices.fixed_names)
    design, response = matrices.design, full.response
    if response is not None:
        if response.shape != (len(matrices.full_index),):
            refuse("its new response has another length than its table")
        design = design.with_response(response)
    fit = _revived(matrices, call, full.state, design)
    model: Model = KINDS[saved.kind](saved.formula, matrices, fit, call, response)
    if not abs(_size(model) - full.size) <= CLOSE * full.size:
        raise SavedModelError(
            "the saved model's formula gives other values than when it was saved; are the "
            "functions of context= the same?"
        )
    return model


def _matrices(formula: str | None, call: Call) -> ModelMatrices:
    if formula is None:
        refuse("it has a table but no formula")
    return call.matrices(call.frame(parse(formula)))


def _check_names(saved: SavedModel, names: tuple[str, ...]) -> None:
    if names != saved.names:
        raise SavedModelError(
            f"the saved model has columns {', '.join(saved.names)[:200]}, and its formula now "
            f"gives {', '.join(names)[:200]}; it was written by mixedmodels {saved.written_by:.20}"
        )


def _revived(matrices: ModelMatrices, call: Call, saved: FitState, design: Any) -> Any:
    state = {
        **saved.numbers,
        **saved.vectors,
        **{name: list(value) for name, value in saved.lists.items()},
        **{name: list(value) for name, value in saved.texts.items()},
    }
    try:
        fit = revive(matrices, call, state, design)
    except (OverflowError, TypeError) as error:
        refuse(f"the numbers of its fit are none ({error})")
    counts = len(matrices.fixed_names), len(matrices.terms)
    check_estimates(fit, *counts, linear=call.family is None)
    return fit
