"""New responses from a fitted model: `m.simulate(nsim, seed)`.

    y* = Xβ̂ + o + Zb* + W^(−½)εσ̂,    ε ~ N(0, I),

or a draw from the family at that linear predictor; b* are the conditional modes b̂ of the effects
that are kept and draws from N(0, Σ) of the others. Column k is a function of (seed, k) alone, by
counter-based random numbers (Salmon, Moraes, Dror & Shaw 2011, Parallel random numbers: as easy as
1, 2, 3, SC '11). The rows of the fit with all effects kept, or none, are drawn in the kernel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..models.generalised import Generalised
from ..models.replicates import check_replicates
from ..models.varcorr import templates
from .draws import response_noise, stream
from .new_responses import trials_of, weights_of
from .prediction_rows import Rows, rows_of
from .re_form import effects_named

if TYPE_CHECKING:
    from ..models.prediction import Prediction

__all__ = ["numbered_responses", "simulate"]

Array = NDArray[np.float64]


def simulate(
    model: Prediction,
    nsim: int,
    seed: int,
    re_form: Any,
    *,
    newdata: Any = None,
    allow_new_levels: bool = False,
) -> pd.DataFrame:
    """Documented at `Prediction.simulate`."""
    check_replicates(nsim, seed)
    if newdata is not None:
        kept = effects_named(model, re_form)
        rows = rows_of(model, newdata, kept, left_out=True, allow_new_levels=allow_new_levels)
        return pd.DataFrame(_drawn(model, rows, range(nsim), seed), index=rows.index)
    values = numbered_responses(model, range(nsim), seed, re_form)
    m = model._matrices
    if m.na_action == "exclude" and m.rows is not None:
        return pd.DataFrame(m.on_table(values), index=m.full_index)
    return pd.DataFrame(values, index=m.index)


def numbered_responses(model: Prediction, numbers: range, seed: int, re_form: Any) -> Array:
    """The simulated responses of these numbers, in steps of 1, for the rows of the fit: shape
    (nobs, len(numbers))."""
    kept = effects_named(model, re_form)
    everything = all(mask.all() for mask in kept)
    if any(mask.any() for mask in kept) and not everything:
        return _drawn(model, rows_of(model, None, kept, left_out=True), numbers, seed)
    return model._fit.simulate(
        len(numbers),
        int(seed),
        offset=numbers.start,
        use_u=everything,
        n_threads=model._call.n_threads,
    )


def _drawn(model: Prediction, rows: Rows, numbers: range, seed: int) -> Array:
    """Shape (n, len(numbers)); NaN in rows with a missing value."""
    sizes = [len(term.columns) for term in model._matrices.terms]
    roots = [model.sigma * r for r in templates(np.asarray(model._fit.theta), sizes)]
    groups = {term: rows.groups(term) for term in rows.unknown}
    complete = [np.isfinite(z).all(axis=1) for z in rows.unknown.values()]
    whole = np.isfinite(rows.eta) & np.all(complete, axis=0)
    noise = _noise(model, rows, whole)
    responses = np.full((len(whole), len(numbers)), np.nan, order="F")
    for column, k in enumerate(numbers):
        random = stream(seed, k)
        eta = rows.eta.copy()
        for term, z in rows.unknown.items():
            codes, root = groups[term], roots[term]
            b = random.standard_normal((int(codes.max(initial=-1)) + 1, len(root))) @ root.T
            eta += np.einsum("na,na->n", z, b[codes])
        responses[whole, column] = noise(random, eta[whole])
    return responses


def _noise(
    model: Prediction, rows: Rows, whole: NDArray[np.bool_]
) -> Callable[[np.random.Generator, Array], Array]:
    """Linear predictor → response, of the rows that are `whole`."""
    family = model._call.family
    binomial = family is not None and family.name == "binomial"
    weights = np.ones(len(whole)) if binomial else weights_of(rows)
    return response_noise(
        family,
        weights=weights[whole],
        sizes=trials_of(rows)[whole] if binomial else None,
        sigma=model.sigma,
        dispersion=float(model._fit.dispersion) if isinstance(model, Generalised) else np.nan,
    )
