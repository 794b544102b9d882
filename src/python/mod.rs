//! The Python extension `mixedmodels._core`: convert, release the GIL, call, convert.

mod design;
mod errors;
mod estimates;
mod family;
mod fit;
mod generalized;
mod inference;
mod joint;
mod predictor;
mod resample;
mod resample_generalized;
mod state;
mod supervise;

use pyo3::prelude::*;

/// Threads that a fit uses unless told otherwise.
#[pyfunction]
fn default_threads() -> usize {
    crate::parallel::default_threads()
}

#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<design::PyDesign>()?;
    module.add_class::<family::PyFamily>()?;
    module.add_class::<fit::PyFit>()?;
    module.add_class::<generalized::PyGeneralizedFit>()?;
    module.add_function(wrap_pyfunction!(default_threads, module)?)
}
