//! What tests and intervals of a `Fit` are made of.

use super::fit::PyFit;
use super::supervise::supervise;
use crate::curve::{Curve, Parameter};
use crate::error::{Error, Result};
use crate::lmm::Fit;
use crate::modes;
use crate::profile;
use crate::variance;
use numpy::ndarray::Dimension;
use numpy::{IntoPyArray, PyArray1, PyArray2, PyArrayMethods};
use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Values, ζ, θ with scale and β at each (points, n_theta + 1 + p), whether the parameter's range ends at
/// the last; or why the curve could not be traced, and
/// where a better optimum was found.
#[derive(IntoPyObject)]
pub struct CurvePoints<'py>(
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray1<f64>>,
    Bound<'py, PyArray2<f64>>,
    bool,
    Option<String>,
    Option<(f64, Bound<'py, PyArray1<f64>>)>,
);

fn parameter(fit: &Fit, kind: &str, index: usize) -> PyResult<Parameter> {
    match kind {
        "theta" if index < fit.theta.len() => Ok(Parameter::Theta(index)),
        "sigma" => Ok(Parameter::Sigma),
        "beta" if fit.system.basis.kept.contains(&index) => Ok(Parameter::Coefficient(index)),
        _ => Err(Error::Data(format!("there is no parameter {kind} {index} to profile")).into()),
    }
}

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
    /// ∂²d/∂θ∂θ' at the estimate, in the user's θ.
    fn hessian<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (fit, size) = (self.fit.clone(), self.fit.theta.len());
        let hessian = supervise(py, self.manner(), move |team, _| {
            variance::hessian(&fit, team)
        })?;
        hessian.into_pyarray(py).reshape([size, size])
    }

    /// Derivatives in the optimiser's θ at the estimate: what Satterthwaite's method needs.
    fn information<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fit = self.fit.clone();
        let (size, rank) = (fit.theta.len(), fit.system.rank());
        let found = supervise(py, self.manner(), move |team, _| {
            variance::information(&fit, team)
        })?;
        let dict = PyDict::new(py);
        put(&dict, "hessian", found.hessian, [size, size])?;
        put(&dict, "score", found.score, [size])?;
        put(&dict, "fixed", found.fixed, [size, rank, rank])?;
        put(&dict, "covariance", found.covariance, [size, size])?;
        Ok(dict)
    }

    /// S with vcov(β̂) = σ²SS', for the coefficients kept.
    fn root<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArray2<f64>>> {
        let (fit, rank) = (self.fit.clone(), self.fit.system.rank());
        let root = supervise(py, self.manner(), move |team, _| variance::root(&fit, team))?;
        root.into_pyarray(py).reshape([rank, rank])
    }

    /// What Kenward and Roger's method needs, by elements of every λλ'.
    fn variance_products<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let fit = self.fit.clone();
        let (size, rank) = (fit.theta.len(), fit.system.rank());
        let found = supervise(py, self.manner(), move |team, _| {
            variance::variance_products(&fit, team)
        })?;
        let dict = PyDict::new(py);
        put(&dict, "elements", found.elements, [size])?;
        put(&dict, "fixed", found.fixed, [size, rank, rank])?;
        put(&dict, "pairs", found.pairs, [size, size, rank, rank])?;
        put(&dict, "traces", found.traces.pairs, [size, size])?;
        put(&dict, "trace", found.traces.single, [size])?;
        Ok(dict)
    }

    /// One side of every curve asked for: (kind, index, estimate, step, upwards) → values, ζ, all
    /// parameters there, whether the range ended there; or why there is none.
    #[pyo3(signature = (curves, targets, n_threads=None))]
    fn profile<'py>(
        &self,
        py: Python<'py>,
        curves: Vec<(String, usize, f64, f64, bool)>,
        targets: Vec<f64>,
        n_threads: Option<usize>,
    ) -> PyResult<Vec<CurvePoints<'py>>> {
        let fit = self.fit.clone();
        let parameters = curves
            .iter()
            .map(|(kind, index, ..)| parameter(&fit, kind, *index));
        let parameters: Vec<Parameter> = parameters.collect::<PyResult<_>>()?;
        let mut manner = self.manner();
        if let (false, Some(threads)) = (manner.short, n_threads) {
            manner.threads = threads;
        }
        let found = supervise(py, manner, move |team, _| {
            let task = |k: usize| {
                let (_, _, estimate, step, upwards) = curves[k];
                profile::trace(
                    Curve::new(&fit, parameters[k]),
                    (estimate, step),
                    upwards,
                    &targets,
                    &team.alone(),
                )
            };
            Ok(team.map(curves.len(), task))
        })?;
        found
            .into_iter()
            .map(|curve| curve_points(py, curve))
            .collect()
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

/// One side of a curve for Python; only an interrupt is an error.
pub fn curve_points(
    py: Python<'_>,
    curve: Result<Vec<profile::Point>>,
) -> PyResult<CurvePoints<'_>> {
    let (points, failure) = match curve {
        Ok(points) => (points, None),
        Err(Error::Interrupted) => return Err(Error::Interrupted.into()),
        Err(error) => (Vec::new(), Some(error)),
    };
    let better = match &failure {
        Some(Error::BetterOptimum { by, theta }) => Some((*by, PyArray1::from_slice(py, theta))),
        _ => None,
    };
    let optima: Vec<f64> = points
        .iter()
        .flat_map(|point| point.optimum.row())
        .collect();
    let shape = [points.len(), optima.len() / points.len().max(1)];
    let column = |of: fn(&profile::Point) -> f64| -> Vec<f64> { points.iter().map(of).collect() };
    Ok(CurvePoints(
        column(|point| point.value).into_pyarray(py),
        column(|point| point.zeta).into_pyarray(py),
        optima.into_pyarray(py).reshape(shape)?,
        points.last().is_some_and(|point| point.boundary),
        failure.map(|error| error.to_string()),
        better,
    ))
}
