//! The normal distribution function on the log scale, exact in both tails.

use super::jet::{mirrored, Jet};
use super::vector::mills;
use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Below −`TAIL`, derivatives come from the continued fraction of Mills' ratio.
const TAIL: f64 = 3.0;

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

/// log Φ and log(1 − Φ) at x: with r = φ/Φ, (log Φ)' = r and r' = −r(r + x).
pub fn log_cdfs(x: f64) -> [Jet; 2] {
    let a = x.abs();
    let (m, phi) = (mills(a), density(x));
    let larger = 1.0 - phi * m;
    let r = phi / larger;
    let d = r + a;
    let upper = [(-phi * m).ln_1p(), r, -r * d, r * (d * (r + d) - 1.0)];
    let log = m.ln() - 0.5 * a * a - 0.5 * TAU.ln();
    let [slope, bend, twist] = tail_slopes(a, m);
    let lower = [log, slope, bend, twist];
    if x > 0.0 {
        [upper, mirrored(lower)]
    } else {
        [lower, mirrored(upper)]
    }
}

/// Derivatives of log Φ at −a, where `m` is Mills' ratio at a. From Laplace's fraction
/// 1/m = a + 1/(a + 2/(a + 3/(a + …))) with tails d, e, f, so that d = 1/(a + e) and e = 2/(a + f), none is
/// a difference of near equals: r = a + d, r d and r d² e (f − e).
fn tail_slopes(a: f64, m: f64) -> [f64; 3] {
    if a < TAIL {
        let r = 1.0 / m;
        let d = r - a;
        return [r, -r * d, r * (d * (r + d) - 1.0)];
    }
    let terms = (12.0 + 450.0 / (a * a)) as u32;
    let f = (3..terms)
        .rev()
        .fold(0.0, |tail, k| f64::from(k) / (a + tail));
    let e = 2.0 / (a + f);
    let d = 1.0 / (a + e);
    let r = a + d;
    [r, -r * d, r * d * d * e * (f - e)]
}

/// Φ⁻¹(p): a rational start (Abramowitz & Stegun 1964, 26.2.23), then Newton's method on log Φ.
pub fn quantile(p: f64) -> f64 {
    if !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    let (tail, side) = if p < 0.5 { (p, 1.0) } else { (1.0 - p, -1.0) };
    if tail == 0.0 {
        return -side * f64::INFINITY;
    }
    let t = (-2.0 * tail.ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = above / below - t;
    for _ in 0..4 {
        let [[log, slope, ..], _] = log_cdfs(x);
        x -= (log - tail.ln()) / slope;
    }
    side * x
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
            let found = log_cdfs(x)[0][0];
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
        let middle = tail_slopes(TAIL * (1.0 - 1e-15), mills(TAIL));
        let tail = tail_slopes(TAIL, mills(TAIL));
        for ((m, t), tolerance) in middle.iter().zip(tail).zip([1e-14, 1e-13, 5e-12]) {
            assert!((m / t - 1.0).abs() < tolerance, "{m:e} {t:e}");
        }
        // (log Φ)''' → −2/x³ by η.
        let [[.., third], _] = log_cdfs(-1e5);
        assert!((third * 1e15 / 2.0 - 1.0).abs() < 1e-8, "{third:e}");
    }
}
