"""Likelihood profiles between their points: ζ as a function of a parameter, and back.

Monotone cubic interpolation (Fritsch & Carlson 1980, SIAM J. Numer. Anal. 17, 238-246) of the
points that the profile has; no extrapolation. A curve that ends where its parameter's range does
is flat there: intervals end with it, as those of `confint` do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..inference.distributions import normal_quantile
from ..models.parameters import parameter_range

if TYPE_CHECKING:
    from ..inference.profile import Profile

__all__ = ["LEVELS", "ProfileCurve", "profile_curves", "profile_frame"]

Array = NDArray[np.float64]

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)
POINTS = 121  # of an interpolated curve
ROUNDING = 1e-6  # beside a target of ζ


@dataclass(frozen=True, eq=False)
class ProfileCurve:
    """The profile of one parameter; ζ increases along it."""

    name: str
    label: str
    values: Array
    zeta: Array
    optima: pd.DataFrame  # all parameters at each
    bounds: tuple[bool, bool]  # whether the parameter's range ends with the curve

    @property
    def two_sided(self) -> bool:
        """Is the estimate within the range of the parameter, and are both sides known?"""
        return bool(self.zeta[0] < 0 < self.zeta[-1])

    def value_at(self, zeta: Array) -> Array:
        """The parameter at ζ: beyond the curve its end if that is the range's, else NaN."""
        low, high = float(self.zeta[0]), float(self.zeta[-1])
        beyond = np.where(
            zeta < low - ROUNDING, not self.bounds[0], (zeta > high + ROUNDING) & ~self.bounds[1]
        )
        inside = _interpolated(self.zeta, self.values, np.clip(zeta, low, high))
        return np.where(beyond, np.nan, inside)

    def zeta_at(self, value: Array) -> Array:
        """ζ at a value of the parameter within the curve."""
        return _interpolated(self.values, self.zeta, value)


def _interpolated(x: Array, y: Array, at: Array) -> Array:
    if len(x) < 2:
        return np.full(np.shape(at), y[0])
    from scipy.interpolate import PchipInterpolator

    return np.asarray(PchipInterpolator(x, y)(at))


def profile_curves(profile: Profile) -> list[ProfileCurve]:
    """The curves that have points on a side at least; ends at infinity are left out."""
    found = []
    for name, curve in profile.curves.items():
        finite = np.isfinite(curve["value"]) & np.isfinite(curve["zeta"])
        values, zeta = curve.loc[finite, "value"].to_numpy(), curve.loc[finite, "zeta"].to_numpy()
        rising = np.r_[True, np.diff(zeta) > 0] & np.r_[True, np.diff(values) > 0]
        values, zeta = values[rising], zeta[rising]
        if len(values) > 1:
            low, high = parameter_range(profile.labels[name])
            bounds = bool(values[0] == low), bool(values[-1] == high)
            optima = profile.optima[name][finite][rising]
            found.append(ProfileCurve(name, profile.labels[name], values, zeta, optima, bounds))
    return found


def profile_frame(profile: Profile) -> pd.DataFrame:
    """What `m.plot.profile()` draws: name, parameter, kind, level, value, zeta.

    Kinds: "point" (of the profile), "curve" (between them) and "interval" (an end at `level`; NaN
    where the profile does not reach it).
    """
    parts = [pd.DataFrame(columns=["name", "parameter", "kind", "level", "value", "zeta"])]
    for curve in profile_curves(profile):
        line = np.linspace(curve.values[0], curve.values[-1], POINTS)
        ends = np.array([[-1.0], [1.0]]) * normal_quantile(0.5 + np.array(LEVELS) / 2)
        at = curve.value_at(ends)
        reached = np.clip(ends, curve.zeta[0], curve.zeta[-1])
        blocks = {
            "point": (np.nan, curve.values, curve.zeta),
            "curve": (np.nan, line, curve.zeta_at(line)),
            "interval": (np.tile(LEVELS, 2), at.ravel(), reached.ravel()),
        }
        for kind, (level, value, zeta) in blocks.items():
            block = pd.DataFrame({"kind": kind, "level": level, "value": value, "zeta": zeta})
            parts.append(block.assign(name=curve.name, parameter=curve.label))
    frame = pd.concat(parts[1:] or parts, ignore_index=True)
    return frame[["name", "parameter", "kind", "level", "value", "zeta"]]
