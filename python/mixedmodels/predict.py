"""Prediction: which random effects count, and on which rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import ArgumentError, DataError, FormulaError

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["predict"]

Modes = list[NDArray[np.float64] | None]


def predict(
    model: FittedModel,
    newdata: Any = None,
    re_form: str | float | None = None,
    *,
    allow_new_levels: bool = False,
    type: str = "response",
    interval: str | None = None,
) -> pd.Series[float]:
    """Predicted means; documented at `LinearMixedModel.predict`."""
    if interval is not None:
        raise ArgumentError(f"interval={interval!r} is not available yet; only interval=None is")
    if type not in ("response", "link"):
        raise ArgumentError(f"predictions of type {type!r}: choose response or link")
    modes = chosen_modes(model, re_form)
    if newdata is None:
        eta = np.asarray(model._design.linear_predictor(model._fit.beta, modes))
        return model._on_rows(eta if type == "link" else model._mean(eta), "prediction")
    spec = model._matrices.spec
    if spec is None:
        raise DataError(
            "a model fitted from arrays has no formula to read new data with: compute X @ m.fixef "
            "and add rows of m.ranef()"
        )
    wanted = [t for t, mode in enumerate(modes) if mode is not None]
    design, index = spec.new_design(
        newdata, random=bool(wanted), terms=wanted, allow_new_levels=allow_new_levels
    )
    eta = np.asarray(design.linear_predictor(model._fit.beta, [modes[t] for t in wanted]))
    values = eta if type == "link" else model._mean(eta)
    return pd.Series(values, index=index, name="prediction")


def chosen_modes(model: FittedModel, re_form: str | float | None) -> Modes:
    """The conditional modes to use, one entry a term; None where a term does not count."""
    terms = model._matrices.terms
    if re_form is None:
        return list(model._modes)
    if re_form is False or (isinstance(re_form, float) and math.isnan(re_form)):
        return [None] * len(terms)
    if not isinstance(re_form, str):
        raise ArgumentError(
            f're_form={re_form!r}: give None (all random effects), "NA" or False (none), or a '
            'formula such as "~ (1 | g)"'
        )
    if re_form.replace(" ", "") in ("NA", "~0", "0", "~NA"):
        return [None] * len(terms)
    wanted = _columns_by_group(model, re_form)
    modes: Modes = [None] * len(terms)
    for t, term in enumerate(terms):
        columns = wanted.get(term.group, set())
        used = np.array([column in columns for column in term.columns])
        if used.any():
            modes[t] = np.where(used, model._modes[t], 0.0)
            columns.difference_update(term.columns)
    left = [f"{column} by {group}" for group, names in wanted.items() for column in sorted(names)]
    if left:
        raise FormulaError(
            f"re_form has random effects that the model does not have: {', '.join(left)}", re_form
        )
    return modes


def _columns_by_group(model: FittedModel, re_form: str) -> dict[str, set[str]]:
    """Group → names of the columns that the terms of `re_form` make on the model's own data."""
    import warnings

    from .errors import MissingDataWarning
    from .formula import parse
    from .model_frame import model_frame
    from .model_matrix import model_matrices

    call = model._call
    if model.formula is None or call.data is None:
        raise DataError("a model fitted from arrays has no formula: re_form can be None or False")
    response = model.formula.split("~", 1)[0]
    text = re_form if "~" in re_form else f"~ {re_form}"
    parsed = parse(f"{response} {text}")
    if not parsed.random:
        raise FormulaError("re_form has no term such as (1 | g)", re_form)
    known = {term.group for term in model._matrices.terms}
    unknown = [term.group_name for term in parsed.random if term.group_name not in known]
    if unknown:
        raise FormulaError(
            f"re_form: the model has no random effects by '{unknown[0]}'; it has them by "
            f"{', '.join(sorted(known)) or 'nothing'}",
            re_form,
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MissingDataWarning)
        frame = model_frame(
            parsed, call.data, na_action="drop", context=call.context, family=call.family
        )
        matrices = model_matrices(parsed, frame, contrasts=call.contrasts)
    wanted: dict[str, set[str]] = {}
    for term in matrices.terms:
        wanted.setdefault(term.group, set()).update(term.columns)
    return wanted
