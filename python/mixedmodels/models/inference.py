"""The questions that a fitted model answers beyond its estimates; each in the module it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import ArrayLike

from .prediction import Prediction

if TYPE_CHECKING:
    from ..inference.hypothesis import HypothesisTable
    from ..inference.robust import RobustCovariance
    from ..marginal_means.emmeans import MarginalMeans
    from ..printing.tables import ResultTable

__all__ = ["Inference"]


class Inference(Prediction):
    """Tests, intervals, marginal means and reports of a fitted model."""

    # --- Tests ---

    def anova(self, type: int | str = 3, ddf: str | None = None) -> ResultTable:
        """Tests of the terms of the fixed part: F, or Wald's χ² for generalised models.

        Parameters
        ----------
        type
            1: each term after those before it. 2: each term after all that do not contain it. 3:
            each term after all others, main effects averaged over the levels of what contains
            them (whatever the contrasts of the fit). Also "I", "II", "III". Type 2 of a
            generalised model is that of R's car: after all others but those with all its variables.
        ddf
            As in `coefficients`; "asymptotic" gives F with infinite DenDF (χ²/NumDF).

        Returns
        -------
        ResultTable
            Indexed by term: Sum Sq, Mean Sq, NumDF, DenDF, F value, Pr(>F); of a generalised model
            Chisq, Df, Pr(>Chisq). A type III test that the data do not determine (combinations of
            levels without rows) is NaN and a note says so.

        Raises
        ------
        ArgumentError
            Another type or method.
        DataError
            The model was fitted from arrays, whose columns belong to no terms.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> visits = mm.datasets.load("anxiety_longitudinal").dropna()
        >>> m = mm.lmer("anxiety ~ month * treatment + (1 | clinic)", visits)
        >>> list(m.anova().index)
        ['month', 'treatment', 'month:treatment']

        References
        ----------
        Kuznetsova, Brockhoff & Christensen (2017), J. Stat. Softw. 82(13), §2.2.
        """
        from ..inference.terms import anova

        return anova(self, type, ddf)

    def test(
        self,
        hypothesis: str | Sequence[str] | ArrayLike,
        value: float | ArrayLike = 0.0,
        *,
        joint: bool | None = None,
        ddf: str | None = None,
        level: float = 0.95,
    ) -> HypothesisTable:
        """Test linear hypotheses about the fixed effects.

        Parameters
        ----------
        hypothesis
            Strings over coefficient names, "a - b = 0", "2*x = 1", "(a + b)/2 = c" (backticks
            around odd names), or a matrix L with one column a coefficient (a DataFrame or Series by
            name; what it leaves out counts zero); a test of Lβ = value.
        value
            Right-hand sides of a matrix hypothesis.
        joint
            True: one F test of all rows. False: one t test a row. None (default): both where there
            are several rows.
        ddf, level
            As in `coefficients`.

        Returns
        -------
        HypothesisTable
            A DataFrame, one row a hypothesis: estimate, std_error, statistic, df, p_value,
            conf_low, conf_high. `.joint` is the F test (statistic, num_df, den_df, p_value); with
            `joint=True` the table itself is that one row.

        Raises
        ------
        FormulaError
            A string is not understood, or names no coefficient of the model.
        ArgumentError
            The matrix has the wrong shape, or the hypotheses contradict each other.
        DataError
            A coefficient that was dropped as collinear is in a hypothesis: not estimable.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> float(round(m.test("10*therapy_sessions = -14")["estimate"].iloc[0], 2))
        -14.13
        """
        from ..inference.hypothesis import test

        return test(self, hypothesis, value, joint=joint, ddf=ddf, level=level)

    def drop1(self, scope: Sequence[str] | None = None) -> ResultTable:
        """Likelihood-ratio tests of dropping each fixed term that no other term contains.

        Fits by ML, on the rows of the model.

        Parameters
        ----------
        scope
            Labels of the terms to drop; None (default): all that marginality allows.

        Returns
        -------
        ResultTable
            Indexed by term, first "<none>": npar, AIC, LRT, Pr(Chi), as R's drop1(test = "Chisq").

        Raises
        ------
        ArgumentError
            `scope` names no term of the fixed part.
        DataError
            The model was fitted from arrays.

        Examples
        --------
        >>> import mixedmodels as mm
        >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
        >>> float(round(m.drop1()["LRT"].iloc[1], 1))
        308.8
        """
        from ..inference.drop1 import drop1

        return drop1(self, scope)

    # --- Intervals ---

    def confint(
        self,
        parm: str | Sequence[str] | None = None,
        level: float = 0.95,
        method: Literal["profile", "wald", "boot"] = "profile",
        *,
        ddf: str | None = None,
        nsim: int = 1000,
        seed: int = 0,
        boot_type: Literal["percentile", "basic", "bca"] = "percentile",
        n_threads: int | None = None,
        progress: bool = True,
    ) -> ResultTable:
        """Confidence intervals for standard deviations, correlations, sigma or dispersion, and
        fixed effects.

        Parameters
        ----------
        parm
            Rows wanted: ".sig01", "sigma", a coefficient's name, `"beta_"` (all fixed effects) or
            `"theta_"` (all others); None for all.
        level
            Coverage.
        method
            "profile": likelihood profiles of the ML fit, one-sided where a standard deviation
            reaches 0 or a correlation ±1. "wald": estimate ± quantile × standard error (by the
            delta method on the log scale for standard deviations, Fisher's z for correlations).
            "boot": parametric bootstrap, the only one for the sigma of a generalised model, which
            is a function of its other parameters.
        ddf
            For "wald": the degrees of freedom of the fixed effects, as in `coefficients`.
        nsim, seed, boot_type, n_threads, progress
            For "boot": see `mm.bootstrap`.

        Returns
        -------
        ResultTable
            Rows as lme4 names them (.sig01, ..., .sigma, fixed effects; .dispersion of families
            that have one of their own); columns of the two ends ("2.5 %", "97.5 %"), the estimate,
            and a readable `parameter`.
        """
        from ..inference.confint import confint

        return confint(
            self,
            parm,
            level,
            method,
            ddf=ddf,
            nsim=nsim,
            seed=seed,
            boot_type=boot_type,
            n_threads=n_threads,
            progress=progress,
        )

    # --- Marginal means ---

    def emmeans(
        self,
        specs: str | Sequence[str],
        by: str | Sequence[str] | None = None,
        at: Mapping[str, Any] | None = None,
        *,
        ddf: str | None = None,
        level: float = 0.95,
        weights: Literal["equal", "proportional"] = "equal",
        type: Literal["link", "response"] = "link",
    ) -> MarginalMeans:
        """Estimated marginal means over a reference grid; see `MarginalMeans`.

        The grid, as in R's emmeans: every factor at all levels that the rows used have, covariates
        at their mean (log(x) and poly(x, 2) are evaluated there), a covariate with two values at
        both, offsets as the formula gives them there.

        Parameters
        ----------
        specs
            Variables whose combinations get a mean, or "1" for the grand mean.
        by
            Variables within whose levels contrasts are made.
        at
            Variable → the values of the grid, in place of all levels or of the mean.
        ddf, level
            As in `coefficients`.
        weights
            How the levels that are averaged over count: "equal", or "proportional" to their
            numbers of rows.
        type
            Generalised models: "link", means of the linear predictor, or "response", transformed
            back, with odds ratios (logit link) and ratios (log link) as contrasts.

        Raises
        ------
        ArgumentError
            A variable is not in the fixed part, or a value of `at` is not one of its levels.
        DataError
            The model was fitted from arrays: there is no formula.

        Examples
        --------
        >>> m.emmeans("recipe", by="temperature").pairs()                      # doctest: +SKIP
        """
        from ..marginal_means.emmeans import emmeans

        return emmeans(self, specs, by, at, ddf=ddf, level=level, weights=weights, type=type)

    # --- Robust standard errors ---

    def vcov_robust(
        self, type: Literal["CR0", "CR1", "CR2"] = "CR2", cluster: str | ArrayLike | None = None
    ) -> RobustCovariance:
        """Cluster-robust ("sandwich") covariance matrix of the fixed effects.

        Parameters
        ----------
        type
            "CR0": plain; "CR1": times G/(G − 1) for G clusters; "CR2": bias-reduced, with
            Satterthwaite degrees of freedom (Bell & McCaffrey 2002; Pustejovsky & Tipton 2018), as
            in R's clubSandwich. With prior weights CR2 is that of the rows times √w, which matters
            only where weights vary within clusters.
        cluster
            A grouping factor's or column's name, or labels of the rows used or of the table's
            rows, by position. Default: the coarsest grouping factor; required where factors cross,
            and for ordinary regressions.

        Returns
        -------
        RobustCovariance
            `.vcov`, `.std_error`, `.coefficients(level)`; prints as the coefficient table.

        Raises
        ------
        ArgumentError
            No cluster can be taken for granted; CR2 where a level of a grouping factor lies in
            several clusters, or a cluster has thousands of random effects.
        DataError
            Labels are missing, of the wrong number or all equal; CR2 where digits are lost to a
            predictor very far from zero.
        """
        from ..inference.robust import vcov_robust

        return vcov_robust(self, type, cluster)
