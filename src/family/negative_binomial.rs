//! Negative binomial counts with V(μ) = μ + μ²/θ: y log μ − (y + θ) log(1 + μ/θ).
//!
//! With π = μ/(θ + μ), whose derivative by log μ is π(1 − π), and by log θ its negative.

use super::density::{ByShape, Density, Piece};
use super::draw;
use super::special::{log1p_minus, rising};

#[derive(Clone, Copy)]
pub struct NegativeBinomial;

/// log(1 + μ/θ), also where μ/θ would overflow.
#[inline(always)]
fn log_growth(theta: f64, mean: f64, log_mean: f64) -> f64 {
    if mean <= theta {
        (mean / theta).ln_1p()
    } else {
        log_mean - theta.ln() + (theta / mean).ln_1p()
    }
}

impl Density for NegativeBinomial {
    const SHAPED: bool = true;

    #[inline(always)]
    fn piece(self, theta: f64, y: f64, mean: f64, log_mean: f64) -> Piece {
        let (p, q) = (mean / (theta + mean), theta / (theta + mean));
        let spread = (y + theta) * p * q;
        Piece {
            terms: [
                y * log_mean - (y + theta) * log_growth(theta, mean, log_mean),
                (y - mean) * q,
                -spread,
                -spread * (q - p),
            ],
            information: [theta * p, theta * p * q],
        }
    }

    fn piece_by_shape(self, theta: f64, y: f64, mean: f64) -> ByShape {
        let (p, q) = (mean / (theta + mean), theta / (theta + mean));
        ByShape {
            value: p * (y - mean) - theta * log1p_minus(mean / theta),
            first: p * q * (y - mean),
            second: p * q * (y * (q - p) - 2.0 * mean * q),
            information: theta * p * p,
        }
    }

    /// log of Γ(y + θ)/(Γ(θ) θ^y y!)
    fn constant(self, theta: f64, y: f64, _: f64) -> f64 {
        rising(y, theta)[0] - libm::lgamma(y + 1.0)
    }

    fn constant_by_shape(self, theta: f64, y: f64) -> f64 {
        rising(y, theta)[1]
    }

    fn half_deviance(self, theta: f64, y: f64, mean: f64, log_mean: f64) -> f64 {
        if y == 0.0 {
            return theta * log_growth(theta, mean, log_mean);
        }
        let growth = ((y - mean) / (mean + theta)).ln_1p();
        (y * (y.ln() - log_mean) - (y + theta) * growth).max(0.0)
    }

    fn variance(self, theta: f64, mean: f64) -> f64 {
        mean + mean * mean / theta
    }

    /// As in MASS.
    fn start(self, y: f64, _: f64) -> f64 {
        if y == 0.0 {
            1.0 / 6.0
        } else {
            y
        }
    }

    fn draw(
        self,
        theta: f64,
        mean: f64,
        _: f64,
        _: f64,
        uniforms: &mut impl FnMut() -> f64,
    ) -> f64 {
        draw::mixed_poisson(theta, mean / theta, uniforms)
    }
}
