//! Profiled deviance and REML criterion (Bates et al. 2015, eq. 34 and 41).
//!
//!     X'V⁻¹X = R_X'R_X,   r² = y'V⁻¹y − c'c
//!     ML    d(θ) = log|M| + n [1 + log(2π r²/n)] − Σ log w
//!     REML  d(θ) = log|M| + log|X'V⁻¹X| + (n−p) [1 + log(2π r²/(n−p))] − Σ log w

use crate::error::{Error, Result};
use crate::system::System;
use std::f64::consts::PI;

/// β and σ profiled out at one θ.
#[derive(Clone, Debug)]
pub struct Profile {
    /// The criterion in the user's units.
    pub criterion: f64,
    /// log |X'V⁻¹X| in the user's units.
    pub log_det_x: f64,
    /// β in E's coordinates.
    pub beta: Vec<f64>,
    /// r²: penalised residual sum of squares, in units of ỹ.
    pub pwrss: f64,
    /// R_X' (lower triangle, rank × rank, row-major).
    pub triangle: Vec<f64>,
    /// y − Xβ as a combination of C.
    pub residual: Vec<f64>,
}

/// How σ enters the criterion: profiled out (m log r²), or given (m log σ² + r²/σ²; in units of ỹ).
#[derive(Clone, Copy, Debug)]
pub enum Sigma {
    Profiled,
    Given(f64),
}

impl Sigma {
    /// The criterion's slope in r²: m/r², or 1/σ².
    pub fn weight(self, m: f64, pwrss: f64) -> f64 {
        match self {
            Sigma::Profiled => m / pwrss,
            Sigma::Given(sigma) => sigma.powi(-2),
        }
    }

    /// Minus its curvature in r²: m/r⁴, or none.
    pub fn bend(self, m: f64, pwrss: f64) -> f64 {
        match self {
            Sigma::Profiled => m / pwrss.powi(2),
            Sigma::Given(_) => 0.0,
        }
    }
}

/// n − p or n.
pub fn degrees(system: &System, reml: bool) -> f64 {
    (system.n - if reml { system.rank() } else { 0 }) as f64
}

impl Profile {
    /// Profile out β and σ from C'V⁻¹C and log |M|.
    pub fn new(system: &System, gram: &[f64], log_det: f64, reml: bool) -> Result<Profile> {
        let basis = &system.basis;
        let p = basis.rank();
        let columns: Vec<&[f64]> = (0..p)
            .map(|k| basis.column(k))
            .chain([&basis.response[..]])
            .collect();
        let triangle = cholesky(gram, &columns)?;
        let row = |i: usize| &triangle[i * (p + 1)..i * (p + 1) + i + 1];
        let pwrss = row(p)[p].powi(2);
        let mut beta = row(p)[..p].to_vec();
        for i in (0..p).rev() {
            beta[i] /= row(i)[i];
            for l in 0..i {
                beta[l] -= row(i)[l] * beta[i];
            }
        }
        let mut residual = basis.response.clone();
        for (value, column) in beta.iter().zip(&columns) {
            residual
                .iter_mut()
                .zip(*column)
                .for_each(|(r, c)| *r -= value * c);
        }
        let log_det_e: f64 = (0..p).map(|i| 2.0 * row(i)[i].ln()).sum();
        let log_det_x = log_det_e + 2.0 * basis.log_det(&system.coordinates);
        let m = degrees(system, reml);
        let scale = 2.0 * system.coordinates.response.scale.ln();
        let mut criterion =
            log_det + m * (1.0 + (2.0 * PI * pwrss / m).ln() + scale) - system.sum_log_weights;
        if reml {
            criterion += log_det_x;
        }
        if !criterion.is_finite() {
            return Err(Error::Infeasible(
                "the residual variance is zero at these parameters".into(),
            ));
        }
        let triangle = (0..p)
            .flat_map(|i| triangle[i * (p + 1)..i * (p + 1) + p].to_vec())
            .collect();
        Ok(Profile {
            criterion,
            log_det_x,
            beta,
            pwrss,
            triangle,
            residual,
        })
    }
}

/// Lower Cholesky factor (row-major) of the Gram matrix of `columns`, combinations of C.
fn cholesky(gram: &[f64], columns: &[&[f64]]) -> Result<Vec<f64>> {
    let (size, width) = (columns.len(), columns[0].len());
    let mut lower = vec![0.0; size * size];
    for i in 0..size {
        let image: Vec<f64> = (0..width)
            .map(|b| {
                columns[i]
                    .iter()
                    .zip(&gram[b * width..(b + 1) * width])
                    .map(|(x, g)| x * g)
                    .sum()
            })
            .collect();
        for j in 0..=i {
            let product: f64 = image.iter().zip(columns[j]).map(|(x, y)| x * y).sum();
            let (before, own) = lower.split_at_mut(i * size);
            let other = if j < i {
                &before[j * size..j * size + j]
            } else {
                &own[..j]
            };
            let known: f64 = own[..j].iter().zip(other).map(|(x, y)| x * y).sum();
            let value = product - known;
            own[j] = if j < i {
                value / before[j * size + j]
            } else if value > 0.0 {
                value.sqrt()
            } else {
                return Err(Error::Infeasible(
                    "the fixed part is singular or fits perfectly at these parameters".into(),
                ));
            };
        }
    }
    Ok(lower)
}

/// Lower Cholesky factor of a symmetric matrix in place (row-major); false where it is not positive definite.
pub fn cholesky_in_place(matrix: &mut [f64], size: usize) -> bool {
    for i in 0..size {
        for j in 0..=i {
            let known: f64 = (0..j)
                .map(|l| matrix[i * size + l] * matrix[j * size + l])
                .sum();
            let value = matrix[i * size + j] - known;
            if i == j && (value.is_nan() || value <= 0.0) {
                return false;
            }
            matrix[i * size + j] = if i == j {
                value.sqrt()
            } else {
                value / matrix[j * size + j]
            };
        }
    }
    true
}

/// x ← R_X'⁻¹ x for the lower triangle R_X' (row-major).
pub fn solve_triangle(lower: &[f64], size: usize, x: &mut [f64]) {
    for i in 0..size {
        let known: f64 = (0..i).map(|l| lower[i * size + l] * x[l]).sum();
        x[i] = (x[i] - known) / lower[i * size + i];
    }
}

/// x ← R_X⁻¹ x.
pub fn solve_transposed_triangle(lower: &[f64], size: usize, x: &mut [f64]) {
    for i in (0..size).rev() {
        let known: f64 = (i + 1..size).map(|l| lower[l * size + i] * x[l]).sum();
        x[i] = (x[i] - known) / lower[i * size + i];
    }
}

/// (R_X'R_X)⁻¹, full.
pub fn inverse_gram(lower: &[f64], size: usize) -> Vec<f64> {
    let mut inverse = vec![0.0; size * size];
    for k in 0..size {
        let mut column = vec![0.0; size];
        column[k] = 1.0;
        solve_triangle(lower, size, &mut column);
        solve_transposed_triangle(lower, size, &mut column);
        inverse[k * size..(k + 1) * size].copy_from_slice(&column);
    }
    inverse
}
