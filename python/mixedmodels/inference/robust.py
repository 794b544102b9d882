"""Cluster-robust ("sandwich") covariance of the fixed effects, from sums over clusters.

The estimating equations of β are Σ_c s_c = 0 with s_c = X_c'(V⁻¹e)_c, e = y − Xβ̂, and V⁻¹e = Wr
for the conditional residuals r = y − Xβ̂ − Zb̂ (Henderson), so a score costs one product a row. With
Φ = (X'V⁻¹X)⁻¹ = SS',

    CR0 = Φ (Σ s_c s_c') Φ,    CR1 = G/(G − 1) CR0    (Liang & Zeger 1986, Biometrika 73, 13-22).

Sums are taken in the basis S, of S's_c. The scores of CR2 are those of adjusted residuals: see
`bias_reduction`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError
from ..models.linear import Linear
from ..models.precision import coefficient_basis
from ..models.rows import linear_part
from ..printing.document import Block, Document
from ..printing.tables import ResultTable
from .bias_reduction import bias_reduced
from .clusters import Clusters, crossing, find_clusters
from .coefficients import tested_columns
from .ddf import TTests
from .distributions import check_level, t_two_sided

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["RobustCovariance", "vcov_robust"]

Array = NDArray[np.float64]
RobustType = Literal["CR0", "CR1", "CR2"]

FEW_CLUSTERS = 10
FEW_DEGREES = 4.0  # below, p-values are unreliable (Tipton 2015, Psychol. Methods 20, 375-393)


class RobustCovariance(Document, pd.DataFrame):  # type: ignore[misc]  # to_markdown, to_latex
    """Cluster-robust covariance matrix of the fixed effects, `m.vcov_robust()`.

    A DataFrame (p, p) by name, NaN where a column was dropped as collinear; it prints as the table
    of coefficients that it gives.

    Attributes
    ----------
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

    _metadata = ["df", "type", "cluster", "n_clusters", "notes", "estimates"]  # noqa: RUF012
    df: pd.Series[float]
    type: RobustType
    cluster: str
    n_clusters: int
    notes: tuple[str, ...]
    estimates: pd.Series[float]

    @property
    def _constructor(self) -> Callable[..., pd.DataFrame]:
        return pd.DataFrame  # a part of the matrix is a plain frame

    @property
    def vcov(self) -> pd.DataFrame:
        """The matrix as a plain DataFrame."""
        return pd.DataFrame(self.to_numpy(copy=True), index=self.index, columns=self.columns)

    @property
    def std_error(self) -> pd.Series[float]:
        """Standard errors, shape (p,), by name; NaN where dropped."""
        return pd.Series(np.sqrt(np.diag(self)), index=self.index, name="std_error")

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
        kept = self.estimates.dropna().index
        columns = (self.estimates[kept], self.std_error[kept], self.df[kept])
        estimate, error, df = (np.array(column, dtype=np.float64) for column in columns)
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = estimate / error
        tests = TTests(estimate, error, df, statistic, t_two_sided(statistic, df))
        table = {"term": list(kept), **tested_columns(tests, level)}
        return ResultTable.of(table, self._title(), self.notes)

    def _title(self) -> str:
        by = "Satterthwaite's method" if self.type == "CR2" else "t with clusters − 1"
        return (
            f"Fixed effects; {self.type} cluster-robust standard errors, {self.n_clusters} "
            f"clusters ({self.cluster}); tests by {by}"
        )

    def __str__(self) -> str:
        return str(self.coefficients())

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        return self.coefficients()._blocks()


def vcov_robust(
    model: FittedModel, type: RobustType = "CR2", cluster: str | ArrayLike | None = None
) -> RobustCovariance:
    """Documented at `Inference.vcov_robust`."""
    if not isinstance(model, Linear):
        raise ArgumentError(
            "cluster-robust standard errors are there for linear models only; a generalised "
            "model's own are m.bse (or a bootstrap: mm.bootstrap)"
        )
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
    sandwich, degrees, determined = _sandwich(kind, model, clusters)
    kept, every = list(model.fixef.dropna().index), list(model.fixef.index)
    vcov = pd.DataFrame(sandwich, index=kept, columns=kept).reindex(index=every, columns=every)
    robust = RobustCovariance(vcov)
    robust.df = pd.Series(degrees, index=kept, name="df").reindex(every)
    robust.type, robust.cluster, robust.n_clusters = kind, clusters.name, clusters.count
    notes = (*_few(kind, clusters, degrees), *_determined(determined), *_shared(crossed, clusters))
    robust.notes, robust.estimates = notes, model.fixef
    return robust


def _sandwich(kind: RobustType, model: Linear, clusters: Clusters) -> tuple[Array, Array, int]:
    """The covariance matrix, each coefficient's degrees of freedom, and how many clusters alone
    determine a combination of coefficients."""
    root = model._root
    basis = coefficient_basis(model, root)
    if kind == "CR2":
        reduced = bias_reduced(model, clusters, root, basis)
        half = reduced.scores @ root.T
        return half.T @ half, reduced.degrees(root), reduced.determined
    half = _scores(model, clusters, basis) @ root.T
    factor = clusters.count / (clusters.count - 1) if kind == "CR1" else 1.0
    return factor * half.T @ half, np.full(len(root), clusters.count - 1.0), 0


def _checked_type(type: str) -> RobustType:
    kind = type.upper() if isinstance(type, str) else type
    if kind not in get_args(RobustType):
        raise ArgumentError(f"type={type!r}: choose one of {', '.join(get_args(RobustType))}")
    return kind  # type: ignore[return-value]


def _require_fixed_effects(model: Linear) -> None:
    if int(model._fit.rank) == 0:
        raise ArgumentError("the model has no fixed effects, whose covariance could be estimated")


def _scores(model: Linear, clusters: Clusters, basis: Array) -> Array:
    """S's_c, (clusters, rank)."""
    weights = model._matrices.weights
    residuals = model._response - model._fitted
    weighted = residuals if weights is None else weights * residuals
    return np.column_stack([clusters.sums(linear_part(model, x) * weighted) for x in basis])


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


def _determined(count: int) -> list[str]:
    if count == 0:
        return []
    return [
        f"{count} cluster(s) alone determine a combination of coefficients, such as their own "
        "intercept. Nothing between clusters tells how uncertain it is: standard errors of "
        "coefficients that involve it are too small."
    ]


def _shared(crossed: list[str], clusters: Clusters) -> list[str]:
    if not crossed:
        return []
    return [
        f"Clusters of {clusters.name} share levels of {', '.join(crossed)}: by the model itself "
        "their scores are not independent, as these standard errors take them to be."
    ]
