"""What was asked for, and the call of the kernel that does it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ArgumentError
from ..formulas.formula import Formula
from ..matrices.model_frame import ModelFrame, model_frame
from ..matrices.model_matrix import ModelMatrices, model_matrices
from .control import Control
from .progress import Callback, Progress

if TYPE_CHECKING:
    from .._core import Design, Fit, GeneralizedFit
    from ..families import Criterion, Family

__all__ = ["Call", "check_threads", "optimize", "optimize_generalised", "revive"]


@dataclass(frozen=True, eq=False)
class Call:
    """The arguments of the fit, kept (by reference) for `update`."""

    data: Any
    weights: str | ArrayLike | None
    offset: str | ArrayLike | None
    contrasts: Mapping[str, Any] | None
    na_action: Any
    context: Mapping[str, Callable[..., Any]] | None
    control: Control = field(default_factory=Control)
    n_threads: int | None = None
    # of generalised models
    family: Family | None = None
    quadrature: int = 1
    criterion: Criterion | None = None

    def frame(self, formula: Formula) -> ModelFrame:
        """The variables of a formula on the data, and the rows that are used."""
        return model_frame(
            formula,
            self.data,
            weights=self.weights,
            offset=self.offset,
            na_action=self.na_action,
            context=self.context,
            family=self.family,
        )

    def matrices(self, frame: ModelFrame) -> ModelMatrices:
        """The matrices of a frame in the codings asked for."""
        return model_matrices(frame.formula, frame, contrasts=self.contrasts)

    def without_start(self) -> Call:
        """The same of another model, whose θ may have another length or order."""
        return replace(self, control=replace(self.control, start=None))


def optimize(
    matrices: ModelMatrices,
    REML: bool,
    control: Control,
    n_threads: int | None,
    *,
    verbose: bool = False,
    callback: Callback | None = None,
    design: Design | None = None,
) -> Fit:
    """One fit of a linear model in the kernel, with its progress line."""
    if not isinstance(REML, bool | np.bool_):
        raise ArgumentError(f"REML is {REML!r}; expected True or False")
    check_threads(n_threads)
    criterion = "REML criterion" if REML else "deviance"
    with Progress(criterion, verbose=verbose, callback=callback) as progress:
        return (design or matrices.design).fit(
            reml=bool(REML),
            n_threads=n_threads,
            callback=progress.hook,
            **control.settings(_size(matrices)),
        )


def optimize_generalised(
    matrices: ModelMatrices,
    call: Call,
    *,
    verbose: bool = False,
    callback: Callback | None = None,
    design: Design | None = None,
) -> GeneralizedFit:
    """One fit of a generalised model in the kernel, by the family and settings of `call`."""
    family = call.family
    assert family is not None
    check_threads(call.n_threads)
    with Progress("-2 log-likelihood", verbose=verbose, callback=callback) as progress:
        return (design or matrices.design).fit_generalized(
            family=family.kernel(),
            criterion=call.criterion or family.criteria[0],
            quadrature=call.quadrature,
            n_threads=call.n_threads,
            callback=progress.hook,
            **call.control.settings(_size(matrices)),
        )


def revive(
    matrices: ModelMatrices, call: Call, state: dict[str, Any], design: Design
) -> Fit | GeneralizedFit:
    """The fit with these numbers (`Fit.state()`) on a design of the same data, without
    optimising."""
    settings = {"n_threads": call.n_threads, **call.control.settings(_size(matrices))}
    family = call.family
    if family is None:
        return design.revive(state, **settings)
    criterion = call.criterion or family.criteria[0]
    return design.revive_generalized(
        family.kernel(), state, criterion=criterion, quadrature=call.quadrature, **settings
    )


def _size(matrices: ModelMatrices) -> int:
    """Number of covariance parameters."""
    return sum(len(t.columns) * (len(t.columns) + 1) // 2 for t in matrices.terms)


def check_threads(n_threads: int | None) -> None:
    """Refuse a number of threads that is not a whole number of at least 1, or None."""
    whole = isinstance(n_threads, Integral) and not isinstance(n_threads, bool)
    if n_threads is not None and not (whole and n_threads >= 1):
        raise ArgumentError(
            f"n_threads is {n_threads!r}; expected a whole number of at least 1, or None for all "
            "the machine grants"
        )
