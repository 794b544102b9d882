//! What tests and intervals of a `Fit` are made of.

use super::fit::PyFit;
use super::supervise::supervise;
use crate::modes;
use crate::variance;
use numpy::ndarray::Dimension;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// A named array of this shape.
fn put<const N: usize>(
    dict: &Bound<'_, PyDict>,
    name: &str,
    values: Vec<f64>,
    shape: [usize; N],
) -> PyResult<()>
where
    numpy::ndarray::Dim<[usize; N]>: Dimension,
    [usize; N]: numpy::ndarray::IntoDimension<Dim = numpy::ndarray::Dim<[usize; N]>>,
{
    dict.set_item(name, values.into_pyarray(dict.py()).reshape(shape)?)
}

#[pymethods]
impl PyFit {
    /// Exact second derivatives and what Satterthwaite's method needs, at the estimate.
    fn information<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fit = self.fit.clone();
        let (size, rank) = (fit.theta.len(), fit.system.rank());
        let found = supervise(py, self.manner(), move |team, _| {
            variance::information(&fit, team)
        })?;
        let dict = PyDict::new(py);
        put(&dict, "root", found.root, [rank, rank])?;
        put(&dict, "hessian", found.hessian, [size, size])?;
        put(&dict, "score", found.score, [size])?;
        put(&dict, "fixed", found.fixed, [size, rank, rank])?;
        Ok(dict)
    }

    /// What Kenward and Roger's method needs, by elements of Σ/σ².
    fn variance_products<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fit = self.fit.clone();
        let (size, rank) = (fit.theta.len(), fit.system.rank());
        let found = supervise(py, self.manner(), move |team, _| {
            variance::variance_products(&fit, team)
        })?;
        let dict = PyDict::new(py);
        put(&dict, "fixed", found.fixed, [size, rank, rank])?;
        put(&dict, "pairs", found.pairs, [size, size, rank, rank])?;
        put(&dict, "traces", found.traces.pairs, [size, size])?;
        put(&dict, "trace", found.traces.single, [size])?;
        Ok(dict)
    }

    /// B_k with V⁻¹x_k = W(x_k − ZB_k), for every column of X kept and every term: (levels, q).
    fn fixed_modes<'py>(&self, py: Python<'py>) -> PyResult<Vec<Vec<Bound<'py, PyArray2<f64>>>>> {
        let fit = self.fit.clone();
        let columns = supervise(py, self.manner(), move |team, _| {
            modes::fixed_modes(&fit, team)
        })?;
        let shaped = |terms: Vec<Vec<f64>>| {
            let infos = self.design.terms.iter().zip(terms);
            infos
                .map(|(term, values)| {
                    let levels = self.design.groupings[term.grouping].levels;
                    PyArray1::from_vec(py, values).reshape([levels, term.columns.len()])
                })
                .collect::<PyResult<Vec<_>>>()
        };
        columns.into_iter().map(shaped).collect()
    }
}
