//! The one error type of the core; `python/errors.rs` maps it to exceptions in one place.

use std::fmt;

/// Why the core could not go on.
#[derive(Debug, Clone, PartialEq)]
pub enum Error {
    /// The data or the arguments do not make a model that can be fitted.
    Data(String),
    /// The optimiser found no optimum.
    Convergence(String),
    /// A profile went below the optimum that it started from: by so much, at this θ of the user's.
    BetterOptimum { by: f64, theta: Vec<f64> },
    /// The factorisation would need more memory than there is (bytes).
    Memory {
        what: String,
        needed: u64,
        available: u64,
    },
    /// The caller asked to stop.
    Interrupted,
    /// These parameters cannot be evaluated (overflow); the optimiser decides what that means.
    Infeasible(String),
}

/// Result of a step of the core.
pub type Result<T> = std::result::Result<T, Error>;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Data(text) | Error::Convergence(text) | Error::Infeasible(text) => {
                f.write_str(text)
            }
            Error::Memory {
                what,
                needed,
                available,
            } => write!(
                f,
                "{what} needs about {:.2} GB of memory, but about {:.2} GB is available; \
                 use fewer levels or random effects, or a machine with more memory",
                *needed as f64 / 1e9,
                *available as f64 / 1e9
            ),
            Error::BetterOptimum { by, .. } => write!(
                f,
                "profiling found a better optimum (deviance lower by {by:.2e}): the criterion has several minima"
            ),
            Error::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Error {}
