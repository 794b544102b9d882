"""Data with one fault each, for the tests of `m.check()`."""

from __future__ import annotations

import numpy as np
import pandas as pd


def faulty(seed: int = 1, groups: int = 15, rows: int = 20) -> pd.DataFrame:
    """Responses of one predictor x and one grouping factor g.

    `sound` is normal; the others have heavy tails, a skew, a variance that grows with the mean or
    differs between groups; `count` is Poisson, `mixed` a gamma mixture of it, `zeros` has too many.
    """
    r = np.random.default_rng(seed)
    g = np.repeat(np.arange(groups), rows)
    n = len(g)
    x, b, e = r.normal(size=n), r.normal(size=groups)[g] * 0.7, r.normal(size=n)
    mean, mu = x + b, np.exp(1 + 0.3 * x + b)
    p, count = 1 / (1 + np.exp(-mean)), r.poisson(mu)
    return pd.DataFrame(
        {
            "g": g,
            "x": x,
            "near_x": x + 0.1 * r.normal(size=n),
            "few": np.arange(n) % 4,
            "sound": mean + e,
            "tails": mean + r.standard_t(2, n),
            "skew": mean + r.gamma(1, 1, n),
            "grows": mean + np.exp(0.6 * mean) * e,
            "differs": mean + np.exp(0.7 * r.normal(size=groups))[g] * e,
            "count": count,
            "mixed": r.poisson(mu * r.gamma(1, 1, n)),
            "zeros": np.where(r.random(n) < 0.5, 0, count),
            "binary": (r.random(n) < p) * 1.0,
        }
    )
