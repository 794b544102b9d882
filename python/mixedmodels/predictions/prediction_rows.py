"""The rows of a prediction: those of the fit or of new data, and which random effects they know.

A row knows the effects of a term as estimated if `re_form` names them and the row has a level that
the fit has seen. It does not if its group is missing (of unknown identity), or new, or the term is
left out: then the effects are another draw from N(0, Σ), of mean zero.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError
from ..formulas.evaluate import Evaluator
from ..input_tables.columns import Table
from ..lazy import lazy
from ..matrices.model_spec import new_group
from ..models.rows import group_codes
from .joint import Effects, SolvedJoint, own_effects

if TYPE_CHECKING:
    from collections.abc import Collection

    from .._core import Design
    from ..models.prediction import Prediction

__all__ = ["Rows", "rows_of"]

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Codes = NDArray[np.signedinteger[Any]]


def rows_of(
    model: Prediction,
    newdata: Any,
    used: list[Mask],
    *,
    left_out: bool,
    allow_new_levels: bool = False,
) -> Rows:
    """The rows of `newdata`, or of the fit where it is None.

    Parameters
    ----------
    used
        Per term of the model the columns whose effects count as estimated; see `effects_named`.
    left_out
        Whether the columns of the other terms are wanted as well (not their groups).

    Raises
    ------
    DataError
        As `ModelSpec.new_design`; also for new data where the model was fitted from arrays.
    """
    if newdata is None:
        return Rows(model, used, list(range(len(used))), model._design)
    spec = model._matrices.spec
    if spec is None:
        raise DataError(
            "a model fitted from arrays has no formula to read new data with: compute X @ m.fixef "
            "and add rows of m.ranef()"
        )
    from .. import _core

    terms = [t for t, mask in enumerate(used) if left_out or mask.any()]
    arguments, index = spec.new_arguments(
        newdata,
        terms=terms,
        unknown=[t for t in terms if not used[t].any()],
        allow_new_levels=allow_new_levels,
    )
    return Rows(model, used, terms, _core.Design(**arguments), arguments, index, newdata)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows to predict."""

    model: Prediction
    used: list[Mask]  # per term of the model
    terms: list[int]  # positions in the model of the design's terms
    design: Design
    arguments: dict[str, Any] | None = None  # of the design of new data
    index: pd.Index[Any] | None = None  # of new data
    newdata: Any = None

    @lazy
    def X(self) -> Array:
        """Shape (n, p)."""
        return np.asarray(self.design.fixed_matrix(), dtype=float)

    @lazy
    def eta(self) -> Array:
        """Xβ̂ + Zb̂ + offset, b̂ zero where it is not known; shape (n,)."""
        return self.linear_predictor(np.asarray(self.model._fit.beta), self.terms)

    def linear_predictor(self, beta: Array, terms: Collection[int] = ()) -> Array:
        """Xβ + Zb̂ + offset with the effects of these terms."""
        modes = [self._modes(t) if t in terms and self.used[t].any() else None for t in self.terms]
        return np.asarray(self.design.linear_predictor(beta, modes))

    def _modes(self, term: int) -> Array:
        return np.where(self.used[term], self.model._modes[term], 0.0)

    @lazy
    def has_level(self) -> dict[int, Mask]:
        """Term → which rows have a level of it whose effects count as estimated, (n,)."""
        if self.arguments is None:
            return {t: np.full(self.model.nobs, self.used[t].any()) for t in self.terms}
        return {t: codes >= 0 for t, codes in zip(self.terms, self._new_codes(), strict=True)}

    @lazy
    def known(self) -> list[Effects]:
        """The effects that count as estimated; columns that do not are zero."""
        terms = [t for t in self.terms if self.used[t].any()]
        if self.arguments is None:
            effects = own_effects(self.model, terms)
        else:
            columns = map(self.design.random_columns, range(len(self.terms)))
            parts = zip(self.terms, self._new_codes(), columns, strict=True)
            effects = [Effects(*part) for part in parts]
        return [
            replace(e, columns=np.where(self.used[e.term], e.columns, 0.0))
            for e in effects
            if e.term in terms
        ]

    @lazy
    def unknown(self) -> dict[int, Array]:
        """Term → columns of the effects that do not count as estimated, (n, q); the others are
        zero."""
        return {
            t: np.where(
                self.used[t] & self.has_level[t][:, None], 0.0, self.design.random_columns(k)
            )
            for k, t in enumerate(self.terms)
        }

    def _new_codes(self) -> list[Codes]:
        assert self.arguments is not None
        groups = self.arguments["groups"]
        return [groups[group][0] for group, _ in self.arguments["terms"]]

    @lazy
    def variances(self) -> Array:
        """Var(x'β̂ + z'(b̂ − b)) over the effects known, shape (n,)."""
        joint, everything = self.model._joint, all(used.all() for used in self.used)
        if isinstance(joint, SolvedJoint) and self.arguments is None and everything:
            return np.asarray(joint.fit.row_variances())
        return joint.variances(self.X, self.known, self._design_of_known)

    def _design_of_known(self) -> Design:
        """A design of the terms of `known`, columns that do not count as zero."""
        from .. import _core

        terms = [t for t in self.terms if self.used[t].any()]
        if terms == self.terms and all(self.used[t].all() for t in terms):
            return self.design
        arguments = dict(self.arguments or self._own_arguments())
        zero = len(arguments["numeric"])
        arguments["numeric"] = [*arguments["numeric"], np.zeros(arguments["n_table"])]
        arguments["terms"] = [
            (
                group,
                [
                    r if used else ([zero], [])
                    for r, used in zip(recipes, self.used[t], strict=True)
                ],
            )
            for t, (group, recipes) in zip(self.terms, arguments["terms"], strict=True)
            if t in terms
        ]
        return _core.Design(**arguments)

    def _own_arguments(self) -> dict[str, Any]:
        """The arguments of a design of the fit's rows."""
        m = self.model._matrices
        assert m.spec is not None  # models fitted from arrays know all effects or none
        arguments, _ = m.spec.new_arguments(self.model._call.data, terms=self.terms)
        return arguments | {"rows": m.rows}

    def groups(self, term: int) -> Codes:
        """Which rows belong together in a term, known levels or not: numbers from 0, one a row. A
        row whose group is missing is on its own."""
        spec = self.model._matrices.spec
        if self.arguments is None or spec is None:
            return group_codes(self.model, self.model._matrices.terms[term].group)
        evaluator = Evaluator(Table(self.newdata), spec.formula.text, spec.context, spec.state)
        group = new_group(spec.random[term], evaluator)
        codes = group.codes.astype(np.intp)
        missing = codes < 0
        codes[missing] = len(group.levels) + np.arange(missing.sum())
        return codes

    def series(self, values: Array, name: str) -> pd.Series[float]:
        """Values by row on the data's index."""
        if self.arguments is None:
            return self.model._on_rows(values, name)
        return pd.Series(values, index=self.index, name=name)
