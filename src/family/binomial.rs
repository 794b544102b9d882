//! Binomial proportions: pieces y log μ and (1 − y) log(1 − μ).

use super::density::{Density, Piece};
use super::draw;
use super::special::relative_entropy;
use libm::lgamma;

#[derive(Clone, Copy)]
pub struct Binomial;

impl Density for Binomial {
    #[inline(always)]
    fn piece(self, _: f64, y: f64, mean: f64, log_mean: f64) -> Piece {
        Piece {
            terms: [y * log_mean, y, 0.0, 0.0],
            information: [mean, mean],
        }
    }

    /// The binomial coefficient, for sizes that need not be whole.
    fn constant(self, _: f64, y: f64, size: f64) -> f64 {
        lgamma(size + 1.0) - lgamma(size * y + 1.0) - lgamma(size * (1.0 - y) + 1.0)
    }

    fn half_deviance(self, _: f64, y: f64, mean: f64, log_mean: f64) -> f64 {
        relative_entropy(y, mean, log_mean)
    }

    fn variance(self, _: f64, mean: f64) -> f64 {
        mean * (1.0 - mean)
    }

    fn start(self, y: f64, size: f64) -> f64 {
        (size * y + 0.5) / (size + 1.0)
    }

    fn draw(self, _: f64, mean: f64, size: f64, _: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
        draw::binomial(size.round(), mean, uniforms) / size.round()
    }
}
