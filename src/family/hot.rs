//! Losses, scores and weights of the three models that most fits are, eight rows at a time.
//!
//! `vector`'s functions are compiled for the processor's widest registers. Of binary rows a loss needs the
//! logarithm of one factor, and the logarithms of a block are one: that of the factors' product.

use super::binomial::Binomial;
use super::conditional::OnLogs;
use super::model::Model;
use super::unit_link::Probit;
use super::vector::{exp, ln_1p, mills};
use super::Response;

/// Rows side by side.
const LANES: usize = 8;
/// Rows of a lane whose factors are multiplied: few enough that the product of numbers in (½, 10¹⁸) is one.
const FACTORS: usize = 16;
const BLOCK: usize = LANES * FACTORS;
const HALF_LOG_TAU: f64 = 0.918_938_533_204_672_7;
const FRAC_1_SQRT_TAU: f64 = 0.398_942_280_401_432_7;

/// `Model::working` of a family and link without shape.
pub type Working = fn(Response<'_>, &[f64], &mut [f64], &mut [f64]) -> f64;

/// A row's score, weight, and loss: 2 · (term + log factor).
struct Row {
    term: f64,
    factor: f64,
    score: f64,
    weight: f64,
}

/// Poisson counts with log link.
pub fn poisson_log(rows: Response<'_>, eta: &[f64], score: &mut [f64], weight: &mut [f64]) -> f64 {
    sweep(rows, eta, score, weight, poisson_log_row)
}

/// Binomial proportions with logit link.
pub fn binomial_logit(
    rows: Response<'_>,
    eta: &[f64],
    score: &mut [f64],
    weight: &mut [f64],
) -> f64 {
    if is_unit(rows) {
        sweep(rows, eta, score, weight, unit_logit_row)
    } else {
        sweep(rows, eta, score, weight, logit_row)
    }
}

/// Binomial proportions with probit link; those that are not 0 or 1 are left to the general loop.
pub fn binomial_probit(
    rows: Response<'_>,
    eta: &[f64],
    score: &mut [f64],
    weight: &mut [f64],
) -> f64 {
    if is_unit(rows) && rows.y.iter().all(|&y| y == 0.0 || y == 1.0) {
        sweep(rows, eta, score, weight, unit_probit_row)
    } else {
        OnLogs(Binomial, Probit).working(f64::NAN, rows, eta, score, weight)
    }
}

/// Whether every row is one observation of weight 1.
fn is_unit(rows: Response<'_>) -> bool {
    // No early end: so the loop is compiled for vectors.
    let one = |values: &[f64]| values.iter().fold(true, |all, &value| all & (value == 1.0));
    one(rows.size) && one(rows.weight)
}

#[inline(always)]
fn poisson_log_row(y: f64, prior: f64, eta: f64) -> Row {
    let mean = exp(eta);
    Row {
        term: prior * (mean - y * eta),
        factor: 1.0,
        score: prior * (y - mean),
        weight: prior * mean,
    }
}

/// The loss is log(1 + e) + max(η, 0) − yη with e = exp −|η|.
#[inline(always)]
fn unit_logit_row(y: f64, prior: f64, eta: f64) -> Row {
    let e = exp(-eta.abs());
    // Of μ and 1 − μ.
    let larger = 1.0 / (1.0 + e);
    let smaller = e * larger;
    let negative = eta < 0.0;
    let mu = if negative { smaller } else { larger };
    let nu = if negative { larger } else { smaller };
    let positive = if negative { 0.0 } else { eta };
    Row {
        term: prior * (positive - y * eta),
        factor: 1.0 + e,
        score: prior * (y * nu - (1.0 - y) * mu),
        weight: prior * (larger * smaller),
    }
}

#[inline(always)]
fn logit_row(y: f64, prior: f64, eta: f64) -> Row {
    let row = unit_logit_row(y, prior, eta);
    Row {
        term: row.term + prior * ln_1p(exp(-eta.abs())),
        factor: 1.0,
        ..row
    }
}

/// The loss is −log q, or −log m − log φ(η), with q = Φ(|η|) and Mills' ratio m = (1 − q)/φ(η).
#[inline(always)]
fn unit_probit_row(y: f64, _: f64, eta: f64) -> Row {
    let m = mills(eta.abs());
    let square = eta * eta;
    let density = FRAC_1_SQRT_TAU * exp(-0.5 * square);
    let q = 1.0 - density * m;
    let (inverse_q, inverse_m) = (1.0 / q, 1.0 / m);
    let likely = if y == 0.0 { -eta } else { eta } >= 0.0;
    let slope = if likely {
        density * inverse_q
    } else {
        inverse_m
    };
    Row {
        term: if likely {
            0.0
        } else {
            0.5 * square + HALF_LOG_TAU
        },
        factor: if likely { inverse_q } else { inverse_m },
        score: if y == 0.0 { -slope } else { slope },
        weight: density * inverse_q * inverse_m,
    }
}

/// Scores and weights of all rows; the total loss.
fn sweep(
    rows: Response<'_>,
    eta: &[f64],
    score: &mut [f64],
    weight: &mut [f64],
    row: impl Fn(f64, f64, f64) -> Row,
) -> f64 {
    pulp::Arch::new().dispatch(Sweep {
        rows,
        eta,
        score,
        weight,
        row,
    })
}

/// `sweep`, for the processor's registers. A closure in its place would be compiled on its own, for those
/// that every processor has.
struct Sweep<'a, F> {
    rows: Response<'a>,
    eta: &'a [f64],
    score: &'a mut [f64],
    weight: &'a mut [f64],
    row: F,
}

impl<F: Fn(f64, f64, f64) -> Row> pulp::WithSimd for Sweep<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) -> f64 {
        let rows = self.rows;
        let mut half = 0.0;
        for first in (0..self.eta.len()).step_by(BLOCK) {
            let place = first..(first + BLOCK).min(self.eta.len());
            let rows = Response {
                y: &rows.y[place.clone()],
                size: &rows.size[place.clone()],
                weight: &rows.weight[place.clone()],
            };
            let (score, weight) = (
                &mut self.score[place.clone()],
                &mut self.weight[place.clone()],
            );
            half += block(rows, &self.eta[place], score, weight, &self.row);
        }
        2.0 * half
    }
}

/// Half the loss of at most `BLOCK` rows.
#[inline(always)]
fn block(
    rows: Response<'_>,
    eta: &[f64],
    score: &mut [f64],
    weight: &mut [f64],
    row: &impl Fn(f64, f64, f64) -> Row,
) -> f64 {
    let (mut terms, mut factors) = ([0.0; BLOCK], [1.0; BLOCK]);
    let n = eta.len();
    let (y, size, prior) = (&rows.y[..n], &rows.size[..n], &rows.weight[..n]);
    let (score, weight) = (&mut score[..n], &mut weight[..n]);
    // One plain loop over equal lengths: this form is compiled for vectors.
    for i in 0..n {
        let row = row(y[i], size[i] * prior[i], eta[i]);
        terms[i] = row.term;
        factors[i] = row.factor;
        score[i] = row.score;
        weight[i] = row.weight;
    }
    let (mut sums, mut products) = ([0.0; LANES], [1.0; LANES]);
    for (terms, factors) in terms
        .as_chunks::<LANES>()
        .0
        .iter()
        .zip(factors.as_chunks::<LANES>().0)
    {
        for i in 0..LANES {
            sums[i] += terms[i];
            products[i] *= factors[i];
        }
    }
    sums.iter().sum::<f64>() + products.iter().map(|product| product.ln()).sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::super::conditional::OnLog;
    use super::super::link::Log;
    use super::super::poisson::Poisson;
    use super::super::unit_link::Logit;
    use super::*;

    /// Rows of every kind, in any number: the general loops' results.
    #[test]
    fn as_the_general_loops() {
        let logit: &dyn Model = &OnLogs(Binomial, Logit);
        let probit: &dyn Model = &OnLogs(Binomial, Probit);
        let poisson: &dyn Model = &OnLog(Poisson, Log);
        for (hot, model, step) in [
            (binomial_logit as Working, logit, 5.3),
            (binomial_probit, probit, 1.37),
            (poisson_log, poisson, 5.3),
        ] {
            for n in [0, 1, 7, 8, 127, 128, 129, 300] {
                for (size, weight) in [(1.0, 1.0), (1.0, 0.7), (12.0, 1.0)] {
                    compare(hot, model, step, n, [size, weight]);
                }
            }
        }
    }

    fn compare(hot: Working, model: &dyn Model, step: f64, n: usize, [size, weight]: [f64; 2]) {
        let eta: Vec<f64> = (0..n)
            .map(|i| step * ((7 * i % 40) as f64 - 20.0))
            .collect();
        let levels = if size == 1.0 { 1.0 } else { 3.0 };
        let y = (0..n).map(|i| f64::from(u8::from(i % 3 == 0)) / levels);
        let (y, size, weight) = (y.collect::<Vec<f64>>(), vec![size; n], vec![weight; n]);
        let rows = Response {
            y: &y,
            size: &size,
            weight: &weight,
        };
        let (mut s, mut w) = (vec![0.0; n], vec![0.0; n]);
        let (mut score, mut fisher) = (vec![0.0; n], vec![0.0; n]);
        let found = hot(rows, &eta, &mut s, &mut w);
        let expected = model.working(f64::NAN, rows, &eta, &mut score, &mut fisher);
        assert!(
            (found - expected).abs() <= 1e-14 * expected.abs(),
            "{found} {expected}"
        );
        // Tails to a rounding of the exponent −η²/2.
        for (found, expected) in s.iter().zip(&score).chain(w.iter().zip(&fisher)) {
            let error = (found - expected).abs();
            assert!(
                error <= 5e-13 * expected.abs() + 1e-300,
                "{found:e} {expected:e}"
            );
        }
    }
}
