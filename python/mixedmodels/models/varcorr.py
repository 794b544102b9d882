"""Variances and correlations of the random effects: numbers only (the looks are in summary.py)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..printing.document import Block, Document

if TYPE_CHECKING:
    from ..matrices.model_matrix import TermInfo

__all__ = ["TermCovariance", "VarCorr", "templates"]

Array = NDArray[np.float64]


def templates(theta: Array, sizes: Sequence[int]) -> list[Array]:
    """θ → the lower-triangular template λ_t of each term, shape (q_t, q_t).

    θ holds the lower triangles one after another, each column by column (Bates et al. 2015, §2.3).
    """
    result, at = [], 0
    for q in sizes:
        template = np.zeros((q, q))
        columns, rows = np.triu_indices(q)  # the upper triangle by rows is the lower by columns
        template[rows, columns] = theta[at : at + len(rows)]
        result.append(template)
        at += len(rows)
    return result


@dataclass(frozen=True, eq=False)
class TermCovariance:
    """One random-effects term: Σ_t = σ²λ_tλ_t'."""

    group: str
    name: str  # the group, or "g.1", "g.2" where a group occurs again
    columns: tuple[str, ...]  # q names
    cov: Array  # shape (q, q)

    @property
    def sd(self) -> Array:
        """Standard deviations, shape (q,)."""
        return np.sqrt(np.diag(self.cov))

    @property
    def corr(self) -> Array:
        """Correlations, shape (q, q); NaN where a variance is zero."""
        sd = self.sd
        with np.errstate(invalid="ignore", divide="ignore"):
            corr = self.cov / np.outer(sd, sd)
        corr[np.diag_indices_from(corr)] = 1.0
        return np.where(np.isnan(corr), np.nan, np.clip(corr, -1.0, 1.0))


class VarCorr(Document):
    """Variance components of a fitted model, `m.varcorr`.

    `m.varcorr["g"]` is the covariance matrix of everything that varies by g, a DataFrame (q, q).
    Where g occurs in several terms, elements between terms are structural zeros; single terms are
    then `m.varcorr["g.1"]`, ... `to_frame()` is the long table. Iterating gives the groups.

    Examples
    --------
    >>> m.varcorr.to_frame()                                                   # doctest: +SKIP
    >>> m.varcorr["clinic"].loc["(Intercept)", "(Intercept)"]                  # doctest: +SKIP
    """

    def __init__(self, terms: Sequence[TermCovariance], sigma: float, residual: bool = True):
        self._terms = tuple(terms)
        self._sigma = sigma
        self._residual = residual

    @classmethod
    def from_theta(
        cls, theta: Array, sigma: float, infos: Sequence[TermInfo], residual: bool = True
    ) -> VarCorr:
        """From θ, σ and the terms in public order; `residual`: whether σ is one of the estimates
        (it is 1 for families without a scale)."""
        names = _unique([info.group for info in infos])
        lambdas = templates(theta, [len(info.columns) for info in infos])
        terms = []
        for info, name, template in zip(infos, names, lambdas, strict=True):
            cov = sigma**2 * (template @ template.T)
            cov.flags.writeable = False
            terms.append(TermCovariance(info.group, name, tuple(info.columns), cov))
        return cls(terms, sigma, residual)

    @property
    def terms(self) -> tuple[TermCovariance, ...]:
        """The terms, in lme4's order (decreasing number of levels)."""
        return self._terms

    @property
    def sigma(self) -> float:
        """Residual standard deviation; 1 for families without one."""
        return self._sigma

    @property
    def has_residual(self) -> bool:
        """Whether there is a residual variance: not for families without a scale."""
        return self._residual

    def keys(self) -> list[str]:
        """The grouping factors."""
        return list(dict.fromkeys(term.group for term in self._terms))

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def __len__(self) -> int:
        return len(self.keys())

    def __contains__(self, name: object) -> bool:
        return any(name in (term.group, term.name) for term in self._terms)

    def __getitem__(self, name: str) -> pd.DataFrame:
        chosen = [term for term in self._terms if term.group == name]
        chosen = chosen or [term for term in self._terms if term.name == name]
        if not chosen:
            raise KeyError(f"{name!r} is not a grouping factor here; there are {self.keys()}")
        columns = [column for term in chosen for column in term.columns]
        joint = np.zeros((len(columns), len(columns)))
        at = 0
        for term in chosen:
            q = len(term.columns)
            joint[at : at + q, at : at + q] = term.cov
            at += q
        return pd.DataFrame(joint, index=columns, columns=columns)

    def to_frame(self) -> pd.DataFrame:
        """One row a variance or covariance: grp, var1, var2, vcov, sdcor.

        A variance has var2 None and its standard deviation in sdcor; a covariance both names, and
        its correlation in sdcor. The last row is the residual, where there is one. Row order and
        names are lme4's.
        """
        rows: list[tuple[str, str | None, str | None, float, float]] = []
        for term in self._terms:
            rows.extend(_rows(term))
        if self._residual:
            rows.append(("Residual", None, None, self._sigma**2, self._sigma))
        frame = pd.DataFrame(rows, columns=["grp", "var1", "var2", "vcov", "sdcor"])
        names = ["grp", "var1", "var2"]
        frame[names] = frame[names].astype(object).where(frame[names].notna(), None)
        return frame

    def __str__(self) -> str:
        from ..reporting.summary_parts import random_effects_text

        return random_effects_text(self)

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        from ..reporting.summary_parts import random_effects_cells

        return [random_effects_cells(self)]


def _rows(term: TermCovariance) -> Iterator[tuple[str, str, str | None, float, float]]:
    """Variances first, then the lower triangle column by column."""
    sd, corr = term.sd, term.corr
    for i, column in enumerate(term.columns):
        yield term.name, column, None, float(term.cov[i, i]), float(sd[i])
    for j, first in enumerate(term.columns):
        for i in range(j + 1, len(term.columns)):
            yield term.name, first, term.columns[i], float(term.cov[i, j]), float(corr[i, j])


def _unique(names: Sequence[str]) -> list[str]:
    """Repeated names get .1, .2, ... (never a name that is there already)."""
    result: list[str] = []
    for name in names:
        candidate, k = name, 0
        while candidate in result or (k > 0 and candidate in names):
            k += 1
            candidate = f"{name}.{k}"
        result.append(candidate)
    return result
