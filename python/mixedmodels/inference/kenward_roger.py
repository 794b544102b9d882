"""Kenward and Roger's adjusted covariance and degrees of freedom; see `ddf.py` for the basis S.

Source: Kenward & Roger (1997), Small sample inference for fixed effects from restricted maximum
likelihood, Biometrics 53, 983-997.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..errors import ConvergenceError
from ..models.spectrum import RANK, inverse, scaled_spectrum
from .ddf import FEWEST, ROUNDING

if TYPE_CHECKING:
    from ..models.linear import Linear

__all__ = ["KenwardRoger"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class KenwardRoger:
    """Kenward & Roger (1997): adjusted covariance of β̂, degrees of freedom and scale of F.

    In the basis of S everything is relative to σ² and Φ is the identity.
    """

    root: Array  # S, (rank, rank)
    slopes: Array  # P_k, (n, rank, rank); n = elements of Σ and, last, σ²
    weights: Array  # W, the covariance of their estimates, (n, n)
    inner: Array  # S⁻¹Φ_A S'⁻¹/σ², the adjusted covariance of β̂, (rank, rank)
    sigma: float

    @classmethod
    def of(cls, model: Linear) -> KenwardRoger:
        parts = _with_residual(model)
        P, Q, T = parts
        rank = P.shape[1]
        gap = Q - np.einsum("kab,lbc->klac", P, P)  # Q_kl − P_kΦP_l
        trace = np.einsum("klaa->kl", Q) + np.einsum("klaa->kl", gap)
        W = 2 * inverse(*_determined(T - trace, P, model))
        inner = np.eye(rank) + 2 * np.einsum("kl,klab->ab", W, gap)
        return cls(model._root, P, W, 0.5 * (inner + inner.T), model.sigma)

    @property
    def adjusted(self) -> Array:
        """The adjusted covariance of β̂, (rank, rank)."""
        return self.sigma**2 * self.root @ self.inner @ self.root.T

    def degrees(self, L: Array) -> Array:
        return np.array([self.joint_degrees(row[None, :])[0] for row in L @ self.root])

    def joint_degrees(self, rows: Array) -> tuple[float, float]:
        """Denominator degrees of freedom m and scale λ of the test of all rows (eq. 5-9)."""
        q = len(rows)
        Q = np.linalg.qr(rows.T)[0]
        theta = Q @ Q.T
        products = np.einsum("ab,kbc->kac", theta, self.slopes)
        traces = np.einsum("kaa->k", products)
        a1 = float(traces @ self.weights @ traces)
        a2 = float(np.einsum("kl,kab,lba->", self.weights, products, products))
        if a2 <= 0:
            return np.inf, 1.0
        return _matched_moments(q, a1, a2)


def _determined(information: Array, slopes: Array, model: Linear) -> tuple[Array, Array, Array]:
    """The scaled spectrum of the information on Σ, refused where rounding has eaten its digits.

    A direction without information leaves the mean's precision as it is (Σ_k v_k P_k = 0), as where
    two terms have the same groups. Where it does not, the information was lost to rounding.
    """
    scale, values, vectors = scaled_spectrum(information)
    none = vectors[:, values <= RANK * values.max()].T * scale
    left = np.abs(np.einsum("vk,kab->vab", none, slopes)).max(axis=(1, 2), initial=0.0)
    parts = np.einsum("vk,kab->vab", np.abs(none), np.abs(slopes)).max(axis=(1, 2), initial=0.0)
    if (left > ROUNDING * parts).any():
        terms = ", ".join(f"({' + '.join(t.columns)} | {t.group})" for t in model._matrices.terms)
        raise ConvergenceError(
            f"Kenward-Roger's method needs information on every variance of {terms}, and of some "
            "there is none in double precision: the fixed effects explain all that a term could, "
            "or a predictor without an intercept beside it lies far from zero. Simplify the model "
            "or centre the predictor, or use ddf='satterthwaite'"
        )
    return scale, values, vectors


def _matched_moments(q: int, a1: float, a2: float) -> tuple[float, float]:
    """m and λ; of one row, where A1 = A2, they reduce to 2/A2 and 1, also where E* is infinite."""
    if q == 1:
        return 2 / a2, 1.0
    b = (a1 + 6 * a2) / (2 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    d = 3 * q + 2 * (1 - g)
    c1, c2, c3 = g / d, (q - g) / d, (q + 2 - g) / d
    inverse_mean = 1 - a2 / q
    v0, v1, v2 = 1 + c1 * b, 1 - c2 * b, 1 - c3 * b
    v0 = 0.0 if abs(v0) < 1e-10 else v0
    # two degrees of freedom exactly: both are zero, and equal as they become so
    ratio = 1.0 if max(abs(inverse_mean), abs(v1)) < 1e-10 else inverse_mean / v1
    excess = ratio**2 * v0 - v2  # (qρ − 1)V₂
    if excess == 0:
        return np.inf, float(inverse_mean)
    den_df = 4 + (q + 2) * v2 / excess
    scale = 1.0 if abs(den_df - FEWEST) < 1e-2 else den_df * inverse_mean / (den_df - FEWEST)
    return float(den_df), float(scale)


def _with_residual(model: Linear) -> tuple[Array, Array, Array]:
    """P, Q and T of the elements of Σ (in the kernel's coordinates) and, as the last, σ².

    With V = ZΓZ' + φW⁻¹ at φ = 1, ∂V/∂φ = V − ZΓZ': a linear combination of V itself and of the
    other derivatives, so nothing more is needed from the kernel.
    """
    raw = model._fit.variance_products()
    P, Q, T, trace = (np.asarray(raw[name]) for name in ("fixed", "pairs", "traces", "trace"))
    gamma = np.asarray(raw["elements"])
    size, rank = len(gamma), P.shape[1]
    n = float(model.nobs)
    PG, QG = np.einsum("k,kab->ab", gamma, P), np.einsum("l,klab->kab", gamma, Q)
    QGG, TG = np.einsum("k,kab->ab", gamma, QG), T @ gamma
    P_all = np.concatenate([P, (np.eye(rank) - PG)[None]])
    Q_all = np.empty((size + 1, size + 1, rank, rank))
    Q_all[:size, :size] = Q
    Q_all[:size, size] = P - QG
    Q_all[size, :size] = np.swapaxes(P - QG, 1, 2)
    Q_all[size, size] = np.eye(rank) - 2 * PG + QGG
    T_all = np.empty((size + 1, size + 1))
    T_all[:size, :size] = T
    T_all[:size, size] = T_all[size, :size] = trace - TG
    T_all[size, size] = n - 2 * float(trace @ gamma) + float(gamma @ TG)
    return P_all, Q_all, T_all
