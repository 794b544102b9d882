"""formulaic's parser with R's operators, extended by the bars of mixed models.

formulaic turns tokens into a tree by operator precedence and evaluates it bottom-up on ordered sets of
terms.  This file supplies the tokens (R's names, numbers and calls) and the table of operators:

    ~  (split off before)     |  ||  one random term each          +  -   union, difference
    *  /  %in%  :  ^  **      R's products; `/` to the right of a bar builds nested groups
    .                         every column that the response does not use

To add an operator: one `Operator` line in `MixedOperators.operators` and its function below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from formulaic.errors import FormulaicError
from formulaic.parser import DefaultOperatorResolver
from formulaic.parser.algos.tokenize import tokenize
from formulaic.parser.algos.tokens_to_ast import tokens_to_ast
from formulaic.parser.types import ASTNode, Factor, Operator, OrderedSet, Term, Token

from .errors import FormulaError
from .expression import Call, Expression, column_expression, parse_expression, quote_name
from .formula import RandomTerm, Terms

__all__ = ["RightSide", "read_right_side"]

MAX_TERMS = 20_000
MAX_VARIABLES = 32

_ONE = Term([Factor("1", eval_method="literal")])
_ZERO = Term([Factor("0", eval_method="literal")])

TermSet = OrderedSet


@dataclass(frozen=True, slots=True)
class RightSide:
    """What stands right of the tilde."""

    fixed: Terms
    random: tuple[RandomTerm, ...]
    offsets: tuple[Expression, ...]
    has_dot: bool


class _Bar:
    """A random term among the terms of the fixed part; only `+` may join it."""

    def __init__(self, columns: TermSet, groups: TermSet, double: bool):
        self.columns, self.groups, self.double = columns, groups, double


class _Problem(Exception):
    """A fault found in the term algebra, at a token where one is to blame."""

    def __init__(self, message: str, terms: Iterable[Any] = ()):
        tokens = [f.token for t in terms for f in getattr(t, "factors", ()) if f.token is not None]
        self.message = message
        self.position = min((t.source_start for t in tokens if t.source_start is not None), default=None)


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
    _refuse_bars(right, "a random term cannot be subtracted; leave it out")
    for term in right:
        if term == _ZERO:
            left.values[_ONE] = None
        elif term == _ONE and _ONE not in left:
            left.values[_ZERO] = None  # `1 + (x - 1)`: the outer sum removes its intercept
        else:
            left.values.pop(term, None)
    return left


def _negative(terms: TermSet) -> TermSet:
    _refuse_bars(terms, "a random term cannot be subtracted; leave it out")
    swapped = [_ZERO if t == _ONE else _ONE for t in terms if t in (_ONE, _ZERO)]
    return OrderedSet(swapped)


def _products(left: TermSet, right: TermSet) -> TermSet:
    """Every term on the left times every term on the right; `1` is the unit, a variable counts once."""
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
    for _ in range(min(int(expr), len(terms)) - 1):  # (a + b)^k stops growing at k = 2
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


class MixedOperators(DefaultOperatorResolver):
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
        def infix(symbol: str, precedence: float, function: Callable[..., Any], **more: Any) -> Operator:
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


# --- tokens -------------------------------------------------------------------------------------

_ADDITIVE = frozenset("+-")


class _Tokens:
    """formulaic's tokens of the right side with R's spelling, and the expressions among them."""

    def __init__(self, text: str, masked: str, start: int, columns: tuple[str, ...] | None):
        self.text = text
        self.expressions: dict[str, Expression] = {}
        try:
            raw = list(tokenize(" " * start + masked[start:]))
        except FormulaicError as error:
            raise _translate(error, text) from None
        self.tokens = [self._spell(token) for token in raw if token.token.strip()]
        if not self.tokens:
            _fail("nothing stands right of '~'; 'y ~ 1' has an intercept alone", text, len(text))
        for before, token in zip([None, *self.tokens], self.tokens, strict=False):
            if token.kind is Token.Kind.VALUE:
                _check_value(token, before, text)
        dots = [token.source_start or 0 for token in self.tokens if token.token == "."]
        self.has_dot, self.dot_position = bool(dots), min(dots, default=0)
        self.columns = (".",) if columns is None else columns
        if self.has_dot:
            for name in self.columns:
                self._keep(column_expression(name, self.dot_position))

    def _keep(self, expression: Expression) -> str:
        self.expressions.setdefault(expression.text, expression)
        return expression.text

    def variables(self, term: Term) -> tuple[Expression, ...]:
        """The expressions of a term; the literals 0 and 1 have none."""
        return tuple(self.expressions[f.expr] for f in term.factors if f.expr in self.expressions)

    def _spell(self, token: Token) -> Token:
        start, stop = token.source_start or 0, (token.source_end or 0) + 1
        raw = self.text[start:stop]
        if token.token == ".":
            token.kind = Token.Kind.OPERATOR
        elif token.kind is Token.Kind.PYTHON:
            braced = raw.startswith("{")
            inner = parse_expression(raw[1:] if braced else raw, start + braced, self.text)
            token.token = self._keep(_identity(inner) if braced else inner)
        elif token.kind is Token.Kind.NAME:
            if not raw.startswith("`") and (raw[0].isdigit() or re.match(r"\.+\d", raw)):
                _fail(f"'{raw}' is neither a name nor a number", self.text, start)
            name = raw[1:] if raw.startswith("`") else raw
            token.token = self._keep(column_expression(name, start))
        elif token.token in ("[", "]"):
            _fail("square brackets mean nothing here", self.text, start)
        return token


def _identity(inner: Expression) -> Expression:
    """`{x + 1}`, formulaic's spelling of R's `I(x + 1)`."""
    text = f"I({inner.text})"
    return Expression(text, Call("I", (inner.node,), (), inner.position, text), inner.position)


def _check_value(token: Token, before: Token | None, text: str) -> None:
    at = token.source_start or 0
    if token.token[0] in "\"'":
        _fail("a string is not a term; names with odd characters go in backticks", text, at)
    power = before is not None and before.token in ("^", "**")
    if token.token not in ("0", "1") and not (power and token.token.isdigit()):
        _fail(
            f"the number {token.token} is not a term; only 0 and 1 (no intercept, intercept) are. "
            "Arithmetic goes in I(), as in I(2 * x)",
            text,
            at,
        )


def _with_intercepts(tokens: list[Token], text: str) -> list[Token]:
    """R's implied intercepts written out: at the start, and left of every bar."""
    starts = {0}
    opened: list[int] = []
    barred: set[int] = set()
    for k, token in enumerate(tokens):
        if token.kind is Token.Kind.CONTEXT:
            opened.append(k) if token.token == "(" else opened.pop()
        elif token.kind is Token.Kind.OPERATOR and "|" in token.token:
            at = token.source_start or 0
            if not opened:
                _fail("put parentheses around a random term: (x | g)", text, at)
            if opened[-1] in barred:
                _fail("a random term has one bar; this is a second", text, at)
            barred.add(opened[-1])
            starts.add(opened[-1] + 1)
    out: list[Token] = []
    for k, token in enumerate(tokens):
        if k in starts:
            out.append(Token("1", kind="value"))
            if token.kind is not Token.Kind.OPERATOR or token.token[0] not in _ADDITIVE:
                out.append(Token("+", kind="operator"))
        out.append(token)
    return out


# --- the whole right side -----------------------------------------------------------------------


def read_right_side(
    text: str, masked: str, start: int, columns: tuple[str, ...] | None
) -> RightSide:
    """Parse `text[start:]`; `columns` is what `.` stands for (None: not known yet)."""
    source = _Tokens(text, masked, start, columns)
    terms = _evaluate(source)
    plain = [term for term in terms if not isinstance(term, _Bar)]
    offsets = [term for term in plain if any(_is_offset(v) for v in source.variables(term))]
    fixed = _terms([term for term in plain if term not in offsets], source)
    random: list[RandomTerm] = []
    for term in terms:
        if isinstance(term, _Bar):
            random.extend(_random(term, source))
    return RightSide(fixed, tuple(random), tuple(_offset(t, source) for t in offsets), source.has_dot)


def _evaluate(source: _Tokens) -> TermSet:
    text = source.text
    try:
        tree = tokens_to_ast(
            _with_intercepts(source.tokens, text),
            MixedOperators(source.columns, source.dot_position),
        )
        terms = tree.to_terms(context={})
    except _Problem as problem:
        raise FormulaError(problem.message, text, problem.position) from None
    except FormulaicError as error:
        raise _translate(error, text) from None
    except (IndexError, StopIteration, AttributeError, TypeError):
        raise FormulaError("the operators of this formula do not fit together", text) from None
    return OrderedSet(terms)


def _translate(error: FormulaicError, text: str) -> FormulaError:
    """formulaic marks the place by `⧛…⧚` in the text that was given to it."""
    message, _, context = str(error).partition("\n\n")
    at = re.sub(r"\x1b\[[\d;]*m", "", context).find("⧛")
    if "insuffient" in message or "incorrectly used" in message:
        message = "something is missing beside this operator"
    elif message.startswith("Missing operator"):
        message = "an operator is missing" + message.removeprefix("Missing operator").split(". ")[0]
    return FormulaError(message, text, at if at >= 0 else len(text))


def _terms(terms: Iterable[Term], source: _Tokens) -> Terms:
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


def _offset(term: Term, source: _Tokens) -> Expression:
    variable = source.variables(term)[0]
    call = variable.node
    if len(term.factors) > 1 or not isinstance(call, Call) or len(call.arguments) != 1:
        _fail("an offset is added on its own, as offset(x)", source.text, variable.position)
    inner = variable.text.removeprefix("offset(").removesuffix(")")
    return Expression(inner, call.arguments[0], variable.position)


def _random(bar: _Bar, source: _Tokens) -> list[RandomTerm]:
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
