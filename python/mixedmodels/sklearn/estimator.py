"""What the scikit-learn estimators share: X, y and groups → the table of a model, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError, MissingDependencyError
from ..models.control import Control
from ..models.description import Description
from ..models.generalised_fit import glm, glmer
from .estimator_formula import EstimatorFormula, estimator_formula

try:
    from sklearn.base import BaseEstimator
    from sklearn.utils import check_consistent_length
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise MissingDependencyError(
        "mixedmodels.sklearn needs scikit-learn, version 1.6 or later: pip install "
        f'"mixedmodels[sklearn]" ({error})'
    ) from error

__all__ = ["MixedModelEstimator"]

Array = NDArray[np.float64]


class MixedModelEstimator(BaseEstimator, ABC):  # type: ignore[misc]
    """From X, y and groups to the table of a model, and back to arrays."""

    formula: str | None
    random: str | None
    link: str | None
    nAGQ: int
    control: Control | None
    n_threads: int | None
    coef_: NDArray[Any]
    intercept_: Any

    def _table(self, X: Any, *, reset: bool) -> dict[str, Any]:
        """X as named columns: a frame's own ones, or x0, x1, ... of an array of numbers.

        After the fit the names are those of the fit, as scikit-learn has it.
        """
        if not _is_frame(X):
            values = validate_data(
                self, X, reset=reset, dtype=np.float64, ensure_min_samples=2 if reset else 1
            )
            columns = list(values.T)
        else:
            validate_data(self, X, reset=reset, skip_check_array=True)
            columns = _frame_columns(X)
        if hasattr(self, "feature_names_in_"):
            return dict(zip(self.feature_names_in_.tolist(), columns, strict=True))
        return {f"x{j}": column for j, column in enumerate(columns)}

    def _fit_table(self, X: Any, y: Array, groups: Any, sample_weight: Any) -> Self:
        """Fit the model to y as numbers."""
        table = self._table(X, reset=True)
        check_consistent_length(*table.values(), y)
        self._formula = estimator_formula(self.formula, self.random, [*table], groups is not None)
        table[self._formula.response] = y
        if self._formula.group is not None:
            table[self._formula.group] = groups
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        self.model_ = self._fit_model(self._formula, table, weights)
        fixef = self.model_.fixef.fillna(0.0)
        self.intercept_ = float(fixef.get("(Intercept)", 0.0))
        self.coef_ = fixef.drop("(Intercept)", errors="ignore").to_numpy()
        return self

    @abstractmethod
    def _fit_model(
        self, formula: EstimatorFormula, table: dict[str, Any], weights: Array | None
    ) -> Description: ...

    def _fit_generalised(self, text: str, table: dict[str, Any], **arguments: Any) -> Description:
        arguments |= {"link": self.link, "na_action": "raise", "control": self.control}
        if self._formula.parsed.random:
            return glmer(text, table, nAGQ=self.nAGQ, n_threads=self.n_threads, **arguments)
        return glm(text, table, **arguments)

    def _predicted(self, X: Any, groups: Any, type: str) -> Array:
        """Means or linear predictors, shape (rows,)."""
        check_is_fitted(self)
        table = self._table(X, reset=False)
        re_form = None
        if self._formula.group is not None:
            if groups is None:
                re_form = self._formula.without_groups
            else:
                table[self._formula.group] = groups
        predicted = np.asarray(
            self.model_.predict(table, re_form, allow_new_levels=True, type=cast(Any, type)),
            dtype=np.float64,
        )
        if np.isnan(predicted).any():
            row = int(np.argmax(np.isnan(predicted)))
            raise DataError(
                f"X or groups have a missing value (NaN) in row {row}; expected none: impute them, "
                "or drop the rows"
            )
        return predicted


def _is_frame(X: Any) -> bool:
    return hasattr(X, "columns") or hasattr(X, "column_names")


def _frame_columns(X: Any) -> list[Any]:
    """The columns in their order; of pandas by position, since names need not be text."""
    if isinstance(X, pd.DataFrame):
        return [X.iloc[:, j] for j in range(X.shape[1])]
    import narwhals.stable.v1 as nw

    frame = nw.from_native(X, eager_only=True)
    return [frame[name].to_native() for name in frame.columns]
