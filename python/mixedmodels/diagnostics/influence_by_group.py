"""Influence of groups of rows: estimates without each, and what that changes.

For β̂ and β̂₍c₎, the estimates without group c, with covariance matrices C and C₍c₎:

    Cook's distance   (β̂ − β̂₍c₎)'C⁻¹(β̂ − β̂₍c₎)/p
    MDFFITS           (β̂ − β̂₍c₎)'C₍c₎⁻¹(β̂ − β̂₍c₎)/p
    COVRATIO          |C₍c₎|/|C|
    DFBETAS           (β̂ − β̂₍c₎)_k/√(C₍c₎)_kk

(Belsley, Kuh & Welsch 1980; for mixed models Demidenko & Stukel 2005, Stat. Med. 24, 893-909, Loy &
Hofmann 2014, J. Stat. Softw. 57(5), §3, and SAS PROC MIXED's INFLUENCE option); DFBETAS by the
standard error of the fit without the group, as in lme4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError
from ..inference.clusters import Clusters, find_clusters
from ..models.call import check_threads
from ..models.linear import Linear
from ..models.mixed import Mixed
from ..printing.document import Block, Document
from ..printing.tables import ResultTable
from .estimates_without import EstimatesWithout, by_deletion, by_refits
from .leverage import require_fixed_effects

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["Influence", "influence"]

Array = NDArray[np.float64]
InfluenceMethod = Literal["exact", "fast"]

SHOWN = 6  # groups in print


@dataclass(frozen=True, eq=False, repr=False)
class Influence(Document):
    """Estimates without each group of rows and what that changes, `m.influence(group)`.

    It prints the groups of the largest Cook's distance. Series and frames have one row a group, on
    its label (by row: on the data's own index). NaN where the fit without the group failed or does
    not determine a coefficient: `messages` says why.

    Attributes
    ----------
    group
        What was left out: the name of the groups, or None for single rows.
    method
        "exact" or "fast"; an ordinary linear regression has a closed form that is exact.
    rows
        Rows left out, shape (groups,).
    fixef, bse
        Fixed effects without the group and their standard errors, shape (groups, p).
    theta, sigma
        Relative covariance parameters, shape (groups, n_theta), and σ, shape (groups,); by "fast" θ
        is that of the fit.
    cooks_distance
        (β̂ − β̂₍c₎)'C⁻¹(β̂ − β̂₍c₎)/p, C the covariance matrix of β̂.
    mdffits
        The same with the covariance matrix C₍c₎ of the fit without the group.
    covratio
        det C₍c₎/det C: below 1 the coefficients are more precise without the group.
    dfbetas
        (β̂ − β̂₍c₎)_k over the standard error without the group, shape (groups, p).
    singular
        Whether the fit without the group is singular; by "fast" whether the fit of all rows is.
    messages
        What there is to say of the fit without the group, or None.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> without = m.influence("clinic")
    >>> without.dfbetas.shape, without.theta.shape
    ((15, 2), (15, 1))
    >>> without.influential
    ['8', '11']
    """

    group: str | None
    method: InfluenceMethod
    rows: pd.Series[int]
    fixef: pd.DataFrame
    bse: pd.DataFrame
    theta: pd.DataFrame
    sigma: pd.Series[float]
    cooks_distance: pd.Series[float]
    mdffits: pd.Series[float]
    covratio: pd.Series[float]
    dfbetas: pd.DataFrame
    singular: pd.Series[bool]
    messages: pd.Series[str]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def influential(self) -> list[Any]:
        """The groups whose Cook's distance exceeds 4/(number of groups), the largest first
        (Nieuwenhuis, te Grotenhuis & Pelzer 2012, R J. 4(2), 38-47)."""
        distances = self.cooks_distance.sort_values(ascending=False)
        return list(distances.index[distances > 4 / len(self)])

    def to_frame(self) -> pd.DataFrame:
        """rows, cooks_distance, mdffits, covratio, sigma, and dfbetas by coefficient."""
        columns = {
            name: getattr(self, name)
            for name in ("rows", "cooks_distance", "mdffits", "covratio", "sigma")
        }
        by_name = {f"dfbetas_{name}": self.dfbetas[name] for name in self.dfbetas}
        return pd.DataFrame(columns | by_name)

    def summary(self) -> ResultTable:
        """The groups of the largest Cook's distance, and what a reader has to know."""
        frame = self.to_frame()
        top = np.argsort(-self.cooks_distance.to_numpy(), kind="stable")[:SHOWN]  # NaN last
        changes = self.dfbetas.to_numpy()[top]
        largest = np.nan_to_num(np.abs(changes), nan=-1).argmax(axis=1)
        table = frame.iloc[top][["cooks_distance", "mdffits", "covratio"]].assign(
            dfbetas=changes[np.arange(len(top)), largest],
            of=[str(self.dfbetas.columns[k]) for k in largest],
        )
        return ResultTable.of(
            table.set_axis([str(label) for label in table.index]), self._title(), self._notes()
        )

    def _title(self) -> str:
        what = "rows" if self.group is None else f"groups ({self.group})"
        how = "exact" if self.method == "exact" else "one step at fixed θ"
        return f"Influence of {len(self)} {what}, each left out in turn; {how}"

    def _notes(self) -> list[str]:
        limit = 2 / np.sqrt(len(self))
        beyond = self.dfbetas.index[(self.dfbetas.abs() > limit).any(axis=1)]
        single = self.singular.index[self.singular]
        notes = [
            f"Cook's distance above 4/{len(self)} = {4 / len(self):.3g}: "
            f"{_listed(self.influential)}. |DFBETAS| above 2/√{len(self)} = {limit:.3g}: "
            f"{_listed(beyond)}."
        ]
        if 0 < len(single) < len(self):
            notes.append(f"Singular fits: without {_listed(single)}.")
        failed = self.messages[self.cooks_distance.isna()]
        if len(failed):
            notes.append(f"NaN: without {_listed(failed.index)}. {failed.iloc[0]}")
        return notes

    def __str__(self) -> str:
        return str(self.summary())

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        return self.summary()._blocks()


def _listed(labels: Any) -> str:
    names = [str(label) for label in labels]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more if names else "none"


def influence(
    model: FittedModel,
    group: str | ArrayLike | None = None,
    method: InfluenceMethod = "exact",
    n_threads: int | None = None,
) -> Influence:
    """Documented at `Diagnosis.influence`."""
    if method not in get_args(InfluenceMethod):
        raise ArgumentError(f"method={method!r}: choose one of exact, fast")
    check_threads(n_threads)
    require_fixed_effects(model, "influence")
    clusters = None if group is None else find_clusters(model, group, "group")
    if isinstance(model, Linear) and not isinstance(model, Mixed):
        method, found = "exact", by_deletion(model, clusters)  # least squares has a closed form
    elif method == "fast":
        found = by_deletion(model, clusters)
    else:
        found = by_refits(model, clusters, n_threads)
    return _tables(model, clusters, method, found)


def _tables(
    model: FittedModel, clusters: Clusters | None, method: InfluenceMethod, found: EstimatesWithout
) -> Influence:
    m = model._matrices
    labels = m.index if clusters is None else clusters.levels
    rank = int(model._fit.rank)
    with np.errstate(invalid="ignore", divide="ignore"):
        dfbetas = (np.asarray(model._fit.beta) - found.beta) / found.std_error
    measures = {
        "rows": np.ones(model.nobs, int) if clusters is None else np.bincount(clusters.codes),
        "sigma": found.sigma,
        "cooks_distance": found.length / rank,
        "mdffits": found.reduced_length / rank,
        "covratio": found.covratio,
        "singular": found.singular,
        "messages": pd.Series(found.messages, index=labels, dtype=object),  # None stays None
    }
    by_group = pd.DataFrame(measures, index=labels)

    def frame(values: Array, names: Sequence[str]) -> pd.DataFrame:
        return pd.DataFrame(values, index=labels, columns=list(names))

    return Influence(
        group=None if clusters is None else clusters.name,
        method=method,
        fixef=frame(found.beta, m.fixed_names),
        bse=frame(found.std_error, m.fixed_names),
        theta=frame(found.theta, [f"theta{k + 1}" for k in range(found.theta.shape[1])]),
        dfbetas=frame(dfbetas, m.fixed_names),
        **{name: by_group[name] for name in measures},
    )
