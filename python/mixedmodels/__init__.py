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
    from .diagnostics.check_report import Checks
    from .diagnostics.influence_by_group import Influence
    from .diagnostics.optimiser_comparison import OptimizerComparison, all_fit
    from .diagnostics.quantile_tests import QuantileTests
    from .inference.lrt import BoundaryWarning, LikelihoodRatioTable, anova
    from .inference.parametric_bootstrap import Bootstrap, bootstrap
    from .inference.parametric_lrt import BootstrapLRT, bootstrap_lrt
    from .inference.random_terms import ranova
    from .inference.rlrt import exact_rlrt
    from .marginal_means.emmeans import MarginalMeans
    from .models.control import Control
    from .models.fit import lm, lmer, lmer_arrays
    from .models.generalised_fit import glm, glmer
    from .models.generalised_model import GeneralizedLinearMixedModel, GeneralizedLinearModel
    from .models.model import LinearMixedModel, LinearModel
    from .models.refits import Refits
    from .planning.planned_design import simulate_design
    from .planning.power_analysis import Power, power
    from .planning.simulated_design import SimulatedDesign
    from .plots.forest import forest
    from .printing.output_frames import options
    from .reporting.model_comparison import ComparisonTable, compare
    from .saving.saved_files import load

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
    "Bootstrap": "inference.parametric_bootstrap",
    "BootstrapLRT": "inference.parametric_lrt",
    "BoundaryWarning": "inference.lrt",
    "Checks": "diagnostics.check_report",
    "ComparisonTable": "reporting.model_comparison",
    "Control": "models.control",
    "GeneralizedLinearMixedModel": "models.generalised_model",
    "GeneralizedLinearModel": "models.generalised_model",
    "Influence": "diagnostics.influence_by_group",
    "LikelihoodRatioTable": "inference.lrt",
    "LinearMixedModel": "models.model",
    "LinearModel": "models.model",
    "MarginalMeans": "marginal_means.emmeans",
    "Power": "planning.power_analysis",
    "OptimizerComparison": "diagnostics.optimiser_comparison",
    "QuantileTests": "diagnostics.quantile_tests",
    "Refits": "models.refits",
    "all_fit": "diagnostics.optimiser_comparison",
    "SimulatedDesign": "planning.simulated_design",
    "anova": "inference.lrt",
    "bootstrap": "inference.parametric_bootstrap",
    "bootstrap_lrt": "inference.parametric_lrt",
    "compare": "reporting.model_comparison",
    "exact_rlrt": "inference.rlrt",
    "forest": "plots.forest",
    "glm": "models.generalised_fit",
    "glmer": "models.generalised_fit",
    "lm": "models.fit",
    "lmer": "models.fit",
    "lmer_arrays": "models.fit",
    "load": "saving.saved_files",
    "options": "printing.output_frames",
    "power": "planning.power_analysis",
    "ranova": "inference.random_terms",
    "simulate_design": "planning.planned_design",
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
