"""Mixed-effects models with lme4's formulas: exact, fast, for Python data frames.

>>> import mixedmodels as mm
>>> data = mm.datasets.load("anxiety")
>>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
>>> print(m.summary())                                                         # doctest: +SKIP
"""

from importlib.metadata import PackageNotFoundError, version

from . import datasets
from .control import Control
from .errors import (
    ConvergenceError,
    ConvergenceWarning,
    DataError,
    FormulaError,
    InsufficientMemoryError,
    InternalError,
    MissingDataWarning,
    MixedModelsError,
    MixedModelsWarning,
    RankDeficiencyWarning,
    SingularFitWarning,
)
from .fit import lm, lmer, lmer_arrays
from .lrt import BoundaryWarning, LikelihoodRatioTable, anova
from .model import LinearMixedModel, LinearModel

try:
    __version__ = version("mixedmodels")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

__all__ = [
    "BoundaryWarning",
    "Control",
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "FormulaError",
    "InsufficientMemoryError",
    "InternalError",
    "LikelihoodRatioTable",
    "LinearMixedModel",
    "LinearModel",
    "MissingDataWarning",
    "MixedModelsError",
    "MixedModelsWarning",
    "RankDeficiencyWarning",
    "SingularFitWarning",
    "__version__",
    "anova",
    "datasets",
    "lm",
    "lmer",
    "lmer_arrays",
]
