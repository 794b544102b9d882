//! Negative binomial counts with V(μ) = μ(1 + φ): with a = μ/φ and R the rising product of `special`,
//! y log μ + R(y, a) − a log(1 + φ).
//!
//! The expected information has no closed form; the quasi-likelihood's μ/(1 + φ) stands for it.

use super::density::{ByShape, Density, Piece};
use super::draw;
use super::negative_binomial::NegativeBinomial;
use super::special::{log1p_minus, rising};

#[derive(Clone, Copy)]
pub struct Nb1;

impl Density for Nb1 {
    const SHAPED: bool = true;

    fn piece(self, phi: f64, y: f64, mean: f64, log_mean: f64) -> Piece {
        let [r0, r1, r2, r3] = rising(y, mean / phi);
        let loss = mean * (phi.ln_1p() / phi);
        let information = mean / (1.0 + phi);
        Piece {
            terms: [
                y * log_mean + r0 - loss,
                y + r1 - loss,
                r2 - loss,
                r3 - loss,
            ],
            information: [information, information],
        }
    }

    fn piece_by_shape(self, phi: f64, y: f64, mean: f64) -> ByShape {
        let [_, r1, r2, r3] = rising(y, mean / phi);
        // a log(1 + φ) − aφ/(1 + φ)
        let gain = mean * (log1p_minus(phi) / phi + phi / (1.0 + phi));
        ByShape {
            value: gain - r1,
            first: gain - r2,
            second: gain - r3,
            information: -mean * phi / ((1.0 + phi) * (1.0 + phi)),
        }
    }

    fn constant(self, phi: f64, y: f64, _: f64) -> f64 {
        -libm::lgamma(y + 1.0) - y * phi.ln_1p()
    }

    fn constant_by_shape(self, phi: f64, y: f64) -> f64 {
        -y * phi / (1.0 + phi)
    }

    /// That of the negative binomial with the same mean and variance, which has a closed form.
    fn half_deviance(self, phi: f64, y: f64, mean: f64, log_mean: f64) -> f64 {
        NegativeBinomial.half_deviance(mean / phi, y, mean, log_mean)
    }

    fn variance(self, phi: f64, mean: f64) -> f64 {
        mean * (1.0 + phi)
    }

    fn start(self, y: f64, size: f64) -> f64 {
        NegativeBinomial.start(y, size)
    }

    fn draw(self, phi: f64, mean: f64, _: f64, _: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
        draw::mixed_poisson(mean / phi, phi, uniforms)
    }
}
