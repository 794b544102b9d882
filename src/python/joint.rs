//! Variances of predictions and leverages, of both kinds of fit.

use super::design::{check, PyDesign};
use super::fit::PyFit;
use super::generalized::PyGeneralizedFit;
use super::supervise::supervise;
use crate::columns::Design;
use crate::error::Result;
use crate::joint::{self, Joint};
use crate::parallel::Team;
use numpy::{IntoPyArray, PyArray1};
use pyo3::prelude::*;

/// One number a row.
type PyRows<'py> = PyResult<Bound<'py, PyArray1<f64>>>;

impl PyFit {
    fn joint(
        &self,
        py: Python<'_>,
        work: impl FnOnce(Joint<'_, '_>, &Team) -> Result<Vec<f64>> + Send,
    ) -> PyResult<Vec<f64>> {
        let (fit, design) = (self.fit.clone(), self.design.clone());
        supervise(py, self.manner(), move |team, _| {
            joint::linear(&fit, &design, team, |joint| work(joint, team))
        })
    }
}

impl PyGeneralizedFit {
    fn joint(
        &self,
        py: Python<'_>,
        work: impl FnOnce(Joint<'_, '_>, &Team) -> Result<Vec<f64>> + Send,
    ) -> PyResult<Vec<f64>> {
        self.supervised(py, move |fit, team| {
            joint::generalized(fit, team, |joint| work(joint, team))
        })
    }
}

/// The other design must have the columns of the model's own, for the terms it has.
fn comparable(own: &Design, other: &Design, terms: &[usize]) -> PyResult<()> {
    let same = |(term, &k): (&crate::columns::RandomTerm, &usize)| {
        own.terms.get(k).is_some_and(|own_term| {
            own_term.columns.len() == term.columns.len()
                && own.groupings[own_term.grouping].levels == other.groupings[term.grouping].levels
        })
    };
    check(
        own.fixed.len() == other.fixed.len()
            && other.terms.len() == terms.len()
            && other.terms.iter().zip(terms).all(same),
        "the new design must have the fixed columns of the model, and the terms that are named",
    )
}

macro_rules! joint_methods {
    ($type:ty) => {
        #[pymethods]
        impl $type {
            /// Diagonal of the hat matrix at fixed θ, at the rows used.
            fn leverages<'py>(&self, py: Python<'py>) -> PyRows<'py> {
                let rows = self.joint(py, |joint, team| joint.leverages(team))?;
                Ok(rows.into_pyarray(py))
            }

            /// Variances of x'β̂ + z'(b̂ − b) at the rows used.
            fn row_variances<'py>(&self, py: Python<'py>) -> PyRows<'py> {
                let rows = self.joint(py, |joint, team| joint.row_variances(team))?;
                Ok(rows.into_pyarray(py))
            }

            /// The same at the rows of another design, whose k-th term is the model's `terms[k]`.
            fn joint_variances<'py>(
                &self,
                py: Python<'py>,
                design: &PyDesign,
                terms: Vec<usize>,
            ) -> PyRows<'py> {
                comparable(&self.design, &design.design, &terms)?;
                let other = design.design.clone();
                let rows =
                    self.joint(py, move |joint, team| joint.variances(&other, &terms, team))?;
                Ok(rows.into_pyarray(py))
            }
        }
    };
}

joint_methods!(PyFit);
joint_methods!(PyGeneralizedFit);
