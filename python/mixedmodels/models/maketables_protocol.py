"""The attributes by which the `maketables` package prints our models in regression tables.

Protocol: PLUGIN_EXTRACTOR_FORMAT.md of github.com/py-econometrics/maketables; nothing of it is
imported here. `ETable([m1, m2])` has the coefficients and, below them, the rows of `statistics`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pandas as pd

if TYPE_CHECKING:
    from .description import Description
    from .fitted import FittedModel

__all__ = ["MakeTables", "statistics"]

COLUMNS = {
    "estimate": "b",
    "std_error": "se",
    "statistic": "t",
    "p_value": "p",
    "df": "df",
    "conf_low": "ci95l",
    "conf_high": "ci95u",
}


class MakeTables:
    """The `__maketables_*__` attributes of a fitted model."""

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        """b, se, t, p, df, ci95l, ci95u by coefficient; tests by the model's default ddf."""
        table = cast("Description", self).coefficients()
        frame = pd.DataFrame(table).set_index("term").rename(columns=COLUMNS)
        return frame.rename_axis("Coefficient")[list(COLUMNS.values())]

    def __maketables_stat__(self, key: str) -> Any:
        """A statistic by its key; None for one that the model does not have."""
        return statistics(cast("FittedModel", self)).get(key)

    @property
    def __maketables_depvar__(self) -> str:
        return cast("FittedModel", self)._matrices.response_name

    @property
    def __maketables_vcov_info__(self) -> dict[str, Any]:
        return {"vcov_type": "model-based", "clustervar": None}

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        keys = statistics(cast("FittedModel", self))
        return [key for key in keys if key not in OPTIONAL]


OPTIONAL = ("ll", "deviance", "df_resid")


def statistics(model: FittedModel) -> dict[str, Any]:
    """Statistics by key: maketables' own keys where it has one, else words that serve as labels."""
    result: dict[str, Any] = {}
    for term in model.varcorr.terms if hasattr(model, "varcorr") else ():
        for j, column in enumerate(term.columns):
            result[f"SD {column} by {term.name}"] = float(term.sd[j])
            for i in range(j):
                pair = f"{term.columns[i]}, {column}"
                result[f"Correlation {pair} by {term.name}"] = float(term.corr[j, i])
    if model._has_sigma:
        result["SD residual"] = model.sigma
    result["N"] = model.nobs
    result |= {f"Groups: {name}": size for name, size in getattr(model, "ngroups", {}).items()}
    result |= {"aic": model.aic, "bic": model.bic, "ll": model.loglik}
    return result | {"deviance": -2 * model.loglik, "df_resid": model.df_resid}
