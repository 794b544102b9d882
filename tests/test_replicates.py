"""Replicates: the numbers they may have, their chunks, and the arrays of several chunks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
from mixedmodels.models.replicates import check_replicates, chunks, joined


@pytest.mark.parametrize("most", [None, 1, 3, 10, 11, 100])
def test_chunks_are_all_numbers_in_order(most: int | None) -> None:
    found = list(chunks(11, what="fits", progress=False, most=most))
    assert [k for chunk in found for k in chunk] == list(range(11))
    assert max(map(len, found)) <= min(11, most or 11)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((0, 1), "nsim is 0"),
        ((2.0, 1), "nsim is 2.0"),
        ((True, 1), "nsim is True"),
        ((2**32, 1), "nsim is 4294967296"),
        ((5, -1), "seed is -1"),
        ((5, 2**64), "seed is 18446744073709551616"),
        ((5, 1, -1), "offset is -1"),
        ((5, 1, 2**32 - 5), "offset is 4294967291"),
    ],
)
def test_numbers_out_of_range(arguments: Any, named: str) -> None:
    with pytest.raises(mm.errors.ArgumentError, match=named):
        check_replicates(*arguments)


def test_the_ends_of_the_range() -> None:
    check_replicates(1, 0)
    check_replicates(np.int64(2**32 - 1), 2**64 - 1)
    check_replicates(5, 1, 2**32 - 6)


def test_arrays_of_chunks_follow_each_other() -> None:
    parts = [
        {"beta": np.array([[1.0], [2.0]]), "messages": ["", "failed"]},
        {"beta": np.array([[3.0]]), "messages": [""]},
    ]
    whole = joined(parts)
    np.testing.assert_array_equal(whole["beta"], [[1.0], [2.0], [3.0]])
    assert whole["messages"] == ["", "failed", ""]
