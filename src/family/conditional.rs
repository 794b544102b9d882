//! A family with its link: one row's log-density as a function of the linear predictor.
//!
//! With g the density's pieces and a = log μ, log(1 − μ) or μ their arguments, the chain rule gives
//!
//! ```text
//! s = Σ g'a',   w° = −Σ (g''a'² + g'a''),   w = Σ E[−g''] a'²          and so on by η
//! ```

use super::density::{ByShape, Density, Piece};
use super::jet::{compose, sum, Jet};
use super::link::{Link, RealLink};
use super::unit_link::UnitLink;

/// A row at unit prior weight and size, by η.
pub struct Row {
    pub terms: Jet,
    /// Fisher weight and its slope.
    pub weight: [f64; 2],
}

/// The same by the log of the shape parameter: log-density, score, Fisher weight, observed weight.
pub struct RowByShape {
    pub value: f64,
    pub score: f64,
    pub weight: f64,
    pub observed: f64,
}

/// A family's density on a link.
pub trait Conditional: Copy + Sync {
    type Density: Density;
    type Link: Link;
    fn density(self) -> Self::Density;
    fn link(self) -> Self::Link;
    fn row(self, shape: f64, y: f64, eta: f64) -> Row;
    fn row_by_shape(self, shape: f64, y: f64, eta: f64) -> RowByShape;
    /// Half of the deviance.
    fn half_deviance(self, shape: f64, y: f64, eta: f64) -> f64;
}

/// Positive means: one piece in log μ.
#[derive(Clone, Copy)]
pub struct OnLog<D, L>(pub D, pub L);
/// Proportions: pieces in log μ and log(1 − μ).
#[derive(Clone, Copy)]
pub struct OnLogs<D, L>(pub D, pub L);
/// Any means: one piece in μ.
#[derive(Clone, Copy)]
pub struct OnMean<D, L>(pub D, pub L);

/// A piece after its argument.
#[inline(always)]
fn chain(Piece { terms, information }: &Piece, argument: &Jet) -> Row {
    let [_, a1, a2, _] = *argument;
    let [i0, i1] = *information;
    Row {
        terms: compose(terms, argument),
        weight: [i0 * a1 * a1, i1 * a1 * a1 * a1 + 2.0 * i0 * a1 * a2],
    }
}

fn chain_by_shape(piece: &ByShape, argument: &Jet) -> RowByShape {
    let [_, a1, a2, _] = *argument;
    RowByShape {
        value: piece.value,
        score: piece.first * a1,
        weight: piece.information * a1 * a1,
        observed: -(piece.second * a1 * a1 + piece.first * a2),
    }
}

/// μ and log μ; NaN outside of the link's domain, where its formula may still give a number.
#[inline(always)]
fn positive_mean<L: Link>(link: L, eta: f64) -> (f64, Jet) {
    let log_mean = link.log_mean(eta);
    let mean = if log_mean[0].is_nan() {
        f64::NAN
    } else {
        link.mean(eta)
    };
    (mean, log_mean)
}

impl<D: Density, L: Link> Conditional for OnLog<D, L> {
    type Density = D;
    type Link = L;
    fn density(self) -> D {
        self.0
    }
    fn link(self) -> L {
        self.1
    }

    #[inline(always)]
    fn row(self, shape: f64, y: f64, eta: f64) -> Row {
        let (mean, log_mean) = positive_mean(self.1, eta);
        chain(&self.0.piece(shape, y, mean, log_mean[0]), &log_mean)
    }

    fn row_by_shape(self, shape: f64, y: f64, eta: f64) -> RowByShape {
        let (mean, log_mean) = positive_mean(self.1, eta);
        chain_by_shape(&self.0.piece_by_shape(shape, y, mean), &log_mean)
    }

    fn half_deviance(self, shape: f64, y: f64, eta: f64) -> f64 {
        let (mean, log_mean) = positive_mean(self.1, eta);
        self.0.half_deviance(shape, y, mean, log_mean[0])
    }
}

impl<D: Density, L: RealLink> Conditional for OnMean<D, L> {
    type Density = D;
    type Link = L;
    fn density(self) -> D {
        self.0
    }
    fn link(self) -> L {
        self.1
    }

    #[inline(always)]
    fn row(self, shape: f64, y: f64, eta: f64) -> Row {
        let mean = self.1.mean_jet(eta);
        chain(&self.0.piece(shape, y, mean[0], mean[0]), &mean)
    }

    fn row_by_shape(self, shape: f64, y: f64, eta: f64) -> RowByShape {
        let mean = self.1.mean_jet(eta);
        chain_by_shape(&self.0.piece_by_shape(shape, y, mean[0]), &mean)
    }

    fn half_deviance(self, shape: f64, y: f64, eta: f64) -> f64 {
        let mean = self.1.mean(eta);
        self.0.half_deviance(shape, y, mean, mean)
    }
}

impl<D: Density, L: UnitLink> Conditional for OnLogs<D, L> {
    type Density = D;
    type Link = L;
    fn density(self) -> D {
        self.0
    }
    fn link(self) -> L {
        self.1
    }

    #[inline(always)]
    fn row(self, shape: f64, y: f64, eta: f64) -> Row {
        let at = self.1.proportions(eta);
        let (mean, complement) = (at.log_mean, at.log_complement);
        let upper = self.0.piece(shape, y, at.mean, mean[0]);
        let lower = self.0.piece(shape, 1.0 - y, at.complement, complement[0]);
        let (upper, lower) = (chain(&upper, &mean), chain(&lower, &complement));
        Row {
            terms: sum(&upper.terms, &lower.terms),
            weight: [
                upper.weight[0] + lower.weight[0],
                upper.weight[1] + lower.weight[1],
            ],
        }
    }

    fn row_by_shape(self, shape: f64, y: f64, eta: f64) -> RowByShape {
        let at = self.1.proportions(eta);
        let upper = self.0.piece_by_shape(shape, y, at.mean);
        let lower = self.0.piece_by_shape(shape, 1.0 - y, at.complement);
        let upper = chain_by_shape(&upper, &at.log_mean);
        let lower = chain_by_shape(&lower, &at.log_complement);
        RowByShape {
            value: upper.value + lower.value,
            score: upper.score + lower.score,
            weight: upper.weight + lower.weight,
            observed: upper.observed + lower.observed,
        }
    }

    fn half_deviance(self, shape: f64, y: f64, eta: f64) -> f64 {
        let (at, density) = (self.1.proportions(eta), self.0);
        density.half_deviance(shape, y, at.mean, at.log_mean[0])
            + density.half_deviance(shape, 1.0 - y, at.complement, at.log_complement[0])
            + density.half_excess(shape, y)
    }
}
