"""The formula language: R's algebra, lme4's bars, names as R prints them, and what is refused."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time

import pytest

from mixedmodels.errors import FormulaError, MixedModelsError
from mixedmodels.formulas.expression import parse_expression
from mixedmodels.formulas.formula import parse

# Right side → the terms R's terms.formula gives, with "1" or "0" for the intercept.
FIXED = {
    "x": "1 + x",
    "1": "1",
    "0 + f": "0 + f",
    "f + 0": "0 + f",
    "f - 1": "0 + f",
    "-1 + f": "0 + f",
    "f - 1 + 1": "1 + f",
    "x + -1": "0 + x",
    "(x - 1)": "0 + x",
    "0 + x + 1": "1 + x",
    "-0": "1",
    "b * a": "1 + b + a + b:a",
    "a:b + b + a": "1 + b + a + a:b",
    "a * b * c": "1 + a + b + c + a:b + a:c + b:c + a:b:c",
    "(a + b + c)^2": "1 + a + b + c + a:b + a:c + b:c",
    "(a + b)**2 - a:b": "1 + a + b",
    "(a + b)^9": "1 + a + b + a:b",
    "a / b": "1 + a + a:b",
    "a / (b + c)": "1 + a + a:b + a:c",
    "(a + b) / c": "1 + a + b + a:b:c",
    "b %in% a": "1 + b:a",
    "a:b:a": "1 + a:b",
    "x:1 + 1:z": "1 + x + z",
    "a * b - a": "1 + b + a:b",
    "meanses * cses + sector * cses": "1 + meanses + cses + sector + meanses:cses + cses:sector",
    "a + a + a": "1 + a",
    "`my var` * IQ.ver.cen": "1 + `my var` + IQ.ver.cen + `my var`:IQ.ver.cen",
    "log (x)": "1 + log(x)",
    "I( x ^2 )+I(x**2)": "1 + I(x^2)",
    "{x+1} + I(x + 1)": "1 + I(x + 1)",
    "I(age-11)": "1 + I(age - 11)",
    "poly(Days,2)": "1 + poly(Days, 2)",
    "np.log(x)": "1 + np.log(x)",
    "C(f,contr.sum)": "1 + C(f, contr.sum)",
    'I(g=="a|b")': '1 + I(g == "a|b")',
    "bs(x,df = 4)": "1 + bs(x, df = 4)",
    "x\n + z": "1 + x + z",
}

# Right side → random terms as "(columns | group)".
RANDOM = {
    "(1 | g)": ["(1 | g)"],
    "(x | g)": ["(1 + x | g)"],
    "(1 + x | g)": ["(1 + x | g)"],
    "(0 + x | g)": ["(0 + x | g)"],
    "(x - 1 | g)": ["(0 + x | g)"],
    "(-1 + x | g)": ["(0 + x | g)"],
    "(x || g)": ["(1 | g)", "(0 + x | g)"],
    "(0 + x || g)": ["(0 + x | g)"],
    "(f || g)": ["(1 | g)", "(0 + f | g)"],
    "(x * z || g)": ["(1 | g)", "(0 + x | g)", "(0 + z | g)", "(0 + x:z | g)"],
    "(x * z | g)": ["(1 + x + z + x:z | g)"],
    "(1 | a / b)": ["(1 | b:a)", "(1 | a)"],
    "(1 | a / b / c)": ["(1 | c:b:a)", "(1 | b:a)", "(1 | a)"],
    "(1 | a:b / c)": ["(1 | c:a:b)", "(1 | a:b)"],
    "(1 | a / (b + c))": ["(1 | b:a)", "(1 | c:a)", "(1 | a)"],
    "(1 | a:b)": ["(1 | a:b)"],
    "(1 | a * b)": ["(1 | a)", "(1 | b)", "(1 | a:b)"],
    "(x || a / b)": ["(1 | b:a)", "(1 | a)", "(0 + x | b:a)", "(0 + x | a)"],
    "(1 | g) + (0 + x | g)": ["(1 | g)", "(0 + x | g)"],
    "(1 | factor(g))": ["(1 | factor(g))"],
    "(1 | `my g`)": ["(1 | my g)"],
    "x + ((x | g))": ["(1 + x | g)"],
}

# Formula → (the position of the caret, words of the message).
REFUSED = {
    "": (None, "empty"),
    "y x": (3, "no '~'"),
    "y ~ x ~ z": (6, "second"),
    "y ~ ": (4, "nothing"),
    "y ~ (1 | g": (4, "never closed"),
    "y ~ 1 | g)": (9, "closes nothing"),
    "y ~ (1 | g]": (10, "expected ')'"),
    "y ~ x | g": (6, "parentheses around a random term"),
    "y ~ (1 | g | h)": (11, "second"),
    "y ~ ((1 | g) | h)": (10, "inside another"),
    "y ~ x %z + (1 | g)": (6, "never closed"),
    "y ~ x - (1 | g)": (13, "no such random term"),
    "y ~ x:(1 | g)": (11, "only be added"),
    "y ~ (0 | g)": (9, "nothing varies"),
    "y ~ (1 | 1)": (9, "grouping factor"),
    "y ~ (x | )": (7, "missing beside"),
    "y ~ x +": (6, "missing beside"),
    "y ~ x z": (4, "operator is missing"),
    "y ~ 2 * x": (4, "only 0 and 1"),
    "y ~ 'a'": (4, "string"),
    "y ~ x ^ z": (8, "whole number"),
    "y ~ x ^ 0": (8, "whole number"),
    "y ~ offset(x):z": (4, "offset"),
    "y ~ (offset(x) | g)": (5, "offset"),
    "y ~ offset(x, z)": (4, "offset"),
    "y ~ x $ z": (6, "not an operator"),
    "y ~ x # z": (6, "not an operator"),
    "y ~ x %foo% z": (6, "'%foo%' is not an operator"),
    "y ~ x[1]": (4, "not allowed"),
    "y ~ 1e3": (4, "neither a name nor a number"),
    "y ~ `a": (4, "never closed"),
    "y ~ ``": (4, "no name"),
    "y ~ log(x": (7, "never closed"),
    "y ~ log(x))": (10, "closes nothing"),
    "y ~ f(x)(z)": (4, "only a function with a name"),
    "y ~ I(x if z else x)": (6, "not understood"),
    "y ~ I(a*b %% c)": (10, "parentheses"),
    "log(y ~ x": (3, "never closed"),
}


@pytest.mark.parametrize("right", FIXED)
def test_fixed_part(right: str) -> None:
    parsed = parse(f"y ~ {right}")
    assert parsed.fixed.text == FIXED[right]
    assert parsed.response is not None
    assert parsed.response.text == "y"


@pytest.mark.parametrize("right", RANDOM)
def test_random_part(right: str) -> None:
    assert [term.text for term in parse(f"y ~ {right}").random] == RANDOM[right]


@pytest.mark.parametrize("formula", REFUSED)
def test_refused_with_a_caret_at_the_place(formula: str) -> None:
    position, words = REFUSED[formula]
    with pytest.raises(FormulaError, match=words.replace("(", r"\(").replace(")", r"\)")) as caught:
        parse(formula)
    assert isinstance(caught.value, ValueError)
    assert caught.value.position == position
    if position is not None:
        line, caret = str(caught.value).splitlines()[-2:]
        assert line.strip() == formula.strip()
        assert caret.index("^") - line.index(formula.strip()[0]) == position


def test_responses_are_expressions() -> None:
    for text in ("log(y)", "cbind(s, f - s)", "incidence/size", "a - b", "I(y^2)"):
        parsed = parse(f"{text} ~ x")
        assert parsed.response is not None
        assert parsed.response.text == text
    assert parse("~ (1 | g)").response is None


def test_offsets_leave_the_terms() -> None:
    parsed = parse("y ~ x + offset(log(n)) + offset(o)")
    assert parsed.fixed.text == "1 + x"
    assert [offset.text for offset in parsed.offsets] == ["log(n)", "o"]


def test_dot_is_every_column_the_response_does_not_use() -> None:
    names = ("y", "a", "my b", "g")
    expand = {
        "log(y) ~ . + (1 | g)": "1 + a + `my b` + g",
        "y ~ . - g + (1 | g)": "1 + a + `my b`",
        "y ~ .^2 - g": "1 + a + `my b` + a:`my b` + a:g + `my b`:g",
        "y ~ a + . - g": "1 + a + `my b`",
        "a + y ~ .": "1 + `my b` + g",
    }
    for formula, text in expand.items():
        assert parse(formula).has_dot
        assert parse(formula).expand(names).fixed.text == text


# Expressions as R's deparse prints them.
DEPARSED = {
    "x**2+1": "x^2 + 1",
    "x / 2*z": "x/2 * z",
    "- x": "-x",
    "scale(x,center=True)": "scale(x, center = TRUE)",
    "x>=1&!b": "x >= 1 & !b",
    "x %in% c('a', \"b\")": 'x %in% c("a", "b")',
    "1e-3*100000+123456+2.50": "0.001 * 1e+05 + 123456 + 2.5",
    "f(2L)": "f(2L)",
    "IQ.ver.cen^2": "IQ.ver.cen^2",
    "`my x`+.z": "`my x` + .z",
    "(x - 1)/2": "(x - 1)/2",
}


@pytest.mark.parametrize("text", DEPARSED)
def test_expressions_print_as_in_r(text: str) -> None:
    assert parse_expression(text).text == DEPARSED[text]


@pytest.mark.parametrize(
    "text",
    [
        "().__class__",
        "x.__class__.__bases__[0]",
        "[v for v in x]",
        "(lambda: 0)()",
        "f(*x)",
        "f(**x)",
        "x; y",
        "x := 1",
        "f'{x}'",
        "x @ y",
        "x ? y",
        "`a` `b`",
        "\\x",
    ],
)
def test_python_beyond_arithmetic_is_refused(text: str) -> None:
    with pytest.raises(FormulaError):
        parse(f"y ~ I({text})")


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ " + "(" * 5000 + "x" + ")" * 5000,
        "y ~ I(" + "-" * 5000 + "x)",
        "y ~ I(" + "(" * 90 + "x" + ")" * 90 + "".join(f"+{k}" for k in range(500)) + ")",
        "y ~ " + "*".join(f"v{k}" for k in range(40)),
        "y ~ " + ":".join(f"v{k}" for k in range(2000)),
        "y ~ (" + "+".join(f"v{k}" for k in range(300)) + ")^99999",
        "y ~ " + "x + " * 60_000,
        "y ~ " + "|" * 500,
        "y ~ " + "(1 | " * 90,
        "y ~ I(" + "x[" * 90 + "]" * 90 + ")",
    ],
    ids=range(10),
)
def test_hostile_sizes_are_refused_quickly(formula: str) -> None:
    start = time.perf_counter()
    with pytest.raises(MixedModelsError):
        parse(formula)
    assert time.perf_counter() - start < 5


def test_a_thousand_columns_parse() -> None:
    parsed = parse("y ~ " + " + ".join(f"v{k}" for k in range(1000)))
    assert len(parsed.fixed.terms) == 1000


def test_errors_survive_pickling() -> None:
    with pytest.raises(FormulaError) as caught:
        parse("y ~ x +")
    copy = pickle.loads(pickle.dumps(caught.value))
    assert str(copy) == str(caught.value)
    assert copy.position == caught.value.position


def test_only_strings_are_formulas() -> None:
    with pytest.raises(FormulaError, match="a formula is a string"):
        parse(5)  # type: ignore[arg-type]


def test_formulaic_is_imported_on_first_use() -> None:
    code = (
        "import sys, mixedmodels.formulas.formula, mixedmodels.matrices.model_matrix\n"
        "assert not {'formulaic', 'scipy', 'narwhals.stable.v1'} "
        "& set(sys.modules), sorted(m for m in sys.modules if 'form' in m)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    if "_core" not in done.stderr:  # the package itself needs the built kernel
        assert done.returncode == 0, done.stderr
