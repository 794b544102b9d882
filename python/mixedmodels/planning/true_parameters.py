"""The parameters of a model that is planned: β, the covariances of the random effects, σ.

Standard deviations are absolute here, b = Ru with R = σΛ, since a researcher knows those; θ and its
scale σ come in only where a caller gives θ, as lme4's `simulate(formula, newparams=)` has it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ArgumentError, closest
from ..models.varcorr import VarCorr, templates
from .design_table import as_dict

if TYPE_CHECKING:
    from ..families import Family
    from ..matrices.model_matrix import TermInfo

__all__ = ["Truth", "fixed_effects", "positive", "roots_from_sd", "roots_from_theta", "scales"]

Array = NDArray[np.float64]
TermKey = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Truth:
    """The values that responses are drawn with.

    `roots` has R of every random term by its group and columns, for the order of the terms depends
    on the numbers of groups; `sigma` is 1 for families without one, `dispersion` NaN likewise.
    """

    fixef: pd.Series[float]
    roots: Mapping[TermKey, Array]
    sigma: float
    dispersion: float

    def in_order(self, terms: Sequence[TermInfo]) -> list[Array]:
        """R of each of the terms, shape (q, q)."""
        return [self.roots[term.group, tuple(term.columns)] for term in terms]

    def theta(self, terms: Sequence[TermInfo]) -> Array:
        """The relative covariance parameters of the terms, R/σ column by column."""
        parts = [root.T[np.triu_indices(len(root))] for root in self.in_order(terms)]
        return np.concatenate(parts) / self.sigma if parts else np.zeros(0)

    def varcorr(self, terms: Sequence[TermInfo], residual: bool) -> VarCorr:
        """The variances and correlations of the terms."""
        return VarCorr.from_theta(self.theta(terms), self.sigma, terms, residual)


def fixed_effects(
    given: Any, names: Sequence[str], known: pd.Series[float] | None = None
) -> pd.Series[float]:
    """β by name: every coefficient has to be given, unless it is `known` already."""
    listed = ", ".join(f"'{name}'" for name in names)
    if not isinstance(given, Mapping | pd.Series):
        raise ArgumentError(
            f"fixef is {given!r}; expected a dict with a number for each coefficient: {listed}"
        )
    values = {} if known is None else dict(known)
    for name, value in given.items():
        if name not in names:
            raise ArgumentError(
                f"fixef has '{name}', which is not a coefficient of the design"
                f"{closest(str(name), list(names))} (it has: {listed})"
            )
        values[name] = _number(f"fixef['{name}']", value)
    if missing := [name for name in names if name not in values]:
        raise ArgumentError(
            f"fixef has no value for '{missing[0]}'; expected one for each coefficient: {listed}"
        )
    return pd.Series([values[name] for name in names], index=list(names), name="fixef", dtype=float)


def roots_from_theta(
    theta: ArrayLike, sigma: float, terms: Sequence[TermInfo]
) -> dict[TermKey, Array]:
    """R = σλ of every term, θ in the order of the terms (as `m.theta`)."""
    sizes = [len(term.columns) for term in terms]
    expected = sum(q * (q + 1) // 2 for q in sizes)
    values = np.atleast_1d(np.asarray(theta, dtype=float))
    if values.shape != (expected,) or not np.isfinite(values).all():
        raise ArgumentError(f"theta must be {expected} finite numbers, in the order of m.theta")
    lambdas = templates(values, sizes)
    return {_key(t): sigma * template for t, template in zip(terms, lambdas, strict=True)}


def roots_from_sd(
    sd: Mapping[str, Any] | None, cor: Mapping[str, Any] | None, terms: Sequence[TermInfo]
) -> dict[TermKey, Array]:
    """R of every term from standard deviations and correlations by group."""
    sd = as_dict(sd, "sd", "{'patient': {'(Intercept)': 1.0}}")
    cor = as_dict(cor, "cor", "{'patient': 0.3}")
    groups = list(dict.fromkeys(term.group for term in terms))
    for argument, given in (("sd", sd), ("cor", cor)):
        for key in given:
            if not any(_same_group(key, group) for group in groups):
                raise ArgumentError(
                    f"{argument} has '{key}', by which nothing varies in the formula"
                    f"{closest(key, groups)} (random effects are by: {', '.join(groups) or '-'})"
                )
    for group in groups:
        _check_columns(group, _of_group(sd, group), terms)
    return {_key(t): _root(t, _of_group(sd, t.group), _of_group(cor, t.group)) for t in terms}


def _check_columns(group: str, given: Any, terms: Sequence[TermInfo]) -> None:
    columns = [column for term in terms if term.group == group for column in term.columns]
    for name in given if isinstance(given, Mapping) else ():
        if name not in columns:
            raise ArgumentError(
                f"sd['{group}'] has '{name}', which is not one of its random effects"
                f"{closest(str(name), columns)} (they are: {', '.join(columns)})"
            )


def _root(term: TermInfo, sd: Any, cor: Any) -> Array:
    """The lower triangular R with RR' = the covariance matrix; singular ones have one too."""
    deviations = _deviations(term, sd)
    correlations = _correlations(term, cor)
    values, vectors = np.linalg.eigh(correlations)
    if values.min() < -1e-10:
        raise ArgumentError(
            f"cor['{term.group}'] is not the correlation matrix of anything: its smallest "
            f"eigenvalue is {values.min():.3g}, below zero"
        )
    half = vectors * np.sqrt(np.maximum(values, 0.0))
    triangle = np.asarray(np.linalg.qr((deviations[:, None] * half).T, mode="r")).T
    signs = np.where(np.diag(triangle) < 0, -1.0, 1.0)
    return np.asarray(np.tril(triangle * signs))


def _deviations(term: TermInfo, given: Any) -> Array:
    listed = ", ".join(f"'{column}'" for column in term.columns)
    if given is None:
        raise ArgumentError(
            f"sd has nothing for '{term.group}'; expected the standard deviations of its random "
            f"effects ({listed}): sd={{'{term.group}': {{'{term.columns[0]}': 1.0, ...}}}}"
        )
    if not isinstance(given, Mapping):
        if len(term.columns) > 1:
            raise ArgumentError(
                f"sd['{term.group}'] is {given!r}; expected one for each random effect, a dict "
                f"with: {listed}"
            )
        given = {term.columns[0]: given}
    if missing := [column for column in term.columns if column not in given]:
        raise ArgumentError(
            f"sd['{term.group}'] has nothing for '{missing[0]}'; the random effects are: {listed}"
        )
    return np.array([positive(f"sd['{term.group}']", given[c], zero=True) for c in term.columns])


def _correlations(term: TermInfo, given: Any) -> Array:
    q = len(term.columns)
    matrix = np.eye(q)
    if given is None or q == 1:
        return matrix
    values = np.asarray(given, dtype=float)
    if values.ndim == 0 and q == 2:
        matrix[0, 1] = matrix[1, 0] = float(values)
    elif values.shape == (q, q):
        matrix = values
    else:
        raise ArgumentError(
            f"cor['{term.group}'] has shape {values.shape}; expected a number for two random "
            f"effects, for {q} a {q} × {q} matrix"
        )
    proper = np.allclose(matrix, matrix.T) and np.allclose(np.diag(matrix), 1.0)
    if not proper or not (np.abs(matrix) <= 1).all():
        raise ArgumentError(
            f"cor['{term.group}'] must be correlations from -1 to 1, symmetric, 1 on the diagonal"
        )
    return matrix


def positive(name: str, value: Any, zero: bool = False) -> float:
    """A number above zero (or, with `zero`, of at least zero)."""
    number = _number(name, value)
    if number < 0 or (number == 0 and not zero):
        raise ArgumentError(f"{name} is {value!r}; expected a number {'≥' if zero else '>'} 0")
    return number


def scales(family: Family | None, sigma: Any, dispersion: Any) -> tuple[float, float]:
    """σ and the dispersion, as the family has them: 1 and NaN where it has not."""
    words = "a linear model" if family is None else f"the {family.words} family"
    held = None if family is None else family.dispersion
    has_sigma = family is None or family.has_sigma
    has_shape = family is not None and family.has_shape and held is None
    for name, has, value in (("sigma", has_sigma, sigma), ("dispersion", has_shape, dispersion)):
        if not has and value is not None:
            why = "holds it at a value" if name == "dispersion" and held is not None else "has none"
            raise ArgumentError(f"{name} is {value!r}, but {words} {why}: leave {name} out")
        if has and value is None:
            raise ArgumentError(f"{name} is missing: {words} needs it")
    return (
        positive("sigma", sigma) if has_sigma else 1.0,
        positive("dispersion", dispersion) if has_shape else float("nan" if held is None else held),
    )


def _number(name: str, value: Any) -> float:
    if not isinstance(value, Real) or isinstance(value, bool) or not np.isfinite(float(value)):
        raise ArgumentError(f"{name} is {value!r}; expected a finite number")
    return float(value)


def _key(term: TermInfo) -> TermKey:
    return term.group, tuple(term.columns)


def _same_group(key: str, group: str) -> bool:
    """Whether "clinic/patient" or "clinic:patient" means the group "patient:clinic"."""
    return set(re.split("[/:]", key)) == set(group.split(":"))


def _of_group(given: Mapping[str, Any], group: str) -> Any:
    return next((value for key, value in given.items() if _same_group(key, group)), None)
