"""What a fitted model owes to single rows and groups: leverages, distances, fits without them.

Each in the module it names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd

from .inference import Inference

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..diagnostics.check_report import Checks
    from ..diagnostics.influence_by_group import Influence
    from ..diagnostics.quantile_tests import QuantileTests
    from ..printing.tables import ResultTable

__all__ = ["Diagnosis"]


class Diagnosis(Inference):
    """Leverages, standardised residuals, influence of rows and of groups, checks."""

    # --- Rows ---

    @property
    def hatvalues(self) -> pd.Series[float]:
        """Leverages, on the data's own index: the diagonal of the hat matrix at fixed θ.

        hᵢ = aᵢ'J⁻¹aᵢ with aᵢ = √wᵢ(xᵢ, Λ'zᵢ) and J = [[X'WX, X'WZΛ], [Λ'Z'WX, Λ'Z'WZΛ + I]]: how
        much of its own fitted value a row determines (Demidenko & Stukel 2005, Stat. Med. 24,
        893-909). Between 0 and 1; their sum, between p and p + q, is the effective number of
        coefficients. Of a generalised model W are the working weights at the modes (lme4 1.1 scales
        rows by prior weights instead, and its values exceed 1). Of an ordinary regression these are
        R's hatvalues.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> float(round(m.hatvalues.sum(), 2))
        15.18
        """
        return self._on_rows(self._leverages, "hatvalue")

    def cooks_distance(self) -> pd.Series[float]:
        """Cook's distance of each row, on the data's own index.

        Dᵢ = r²h/((1 − h)²σ²p), r Pearson's residual at the modes, h its leverage, p the rank of X:
        how far the fit, random effects included, moves when the row is left out at fixed θ, as
        lme4's and R's cooks.distance. For β̂ alone, and for refits, see `influence`. NaN where a row
        alone determines a coefficient (h = 1).

        Raises
        ------
        ArgumentError
            The model has no fixed effects.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> bool(m.cooks_distance().max() < 0.5)
        True
        """
        from ..diagnostics.leverage import cooks_distance

        return cooks_distance(self)

    def rstandard(self) -> pd.Series[float]:
        """Residuals divided by their standard deviation, r/(σ√(1 − h)), on the data's own index.

        r is the deviance residual, of a linear model √w(y − μ), as in R's rstandard. NaN where h =
        1.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> float(m.rstandard().abs().max().round(2))
        2.92
        """
        from ..diagnostics.leverage import rstandard

        return rstandard(self)

    def rstudent(self) -> pd.Series[float]:
        """Studentised residuals, on the data's own index.

        Of ordinary linear regressions r/(σ₍ᵢ₎√(1 − h)) with σ₍ᵢ₎ of the fit without the row: t on n
        − p − 1 degrees of freedom. In general Williams's likelihood residual, the signed root of
        the fall in deviance when the row is left out, sign(r)√(r² + h r_P²/(1 − h)) from the
        deviance residual r and Pearson's r_P (Williams 1987, Appl. Stat. 36, 181-191), divided by
        σ: of a `glm` that without the row, as R (where the binomial and the Poisson are not
        divided), of a mixed model that of all rows, as lme4. For a linear mixed model these are
        `rstandard`. NaN where h = 1.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> o = mm.lm("anxiety ~ therapy_sessions", mm.datasets.load("anxiety"))
        >>> float(o.rstudent().abs().max().round(2))
        3.05
        """
        from ..diagnostics.leverage import rstudent

        return rstudent(self)

    def dfbetas(self) -> pd.DataFrame:
        """Change of each coefficient when a row is left out, in standard errors: (rows, p).

        (β̂ − β̂₍ᵢ₎)_k over its standard error, in closed form with θ held: of a mixed model the
        standard error without the row, as lme4 and `influence(method="fast")`; of an ordinary
        regression σ₍ᵢ₎√Φ_kk with σ²Φ the covariance matrix of β̂, as R's dfbetas (which of a `glm`
        takes deviance residuals for Pearson's). NaN where a column was dropped as collinear. For
        refits, in which θ changes too, see `influence`.

        Raises
        ------
        ArgumentError
            The model has no fixed effects.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.dfbetas().shape
        (300, 2)
        """
        from ..diagnostics.leverage import dfbetas

        return dfbetas(self)

    # --- Groups ---

    def influence(
        self,
        group: str | ArrayLike | None = None,
        method: Literal["exact", "fast"] = "exact",
        *,
        n_threads: int | None = None,
    ) -> Influence:
        """The fit without each group of rows, and what that changes.

        Parameters
        ----------
        group
            A grouping factor of the model, a column of the data, or labels of the rows. None: each
            row by itself.
        method
            "exact": the model is fitted again without each group, in threads (by row: n fits).
            "fast": β̂ and σ in closed form with θ held, for single rows and for groups that share no
            level of a grouping factor; of a generalised model one Newton step in its working model,
            without the uncertainty of θ.
        n_threads
            Threads of the refits; default those of the model.

        Returns
        -------
        Influence
            Frames with one row a group: `.fixef`, `.theta`, `.sigma`, `.dfbetas`,
            `.cooks_distance`, `.mdffits`, `.covratio`; it prints the most influential groups.

        Raises
        ------
        ArgumentError
            Another method, or groups for which "fast" has no closed form.
        DataError
            The column does not exist, or a label is missing.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> without = m.influence("clinic")
        >>> without.cooks_distance.idxmax()
        '8'
        """
        from ..diagnostics.influence_by_group import influence

        return influence(self, group, method, n_threads)

    # --- Checks ---

    def check(self) -> Checks:
        """Everything that ought to be looked at before the model is reported, with what to do.

        Convergence, singularity, separation, collinearity; numbers of groups and of rows per random
        effect; normality of random effects and of residuals; constant variance, over fitted values
        and over groups; influential groups; of generalised models overdispersion, and the
        distribution, outliers and zeros against simulated responses. A departure is a "note" or a
        "problem" only where it is both certain (p < 0.01, p < 0.005) and of a size that matters, so
        that large data raise no false alarms.

        Returns
        -------
        Checks
            Prints as a list; `.to_frame()` has one row a check (check, subject, statistic, p_value,
            threshold, verdict, finding, advice); `.problems`, `.notes`, `.skipped`.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> m.check().verdict
        'ok'
        """
        from ..diagnostics.checks import check

        return check(self)

    def vif(self) -> ResultTable:
        """Variance inflation factors of the terms of the fixed part, from `vcov`.

        Returns
        -------
        ResultTable
            Indexed by term: `vif`, of terms with several columns the generalised one; `df`, the
            number of columns; `se_inflation` = vif^(1/(2 df)), by how much the term's standard
            errors exceed those with unrelated predictors. Columns dropped do not count.

        Raises
        ------
        ArgumentError
            There are fewer than two terms.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> visits = mm.datasets.load("anxiety_longitudinal").dropna()
        >>> m = mm.lmer("anxiety ~ month + treatment + sessions + (1 | clinic)", visits)
        >>> m.vif()["vif"].round(2).tolist()
        [3.46, 1.55, 4.01]

        References
        ----------
        Fox & Monette (1992), JASA 87, 178-183.
        """
        from ..diagnostics.collinearity import variance_inflation

        return variance_inflation(self)

    def quantile_residuals(
        self, nsim: int = 250, seed: int = 0, *, re_form: str | float | None = "NA"
    ) -> pd.Series[float]:
        """Where each response stands among responses simulated from the model: uniform on (0, 1) if
        the model is right, whatever its family.

        Parameters
        ----------
        nsim
            Simulated responses; memory does not grow with them.
        seed
            Of the simulation and of the random order of ties (counts that are equal).
        re_form
            As in `simulate`. "NA" (default, as in DHARMa): random effects are simulated as well, so
            that their distribution is checked too; rows of a group that share an effect stand high
            or low together. None: the conditional modes are kept; residuals are then independent
            but not quite uniform, because the modes follow the response.

        Returns
        -------
        pandas.Series
            On the data's own index.

        Raises
        ------
        ArgumentError
            `nsim` or `seed` is not a whole number in its range.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> data = mm.datasets.load("anxiety")
        >>> m = mm.glmer("therapy_sessions ~ 1 + (1 | clinic)", data, family="poisson")
        >>> m.quantile_residuals().between(0, 1).all()
        np.True_

        References
        ----------
        Dunn & Smyth (1996), J. Comput. Graph. Stat. 5, 236-244; Hartig, DHARMa (R package).
        """
        from ..diagnostics.quantile_residuals import quantile_residuals

        return quantile_residuals(self, nsim, seed, re_form=re_form)

    def quantile_tests(
        self, nsim: int = 250, seed: int = 0, *, re_form: str | float | None = "NA"
    ) -> QuantileTests:
        """Tests of the response against simulated ones: uniformity of `quantile_residuals`,
        dispersion, outliers, zeros.

        P-values are ranks among the simulated responses, each put in the place of the observed one:
        right also where rows of a group are dependent, where tests for independent rows reject
        correct models. Of more than 20,000 rows, so many evenly spaced ones are tested. Faults of
        the family alone are found more easily with `re_form=None`, unless groups have few rows.

        Parameters
        ----------
        nsim, seed, re_form
            As in `quantile_residuals`.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> data = mm.datasets.load("anxiety")
        >>> m = mm.glmer("therapy_sessions ~ 1 + (1 | clinic)", data, family="poisson")
        >>> m.quantile_tests().dispersion.p_value < 0.01
        True
        """
        from ..diagnostics.quantile_tests import quantile_tests

        return quantile_tests(self, nsim, seed, re_form=re_form)
