"""What the documentation shows is what the program does, and it speaks of everything public."""

from __future__ import annotations

import importlib
import inspect
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mixedmodels as mm
from mixedmodels.families import FAMILIES
from mixedmodels.lazy import lazy
from mixedmodels.plots import Plots

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


# Samples -----------------------------------------------------------------------------------------

# The tutorial's are parts of a script, which tests/test_tutorial.py runs.
PAGES = ["README.md", *(f"docs/{path.name}" for path in DOCS.glob("*.md"))]
PAGES = sorted(page for page in PAGES if page != "docs/tutorial.md")
FENCE = re.compile(r"^```(.*?)\n.*?^```$", re.DOTALL | re.MULTILINE)
SAMPLE = re.compile(
    r"^```(python|sh)\n(.*?)^```$(?:\s+^```\n(.*?)^```$)?", re.DOTALL | re.MULTILINE
)
COMMAND = "python -m mixedmodels "
NEXT = "\f"  # between what two samples print


def samples(page: str) -> list[tuple[str, str]]:
    """(Python code, what it prints) of a page's samples; of shell samples, our commands."""
    found = []
    for language, code, shown in SAMPLE.findall(text(page)):
        if language == "python":
            found.append((code, shown))
        elif commands := [
            line for line in code.replace("\\\n", " ").splitlines() if line.startswith(COMMAND)
        ]:
            found.append(("\n".join(map(run_command, commands)), shown))
    return found


def run_command(line: str) -> str:
    """A command as Python code; what it says beside its results is not shown in pages."""
    arguments = line.removeprefix("python ")
    return (
        "import shlex, subprocess, sys\nsys.stdout.flush()\nsubprocess.run("
        f"[sys.executable, *shlex.split({arguments!r}, comments=True)], check=True)"
    )


def lines(printed: str) -> list[str]:
    return [line.rstrip() for line in printed.strip("\n").splitlines()]


@pytest.mark.parametrize("page", [page for page in PAGES if samples(page)])
def test_samples_print_what_the_page_shows(page: str, tmp_path: Path) -> None:
    """All samples of a page in their order, as one program in an empty folder."""
    program = f"\nprint({NEXT!r}, flush=True)\n".join(code for code, _ in samples(page))
    done = subprocess.run(
        [sys.executable, "-X", "utf8", "-W", "ignore", "-c", program],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    outputs = done.stdout.split(f"{NEXT}\n")
    for (code, shown), printed in zip(samples(page), outputs, strict=True):
        assert lines(printed) == lines(shown), code


@pytest.mark.parametrize("page", PAGES)
def test_other_languages_are_marked(page: str) -> None:
    """A block is ours and run, output, of another program, or an instruction of MyST."""
    languages = {found[1] for found in FENCE.finditer(text(page))}
    assert {name for name in languages if not name.startswith("{")} <= {
        "", "python", "sh", "r", "sas", "stata", "text", "json"
    }  # fmt: skip


def test_table_of_families_and_links() -> None:
    page = text("docs/generalised.md")
    for family, traits in FAMILIES.items():
        row = re.search(
            rf"^\| {family} \|.*?\| ({', '.join(map(re.escape, traits.links))}) \|", page, re.M
        )
        assert row is not None, family


# The site's map ----------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [DOCS, DOCS / "api"])
def test_every_page_is_on_the_map(folder: Path) -> None:
    index = (folder / "index.md").read_text(encoding="utf-8")
    trees = "\n".join(re.findall(r"```\{toctree\}\n(.*?)```", index, re.DOTALL)).splitlines()
    listed = {line.removesuffix("/index") for line in trees if line and not line.startswith(":")}
    pages = {path.stem for path in folder.glob("*.md")} - {"index"}
    assert listed - {"api"} == pages


# Pages that are made -----------------------------------------------------------------------------


def script(name: str) -> dict[str, Any]:
    return runpy.run_path(str(DOCS / f"{name}.py"))


def test_tutorial_page_is_up_to_date() -> None:
    made, _, drawn = script("make_tutorial")["page_and_pictures"]()
    assert text("docs/tutorial.md") == made, "run `make docs`"
    assert set(re.findall(r"<!-- picture (\w+):", made)) == set(drawn)


def names_of_plots() -> set[str]:
    names = {name for name in dir(Plots) if not name.startswith("_")}
    return {name for name in names if not name.endswith("_data")}


def test_gallery_has_every_plot_and_its_code_runs() -> None:
    pytest.importorskip("matplotlib").use("Agg")
    from matplotlib import pyplot

    gallery = script("make_gallery")
    names = gallery["models"]()
    drawn = set()
    for _, code in (picture for section in gallery["PICTURES"].values() for picture in section):
        assert gallery["draw"](code, names).axes
        pyplot.close("all")
        drawn |= set(re.findall(r"\bplot\.(\w+)\(|\bmm\.(forest)\(", code))
    assert {plot or function for plot, function in drawn} == names_of_plots()


def test_certificate_shows_every_table() -> None:
    tables = {make.__name__ for make in script("make_certificate")["TABLES"]}
    assert set(re.findall(r"_build/generated/(\w+)\.md", text("docs/certificate.md"))) == tables


@pytest.mark.parametrize(("table", "rows"), [("split_plot", 9), ("infection", 3)])
def test_tables_of_the_certificate(table: str, rows: int) -> None:
    made = script("make_certificate")[table]().splitlines()
    assert len(made) == 2 + rows
    assert {line.count("|") for line in made} == {made[0].count("|")}


# The reference -----------------------------------------------------------------------------------

MODELS = (
    mm.LinearModel,
    mm.LinearMixedModel,
    mm.GeneralizedLinearModel,
    mm.GeneralizedLinearMixedModel,
)
REFERENCE = "\n".join(path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md"))
DOCUMENTED = set(re.findall(r"^\.\. auto\w+:: mixedmodels\.([\w.]+)$", REFERENCE, re.MULTILINE))
WITH_MEMBERS = re.findall(
    r"^\.\. autoclass:: mixedmodels\.([\w.]+)\n(?:   :.*\n)*?   :members:$", REFERENCE, re.MULTILINE
)


def public(owner: type) -> dict[str, Any]:
    """Name → definition of the methods and properties that the class itself has."""
    kinds = (property, lazy, classmethod)
    return {
        name: value
        for name, value in vars(owner).items()
        if not name.startswith("_") and (inspect.isfunction(value) or isinstance(value, kinds))
    }


def definition(model: type, name: str) -> Any:
    return inspect.getattr_static(model, name)


def resolved(path: str) -> Any:
    """The class at a dotted path inside the package, e.g. "tables.ResultTable"."""
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(f"mixedmodels.{module}") if module else mm, name)


def test_every_public_name_is_in_the_reference() -> None:
    assert {name for name in mm.__all__ if name != "__version__"} <= DOCUMENTED
    assert "mm.__version__" in REFERENCE


@pytest.mark.parametrize("model", MODELS)
def test_every_method_of_a_model_is_in_the_reference(model: type) -> None:
    """What models share, once: then one of them stands for all."""
    names = {name for name in dir(model) if not name.startswith("_")}
    missing = {
        name
        for name in names
        if not any(
            f"{other.__name__}.{name}" in DOCUMENTED
            and definition(other, name) is definition(model, name)
            for other in MODELS
            if hasattr(other, name)
        )
    }
    assert missing == set()


def test_every_plot_is_in_the_reference() -> None:
    for base in Plots.__mro__:
        if base is not Plots and names_of_plots() & set(public(base)):
            assert f"{base.__module__.removeprefix('mixedmodels.')}.{base.__name__}" in WITH_MEMBERS


@pytest.mark.parametrize("path", WITH_MEMBERS)
def test_members_shown_have_docstrings(path: str) -> None:
    """Autodoc leaves out those that have none."""
    if path.startswith("sklearn."):
        pytest.importorskip("sklearn")
    members = public(resolved(path))
    assert {name for name, value in members.items() if not (value.__doc__ or "").strip()} == set()
