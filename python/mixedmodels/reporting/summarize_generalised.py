"""The numbers of a generalised model's summary (their looks are in generalised_summary.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..inference.ddf import resolve
from ..models.poisson_limit import poisson_limit
from .generalised_summary import GeneralizedMixedSummary, GeneralizedSummary
from .summarize import (
    coefficient_table,
    correlation,
    describe_rows,
    left_out,
    outcome_notes,
    quartiles,
)

if TYPE_CHECKING:
    from ..models.generalised import Generalised
    from ..models.generalised_model import GeneralizedLinearMixedModel, GeneralizedLinearModel

__all__ = [
    "approximation",
    "summarize_generalised",
    "summarize_generalised_mixed",
]

INFORMATION = {
    "fisher": "expected information in the determinant, as lme4",
    "observed": "observed information in the determinant, as glmmTMB",
}


def summarize_generalised_mixed(
    model: GeneralizedLinearMixedModel, ddf: str | None
) -> GeneralizedMixedSummary:
    """Collect the numbers of `GeneralizedLinearMixedModel.summary`."""
    method = resolve(model, ddf)
    laplace = model.nAGQ <= 1 and not model.family.is_canonical
    coefficients = coefficient_table(model, method)  # first: it settles the standard errors
    return GeneralizedMixedSummary(
        formula=model.formula,
        data=describe_rows(model),
        family=_family_line(model),
        method=approximation(model),
        information=INFORMATION[model.criterion] if laplace else "",
        criteria={
            "AIC": model.aic,
            "BIC": model.bic,
            "logLik": model.loglik,
            "-2*log(L)": model._minus2loglik,
            "df.resid": float(model.df_resid),
        },
        scaled_residuals=quartiles(model, "scaled"),
        varcorr=model.varcorr,
        nobs=model.nobs,
        ngroups=model.ngroups,
        coefficients=coefficients,
        correlation=correlation(model),
        ddf=method,
        notes=(*left_out(model), *_outcome(model), *model._vcov_notes),
    )


def summarize_generalised(model: GeneralizedLinearModel, ddf: str | None) -> GeneralizedSummary:
    """Collect the numbers of `GeneralizedLinearModel.summary`."""
    method = resolve(model, ddf)
    how = "taken to be" if not model.family.has_sigma else "estimated as"
    return GeneralizedSummary(
        formula=model.formula,
        data=describe_rows(model),
        family=_family_line(model),
        residuals=quartiles(model, "deviance"),
        coefficients=coefficient_table(model, method),
        ddf=method,
        dispersion=f"Dispersion σ² {how} {model.sigma**2:.5g}",
        deviance=model.deviance,
        df_resid=model.df_resid,
        aic=model.aic,
        notes=(*left_out(model), *_outcome(model)),
    )


def _outcome(model: Generalised) -> list[str]:
    """What the optimiser has to say, and what runs off to infinity."""
    found = model._separation
    remarks = [poisson_limit(model), "" if found is None else found.message()]
    said = [f"{text[0].upper()}{text[1:]}." for text in remarks if text]
    return [*outcome_notes(model), *said]


def _family_line(model: Generalised) -> str:
    """ "binomial  ( logit )", as lme4 prints it; with the shape where the family has one."""
    family = model.family
    shape = f"({round(model.dispersion, 4):g})" if family.has_shape else ""
    return f"{family.title}{shape}  ( {family.link} )"


def approximation(model: Generalised) -> str:
    """How the integral over the random effects was taken, in lme4's words."""
    if model.nAGQ == 1:
        return "Laplace Approximation"
    return f"Adaptive Gauss-Hermite Quadrature, nAGQ = {model.nAGQ}"
