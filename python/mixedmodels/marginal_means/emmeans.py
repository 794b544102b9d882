"""Estimated marginal means and their contrasts, as R's emmeans.

A marginal mean is a linear function l'β of the fixed effects: l is the average of the rows of X
over a reference grid (`reference_grid.py`). Everything is tested through `ddf.py`, so that means
and contrasts have the degrees of freedom asked for.

Source: Searle, Speed & Milliken (1980), Population marginal means in the linear model, Am. Stat.
34, 216-221.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..inference.ddf import DdfMethod, TTests, describe, f_test, resolve, t_tests
from ..inference.distributions import check_level, t_quantile, t_two_sided
from ..inference.estimability import Estimability
from ..inference.multiplicity import adjusted_p_values, check_adjustment, critical_values
from ..input_tables.columns import names_given
from ..input_tables.factors import level_label
from ..lazy import lazy
from ..printing.document import Block, Document
from ..printing.tables import ResultTable
from .marginal_notes import adjustment_notes, grid_notes, scale_notes
from .mean_contrasts import contrast_coefficients
from .reference_grid import ReferenceGrid, not_a_variable, reference_grid
from .response_scale import Scale, are_differences, mean_scale, ratio_scale

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["MarginalMeans", "emmeans"]

Array = NDArray[np.float64]

WEIGHTS = ("equal", "proportional")
TYPES = ("link", "response")
PAIRS = ("pairwise", "revpairwise")
ROUNDING = 1e-12
OVERALL = "1"  # the grand mean, as R's ~ 1


def emmeans(
    model: FittedModel,
    specs: str | Sequence[str],
    by: str | Sequence[str] | None,
    at: Mapping[str, Any] | None,
    *,
    ddf: str | None,
    level: float,
    weights: str,
    type: str,
) -> MarginalMeans:
    """Documented at `Inference.emmeans`."""
    method = resolve(model, ddf)
    check_level(level)
    _check_choice("weights", weights, WEIGHTS)
    _check_choice("type", type, TYPES)
    grid = reference_grid(model, at)
    wanted, within = _names(specs, "specs"), _names(by, "by")
    specs = [] if wanted == [OVERALL] else wanted
    _check_names(specs, within, list(grid.axes))
    names = [*specs, *within]
    L, offset = grid.margins(names, weights)
    return MarginalMeans(
        specs=tuple(wanted),
        by=tuple(within),
        ddf=method,
        level=float(level),
        type=type,
        _scale=mean_scale(model),
        _levels=_level_table(grid, specs, names),
        _L=L,
        _offset=offset,
        _model=model,
        _estimable=Estimability(model),
        _notes=tuple(grid_notes(model, grid, names, weights)),
    )


def _level_table(grid: ReferenceGrid, specs: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """The combinations of `names`; a column says "overall" where no variable has means."""
    levels = grid.levels(names) if names else pd.DataFrame(index=pd.RangeIndex(1))
    if not specs:
        levels.insert(0, OVERALL, "overall")
    return levels


def _check_choice(argument: str, given: str, known: Sequence[str]) -> None:
    if given not in known:
        raise ArgumentError(f"{argument}={given!r}: choose one of {', '.join(known)}")


def _names(value: str | Sequence[str] | None, argument: str) -> list[str]:
    if value is None and argument == "by":
        return []
    what = "a variable's name or a list of names"
    grand = ', or "1" for the grand mean' if argument == "specs" else ""
    return names_given(value, argument, what + grand)


def _check_names(specs: Sequence[str], by: Sequence[str], known: Sequence[str]) -> None:
    for argument, names in (("specs", specs), ("by", by)):
        for name in names:
            if name not in known:
                raise ArgumentError(f"{argument}: {not_a_variable(name, known)}")
    names = [*specs, *by]
    if len(set(names)) < len(names):
        repeated = next(name for name in names if names.count(name) > 1)
        raise ArgumentError(f"'{repeated}' stands twice in specs and by; name it once")


@dataclass(frozen=True, repr=False, eq=False)
class MarginalMeans(Document):
    """Estimated marginal means: they print as a table, and `pairs` and `contrast` compare them.

    Made by `m.emmeans`. Columns, named as R's emmeans names them: the variables, emmean, SE, df,
    lower.CL, upper.CL, t.ratio and p.value (of the mean being 0, not adjusted); with
    ddf="asymptotic" asymp.LCL, asymp.UCL and z.ratio instead. A mean that collinear columns leave
    undetermined is NaN, and a note says so.

    With type="response" the means of a generalised model and their intervals are transformed back
    from the scale of the link, and the column is called prob (binomial), rate (counts) or response;
    SE is that of the delta method. Tests stay those of a linear predictor of 0, whose mean is in
    the column null. Contrasts are then ratios with a log link and odds ratios with a logit link,
    of 1 under the null hypothesis; with other links they are differences on the link's scale.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> data = mm.datasets.load("anxiety")
    >>> data["group"] = ["a", "b", "c"] * (len(data) // 3) + ["a"] * (len(data) % 3)
    >>> m = mm.lmer("anxiety ~ group + therapy_sessions + (1 | clinic)", data)
    >>> means = m.emmeans("group")
    >>> list(means.pairs()["contrast"])
    ['a - b', 'a - c', 'b - c']
    """

    specs: tuple[str, ...]
    by: tuple[str, ...]
    ddf: DdfMethod
    level: float
    type: str
    _scale: Scale | None = field(repr=False)  # of the means; None where the link is the identity
    _levels: pd.DataFrame = field(repr=False)  # one row a mean; `by` varies slowest
    _L: Array = field(repr=False)  # (means, p), all columns of the formula
    _offset: Array = field(repr=False)  # (means,)
    _model: FittedModel = field(repr=False)
    _estimable: Estimability = field(repr=False)
    _notes: tuple[str, ...] = field(repr=False)

    @lazy
    def table(self) -> ResultTable:
        """The means as a table that also prints how they were made."""
        tests = self._tests(self._L, self._offset)
        half = t_quantile(0.5 + self.level / 2, tests.df) * tests.std_error
        columns: dict[str, Any] = {str(name): self._levels[name] for name in self._levels}
        scale = self._scale if self.type == "response" else None
        columns |= self._columns("emmean", tests, half, tests.p_value, scale)
        within = f" by {', '.join(self.by)}" if self.by else ""
        names = "overall" if self.specs == (OVERALL,) else f"of {', '.join(self.specs)}"
        title = f"Estimated marginal means {names}{within}"
        notes = [*self._method_notes(tests), *scale_notes(scale, self._link)]
        return ResultTable.of(columns, title, [*self._notes, *notes])

    def to_frame(self) -> pd.DataFrame:
        """The means as a plain DataFrame."""
        return pd.DataFrame(self.table)

    def __str__(self) -> str:
        return str(self.table)

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        return self.table._blocks()

    def __len__(self) -> int:
        return len(self._levels)

    def __getitem__(self, column: str) -> pd.Series[Any]:
        """A column of the table: `means["emmean"]`."""
        return self.table[column]

    def pairs(self, adjust: str = "tukey") -> ResultTable:
        """All pairwise differences, within each combination of the `by` variables.

        Parameters
        ----------
        adjust
            "tukey", "holm", "bonferroni", "sidak" or "none"; see `contrast`.
        """
        return self.contrast("pairwise", adjust)

    def contrast(self, method: Any = "pairwise", adjust: str | None = None) -> ResultTable:
        """Contrasts of the means, within each combination of the `by` variables.

        Parameters
        ----------
        method
            "pairwise" (A - B), "revpairwise" (B - A), "trt.vs.ctrl" (each minus the first),
            "consec" (each minus the one before), "eff" (each minus the mean of all) or "poly"
            (orthogonal polynomials, of degree 6 at most); or custom contrasts: name → one
            coefficient for each mean, or a matrix with a row for each contrast.
        adjust
            How p-values and intervals allow for the number of contrasts in a family (a combination
            of `by`): "tukey" (pairwise only), "holm" (intervals by bonferroni), "bonferroni",
            "sidak" or "none". Default: tukey for pairs, none for polynomials and custom contrasts,
            holm for the others.

        Returns
        -------
        ResultTable
            A DataFrame: contrast, the `by` variables, estimate (ratio or odds.ratio), SE, df,
            lower.CL, upper.CL, (null,) t.ratio, p.value (asymp.LCL, asymp.UCL and z.ratio if
            ddf="asymptotic").

        Raises
        ------
        ArgumentError
            For an unknown method or adjustment, or coefficients of the wrong shape.
        """
        ratio = ratio_scale(self._link)
        sign = "/" if ratio and self.type == "response" else "-"
        labels, coefficients = contrast_coefficients(method, self._labels, sign)
        ratio = ratio if are_differences(coefficients) else None
        used = ratio if self.type == "response" else None
        named = method if isinstance(method, str) else "custom"
        default = {"pairwise": "tukey", "revpairwise": "tukey", "poly": "none", "custom": "none"}
        adjust = default.get(named, "holm") if adjust is None else adjust
        chosen = check_adjustment(adjust, named in PAIRS)
        tests = self._tests(*self._contrasted(coefficients))
        factor, p_value, families = np.empty(len(tests.df)), tests.p_value.copy(), []
        for rows in _blocks(len(tests.df), len(labels)):
            made = ~np.isnan(tests.std_error[rows])
            n_means = int((coefficients[made] != 0).any(axis=0).sum())
            families.append((int(made.sum()), n_means))
            df, p = tests.df[rows], tests.p_value[rows]
            p_value[rows] = adjusted_p_values(chosen, tests.statistic[rows], df, p, n_means)
            factor[rows] = critical_values(chosen, self.level, df, *families[-1])
        columns: dict[str, Any] = {"contrast": labels * len(families)}
        columns |= {name: self._group_levels(name, len(labels)) for name in self.by}
        columns |= self._columns("estimate", tests, factor * tests.std_error, p_value, used)
        title = f"Contrasts ({named}) of marginal means of {', '.join(self.specs)}"
        notes = [*self._notes, *self._method_notes(tests)]
        notes += scale_notes(used, ratio.link if ratio else self._link)
        return ResultTable.of(columns, title, notes + adjustment_notes(chosen, families, self.by))

    def joint_tests(self) -> ResultTable:
        """F tests that the means do not differ: of each variable of `specs` averaged over the
        others, and of their interactions, within each combination of `by`.

        Returns
        -------
        ResultTable
            A DataFrame: model term, the `by` variables, df1, df2, F.ratio, p.value.
        """
        rows = []
        for block in _blocks(len(self), self._size):
            L, offset = self._L[block], self._offset[block]
            for term, coefficients in self._term_contrasts():
                contrasts = coefficients @ L
                if np.abs(contrasts).max() <= ROUNDING * np.abs(L).max():
                    continue  # an interaction that the model does not have
                row: dict[str, Any] = {"model term": term}
                row |= {name: self._levels[name].iloc[block.start] for name in self.by}
                row |= dict.fromkeys(("df1", "df2", "F.ratio", "p.value"), np.nan)
                if self._estimable(contrasts).all():
                    value = -coefficients @ offset
                    test = f_test(self._model, contrasts[:, self._estimable.kept], self.ddf, value)
                    row |= {"df1": test.num_df, "df2": test.den_df}
                    row |= {"F.ratio": test.statistic, "p.value": test.p_value}
                rows.append(row)
        if not rows:
            raise ArgumentError("joint tests need at least two means; there is one")
        frame = pd.DataFrame(rows)
        gaps = [] if frame["df1"].notna().all() else [NOT_ESTIMABLE]
        method = f"Degrees-of-freedom method: {describe(self.ddf)}"
        title = f"Joint tests of marginal means of {', '.join(self.specs)}"
        return ResultTable.of(frame, title, [*self._notes, method, *gaps])

    # --- parts ---

    @property
    def _link(self) -> str | None:
        return None if self._scale is None else self._scale.link

    @property
    def _size(self) -> int:
        """Means in each combination of `by`."""
        groups = self._levels[list(self.by)].drop_duplicates() if self.by else [0]
        return len(self._levels) // len(groups)

    @property
    def _labels(self) -> list[str]:
        """One label for each mean of a family: levels that are numbers get the variable's name."""
        columns = []
        for name in self.specs:
            labels = [level_label(value) for value in self._levels[name].iloc[: self._size]]
            numbers = pd.to_numeric(pd.Series(labels), errors="coerce").notna().all()
            columns.append([f"{name}{label}" for label in labels] if numbers else labels)
        return [" ".join(parts) for parts in zip(*columns, strict=True)]

    def _contrasted(self, coefficients: Array) -> tuple[Array, Array]:
        """The contrasts of every family as rows of X, and of the offset."""
        blocks = list(_blocks(len(self), self._size))
        L = np.concatenate([coefficients @ self._L[block] for block in blocks])
        return L, np.concatenate([coefficients @ self._offset[block] for block in blocks])

    def _group_levels(self, name: str, times: int) -> Any:
        """A `by` variable's value for each contrast."""
        firsts = np.arange(0, len(self), self._size).repeat(times)
        return self._levels[name].take(firsts).reset_index(drop=True)

    def _tests(self, L: Array, offset: Array) -> TTests:
        """Tests of each row; NaN where the data do not determine it."""
        made = self._estimable(L)
        tests = t_tests(self._model, L[made][:, self._estimable.kept], self.ddf)

        def filled(values: Array) -> Array:
            result = np.full(len(L), np.nan)
            result[made] = values
            return result

        estimate = tests.estimate + offset[made]
        with np.errstate(divide="ignore", invalid="ignore"):
            statistic = estimate / tests.std_error
        p_value = t_two_sided(statistic, tests.df)
        parts = (estimate, tests.std_error, tests.df, statistic, p_value)
        return TTests(*(filled(values) for values in parts))

    def _columns(
        self, name: str, tests: TTests, half: Array, p_value: Array, scale: Scale | None
    ) -> dict[str, Any]:
        asymptotic = self.ddf == "asymptotic"
        low, high = ("asymp.LCL", "asymp.UCL") if asymptotic else ("lower.CL", "upper.CL")
        estimate, std_error = tests.estimate, tests.std_error
        ends, null = (estimate - half, estimate + half), {}
        if scale is not None:
            estimate, std_error = scale.estimate(estimate, std_error)
            ends, name = scale.ends(*ends), scale.column
            null = {"null": scale.mean(np.zeros(len(half)))}
        return {
            name: estimate,
            "SE": std_error,
            "df": tests.df,
            low: ends[0],
            high: ends[1],
            **null,
            "z.ratio" if asymptotic else "t.ratio": tests.statistic,
            "p.value": p_value,
        }

    def _method_notes(self, tests: TTests) -> list[str]:
        notes = [
            f"Degrees-of-freedom method: {describe(self.ddf)}",
            f"Confidence level used: {self.level:g}",
        ]
        if np.isnan(tests.estimate).any():
            notes.append(NOT_ESTIMABLE)
        if (tests.std_error == 0).any():
            notes.append("A row with SE 0 is the same whatever the data: it has no test.")
        return notes

    def _term_contrasts(self) -> Iterator[tuple[str, Array]]:
        """Each variable and interaction of `specs` with the contrasts that it is made of."""
        sizes = [self._levels[name].iloc[: self._size].nunique() for name in self.specs]
        varying = [j for j, size in enumerate(sizes) if size > 1]
        orders = range(1, len(varying) + 1)
        for term in chain.from_iterable(combinations(varying, order) for order in orders):
            coefficients = np.ones((1, 1))
            for j, size in enumerate(sizes):  # the first variable varies fastest
                mean, differences = np.full((1, size), 1 / size), np.eye(size)[1:] - np.eye(size)[0]
                coefficients = np.kron(differences if j in term else mean, coefficients)
            yield ":".join(self.specs[j] for j in term), coefficients


NOT_ESTIMABLE = (
    "nonEst: rows without numbers are not estimable. The data have no such combination: collinear "
    "columns were dropped, and other choices of columns would give other values."
)


def _blocks(total: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, total, size))
