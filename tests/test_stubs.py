"""The stubs of the extension module say what the compiled module has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_stubs_agree_with_the_binary() -> None:
    pytest.importorskip("mypy", reason="mypy's stubtest compares them")
    assert (ROOT / "python" / "mixedmodels" / "_core.pyi").exists()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy.stubtest", "mixedmodels._core"),
            *("--concise", "--mypy-config-file", str(ROOT / "pyproject.toml")),
        ],
        cwd=ROOT / "python",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
