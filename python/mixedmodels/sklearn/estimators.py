"""The scikit-learn estimators; what the package needs and offers stands in its own docstring."""

from __future__ import annotations

from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from ..errors import DataError
from ..families import Family
from ..models.control import Control
from ..models.description import Description
from ..models.fit import lm, lmer
from ..models.generalised import Generalised
from .estimator import MixedModelEstimator
from .estimator_formula import EstimatorFormula

# After .estimator, whose error says what to install.
# isort: split
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.metrics import accuracy_score, r2_score
from sklearn.utils import check_array, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

__all__ = ["MixedModelClassifier", "MixedModelRegressor"]

Array = NDArray[np.float64]


class MixedModelRegressor(RegressorMixin, MixedModelEstimator):  # type: ignore[misc]
    """A linear or generalised linear mixed model as a scikit-learn regressor.

    Parameters
    ----------
    formula
        lme4's language over the columns of X, "y ~ x + (1 + x | g)" or "x + (1 | g)": the response
        is a name for y, whatever it is. None (default): see `random`.
    random
        The random part alone, "1 + x | g" or "(1 | a) + (1 | b)": the columns of X that are no
        grouping factors are the fixed part. With neither a formula nor this all columns of X are,
        with a random intercept of the groups= where they are given.
    family, link
        None (default): a linear model. Else as in `mm.glmer`.
    REML
        Restricted maximum likelihood (default), or maximum likelihood; of linear mixed models.
    nAGQ
        Nodes of the quadrature, as in `mm.glmer`; of generalised mixed models.
    control, n_threads
        As in `mm.lmer`. Give n_threads=1 where scikit-learn itself runs n_jobs.

    Attributes
    ----------
    model_
        The fitted model.
    coef_
        Fixed effects without the intercept, in the order of `model_.fixef`; zero where a column
        depends on others.
    intercept_
        The intercept; zero where the formula has none.
    n_features_in_, feature_names_in_
        Of X.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> from sklearn.model_selection import GroupKFold, cross_val_score
    >>> data = mm.datasets.load("anxiety")
    >>> X, y = data[["therapy_sessions", "clinic"]], data["anxiety"]
    >>> estimator = MixedModelRegressor(random="1 | clinic")
    >>> scores = cross_val_score(estimator, X, y, cv=GroupKFold(5), groups=X["clinic"])
    >>> scores.shape
    (5,)
    """

    def __init__(
        self,
        formula: str | None = None,
        *,
        random: str | None = None,
        family: str | Family | None = None,
        link: str | None = None,
        REML: bool = True,
        nAGQ: int = 1,
        control: Control | None = None,
        n_threads: int | None = None,
    ):
        self.formula = formula
        self.random = random
        self.family = family
        self.link = link
        self.REML = REML
        self.nAGQ = nAGQ
        self.control = control
        self.n_threads = n_threads

    def fit(self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X
            A pandas, polars or pyarrow table, whose text and categorical columns are factors; or an
            array of numbers, shape (n, columns), whose columns are x0, x1, ....
        y
            Numbers, shape (n,).
        groups
            Labels of the groups, shape (n,), where they are no column of X.
        sample_weight
            Shape (n,). The residual variance of row i is σ²/wᵢ; of families, the weight of its
            log-likelihood.

        Raises
        ------
        DataError, FormulaError, ArgumentError, ConvergenceError
            As in `mm.lmer` and `mm.glmer`; all but the last also are the `ValueError` that
            scikit-learn's checks expect.
        """
        y = check_array(
            column_or_1d(y, warn=True),
            ensure_2d=False,
            dtype=np.float64,
            input_name="y",
            estimator=self,
        )
        return self._fit_table(X, y, groups, sample_weight)

    def _fit_model(
        self, formula: EstimatorFormula, table: dict[str, Any], weights: Array | None
    ) -> Description:
        if self.family is not None:
            return self._fit_generalised(formula.text, table, family=self.family, weights=weights)
        if not formula.parsed.random:
            return lm(formula.text, table, weights=weights, na_action="raise")
        return lmer(
            formula.text,
            table,
            REML=self.REML,
            weights=weights,
            na_action="raise",
            control=self.control,
            n_threads=self.n_threads,
        )

    def predict(self, X: Any, groups: Any = None) -> Array:
        """Predicted means, shape (rows,).

        With the random effects of groups that the fit has seen; for others, and where the fit was
        given groups= and this is not, at the population level.
        """
        return self._predicted(X, groups, "response")

    def score(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> float:
        """R² of the predictions: 1 − Σw(y − ŷ)²/Σw(y − ȳ)²."""
        return float(r2_score(y, self.predict(X, groups), sample_weight=sample_weight))


class MixedModelClassifier(ClassifierMixin, MixedModelEstimator):  # type: ignore[misc]
    """A binomial mixed model as a scikit-learn classifier of two classes.

    Parameters
    ----------
    formula, random, nAGQ, control, n_threads
        As in `MixedModelRegressor`.
    link
        "logit" (default), "probit", "cloglog", "cauchit", "log" or "identity".

    Attributes
    ----------
    model_
        The fitted model of the probability of `classes_[1]`.
    classes_
        The two classes, sorted.
    coef_, intercept_
        Of `classes_[1]`, shapes (1, columns) and (1,), as scikit-learn's linear classifiers have
        them.
    n_features_in_, feature_names_in_
        Of X.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> data = mm.datasets.load("anxiety")
    >>> X, worse = data[["therapy_sessions", "clinic"]], data["anxiety"] > 40
    >>> estimator = MixedModelClassifier(random="1 | clinic").fit(X, worse)
    >>> estimator.predict_proba(X).shape
    (300, 2)
    """

    def __init__(
        self,
        formula: str | None = None,
        *,
        random: str | None = None,
        link: str = "logit",
        nAGQ: int = 1,
        control: Control | None = None,
        n_threads: int | None = None,
    ):
        self.formula = formula
        self.random = random
        self.link = link
        self.nAGQ = nAGQ
        self.control = control
        self.n_threads = n_threads

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: Any, y: Any, *, groups: Any = None, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X, groups
            As in `MixedModelRegressor.fit`.
        y
            Labels of two classes, shape (n,).
        sample_weight
            Weights of the rows' log-likelihoods, shape (n,).

        Raises
        ------
        DataError
            There are not two classes, and as in `mm.glmer`.
        """
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_, codes = np.unique(y, return_inverse=True)
        _require_two_classes(y, codes, sample_weight)
        self._fit_table(X, codes.astype(np.float64), groups, sample_weight)
        self.coef_ = self.coef_.reshape(1, -1)
        self.intercept_ = np.array([self.intercept_])
        return self

    def _fit_model(
        self, formula: EstimatorFormula, table: dict[str, Any], weights: Array | None
    ) -> Description:
        text = formula.text
        if weights is not None:  # of 0/1 they would be numbers of trials
            response, _, right = text.partition("~")
            text = f"cbind({response.strip()}, 1 - {response.strip()}) ~{right}"
        return self._fit_generalised(text, table, family="binomial", weights=weights)

    def decision_function(self, X: Any, groups: Any = None) -> Array:
        """The linear predictor, counted from where both classes are equally probable; positive
        for `classes_[1]`, shape (rows,)."""
        eta = self._predicted(X, groups, "link")
        even = cast(Generalised, self.model_)._kernel_family.link_of(np.array([0.5]))
        return eta - float(even[0])

    def predict_proba(self, X: Any, groups: Any = None) -> Array:
        """Probabilities of the classes, shape (rows, 2).

        Given the group's random effects; for a group that is not known, of a group whose random
        effects are zero (not the average over groups).
        """
        second = self._predicted(X, groups, "response")
        return np.column_stack([1 - second, second])

    def predict(self, X: Any, groups: Any = None) -> NDArray[Any]:
        """The more probable class, shape (rows,)."""
        chosen = self.decision_function(X, groups) > 0
        classes: NDArray[Any] = self.classes_[chosen.astype(int)]
        return classes

    def score(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> float:
        """The share of rows whose class is predicted."""
        return float(accuracy_score(y, self.predict(X, groups), sample_weight=sample_weight))


def _require_two_classes(y: NDArray[Any], codes: NDArray[Any], sample_weight: Any) -> None:
    found = int(codes.max()) + 1
    if found > 2:
        raise DataError(
            "Only binary classification is supported. The type of the target is "
            f"{type_of_target(y)}, with {found} classes"
        )
    weights = np.ones(len(codes)) if sample_weight is None else np.asarray(sample_weight)
    if weights.shape == codes.shape and len(np.unique(codes[weights > 0])) < 2:
        raise DataError(
            "the target has one class only in the rows whose weight is not zero; expected two "
            "classes"
        )
