//! Every family with every link of the table: rows, predictors and dispersions to try them on.

mod densities;
mod derivatives;
mod domain;
mod known;

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
    fn of(y: f64, size: f64, weight: f64) -> Self {
        Row { y, size, weight }
    }

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

/// A family by name, of this dispersion where it has one.
fn family(name: &str, link: &str, dispersion: f64) -> Family {
    Family::named(name, link)
        .unwrap()
        .with_dispersion(dispersion)
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
