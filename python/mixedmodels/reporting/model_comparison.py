"""Models side by side: `mm.compare([m1, m2])`."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError, MixedModelsError
from ..inference.coefficients import coefficients
from ..inference.distributions import check_level
from ..inference.lrt import require_same_data
from ..models.fitted import FittedModel
from ..models.maketables_protocol import statistics
from ..models.mixed import Mixed
from ..models.parameters import DISPERSION, scale_parameters
from ..printing.document import Block, Cells, Document
from ..printing.text import LEGEND, decimals, p_values, right_table, stars

__all__ = ["ComparisonTable", "compare"]

Beside = Literal["std_error", "interval", "p_value"]
Section = dict[str, dict[str, str]]  # row → model → cell

DIGITS = 3  # significant ones of a standard error
WIDTH = 92
SECTIONS = ("Fixed effects", "Random effects", "Fit")
LABELS = {"N": "Observations", "aic": "AIC", "bic": "BIC", "ll": "Log-likelihood"}


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonTable(Document):
    """Models side by side, made by `mm.compare`: prints, and shows as HTML, markdown and LaTeX.

    Attributes
    ----------
    models
        Name → what it is: formula, family, estimator.
    notes
        What a reader has to know.
    """

    models: dict[str, str]
    notes: tuple[str, ...]
    _frame: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """One row a line of the table: section, term, and a column of text for every model.

        As great_tables takes it: `GT(table.to_frame(), rowname_col="term",
        groupname_col="section")`.
        """
        return self._frame.copy()

    @property
    def _breaks(self) -> list[int]:
        """Rows where a section begins, but for the first."""
        section = self._frame["section"].to_numpy()
        return [i for i in range(1, len(section)) if section[i] != section[i - 1]]

    @property
    def _cells(self) -> tuple[list[str], list[list[str]], list[str]]:
        body = self._frame[list(self.models)]
        return list(self.models), body.to_numpy().tolist(), self._frame["term"].tolist()

    @property
    def _remarks(self) -> list[str]:
        return [*(f"{name}: {what}" for name, what in self.models.items()), *self.notes]

    def __str__(self) -> str:
        lines = right_table(*self._cells).split("\n")
        rule = "-" * max(map(len, lines))
        for at in reversed([0, *self._breaks]):
            lines.insert(at + 1, rule)
        notes = [textwrap.fill(text, WIDTH, subsequent_indent="  ") for text in self._remarks]
        return "\n".join([*lines, rule, *notes])

    __repr__ = __str__

    def _blocks(self) -> list[Block]:
        return [Cells(*self._cells, notes=self._remarks, breaks=self._breaks)]


def compare(
    models: Mapping[str, FittedModel] | Iterable[FittedModel],
    *,
    beside: Beside = "std_error",
    level: float = 0.95,
    ddf: str | None = None,
    stars: bool = False,
) -> ComparisonTable:
    """Models side by side: coefficients, random effects, and how they fit.

    Models of any kind, and of different kinds.

    Parameters
    ----------
    models
        Fitted models, or a dict of names to them.
    beside
        What stands in brackets beside an estimate: "std_error", "interval" (Wald's) or "p_value".
    level
        Coverage of the intervals.
    ddf
        Degrees of freedom of p-values, intervals and stars, as in `m.coefficients`; None: each
        model's default.
    stars
        Mark p-values below 0.001, 0.01 and 0.05.

    Returns
    -------
    ComparisonTable
        Rows: coefficients; standard deviations and correlations of the random effects, and that of
        the residuals or the dispersion; numbers of observations and groups, R² and ICC (as `m.r2`
        and `m.icc`), AIC, BIC and log-likelihood. `.to_frame()` is ready for great_tables.

    Raises
    ------
    ArgumentError
        There is no model, something else is among them, or an argument is not one of the values
        listed here.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> data = mm.datasets.load("anxiety")
    >>> pooled = mm.lm("anxiety ~ therapy_sessions", data)
    >>> partial = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
    >>> table = mm.compare({"pooled": pooled, "mixed": partial})
    >>> table.to_frame().loc[1, ["term", "pooled", "mixed"]].tolist()
    ['therapy_sessions', '-1.3662 (0.0777)', '-1.4127 (0.0598)']
    """
    named = _named(models)
    if beside not in get_args(Beside):
        choices = ", ".join(get_args(Beside))
        raise ArgumentError(f"beside is {beside!r}; choose one of {choices}")
    check_level(level)
    tables = {
        name: pd.DataFrame(coefficients(m, ddf, level)).set_index("term")
        for name, m in named.items()
    }
    fixed = _fixed_effects(tables, beside, stars)
    random, fit = _statistics(named)
    what = {
        "std_error": "standard error",
        "interval": f"{100 * level:g} % interval",
        "p_value": "p",
    }
    notes = [f"Estimates with their {what[beside]} in brackets.", *_comparability(named)]
    if stars:
        notes.insert(1, LEGEND.replace("0.05 ‘.’ 0.1 ‘ ’ 1", "0.05"))
    described = {name: _described(model) for name, model in named.items()}
    return ComparisonTable(described, tuple(notes), _frame(named, (fixed, random, fit)))


def _named(models: Any) -> dict[str, FittedModel]:
    if isinstance(models, FittedModel):
        raise ArgumentError("mm.compare takes a list or a dict of models: mm.compare([m1, m2])")
    if isinstance(models, Mapping):
        named = {str(name): model for name, model in models.items()}
    else:
        named = {f"model {k}": model for k, model in enumerate(models, start=1)}
    for name, model in named.items():
        if not isinstance(model, FittedModel):
            raise ArgumentError(
                f"mm.compare compares fitted models; '{name}' is of type {type(model).__name__}"
            )
    if not named:
        raise ArgumentError("mm.compare was given no model; expected at least one")
    return named


def _frame(named: Mapping[str, Any], sections: Iterable[Section]) -> pd.DataFrame:
    rows = [
        {"section": title, "term": term, **{name: cells.get(name, "") for name in named}}
        for title, section in zip(SECTIONS, sections, strict=True)
        for term, cells in section.items()
    ]
    return pd.DataFrame(rows, columns=["section", "term", *named])


# --- Sections ---


def _fixed_effects(tables: Mapping[str, pd.DataFrame], beside: Beside, marked: bool) -> Section:
    """Coefficients in the order of their first appearance; a row's cells share their decimals."""
    terms = dict.fromkeys(term for table in tables.values() for term in table.index)
    section: Section = {}
    for term in terms:
        found = {name: table.loc[term] for name, table in tables.items() if term in table.index}
        places = _places([float(row["std_error"]) for row in found.values()])
        section[term] = {
            name: _estimate(row, beside, places, marked) for name, row in found.items()
        }
    return section


def _estimate(row: pd.Series[float], beside: Beside, places: int, marked: bool) -> str:
    mark = "".join(stars([row["p_value"]])).replace(".", "") if marked else ""
    shown = {
        "std_error": lambda: f"({row['std_error']:.{places}f})",
        "interval": lambda: f"[{row['conf_low']:z.{places}f}, {row['conf_high']:z.{places}f}]",
        "p_value": lambda: f"({p_values([row['p_value']])[0]})",
    }[beside]()
    return f"{row['estimate']:z.{places}f}{mark} {shown}".removesuffix(" ()")  # ddf="none" has no p


def _places(errors: Iterable[float]) -> int:
    """Decimals by which the smallest standard error has three significant digits."""
    sizes = [error for error in errors if error > 0 and math.isfinite(error)]
    return max(DIGITS - 1 - math.floor(math.log10(min(sizes))), 0) if sizes else DIGITS


def _statistics(named: Mapping[str, FittedModel]) -> tuple[Section, Section]:
    """Random effects and fit: the statistics that `maketables` has too, R² and ICC."""
    numbers = {name: _numbers(model) for name, model in named.items()}
    random, fit = _rows(numbers, random=True), _rows(numbers, random=False)
    order = sorted(fit, key=lambda row: _POSITIONS.get(row.split(":")[0], 1))
    return random, {row: fit[row] for row in order}


_POSITIONS = {"Observations": 0, "Groups": 1, "R²": 2, "R² marginal": 2, "R² conditional": 2}
_POSITIONS |= {"ICC": 3, "AIC": 4, "BIC": 5, "Log-likelihood": 6}
_DECIMALS = {"AIC": 1, "BIC": 1, "Log-likelihood": 1} | dict.fromkeys(
    ("R²", "R² marginal", "R² conditional", "ICC"), 3
)


def _numbers(model: FittedModel) -> dict[str, float]:
    left_out = ("deviance", "df_resid")
    found = {LABELS.get(k, k): v for k, v in statistics(model).items() if k not in left_out}
    if DISPERSION in scale_parameters(model._call.family):
        found["Dispersion"] = float(model._fit.dispersion)  # type: ignore[union-attr]
    return found | _shares(model)


def _shares(model: FittedModel) -> dict[str, float]:
    """R² and ICC; nothing where the family and link have none."""
    try:
        r2 = model.r2()  # type: ignore[attr-defined]
        if not isinstance(model, Mixed):
            return {"R²": float(r2.marginal)}
        shares = {"R² marginal": r2.marginal, "R² conditional": r2.conditional}
        return {**shares, "ICC": float(model.icc().adjusted)}
    except MixedModelsError:
        return {}


def _rows(numbers: Mapping[str, Mapping[str, float]], random: bool) -> Section:
    labels = dict.fromkeys(label for found in numbers.values() for label in found)
    section: Section = {}
    for label in labels:
        if label.startswith(("SD ", "Correlation ", "Dispersion")) != random:
            continue
        found = {name: values[label] for name, values in numbers.items() if label in values}
        section[label] = dict(zip(found, _shown(label, list(found.values())), strict=True))
    last = [label for label in ("SD residual", "Dispersion") if label in section]
    return {k: v for k, v in section.items() if k not in last} | {k: section[k] for k in last}


def _shown(label: str, values: list[float]) -> list[str]:
    if label in _DECIMALS:
        return [f"{value:z.{_DECIMALS[label]}f}" for value in values]
    if label.startswith("Correlation"):
        return ["" if math.isnan(value) else f"{value:z.2f}" for value in values]
    if all(isinstance(value, int | np.integer) for value in values):
        return [str(value) for value in values]
    return decimals(values, DIGITS)


# --- Notes ---


def _described(model: FittedModel) -> str:
    parts = [model.formula or "fitted from arrays"]
    if model._call.family is not None:
        parts.append(repr(model._call.family))
    if isinstance(model, Mixed):
        nodes = model._call.quadrature
        approximation = "Laplace" if nodes <= 1 else f"quadrature with {nodes} nodes"
        linear = "REML" if getattr(model, "reml", False) else "ML"
        parts.append(linear if model._call.family is None else approximation)
    return " · ".join(parts)


def _comparability(named: Mapping[str, FittedModel]) -> list[str]:
    """Why AIC, BIC and likelihoods cannot be compared, if they cannot."""
    models = list(named.values())
    try:
        require_same_data(models)
    except DataError as error:
        return [f"AIC, BIC and log-likelihood cannot be compared: {error}."]
    reml = {bool(getattr(model, "reml", False)) for model in models}
    names = {model._matrices.fixed_names for model in models}
    if True in reml and (len(reml) > 1 or len(names) > 1):
        return [
            "AIC, BIC and log-likelihood of fits by REML cannot be compared between models with "
            "different fixed effects or with fits by ML: see mm.anova, or fit with REML=False."
        ]
    return []
