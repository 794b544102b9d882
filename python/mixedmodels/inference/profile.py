"""Likelihood profiles: `m.profile()`, and the curves behind `m.confint()`.

ζ(v) = ±√(D(v) − D(v̂)), D(v) the ML deviance (−2 log-likelihood) with the parameter held at v and
all others at their best (Bates et al. 2015, §5.1). The kernel traces the curves; here they get
their names.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, ConvergenceError, DataError
from ..input_tables.columns import names_given
from ..models.call import check_threads, optimize, optimize_generalised
from ..models.generalised import Generalised
from ..models.mixed import Mixed
from ..models.parameters import DISPERSION, SIGMA, covariance_parameters, sds_and_correlations
from ..printing.document import PrintedDocument
from .distributions import check_level, normal_quantile
from .lrt import by_ml
from .standard_errors import dispersion_error, estimates_correlation, sd_correlation_errors

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ..models.fitted import FittedModel

__all__ = ["Profile", "Profiled", "Side", "chosen", "profile", "profiled_parameters", "trace"]

Array = NDArray[np.float64]
KINDS = ("beta_", "theta_")  # fixed effects; all others
RESTARTS = 3  # from lower minima that a curve has met
UNKNOWN = np.empty((0, 0))  # the optima of a side that is not traced
FAR = 0.3  # first step without a standard error: this share of σ, or of a correlation's range


@dataclass(frozen=True)
class Profiled:
    """A parameter that can be profiled."""

    name: str  # ".sig01", ".sigma", "(Intercept)"
    label: str  # "sd_(Intercept)|Subject"
    kind: Literal["theta", "sigma", "dispersion", "beta"]
    index: int  # in θ, or among the columns of X
    estimate: float
    std_error: float  # NaN on the boundary
    is_correlation: bool = False
    infinity: int = 0  # the sign of the one to which separated data send it


@dataclass(frozen=True)
class Side:
    """One side of a curve: values with their ζ, outwards from the estimate."""

    values: Array
    zeta: Array
    optima: Array  # the kernel's parameters at each: θ, σ or dispersion, β; none if not traced
    at_boundary: bool  # the last value is the end of the parameter's range
    failure: str | None = None  # why there is no curve
    better: tuple[float, Array] | None = (
        None  # a lower deviance on the way: by how much, at which θ
    )


@dataclass(frozen=True, eq=False)
class Profile(PrintedDocument):
    """Likelihood profiles of a model, `m.profile()`.

    Attributes
    ----------
    curves
        Name → DataFrame with `value` and `zeta`, ascending.
    labels
        Name → readable label.
    optima
        Name → DataFrame with the values of all parameters, names as columns, at the curve's points:
        the parameter of that name is held and the others are at their best, which is the profile
        trace of Bates & Watts (1988, §6.1). NaN where the likelihood does not know a value.
    notes
        Where a curve ends at the boundary of its parameter's range, and why one is missing.
    correlation
        Of the ML estimates of these parameters, names × names, from the Hessian there; NaN on the
        boundary.
    """

    curves: dict[str, pd.DataFrame]
    optima: dict[str, pd.DataFrame]
    labels: dict[str, str]
    notes: tuple[str, ...]
    correlation: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Long form: name, parameter (its label), value, zeta."""
        parts = [
            curve.assign(name=name, parameter=self.labels[name])
            for name, curve in self.curves.items()
        ]
        return pd.concat(parts, ignore_index=True)[["name", "parameter", "value", "zeta"]]

    def plot(self, *, ax: Any = None) -> Axes | Figure:
        """ζ against each parameter with its 50, 80, 90, 95 and 99 % intervals; see
        `m.plot.profile`."""
        from ..plots.profile_curves import profile_frame
        from ..plots.profiles import draw_profiles

        return draw_profiles(profile_frame(self), ax)

    def plot_pairs(self, *, ax: Any = None) -> Figure:
        """Confidence contours of each pair of parameters; see `m.plot.profile_pairs`."""
        from ..plots.profile_pairs import draw_pairs

        return draw_pairs(self, ax)

    def __str__(self) -> str:
        lines = ["Likelihood profiles of the ML fit (zeta against the parameter's value)"]
        for name, curve in self.curves.items():
            low, high = curve["value"].iloc[[0, -1]]
            span = f"zeta {curve['zeta'].iloc[0]:z.2f} to {curve['zeta'].iloc[-1]:z.2f}"
            lines.append(f"  {name:<12} {self.labels[name]:<32} {low:.5g} to {high:.5g}, {span}")
        return "\n".join([*lines, *self.notes])

    __repr__ = __str__


def profile(
    model: FittedModel,
    parm: str | Sequence[str] | None = None,
    level: float = 0.99,
    *,
    points: int = 8,
    n_threads: int | None = None,
) -> Profile:
    """Documented at `Mixed.profile`."""
    check_level(level)
    check_threads(n_threads)
    if not (isinstance(points, int | np.integer) and points >= 1):
        raise ArgumentError(f"points is {points!r}; expected a whole number of at least 1")
    targets = np.linspace(0, float(normal_quantile(0.5 + level / 2)), int(points) + 1)[1:]
    found = trace(model, parm, targets, n_threads)
    curves, optima = {}, {}
    for parameter, (low, high) in zip(found.parameters, found.sides, strict=True):
        curves[parameter.name] = pd.DataFrame(
            {
                "value": [*low.values[::-1], parameter.estimate, *high.values],
                "zeta": [*low.zeta[::-1], 0.0, *high.zeta],
            }
        )
        optima[parameter.name] = found.optima(low, high)
    labels = {p.name: p.label for p in found.parameters}
    return Profile(curves, optima, labels, found.notes, found.correlation)


@dataclass(frozen=True)
class Traced:
    """The curves asked for, two sides each, and what a reader has to know of them."""

    parameters: list[Profiled]
    sides: list[tuple[Side, Side]]
    notes: tuple[str, ...]
    model: FittedModel  # the ML fit

    @property
    def correlation(self) -> pd.DataFrame:
        """Of the estimates of these parameters, names × names."""
        everything = [p.name for p in profiled_parameters(self.model)]
        names = [p.name for p in self.parameters]
        values = estimates_correlation(self.model)
        return pd.DataFrame(values, everything, everything).loc[names, names]

    def optima(self, low: Side, high: Side) -> pd.DataFrame:
        """All parameters along a curve, in their own units."""
        everything = profiled_parameters(self.model)
        estimates = [[p.estimate for p in everything]]
        below, above = (own_units(self.model, everything, side) for side in (low, high))
        rows = np.concatenate([below[::-1], estimates, above])
        return pd.DataFrame(rows, columns=[p.name for p in everything])


def own_units(model: FittedModel, parameters: Sequence[Profiled], side: Side) -> Array:
    """The optima of a side: points × parameters."""
    found = np.full((len(side.values), len(parameters)), np.nan)
    if not len(side.optima):
        return found
    k = len(model.theta) if isinstance(model, Mixed) else 0
    theta, scale, beta = side.optima[:, :k], side.optima[:, k], side.optima[:, k + 1 :]
    has_sigma = not isinstance(model, Generalised) or model.family.has_sigma
    sizes = [len(term.columns) for term in model._matrices.terms]
    values = {
        "theta": sds_and_correlations(theta, scale if has_sigma else np.ones_like(scale), sizes),
        "sigma": scale[:, None],
        "dispersion": scale[:, None],
        "beta": beta,
    }
    for column, parameter in zip(found.T, parameters, strict=True):
        column[:] = values[parameter.kind][:, parameter.index]
    return found


def trace(
    model: FittedModel,
    parm: str | Sequence[str] | None,
    targets: Array,
    n_threads: int | None = None,
) -> Traced:
    """Both sides of the curves of the parameters that `parm` names, through ±targets.

    A criterion may have several minima, and a curve may lead to a lower one: then the profile
    starts again from there, and a note says so.
    """
    start = ml = _at_optimum(model)
    gained = 0.0
    for _ in range(RESTARTS + 1):
        parameters = chosen(profiled_parameters(ml), parm)
        sides = _sides(ml, parameters, targets, n_threads)
        better = [side.better for pair in sides for side in pair if side.better is not None]
        if not better:
            break
        lower = _from_start(ml, max(better, key=lambda found: found[0])[1])
        if lower is None:
            break  # each curve says what it met
        gained += ml._minus2loglik - lower._minus2loglik
        ml = lower
    notes = [remark(p, side) for p, pair in zip(parameters, sides, strict=True) for side in pair]
    if gained > 0:
        theta = ", ".join(f"{value:.4g}" for value in ml._fit.theta)
        notes.append(
            f"The profile met a deviance lower by {gained:.4g} than that of the model's own ML fit "
            f"and started again from there: use control=mm.Control(start=[{theta}])."
        )
    if start is not model:
        notes.append("The fit by REML was refitted by ML for its profile; estimates are ML's.")
    return Traced(parameters, sides, tuple(note for note in dict.fromkeys(notes) if note), ml)


def _at_optimum(model: FittedModel) -> FittedModel:
    """The ML fit, whose deviance a profile is made of; it must be at its optimum."""
    if isinstance(model, Generalised) and model.nAGQ == 0:
        raise ArgumentError(
            "there is no profile with nAGQ=0, where the criterion is not a function of the fixed "
            "effects: use m.update(nAGQ=1), or method='wald' or 'boot'"
        )
    ml = by_ml(model)
    if not ml.converged:
        how = "see m.convergence" if ml is model else "see m.update(REML=False).convergence"
        raise ConvergenceError(
            f"the ML fit that a profile starts from did not converge: {ml.convergence.reason}; "
            f"{how}"
        )
    return ml


def _from_start(ml: FittedModel, theta: Array) -> FittedModel | None:
    """The same ML fit from another start, if it ends at a lower optimum."""
    call = replace(ml._call, control=replace(ml._call.control, start=theta))
    try:
        fit: Any = (
            optimize_generalised(ml._matrices, call, design=ml._design)
            if isinstance(ml, Generalised)
            else optimize(ml._matrices, False, call.control, call.n_threads, design=ml._design)
        )
    except (ConvergenceError, DataError):
        return None
    lower = replace(ml, _fit=fit, _call=call)
    return lower if lower.converged and lower._minus2loglik < ml._minus2loglik else None


def remark(parameter: Profiled, side: Side) -> str:
    """What a reader has to know of one side; empty where nothing is special."""
    if side.failure:
        return f"{parameter.name}: not profiled, {side.failure}."
    if len(side.values) and np.isinf(side.values[-1]):
        end = "+∞" if side.values[-1] > 0 else "−∞"
        return f"{parameter.name}: the likelihood rises up to {end} (separation): no end there."
    if side.at_boundary:
        end = f"{side.values[-1]:g}"
        return f"{parameter.name}: the profile reaches the boundary {end}: one-sided there."
    return ""


def profiled_parameters(model: FittedModel) -> list[Profiled]:
    """All parameters in lme4's order: standard deviations and correlations, σ or dispersion, fixed
    effects.

    The σ of a generalised model is none of them: it is a function of the others.
    """
    found = _covariance_parameters(model) if isinstance(model, Mixed) else []
    if isinstance(model, Generalised) and model.family.estimates_shape:
        error = dispersion_error(model)
        found.append(Profiled(DISPERSION, "dispersion", "dispersion", 0, model.dispersion, error))
    separation = model._separation if isinstance(model, Generalised) else None
    signs = {} if separation is None else separation.coefficients
    fixed = zip(model.fixef.items(), model.bse, strict=True)
    for k, ((name, estimate), error) in enumerate(fixed):
        if not np.isnan(estimate):
            label, sign = str(name), signs.get(str(name), 0)
            found.append(Profiled(label, label, "beta", k, estimate, error, infinity=sign))
    return found


def _covariance_parameters(model: Mixed) -> list[Profiled]:
    """Standard deviations and correlations, and a linear model's σ."""
    terms = model._matrices.terms
    sizes = [len(term.columns) for term in terms]
    values = sds_and_correlations(model.theta[None], np.array([model.sigma]), sizes)[0]
    errors = sd_correlation_errors(model)
    found = [
        Profiled(p.name, p.label, "theta", k, float(values[k]), float(errors[k]), not p.is_sd)
        for k, p in enumerate(covariance_parameters(terms))
    ]
    if not isinstance(model, Generalised):
        found.append(Profiled(SIGMA, "sigma", "sigma", 0, model.sigma, float(errors[-1])))
    return found


def chosen(parameters: list[Profiled], parm: str | Sequence[str] | None) -> list[Profiled]:
    """The parameters that `parm` names; see `Inference.confint`."""
    if parm is None:
        return parameters
    found: list[Profiled] = []
    for name in names_given(parm, "parm", "a parameter's name or a list of names"):
        matching = [p for p in parameters if _is_named(p, name)]
        if not matching and name not in KINDS:  # a model may have no fixed effects
            known = ", ".join(p.name for p in parameters)
            raise ArgumentError(f"parm={name!r} is no parameter here; there are {known}")
        found += [p for p in matching if p not in found]
    return found


def _is_named(parameter: Profiled, name: str) -> bool:
    if name in KINDS:
        return (parameter.kind == "beta") == (name == "beta_")
    return name in (parameter.name, parameter.label)


def _sides(
    model: FittedModel,
    parameters: Sequence[Profiled],
    targets: Array,
    n_threads: int | None,
) -> list[tuple[Side, Side]]:
    """The two sides of every parameter's curve."""
    wanted = [
        (p, sign)
        for p in parameters
        for sign in (-1, 1)
        if not np.isnan(p.estimate) and sign != p.infinity
    ]
    curves: list[Any] = [  # of the kinds that the kernel's fit has
        (p.kind, p.index, p.estimate, _first_step(p, model.sigma), sign > 0) for p, sign in wanted
    ]
    threads = model._call.n_threads if n_threads is None else n_threads
    traced = model._fit.profile(curves, targets.tolist(), threads)
    sides = {(p.name, sign): Side(*side) for (p, sign), side in zip(wanted, traced, strict=True)}
    return [(_side(sides, p, -1), _side(sides, p, 1)) for p in parameters]


def _side(traced: dict[tuple[str, int], Side], parameter: Profiled, sign: int) -> Side:
    """A side as it was traced; what has no curve is flat up to the end of its range."""
    if (parameter.name, sign) in traced:
        return traced[parameter.name, sign]
    if sign == parameter.infinity:
        return Side(np.array([sign * np.inf]), np.zeros(1), UNKNOWN, at_boundary=False)
    # a correlation with a standard deviation of zero
    return Side(np.array([float(sign)]), np.zeros(1), UNKNOWN, at_boundary=True)


def _first_step(parameter: Profiled, sigma: float) -> float:
    if parameter.std_error > 0 and not parameter.infinity:
        return parameter.std_error
    if parameter.is_correlation:
        return -FAR if parameter.estimate > 0 else FAR
    return FAR * (abs(parameter.estimate) or sigma)
