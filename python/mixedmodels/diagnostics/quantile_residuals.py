"""Simulation-based quantile residuals: `m.quantile_residuals()`.

The response y of a row is one of k + 1 exchangeable values with the k that are simulated from the
model. With `below` of these smaller than y and `equal` of them equal to it,

    r = (below + v (equal + 1)) / (k + 1),    v ~ U(0, 1),

is uniform on (0, 1) for every k and every distribution, discrete ones included (the randomised
quantile residual of Dunn & Smyth 1996, with the distribution function simulated). Equal counts of a
binomial are compared as counts, not as proportions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..models.generalised import Generalised
from ..models.replicates import check_replicates
from ..predictions.simulate import numbered_responses

if TYPE_CHECKING:
    from ..models.fitted import FittedModel
    from ..models.prediction import Prediction

__all__ = ["discrete", "observed", "quantile_residuals", "simulated", "uniforms"]

Array = NDArray[np.float64]

AT_ONCE = 1 << 23  # simulated values in memory


def quantile_residuals(
    model: FittedModel, nsim: int = 250, seed: int = 0, *, re_form: Any = "NA"
) -> pd.Series[float]:
    """Documented at `Diagnosis.quantile_residuals`."""
    y = observed(model)
    below, equal = np.zeros(len(y)), np.zeros(len(y))
    for values in simulated(model, nsim, seed, re_form):
        below += (values < y[:, None]).sum(axis=1)
        equal += (values == y[:, None]).sum(axis=1)
    residuals = (below + uniforms(len(y), seed) * (equal + 1)) / (nsim + 1)
    return model._on_rows(residuals, "quantile_residual")


def simulated(
    model: FittedModel, nsim: int, seed: int, re_form: Any, most: int = AT_ONCE
) -> Iterator[Array]:
    """Responses simulated from the model, shape (nobs, some), some at a time; nsim in all."""
    check_replicates(nsim, seed)
    step = max(1, most // model.nobs)
    predicting = cast("Prediction", model)  # every model is one
    for start in range(0, nsim, step):
        numbers = range(start, min(start + step, nsim))
        yield _countable(model, numbered_responses(predicting, numbers, seed, re_form))


def observed(model: FittedModel) -> Array:
    """The response of the rows used, as `simulated` has it, shape (nobs,)."""
    return _countable(model, model._response[:, None])[:, 0]


def discrete(model: FittedModel) -> bool:
    """Whether the response is counted, so that ties are to be expected."""
    return isinstance(model, Generalised) and model.family.is_discrete


def _countable(model: FittedModel, values: Array) -> Array:
    """Proportions of a binomial → numbers of successes, exactly; shape (nobs, k)."""
    if not isinstance(model, Generalised) or not model.family.is_discrete:
        return values
    return np.rint(values * model._sizes[:, None])


def uniforms(n: int, seed: int) -> Array:
    """The v that break ties, shape (n,), in (0, 1): not the numbers that responses are made of."""
    v = np.random.default_rng(seed).random(n)
    return np.asarray(np.maximum(v, np.finfo(float).tiny))
