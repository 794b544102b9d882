//! Gamma responses with shape 1/φ: log(y/μ) − (y − μ)/μ at dispersion φ = 1.

use super::density::{Density, Piece, Summary};
use super::draw;
use super::special::{relative_entropy, stirling_gap};

#[derive(Clone, Copy)]
pub struct Gamma;

impl Density for Gamma {
    const PROFILED: bool = true;

    #[inline(always)]
    fn piece(self, shape: f64, y: f64, mean: f64, log_mean: f64) -> Piece {
        let ratio = y / mean;
        let value = -self.half_deviance(shape, y, mean, log_mean);
        Piece {
            terms: [value, (y - mean) / mean, -ratio, ratio],
            information: [1.0, 0.0],
        }
    }

    fn constant(self, _: f64, y: f64, _: f64) -> f64 {
        -y.ln()
    }

    /// (y − μ)/μ − log(y/μ): a Poisson deviance with the parts of y and μ exchanged.
    #[inline(always)]
    fn half_deviance(self, _: f64, y: f64, mean: f64, _: f64) -> f64 {
        relative_entropy(mean, y, y.ln()) / mean
    }

    fn variance(self, _: f64, mean: f64) -> f64 {
        mean * mean
    }

    fn start(self, y: f64, _: f64) -> f64 {
        y
    }

    fn normaliser(self, weight: f64, dispersion: f64) -> f64 {
        weight * stirling_gap(1.0 / dispersion)[0]
    }

    /// With shape α = W/deviance: −2 W (α log α − α − log Γ(α)) + W + 2 − 2 Σ w (−log y).
    fn profiled(self, deviance: f64, about: &Summary) -> (f64, f64) {
        let shape = about.weight / deviance;
        let [gap, slope] = stirling_gap(shape);
        let value = about.weight * (1.0 - 2.0 * gap) + 2.0 - 2.0 * about.constant;
        (value, 2.0 * shape * shape * slope)
    }

    fn draw(
        self,
        _: f64,
        mean: f64,
        _: f64,
        dispersion: f64,
        uniforms: &mut impl FnMut() -> f64,
    ) -> f64 {
        mean * dispersion * draw::gamma(1.0 / dispersion, uniforms)
    }
}
