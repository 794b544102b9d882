//! Exact random numbers of the families' distributions, from uniform ones in (0, 1).

use libm::lgamma;
use std::f64::consts::TAU;

/// Means up to which counts are found by inversion; rejection needs at least this much.
const INVERT: f64 = 10.0;

/// Standard normal: Box & Muller (1958).
pub fn normal(uniforms: &mut impl FnMut() -> f64) -> f64 {
    let radius = (-2.0 * uniforms().ln()).sqrt();
    radius * (TAU * uniforms()).cos()
}

/// Gamma of this shape and scale 1.
pub fn gamma(shape: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
    // A number that rounds to 0 is no response of a gamma distribution.
    log_gamma(shape, uniforms).exp().max(f64::MIN_POSITIVE)
}

/// Its logarithm: Marsaglia & Tsang (2000, ACM TOMS 26); below shape 1 as X U^(1/shape) with X of one
/// shape more, which may be too small for a number.
fn log_gamma(shape: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
    if shape < 1.0 {
        let power = uniforms().ln() / shape;
        return power + log_gamma(shape + 1.0, uniforms);
    }
    let d = shape - 1.0 / 3.0;
    let c = 1.0 / (9.0 * d).sqrt();
    loop {
        let z = normal(uniforms);
        let root = 1.0 + c * z;
        let (v, u) = (root * root * root, uniforms());
        if v > 0.0 && u.ln() < 0.5 * z * z + d * (1.0 - v + v.ln()) {
            return (d * v).ln();
        }
    }
}

/// Beta from two gammas, inside of (0, 1).
pub fn beta(a: f64, b: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
    let log_odds = log_gamma(a, uniforms) - log_gamma(b, uniforms);
    let proportion = 1.0 / (1.0 + (-log_odds).exp());
    proportion.clamp(f64::MIN_POSITIVE, 1.0 - 0.5 * f64::EPSILON)
}

/// Inverse Gaussian of variance φμ³: Michael, Schucany & Haas (1976, The American Statistician 30).
pub fn inverse_gaussian(mean: f64, dispersion: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
    let z = normal(uniforms);
    // The smaller root x of (x − μ)²/(φμ²x) = z², written without cancellation.
    let half = 0.5 * dispersion * mean * z * z;
    let growth = 1.0 + half + (half * (2.0 + half)).sqrt();
    if uniforms() * (1.0 + growth) <= growth {
        mean / growth
    } else {
        mean * growth
    }
}

/// A Poisson count whose mean is gamma: negative binomial of mean shape · scale.
pub fn mixed_poisson(shape: f64, scale: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
    let mean = scale * log_gamma(shape, uniforms).exp();
    poisson(mean, uniforms)
}

/// Poisson count; NaN or ∞ of a mean that is.
pub fn poisson(mean: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
    if mean < INVERT {
        let ratio = |count: f64| mean / count;
        return inversion((-mean).exp(), ratio, uniforms);
    }
    if !mean.is_finite() {
        return mean;
    }
    // PTRS of Hörmann (1993, Insurance: Mathematics and Economics 12).
    let b = 0.931 + 2.53 * mean.sqrt();
    let hat = Hat {
        a: -0.059 + 0.02483 * b,
        b,
        centre: mean + 0.43,
        height: 1.1239 + 1.1328 / (b - 3.4),
        inside: 0.9277 - 3.6224 / (b - 2.0),
    };
    let log_mean = mean.ln();
    let log_probability = |count: f64| count * log_mean - mean - lgamma(count + 1.0);
    hat.rejection(f64::INFINITY, log_probability, uniforms)
}

/// Successes in `size` trials, a whole number of them.
pub fn binomial(size: f64, probability: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
    if probability > 0.5 {
        return size - binomial(size, 1.0 - probability, uniforms);
    }
    let (mean, failure) = (size * probability, 1.0 - probability);
    if mean < INVERT {
        let odds = probability / failure;
        let ratio = |count: f64| (size - count + 1.0) / count * odds;
        return inversion((size * (-probability).ln_1p()).exp(), ratio, uniforms);
    }
    if !mean.is_finite() {
        return f64::NAN;
    }
    // BTRS of Hörmann (1993, Journal of Statistical Computation and Simulation 46), its hat by the height
    // of the mode.
    let sd = (mean * failure).sqrt();
    let b = 1.15 + 2.53 * sd;
    let (log_odds, log_size) = ((probability / failure).ln(), lgamma(size + 1.0));
    let log_probability = |count: f64| {
        log_size - lgamma(count + 1.0) - lgamma(size - count + 1.0)
            + count * log_odds
            + size * (-probability).ln_1p()
    };
    let mode = ((size + 1.0) * probability).floor();
    let hat = Hat {
        a: -0.0873 + 0.0248 * b + 0.01 * probability,
        b,
        centre: mean + 0.5,
        height: (2.83 + 5.1 / b) * sd * log_probability(mode).exp(),
        inside: 0.92 - 4.2 / b,
    };
    hat.rejection(size, log_probability, uniforms)
}

/// The smallest count whose distribution function reaches a uniform number, from P(0) and P(k)/P(k − 1).
fn inversion(none: f64, ratio: impl Fn(f64) -> f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
    let (mut count, mut probability, mut left) = (0.0, none, uniforms());
    // Rounding may leave a rest that no count takes: probabilities end first.
    while left > probability && probability > 0.0 {
        left -= probability;
        count += 1.0;
        probability *= ratio(count);
    }
    count
}

/// Hörmann's transformed rejection: a table-mountain hat over the histogram, turned by the inverse of its
/// distribution function (2a/(½ − |u|) + b) u + centre.
struct Hat {
    a: f64,
    b: f64,
    centre: f64,
    height: f64,
    /// Points below this and off the edges lie under the histogram.
    inside: f64,
}

impl Hat {
    fn rejection(
        &self,
        most: f64,
        log_probability: impl Fn(f64) -> f64,
        uniforms: &mut impl FnMut() -> f64,
    ) -> f64 {
        loop {
            let (u, v) = (uniforms() - 0.5, uniforms());
            let edge = 0.5 - u.abs();
            let count = ((2.0 * self.a / edge + self.b) * u + self.centre).floor();
            if edge >= 0.07 && v <= self.inside {
                return count;
            }
            if !(0.0..=most).contains(&count) {
                continue;
            }
            let hat = self.height / (self.a / (edge * edge) + self.b);
            if (v * hat).ln() <= log_probability(count) {
                return count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Family;
    use crate::philox::philox4x32;

    const DRAWS: usize = 100_000;

    /// Uniform numbers in (0, 1).
    fn uniforms(seed: u32) -> impl FnMut() -> f64 {
        let mut counter = 0;
        move || {
            counter += 1;
            let [high, low, ..] = philox4x32([counter, 0, 0, 0], [seed, 1]);
            let bits = (u64::from(high) << 32 | u64::from(low)) >> 12;
            (bits as f64 + 0.5) / (1u64 << 52) as f64
        }
    }

    struct Case {
        family: Family,
        mean: f64,
        size: f64,
        sigma: f64,
        weight: f64,
    }

    fn cases() -> Vec<Case> {
        let mut cases = Vec::new();
        for (name, link, dispersion, means, size, sigma) in [
            ("binomial", "logit", f64::NAN, &[0.3, 0.99][..], 1.0, 1.0),
            (
                "binomial",
                "logit",
                f64::NAN,
                &[0.001, 0.2, 0.5, 0.93],
                60.0,
                1.0,
            ),
            ("binomial", "logit", f64::NAN, &[0.35], 1e6, 1.0),
            (
                "poisson",
                "log",
                f64::NAN,
                &[0.01, 3.0, 9.9, 10.1, 70.0, 1e5],
                1.0,
                1.0,
            ),
            ("negative_binomial", "log", 0.4, &[0.2, 30.0], 1.0, 1.0),
            ("nb1", "log", 2.5, &[0.2, 30.0], 1.0, 1.0),
            ("gamma", "log", f64::NAN, &[0.2, 30.0], 1.0, 0.6),
            ("gamma", "log", f64::NAN, &[5.0], 1.0, 1.7),
            ("inverse_gaussian", "log", f64::NAN, &[0.2, 3.0], 1.0, 0.6),
            ("gaussian", "identity", f64::NAN, &[-2.0], 1.0, 0.6),
            ("beta", "logit", 3.0, &[0.1, 0.5], 1.0, 1.0),
            ("beta", "logit", 40.0, &[0.8], 1.0, 1.0),
        ] {
            let family = Family::named(name, link)
                .unwrap()
                .with_dispersion(dispersion);
            let weight = if family.profiles_dispersion() {
                2.0
            } else {
                1.0
            };
            let case = |&mean| Case {
                family,
                mean,
                size,
                sigma,
                weight,
            };
            cases.extend(means.iter().map(case));
        }
        cases
    }

    fn draws(case: &Case, seed: u32) -> Vec<f64> {
        let (eta, mut uniforms) = (case.family.link_of(case.mean), uniforms(seed));
        let mut one = || {
            case.family
                .draw(eta, case.size, case.weight, case.sigma, &mut uniforms)
        };
        (0..DRAWS).map(|_| one()).collect()
    }

    #[test]
    fn draws_follow_the_density() {
        for (seed, case) in cases().iter().enumerate() {
            let what = format!("{:?} mean {} size {}", case.family, case.mean, case.size);
            let y = draws(case, seed as u32);
            moments(case, &y, &what);
            cells(case, y, &what);
        }
    }

    /// Mean and variance within five standard errors.
    fn moments(case: &Case, y: &[f64], what: &str) {
        let centred = |power| {
            let term = |&y: &f64| (y - case.mean).powi(power);
            y.iter().map(term).sum::<f64>() / DRAWS as f64
        };
        let dispersion = if case.family.profiles_dispersion() {
            case.sigma * case.sigma / case.weight
        } else {
            1.0 / case.size
        };
        let variance = case.family.variance(case.mean) * dispersion;
        let error = |power: i32| (centred(2 * power) / DRAWS as f64).sqrt();
        assert!(centred(1).abs() < 5.0 * error(1), "mean of {what}");
        assert!(
            (centred(2) - variance).abs() < 5.0 * error(2),
            "variance of {what}"
        );
    }

    /// Cells of the range against the density: a chi-square of which one in a million is larger (Wilson &
    /// Hilferty 1931).
    fn cells(case: &Case, mut y: Vec<f64>, what: &str) {
        y.sort_by(f64::total_cmp);
        let (mut statistic, mut cells, mut first) = (0.0, 0.0, 0);
        while first < DRAWS {
            let last = y[(first + DRAWS / 40).min(DRAWS - 1)];
            let end = y.partition_point(|&value| value <= last);
            let (expected, inside) = expected_and_inside(case, &y[first..end]);
            // Rare counts leave gaps between the cells.
            if expected > 50.0 {
                statistic += (inside - expected).powi(2) / expected;
                cells += 1.0;
            }
            first = end;
        }
        let spread = 2.0 / (9.0 * cells);
        let z = (f64::cbrt(statistic / cells) - (1.0 - spread)) / f64::sqrt(spread);
        assert!(z < 4.75, "{what}: {statistic} of {cells} cells");
    }

    /// Numbers expected and found between the ends of a cell. A continuous response at its end is not
    /// inside.
    fn expected_and_inside(case: &Case, cell: &[f64]) -> (f64, f64) {
        let (from, to, found) = (cell[0], cell[cell.len() - 1], cell.len() as f64);
        let (eta, sigma) = (
            case.family.link_of(case.mean),
            case.sigma / case.weight.sqrt(),
        );
        let density = |y: f64| case.family.log_density(y, case.size, 1.0, eta, sigma).exp();
        let (mass, inside) = match case.family.name() {
            "gaussian" => (simpson(density, from, to), found - 1.0),
            "gamma" | "inverse_gaussian" | "beta" => {
                let on_log = |t: f64| density(t.exp()) * t.exp();
                (simpson(on_log, from.ln(), to.ln()), found - 1.0)
            }
            _ => {
                let steps = ((to - from) * case.size).round() as u32;
                let value = |k: u32| density(from + f64::from(k) / case.size);
                ((0..=steps).map(value).sum(), found)
            }
        };
        (DRAWS as f64 * mass, inside)
    }

    fn simpson(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
        const STEPS: u32 = 200;
        let step = (to - from) / f64::from(STEPS);
        let term = |k: u32| {
            let weight = match k {
                0 | STEPS => 1.0,
                k => 2.0 + 2.0 * f64::from(k % 2),
            };
            weight * f(from + step * f64::from(k))
        };
        (0..=STEPS).map(term).sum::<f64>() * step / 3.0
    }

    /// Means that underflow or overflow end the draw.
    #[test]
    fn extremes() {
        let mut uniforms = uniforms(5);
        let poisson = Family::named("poisson", "log").unwrap();
        assert_eq!(poisson.draw(-800.0, 1.0, 1.0, 1.0, &mut uniforms), 0.0);
        assert_eq!(
            poisson.draw(800.0, 1.0, 1.0, 1.0, &mut uniforms),
            f64::INFINITY
        );
        assert!(poisson
            .draw(f64::NAN, 1.0, 1.0, 1.0, &mut uniforms)
            .is_nan());
        let binomial = Family::named("binomial", "logit").unwrap();
        assert_eq!(binomial.draw(-800.0, 9.0, 1.0, 1.0, &mut uniforms), 0.0);
        assert_eq!(binomial.draw(800.0, 9.0, 1.0, 1.0, &mut uniforms), 1.0);
        assert!(binomial
            .draw(f64::NAN, 9.0, 1.0, 1.0, &mut uniforms)
            .is_nan());
        let beta = Family::named("beta", "logit")
            .unwrap()
            .with_dispersion(1e-3);
        for _ in 0..1000 {
            let y = beta.draw(0.0, 1.0, 1.0, 1.0, &mut uniforms);
            assert!(y > 0.0 && y < 1.0);
        }
    }
}
