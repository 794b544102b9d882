"""Random models with shared and nested factors, any columns: the oracle, and no way down at θ̂.

The seeds in `HARD` once stopped short of the optimum at a singular θ.
"""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
from dense_model import DenseModel, Term

HARD = [(29, 25, 120), (1002, 150, 300), (2027, 150, 300), (2067, 150, 300)]
OTHERS = [(seed, 60, 200) for seed in range(5000, 5025)]


def random_codes(r: np.random.Generator, n: int, earlier: list[np.ndarray]) -> np.ndarray:
    """A factor used before, one nested in the last, or a new one crossed with all."""
    kind = r.integers(0, 4)
    if kind == 0 and earlier:
        return earlier[int(r.integers(len(earlier)))]
    if kind == 1 and earlier:
        values = earlier[-1] * 3 + r.integers(0, 3, n)
    else:
        values = r.integers(0, int(r.integers(3, 15)), n)
    return np.unique(values, return_inverse=True)[1]


def public_order(terms: list[Term]) -> list[Term]:
    """lme4's: by decreasing number of levels; as written if already so, else ties reversed."""
    levels = [codes.max() + 1 for _, codes in terms]
    if all(a >= b for a, b in itertools.pairwise(levels)):
        return terms
    return [terms[k] for k in np.argsort(levels, kind="stable")[::-1]]


def random_model(seed: int, low: int, high: int) -> tuple[DenseModel, list[Term]]:
    r = np.random.default_rng(seed)
    n, p = int(r.integers(low, high)), int(r.integers(1, 4))
    scaled = [r.normal(size=n) * 10.0 ** r.integers(-2, 3) for _ in range(p - 1)]
    X = np.column_stack([np.ones(n), *scaled])
    y = X @ (r.normal(size=p) / np.abs(X).max(0)) + r.normal(size=n)
    terms: list[Term] = []
    factors: list[np.ndarray] = []
    for _ in range(int(r.integers(1, 4))):
        codes = random_codes(r, n, factors)
        factors.append(codes)
        q = int(r.integers(1, 4))
        if r.random() < 0.8:
            Z = np.column_stack([np.ones(n), *(r.normal(size=n) for _ in range(q - 1))])
        else:
            Z = r.normal(size=(n, q))
        b = r.normal(size=(codes.max() + 1, q)) * r.choice([0, 0.5, 1, 3])
        y = y + (Z * b[codes]).sum(1)
        terms.append((Z, codes))
    weights = r.uniform(0.2, 4, n) if r.random() < 0.4 else None
    offset = r.normal(size=n) if r.random() < 0.4 else None
    reml = bool(r.random() < 0.5)
    return DenseModel(y, X, public_order(terms), reml, weights, offset), terms


def fit(model: DenseModel, terms: list[Term]) -> Any:
    options = {"REML": model.reml, "weights": model.weights, "offset": model.offset}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mm.MixedModelsWarning)  # singular, flat: meant
        saturated = mm.Control(allow_saturated=True)
        return mm.lmer_arrays(model.y, model.X, terms, control=saturated, **options)


@pytest.mark.parametrize(("seed", "low", "high"), HARD + OTHERS)
def test_random_model(seed: int, low: int, high: int) -> None:
    model, terms = random_model(seed, low, high)
    m = fit(model, terms)
    assert m.converged, m.convergence
    dense = model.solve(m.theta)
    criterion = m.reml_criterion if model.reml else m.deviance
    assert criterion == pytest.approx(dense.criterion, rel=1e-8, abs=1e-7)
    np.testing.assert_allclose(m.fixef, dense.beta, rtol=1e-6, atol=1e-6 * np.abs(dense.beta).max())
    r = np.random.default_rng(seed)
    gradient = model.gradient(theta := r.normal(size=len(m.theta)))
    scale = 1 + np.abs(gradient).max()
    np.testing.assert_allclose(m.gradient(theta), gradient, atol=1e-6 * scale, rtol=1e-6)
    for size in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(15):
            nearby = m.objective(m.theta + size * r.normal(size=len(m.theta)))
            assert nearby > criterion - 1e-6
