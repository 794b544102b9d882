"""What the documentation shows is what the program does."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def test_readme_example_prints_what_it_shows() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.search(r"```python\n(.*?)```\s+```\n(.*?)```", text, re.DOTALL)
    assert found is not None
    code, shown = found.groups()
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "ignore", "-c", code],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    printed = [line.rstrip() for line in done.stdout.strip().splitlines()]
    assert printed == shown.strip().splitlines()


def test_tutorial_page_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "make_tutorial.py"))["page"]
    assert (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8") == page(), "run `make docs`"
