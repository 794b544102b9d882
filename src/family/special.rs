//! Special functions of the log-densities, in forms without cancellation.
//!
//! Γ and its relatives are differentiated by the *logarithm* of their argument: x ψ(x), x² ψ'(x), ...
//! stay finite as x → 0, where a mean on the log scale ends. Series: Abramowitz & Stegun (1964), 6.1.41,
//! 6.3.18, 6.4.11, after the recurrence 6.3.6 has lifted the argument.

use super::jet::{compose, sum, Jet};

/// Coefficients of Stirling's series log Γ(x) = (x − ½) log x − x + ½ log 2π + Σ cₖ x^(1−2k).
const STIRLING: [f64; 6] = [
    1.0 / 12.0,
    -1.0 / 360.0,
    1.0 / 1260.0,
    -1.0 / 1680.0,
    1.0 / 1188.0,
    -691.0 / 360_360.0,
];
/// Arguments from which the series gives all digits.
const LARGE: f64 = 16.0;
/// Counts up to which a ratio of Γ is a product.
const SMALL_COUNT: f64 = 64.0;

/// log(1 + x) − x, to full relative precision.
#[inline]
pub fn log1p_minus(x: f64) -> f64 {
    if x.abs() > 0.25 {
        return x.ln_1p() - x;
    }
    // log(1 + x) = 2 artanh r.
    let r = x / (2.0 + x);
    let square = r * r;
    let mut series = 0.0;
    for odd in (3..=21).rev().step_by(2) {
        series = series * square + 1.0 / f64::from(odd);
    }
    r * (2.0 * square * series - x)
}

/// y log(y/m) − (y − m) ≥ 0, where `log_mean` = log m: half a Poisson deviance.
#[inline]
pub fn relative_entropy(y: f64, mean: f64, log_mean: f64) -> f64 {
    let relative = (mean - y) / y;
    if y == 0.0 {
        mean
    } else if relative.abs() < 0.5 {
        -y * log1p_minus(relative)
    } else {
        y * (y.ln() - log_mean) - (y - mean)
    }
}

/// Stirling's remainder Σ cₖ x^(1−2k) as a function of log x.
fn stirling_remainder(x: f64) -> Jet {
    let square = 1.0 / (x * x);
    let mut power = 1.0 / x;
    let (mut exponent, mut remainder) = (-1.0, [0.0; 4]);
    for coefficient in STIRLING {
        let mut term = coefficient * power;
        for derivative in &mut remainder {
            *derivative += term;
            term *= exponent;
        }
        power *= square;
        exponent -= 2.0;
    }
    remainder
}

/// log Γ(x) as a function of log x, x ≥ 0: log x may be a number where x underflows to 0.
pub fn log_gamma(x: f64, log_x: f64) -> Jet {
    // x^k ψ^(k−1)(x): the recurrence's terms, then the series at the lifted argument.
    let (mut lifted, mut by_x) = (x + 1.0, [-1.0, 1.0, -2.0]);
    while lifted < LARGE {
        let r = x / lifted;
        by_x[0] -= r;
        by_x[1] += r * r;
        by_x[2] -= 2.0 * r * r * r;
        lifted += 1.0;
    }
    let [_, r1, r2, r3] = stirling_remainder(lifted);
    let ratio = x / lifted;
    // Lifted: zψ, z²ψ' and z³ψ'' from the derivatives by log z.
    let first = lifted * lifted.ln() - 0.5 + r1;
    let second = lifted + 0.5 + (r2 - r1);
    let third = -lifted - 1.0 + (r3 - 3.0 * r2 + 2.0 * r1);
    by_x[0] += ratio * first;
    by_x[1] += ratio * ratio * second;
    by_x[2] += ratio * ratio * ratio * third;
    let [d1, d2, d3] = by_x;
    let value = if x < 0.5 {
        libm::lgamma(1.0 + x) - log_x
    } else {
        libm::lgamma(x)
    };
    [value, d1, d1 + d2, d1 + 3.0 * d2 + d3]
}

/// x log x − x − log Γ(x) and its derivative log x − ψ(x), x > 0.
pub fn stirling_gap(x: f64) -> [f64; 2] {
    if x < LARGE {
        let log = x.ln();
        let [value, slope, ..] = log_gamma(x, log);
        return [x * log - x - value, log - slope / x];
    }
    let [value, slope, ..] = stirling_remainder(x);
    let half_log = 0.5 * (x / std::f64::consts::TAU).ln();
    [half_log - value, (0.5 - slope) / x]
}

/// R = log Γ(a + y) − log Γ(a) − y log a as a function of log a, y ≥ 0; of order y²/a for large a, where
/// its terms cancel.
pub fn rising(y: f64, a: f64) -> Jet {
    if y <= SMALL_COUNT && y.fract() == 0.0 {
        return rising_product(y as u32, a);
    }
    // log(a + y) as a function of log a.
    let (p, q) = (a / (a + y), y / (a + y));
    let inner = [0.0, p, p * q, p * q * (q - p)];
    if a < LARGE {
        let log = a.ln();
        let upper = compose(&log_gamma(a + y, (a + y).ln()), &inner);
        let lower = log_gamma(a, log).map(|value| -value);
        let [r0, r1, r2, r3] = sum(&upper, &lower);
        return [r0 - y * log, r1 - y, r2, r3];
    }
    let x = y / a;
    let log = x.ln_1p();
    let leading = [
        a * log1p_minus(x) + y * log,
        a * log1p_minus(x),
        a * (log1p_minus(x) + x * q),
        a * (log1p_minus(x) + x * q - q * q),
    ];
    let half = [-0.5 * log, 0.5 * q, -0.5 * inner[2], -0.5 * inner[3]];
    let upper = compose(&stirling_remainder(a + y), &inner);
    let lower = stirling_remainder(a).map(|value| -value);
    sum(&sum(&leading, &half), &sum(&upper, &lower))
}

/// R = Σ log(1 + j/a) over j < y.
fn rising_product(y: u32, a: f64) -> Jet {
    let mut total = [0.0; 4];
    for j in (0..y).map(f64::from) {
        let (p, q) = (a / (a + j), j / (a + j));
        total[0] += (j / a).ln_1p();
        total[1] -= q;
        total[2] += p * q;
        total[3] += p * q * (q - p);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64, tolerance: f64) {
        let error = (found - expected).abs();
        assert!(
            error <= tolerance * expected.abs(),
            "{found:e}, expected {expected:e}"
        );
    }

    /// R's digamma, trigamma and psigamma(x, 2).
    #[test]
    fn polygammas() {
        for (x, psi, psi1, psi2) in [
            (
                0.1,
                -10.423_754_940_411_076,
                101.433_299_150_792_75,
                -2_001.861_457_378_343_9,
            ),
            (
                3.7,
                1.167_153_539_361_511_3,
                0.310_037_857_670_038_3,
                -0.095_395_308_728_554_03,
            ),
            (
                100.0,
                4.600_161_852_738_088,
                0.010_050_166_663_333_566,
                -0.000_101_004_999_833_349_91,
            ),
        ] {
            let [value, d1, d2, d3] = log_gamma(x, x.ln());
            near(value, libm::lgamma(x), 1e-15);
            near(d1, x * psi, 1e-14);
            near(d2 - d1, x * x * psi1, 1e-13);
            near(d3 - 3.0 * d2 + 2.0 * d1, x * x * x * psi2, 1e-12);
        }
        assert_eq!(log_gamma(0.0, -800.0), [800.0, -1.0, 0.0, 0.0]);
    }

    /// Both routes to log(1 + x) − x, and the series' value at a small x.
    #[test]
    fn log1p_minus_has_all_digits() {
        for x in [-0.2, -0.1, 0.15, 0.25] {
            near(log1p_minus(x), f64::ln_1p(x) - x, 1e-14);
        }
        near(log1p_minus(1e-6), -4.999_996_666_669_167e-13, 1e-15);
        near(log1p_minus(-1e-200), 0.0, 0.0);
    }

    /// The product, the difference of log Γ and the series agree, also by derivatives.
    #[test]
    fn rising_by_every_route() {
        for a in [1e-5, 0.3, 3.0, 15.9, 16.1, 40.0, 1e4, 1e9] {
            for y in [65.0, 200.0] {
                let (found, expected) = (rising(y, a), rising_product(y as u32, a));
                for (found, expected) in found.iter().zip(expected) {
                    let error = (found - expected).abs();
                    assert!(
                        error <= 2e-13 * expected.abs().max(1.0),
                        "{y} {a}: {found} {expected}"
                    );
                    if a > 16.0 {
                        near(*found, expected, 1e-12);
                    }
                }
            }
        }
        near(
            rising(2.5, 3.0)[0],
            libm::lgamma(5.5) - libm::lgamma(3.0) - 2.5 * 3f64.ln(),
            1e-13,
        );
    }

    #[test]
    fn stirling_gap_by_both_routes() {
        for x in [15.999_999, 16.000_001] {
            let [value, slope] = stirling_gap(x);
            near(value, x * x.ln() - x - libm::lgamma(x), 1e-13);
            let [_, d1, ..] = log_gamma(x, x.ln());
            near(slope, x.ln() - d1 / x, 1e-13);
        }
    }

    #[test]
    fn relative_entropy_near_and_far() {
        near(
            relative_entropy(3.0, 3.0 + 3e-8, f64::ln(3.0 + 3e-8)),
            1.5e-16,
            1e-7,
        );
        near(
            relative_entropy(3.0, 1e-100, -230.258_509_299_404_56),
            3.0 * 3f64.ln() + 690.775_527_898_213_7 - 3.0,
            1e-14,
        );
        assert_eq!(relative_entropy(0.0, 2.0, 2f64.ln()), 2.0);
    }
}
