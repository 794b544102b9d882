//! `Family`: a family and link by name, and its functions on arrays.

use super::design::{in_step, numbers};
use crate::error::Error;
use crate::family::Family;
use numpy::{IntoPyArray, PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;

#[pyclass(name = "Family", module = "mixedmodels._core", frozen)]
pub struct PyFamily {
    pub family: Family,
}

/// A function of every element.
fn map<'py>(
    py: Python<'py>,
    values: &PyReadonlyArray1<'py, f64>,
    of: impl Fn(f64) -> f64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let values = in_step(values)?;
    let mapped: Vec<f64> = values.as_array().iter().map(|&value| of(value)).collect();
    Ok(mapped.into_pyarray(py))
}

/// A function of every row's response, size, prior weight and linear predictor.
fn map_rows<'py>(
    py: Python<'py>,
    columns: [&PyReadonlyArray1<'py, f64>; 4],
    of: impl Fn([f64; 4]) -> f64,
) -> PyResult<Bound<'py, PyArray1<f64>>> {
    let columns = columns.map(numbers);
    let [y, size, weight, eta] = columns;
    let (y, size, weight, eta) = (y?, size?, weight?, eta?);
    let n = y.len();
    if [size.len(), weight.len(), eta.len()] != [n; 3] {
        return Err(Error::Data("y, size, weight and eta must have equal lengths".into()).into());
    }
    let rows = (0..n).map(|i| of([y[i], size[i], weight[i], eta[i]]));
    Ok(rows.collect::<Vec<f64>>().into_pyarray(py))
}

#[pymethods]
impl PyFamily {
    #[new]
    #[pyo3(signature = (name, link, dispersion=None))]
    fn new(name: &str, link: &str, dispersion: Option<f64>) -> PyResult<Self> {
        let family = Family::named(name, link)?;
        Ok(PyFamily {
            family: family.with_dispersion(dispersion.unwrap_or(f64::NAN)),
        })
    }

    #[getter]
    fn name(&self) -> &'static str {
        self.family.name()
    }

    #[getter]
    fn link(&self) -> &'static str {
        self.family.link()
    }

    /// NaN: estimated, or the family has none.
    #[getter]
    fn dispersion(&self) -> f64 {
        self.family.dispersion
    }

    fn __repr__(&self) -> String {
        format!("{:?}", self.family)
    }

    /// Pickled, the family is its arguments.
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> (Bound<'py, PyAny>, (&'static str, &'static str, f64)) {
        let class = py.get_type::<PyFamily>().into_any();
        (class, (self.name(), self.link(), self.family.dispersion))
    }

    /// μ
    fn mean<'py>(
        &self,
        py: Python<'py>,
        eta: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        map(py, &eta, |eta| self.family.mean(eta))
    }

    /// dμ/dη
    fn mean_slope<'py>(
        &self,
        py: Python<'py>,
        eta: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        map(py, &eta, |eta| self.family.mean_slope(eta))
    }

    /// The linear predictor of a mean.
    fn link_of<'py>(
        &self,
        py: Python<'py>,
        mu: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        map(py, &mu, |mu| self.family.link_of(mu))
    }

    /// V(μ) at unit weight and size.
    fn variance<'py>(
        &self,
        py: Python<'py>,
        mu: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        map(py, &mu, |mu| self.family.variance(mu))
    }

    /// Parts of R's deviance.
    fn deviances<'py>(
        &self,
        py: Python<'py>,
        y: PyReadonlyArray1<'py, f64>,
        size: PyReadonlyArray1<'py, f64>,
        weight: PyReadonlyArray1<'py, f64>,
        eta: PyReadonlyArray1<'py, f64>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let family = &self.family;
        map_rows(py, [&y, &size, &weight, &eta], |[y, size, weight, eta]| {
            family.deviance(y, size, weight, eta)
        })
    }

    /// log f with all constants.
    fn log_density<'py>(
        &self,
        py: Python<'py>,
        y: PyReadonlyArray1<'py, f64>,
        size: PyReadonlyArray1<'py, f64>,
        weight: PyReadonlyArray1<'py, f64>,
        eta: PyReadonlyArray1<'py, f64>,
        sigma: f64,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let family = &self.family;
        map_rows(py, [&y, &size, &weight, &eta], |[y, size, weight, eta]| {
            family.log_density(y, size, weight, eta, sigma)
        })
    }
}
