"""Families: names, links, what each has, and what an argument may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
from dense_families import LINKS_OF
from mixedmodels import families
from mixedmodels.families import FAMILIES, Family, criterion_of, family_of

DEFAULT_LINKS = {
    "binomial": "logit",
    "poisson": "log",
    "gamma": "inverse",
    "inverse_gaussian": "1/mu^2",
    "gaussian": "identity",
    "negative_binomial": "log",
    "nb1": "log",
    "beta": "logit",
}


@pytest.mark.parametrize(("name", "link"), DEFAULT_LINKS.items())
def test_default_links(name: str, link: str) -> None:
    assert family_of(name) == Family(name, link)


@pytest.mark.parametrize(
    ("given", "name"),
    {
        "Gamma": "gamma",
        "GAMMA": "gamma",
        "inverse.gaussian": "inverse_gaussian",
        "negative binomial": "negative_binomial",
        "nbinom2": "negative_binomial",
        "nbinom1": "nb1",
        "Poisson": "poisson",
    }.items(),
)
def test_spellings(given: str, name: str) -> None:
    assert family_of(given).name == name


def test_a_family_a_constructor_or_a_name() -> None:
    probit = families.binomial(link="probit")
    assert family_of(probit) is probit
    assert family_of(families.binomial, "probit") == probit
    assert family_of("binomial", "probit") == probit
    assert repr(probit) == 'binomial(link="probit")'
    assert repr(families.negative_binomial(2.5)) == 'negative_binomial(link="log", theta=2.5)'


# what is given → what the message says
REFUSED: dict[str, tuple[Any, str]] = {
    "misspelt": ("binomal", "did you mean 'binomial'"),
    "unknown": ("zip", "choose one of binomial, poisson, Gamma, .*mm.families.<name>"),
    "quasi": ("quasi", r"\(1 \| row\)"),
    "quasi-binomial": ("quasibinomial", "no likelihood.*'beta'"),
    "quasi-Poisson": ("quasipoisson", "negative_binomial"),
    "R's call": (7, "expected a name such as 'binomial'"),
    "an array": (np.zeros(2), "expected a name"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what: str) -> None:
    given, message = REFUSED[what]
    with pytest.raises(mm.ArgumentError, match=message):
        family_of(given)


def test_links_are_checked() -> None:
    with pytest.raises(mm.ArgumentError, match=r"did you mean 'logit'.*choose one of"):
        families.binomial("logt")
    with pytest.raises(mm.ArgumentError, match=r"Poisson family takes.*log, sqrt, identity"):
        family_of("poisson", "logit")
    with pytest.raises(mm.ArgumentError, match="has another"):
        family_of(families.binomial("probit"), "logit")


@pytest.mark.parametrize("theta", [0.0, -1.0, np.inf, np.nan, True, "2"])
def test_theta_is_above_zero(theta: Any) -> None:
    with pytest.raises(mm.ArgumentError, match="above zero"):
        families.negative_binomial(theta)


def test_default_criteria() -> None:
    observed = {name for name in FAMILIES if criterion_of(None, family_of(name)) == "observed"}
    assert observed == {"nb1", "beta"}
    assert criterion_of("observed", family_of("poisson")) == "observed"
    assert criterion_of("fisher", family_of("beta")) == "fisher"
    with pytest.raises(mm.ArgumentError, match="no closed form"):
        criterion_of("fisher", family_of("nb1"))
    with pytest.raises(mm.ArgumentError, match="choose 'fisher', 'observed'"):
        criterion_of("laplace", family_of("poisson"))


@pytest.mark.parametrize("name", FAMILIES)
def test_the_kernel_knows_every_family_and_link(name: str) -> None:
    for link in FAMILIES[name].links:
        kernel = Family(name, link).kernel()
        assert (kernel.name, kernel.link) == (name, link)
    assert set(LINKS_OF[name]) <= set(FAMILIES[name].links)


def test_a_held_shape_reaches_the_kernel() -> None:
    assert families.negative_binomial(2.5).kernel().dispersion == 2.5
    assert np.isnan(families.negative_binomial().kernel().dispersion)
    assert families.negative_binomial().kernel(1.5).dispersion == 1.5
