"""Small simulated models of every family, link and layout: for the kernel and for the oracle alike.

The parameters are such that μ stays inside the family's domain wherever the tests go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dense_families import LINKS, LINKS_OF, Array
from dense_generalised import DenseGeneralised
from dense_model import Term

N = 72
GROUPS = 8

# Intercept, slope and standard deviation of the random intercepts on the scale of the link.
SCALES = {
    "logit": (0.2, 0.5, 0.6),
    "probit": (0.1, 0.4, 0.4),
    "cloglog": (-0.3, 0.4, 0.4),
    "cauchit": (0.2, 0.4, 0.5),
    "log": (0.8, 0.4, 0.4),
    "sqrt": (2.0, 0.3, 0.2),
    "identity": (6.0, 0.8, 0.5),
    "inverse": (1.0, 0.2, 0.1),
    "1/mu^2": (0.8, 0.2, 0.1),
}
PROPORTIONS = {"log": (-1.2, 0.2, 0.1), "identity": (0.5, 0.1, 0.05)}
DISPERSION = {"negative_binomial": 2.5, "nb1": 0.7, "beta": 9.0}

# θ per layout, as multiples of the standard deviation above.
LAYOUTS: dict[str, tuple[float, ...]] = {
    "scalar": (1.0,),
    "vector": (1.0, 0.3, 0.6),
    "nested": (0.7, 1.0),
    "crossed": (1.0, 0.6),
    "slopes crossed": (1.0, -0.4, 0.5, 0.6),
    "two terms of a group": (1.0, 0.5),
    "three columns": (1.0, 0.3, -0.2, 0.6, 0.1, 0.5),
}


FAMILY_LINKS = [(family, link) for family, links in LINKS_OF.items() for link in links]


@dataclass(frozen=True)
class Example:
    """One model with data: what the oracle and the kernel are given."""

    family: str
    link: str
    layout: str
    oracle: DenseGeneralised
    theta: Array
    beta: Array
    dispersion: float

    @property
    def name(self) -> str:
        return f"{self.family}-{self.link}-{self.layout}"

    def design(self) -> Any:
        """The kernel's design of the same model."""
        from mixedmodels import _core

        model, n = self.oracle, len(self.oracle.y)
        numeric: list[Array] = []
        groups: list[NDArray[np.int32]] = []

        def recipe(column: Array) -> Any:
            return ([], []) if np.all(column == 1) else ([position(numeric, column)], [])

        return _core.Design(
            n_table=n,
            rows=None,
            fixed=[recipe(column) for column in model.X.T],
            terms=[
                (position(groups, codes.astype(np.int32)), [recipe(c) for c in columns.T])
                for columns, codes in model.terms
            ],
            numeric=numeric,
            codes=[],
            groups=[(codes, int(codes.max()) + 1) for codes in groups],
            constant=np.array([1.0, 0.0]),
            response=model.y,
            sizes=model.sizes,
            weights=model.weights,
            offset=model.offset,
        )


def position(arrays: list[Any], wanted: Any) -> int:
    """Where `wanted` stands in the list; it is appended if it is not there."""
    for k, array in enumerate(arrays):
        if np.array_equal(array, wanted):
            return k
    arrays.append(wanted)
    return len(arrays) - 1


def example(
    family: str,
    link: str,
    layout: str = "scalar",
    *,
    seed: int = 1,
    weights: bool = False,
    offset: bool = False,
    sizes: bool = False,
    observed: bool = False,
    spread: float = 1.0,
) -> Example:
    """A model with its data, and a point (θ, β, φ) away from the optimum.

    `spread` multiplies the random effects that the data are drawn with.
    """
    r = np.random.default_rng(seed)
    scales = PROPORTIONS if family in ("binomial", "beta") and link in PROPORTIONS else SCALES
    intercept, slope, sd = scales[link]
    x, phi = r.uniform(-1, 1, N), DISPERSION.get(family, np.nan)
    X, terms = np.column_stack([np.ones(N), x]), layout_terms(layout, x, r)
    size = r.integers(1, 9, N).astype(float) if sizes else None
    o = r.uniform(-0.3, 0.3, N) * sd if offset else None
    beta = np.array([intercept, slope])
    theta = sd * np.array(LAYOUTS[layout])
    model = DenseGeneralised(
        np.zeros(N),
        X,
        terms,
        family,
        link,
        sizes=size,
        weights=r.uniform(0.5, 2, N) if weights else None,
        offset=o,
        observed=observed,
    )
    ZL = model.scaled_indicators(theta)
    u = spread * np.clip(r.normal(size=ZL.shape[1]), -1.5, 1.5)
    eta = model.fixed(beta) + ZL @ u
    y = draw(family, LINKS[link].mean(eta), model.size, phi, r)
    return Example(family, link, layout, replace(model, y=y), theta, beta, phi)


def layout_terms(layout: str, x: Array, r: np.random.Generator) -> list[Term]:
    one = np.ones((N, 1))
    slopes = np.column_stack([np.ones(N), x])
    g = r.permutation(np.arange(N) % GROUPS)
    h = r.permutation(np.arange(N) % 5)
    return {
        "scalar": [(one, g)],
        "vector": [(slopes, g)],
        "three columns": [(np.column_stack([np.ones(N), x, x**2 - 0.3]), g)],
        "nested": [(one, 2 * g + (x > 0)), (one, g)],
        "crossed": [(one, g), (one, h)],
        "slopes crossed": [(slopes, g), (one, h)],
        "two terms of a group": [(one, g), (x[:, None], g)],
    }[layout]


def draw(family: str, mu: Array, size: Array, phi: float, r: np.random.Generator) -> Array:
    y: Array
    match family:
        case "binomial":
            y = r.binomial(size.astype(int), mu) / size
        case "poisson":
            y = r.poisson(mu).astype(float)
        case "negative_binomial":
            y = r.negative_binomial(phi, phi / (phi + mu)).astype(float)
        case "nb1":
            y = r.negative_binomial(mu / phi, 1 / (1 + phi)).astype(float)
        case "gamma":
            y = r.gamma(5.0, mu / 5.0)
        case "inverse_gaussian":
            y = r.wald(mu, 8 * mu)
        case "gaussian":
            y = r.normal(mu, 0.15 * np.abs(mu))
        case "beta":
            y = r.beta(mu * phi, (1 - mu) * phi)
        case _:
            raise AssertionError(family)
    return y
