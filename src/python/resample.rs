//! Many responses of one fit: refits, simulation, bootstrap.

use super::design::{check, columns};
use super::fit::PyFit;
use super::supervise::{supervise, Manner};
use crate::columns::{Column, Design};
use crate::error::{Error, Result};
use crate::estimates::Estimates;
use crate::jackknife::{delete_blocks, LeftOut};
use crate::parallel::{default_threads, piece, Shared, Team};
use crate::refit::{refit_many, Refit};
use crate::simulate::Simulation;
use numpy::{PyArray1, PyArray2, PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::ops::Range;

/// Responses made at a time by one task of `simulate`.
const RESPONSES: usize = 16;

#[pymethods]
impl PyFit {
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
        let refits = supervise(py, self.manner_of_many(n_threads), move |team, _| {
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
            let simulation = Simulation::new(&design, &fit, seed, use_u, team);
            simulated(&simulation, &design, which, team)
        };
        in_columns(py, self.manner_of_many(n_threads), (nsim, offset), make)
    }

    /// `simulate` and `refit_many` in one, a batch at a time.
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
        let refits = supervise(py, self.manner_of_many(n_threads), move |team, _| {
            let simulation = Simulation::new(&design, &fit, seed, use_u, team);
            let fill = |which: Range<usize>, out: &mut [f64]| {
                simulation.fill(shift(which, first), out);
            };
            refit_many(&design, &fit, nsim, fill, team)
        })?;
        arrays(py, &refits, self.shape())
    }

    /// The model fitted without each of `blocks` parts of its rows, made of whole levels of a term's
    /// grouping factor (of single rows where `term` is None).
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
        let refits = supervise(py, self.manner_of_many(n_threads), move |team, _| {
            delete_blocks(&design, &fit, blocks, team)
        })?;
        arrays(py, &refits, self.shape())
    }
}

impl PyFit {
    fn manner_of_many(&self, n_threads: Option<usize>) -> Manner {
        many(n_threads.or(self.n_threads))
    }

    /// Fixed effects and parameters of Λ.
    fn shape(&self) -> (usize, usize) {
        (self.fit.beta.len(), self.fit.theta.len())
    }
}

/// Many fits are never short.
pub fn many(n_threads: Option<usize>) -> Manner {
    Manner {
        threads: n_threads.unwrap_or_else(default_threads),
        short: false,
        callback: None,
    }
}

/// The columns of a table of responses, which must have its rows.
pub fn responses_of(
    design: &Design,
    responses: &PyReadonlyArray2<'_, f64>,
) -> PyResult<Vec<Column>> {
    let (rows, n) = (responses.shape()[0], design.table.n_table);
    if rows != n {
        return Err(Error::Data(format!("{rows} rows of responses for a table of {n}")).into());
    }
    columns(responses)
}

/// Writes some of the columns at the rows used, row-major.
pub fn filler<'f>(
    design: &'f Design,
    columns: &'f [Column],
) -> impl Fn(Range<usize>, &mut [f64]) + Sync + 'f {
    move |which, out| {
        for (i, row) in out.chunks_exact_mut(which.len()).enumerate() {
            let place = design.table.place(i);
            (row.iter_mut().zip(&columns[which.clone()]))
                .for_each(|(y, column)| *y = column.get(place));
        }
    }
}

/// Blocks of rows to leave out.
pub fn blocks_of(design: &Design, term: Option<usize>, count: usize) -> PyResult<LeftOut> {
    check(
        count > 0 && term.is_none_or(|term| term < design.terms.len()),
        "there is no such term, or no block",
    )?;
    Ok(LeftOut { term, count })
}

/// Replicates of a simulation at the rows used, one column each.
pub fn simulated(
    simulation: &Simulation<'_>,
    design: &Design,
    which: Range<u32>,
    team: &Team,
) -> Result<Vec<f64>> {
    let (n, nsim) = (design.table.n(), which.len());
    let mut values = vec![0.0; n * nsim];
    let shared = Shared::new(&mut values);
    team.each(nsim.div_ceil(RESPONSES), |task| {
        let own = piece(task, RESPONSES, nsim);
        let mut rows = vec![0.0; n * own.len()];
        simulation.fill(shift(own.clone(), which.start), &mut rows);
        // SAFETY: each column belongs to one task.
        let columns = unsafe { shared.range(own.start * n, own.len() * n) };
        for (k, column) in columns.chunks_exact_mut(n).enumerate() {
            let source = rows[k..].iter().step_by(own.len());
            column
                .iter_mut()
                .zip(source)
                .for_each(|(y, value)| *y = *value);
        }
    });
    team.check().map(|()| values)
}

/// Replicates `offset..offset + nsim` as an array of rows × nsim.
pub fn in_columns<'py>(
    py: Python<'py>,
    manner: Manner,
    (nsim, offset): (usize, usize),
    make: impl FnOnce(Range<u32>, &Team) -> Result<Vec<f64>> + Send,
) -> PyResult<Bound<'py, PyArray2<f64>>> {
    let first = replicates(offset, nsim)?;
    let values = supervise(py, manner, move |team, _| make(shift(0..nsim, first), team))?;
    let n = values.len() / nsim.max(1);
    PyArray1::from_vec(py, values)
        .reshape_with_order([n, nsim], numpy::npyffi::NPY_ORDER::NPY_FORTRANORDER)
}

/// One row a response; NaN where there is no fit, which `messages` explain.
pub fn arrays<'py>(
    py: Python<'py>,
    refits: &[Refit],
    (p, parameters): (usize, usize),
) -> PyResult<Bound<'py, PyDict>> {
    let k = refits.len();
    let numbers = |size: usize, pick: fn(&Estimates) -> &[f64]| {
        let mut values = Vec::with_capacity(k * size);
        for refit in refits {
            match refit {
                Ok(fit) => values.extend_from_slice(pick(fit)),
                Err(_) => values.resize(values.len() + size, f64::NAN),
            }
        }
        PyArray1::from_vec(py, values)
    };
    let one = |pick: fn(&Estimates) -> f64| {
        let value = |refit: &Refit| refit.as_ref().map_or(f64::NAN, pick);
        PyArray1::from_vec(py, refits.iter().map(value).collect())
    };
    let flags = |pick: fn(&Estimates) -> bool| {
        let flag = |refit: &Refit| refit.as_ref().is_ok_and(pick);
        PyArray1::from_vec(py, refits.iter().map(flag).collect())
    };
    let arrays = PyDict::new(py);
    let theta = numbers(parameters, |fit| &fit.theta);
    arrays.set_item("theta", theta.reshape([k, parameters])?)?;
    arrays.set_item("beta", numbers(p, |fit| &fit.beta).reshape([k, p])?)?;
    arrays.set_item("vcov", numbers(p * p, |fit| &fit.vcov).reshape([k, p, p])?)?;
    arrays.set_item("sigma", one(|fit| fit.sigma))?;
    arrays.set_item("dispersion", one(|fit| fit.dispersion))?;
    arrays.set_item("criterion", one(|fit| fit.criterion))?;
    arrays.set_item("pwrss", one(|fit| fit.pwrss))?;
    arrays.set_item("converged", flags(Estimates::converged))?;
    arrays.set_item("singular", flags(|fit| fit.singular))?;
    arrays.set_item("messages", refits.iter().map(message).collect::<Vec<_>>())?;
    Ok(arrays)
}

/// What is to be told of a refit, if anything.
fn message(refit: &Refit) -> Option<String> {
    match refit {
        Err(error) => Some(error.to_string()),
        Ok(fit) => {
            let stopped = (!fit.reason.converged()).then(|| fit.reason.text().to_string());
            let all: Vec<String> = fit.messages.iter().cloned().chain(stopped).collect();
            (!all.is_empty()).then(|| all.join("; "))
        }
    }
}

/// The first replicate, if all of them can be numbered.
pub fn replicates(offset: usize, nsim: usize) -> Result<u32> {
    let last = offset.checked_add(nsim).map(u32::try_from);
    match (u32::try_from(offset), last) {
        (Ok(first), Some(Ok(_))) => Ok(first),
        _ => Err(Error::Data(
            "replicates are numbered up to 4294967295".into(),
        )),
    }
}

pub fn shift(which: Range<usize>, first: u32) -> Range<u32> {
    first + which.start as u32..first + which.end as u32
}
