//! Gaussian responses: −½ (y − μ)² at dispersion φ = 1, a function of the mean itself.

use super::density::{Density, Piece, Summary};
use super::draw;
use std::f64::consts::TAU;

#[derive(Clone, Copy)]
pub struct Gaussian;

impl Density for Gaussian {
    const PROFILED: bool = true;

    #[inline(always)]
    fn piece(self, _: f64, y: f64, mean: f64, _: f64) -> Piece {
        let residual = y - mean;
        Piece {
            terms: [-0.5 * residual * residual, residual, -1.0, 0.0],
            information: [1.0, 0.0],
        }
    }

    fn constant(self, _: f64, _: f64, _: f64) -> f64 {
        0.0
    }

    fn half_deviance(self, _: f64, y: f64, mean: f64, _: f64) -> f64 {
        0.5 * (y - mean) * (y - mean)
    }

    fn variance(self, _: f64, _: f64) -> f64 {
        1.0
    }

    fn start(self, y: f64, _: f64) -> f64 {
        y
    }

    fn normaliser(self, weight: f64, dispersion: f64) -> f64 {
        0.5 * (weight / (TAU * dispersion)).ln()
    }

    fn profiled(self, deviance: f64, about: &Summary) -> (f64, f64) {
        let log = (TAU * deviance / about.rows).ln();
        let value = about.rows * (log + 1.0) + 2.0 - about.log_weight;
        (value, about.rows / deviance)
    }

    fn draw(
        self,
        _: f64,
        mean: f64,
        _: f64,
        dispersion: f64,
        uniforms: &mut impl FnMut() -> f64,
    ) -> f64 {
        mean + dispersion.sqrt() * draw::normal(uniforms)
    }
}
