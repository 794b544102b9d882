"""Likelihood-ratio test by parametric bootstrap: `mm.bootstrap_lrt(m0, m1)`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..models.call import check_threads
from ..models.fitted import FittedModel
from ..models.generalised import Generalised
from ..models.model import LinearModel
from ..models.replicates import check_replicates, chunks
from ..printing.document import PrintedDocument
from .distributions import chi2_upper
from .lrt import ROUNDING, by_ml, likelihood_ratio, require_same_data

__all__ = ["BootstrapLRT", "bootstrap_lrt", "ml_criteria"]

Array = NDArray[np.float64]

CHUNK = 2**24  # simulated numbers held at a time (128 MB)


@dataclass(frozen=True, eq=False, repr=False)
class BootstrapLRT(PrintedDocument):
    """A likelihood-ratio test whose null distribution was simulated.

    Attributes
    ----------
    statistic
        −2 log of the likelihood ratio of the data, LR.
    p_value
        (1 + number of LR* ≥ LR) / (1 + number of LR*); never zero.
    mc_error
        Monte Carlo standard error of `p_value`.
    df
        Parameters that the larger model adds.
    p_chi2
        P(χ²_df > LR), the large-sample value, for comparison.
    null
        The simulated LR*, shape (nsim,); NaN where a refit failed.
    seed
        Seed that gives them again.
    n_failed, n_singular
        Replicates in which a fit failed, and in which the larger model's fit is singular (kept).
    models
        The formulas (and families) of the smaller and the larger model.
    """

    statistic: float
    p_value: float
    mc_error: float
    df: int
    p_chi2: float
    null: Array
    seed: int
    n_failed: int
    n_singular: int
    models: tuple[str, str]

    @property
    def nsim(self) -> int:
        """Replicates, failed ones included."""
        return len(self.null)

    def __str__(self) -> str:
        lines = [
            "Likelihood-ratio test by parametric bootstrap (ML)",
            f"  null:        {self.models[0]}",
            f"  alternative: {self.models[1]}",
            f"  LR = {self.statistic:.4f}, p = {self.p_value:.4g} ± {self.mc_error:.2g}",
            f"  {self.nsim} replicates, seed {self.seed}; {self.n_failed} failed and are left out, "
            f"{self.n_singular} singular and kept",
            f"  for comparison, χ²({self.df}): p = {self.p_chi2:.4g}",
        ]
        return "\n".join(lines)

    __repr__ = __str__


def bootstrap_lrt(
    m0: FittedModel,
    m1: FittedModel,
    nsim: int = 1000,
    seed: int = 0,
    n_threads: int | None = None,
    progress: bool = True,
) -> BootstrapLRT:
    """Test a smaller model within a larger one: responses are drawn from the smaller one, and both
    are fitted to each of them.

    Right where the χ² approximation is not: few groups, or a variance of zero under the null
    hypothesis. Fits by REML are fitted again by ML first, as `mm.anova` does.

    Parameters
    ----------
    m0, m1
        Fits of `lmer` or `lm`, or of `glmer` or `glm`, to the same rows and response; m0 must be a
        special case of m1.
    nsim
        Number of replicates.
    seed
        0 to 2⁶⁴ − 1; the same seed gives the same test for any number of threads.
    n_threads
        Threads; default those of `m1`.
    progress
        Show a progress bar, in a terminal and from the first second on.

    Returns
    -------
    BootstrapLRT
        `.statistic`, `.p_value`, `.mc_error`, `.null`; prints as text.

    Raises
    ------
    ArgumentError
        m1 has no more parameters than m0, one of them is linear and the other generalised, or a
        number is out of range.
    DataError
        The models have different rows, responses or weights.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> data = mm.datasets.load("anxiety")
    >>> m0 = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", data)
    >>> m1 = mm.lmer("anxiety ~ therapy_sessions + (therapy_sessions | clinic)", data)
    >>> bootstrap_lrt(m0, m1, nsim=200).p_value < 0.05
    True

    References
    ----------
    Davison & Hinkley (1997), §4.2.3; Halekoh & Højsgaard (2014), J. Stat. Softw. 59(9), §5.
    """
    _require_nested(m0, m1)
    check_replicates(nsim, seed)
    check_threads(n_threads)
    small, large = by_ml(m0), by_ml(m1)
    threads = n_threads or m1._call.n_threads
    parts = [
        _ratios(small, large, int(seed), chunk, threads)
        for chunk in chunks(
            int(nsim), what="bootstrap_lrt", progress=progress, most=max(CHUNK // m0.nobs, 1)
        )
    ]
    null = np.concatenate([ratios for ratios, _ in parts])
    return _result(small, large, null, int(seed), sum(singular for _, singular in parts))


def _require_nested(m0: FittedModel, m1: FittedModel) -> None:
    """Refuse what cannot be a smaller and a larger model of the same data."""
    for model in (m0, m1):
        if not isinstance(model, FittedModel):
            raise ArgumentError(
                f"mm.bootstrap_lrt compares fitted models; got one of type {type(model).__name__}"
            )
    if isinstance(m0, Generalised) != isinstance(m1, Generalised):
        raise ArgumentError(
            "one model is linear and the other generalised, so that neither is a special case of "
            "the other"
        )
    if m1.npar <= m0.npar:
        raise ArgumentError(
            f"the second model has {m1.npar} parameters and the first {m0.npar}; expected the "
            "smaller model first: mm.bootstrap_lrt(smaller, larger)"
        )
    require_same_data([m0, m1])


def _ratios(
    small: FittedModel, large: FittedModel, seed: int, chunk: range, n_threads: int | None
) -> tuple[Array, int]:
    """LR* of some replicates, and how many fits of the larger model are singular."""
    responses = small._fit.simulate(len(chunk), seed, chunk.start, False, n_threads)
    fits = [
        model._fit.refit_many(model._matrices.on_table(responses), n_threads)
        for model in (small, large)
    ]
    before, after = (ml_criteria(m, fit) for m, fit in zip((small, large), fits, strict=True))
    return before - after, int(fits[1]["singular"].sum())


def ml_criteria(model: FittedModel, fits: dict[str, Any]) -> Array:
    """−2 log-likelihood of every fit, as `lrt.criterion`; an ordinary regression's kernel fit is by
    REML, so it is made of the residual sum of squares."""
    if not isinstance(model, LinearModel):
        criteria: Array = fits["criterion"]
        return criteria
    n, weights = model.nobs, model._matrices.weights
    known = 0.0 if weights is None else float(np.log(weights).sum())
    rss: Array = fits["pwrss"]
    return n * (1 + np.log(2 * math.pi * rss / n)) - known


def _result(
    small: FittedModel, large: FittedModel, null: Array, seed: int, n_singular: int
) -> BootstrapLRT:
    test = likelihood_ratio(small, large)
    valid = null[np.isfinite(null)]
    p = (1 + int((valid >= test.statistic - ROUNDING).sum())) / (1 + len(valid))
    return BootstrapLRT(
        statistic=test.statistic,
        p_value=p,
        mc_error=math.sqrt(p * (1 - p) / max(len(valid), 1)),
        df=test.df,
        p_chi2=chi2_upper(test.statistic, test.df),
        null=null,
        seed=seed,
        n_failed=len(null) - len(valid),
        n_singular=n_singular,
        models=(_described(small), _described(large)),
    )


def _described(model: FittedModel) -> str:
    """The formula, and the family of a generalised model."""
    formula, family = model.formula or "from arrays", model._call.family
    return formula if family is None else f"{formula} · {family!r}"
