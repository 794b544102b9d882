"""Mixed-effects models with lme4's formulas: exact, fast, for Python data frames.

>>> import mixedmodels as mm
>>> data = mm.datasets.load("anxiety")
>>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
>>> print(m.summary())                                                         # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import (
    ArgumentError,
    ConvergenceError,
    ConvergenceWarning,
    DataError,
    FormulaError,
    InsufficientMemoryError,
    InternalError,
    MissingDataWarning,
    MissingDependencyError,
    MixedModelsError,
    MixedModelsWarning,
    RankDeficiencyWarning,
    SavedModelError,
    SeparationWarning,
    SingularFitWarning,
)

if TYPE_CHECKING:
    from . import datasets, families, interop
    from .check_report import Checks
    from .control import Control
    from .emmeans import MarginalMeans
    from .fit import lm, lmer, lmer_arrays
    from .generalised_fit import glm, glmer
    from .generalised_model import GeneralizedLinearMixedModel, GeneralizedLinearModel
    from .influence_by_group import Influence
    from .lrt import BoundaryWarning, LikelihoodRatioTable, anova
    from .model import LinearMixedModel, LinearModel
    from .model_comparison import ComparisonTable, compare
    from .optimiser_comparison import OptimizerComparison, all_fit
    from .output_frames import options
    from .parametric_bootstrap import Bootstrap, bootstrap
    from .parametric_lrt import BootstrapLRT, bootstrap_lrt
    from .planned_design import simulate_design
    from .plots.forest import forest
    from .power_analysis import Power, power
    from .quantile_tests import QuantileTests
    from .random_terms import ranova
    from .refits import Refits
    from .rlrt import exact_rlrt
    from .saved_files import load
    from .simulated_design import SimulatedDesign

    __version__: str

__all__ = [
    "ArgumentError",
    "Bootstrap",
    "BootstrapLRT",
    "BoundaryWarning",
    "Checks",
    "ComparisonTable",
    "Control",
    "ConvergenceError",
    "ConvergenceWarning",
    "DataError",
    "FormulaError",
    "GeneralizedLinearMixedModel",
    "GeneralizedLinearModel",
    "Influence",
    "InsufficientMemoryError",
    "InternalError",
    "LikelihoodRatioTable",
    "LinearMixedModel",
    "LinearModel",
    "MarginalMeans",
    "MissingDataWarning",
    "MissingDependencyError",
    "MixedModelsError",
    "MixedModelsWarning",
    "OptimizerComparison",
    "Power",
    "QuantileTests",
    "RankDeficiencyWarning",
    "Refits",
    "SavedModelError",
    "SeparationWarning",
    "SimulatedDesign",
    "SingularFitWarning",
    "__version__",
    "all_fit",
    "anova",
    "bootstrap",
    "bootstrap_lrt",
    "compare",
    "datasets",
    "exact_rlrt",
    "families",
    "forest",
    "glm",
    "glmer",
    "interop",
    "lm",
    "lmer",
    "lmer_arrays",
    "load",
    "options",
    "power",
    "ranova",
    "simulate_design",
]

# Imported when first used: `import mixedmodels` in a program that fits no model costs nothing.
_LAZY = {
    "Bootstrap": "parametric_bootstrap",
    "BootstrapLRT": "parametric_lrt",
    "BoundaryWarning": "lrt",
    "Checks": "check_report",
    "ComparisonTable": "model_comparison",
    "Control": "control",
    "GeneralizedLinearMixedModel": "generalised_model",
    "GeneralizedLinearModel": "generalised_model",
    "Influence": "influence_by_group",
    "LikelihoodRatioTable": "lrt",
    "LinearMixedModel": "model",
    "LinearModel": "model",
    "MarginalMeans": "emmeans",
    "Power": "power_analysis",
    "OptimizerComparison": "optimiser_comparison",
    "QuantileTests": "quantile_tests",
    "Refits": "refits",
    "all_fit": "optimiser_comparison",
    "SimulatedDesign": "simulated_design",
    "anova": "lrt",
    "bootstrap": "parametric_bootstrap",
    "bootstrap_lrt": "parametric_lrt",
    "compare": "model_comparison",
    "exact_rlrt": "rlrt",
    "forest": "plots.forest",
    "glm": "generalised_fit",
    "glmer": "generalised_fit",
    "lm": "fit",
    "lmer": "fit",
    "lmer_arrays": "fit",
    "load": "saved_files",
    "options": "output_frames",
    "power": "power_analysis",
    "ranova": "random_terms",
    "simulate_design": "planned_design",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _LAZY:
        value = getattr(import_module(f".{_LAZY[name]}", __name__), name)
    elif name in ("datasets", "families", "interop"):
        return import_module(f".{name}", __name__)
    elif name == "__version__":
        value = _version()
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(__name__)
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
