//! A fit's numbers as a dictionary, and the fit again on a design of the same data, without optimising.

use super::design::{check, manner, manner_of_passes, numbers, settings, PyDesign};
use super::family::PyFamily;
use super::fit::PyFit;
use super::generalized::{model_of, PyGeneralizedFit};
use super::supervise::supervise;
use crate::columns::Design;
use crate::cross_products::CrossProducts;
use crate::effects::Effects;
use crate::error::Error;
use crate::glmm::{structure, GeneralizedFit};
use crate::laplace::Model;
use crate::lmm::{check_identified, Fit};
use crate::observations::Observations;
use crate::outcome::{Optimizer, Reason, Settings};
use crate::pirls_solve::Unknowns;
use crate::system::System;
use numpy::{PyArray1, PyReadonlyArray1};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Arc;

/// Fields of a fit into a dictionary: numbers, and vectors of numbers.
macro_rules! put {
    ($dict:expr, $fit:expr; $($number:ident),*; $($vector:ident),*) => {
        $($dict.set_item(stringify!($number), $fit.$number)?;)*
        $($dict.set_item(stringify!($vector), PyArray1::from_slice($dict.py(), &$fit.$vector))?;)*
        let modes = $fit.modes.iter();
        let modes: Vec<_> = modes.map(|m| PyArray1::from_slice($dict.py(), m)).collect();
        $dict.set_item("modes", modes)?;
        $dict.set_item("reason", $fit.reason.text())?;
        $dict.set_item("optimizer", $fit.optimizer.name())?;
        $dict.set_item("messages", $fit.messages.clone())?;
    };
}

/// The numbers of a dictionary.
struct State<'s, 'py>(&'s Bound<'py, PyDict>);

impl<'py> State<'_, 'py> {
    fn item(&self, name: &str) -> PyResult<Bound<'py, PyAny>> {
        let lacks = || Error::Data(format!("the state of the fit has no '{name}'"));
        Ok(self.0.get_item(name)?.ok_or_else(lacks)?)
    }

    fn number(&self, name: &str) -> PyResult<f64> {
        self.item(name)?.extract()
    }

    fn whole(&self, name: &str) -> PyResult<usize> {
        self.item(name)?.extract()
    }

    fn flag(&self, name: &str) -> PyResult<bool> {
        self.item(name)?.extract()
    }

    fn texts(&self, name: &str) -> PyResult<Vec<String>> {
        self.item(name)?.extract()
    }

    /// A vector of this length.
    fn vector(&self, name: &str, length: usize) -> PyResult<Vec<f64>> {
        let array: PyReadonlyArray1<'py, f64> = self.item(name)?.extract()?;
        let values = numbers(&array)?;
        check(
            values.len() == length,
            &format!(
                "'{name}' of the fit's state has {} numbers; this model has {length}",
                values.len()
            ),
        )?;
        Ok(values)
    }

    /// The optimiser's parameters.
    fn internal(&self, length: usize) -> PyResult<Vec<f64>> {
        let internal = self.vector("internal", length)?;
        let finite = internal.iter().all(|value| value.is_finite());
        check(
            finite,
            "the parameters in the fit's state are not all finite",
        )?;
        Ok(internal)
    }

    /// Multipliers of whatever was on its bound.
    fn multipliers(&self) -> PyResult<Vec<f64>> {
        let array: PyReadonlyArray1<'py, f64> = self.item("multipliers")?.extract()?;
        numbers(&array)
    }

    fn modes(&self, design: &Design) -> PyResult<Vec<Vec<f64>>> {
        let arrays: Vec<PyReadonlyArray1<'py, f64>> = self.item("modes")?.extract()?;
        let modes: Vec<Vec<f64>> = arrays.iter().map(numbers).collect::<PyResult<_>>()?;
        let size = |term: &crate::columns::RandomTerm| {
            design.groupings[term.grouping].levels * term.columns.len()
        };
        let sizes = design.terms.iter().map(size);
        check(
            modes.len() == design.terms.len() && modes.iter().map(Vec::len).eq(sizes),
            "the conditional modes in the fit's state are not those of this model",
        )?;
        Ok(modes)
    }

    fn reason(&self) -> PyResult<Reason> {
        let text: String = self.item("reason")?.extract()?;
        let found = Reason::ALL.into_iter().find(|reason| reason.text() == text);
        Ok(
            found
                .ok_or_else(|| Error::Data(format!("unknown reason '{text}' in a fit's state")))?,
        )
    }

    fn optimizer(&self) -> PyResult<Optimizer> {
        let name: String = self.item("optimizer")?.extract()?;
        super::design::optimizer_named(&name)
    }
}

#[pymethods]
impl PyFit {
    /// Everything that `Design.revive` needs beside the design and the settings.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (dict, fit) = (PyDict::new(py), &self.fit);
        put!(dict, fit;
            reml, sigma, criterion, log_det_l, log_det_rx, pwrss, wrss, ussq, evaluations, iterations,
            gradient_norm, decrement, singular, residual_check, seconds;
            internal, theta, beta, vcov, multipliers);
        Ok(dict)
    }
}

#[pymethods]
impl PyGeneralizedFit {
    /// Everything that `Design.revive_generalized` needs beside the design, the family and the settings.
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (dict, fit) = (PyDict::new(py), &self.fit);
        put!(dict, fit;
            sigma, criterion, log_det_l, log_det_rx, wrss, ussq, evaluations, iterations, gradient_norm,
            decrement, singular, residual_check, seconds;
            internal, theta, beta, conditional_vcov, multipliers);
        dict.set_item("dispersion", fit.family.dispersion)?;
        let vectors = [
            ("leading_modes", &fit.at.u.leading),
            ("other_modes", &fit.at.u.rest),
            ("coordinates", &fit.at.beta),
        ];
        for (name, values) in vectors {
            dict.set_item(name, PyArray1::from_slice(py, values))?;
        }
        Ok(dict)
    }
}

#[pymethods]
impl PyDesign {
    /// The linear fit of this state.
    #[pyo3(signature = (state, *, optimizer="newton", tolerance=1e-9, max_evaluations=1000, time_limit=None, start=None, n_threads=None))]
    #[allow(clippy::too_many_arguments)]
    fn revive(
        &self,
        py: Python<'_>,
        state: &Bound<'_, PyDict>,
        optimizer: &str,
        tolerance: f64,
        max_evaluations: usize,
        time_limit: Option<f64>,
        start: Option<PyReadonlyArray1<'_, f64>>,
        n_threads: Option<usize>,
    ) -> PyResult<PyFit> {
        let settings = settings(optimizer, tolerance, max_evaluations, time_limit, start)?;
        self.require_response()?;
        let (design, state) = (self.design.clone(), State(state));
        let reml = state.flag("reml")?;
        let own = design.clone();
        let system = supervise(py, manner(&design, n_threads, None), move |team, _| {
            let system = System::new(&CrossProducts::new(&own, team)?, team)?;
            check_identified(&system, reml).map(|()| system)
        })?;
        let fit = linear(&state, &design, system, settings)?;
        Ok(PyFit::new(design, Arc::new(fit), n_threads))
    }

    /// The generalised fit of this state.
    #[pyo3(signature = (family, state, *, criterion="fisher", quadrature=1, optimizer="newton", tolerance=1e-9, max_evaluations=1000, time_limit=None, start=None, n_threads=None))]
    #[allow(clippy::too_many_arguments)]
    fn revive_generalized(
        &self,
        py: Python<'_>,
        family: &PyFamily,
        state: &Bound<'_, PyDict>,
        criterion: &str,
        quadrature: usize,
        optimizer: &str,
        tolerance: f64,
        max_evaluations: usize,
        time_limit: Option<f64>,
        start: Option<PyReadonlyArray1<'_, f64>>,
        n_threads: Option<usize>,
    ) -> PyResult<PyGeneralizedFit> {
        let settings = settings(optimizer, tolerance, max_evaluations, time_limit, start)?;
        self.require_response()?;
        let model = model_of(family, criterion, quadrature)?;
        let (design, own) = (self.design.clone(), self.design.clone());
        let manner = manner_of_passes(&design, n_threads, None);
        let data = supervise(py, manner, move |team, _| {
            let system = Arc::new(structure(&own, team)?);
            let observations = Observations::new(&own, &system, team)?;
            Ok((system, observations))
        })?;
        let fit = generalized(&State(state), &design, data, (model, settings))?;
        Ok(PyGeneralizedFit {
            design,
            fit: Arc::new(fit),
            n_threads,
        })
    }
}

/// A fit whose own fields are given, the ones that both kinds have taken from the state.
macro_rules! revived {
    ($kind:ident, $state:expr, $design:expr; $($own:tt)*) => {
        $kind {
            theta: $state.vector("theta", $design.parameters)?,
            beta: $state.vector("beta", $design.fixed)?,
            sigma: $state.number("sigma")?,
            criterion: $state.number("criterion")?,
            log_det_l: $state.number("log_det_l")?,
            log_det_rx: $state.number("log_det_rx")?,
            wrss: $state.number("wrss")?,
            ussq: $state.number("ussq")?,
            evaluations: $state.whole("evaluations")?,
            iterations: $state.whole("iterations")?,
            reason: $state.reason()?,
            optimizer: $state.optimizer()?,
            gradient_norm: $state.number("gradient_norm")?,
            decrement: $state.number("decrement")?,
            multipliers: $state.multipliers()?,
            singular: $state.flag("singular")?,
            residual_check: $state.number("residual_check")?,
            messages: $state.texts("messages")?,
            seconds: $state.number("seconds")?,
            $($own)*
        }
    };
}

/// Parameters of Λ and columns of X.
struct Lengths {
    parameters: usize,
    fixed: usize,
}

fn linear(
    state: &State<'_, '_>,
    design: &Design,
    system: System,
    settings: Settings,
) -> PyResult<Fit> {
    let (parameters, fixed) = (system.parameters, design.fixed.len());
    let lengths = Lengths { parameters, fixed };
    Ok(revived!(Fit, state, lengths;
        reml: state.flag("reml")?,
        settings,
        internal: state.internal(parameters)?,
        vcov: state.vector("vcov", fixed * fixed)?,
        pwrss: state.number("pwrss")?,
        modes: state.modes(design)?,
        parked: Arc::default(),
        system: Arc::new(system),
    ))
}

fn generalized(
    state: &State<'_, '_>,
    design: &Design,
    (system, observations): (Arc<System>, Observations),
    (model, settings): (Model, Settings),
) -> PyResult<GeneralizedFit> {
    let (parameters, fixed, rank) = (system.parameters, design.fixed.len(), system.rank());
    let lengths = Lengths { parameters, fixed };
    let leading = system.groups.first();
    let in_leading = leading.map_or(0, |group| group.levels * group.effects());
    let outer = model.nodes > 0 && !system.groups.is_empty();
    let searched = parameters + if outer { rank } else { 0 } + usize::from(model.dispersed());
    Ok(revived!(GeneralizedFit, state, lengths;
        responses: Arc::new(observations.responses(design)),
        observations: Arc::new(observations),
        family: model.family.with_dispersion(state.number("dispersion")?),
        model,
        settings,
        internal: state.internal(searched)?,
        at: Unknowns {
            u: Effects {
                count: 1,
                leading: state.vector("leading_modes", in_leading)?,
                rest: state.vector("other_modes", system.symbolic.size)?,
            },
            beta: state.vector("coordinates", rank)?,
        },
        conditional_vcov: state.vector("conditional_vcov", fixed * fixed)?,
        modes: state.modes(design)?,
        system,
    ))
}
