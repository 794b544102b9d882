"""Fits of smaller models to the very rows of a model: what `drop1` and `ranova` compare with.

The model's own frame is evaluated again and only the formula's terms change, so that rows, weights,
offset and what stateful functions learnt stay as they were, also where the terms left out were the
only ones with missing values.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..errors import DataError, MissingDataWarning, MixedModelsWarning
from ..formulas.formula import RandomTerm, Terms
from ..matrices.model_frame import ModelFrame
from .fitted import FittedModel

__all__ = ["Submodels", "convergence_notes", "droppable", "without"]


@dataclass(frozen=True)
class Submodels:
    """The frame of a fitted model, from which models with fewer terms are fitted."""

    model: FittedModel
    frame: ModelFrame

    @classmethod
    def of(cls, model: FittedModel, what: str) -> Submodels:
        """The frame of `model`; `what` names the caller in the error about models from arrays."""
        spec, call = model._matrices.spec, model._call
        if spec is None:
            raise DataError(
                f"{what} needs a formula, whose terms it drops; this model was fitted from arrays. "
                "Fit the smaller models with mm.lmer_arrays and compare them with mm.anova"
            )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MissingDataWarning)  # said when the model was fitted
            frame = call.frame(spec.formula)
        return cls(model, frame)

    def fit(
        self,
        REML: bool,
        *,
        fixed: Terms | None = None,
        random: Sequence[RandomTerm] | None = None,
    ) -> FittedModel:
        """The model with other fixed or random terms; warns of nothing.

        Without random terms it is a `LinearModel` or a `GeneralizedLinearModel`.
        """
        model, formula = self.model, self.frame.formula
        formula = replace(
            formula,
            fixed=formula.fixed if fixed is None else fixed,
            random=formula.random if random is None else tuple(random),
        )
        frame = replace(self.frame, formula=formula)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MixedModelsWarning)  # said when the model was fitted
            matrices = model._call.matrices(frame)
        return model._with_matrices(matrices, model._new_response, REML)


def droppable(terms: Terms) -> list[int]:
    """Positions of the terms whose variables are not all in a larger term."""
    sets = [frozenset(term) for term in terms.terms]
    return [t for t, term in enumerate(sets) if not any(term < other for other in sets)]


def without(terms: Terms, t: int) -> Terms:
    """The terms but the one at position t."""
    return replace(terms, terms=terms.terms[:t] + terms.terms[t + 1 :])


def convergence_notes(rows: Sequence[str], models: Sequence[FittedModel]) -> list[str]:
    """What a table has to say of fits that are not at their optimum."""
    return [
        f"{row}: the fit did not converge, its test is void."
        for row, model in zip(rows, models, strict=True)
        if not model._fit.converged
    ]
