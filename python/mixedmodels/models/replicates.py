"""Replicates: which numbers they may have, their chunks, so that a progress bar can move and memory
stays bounded, and the kernel's arrays of them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError

if TYPE_CHECKING:
    from .fitted import FittedModel

__all__ = ["check_replicates", "chunks", "joined", "own_estimates"]

MOST = 2**32 - 1  # replicates are numbered by 32 bits
FIRST = 64  # replicates before the speed is known
SECONDS = 0.5  # what a chunk is to take
QUIET = 1.0  # seconds before a bar appears


def check_replicates(nsim: int, seed: int, offset: int = 0) -> None:
    """Refuse numbers of replicates, seeds and offsets that are out of range."""
    _check_whole("nsim", nsim, 1, MOST)
    _check_whole("seed", seed, 0, 2**64 - 1)
    _check_whole("offset", offset, 0, MOST - nsim)


def _check_whole(name: str, value: int, least: int, most: int) -> None:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (whole and least <= value <= most):
        raise ArgumentError(f"{name} is {value!r}; expected a whole number from {least} to {most}")


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


def own_estimates(model: FittedModel) -> dict[str, Any]:
    """The model's own estimates in the shape of the kernel's arrays of many fits."""
    fit = model._fit
    return {
        "theta": np.array(fit.theta)[None, :],
        "beta": np.array(fit.beta)[None, :],
        "sigma": np.array([fit.sigma]),
        "dispersion": np.array([getattr(fit, "dispersion", np.nan)]),
    }


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """The kernel's arrays of chunks, one after the other."""
    messages = [message for part in parts for message in part["messages"]]
    arrays = parts[0].keys() - {"messages"}
    joined = {name: np.concatenate([part[name] for part in parts]) for name in arrays}
    return {**joined, "messages": messages}
