//! Numbers of R.

use super::*;

/// Numbers of R's d* functions, `aic` and `dev.resids`.
#[test]
fn known_answers() {
    let family = |name, link| Family::named(name, link).unwrap();
    let nb = family("negative_binomial", "log").with_dispersion(2.5);
    let nb1 = family("nb1", "log").with_dispersion(0.8);
    let beta = family("beta", "logit").with_dispersion(4.0);
    let sigma = 0.3f64.sqrt();
    for (family, [y, size, weight], eta, expected) in [
        (
            family("binomial", "logit"),
            [0.3, 10.0, 1.0],
            0.4,
            -3.142_660_781_217_48,
        ),
        (
            family("poisson", "log"),
            [7.0, 1.0, 1.0],
            1.3,
            -3.094_458_028_684_658,
        ),
        (
            family("gamma", "log"),
            [2.5, 1.0, 1.0],
            0.4,
            -1.789_867_619_269_487_8,
        ),
        (
            family("gaussian", "log"),
            [2.5, 1.0, 2.0],
            0.4,
            -3.358_436_675_048_785,
        ),
        (nb, [7.0, 1.0, 1.0], 1.3, -3.015_839_952_862_404),
        (nb1, [7.0, 1.0, 1.0], 1.3, -2.972_517_802_738_442),
        (beta, [0.3, 1.0, 1.0], 0.4, -0.204_880_478_685_478_32),
    ] {
        let found = family.log_density(y, size, weight, eta, sigma);
        near(found, expected, 1e-13, &format!("{family:?}"));
    }
    let rows = Response {
        y: &[0.5, 2.0, 3.3],
        size: &[1.0; 3],
        weight: &[1.0, 2.0, 1.5],
    };
    for (name, expected) in [
        ("gamma", 13.081_943_303_239_669),
        ("inverse_gaussian", 14.903_064_605_161_134),
        ("gaussian", 8.579_842_010_178_234),
    ] {
        let family = family(name, "log");
        let loss = family.working(rows, &[0.1, 0.3, 0.9], &mut [0.0; 3], &mut [0.0; 3]);
        let (found, _) = family.first_term(loss, 0.0, &family.summary(rows));
        near(found, expected, 1e-14, name);
    }
    for (family, ys, expected) in [
        (
            family("binomial", "cloglog"),
            [0.0, 0.3, 1.0],
            [
                4.021_920_276_213_835_5,
                6.978_134_405_931_511,
                1.200_513_447_281_778_2,
            ],
        ),
        (
            family("poisson", "log"),
            [0.0, 3.0, 8.0],
            [
                4.021_920_276_213_835_5,
                18.344_792_483_289_98,
                30.341_564_564_058_764,
            ],
        ),
        (
            nb,
            [0.0, 3.0, 8.0],
            [
                3.563_127_177_200_244_4,
                10.945_522_274_501_15,
                14.801_900_452_242_407,
            ],
        ),
    ] {
        for (((y, expected), eta), weight) in ys
            .iter()
            .zip(expected)
            .zip([-0.4, 0.2, 0.3])
            .zip([3.0, 10.0, 2.0])
        {
            near(
                family.deviance(*y, 1.0, weight, eta),
                expected,
                1e-13,
                &format!("{family:?}"),
            );
        }
    }
}
