//! Inverse Gaussian responses: −½ (y − μ)²/(y μ²) at dispersion φ = 1.

use super::density::{Density, Piece, Summary};
use super::draw;
use std::f64::consts::TAU;

#[derive(Clone, Copy)]
pub struct InverseGaussian;

impl Density for InverseGaussian {
    const PROFILED: bool = true;

    #[inline(always)]
    fn piece(self, shape: f64, y: f64, mean: f64, log_mean: f64) -> Piece {
        let precision = 1.0 / mean;
        let ratio = y / mean;
        let value = -self.half_deviance(shape, y, mean, log_mean);
        Piece {
            terms: [
                value,
                (y - mean) / mean * precision,
                (1.0 - 2.0 * ratio) * precision,
                (4.0 * ratio - 1.0) * precision,
            ],
            information: [precision, -precision],
        }
    }

    fn constant(self, _: f64, y: f64, _: f64) -> f64 {
        -1.5 * y.ln()
    }

    #[inline(always)]
    fn half_deviance(self, _: f64, y: f64, mean: f64, _: f64) -> f64 {
        let relative = (y - mean) / mean;
        0.5 * relative * relative / y
    }

    fn variance(self, _: f64, mean: f64) -> f64 {
        mean * mean * mean
    }

    fn start(self, y: f64, _: f64) -> f64 {
        y
    }

    fn normaliser(self, weight: f64, dispersion: f64) -> f64 {
        -0.5 * weight * (TAU * dispersion).ln()
    }

    fn profiled(self, deviance: f64, about: &Summary) -> (f64, f64) {
        let log = (TAU * deviance / about.weight).ln();
        let value = about.weight * (log + 1.0) + 2.0 - 2.0 * about.constant;
        (value, about.weight / deviance)
    }

    fn draw(
        self,
        _: f64,
        mean: f64,
        _: f64,
        dispersion: f64,
        uniforms: &mut impl FnMut() -> f64,
    ) -> f64 {
        draw::inverse_gaussian(mean, dispersion, uniforms)
    }
}
