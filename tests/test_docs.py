"""What the documentation shows is what the program does."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from mixedmodels.families import FAMILIES

ROOT = Path(__file__).resolve().parents[1]


SAMPLE = re.compile(r"```python\n(.*?)```(?:\s+```\n(.*?)```)?", re.DOTALL)
NEXT = "\f"  # between what two samples print


@pytest.mark.parametrize("page", ["README.md", "docs/generalised.md"])
def test_samples_print_what_the_page_shows(page: str) -> None:
    """All samples of a page in their order, as one program."""
    samples = SAMPLE.findall((ROOT / page).read_text(encoding="utf-8"))
    assert samples
    program = f"\nprint({NEXT!r})\n".join(code for code, _ in samples)
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "ignore", "-c", program],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    outputs = done.stdout.split(f"{NEXT}\n")
    for (code, shown), printed in zip(samples, outputs, strict=True):
        lines = [line.rstrip() for line in printed.strip("\n").splitlines()]
        assert lines == shown.strip("\n").splitlines(), code


def test_table_of_families_and_links() -> None:
    page = (ROOT / "docs" / "generalised.md").read_text(encoding="utf-8")
    for family, traits in FAMILIES.items():
        row = re.search(
            rf"^\| {family} \|.*?\| ({', '.join(map(re.escape, traits.links))}) \|", page, re.M
        )
        assert row is not None, family


def test_tutorial_page_is_up_to_date() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "make_tutorial.py"))["page"]
    assert (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8") == page(), "run `make docs`"
