"""How far values are from a normal distribution: Shapiro & Francia's test, skewness, kurtosis.

Any test rejects normality of a large sample for departures that do no harm. So the test looks at
5000 values at most, and skewness and kurtosis, of all values, say how large a departure is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..inference.distributions import normal_quantile, normal_upper

__all__ = ["FEWEST", "Normality", "normality"]

Array = NDArray[np.float64]

FEWEST = 5  # values: the range for which the test's distribution is known
MOST = 5000


@dataclass(frozen=True, slots=True)
class Normality:
    """Departure of values from a normal distribution.

    Attributes
    ----------
    w
        Shapiro & Francia's W': squared correlation of the ordered values with normal quantiles, 1
        for a straight Q-Q plot.
    p_value
        P of a W' as small under normality.
    skewness
        m₃/m₂^(3/2): above 0 for a long tail to the right.
    kurtosis
        m₄/m₂² − 3: above 0 for tails heavier than the normal's.
    """

    w: float
    p_value: float
    skewness: float
    kurtosis: float


def normality(values: Array) -> Normality:
    """Shapiro & Francia's test with the moments that say what is wrong.

    Parameters
    ----------
    values
        Shape (n,), n ≥ 5, not all equal. Of more than 5000 every k-th is tested.

    Examples
    --------
    >>> import numpy as np
    >>> skewed = normality(np.random.default_rng(1).exponential(size=200))
    >>> skewed.p_value < 1e-6, skewed.skewness > 1
    (True, True)

    References
    ----------
    Shapiro & Francia (1972), JASA 67, 215-216; Royston (1993), Stat. Med. 12, 181-184.
    """
    centred = values - values.mean()
    m2, m3, m4 = (float(np.mean(centred**k)) for k in (2, 3, 4))
    w, p_value = _shapiro_francia(centred[:: -(-len(centred) // MOST)])
    return Normality(w, p_value, m3 / m2**1.5, m4 / m2**2 - 3)


def _shapiro_francia(values: Array) -> tuple[float, float]:
    """W' and its p-value: log(1 − W') is nearly normal, with Royston's mean and deviation."""
    n = len(values)
    scores = normal_quantile((np.arange(1, n + 1) - 0.375) / (n + 0.25))  # Blom's
    w = float(np.corrcoef(np.sort(values), scores)[0, 1] ** 2)
    u = np.log(n)
    v = np.log(u)
    mean, sd = -1.2725 + 1.0521 * (v - u), 1.0308 - 0.26758 * (v + 2 / u)
    return w, normal_upper((np.log(max(1 - w, np.finfo(float).tiny)) - mean) / sd)
