"""Estimates and fit statistics as plain frames, under the column names of R's broom.mixed (Bolker &
Robinson; and broom, for `lm`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd

from ..errors import ArgumentError
from ..inference.distributions import check_level, normal_quantile
from ..inference.standard_errors import sd_correlation_errors
from ..models.parameters import SIGMA, covariance_parameters

if TYPE_CHECKING:
    from ..models.description import Description
    from ..models.generalised import Generalised
    from ..models.mixed import Mixed
    from ..models.model import LinearMixedModel, LinearModel

__all__ = ["glance", "tidy"]

Effects = Literal["all", "fixed", "ran_pars", "ran_vals"]
ConfMethod = Literal["wald", "profile", "boot"]

# effects → the rows of `confint`
ROWS = {"all": None, "fixed": "beta_", "ran_pars": "theta_"}
ESTIMATES = ["term", "estimate", "std.error", "statistic", "df", "p.value"]
INTERVAL = ["conf.low", "conf.high"]


def tidy(
    model: Description,
    effects: Effects = "all",
    *,
    conf_int: bool = False,
    conf_level: float = 0.95,
    conf_method: ConfMethod = "wald",
    ddf: str | None = None,
) -> pd.DataFrame:
    """One row an estimate; documented at `Description.tidy`."""
    _check(model, effects, conf_method)
    check_level(conf_level)
    if effects == "ran_vals":
        return _ran_vals(model, conf_level if conf_int else None)  # type: ignore[arg-type]
    mixed = bool(model._matrices.terms)
    tests = model._ddf_methods[0] != "asymptotic"  # of degrees of freedom
    parts = [_fixed(model, ddf)] if effects != "ran_pars" else []
    if mixed and effects != "fixed":
        parts.append(_ran_pars(model))  # type: ignore[arg-type]
    table = parts[0] if len(parts) == 1 else pd.concat(parts)
    if conf_int:
        by = ddf if conf_method == "wald" else None
        found = model.confint(ROWS[effects], conf_level, conf_method, ddf=by, progress=False)
        # σ of a generalised model has an interval by bootstrap only
        table[INTERVAL] = found.iloc[:, :2].reindex(table.index).to_numpy()
    estimates = [c for c in ESTIMATES if c != "df" or (mixed and tests)]
    columns = ["effect", "group", *estimates] if mixed else estimates
    table = table.reset_index(drop=True)
    return table.reindex(columns=[*columns, *INTERVAL] if conf_int else columns)


def _check(model: Description, effects: str, conf_method: str) -> None:
    if effects not in (*ROWS, "ran_vals"):
        raise ArgumentError(f"effects={effects!r}: choose all, fixed, ran_pars or ran_vals")
    if conf_method not in ("wald", "profile", "boot"):
        raise ArgumentError(f"conf_method={conf_method!r}: choose wald, profile or boot")
    if effects in ("ran_pars", "ran_vals") and not model._matrices.terms:
        raise ArgumentError(f"effects={effects!r}: an ordinary regression has no random effects")


def _fixed(model: Description, ddf: str | None) -> pd.DataFrame:
    """Rows named as in `confint`."""
    found = pd.DataFrame(model.coefficients(ddf))
    found = found.rename(columns={"std_error": "std.error", "p_value": "p.value"})
    table = found[ESTIMATES].set_index(pd.Index(found["term"], name=None))
    return table.assign(effect="fixed", group=None)


def _ran_pars(model: Mixed) -> pd.DataFrame:
    """Standard deviations and correlations, term by term in θ's order; rows named as in
    `confint`."""
    rows: dict[str, tuple[str, str, float]] = {}
    for parameter in covariance_parameters(model._matrices.terms):
        term, i, j = model.varcorr.terms[parameter.term], parameter.row, parameter.column
        if parameter.is_sd:
            rows[parameter.name] = (term.name, f"sd__{term.columns[i]}", float(term.sd[i]))
        else:
            what = f"cor__{term.columns[j]}.{term.columns[i]}"
            rows[parameter.name] = (term.name, what, float(term.corr[i, j]))
    if model._has_sigma:
        rows[SIGMA] = ("Residual", "sd__Observation", model.sigma)
    table = pd.DataFrame.from_dict(rows, "index", columns=["group", "term", "estimate"])
    return table.assign(effect="ran_pars", **{"std.error": sd_correlation_errors(model)})


def _ran_vals(model: Mixed, level: float | None) -> pd.DataFrame:
    """Conditional modes with their conditional standard deviations."""
    found = model.ranef(condvar=True).to_frame()
    table = pd.DataFrame(
        {
            "effect": "ran_vals",
            "group": found["grp"],
            "level": found["level"],
            "term": found["term"],
            "estimate": found["value"],
            "std.error": found["sd"],
        }
    )
    if level is not None:
        half = float(normal_quantile(0.5 + level / 2)) * table["std.error"]
        table["conf.low"], table["conf.high"] = table["estimate"] - half, table["estimate"] + half
    return table


def glance(model: Description) -> pd.DataFrame:
    """One row of fit statistics; documented at `Description.glance`."""
    from ..models.generalised import Generalised
    from ..models.model import LinearMixedModel

    if isinstance(model, LinearMixedModel):
        return pd.DataFrame([_glance_mixed(model)])
    if isinstance(model, Generalised):
        return pd.DataFrame([_glance_generalised(model)])
    return pd.DataFrame([_glance_linear(model)])  # type: ignore[arg-type]


def _glance_mixed(model: LinearMixedModel) -> dict[str, float]:
    criterion = "REMLcrit" if model.reml else "deviance"
    return {
        "nobs": model.nobs,
        "sigma": model.sigma,
        "logLik": model.loglik,
        "AIC": model.aic,
        "BIC": model.bic,
        criterion: model._minus2loglik,
        "df.residual": model.df_resid,
    }


def _glance_generalised(model: Generalised) -> dict[str, float]:
    """`deviance` is that of `m.deviance`, not −2 logLik."""
    return {
        "nobs": model.nobs,
        "sigma": model.sigma,
        "logLik": model.loglik,
        "AIC": model.aic,
        "BIC": model.bic,
        "deviance": model.deviance,
        "df.residual": model.df_resid,
    }


def _glance_linear(model: LinearModel) -> dict[str, float]:
    """As broom's: `deviance` is the residual sum of squares."""
    summary = model.summary()
    return {
        "r.squared": summary.r_squared,
        "adj.r.squared": summary.adj_r_squared,
        "sigma": model.sigma,
        "statistic": summary.f_statistic,
        "p.value": summary.f_p_value,
        "df": summary.f_df[0],
        "logLik": model.loglik,
        "AIC": model.aic,
        "BIC": model.bic,
        "deviance": model.rss,
        "df.residual": model.df_resid,
        "nobs": model.nobs,
    }
