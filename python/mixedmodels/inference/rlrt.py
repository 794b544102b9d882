"""Exact restricted likelihood-ratio test of one variance component: `mm.exact_rlrt(m)`.

With y = Xβ + Zb + ε, b ~ N(0, λσ²I_K), ε ~ N(0, σ²W⁻¹), and under the null hypothesis λ = 0 the
restricted likelihood ratio is distributed as (Crainiceanu & Ruppert 2004, theorem 1, eq. 9)

    sup_λ≥0  (n − p) log(T / D(λ)) − Σ_s log(1 + λμ_s),
    T = Σ_s w_s² + R,   D(λ) = Σ_s w_s²/(1 + λμ_s) + R,

w_s² ~ χ²(1) and R ~ χ²(n − p − K) independent, μ_s the K eigenvalues of Z'P₀Z with
P₀ = W − WX(X'WX)⁻¹X'W. (The paper's N is T − D; of the w_s with μ_s = 0 there are only sums, which
count with R.) Eigenvalues that are equal share one χ² with their number as degrees of freedom.

The term has one column, so Z'WZ is diagonal, and Z'P₀Z a diagonal less p outer products: where d
occurs m times on the diagonal, m − p eigenvalues are d exactly, and what is left to decompose has
at most p rows for each distinct d. A balanced design of a million groups leaves p × p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..models.model import LinearMixedModel
from ..printing.document import PrintedDocument
from .lrt import ROUNDING

__all__ = ["ExactRLRT", "exact_rlrt", "null_distribution"]

Array = NDArray[np.float64]

MOST_ROWS = 4000  # of the eigenproblem; beyond, it would take minutes
BLOCK = 1000  # simulated values at a time, which bounds the memory
GRID = 200  # values of λ between which the maximum is interpolated, to some 2e-4
LOWEST, HIGHEST = 1e-4, 1e7  # λμ between next to no effect and nothing but effects
EQUAL = 1e-10  # eigenvalues this near, relative to the largest, are equal


@dataclass(frozen=True, eq=False)
class ExactRLRT(PrintedDocument):
    """An exact restricted likelihood-ratio test of a variance of zero.

    Attributes
    ----------
    statistic
        2 log of the restricted likelihood ratio.
    p_value
        (1 + simulated values that are as large) / (1 + nsim), never zero.
    mc_error
        Monte Carlo standard error of `p_value`.
    nsim, seed
        Simulated values and the seed that gives them again.
    effect
        What has the variance tested: its column and group.
    """

    statistic: float
    p_value: float
    mc_error: float
    nsim: int
    seed: int
    effect: str

    def __str__(self) -> str:
        floor = self.p_value <= 1 / (1 + self.nsim)
        p = f"p < {1 / self.nsim:.2g}" if floor else f"p = {self.p_value:.4g} ± {self.mc_error:.2g}"
        return "\n".join(
            [
                "Exact restricted likelihood-ratio test of a variance of zero",
                f"  variance of {self.effect}",
                f"  RLRT = {self.statistic:.4f}, {p}",
                f"  {self.nsim} values simulated under the null hypothesis, seed {self.seed}",
            ]
        )

    __repr__ = __str__


def exact_rlrt(model: LinearMixedModel, nsim: int = 10000, seed: int = 0) -> ExactRLRT:
    """Test whether the only variance component of a model is zero, by simulating the exact
    distribution of the restricted likelihood ratio.

    Parameters
    ----------
    model
        A REML fit of `lmer` with one random-effects term of one column, as (1 | g) or (0 + x | g).
        Prior weights and offsets are allowed.
    nsim
        Values to simulate.
    seed
        Of the random numbers; a longer simulation begins with a shorter one.

    Returns
    -------
    ExactRLRT
        Prints well; `.statistic`, `.p_value`, `.mc_error`.

    Raises
    ------
    ArgumentError
        Another model or a fit by ML; or more than some thousand different groups that cannot be
        reduced. The message names the parametric bootstrap that would do instead.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> mm.exact_rlrt(m)
    Exact restricted likelihood-ratio test of a variance of zero
      variance of (Intercept) by clinic
      RLRT = 128.4726, p < 0.0001
      10000 values simulated under the null hypothesis, seed 0

    References
    ----------
    Crainiceanu & Ruppert (2004), J. R. Stat. Soc. B 66, 165-185, theorem 1; Davison & Hinkley
    (1997), Bootstrap Methods and their Application, eq. 4.11, for the p-value.
    """
    _require_one_variance(model)
    nsim, seed = _whole("nsim", nsim, 1), _whole("seed", seed, 0)
    statistic = _statistic(model)
    null = null_distribution(*_spectrum(model), model.nobs - int(model._fit.rank), nsim, seed)
    p_value = (1 + int(np.sum(null >= statistic))) / (1 + nsim)
    term = model._matrices.terms[0]
    return ExactRLRT(
        statistic,
        p_value,
        math.sqrt(p_value * (1 - p_value) / nsim),
        nsim,
        seed,
        f"{term.columns[0]} by {term.group}",
    )


def _require_one_variance(model: Any) -> None:
    if not isinstance(model, LinearMixedModel):
        raise ArgumentError(
            f"mm.exact_rlrt tests a variance of a fit of mm.lmer; got {type(model).__name__}"
        )
    if not model.reml:
        raise ArgumentError(
            "the exact test is of the restricted likelihood and this fit is by maximum likelihood: "
            "use mm.exact_rlrt(m.update(REML=True))"
        )
    columns = [f"{column} by {t.group}" for t in model._matrices.terms for column in t.columns]
    if len(columns) != 1:
        raise ArgumentError(
            f"the exact distribution is known for one variance component only; the model has "
            f"{len(columns)} random effects ({', '.join(columns)}). Use the parametric bootstrap: "
            "mm.bootstrap_lrt"
        )


def _whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ArgumentError(f"{name} is {value!r}; expected a whole number of at least {least}")
    return int(value)


def _statistic(model: LinearMixedModel) -> float:
    """The REML criterion without the random effect less that of the fit."""
    if not model.theta.any():
        return 0.0
    gain = model.objective(np.zeros(1)) - model._minus2loglik
    return gain if gain > ROUNDING else 0.0


# --- The null distribution ---


def null_distribution(
    values: Array, multiplicity: NDArray[np.intp], residual: int, nsim: int, seed: int
) -> Array:
    """Simulated restricted likelihood ratios, shape (nsim,).

    `values` are the distinct eigenvalues μ > 0 and how often each occurs; `residual` is n − p.
    """
    if len(values) == 0:
        return np.zeros(nsim)  # X explains all that the random effect could
    rng = np.random.default_rng(seed)
    step = math.log(HIGHEST / LOWEST * values.max() / values.min()) / (GRID - 1)
    grid = LOWEST / values.max() * np.exp(step * np.arange(GRID))
    shrinkage = 1 / (1 + np.outer(values, grid))  # (eigenvalues, GRID)
    log_det = -multiplicity @ np.log(shrinkage)
    left = residual - int(multiplicity.sum())
    found = []
    for start in range(0, nsim, BLOCK):
        # a whole block is drawn each time, so that the first values do not depend on nsim
        squares = rng.chisquare(multiplicity, size=(BLOCK, len(values)))
        rest = rng.chisquare(left, size=BLOCK) if left else np.zeros(BLOCK)
        total = squares.sum(axis=1) + rest
        ratio = total[:, None] / (squares @ shrinkage + rest[:, None])
        found.append(_maximum(residual * np.log(ratio) - log_det)[: nsim - start])
    return np.concatenate(found)


def _maximum(curves: Array) -> Array:
    """Maximum of each row, at least 0 (λ = 0), by the parabola through the highest point and its
    neighbours."""
    rows, top = np.arange(len(curves)), curves.argmax(axis=1)
    peak = curves[rows, top]
    inside = (top > 0) & (top < curves.shape[1] - 1)
    rows, top = rows[inside], top[inside]
    before, after = curves[rows, top - 1], curves[rows, top + 1]
    bend = 2 * peak[inside] - before - after
    rise = np.divide((after - before) ** 2, 8 * bend, out=np.zeros_like(bend), where=bend > 0)
    peak[inside] += rise
    return np.asarray(np.maximum(peak, 0.0))


# --- Eigenvalues of Z'P₀Z ---


def _spectrum(model: LinearMixedModel) -> tuple[Array, NDArray[np.intp]]:
    """Distinct positive eigenvalues and how often each occurs."""
    diagonal, B = _cross_products(model)
    known, reduced, R = _deflated(diagonal, B)
    if len(reduced) > MOST_ROWS:
        raise ArgumentError(
            f"the groups make an eigenproblem of {len(reduced)} rows, more than {MOST_ROWS}: too "
            "large for the exact test. Use the mixture of χ² (mm.ranova), which is near for so "
            "many groups, or the parametric bootstrap: mm.bootstrap_lrt"
        )
    left = np.linalg.eigvalsh(np.diag(reduced) - R @ R.T)
    values = np.sort(np.concatenate([known, left]))
    values = values[values > EQUAL * diagonal.max(initial=0.0)]
    new = np.diff(values, prepend=-np.inf) > EQUAL * values.max(initial=0.0)
    starts = np.flatnonzero(new)
    return values[starts], np.diff(starts, append=len(values))


def _deflated(diagonal: Array, B: Array) -> tuple[Array, Array, Array]:
    """Eigenvalues of diag(d) − BB' that are known, and a smaller diagonal and B with the others.

    Where d repeats, its rows of B are rotated into at most p; the rest of that space is untouched.
    """
    known: list[Array] = []
    reduced: list[Array] = []
    parts: list[Array] = []
    _, group, counts = np.unique(diagonal, return_inverse=True, return_counts=True)
    order = np.argsort(group, kind="stable")
    for rows in np.split(order, np.cumsum(counts)[:-1]):
        R = np.linalg.qr(B[rows], mode="r") if len(rows) > B.shape[1] else B[rows]
        value = diagonal[rows[0]]
        known.append(np.full(len(rows) - len(R), value))
        reduced.append(np.full(len(R), value))
        parts.append(np.asarray(R))
    return np.concatenate(known), np.concatenate(reduced), np.concatenate(parts)


def _cross_products(model: LinearMixedModel) -> tuple[Array, Array]:
    """The diagonal of Z'WZ, shape (K,), and B with Z'P₀Z = Z'WZ − BB', shape (K, p)."""
    z, codes, K = _column_and_groups(model)
    kept = ~np.isnan(np.asarray(model._fit.beta))
    X = model._design.fixed_matrix()[:, kept]
    weights = model._matrices.weights
    root = np.ones(model.nobs) if weights is None else np.sqrt(weights)
    z = z * root
    Q, _ = np.linalg.qr(X * root[:, None])
    B = np.empty((K, Q.shape[1]))
    for j, q in enumerate(Q.T):
        B[:, j] = np.bincount(codes, z * q, minlength=K)
    return np.asarray(np.bincount(codes, z**2, minlength=K), dtype=float), B


def _column_and_groups(model: LinearMixedModel) -> tuple[Array, NDArray[np.intp], int]:
    """The term's column z and the rows' groups, from linear predictors: modes of one give z, modes
    of 0, 1, 2, ... give z times the group. Where z is 0 the group does not matter."""
    K = len(model._matrices.terms[0].levels)
    none = np.zeros(len(model._fit.beta))
    design = model._design

    def predictor(modes: Array) -> Array:
        return np.asarray(design.linear_predictor(none, [modes]), dtype=float)

    offset = predictor(np.zeros((K, 1)))
    z = predictor(np.ones((K, 1))) - offset
    labelled = predictor(np.arange(K, dtype=float)[:, None]) - offset
    codes = np.divide(labelled, z, out=np.zeros_like(z), where=z != 0)
    return z, np.rint(codes).astype(np.intp), K
