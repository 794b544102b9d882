"""docs/tutorial.md from examples/clinic_tutorial.py: its words, its calls and what they print.

Run by `make docs`; tests/test_docs.py checks that the page is up to date.
"""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import io
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "examples" / "clinic_tutorial.py"
PAGE = ROOT / "docs" / "tutorial.md"


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


def page() -> str:
    module = tutorial()
    introduction, _, _ = (module.__doc__ or "").partition("\n\n")
    parts = [
        "# The clinic tutorial",
        f"{introduction} Made by `make docs` from [a script](../examples/clinic_tutorial.py) that "
        "`make demo` runs.",
    ]

    def title(text: str) -> None:
        parts.append(f"## {text}")
        step = sys._getframe(1).f_code.co_name
        if code := calls(step, module):
            parts.append(block("\n".join(code), "python"))

    def picture(*arguments: object) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            draw(*arguments)
        parts.append(block(printed.getvalue()))

    draw, module.picture, module.title = module.picture, picture, title  # type: ignore[attr-defined]
    module.say = parts.append  # type: ignore[attr-defined]
    module.show = lambda what: parts.append(block(str(what)))  # type: ignore[attr-defined]
    module.main()
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
