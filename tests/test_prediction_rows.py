"""Which random effects the rows of a prediction know, and which they do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import clinic
from mixedmodels.predictions.prediction_rows import rows_of
from mixedmodels.predictions.re_form import effects_named

NEW = {"therapy_sessions": [1.0, 2.0, 3.0, 4.0], "clinic": ["1", None, "new", "1"]}


def rows(re_form: Any, newdata: Any = NEW, left_out: bool = True) -> Any:
    m = clinic.fit(clinic.SLOPES)
    used = effects_named(m, re_form)
    return rows_of(m, newdata, used, left_out=left_out, allow_new_levels=True)


COLUMNS = np.column_stack([np.ones(4), NEW["therapy_sessions"]])


@pytest.mark.parametrize(
    ("re_form", "used"), [(None, [1, 1]), ("~ (1 | clinic)", [1, 0]), ("NA", [0, 0])]
)
def test_an_effect_is_known_or_not(re_form: Any, used: list[int]) -> None:
    """Every column counts in one of the two: known in rows of a level, if `re_form` names it."""
    r = rows(re_form)
    level = np.array([True, False, False, True])
    if any(used):
        (known,) = r.known
        np.testing.assert_array_equal(known.codes >= 0, level)
        np.testing.assert_array_equal(known.columns, COLUMNS * used)
        known_part = known.columns * level[:, None]
    else:
        assert r.known == []
        known_part = 0.0
    np.testing.assert_array_equal(known_part + r.unknown[0], COLUMNS)


def test_columns_of_terms_left_out_are_read_on_demand() -> None:
    assert rows("NA", {"therapy_sessions": [1.0]}, left_out=False).unknown == {}
    np.testing.assert_array_equal(rows("NA", {"therapy_sessions": [2.0]}).unknown[0], [[1.0, 2.0]])


def test_rows_of_the_fit_all_have_a_level() -> None:
    r = rows(None, None)
    assert r.has_level[0].all()
    assert not r.unknown[0].any()
    assert not rows("NA", None).has_level[0].any()


def test_groups_that_belong_together() -> None:
    """Rows of a missing group are on their own."""
    groups = rows("NA").groups(0)
    assert groups[0] == groups[3]
    assert len(set(groups.tolist())) == 3
    own = rows(None, None).groups(0)
    assert len(np.unique(own)) == 15
    assert clinic.data()["clinic"].groupby(own).nunique().max() == 1
