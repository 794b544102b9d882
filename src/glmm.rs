//! One generalised linear mixed model, from design to fit.
//!
//! Start: β by PIRLS without random effects, θ by moments of the score, both by PIRLS together. With nAGQ =
//! 0 (and without random effects) β stays with PIRLS and the criterion is a function of θ alone; else the
//! criterion is minimised over (θ, β) and a dispersion parameter.

use crate::columns::{Column, Design};
use crate::cross_products::CrossProducts;
use crate::effects::Effects;
use crate::error::{Error, Result};
use crate::estimates::{coefficients, covariance};
use crate::family::Family;
use crate::lambda::Small;
use crate::laplace::{Found, Laplace, Model};
use crate::lmm::{from_user, optimise};
use crate::modes;
use crate::moments;
use crate::multipliers;
use crate::objective::{cholesky_in_place, inverse_gram};
use crate::observations::{Observations, Responses};
use crate::outcome::{Optimizer, Outcome, Reason, Report, Settings};
use crate::parallel::Team;
use crate::pirls::Pirls;
use crate::pirls_solve::Unknowns;
use crate::quadratic::norm;
use crate::system::System;
use std::sync::Arc;
use std::time::Instant;

/// Rows up to which a second start costs little, the share of the first that it begins with, and the fall of
/// the criterion that makes it the better one.
const FEW: usize = 5000;
const SMALLER: f64 = 0.2;
const LOWER: f64 = 1e-7;
/// Relative difference that is rounding, not a change of sign.
const TURNED: f64 = 1e-8;
/// Starting values tried, each a tenth of the one before.
const ATTEMPTS: usize = 8;
/// Range of the log of a dispersion parameter to start from.
const LOG_DISPERSION: (f64, f64) = (-4.0, 8.0);

/// A fitted model in the user's coordinates.
#[derive(Clone)]
pub struct GeneralizedFit {
    pub system: Arc<System>,
    pub observations: Arc<Observations>,
    pub responses: Arc<Responses>,
    pub model: Model,
    pub settings: Settings,
    /// The family with the dispersion as estimated.
    pub family: Family,
    /// The optimiser's parameters, and the modes there.
    pub internal: Vec<f64>,
    pub at: Unknowns,
    pub theta: Vec<f64>,
    /// β by column of X; NaN where dropped.
    pub beta: Vec<f64>,
    /// Covariance of β with θ taken as known, p × p; NaN where dropped.
    pub conditional_vcov: Vec<f64>,
    pub sigma: f64,
    pub criterion: f64,
    pub log_det_l: f64,
    pub log_det_rx: f64,
    pub wrss: f64,
    pub ussq: f64,
    /// Conditional modes: per public term, levels × effects, row-major.
    pub modes: Vec<Vec<f64>>,
    pub evaluations: usize,
    pub iterations: usize,
    pub reason: Reason,
    pub optimizer: Optimizer,
    pub gradient_norm: f64,
    pub decrement: f64,
    pub multipliers: Vec<f64>,
    pub singular: bool,
    pub residual_check: f64,
    pub messages: Vec<String>,
    pub seconds: f64,
}

impl GeneralizedFit {
    /// The criterion of this model, ready to be evaluated near the estimate.
    pub fn problem<'s, 'a>(&'s self, team: &'a Team) -> Result<Laplace<'s, 'a>> {
        let mut pirls = Pirls::new(
            &self.system,
            &self.observations,
            &self.responses,
            self.family,
            joint(&self.system, self.model.nodes),
        );
        pirls.at = self.at.clone();
        Laplace::new(pirls, self.model, team)
    }
}

/// Does PIRLS find β?
fn joint(system: &System, nodes: usize) -> bool {
    nodes == 0 || system.groups.is_empty()
}

/// Fit a design.
pub fn fit(
    design: &Design,
    model: Model,
    settings: &Settings,
    report: Report<'_>,
    team: &Team,
) -> Result<GeneralizedFit> {
    let began = Instant::now();
    let system = Arc::new(structure(design, team)?);
    let observations = Arc::new(Observations::new(design, &system, team)?);
    let responses = Arc::new(observations.responses(design));
    fit_responses(
        (system, observations, responses),
        model,
        settings,
        None,
        report,
        team,
        began,
    )
}

pub type Data = (Arc<System>, Arc<Observations>, Arc<Responses>);

/// Fit responses of an analysed design; `start` is another fit of it.
pub fn fit_responses(
    (system, observations, responses): Data,
    model: Model,
    settings: &Settings,
    start: Option<&GeneralizedFit>,
    report: Report<'_>,
    team: &Team,
    began: Instant,
) -> Result<GeneralizedFit> {
    let pirls = Pirls::new(&system, &observations, &responses, model.family, true);
    let mut problem = Laplace::new(pirls, model, team)?;
    let parameters = match start {
        Some(fit) => restart(&mut problem, fit),
        None => first(&mut problem, settings)?,
    };
    let theta = parameters[..system.parameters].to_vec();
    let (mut outcome, mut messages) = optimise(&mut problem, settings, parameters, report, began)?;
    if start.is_none() && settings.start.is_none() && may_have_several_minima(&problem) {
        let place = problem.place();
        let other = elsewhere(&mut problem, &theta)
            .and_then(|start| optimise(&mut problem, settings, start, report, began));
        match other {
            Err(error @ (Error::Interrupted | Error::Memory { .. })) => return Err(error),
            Ok((other, more)) if other.criterion < outcome.criterion - LOWER => {
                (outcome, messages) = (other, more);
            }
            _ => problem.return_to(place),
        }
    }
    let data = (system.clone(), observations.clone(), responses.clone());
    let fit = finish(problem, data, (model, settings), outcome, messages, began)?;
    team.check()?;
    Ok(fit)
}

/// Correlated effects of few rows, and criteria that are not free of units, may have minima at large and at
/// small variances: there a second start costs little.
fn may_have_several_minima(problem: &Laplace<'_, '_>) -> bool {
    let groups = &problem.pirls.system.groups;
    let vector = groups.iter().any(|group| group.effects() > 1);
    let few = problem.pirls.observations.n <= FEW;
    few && !groups.is_empty() && (vector || problem.pirls.family.profiles_dispersion())
}

/// Another start: smaller variances than the moments', and β to match.
fn elsewhere(problem: &mut Laplace<'_, '_>, theta: &[f64]) -> Result<Vec<f64>> {
    let theta = theta.iter().map(|value| SMALLER * value).collect();
    problem.pirls.joint = true;
    let theta = near(&mut problem.pirls, theta, problem.team);
    problem.pirls.joint = joint(problem.pirls.system, problem.model.nodes);
    Ok(problem.parameters(&theta?))
}

/// The system of a design, without response, weights and offset: its groups, order of elimination and rank.
pub fn structure(design: &Design, team: &Team) -> Result<System> {
    let mut bare = design.clone();
    bare.table.response = Some(Column::constant(0.0, bare.table.n_table));
    bare.table.weights = None;
    bare.table.offset = None;
    System::new(&CrossProducts::new(&bare, team)?, team)
}

/// Where another fit ended, off the boundary.
fn restart(problem: &mut Laplace<'_, '_>, fit: &GeneralizedFit) -> Vec<f64> {
    problem.pirls.joint = joint(problem.pirls.system, problem.model.nodes);
    problem.pirls.at = fit.at.clone();
    crate::refit::lift(&fit.system, fit.internal.clone())
}

/// Starting values from the data.
fn first(problem: &mut Laplace<'_, '_>, settings: &Settings) -> Result<Vec<f64>> {
    let (system, team) = (problem.pirls.system, problem.team);
    if problem.model.dispersed() {
        problem.pirls.family = problem.pirls.family.with_dispersion(1.0);
    }
    let none = lambdas(system, &vec![0.0; system.parameters]);
    problem.pirls.find_from_data(none, team).map_err(no_start)?;
    if problem.model.dispersed() {
        let dispersion = moment_dispersion(&problem.pirls);
        problem.pirls.family = problem.pirls.family.with_dispersion(dispersion);
    }
    let theta = match &settings.start {
        Some(theta) => from_user(system, theta)?,
        None => moments::theta(&problem.pirls, team),
    };
    let theta = match settings.start {
        None => feasible(&mut problem.pirls, theta, team),
        Some(_) => near(&mut problem.pirls, theta, team),
    };
    let theta = theta.map_err(no_start)?;
    problem.pirls.joint = joint(system, problem.model.nodes);
    Ok(problem.parameters(&theta))
}

/// The modes near θ.
fn near(pirls: &mut Pirls<'_>, theta: Vec<f64>, team: &Team) -> Result<Vec<f64>> {
    if !theta.is_empty() {
        let start = pirls.at.clone();
        pirls.near(lambdas(pirls.system, &theta), start, team)?;
    }
    Ok(theta)
}

/// The modes near θ; where the dispersion is profiled out, and weights may be of any size, the modes at θ or
/// at the first share of it (a tenth, a hundredth, …) that has some.
fn feasible(pirls: &mut Pirls<'_>, mut theta: Vec<f64>, team: &Team) -> Result<Vec<f64>> {
    if !pirls.family.profiles_dispersion() || theta.is_empty() {
        return near(pirls, theta, team);
    }
    let start = pirls.at.clone();
    for _ in 0..ATTEMPTS {
        match pirls.find(lambdas(pirls.system, &theta), start.clone(), team) {
            Err(Error::Infeasible(_)) => theta.iter_mut().for_each(|value| *value *= 0.1),
            found => return found.map(|()| theta),
        }
    }
    pirls.at = start;
    near(pirls, theta, team)
}

/// λ̃ of every group.
pub fn lambdas(system: &System, theta: &[f64]) -> Vec<Small> {
    let groups = system.groups.iter();
    groups
        .map(|group| group.template.factor(&group.pick(theta)))
        .collect()
}

fn no_start(error: Error) -> Error {
    match error {
        Error::Infeasible(text) => Error::Convergence(format!(
            "no starting values were found ({text}): the mean leaves the range of the family under this \
             link, or the likelihood has no maximum; use another link, or look for a coefficient that \
             separates the response"
        )),
        other => other,
    }
}

/// The dispersion parameter at which the squared residuals have their expectation.
fn moment_dispersion(pirls: &Pirls<'_>) -> f64 {
    let (responses, n) = (pirls.responses, pirls.observations.n);
    let excess = |log: f64| -> f64 {
        let family = pirls.family.with_dispersion(log.exp());
        let ratio = |i: usize| {
            let mean = family.mean(pirls.eta[i]);
            responses.weight[i] * (responses.y[i] - mean).powi(2) / family.variance(mean) - 1.0
        };
        (0..n).map(ratio).filter(|value| value.is_finite()).sum()
    };
    let (mut low, mut high) = LOG_DISPERSION;
    // The variance falls with the dispersion parameter (negative binomial, beta) or rises (nb1).
    let falling = excess(high) > excess(low);
    for _ in 0..40 {
        let middle = 0.5 * (low + high);
        if (excess(middle) < 0.0) == falling {
            low = middle;
        } else {
            high = middle;
        }
    }
    (0.5 * (low + high)).exp()
}

/// Estimates at the optimum.
fn finish(
    mut problem: Laplace<'_, '_>,
    (system, observations, responses): Data,
    (model, settings): (Model, &Settings),
    outcome: Outcome,
    mut messages: Vec<String>,
    began: Instant,
) -> Result<GeneralizedFit> {
    let parameters = upright(&system, &outcome.theta)?;
    let found = problem.settle(&parameters)?;
    let residual_check = problem.residual_check()?;
    let multipliers = multipliers::smallest(&system, &outcome);
    if multipliers.iter().any(|&value| value < 0.0) && outcome.reason.converged() {
        messages.push("a variance at zero would lower the criterion if it were released".into());
    }
    let Found {
        criterion, log_det, ..
    } = found;
    let (sigma, wrss) = (sigma(&problem.pirls), wrss(&problem.pirls));
    let mut information = problem.fixed_information()?;
    let p = system.rank();
    if !cholesky_in_place(&mut information, p) {
        return Err(Error::Convergence(
            "the fixed effects cannot be told apart at the optimum: some are not estimable, or separate the response".into(),
        ));
    }
    let log_det_e: f64 = (0..p).map(|i| 2.0 * information[i * p + i].ln()).sum();
    let pirls = problem.pirls;
    Ok(GeneralizedFit {
        theta: multipliers::to_user(&system, &outcome.theta[..system.parameters]),
        beta: coefficients(&system, &pirls.at.beta),
        conditional_vcov: covariance(&system, inverse_gram(&information, p), sigma * sigma),
        sigma,
        criterion,
        log_det_l: log_det,
        log_det_rx: log_det_e + 2.0 * system.basis.log_det(&system.coordinates),
        wrss,
        ussq: pirls.at.u.dot(&pirls.at.u),
        modes: modes::by_term(&system, &spherical(&system, &pirls.at.u), &parameters, 1.0),
        evaluations: problem.evaluations,
        iterations: outcome.iterations,
        reason: outcome.reason,
        optimizer: outcome.optimizer,
        gradient_norm: norm(&outcome.gradient),
        decrement: outcome.decrement,
        singular: multipliers::is_singular(&system, &outcome.theta),
        multipliers,
        residual_check,
        messages,
        seconds: began.elapsed().as_secs_f64(),
        family: pirls.family,
        at: pirls.at,
        internal: parameters,
        settings: settings.clone(),
        model,
        system,
        observations,
        responses,
    })
}

/// The optimiser's parameters with θ turned to where the user's θ comes from: non-negative diagonals.
fn upright(system: &System, parameters: &[f64]) -> Result<Vec<f64>> {
    let theta = &parameters[..system.parameters];
    let turned = from_user(system, &multipliers::to_user(system, theta))?;
    let same = theta
        .iter()
        .zip(&turned)
        .all(|(a, b)| (a - b).abs() <= TURNED * b.abs());
    let mut upright = parameters.to_vec();
    if !same {
        upright[..theta.len()].copy_from_slice(&turned);
    }
    Ok(upright)
}

/// Spherical effects of every group, levels × effects.
pub fn spherical(system: &System, u: &Effects) -> Vec<Vec<f64>> {
    let of = |group: usize| match group {
        0 => u.leading.clone(),
        _ => modes::by_level(system, &u.rest, group),
    };
    (0..system.groups.len()).map(of).collect()
}

/// σ̂, 1 where the family has none to profile.
pub fn sigma(pirls: &Pirls<'_>) -> f64 {
    match pirls.family.profiles_dispersion() {
        true => ((wrss(pirls) + pirls.at.u.dot(&pirls.at.u)) / pirls.observations.n as f64).sqrt(),
        false => 1.0,
    }
}

/// The Pearson residual sum of squares.
fn wrss(pirls: &Pirls<'_>) -> f64 {
    let square = |(s, w): (&f64, &f64)| if *w > 0.0 { s * s / w } else { 0.0 };
    let rows = &pirls.rows;
    rows.score.iter().zip(&rows.weight).map(square).sum()
}
