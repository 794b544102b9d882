"""New responses from a fitted model: `m.simulate(nsim, seed)`."""

from __future__ import annotations

from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from .errors import ArgumentError

if TYPE_CHECKING:
    from .fitted import FittedModel
    from .model_matrix import ModelMatrices

__all__ = ["check_replicates", "on_table", "simulate"]

Array = NDArray[np.float64]

MOST = 2**32 - 1  # replicates are numbered by 32 bits


def simulate(model: FittedModel, nsim: int = 1, seed: int = 0, use_u: bool = False) -> pd.DataFrame:
    """Draw responses: of a linear model y* = Xβ̂ + o + ZΛuσ̂ + W^(−½)εσ̂ with u, ε ~ N(0, I), of a
    generalised one y* from its family with mean g⁻¹(Xβ̂ + o + ZΛuσ̂) and dispersion.

    Binomial responses are proportions of the numbers of trials, which `m.refit` takes as they are:
    times the trials they are numbers of successes. Those of 0/1 data are 0 and 1.

    Parameters
    ----------
    model
        A fitted model.
    nsim
        Number of responses.
    seed
        0 to 2⁶⁴ − 1. Column k is a function of (seed, k) alone, by counter-based random numbers
        (Salmon et al. 2011), whatever the number of threads.
    use_u
        False: new random effects u are drawn in every replicate. True: the conditional modes b̂
        stand for ZΛuσ̂, so that only the residuals (the draws from the family) are new.

    Returns
    -------
    pd.DataFrame
        Shape (nobs, nsim), on the data's own index (padded with NaN for na_action="exclude");
        columns 0, 1, ....

    Raises
    ------
    ArgumentError
        `nsim` or `seed` is not a whole number in its range.

    Examples
    --------
    >>> import mixedmodels as mm
    >>> m = mm.lmer("anxiety ~ therapy_sessions + (1 | clinic)", mm.datasets.load("anxiety"))
    >>> simulate(m, 3).shape
    (300, 3)

    References
    ----------
    Salmon, Moraes, Dror & Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC '11.
    """
    check_replicates(nsim, seed)
    values = model._fit.simulate(
        int(nsim), int(seed), use_u=bool(use_u), n_threads=model._call.n_threads
    )
    m = model._matrices
    if m.na_action == "exclude" and m.rows is not None:
        return pd.DataFrame(on_table(m, values), index=m.full_index)
    return pd.DataFrame(values, index=m.index)


def check_replicates(nsim: int, seed: int, offset: int = 0) -> None:
    """Refuse numbers of replicates, seeds and offsets that are out of range."""
    _check_whole("nsim", nsim, 1, MOST)
    _check_whole("seed", seed, 0, 2**64 - 1)
    _check_whole("offset", offset, 0, MOST - nsim)


def _check_whole(name: str, value: int, least: int, most: int) -> None:
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if not (whole and least <= value <= most):
        raise ArgumentError(f"{name} is {value!r}; expected a whole number from {least} to {most}")


def on_table(matrices: ModelMatrices, values: Array) -> Array:
    """Values of the rows used → of all rows of the table, NaN elsewhere; shape (rows, ...)."""
    if matrices.rows is None:
        return values
    padded = np.full((len(matrices.full_index), *values.shape[1:]), np.nan)
    padded[matrices.rows] = values
    return padded
