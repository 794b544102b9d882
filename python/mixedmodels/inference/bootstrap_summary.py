"""What a bootstrap says of its statistics: moments and confidence intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..models.parameters import covariance_parameters
from ..printing.tables import ResultTable
from .confint import percent
from .distributions import check_level, normal_quantile
from .jackknife import jackknife
from .parametric_bootstrap import Bootstrap, IntervalType

__all__ = ["confint", "summary"]

Array = NDArray[np.float64]

FEWEST = 10  # replicates that an interval needs
TITLES = {"percentile": "percentile", "basic": "basic", "bca": "BCa"}


def summary(b: Bootstrap) -> ResultTable:
    """One row a statistic: estimate, mean, std_dev, bias and the Monte Carlo error of the bias.

    mean and std_dev are over the replicates that have the statistic; bias is mean − estimate.
    """
    kept = set(_order(b))
    values = b.to_frame()[[name for name in b.estimate.index if name in kept]]
    count, mean, deviation = values.count(), values.mean(), values.std()
    columns = {
        "estimate": b.estimate[values.columns],
        "mean": mean,
        "std_dev": deviation,
        "bias": mean - b.estimate[values.columns],
        "mc_error": deviation / np.sqrt(count),
    }
    title = f"Parametric bootstrap, {b.nsim} replicates, seed {b.seed}"
    return ResultTable.of(columns, title, _notes(b), index=values.columns)


def confint(b: Bootstrap, level: float = 0.95, type: IntervalType = "percentile") -> ResultTable:
    """Bootstrap confidence intervals.

    Parameters
    ----------
    b
        A bootstrap.
    level
        Coverage 1 − α.
    type
        "percentile": the α/2 and 1 − α/2 quantiles of the replicates. "basic": 2θ̂ minus those
        quantiles. "bca": quantiles at levels corrected for median bias, z₀, and acceleration, a.
        The acceleration is by a jackknife that leaves out whole levels of the coarsest grouping
        factor (single rows in an ordinary regression), in at most 100 blocks, each a new fit.

    Returns
    -------
    ResultTable
        One row a statistic: the two ends ("2.5 %", "97.5 %"), the estimate, and a readable name,
        parameter. Standard deviations and correlations come first, as from `confint`.

    Raises
    ------
    ArgumentError
        There are fewer than 10 replicates; or "bca" for a statistic of the caller's, whose
        acceleration is not known.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, ch. 13-14 (eq. 14.10, 14.14,
    14.15); Davison & Hinkley (1997), §5.2-5.3.
    """
    check_level(level)
    if type not in TITLES:
        raise ArgumentError(f"type is {type!r}; choose percentile, basic or bca")
    values = b.to_frame()[_order(b)]
    if b.nsim - b.n_failed < FEWEST:
        raise ArgumentError(
            f"there are {b.nsim - b.n_failed} replicates; an interval needs at least {FEWEST}: "
            "resume the bootstrap"
        )
    estimate: Array = np.array(b.estimate[values.columns], dtype=np.float64)
    tails: Array = np.asarray([(1 - level) / 2, (1 + level) / 2], dtype=np.float64)
    levels = np.tile(tails, (values.shape[1], 1))
    if type == "bca":
        levels = _corrected(values.to_numpy(), estimate, tails, _acceleration(b))
    columns = values.to_numpy().T
    quantiles = [_quantiles(x, at) for x, at in zip(columns, levels, strict=True)]
    ends = np.asarray(quantiles, dtype=np.float64).reshape(-1, 2)
    if type == "basic":
        ends = 2 * estimate[:, None] - ends[:, ::-1]
    low, high = percent(level)
    names = [b.labels.get(str(name), str(name)) for name in values.columns]
    title = f"{100 * level:g} % {TITLES[type]} intervals, parametric bootstrap of {b.nsim}"
    return ResultTable.of(
        {low: ends[:, 0], high: ends[:, 1], "estimate": estimate, "parameter": names},
        title,
        _notes(b),
        index=values.columns,
    )


def _quantiles(x: Array, levels: Array) -> Array:
    """Quantiles of the replicates that have the statistic; NaN where too few do, as a note says."""
    x = x[np.isfinite(x)]
    if len(x) < FEWEST or np.isnan(levels).any():
        return np.full(len(levels), np.nan)
    return np.asarray(np.quantile(x, levels), dtype=np.float64)


def _order(b: Bootstrap) -> list[str]:
    """Standard deviations and correlations, sigma, fixed effects (not those dropped)."""
    names = list(b.estimate.index)
    if b.statistic is not None:
        return names
    variances = [name for name in b.labels if name in names]
    fixed = [name for name in names if name not in variances]
    return variances + [name for name in fixed if not np.isnan(b.estimate[name])]


def _notes(b: Bootstrap) -> list[str]:
    notes = ["Random effects kept at their conditional modes (use_u=True)."] if b.use_u else []
    if b.n_failed:
        reason = b.messages[b.to_frame().isna().all(axis=1)].iloc[0]
        notes.append(f"{b.n_failed} replicates failed and are left out; the first: {reason}.")
    if b.n_singular:
        notes.append(f"{b.n_singular} replicates are singular fits, which are kept.")
    stopped = int((~b.converged).sum()) - b.n_failed
    if stopped > 0:
        late = ~b.converged & b.to_frame().notna().any(axis=1)
        reason = next((message for message in b.messages[late] if message), None)
        first = f"; the first: {reason}" if reason else ""
        notes.append(f"{stopped} replicates have not converged; they are kept{first}.")
    return notes if b.statistic else notes + _missing_correlations(b)


def _missing_correlations(b: Bootstrap) -> list[str]:
    """A correlation with a standard deviation of zero does not exist."""
    notes = []
    for parameter in covariance_parameters(b.model._matrices.terms):
        missing = int(b.to_frame()[parameter.name].isna().sum()) - b.n_failed
        if missing > 0:
            notes.append(
                f"{parameter.name}: no correlation exists in {missing} replicates, where a "
                "standard deviation is zero; they are left out."
            )
        if np.isnan(b.estimate[parameter.name]):
            notes.append(
                f"{parameter.name}: the model itself has no such correlation, for a standard "
                "deviation is zero; only percentiles of the replicates can be given."
            )
    return notes


# --- BCa ---


def _corrected(values: Array, estimate: Array, tails: Array, acceleration: Array) -> Array:
    """The levels of the quantiles, one row a statistic (Efron & Tibshirani 1993, eq. 14.10)."""
    from scipy.special import ndtr

    present = np.isfinite(values).sum(axis=0)
    below = np.where(np.isnan(values), 0.0, (values < estimate) + 0.5 * (values == estimate))
    share = np.where(np.isnan(estimate), np.nan, below.sum(axis=0) / np.maximum(present, 1))
    # An estimate beyond all replicates would ask for a quantile that they do not have.
    bias = normal_quantile(np.clip(share, 0.5 / len(values), 1 - 0.5 / len(values)))[:, None]
    shifted = bias + normal_quantile(tails)
    return np.asarray(ndtr(bias + shifted / (1 - acceleration[:, None] * shifted)))


def _acceleration(b: Bootstrap) -> Array:
    """Skewness of the jackknife's influences over six (eq. 14.15), in `_order`."""
    if b.statistic is not None:
        raise ArgumentError(
            "BCa intervals need the acceleration, which is known for the model's own parameters "
            'only: use type="percentile" or "basic" for another statistic'
        )
    values = jackknife(b.model).to_frame()[_order(b)].to_numpy()
    present = np.maximum(np.isfinite(values).sum(axis=0), 1)
    deviations = np.nan_to_num(np.nansum(values, axis=0) / present - values)
    squares = (deviations**2).sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = (deviations**3).sum(axis=0) / (6 * squares**1.5)
    return np.where(squares > 0, skewness, 0.0)
