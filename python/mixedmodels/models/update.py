"""`m.update(...)`: the same call with some arguments changed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import ArgumentError, DataError
from .convergence import warn_about_fit

if TYPE_CHECKING:
    from .fitted import FittedModel
    from .generalised_model import GeneralizedLinearMixedModel, GeneralizedLinearModel
    from .model import LinearMixedModel, LinearModel

__all__ = ["update", "update_generalised", "update_linear"]

GeneralisedModel = TypeVar(
    "GeneralisedModel", "GeneralizedLinearMixedModel", "GeneralizedLinearModel"
)

_DOT = re.compile(r"(?<![\w.])\.(?![\w.])")  # alone, not the dot of a number or of a name


def update(
    model: LinearMixedModel, formula: str | None, data: Any, REML: bool | None
) -> LinearMixedModel:
    """Documented at `LinearMixedModel.update`."""
    reml = model.reml if REML is None else REML
    if formula is None and data is None:
        from .model import with_criterion

        updated = with_criterion(model, reml)
        m = updated._matrices
        warn_about_fit(updated._fit, m.terms, m.fixed_names)
        return updated
    from .fit import lmer

    call = model._call.without_start()
    return lmer(
        updated_formula(model, formula),
        call.data if data is None else data,
        REML=reml,
        control=call.control,
        n_threads=call.n_threads,
        **_arguments(model),
    )


def update_linear(model: LinearModel, formula: str | None, data: Any) -> LinearModel:
    """Documented at `LinearModel.update`."""
    from .fit import lm

    data = model._call.data if data is None else data
    return lm(updated_formula(model, formula), data, **_arguments(model))


def update_generalised(
    model: GeneralisedModel, formula: str | None, data: Any, changes: dict[str, Any]
) -> GeneralisedModel:
    """Documented at `GeneralizedLinearMixedModel.update`."""
    from .generalised_fit import glm, glmer

    call, mixed = model._call.without_start(), bool(model._matrices.terms)
    allowed = ("family", "nAGQ", "criterion") if mixed else ("family",)
    for name in changes:
        if name not in allowed:
            raise ArgumentError(
                f"update has no argument {name!r}; expected formula, data or {', '.join(allowed)}"
            )
    known: dict[str, Any] = {"family": call.family, **_arguments(model)}
    known["control"] = call.control
    if mixed:
        known |= {"nAGQ": call.quadrature, "n_threads": call.n_threads}
        known["criterion"] = None if "family" in changes else call.criterion
    fit: Any = glmer if mixed else glm
    new_data = call.data if data is None else data
    updated: GeneralisedModel = fit(updated_formula(model, formula), new_data, **known | changes)
    return updated


def _arguments(model: FittedModel) -> dict[str, Any]:
    call = model._call
    names = ("weights", "offset", "contrasts", "na_action", "context")
    return {name: getattr(call, name) for name in names}


def updated_formula(model: FittedModel, formula: str | None) -> str:
    """A formula in which "." stands for the old response on the left and, at the start of the right
    side, for the old terms.

    >>> from types import SimpleNamespace
    >>> updated_formula(SimpleNamespace(formula="y ~ x + (1 | g)"), ". ~ . + z")
    'y ~ x + (1 | g) + z'
    >>> updated_formula(SimpleNamespace(formula="y ~ x + (1 | g)"), "log(.) ~ . - (1 | g)")
    'log(y) ~ x + (1 | g) - (1 | g)'
    """
    if model.formula is None:
        raise DataError("a model fitted from arrays has no formula to update; fit again")
    if formula is None:
        return model.formula
    old_left, old_right = (side.strip() for side in model.formula.split("~", 1))
    left, tilde, right = formula.partition("~")
    if not tilde:
        return formula
    left = _DOT.sub(lambda _: old_left, left.strip() or ".")
    if re.match(r"\s*\.\s*($|[+-])", right):
        right = old_right + right.strip()[1:]
    return f"{left} ~ {right.strip()}"
