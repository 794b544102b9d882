"""Cluster-robust ("sandwich") covariance of the fixed effects, from sums over clusters.

The estimating equations of β are Σ_c s_c = 0 with s_c = X_c'(V⁻¹e)_c, e = y − Xβ̂, and V⁻¹e = Wr
for the conditional residuals r = y − Xβ̂ − Zb̂ (Henderson), so a score costs one product a row. With
Φ = (X'V⁻¹X)⁻¹,

    CR0 = Φ (Σ s_c s_c') Φ,    CR1 = G/(G − 1) CR0    (Liang & Zeger 1986, Biometrika 73, 13-22).

CR2 corrects for residuals being smaller than errors. V is block-diagonal over clusters, and U_c =
V_c^(-1/2) X_c S with Φ = SS' are the rows of cluster c in the whitened regression, of which

    Ã_c = U_c'U_c = S'X_c'V_c⁻¹X_c S,    Σ_c Ã_c = I

is what the hat matrix is made of. Bell & McCaffrey's (2002, Survey Methodology 28, 169-181)
adjusted residuals (I − U_cU_c')^(-1/2) e_c have the scores (I − Ã_c)^(-1/2) S's_c: a rank × rank
matrix a cluster instead of an n_c × n_c one, and the estimate is unbiased if V is right.
Pustejovsky & Tipton (2018, J. Bus. Econ. Stat. 36, 672-683; R's clubSandwich) adjust e before
whitening, unbiased under the same condition: the same numbers for an ordinary regression without
weights and for balanced data, slightly different ones elsewhere.

Degrees of freedom of l'β̂ for CR2: the variance estimate is a quadratic form with matrix P = diag(d)
− TT', where with l̂ = S'l the rows of T are t_c = (I − Ã_c)^(-1/2) Ã_c l̂, and d_c = l̂'(I − Ã_c)⁻¹Ã_c
l̂; matching two moments of χ², df = (tr P)²/tr(P²). An eigenvalue of Ã_c at 1 is a combination of
coefficients that cluster c alone determines: its residual is zero, and it takes no adjustment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .clusters import Clusters, crossing, find_clusters
from .distributions import check_level, t_quantile, t_two_sided
from .errors import ArgumentError, DataError
from .model import LinearMixedModel
from .rows import linear_part
from .tables import ResultTable

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["RobustCovariance", "vcov_robust"]

Array = NDArray[np.float64]
RobustType = Literal["CR0", "CR1", "CR2"]

FEW_CLUSTERS = 10
FEW_DEGREES = 4.0  # below, p-values are unreliable (Tipton 2015, Psychol. Methods 20, 375-393)
ACCURACY = 1e-6  # largest departure of Σ_c Ã_c from I
DETERMINED = 1e-8  # distance of an eigenvalue of Ã_c from 1 that is rounding


@dataclass(frozen=True, eq=False)
class RobustCovariance:
    """Cluster-robust covariance matrix of the fixed effects, `m.vcov_robust()`.

    Attributes
    ----------
    vcov
        DataFrame (p, p) by name; NaN where a column was dropped as collinear.
    df
        Degrees of freedom of each coefficient's t test, shape (p,): Satterthwaite's for CR2
        (Bell & McCaffrey 2002), else clusters − 1.
    type, cluster, n_clusters
        "CR0", "CR1" or "CR2"; the name of the clusters; how many there are.
    notes
        What a reader has to know.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> o = mm.lm("anxiety ~ therapy_sessions", mm.datasets.load("anxiety"))
    >>> robust = o.vcov_robust("CR2", cluster="clinic")
    >>> float(round(robust.std_error["therapy_sessions"], 3))
    0.103
    """

    vcov: pd.DataFrame
    df: pd.Series[float]
    type: RobustType
    cluster: str
    n_clusters: int
    notes: tuple[str, ...]
    _estimates: pd.Series[float]

    @property
    def std_error(self) -> pd.Series[float]:
        """Standard errors, shape (p,), by name; NaN where dropped."""
        return pd.Series(np.sqrt(np.diag(self.vcov)), index=self.vcov.index, name="std_error")

    def coefficients(self, level: float = 0.95) -> ResultTable:
        """The coefficient table with robust standard errors.

        Parameters
        ----------
        level
            Coverage of the intervals estimate ± quantile × std_error.

        Returns
        -------
        ResultTable
            As `m.coefficients()`: term, estimate, std_error, statistic, df, p_value, conf_low,
            conf_high.
        """
        check_level(level)
        estimate = self._estimates.dropna()
        error, df = self.std_error[estimate.index], self.df[estimate.index]
        half = t_quantile(0.5 + level / 2, df) * error
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = estimate / error
        columns = {
            "term": list(estimate.index),
            "estimate": estimate.to_numpy(),
            "std_error": error.to_numpy(),
            "statistic": statistic.to_numpy(),
            "df": df.to_numpy(),
            "p_value": t_two_sided(statistic, df),
            "conf_low": (estimate - half).to_numpy(),
            "conf_high": (estimate + half).to_numpy(),
        }
        return ResultTable.of(columns, self._title(), self.notes)

    def _title(self) -> str:
        by = "Satterthwaite's method" if self.type == "CR2" else "t with clusters − 1"
        return (
            f"Fixed effects; {self.type} cluster-robust standard errors, {self.n_clusters} "
            f"clusters ({self.cluster}); tests by {by}"
        )

    def __str__(self) -> str:
        return str(self.coefficients())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.coefficients()._repr_html_()


def vcov_robust(
    model: FittedModel, type: RobustType = "CR2", cluster: str | ArrayLike | None = None
) -> RobustCovariance:
    """Documented at `Inference.vcov_robust`."""
    kind = _checked_type(type)
    _require_fixed_effects(model)
    clusters = find_clusters(model, cluster)
    crossed = crossing(model, clusters)
    if kind == "CR2" and crossed:
        raise ArgumentError(
            f"type='CR2' needs clusters that contain whole levels of every grouping factor, and "
            f"'{crossed[0]}' has levels with rows in more than one cluster of {clusters.name}: use "
            "type='CR1', or coarser clusters"
        )
    sums = _ClusterSums.of(model, clusters, with_leverage=kind == "CR2")
    meat, degrees = _meat(kind, sums, clusters.count)
    kept, every = list(model.fixef.dropna().index), list(model.fixef.index)
    vcov = pd.DataFrame(sums.root @ meat @ sums.root.T, index=kept, columns=kept)
    return RobustCovariance(
        vcov.reindex(index=every, columns=every),
        pd.Series(degrees, index=kept, name="df").reindex(every),
        kind,
        clusters.name,
        clusters.count,
        (*_few(kind, clusters, degrees), *_determined(kind, sums), *_shared(crossed, clusters)),
        model.fixef,
    )


def _meat(kind: RobustType, sums: _ClusterSums, count: int) -> tuple[Array, Array]:
    """The sum between the breads, in the basis S, and each coefficient's degrees of freedom."""
    if kind == "CR2":
        return sums.adjusted_meat(), sums.degrees()
    factor = count / (count - 1) if kind == "CR1" else 1.0
    meat = factor * sums.scores.T @ sums.scores
    return meat, np.full(len(meat), count - 1.0)


def _checked_type(type: str) -> RobustType:
    kind = type.upper() if isinstance(type, str) else type
    if kind not in get_args(RobustType):
        raise ArgumentError(f"type={type!r}: choose one of {', '.join(get_args(RobustType))}")
    return kind  # type: ignore[return-value]


def _require_fixed_effects(model: FittedModel) -> None:
    if int(model._fit.rank) == 0:
        raise ArgumentError("the model has no fixed effects, whose covariance could be estimated")


@dataclass(frozen=True)
class _ClusterSums:
    """Sums over clusters in the basis S, in which X'V⁻¹X is the identity."""

    root: Array  # S, (rank, rank)
    scores: Array  # S's_c, (clusters, rank)
    leverage: Array | None  # Ã_c, (clusters, rank, rank); needed by CR2 only

    @classmethod
    def of(cls, model: FittedModel, clusters: Clusters, with_leverage: bool) -> _ClusterSums:
        root = _root(model)
        weights = model._matrices.weights
        w = np.ones(model.nobs) if weights is None else weights
        residuals = w * (model._response - model._fitted)
        XS = [linear_part(model, beta) for beta in _full_length(model, root)]
        scores = np.column_stack([clusters.sums(x * residuals) for x in XS])
        leverage = _leverage(model, clusters, XS, w, root) if with_leverage else None
        return cls(root, scores, leverage)

    @cached_property
    def _spectrum(self) -> tuple[Array, Array, Array]:
        """Eigenvalues λ of Ã_c, eigenvectors, and (1 − λ)^(-1/2), zero where λ is 1."""
        assert self.leverage is not None
        values, vectors = np.linalg.eigh(self.leverage)
        gap = 1 - values
        free = gap > DETERMINED
        return values, vectors, np.where(free, 1 / np.sqrt(np.where(free, gap, 1.0)), 0.0)

    @property
    def determined(self) -> int:
        """Clusters that alone determine a combination of coefficients."""
        return int(np.sum(np.any(self._spectrum[2] == 0, axis=1)))

    def adjusted_meat(self) -> Array:
        """Σ s*s*' of the scores s* = (I − Ã_c)^(-1/2) S's_c."""
        _, vectors, inverse_root = self._spectrum
        turned = np.einsum("cak,ca->ck", vectors, self.scores)
        adjusted = np.einsum("cak,ck->ca", vectors, inverse_root * turned)
        return np.asarray(adjusted.T @ adjusted)

    def degrees(self) -> Array:
        """Satterthwaite's df of each coefficient, (rank,)."""
        values, vectors, inverse_root = self._spectrum
        return np.array([_degrees(l_hat, values, vectors, inverse_root) for l_hat in self.root])


def _degrees(l_hat: Array, values: Array, vectors: Array, inverse_root: Array) -> float:
    """(tr P)²/tr(P²) with P = diag(d) − TT'; no clusters × clusters matrix is formed."""
    turned = np.einsum("cak,a->ck", vectors, l_hat)
    d = np.einsum("ck,ck->c", values * inverse_root**2, turned**2)
    T = np.einsum("cak,ck->ca", vectors, values * inverse_root * turned)
    length = np.einsum("ca,ca->c", T, T)
    trace = np.sum(d) - np.sum(length)
    squares = np.sum(d**2) - 2 * np.sum(d * length) + np.sum((T.T @ T) ** 2)
    determined = trace <= DETERMINED * (l_hat @ l_hat)  # wholly, by one cluster or another
    return np.nan if determined else float(trace**2 / squares)


def _root(model: FittedModel) -> Array:
    """S with Φ = SS', (rank, rank)."""
    if isinstance(model, LinearMixedModel):
        return model._information["root"]
    X = model._design.fixed_matrix()[:, ~np.isnan(np.asarray(model._fit.beta))]
    weights = model._matrices.weights
    X = X if weights is None else np.sqrt(weights)[:, None] * X
    return np.asarray(np.linalg.inv(np.linalg.qr(X, mode="r")))


def _full_length(model: FittedModel, root: Array) -> Array:
    """The columns of S as coefficient vectors, (rank, p), zero where a column was dropped."""
    kept = ~np.isnan(np.asarray(model._fit.beta))
    full = np.zeros((root.shape[1], len(kept)))
    full[:, kept] = root.T
    return full


def _leverage(
    model: FittedModel, clusters: Clusters, XS: list[Array], w: Array, root: Array
) -> Array:
    """Ã_c = S'X_c'V_c⁻¹X_c S of every cluster, (clusters, rank, rank)."""
    leverage = np.empty((clusters.count, len(XS), len(XS)))
    for k, column in enumerate(_precision_times(model, root)):
        for j in range(k + 1):
            leverage[:, j, k] = leverage[:, k, j] = clusters.sums(XS[j] * w * column)
    if np.abs(leverage.sum(axis=0) - np.eye(len(XS))).max() > ACCURACY:
        raise DataError(
            "CR2 cannot be had to six digits, because a predictor is very far from zero compared "
            "with how much it varies: centre it (subtract its mean) and fit again, or use "
            "type='CR1'"
        )
    return leverage


def _precision_times(model: FittedModel, root: Array) -> Iterator[Array]:
    """W⁻¹V⁻¹XS, column by column: x − Zb with the b that x, taken for a response, would have."""
    by_column = model._fit.fixed_modes() if model._matrices.terms else []
    for k, beta in enumerate(_full_length(model, root)):
        modes = [
            -np.tensordot(root[:, k], np.stack(term), axes=1)
            for term in zip(*by_column, strict=True)
        ]
        yield linear_part(model, beta, modes)


def _few(kind: RobustType, clusters: Clusters, degrees: Array) -> list[str]:
    notes = []
    if clusters.count < FEW_CLUSTERS and kind != "CR2":
        notes.append(
            f"Only {clusters.count} clusters: {kind} standard errors are too small and t with "
            f"{clusters.count - 1} degrees of freedom too optimistic; type='CR2' corrects both."
        )
    elif clusters.count < FEW_CLUSTERS:
        notes.append(f"Only {clusters.count} clusters: mind the degrees of freedom.")
    if kind == "CR2" and np.any(degrees < FEW_DEGREES):
        notes.append(
            f"Where df is below {FEW_DEGREES:.0f}, p-values and intervals are not reliable (Tipton "
            "2015)."
        )
    return notes


def _determined(kind: RobustType, sums: _ClusterSums) -> list[str]:
    if kind != "CR2" or sums.determined == 0:
        return []
    return [
        f"{sums.determined} cluster(s) alone determine a combination of coefficients, such as "
        "their own intercept. Nothing between clusters tells how uncertain it is: standard "
        "errors of coefficients that involve it are too small."
    ]


def _shared(crossed: list[str], clusters: Clusters) -> list[str]:
    if not crossed:
        return []
    return [
        f"Clusters of {clusters.name} share levels of {', '.join(crossed)}: by the model itself "
        "their scores are not independent, as these standard errors take them to be."
    ]
