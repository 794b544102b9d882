"""How a fitted model describes itself: tables, shares of variance, a paragraph, pictures.

Each in the module it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from .diagnosis import Diagnosis
from .maketables_protocol import MakeTables

if TYPE_CHECKING:
    from ..plots import Plots
    from ..printing.tables import ResultTable
    from ..variance.r2 import RSquared

__all__ = ["Description"]


class Description(MakeTables, Diagnosis):
    """Tables of coefficients and of fit, R², the results in words, and pictures."""

    @property
    def plot(self) -> Plots:
        """Pictures of the model and of its data: `m.plot.diagnostics()`; see `Plots`.

        They need matplotlib (`pip install mixedmodels[plot]`); the numbers of each are those of
        `m.plot.<name>_data()`, which does not.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.plot.residuals_data().columns.tolist()
        ['fitted', 'residual', 'smooth']
        """
        from ..plots import Plots

        return Plots(self)

    def coefficients(self, ddf: str | None = None, level: float = 0.95) -> ResultTable:
        """The coefficient table with tests and Wald intervals.

        Parameters
        ----------
        ddf
            "satterthwaite" (default of linear mixed models), "kenward-roger", "residual" (n − rank
            X; default of ordinary regressions), "asymptotic" (normal; default of generalised
            models) or "none".
        level
            Coverage of the intervals estimate ± quantile × std_error.

        Returns
        -------
        ResultTable
            A DataFrame, one row a coefficient kept: term, estimate, std_error, statistic, df,
            p_value, conf_low, conf_high.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> float(round(m.coefficients("kenward-roger")["df"].iloc[1], 1))
        285.5
        """
        from ..inference.coefficients import coefficients

        return coefficients(self, ddf, level)

    def tidy(
        self,
        effects: Literal["all", "fixed", "ran_pars", "ran_vals"] = "all",
        *,
        conf_int: bool = False,
        conf_level: float = 0.95,
        conf_method: Literal["wald", "profile", "boot"] = "wald",
        ddf: str | None = None,
    ) -> pd.DataFrame:
        """Estimates as a frame with broom.mixed's column names.

        Parameters
        ----------
        effects
            "fixed": the coefficients kept. "ran_pars": standard deviations and correlations, terms
            such as "sd__(Intercept)", "cor__(Intercept).x" and "sd__Observation", with standard
            errors by the delta method (NaN on the boundary of their range). "all": both.
            "ran_vals": conditional modes with their conditional standard deviations, by level.
        conf_int, conf_level, conf_method
            True adds conf.low and conf.high, the intervals of `confint`.
        ddf
            As in `coefficients`.

        Returns
        -------
        pandas.DataFrame
            effect, group, (level,) term, estimate, std.error, statistic, df, p.value(, conf.low,
            conf.high), of a generalised model without df; without random effects broom's term,
            estimate, std.error, statistic, p.value.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.tidy("ran_pars")["term"].tolist()
        ['sd__(Intercept)', 'sd__Observation']
        """
        from ..reporting.tidy import tidy

        return tidy(
            self,
            effects,
            conf_int=conf_int,
            conf_level=conf_level,
            conf_method=conf_method,
            ddf=ddf,
        )

    def glance(self) -> pd.DataFrame:
        """One row of fit statistics with broom.mixed's column names.

        nobs, sigma, logLik, AIC, BIC, REMLcrit (ML fits and generalised models: deviance) and
        df.residual; for an ordinary regression broom's r.squared, adj.r.squared, sigma, statistic,
        p.value, df, logLik, AIC, BIC, deviance (the residual sum of squares), df.residual, nobs.
        """
        from ..reporting.tidy import glance

        return glance(self)

    def augment(self, data: Any = None) -> pd.DataFrame:
        """The data with fitted values and residuals, under broom.mixed's column names.

        Parameters
        ----------
        data
            A table whose columns come first, with the rows of the fit's table or the rows used.
            None: the columns that the model uses (none where it was fitted from arrays).

        Returns
        -------
        pandas.DataFrame
            One row a row used (na_action="exclude": a row of the table), on the data's own index;
            adds .fitted, .resid, .hat (leverages), .cooksd (Cook's distances), .fixed (Xβ̂ +
            offset), .mu, .offset, .sqrtXwt, .sqrtrwt, .weights and .wtres; for an ordinary
            regression .fitted, .resid, .hat, .sigma (without the row), .cooksd and .std.resid. A
            generalised model has .fitted and .fixed on the scale of the link, deviance residuals,
            and .eta beside .mu.

        Raises
        ------
        DataError
            `data` has another number of rows.
        """
        from ..reporting.augment import augment

        return augment(self, data)

    def report(self, other: Any = None, *, format: Literal["text", "markdown"] = "text") -> str:
        """The results paragraph in words: estimates, tests, variance components, ICC and R².

        Numbers are rounded as the APA asks: two decimals, p to three, no zero before the point of
        what cannot exceed 1. Tests are those of `coefficients()`.

        Parameters
        ----------
        other
            A smaller or larger model of the same data: adds their likelihood-ratio test.
        format
            "text" or "markdown".

        Raises
        ------
        ArgumentError
            For another format.
        DataError
            `other` was fitted to other data.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> "300 observations" in m.report()
        True
        """
        from ..reporting.report import report

        return report(self, other, format)

    def r2(
        self,
        *,
        ci: float | None = None,
        nsim: int = 1000,
        seed: int = 0,
        n_threads: int | None = None,
    ) -> RSquared:
        """R² of Nakagawa & Schielzeth: `.marginal` (fixed effects) and `.conditional` (and random
        effects); for an ordinary regression both are the variance explained. See `RSquared`.

        Parameters
        ----------
        ci
            Coverage of percentile intervals from a parametric bootstrap, e.g. 0.95; None: none.
        nsim, seed, n_threads
            Of the bootstrap; see `mm.bootstrap`.
        """
        from ..variance.r2 import r_squared

        return r_squared(self, ci=ci, nsim=nsim, seed=seed, n_threads=n_threads)
