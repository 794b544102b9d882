"""Results known exactly: NIST StRD one-way analysis of variance, a split plot, a boundary fit,
an infection trial.

`digits` are correct digits, −log10 of the relative error, for (σ², σ_b²): what float64 allows
once y is stored (computed from the stored values in rational arithmetic), less a few tenths:
SmLs07-09 lose their digits when 1000000000000.4 is parsed, before any fit.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mixedmodels as mm
import reference_data

CERTIFIED = reference_data.read_json("certified/nist_anova.json")

DIGITS = {
    "SiRstv": (13, 12.2),
    "AtmWtAg": (10.5, 10),
    "SmLs01": (13, 13),
    "SmLs02": (13, 13),
    "SmLs03": (13, 13),
    "SmLs04": (9.9, 9.5),
    "SmLs05": (9.9, 9.5),
    "SmLs06": (9.9, 9.5),
    "SmLs07": (4.2, 3.9),
    "SmLs08": (4.2, 3.9),
    "SmLs09": (4.2, 3.9),
}


def smls(number: int) -> pd.DataFrame:
    """SmLs01-09 as decimals that are then parsed, never as float sums."""
    whole = {0: 1, 1: 10**6, 2: 10**12}[(number - 1) // 3]
    per_group = [21, 201, 2001][(number - 1) % 3]
    y, treatment = [], []
    for k, tenths in enumerate([4, 3, 5, 3, 5, 3, 5, 3, 5]):
        for j in range(per_group):
            e = 0 if j == 0 else -1 if j % 2 else 1
            y.append(float(f"{whole}.{tenths + e}"))
            treatment.append(str(k + 1))
    return pd.DataFrame({"treatment": treatment, "y": y})


def nist(name: str) -> pd.DataFrame:
    if name.startswith("SmLs"):
        return smls(int(name[4:]))
    path = reference_data.ROOT / "certified" / f"{name}.csv"
    return pd.read_csv(path, dtype={"treatment": str}, converters={"y": float})


def digits(actual: float, expected: float) -> float:
    error = abs(actual - expected) / abs(expected)
    return 16.0 if error == 0 else -math.log10(error)


@pytest.mark.parametrize("name", DIGITS)
def test_nist(name: str) -> None:
    expected = CERTIFIED[name]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        m = mm.lmer("y ~ 1 + (1 | treatment)", nist(name))
    residual = digits(m.sigma**2, expected["residual_variance"])
    group = digits(m.varcorr["treatment"].iloc[0, 0], expected["group_variance"])
    print(f"{name}: {residual:.1f} / {group:.1f} digits")
    assert residual >= DIGITS[name][0]
    assert group >= DIGITS[name][1]
    assert digits(m.fixef["(Intercept)"], expected["grand_mean"]) >= 13
    assert m.converged


def test_split_plot() -> None:
    data = pd.read_csv(reference_data.ROOT / "certified" / "splitplot.csv")
    m = mm.lmer("y ~ A * B + (1 | block) + (1 | block:A)", data)
    assert m.sigma**2 == pytest.approx(337 / 36, rel=1e-10)
    assert m.varcorr["block:A"].iloc[0, 0] == pytest.approx(2215 / 144, rel=1e-10)
    assert m.varcorr["block"].iloc[0, 0] == pytest.approx(2995 / 48, rel=1e-10)


def test_zero_variance_is_a_quiet_boundary_fit() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        m = mm.lmer("Yield ~ 1 + (1 | Batch)", reference_data.load("Dyestuff2"))
    assert [w.category for w in caught] == [mm.SingularFitWarning]
    assert m.theta.tolist() == [0.0]
    assert m.is_singular
    assert m.converged
    assert m.sigma**2 == pytest.approx(13.80631, abs=5e-6)
    np.testing.assert_array_equal(m.ranef()["Batch"], 0.0)


# Infection trial (Beitler & Landis 1985; documentation of SAS PROC NLMIXED): nAGQ → intercept,
# treatment effect, variance of the clinics. Found by two independent routes; SAS prints
# −1.1974 (.5561), .7385 (.3004), 1.9591 for five quadrature points.
INFECTION = {
    1: (-1.196485, 0.738209, 1.931335),
    5: (-1.1973756, 0.7384556, 1.9591004),
    25: (-1.1976198, 0.7384739, 1.9623470),
}


def infection(nodes: int) -> Any:
    data = pd.read_csv(reference_data.ROOT / "certified" / "infection.csv")
    formula = "cbind(favorable, n - favorable) ~ treatment + (1 | clinic)"
    return mm.glmer(formula, data, family="binomial", nAGQ=nodes)


@pytest.mark.parametrize("nodes", INFECTION)
def test_infection_trial(nodes: int) -> None:
    m = infection(nodes)
    actual = [*m.fixef, m.varcorr["clinic"].iloc[0, 0]]
    digits = 5e-7 if nodes == 1 else 5e-8  # as many as are known
    np.testing.assert_allclose(actual, INFECTION[nodes], rtol=0, atol=2 * digits)


def test_infection_trial_by_laplace() -> None:
    assert -2 * infection(1).loglik == pytest.approx(74.20120503, abs=1e-7)


def test_infection_trial_as_sas_prints_it() -> None:
    m = infection(5)
    assert m.fixef.round(4).tolist() == [-1.1974, 0.7385]
    assert m.bse.round(4).tolist() == [0.5561, 0.3004]
