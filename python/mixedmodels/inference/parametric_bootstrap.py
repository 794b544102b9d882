"""Parametric bootstrap: `mm.bootstrap(m, nsim, seed)`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, ConvergenceError, DataError
from ..models.call import check_threads
from ..models.fitted import FittedModel
from ..models.parameters import covariance_parameters, scale_parameters
from ..models.refits import Refits
from ..models.replicates import check_replicates, chunks, joined, own_estimates
from ..printing.document import Block, Document

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..printing.tables import ResultTable

__all__ = ["Bootstrap", "IntervalType", "bootstrap"]

Array = NDArray[np.float64]
Statistic = Callable[[Any], "float | Mapping[str, float] | pd.Series[float]"]
IntervalType = Literal["percentile", "basic", "bca"]

CHUNK = 2**24  # simulated numbers held at a time for a statistic in Python (128 MB)


@dataclass(frozen=True, eq=False, repr=False)
class Bootstrap(Document):
    """Replicates of a parametric bootstrap, made by `mm.bootstrap`.

    Every replicate is kept: singular ones with their estimates, ones that failed as NaN with a
    message. Bootstraps of the same model, seed and statistic whose replicates follow one another
    can be joined by `+`.

    Attributes
    ----------
    model
        The model that the responses were drawn from.
    seed, offset
        Replicates offset, offset + 1, ... of this seed.
    use_u
        Whether the random effects were kept.
    statistic
        The caller's statistic, or None for the estimates themselves.
    estimate
        The statistics of `model`, by name.
    singular, converged, messages
        Per replicate: whether its fit is singular; has converged; and what there is to say of it,
        or None.
    """

    model: FittedModel
    seed: int
    offset: int
    use_u: bool
    statistic: Statistic | None
    estimate: pd.Series[float]
    singular: pd.Series[bool]
    converged: pd.Series[bool]
    messages: pd.Series[Any]
    _values: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Replicates × statistics: fixed effects by name, then `.sig01`, ... (standard deviations
        and correlations in θ's order), and `.sigma` or `.dispersion` if the model estimates one; or
        what the statistic gave."""
        return self._values.copy()

    def __len__(self) -> int:
        return len(self._values)

    @property
    def nsim(self) -> int:
        """Number of replicates, failed ones included."""
        return len(self)

    @property
    def n_failed(self) -> int:
        """Replicates without any estimate."""
        return int(self._values.isna().all(axis=1).sum())

    @property
    def n_singular(self) -> int:
        """Replicates whose fit is singular."""
        return int(self.singular.sum())

    @property
    def labels(self) -> dict[str, str]:
        """What the rows `.sig01`, ... are: name → "sd_(Intercept)|Subject"."""
        parameters = covariance_parameters(self.model._matrices.terms)
        scales = scale_parameters(self.model._call.family)
        return {p.name: p.label for p in parameters} | scales

    def summary(self) -> ResultTable:
        """One row a statistic: estimate, mean and standard deviation of the replicates, bias and
        its Monte Carlo error."""
        from .bootstrap_summary import summary

        return summary(self)

    def confint(self, level: float = 0.95, type: IntervalType = "percentile") -> ResultTable:
        """Bootstrap confidence intervals; see `bootstrap_summary.confint`.

        Parameters
        ----------
        level
            Coverage.
        type
            "percentile", "basic" (2θ̂ − quantiles) or "bca" (bias-corrected and accelerated).
        """
        from .bootstrap_summary import confint

        return confint(self, level, type)

    def plot(
        self,
        parm: str | Sequence[str] | None = None,
        level: float = 0.95,
        *,
        ax: Axes | Sequence[Axes] | None = None,
    ) -> Axes | Figure:
        """Densities of the replicates with percentile intervals; see `m.plot.bootstrap`."""
        from ..plots.densities import draw_densities

        return draw_densities(self.plot_data(parm, level), level, ax)

    def plot_data(
        self, parm: str | Sequence[str] | None = None, level: float = 0.95
    ) -> pd.DataFrame:
        """What `plot` draws: name, parameter, kind ("density", "spike", "interval" or "estimate"),
        value, height."""
        from ..plots.densities import replicate_densities

        return replicate_densities(self, parm, level)

    def resume(
        self, more: int, *, n_threads: int | None = None, progress: bool = True
    ) -> Bootstrap:
        """This bootstrap with `more` replicates after its last one."""
        return self + bootstrap(
            self.model,
            more,
            self.seed,
            self.statistic,
            offset=self.offset + self.nsim,
            use_u=self.use_u,
            n_threads=n_threads,
            progress=progress,
        )

    def __add__(self, other: Bootstrap) -> Bootstrap:
        if not isinstance(other, Bootstrap):
            return NotImplemented
        _require_continuation(self, other)
        joined = {
            name: pd.concat([getattr(self, name), getattr(other, name)])
            for name in ("singular", "converged", "messages", "_values")
        }
        return replace(self, **joined)

    def __str__(self) -> str:
        return str(self.summary())

    def _blocks(self) -> list[Block]:
        return self.summary()._blocks()

    def __repr__(self) -> str:
        return (
            f"<Bootstrap of {self.nsim} replicates · seed {self.seed} · {self.n_failed} failed · "
            f"{self.n_singular} singular>"
        )


def bootstrap(
    model: FittedModel,
    nsim: int = 1000,
    seed: int = 0,
    statistic: Statistic | None = None,
    *,
    offset: int = 0,
    use_u: bool = False,
    n_threads: int | None = None,
    progress: bool = True,
) -> Bootstrap:
    """Simulate responses from a fitted model and fit it to each of them.

    Parameters
    ----------
    model
        A fit of `lmer`, `glmer`, `lm` or `glm`.
    nsim
        Number of replicates.
    seed
        0 to 2⁶⁴ − 1. A replicate is a function of the seed and of its number alone, so results
        are the same bits for any number of threads and however they are cut.
    statistic
        None: fixed effects, standard deviations, correlations and sigma or dispersion, without
        leaving the kernel. A function of a fitted model that gives a number, or a dict or Series of
        numbers: called with the refitted model of every replicate.
    offset
        Number of the first replicate: bootstrap(m, 1000, s) equals bootstrap(m, 400, s) +
        bootstrap(m, 600, s, offset=400).
    use_u
        False (default): random effects are drawn anew in every replicate, as the model says.
        True: the conditional modes are kept and only the residuals drawn.
    n_threads
        Threads; default those of the model.
    progress
        Show a progress bar, in a terminal and from the first second on; False: never.

    Returns
    -------
    Bootstrap
        `.to_frame()`, `.confint()`, `.singular`, `.converged`, `.n_failed`; prints a summary.

    Raises
    ------
    ArgumentError
        An argument is out of range, or the statistic does not give numbers.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> b = bootstrap(m, 200, seed=1)
    >>> list(b.to_frame().columns)
    ['(Intercept)', 'therapy_sessions', '.sig01', '.sigma']

    References
    ----------
    Davison & Hinkley (1997), Bootstrap Methods and their Application, §2.2; Bates et al. (2015),
    §5.1.
    """
    if not isinstance(model, FittedModel):
        raise ArgumentError(f"mm.bootstrap needs a fitted model; got {type(model).__name__}")
    check_replicates(nsim, seed, offset)
    check_threads(n_threads)
    if not (statistic is None or callable(statistic)):
        raise ArgumentError(f"statistic is {statistic!r}; expected a function of a model, or None")
    threads = n_threads or model._call.n_threads
    run = _Run(model, int(seed), int(offset), bool(use_u), threads, progress)
    if statistic is None:
        return run.of_estimates(int(nsim))
    return run.of_statistic(int(nsim), statistic)


@dataclass(frozen=True)
class _Run:
    """One call of `bootstrap`."""

    model: FittedModel
    seed: int
    offset: int
    use_u: bool
    n_threads: int | None
    progress: bool

    def of_estimates(self, nsim: int) -> Bootstrap:
        parts: list[dict[str, Any]] = []
        for chunk in chunks(nsim, what="bootstrap", progress=self.progress):
            first = self.offset + chunk.start
            fit = self.model._fit
            parts.append(fit.bootstrap(len(chunk), self.seed, first, self.use_u, self.n_threads))
        refits = Refits.of(self.model, joined(parts), self._numbers(nsim))
        own = Refits.of(self.model, own_estimates(self.model), pd.RangeIndex(1))
        return self._result(
            None,
            own.to_frame().iloc[0],
            refits.to_frame(),
            refits.singular,
            refits.converged,
            refits.messages,
        )

    def of_statistic(self, nsim: int, statistic: Statistic) -> Bootstrap:
        estimate = _named(statistic(self.model))
        rows: list[pd.Series[float] | None] = []
        outcomes: list[tuple[bool, bool, str | None]] = []
        most = max(CHUNK // self.model.nobs, 1)
        for chunk in chunks(nsim, what="bootstrap", progress=self.progress, most=most):
            first = self.offset + chunk.start
            responses = self.model._fit.simulate(
                len(chunk), self.seed, first, self.use_u, self.n_threads
            )
            for k, response in enumerate(responses.T, start=first):
                row, outcome = self._replicate(k, response, statistic, estimate.index)
                rows.append(row)
                outcomes.append(outcome)
        values = np.array([np.full(len(estimate), np.nan) if r is None else r for r in rows])
        numbers = self._numbers(nsim)
        singular, converged, messages = zip(*outcomes, strict=True)
        return self._result(
            statistic,
            estimate,
            pd.DataFrame(values, index=numbers, columns=estimate.index),
            pd.Series(singular, index=numbers, name="singular"),
            pd.Series(converged, index=numbers, name="converged"),
            pd.Series(messages, index=numbers, name="messages", dtype=object),
        )

    def _replicate(
        self, number: int, response: Array, statistic: Statistic, names: pd.Index[Any]
    ) -> tuple[pd.Series[float] | None, tuple[bool, bool, str | None]]:
        """The statistic of one replicate (None where there is no fit), and its outcome."""
        try:
            model = refitted(self.model, response)
        except (ConvergenceError, DataError) as error:
            return None, (False, False, str(error))
        try:
            row = _named(statistic(model))
            if not row.index.equals(names):
                raise ArgumentError(
                    f"the statistic gives {list(row.index)}, but of the model itself {list(names)}"
                )
        except Exception as error:
            error.add_note(
                f"in the statistic of bootstrap replicate {number} (seed {self.seed}); its "
                f"response is column {number} of m.simulate({number + 1}, {self.seed})"
            )
            raise
        fit = model._fit
        return row, (fit.singular, fit.converged, "; ".join(fit.messages) or None)

    def _numbers(self, nsim: int) -> pd.RangeIndex:
        return pd.RangeIndex(self.offset, self.offset + nsim, name="replicate")

    def _result(self, statistic: Statistic | None, *parts: Any) -> Bootstrap:
        estimate, values, singular, converged, messages = parts
        return Bootstrap(
            self.model,
            self.seed,
            self.offset,
            self.use_u,
            statistic,
            estimate.rename("estimate"),
            singular,
            converged,
            messages,
            values,
        )


def refitted(model: FittedModel, response: Array) -> FittedModel:
    """The model fitted to a response over the rows used; warns of nothing."""
    values = model._matrices.on_table(np.ascontiguousarray(response))
    fit = model._fit.refit(values)
    return model.__class__(model.formula, model._matrices, fit, model._call, values)


def _named(value: Any) -> pd.Series[float]:
    """What a statistic gave, as numbers by name."""
    if isinstance(value, Real):
        value = {"statistic": float(value)}
    if not isinstance(value, Mapping | pd.Series) or not len(value):
        raise ArgumentError(
            f"the statistic gave {value!r}; expected a number, or a dict or Series of numbers"
        )
    try:
        return pd.Series(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ArgumentError(f"the statistic gave {value!r}, which is not all numbers") from None


def _require_continuation(first: Bootstrap, second: Bootstrap) -> None:
    same = (
        first.model is second.model
        and first.seed == second.seed
        and first.use_u == second.use_u
        and first.statistic is second.statistic
    )
    if not same:
        raise ArgumentError(
            "bootstraps can be joined if they have the same model, seed, statistic and use_u"
        )
    if second.offset != first.offset + first.nsim:
        raise ArgumentError(
            f"the second bootstrap begins at replicate {second.offset}; expected "
            f"offset={first.offset + first.nsim}, where the first one ends"
        )
