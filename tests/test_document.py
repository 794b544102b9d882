"""One list of blocks, three formats."""

from __future__ import annotations

import re

import pytest

import mixedmodels as mm
from mixedmodels.printing.document import (
    Cells,
    Document,
    Formula,
    Heading,
    Notes,
    Paragraph,
    Printed,
    PrintedDocument,
)


class Result(Document):
    def __init__(self, *blocks):
        self.blocks = blocks

    def _blocks(self):
        return self.blocks


TABLE = Cells(["Pr(>|t|)", "what"], [["-0.5", "a_1"], ["2e-16", "<b>"]], ["x", "[y]"])

# block → HTML, markdown, LaTeX
FORMATS = {
    "title": (Heading("R² & more"), "<h4>R² &amp; more</h4>", "### R² & more",
              r"\subsection*{R$^2$ \& more}"),
    "part": (Heading("Part", 2), "<h5>Part</h5>", "#### Part", r"\paragraph*{Part}"),
    "lines": (Paragraph("a*b\nc"), "<p>a*b<br>c</p>", "a\\*b  \nc", "a*b\\\\\nc"),
    "formula": (Formula("y ~ (1 | g)", "9 rows"), "<p><code>y ~ (1 | g)</code><br>9 rows</p>",
                "`y ~ (1 | g)`  \n9 rows", "\\texttt{y \\textasciitilde{} (1 $|$ g)}\\\\\n9 rows"),
    "backticks": (Formula("y ~ `a b`", "9 rows"), "<p><code>y ~ `a b`</code><br>9 rows</p>",
                  "`` y ~ `a b` ``  \n9 rows", "\\texttt{y \\textasciitilde{} `a b`}\\\\\n9 rows"),
    "arrays": (Formula(None, "9 rows"), "<p>fitted from arrays<br>9 rows</p>",
               "fitted from arrays  \n9 rows", "fitted from arrays\\\\\n9 rows"),
    "notes": (Notes(["p < 0.1"]), "<p><small>p &lt; 0.1</small></p>", "*p \\< 0.1*",
              r"{\footnotesize p $<$ 0.1}"),
    "none": (Notes([]), "", "", ""),
    "print": (Printed("a  b\n  c"), "<pre>a  b\n  c</pre>", "```text\na  b\n  c\n```",
              "\\texttt{a~ b\\\\\n~ c}"),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_blocks(name):
    block, html, markdown, latex = FORMATS[name]
    result = Result(block)
    assert result._repr_html_() == html
    assert result.to_markdown() == markdown
    assert result.to_latex() == latex


def test_a_table_in_markdown():
    assert Result(TABLE).to_markdown() == (
        "|       | Pr(>\\|t\\|) | what |\n"
        "| :---- | ---------: | ---: |\n"
        "| x     |       -0.5 |  a_1 |\n"
        "| \\[y\\] |      2e-16 | \\<b> |"
    )


def test_a_table_in_latex():
    lines = Result(TABLE).to_latex().split("\n")
    assert lines == [
        r"\begin{center}", r"\begin{tabular}{lrr}", r"\toprule",
        r" & Pr($>|$t$|$) & what \\", r"\midrule",
        r"x & $-$0.5 & a\_1 \\", r"{}[y] & 2e$-$16 & $<$b$>$ \\",
        r"\bottomrule", r"\end{tabular}", r"\end{center}",
    ]  # fmt: skip


def test_title_and_notes_of_a_table():
    table = Cells(["a"], [["1"]], title="A title", notes=["A note."])
    result = Result(table)
    assert result.to_markdown().startswith("**A title**\n\n|")
    assert result.to_markdown().endswith("|\n\n*A note.*")
    assert r"\caption{A title}" in result.to_latex()
    assert r"{\footnotesize A note.\par}" in result.to_latex()
    assert result._repr_html_().startswith("<p>A title</p><table")


def test_no_word_of_a_dollar_price_is_mathematics():
    assert Result(Paragraph("5$σ")).to_latex() == r"5\$$\sigma$"


# --- Results of the package ---


@pytest.fixture(scope="module")
def model():
    data = mm.datasets.load("anxiety")
    return mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)


RESULTS = {
    "summary": lambda m: m.summary(),
    "varcorr": lambda m: m.varcorr,
    "coefficients": lambda m: m.coefficients(),
    "confint": lambda m: m.confint(method="wald"),
    "anova": lambda m: m.anova(),
    "models": lambda m: mm.anova(m, m.update(". ~ . + (0 + therapy_sessions | clinic)")),
    "ranova": lambda m: mm.ranova(m),
    "drop1": lambda m: m.drop1(),
    "test": lambda m: m.test("therapy_sessions = 1"),
    "icc": lambda m: m.icc(),
    "r2": lambda m: m.r2(),
    "profile": lambda m: m.profile("therapy_sessions"),
    "bootstrap": lambda m: mm.bootstrap(m, 20),
    "bootstrap_lrt": lambda m: mm.bootstrap_lrt(mm.lm("anxiety ~ 1", mm.datasets.load("anxiety")),
                                                m, 20),
    "rlrt": lambda m: mm.exact_rlrt(m, nsim=200),
    "emmeans": lambda m: m.emmeans("therapy_sessions"),
    "convergence": lambda m: m.convergence,
    "refits": lambda m: m.refit(m.simulate(3)),
    "robust": lambda m: m.vcov_robust(),
    "influence": lambda m: m.influence("clinic", method="fast"),
    "check": lambda m: m.check(),
    "quantile_tests": lambda m: m.quantile_tests(),
    "optimisers": lambda m: mm.all_fit(m),
    "compare": lambda m: mm.compare([m]),
    "power": lambda m: mm.power(m, "therapy_sessions", nsim=3),
    "overdispersion": lambda m: mm.glm("y ~ x", {"y": [2, 3, 6, 7], "x": [1, 2, 3, 4]},
                                       family="poisson").overdispersion(),
    "design": lambda m: mm.simulate_design(m),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::mixedmodels.MixedModelsWarning")
@pytest.mark.parametrize("name", RESULTS)
def test_results_have_all_formats(model, name):
    result = RESULTS[name](model)
    html, markdown, latex = result._repr_html_(), result.to_markdown(), result.to_latex()
    assert html.startswith("<")
    tables = re.findall(r"\\begin\{tabular\}\{([lr]+)\}.*?\\end\{tabular\}", latex, re.S)
    assert html.count("<table") == len(tables) == len(re.findall(r"(?m)^\| :?-+:? \|", markdown))
    assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")
    assert latex.replace(r"\$", "").count("$") % 2 == 0
    assert latex.isascii()


def test_rows_of_a_latex_table_have_all_columns(model):
    latex = model.coefficients().to_latex()
    columns = len(re.search(r"\\begin\{tabular\}\{([lr]+)\}", latex)[1])
    rows = [line for line in latex.split("\n") if line.endswith(r" \\")]
    assert len(rows) == 3
    assert all(line.replace(r"\&", "").count("&") == columns - 1 for line in rows)


def test_printed_results(model):
    class One(PrintedDocument):
        def __str__(self):
            return "one"

    assert One()._repr_html_() == "<pre>one</pre>"


def test_conditional_modes_are_frames_by_group(model):
    html = model.ranef()._repr_html_()
    assert html.startswith("<h5>clinic</h5>")
    assert html.count("<table") == 1
