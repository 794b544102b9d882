"""The kernel inside other programs: fork, spawn, threads, signals, limits; the same bits always."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data
from cases import one_factor
from mixedmodels import _core

Bits = list[bytes]
pytestmark = pytest.mark.alone
posix = pytest.mark.skipif(os.name != "posix", reason="fork and POSIX signals")
linux = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="affinity is Linux's")


def small_fit(seed: int = 0) -> float:
    """A fit big enough to use the thread pool."""
    return float(mm.lmer("y ~ x1 + (1 + x1 | g)", one_factor(20_000, 500)).reml_criterion)


def bits(m: Any) -> Bits:
    """Criterion, θ, β, and all conditional modes, byte by byte."""
    modes = [frame.to_numpy() for frame in m.ranef().values()]
    arrays = [np.float64(m.reml_criterion), m.theta, m.fixef.to_numpy(), m.vcov.to_numpy(), *modes]
    return [np.ascontiguousarray(array).tobytes() for array in arrays]


# Processes and threads ---------------------------------------------------------------------------


def in_fork(work: Callable[[], bool], seconds: float = 60) -> bool:
    """True if `work` returns True in a forked child in time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # fork in a process with threads
        child = os.fork()
    if child == 0:
        try:
            os._exit(0 if work() else 1)
        except BaseException:
            os._exit(2)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return False


@posix
def test_fit_after_fork() -> None:
    expected = small_fit()  # the parent's threads exist before the fork
    assert in_fork(lambda: small_fit() == expected)
    assert in_fork(lambda: in_fork(lambda: small_fit() == expected))  # and again
    assert small_fit() == expected


@posix
def test_fork_while_another_thread_fits() -> None:
    expected = small_fit()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(lambda: [small_fit() for _ in range(5)])
        time.sleep(0.05)
        assert in_fork(lambda: small_fit() == expected)
        assert set(running.result()) == {expected}


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_worker_processes(method: str) -> None:
    expected = small_fit()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with multiprocessing.get_context(method).Pool(2) as pool:
            results = pool.map_async(small_fit, range(4)).get(timeout=120)
    assert set(results) == {expected}


def test_several_python_threads() -> None:
    expected = small_fit()
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(small_fit, range(12))) == {expected}


def test_the_interpreter_runs_on_during_a_fit() -> None:
    """The global interpreter lock is released."""
    data = one_factor(200_000, 20_000)
    with ThreadPoolExecutor(1) as pool:
        fit = pool.submit(mm.lmer, "y ~ x1 + x2 + (1 + x1 | g)", data)
        ticks = [time.perf_counter()]
        while not fit.done():
            time.sleep(0.001)
            ticks.append(time.perf_counter())
    assert np.max(np.diff(ticks)) < 0.2


# The same bits -----------------------------------------------------------------------------------

EXAMPLES: dict[str, tuple[str, Callable[[], pd.DataFrame]]] = {
    "crossed": (
        "y ~ service + (1 | s) + (1 | d) + (1 | dept)",
        lambda: reference_data.load("InstEval"),
    ),
    "one factor": ("y ~ x1 + x2 + (1 + x1 | g)", lambda: one_factor(200_000, 5_000)),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_bits_do_not_depend_on_threads(example: str) -> None:
    formula, make = EXAMPLES[example]
    data = make()
    results = [bits(mm.lmer(formula, data, n_threads=threads)) for threads in (1, 2, 3, 2, 1)]
    assert all(result == results[0] for result in results)


def test_bits_do_not_depend_on_the_process() -> None:
    code = "import test_embedding as t; print(t.small_fit().hex())"
    found = {run(code, MIXEDMODELS_NUM_THREADS=str(threads)) for threads in (1, 2, 5)}
    assert found == {small_fit().hex()}


# Signals, limits ---------------------------------------------------------------------------------


def run(code: str, **environment: str) -> str:
    """What `code` prints in a fresh interpreter that can import these tests."""
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def long_data() -> pd.DataFrame:
    """Two crossed factors with slopes: seconds for one evaluation, in one 4,000² factorisation."""
    r = np.random.default_rng(2)
    n = 60_000
    u, i = r.integers(0, 6_000, n), r.integers(0, 2_000, n)
    x = r.normal(size=n)
    y = x + r.normal(size=6_000)[u] + r.normal(size=2_000)[i] * (1 + x) + r.normal(size=n)
    return pd.DataFrame({"y": y, "x": x, "u": u, "i": i})


def interrupted_fit(delay: float) -> tuple[float, float]:
    """Seconds from SIGINT to KeyboardInterrupt, and processor seconds in the half second after."""
    import threading

    data = long_data()
    small_fit()
    sent: list[float] = []

    def interrupt() -> None:
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(delay, interrupt)
    timer.start()
    try:
        mm.lmer("y ~ x + (1 + x | u) + (1 + x | i)", data)
    except KeyboardInterrupt:
        latency = time.perf_counter() - sent[0]
    else:
        raise AssertionError("the fit was over before the signal")
    busy = time.process_time()
    time.sleep(0.5)
    busy = time.process_time() - busy
    small_fit()  # no damage
    return latency, busy


@posix
@pytest.mark.parametrize("delay", [0.05, 0.3, 1.0, 2.0])
def test_interrupt(delay: float) -> None:
    code = f"import test_embedding as t; print(*t.interrupted_fit({delay}))"
    for _ in range(3):  # other programs on the machine can only add to it
        latency, busy = map(float, run(code).split())
        print(f"signal at {delay} s: KeyboardInterrupt after {latency * 1e3:.0f} ms")
        assert busy < 0.05
        if latency < 0.1:
            return
    raise AssertionError(f"KeyboardInterrupt came after {latency * 1e3:.0f} ms")


@linux
def test_default_threads_respect_affinity() -> None:
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
        "from mixedmodels import _core; print(_core.default_threads())"
    )
    assert run(code, MIXEDMODELS_NUM_THREADS="") == "1"


def test_default_threads_respect_the_environment() -> None:
    code = "from mixedmodels import _core; print(_core.default_threads())"
    assert run(code, MIXEDMODELS_NUM_THREADS="3") == "3"
    assert _core.default_threads() >= 1


def test_too_large_a_model_is_refused_before_it_is_tried() -> None:
    """A factor of two crossed factors with 200,000 levels each would need hundreds of gigabytes."""
    r = np.random.default_rng(0)
    n, levels = 1_000_000, 200_000
    data = pd.DataFrame(
        {
            "y": r.normal(size=n),
            "u": r.integers(0, levels, n),
            "i": r.integers(0, levels, n),
        }
    )
    with pytest.raises(mm.InsufficientMemoryError, match=r"GB|GiB") as caught:
        mm.lmer("y ~ 1 + (1 | u) + (1 | i)", data)
    assert isinstance(caught.value, MemoryError)
    assert isinstance(caught.value, mm.MixedModelsError)


def test_time_limit() -> None:
    start = time.perf_counter()
    with pytest.warns(mm.ConvergenceWarning):
        m = mm.lmer(
            "y ~ x + (1 + x | u) + (1 + x | i)",
            long_data(),
            control=mm.Control(time_limit=0.5),
        )
    assert not m.converged
    assert time.perf_counter() - start < 30  # an evaluation that has begun is finished
