//! `Fit`: a fitted model's numbers, and the criterion at any θ.

use super::design::{fit, numbers, with_response};
use super::estimates::estimates;
use super::supervise::{supervise, Manner};
use crate::columns::Design;
use crate::describe;
use crate::evaluate;
use crate::lmm::Fit;
use crate::modes;
use crate::parallel::default_threads;
use numpy::{PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use std::sync::Arc;

#[pyclass(name = "Fit", module = "mixedmodels._core", frozen)]
pub struct PyFit {
    pub design: Arc<Design>,
    pub fit: Arc<Fit>,
    pub n_threads: Option<usize>,
}

impl PyFit {
    pub fn new(design: Arc<Design>, fit: Arc<Fit>, n_threads: Option<usize>) -> Self {
        PyFit {
            design,
            fit,
            n_threads,
        }
    }

    pub fn manner(&self) -> Manner {
        let system = &self.fit.system;
        let short = system.symbolic.flops() < 1e6 && system.leading.data.len() < 50_000;
        Manner {
            threads: if short {
                1
            } else {
                self.n_threads.unwrap_or_else(default_threads)
            },
            short,
            callback: None,
        }
    }
}

estimates! {
    PyFit;
    reml: bool, sigma: f64, criterion: f64, log_det_l: f64, log_det_rx: f64, pwrss: f64, wrss: f64, ussq: f64,
    evaluations: usize, iterations: usize, singular: bool, gradient_norm: f64, decrement: f64,
    residual_check: f64, seconds: f64,
}

#[pymethods]
impl PyFit {
    #[getter]
    fn vcov<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let p = self.fit.beta.len();
        PyArray1::from_slice(py, &self.fit.vcov).reshape([p, p])
    }

    /// σ²ΛM⁻¹Λ' on the diagonal, per term (levels, q, q).
    fn conditional_covariances<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Vec<Bound<'py, PyArray3<f64>>>> {
        let fit = self.fit.clone();
        let terms = supervise(py, self.manner(), move |team, _| {
            fit.at_optimum(team, |problem, _| {
                let variance = fit.sigma * fit.sigma;
                modes::conditional_covariances(&mut problem.factor, &fit.internal, variance, team)
            })
        })?;
        let shaped = self.design.terms.iter().zip(terms).map(|(term, values)| {
            let (levels, q) = (
                self.design.groupings[term.grouping].levels,
                term.columns.len(),
            );
            PyArray1::from_vec(py, values).reshape([levels, q, q])
        });
        shaped.collect()
    }

    /// The criterion at the user's θ.
    fn objective(&self, py: Python<'_>, theta: PyReadonlyArray1<'_, f64>) -> PyResult<f64> {
        let (fit, theta) = (self.fit.clone(), numbers(&theta)?);
        supervise(py, self.manner(), move |team, _| {
            evaluate::objective(&fit, &theta, team)
        })
    }

    /// ∂d/∂θ at the user's θ.
    fn gradient<'py>(
        &self,
        py: Python<'py>,
        theta: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let (fit, theta) = (self.fit.clone(), numbers(&theta)?);
        let gradient = supervise(py, self.manner(), move |team, _| {
            evaluate::gradient(&fit, &theta, team)
        })?;
        Ok(PyArray1::from_vec(py, gradient))
    }

    /// The same model for another response, started from this optimum.
    fn refit(&self, py: Python<'_>, y: PyReadonlyArray1<'_, f64>) -> PyResult<PyFit> {
        let design = Arc::new(with_response(&self.design, &y)?);
        let mut settings = self.fit.settings.clone();
        settings.start = (!self.fit.singular).then(|| self.fit.theta.clone());
        fit(py, design, self.fit.reml, settings, self.n_threads, None)
    }

    fn blocks(&self) -> String {
        describe::blocks(&self.fit.system)
    }
}
