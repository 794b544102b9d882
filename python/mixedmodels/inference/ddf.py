"""Degrees of freedom: t and F tests of linear functions Lβ of the fixed effects.

One function a question: `t_tests` (each row of L alone) and `f_test` (all rows jointly). Everything
comes from p × p matrices that the kernel makes from the cross-products; no n × n matrix exists.

The kernel's matrices stand in a basis in which X'V⁻¹X is the identity: vcov(β̂) = σ²SS' with S =
`root`, so a contrast l counts as S'l and Φ disappears from the formulas. No variance is then a
difference of large numbers, as l'vcov l is where a covariate lies far from zero.

Sources: Satterthwaite as in Kuznetsova, Brockhoff & Christensen (2017), J. Stat. Softw. 82(13);
several rows: Fai & Cornelius (1996), J. Stat. Comput. Simul. 54. Kenward and Roger's method stands
in `kenward_roger.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..models.spectrum import RANK, inverse, scaled_spectrum
from .distributions import f_upper, t_two_sided

if TYPE_CHECKING:
    from ..models.fitted import FittedModel
    from ..models.linear import Linear

__all__ = [
    "DdfMethod",
    "FTest",
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
ROUNDING = 1e-13  # of a sum, relative to its parts


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
    """The method meant by the caller: None is "satterthwaite" for linear mixed models, "residual"
    for ordinary regressions, "asymptotic" for generalised models.

    Raises
    ------
    ArgumentError
        For a name that is no method, and for one that the model does not allow.
    """
    available = model._ddf_methods
    chosen = available[0] if ddf is None else ddf
    if isinstance(chosen, str):
        chosen = chosen.lower().replace("_", "-").replace(" ", "-")
    if chosen not in get_args(DdfMethod):
        raise ArgumentError(f"ddf={ddf!r}: choose one of {', '.join(get_args(DdfMethod))}")
    if chosen not in available:
        raise ArgumentError(
            f"ddf={ddf!r} is for linear models: a generalised model's tests are asymptotic. Leave "
            f"the argument out, or choose {' or '.join(map(repr, available))}"
        )
    if not model._matrices.terms and chosen in ("satterthwaite", "kenward-roger"):
        return "residual"  # exact: both reduce to it without random effects
    if chosen == "kenward-roger" and not _linear(model)._fit.reml:
        raise ArgumentError(
            "ddf='kenward-roger' is derived for REML fits and this one is by maximum likelihood: "
            "use m.update(REML=True), or ddf='satterthwaite'"
        )
    return chosen


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
    rows, inner = _in_basis(model, L, method)
    std_error = model.sigma * np.sqrt(np.einsum("ki,ij,kj->k", rows, inner, rows))
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
    values = np.zeros(len(L)) if value is None else np.asarray(value, dtype=float)
    L, values = _independent(L, model._root, values)
    if len(L) == 0:
        return FTest(np.nan, 0, np.nan, np.nan)
    rows, inner = _in_basis(model, L, method)
    gap = (L @ _estimates(model) - values) / model.sigma
    statistic = _wald(rows, inner, gap) / len(L)
    if method == "kenward-roger":
        den_df, scale = _linear(model)._kenward_roger.joint_degrees(rows)
    else:
        den_df, scale = _joint_degrees(model, L, method), 1.0
    statistic *= scale
    return FTest(statistic, len(L), den_df, f_upper(statistic, len(L), den_df))


def _in_basis(model: FittedModel, L: Array, method: DdfMethod) -> tuple[Array, Array]:
    """Rows L S, and Φ_A/σ² in the basis of S: the identity but for Kenward and Roger."""
    if method == "kenward-roger":
        adjusted = _linear(model)._kenward_roger
        return L @ adjusted.root, adjusted.inner
    return L @ model._root, np.eye(L.shape[1])


def _wald(rows: Array, inner: Array, gap: Array) -> float:
    """gap'(rows inner rows')⁻¹gap by the QR decomposition of rows'."""
    Q, R = np.linalg.qr(rows.T)
    z = np.linalg.solve(R.T, gap)
    return float(z @ np.linalg.solve(Q.T @ inner @ Q, z))


def covariance(model: FittedModel, method: DdfMethod) -> Array:
    """Covariance matrix of the fixed effects kept, (rank, rank): adjusted for Kenward-Roger."""
    if method == "kenward-roger":
        return _linear(model)._kenward_roger.adjusted
    kept = _kept(model)
    return model._vcov[np.ix_(kept, kept)]


def _linear(model: FittedModel) -> Linear:
    """The model as one with degrees of freedom of its own: no other kind passes `resolve`."""
    return cast("Linear", model)


def _kept(model: FittedModel) -> NDArray[np.intp]:
    return np.flatnonzero(~np.isnan(np.asarray(model._fit.beta)))


def _estimates(model: FittedModel) -> Array:
    return np.asarray(model._fit.beta, dtype=float)[_kept(model)]


def _independent(L: Array, root: Array, values: Array) -> tuple[Array, Array]:
    """Rows of Lβ = values that add to those above them; the others say the same or contradict.

    Judged by L S, for the coefficients may have any units.
    """
    rows, sizes = L @ root, np.linalg.norm(np.abs(L) @ np.abs(root), axis=1)
    kept: list[int] = []
    Q = np.zeros((len(root), 0))
    for k, row in enumerate(rows):
        new = row - Q @ (Q.T @ row)
        new -= Q @ (Q.T @ new)
        length = float(np.linalg.norm(new))
        if length > ROUNDING * sizes[k]:
            kept.append(k)
            Q = np.column_stack([Q, new / length])
    for k in set(range(len(L))) - set(kept):
        weights = np.linalg.lstsq(rows[kept].T, rows[k], rcond=None)[0] if kept else np.zeros(0)
        size = abs(values[k]) + np.abs(weights) @ np.abs(values[kept])
        if abs(values[k] - weights @ values[kept]) > 1e-8 * size:
            raise ArgumentError("the hypotheses contradict each other: no β satisfies all of them")
    return L[kept], values[kept]


def _degrees(model: FittedModel, L: Array, method: DdfMethod) -> Array:
    """Degrees of freedom of each row."""
    if method == "satterthwaite":
        return _linear(model)._satterthwaite.degrees(L)
    if method == "kenward-roger":
        return _linear(model)._kenward_roger.degrees(L)
    return np.full(len(L), _constant_degrees(model, method))


def _joint_degrees(model: FittedModel, L: Array, method: DdfMethod) -> float:
    if method == "satterthwaite":
        return _linear(model)._satterthwaite.joint_degrees(L)
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
    def of(cls, model: Linear) -> Satterthwaite:
        information = model._information
        return cls(
            model._root,
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


def parameter_variance(model: Linear) -> Array:
    """Covariance matrix of (θ̂, σ̂), θ in the kernel's coordinates: twice the inverse of the
    criterion's Hessian.

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
    scale, values, vectors = scaled_spectrum(hessian)
    return 2 * inverse(scale, values, vectors)
