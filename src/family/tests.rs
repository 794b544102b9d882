//! Every family with every link of the table.

use super::*;

/// Romberg's extrapolation of central differences.
fn slope(f: impl Fn(f64) -> f64, x: f64, step: f64) -> f64 {
    let mut row: Vec<f64> = Vec::new();
    for level in 0..6 {
        let h = step * 0.5f64.powi(level);
        let mut next = vec![(f(x + h) - f(x - h)) / (2.0 * h)];
        for (k, old) in row.iter().enumerate() {
            let power = 4f64.powi(k as i32 + 1);
            next.push(next[k] + (next[k] - old) / (power - 1.0));
        }
        row = next;
    }
    row[row.len() - 1]
}

fn near(found: f64, expected: f64, tolerance: f64, what: &str) {
    let error = (found - expected).abs();
    assert!(
        error <= tolerance * expected.abs().max(1e-3) || found == expected,
        "{what}: {found:e}, expected {expected:e}"
    );
}

/// One row.
#[derive(Clone, Copy)]
struct Row {
    y: f64,
    size: f64,
    weight: f64,
}

impl Row {
    fn response(&self) -> Response<'_> {
        let slice = std::slice::from_ref;
        Response {
            y: slice(&self.y),
            size: slice(&self.size),
            weight: slice(&self.weight),
        }
    }
}

/// Loss, score, Fisher weight.
fn working(family: &Family, row: Row, eta: f64) -> [f64; 3] {
    let (mut score, mut weight) = ([0.0], [0.0]);
    let loss = family.working(row.response(), &[eta], &mut score, &mut weight);
    [loss, score[0], weight[0]]
}

/// Score, Fisher weight, observed weight and the slopes of both.
fn curvature(family: &Family, row: Row, eta: f64) -> [f64; 5] {
    let mut out = [[0.0]; 5];
    let [score, weight, observed, weight_slope, observed_slope] = &mut out;
    let slopes = Curvature {
        score,
        weight,
        observed,
        weight_slope,
        observed_slope,
    };
    family.curvature(row.response(), &[eta], slopes);
    out.map(|[value]| value)
}

/// By the log of the dispersion: loss, score, Fisher weight, observed weight.
fn dispersion_slopes(family: &Family, row: Row, eta: f64) -> [f64; 4] {
    let mut out = [[0.0]; 4];
    let [loss, score, weight, observed] = &mut out;
    let slopes = DispersionSlopes {
        loss,
        score,
        weight,
        observed,
    };
    family.dispersion_slopes(row.response(), &[eta], slopes);
    out.map(|[value]| value)
}

/// All families, those with a dispersion at several values of it.
fn families() -> Vec<Family> {
    let mut families = Vec::new();
    for entry in TABLE {
        let family = Family::named(entry.family, entry.link).unwrap();
        if family.has_dispersion_parameter() {
            families.extend([0.3, 4.0, 200.0].map(|value| family.with_dispersion(value)));
        } else {
            families.push(family);
        }
    }
    families
}

/// Linear predictors inside the domain, with the distance to its end.
fn predictors(family: &Family) -> Vec<(f64, f64)> {
    let unit = matches!(family.name(), "binomial" | "beta");
    let values: &[f64] = match (family.link(), unit, family.name()) {
        ("log", true, _) => &[-5.0, -1.3, -0.2],
        ("identity", true, _) => &[0.05, 0.4, 0.9],
        ("logit" | "probit" | "cloglog" | "cauchit", ..) => {
            &[-6.0, -5.1, -2.3, -0.7, 0.0, 0.2, 1.1, 1.6]
        }
        (_, _, "gaussian") => &[-2.2, 0.7, 1.9],
        ("log", ..) => &[-4.0, -0.5, 0.8, 3.0],
        _ => &[0.3, 1.2, 7.0],
    };
    let room = |eta: f64| match (family.link(), unit) {
        ("identity", true) => eta.min(1.0 - eta),
        ("log", true) => -eta,
        ("log" | "logit" | "probit" | "cloglog" | "cauchit", _) => 1.0,
        _ => eta.abs(),
    };
    values
        .iter()
        .map(|&eta| (eta, room(eta).min(1.0)))
        .collect()
}

fn responses(family: &Family) -> Vec<Row> {
    let ys: &[f64] = match family.name() {
        "binomial" => &[0.0, 0.3, 1.0],
        "beta" => &[0.001, 0.4, 0.98],
        "gamma" | "inverse_gaussian" => &[0.01, 0.7, 12.0],
        "gaussian" => &[-2.0, 0.3, 5.0],
        _ => &[0.0, 1.0, 7.0, 130.0],
    };
    let size = if family.name() == "binomial" {
        10.0
    } else {
        1.0
    };
    let weight = 1.7;
    let row = |&y| Row { y, size, weight };
    ys.iter().map(row).collect()
}

/// Every family, response and linear predictor.
fn every(check: impl Fn(&Family, Row, f64, f64, &str)) {
    for family in families() {
        for row in responses(&family) {
            for (eta, room) in predictors(&family) {
                let what = format!("{family:?} y = {} eta = {eta}", row.y);
                check(&family, row, eta, 0.2 * room, &what);
            }
        }
    }
}

#[test]
fn derivatives_by_the_linear_predictor() {
    every(|family, row, eta, step, what| {
        let [score, weight, observed, weight_slope, observed_slope] = curvature(family, row, eta);
        let [_, s, w] = working(family, row, eta);
        near(s, score, 1e-13, &format!("score again {what}"));
        near(w, weight, 1e-13, &format!("weight again {what}"));
        let by_eta = |f: &dyn Fn(f64) -> f64| slope(f, eta, step);
        let expected = -0.5 * by_eta(&|x| working(family, row, x)[0]);
        near(score, expected, 1e-7, &format!("score {what}"));
        let expected = -by_eta(&|x| working(family, row, x)[1]);
        near(observed, expected, 1e-7, &format!("observed {what}"));
        let expected = by_eta(&|x| working(family, row, x)[2]);
        near(
            weight_slope,
            expected,
            1e-7,
            &format!("weight_slope {what}"),
        );
        let expected = by_eta(&|x| curvature(family, row, x)[2]);
        near(
            observed_slope,
            expected,
            1e-7,
            &format!("observed_slope {what}"),
        );
        if family.is_canonical() {
            near(observed, weight, 1e-12, &format!("canonical {what}"));
        }
        assert!(weight >= 0.0, "{what}");
    });
}

#[test]
fn derivatives_by_the_dispersion() {
    every(|family, row, eta, _, what| {
        if !family.has_dispersion_parameter() {
            return;
        }
        let found = dispersion_slopes(family, row, eta);
        let at = |log: f64| family.with_dispersion(log.exp());
        let log = family.dispersion.ln();
        let loss = |x: f64| working(&at(x), row, eta)[0] + at(x).constant(row.response());
        near(
            found[0],
            slope(loss, log, 0.2),
            1e-6,
            &format!("loss {what}"),
        );
        for (name, found, of) in [
            ("score", found[1], 0),
            ("weight", found[2], 1),
            ("observed", found[3], 2),
        ] {
            let expected = slope(|x| curvature(&at(x), row, eta)[of], log, 0.2);
            near(found, expected, 1e-6, &format!("{name} {what}"));
        }
    });
}

/// Densities sum to 1, scores to 0; Fisher weights are the mean observed weight and the mean squared
/// score, except nb1's.
#[test]
fn expectations() {
    for family in families() {
        for (eta, _) in predictors(&family) {
            let what = format!("{family:?} eta = {eta}");
            let mean = family.mean(eta);
            // Such beta densities have mass where y is no number.
            if family.name() == "beta" && family.dispersion * mean.min(1.0 - mean) < 0.8 {
                continue;
            }
            let (mut total, mut sums) = (0.0, [0.0; 4]);
            for (y, measure) in grid(&family, mean) {
                let size = if family.name() == "binomial" {
                    12.0
                } else {
                    1.0
                };
                let row = Row {
                    y,
                    size,
                    weight: 1.0,
                };
                let mass = measure * family.log_density(y, size, 1.0, eta, 1.0).exp();
                let [score, _, observed, ..] = curvature(&family, row, eta);
                total += mass;
                for (sum, value) in sums.iter_mut().zip([y, score, observed, score * score]) {
                    *sum += mass * if mass > 0.0 { value } else { 0.0 };
                }
            }
            let size = if family.name() == "binomial" {
                12.0
            } else {
                1.0
            };
            let row = Row {
                y: mean,
                size,
                weight: 1.0,
            };
            let weight = curvature(&family, row, eta)[1];
            near(total, 1.0, 1e-9, &format!("mass {what}"));
            near(sums[0], mean, 1e-8, &format!("mean {what}"));
            near(sums[2], sums[3], 1e-7, &format!("information {what}"));
            assert!(
                sums[1].abs() <= 1e-8 * sums[3].sqrt().max(1.0),
                "score {what}"
            );
            if family.name() != "nb1" {
                near(weight, sums[2], 1e-7, &format!("Fisher weight {what}"));
            }
        }
    }
}

/// Responses and what to multiply their densities by: counts, or a fine grid on the log or logit scale.
fn grid(family: &Family, mean: f64) -> Vec<(f64, f64)> {
    let fine = |low: f64, high: f64| {
        let count = 4000;
        let step = (high - low) / f64::from(count);
        (0..=count).map(move |i| (low + step * f64::from(i), step))
    };
    match family.name() {
        "binomial" => (0..=12).map(|k| (f64::from(k) / 12.0, 1.0)).collect(),
        "gaussian" => fine(mean - 12.0, mean + 12.0).collect(),
        "gamma" | "inverse_gaussian" => fine(-60.0, 12.0)
            .map(|(t, step)| (t.exp(), step * t.exp()))
            .collect(),
        "beta" => {
            // As far as 1 − y is a number of its own.
            let unit = |(t, step): (f64, f64)| {
                let y = 1.0 / (1.0 + (-t).exp());
                (y, step * y * (1.0 - y))
            };
            fine(-34.0, 34.0).map(unit).collect()
        }
        _ => (0..6000).map(|k| (f64::from(k), 1.0)).collect(),
    }
}

#[test]
fn criterion_and_densities() {
    for family in families() {
        let rows = responses(&family);
        let column = |of: fn(&Row) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
        let (y, size, weight) = (
            column(|row| row.y),
            column(|row| row.size),
            column(|row| row.weight),
        );
        let response = Response {
            y: &y,
            size: &size,
            weight: &weight,
        };
        let eta = vec![predictors(&family)[1].0; rows.len()];
        let (mut score, mut fisher) = (vec![0.0; rows.len()], vec![0.0; rows.len()]);
        let loss = family.working(response, &eta, &mut score, &mut fisher);
        let constant = family.constant(response);
        let about = family.summary(response);
        let (first, rate) = family.first_term(loss, constant, &about);
        let total = if family.name() == "gaussian" {
            about.rows
        } else {
            about.weight
        };
        let sigma = (loss / total).sqrt();
        let density = |row: &Row| family.log_density(row.y, row.size, row.weight, eta[0], sigma);
        let extra = if family.profiles_dispersion() {
            2.0
        } else {
            0.0
        };
        let expected = -2.0 * rows.iter().map(density).sum::<f64>() + extra;
        near(first, expected, 1e-12, &format!("{family:?}"));
        let by_loss = slope(
            |loss| family.first_term(loss, constant, &about).0,
            loss,
            0.1 * loss,
        );
        near(rate, by_loss, 1e-8, &format!("slope of {family:?}"));
    }
}

/// Deviances differ as losses do, are 0 at best and never less.
#[test]
fn deviances() {
    every(|family, row, eta, step, what| {
        let Row { y, size, weight } = row;
        let deviance = |eta: f64| family.deviance(y, size, weight, eta);
        assert!(deviance(eta) >= -1e-10, "{what}: {}", deviance(eta));
        if family.name() != "nb1" {
            let change = deviance(eta + step) - deviance(eta);
            let loss = |eta: f64| working(family, row, eta)[0];
            let error = (change - (loss(eta + step) - loss(eta))).abs();
            assert!(
                error <= 1e-11 * loss(eta).abs().max(1.0),
                "{what}: {error:e}"
            );
        }
        let best = family.link_of(y);
        if best.is_finite() && y != 0.0 && family.name() != "beta" {
            assert!(deviance(best).abs() <= 1e-12 * y.abs().max(1.0), "{what}");
        }
    });
}

#[test]
fn means() {
    for family in families() {
        for (eta, room) in predictors(&family) {
            let what = format!("{family:?} eta = {eta}");
            let mean = family.mean(eta);
            near(family.link_of(mean), eta, 1e-9, &what);
            let by_eta = slope(|eta| family.mean(eta), eta, 0.2 * room);
            near(family.mean_slope(eta), by_eta, 1e-7, &what);
            assert!(family.variance(mean) > 0.0);
        }
    }
}

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
            -3.142_660_781_217_479_8,
        ),
        (
            family("poisson", "log"),
            [7.0, 1.0, 1.0],
            1.3,
            -3.094_458_028_684_658_1,
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
            -3.358_436_675_048_785_1,
        ),
        (nb, [7.0, 1.0, 1.0], 1.3, -3.015_839_952_862_403_8),
        (nb1, [7.0, 1.0, 1.0], 1.3, -2.972_517_802_738_441_8),
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
        ("gaussian", 8.579_842_010_178_234_4),
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
                6.978_134_405_931_511_4,
                1.200_513_447_281_778_2,
            ],
        ),
        (
            family("poisson", "log"),
            [0.0, 3.0, 8.0],
            [
                4.021_920_276_213_835_5,
                18.344_792_483_289_979,
                30.341_564_564_058_764,
            ],
        ),
        (
            nb,
            [0.0, 3.0, 8.0],
            [
                3.563_127_177_200_244_4,
                10.945_522_274_501_149,
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

/// At the ends of what a predictor may be, the leading terms are known.
#[test]
fn tails() {
    let success = Row {
        y: 1.0,
        size: 1.0,
        weight: 1.0,
    };
    let failure = Row { y: 0.0, ..success };
    let small = (-700f64).exp();
    let normal = 490_000.0 + std::f64::consts::TAU.ln() + 2.0 * 700f64.ln();
    let hazard = 700.0 + 1.0 / 700.0;
    for (link, row, eta, loss, score, observed) in [
        ("logit", success, -700.0, 1400.0, 1.0, small),
        ("logit", success, 700.0, 2.0 * small, small, small),
        ("logit", failure, 700.0, 1400.0, -1.0, small),
        (
            "probit",
            success,
            -700.0,
            normal,
            hazard,
            1.0 - 1.0 / 490_000.0,
        ),
        (
            "probit",
            failure,
            700.0,
            normal,
            -hazard,
            1.0 - 1.0 / 490_000.0,
        ),
        ("probit", success, 700.0, 0.0, 0.0, 0.0),
        ("cloglog", success, -700.0, 1400.0, 1.0, 0.5 * small),
        ("cloglog", failure, -700.0, 2.0 * small, -small, small),
        ("cloglog", success, 700.0, 0.0, 0.0, 0.0),
        (
            "cloglog",
            failure,
            700.0,
            2.0 / small,
            -1.0 / small,
            1.0 / small,
        ),
        (
            "cauchit",
            success,
            -700.0,
            2.0 * (700.0 * std::f64::consts::PI).ln(),
            1.0 / 700.0,
            -1.0 / 490_000.0,
        ),
        ("log", success, -700.0, 1400.0, 1.0, 0.0),
        ("log", failure, -700.0, 2.0 * small, -small, small),
    ] {
        let family = Family::named("binomial", link).unwrap();
        let what = format!("{link} y = {} eta = {eta}", row.y);
        let [found, s, _] = working(&family, row, eta);
        let [_, _, o, ..] = curvature(&family, row, eta);
        // Losses of binary rows are rounded as 1 is.
        for (found, expected, rounding) in
            [(found, loss, 1e-15), (s, score, 0.0), (o, observed, 0.0)]
        {
            let error = (found - expected).abs();
            assert!(
                error <= 1e-5 * expected.abs() + rounding,
                "{what}: {found:e}, expected {expected:e}"
            );
        }
    }
    for family in families() {
        let far = match (family.name(), family.link()) {
            (_, "logit" | "probit" | "cloglog" | "cauchit") => &[-700.0, -40.0, 40.0, 700.0][..],
            ("poisson" | "negative_binomial" | "nb1" | "gamma" | "gaussian", "log") => {
                &[-300.0, 300.0]
            }
            _ => continue,
        };
        for row in responses(&family) {
            for &eta in far {
                // Here a beta density's weight is beyond the largest number.
                if (family.name(), family.link(), eta) == ("beta", "cloglog", 700.0) {
                    continue;
                }
                let found = curvature(&family, row, eta);
                let what = format!("{family:?} y = {} eta = {eta}: {found:?}", row.y);
                assert!(found.iter().all(|value| value.is_finite()), "{what}");
                assert!(working(&family, row, eta)[0].is_finite(), "{what}");
            }
        }
    }
}

#[test]
fn outside_of_the_domain_the_loss_is_infinite() {
    for (name, link, y, etas) in [
        ("binomial", "log", 1.0, &[0.1, 5.0, f64::NAN][..]),
        ("binomial", "identity", 1.0, &[-0.1, 1.2]),
        ("binomial", "identity", 0.0, &[-0.1, 1.2]),
        ("poisson", "identity", 0.0, &[-0.1, 0.0]),
        ("poisson", "sqrt", 3.0, &[-0.1, 0.0]),
        ("poisson", "log", 3.0, &[800.0, f64::NAN]),
        ("gamma", "inverse", 3.0, &[-0.1, 0.0]),
        ("gamma", "identity", 3.0, &[-0.1, 0.0]),
        ("inverse_gaussian", "inverse", 3.0, &[-0.1]),
        ("inverse_gaussian", "identity", 3.0, &[-0.1, 0.0]),
        ("inverse_gaussian", "1/mu^2", 3.0, &[-0.1]),
        ("gaussian", "inverse", 3.0, &[0.0]),
        ("negative_binomial", "identity", 0.0, &[-0.1]),
        ("nb1", "sqrt", 0.0, &[-0.1]),
        ("beta", "log", 0.4, &[0.1]),
    ] {
        let family = Family::named(name, link).unwrap().with_dispersion(2.0);
        for &eta in etas {
            let row = Row {
                y,
                size: 1.0,
                weight: 1.0,
            };
            assert_eq!(
                working(&family, row, eta)[0],
                f64::INFINITY,
                "{family:?} {eta}"
            );
        }
    }
}

/// Large θ (small φ) is Poisson, without noise from cancellation.
#[test]
fn negative_binomials_end_in_poisson() {
    let poisson = Family::named("poisson", "log").unwrap();
    for (name, value) in [("negative_binomial", 1e9), ("nb1", 1e-9)] {
        let family = Family::named(name, "log").unwrap().with_dispersion(value);
        for y in [0.0, 3.0, 200.0] {
            let row = Row {
                y,
                size: 1.0,
                weight: 1.0,
            };
            let total =
                |family: &Family| working(family, row, 1.1)[0] + family.constant(row.response());
            near(total(&family), total(&poisson), 1e-6, name);
            let mean = 1.1f64.exp();
            // −2 log f = Poisson's − ((y − μ)² − y)/(…θ…) to first order.
            let first = if name == "nb1" {
                -((y - mean) * (y - mean) - y) / mean * value
            } else {
                ((y - mean) * (y - mean) - y) / value
            };
            let [loss, ..] = dispersion_slopes(&family, row, 1.1);
            near(loss / first, 1.0, 1e-5, &format!("{name} {y}"));
        }
    }
}

#[test]
fn names() {
    let error = |family, link| Family::named(family, link).unwrap_err().to_string();
    assert_eq!(
        error("poison", "log"),
        "there is no family 'poison'; choose from 'binomial', 'poisson', 'gamma', 'inverse_gaussian', \
         'gaussian', 'negative_binomial', 'nb1', 'beta'"
    );
    assert_eq!(
        error("poisson", "logit"),
        "the family 'poisson' does not take the link 'logit'; choose from 'log', 'sqrt', 'identity'"
    );
    let family = Family::named("nb1", "log").unwrap();
    assert_eq!(family, family);
    assert_ne!(family, family.with_dispersion(1.0));
    assert_eq!(
        format!("{:?}", family.with_dispersion(1.5)),
        "nb1(log, 1.5)"
    );
}
