"""What linear models have beyond any fitted model: least squares, and degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..lazy import lazy
from .description import Description

if TYPE_CHECKING:
    from .._core import Fit
    from ..inference.ddf import Satterthwaite
    from ..inference.kenward_roger import KenwardRoger
    from .fitted import ResidualType

__all__ = ["Linear"]

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class Linear(Description):
    """What `LinearModel` and `LinearMixedModel` share: y is normal with mean Xβ + Zb + o."""

    _fit: Fit

    @property
    def _vcov(self) -> Array:
        return np.asarray(self._fit.vcov, dtype=float)

    @lazy
    def _root(self) -> Array:
        return self._fit.root()

    @lazy
    def _information(self) -> dict[str, Array]:
        """Derivatives at the estimate in the kernel's θ: hessian, score, fixed, covariance."""
        return self._fit.information()

    @lazy
    def _satterthwaite(self) -> Satterthwaite:
        from ..inference.ddf import Satterthwaite

        return Satterthwaite.of(self)

    @lazy
    def _kenward_roger(self) -> KenwardRoger:
        from ..inference.kenward_roger import KenwardRoger

        return KenwardRoger.of(self)

    def _residuals(self, type: ResidualType) -> Array:
        raw = self._response - self._fitted
        if type in ("response", "working"):
            return raw
        weights = self._matrices.weights
        if weights is not None:
            raw = np.sqrt(weights) * raw
        return raw / self.sigma if type == "scaled" else raw
