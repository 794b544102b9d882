"""Responses of a design at given parameters, without a fit: y* from the family with linear
predictor Xβ + o + Zb, b = Ru, u ~ N(0, I).

Replicate k of a seed has a stream of counter-based random numbers of its own (Philox, Salmon et al.
2011), so that it is a function of (seed, k) alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from ..families import Family
    from ..matrices.model_matrix import ModelMatrices
    from ..planning.true_parameters import Truth

__all__ = ["draw_responses", "response_noise", "stream"]

Array = NDArray[np.float64]
Draw = Callable[[np.random.Generator, Array, Array, float], Array]
Noise = Callable[[np.random.Generator, Array], Array]


def draw_responses(
    matrices: ModelMatrices,
    family: Family | None,
    truth: Truth,
    nsim: int,
    seed: int,
    offset: int = 0,
) -> Array:
    """Replicates offset, offset + 1, ... of a seed, shape (nobs, nsim).

    Binomial responses are proportions of the numbers of trials.
    """
    beta = np.asarray(truth.fixef)
    roots = truth.in_order(matrices.terms)
    responses = np.empty((matrices.nobs, nsim), order="F")
    noise = response_noise(
        family,
        weights=np.ones(matrices.nobs) if matrices.weights is None else matrices.weights,
        sizes=matrices.sizes,
        sigma=truth.sigma,
        dispersion=truth.dispersion,
    )
    for k in range(nsim):
        random = stream(seed, offset + k)
        modes = [
            random.standard_normal((len(term.levels), len(root))) @ root.T
            for term, root in zip(matrices.terms, roots, strict=True)
        ]
        eta = np.asarray(matrices.design.linear_predictor(beta, modes))
        responses[:, k] = noise(random, eta)
    return responses


def stream(seed: int, number: int) -> np.random.Generator:
    """The random numbers of one replicate."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, number], dtype=np.uint64)))


def response_noise(
    family: Family | None,
    *,
    weights: Array,
    sizes: Array | None,
    sigma: float,
    dispersion: float,
) -> Noise:
    """Draws of the response at a linear predictor; NaN where the family has no such mean, or a
    weight or number of trials is missing.

    Parameters
    ----------
    family
        None: a linear model.
    weights, sizes
        Prior weights, and the binomial's numbers of trials, one a row.
    dispersion
        Of families with one of their own, else NaN.
    """
    if family is None:
        sd = sigma / np.sqrt(weights)
        return lambda random, eta: eta + sd * random.standard_normal(len(eta))
    scale = dispersion if family.has_shape else sigma
    size = weights if sizes is None else sizes
    kernel = family.kernel(None if np.isnan(dispersion) else dispersion)
    draw, (low, high) = _DRAWS[family.name], family.mean_range

    def noise(random: np.random.Generator, eta: Array) -> Array:
        mean = np.asarray(kernel.mean(eta))
        possible = np.isfinite(mean) & (mean >= low) & (mean <= high) & np.isfinite(size)
        response = np.full(len(eta), np.nan)
        response[possible] = draw(random, mean[possible], size[possible], scale)
        return response

    return noise


_DRAWS: dict[str, Draw] = {
    "binomial": lambda r, mu, size, _: r.binomial(size.astype(np.int64), mu) / size,
    "poisson": lambda r, mu, *_: r.poisson(mu).astype(float),
    "gamma": lambda r, mu, w, sigma: r.gamma(w / sigma**2, mu * sigma**2 / w),
    "inverse_gaussian": lambda r, mu, w, sigma: r.wald(mu, w / sigma**2),
    "gaussian": lambda r, mu, w, sigma: r.normal(mu, sigma / np.sqrt(w)),
    "negative_binomial": lambda r, mu, _, theta: r.poisson(r.gamma(theta, mu / theta)).astype(
        float
    ),
    "nb1": lambda r, mu, _, phi: r.poisson(r.gamma(mu / phi, phi)).astype(float),
    "beta": lambda r, mu, _, phi: r.beta(mu * phi, (1 - mu) * phi),
}
