"""Families and links of generalised models: what `family=` can be.

A family here is a name, a link and, for the negative binomial, a shape held fixed: the arithmetic
is the kernel's. To add one: a row of `FAMILIES`, a constructor, and the row of the kernel's table.
The constructors raise `ArgumentError` for a link that the family does not take.

>>> import mixedmodels as mm
>>> mm.families.Gamma(link="log")
Gamma(link="log")
>>> mm.families.negative_binomial(theta=2)
negative_binomial(link="log", theta=2)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from .errors import ArgumentError, closest

if TYPE_CHECKING:
    from . import _core

__all__ = [
    "Criterion",
    "Family",
    "Gamma",
    "beta",
    "binomial",
    "family_of",
    "gaussian",
    "inverse_gaussian",
    "nb1",
    "negative_binomial",
    "poisson",
]

Criterion = Literal["fisher", "observed"]


@dataclass(frozen=True, slots=True)
class _Traits:
    """What is said of a family, whatever its link."""

    links: tuple[str, ...]  # the default first
    words: str  # in a sentence
    title: str  # as lme4 prints it
    criteria: tuple[Criterion, ...] = ("fisher", "observed")  # the default first
    has_sigma: bool = False  # a dispersion σ², profiled out as in lme4
    has_shape: bool = False  # a dispersion parameter of its own, estimated with θ and β
    discrete: bool = False  # whole numbers


FAMILIES = {
    "binomial": _Traits(
        ("logit", "probit", "cloglog", "cauchit", "log", "identity"),
        "binomial", "binomial", discrete=True,
    ),
    "poisson": _Traits(
        ("log", "sqrt", "identity"), "Poisson", "poisson", discrete=True
    ),
    "gamma": _Traits(
        ("inverse", "log", "identity"), "gamma", "Gamma", has_sigma=True
    ),
    "inverse_gaussian": _Traits(
        ("1/mu^2", "inverse", "log", "identity"),
        "inverse Gaussian", "inverse.gaussian", has_sigma=True,
    ),
    "gaussian": _Traits(
        ("identity", "log", "inverse"), "Gaussian", "gaussian", has_sigma=True
    ),
    "negative_binomial": _Traits(
        ("log", "sqrt", "identity"),
        "negative binomial", "Negative Binomial", has_shape=True, discrete=True,
    ),
    # Fisher's information of nb1 has no closed form, and the reference for beta is glmmTMB.
    "nb1": _Traits(
        ("log", "sqrt", "identity"),
        "negative binomial (linear variance)", "nb1", ("observed",),
        has_shape=True, discrete=True,
    ),
    "beta": _Traits(
        ("logit", "probit", "cloglog", "cauchit", "log"),
        "beta", "beta", ("observed", "fisher"), has_shape=True,
    ),
}  # fmt: skip

CANONICAL = {
    "binomial": "logit", "poisson": "log", "gamma": "inverse", "inverse_gaussian": "1/mu^2",
    "gaussian": "identity",
}  # fmt: skip

ALIASES = {"nbinom1": "nb1", "nbinom2": "negative_binomial"}  # glmmTMB's names

INSTEAD = {
    "quasi": "a random effect for every row, (1 | row), takes up the variance that is left over",
    "quasibinomial": (
        "for overdispersed counts out of a total add a random effect for every row, (1 | row); for "
        "proportions without totals use family='beta'"
    ),
    "quasipoisson": (
        "for overdispersed counts use family='negative_binomial' (variance μ + μ²/θ), 'nb1' "
        "(variance μ(1 + φ), as quasi-Poisson's), or add a random effect for every row, (1 | row)"
    ),
}


@dataclass(frozen=True)
class Family:
    """The conditional distribution of the response and its link; made by the constructors below.

    Attributes
    ----------
    name
        "binomial", "poisson", "gamma", "inverse_gaussian", "gaussian", "negative_binomial", "nb1"
        or "beta".
    link
        g in g(E[y | b]) = η.
    dispersion
        The negative binomial's θ where it is held; None where it is estimated, or the family has
        none.
    """

    name: str
    link: str
    dispersion: float | None = None

    def __post_init__(self) -> None:
        links = self._traits.links
        if self.link not in links:
            raise ArgumentError(
                f"link {self.link!r} is not one that the {self._traits.words} family takes"
                f"{closest(str(self.link), links)} (choose one of {', '.join(links)})"
            )

    @property
    def _traits(self) -> _Traits:
        return FAMILIES[self.name]

    @property
    def words(self) -> str:
        """The family's name in a sentence."""
        return self._traits.words

    @property
    def title(self) -> str:
        """The family's name as lme4 prints it."""
        return self._traits.title

    @property
    def has_sigma(self) -> bool:
        """Whether there is a residual σ, Var(y) = σ²V(μ): Gamma, inverse Gaussian, Gaussian."""
        return self._traits.has_sigma

    @property
    def has_shape(self) -> bool:
        """Whether there is a dispersion parameter of its own: negative binomial, nb1, beta."""
        return self._traits.has_shape

    @property
    def is_canonical(self) -> bool:
        """Whether expected and observed information are the same."""
        return self.link == CANONICAL.get(self.name)

    @property
    def estimates_shape(self) -> bool:
        """Whether a dispersion parameter of its own is estimated along with θ and β."""
        return self._traits.has_shape and self.dispersion is None

    @property
    def is_discrete(self) -> bool:
        """Whether the response consists of whole numbers (of successes, of events)."""
        return self._traits.discrete

    @property
    def mean_range(self) -> tuple[float, float]:
        """The least and the greatest mean, ends included."""
        if self.name == "gaussian":
            return -math.inf, math.inf
        return 0.0, 1.0 if self.name in ("binomial", "beta") else math.inf

    @property
    def criteria(self) -> tuple[Criterion, ...]:
        """The Laplace criteria that the family has, the default first."""
        return self._traits.criteria

    def kernel(self, dispersion: float | None = None) -> _core.Family:
        """The family as the kernel computes with it, at `dispersion` where that was estimated."""
        from . import _core

        value = self.dispersion if dispersion is None else dispersion
        return _core.Family(self.name, self.link, dispersion=value)

    def __repr__(self) -> str:
        name = "Gamma" if self.name == "gamma" else self.name
        shape = "" if self.dispersion is None else f", theta={self.dispersion:g}"
        return f'{name}(link="{self.link}"{shape})'


# --- Constructors ---


def binomial(link: str = "logit") -> Family:
    """Successes out of a number of trials, or 0/1: Var(y) = μ(1 − μ)/size for proportions y.

    Links: logit, probit, cloglog, cauchit, log, identity.
    """
    return Family("binomial", link)


def poisson(link: str = "log") -> Family:
    """Counts with variance μ. Links: log, sqrt, identity."""
    return Family("poisson", link)


def Gamma(link: str = "inverse") -> Family:
    """Positive numbers with variance σ²μ². Links: inverse, log, identity."""
    return Family("gamma", link)


def inverse_gaussian(link: str = "1/mu^2") -> Family:
    """Positive numbers with variance σ²μ³. Links: 1/mu^2, inverse, log, identity."""
    return Family("inverse_gaussian", link)


def gaussian(link: str = "identity") -> Family:
    """Normal responses with variance σ². Links: log, inverse (identity: a linear model's)."""
    return Family("gaussian", link)


def negative_binomial(theta: float | None = None, link: str = "log") -> Family:
    """Counts with variance μ + μ²/θ, a gamma mixture of Poisson counts.

    Parameters
    ----------
    theta
        None (default): estimated by maximum likelihood, as lme4's glmer.nb. A number above zero is
        held.
    link
        log, sqrt or identity.

    Raises
    ------
    ArgumentError
        `theta` is no number above zero, or the link is another.
    """
    number = isinstance(theta, int | float) and not isinstance(theta, bool)
    if theta is not None and not (number and 0 < theta < float("inf")):
        raise ArgumentError(
            f"theta is {theta!r}; expected a number above zero, or None to estimate it"
        )
    return Family("negative_binomial", link, None if theta is None else float(theta))


def nb1(link: str = "log") -> Family:
    """Counts with variance μ(1 + φ); φ is estimated. Links: log, sqrt, identity."""
    return Family("nb1", link)


def beta(link: str = "logit") -> Family:
    """Proportions strictly between 0 and 1 with variance μ(1 − μ)/(1 + φ); φ is estimated.

    Links: logit, probit, cloglog, cauchit, log. Source: Ferrari & Cribari-Neto (2004), J. Appl.
    Stat. 31(7).
    """
    return Family("beta", link)


CONSTRUCTORS: dict[str, Callable[..., Family]] = {
    "binomial": binomial, "poisson": poisson, "gamma": Gamma, "inverse_gaussian": inverse_gaussian,
    "gaussian": gaussian, "negative_binomial": negative_binomial, "nb1": nb1, "beta": beta,
}  # fmt: skip


def family_of(value: Any, link: str | None = None) -> Family:
    """The family that an argument means: one of ours, its constructor, or a name.

    Names are taken in any case, with R's dots ("inverse.gaussian") and glmmTMB's "nbinom2" and
    "nbinom1"; `link` is that of a family by name.

    Raises
    ------
    ArgumentError
        Nothing of the kind; the nearest name is suggested, and for the quasi families, which have
        no likelihood, what to use in their place.

    Examples
    --------
    >>> family_of("Poisson")
    poisson(link="log")
    """
    if isinstance(value, Family):
        if link not in (None, value.link):
            raise ArgumentError(f"link={link!r}, but the family given has another: {value!r}")
        return value
    for constructor in CONSTRUCTORS.values():
        if value is constructor:
            return _made(constructor, link)
    names = [*CONSTRUCTORS, *ALIASES]
    if not isinstance(value, str):
        raise ArgumentError(
            f"family is {value!r}; expected a name such as 'binomial' or a family such as "
            "mm.families.binomial(link='probit')"
        )
    name = value.strip().casefold().replace(".", "_").replace(" ", "_").replace("-", "_")
    if name.replace("_", "") in INSTEAD:
        raise ArgumentError(
            f"family {value!r} has no likelihood, so random effects cannot be integrated out: "
            f"{INSTEAD[name.replace('_', '')]}"
        )
    name = ALIASES.get(name, name)
    if name not in CONSTRUCTORS:
        raise ArgumentError(
            f"family {value!r} is not known{closest(name, names)} (choose one of "
            f"{', '.join(made.__name__ for made in CONSTRUCTORS.values())}, or "
            "mm.families.<name>(link=...))"
        )
    return _made(CONSTRUCTORS[name], link)


def _made(constructor: Callable[..., Family], link: str | None) -> Family:
    return constructor() if link is None else constructor(link=link)


def criterion_of(value: Any, family: Family) -> Criterion:
    """The Laplace criterion that an argument means; None is the family's default."""
    if value is None:
        return family.criteria[0]
    if value not in get_args(Criterion):
        raise ArgumentError(f"criterion is {value!r}; choose 'fisher', 'observed', or None")
    if value not in family.criteria:
        raise ArgumentError(
            f"criterion={value!r}: the {family.words} family has no closed form of Fisher's "
            "information; leave the argument out, for criterion='observed'"
        )
    return value  # type: ignore[no-any-return]
