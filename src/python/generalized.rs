//! `GeneralizedFit`: a fitted generalised model's numbers, and its criterion at any parameters.

use super::design::{check, manner_of_passes, numbers, settings, PyDesign};
use super::estimates::estimates;
use super::family::PyFamily;
use super::supervise::{supervise, Manner};
use crate::columns::Design;
use crate::error::Error;
use crate::evaluate_laplace::{self, Point};
use crate::glmm::{self, GeneralizedFit};
use crate::laplace::{Model, Weights};
use crate::modes;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArray3, PyArrayMethods, PyReadonlyArray1};
use pyo3::prelude::*;
use std::sync::Arc;

#[pyclass(name = "GeneralizedFit", module = "mixedmodels._core", frozen)]
pub struct PyGeneralizedFit {
    pub design: Arc<Design>,
    pub fit: Arc<GeneralizedFit>,
    pub n_threads: Option<usize>,
}

estimates! {
    PyGeneralizedFit;
    sigma: f64, criterion: f64, log_det_l: f64, log_det_rx: f64, wrss: f64, ussq: f64,
    evaluations: usize, iterations: usize, singular: bool, gradient_norm: f64, decrement: f64,
    residual_check: f64, seconds: f64,
}

#[pymethods]
impl PyDesign {
    /// Fit a generalised model.
    #[pyo3(signature = (*, family, criterion="fisher", quadrature=1, optimizer="newton", tolerance=1e-9, max_evaluations=1000, time_limit=None, start=None, n_threads=None, callback=None))]
    #[allow(clippy::too_many_arguments)]
    fn fit_generalized(
        &self,
        py: Python<'_>,
        family: &PyFamily,
        criterion: &str,
        quadrature: usize,
        optimizer: &str,
        tolerance: f64,
        max_evaluations: usize,
        time_limit: Option<f64>,
        start: Option<PyReadonlyArray1<'_, f64>>,
        n_threads: Option<usize>,
        callback: Option<Py<PyAny>>,
    ) -> PyResult<PyGeneralizedFit> {
        let settings = settings(optimizer, tolerance, max_evaluations, time_limit, start)?;
        self.require_response()?;
        let model = model_of(family, criterion, quadrature)?;
        let design = self.design.clone();
        let own = design.clone();
        let fit = supervise(
            py,
            manner_of_passes(&design, n_threads, callback),
            move |team, report| glmm::fit(&own, model, &settings, report, team),
        )?;
        Ok(PyGeneralizedFit {
            design,
            fit: Arc::new(fit),
            n_threads,
        })
    }
}

/// The model that a call describes.
pub fn model_of(family: &PyFamily, criterion: &str, quadrature: usize) -> PyResult<Model> {
    Ok(Model {
        family: family.family,
        weights: weights_named(criterion)?,
        nodes: quadrature,
    })
}

fn weights_named(name: &str) -> PyResult<Weights> {
    match name {
        "fisher" => Ok(Weights::Fisher),
        "observed" => Ok(Weights::Observed),
        _ => Err(Error::Data(format!(
            "unknown criterion '{name}': use 'fisher' or 'observed'"
        ))
        .into()),
    }
}

#[pymethods]
impl PyGeneralizedFit {
    /// The family's dispersion parameter; NaN where it has none.
    #[getter]
    fn dispersion(&self) -> f64 {
        self.fit.family.dispersion
    }

    #[getter]
    fn pwrss(&self) -> f64 {
        self.fit.wrss + self.fit.ussq
    }

    #[getter]
    fn criterion_kind(&self) -> &'static str {
        match self.fit.model.weights {
            Weights::Fisher => "fisher",
            Weights::Observed => "observed",
        }
    }

    #[getter]
    fn quadrature(&self) -> usize {
        self.fit.model.nodes
    }

    /// Covariance of β with θ taken as known.
    #[getter]
    fn conditional_vcov<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let p = self.fit.beta.len();
        PyArray1::from_slice(py, &self.fit.conditional_vcov).reshape([p, p])
    }

    /// −2 log-likelihood at the user's θ, β and dispersion.
    #[pyo3(signature = (theta, beta, dispersion=f64::NAN))]
    fn objective(
        &self,
        py: Python<'_>,
        theta: PyReadonlyArray1<'_, f64>,
        beta: PyReadonlyArray1<'_, f64>,
        dispersion: f64,
    ) -> PyResult<f64> {
        let (theta, beta) = self.point(&theta, &beta)?;
        self.supervised(py, move |fit, team| {
            let point = Point {
                theta: &theta,
                beta: &beta,
                dispersion,
            };
            evaluate_laplace::objective(fit, &point, team)
        })
    }

    /// Its derivatives by θ, β (columns kept) and the log of an estimated dispersion.
    #[pyo3(signature = (theta, beta, dispersion=f64::NAN))]
    fn gradient<'py>(
        &self,
        py: Python<'py>,
        theta: PyReadonlyArray1<'py, f64>,
        beta: PyReadonlyArray1<'py, f64>,
        dispersion: f64,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let (theta, beta) = self.point(&theta, &beta)?;
        let gradient = self.supervised(py, move |fit, team| {
            let point = Point {
                theta: &theta,
                beta: &beta,
                dispersion,
            };
            evaluate_laplace::gradient(fit, &point, team)
        })?;
        Ok(gradient.into_pyarray(py))
    }

    /// Second derivatives at the estimate, in the order of `gradient`.
    fn hessian<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let size = self.fit.internal.len();
        let hessian = self.supervised(py, evaluate_laplace::hessian)?;
        hessian.into_pyarray(py).reshape([size, size])
    }

    /// σ²ΛM⁻¹Λ' on the diagonal, per term (levels, q, q).
    fn conditional_covariances<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Vec<Bound<'py, PyArray3<f64>>>> {
        let terms = self.supervised(py, modes::generalized_covariances)?;
        let shaped = self.design.terms.iter().zip(terms).map(|(term, values)| {
            let levels = self.design.groupings[term.grouping].levels;
            let q = term.columns.len();
            values.into_pyarray(py).reshape([levels, q, q])
        });
        shaped.collect()
    }
}

impl PyGeneralizedFit {
    pub fn manner(&self) -> Manner {
        manner_of_passes(&self.design, self.n_threads, None)
    }

    /// Work with the fit under supervision.
    pub fn supervised<T: Send>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&GeneralizedFit, &crate::parallel::Team) -> crate::error::Result<T> + Send,
    ) -> PyResult<T> {
        let fit = self.fit.clone();
        supervise(py, self.manner(), move |team, _| work(&fit, team))
    }

    fn point(
        &self,
        theta: &PyReadonlyArray1<'_, f64>,
        beta: &PyReadonlyArray1<'_, f64>,
    ) -> PyResult<(Vec<f64>, Vec<f64>)> {
        let beta = numbers(beta)?;
        check(
            beta.len() == self.fit.beta.len(),
            "beta must have one element a fixed column",
        )?;
        Ok((numbers(theta)?, beta))
    }
}
