"""What a long fit says while it runs."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType

from ..errors import ArgumentError

__all__ = ["Callback", "Progress"]

Callback = Callable[[int, float, float], object]
"""Called as callback(evaluation, criterion, decrement) after each accepted step."""

_QUIET = 1.0  # seconds before the line appears: a short fit prints nothing


class Progress:
    """Shows one line that rewrites itself, in a terminal, on fits longer than a second.

    With `verbose` every step is a line of its own, from the first. The caller's `callback` is
    called after each step in any case. Use as a context manager; `hook` is what the kernel gets
    (None where nobody listens, so that the kernel need not call Python at all).
    """

    def __init__(self, criterion: str, *, verbose: bool = False, callback: Callback | None = None):
        if not (callback is None or callable(callback)):
            raise ArgumentError(f"callback is {callback!r}; expected a function or None")
        self._criterion = criterion
        self._verbose = verbose
        self._callback = callback
        self._terminal = sys.stderr is not None and sys.stderr.isatty()
        self._began = time.perf_counter()
        self._width = 0
        self._open = False

    @property
    def hook(self) -> Callback | None:
        listens = self._verbose or self._terminal or self._callback is not None
        return self._step if listens else None

    def __enter__(self) -> Progress:
        self._began = time.perf_counter()
        self._open = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A refit of the model calls the same hook again, later: by then there is no line to show.
        self._open = False
        if self._width:
            print("\r" + " " * self._width + "\r", end="", file=sys.stderr, flush=True)

    def _step(self, evaluation: int, criterion: float, decrement: float) -> None:
        seconds = time.perf_counter() - self._began
        if self._open and (self._verbose or (self._terminal and seconds > _QUIET)):
            self._show(
                f"{evaluation:5d} evaluations, {self._criterion} {criterion:.4f}, {seconds:.1f} s"
            )
        if self._callback is not None:
            self._callback(evaluation, criterion, decrement)

    def _show(self, line: str) -> None:
        if self._verbose:
            print(line, file=sys.stderr, flush=True)
            return
        print("\r" + line.ljust(self._width), end="", file=sys.stderr, flush=True)
        self._width = len(line)
