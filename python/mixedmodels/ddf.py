"""Degrees of freedom: t and F tests of linear functions Lβ of the fixed effects.

One function a question: `t_tests` (each row of L alone) and `f_test` (all rows jointly). Everything
comes from p × p matrices that the kernel makes from the cross-products; no n × n matrix exists.

The kernel's matrices stand in a basis in which X'V⁻¹X is the identity: vcov(β̂) = σ²SS' with S =
`root`, so a contrast l counts as S'l and Φ disappears from the formulas.

Sources: Satterthwaite as in Kuznetsova, Brockhoff & Christensen (2017), J. Stat. Softw. 82(13);
several rows: Fai & Cornelius (1996), J. Stat. Comput. Simul. 54; Kenward & Roger (1997), Biometrics
53, 983-997.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from .distributions import f_upper, t_two_sided
from .errors import ArgumentError

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = [
    "DdfMethod",
    "FTest",
    "KenwardRoger",
    "Satterthwaite",
    "TTests",
    "describe",
    "f_test",
    "parameter_variance",
    "resolve",
    "t_tests",
]

Array = NDArray[np.float64]
DdfMethod = Literal["satterthwaite", "kenward-roger", "residual", "asymptotic", "none"]

NAMES = {
    "satterthwaite": "Satterthwaite's method",
    "kenward-roger": "Kenward-Roger's method",
    "residual": "residual degrees of freedom (n − rank X)",
    "asymptotic": "the normal distribution (infinite degrees of freedom)",
    "none": "no method (t values only)",
}
FEWEST = 2.0  # degrees of freedom at which the mean of F ceases to exist
RANK = 1e-10  # eigenvalues below this share of the largest are zero


@dataclass(frozen=True, slots=True)
class TTests:
    """k linear functions of the fixed effects, each tested alone; every array has shape (k,)."""

    estimate: Array
    std_error: Array
    df: Array  # inf for "asymptotic", NaN for "none"
    statistic: Array
    p_value: Array  # NaN for "none"


@dataclass(frozen=True, slots=True)
class FTest:
    """A joint test of linear functions: F with (num_df, den_df) degrees of freedom."""

    statistic: float
    num_df: int
    den_df: float
    p_value: float


def resolve(model: FittedModel, ddf: str | None) -> DdfMethod:
    """The method meant by the caller: None is "satterthwaite" for mixed models, "residual" for
    ordinary regressions.

    Raises
    ------
    ArgumentError
        For a name that is no method, and for one that the model does not allow.
    """
    mixed = bool(model._matrices.terms)
    chosen = ddf or ("satterthwaite" if mixed else "residual")
    if isinstance(chosen, str):
        chosen = chosen.lower().replace("_", "-").replace(" ", "-")
    if chosen not in get_args(DdfMethod):
        raise ArgumentError(f"ddf={ddf!r}: choose one of {', '.join(get_args(DdfMethod))}")
    if not mixed and chosen in ("satterthwaite", "kenward-roger"):
        return "residual"  # exact: both reduce to it without random effects
    if chosen == "kenward-roger" and not model._fit.reml:
        raise ArgumentError(
            "ddf='kenward-roger' is derived for REML fits and this one is by maximum likelihood: "
            "use m.update(REML=True), or ddf='satterthwaite'"
        )
    return chosen  # type: ignore[return-value]


def describe(ddf: str) -> str:
    """The method's name as a table states it."""
    return NAMES[ddf]


def t_tests(model: FittedModel, L: Array, ddf: str | None = None) -> TTests:
    """Estimate, standard error, degrees of freedom, t and p of each row of L β̂.

    Parameters
    ----------
    L
        Shape (k, rank): one column a fixed effect kept (`m.fixef.dropna()`).
    ddf
        See `resolve`. "kenward-roger" also enlarges the standard errors.
    """
    method = resolve(model, ddf)
    L = np.atleast_2d(np.asarray(L, dtype=float))
    estimate = L @ _estimates(model)
    vcov = covariance(model, method)
    std_error = np.sqrt(np.maximum(np.einsum("ki,ij,kj->k", L, vcov, L), 0.0))
    df = _degrees(model, L, method)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / std_error
        p_value = t_two_sided(statistic, df)
    return TTests(estimate, std_error, df, statistic, p_value)


def f_test(
    model: FittedModel, L: Array, ddf: str | None = None, value: Array | None = None
) -> FTest:
    """The joint F test of Lβ = value (default zeros); rows of L that depend on others are
    harmless."""
    method = resolve(model, ddf)
    L = np.atleast_2d(np.asarray(L, dtype=float))
    gap = L @ _estimates(model) - (0.0 if value is None else np.asarray(value, dtype=float))
    L, gap = _independent(L, gap)
    if len(L) == 0:
        return FTest(np.nan, 0, np.nan, np.nan)
    if method == "kenward-roger":
        return model._kenward_roger.f_test(L, gap)
    vcov = covariance(model, method)
    statistic = float(gap @ np.linalg.solve(L @ vcov @ L.T, gap)) / len(L)
    den_df = _joint_degrees(model, L, method)
    return FTest(statistic, len(L), den_df, _f_p_value(statistic, len(L), den_df))


def covariance(model: FittedModel, method: DdfMethod) -> Array:
    """Covariance matrix of the fixed effects kept, (rank, rank): adjusted for Kenward-Roger."""
    if method == "kenward-roger":
        return model._kenward_roger.adjusted
    kept = _kept(model)
    return np.asarray(model._fit.vcov, dtype=float)[np.ix_(kept, kept)]


def _kept(model: FittedModel) -> NDArray[np.intp]:
    return np.flatnonzero(~np.isnan(np.asarray(model._fit.beta)))


def _estimates(model: FittedModel) -> Array:
    return np.asarray(model._fit.beta, dtype=float)[_kept(model)]


def _independent(L: Array, gap: Array) -> tuple[Array, Array]:
    """Rows of L that add to those above them; the others say the same or contradict."""
    kept: list[int] = []
    for k in range(len(L)):
        if np.linalg.matrix_rank(L[[*kept, k]]) > len(kept):
            kept.append(k)
    for k in set(range(len(L))) - set(kept):
        weights = np.linalg.lstsq(L[kept].T, L[k], rcond=None)[0] if kept else np.zeros(0)
        if abs(gap[k] - weights @ gap[kept]) > 1e-8 * (1 + np.abs(gap).max()):
            raise ArgumentError("the hypotheses contradict each other: no β satisfies all of them")
    return L[kept], gap[kept]


def _f_p_value(statistic: float, num_df: int, den_df: float) -> float:
    return f_upper(statistic, num_df, den_df)


def _degrees(model: FittedModel, L: Array, method: DdfMethod) -> Array:
    """Degrees of freedom of each row."""
    if method == "satterthwaite":
        return model._satterthwaite.degrees(L)
    if method == "kenward-roger":
        return model._kenward_roger.degrees(L)
    return np.full(len(L), _constant_degrees(model, method))


def _joint_degrees(model: FittedModel, L: Array, method: DdfMethod) -> float:
    if method == "satterthwaite":
        return model._satterthwaite.joint_degrees(L)
    return _constant_degrees(model, method)


def _constant_degrees(model: FittedModel, method: DdfMethod) -> float:
    residual = float(model.nobs - int(model._fit.rank))
    return {"residual": residual, "asymptotic": np.inf, "none": np.nan}[method]


# --- Satterthwaite ---


@dataclass(frozen=True, slots=True)
class Satterthwaite:
    """df = 2f²/(∇f' Var ∇f) with f = l'vcov l as a function of (θ, σ)."""

    root: Array  # S, (rank, rank): vcov = σ²SS'
    slopes: Array  # (n_theta, rank, rank): S'⁻¹-basis X'V⁻¹(∂V/∂θ_k)V⁻¹X
    variance: Array  # covariance matrix of (θ̂, σ̂), (n_theta + 1, n_theta + 1)
    sigma: float

    @classmethod
    def of(cls, model: FittedModel) -> Satterthwaite:
        information = model._information
        return cls(
            information["root"],
            information["fixed"],
            parameter_variance(model),
            model.sigma,
        )

    def degrees(self, L: Array) -> Array:
        rows = L @ self.root
        f = self.sigma**2 * np.einsum("ki,ki->k", rows, rows)
        by_theta = self.sigma**2 * np.einsum("ki,tij,kj->kt", rows, self.slopes, rows)
        gradient = np.column_stack([by_theta, 2 * f / self.sigma])
        spread = np.einsum("ks,st,kt->k", gradient, self.variance, gradient)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(2 * f**2 / spread)

    def joint_degrees(self, L: Array) -> float:
        """Fai & Cornelius (1996): the eigenvectors of L vcov L' are tests of one row each."""
        if len(L) == 1:
            return float(self.degrees(L)[0])
        rows = L @ self.root
        values, vectors = np.linalg.eigh(rows @ rows.T)
        nu = self.degrees(vectors[:, values > RANK * values.max()].T @ L)
        if np.allclose(nu, nu[0], rtol=1e-8, atol=0):
            return float(nu.mean())
        total = float(np.sum(nu[nu > FEWEST] / (nu[nu > FEWEST] - FEWEST)))
        return FEWEST * total / (total - len(nu)) if total > len(nu) else FEWEST


def parameter_variance(model: FittedModel) -> Array:
    """Covariance matrix of (θ̂, σ̂): twice the inverse of the criterion's Hessian in (θ, σ).

    Directions in which the criterion is flat (a variance at zero leaves its correlations free) get
    no variance. With the profiled Hessian H and h = y'PV_kPy/r²: ∂²/∂θ∂θ' = H + m hh', ∂²/∂θ∂σ =
    2mh/σ, ∂²/∂σ² = 4m/σ².
    """
    information, sigma = model._information, model.sigma
    h, m = information["score"], float(model.nobs - (model._fit.rank if model._fit.reml else 0))
    size = len(h)
    hessian = np.empty((size + 1, size + 1))
    hessian[:size, :size] = information["hessian"] + m * np.outer(h, h)
    hessian[:size, size] = hessian[size, :size] = 2 * m * h / sigma
    hessian[size, size] = 4 * m / sigma**2
    scale = 1 / np.sqrt(np.maximum(np.abs(np.diag(hessian)), 1e-300))
    values, vectors = np.linalg.eigh(hessian * np.outer(scale, scale))
    inverse = np.where(values > RANK * values.max(), 1 / np.where(values == 0, 1, values), 0.0)
    variance: Array = 2 * (vectors * inverse) @ vectors.T * np.outer(scale, scale)
    return variance


# --- Kenward and Roger ---


@dataclass(frozen=True, slots=True)
class KenwardRoger:
    """Kenward & Roger (1997): adjusted covariance of β̂, degrees of freedom and scale of F.

    In the basis of S everything is relative to σ² and Φ is the identity.
    """

    root: Array  # S, (rank, rank)
    slopes: Array  # P_k, (n, rank, rank); n = elements of Σ and, last, σ²
    weights: Array  # W, the covariance of their estimates, (n, n)
    adjusted: Array  # Φ_A σ², the adjusted covariance of β̂, (rank, rank)
    sigma: float

    @classmethod
    def of(cls, model: FittedModel) -> KenwardRoger:
        parts = _with_residual(model)
        P, Q, T = parts
        rank = P.shape[1]
        gap = Q - np.einsum("kab,lbc->klac", P, P)  # Q_kl − P_kΦP_l
        trace = np.einsum("klaa->kl", Q) + np.einsum("klaa->kl", gap)
        W = np.linalg.pinv(0.5 * (T - trace), rcond=RANK, hermitian=True)
        inner = np.eye(rank) + 2 * np.einsum("kl,klab->ab", W, gap)
        root = model._information["root"]
        adjusted = model.sigma**2 * root @ (0.5 * (inner + inner.T)) @ root.T
        return cls(root, P, W, adjusted, model.sigma)

    def degrees(self, L: Array) -> Array:
        return np.array([self._moments(row[None, :])[0] for row in L])

    def f_test(self, L: Array, gap: Array) -> FTest:
        den_df, scale = self._moments(L)
        wald = float(gap @ np.linalg.solve(L @ self.adjusted @ L.T, gap)) / len(L)
        return FTest(scale * wald, len(L), den_df, _f_p_value(scale * wald, len(L), den_df))

    def _moments(self, L: Array) -> tuple[float, float]:
        """Denominator degrees of freedom m and scale λ (eq. 5-9 of the paper)."""
        rows = L @ self.root
        q = len(rows)
        theta = rows.T @ np.linalg.solve(rows @ rows.T, rows)
        products = np.einsum("ab,kbc->kac", theta, self.slopes)
        traces = np.einsum("kaa->k", products)
        a1 = float(traces @ self.weights @ traces)
        a2 = float(np.einsum("kl,kab,lba->", self.weights, products, products))
        if a2 <= 0:
            return np.inf, 1.0
        return _matched_moments(q, a1, a2)


def _matched_moments(q: int, a1: float, a2: float) -> tuple[float, float]:
    b = (a1 + 6 * a2) / (2 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    d = 3 * q + 2 * (1 - g)
    c1, c2, c3 = g / d, (q - g) / d, (q + 2 - g) / d
    mean = 1 / (1 - a2 / q)
    v0, v1, v2 = 1 + c1 * b, 1 - c2 * b, 1 - c3 * b
    v0 = 0.0 if abs(v0) < 1e-10 else v0
    rho = (1 / q) * (1 - a2 / q) ** 2 * v0 / (v1**2 * v2)
    den_df = 4 + (q + 2) / (q * rho - 1)
    scale = 1.0 if abs(den_df - FEWEST) < 1e-2 else den_df / (mean * (den_df - FEWEST))
    return float(den_df), float(scale)


def _with_residual(model: FittedModel) -> tuple[Array, Array, Array]:
    """P, Q and T of the elements of Σ and, as the last parameter, σ².

    With V = ZΓZ' + φW⁻¹ at φ = 1, ∂V/∂φ = V − ZΓZ': a linear combination of V itself and of the
    other derivatives, so nothing more is needed from the kernel.
    """
    raw = model._fit.variance_products()
    P, Q, T, trace = (np.asarray(raw[name]) for name in ("fixed", "pairs", "traces", "trace"))
    gamma = relative_elements(model)
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


def relative_elements(model: FittedModel) -> Array:
    """The elements of every Σ_t/σ² in θ's order (lower triangles, column by column)."""
    parts = [
        term.cov[np.triu_indices(len(term.columns))[::-1]] / model.sigma**2
        for term in model.varcorr.terms  # type: ignore[attr-defined]
    ]
    return np.concatenate(parts) if parts else np.zeros(0)
