"""Bad input, end to end: a typed error that says what and where, or a right result with a warning.

Never a panic, a hang or a silent number.  What formulas and frames alone refuse is in
test_formula.py and test_model_frame.py; here every case goes through a fit or `predict`.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm

N = 60


def table(**changed: Any) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    g = np.repeat(np.arange(12), 5)
    x = rng.normal(size=N)
    y = 2.0 + 0.5 * x + rng.normal(size=12)[g] + rng.normal(size=N)
    s = np.where(g % 2 == 0, "a", "b")
    return pd.DataFrame({"y": y, "x": x, "g": g, "s": s}).assign(**changed)


def fit(formula: str = "y ~ x + (1 | g)", data: Any = None, **rest: Any) -> Any:
    return mm.lmer(formula, table() if data is None else data, **rest)


def set_value(column: str, row: int, value: float) -> pd.DataFrame:
    data = table()
    data.loc[row, column] = value
    return data


def polars_with(column: Callable[[Any], Any]) -> Any:
    pl = pytest.importorskip("polars", minversion="1.18")
    return pl.from_pandas(table()).with_columns(column(pl))


# What is done → (the error, words of its message).
ERRORS: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "empty frame": (lambda: fit(data=pd.DataFrame()), mm.DataError, "no rows"),
    "frame without rows": (lambda: fit(data=table().iloc[:0]), mm.DataError, "no rows"),
    "no rows left": (lambda: fit(data=table(x=np.nan)), mm.DataError, "no row is left.*x: 60"),
    "missing column": (lambda: fit("y ~ X + (1 | g)"), mm.DataError, "'X' is not in.*mean 'x'"),
    "missing group": (lambda: fit("y ~ x + (1 | gg)"), mm.DataError, "'gg' is not in.*mean 'g'"),
    "unbalanced parentheses": (lambda: fit("y ~ x + (1 | g"), mm.FormulaError, "never closed"),
    "unknown function": (
        lambda: fit("y ~ foo(x) + (1 | g)"),
        mm.FormulaError,
        "'foo' is not one a formula may call",
    ),
    "code in a formula": (
        lambda: fit("y ~ __import__('os').system('true') + (1 | g)"),
        mm.FormulaError,
        "an operator is missing",
    ),
    "no random term": (lambda: fit("y ~ x"), mm.FormulaError, "mm.lm"),
    "random term in lm": (
        lambda: mm.lm("y ~ x + (1 | g)", table()),
        mm.FormulaError,
        "mm.lmer",
    ),
    "no response": (lambda: fit("~ x + (1 | g)"), mm.FormulaError, "no response"),
    "one group": (lambda: fit(data=table(g=1)), mm.DataError, "'g' has one level"),
    "every row a group": (
        lambda: fit(data=table(g=np.arange(N))),
        mm.DataError,
        "own by 'g'",
    ),
    "more random effects than rows": (
        lambda: fit("y ~ x + (poly(x, 5) | g)"),
        mm.DataError,
        "72 effects for 60 rows",
    ),
    "constant response": (lambda: fit(data=table(y=3.5)), mm.DataError, "3.5 in every row"),
    "string response": (lambda: fit("s ~ x + (1 | g)"), mm.DataError, "response 's' is text"),
    "categorical response": (
        lambda: fit("s ~ x + (1 | g)", table(s=pd.Categorical(table()["s"]))),
        mm.DataError,
        "categorical",
    ),
    "two responses": (lambda: fit("cbind(y, x) ~ (1 | g)"), mm.DataError, "several columns"),
    "infinite response": (
        lambda: fit(data=set_value("y", 7, np.inf)),
        mm.DataError,
        "'y' is infinite in row 7",
    ),
    "infinite predictor": (
        lambda: fit(data=set_value("x", 3, -np.inf)),
        mm.DataError,
        "'x' is -infinite in row 3",
    ),
    "missing value refused": (
        lambda: fit(data=set_value("x", 3, np.nan), na_action="raise"),
        mm.DataError,
        "first in row 3",
    ),
    "duplicate column names": (
        lambda: fit(data=pd.concat([table(), table()[["x"]]], axis=1)),
        mm.DataError,
        "2 columns called 'x'",
    ),
    "negative weights": (
        lambda: fit(weights=np.where(np.arange(N) == 4, -1.0, 1.0)),
        mm.DataError,
        "row 4 is -1",
    ),
    "weights all zero": (lambda: fit(weights=np.zeros(N)), mm.DataError, "every weight is zero"),
    "infinite weights": (
        lambda: fit(weights=np.full(N, np.inf)),
        mm.DataError,
        "'weights' is infinite",
    ),
    "weights of another length": (lambda: fit(weights=[1.0]), mm.DataError, "1 values.*60 rows"),
    "offset of another length": (lambda: fit(offset=[1.0]), mm.DataError, "1 values.*60 rows"),
    "columns of unequal length": (
        lambda: fit(data={"y": [1.0, 2.0], "x": [1.0], "g": [1, 2]}),
        mm.DataError,
        "equally long",
    ),
    "1e308": (
        lambda: fit(data=table(y=table()["y"] * 1e307)),
        mm.DataError,
        "largest absolute value of 'y'.*another unit",
    ),
    "1e-308": (
        lambda: fit(data=table(x=table()["x"] * 1e-300)),
        mm.DataError,
        "largest absolute value of 'x'.*another unit",
    ),
    "lists as groups": (
        lambda: fit(data=polars_with(lambda pl: pl.concat_list("g", "g").alias("g"))),
        mm.DataError,
        "'g' cannot be used as a factor",
    ),
    "structs as a predictor": (
        lambda: fit(data=polars_with(lambda pl: pl.struct("y", "g").alias("x"))),
        mm.DataError,
        "'x' is not numeric",
    ),
    "numbers that numpy does not have": (
        lambda: fit(data=polars_with(lambda pl: pl.col("g").cast(pl.Int128).alias("x"))),
        mm.DataError,
        "'x' cannot be read as numbers",
    ),
    "a list as data": (lambda: fit(data=[1, 2]), mm.DataError, "expected a pandas"),
    "a factor of one level": (
        lambda: fit("y ~ s + (1 | g)", table(s="a")),
        mm.DataError,
        "factor 's' has 1 level",
    ),
    "unknown contrast": (
        lambda: fit("y ~ s + (1 | g)", contrasts={"s": "simple"}),
        mm.FormulaError,
        "'simple'",
    ),
    "contrasts without factors": (
        lambda: fit("y ~ s + (1 | g)", contrasts="sum"),
        mm.ArgumentError,
        "a coding by factor",
    ),
    "context without names": (lambda: fit(context=[abs]), mm.ArgumentError, "functions by name"),
    "control by name": (lambda: fit(control="bfgs"), mm.ArgumentError, "mm.Control"),
    "criterion by name": (lambda: fit(REML="no"), mm.ArgumentError, "True or False"),
    "no threads": (lambda: fit(n_threads=0), mm.ArgumentError, "at least 1"),
    "threads as a switch": (lambda: fit(n_threads=True), mm.ArgumentError, "whole number"),
    "threads in words": (lambda: fit(n_threads="two"), mm.ArgumentError, "whole number"),
    "callback that is none": (lambda: fit(callback=3), mm.ArgumentError, "a function"),
    "arrays without terms": (
        lambda: mm.lmer_arrays(table()["y"], table()[["x"]], None),
        mm.DataError,
        "no random-effects term",
    ),
    "response on both sides": (lambda: fit("y ~ y + (1 | g)"), mm.FormulaError, "remove it"),
    "constant predictor in I()": (
        lambda: fit("y ~ I(2) + (1 | g)"),
        mm.FormulaError,
        "expected an expression in a column",
    ),
    "contrast of a number": (
        lambda: fit("y ~ x + (1 | g)", contrasts={"x": "sum"}),
        mm.DataError,
        "not a factor",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_refused(case: str) -> None:
    make, error, words = ERRORS[case]
    with pytest.raises(error, match=words) as caught:
        make()
    assert isinstance(caught.value, mm.MixedModelsError)
    assert isinstance(caught.value, ValueError)


def test_saturated_groups_can_be_asked_for() -> None:
    control = mm.Control(allow_saturated=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m = fit(data=table(g=np.arange(N)), control=control)
    assert np.isfinite(m.sigma)


# --- accepted: right, and where something is unusual a warning says so ----------------------------


def agree(a: Any, b: Any, relative: float = 1e-6) -> None:
    assert a.reml_criterion == pytest.approx(b.reml_criterion, rel=relative)
    assert a.fixef.to_numpy() == pytest.approx(b.fixef.to_numpy(), rel=1e-5, abs=1e-9)


def test_boolean_and_nullable_columns_are_numbers() -> None:
    t = table()["x"] > 0
    whole = (table()["x"] * 10).round().astype(int)
    agree(fit("t ~ x + (1 | g)", table(t=t)), fit("t ~ x + (1 | g)", table(t=t.astype(float))))
    m = fit("y ~ t + (1 | g)", table(t=t))
    assert list(m.fixef.index) == ["(Intercept)", "tTRUE"]
    agree(
        fit("y ~ k + (1 | g)", table(k=whole.astype("Int64"))),
        fit("y ~ k + (1 | g)", table(k=whole.astype(float))),
    )


def test_missing_values_are_dropped_with_a_warning() -> None:
    data = table(x=pd.array([None, *table()["x"][1:]], dtype="Float64"))
    data.loc[5, "y"] = np.nan
    with pytest.warns(mm.MissingDataWarning, match="2 of 60 rows dropped"):
        m = fit(data=data)
    assert m.nobs == 58
    assert dict(m.missing) == {"y": 1, "x": 1}
    agree(m, fit(data=table().drop(index=[0, 5])))


def test_zero_weights_drop_their_rows() -> None:
    weights = np.ones(N)
    weights[[1, 2]] = 0
    with pytest.warns(mm.MissingDataWarning, match="2 of 60 rows dropped: weight 0"):
        m = fit(weights=weights)
    agree(m, fit(data=table().drop(index=[1, 2])))


@pytest.mark.parametrize(
    ("formula", "changed", "dropped"),
    [
        ("y ~ x + c + (1 | g)", {"c": 5.0}, "c"),
        ("y ~ x + c + (1 | g)", {"c": table()["x"] * 2 + 1}, "c"),
        ("y ~ x + b + (1 | g)", {"b": True}, "bTRUE"),
    ],
    ids=["constant", "duplicated", "boolean that is always true"],
)
def test_redundant_predictors_are_dropped(formula: str, changed: Any, dropped: str) -> None:
    with pytest.warns(mm.RankDeficiencyWarning, match=dropped):
        m = fit(formula, table(**changed))
    assert np.isnan(m.fixef[dropped])
    agree_to = fit()
    assert m.reml_criterion == pytest.approx(agree_to.reml_criterion, rel=1e-7)


def test_groups_of_any_type_agree() -> None:
    g = table()["g"]
    reference = fit()
    for kind in (
        g.astype(str),
        g.astype(float),
        g.astype(np.float16),
        pd.Categorical(g, categories=list(range(20))[::-1]),
        pd.Timestamp("2024-01-01") + pd.to_timedelta(g, unit="D"),
        g.astype("Int64"),
        [("level", int(v)) for v in g],
    ):
        m = fit(data=table(g=kind))
        agree(m, reference)
        assert m.ngroups == {"g": 12}


def outcome(make: Callable[[], Any]) -> str:
    """ "error" for a typed one, "warning" for a fit that warns, "finite" for one that does not."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            m = make()
        except mm.InternalError:
            raise
        except mm.MixedModelsError:
            return "error"
    if any(issubclass(w.category, UserWarning) for w in caught):
        return "warning"
    assert np.isfinite(m.fixef).all()
    assert np.isfinite(m.bse).all()
    assert np.isfinite(m.sigma)
    return "finite"


# Models with a variance that the data say nothing about, and the term it belongs to.
FLAT: dict[str, tuple[Callable[[], Any], str]] = {
    "group also fixed": (lambda: fit("y ~ factor(g) + (1 | g)"), "(1 | g)"),
    "group also fixed, crossed": (
        lambda: fit("y ~ factor(g) + (1 | g) + (1 | h)", table(h=np.arange(N) % 7)),
        "(1 | g)",
    ),
    "the same term twice": (lambda: fit("y ~ x + (1 | g) + (1 | g)"), "(1 | g)"),
    "two intercepts": (lambda: fit("y ~ 1 + (1 | g) + (1 + s | g)"), "(1 | g) and (1 + sb | g)"),
    "column of zeros": (lambda: fit("y ~ x + (0 + z | g)", table(z=0.0)), "(0 + z | g)"),
    "zeros as an array": (
        lambda: mm.lmer_arrays(table()["y"], np.ones(N), [(np.zeros(N), table()["g"])]),
        "(0 + x1 | g)",
    ),
}


@pytest.mark.parametrize("case", FLAT)
def test_flat_criterion_is_told(case: str) -> None:
    make, term = FLAT[case]
    with pytest.warns(mm.ConvergenceWarning, match=f"flat.* of {re.escape(term)}: other"):
        m = make()
    assert "flat" in m.convergence.messages[0]
    assert "flat" in str(m.summary())


# Data at the edge of what a model can mean: an error or a warning, never a silent number.
EDGES: dict[str, Callable[[], Any]] = {
    "constant within groups": lambda: fit("y ~ 1 + (1 | g)", table(y=table()["g"] * 1.5)),
    "perfect fit": lambda: fit(data=table(y=3 + 2 * table()["x"])),
    "n < p": lambda: fit("y ~ poly(x, 8) + (1 | g)", table().iloc[:8]),
    "n = p": lambda: fit("y ~ x + factor(x) + (1 | g)", table().iloc[:8]),
}


@pytest.mark.parametrize("case", EDGES)
def test_edges_never_give_a_silent_number(case: str) -> None:
    assert outcome(EDGES[case]) in ("error", "warning")


# Unusual but meaningful: any outcome but a crash or numbers that are not finite.
HARD: dict[str, Callable[[], Any]] = {
    "two rows": lambda: fit(data=table().iloc[[0, 5]]),
    "tiny response": lambda: fit(data=table(y=table()["y"] * 1e-60)),
    "huge predictor": lambda: fit(data=table(x=table()["x"] * 1e60)),
    "large offset": lambda: fit(offset=np.full(N, 1e12)),
    "extreme weights": lambda: fit(weights=np.logspace(-12, 12, N)),
    "no fixed effects": lambda: fit("y ~ 0 + (1 | g)"),
    "constant random column": lambda: fit("y ~ x + (I(0 * x) | g)"),
    "two groups": lambda: fit("y ~ x + (x | s)"),
}


@pytest.mark.parametrize("case", HARD)
def test_hard_data_end_in_a_fit_or_a_typed_error(case: str) -> None:
    assert outcome(HARD[case]) in ("error", "warning", "finite")


# --- prediction -----------------------------------------------------------------------------------


def test_unseen_level_at_prediction() -> None:
    m = fit("y ~ x + s + (1 | g)")
    new = table().iloc[:3]
    with pytest.raises(mm.DataError, match="level 99 of 'g'"):
        m.predict(new.assign(g=99))
    allowed = m.predict(new.assign(g=99), allow_new_levels=True)
    assert allowed.to_numpy() == pytest.approx(m.predict(new, re_form="NA").to_numpy())
    with pytest.raises(mm.DataError, match="level 'q' of 's'"):
        m.predict(new.assign(s="q"))


def test_missing_column_at_prediction() -> None:
    m = fit("y ~ x + (1 | g)", offset="x")
    with pytest.raises(mm.DataError, match="'x' is not in the data"):
        m.predict(table()[["g"]])
    with pytest.raises(mm.DataError, match="'g' is not in the data"):
        m.predict(table()[["x"]])
    assert len(m.predict(table()[["x"]], re_form="NA")) == N


def test_missing_predictors_stay_missing_and_missing_groups_have_no_effects() -> None:
    new = table().iloc[:4].copy()
    new.loc[1, "x"] = np.nan
    new["g"] = [0, 1, np.nan, 2]
    known, population = fit().predict(new), fit().predict(new, re_form="NA")
    assert known.isna().tolist() == population.isna().tolist() == [False, True, False, False]
    assert known.iloc[2] == pytest.approx(population.iloc[2])
