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
