"""formulaic's parser with R's operators, extended by the bars of mixed models.

formulaic turns tokens into a tree by operator precedence and evaluates it bottom-up on ordered sets
of terms.  `formula_tokens.py` supplies the tokens, this file the table of operators:

    ~  (split off before)     |  ||  one random term each          +  -   union, difference
    *  /  %in%  :  ^  **      R's products; `/` to the right of a bar builds nested groups
    .                         every column that the response does not use

To add an operator: one `Operator` line in `MixedOperators.operators` and its function below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from formulaic.errors import FormulaicError
from formulaic.parser import DefaultOperatorResolver
from formulaic.parser.algos.tokens_to_ast import tokens_to_ast
from formulaic.parser.types import Factor, Operator, OrderedSet, Term, Token

from ..errors import FormulaError
from .expression import Call, Expression, quote_name
from .formula import RandomTerm, Terms
from .formula_tokens import SourceTokens, translate, with_intercepts

__all__ = ["RightSide", "read_right_side"]

MAX_TERMS = 20_000
MAX_VARIABLES = 32

_ONE = Term([Factor("1", eval_method="literal")])
_ZERO = Term([Factor("0", eval_method="literal")])

TermSet: TypeAlias = Any  # an OrderedSet of Terms; formulaic is not typed here


@dataclass(frozen=True, slots=True)
class RightSide:
    """What stands right of the tilde."""

    fixed: Terms
    random: tuple[RandomTerm, ...]
    offsets: tuple[Expression, ...]
    has_dot: bool


class _Bar:
    """A random term among the terms of the fixed part; only `+` and `-` may join it."""

    def __init__(self, columns: TermSet, groups: TermSet, double: bool):
        self.columns, self.groups, self.double = columns, groups, double

    def is_same(self, other: object) -> bool:
        return isinstance(other, _Bar) and (
            (set(self.columns), set(self.groups), self.double)
            == (set(other.columns), set(other.groups), other.double)
        )


class _Problem(Exception):
    """A fault found in the term algebra, at a token where one is to blame."""

    def __init__(self, message: str, terms: Iterable[Any] = ()):
        tokens = [f.token for t in terms for f in getattr(t, "factors", ()) if f.token is not None]
        self.message = message
        self.position = min(
            (t.source_start for t in tokens if t.source_start is not None), default=None
        )


# --- operators ----------------------------------------------------------------------------------


def _add(left: TermSet, right: TermSet) -> TermSet:
    values = left.values  # every node of the tree is used once, so its set may be extended in place
    for term in right:
        if term == _ZERO and len(values) > 0:
            values.pop(_ONE, None)
        else:
            values[term] = None
    return left


def _subtract(left: TermSet, right: TermSet) -> TermSet:
    for term in right:
        if isinstance(term, _Bar):
            _remove_bar(left, term)
        elif term == _ZERO:
            left.values[_ONE] = None
        elif term == _ONE and _ONE not in left:
            left.values[_ZERO] = None  # `1 + (x - 1)`: the outer sum removes its intercept
        else:
            left.values.pop(term, None)
    return left


def _remove_bar(left: TermSet, bar: _Bar) -> None:
    """`(x | g) - (x | g)`, as `update(". ~ . - (x | g)")` writes it."""
    same = [term for term in left if bar.is_same(term)]
    if not same:
        message = "there is no such random term to subtract; write it as it was added"
        raise _Problem(message, [*bar.columns, *bar.groups])
    for term in same:
        del left.values[term]


def _negative(terms: TermSet) -> TermSet:
    _refuse_bars(terms, "a random term cannot be subtracted; leave it out")
    swapped = [_ZERO if t == _ONE else _ONE for t in terms if t in (_ONE, _ZERO)]
    return OrderedSet(swapped)


def _products(left: TermSet, right: TermSet) -> TermSet:
    """Every term left times every term right; `1` is the unit, a variable counts once."""
    _refuse_bars([*left, *right], "a random term can only be added, not multiplied")
    if _ZERO in left or _ZERO in right:
        raise _Problem("0 cannot be part of a product", [*left, *right])
    if len(left) * len(right) > MAX_TERMS:
        raise _Problem(f"this product has more than {MAX_TERMS} terms", [*left, *right])
    return OrderedSet(_times(a, b) for a in left for b in right)


def _times(a: Term, b: Term) -> Term:
    factors = dict.fromkeys(f for f in (*a.factors, *b.factors) if f.expr != "1")
    if len(factors) > MAX_VARIABLES:
        raise _Problem(f"an interaction of more than {MAX_VARIABLES} variables", [a, b])
    return Term(factors) if factors else _ONE


def _cross(left: TermSet, right: TermSet) -> TermSet:
    return OrderedSet([*left, *right, *_products(left, right)])


def _nest(parents: TermSet, nested: TermSet) -> TermSet:
    """`a/b` = `a + a:b`, in R's sense: the product of all the parents with each nested term."""
    common = _ONE
    for parent in parents:
        common = _times(common, parent)
    return OrderedSet([*parents, *_products(OrderedSet([common]), nested)])


def _nest_groups(parents: TermSet, nested: TermSet) -> TermSet:
    """`a/b` right of a bar: the groups `b:a` and `a`, the finest first, named as lme4 does."""
    common = _ONE
    for parent in parents:
        common = _times(common, parent)
    return OrderedSet([*_products(nested, OrderedSet([common])), *parents])


def _power(terms: TermSet, exponent: TermSet) -> TermSet:
    expr = next(iter(exponent)).factors[0].expr if len(exponent) == 1 else ""
    if not expr.isdigit() or int(expr) < 1:
        raise _Problem("the power of a term is a whole number of at least 1", exponent)
    result = OrderedSet(terms)
    for _ in range(min(int(expr), len(terms)) - 1):  # (a + b)^k stops growing at 2 terms
        result = OrderedSet([*result, *_products(result, terms)])
    return result


def _bar(double: bool) -> Callable[[TermSet, TermSet], TermSet]:
    def random_term(columns: TermSet, groups: TermSet) -> TermSet:
        _refuse_bars([*columns, *groups], "a random term cannot stand inside another")
        return OrderedSet([_Bar(columns, groups, double)])

    return random_term


def _refuse_bars(terms: Iterable[Any], message: str) -> None:
    for term in terms:
        if isinstance(term, _Bar):
            raise _Problem(message, [*term.columns, *term.groups])


def _after_bar(context: list[Any]) -> bool:
    return any(isinstance(c, Operator) and c.symbol in ("|", "||") for c in context)


class MixedOperators(DefaultOperatorResolver):  # type: ignore[misc]
    """formulaic's resolver with R's meanings of the operators, and the bars."""

    def __init__(self, columns: tuple[str, ...], dot_position: int):
        super().__init__()
        self.columns = columns
        self.dot_position = dot_position

    def _dot(self) -> TermSet:
        tokens = [
            Token(quote_name(c), kind="name", source_start=self.dot_position) for c in self.columns
        ]
        return OrderedSet(Term([token.to_factor()]) for token in tokens)

    @property
    def operators(self) -> list[Operator]:
        def infix(
            symbol: str, precedence: float, function: Callable[..., Any], **more: Any
        ) -> Operator:
            side = more.pop("associativity", "left")
            return Operator(
                symbol, arity=2, precedence=precedence, associativity=side, to_terms=function,
                structural=True, **more,
            )  # fmt: skip

        def prefix(symbol: str, function: Callable[..., Any]) -> Operator:
            return Operator(
                symbol, arity=1, precedence=100, associativity="right", fixity="prefix",
                to_terms=function, structural=True,
            )  # fmt: skip

        return [
            infix("|", -50, _bar(double=False), associativity=None),
            infix("||", -50, _bar(double=True), associativity=None),
            infix("+", 100, _add),
            infix("-", 100, _subtract),
            prefix("+", lambda terms: terms),
            prefix("-", _negative),
            infix("*", 200, _cross),
            infix("/", 200, _nest_groups, accepts_context=_after_bar),
            infix("/", 200, _nest, accepts_context=lambda context: not _after_bar(context)),
            infix("in", 250, _products),
            infix(":", 300, _products),
            infix("**", 500, _power, associativity="right"),
            infix("^", 500, _power, associativity="right"),
            Operator(
                ".", arity=0, precedence=1000, fixity="postfix", to_terms=self._dot, structural=True
            ),
        ]


# --- the whole right side -----------------------------------------------------------------------


def read_right_side(
    text: str, masked: str, start: int, columns: tuple[str, ...] | None
) -> RightSide:
    """Parse `text[start:]`; `columns` is what `.` stands for (None: not known yet)."""
    source = SourceTokens(text, masked, start, columns)
    terms = _evaluate(source)
    plain = [term for term in terms if not isinstance(term, _Bar)]
    offsets = [term for term in plain if any(_is_offset(v) for v in source.variables(term))]
    fixed = _terms([term for term in plain if term not in offsets], source)
    random: list[RandomTerm] = []
    for term in terms:
        if isinstance(term, _Bar):
            random.extend(_random(term, source))
    return RightSide(
        fixed, tuple(random), tuple(_offset(t, source) for t in offsets), source.has_dot
    )


def _evaluate(source: SourceTokens) -> TermSet:
    text = source.text
    try:
        tree = tokens_to_ast(
            with_intercepts(source.tokens, text),
            MixedOperators(source.columns, source.dot_position),
        )
        terms = tree.to_terms(context={})
    except _Problem as problem:
        raise FormulaError(problem.message, text, problem.position) from None
    except FormulaicError as error:
        raise translate(error, text) from None
    except (IndexError, StopIteration, AttributeError, TypeError):
        raise FormulaError("the operators of this formula do not fit together", text) from None
    return OrderedSet(terms)


def _terms(terms: Iterable[Term], source: SourceTokens) -> Terms:
    """A set of terms in R's order: variables by first appearance, terms by number of variables."""
    products = [term for term in terms if term not in (_ONE, _ZERO)]
    first: dict[str, int] = {}
    for factor in (factor for term in products for factor in term.factors):
        at = (factor.token.source_start or 0) if factor.token is not None else 0
        first[factor.expr] = min(at, first.get(factor.expr, at))
    names = sorted(first, key=first.__getitem__)
    number = {name: k for k, name in enumerate(names)}
    coded = dict.fromkeys(tuple(sorted(number[f.expr] for f in t.factors)) for t in products)
    variables = tuple(source.expressions[name] for name in names)
    for variable in variables:
        if _is_offset(variable):
            _fail("an offset can only be added to the fixed part", source.text, variable.position)
    return Terms(_ONE in set(terms), variables, tuple(sorted(coded, key=len)))


def _is_offset(variable: Expression) -> bool:
    return isinstance(variable.node, Call) and variable.node.function == "offset"


def _offset(term: Term, source: SourceTokens) -> Expression:
    variable = source.variables(term)[0]
    call = variable.node
    if len(term.factors) > 1 or not isinstance(call, Call) or len(call.arguments) != 1:
        _fail("an offset is added on its own, as offset(x)", source.text, variable.position)
    inner = variable.text.removeprefix("offset(").removesuffix(")")
    return Expression(inner, call.arguments[0], variable.position)


def _random(bar: _Bar, source: SourceTokens) -> list[RandomTerm]:
    """The random terms of one bar: one per group, and for `||` one per column term."""
    groups = [source.variables(group) for group in bar.groups]
    tokens = [f.token for g in bar.groups for f in g.factors if f.token is not None]
    at = min((token.source_start or 0 for token in tokens), default=0)
    if not groups or any(len(group) == 0 for group in groups):
        _fail("right of a bar stands a grouping factor: (x | g)", source.text, at)
    columns = _terms(bar.columns, source)
    if not columns.intercept and not columns.terms:
        _fail("nothing varies in this random term; (1 | g) has an intercept", source.text, at)
    parts = _split(columns) if bar.double else [columns]
    return [RandomTerm(part, group, at, bar.double) for part in parts for group in groups]


def _split(columns: Terms) -> list[Terms]:
    """`||`: the intercept and every term apart, as lme4's `(1 | g) + (0 + x | g)`."""
    parts = [Terms(True, (), ())] if columns.intercept else []
    for term in columns.terms:
        variables = tuple(columns.variables[v] for v in term)
        parts.append(Terms(False, variables, (tuple(range(len(variables))),)))
    return parts


def _fail(message: str, text: str, position: int) -> NoReturn:
    raise FormulaError(message, text, position)
