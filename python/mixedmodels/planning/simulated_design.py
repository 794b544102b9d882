"""A study before it is run: its table, its model, and the parameters it is thought to have.

Made by `simulate_design` (`planned_design.py`); from it come responses, and from many of them power
(`power_analysis.py`).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import DataError, MixedModelsWarning
from ..formulas.expression import Name
from ..formulas.formula import Formula, parse
from ..lazy import lazy
from ..matrices.model_frame import ModelFrame
from ..matrices.model_matrix import ModelMatrices
from ..models.call import Call
from ..models.replicates import check_replicates
from ..predictions.draws import draw_responses
from ..printing.document import PrintedDocument
from .design_table import Recipe, Rows, check_counts
from .true_parameters import Truth

if TYPE_CHECKING:
    from ..families import Family
    from ..models.varcorr import VarCorr

__all__ = ["SimulatedDesign", "matrices_of", "with_table"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class SimulatedDesign(PrintedDocument):
    """A design with its parameters, made by `mm.simulate_design`; responses are drawn from it.

    Attributes
    ----------
    formula
        The model.
    seed
        Of `data`, and of `simulate` unless another is given.
    """

    formula: str
    seed: int
    _truth: Truth
    _plan: Recipe | Rows
    _call: Call  # its data have a response that only holds the place
    _reml: bool

    @property
    def family(self) -> Family | None:
        """Of a generalised model; None for a linear one."""
        return self._call.family

    @property
    def fixef(self) -> pd.Series[float]:
        """The coefficients that responses are drawn with, shape (p,)."""
        return self._truth.fixef.copy()

    @property
    def sigma(self) -> float:
        """Residual standard deviation; 1 for families without one."""
        return self._truth.sigma

    @property
    def varcorr(self) -> VarCorr:
        """Variances, standard deviations and correlations of the random effects."""
        residual = self.family is None or self.family.has_sigma
        return self._truth.varcorr(self._matrices.terms, residual)

    @property
    def nobs(self) -> int:
        """Rows."""
        return self._matrices.nobs

    @property
    def ngroups(self) -> dict[str, int]:
        """Grouping factor → number of levels."""
        return {term.group: len(term.levels) for term in self._matrices.terms}

    @property
    def data(self) -> pd.DataFrame:
        """The table with the first simulated response, ready for `mm.lmer(design.formula,
        design.data)`."""
        frame: pd.DataFrame = self._call.data.copy()
        name = self._matrices.response_name
        if name not in frame:
            raise DataError(
                f"the response '{name}' is not a column of the table: take the responses from "
                ".simulate(), and fit them with refit()"
            )
        frame[name] = self._matrices.on_table(self._draw(1, self.seed)[:, 0])
        return frame

    def simulate(self, nsim: int = 1, seed: int | None = None) -> pd.DataFrame:
        """Responses, shape (nobs, nsim); column k is a function of (seed, k) alone.

        Binomial responses are proportions of the numbers of trials (0 and 1 without these).

        Raises
        ------
        ArgumentError
            `nsim` or `seed` is not a whole number in its range.
        """
        seed = self.seed if seed is None else seed
        check_replicates(nsim, seed)
        return pd.DataFrame(self._draw(int(nsim), int(seed)), index=self._matrices.index)

    def extend(
        self, groups: Mapping[str, int] | None = None, per_group: int | None = None
    ) -> SimulatedDesign:
        """The same design and parameters with other numbers of groups, or of rows a group.

        Parameters
        ----------
        groups
            Group → number. Where the design was made of rows (a table, or a fitted model), new
            groups take the predictors of the old ones in turn.
        per_group
            Rows of every combination of the predictors in a group; copies of every row.

        Raises
        ------
        ArgumentError
            A group is not one of the design's, or a number is not a whole one above zero.
        DataError
            The design does not have the same coefficients any more.
        """
        groups = dict(groups or {})
        check_counts(groups if per_group is None else {**groups, "per_group": per_group})
        plan = self._plan.resized(groups, per_group)
        call = with_table(self._call, plan.table(), parse(self.formula))
        design = replace(self, _plan=plan, _call=call)
        if list(design._matrices.fixed_names) != list(self._truth.fixef.index):
            raise DataError(
                f"with {groups} the coefficients are {', '.join(design._matrices.fixed_names)}; "
                f"expected {', '.join(self._truth.fixef.index)}: too few groups to have every level"
            )
        return design

    @lazy
    def _frame(self) -> ModelFrame:
        return self._call.frame(parse(self.formula))

    @lazy
    def _matrices(self) -> ModelMatrices:
        return matrices_of(self._frame, self._call)

    def _draw(self, nsim: int, seed: int, offset: int = 0) -> Array:
        return draw_responses(self._matrices, self.family, self._truth, nsim, seed, offset)

    def __repr__(self) -> str:
        groups = "".join(f", {group} {count}" for group, count in self.ngroups.items())
        family = "" if self.family is None else f" · {self.family!r}"
        return f"<SimulatedDesign {self.formula}{family} · {self.nobs} rows{groups}>"

    def __str__(self) -> str:
        parts = [repr(self)[1:-1], "Fixed effects:\n" + self.fixef.to_string()]
        if self._matrices.terms:
            parts.append(f"Random effects:\n{self.varcorr}")
        return "\n\n".join(parts)


def with_table(call: Call, table: pd.DataFrame, formula: Formula) -> Call:
    """The call with another table, and in it a response that holds the place: values that any model
    of the family could have."""
    response = formula.response
    if response is not None and isinstance(response.node, Name) and response.text not in table:
        discrete = call.family is not None and call.family.is_discrete
        low, high = (0.0, 1.0) if discrete else (0.25, 0.75)
        table = table.assign(
            **{response.names()[0]: np.where(np.arange(len(table)) % 2, high, low)}
        )
    return replace(call, data=table)


def matrices_of(frame: ModelFrame, call: Call) -> ModelMatrices:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", MixedModelsWarning)
        return call.matrices(frame)
