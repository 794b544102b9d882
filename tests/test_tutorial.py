"""The tutorial runs without plots, prints the numbers it is known by, and draws its pictures."""

from __future__ import annotations

import functools
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import mixedmodels as mm

SCRIPT = Path(__file__).parents[1] / "examples" / "clinic_tutorial.py"


@functools.cache
def output() -> str:
    """What the script prints, matplotlib out of its reach."""
    code = (
        "import sys, runpy; sys.modules['matplotlib'] = None; "
        f"runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


NUMBERS = {
    "ordinary regression": ["-1.36616    0.07773", "308.9"],
    "random intercepts": [
        "REML criterion at convergence: 1987.4",
        "31.08",
        "38.37",
        "50.94217    1.60141",
        "-1.41266    0.05985",
        "-0.377",
    ],
    "intraclass correlation": ["0.448"],
    "random slopes": [
        "REML criterion at convergence: 1973.1",
        "11.88641",
        "3.4478",
        "0.2762",
        "0.55",
        "5.9874",
        "51.01660",
        "-1.42970    0.09193",
    ],
    "likelihood-ratio test": [
        "1986.2",
        "1972.2",
        "13.998",
        "0.0009127",
        "1994.2",
        "1984.2",
        "0.000548",
    ],
    "clinic effects": ["1.8554", "0.13484", "0.13485"],
    "results": ["weaker reduction"],
}


@pytest.mark.parametrize("part", NUMBERS)
def test_numbers(part: str) -> None:
    numbers = NUMBERS[part]
    if part == "clinic effects":  # 0.134845 to six digits: either rounding will do
        assert numbers[0] in output()
        assert numbers[1] in output() or numbers[2] in output()
        return
    for number in numbers:
        assert number in output(), number


def test_lines_fit_a_terminal() -> None:
    assert max(len(line) for line in output().splitlines()) <= 100


def test_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Some of them; test_plots_*.py draw the others."""
    pytest.importorskip("matplotlib")
    module = runpy.run_path(str(SCRIPT))
    data = mm.datasets.load("anxiety")
    formula = "anxiety ~ therapy_sessions"
    models = (
        mm.lm(formula, data),
        mm.lmer(f"{formula} + (1 | clinic)", data),
        mm.lmer(f"{formula} + (therapy_sessions | clinic)", data),
    )
    drawn = module["pictures"](*models)
    some = {name: drawn[name] for name in ("means", "ranef", "forest")}
    module["write"](some, tmp_path / "pictures")
    written = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert written == ["forest.png", "means.png", "ranef.png"]
    assert str(tmp_path) in capsys.readouterr().out
