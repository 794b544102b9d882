"""Tables of studies that are planned: from a recipe (levels, groups), or by extending given rows.

Both know how to make their table again with other numbers of groups, which is what a power curve
varies. To add a way of making tables: a class with `table()` and `resized(groups, per_group)`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..errors import ArgumentError, closest

__all__ = ["Recipe", "Rows", "as_dict", "check_counts"]

Positions = NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Recipe:
    """Every combination of the predictors' values in every combination of the groups.

    `groups` maps "patient" to a number of groups, "clinic/patient" to one within each clinic; keys
    without a common path are crossed. `between` maps a predictor to the group between whose levels
    it varies: they take its values in turn.
    """

    predictors: Mapping[str, list[Any]]
    groups: Mapping[str, int]
    between: Mapping[str, str]
    per_group: int = 1

    @classmethod
    def of(
        cls,
        predictors: Mapping[str, Any],
        groups: Mapping[str, int] | None,
        between: Mapping[str, str] | None,
        per_group: int,
    ) -> Recipe:
        """The same from what a caller gave, checked."""
        groups = as_dict(groups, "groups", "{'patient': 40}")
        between = as_dict(between, "between", "{'treatment': 'patient'}")
        check_counts({**groups, "per_group": per_group})
        values = {str(name): _values(str(name), given) for name, given in predictors.items()}
        names = [key.split("/")[-1] for key in groups]
        for key in groups:
            _check_path(key, names, values)
        for name, group in between.items():
            if name not in values:
                raise ArgumentError(
                    f"between names '{name}', which is not a predictor{closest(name, list(values))}"
                )
            if group.split("/")[-1] not in names:
                raise ArgumentError(
                    f"between={{'{name}': '{group}'}}: '{group}' is not one of the groups "
                    f"({', '.join(groups) or 'none'})"
                )
        return cls(values, groups, between, int(per_group))

    def resized(self, groups: Mapping[str, int], per_group: int | None) -> Recipe:
        """With other numbers of some groups, and of rows a combination."""
        for key in groups:
            if key not in self.groups:
                raise ArgumentError(
                    f"'{key}' is not one of the design's groups{closest(key, list(self.groups))} "
                    f"(it has: {', '.join(self.groups) or 'none'})"
                )
        return replace(
            self, groups={**self.groups, **groups}, per_group=per_group or self.per_group
        )

    def table(self) -> pd.DataFrame:
        """One row an observation: the groups' running numbers from 1, then the predictors."""
        units = self._units()
        for group in dict.fromkeys(self.between.values()):
            codes = units[group.split("/")[-1]].to_numpy()
            for name, values in self.predictors.items():
                if self.between.get(name) == group:
                    units[name] = _column(values, codes % len(values))
                    codes = codes // len(values)
        for name in self._group_names:
            units[name] += 1
        within = {n: v for n, v in self.predictors.items() if n not in self.between}
        cells = np.array(list(product(*(range(len(v)) for v in within.values()))), dtype=np.intp)
        row = np.arange(len(units)).repeat(len(cells) * self.per_group)
        cell = np.tile(np.arange(len(cells)).repeat(self.per_group), len(units))
        frame = units.iloc[row].reset_index(drop=True)
        for j, (name, values) in enumerate(within.items()):
            frame[name] = _column(values, cells[cell, j])
        return frame[[*self._group_names, *self.predictors]]

    @property
    def _group_names(self) -> list[str]:
        return [key.split("/")[-1] for key in self.groups]

    def _units(self) -> pd.DataFrame:
        """Every combination of the groups, numbered from 0; nested ones across their parents."""
        units = pd.DataFrame(index=pd.RangeIndex(1))
        for key, count in self.groups.items():
            *parents, name = key.split("/")
            at, own = np.divmod(np.arange(len(units) * count), count)
            units = units.iloc[at].reset_index(drop=True)
            units[name] = own + (count * units[parents[-1]] if parents else 0)
        return units


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows as they are, or with more or fewer levels of a grouping column.

    New groups take the rows of the old ones in turn, fewer are taken evenly; either way factors
    that differ between groups keep their shares. `counts` are the numbers of levels asked for.
    """

    rows: pd.DataFrame
    group_columns: tuple[str, ...]
    counts: Mapping[str, int]
    per_group: int = 1

    def resized(self, groups: Mapping[str, int], per_group: int | None) -> Rows:
        """With other numbers of some groups, and of copies of every row."""
        for key in groups:
            if key not in self.group_columns:
                raise ArgumentError(
                    f"'{key}' is not a grouping column of the design"
                    f"{closest(key, list(self.group_columns))} (it has: "
                    f"{', '.join(self.group_columns) or 'none'})"
                )
        return replace(
            self, counts={**self.counts, **groups}, per_group=per_group or self.per_group
        )

    def table(self) -> pd.DataFrame:
        """The rows, group by group where their number was changed."""
        frame = self.rows
        for name, count in self.counts.items():
            frame = self._with_levels(frame, name, count)
        return frame.iloc[np.arange(len(frame)).repeat(self.per_group)].reset_index(drop=True)

    def _with_levels(self, frame: pd.DataFrame, name: str, count: int) -> pd.DataFrame:
        codes = pd.factorize(frame[name], sort=True)[0]
        chosen = _in_turn(
            _sorted_by_factors(frame.drop(columns=[*self.group_columns]), codes), count
        )
        rows = [np.flatnonzero(codes == level) for level in chosen]
        label = np.arange(count).repeat([len(r) for r in rows])
        extended = frame.iloc[np.concatenate(rows)].reset_index(drop=True)
        for other in self.group_columns:
            if other != name and _is_nested(frame[other], codes):
                pairs = pd.MultiIndex.from_arrays([label, extended[other]])
                extended[other] = pd.factorize(pairs)[0] + 1
        extended[name] = label + 1
        return extended


def as_dict(given: Any, argument: str, example: str) -> dict[Any, Any]:
    """A mapping as a dict, nothing as an empty one; refuses anything else."""
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentError(f"{argument} is {given!r}; expected a dict, as {example}")
    return dict(given or {})


def check_counts(counts: Mapping[str, Any]) -> None:
    """Refuse numbers of groups or rows that are not whole numbers of at least 1."""
    for name, count in counts.items():
        if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
            plain = count.item() if isinstance(count, np.generic) else count
            raise ArgumentError(f"{name} is {plain!r}; expected a whole number of at least 1")


def _check_path(key: str, names: list[str], predictors: Mapping[str, Any]) -> None:
    *parents, name = key.split("/")
    if names.count(name) > 1 or name in predictors:
        raise ArgumentError(f"'{name}' is given twice, among the groups or the predictors")
    for parent in parents:
        if parent not in names[: names.index(name)]:
            raise ArgumentError(
                f"groups has '{key}' before '{parent}': give the number of each, the outer one "
                f"first, as {{'{parent}': 10, '{key}': 5}}"
            )


def _values(name: str, given: Any) -> list[Any]:
    values = [] if isinstance(given, str) or not isinstance(given, Iterable) else list(given)
    if not values:
        raise ArgumentError(f"predictor '{name}' is {given!r}; expected a list of its values")
    return values


def _column(values: list[Any], codes: Positions) -> Any:
    """The values at these codes: text as categories in the order given, the first one the base."""
    if all(isinstance(value, str) for value in values):
        levels = list(dict.fromkeys(values))
        return pd.Categorical([values[code] for code in codes], categories=levels)
    return np.asarray(values)[codes]


def _sorted_by_factors(frame: pd.DataFrame, codes: Positions) -> Positions:
    """The groups with those alike in the factors that differ between groups side by side."""
    order = np.arange(codes.max() + 1)
    for name in frame.columns[::-1]:
        if pd.api.types.is_numeric_dtype(frame[name]) and frame[name].dtype != bool:
            continue
        levels = pd.factorize(frame[name], sort=True)[0]
        first = pd.Series(levels).groupby(codes).first().to_numpy()
        if (levels == first[codes]).all():
            order = order[np.argsort(first[order], kind="stable")]
    return order


def _in_turn(groups: Positions, count: int) -> Positions:
    """`count` of the groups: all of them as often as they go in, the rest evenly spread."""
    whole, rest = divmod(count, len(groups))
    spread = ((np.arange(rest) + 0.5) * len(groups) / max(rest, 1)).astype(np.intp)
    return np.concatenate([np.tile(groups, whole), groups[spread]])


def _is_nested(labels: pd.Series[Any], codes: Positions) -> bool:
    """Whether each label occurs in one of the groups only."""
    return bool(pd.Series(codes).groupby(labels.to_numpy()).nunique().max() == 1)
