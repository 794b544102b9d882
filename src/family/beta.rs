//! Beta proportions with V(μ) = μ(1 − μ)/(1 + φ) (Ferrari & Cribari-Neto 2004): with a = φμ, pieces
//! a log y − log Γ(a), and the same in 1 − y and 1 − μ.

use super::density::{ByShape, Density, Piece};
use super::draw;
use super::special::log_gamma;

#[derive(Clone, Copy)]
pub struct Beta;

/// μ of the highest density of y, where ψ(φμ) − ψ(φ(1 − μ)) = log y − log(1 − y): the density is
/// log-concave in μ, so Newton's steps, halved where they leave the bracket, find it.
fn best_mean(phi: f64, y: f64) -> f64 {
    let (mut low, mut high, mut mean) = (0.0, 1.0, y);
    for _ in 0..100 {
        let (a, b) = (phi * mean, phi * (1.0 - mean));
        let (upper, lower) = (log_gamma(a, a.ln()), log_gamma(b, b.ln()));
        let slope = y.ln() - (-y).ln_1p() - upper[1] / a + lower[1] / b;
        let curvature = phi * ((upper[2] - upper[1]) / (a * a) + (lower[2] - lower[1]) / (b * b));
        if slope > 0.0 {
            low = mean;
        } else {
            high = mean;
        }
        let step = slope / curvature;
        let next = mean + step;
        if step.abs() <= 1e-9 * mean.min(1.0 - mean) {
            break;
        }
        mean = if next > low && next < high {
            next
        } else {
            0.5 * (low + high)
        };
    }
    mean
}

impl Density for Beta {
    const SHAPED: bool = true;

    fn piece(self, phi: f64, y: f64, mean: f64, log_mean: f64) -> Piece {
        let a = phi * mean;
        let [g0, g1, g2, g3] = log_gamma(a, phi.ln() + log_mean);
        let power = a * y.ln();
        Piece {
            terms: [power - g0, power - g1, power - g2, power - g3],
            information: [g2 - g1, g3 - g2],
        }
    }

    /// A piece knows log φ + log μ alone, so its derivatives by either are the same.
    fn piece_by_shape(self, phi: f64, y: f64, mean: f64) -> ByShape {
        let Piece { terms, information } = self.piece(phi, y, mean, mean.ln());
        ByShape {
            value: terms[1],
            first: terms[2],
            second: terms[3],
            information: information[1],
        }
    }

    fn constant(self, phi: f64, y: f64, _: f64) -> f64 {
        libm::lgamma(phi) - y.ln() - (-y).ln_1p()
    }

    fn constant_by_shape(self, phi: f64, _: f64) -> f64 {
        log_gamma(phi, phi.ln())[1]
    }

    fn half_deviance(self, phi: f64, y: f64, mean: f64, log_mean: f64) -> f64 {
        -self.piece(phi, y, mean, log_mean).terms[0]
    }

    /// The log-density at the best mean.
    fn half_excess(self, phi: f64, y: f64) -> f64 {
        let best = best_mean(phi, y);
        let value = |y: f64, mean: f64| self.piece(phi, y, mean, mean.ln()).terms[0];
        value(y, best) + value(1.0 - y, 1.0 - best)
    }

    fn variance(self, phi: f64, mean: f64) -> f64 {
        mean * (1.0 - mean) / (1.0 + phi)
    }

    fn start(self, y: f64, _: f64) -> f64 {
        y
    }

    fn draw(self, phi: f64, mean: f64, _: f64, _: f64, uniforms: &mut impl FnMut() -> f64) -> f64 {
        draw::beta(phi * mean, phi * (1.0 - mean), uniforms)
    }
}
