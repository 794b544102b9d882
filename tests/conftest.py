from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

import reference_data


@pytest.fixture
def load_data() -> Callable[[str], pd.DataFrame]:
    """`load_data("sleepstudy")`: a data set of tests/reference with R's types and level order."""
    return reference_data.load
