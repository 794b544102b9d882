//! The normal distribution function on the log scale, exact in both tails.

use super::jet::Jet;
use super::vector::mills;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Below −`TAIL`, Φ comes from the continued fraction of Mills' ratio.
const TAIL: f64 = 3.0;
/// Terms that the fraction needs there.
const TERMS: u32 = 60;

/// φ(x)
#[inline]
pub fn density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / TAU.sqrt()
}

/// Φ(x)
#[inline]
pub fn cdf(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// log Φ(x) and its derivatives: with r = φ/Φ, r' = −r(r + x).
pub fn log_cdf(x: f64) -> Jet {
    if x < -TAIL {
        return log_cdf_tail(-x);
    }
    let (m, phi) = (mills(x.abs()), density(x));
    let (log, r) = if x > 0.0 {
        ((-phi * m).ln_1p(), phi / (1.0 - phi * m))
    } else {
        (m.ln() - 0.5 * x * x - 0.5 * TAU.ln(), 1.0 / m)
    };
    let d = r + x;
    [log, r, -r * d, r * (d * (r + d) - 1.0)]
}

/// Laplace's fraction φ(x)/Φ(−x) = x + 1/(x + 2/(x + 3/(x + …))). With d, e, f its tails, d = 1/(x + e)
/// and e = 2/(x + f), no derivative is a difference of near equals:
/// r = x + d, (log Φ)'' = −rd, (log Φ)''' = r d² e (f − e).
fn log_cdf_tail(x: f64) -> Jet {
    let f = (3..TERMS)
        .rev()
        .fold(0.0, |tail, k| f64::from(k) / (x + tail));
    let e = 2.0 / (x + f);
    let d = 1.0 / (x + e);
    let r = x + d;
    let log = -0.5 * x * x - 0.5 * TAU.ln() - r.ln();
    [log, r, -r * d, r * d * d * e * (f - e)]
}

/// Φ⁻¹(p): a rational start (Abramowitz & Stegun 1964, 26.2.23), then Newton's method on log Φ.
pub fn quantile(p: f64) -> f64 {
    let tail = p.min(1.0 - p);
    if tail <= 0.0 || tail.is_nan() {
        return if p == 0.0 {
            f64::NEG_INFINITY
        } else if p == 1.0 {
            f64::INFINITY
        } else {
            f64::NAN
        };
    }
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = above / below - t;
    for _ in 0..4 {
        let [log, slope, ..] = log_cdf(x);
        x -= (log - tail.ln()) / slope;
    }
    if p < 0.5 {
        x
    } else {
        -x
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R's pnorm(x, log.p = TRUE) and qnorm.
    #[test]
    fn known_answers() {
        for (x, expected) in [
            (-40.0, -804.608_442_013_753_8),
            (-10.0, -53.231_285_150_512_47),
            (-5.0001, -15.065_517_049_221_956),
            (-4.9999, -15.064_479_748_428_53),
            (-1.0, -1.841_021_645_009_263_6),
            (2.0, -0.023_012_909_328_963_493),
            (9.0, -1.128_588_405_953_840_8e-19),
        ] {
            let found = log_cdf(x)[0];
            assert!((found / expected - 1.0).abs() < 1e-14, "{x}: {found:e}");
        }
        for (p, expected) in [
            (1e-300, -37.047_096_299_361_2),
            (1e-10, -6.361_340_902_404_056),
            (0.3, -0.524_400_512_708_040_7),
            (0.975, 1.959_963_984_540_053_6),
        ] {
            assert!((quantile(p) / expected - 1.0).abs() < 1e-14, "{p}");
        }
        assert!(quantile(0.5).abs() < 1e-16);
        assert_eq!(quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(quantile(1.0), f64::INFINITY);
        assert!(quantile(1.5).is_nan());
    }

    /// The fraction and the direct formulas meet.
    #[test]
    fn the_tail_joins_the_middle() {
        let (middle, tail) = (log_cdf(-TAIL), log_cdf_tail(TAIL));
        for ((m, t), tolerance) in middle.iter().zip(tail).zip([1e-14, 1e-14, 1e-12, 1e-11]) {
            assert!((m / t - 1.0).abs() < tolerance, "{m:e} {t:e}");
        }
        // (log Φ)''' → −2/x³ by η.
        let [.., third] = log_cdf(-1e5);
        assert!((third * 1e15 / 2.0 - 1.0).abs() < 1e-8, "{third:e}");
    }
}
