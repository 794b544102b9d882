"""The numbers of a summary (their looks are in summary.py), and the same estimates as plain
data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..inference.ddf import DdfMethod, resolve, t_tests
from ..inference.distributions import f_upper
from .summary import LinearMixedSummary, LinearSummary

if TYPE_CHECKING:
    from ..models.fitted import FittedModel, ResidualType
    from ..models.generalised import Generalised
    from ..models.mixed import Mixed
    from ..models.model import LinearMixedModel, LinearModel

__all__ = [
    "as_dict",
    "as_plain",
    "coefficient_table",
    "correlation",
    "describe_rows",
    "left_out",
    "outcome_notes",
    "quartiles",
    "summarize_linear",
    "summarize_mixed",
]

QUARTILES = {"Min": 0.0, "1Q": 0.25, "Median": 0.5, "3Q": 0.75, "Max": 1.0}


def summarize_mixed(model: LinearMixedModel, ddf: str | None) -> LinearMixedSummary:
    """Collect the numbers of `LinearMixedModel.summary`."""
    method = resolve(model, ddf)
    return LinearMixedSummary(
        formula=model.formula,
        data=describe_rows(model),
        reml=model.reml,
        criteria=_criteria(model),
        scaled_residuals=quartiles(model, "scaled"),
        varcorr=model.varcorr,
        nobs=model.nobs,
        ngroups=model.ngroups,
        coefficients=coefficient_table(model, method),
        correlation=correlation(model),
        ddf=method,
        notes=(*left_out(model), *outcome_notes(model)),
    )


def summarize_linear(model: LinearModel, ddf: str | None) -> LinearSummary:
    """Collect the numbers of `LinearModel.summary`."""
    if resolve(model, ddf) != "residual":
        raise ArgumentError(
            f'ddf={ddf!r}: the summary of an ordinary regression has "residual" only'
        )
    r2, adjusted, f, df1 = _r_squared(model)
    return LinearSummary(
        formula=model.formula,
        data=describe_rows(model),
        residuals=quartiles(model, "pearson"),
        weighted=model._matrices.is_weighted,
        coefficients=coefficient_table(model, "residual"),
        sigma=model.sigma,
        df_resid=model.df_resid,
        r_squared=r2,
        adj_r_squared=adjusted,
        f_statistic=f,
        f_df=(df1, model.df_resid),
        f_p_value=f_upper(f, df1, model.df_resid) if df1 > 0 else math.nan,
        notes=tuple(left_out(model)),
    )


def coefficient_table(model: FittedModel, method: DdfMethod) -> pd.DataFrame:
    """Estimate, Std. Error, (df,) t value, Pr(>|t|) of the fixed effects kept.

    z value and Pr(>|z|), without df, for "asymptotic"; t values (generalised models: z values)
    alone for "none".
    """
    names = list(model.fixef.dropna().index)
    tests = t_tests(model, np.eye(len(names)), method)
    letter = "z" if "asymptotic" in (method, model._ddf_methods[0]) else "t"
    columns = {"Estimate": tests.estimate, "Std. Error": tests.std_error}
    if method not in ("asymptotic", "none"):
        columns["df"] = tests.df
    columns[f"{letter} value"] = tests.statistic
    if method != "none":
        columns[f"Pr(>|{letter}|)"] = tests.p_value
    return pd.DataFrame(columns, index=pd.Index(names))


def correlation(model: FittedModel) -> pd.DataFrame:
    """Correlations of the fixed effects kept, shape (rank, rank)."""
    vcov = model.vcov.dropna(how="all").dropna(how="all", axis=1)
    sd = np.sqrt(np.diag(vcov))
    with np.errstate(divide="ignore", invalid="ignore"):
        return pd.DataFrame(vcov / np.outer(sd, sd))


def quartiles(model: FittedModel, type: ResidualType) -> pd.Series[float]:
    """Min, 1Q, Median, 3Q, Max of the residuals by linear interpolation (R's type 7)."""
    if type not in model._quartiles:
        values = model.residuals(type).dropna().to_numpy()
        model._quartiles[type] = np.quantile(values, list(QUARTILES.values()))
    return pd.Series(model._quartiles[type].copy(), index=list(QUARTILES))


def _criteria(model: LinearMixedModel) -> dict[str, float]:
    if model.reml:
        return {"REML criterion": model._minus2loglik}
    return {
        "AIC": model.aic,
        "BIC": model.bic,
        "logLik": model.loglik,
        "deviance": model._minus2loglik,
        "df.resid": float(model.df_resid),
    }


def _r_squared(model: LinearModel) -> tuple[float, float, float, int]:
    """R², adjusted R², F and its numerator degrees of freedom, as R's summary.lm (offset left
    out)."""
    intercept = "(Intercept)" in model._matrices.fixed_names
    explained = model._explained
    df1 = int(model._fit.rank) - int(intercept)
    total = explained + model.rss
    r2 = explained / total if total > 0 else math.nan
    adjusted = 1 - (1 - r2) * (model.nobs - int(intercept)) / model.df_resid
    f = explained / df1 / model.sigma**2 if df1 > 0 and model.sigma > 0 else math.nan
    return r2, adjusted, f, df1


def describe_rows(model: FittedModel) -> str:
    """The data's line: rows used, weights and offset where they are arguments."""
    call, total = model._call, len(model._matrices.full_index)
    rows = f"{model.nobs} rows" if total == model.nobs else f"{model.nobs} of {total} rows"
    extra = [
        f", {what} {given if isinstance(given, str) else 'given as numbers'}"
        for what, given in (("weights", call.weights), ("offset", call.offset))
        if given is not None
    ]
    return rows + "".join(extra)


def left_out(model: FittedModel) -> list[str]:
    """What was left out: rows and columns."""
    notes = []
    m = model._matrices
    missing = len(m.full_index) - model.nobs - m.zero_weights
    if missing > 0:
        columns = ", ".join(f"{name} ({count})" for name, count in model.missing.items())
        notes.append(f"{missing} rows with missing values dropped: {columns}.")
    if m.zero_weights:
        notes.append(f"{m.zero_weights} rows with a weight of zero dropped.")
    if dropped := model.fixef.index[model.fixef.isna()].tolist():
        notes.append(f"Rank deficient fixed effects: dropped {', '.join(dropped)}.")
    return notes


def outcome_notes(model: FittedModel) -> list[str]:
    """What the optimiser has to say, where it is not simply an optimum."""
    outcome = model.convergence
    failed = [] if outcome.converged else [f"The fit did not converge: {outcome.reason}"]
    return failed + [message[0].upper() + message[1:] for message in outcome.messages]


def as_dict(model: FittedModel) -> dict[str, Any]:
    """Documented at `FittedModel.to_dict`."""
    from ..models.generalised import Generalised
    from ..models.mixed import Mixed
    from ..models.model import LinearMixedModel

    result: dict[str, Any] = {
        "model": type(model).__name__,
        "formula": model.formula,
        "nobs": model.nobs,
        "npar": model.npar,
        "df_resid": model.df_resid,
        "fixef": model.fixef.to_dict(),
        "bse": model.bse.to_dict(),
        "vcov": model.vcov.to_numpy().tolist(),
        "sigma": model.sigma,
        "loglik": model.loglik,
        "aic": model.aic,
        "bic": model.bic,
        "missing": {str(k): int(v) for k, v in model.missing.items()},
    }
    if isinstance(model, LinearMixedModel):
        criterion = {"reml_criterion": model.reml_criterion, "deviance": model.deviance}
        result |= {"reml": model.reml, **criterion}
    if isinstance(model, Generalised):
        result |= _family_dict(model)
    if isinstance(model, Mixed):
        result |= _random_dict(model)
    if isinstance(model, Generalised | Mixed):
        result |= _outcome_dict(model)
    plain: dict[str, Any] = as_plain(result)
    return plain


def _random_dict(model: Mixed) -> dict[str, Any]:
    return {
        "ngroups": model.ngroups,
        "theta": model.theta.tolist(),
        "varcorr": model.varcorr.to_frame().to_dict(orient="records"),
        "singular": model.is_singular,
    }


def _outcome_dict(model: FittedModel) -> dict[str, Any]:
    outcome = model.convergence
    return {
        "converged": outcome.converged,
        "reason": outcome.reason,
        "messages": list(outcome.messages),
        "evaluations": outcome.evaluations,
        "gradient_norm": outcome.gradient_norm,
    }


def _family_dict(model: Generalised) -> dict[str, Any]:
    return {
        "family": model.family.name,
        "link": model.family.link,
        "dispersion": model.dispersion,
        "nAGQ": model.nAGQ,
        "criterion": model.criterion,
        "deviance": model.deviance,
    }


def as_plain(value: Any) -> Any:
    """Numbers that JSON has no word for become None; labels become strings."""
    if isinstance(value, dict):
        return {str(k): as_plain(v) for k, v in value.items()}
    if isinstance(value, list):
        return [as_plain(v) for v in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value
