"""Who imports whom: a folder of the package needs, to be imported, only those before it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "python" / "mixedmodels"

ROOMS = (
    "errors",
    "lazy",
    "input_tables",
    "printing",
    "families",
    "formulas",
    "matrices",
    "models",
    "inference",
    "marginal_means",
    "variance",
    "predictions",
    "diagnostics",
    "reporting",
    "saving",
    "planning",
    "plots",
    "datasets",
    "interop",
    "sklearn",
    "command_line",
)


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).with_suffix("").parts[0]


def rooms_imported(file: Path) -> Iterator[str]:
    """By statements that run when the file is imported."""
    inside = file.relative_to(PACKAGE).parts[:-1]
    for statement in ast.parse(file.read_text()).body:
        if isinstance(statement, ast.ImportFrom) and statement.level == len(inside) + 1:
            named = [statement.module] if statement.module else [n.name for n in statement.names]
            yield from (name.partition(".")[0] for name in named)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_needs_only_those_before_it(room):
    files = [file for file in PACKAGE.rglob("*.py") if room_of(file) == room]
    assert files
    before = {*ROOMS[: ROOMS.index(room) + 1], "_core"}
    above = {(f.name, name) for f in files for name in rooms_imported(f) if name not in before}
    assert above == set()


def test_every_room_is_listed():
    found = {room_of(file) for file in PACKAGE.rglob("*.py")}
    assert found - {"__init__", "__main__"} == set(ROOMS)
