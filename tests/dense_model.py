"""An independent oracle: the same model as one multivariate normal distribution, in dense numpy.

    y ~ N(o + Xβ, σ²V),    V = W⁻¹ + Σ_t Z_t (I ⊗ λ_tλ_t') Z_t'

Nothing is shared with the kernel: V is formed as an n × n matrix, β comes by generalised least
squares, σ² is profiled out. For tests on small data only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Term = tuple[Array, NDArray[np.intp]]  # columns (n, q), group codes (n,) from 0


def templates(theta: Array, sizes: Sequence[int]) -> list[Array]:
    """θ → one lower-triangular λ_t per term, column by column."""
    result, at = [], 0
    for q in sizes:
        template = np.zeros((q, q))
        count = q * (q + 1) // 2
        columns, rows = np.triu_indices(
            q
        )  # row by row of the upper = column by column of the lower
        template[rows, columns] = theta[at : at + count]
        result.append(template)
        at += count
    return result


def indicator(term: Term) -> Array:
    """Z_t as an explicit n × (levels · q) matrix, level by level."""
    columns, codes = term
    n, q = columns.shape
    Z = np.zeros((n, codes.max() + 1, q))
    Z[np.arange(n), codes] = columns
    return Z.reshape(n, -1)


@dataclass(frozen=True)
class Solution:
    """Everything at one θ."""

    criterion: float
    beta: Array
    sigma: float
    vcov: Array
    modes: list[Array]  # per term (levels, q)
    conditional_covariances: list[Array]  # per term (levels, q, q)


@dataclass(frozen=True)
class DenseModel:
    y: Array
    X: Array
    terms: list[Term]
    reml: bool = True
    weights: Array | None = None
    offset: Array | None = None

    def relative_covariance(self, theta: Array) -> list[Array]:
        """Λ_tΛ_t' per term, repeated over the levels."""
        sizes = [columns.shape[1] for columns, _ in self.terms]
        return [
            np.kron(np.eye(codes.max() + 1), template @ template.T)
            for template, (_, codes) in zip(templates(theta, sizes), self.terms, strict=True)
        ]

    def solve(self, theta: Array) -> Solution:
        n, p = self.X.shape
        y = self.y - (0.0 if self.offset is None else self.offset)
        w = np.ones(n) if self.weights is None else self.weights
        Z = [indicator(term) for term in self.terms]
        D = self.relative_covariance(theta)
        V = np.diag(1 / w) + sum(z @ d @ z.T for z, d in zip(Z, D, strict=True))
        L = np.linalg.cholesky(V)
        Xs, ys = np.linalg.solve(L, self.X), np.linalg.solve(L, y)
        beta = np.linalg.lstsq(Xs, ys, rcond=None)[0]
        rss = float(np.sum((ys - Xs @ beta) ** 2))
        df = n - p if self.reml else n
        criterion = 2 * np.log(np.diag(L)).sum() + df * (1 + np.log(2 * np.pi * rss / df))
        if self.reml:
            criterion += np.linalg.slogdet(Xs.T @ Xs)[1]
        sigma2 = rss / df
        alpha = np.linalg.solve(V, y - self.X @ beta)
        modes, covariances = [], []
        for z, d, (columns, _) in zip(Z, D, self.terms, strict=True):
            q = columns.shape[1]
            modes.append((d @ z.T @ alpha).reshape(-1, q))
            # Var(b | y, β) = σ²(D − D Z'V⁻¹Z D)
            conditional = sigma2 * (d - d @ z.T @ np.linalg.solve(V, z @ d))
            blocks = conditional.reshape(len(d) // q, q, len(d) // q, q)
            covariances.append(np.einsum("jakb,jk->jab", blocks, np.eye(len(d) // q)))
        vcov = sigma2 * np.linalg.inv(Xs.T @ Xs)
        return Solution(criterion, beta, float(np.sqrt(sigma2)), vcov, modes, covariances)

    def criterion(self, theta: Array) -> float:
        return self.solve(theta).criterion

    def gradient(self, theta: Array) -> Array:
        return numeric_gradient(self.criterion, theta)


def numeric_gradient(f: Callable[[Array], float], x: Array, step: float = 1e-3) -> Array:
    """Central differences, extrapolated twice (error of order step⁶)."""
    x = np.asarray(x, dtype=float)
    result = np.zeros_like(x)
    for k in range(len(x)):
        e = np.zeros_like(x)
        e[k] = 1.0
        d = [(f(x + h * e) - f(x - h * e)) / (2 * h) for h in (step, step / 2, step / 4)]
        once = [(4 * d[1] - d[0]) / 3, (4 * d[2] - d[1]) / 3]
        result[k] = (16 * once[1] - once[0]) / 15
    return result
