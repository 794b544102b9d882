"""Power by simulation: `mm.power(design, effect, over)`.

Responses are drawn from the design at its parameters, the model is fitted to each, and the share of
those in which the effect is significant is the power: the probability that the study finds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, MixedModelsError
from ..inference.ddf import describe
from ..inference.distributions import binomial_interval, check_level
from ..input_tables.columns import names_given
from ..models.call import check_threads
from ..models.fitted import FittedModel
from ..models.refits import RUNAWAY
from ..models.replicates import check_replicates, chunks
from ..printing.document import Block, Document
from ..printing.tables import ResultTable
from .design_table import as_dict, check_counts
from .planned_design import simulate_design
from .power_tests import Outcomes, Trial
from .simulated_design import SimulatedDesign

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Power", "power"]

Array = NDArray[np.float64]
Setting = dict[str, int]

CHUNK = 2**24  # simulated numbers held at a time (128 MB)
PLACES = {"power": 3, "type_s": 3, "type_m": 2}  # decimals in print
METHODS = {"lrt": "likelihood ratio (ML, χ²)"}
USUAL = 0.1  # quantile of the standard errors that estimates which run to infinity do not reach
LEVEL = 0.95  # of the intervals of the power


@dataclass(frozen=True, eq=False, repr=False)
class Power(Document):
    """Simulated power at one or several settings of a design, made by `mm.power`.

    Attributes
    ----------
    design
        The formula (and family) of the model.
    effect
        What is tested.
    test
        "satterthwaite", "kenward-roger", "residual", "asymptotic" or "lrt".
    alpha, nsim, seed
        The test's level, the number of responses a setting, and the seed that gives them again.
    over
        The names of what varies between the settings.
    """

    design: str
    effect: str
    test: str
    alpha: float
    nsim: int
    seed: int
    over: tuple[str, ...]
    _frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row a setting.

        The columns of `over`; nobs (rows of the design); nsim (responses with a test); power, with
        its exact 95 % interval conf_low, conf_high; n_failed and n_singular (singular fits count as
        they are); and, for an effect of one coefficient, truth, mean_estimate, and among the
        significant ones type_s (share with the wrong sign) and type_m (mean size of the estimate,
        relative to the truth; Gelman & Carlin 2014). Estimates that run to infinity, where a
        predictor separates a response, are left out of these; their z tests are not significant.
        """
        return self._frame.copy()

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """The power curve: power against what varies, with its intervals, one line for each value
        of what varies besides; a dashed line at 0.8.

        Parameters
        ----------
        ax
            A matplotlib Axes; default: a new figure.

        Raises
        ------
        ArgumentError
            There is one setting only.
        MissingDependencyError
            matplotlib is not installed.
        """
        from ..plots.power_curve import draw_power

        return draw_power(self, ax)

    def plot_data(self) -> pd.DataFrame:
        """What `plot` draws: x (a value of `over`'s first name), line (the others, as text), power,
        conf_low, conf_high."""
        from ..plots.power_curve import curve_data

        return curve_data(self)

    def _table(self) -> ResultTable:
        frame = self._frame.drop(columns=["conf_low", "conf_high"])
        ends = zip(self._frame["conf_low"], self._frame["conf_high"], strict=True)
        at = list(frame.columns).index("power") + 1
        frame.insert(at, "95 % interval", [f"[{low:.3f}, {high:.3f}]" for low, high in ends])
        for name, places in PLACES.items():
            if name in frame:
                frame[name] = [f"{value:.{places}f}" for value in frame[name]]
        unseen = [name for name in ("n_failed", "n_singular") if not frame[name].any()]
        title = f"Power for {self.effect} · {self.design}"
        notes = [
            f"{self.nsim} simulated responses a setting, seed {self.seed}; α = {self.alpha:g}; "
            f"tests by {METHODS.get(self.test) or describe(self.test)}. The interval is of the "
            "simulation's error."
        ]
        return ResultTable.of(frame.drop(columns=unseen), title, notes)

    def __str__(self) -> str:
        return str(self._table())

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        return self._table()._blocks()


def power(
    design: SimulatedDesign | FittedModel,
    effect: str | Sequence[str],
    over: Mapping[str, Iterable[int]] | None = None,
    *,
    nsim: int = 1000,
    seed: int = 0,
    alpha: float = 0.05,
    test: str | None = None,
    n_threads: int | None = None,
    progress: bool = True,
) -> Power:
    """The probability that a study finds an effect, by simulation.

    Parameters
    ----------
    design
        From `mm.simulate_design`; or a fitted model, whose estimates are then taken for the truth
        (an observed effect is a poor guess of a true one: `mm.simulate_design(m, fixef={...})` sets
        the one that matters).
    effect
        A coefficient ("treatmentdrug:week"); a term of the formula ("treatment:week"; all its
        coefficients, as in `m.anova(type=3)`); or a hypothesis as in `m.test` ("treatmentdrug + 12
        * treatmentdrug:week"). Several are tested jointly.
    over
        What to vary: groups, by name, and "per_group", each with a list of numbers: {"patient":
        [10, 20, 40], "per_group": [1, 2]}. All combinations are settings. See
        `SimulatedDesign.extend`.
    nsim
        Responses a setting. The standard error of a power of 0.8 by 1000 is 0.013.
    seed
        0 to 2⁶⁴ − 1. Settings share it, so that a curve is smoother than its points are certain.
    alpha
        Level of the two-sided test.
    test
        "satterthwaite" (default for linear mixed models), "kenward-roger", "residual" (default for
        ordinary regressions), "wald" (z or χ²; default for generalised models), or "lrt", the
        likelihood ratio by maximum likelihood.
    n_threads
        Threads; default as for a fit. The results are the same for any number.
    progress
        Show a progress bar, in a terminal and from the first second on.

    Returns
    -------
    Power
        `.to_frame()`, `.plot()`; prints as a table. Fits that failed or have not converged have no
        test and are left out; they are counted.

    Raises
    ------
    ArgumentError
        An argument is out of range; or the design has no such group.
    FormulaError
        The effect is not one of the model's.
    ConvergenceError
        A setting's responses cannot be fitted.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> design = mm.simulate_design(
    ...     "y ~ treatment + (1 | school)",
    ...     {"treatment": ["control", "new"]},
    ...     groups={"school": 12},
    ...     between={"treatment": "school"},
    ...     per_group=10,
    ...     fixef={"(Intercept)": 0, "treatmentnew": 0.8},
    ...     sd={"school": 0.4},
    ...     sigma=1,
    ... )
    >>> p = mm.power(design, "treatmentnew", {"school": [10, 20]}, nsim=200)
    >>> bool(p.to_frame()["power"].iloc[0] < p.to_frame()["power"].iloc[1])
    True

    References
    ----------
    Green & MacLeod (2016), Methods Ecol. Evol. 7(4), 493-498; Gelman & Carlin (2014), Perspect.
    Psychol. Sci. 9(6), 641-651.
    """
    planned = _planned(design, seed)
    effects = names_given(effect, "effect")
    check_replicates(nsim, seed)
    check_threads(n_threads)
    check_level(alpha, "alpha", "a level of significance between 0 and 1, such as 0.05")
    settings = _settings(over)
    threads = n_threads or planned._call.n_threads or _default_threads()
    run = _Run(effects, test, int(nsim), int(seed), float(alpha), threads, progress)
    rows, method = [], ""
    for setting in settings:
        row, method = run.at(planned, setting)
        rows.append(row)
    family = "" if planned.family is None else f" · {planned.family!r}"
    return Power(
        f"{planned.formula}{family}", "; ".join(effects), method, run.alpha, run.nsim, run.seed,
        tuple(over or ()), pd.DataFrame(rows),
    )  # fmt: skip


@dataclass(frozen=True)
class _Run:
    """One call of `power`."""

    effects: list[str]
    test: str | None
    nsim: int
    seed: int
    alpha: float
    n_threads: int
    progress: bool

    def at(self, planned: SimulatedDesign, setting: Setting) -> tuple[dict[str, Any], str]:
        """The row of one setting, and the test that was used."""
        words = ", ".join(f"{name}={count}" for name, count in setting.items())
        groups = {name: count for name, count in setting.items() if name != "per_group"}
        try:
            design = planned.extend(groups, setting.get("per_group")) if setting else planned
            trial = Trial.of(design, self.effects, self.test, self.seed, self.n_threads)
        except MixedModelsError as error:
            if setting:
                error.add_note(f"in the setting {words}")
            raise
        what = f"power, {words}" if setting else "power"
        most = max(CHUNK // design.nobs, 1)
        parts = [
            trial.outcomes(design._draw(len(chunk), self.seed, chunk.start))
            for chunk in chunks(self.nsim, what=what, progress=self.progress, most=most)
        ]
        row = self._row(Outcomes.joined(parts), trial.effect.truth)
        return {**setting, "nobs": design.nobs, **row}, trial.method

    def _row(self, found: Outcomes, truth: float) -> dict[str, Any]:
        tested = ~np.isnan(found.p_value)
        significant = tested & (np.nan_to_num(found.p_value, nan=1.0) < self.alpha)
        trials, successes = int(tested.sum()), int(significant.sum())
        low, high = binomial_interval(successes, trials, LEVEL)
        row = {
            "nsim": trials,
            "power": successes / trials if trials else np.nan,
            "conf_low": low,
            "conf_high": high,
            "n_failed": self.nsim - trials,
            "n_singular": int(found.singular.sum()),
        }
        return row | _estimates(found, tested, significant, truth)


def _estimates(
    found: Outcomes, tested: NDArray[np.bool_], significant: NDArray[np.bool_], truth: float
) -> dict[str, float]:
    """What the estimates say of one coefficient; nothing for several."""
    if np.isnan(truth) or not tested.any():
        return {}
    usual = np.quantile(found.std_error[tested], USUAL)
    finite = tested & (found.std_error <= RUNAWAY * usual)
    estimates = found.estimate[finite & significant]
    known = truth != 0 and len(estimates) > 0
    return {
        "truth": truth,
        "mean_estimate": float(found.estimate[finite].mean()),
        "type_s": float(np.mean(np.sign(estimates) != np.sign(truth))) if known else np.nan,
        "type_m": float(np.mean(np.abs(estimates)) / abs(truth)) if known else np.nan,
    }


def _planned(design: Any, seed: int) -> SimulatedDesign:
    if isinstance(design, FittedModel):
        return simulate_design(design, seed=seed)
    if not isinstance(design, SimulatedDesign):
        raise ArgumentError(
            "mm.power needs a design from mm.simulate_design or a fitted model; got "
            f"{type(design).__name__}"
        )
    return design


def _settings(over: Any) -> list[Setting]:
    """All combinations; the first name varies slowest."""
    lists: dict[str, list[int]] = {}
    for name, counts in as_dict(over, "over", "{'patient': [10, 20, 40]}").items():
        lists[name] = list(np.atleast_1d(counts))
        if not lists[name]:
            raise ArgumentError(f"over['{name}'] is empty; give at least one number")
        for count in lists[name]:
            check_counts({f"over['{name}']": count})
    return [
        {name: int(count) for name, count in zip(lists, counts, strict=True)}
        for counts in product(*lists.values())
    ]


def _default_threads() -> int:
    from .. import _core

    return _core.default_threads()
