//! Elementary functions without branches, so that loops over them are compiled for vector registers.
//!
//! Errors are below 2 units in the last place; every width of register gives the same bits.

use std::f64::consts::{LN_2, LOG2_E, SQRT_2};

/// 1.5 · 2⁵²: adding it rounds to a whole number, which the last bits then hold.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// log 2 in two parts, the first with few enough digits that k · `LN_2_HIGH` is exact.
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Σ coefficients[k] x^k
#[inline(always)]
fn polynomial<const N: usize>(x: f64, coefficients: [f64; N]) -> f64 {
    let mut sum = coefficients[N - 1];
    for k in (0..N - 1).rev() {
        sum = sum * x + coefficients[k];
    }
    sum
}

/// 2^k for a whole number −1022 ≤ k ≤ 1023, given as k + `ROUND`.
#[inline(always)]
fn power_of_two(rounded: f64) -> f64 {
    f64::from_bits((rounded.to_bits() << 52).wrapping_add(1023 << 52))
}

/// e^x: 2^k times Taylor's polynomial on |r| ≤ ½ log 2.
#[inline(always)]
pub fn exp(x: f64) -> f64 {
    // Beyond these bounds the result is 0 or ∞; comparisons leave NaN alone.
    let x = if x > 1400.0 { 1400.0 } else { x };
    let x = if x < -1400.0 { -1400.0 } else { x };
    let k = (x * LOG2_E + ROUND) - ROUND;
    let r = (x - k * LN_2_HIGH) - k * LN_2_LOW;
    let taylor = polynomial(
        r,
        [
            0.5,
            1.0 / 6.0,
            1.0 / 24.0,
            1.0 / 120.0,
            1.0 / 720.0,
            1.0 / 5040.0,
            1.0 / 40_320.0,
            1.0 / 362_880.0,
            1.0 / 3_628_800.0,
            1.0 / 39_916_800.0,
            1.0 / 479_001_600.0,
            1.0 / 6_227_020_800.0,
        ],
    );
    // In two halves, since 2^k may lie below the smallest normal number.
    let half = 0.5 * k + ROUND;
    let rest = (k - (half - ROUND)) + ROUND;
    (1.0 + (r + r * r * taylor)) * power_of_two(half) * power_of_two(rest)
}

/// log(1 + x) for 0 ≤ x ≤ 1: 2 artanh(f / (2 + f)) with 1 + f = 1 + x or half of it.
#[inline(always)]
pub fn ln_1p(x: f64) -> f64 {
    let halved = x > SQRT_2 - 1.0;
    let f = if halved { 0.5 * (x - 1.0) } else { x };
    let s = f / (2.0 + f);
    let square = s * s;
    let series = polynomial(
        square,
        [
            2.0 / 3.0,
            2.0 / 5.0,
            2.0 / 7.0,
            2.0 / 9.0,
            2.0 / 11.0,
            2.0 / 13.0,
            2.0 / 15.0,
            2.0 / 17.0,
            2.0 / 19.0,
            2.0 / 21.0,
        ],
    );
    let log = 2.0 * s + s * square * series;
    log + if halved { LN_2 } else { 0.0 }
}

/// Mills' ratio (1 − Φ(x))/φ(x) for x ≥ 0: (1 + x) times it is a polynomial in (x − 4)/(x + 4), interpolated
/// at 60 nodes of Chebyshev's in 50 digits and cut where its terms vanish.
#[inline(always)]
pub fn mills(x: f64) -> f64 {
    let inverse = 1.0 / ((1.0 + x) * (x + 4.0));
    let t = (x - 4.0) * (1.0 + x) * inverse;
    let product = polynomial(
        t,
        [
            1.183_261_914_567_803_4,
            -0.242_399_670_521_808_1,
            0.035_091_880_234_748_005,
            0.071_690_481_201_437_41,
            -0.080_708_009_679_052_3,
            0.044_959_129_077_069_81,
            -0.012_539_103_620_398_14,
            -0.000_715_950_905_283_812,
            0.001_741_848_773_732_584_8,
            -0.000_236_701_758_827_122_55,
            -0.000_220_215_575_695_751_6,
            5.326_697_093_831_537e-5,
            3.415_881_433_183_821_6e-5,
            -8.606_187_876_096_94e-6,
            -6.553_354_455_258_251e-6,
            1.019_489_087_098_735_7e-6,
            1.390_762_707_984_927_8e-6,
            -3.101_083_609_757_574e-9,
            -2.869_299_965_207_941_6e-7,
            -4.494_916_382_038_613e-8,
            5.077_844_122_332_044_6e-8,
            1.372_305_945_245_965_6e-8,
            -6.562_440_236_946_465_4e-9,
            -1.695_299_681_888_058_3e-9,
            4.480_233_382_099_169e-10,
        ],
    );
    product * (x + 4.0) * inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) {
        let error = (found / expected - 1.0).abs();
        assert!(error <= 4.5e-16, "{found:e}, expected {expected:e}");
    }

    #[test]
    fn elementary() {
        for i in 0..=10_000 {
            let part = f64::from(i) / 10_000.0;
            near(exp(1400.0 * part - 700.0), (1400.0 * part - 700.0).exp());
            near(1.0 + ln_1p(part), 1.0 + part.ln_1p());
            near(ln_1p(1e-9 * (1.0 + part)), (1e-9 * (1.0 + part)).ln_1p());
        }
        assert_eq!(
            [exp(-740.0), exp(-1e9), exp(f64::NEG_INFINITY)],
            [(-740f64).exp(), 0.0, 0.0]
        );
        assert_eq!(
            [exp(0.0), exp(710.0), exp(f64::INFINITY)],
            [1.0, f64::INFINITY, f64::INFINITY]
        );
        assert!(exp(f64::NAN).is_nan());
    }

    /// Laplace's continued fraction, and the value at 0.
    #[test]
    fn mills_ratio() {
        assert!((mills(0.0) / f64::sqrt(0.5 * std::f64::consts::PI) - 1.0).abs() < 1e-15);
        for x in [2.0, 2.7, 3.9, 4.0, 5.5, 17.0, 700.0, 1e8] {
            let fraction = (1..400)
                .rev()
                .fold(0.0, |tail, k| f64::from(k) / (x + tail));
            let error = (mills(x) * (x + fraction) - 1.0).abs();
            assert!(error < 1e-15, "{x}: {error:e}");
        }
    }
}
