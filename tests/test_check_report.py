"""The report: verdict, frame, print, HTML; and how verdicts are graded."""

from __future__ import annotations

import math

import pytest

from mixedmodels.diagnostics.check_report import Check, Checks, Skipped, grade, p_text

REPORT = Checks(
    "y ~ x + (1 | g)",
    (
        Check(name="convergence", finding="an optimum", verdict="ok", statistic=1e-12),
        Check(name="number of levels", subject="g", finding="7", verdict="note", advice="read on"),
        Check(name="zeros", finding="a < b", verdict="problem", p_value=0.001, advice="model them"),
    ),
    (Skipped("influence of g", "factors cross"),),
)


def test_print() -> None:
    assert str(REPORT).splitlines() == [
        "Checks of y ~ x + (1 | g): 1 problem, 1 note",
        "",
        "ok       convergence: an optimum",
        "note     number of levels of g: 7",
        "         → read on",
        "problem  zeros: a < b",
        "         → model them",
        "Not checked: influence of g: factors cross",
    ]


def test_frame() -> None:
    frame = REPORT.to_frame()
    assert list(frame.columns) == [
        "check", "subject", "statistic", "p_value", "threshold", "verdict", "finding", "advice"
    ]  # fmt: skip
    assert frame["verdict"].tolist() == ["ok", "note", "problem"]
    assert frame["p_value"].isna().tolist() == [True, True, False]


def test_html_markdown_and_latex() -> None:
    html = REPORT._repr_html_()
    assert "a &lt; b" in html
    assert "factors cross" in html
    assert "| problem | zeros " in REPORT.to_markdown()
    assert r"a $<$ b" in REPORT.to_latex()


@pytest.mark.parametrize(("kept", "verdict"), [(3, "problem"), (2, "note"), (1, "ok"), (0, "ok")])
def test_the_verdict_is_the_worst(kept: int, verdict: str) -> None:
    report = Checks("m", REPORT.checks[:kept])
    assert report.verdict == verdict
    assert len(report.problems) + len(report.notes) == max(kept - 1, 0)
    assert kept > 1 or "nothing to remark" in str(report)


@pytest.mark.parametrize(
    ("p_value", "size", "verdict"),
    [
        (0.5, 9.0, "ok"),
        (1e-9, 1.0, "ok"),  # certain, and too small to matter
        (0.009, 9.0, "note"),
        (1e-9, 3.0, "note"),
        (1e-9, 9.0, "problem"),
        (math.nan, 9.0, "note"),  # no p-value: never certain
    ],
)
def test_a_departure_must_be_certain_and_large(p_value: float, size: float, verdict: str) -> None:
    assert grade(p_value, size, 2.0, 5.0) == verdict


def test_p_values_in_words() -> None:
    assert [p_text(p) for p in (0.0412, 1e-5)] == ["p = 0.041", "p < 0.001"]
