"""The variance of an observation about its mean, in units of the linear predictor.

A generalised model has no residual variance beside the variances of its effects, which stand on the
scale of the linear predictor. Two answers take its place:

latent scale      a binomial response is a latent variable cut at zero: π²/3 for the logit, 1 for
                  the probit, π²/6 for the complementary log-log link ("theoretical")
observation scale Var(y | λ) of an observation with mean λ, carried over to η

    delta         Var(y)/(dμ/dη)²               any link
    lognormal     log(1 + Var(y)/λ²)            log link
    trigamma      ψ₁(λ²/Var(y))                 log link, exact for gamma distributed y

The formulas of Nakagawa, Johnson & Schielzeth (2017), J. R. Soc. Interface 14: 20170213, are these
at the variances of their families: Poisson with a log link 1/λ, log(1 + 1/λ), ψ₁(λ); negative
binomial 1/λ + 1/θ in place of 1/λ; gamma 1/ν; a square root link 0.25 Var(y)/λ; binomial with a
logit link 1/(p(1 − p)) for one trial.

λ comes from the null model, which has the random effects and the offset but no predictors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from ..errors import ArgumentError, closest
from ..inference.distributions import trigamma

if TYPE_CHECKING:
    from .. import _core
    from ..families import Family

__all__ = [
    "MeanOf",
    "ObservationVariance",
    "VarianceMethod",
    "marginal_mean",
    "methods_of",
    "needs_mean",
    "observation_variance",
    "resolve_mean",
    "resolve_method",
]

VarianceMethod = Literal["theoretical", "delta", "lognormal", "trigamma"]
MeanOf = Literal["conditional", "marginal"]

LATENT = {
    "logit": ("π²/3", math.pi**2 / 3),
    "probit": ("1", 1.0),
    "cloglog": ("π²/6", math.pi**2 / 6),
}
COUNTS = ("poisson", "negative_binomial", "nb1")
POSITIVE = ("gamma", "inverse_gaussian")
WHOLE_LINE = (
    "logit",
    "probit",
    "cloglog",
    "cauchit",
    "log",
    "identity",
)  # g⁻¹ is defined for every η
NODES = np.linspace(-12.0, 12.0, 241)  # of a standard normal variable: steps of 0.1


@dataclass(frozen=True, slots=True)
class ObservationVariance:
    """The residual variance of a generalised model on the scale of its linear predictor."""

    value: float
    method: VarianceMethod
    note: str  # how it was made

    @property
    def scale(self) -> Literal["latent", "observation"]:
        """What an intraclass correlation made with it speaks of."""
        return "latent" if self.method == "theoretical" else "observation"


def methods_of(family: Family) -> tuple[VarianceMethod, ...]:
    """The methods that a family and link have, the default first.

    The defaults are those of R's performance 0.10: gamma and inverse Gaussian by delta, counts with
    a log link by lognormal, binomial ones on the latent scale.
    """
    if family.name == "binomial" and family.link in LATENT:
        return ("theoretical", "delta")
    if family.link == "log" and family.name in COUNTS:
        return ("lognormal", "delta", "trigamma")
    if family.link == "log" and family.name in POSITIVE:
        return ("delta", "lognormal", "trigamma")
    return ("delta",)


def resolve_method(family: Family, method: str | None) -> VarianceMethod:
    """The method meant by the caller; None is the family's default.

    Raises
    ------
    ArgumentError
        For a name that is none, and for one that the family and link do not have.
    """
    known = methods_of(family)
    if method is None:
        return known[0]
    if method not in known:
        every = get_args(VarianceMethod)
        hint = "" if method in every else closest(str(method), every)
        raise ArgumentError(
            f"method={method!r} is no observation-level variance of the {family.words} family with "
            f"{family.link} link{hint} (choose one of {', '.join(known)})"
        )
    return method


def resolve_mean(mean: str) -> MeanOf:
    """Refuses what is not "conditional" or "marginal"."""
    if mean not in get_args(MeanOf):
        raise ArgumentError(f"mean={mean!r}: choose conditional or marginal")
    return mean  # type: ignore[return-value]


def needs_mean(family: Family, method: VarianceMethod) -> bool:
    """Whether the variance depends on λ: that of a gamma with a log link does not."""
    return method != "theoretical" and (family.name, family.link) != ("gamma", "log")


def observation_variance(
    family: Family, kernel: _core.Family, sigma: float, method: VarianceMethod, mean: float
) -> ObservationVariance:
    """The variance of one observation (of weight 1; one trial of a binomial) with this mean.

    Parameters
    ----------
    kernel
        The family at its estimated dispersion.
    sigma
        The residual standard deviation; 1 where the family has none.
    mean
        λ; not used by the theoretical method.

    Raises
    ------
    ArgumentError
        An observation with this mean has no variance.
    """
    if method == "theoretical":
        symbol, value = LATENT[family.link]
        shown = f"{symbol} = {value:.3f}" if symbol != "1" else "1"
        note = f"Latent scale: the residual variance is {shown}, that of the {family.link} link."
        return ObservationVariance(value, method, note)
    at = np.array([mean])
    variance = sigma**2 * float(kernel.variance(at)[0])
    if method == "delta":
        value = variance / float(kernel.mean_slope(kernel.link_of(at))[0]) ** 2
    elif method == "lognormal":
        value = math.log1p(variance / mean**2)
    else:
        value = trigamma(mean**2 / variance)
    if not (value > 0 and math.isfinite(value)):
        raise ArgumentError(
            f"method={method!r}: there is no observation-level variance at the mean {mean:.4g} of "
            f"the {family.words} family with {family.link} link"
        )
    where = f" at the mean {mean:.4g}" if needs_mean(family, method) else ""
    trial = " of one trial" if family.name == "binomial" else ""
    note = (
        f"Observation scale: the residual variance{trial} is {value:.4g} ({method} method){where}."
    )
    return ObservationVariance(value, method, note)


def marginal_mean(kernel: _core.Family, eta: Any, variance: float) -> float:
    """E g⁻¹(η + N(0, variance)), averaged over the values of η.

    exp(η + variance/2) for the log link, Φ(η/√(1 + variance)) for the probit. A link whose inverse
    is not defined for every η has no such mean, and raises `ArgumentError`.

    By the trapezoidal rule, which beats Gauss and Hermite's where the poles of g⁻¹ are near, that
    is for large variances: 1e-10 up to a variance of 16.
    """
    if kernel.link not in WHOLE_LINE:
        raise ArgumentError(
            f"mean='marginal': with the {kernel.link} link the mean over normal random effects "
            "does not exist; use mean='conditional'"
        )
    values = np.atleast_1d(np.asarray(eta, dtype=float))
    means = [kernel.mean(values + math.sqrt(variance) * node).mean() for node in NODES]
    density = np.exp(-(NODES**2) / 2)
    return float(density @ np.array(means) / density.sum())
