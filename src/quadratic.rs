//! The quadratic model of the criterion: Newton decrement and trust-region step by eigenvalues.

use crate::error::{Error, Result};
use faer::{MatRef, Side};

/// Parameters whose curvatures differ by more are scaled before a decrement is judged: what is rounding
/// for one is not for the other.
const SCALES: f64 = 1e9;

/// Eigenvalues and vectors of a symmetric matrix, and the gradient in them.
pub struct Quadratic {
    values: Vec<f64>,
    vectors: Vec<f64>,
    gradient: Vec<f64>,
    decrement: f64,
}

impl Quadratic {
    pub fn new(matrix: &[f64], gradient: &[f64]) -> Result<Self> {
        let mut own = Quadratic::decomposed(matrix, gradient)?;
        let size = gradient.len();
        let diagonal = || (0..size).map(|i| matrix[i * size + i].abs());
        let (least, most) = diagonal().fold((f64::INFINITY, 0.0_f64), |(least, most), v| {
            (least.min(v), most.max(v))
        });
        if least > 0.0 && most > SCALES * least {
            let roots: Vec<f64> = diagonal().map(f64::sqrt).collect();
            let place = |k: usize| roots[k / size] * roots[k % size];
            let scaled: Vec<f64> = (0..size * size).map(|k| matrix[k] / place(k)).collect();
            let slopes: Vec<f64> = gradient.iter().zip(&roots).map(|(g, r)| g / r).collect();
            own.decrement = Quadratic::decomposed(&scaled, &slopes)?.decrement;
        }
        Ok(own)
    }

    fn decomposed(matrix: &[f64], gradient: &[f64]) -> Result<Self> {
        let size = gradient.len();
        let eigen = MatRef::from_column_major_slice(matrix, size, size)
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| {
                Error::Convergence(
                    "the information matrix has no eigenvalues (it is not finite)".into(),
                )
            })?;
        let vectors: Vec<f64> = (0..size)
            .flat_map(|j| (0..size).map(move |i| (i, j)))
            .map(|(i, j)| eigen.U()[(i, j)])
            .collect();
        let rotated = vectors
            .chunks_exact(size)
            .map(|v| dot(v, gradient))
            .collect();
        let mut own = Quadratic {
            values: (0..size).map(|i| eigen.S()[i]).collect(),
            vectors,
            gradient: rotated,
            decrement: 0.0,
        };
        let floor = own.floor();
        let term = |(g, v): (&f64, &f64)| 0.5 * g * g / v.abs().max(floor);
        own.decrement = own.gradient.iter().zip(&own.values).map(term).sum();
        Ok(own)
    }

    /// Curvature below this is rounding.
    fn floor(&self) -> f64 {
        1e-10 * self.values.iter().fold(1e-300_f64, |m, v| m.max(v.abs()))
    }

    /// ½ g'|H|⁻¹g.
    pub fn decrement(&self) -> f64 {
        self.decrement
    }

    pub fn least(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn back(&self, rotated: &[f64]) -> Vec<f64> {
        let size = rotated.len();
        (0..size)
            .map(|i| {
                (0..size)
                    .map(|k| self.vectors[i + k * size] * rotated[k])
                    .sum()
            })
            .collect()
    }

    fn solve(&self, shift: f64) -> Vec<f64> {
        let floor = self.floor();
        self.gradient
            .iter()
            .zip(&self.values)
            .map(|(g, v)| -g / (v + shift).max(floor))
            .collect()
    }

    /// Minimiser of the model within the radius, and the decrease it promises.
    pub fn step(&self, radius: f64) -> (Vec<f64>, f64) {
        let floor = self.floor();
        let mut rotated = self.solve(0.0);
        let convex = self.least() > -floor;
        if !convex || norm(&rotated) > radius {
            let mut low = (-self.least()).max(0.0);
            let mut high = low + norm(&self.gradient) / radius + floor;
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if norm(&self.solve(middle)) > radius {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            rotated = self.solve(high);
            let left = radius * radius - dot(&rotated, &rotated);
            if !convex && left > 0.0 {
                // The gradient has no part along the most negative curvature: leave along it.
                if let Some(k) = (0..self.values.len())
                    .min_by(|&a, &b| self.values[a].total_cmp(&self.values[b]))
                {
                    let sign = if rotated[k] < 0.0 { -1.0 } else { 1.0 };
                    rotated[k] += sign * ((rotated[k].powi(2) + left).sqrt() - rotated[k].abs());
                }
            }
        }
        let promised = -(0..rotated.len())
            .map(|k| rotated[k] * (self.gradient[k] + 0.5 * self.values[k] * rotated[k]))
            .sum::<f64>();
        (self.back(&rotated), promised)
    }
}

pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

pub fn norm(x: &[f64]) -> f64 {
    // An empty sum is −0.
    (dot(x, x) + 0.0).sqrt()
}
