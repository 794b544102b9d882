"""One package, one case, one process: prints one JSON line. Run by run.py in the package's venv."""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from pathlib import Path

import packages
from cases import CASES

STATUS = Path("/proc/self/status")


def memory(field: str) -> int | None:
    """VmRSS or VmHWM in bytes; None where the system does not tell."""
    if not STATUS.exists():
        return None
    return next(
        int(line.split()[1]) * 1024
        for line in STATUS.read_text().splitlines()
        if line.startswith(field)
    )


def reset_peak() -> None:
    clear = Path("/proc/self/clear_refs")
    if clear.exists():
        clear.write_text("5")


def measure(package: str, case_name: str) -> dict[str, float | None]:
    case, fit = CASES[case_name], packages.FIT[package]
    packages.quiet()
    tiny = CASES["sleepstudy" if case.family is None else "grouseticks"]
    fit(tiny, tiny.data())  # imports, thread pools, first-use costs: not timed
    frame = case.data()
    task, model = packages.TASKS.get(case.task, {}).get(package), None
    if task is not None:
        model, _ = fit(case, frame)
        task(model, case, frame)
    gc.collect()
    reset_peak()
    before, seconds, criterion = memory("VmRSS"), [], None
    for _ in range(case.calls):
        start = time.perf_counter()
        if task is not None:
            task(model, case, frame)
        else:
            _, criterion = fit(case, frame)
        seconds.append(time.perf_counter() - start)
    peak = memory("VmHWM")
    return {
        "seconds": statistics.median(seconds),
        "memory": None if before is None or peak is None else peak - before,
        "criterion": criterion,
        "data": int(frame.memory_usage(index=False).sum()),
    }


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1], sys.argv[2])))
