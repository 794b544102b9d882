//! Numbers of R 4.2.2.

use super::*;

/// dbinom, dpois, dgamma, dnorm, dnbinom, dbeta (log = TRUE): family, link, dispersion, row, η, value at
/// σ² = 0.3.
type Density = (&'static str, &'static str, f64, [f64; 3], f64, f64);
#[rustfmt::skip]
const DENSITIES: [Density; 7] = [
    ("binomial", "logit", 1.0, [0.3, 10.0, 1.0], 0.4, -3.142_660_781_217_48),
    ("poisson", "log", 1.0, [7.0, 1.0, 1.0], 1.3, -3.094_458_028_684_658),
    ("gamma", "log", 1.0, [2.5, 1.0, 1.0], 0.4, -1.789_867_619_269_487_8),
    ("gaussian", "log", 1.0, [2.5, 1.0, 2.0], 0.4, -3.358_436_675_048_785),
    ("negative_binomial", "log", 2.5, [7.0, 1.0, 1.0], 1.3, -3.015_839_952_862_404),
    ("nb1", "log", 0.8, [7.0, 1.0, 1.0], 1.3, -2.972_517_802_738_442),
    ("beta", "logit", 4.0, [0.3, 1.0, 1.0], 0.4, -0.204_880_478_685_478_32),
];

/// `dev.resids` of family()s and of MASS's negative.binomial at η = −0.4, 0.2, 0.3 and weights 3, 10, 2.
type Deviances = (&'static str, &'static str, [f64; 3], [f64; 3]);
#[rustfmt::skip]
const DEVIANCES: [Deviances; 3] = [
    ("binomial", "cloglog", [0.0, 0.3, 1.0],
        [4.021_920_276_213_835_5, 6.978_134_405_931_511, 1.200_513_447_281_778_2]),
    ("poisson", "log", [0.0, 3.0, 8.0],
        [4.021_920_276_213_835_5, 18.344_792_483_289_98, 30.341_564_564_058_764]),
    ("negative_binomial", "log", [0.0, 3.0, 8.0],
        [3.563_127_177_200_244_4, 10.945_522_274_501_15, 14.801_900_452_242_407]),
];

/// `aic` of y = 0.5, 2, 3.3 at η = 0.1, 0.3, 0.9 on the log scale and weights 1, 2, 1.5.
const AIC: [(&str, f64); 3] = [
    ("gamma", 13.081_943_303_239_669),
    ("inverse_gaussian", 14.903_064_605_161_134),
    ("gaussian", 8.579_842_010_178_234),
];

#[test]
fn densities() {
    for (name, link, dispersion, [y, size, weight], eta, expected) in DENSITIES {
        let family = family(name, link, dispersion);
        let found = family.log_density(y, size, weight, eta, 0.3f64.sqrt());
        near(found, expected, 1e-13, name);
    }
}

#[test]
fn deviances() {
    for (name, link, y, expected) in DEVIANCES {
        let family = family(name, link, 2.5);
        for (k, (eta, weight)) in [(-0.4, 3.0), (0.2, 10.0), (0.3, 2.0)].iter().enumerate() {
            let found = family.deviance(y[k], 1.0, *weight, *eta);
            near(found, expected[k], 1e-13, name);
        }
    }
}

#[test]
fn criteria() {
    let (y, size, weight) = (&[0.5, 2.0, 3.3], &[1.0; 3], &[1.0, 2.0, 1.5]);
    let rows = Response { y, size, weight };
    for (name, expected) in AIC {
        let family = family(name, "log", f64::NAN);
        let loss = family.working(rows, &[0.1, 0.3, 0.9], &mut [0.0; 3], &mut [0.0; 3]);
        let (found, _) = family.first_term(loss, 0.0, &family.summary(rows));
        near(found, expected, 1e-14, name);
    }
}
