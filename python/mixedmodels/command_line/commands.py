"""What the commands of the command line do; their arguments stand in `command_line.py`."""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

import narwhals.stable.v1 as nw
import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..families import family_of
from ..formulas.expression import Name
from ..formulas.formula import parse
from ..input_tables.columns import Column, Table
from ..models.control import Control
from ..reporting.summarize import as_plain
from .main import ExitCode, say
from .table_files import PIPE, read_table, replacing, require_writable, write_table

if TYPE_CHECKING:
    from ..models.description import Description

__all__ = ["fit", "predict", "summary"]

Warnings = list[warnings.WarningMessage]


def fit(arguments: Namespace) -> ExitCode:
    """Fit, and write the model, the JSON and the summary that were asked for."""
    _require_outputs(arguments)
    began = time.perf_counter()
    data = with_factors(read_table(arguments.data, arguments.factor), arguments.factor)
    read = time.perf_counter()
    with _warnings(arguments.quiet) as caught:
        model = _fitted(arguments, data)
        seconds = {"read": read - began, "fit": time.perf_counter() - read}
        outcome = model.convergence
        code = _code(outcome.converged, outcome.singular and arguments.strict)
        silent = arguments.quiet or arguments.json == PIPE
        text = "" if silent else f"{model.summary()}\n"
        result = _result(model, arguments, code, Table(data).n, seconds)
        if code is ExitCode.DONE and arguments.save:
            model.save(arguments.save, data=arguments.save_data)
    if arguments.json:
        _write_json(result | {"warnings": _plain_warnings(caught)}, arguments.json)
    sys.stdout.write(text)
    if code is ExitCode.NOT_CONVERGED:
        say("error", f"ConvergenceError: the fit did not converge: {outcome.reason}")
    elif code is ExitCode.SINGULAR:
        say("error", f"SingularFit: {'; '.join(outcome.messages)}")
    return code


def predict(arguments: Namespace) -> ExitCode:
    """Predict the rows of a table."""
    from .. import load

    model = cast("Description", load(arguments.model))
    labels, others = label_columns(model)
    beside = [name for name in arguments.keep if name not in others]
    data = read_table(arguments.data, [*labels, *beside])
    present = Table(data)
    with _warnings(arguments.quiet):
        predicted = model.predict(
            with_factors(data, [name for name in labels if name in present]),
            arguments.re_form,
            allow_new_levels=arguments.allow_new_levels,
            type=arguments.type,
            interval=arguments.interval,
            level=arguments.level,
        )
    frame = pd.DataFrame(predicted).reset_index(drop=True)
    missing = int(frame.iloc[:, 0].isna().sum())
    if missing and not arguments.quiet:
        say("warning", f"{missing} of {len(frame)} predictions are missing (missing predictors)")
    write_table(_beside(arguments.keep, present, data, frame), arguments.out)
    return ExitCode.DONE


def summary(arguments: Namespace) -> ExitCode:
    """Print the summary of a saved model."""
    from .. import load

    with _warnings(quiet=False):
        text = str(load(arguments.model).summary())
    print(text)
    return ExitCode.DONE


def _beside(names: Sequence[str], present: Table, data: Any, frame: pd.DataFrame) -> pd.DataFrame:
    """Predictions with columns of the data to their left."""
    if repeated := sorted({*names} & {*frame.columns}):
        raise ArgumentError(f"--keep {repeated[0]}: the predictions have a column of that name")
    kept = {}
    for name in names:
        present.column(name)  # says what is meant where there is none
        kept[name] = nw.from_native(data[name], series_only=True).to_list()
    return pd.concat([pd.DataFrame(kept), frame], axis=1)


# --- Fitting ---


def _require_outputs(arguments: Namespace) -> None:
    """Fail before a long fit where its results could not be written."""
    if arguments.save == PIPE:
        raise ArgumentError("--save needs the name of a file; '-' is for tables and --json")
    for path in (arguments.save, arguments.json):
        if path not in (None, PIPE):
            require_writable(path)


def _fitted(arguments: Namespace, data: Any) -> Description:
    """The model that the formula and the family mean."""
    from ..models.fit import lm, lmer
    from ..models.generalised_fit import glm, glmer

    mixed = bool(parse(arguments.formula).random)
    family = family_of(arguments.family, arguments.link)
    linear = (family.name, family.link) == ("gaussian", "identity")
    if arguments.nagq is not None and (linear or not mixed):
        raise ArgumentError("--nagq applies to generalised mixed models only")
    if arguments.ml and linear and not mixed:
        raise ArgumentError("--ml applies to mixed models only")
    columns = {"weights": arguments.weights, "offset": arguments.offset}
    run = {"control": Control(time_limit=arguments.time_limit), "n_threads": arguments.threads}
    if linear and mixed:
        return lmer(arguments.formula, data, REML=not arguments.ml, **columns, **run)
    if linear:
        return lm(arguments.formula, data, **columns)
    if mixed:
        nodes = 1 if arguments.nagq is None else arguments.nagq
        return glmer(arguments.formula, data, family=family, nAGQ=nodes, **columns, **run)
    return glm(arguments.formula, data, family=family, **columns)


def _code(converged: bool, singular: bool) -> ExitCode:
    if not converged:
        return ExitCode.NOT_CONVERGED
    return ExitCode.SINGULAR if singular else ExitCode.DONE


@contextmanager
def _warnings(quiet: bool) -> Iterator[Warnings]:
    """Collects the warnings, and says each on a line of its own, also where an error follows."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield caught
        finally:
            for warning in [] if quiet else _plain_warnings(caught):
                say("warning", f"{warning['category']}: {warning['message']}")


def _plain_warnings(caught: Warnings) -> list[dict[str, str]]:
    return [{"category": w.category.__name__, "message": str(w.message)} for w in caught]


# --- The result ---

STATUS = {
    ExitCode.DONE: "converged",
    ExitCode.NOT_CONVERGED: "not converged",
    ExitCode.SINGULAR: "singular",
}


def _result(
    model: Description,
    arguments: Namespace,
    code: ExitCode,
    rows: int,
    seconds: dict[str, float],
) -> dict[str, Any]:
    """What --json writes, but for the warnings."""
    from .. import __version__

    return {
        "mixedmodels": __version__,
        "status": STATUS[code],
        "exit_code": int(code),
        "formula": arguments.formula,
        "data": arguments.data,
        "rows": {"read": rows, "used": model.nobs},
        "estimates": model.to_dict(),
        "convergence": _outcome(model),
        "seconds": seconds,
    }


def _outcome(model: Description) -> Any:
    outcome = model.convergence
    names = (
        "converged", "singular", "reason", "optimizer", "evaluations", "iterations",
        "gradient_norm", "decrement", "seconds",
    )  # fmt: skip
    found = {name: getattr(outcome, name) for name in names}
    return as_plain(found | {"messages": list(outcome.messages)})


def _write_json(result: dict[str, Any], path: str) -> None:
    text = json.dumps(result, indent=2, allow_nan=False, ensure_ascii=False) + "\n"
    if path == PIPE:
        sys.stdout.write(text)
        return
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


# --- Labels that look like numbers ---


def with_factors(data: Any, names: Sequence[str]) -> Any:
    """The table with some columns as categorical ones of text, numeric labels in numeric order.

    >>> with_factors({"dose": ["10", "2", "10"]}, ["dose"])["dose"].cat.categories.tolist()
    ['2', '10']
    """
    if not names:
        return data
    table = Table(data)
    columns = {name: data[name] for name in table.names}
    return columns | {name: _labelled(table.column(name)) for name in names}


def _labelled(column: Column) -> pd.Series[Any]:
    """A column's values as text; a declared order stays."""
    factor = column.factor
    labels = factor.labels()
    levels = pd.Index(labels, dtype=object)
    values = pd.Categorical.from_codes(factor.codes, levels, ordered=factor.ordered)
    declared = column.kind == "category"
    return pd.Series(values if declared else values.reorder_categories(_in_order(labels)))


def _in_order(labels: list[str]) -> list[str]:
    """By value if all are numbers, else by code point."""
    try:
        numbers = np.array([float(label) for label in labels])
    except ValueError:
        return sorted(labels)
    if not all(math.isfinite(number) for number in numbers):
        return sorted(labels)
    return [labels[k] for k in np.argsort(numbers, kind="stable")]


def label_columns(model: Description) -> tuple[list[str], list[str]]:
    """The columns that the model knows as factors with levels of text, and its other ones."""
    spec = model._matrices.spec
    if spec is None:
        return [], []
    random = [plan.term for plan in spec.random]
    sides = (spec.formula.fixed, *(term.columns for term in random))
    variables = [variable for side in sides for variable in side.variables]
    known = [(v, spec.factors[v.text]) for v in variables if v.text in spec.factors]
    for plan in spec.random:
        known += zip(plan.term.group, plan.parts, strict=True)
    labels = {
        variable.node.name
        for variable, factor in known
        if isinstance(variable.node, Name) and all(isinstance(v, str) for v in factor.levels)
    }
    groups = [part for term in random for part in term.group]
    response = [e for e in (spec.formula.response,) if e is not None]
    used = [*response, *variables, *groups, *spec.formula.offsets]
    others = {name for expression in used for name in expression.names()} - labels
    others |= {a for a in (model._call.weights, model._call.offset) if isinstance(a, str)}
    return sorted(labels), sorted(others)
