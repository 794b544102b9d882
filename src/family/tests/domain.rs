//! The ends of the domain and beyond them; names.

use super::*;
use std::f64::consts::{PI, TAU};

/// e^−700, and −2 log Φ(−700) to leading order.
const SMALL: f64 = 9.859_676_543_759_77e-305;
fn normal() -> f64 {
    490_000.0 + TAU.ln() + 2.0 * 700f64.ln()
}

/// At the ends of what a predictor may be, the leading terms are known: link, y, η, loss, score, observed
/// weight of one observation.
#[test]
fn tails() {
    let (bend, hazard) = (1.0 - 1.0 / 490_000.0, 700.0 + 1.0 / 700.0);
    let cauchy = 2.0 * (700.0 * PI).ln();
    #[rustfmt::skip]
    let table = [
        ("logit", 1.0, -700.0, 1400.0, 1.0, SMALL),
        ("logit", 1.0, 700.0, 2.0 * SMALL, SMALL, SMALL),
        ("logit", 0.0, 700.0, 1400.0, -1.0, SMALL),
        ("probit", 1.0, -700.0, normal(), hazard, bend),
        ("probit", 0.0, 700.0, normal(), -hazard, bend),
        ("probit", 1.0, 700.0, 0.0, 0.0, 0.0),
        ("cloglog", 1.0, -700.0, 1400.0, 1.0, 0.5 * SMALL),
        ("cloglog", 0.0, -700.0, 2.0 * SMALL, -SMALL, SMALL),
        ("cloglog", 1.0, 700.0, 0.0, 0.0, 0.0),
        ("cloglog", 1.0, 800.0, 0.0, 0.0, 0.0),
        ("cloglog", 0.0, 700.0, 2.0 / SMALL, -1.0 / SMALL, 1.0 / SMALL),
        ("cauchit", 1.0, -700.0, cauchy, 1.0 / 700.0, -1.0 / 490_000.0),
        ("log", 1.0, -700.0, 1400.0, 1.0, 0.0),
        ("log", 0.0, -700.0, 2.0 * SMALL, -SMALL, SMALL),
    ];
    for (link, y, eta, loss, score, observed) in table {
        let (family, row) = (family("binomial", link, f64::NAN), Row::of(y, 1.0, 1.0));
        let [found_loss, found_score, _] = working(&family, row, eta);
        let found_observed = curvature(&family, row, eta)[2];
        let close = |found: f64, expected: f64, rounding: f64| {
            let error = (found - expected).abs();
            let bound = 1e-5 * expected.abs() + rounding;
            assert!(
                error <= bound,
                "{link} {y} {eta}: {found:e}, expected {expected:e}"
            );
        };
        // Losses of binary rows are rounded as 1 is.
        close(found_loss, loss, 1e-15);
        close(found_score, score, 0.0);
        close(found_observed, observed, 0.0);
    }
}

#[test]
fn far_out_everything_is_finite() {
    for family in families() {
        let far = match (family.name(), family.link()) {
            // Here a density's weight is beyond the largest number.
            ("beta", "cloglog") => &[-700.0, -40.0, 6.0][..],
            (_, "logit" | "probit" | "cloglog" | "cauchit") => &[-700.0, -40.0, 40.0, 700.0],
            ("inverse_gaussian" | "binomial" | "beta", "log") => continue,
            (_, "log") => &[-300.0, 300.0],
            _ => continue,
        };
        for row in responses(&family) {
            for &eta in far {
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
        let family = family(name, link, 2.0);
        for &eta in etas {
            let row = Row::of(y, 1.0, 1.0);
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
    let poisson = family("poisson", "log", f64::NAN);
    for (name, value) in [("negative_binomial", 1e9), ("nb1", 1e-9)] {
        let family = family(name, "log", value);
        for y in [0.0, 3.0, 200.0] {
            let row = Row::of(y, 1.0, 1.0);
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
