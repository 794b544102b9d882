"""The kernel called directly: wrong indices, lengths, codes and layouts raise; they never panic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
from mixedmodels import _core

N = 60
ONE: Any = ([], [])
X: Any = ([0], [])


def arguments(**changed: Any) -> dict[str, Any]:
    """y ~ x + (x | g) + (1 | h)."""
    r = np.random.default_rng(4)
    g, h = (r.integers(0, levels, N).astype(np.int32) for levels in (8, 5))
    x = r.normal(size=N)
    y = 1 + x + r.normal(size=8)[g] + r.normal(size=N)
    given = {
        "n_table": N,
        "rows": None,
        "numeric": [x],
        "codes": [h],
        "fixed": [ONE, X],
        "groups": [(g, 8), (h, 5)],
        "terms": [(0, [ONE, X]), (1, [ONE])],
        "response": y,
        "weights": None,
        "offset": None,
        "constant": np.array([1.0, 0.0]),
    }
    return given | changed


def fit(**changed: Any) -> Any:
    return _core.Design(**arguments(**changed)).fit(reml=True)


def codes(k: int) -> Any:
    return arguments()["groups"][k][0]


BAD: dict[str, Callable[[], Any]] = {
    "numeric source beyond the last": lambda: fit(fixed=[([7], [])]),
    "code source beyond the last": lambda: fit(fixed=[([], [(7, np.ones(5))])]),
    "table shorter than the codes": lambda: fit(fixed=[([], [(0, np.ones(2))])], constant=None),
    "short column": lambda: fit(numeric=[np.ones(N - 1)]),
    "short codes": lambda: fit(groups=[(codes(0)[1:], 8), (codes(1), 5)]),
    "code beyond the levels": lambda: fit(groups=[(codes(0), 3), (codes(1), 5)]),
    "negative code": lambda: fit(groups=[(codes(0) - 1, 8), (codes(1), 5)]),
    "no levels": lambda: fit(groups=[(codes(0), 0), (codes(1), 5)]),
    "more levels than codes can name": lambda: fit(groups=[(codes(0), 2**60), (codes(1), 5)]),
    "group of a term beyond the last": lambda: fit(terms=[(2, [ONE])]),
    "term without columns": lambda: fit(terms=[(0, [])]),
    "row beyond the table": lambda: fit(rows=np.array([0, N], dtype=np.uint32)),
    "no row": lambda: fit(rows=np.array([], dtype=np.uint32)),
    "constant of another length": lambda: fit(constant=np.ones(5)),
    "no response": lambda: fit(response=None),
    "time limit below zero": lambda: _core.Design(**arguments()).fit(reml=True, time_limit=-1.0),
    "theta of another length": lambda: fit().objective(np.zeros(3)),
    "theta not a number": lambda: fit().gradient(np.full(4, np.nan)),
    "refit with another length": lambda: fit().refit(np.ones(N - 1)),
    "prediction beyond the levels": lambda: _core.Design(
        **arguments(groups=[(codes(0) + 1, 8), (codes(1), 5)])
    ).linear_predictor(np.zeros(2), fit().modes),
}


@pytest.mark.parametrize("case", BAD)
def test_wrong_arguments_are_data_errors(case: str) -> None:
    with pytest.raises(mm.DataError):
        BAD[case]()


def test_levels_that_memory_cannot_hold() -> None:
    with pytest.raises(MemoryError):
        fit(groups=[(codes(0), 2**31 - 1), (codes(1), 5)])


def field(values: Any) -> Any:
    """The values as a field of a structured array: neither aligned nor in whole strides."""
    table = np.zeros(len(values), dtype=[("before", "i1"), ("own", values.dtype), ("after", "i2")])
    table["own"] = values
    return table["own"]


LAYOUTS: dict[str, Callable[[Any], Any]] = {
    "field of a structured array": field,
    "every third": lambda values: np.repeat(values, 3)[::3],
    "backwards": lambda values: values[::-1].copy()[::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layout_of_arrays_does_not_matter(layout: str) -> None:
    place, plain = LAYOUTS[layout], arguments()
    moved = {
        "numeric": [place(plain["numeric"][0])],
        "groups": [(place(codes), levels) for codes, levels in plain["groups"]],
        "response": place(plain["response"]),
        "constant": place(plain["constant"]),
        "rows": place(np.arange(N, dtype=np.uint32)),
        "weights": place(np.ones(N)),
    }
    m = fit(**moved)
    assert m.criterion == fit(weights=np.ones(N)).criterion
    assert m.objective(place(m.theta)) == m.objective(m.theta)
    assert m.refit(place(plain["response"])).theta == pytest.approx(m.theta, abs=1e-9)
