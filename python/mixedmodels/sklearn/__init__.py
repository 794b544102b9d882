"""scikit-learn estimators: mixed models in a Pipeline, in cross-validation, in a grid search.

Needs scikit-learn (pip install "mixedmodels[sklearn]"), and is imported by its full name:

>>> import mixedmodels as mm
>>> from mixedmodels.sklearn import MixedModelRegressor
>>> data = mm.datasets.load("anxiety")
>>> X, y = data[["therapy_sessions", "clinic"]], data["anxiety"]
>>> MixedModelRegressor(random="1 | clinic").fit(X, y).predict(X.head(2)).round(2)
array([49.82, 32.86])

The fitted model is `model_`, with all that a model has: `estimator.model_.summary()`.

Where the groups come from
--------------------------
* A column of X: `random="1 + x | g"`, or the formula names it. Nothing else is needed.
* `fit(X, y, groups=g)`: X has numbers only, and `random="1 + x | groups"` (any name that is not a
  column of X) says what varies; without `random=` each group has an intercept. To `predict` the
  groups are optional: without them predictions are at the population level.
* Neither: an ordinary regression.

Groups that the fit has not seen, and missing ones, are predicted at the population level (random
effects of zero), so that `GroupKFold` measures how well new groups are predicted.

Inside of a Pipeline or `cross_validate`, groups= reach the estimator by scikit-learn's metadata
routing: `sklearn.set_config(enable_metadata_routing=True)` and
`estimator.set_fit_request(groups=True).set_predict_request(groups=True)`.

Other missing values are refused, as scikit-learn's estimators do: impute them in the pipeline, or
drop the rows before.
"""

from .estimators import MixedModelClassifier, MixedModelRegressor

__all__ = ["MixedModelClassifier", "MixedModelRegressor"]
