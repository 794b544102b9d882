//! The linear predictor of a design, and the columns it is made of.

use super::design::{check, in_step, manner, numbers, products, PyDesign, SHORT};
use super::supervise::{supervise, Manner};
use crate::predictor;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use numpy::{PyUntypedArrayMethods, ToPyArray};
use pyo3::prelude::*;

#[pymethods]
impl PyDesign {
    /// Xβ + Zb + offset at the rows kept.
    fn linear_predictor<'py>(
        &self,
        py: Python<'py>,
        beta: PyReadonlyArray1<'py, f64>,
        modes: Vec<Option<PyReadonlyArray2<'py, f64>>>,
    ) -> PyResult<Bound<'py, PyArray1<f64>>> {
        let beta = numbers(&beta)?;
        check(
            beta.len() == self.design.fixed.len(),
            "beta must have one element a fixed column",
        )?;
        check(
            modes.len() == self.design.terms.len(),
            "modes must have one entry a random term",
        )?;
        for (term, modes) in self.design.terms.iter().zip(&modes) {
            let levels = self.design.groupings[term.grouping].levels;
            let shape = [levels, term.columns.len()];
            check(
                modes.as_ref().is_none_or(|modes| modes.shape() == shape),
                "modes must be levels x effects",
            )?;
            let codes = self.design.groupings[term.grouping].codes.as_slice();
            let known = |&code: &i32| code < 0 || (code as usize) < levels;
            check(
                modes.is_none() || codes.iter().all(known),
                "a code lies beyond the levels of its grouping factor",
            )?;
        }
        let values = |modes: &PyReadonlyArray2<'py, f64>| -> PyResult<Vec<f64>> {
            Ok(in_step(modes)?.as_array().iter().copied().collect())
        };
        let modes: Vec<Option<Vec<f64>>> = modes
            .iter()
            .map(|modes| modes.as_ref().map(values).transpose())
            .collect::<PyResult<_>>()?;
        let design = self.design.clone();
        let manner = Manner {
            short: products(&self.design) < SHORT,
            ..manner(&self.design, None, None)
        };
        let out = supervise(py, manner, move |team, _| {
            Ok(predictor::linear_predictor(&design, &beta, &modes, team))
        })?;
        Ok(PyArray1::from_vec(py, out))
    }

    /// X, n × p.
    fn fixed_matrix<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let design = self.design.clone();
        let matrix = py.detach(move || predictor::fixed_matrix(&design));
        matrix
            .to_pyarray(py)
            .reshape([self.design.table.n(), self.design.fixed.len()])
    }

    /// The columns z of one term, n × q.
    fn random_columns<'py>(
        &self,
        py: Python<'py>,
        term: usize,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        check(term < self.design.terms.len(), "there is no such term")?;
        let design = self.design.clone();
        let columns = py.detach(move || predictor::random_columns(&design, term));
        let shape = [self.design.table.n(), self.design.terms[term].columns.len()];
        columns.to_pyarray(py).reshape(shape)
    }
}
