"""Profile traces and confidence contours of a pair of parameters, on the scale of ζ.

With both parameters measured by their own ζ, the trace of y on x has the height ζ_y of the best y
where x is held at ζ_x. The contour D = c² has its extremes in x where it meets that trace, at
ζ_x = ±c, and those in y on the trace of x on y. It is (c cos(t + d/2), c cos(t − d/2)) with a
difference of phase d(t): a constant where the likelihood is quadratic (the ellipse of correlation
cos d), else the periodic cubic spline through the four points that are known (Bates & Watts 1988,
Nonlinear Regression Analysis and Its Applications, §6.1 and appendix A6). Of what lies midway
between these the traces say nothing: x² + y² + kx²y² has the same ones for every k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .profile_curves import ProfileCurve

__all__ = ["ProfileTrace", "contour", "profile_trace"]

Array = NDArray[np.float64]

STEEPEST = 1 - 1e-12  # slope of a chord: two parameters that are one leave an ellipse without area


@dataclass(frozen=True, eq=False)
class ProfileTrace:
    """ζ of one parameter at its best, as a function of the ζ at which another is held."""

    held: Array  # ascending, 0 within
    best: Array

    def at(self, zeta: Array) -> Array:
        """Between the points a cubic (Akima 1970, J. ACM 17, 589-602), which a kink at a boundary
        does not upset elsewhere; where the parameter held has no such values, on the chord from the
        estimate through the last one that it has."""
        from scipy.interpolate import Akima1DInterpolator

        ends = np.clip(zeta, self.held[0], self.held[-1])
        best = np.asarray(Akima1DInterpolator(self.held, self.best)(ends))
        beyond = ends != zeta
        best[beyond] *= zeta[beyond] / ends[beyond]
        return best


def profile_trace(held: ProfileCurve, other: ProfileCurve) -> ProfileTrace:
    """The trace of `other` where `held` is held."""
    best = held.optima[other.name].to_numpy()
    known = np.isfinite(best)  # a correlation with a standard deviation of zero is not
    within = np.clip(best[known], other.values[0], other.values[-1])
    return ProfileTrace(held.zeta[known], other.zeta_at(within))


def contour(of_y: ProfileTrace, of_x: ProfileTrace, c: float, t: Array) -> tuple[Array, Array]:
    """ζ_x and ζ_y of the contour D = c² at the angles t, by the traces of y on x and of x on y."""
    from scipy.interpolate import CubicSpline

    # At (ζ_x, ζ_y) = (c, ·) t + d/2 is 0, at (·, c) t − d/2; at −c they are π.
    right, left = _phases(of_y, c)
    top, bottom = _phases(of_x, c)
    at = np.array([-right, top, 2 * np.pi - left, 2 * np.pi + bottom, 4 * np.pi - right]) / 2
    d = CubicSpline(at, [right, top, left, bottom, right], bc_type="periodic")(t)
    return c * np.cos(t + d / 2), c * np.cos(t - d / 2)


def _phases(trace: ProfileTrace, c: float) -> Array:
    """d where the trace meets the contour, at ζ = c and at −c."""
    ends = np.array([c, -c])
    phases: Array = np.arccos(np.clip(trace.at(ends) / ends, -STEEPEST, STEEPEST))
    return phases
