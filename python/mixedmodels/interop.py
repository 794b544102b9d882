"""Other packages: our models in `marginaleffects`; for `maketables` see `maketables_protocol.py`.

Neither package is required, and neither is imported before it is asked for.

`marginaleffects` (≥ 0.6) asks a `ModelAbstract` for the design matrix of new data (`get_exog`) and
for predictions from parameters and that matrix (`get_predict`), which it differentiates.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import ArgumentError, DataError
from .input_tables.columns import Column, Table
from .input_tables.factors import level_label
from .marginal_means.reference_grid import named_columns

if TYPE_CHECKING:
    from .matrices.model_spec import ModelSpec
    from .models.fitted import FittedModel

__all__ = ["MarginalEffectsAdapter", "to_marginaleffects"]

Array = NDArray[np.float64]


def to_marginaleffects(model: FittedModel) -> Any:
    """A model as the `marginaleffects` package takes it: for its predictions, comparisons and
    slopes.

    Predictions are at the population level: Xβ̂ + offset without random effects, of a generalised
    model the mean at that (random effects of zero). Standard errors come from `m.vcov`, and the
    package's tests are normal ones (infinite degrees of freedom), so those of `m.emmeans` are to be
    preferred where it has them.

    Raises
    ------
    ImportError
        The package is not installed (pip install "mixedmodels[interop]").
    DataError
        The model was fitted from arrays, or its offset was given as numbers.

    Examples
    --------
    >>> from marginaleffects import avg_slopes                                 # doctest: +SKIP
    >>> avg_slopes(mm.interop.to_marginaleffects(m))                           # doctest: +SKIP
    """
    return _adapter()(model)


@cache
def _adapter() -> Any:
    """The adapter with the package's own base class, which its functions look for."""
    try:
        from marginaleffects.classes import ModelAbstract
    except ImportError as error:
        raise ImportError(
            "to_marginaleffects needs the package marginaleffects, version 0.6 or later: pip "
            f'install "mixedmodels[interop]" ({error})'
        ) from error
    return type("MixedModelsAdapter", (MarginalEffectsAdapter, ModelAbstract), {})


class MarginalEffectsAdapter:
    """What `marginaleffects` asks of a model. Its design matrix has one column a coefficient kept
    and, last, the offset."""

    def __init__(self, model: FittedModel):
        import polars as pl
        from marginaleffects.classes import ModelVault

        self._spec, self._mean = _spec(model), model._mean
        matrices, fit = model._matrices, model._fit
        beta = np.asarray(fit.beta, dtype=float)
        self._kept = ~np.isnan(beta)
        columns = named_columns(self._spec, Table(model._call.data))
        self._levels = {
            name: levels for name, column in columns.items() if (levels := _odd(column))
        }
        data = {name: _polars_column(column, matrices.rows) for name, column in columns.items()}
        predictors = [n for v in self._spec.formula.fixed.variables for n in v.names()]
        self._vcov = model._vcov[np.ix_(self._kept, self._kept)]
        vault = ModelVault(
            coef=beta[self._kept],
            coefnames=np.array(matrices.fixed_names)[self._kept],
            formula=self.get_exog,
            modeldata=pl.DataFrame({matrices.response_name: np.array(model._response), **data}),
            package="mixedmodels",
            vcov=self._vcov,
            variable_names=[
                matrices.response_name,
                *(n for n in dict.fromkeys(predictors) if n in columns),
            ],
        )
        super().__init__(model, vault)  # type: ignore[call-arg]

    def get_vcov(self, vcov: Any = True) -> Array | None:
        """The model's own covariance matrix, or None; others are given as arrays."""
        if isinstance(vcov, bool) or vcov is None:
            return self._vcov if vcov else None
        raise ArgumentError(
            f"vcov={vcov!r}: give True, False, or a matrix of shape {self._vcov.shape}"
        )

    def get_exog(self, newdata: Any) -> Array:
        """[X of the coefficients kept, offset], shape (rows, rank + 1)."""
        from . import _core

        table = Table(newdata)
        columns = {name: self._native(name, newdata[name]) for name in table.names}
        arguments, _ = self._spec.new_arguments(columns, random=False)
        offset = np.zeros(table.n) if arguments["offset"] is None else arguments["offset"]
        X = np.asarray(_core.Design(**(arguments | {"offset": None})).fixed_matrix(), dtype=float)
        return np.column_stack([X[:, self._kept], offset])

    def _native(self, name: str, values: Any) -> Any:
        """Labels of levels that are no strings turned back into the levels."""
        known = self._levels.get(name)
        if known is None:
            return values
        return pd.Series([known.get(str(value), value) for value in values], dtype=object)

    def get_predict(self, params: Array, newdata: Any) -> Any:
        """Population-level means, one for each row of a matrix from `get_exog`."""
        import polars as pl

        matrix = np.asarray(newdata, dtype=float)
        mean = self._mean(matrix[:, :-1] @ np.asarray(params, dtype=float) + matrix[:, -1])
        rowid = pl.Series("rowid", range(len(mean)), dtype=pl.Int32)
        return pl.DataFrame({"rowid": rowid, "estimate": mean})


def _spec(model: FittedModel) -> ModelSpec:
    spec = model._matrices.spec
    if spec is None:
        raise DataError(
            "marginaleffects needs a formula to read new data with, and this model was fitted from "
            "arrays"
        )
    if isinstance(spec.offset_argument, str):
        raise DataError(
            "the model's offset was given as numbers, so it is not known for new data; fit with "
            "offset='column' or offset(column) in the formula"
        )
    return spec


def _odd(column: Column) -> dict[str, Any]:
    """Label → level of a categorical column whose levels are not strings."""
    if column.kind != "category" or all(isinstance(v, str) for v in column.factor.levels):
        return {}
    return {level_label(level): level for level in column.factor.levels}


def _polars_column(column: Column, rows: NDArray[Any] | None) -> Any:
    """Numbers, booleans, and factors as Enum of their labels, over the rows used."""
    import polars as pl

    if column.kind not in ("text", "category", "boolean"):
        values = column.numeric
        return pl.Series(column.name, values if rows is None else values[rows])
    factor = column.factor.drop_unused(rows) if column.kind != "boolean" else column.factor
    codes = factor.codes if rows is None else factor.codes[rows]
    if column.kind == "boolean":
        return pl.Series(column.name, codes == 1)
    labels = factor.labels()
    return pl.Series(column.name, [labels[code] for code in codes], dtype=pl.Enum(labels))
