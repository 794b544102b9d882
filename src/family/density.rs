//! What a family must supply. One row's log-density is a *piece* or two of them:
//!
//! ```text
//! positive means     log f = g(y, log μ)                           Poisson, Gamma, …
//! proportions        log f = g(y, log μ) + g(1 − y, log(1 − μ))    binomial, beta
//! any means          log f = g(y, μ)                               Gaussian
//! ```
//!
//! plus terms in y alone. On the log scale no tail cancels: where μ vanishes, log μ does not, and g's
//! derivatives by it stay of the order of y and μ. A new family is a type here in a file of its own and
//! lines in the table of `models`.

use super::jet::Jet;

/// g by its argument, and the expected information −E g'' with its derivative, where E g' = 0 (or where
/// what is left over cancels between two pieces).
pub struct Piece {
    pub terms: Jet,
    pub information: [f64; 2],
}

/// Derivatives by the log of the shape parameter.
pub struct ByShape {
    pub value: f64,
    pub first: f64,
    pub second: f64,
    pub information: f64,
}

/// Sums over the rows that the criterion of a family with a profiled dispersion needs; they add.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Summary {
    pub rows: f64,
    /// Σ weight
    pub weight: f64,
    /// Σ log weight
    pub log_weight: f64,
    /// Σ weight · (terms of log f in y alone)
    pub constant: f64,
}

impl Summary {
    pub fn add(&mut self, other: &Summary) {
        self.rows += other.rows;
        self.weight += other.weight;
        self.log_weight += other.log_weight;
        self.constant += other.constant;
    }
}

/// A family. `shape` is its dispersion parameter, NaN where it has none; sizes and prior weights are
/// applied by the caller. Families whose dispersion is profiled give densities at dispersion 1, less
/// what `normaliser` restores.
pub trait Density: Copy + Sync {
    /// The shape is a parameter of its own.
    const SHAPED: bool = false;
    /// The dispersion is profiled out, as lme4 does.
    const PROFILED: bool = false;

    /// g at log μ (μ itself for the Gaussian), which is `argument`.
    fn piece(self, shape: f64, y: f64, mean: f64, argument: f64) -> Piece;

    /// ∂/∂log shape of the same.
    fn piece_by_shape(self, _shape: f64, _y: f64, _mean: f64) -> ByShape {
        unreachable!("the family has no shape parameter")
    }

    /// The terms of log f that hold no mean.
    fn constant(self, shape: f64, y: f64, size: f64) -> f64;

    /// ∂/∂log shape of the same.
    fn constant_by_shape(self, _shape: f64, _y: f64) -> f64 {
        unreachable!("the family has no shape parameter")
    }

    /// Half of the piece's deviance at unit weight and size.
    fn half_deviance(self, shape: f64, y: f64, mean: f64, argument: f64) -> f64;

    /// Half of what a row's deviance has beyond its pieces'.
    fn half_excess(self, _shape: f64, _y: f64) -> f64 {
        0.0
    }

    /// V(μ)
    fn variance(self, shape: f64, mean: f64) -> f64;

    /// R's `mustart`.
    fn start(self, y: f64, size: f64) -> f64;

    /// What log f has beyond the constant and weight · g / dispersion.
    fn normaliser(self, _weight: f64, _dispersion: f64) -> f64 {
        0.0
    }

    /// −2 log f of all rows at the dispersion deviance / Σ weight as R's `aic` has it, and its slope.
    fn profiled(self, _deviance: f64, _about: &Summary) -> (f64, f64) {
        unreachable!("the family's dispersion is not profiled")
    }

    /// A response with this mean.
    fn draw(
        self,
        shape: f64,
        mean: f64,
        size: f64,
        dispersion: f64,
        uniforms: &mut impl FnMut() -> f64,
    ) -> f64;
}
