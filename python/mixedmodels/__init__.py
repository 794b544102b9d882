"""Mixed-effects models with lme4's formulas: exact, fast, for Python data frames.

>>> import mixedmodels as mm
>>> data = mm.datasets.load("anxiety")
>>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
>>> print(m.summary())                                                         # doctest: +SKIP
"""

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


def __getattr__(name: str) -> str:
    """`__version__`, read when asked for: importlib.metadata is a tenth of the import time."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(__name__)
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
