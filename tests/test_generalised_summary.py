"""Summaries of generalised models: the looks against lme4's and R's prints."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mixedmodels as mm
import reference_data

CBPP = "cbind(incidence, size - incidence) ~ period + (1 | herd)"


@functools.cache
def binomial(nAGQ: int = 1) -> Any:
    return mm.glmer(CBPP, reference_data.load("cbpp"), nAGQ=nAGQ)


@functools.cache
def simulated(formula: str, family: str, link: str | None = None) -> Any:
    return mm.glmer(formula, reference_data.load("glmmsim"), family=family, link=link)


# What R 4.2.2 and lme4 1.1-31 print (trailing blanks removed), at the optimum that lme4's defaults
# do not reach (nor R's glm in the last digit of the gamma's slope, 0.259845). -2 logLik is called
# -2*log(L), as in lme4 from 1.1-36 on, and a z is called z.
PRINTED: dict[str, tuple[Callable[[], Any], str]] = {
    "binomial": (
        binomial,
        """
Generalized linear mixed model fit by maximum likelihood (Laplace Approximation)
 Family: binomial  ( logit )
Formula: cbind(incidence, size - incidence) ~ period + (1 | herd)
   Data: 56 rows

      AIC       BIC    logLik -2*log(L)  df.resid
    194.1     204.2     -92.0     184.1        51

Scaled residuals:
    Min      1Q  Median      3Q     Max
-2.3818 -0.7888 -0.2024  0.5146  2.8796

Random effects:
 Groups Name        Variance Std.Dev.
 herd   (Intercept) 0.4125   0.6423
Number of obs: 56, groups:  herd, 15

Fixed effects:
            Estimate Std. Error z value Pr(>|z|)
(Intercept)  -1.3985     0.2325  -6.016 1.79e-09 ***
period2      -0.9923     0.3066  -3.236 0.001212 **
period3      -1.1287     0.3266  -3.455 0.000549 ***
period4      -1.5803     0.4274  -3.697 0.000218 ***
---
Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1

Correlation of Fixed Effects:
        (Intr) perid2 perid3
period2 -0.364
period3 -0.340  0.278
period4 -0.261  0.212  0.196
""",
    ),
    "gamma": (
        lambda: simulated("y_gamma ~ x + trt + (1 | grp)", "Gamma", "log"),
        """
Generalized linear mixed model fit by maximum likelihood (Laplace Approximation)
 Family: Gamma  ( log )
Criterion: expected information in the determinant, as lme4
Formula: y_gamma ~ x + trt + (1 | grp)
   Data: 320 rows

      AIC       BIC    logLik -2*log(L)  df.resid
   1102.5    1125.1    -545.2    1090.5       314

Scaled residuals:
    Min      1Q  Median      3Q     Max
-1.7439 -0.6616 -0.1857  0.4318  4.8362

Random effects:
 Groups   Name        Variance Std.Dev.
 grp      (Intercept) 0.06952  0.2637
 Residual             0.27585  0.5252
Number of obs: 320, groups:  grp, 40

Fixed effects:
            Estimate Std. Error z value Pr(>|z|)
(Intercept)  1.00396    0.07907  12.698  < 2e-16 ***
x            0.31369    0.03044  10.305  < 2e-16 ***
trtb         0.20464    0.07241   2.826 0.004713 **
trtc        -0.25462    0.07006  -3.634 0.000279 ***
---
Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1

Correlation of Fixed Effects:
     (Intr) x      trtb
x     0.017
trtb -0.422 -0.075
trtc -0.430 -0.012 0.480
""",
    ),
    "ordinary binomial": (
        lambda: mm.glm(CBPP.removesuffix(" + (1 | herd)"), reference_data.load("cbpp")),
        """
Generalized linear model fit by maximum likelihood
 Family: binomial  ( logit )
Formula: cbind(incidence, size - incidence) ~ period
   Data: 56 rows

Deviance residuals:
    Min      1Q  Median      3Q     Max
-3.5194 -1.1089 -0.4411  0.5896  3.3865

Coefficients:
            Estimate Std. Error z value Pr(>|z|)
(Intercept)  -1.2690     0.1449  -8.757  < 2e-16 ***
period2      -1.1708     0.2915  -4.017 5.90e-05 ***
period3      -1.3014     0.3129  -4.159 3.19e-05 ***
period4      -1.7823     0.4131  -4.315 1.60e-05 ***
---
Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1

(Dispersion σ² taken to be 1)

Residual deviance: 114.1 on 52 degrees of freedom
AIC: 206.06
""",
    ),
    "ordinary gamma": (
        lambda: mm.glm(
            "y_gamma ~ x + trt", reference_data.load("glmmsim"), family="Gamma", link="log"
        ),
        """
Generalized linear model fit by maximum likelihood
 Family: Gamma  ( log )
Formula: y_gamma ~ x + trt
   Data: 320 rows

Deviance residuals:
    Min      1Q  Median      3Q     Max
-1.8721 -0.5535 -0.1292  0.2404  1.9522

Coefficients:
            Estimate Std. Error t value Pr(>|t|)
(Intercept)  1.05844    0.05863  18.053  < 2e-16 ***
x            0.25984    0.03522   7.377 1.43e-12 ***
trtb         0.17467    0.08576   2.037   0.0425 *
trtc        -0.21903    0.08462  -2.588   0.0101 *
---
Signif. codes:  0 ‘***’ 0.001 ‘**’ 0.01 ‘*’ 0.05 ‘.’ 0.1 ‘ ’ 1

(Dispersion σ² estimated as 0.3913)

Residual deviance: 114.94 on 316 degrees of freedom
AIC: 1163.1
""",
    ),
}


@pytest.mark.parametrize("what", PRINTED)
def test_prints_as_r(what: str) -> None:
    fit, printed = PRINTED[what]
    assert str(fit().summary()) == printed.strip("\n")


HEADINGS: dict[str, tuple[Callable[[], Any], str]] = {
    "quadrature": (lambda: binomial(9), "(Adaptive Gauss-Hermite Quadrature, nAGQ = 9)\n Family"),
    "no nodes": (lambda: binomial(0), "(Adaptive Gauss-Hermite Quadrature, nAGQ = 0)\n Family"),
    "estimated shape": (
        lambda: simulated("y_nb ~ x + trt + offset(log_exposure) + (1 | grp)", "nbinom2"),
        " Family: Negative Binomial(1.4597)  ( log )\nCriterion: expected information",
    ),
    "observed information": (
        lambda: simulated("y_nb ~ x + trt + offset(log_exposure) + (1 | grp)", "nbinom1"),
        "Criterion: observed information in the determinant, as glmmTMB",
    ),
}


@pytest.mark.parametrize("what", HEADINGS)
def test_the_heading_says_how(what: str) -> None:
    fit, expected = HEADINGS[what]
    assert expected in str(fit().summary())


def test_the_table() -> None:
    s = binomial().summary()
    assert list(s.coefficients.columns) == ["Estimate", "Std. Error", "z value", "Pr(>|z|)"]
    np.testing.assert_allclose(s.coefficients["Std. Error"], binomial().bse)
    plain = binomial().summary(ddf="none")
    assert list(plain.coefficients.columns) == ["Estimate", "Std. Error", "z value"]
    assert "Signif. codes" not in str(plain)
    with pytest.raises(mm.ArgumentError, match="satterthwaite"):
        binomial().summary(ddf="satterthwaite")


def test_html_has_the_same() -> None:
    html = binomial()._repr_html_()
    for text in ("Laplace Approximation", "Family: binomial", "period4", "-2*log(L)", "184.1"):
        assert text in html
    html = PRINTED["ordinary gamma"][0]()._repr_html_()
    for text in ("Family: Gamma", "t value", "Dispersion σ² estimated as 0.3913"):
        assert text in html
