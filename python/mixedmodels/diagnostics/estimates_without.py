"""Estimates without each part of the rows: by deletion at fixed θ, or by refits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import ArgumentError
from ..inference.clusters import Clusters, crossing
from ..models.linear import Linear
from ..models.mixed import Mixed
from .deletion import Deletion, delete_clusters, delete_rows
from .left_out import fits_without

if TYPE_CHECKING:
    from ..models.fitted import FittedModel

__all__ = ["EstimatesWithout", "by_deletion", "by_refits"]

Array = NDArray[np.float64]

UNDETERMINED = "the rows left do not determine every coefficient of the model"


@dataclass(frozen=True, eq=False)
class EstimatesWithout:
    """One entry a part left out; NaN where there is no estimate, which `messages` explain."""

    beta: Array  # (m, p), NaN where dropped
    std_error: Array  # (m, p)
    theta: Array  # (m, n_theta)
    sigma: Array  # (m,)
    length: Array  # (β̂ − β̂₍c₎)'C⁻¹(β̂ − β̂₍c₎), (m,)
    reduced_length: Array  # with C₍c₎, (m,)
    covratio: Array  # (m,)
    singular: NDArray[np.bool_]  # (m,)
    messages: list[str | None]


# --- Closed form ---


def by_deletion(model: FittedModel, clusters: Clusters | None) -> EstimatesWithout:
    """At the θ of the fit."""
    if clusters is None:
        deletion, count = delete_rows(model), np.ones(model.nobs, dtype=np.intp)
    else:
        _require_apart(model, clusters)
        deletion, count = delete_clusters(model, clusters), np.bincount(clusters.codes)
    beta = np.array(model._fit.beta, dtype=float)
    std_error = np.full((len(count), len(beta)), np.nan)
    without = np.tile(beta, (len(count), 1))
    kept = ~np.isnan(beta)
    sigma, own = _sigma_without(model, deletion, count), model.sigma
    without[:, kept] -= deletion.change
    std_error[:, kept] = sigma[:, None] * np.sqrt(deletion.variances)
    lost = np.isnan(deletion.length)
    return EstimatesWithout(
        beta=without,
        std_error=std_error,
        theta=np.tile(model._fit.theta, (len(count), 1)),
        sigma=sigma,
        length=deletion.length / own**2,
        reduced_length=deletion.reduced_length / np.where(sigma > 0, sigma, np.nan) ** 2,
        covratio=deletion.determinant * (sigma / own) ** (2 * int(model._fit.rank)),
        singular=np.full(len(count), bool(model._fit.singular)),
        messages=[UNDETERMINED if gone else None for gone in lost],
    )


def _sigma_without(model: FittedModel, deletion: Deletion, count: NDArray[Any]) -> Array:
    """σ₍c₎, (m,), of the degrees of freedom that the fit's own σ² has."""
    if not model._has_sigma:
        return np.where(np.isnan(deletion.length), np.nan, 1.0)
    by_n = isinstance(model, Mixed) and not getattr(model._fit, "reml", False)
    df = model.nobs - (0 if by_n else int(model._fit.rank))
    rss = np.maximum(model.sigma**2 * df - deletion.rss, 0.0)
    return np.sqrt(np.where(df > count, rss / np.where(df > count, df - count, 1), np.nan))


def _require_apart(model: FittedModel, clusters: Clusters) -> None:
    crossed = crossing(model, clusters)
    if crossed:
        raise ArgumentError(
            f"method='fast' needs groups that contain whole levels of every grouping factor, and "
            f"'{crossed[0]}' has levels with rows in more than one group of {clusters.name}: use "
            f"exact refits, m.influence('{clusters.name}'), or coarser groups"
        )


# --- Refits ---


def by_refits(
    model: FittedModel, clusters: Clusters | None, n_threads: int | None
) -> EstimatesWithout:
    """θ too is that of the rows left."""
    arrays = _estimates(model, clusters, n_threads)
    beta, vcov = arrays["beta"], arrays["vcov"]
    kept = ~np.isnan(np.asarray(model._fit.beta))
    change = (np.asarray(model._fit.beta) - beta)[:, kept]
    own, without = model.sigma * model._root, vcov[:, kept][:, :, kept]  # C = own own'
    known = np.isfinite(without).all(axis=(1, 2)) & np.isfinite(change).all(axis=1)
    length, reduced, ratio = (np.full(len(beta), np.nan) for _ in range(3))
    length[known] = np.sum(np.linalg.solve(own, change[known].T) ** 2, axis=0)
    solved = np.linalg.solve(without[known], change[known][:, :, None])[:, :, 0]
    reduced[known] = np.sum(change[known] * solved, axis=1)
    logs = np.linalg.slogdet(without[known])[1] - 2 * np.linalg.slogdet(own)[1]
    ratio[known] = np.exp(logs)
    messages = [
        text or (None if fine else UNDETERMINED)
        for text, fine in zip(arrays["messages"], known, strict=True)
    ]
    return EstimatesWithout(
        beta=beta,
        std_error=np.sqrt(np.diagonal(vcov, axis1=1, axis2=2)),
        theta=arrays["theta"],
        sigma=arrays["sigma"],
        length=length,
        reduced_length=reduced,
        covratio=ratio,
        singular=arrays["singular"],
        messages=messages,
    )


def _estimates(
    model: FittedModel, clusters: Clusters | None, n_threads: int | None
) -> dict[str, Any]:
    """beta, vcov, theta, sigma, singular and messages of the fit without each part."""
    groups = [term.group for term in model._matrices.terms]
    if isinstance(model, Linear) and (clusters is None or clusters.name in groups):
        term = None if clusters is None else groups.index(clusters.name)
        count = model.nobs if clusters is None else clusters.count
        return model._fit.jackknife(term, count, n_threads or model._call.n_threads)
    if model._matrices.spec is None:
        raise ArgumentError(
            f"a model fitted from arrays is refitted without levels of its own grouping factors "
            f"({', '.join(groups)}) or without single rows only: use method='fast' for other groups"
        )
    parts = np.arange(model.nobs) if clusters is None else clusters.codes
    count = model.nobs if clusters is None else clusters.count
    return _joined(_read(model), fits_without(model, parts, count, _read, n_threads))


def _read(model: FittedModel) -> dict[str, Any]:
    """What is kept of a fit."""
    return {
        "beta": np.asarray(model._fit.beta),
        "vcov": model._vcov,
        "theta": np.asarray(model._fit.theta),
        "sigma": model.sigma,
        "singular": bool(model._fit.singular),
    }


def _joined(own: dict[str, Any], found: list[Any]) -> dict[str, Any]:
    """Arrays of all fits; of one that failed NaN and its message."""
    missing: dict[str, Any] = {name: np.full(np.shape(x), np.nan) for name, x in own.items()}
    missing["singular"] = False
    failed = [isinstance(fit, Exception) for fit in found]
    fits = [missing if no else fit for fit, no in zip(found, failed, strict=True)]
    arrays: dict[str, Any] = {name: np.array([fit[name] for fit in fits]) for name in own}
    messages = [str(fit) if no else None for fit, no in zip(found, failed, strict=True)]
    return arrays | {"messages": messages}
