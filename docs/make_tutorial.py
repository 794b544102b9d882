"""docs/tutorial.md from examples/clinic_tutorial.py: its words, its calls and what they print.

Run by `make docs`, which also has the pictures drawn; tests/test_docs.py checks that the page is up
to date. In the page a picture is a comment, which conf.py turns into a figure: the page in git
needs no files.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "examples" / "clinic_tutorial.py"
PAGE = ROOT / "docs" / "tutorial.md"
PICTURES = ROOT / "docs" / "_build" / "pictures" / "tutorial"
SHOWN = {  # step → pictures at its end
    "look_at_the_data": ("clinics", "means"),
    "random_slopes": ("effect", "profile", "residuals", "qq"),
    "likelihood_ratio_test": ("forest",),
    "clinic_effects": ("ranef", "ranef_qq", "shrinkage"),
}


def tutorial() -> ModuleType:
    spec = importlib.util.spec_from_file_location("clinic_tutorial", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def calls(function_name: str, module: ModuleType) -> list[str]:
    """The lines of a step that fit or ask something of a model."""
    source = inspect.getsource(getattr(module, function_name)).splitlines()
    marks = ("= mm.", ".ranef(", ".predict(")
    return [line.strip() for line in source if any(mark in line for mark in marks)]


def block(text: str, language: str = "") -> str:
    lines = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
    return f"```{language}\n{lines}\n```"


def comments(step: str, drawn: dict[str, Any]) -> list[str]:
    """Where conf.py puts the pictures of a step."""
    return [f"<!-- picture {name}: {drawn[name][0]} -->" for name in SHOWN.get(step, ())]


def page_and_pictures() -> tuple[str, ModuleType, dict[str, Any]]:
    """The page, the script as a module, and its pictures: name → caption, function that draws."""
    module = tutorial()
    introduction, _, _ = (module.__doc__ or "").partition("\n\n")
    steps: dict[str, list[str]] = {}
    parts: list[str] = []
    drawn: dict[str, Any] = {}

    def title(text: str) -> None:
        nonlocal parts
        step = sys._getframe(1).f_code.co_name
        steps[step] = parts = [f"## {text}"]
        if code := calls(step, module):
            parts.append(block("\n".join(code), "python"))

    def picture(*arguments: object) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            draw(*arguments)
        parts.append(block(printed.getvalue()))

    script: Any = module
    draw, write = script.picture, script.write
    script.picture, script.title = picture, title
    script.say = lambda text: parts.append(text)
    script.show = lambda what: parts.append(block(str(what)))
    script.write = lambda what, folder: drawn.update(what)
    script.main(PICTURES)
    script.write = write
    head = (
        f"# The clinic tutorial\n\n{introduction} Made by `make docs` from "
        "[a script](../examples/clinic_tutorial.py) that `make demo` runs."
    )
    texts = (part for step, texts in steps.items() for part in texts + comments(step, drawn))
    return "\n\n".join([head, *texts]) + "\n", module, drawn


def page() -> str:
    return page_and_pictures()[0]


if __name__ == "__main__":
    text, module, drawn = page_and_pictures()
    PAGE.write_text(text, encoding="utf-8")
    module.title = module.say = lambda text: None  # type: ignore[attr-defined]
    module.write(drawn, PICTURES)
