"""Linear hypotheses about the fixed effects: `m.test("a - b = 0")`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, DataError, closest
from ..printing.tables import ResultTable
from .coefficients import tested_columns
from .ddf import FTest, describe, f_test, resolve, t_tests
from .distributions import check_level, t_two_sided
from .linear_forms import linear_form

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["Hypotheses", "HypothesisTable", "read_hypotheses", "test"]

Array = NDArray[np.float64]


class HypothesisTable(ResultTable):
    """The table of `m.test`, one row a hypothesis; `joint` is the F test of all of them.

    Columns estimate (of Lβ), std_error, statistic (t of Lβ − value), df, p_value, conf_low,
    conf_high; of a joint test alone (`joint=True`) statistic (F), num_df, den_df, p_value. `joint`
    is an `FTest` (statistic, num_df, den_df, p_value) or None where none was made.
    """

    _metadata = [*ResultTable._metadata, "joint"]  # noqa: RUF012 (pandas's own protocol)
    joint: FTest | None


def test(
    model: FittedModel,
    hypothesis: str | Sequence[str] | ArrayLike,
    value: float | ArrayLike,
    *,
    joint: bool | None,
    ddf: str | None,
    level: float,
) -> HypothesisTable:
    """Documented at `Inference.test`."""
    check_level(level)
    if not (joint is None or isinstance(joint, bool)):
        raise ArgumentError(f"joint is {joint!r}; expected True, False or None")
    method = resolve(model, ddf)
    hypotheses = read_hypotheses(model, hypothesis, value)
    several = len(hypotheses.labels) > 1
    wanted = several if joint is None else bool(joint)
    found = f_test(model, hypotheses.L, method, hypotheses.value) if wanted else None
    by = describe(method)
    if joint and found is not None:
        title = f"Joint F test of {len(hypotheses.labels)} linear hypotheses by {by}"
        table = HypothesisTable.of(
            _joint_columns(found), title, index=["; ".join(hypotheses.labels)]
        )
    else:
        notes = [] if found is None else [_in_words(found)]
        columns = _row_columns(model, hypotheses, method, level)
        title = f"Linear hypotheses; tests by {by}"
        table = HypothesisTable.of(columns, title, notes, index=hypotheses.labels)
    table.index.name = "hypothesis"
    table.joint = found
    return table


def _row_columns(
    model: FittedModel, hypotheses: Hypotheses, method: str, level: float
) -> dict[str, Array]:
    tests = t_tests(model, hypotheses.L, method)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = (tests.estimate - hypotheses.value) / tests.std_error
    p_value = t_two_sided(statistic, tests.df)
    return tested_columns(replace(tests, statistic=statistic, p_value=p_value), level)


def _joint_columns(test: FTest) -> dict[str, list[float]]:
    return {
        "statistic": [test.statistic],
        "num_df": [test.num_df],
        "den_df": [test.den_df],
        "p_value": [test.p_value],
    }


def _in_words(test: FTest) -> str:
    p = "p < 0.0001" if test.p_value < 1e-4 else f"p = {test.p_value:.4f}"
    if np.isinf(test.den_df):
        chi2 = test.statistic * test.num_df
        return f"Jointly: χ²({test.num_df}) = {chi2:.4f}, {p} (see .joint)."
    den_df = f"{test.den_df:.1f}".removesuffix(".0")
    return f"Jointly: F({test.num_df}, {den_df}) = {test.statistic:.4f}, {p} (see .joint)."


# --- What is tested ---


@dataclass(frozen=True, slots=True)
class Hypotheses:
    """Lβ = value: L is (k, coefficients kept)."""

    L: Array
    value: Array  # (k,)
    labels: list[str]


def read_hypotheses(model: FittedModel, hypothesis: Any, value: Any) -> Hypotheses:
    names = list(model._matrices.fixed_names)
    if not names:
        raise DataError("the model has no fixed effects, so there is no hypothesis about them")
    if isinstance(hypothesis, str):
        hypothesis = [hypothesis]
    if _is_text(hypothesis):
        if np.any(np.asarray(value) != 0):
            raise ArgumentError('write the value into the hypothesis, as "a - b = 1"')
        forms = [linear_form(text, names) for text in hypothesis]
        labels = [" ".join(text.split()) for text in hypothesis]
        L, values = np.array([form for form, _ in forms]), np.array([v for _, v in forms])
    else:
        L, rows = _matrix(hypothesis, names, model)
        values = _values(value, len(L))
        labels = rows or [_as_text(row, v, names) for row, v in zip(L, values, strict=True)]
    _require_estimable(model, L, labels)
    return Hypotheses(L[:, ~np.isnan(np.asarray(model._fit.beta))], values, labels)


def _is_text(hypothesis: Any) -> bool:
    return (
        isinstance(hypothesis, Sequence)
        and len(hypothesis) > 0
        and all(isinstance(row, str) for row in hypothesis)
    )


def _matrix(given: Any, names: list[str], model: FittedModel) -> tuple[Array, list[str]]:
    """L with one column a coefficient, dropped ones included, and the labels of its rows if any."""
    rows: list[str] = []
    if isinstance(given, pd.Series):
        given = given.to_frame().T if given.name is not None else pd.DataFrame([given], index=[""])
    if isinstance(given, pd.DataFrame):
        rows = [] if isinstance(given.index, pd.RangeIndex) else [str(r) for r in given.index]
        given = _by_name(given, names)
    try:
        L = np.atleast_2d(np.asarray(given, dtype=float))
    except (TypeError, ValueError):
        raise ArgumentError(
            "the hypothesis is neither text nor a matrix of numbers with one column a coefficient"
        ) from None
    kept = ~np.isnan(np.asarray(model._fit.beta))
    if L.ndim == 2 and L.shape[1] == kept.sum() < len(names):
        L, narrow = np.zeros((len(L), len(names))), L
        L[:, kept] = narrow
    if L.ndim != 2 or L.shape[1] != len(names) or len(L) == 0 or not np.isfinite(L).all():
        raise ArgumentError(
            f"the matrix of the hypothesis has shape {L.shape}; expected finite numbers, at least "
            f"one row and one column for each of the {len(names)} coefficients: {', '.join(names)}"
        )
    return L, rows if any(rows) else []


def _by_name(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Columns put in the order of the coefficients; coefficients without a column count zero."""
    unknown = [str(column) for column in frame.columns if column not in names]
    if unknown:
        raise ArgumentError(
            f"'{unknown[0]}' is not a coefficient of the model{closest(unknown[0], names)}"
        )
    return frame.reindex(columns=names, fill_value=0.0)


def _values(value: Any, rows: int) -> Array:
    try:
        values = np.broadcast_to(np.asarray(value, dtype=float), (rows,))
    except (TypeError, ValueError):
        values = np.full(rows, np.nan)
    if not np.isfinite(values).all():
        raise ArgumentError(
            f"value is {value!r}; expected a number, or one for each of {rows} rows"
        )
    return np.array(values)


def _as_text(row: Array, value: float, names: list[str]) -> str:
    """A row of L as one would write it: "2*a - b = 0"."""
    parts: list[str] = []
    for weight, name in zip(row, names, strict=True):
        if weight:
            size = "" if abs(weight) == 1 else f"{abs(weight):.4g}*"
            sign = ("- " if weight < 0 else "+ ") if parts else ("-" if weight < 0 else "")
            parts.append(f"{sign}{size}{name}")
    return f"{' '.join(parts)} = {value:.6g}"


def _require_estimable(model: FittedModel, L: Array, labels: list[str]) -> None:
    dropped = np.isnan(np.asarray(model._fit.beta))
    for row, label in zip(L, labels, strict=True):
        if not row.any():
            raise ArgumentError("a row of the hypothesis is all zeros: it says nothing about β")
        lost = np.flatnonzero(dropped & (row != 0))
        if len(lost):
            name = model._matrices.fixed_names[lost[0]]
            raise DataError(
                f"'{label}' is not estimable: the other columns determine '{name}', which was "
                "dropped from the model. Test coefficients that m.fixef gives a number for"
            )
