"""The response: what the formula gives → y, sizes and weights, checked for the family.

| response                        | y            | sizes                    | weights  |
| ------------------------------- | ------------ | ------------------------ | -------- |
| binomial, cbind(s, f)           | s/(s + f)    | s + f                    | as given |
| binomial, proportions and 0/1   | as they are  | as given (as R's weights) | none     |
| binomial, two levels            | second level | as given                 | none     |
| other families, linear models   | as they are  | none                     | as given |

The likelihood of counts is defined for whole numbers only, so that fractions are errors here where
R warns; proportions may be rounded to three decimals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import pandas as pd

from ..errors import DataError, FormulaError
from ..formulas.expression import Call, Expression
from ..formulas.transforms import Matrix
from ..formulas.values import is_labelled
from ..input_tables.factors import Factor, show

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from ..families import Family
    from ..formulas.evaluate import Evaluator
    from ..formulas.formula import Formula

    Array = NDArray[np.float64]
    Mask = NDArray[np.bool_]

__all__ = ["Response", "ResponseReader", "evaluate_response"]

ROUNDING = 1e-6  # of a whole number that was computed
DECIMALS = 5e-4  # of a proportion written with three decimals

POSITIVE = ("gamma", "inverse_gaussian")


@dataclass(frozen=True, slots=True)
class Response:
    """What the kernel takes, over all rows of the table."""

    y: Array  # (n_table,); proportions for the binomial
    sizes: Array | None  # (n_table,) the binomial's numbers of trials
    weights: Array | None  # (n_table,) what the rows' log-likelihoods are multiplied by


def evaluate_response(
    formula: Formula, evaluator: Evaluator, family: Family | None
) -> dict[str, Matrix | Factor]:
    """The response by its name; `cbind(s, f)` has a column for each argument, and that of a
    generalised model may be a factor."""
    if formula.response is None:
        raise FormulaError(
            "the formula has no response; expected 'y ~ ...' with the response left of '~'",
            formula.text,
            0,
        )
    response, node = formula.response, formula.response.node
    if isinstance(node, Call) and node.function == "cbind":
        parts = [Expression(response.text, a, node.position) for a in node.arguments]
        columns = tuple(evaluator.numbers(part, "response") for part in parts)
        return {response.text: Matrix(columns, tuple(str(j + 1) for j in range(len(columns))))}
    if family is not None:
        value = evaluator.variable(response)
        if isinstance(value, Factor) and is_labelled(value):
            return {response.text: value}
    return {response.text: Matrix((evaluator.numbers(response, "response"),), ("",))}


@dataclass(frozen=True, slots=True)
class ResponseReader:
    """Reads the response of one formula for a family (None: a linear model).

    `index` are the labels of the table's rows, `rows` the positions of those that count (None:
    all).
    """

    name: str
    family: Family | None
    index: pd.Index[Any]
    rows: NDArray[np.uint32] | None

    def read(self, given: Matrix | Factor, weights: Array | None) -> Response:
        """y, sizes and weights; raises `DataError` for what the family cannot have."""
        columns = (self._second_level(given),) if isinstance(given, Factor) else given.columns
        if self.family is None or self.family.name != "binomial":
            self._require_one(columns)
            return Response(columns[0], None, weights)
        if len(columns) == 1:
            return Response(columns[0], weights, None)
        return self._proportions(columns, weights)

    def check(self, response: Response) -> None:
        """Refuse values outside of the family's range, and responses without a maximum of the
        likelihood."""
        self.check_range(response)
        if self.family is not None:
            self._check_varies(self._kept(response.y), self.family)

    def check_range(self, response: Response) -> None:
        """Refuse values outside of the family's range."""
        family, y = self.family, self._kept(response.y)
        if family is None:
            return
        if family.name == "binomial":
            self._check_proportions(y, self._sizes(response))
        elif family.is_discrete:
            self._check_counts(y, "counts")
        elif family.name in POSITIVE:
            self._refuse(y <= 0, y, f"the {family.words} family has positive values only")
        elif family.name == "beta":
            self._check_open(y)

    # --- Reading ---

    def _second_level(self, factor: Factor) -> Array:
        """1 for the second level, 0 for the first, NaN where missing."""
        if self.family is None or self.family.name != "binomial":
            raise DataError(
                f"the response '{self.name}' is categorical; {self._what()} expects numbers"
            )
        used = factor if len(factor.levels) == 2 else factor.drop_unused(self.rows)
        labels = used.labels()
        if len(labels) > 2:
            listed = ", ".join(labels[:6]) + (", ..." if len(labels) > 6 else "")
            raise DataError(
                f"the response '{self.name}' has {len(labels)} levels ({listed}); a binomial model "
                "has two, of which the second counts as success. Compare one with the others, as "
                f"({self.name} == '{labels[-1]}')"
            )
        if len(labels) < 2:
            raise DataError(f"the response '{self.name}' is '{labels[0]}' in every row used")
        return np.array([0.0, 1.0, np.nan])[used.codes]

    def _require_one(self, columns: tuple[Array, ...]) -> None:
        if len(columns) != 1:
            raise DataError(
                f"the response '{self.name}' has several columns; {self._what()} has one. "
                "cbind(successes, failures) belongs to a binomial model"
            )

    def _what(self) -> str:
        return "a linear model" if self.family is None else f"the {self.family.words} family"

    def _proportions(self, columns: tuple[Array, ...], weights: Array | None) -> Response:
        if len(columns) != 2:
            raise DataError(
                f"the response '{self.name}' has {len(columns)} columns; expected two, "
                "cbind(successes, failures)"
            )
        for values, what in zip(columns, ("successes", "failures"), strict=True):
            self._check_counts(self._kept(values), what)
        successes, failures = columns
        sizes = successes + failures
        y = np.divide(successes, sizes, out=np.zeros_like(sizes), where=sizes != 0)
        return Response(y, sizes, weights)

    def _sizes(self, response: Response) -> Array | None:
        return None if response.sizes is None else self._kept(response.sizes)

    def _kept(self, values: Array) -> Array:
        return values if self.rows is None else values[self.rows]

    # --- Checks, of the rows that count ---

    def _check_counts(self, counts: Array, what: str) -> None:
        note = "" if what == "counts" else f" as {what} (more successes than trials?)"
        self._refuse(counts < 0, counts, f"expected numbers of at least 0{note}")
        apart = np.abs(counts - np.rint(counts)) > ROUNDING * np.maximum(1.0, counts)
        self._refuse(
            apart,
            counts,
            f"expected whole numbers as {what}. For rates give the counts, with the logarithm of "
            "the exposure as offset",
        )

    def _check_proportions(self, y: Array, sizes: Array | None) -> None:
        self._refuse(
            (y < 0) | (y > 1),
            y,
            "expected 0 or 1, proportions between them, or cbind(successes, failures)",
        )
        if sizes is None:
            self._refuse(
                (y != 0) & (y != 1),
                y,
                "a proportion needs its number of trials: give them as weights=, or the response "
                "as cbind(successes, failures); for proportions of no trials use family='beta'",
            )
            return
        successes = y * sizes
        apart = np.abs(successes - np.rint(successes)) > ROUNDING + DECIMALS * sizes
        self._refuse(
            apart,
            successes,
            "expected whole numbers of successes, the response times its weight. weights= are the "
            "numbers of trials here; with other weights give the response as cbind(successes, "
            "failures)",
        )

    def _check_open(self, y: Array) -> None:
        self._refuse(
            (y <= 0) | (y >= 1),
            y,
            "the beta family has values between 0 and 1 only, both excluded. Usual ways out: "
            "counts as cbind(successes, failures) of a binomial model, or (y (n − 1) + 0.5)/n",
        )

    def _check_varies(self, y: Array, family: Family) -> None:
        """Where all rows are the same the estimates run to infinity, or σ to zero."""
        value = float(y[0])
        at_end = value == 0 or (value == 1 and family.name == "binomial")
        if len(y) < 2 or (y != value).any() or (family.is_discrete and not at_end):
            return
        why = "the likelihood has no maximum" if family.is_discrete else "nothing varies"
        raise DataError(f"the response '{self.name}' is {value:g} in every row used: {why}")

    def _refuse(self, bad: Mask, values: Array, expected: str) -> None:
        if bad.any():
            self._fail(int(np.argmax(bad)), int(bad.sum()), values, expected)

    def _fail(self, at: int, count: int, values: Array, expected: str) -> NoReturn:
        row = self.index[at if self.rows is None else int(self.rows[at])]
        more = f" ({count} such rows in all)" if count > 1 else ""
        raise DataError(
            f"the response '{self.name}' is {values[at]:.6g} in row {show(row)}{more}; {expected}"
        )
