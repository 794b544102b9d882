//! Losses, constants and deviances against densities, weights against expectations.

use super::*;

/// Densities sum to 1, scores to 0; Fisher weights are the mean observed weight and the mean squared
/// score, except nb1's.
#[test]
fn expectations() {
    for family in families() {
        for (eta, _) in predictors(&family) {
            let (what, mean) = (format!("{family:?} eta = {eta}"), family.mean(eta));
            // Such beta densities have mass where y is no number.
            if family.name() == "beta" && family.dispersion * mean.min(1.0 - mean) < 0.8 {
                continue;
            }
            let [mass, y, score, observed, square] = expected(&family, eta);
            near(mass, 1.0, 1e-9, &format!("mass {what}"));
            near(y, mean, 1e-8, &format!("mean {what}"));
            near(observed, square, 1e-7, &format!("information {what}"));
            let error = 1e-8 * square.sqrt().max(1.0);
            assert!(score.abs() <= error, "score {what}");
            if family.name() != "nb1" {
                let weight = curvature(&family, Row::of(mean, size(&family), 1.0), eta)[1];
                near(weight, observed, 1e-7, &format!("Fisher weight {what}"));
            }
        }
    }
}

fn size(family: &Family) -> f64 {
    if family.name() == "binomial" {
        12.0
    } else {
        1.0
    }
}

/// Of 1, the response, its score, its observed weight and its squared score, at σ = 1.
fn expected(family: &Family, eta: f64) -> [f64; 5] {
    let mut sums = [0.0; 5];
    for (y, measure) in grid(family, family.mean(eta)) {
        let size = size(family);
        let mass = measure * family.log_density(y, size, 1.0, eta, 1.0).exp();
        let [score, _, observed, ..] = curvature(family, Row::of(y, size, 1.0), eta);
        if mass > 0.0 {
            let values = [1.0, y, score, observed, score * score];
            sums.iter_mut()
                .zip(values)
                .for_each(|(sum, value)| *sum += mass * value);
        }
    }
    sums
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

/// The criterion at the profiled dispersion against the sum of log-densities, its slope against
/// differences.
#[test]
fn criterion() {
    for family in families() {
        let rows = responses(&family);
        let column = |of: fn(&Row) -> f64| rows.iter().map(of).collect::<Vec<f64>>();
        let (y, size) = (column(|row| row.y), column(|row| row.size));
        let weight = column(|row| row.weight);
        let response = Response {
            y: &y,
            size: &size,
            weight: &weight,
        };
        let eta = vec![predictors(&family)[1].0; rows.len()];
        let (mut score, mut fisher) = (vec![0.0; rows.len()], vec![0.0; rows.len()]);
        let loss = family.working(response, &eta, &mut score, &mut fisher);
        let (constant, about) = (family.constant(response), family.summary(response));
        let first = |loss| family.first_term(loss, constant, &about);
        let total = if family.name() == "gaussian" {
            about.rows
        } else {
            about.weight
        };
        let density = |row: &Row| {
            let sigma = (loss / total).sqrt();
            family.log_density(row.y, row.size, row.weight, eta[0], sigma)
        };
        // R's aic counts the dispersion.
        let counted = if family.profiles_dispersion() {
            2.0
        } else {
            0.0
        };
        let expected = -2.0 * rows.iter().map(density).sum::<f64>() + counted;
        near(first(loss).0, expected, 1e-12, &format!("{family:?}"));
        let by_loss = slope(|loss| first(loss).0, loss, 0.1 * loss);
        near(
            first(loss).1,
            by_loss,
            1e-8,
            &format!("slope of {family:?}"),
        );
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
