//! Poisson counts: y log μ − μ.

use super::density::{Density, Piece};
use super::draw;
use super::special::relative_entropy;

#[derive(Clone, Copy)]
pub struct Poisson;

impl Density for Poisson {
    #[inline(always)]
    fn piece(self, _: f64, y: f64, mean: f64, log_mean: f64) -> Piece {
        Piece {
            terms: [y * log_mean - mean, y - mean, -mean, -mean],
            information: [mean, mean],
        }
    }

    fn constant(self, _: f64, y: f64, _: f64) -> f64 {
        -libm::lgamma(y + 1.0)
    }

    fn half_deviance(self, _: f64, y: f64, mean: f64, log_mean: f64) -> f64 {
        relative_entropy(y, mean, log_mean)
    }

    fn variance(self, _: f64, mean: f64) -> f64 {
        mean
    }

    fn start(self, y: f64, _: f64) -> f64 {
        y + 0.1
    }

    fn draw(self, _: f64, mean: f64, _: f64, _: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
        draw::poisson(mean, uniforms)
    }
}
