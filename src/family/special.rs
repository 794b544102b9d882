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

/// log Γ(x) as a function of log x, x > 0.
pub fn log_gamma(x: f64) -> Jet {
    // x^k ψ^(k−1)(x): the recurrence's terms, then the series at the lifted argument.
    let (mut lifted, mut by_x) = (x, [0.0; 3]);
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
    [libm::lgamma(x), d1, d1 + d2, d1 + 3.0 * d2 + d3]
}

/// x log x − x − log Γ(x) and its derivative log x − ψ(x), x > 0.
pub fn stirling_gap(x: f64) -> [f64; 2] {
    if x < LARGE {
        let [value, slope, ..] = log_gamma(x);
        return [x * x.ln() - x - value, x.ln() - slope / x];
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
    let p = a / (a + y);
    let inner = [0.0, p, p * (1.0 - p), p * (1.0 - p) * (1.0 - 2.0 * p)];
    if a < LARGE {
        let (upper, lower) = (compose(&log_gamma(a + y), &inner), log_gamma(a));
        let [r0, r1, r2, r3] = sum(&upper, &lower.map(|value| -value));
        return [r0 - y * a.ln(), r1 - y, r2, r3];
    }
    let (x, q) = (y / a, 1.0 - p);
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
