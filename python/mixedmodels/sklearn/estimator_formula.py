"""The formula of a scikit-learn estimator: which column is the response, which ones the fixed part,
and where the values of the grouping factors come from.

An estimator is given X and y apart, and perhaps groups; a model wants one table. The response and
the groups get names that no column of X has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import ArgumentError, DataError
from ..formulas.expression import Name, quote_name
from ..formulas.formula import Formula, RandomTerm, parse
from ..formulas.formula_scan import scan

__all__ = ["EstimatorFormula", "estimator_formula"]


@dataclass(frozen=True, slots=True)
class EstimatorFormula:
    """A formula over the columns of X, the response and, where given, the groups."""

    parsed: Formula
    response: str
    group: str | None  # the grouping factor whose values come as groups=

    @property
    def text(self) -> str:
        return self.parsed.text

    @property
    def without_groups(self) -> str:
        """The `re_form` with all random effects but those by the groups.

        >>> estimator_formula(None, "(1 | g) + (1 | h)", ["x", "g"], has_groups=True).without_groups
        '~ (1 | g)'
        """
        terms = self.parsed.random
        kept = [term.text for term in terms if self.group not in _names(term)]
        return f"~ {' + '.join(kept)}" if kept else "NA"


def estimator_formula(
    formula: str | None, random: str | None, columns: Sequence[str], has_groups: bool
) -> EstimatorFormula:
    """The formula that an estimator's parameters and data mean.

    `formula` is a whole one, whose response (if it names one) is a name for y; `random` is a random
    part, all other columns being the fixed part; with neither, all columns are, with an intercept
    for each of the groups where groups are given.

    Raises `ArgumentError` for parameters that contradict each other or the data, `DataError` for a
    grouping factor that is nowhere, `FormulaError` for what is not understood.

    >>> estimator_formula(None, "1 + x | g", ["x", "z", "g"], has_groups=False).text
    'y ~ x + z + (1 + x | g)'
    """
    for name, value in (("formula", formula), ("random", random)):
        if not (value is None or isinstance(value, str)):
            raise ArgumentError(f"{name} is {value!r}; expected text such as '1 + x | g', or None")
    if formula is not None and random is not None:
        raise ArgumentError("both formula and random are given; a formula has its random part")
    if formula is not None:
        text, response = _with_response(formula, columns)
    else:
        response = _free_name("y", columns)
        text = _text(response, random, columns, has_groups)
    parsed = parse(text)
    return EstimatorFormula(parsed, response, _group(parsed, columns, has_groups))


def _with_response(formula: str, columns: Sequence[str]) -> tuple[str, str]:
    """A formula with a response, and the response's name."""
    text = formula if "~" in formula else f"~ {formula}"
    response = parse(text).response
    if response is None:
        name = _free_name("y", columns)
        return f"{quote_name(name)} ~ {text[scan(text).tilde + 1 :].strip()}", name
    if not isinstance(response.node, Name):
        raise ArgumentError(
            f"the response of the formula is '{response.text}'; an estimator is given y, so "
            "expected a plain name for it. To transform y use "
            "sklearn.compose.TransformedTargetRegressor"
        )
    return text, response.node.name


def _text(response: str, random: str | None, columns: Sequence[str], has_groups: bool) -> str:
    if random is None:
        group = _free_name("groups", columns)
        random = f"1 | {quote_name(group)}" if has_groups else ""
    part = f"({random})" if _has_open_bar(random) else random
    used = _grouping_names(_only_random(part)) if part else []
    fixed = [quote_name(column) for column in columns if column not in used]
    return f"{quote_name(response)} ~ {' + '.join([*(fixed or ['1']), *([part] if part else [])])}"


def _has_open_bar(random: str) -> bool:
    """Whether a bar stands outside of brackets, as in "1 + x | g"."""
    depth = 0
    for char in scan(f"~ {random}").masked if random else "":
        depth += (char in "([{") - (char in ")]}")
        if char == "|" and depth == 0:
            return True
    return False


def _only_random(part: str) -> Formula:
    parsed = parse(f"y ~ 1 + {part}")
    if parsed.fixed.terms or not parsed.random:
        raise ArgumentError(
            f"random is {part!r}; expected random effects only, as '1 + x | g' or '(1 | a) + "
            "(1 | b)': the other columns of X are the fixed part"
        )
    return parsed


def _grouping_names(parsed: Formula) -> list[str]:
    return list(dict.fromkeys(name for term in parsed.random for name in _names(term)))


def _names(term: RandomTerm) -> list[str]:
    """The columns that a term's grouping factors are made of."""
    return [name for part in term.group for name in part.names()]


def _group(parsed: Formula, columns: Sequence[str], has_groups: bool) -> str | None:
    """The grouping factor that is not among the columns."""
    absent = [name for name in _grouping_names(parsed) if name not in columns]
    if len(absent) > has_groups:
        raise DataError(
            f"the grouping factor '{absent[-1]}' is not a column of X, and "
            + ("groups= gives one factor only" if has_groups else "no groups= are given")
            + ": add it to X, or pass its values as fit(X, y, groups=...)"
        )
    if has_groups and not absent:
        raise ArgumentError(
            "groups= are given, but the formula has no grouping factor outside of X for them: "
            "name one, as in random='1 | groups', or leave groups= out"
        )
    return absent[0] if absent else None


def _free_name(name: str, columns: Sequence[str]) -> str:
    while name in columns:
        name += "_"
    return name
