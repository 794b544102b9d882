//! Derivatives against differences of the loss.

use super::*;

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
