//! Many responses of one generalised fit, and its profiles.

use super::design::{check, numbers, with_response};
use super::generalized::PyGeneralizedFit;
use super::inference::{curve_points, CurvePoints};
use super::resample::{
    arrays, blocks_of, filler, in_columns, many, replicates, responses_of, shift, simulated,
};
use super::supervise::supervise;
use crate::curve_laplace::{GeneralizedCurve, Parameter};
use crate::error::Error;
use crate::jackknife::delete_blocks_generalized;
use crate::parallel::Team;
use crate::profile;
use crate::refit_laplace::{again, refit_many};
use crate::simulate::Simulation;
use numpy::{PyArray2, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ops::Range;
use std::sync::Arc;

#[pymethods]
impl PyGeneralizedFit {
    /// The same model for another response (and sizes), started from this optimum.
    #[pyo3(signature = (y, sizes=None))]
    fn refit(
        &self,
        py: Python<'_>,
        y: PyReadonlyArray1<'_, f64>,
        sizes: Option<PyReadonlyArray1<'_, f64>>,
    ) -> PyResult<PyGeneralizedFit> {
        let mut design = with_response(&self.design, &y)?;
        if let Some(sizes) = sizes {
            check(
                design.table.n_table == numbers(&sizes)?.len(),
                "sizes must have as many rows as the table",
            )?;
            design.table.sizes = Some(numbers(&sizes)?.into());
        }
        let design = Arc::new(design);
        let own = design.clone();
        let fit = self.supervised(py, move |fit, team| {
            again(fit, Arc::new(fit.observations.responses(&own)), team)
        })?;
        Ok(PyGeneralizedFit {
            design,
            fit: Arc::new(fit),
            n_threads: self.n_threads,
        })
    }

    /// The model fitted to every column of `responses` (rows of the table × responses).
    #[pyo3(signature = (responses, n_threads=None))]
    fn refit_many<'py>(
        &self,
        py: Python<'py>,
        responses: PyReadonlyArray2<'py, f64>,
        n_threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let columns = responses_of(&self.design, &responses)?;
        let (design, fit) = (self.design.clone(), self.fit.clone());
        let manner = many(n_threads.or(self.n_threads));
        let refits = supervise(py, manner, move |team, _| {
            refit_many(
                &design,
                &fit,
                columns.len(),
                filler(&design, &columns),
                team,
            )
        })?;
        arrays(py, &refits, self.shape())
    }

    /// New responses at the rows used: replicates `offset..offset + nsim`, rows × nsim.
    #[pyo3(signature = (nsim, seed, offset=0, use_u=false, n_threads=None))]
    fn simulate<'py>(
        &self,
        py: Python<'py>,
        nsim: usize,
        seed: u64,
        offset: usize,
        use_u: bool,
        n_threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (design, fit) = (self.design.clone(), self.fit.clone());
        let make = move |which, team: &Team| {
            let simulation = Simulation::generalized(&design, &fit, seed, use_u, team);
            simulated(&simulation, &design, which, team)
        };
        in_columns(py, many(n_threads.or(self.n_threads)), (nsim, offset), make)
    }

    /// `simulate` and `refit_many` in one.
    #[pyo3(signature = (nsim, seed, offset=0, use_u=false, n_threads=None))]
    fn bootstrap<'py>(
        &self,
        py: Python<'py>,
        nsim: usize,
        seed: u64,
        offset: usize,
        use_u: bool,
        n_threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let (design, fit) = (self.design.clone(), self.fit.clone());
        let first = replicates(offset, nsim)?;
        let manner = many(n_threads.or(self.n_threads));
        let refits = supervise(py, manner, move |team, _| {
            let simulation = Simulation::generalized(&design, &fit, seed, use_u, team);
            let fill = |which: Range<usize>, out: &mut [f64]| {
                simulation.fill(shift(which, first), out);
            };
            refit_many(&design, &fit, nsim, fill, team)
        })?;
        arrays(py, &refits, self.shape())
    }

    /// The model fitted without each block of rows; see the linear model's `jackknife`.
    #[pyo3(signature = (term, blocks, n_threads=None))]
    fn jackknife<'py>(
        &self,
        py: Python<'py>,
        term: Option<usize>,
        blocks: usize,
        n_threads: Option<usize>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let blocks = blocks_of(&self.design, term, blocks)?;
        let (design, fit) = (self.design.clone(), self.fit.clone());
        let manner = many(n_threads.or(self.n_threads));
        let refits = supervise(py, manner, move |team, _| {
            delete_blocks_generalized(&design, &fit, blocks, team)
        })?;
        arrays(py, &refits, self.shape())
    }

    /// One side of every curve asked for; see the linear model's `profile`.
    #[pyo3(signature = (curves, targets, n_threads=None))]
    fn profile<'py>(
        &self,
        py: Python<'py>,
        curves: Vec<(String, usize, f64, f64, bool)>,
        targets: Vec<f64>,
        n_threads: Option<usize>,
    ) -> PyResult<Vec<CurvePoints<'py>>> {
        let parameters = curves.iter().map(|(kind, index, ..)| match kind.as_str() {
            "theta" if *index < self.fit.theta.len() => Ok(Parameter::Theta(*index)),
            "beta" if *index < self.fit.beta.len() => Ok(Parameter::Coefficient(*index)),
            "dispersion" if self.fit.model.dispersed() => Ok(Parameter::Dispersion),
            _ => {
                Err(Error::Data(format!("there is no parameter {kind} {index} to profile")).into())
            }
        });
        let parameters: Vec<Parameter> = parameters.collect::<PyResult<_>>()?;
        let fit = self.fit.clone();
        let mut manner = self.manner();
        if let (false, Some(threads)) = (manner.short, n_threads) {
            manner.threads = threads;
        }
        let found = supervise(py, manner, move |team, _| {
            let task = |k: usize| {
                let (_, _, estimate, step, upwards) = curves[k];
                let curve = GeneralizedCurve::new(&fit, parameters[k])?;
                profile::trace(curve, (estimate, step), upwards, &targets, &team.alone())
            };
            Ok(team.map(curves.len(), task))
        })?;
        found
            .into_iter()
            .map(|curve| curve_points(py, curve))
            .collect()
    }
}

impl PyGeneralizedFit {
    /// Fixed effects and parameters of Λ.
    fn shape(&self) -> (usize, usize) {
        (self.fit.beta.len(), self.fit.theta.len())
    }
}
