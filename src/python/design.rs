//! `Design`: the caller's columns and the recipes of a model's columns, by reference.

use super::fit::PyFit;
use super::supervise::{supervise, Manner};
use crate::columns::{Codes, Column, Design, Grouping, RandomTerm, Recipe, Table};
use crate::error::Error;
use crate::lmm;
use crate::outcome::{Optimizer, Settings};
use crate::parallel::default_threads;
use numpy::ndarray::{ArrayView1, Dimension};
use numpy::{Element, PyArray, PyArray1, PyArray2, PyReadonlyArray, PyReadonlyArray1};
use numpy::{PyArrayMethods, PyReadonlyArray2, PyUntypedArrayMethods};
use pyo3::prelude::*;
use std::sync::Arc;
use std::time::Duration;

/// Products of rows and columns below which a fit is over in milliseconds.
pub const SHORT: usize = 300_000;
/// Passes of a generalised fit for one of a linear one.
const PASSES: usize = 10;
/// Random effects below which a fit is over in milliseconds.
const FEW: usize = 400;

type PyColumn<'py> = (Vec<usize>, Vec<(usize, PyReadonlyArray1<'py, f64>)>);

#[pyclass(name = "Design", module = "mixedmodels._core", frozen)]
pub struct PyDesign {
    pub design: Arc<Design>,
}

/// The array itself, or a copy if its elements do not lie on whole multiples of their size (fields of
/// a structured array): views and slices count in elements.
pub fn in_step<'py, T: Element, D: Dimension>(
    array: &PyReadonlyArray<'py, T, D>,
) -> PyResult<PyReadonlyArray<'py, T, D>> {
    let size = std::mem::size_of::<T>();
    let whole = |stride: &isize| stride.unsigned_abs().is_multiple_of(size);
    if array.strides().iter().all(whole) && (array.data() as usize).is_multiple_of(size) {
        return Ok(array.clone());
    }
    Ok(array
        .call_method0("copy")?
        .cast_into::<PyArray<T, D>>()?
        .readonly())
}

/// A small array's numbers.
pub fn numbers(array: &PyReadonlyArray1<'_, f64>) -> PyResult<Vec<f64>> {
    Ok(in_step(array)?.as_array().to_vec())
}

fn column(array: &PyReadonlyArray1<'_, f64>) -> PyResult<Column> {
    let array = in_step(array)?;
    let view = array.as_array();
    let keep: Arc<Py<PyArray1<f64>>> = Arc::new(array.as_unbound().clone_ref(array.py()));
    // SAFETY: the array is kept alive, and arrays referred to cannot be resized.
    Ok(unsafe { Column::view(view.as_ptr(), view.strides()[0], view.len(), keep) })
}

/// The columns of a matrix, by reference.
pub fn columns(array: &PyReadonlyArray2<'_, f64>) -> PyResult<Vec<Column>> {
    let array = in_step(array)?;
    let keep: Arc<Py<PyArray2<f64>>> = Arc::new(array.as_unbound().clone_ref(array.py()));
    let column = |view: ArrayView1<'_, f64>| {
        // SAFETY: as for `column`.
        unsafe { Column::view(view.as_ptr(), view.strides()[0], view.len(), keep.clone()) }
    };
    Ok(array.as_array().columns().into_iter().map(column).collect())
}

fn codes(array: &PyReadonlyArray1<'_, i32>) -> PyResult<Codes> {
    let array = in_step(array)?;
    match array.as_slice() {
        Ok(slice) => {
            let keep: Arc<Py<PyArray1<i32>>> = Arc::new(array.as_unbound().clone_ref(array.py()));
            // SAFETY: as for `column`.
            Ok(unsafe { Codes::view(slice.as_ptr(), slice.len(), keep) })
        }
        Err(_) => Ok(Codes::from(array.as_array().to_vec())),
    }
}

fn recipe((numeric, coded): PyColumn<'_>) -> PyResult<Recipe> {
    let table =
        |(source, table): (usize, PyReadonlyArray1<'_, f64>)| Ok((source, numbers(&table)?));
    Ok(Recipe {
        numeric,
        coded: coded.into_iter().map(table).collect::<PyResult<_>>()?,
    })
}

pub fn check(good: bool, text: &str) -> PyResult<()> {
    if good {
        Ok(())
    } else {
        Err(Error::Data(text.to_string()).into())
    }
}

/// Every index and length that the core relies on.
fn validate(design: &Design) -> PyResult<()> {
    let table = &design.table;
    let n = table.n_table;
    let columns = table.numeric.iter().chain(
        [&table.response, &table.weights, &table.offset, &table.sizes]
            .into_iter()
            .flatten(),
    );
    check(
        columns.into_iter().all(|column| column.len() == n),
        "every column must have as many rows as the table",
    )?;
    let groups = design.groupings.iter().map(|grouping| &grouping.codes);
    check(
        table
            .codes
            .iter()
            .chain(groups)
            .all(|codes| codes.as_slice().len() == n),
        "every code column must have as many rows as the table",
    )?;
    let rows = table.rows.iter().flat_map(|rows| rows.iter());
    check(
        rows.into_iter().all(|&row| (row as usize) < n),
        "a row kept lies outside the table",
    )?;
    check(
        u32::try_from(n).is_ok(),
        "more than 4294967295 rows in one table are not supported",
    )?;
    let recipes = design
        .fixed
        .iter()
        .chain(design.terms.iter().flat_map(|term| &term.columns));
    for recipe in recipes {
        check(
            recipe
                .numeric
                .iter()
                .all(|&source| source < table.numeric.len()),
            "a column refers to a numeric source that does not exist",
        )?;
        check(
            recipe
                .coded
                .iter()
                .all(|(source, _)| *source < table.codes.len()),
            "a column refers to a code source that does not exist",
        )?;
    }
    check(
        (design.groupings.iter()).all(|grouping| i32::try_from(grouping.levels).is_ok()),
        "more than 2147483647 levels of a grouping factor are not supported",
    )?;
    check(
        design
            .terms
            .iter()
            .all(|term| term.grouping < design.groupings.len() && !term.columns.is_empty()),
        "a random term has no columns or no grouping factor",
    )?;
    check(
        design
            .constant
            .as_ref()
            .is_none_or(|constant| constant.len() == design.fixed.len()),
        "`constant` must have one element a fixed column",
    )
}

#[pymethods]
impl PyDesign {
    #[new]
    #[pyo3(signature = (*, n_table, rows, numeric, codes, fixed, groups, terms, response, weights, offset, constant, sizes=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        n_table: usize,
        rows: Option<PyReadonlyArray1<'_, u32>>,
        numeric: Vec<PyReadonlyArray1<'_, f64>>,
        codes: Vec<PyReadonlyArray1<'_, i32>>,
        fixed: Vec<PyColumn<'_>>,
        groups: Vec<(PyReadonlyArray1<'_, i32>, usize)>,
        terms: Vec<(usize, Vec<PyColumn<'_>>)>,
        response: Option<PyReadonlyArray1<'_, f64>>,
        weights: Option<PyReadonlyArray1<'_, f64>>,
        offset: Option<PyReadonlyArray1<'_, f64>>,
        constant: Option<PyReadonlyArray1<'_, f64>>,
        sizes: Option<PyReadonlyArray1<'_, f64>>,
    ) -> PyResult<Self> {
        let table = Table {
            rows: match rows {
                Some(rows) => Some(Arc::new(in_step(&rows)?.as_array().to_vec())),
                None => None,
            },
            n_table,
            numeric: numeric.iter().map(column).collect::<PyResult<_>>()?,
            codes: codes.iter().map(self::codes).collect::<PyResult<_>>()?,
            response: response.as_ref().map(column).transpose()?,
            weights: weights.as_ref().map(column).transpose()?,
            offset: offset.as_ref().map(column).transpose()?,
            sizes: sizes.as_ref().map(column).transpose()?,
        };
        let grouping = |(codes, levels): &(PyReadonlyArray1<'_, i32>, usize)| {
            Ok(Grouping {
                codes: self::codes(codes)?,
                levels: *levels,
            })
        };
        let term = |(grouping, columns): (usize, Vec<PyColumn<'_>>)| {
            Ok(RandomTerm {
                grouping,
                columns: columns.into_iter().map(recipe).collect::<PyResult<_>>()?,
            })
        };
        let design = Design {
            table,
            fixed: fixed.into_iter().map(recipe).collect::<PyResult<_>>()?,
            constant: constant.as_ref().map(numbers).transpose()?,
            groupings: groups.iter().map(grouping).collect::<PyResult<_>>()?,
            terms: terms.into_iter().map(term).collect::<PyResult<_>>()?,
        };
        validate(&design)?;
        Ok(PyDesign {
            design: Arc::new(design),
        })
    }

    /// Rows kept.
    #[getter]
    fn n(&self) -> usize {
        self.design.table.n()
    }

    #[pyo3(signature = (*, reml, optimizer="newton", tolerance=1e-9, max_evaluations=1000, time_limit=None, start=None, n_threads=None, callback=None))]
    #[allow(clippy::too_many_arguments)]
    fn fit(
        &self,
        py: Python<'_>,
        reml: bool,
        optimizer: &str,
        tolerance: f64,
        max_evaluations: usize,
        time_limit: Option<f64>,
        start: Option<PyReadonlyArray1<'_, f64>>,
        n_threads: Option<usize>,
        callback: Option<Py<PyAny>>,
    ) -> PyResult<PyFit> {
        let settings = settings(optimizer, tolerance, max_evaluations, time_limit, start)?;
        self.require_response()?;
        fit(py, self.design.clone(), reml, settings, n_threads, callback)
    }

    /// The same columns with another response.
    fn with_response(&self, y: PyReadonlyArray1<'_, f64>) -> PyResult<PyDesign> {
        Ok(PyDesign {
            design: Arc::new(with_response(&self.design, &y)?),
        })
    }
}

impl PyDesign {
    /// Designs of new data have no response, and no fit.
    pub fn require_response(&self) -> PyResult<()> {
        check(
            self.design.table.response.is_some(),
            "a model needs a response",
        )
    }
}

/// Settings of the optimiser.
pub fn settings(
    optimizer: &str,
    tolerance: f64,
    max_evaluations: usize,
    time_limit: Option<f64>,
    start: Option<PyReadonlyArray1<'_, f64>>,
) -> PyResult<Settings> {
    check(
        time_limit.is_none_or(|seconds| seconds >= 0.0),
        "time_limit must be a number of seconds, 0 or more",
    )?;
    Ok(Settings {
        optimizer: optimizer_named(optimizer)?,
        tolerance,
        max_evaluations,
        time_limit: time_limit
            .map(|seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
        start: start.as_ref().map(numbers).transpose()?,
    })
}

/// A design with another response (by reference).
pub fn with_response(design: &Design, y: &PyReadonlyArray1<'_, f64>) -> PyResult<Design> {
    let mut design = design.clone();
    design.table.response = Some(column(y)?);
    validate(&design)?;
    Ok(design)
}

pub fn optimizer_named(name: &str) -> PyResult<Optimizer> {
    [Optimizer::Newton, Optimizer::Bfgs, Optimizer::NelderMead]
        .into_iter()
        .find(|optimizer| optimizer.name() == name)
        .ok_or_else(|| {
            Error::Data(format!(
                "unknown optimizer '{name}': use 'newton', 'bfgs' or 'nelder-mead'"
            ))
            .into()
        })
}

/// Threads and supervision for a design's size.
pub fn manner(design: &Design, n_threads: Option<usize>, callback: Option<Py<PyAny>>) -> Manner {
    let short = products(design) < SHORT && effects(design).sum::<usize>() < FEW;
    Manner {
        threads: if short { 1 } else { threads(n_threads) },
        short,
        callback,
    }
}

/// The same for a generalised model, whose fit makes a hundred passes over the rows; threads are of use
/// once a pass takes much longer than to start them, or the complement is large.
pub fn manner_of_passes(
    design: &Design,
    n_threads: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> Manner {
    let (products, total) = (products(design), effects(design).sum::<usize>());
    let rest = total - effects(design).max().unwrap_or(0);
    let alone = products < SHORT && rest < FEW;
    Manner {
        threads: if alone { 1 } else { threads(n_threads) },
        short: products < SHORT / PASSES && total < FEW,
        callback,
    }
}

/// Products of rows and columns.
pub fn products(design: &Design) -> usize {
    let columns = design.terms.iter().map(|term| term.columns.len());
    let columns = design.fixed.len() + 1 + columns.sum::<usize>();
    design.table.n().saturating_mul(columns)
}

/// Random effects of every term.
fn effects(design: &Design) -> impl Iterator<Item = usize> + '_ {
    let terms = design.terms.iter();
    terms.map(|term| design.groupings[term.grouping].levels * term.columns.len())
}

fn threads(wanted: Option<usize>) -> usize {
    (wanted.filter(|&threads| threads > 0)).unwrap_or_else(default_threads)
}

/// Fit under supervision.
pub fn fit(
    py: Python<'_>,
    design: Arc<Design>,
    reml: bool,
    settings: Settings,
    n_threads: Option<usize>,
    callback: Option<Py<PyAny>>,
) -> PyResult<PyFit> {
    let own = design.clone();
    let result = supervise(
        py,
        manner(&design, n_threads, callback),
        move |team, report| lmm::fit(&own, reml, &settings, report, team),
    )?;
    Ok(PyFit::new(design, Arc::new(result), n_threads))
}
