"""A formula string → `Formula`: response, fixed part, random terms, offsets.

    Reaction ~ Days + offset(o) + (Days | Subject) + (1 | school/class)
    response   fixed  offsets     random: columns | grouping factors

The fixed part and both sides of every bar are read by formulaic's parser, whose table of operators
`formula_operators.py` rewrites with R's meanings and extends by `|` and `||`.  Function calls are
read by `expression.py`.  Nothing is evaluated here and no data are seen, so parsed formulas are
cached.

R's rules kept here (`?formula`, `?terms.formula`; Bates et al. 2015, §2.2): the variables of a term
stand in the order in which they first appear in the formula, terms are sorted by their number of
variables, `(x || g)` is `(1 | g) + (0 + x | g)`, `(1 | a/b)` is `(1 | b:a) + (1 | a)`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from ..errors import FormulaError
from .expression import Expression, Name, parse_expression

__all__ = ["Formula", "RandomTerm", "Terms", "parse"]


@dataclass(frozen=True, slots=True)
class Terms:
    """One side of a formula after its algebra: an intercept or not, and products of variables.

    `terms` holds, for each term, ascending positions in `variables`; terms are in R's order.
    """

    intercept: bool
    variables: tuple[Expression, ...]
    terms: tuple[tuple[int, ...], ...]

    def labels(self) -> tuple[str, ...]:
        """The terms as R prints them, without the intercept.

        >>> parse("y ~ b * a").fixed.labels()
        ('b', 'a', 'b:a')
        """
        return tuple(":".join(self.variables[v].text for v in term) for term in self.terms)

    @property
    def text(self) -> str:
        labels = self.labels()
        if self.intercept:
            return " + ".join(("1", *labels))
        return " + ".join(("0", *labels))


@dataclass(frozen=True, slots=True)
class RandomTerm:
    """`(columns | group)`: the columns vary by the levels of the (combined) grouping factors."""

    columns: Terms
    group: tuple[Expression, ...]
    position: int = field(compare=False)
    from_double_bar: bool = field(default=False, compare=False)

    @property
    def group_name(self) -> str:
        """lme4's name: `Subject`, `cask:batch`."""
        if len(self.group) == 1:
            node = self.group[0].node
            return node.name if isinstance(node, Name) else self.group[0].text
        return ":".join(variable.text for variable in self.group)

    @property
    def text(self) -> str:
        return f"({self.columns.text} | {self.group_name})"


@dataclass(frozen=True, slots=True)
class Formula:
    """A parsed formula.  `text` is the formula as given."""

    text: str
    response: Expression | None
    fixed: Terms
    random: tuple[RandomTerm, ...]
    offsets: tuple[Expression, ...]
    has_dot: bool = False
    columns: tuple[str, ...] | None = None  # of the table, where `.` stood for them

    def expand(self, columns: tuple[str, ...]) -> Formula:
        """The formula with `.` replaced by the columns that the response does not use (R's rule).

        As in R a grouping column is among them: write `y ~ . - g + (1 | g)`.

        >>> parse("y ~ .").expand(("y", "a", "b")).fixed.labels()
        ('a', 'b')
        """
        return _parse(self.text, columns) if self.has_dot else self

    def __str__(self) -> str:
        return self.text


def parse(formula: str) -> Formula:
    """Read a model formula in lme4's language.

    Raises `FormulaError`, with a caret at the place, for what is not understood.  Source of the
    language: Bates, Mächler, Bolker, Walker (2015), "Fitting Linear Mixed-Effects Models Using
    lme4", J. Stat. Softw. 67(1), table 2.

    >>> parsed = parse("Reaction ~ Days + (Days || Subject)")
    >>> parsed.fixed.labels(), [term.text for term in parsed.random]
    (('Days',), ['(1 | Subject)', '(0 + Days | Subject)'])
    """
    if not isinstance(formula, str):
        kind = type(formula).__name__
        raise FormulaError(f"a formula is a string such as 'y ~ x + (1 | g)'; this is a {kind}")
    return _parse(formula, None)


@lru_cache(maxsize=256)
def _parse(text: str, columns: tuple[str, ...] | None) -> Formula:
    from .formula_scan import scan

    sides = scan(text)
    response = None
    if sides.tilde > 0 and text[: sides.tilde].strip():
        response = parse_expression(text[: sides.tilde], 0, text)
    used = response.names() if response is not None else ()
    others = None if columns is None else tuple(c for c in columns if c not in used)
    from .formula_operators import read_right_side

    right = read_right_side(text, sides.masked, sides.tilde + 1, others)
    if response is not None and response.text in right.fixed.labels():
        at = next(v.position for v in right.fixed.variables if v.text == response.text)
        raise FormulaError("the response also stands on the right; remove it there", text, at)
    return Formula(
        text=text,
        response=response,
        fixed=right.fixed,
        random=right.random,
        offsets=right.offsets,
        has_dot=right.has_dot,
        columns=columns if right.has_dot else None,
    )
