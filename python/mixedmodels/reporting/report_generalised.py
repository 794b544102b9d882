"""Sentences of the results paragraph that are of generalised models alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .apa import Style, number

if TYPE_CHECKING:
    from ..models.generalised import Generalised

__all__ = [
    "approximation_words",
    "kind_words",
    "of_the_intercept",
    "residual_words",
    "separation_words",
]

SCALES = {
    ("binomial", "logit"): "log odds of success",
    ("beta", "logit"): "logit of the expected {response}",
    ("binomial", "probit"): "probit of success",
}
VARIANCES = {"gamma": "σ²μ²", "inverse_gaussian": "σ²μ³", "gaussian": "σ²"}
SHAPES = {
    "negative_binomial": ("θ", "variance μ + μ²/θ"),
    "nb1": ("φ", "variance μ(1 + φ)"),
    "beta": ("φ", "variance μ(1 − μ)/(1 + φ)"),
}


def kind_words(model: Generalised) -> str:
    """ "generalised linear mixed model of the Poisson family with the log link"."""
    mixed = "mixed " if model._matrices.terms else ""
    family = model.family
    return (
        f"generalised linear {mixed}model of the {family.words} family with the {family.link} link"
    )


def approximation_words(model: Generalised) -> str:
    """How the likelihood was computed."""
    if not model._matrices.terms:
        return "maximum likelihood"
    if model.nAGQ == 1:
        return "maximum likelihood (Laplace approximation)"
    nodes = f"{model.nAGQ} quadrature nodes" if model.nAGQ else "nAGQ = 0"
    return f"approximate maximum likelihood ({nodes})"


def of_the_intercept(model: Generalised, style: Style) -> str:
    """What the linear predictor is: "log odds of success"."""
    family, response = model.family, style.name(model._matrices.response_name)
    if family.link == "log" and family.name != "binomial":
        return f"logarithm of the expected {response}"
    of = "the probability of success" if family.name == "binomial" else f"the expected {response}"
    scale = SCALES.get((family.name, family.link), f"{family.link} of {of}")
    return scale.format(response=response)


def separation_words(model: Generalised) -> str:
    """Which estimates run off to infinity; empty where none does."""
    if model._separation is None:
        return ""
    found = model._separation.finding()
    return f"{found[0].upper()}{found[1:]}. The estimates of these coefficients mean nothing."


def residual_words(model: Generalised) -> str:
    """What varies besides the random effects; empty where the mean determines it."""
    if model.family.has_sigma:
        variance = VARIANCES[model.family.name]
        return f"the dispersion was σ² = {number(model.dispersion)} (variance {variance})"
    if model.family.has_shape:
        symbol, variance = SHAPES[model.family.name]
        how = "" if model.family.estimates_shape else ", held"
        return f"the dispersion was {symbol} = {number(model.dispersion)} ({variance}{how})"
    return ""
