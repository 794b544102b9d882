//! What an optimiser is asked for, and where it ended; why it stopped is a type.

use crate::lambda::Small;
use std::time::Duration;

/// Which method proposes the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimizer {
    Newton,
    Bfgs,
    NelderMead,
}

impl Optimizer {
    pub fn name(self) -> &'static str {
        match self {
            Optimizer::Newton => "newton",
            Optimizer::Bfgs => "bfgs",
            Optimizer::NelderMead => "nelder-mead",
        }
    }
}

/// Limits and tolerances of one fit.
#[derive(Clone, Debug)]
pub struct Settings {
    pub optimizer: Optimizer,
    /// Newton decrement ½ g'H⁻¹g (deviance units) at which the fit has converged.
    pub tolerance: f64,
    pub max_evaluations: usize,
    pub time_limit: Option<Duration>,
    /// The user's θ to start from.
    pub start: Option<Vec<f64>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            optimizer: Optimizer::Newton,
            tolerance: 1e-9,
            max_evaluations: 1000,
            time_limit: None,
            start: None,
        }
    }
}

/// Why the optimiser stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The Newton decrement is below the tolerance and no multiplier is negative.
    Decrement,
    /// Criterion and gradient are at their rounding error, and the decrement is next to nothing.
    Rounding,
    /// The simplex shrank to a point (derivative-free method).
    Simplex,
    /// There is nothing to optimise.
    NoParameters,
    MaxEvaluations,
    TimeLimit,
    /// No step lowers the criterion although the decrement is above the tolerance.
    NoProgress,
}

impl Reason {
    pub const ALL: [Reason; 7] = [
        Reason::Decrement,
        Reason::Rounding,
        Reason::Simplex,
        Reason::NoParameters,
        Reason::MaxEvaluations,
        Reason::TimeLimit,
        Reason::NoProgress,
    ];

    pub fn converged(self) -> bool {
        matches!(
            self,
            Reason::Decrement | Reason::Rounding | Reason::Simplex | Reason::NoParameters
        )
    }

    pub fn text(self) -> &'static str {
        match self {
            Reason::Decrement => "the Newton decrement is below the tolerance",
            Reason::Rounding => "the criterion and its gradient are at their rounding error",
            Reason::Simplex => "the simplex has shrunk to a point",
            Reason::NoParameters => "there are no covariance parameters",
            Reason::MaxEvaluations => "the limit of evaluations was reached",
            Reason::TimeLimit => "the time limit was reached",
            Reason::NoProgress => "no step lowers the criterion any further",
        }
    }
}

/// Progress report: evaluations so far, criterion, Newton decrement.
pub type Report<'a> = &'a (dyn Fn(usize, f64, f64) + Sync);

/// Where the optimiser ended.
pub struct Outcome {
    pub theta: Vec<f64>,
    pub criterion: f64,
    pub gradient: Vec<f64>,
    pub decrement: f64,
    pub iterations: usize,
    pub reason: Reason,
    pub optimizer: Optimizer,
    pub g: Vec<Small>,
    pub scale: Vec<f64>,
}
