"""What `make wheel` builds: installs in an empty environment, far from the checkout, and fits."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

DIST = Path(__file__).resolve().parents[1] / "dist"
PROGRAM = """
import mixedmodels as mm
m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
assert round(m.reml_criterion, 1) == 1987.4, m.reml_criterion
print(m.summary())
print(mm.__file__)
"""


def built(pattern: str) -> Path:
    found = sorted(DIST.glob(pattern))
    assert len(found) == 1, f"dist/ holds {found or 'no ' + pattern}; run `make wheel`"
    return found[0]


@pytest.mark.parametrize("pattern", ["*.whl", "*.tar.gz"])
def test_install_and_fit(pattern: str, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", built(pattern)], check=True)
    done = subprocess.run(
        [python, "-I", "-c", PROGRAM], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.split()[-1]).is_relative_to(environment)
    command = subprocess.run(
        [python.with_name("mixedmodels"), "--version"], capture_output=True, text=True
    )
    assert (command.returncode, command.stdout[:12]) == (0, "mixedmodels "), command.stderr


def test_wheel_contents() -> None:
    wheel = built("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "mixedmodels/py.typed" in names
    assert "mixedmodels/_core.pyi" in names
    assert all(name.split("/")[0].startswith("mixedmodels") for name in names)
    folders = {folder for name in names for folder in name.split("/")[:-1]}
    assert not folders & {"tests", "reference", "benchmarks"}
    assert {name for name in names if name.endswith(".csv")} == {
        f"mixedmodels/datasets/{name}.csv" for name in ("anxiety", "anxiety_longitudinal")
    }
    assert wheel.stat().st_size < 3e6
    if sys.platform == "linux":
        assert "manylinux" in wheel.name
    assert "abi3" in wheel.name


def test_sdist_contents() -> None:
    with tarfile.open(built("*.tar.gz")) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    for needed in ["Cargo.toml", "Cargo.lock", "src/lib.rs", "pyproject.toml", "LICENSE-MIT"]:
        assert needed in names
    assert not [n for n in names if n.startswith(("tests/", "benchmarks/", ".github/", ".ci/"))]
