"""Replicates in chunks, so that a progress bar can move and memory stays bounded."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

__all__ = ["chunks"]

FIRST = 64  # replicates before the speed is known
SECONDS = 0.5  # what a chunk is to take
QUIET = 1.0  # seconds before a bar appears


def chunks(total: int, *, what: str, progress: bool, most: int | None = None) -> Iterator[range]:
    """Cut replicates 0, ..., total − 1 into chunks, and show a bar of those that are done.

    The bar (tqdm) appears in a terminal, after a second, if `progress` is True.

    Parameters
    ----------
    what
        Said in front of the bar.
    most
        Largest chunk, where memory counts; None: any.
    """
    most = min(total, most or total)
    if not (progress and sys.stderr is not None and sys.stderr.isatty()):
        yield from (range(k, min(k + most, total)) for k in range(0, total, most))
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=what, unit=" fits", delay=QUIET, leave=False) as bar:
        done, size = 0, min(FIRST, most)
        while done < total:
            began = time.perf_counter()
            chunk = range(done, min(done + size, total))
            yield chunk
            bar.update(len(chunk))
            done = chunk.stop
            pace = len(chunk) / max(time.perf_counter() - began, 1e-6)
            size = min(max(int(pace * SECONDS), FIRST), most)
