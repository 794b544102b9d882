//! Core errors become Python exceptions here, and nowhere else.

use crate::error::Error;
use pyo3::import_exception;
use pyo3::prelude::*;

import_exception!(mixedmodels.errors, ConvergenceError);
import_exception!(mixedmodels.errors, DataError);
import_exception!(mixedmodels.errors, InsufficientMemoryError);
import_exception!(mixedmodels.errors, InternalError);

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        let text = error.to_string();
        match error {
            Error::Data(_) => DataError::new_err(text),
            Error::Convergence(_) | Error::Infeasible(_) | Error::BetterOptimum { .. } => {
                ConvergenceError::new_err(text)
            }
            Error::Memory { .. } => InsufficientMemoryError::new_err(text),
            Error::Interrupted => pyo3::exceptions::PyKeyboardInterrupt::new_err(text),
        }
    }
}

/// A panic of the core as an exception.
pub fn from_panic(payload: &(dyn std::any::Any + Send)) -> PyErr {
    let text = payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("unknown cause");
    InternalError::new_err(format!(
        "the numeric core failed unexpectedly ({text}); the interpreter is unharmed. Please report this with the model"
    ))
}
