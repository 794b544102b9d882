//! The ends of the domain and beyond them; names.

use super::*;

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
