"""Observation-level variances against the formulas of Nakagawa, Johnson & Schielzeth (2017)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit, ndtr, ndtri, polygamma
from scipy.stats import gamma as gamma_distribution
from scipy.stats import norm

import mixedmodels as mm
from dense_families import LINKS
from mixedmodels import families
from mixedmodels.variance import observation_variance as ov

L, P, NU, THETA, OMEGA, SIGMA = 2.7, 0.23, 4.0, 1.6, 1.8, 0.5


@dataclass(frozen=True)
class Kernel:
    """What is asked of the kernel's family, written from the definitions."""

    link: str
    variance: Callable[[np.ndarray], np.ndarray]

    def mean(self, eta: np.ndarray) -> np.ndarray:
        return LINKS[self.link].mean(eta)

    def mean_slope(self, eta: np.ndarray) -> np.ndarray:
        return LINKS[self.link].slope(eta)

    def link_of(self, mu: np.ndarray) -> np.ndarray:
        inverses = {
            "log": np.log,
            "sqrt": np.sqrt,
            "logit": lambda p: np.log(p / (1 - p)),
            "probit": ndtri,
            "cloglog": lambda p: np.log(-np.log1p(-p)),
            "inverse": lambda mu: 1 / mu,
            "identity": lambda mu: mu,
            "1/mu^2": lambda mu: mu**-2,
        }
        return inverses[self.link](mu)


VARIANCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "binomial": lambda mu: mu * (1 - mu),
    "poisson": lambda mu: mu,
    "negative_binomial": lambda mu: mu + mu**2 / THETA,
    "nb1": lambda mu: mu * OMEGA,
    "gamma": lambda mu: mu**2,
    "inverse_gaussian": lambda mu: mu**3,
    "gaussian": np.ones_like,
    "beta": lambda mu: mu * (1 - mu) / (1 + 9.0),
}


def value(family: str, link: str, method: str, mean: float, sigma: float = 1.0) -> float:
    kernel = Kernel(link, VARIANCES[family])
    chosen = ov.resolve_method(families.Family(family, link), method)
    found = ov.observation_variance(families.Family(family, link), kernel, sigma, chosen, mean)
    return found.value


def trigamma(x: float) -> float:
    return float(polygamma(1, x))


# Tables 1 and 2 of the paper, family by family; 1/ν is σ² of the gamma.
FORMULAS = [
    ("binomial", "logit", "theoretical", P, 1.0, math.pi**2 / 3),
    ("binomial", "probit", "theoretical", P, 1.0, 1.0),
    ("binomial", "cloglog", "theoretical", P, 1.0, math.pi**2 / 6),
    ("binomial", "logit", "delta", P, 1.0, 1 / (P * (1 - P))),
    ("binomial", "probit", "delta", P, 1.0, 2 * math.pi * P * (1 - P) * math.exp(ndtri(P) ** 2)),
    ("binomial", "cloglog", "delta", P, 1.0, P / (math.log(1 - P) ** 2 * (1 - P))),
    ("poisson", "log", "delta", L, 1.0, 1 / L),
    ("poisson", "log", "lognormal", L, 1.0, math.log(1 + 1 / L)),
    ("poisson", "log", "trigamma", L, 1.0, trigamma(L)),
    ("poisson", "sqrt", "delta", L, 1.0, 0.25),
    ("nb1", "log", "delta", L, 1.0, OMEGA / L),
    ("nb1", "log", "lognormal", L, 1.0, math.log(1 + OMEGA / L)),
    ("nb1", "log", "trigamma", L, 1.0, trigamma(L / OMEGA)),
    ("nb1", "sqrt", "delta", L, 1.0, 0.25 * OMEGA),
    ("negative_binomial", "log", "delta", L, 1.0, 1 / L + 1 / THETA),
    ("negative_binomial", "log", "lognormal", L, 1.0, math.log(1 + 1 / L + 1 / THETA)),
    ("negative_binomial", "log", "trigamma", L, 1.0, trigamma(1 / (1 / L + 1 / THETA))),
    ("negative_binomial", "sqrt", "delta", L, 1.0, 0.25 * (1 + L / THETA)),
    ("gamma", "log", "delta", L, NU**-0.5, 1 / NU),
    ("gamma", "log", "lognormal", L, NU**-0.5, math.log(1 + 1 / NU)),
    ("gamma", "log", "trigamma", L, NU**-0.5, trigamma(NU)),
    ("gamma", "inverse", "delta", L, NU**-0.5, 1 / (NU * L**2)),
    # By the same rule, beyond the paper:
    ("inverse_gaussian", "log", "delta", L, SIGMA, SIGMA**2 * L),
    ("inverse_gaussian", "log", "lognormal", L, SIGMA, math.log(1 + SIGMA**2 * L)),
    ("gaussian", "log", "delta", L, SIGMA, (SIGMA / L) ** 2),
    ("beta", "logit", "delta", P, 1.0, 1 / (10 * P * (1 - P))),
]


@pytest.mark.parametrize(("family", "link", "method", "mean", "sigma", "expected"), FORMULAS)
def test_formulas(
    family: str, link: str, method: str, mean: float, sigma: float, expected: float
) -> None:
    assert value(family, link, method, mean, sigma) == pytest.approx(expected, rel=1e-12)


def test_trigamma_is_the_variance_of_the_logarithm_of_a_gamma_variable() -> None:
    def moment(k: int) -> float:
        density = gamma_distribution(NU, scale=L / NU).pdf
        return quad(lambda t: t**k * density(math.exp(t)) * math.exp(t), -20, 8, limit=200)[0]

    exact = moment(2) - moment(1) ** 2
    assert value("gamma", "log", "trigamma", L, NU**-0.5) == pytest.approx(exact, rel=1e-8)


DEFAULTS = {
    ("binomial", "logit"): ("theoretical", "delta"),
    ("binomial", "cauchit"): ("delta",),  # the Cauchy distribution has no variance
    ("binomial", "log"): ("delta",),
    ("poisson", "log"): ("lognormal", "delta", "trigamma"),
    ("poisson", "sqrt"): ("delta",),
    ("negative_binomial", "log"): ("lognormal", "delta", "trigamma"),
    ("gamma", "log"): ("delta", "lognormal", "trigamma"),
    ("gamma", "inverse"): ("delta",),
    ("gaussian", "log"): ("delta",),
    ("beta", "logit"): ("delta",),
}


@pytest.mark.parametrize(("family", "link"), DEFAULTS)
def test_methods(family: str, link: str) -> None:
    chosen = families.Family(family, link)
    assert ov.methods_of(chosen) == DEFAULTS[family, link]
    assert ov.resolve_method(chosen, None) == DEFAULTS[family, link][0]


def test_unknown_methods() -> None:
    with pytest.raises(
        mm.ArgumentError, match=r"Poisson family with log link.*choose one of lognormal, "
    ):
        ov.resolve_method(families.poisson(), "theoretical")
    with pytest.raises(mm.ArgumentError, match="did you mean 'trigamma'"):
        ov.resolve_method(families.poisson(), "trigama")
    with pytest.raises(mm.ArgumentError, match="conditional or marginal"):
        ov.resolve_mean("median")


def test_what_needs_a_mean() -> None:
    assert not ov.needs_mean(families.binomial(), "theoretical")
    assert ov.needs_mean(families.binomial(), "delta")
    assert not ov.needs_mean(families.Gamma("log"), "trigamma")
    assert ov.needs_mean(families.Gamma("inverse"), "delta")


@pytest.mark.parametrize("sd", [0.0, 0.4, 1.0, 4.0])
@pytest.mark.parametrize("link", ["log", "probit", "logit", "cloglog", "identity"])
def test_marginal_mean(link: str, sd: float) -> None:
    kernel, eta = Kernel(link, np.ones_like), np.array([-1.2, 0.3])
    exact = {
        "log": np.exp(eta + sd**2 / 2),
        "probit": ndtr(eta / math.sqrt(1 + sd**2)),
        "identity": eta,
    }
    if link in exact:
        expected = exact[link].mean()
    else:
        mean = {"logit": expit, "cloglog": LINKS["cloglog"].mean}[link]
        expected = np.mean(
            [
                quad(lambda z, e=e: mean(e + sd * z) * norm.pdf(z), -12, 12, epsabs=1e-13)[0]
                for e in eta
            ]
        )
    assert ov.marginal_mean(kernel, eta, sd**2) == pytest.approx(expected, rel=1e-10)


def test_no_marginal_mean_of_half_line_links() -> None:
    with pytest.raises(mm.ArgumentError, match="sqrt link"):
        ov.marginal_mean(Kernel("sqrt", np.ones_like), 1.0, 0.5)


def test_notes_say_the_scale() -> None:
    family = families.binomial()
    kernel = Kernel("logit", VARIANCES["binomial"])
    latent = ov.observation_variance(family, kernel, 1.0, "theoretical", np.nan)
    assert (latent.scale, "π²/3 = 3.290" in latent.note) == ("latent", True)
    observed = ov.observation_variance(family, kernel, 1.0, "delta", 0.25)
    assert observed.scale == "observation"
    assert "of one trial is 5.333 (delta method) at the mean 0.25" in observed.note
