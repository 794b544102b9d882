"""What `cluster=` can be, as `m.vcov_robust` takes it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import clinic
import mixedmodels as mm
import reference_data


def test_ways_to_give_clusters() -> None:
    d = clinic.data().assign(centre=lambda d: d["clinic"].astype(str) + "!")
    d.loc[d.index[:7], "anxiety"] = np.nan
    with pytest.warns(mm.MissingDataWarning):
        m = mm.lmer(clinic.INTERCEPTS, d)
    expected = m.vcov_robust()
    assert expected.cluster == "clinic"
    for cluster in (
        "clinic",
        "centre",
        d["centre"],
        d["centre"].iloc[7:],
        d["clinic"].cat.codes.to_numpy(),
        d["centre"].tolist(),
    ):
        robust = m.vcov_robust("CR2", cluster)
        np.testing.assert_allclose(robust.vcov, expected.vcov, rtol=1e-9)
        np.testing.assert_allclose(robust.df, expected.df, rtol=1e-9)


def test_tables_of_other_kinds() -> None:
    d = clinic.data()
    table = {"y": d["anxiety"].to_numpy(), "x": d["therapy_sessions"].to_numpy()}
    o = mm.lm("y ~ x", table | {"g": d["clinic"].astype(str).to_numpy()})
    expected = clinic.ordinary().vcov_robust("CR1", "clinic").vcov
    np.testing.assert_allclose(o.vcov_robust("CR1", "g").vcov, expected)


def test_interaction_as_a_grouping_factor() -> None:
    d = reference_data.load("Pastes")
    m = mm.lmer("strength ~ 1 + (1 | batch/cask)", d)
    fine = m.vcov_robust("CR0", "cask:batch")
    assert fine.n_clusters == 30
    assert m.vcov_robust().cluster == "batch"
    labels = d["batch"].astype(str) + d["cask"].astype(str)
    np.testing.assert_allclose(fine.vcov, m.vcov_robust("CR0", labels).vcov)


def penicillin() -> Any:
    d = reference_data.load("Penicillin")
    return mm.lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", d)


def with_missing() -> Any:
    return mm.lm(clinic.FIXED, clinic.data().assign(g=[None, *"ab" * 149, "a"]))


REFUSED: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "no clusters of a regression": (
        lambda: clinic.ordinary().vcov_robust(),
        mm.ArgumentError,
        "no grouping factor",
    ),
    "crossed factors": (lambda: penicillin().vcov_robust(), mm.ArgumentError, "cross"),
    "CR2 of crossed factors": (
        lambda: penicillin().vcov_robust("CR2", "sample"),
        mm.ArgumentError,
        "'plate' has levels .* more than one cluster of sample",
    ),
    "CR2 of clusters within groups": (
        lambda: clinic.fit(clinic.INTERCEPTS).vcov_robust("CR2", "patient_id"),
        mm.ArgumentError,
        "'clinic' has levels",
    ),
    "another type": (
        lambda: clinic.ordinary().vcov_robust("HC3", "clinic"),
        mm.ArgumentError,
        "CR0, CR1, CR2",
    ),
    "a column that is not there": (
        lambda: clinic.ordinary().vcov_robust("CR0", "clinc"),
        mm.DataError,
        "did you mean 'clinic'",
    ),
    "one cluster": (
        lambda: clinic.ordinary().vcov_robust("CR0", np.ones(300)),
        mm.DataError,
        "at least 2",
    ),
    "a label missing": (
        lambda: with_missing().vcov_robust("CR0", "g"),
        mm.DataError,
        "g is missing in row 0",
    ),
    "too few labels": (
        lambda: clinic.ordinary().vcov_robust("CR0", np.arange(299)),
        mm.DataError,
        "299 values; expected 300",
    ),
    "a matrix of labels": (
        lambda: clinic.ordinary().vcov_robust("CR0", np.ones((300, 2))),
        mm.ArgumentError,
        "2 dimensions",
    ),
    "a column where there is no table": (
        lambda: mm.lmer_arrays(
            clinic.data()["anxiety"], np.ones(300), [(np.ones(300), clinic.data()["clinic"])]
        ).vcov_robust("CR0", "ward"),
        mm.ArgumentError,
        "fitted from arrays",
    ),
    "no fixed effects": (
        lambda: mm.lmer("anxiety ~ 0 + (1 | clinic)", clinic.data()).vcov_robust(),
        mm.ArgumentError,
        "no fixed effects",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    call, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        call()
