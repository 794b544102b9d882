"""How to optimise: settings that the default never needs.

Settings (`Control`) and outcome (`Convergence`) are two types; this file holds the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError

__all__ = ["Control", "Optimizer", "settings_or_default"]

Optimizer = Literal["newton", "bfgs", "nelder-mead"]


@dataclass(frozen=True, kw_only=True)
class Control:
    """Settings of the optimiser over θ, of generalised models also β; all by keyword, frozen.

    Attributes
    ----------
    optimizer
        "newton" (default): trust-region Newton steps on exact gradients and the average
        information, 5 to 25 evaluations; it falls back to the others by itself and says so.
        "bfgs": quasi-Newton on the same gradients. "nelder-mead": no derivatives; slow, for
        checking the others.
    tolerance
        The fit stops when the Newton decrement, the criterion's expected further fall in deviance
        units, is below this. The default 1e-9 is far below anything a report shows; the last
        steps go on to the rounding of the gradient anyway.
    max_evaluations
        Evaluations of the criterion at most. 1000 is never reached by a model that can be fitted:
        reaching it means that something is wrong, and the fit then carries a
        `ConvergenceWarning`.
    time_limit
        Seconds of optimisation at most, None (default) for no limit. A fit that runs out returns
        the best point so far with a `ConvergenceWarning`.
    start
        θ to start from, shape (n_theta,), in the order of `m.theta`; None (default) for a moment
        estimate made from the data. Useful to check that another start reaches the same optimum.
    allow_saturated
        False (default): a model in which every row is a group of its own, or with at least as
        many random effects in a term as rows, is refused, because its variances cannot be told
        from the residual variance (generalised models: of families with a σ, and of 0/1
        responses; counts may have a random effect for every row). True: fit it (sensible only when
        prior weights fix the residual part).

    Raises
    ------
    ArgumentError
        When a setting is out of its range.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> data = mm.datasets.load("anxiety")
    >>> slow = mm.Control(optimizer="nelder-mead", max_evaluations=5000)
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data, control=slow)
    """

    optimizer: Optimizer = "newton"
    tolerance: float = 1e-9
    max_evaluations: int = 1000
    time_limit: float | None = None
    start: Sequence[float] | NDArray[np.float64] | None = None
    allow_saturated: bool = False

    def __post_init__(self) -> None:
        if self.optimizer not in get_args(Optimizer):
            raise ArgumentError(
                f"optimizer is {self.optimizer!r}; choose one of {', '.join(get_args(Optimizer))}"
            )
        _require_above_zero("tolerance", self.tolerance)
        _require_above_zero("max_evaluations", self.max_evaluations)
        if self.time_limit is not None:
            _require_above_zero("time_limit", self.time_limit)

    def settings(self, n_theta: int) -> dict[str, Any]:
        """The keyword arguments of the kernel's fit, for a model of `n_theta` covariance
        parameters."""
        return {
            "optimizer": self.optimizer,
            "tolerance": self.tolerance,
            "max_evaluations": self.max_evaluations,
            "time_limit": self.time_limit,
            "start": self._start(n_theta),
        }

    def _start(self, n_theta: int) -> NDArray[np.float64] | None:
        if self.start is None:
            return None
        start = np.array(self.start, dtype=np.float64)
        if start.shape != (n_theta,) or not np.isfinite(start).all():
            raise ArgumentError(
                f"start has shape {start.shape}; this model has {n_theta} covariance parameters: "
                "give as many finite numbers, in the order of m.theta"
            )
        return start


def _require_above_zero(name: str, value: Any) -> None:
    if not (isinstance(value, int | float | np.number) and value > 0):
        raise ArgumentError(f"{name} is {value!r}; expected a number above zero")


def settings_or_default(control: Control | None) -> Control:
    """The caller's settings; raises `ArgumentError` for anything that is not a `Control`."""
    if control is None:
        return Control()
    if not isinstance(control, Control):
        raise ArgumentError(
            f"control is {control!r}; expected settings such as mm.Control(optimizer='bfgs')"
        )
    return control
