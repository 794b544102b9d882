//! One linear mixed model, from design to fit.

use crate::columns::Design;
use crate::cross_products::CrossProducts;
use crate::derivative_free;
use crate::error::{Error, Result};
use crate::estimates::{estimates, unbounded, PERFECT};
use crate::modes;
use crate::multipliers;
use crate::objective::{degrees, Profile};
use crate::optimize::{Criterion, Search};
use crate::outcome::{Optimizer, Outcome, Reason, Report, Settings};
use crate::parallel::Team;
use crate::problem::{Parked, Problem};
use crate::quadratic::norm;
use crate::rank::Sequence;
use crate::start;
use crate::system::System;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

/// A fitted model in the user's coordinates.
#[derive(Clone)]
pub struct Fit {
    pub system: Arc<System>,
    pub reml: bool,
    pub settings: Settings,
    /// The optimiser's θ.
    pub internal: Vec<f64>,
    pub theta: Vec<f64>,
    /// β by column of X; NaN where dropped.
    pub beta: Vec<f64>,
    /// σ²(X'V⁻¹X)⁻¹, p × p; NaN where dropped.
    pub vcov: Vec<f64>,
    pub sigma: f64,
    pub criterion: f64,
    pub log_det_l: f64,
    pub log_det_rx: f64,
    pub pwrss: f64,
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
    /// The factor at the optimum, between uses.
    pub(crate) parked: Arc<Mutex<Option<Parked>>>,
}

impl Fit {
    /// Work with the factor at the optimum: the one that the fit left, where it was kept and nobody
    /// else is using it.
    pub fn at_optimum<T>(
        &self,
        team: &Team,
        work: impl FnOnce(&mut Problem<'_, '_>, Profile) -> Result<T>,
    ) -> Result<T> {
        let slot = || self.parked.lock().unwrap_or_else(PoisonError::into_inner);
        let parked = slot().take();
        let mut problem = match parked {
            Some(parked) => Problem::resume(&self.system, self.reml, team, parked),
            None => Problem::new(&self.system, self.reml, team),
        };
        let profile = problem.settle(&self.internal)?;
        let answer = work(&mut problem, profile)?;
        *slot() = problem.park();
        Ok(answer)
    }
}

/// Fit a design: cross-products, symbolic analysis, optimum, estimates.
pub fn fit(
    design: &Design,
    reml: bool,
    settings: &Settings,
    report: Report<'_>,
    team: &Team,
) -> Result<Fit> {
    let began = Instant::now();
    let sums = CrossProducts::new(design, team)?;
    let system = Arc::new(System::new(&sums, team)?);
    check_identified(&system, reml)?;
    let mut problem = Problem::new(&system, reml, team);
    let start = match &settings.start {
        Some(theta) => from_user(&system, theta)?,
        None => start::moments(&sums, &system, reml, team)?,
    };
    let (outcome, messages) = optimise(&mut problem, settings, start, report, began)?;
    let fit = finish(problem, system.clone(), settings, outcome, messages, began)?;
    team.check()?;
    Ok(fit)
}

/// The optimum, by the chosen optimiser and, should it fail, by the next one.
pub fn optimise(
    problem: &mut impl Criterion,
    settings: &Settings,
    start: Vec<f64>,
    report: Report<'_>,
    began: Instant,
) -> Result<(Outcome, Vec<String>)> {
    let (mut theta, mut messages) = (start, Vec::new());
    if theta.is_empty() {
        return Ok((without_parameters(problem)?, messages));
    }
    let order = [Optimizer::Newton, Optimizer::Bfgs, Optimizer::NelderMead];
    let first = order
        .iter()
        .position(|&optimizer| optimizer == settings.optimizer)
        .unwrap_or(0);
    let mut best: Option<Outcome> = None;
    for &optimizer in &order[first..] {
        let outcome = match optimizer {
            Optimizer::NelderMead => {
                derivative_free::run(problem, settings, theta.clone(), report)?
            }
            _ => Search::new(problem, settings, optimizer, report, began).run(theta.clone())?,
        };
        let stuck = outcome.reason == Reason::NoProgress;
        if best
            .as_ref()
            .is_none_or(|best| outcome.criterion <= best.criterion)
        {
            theta = outcome.theta.clone();
            best = Some(outcome);
        }
        if !stuck {
            break;
        }
        messages.push(format!(
            "{} found no further decrease; the next optimiser was tried",
            optimizer.name()
        ));
    }
    let outcome = best.ok_or_else(|| Error::Convergence("no optimiser could start".into()))?;
    Ok((multipliers::snap(problem, outcome)?, messages))
}

fn without_parameters(problem: &mut impl Criterion) -> Result<Outcome> {
    let criterion = problem.value(&[])?;
    if !criterion.is_finite() {
        return Err(Error::Convergence(
            "the criterion cannot be evaluated".into(),
        ));
    }
    Ok(Outcome {
        criterion,
        theta: Vec::new(),
        gradient: Vec::new(),
        decrement: 0.0,
        iterations: 0,
        reason: Reason::NoParameters,
        optimizer: Optimizer::Newton,
        g: Vec::new(),
        scale: Vec::new(),
    })
}

/// The user's θ in the optimiser's coordinates.
pub fn from_user(system: &System, theta: &[f64]) -> Result<Vec<f64>> {
    if theta.len() != system.parameters || theta.iter().any(|value| !value.is_finite()) {
        return Err(Error::Data(format!(
            "theta must have {} elements, all finite; found {:?}",
            system.parameters, theta
        )));
    }
    let mut internal = theta.to_vec();
    for group in &system.groups {
        group.place(&group.template.from_user(&group.pick(theta)), &mut internal);
    }
    Ok(internal)
}

/// Refuse models whose criterion has no minimum.
pub fn check_identified(system: &System, reml: bool) -> Result<()> {
    let (n, p) = (system.n, system.rank());
    if degrees(system, true) <= 0.0 {
        return Err(Error::Data(format!(
            "{n} observations cannot estimate {p} fixed effects and a residual variance; use fewer columns or more data"
        )));
    }
    let (total, spread) = (system.gram(), system.spread());
    if spread <= PERFECT * total[total.len() - 1] {
        return Err(Error::Data(
            "the response is constant: there is nothing to model".into(),
        ));
    }
    let plain = Profile::new(system, &total, 0.0, reml);
    let left = plain.map_or(0.0, |profile| profile.pwrss);
    if left <= PERFECT * spread {
        return Err(Error::Data("the fixed effects reproduce the response exactly: the residual variance is zero and the likelihood unbounded".into()));
    }
    check_within(system, spread)
}

/// X and the leading group together must not reproduce the response.
fn check_within(system: &System, spread: f64) -> Result<()> {
    let (leading, basis) = (&system.leading, &system.basis);
    let pivots =
        |j: usize| (0..leading.width).map(move |i| leading.level(j)[i * leading.stride + i]);
    let groups = (0..leading.levels)
        .flat_map(pivots)
        .filter(|&pivot| pivot != 0.0)
        .count();
    let fixed = (0..basis.rank()).map(|k| basis.column(k));
    let columns: Vec<&[f64]> = fixed.chain([&basis.response[..]]).collect();
    let within = Sequence::new(&system.residual, &columns);
    let rank = groups + within.kept.iter().filter(|&&k| k < basis.rank()).count();
    let left = within.left.last().copied().unwrap_or(0.0);
    if !system.groups.is_empty() && system.n > rank && left <= PERFECT * spread {
        return Err(unbounded());
    }
    Ok(())
}

/// Estimates and conditional modes at the optimum.
fn finish(
    mut problem: Problem<'_, '_>,
    system: Arc<System>,
    settings: &Settings,
    outcome: Outcome,
    messages: Vec<String>,
    began: Instant,
) -> Result<Fit> {
    let team = problem.team;
    let (profile, estimates) = estimates(&mut problem, &outcome, messages)?;
    let modes = modes::conditional_modes(&problem.factor, &profile, &outcome.theta, team);
    let scale = system.coordinates.response.scale;
    Ok(Fit {
        theta: estimates.theta,
        beta: estimates.beta,
        vcov: estimates.vcov,
        sigma: estimates.sigma,
        criterion: estimates.criterion,
        log_det_l: problem.factor.log_det,
        log_det_rx: profile.log_det_x,
        ussq: modes.ussq * scale * scale,
        wrss: estimates.pwrss - modes.ussq * scale * scale,
        pwrss: estimates.pwrss,
        modes: modes.terms,
        evaluations: problem.evaluations,
        iterations: outcome.iterations,
        reason: outcome.reason,
        optimizer: outcome.optimizer,
        gradient_norm: norm(&outcome.gradient),
        decrement: outcome.decrement,
        singular: estimates.singular,
        multipliers: estimates.multipliers,
        residual_check: estimates.residual_check,
        messages: estimates.messages,
        seconds: began.elapsed().as_secs_f64(),
        internal: outcome.theta,
        settings: settings.clone(),
        reml: problem.reml,
        parked: Arc::new(Mutex::new(problem.park())),
        system,
    })
}
