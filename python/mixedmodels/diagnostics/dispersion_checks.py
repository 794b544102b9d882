"""Does the response vary as its family has it? `m.overdispersion()` and `m.zero_inflation()`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..inference.distributions import chi2_upper, t_two_sided
from ..printing.document import Block, Document, Paragraph
from ..printing.text import p_values

if TYPE_CHECKING:
    from ..models.generalised import Generalised

__all__ = [
    "Overdispersion",
    "ZeroInflation",
    "overdispersion",
    "zero_inflation",
]

Array = NDArray[np.float64]

FEW = 5.0  # expected events below which Pearson's χ² is rough
TIGHT = 0.05  # p-value of a finding


class _Printed(Document):
    """Prints as its sentences."""

    def sentences(self) -> list[str]:
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join(self.sentences())

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        return [Paragraph(sentence) for sentence in self.sentences()]


@dataclass(frozen=True, eq=False, repr=False)
class Overdispersion(_Printed):
    """Pearson's χ² = Σ w(y − μ)²/V(μ) at the fitted means, against its degrees of freedom.

    Attributes
    ----------
    statistic, df
        χ² and n − npar.
    ratio
        statistic/df: about 1 where the variance is the family's.
    p_value
        P(χ²_df > statistic).
    remedies
        What usually takes up an excess, for the family at hand.
    notes
        What to bear in mind.
    """

    statistic: float
    df: int
    p_value: float
    remedies: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Pearson's χ² per degree of freedom."""
        return self.statistic / self.df

    def sentences(self) -> list[str]:
        """The verdict in words."""
        p = p_values([self.p_value], 4)[0]
        p = p.replace("<", "< ") if p.startswith("<") else f"= {p}"
        found = (
            f"Pearson's χ² = {self.statistic:.4g} on {self.df} degrees of freedom: ratio "
            f"{self.ratio:.3f}, p {p}"
        )
        if self.p_value < TIGHT:
            advice = (
                "The response varies more than the family has it: standard errors are too small. "
                f"Usual ways out: {', '.join(self.remedies[:-1])}, or {self.remedies[-1]}."
            )
        else:
            advice = "No sign of overdispersion."
        return [found, advice, *self.notes]


def overdispersion(model: Generalised) -> Overdispersion:
    """Documented at `Generalised.overdispersion`.

    Source: McCullagh & Nelder (1989), Generalized Linear Models, §4.5.
    """
    if model.family.has_sigma:
        raise ArgumentError(
            f"the {model.family.words} family estimates its dispersion, σ² = "
            f"{model.sigma**2:.4g}, so there is no excess to test"
        )
    _refuse_binary(model, "overdispersion")
    df = model.nobs - model.npar
    if df <= 0:
        raise ArgumentError(f"{model.nobs} rows and {model.npar} parameters leave nothing to test")
    statistic = float((model._residuals("pearson") ** 2).sum())
    p_value = chi2_upper(statistic, df)
    return Overdispersion(statistic, df, p_value, _remedies(model), _cautions(model))


def _remedies(model: Generalised) -> tuple[str, ...]:
    """Poisson counts have families with a dispersion to go to."""
    general = "a missing predictor", "a random effect for every row (1 | row)"
    if model.family.name != "poisson":
        return general
    return (*general, "a family with a dispersion (negative_binomial, nb1)")


def _refuse_binary(model: Generalised, what: str) -> None:
    if model.family.name == "binomial" and (model._sizes == 1).all():
        raise ArgumentError(
            f"the response is 0/1 in every row, whose variance μ(1 − μ) the mean determines: there "
            f"can be no {what}. Aggregate the rows to cbind(successes, failures) by the predictors "
            "to look for it"
        )


def _cautions(model: Generalised) -> tuple[str, ...]:
    notes = []
    rows = [t.group for t in model._matrices.terms if len(t.levels) >= model.nobs]
    if rows:
        notes.append(
            f"'{rows[0]}' has a level for every row and takes up the overdispersion: the ratio is "
            "below 1 by construction."
        )
    if model.family.is_discrete and np.mean(_events(model) < FEW) > 0.5:
        notes.append(
            f"Most rows expect fewer than {FEW:g} events, where χ² is a rough approximation: "
            "compare with simulated responses (m.quantile_tests)."
        )
    return tuple(notes)


def _events(model: Generalised) -> Array:
    """Expected counts, of the rarer outcome for the binomial."""
    mu = model._fitted
    if model.family.name == "binomial":
        return np.asarray(model._sizes * np.minimum(mu, 1 - mu))
    return mu


@dataclass(frozen=True, eq=False, repr=False)
class ZeroInflation(_Printed):
    """The zeros of a response of counts, against Σ P(Y = 0) at the fitted means.

    Attributes
    ----------
    observed, expected
        Numbers of zeros.
    p_value
        Two-sided, from the normal distribution of observed − expected with β estimated; None where
        that does not hold (random effects, an estimated dispersion, weights): `notes` say so.
    notes
        What to bear in mind.
    """

    observed: int
    expected: float
    p_value: float | None
    notes: tuple[str, ...]

    @property
    def ratio(self) -> float:
        """Observed zeros per expected one: above 1 there are too many."""
        return self.observed / self.expected

    def sentences(self) -> list[str]:
        """The verdict in words."""
        found = (
            f"{self.observed} zeros observed, {self.expected:.1f} expected at the fitted means: "
            f"ratio {self.ratio:.3f}"
        )
        if self.p_value is not None:
            found += f", p = {p_values([self.p_value], 4)[0]}"
        return [found.replace("p = <", "p < "), *self.notes]


def zero_inflation(model: Generalised) -> ZeroInflation:
    """Documented at `Generalised.zero_inflation`."""
    if not model.family.is_discrete:
        raise ArgumentError(
            f"the {model.family.words} family has no counts, so there are no zeros to expect"
        )
    _refuse_binary(model, "inflation of zeros")
    zeros, ones = np.zeros(model.nobs), np.ones(model.nobs)
    density = model._kernel_family.log_density(
        zeros, model._sizes, ones, model._linear_predictor, 1.0
    )
    probability = np.exp(np.asarray(density))
    observed = int(np.count_nonzero(model._response == 0))
    reason = _no_test(model)
    p_value = None if reason else _test_of_zeros(model, probability, observed)
    notes = (f"No p-value {reason}.",) if reason else ()
    return ZeroInflation(observed, float(probability.sum()), p_value, notes)


def _no_test(model: Generalised) -> str:
    if model._matrices.terms:
        return (
            "without simulation, because random effects are estimated as well: compare with the "
            "zeros of m.quantile_tests()"
        )
    if model.family.estimates_shape:
        return (
            "without simulation, because the dispersion, which makes zeros, is estimated as well: "
            "compare with the zeros of m.quantile_tests()"
        )
    return "for rows with weights" if model._matrices.is_weighted else ""


def _test_of_zeros(model: Generalised, probability: Array, observed: int) -> float:
    """P of the difference of observed and expected zeros, D = Σ 1(y = 0) − p₀(β̂).

    Var D = Σ p₀(1 − p₀) − d'X(X'WX)⁻¹X'd with d = Cov(1(y = 0), ∂ log f/∂η) = p₀ ∂ log f(0)/∂η,
    by which estimating β takes up some of the difference (Pierce 1982, Ann. Stat. 10, 475-478; cf.
    van den Broek 1995, Biometrics 51).
    """
    family, mu = model._kernel_family, model._fitted
    slope, variance = np.asarray(family.mean_slope(model._linear_predictor)), family.variance(mu)
    W = model._sizes * slope**2 / variance
    d = -probability * model._sizes * mu * slope / variance
    X = model._design.fixed_matrix()[:, ~np.isnan(np.asarray(model._fit.beta))]
    projected = np.linalg.lstsq(np.sqrt(W)[:, None] * X, d / np.sqrt(W), rcond=None)[0]
    explained = float((d @ X) @ projected)
    spread = float((probability * (1 - probability)).sum()) - explained
    z = (observed - probability.sum()) / np.sqrt(max(spread, np.finfo(float).tiny))
    return float(t_two_sided(z, np.inf))
