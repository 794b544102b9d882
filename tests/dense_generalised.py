"""An independent oracle for generalised models, in dense numpy.

    g(E[y | u]) = η = o + Xβ + ZΛu,    u ~ N(0, I)  (times σ² in families that have a σ)

The Laplace criterion, with u the mode of −2 log f(y | u) + u'u and W the weights there
(Fisher's, as lme4, or the observed information, as TMB):

    d(θ, β) = −2 log f(y | u) + u'u + log|I + Λ'Z'WZΛ|

Families with a σ (gamma, inverse Gaussian, Gaussian) as lme4 defines them: u is the mode of
deviance + u'u, and −2 log f is R's `family()$aic` at φ = deviance/n.

The integral itself, for one grouping factor, by adaptive Gauss-Hermite quadrature (Pinheiro &
Bates 1995): nodes û_j + √2 L_j'⁻¹x with L_jL_j' = I + Λ'Z_j'WZ_jΛ.

The values are those of lme4 1.1-31 at the same (θ, β), for every family and link that it has
(5e-6 at worst, where its modes stop), prior weights included; but for the negative binomial with
weights, where lme4's likelihood is not that of its family: R's `negative.binomial()$aic` is ours.

Nothing is shared with the kernel: ZΛ is one matrix, derivatives come by differences. For tests on
small data only.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.hermite import hermgauss
from numpy.typing import NDArray

from dense_families import FAMILIES, LINKS, Array, Family, Link
from dense_model import Term, indicator, numeric_gradient, templates


@dataclass(frozen=True)
class Rows:
    """What the density needs of the rows at one η."""

    mean: Array
    score: Array  # ∂ log f/∂η
    fisher: Array
    observed: Array


@dataclass(frozen=True)
class Mode:
    """Conditional modes at one (θ, β, φ)."""

    u: Array
    eta: Array
    ZL: Array  # ZΛ
    M: Array  # I + Λ'Z'WZΛ


@dataclass(frozen=True)
class DenseGeneralised:
    y: Array  # proportions for the binomial
    X: Array
    terms: list[Term]
    family_name: str
    link_name: str
    sizes: Array | None = None
    weights: Array | None = None
    offset: Array | None = None
    observed: bool = False  # weights of the log-determinant: observed information, else Fisher's

    @property
    def family(self) -> Family:
        return FAMILIES[self.family_name]

    @property
    def link(self) -> Link:
        return LINKS[self.link_name]

    @property
    def size(self) -> Array:
        return np.ones(len(self.y)) if self.sizes is None else self.sizes

    @property
    def weight(self) -> Array:
        return np.ones(len(self.y)) if self.weights is None else self.weights

    def templates(self, theta: Array) -> list[Array]:
        return templates(theta, [columns.shape[1] for columns, _ in self.terms])

    def scaled_indicators(self, theta: Array) -> Array:
        """ZΛ, terms side by side."""
        parts = [
            indicator(term).reshape(len(self.y), -1, len(template)) @ template
            for term, template in zip(self.terms, self.templates(theta), strict=True)
        ]
        n = len(self.y)
        return np.hstack([np.empty((n, 0)), *(part.reshape(n, -1) for part in parts)])

    def fixed(self, beta: Array) -> Array:
        return self.X @ beta + (0.0 if self.offset is None else self.offset)

    # --- Rows ---

    def rows(self, eta: Array, phi: float) -> Rows:
        mu, slope, bend = self.link.mean(eta), self.link.slope(eta), self.link.bend(eta)
        prior = self.size * self.weight
        score, information = self.family.score(self.y, mu, phi), self.family.information(mu, phi)
        curvature = self.family.curvature(self.y, mu, phi)
        return Rows(
            mu,
            prior * score * slope,
            prior * information * slope**2,
            prior * (curvature * slope**2 - score * bend),
        )

    def deviance(self, eta: Array, phi: float) -> float:
        contributions = self.family.deviance(self.y, self.link.mean(eta), phi)
        return float((self.size * self.weight * contributions).sum())

    def log_density(self, eta: Array, phi: float) -> Array:
        """log f of each row, constants included; families without σ."""
        assert self.family.log_density is not None
        return self.weight * self.family.log_density(self.y, self.size, self.link.mean(eta), phi)

    def loss(self, eta: Array, phi: float) -> float:
        """What the mode minimises, without u'u; infinite outside the domain."""
        with np.errstate(all="ignore"):
            if not np.all(self.family.inside(self.link.mean(eta))):
                return np.inf
            if self.family.profiles_dispersion:
                return self.deviance(eta, phi)
            return float(-2 * self.log_density(eta, phi).sum())

    def first_term(self, eta: Array, phi: float) -> float:
        """−2 log f(y | u)."""
        if self.family.aic is None:
            return self.loss(eta, phi)
        return self.family.aic(self.y, self.link.mean(eta), self.weight, self.deviance(eta, phi))

    # --- Modes ---

    def mode(self, theta: Array, beta: Array, phi: float = np.nan) -> Mode:
        """Fisher scoring with step halving, until the step is at rounding."""
        ZL = self.scaled_indicators(theta)
        u = self._maximise(ZL, self.fixed(beta), np.ones(ZL.shape[1]), phi)
        return self._mode(u, self.fixed(beta), ZL, phi)

    def joint_mode(self, theta: Array, phi: float = np.nan) -> tuple[Array, Mode]:
        """β and u together (nAGQ = 0): β is penalised by nothing."""
        ZL, p = self.scaled_indicators(theta), self.X.shape[1]
        penalty = np.concatenate([np.zeros(p), np.ones(ZL.shape[1])])
        both = self._maximise(np.hstack([self.X, ZL]), self.fixed(np.zeros(p)), penalty, phi)
        return both[:p], self._mode(both[p:], self.fixed(both[:p]), ZL, phi)

    def _maximise(self, A: Array, base: Array, penalty: Array, phi: float) -> Array:
        x = np.zeros(A.shape[1])
        value = self.loss(base, phi)
        assert np.isfinite(value), "the oracle starts at zero: give a model that allows it"
        for _ in range(500):
            rows = self.rows(base + A @ x, phi)
            H = (A * rows.fisher[:, None]).T @ A + np.diag(penalty)
            step = np.linalg.solve(H, A.T @ rows.score - penalty * x)
            if np.max(np.abs(step), initial=0.0) < 1e-13 * (1 + np.max(np.abs(x), initial=0.0)):
                return x
            scale = 1.0
            while True:
                new = x + scale * step
                new_value = self.loss(base + A @ new, phi) + float(penalty @ new**2)
                if new_value <= value + 1e-13 * abs(value):
                    break
                scale /= 2
                assert scale > 1e-12, "no decrease along the Fisher step"
            x, value = new, new_value
        return x

    def _mode(self, u: Array, fixed: Array, ZL: Array, phi: float) -> Mode:
        eta = fixed + ZL @ u
        rows = self.rows(eta, phi)
        weights = rows.observed if self.observed else rows.fisher
        return Mode(u, eta, ZL, np.eye(len(u)) + (ZL * weights[:, None]).T @ ZL)

    # --- Criteria ---

    def criterion(self, theta: Array, beta: Array, phi: float = np.nan) -> float:
        """−2 log likelihood by Laplace's approximation."""
        return self.at(self.mode(theta, beta, phi), phi)

    def criterion_at_joint_mode(self, theta: Array, phi: float = np.nan) -> float:
        """nAGQ = 0: the same value at the β that the iteration for u finds."""
        return self.at(self.joint_mode(theta, phi)[1], phi)

    def at(self, mode: Mode, phi: float) -> float:
        log_determinant = np.linalg.slogdet(mode.M)[1] if len(mode.u) else 0.0
        return self.first_term(mode.eta, phi) + float(mode.u @ mode.u) + float(log_determinant)

    def quadrature(self, theta: Array, beta: Array, nodes: int, phi: float = np.nan) -> float:
        """−2 log likelihood by `nodes` adaptive Gauss-Hermite nodes per dimension."""
        (columns, codes), mode = self.terms[0], self.mode(theta, beta, phi)
        q = columns.shape[1]
        x, w = hermgauss(nodes)
        grid = np.array(list(itertools.product(x, repeat=q)))
        log_weights = np.log(np.array(list(itertools.product(w, repeat=q)))).sum(axis=1)
        total = 0.0
        for j in range(codes.max() + 1):
            at = slice(j * q, (j + 1) * q)
            L = np.linalg.cholesky(mode.M[at, at])
            u = mode.u[at] + np.sqrt(2) * np.linalg.solve(L.T, grid.T).T  # (nodes^q, q)
            logs = self.joint_log_density(u, at, codes == j, self.fixed(beta), mode.ZL, phi)
            logs += log_weights + (grid**2).sum(axis=1)
            jacobian = q / 2 * np.log(2) - np.log(np.diag(L)).sum()
            total += float(np.logaddexp.reduce(logs)) + jacobian
        return -2 * total

    def joint_log_density(
        self, u: Array, at: slice, rows: NDArray[np.bool_], fixed: Array, ZL: Array, phi: float
    ) -> Array:
        """log f(y_j | u) + log φ(u) at each row of u, for one group's rows."""
        density = self.family.log_density
        assert density is not None
        mu = self.link.mean(fixed[rows] + u @ ZL[rows, at].T)  # (nodes, rows of the group)
        logs = self.weight[rows] * density(self.y[rows], self.size[rows], mu, phi)
        normal = -0.5 * (u**2).sum(axis=1) - u.shape[1] / 2 * np.log(2 * np.pi)
        return np.asarray(logs.sum(axis=1) + normal)

    # --- Estimates that follow from a mode ---

    def sigma(self, mode: Mode, phi: float = np.nan) -> float:
        if not self.family.profiles_dispersion:
            return 1.0
        mu = self.link.mean(mode.eta)
        pearson = self.weight * (self.y - mu) ** 2 * self.family.information(mu, phi)
        return float(np.sqrt((pearson.sum() + mode.u @ mode.u) / len(self.y)))

    def modes(self, theta: Array, mode: Mode) -> list[Array]:
        """b = Λu, one (levels, q) array a term."""
        result, at = [], 0
        for (_, codes), template in zip(self.terms, self.templates(theta), strict=True):
            count = int(codes.max() + 1) * len(template)
            result.append(mode.u[at : at + count].reshape(-1, len(template)) @ template.T)
            at += count
        return result

    def gradient(self, theta: Array, beta: Array, phi: float = np.nan) -> Array:
        """By (θ, β, log φ), the last only in families that have a φ, by differences."""
        k, p = len(theta), len(beta)

        def f(x: Array) -> float:
            return self.criterion(x[:k], x[k : k + p], float(np.exp(x[-1])) if has_phi else phi)

        has_phi = bool(np.isfinite(phi))
        point = np.concatenate([theta, beta, [np.log(phi)] if has_phi else []])
        return numeric_gradient(f, point)
