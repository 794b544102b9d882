"""Speed and memory against other packages: `make bench`, or `python benchmarks/run.py --help`.

Each rival gets its own virtual environment under benchmarks/.venvs. Every fit is a process of its
own that imports, fits a tiny model (untimed), builds the data and then times the whole call, data
frame in, fitted model out. Packages take turns, and so do repetitions. Memory is the peak of the
resident set during the call minus the resident set just before it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cases import CASES, Case
from packages import TASKS

HERE = Path(__file__).resolve().parent
# lme4.R knows these; a bootstrap of 100,000 rows would take it hours.
LME4_TASKS = dict.fromkeys(TASKS, ()) | dict.fromkeys(
    ("profile", "bootstrap", "leverages", "influence"), ("lme4",)
)
RIVALS = {"glmm": ["glmm"], "mixedlm": ["mixedlm"], "statsmodels": ["statsmodels"]}


@dataclass
class Result:
    """What the repetitions of one package on one case gave."""

    runs: list[dict[str, float]] = field(default_factory=list)
    failure: str | None = None

    def middle(self, key: str) -> float | None:
        found = [run[key] for run in self.runs if run.get(key) is not None]
        return statistics.median(found) if found else None


def interpreter(package: str) -> list[str] | None:
    """The command that runs worker.py for this package, its environment made if need be."""
    if package == "mixedmodels":
        return [sys.executable]
    venv = HERE / ".venvs" / package
    python = venv / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not (venv / "installed").exists():
        print(f"installing {package} ...", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
        pip = [str(python), "-m", "pip", "install", "--quiet"]
        if subprocess.run([*pip, "numpy", "pandas", *RIVALS[package]]).returncode != 0:
            return None
        (venv / "installed").touch()
    return [str(python)]


def has_lme4() -> bool:
    if shutil.which("Rscript") is None:
        return False
    return subprocess.run(["Rscript", "-e", "library(lme4)"], capture_output=True).returncode == 0


def command(package: str, case: Case, scratch: Path) -> list[str] | None:
    if package != "lme4":
        python = interpreter(package)
        return python and [*python, str(HERE / "worker.py"), package, case.name]
    table = scratch / f"{case.name}.csv"
    if not table.exists():
        frame = case.data()
        # Codes of factors get a letter, so that R reads no numbers.
        factors = frame.select_dtypes("category").columns
        frame.assign(**{c: "L" + frame[c].astype(str) for c in factors}).to_csv(table, index=False)
    calls = str(case.calls if case.task == "fit" else 1)
    model = [case.formula, case.family or "gaussian", str(case.nAGQ)]
    return ["Rscript", str(HERE / "lme4.R"), str(table), *model, calls, case.task]


def run_once(words: list[str], result: Result, limit: float) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=limit, cwd=HERE)
    except subprocess.TimeoutExpired:
        result.failure = f"> {limit:.0f} s"
        return
    if done.returncode != 0:
        result.failure = "failed"
        print((done.stderr.strip().splitlines() or ["?"])[-1][:300], flush=True)
        return
    result.runs.append(json.loads(done.stdout.splitlines()[-1]))


def can(package: str, case: Case) -> bool:
    """Does the package fit the case and have its task?"""
    if case.task == "fit" or package in case.skip:
        return package not in case.skip
    return package in (LME4_TASKS[case.task] if package == "lme4" else TASKS[case.task])


def run_case(case: Case, packages: list[str], repeat: int, limit: float) -> dict[str, Result]:
    results = {package: Result() for package in packages if can(package, case)}
    with tempfile.TemporaryDirectory() as scratch:
        for repetition in range(repeat):
            order = list(results) if repetition % 2 == 0 else list(results)[::-1]
            for package in order:
                if results[package].failure or (
                    package == "lme4" and repetition and case.task != "fit"
                ):
                    continue  # a task takes lme4 seconds to minutes: once is enough
                words = command(package, case, Path(scratch))
                if words is None:
                    results[package].failure = "not installed"
                else:
                    run_once(words, results[package], limit)
                    shown = time_text(results[package].middle("seconds"))
                    print(f"  {case.name}: {package} {shown}", flush=True)
    return results


def time_text(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds * 1e3:.2f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def rows(case: Case, results: dict[str, Result]) -> list[list[str]]:
    ours = results["mixedmodels"].middle("seconds") if "mixedmodels" in results else None
    table = []
    for package, result in results.items():
        seconds, memory = result.middle("seconds"), result.middle("memory")
        criterion = result.middle("criterion")
        ratio = seconds / ours if seconds is not None and ours else None
        table.append(
            [
                case.name,
                package,
                result.failure or time_text(seconds),
                "-" if ratio is None else f"{ratio:.2f}",
                "-" if memory is None else f"{memory / 2**20:.0f} MB",
                "-" if criterion is None else f"{criterion:.5f}",
            ]
        )
    return table


def overview(table: list[list[str]], packages: list[str]) -> str:
    """One row a case, as in the README: time, ratio to ours, memory."""
    cases = list(dict.fromkeys(row[0] for row in table))
    cell = {(row[0], row[1]): f"{row[2]} ({row[3]} ×), {row[4]}" for row in table}
    ours = {(row[0], row[1]): f"{row[2]}, {row[4]}" for row in table if row[1] == "mixedmodels"}
    lines = [["case", *packages], ["---", *["--:"] * len(packages)]]
    for case in cases:
        found = [(cell | ours).get((case, package), "-") for package in packages]
        lines.append([case, *found])
    return markdown_lines(lines)


def import_seconds(repeat: int = 9) -> float:
    """Median time to import `lmer` (public names load on first use) once pandas is there."""
    code = "import pandas, time; t = time.perf_counter(); from mixedmodels import lmer"
    code += "; print(time.perf_counter() - t)"
    words = [sys.executable, "-c", code]
    runs = [subprocess.run(words, capture_output=True, check=True) for _ in range(repeat)]
    return statistics.median(float(run.stdout) for run in runs)


def markdown(table: list[list[str]]) -> str:
    header = ["case", "package", "time", "times ours", "memory", "criterion"]
    return markdown_lines([header, ["---", "---", "--:", "--:", "--:", "--:"], *table])


def markdown_lines(lines: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    cpu = names[0] if names else platform.processor() or platform.machine()
    usable = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if usable else os.cpu_count()
    return f"{cpu}, {cores} cores, {platform.system()}, Python {platform.python_version()}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--packages", nargs="+", default=["mixedmodels", *RIVALS, "lme4"])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--limit", type=float, default=120, help="seconds for one process")
    parser.add_argument("--output", type=Path, default=HERE / "results" / "latest.md")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    packages = [p for p in options.packages if p != "lme4" or has_lme4()]
    table = []
    for name in options.cases:
        results = run_case(CASES[name], packages, options.repeat, options.limit)
        table += rows(CASES[name], results)
    text = f"{machine()}\n\n{markdown(table)}\n{overview(table, packages)}"
    if "mixedmodels" in packages:
        text += f"\n`from mixedmodels import lmer` after pandas: {time_text(import_seconds())}\n"
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(text, encoding="utf-8")
    print("\n" + text)


if __name__ == "__main__":
    main()
