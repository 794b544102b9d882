"""Lazy attributes: computed once, and without a lock that others could be left waiting for."""

from __future__ import annotations

import threading

from mixedmodels.lazy import lazy


class Counter:
    """Counts how often its value is computed."""

    def __init__(self) -> None:
        self.computed = 0
        self.hold: threading.Event | None = None
        self.entered = threading.Event()

    @lazy
    def value(self) -> int:
        """The value."""
        self.computed += 1
        self.entered.set()
        if self.hold is not None:
            self.hold.wait(10)
        return 7


def test_computed_once_and_kept() -> None:
    counter = Counter()
    assert (counter.value, counter.value, counter.computed) == (7, 7, 1)
    assert Counter.value.__doc__ == "The value."


def test_an_instance_does_not_wait_for_another_one() -> None:
    """functools.cached_property before Python 3.12 does; a forked child would wait forever."""
    slow, quick = Counter(), Counter()
    slow.hold = threading.Event()
    thread = threading.Thread(target=lambda: slow.value)
    thread.start()
    assert slow.entered.wait(10)
    done = threading.Event()
    threading.Thread(target=lambda: (quick.value, done.set())).start()
    assert done.wait(5)
    slow.hold.set()
    thread.join()
