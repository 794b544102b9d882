//! One linear mixed model, from design to fit.

use crate::columns::Design;
use crate::cross_products::CrossProducts;
use crate::derivative_free;
use crate::error::{Error, Result};
use crate::modes;
use crate::multipliers;
use crate::objective::{degrees, inverse_gram, Profile};
use crate::optimize::{Optimizer, Outcome, Reason, Report, Search, Settings};
use crate::parallel::Team;
use crate::problem::Problem;
use crate::quadratic::norm;
use crate::rank::Sequence;
use crate::start;
use crate::system::System;
use std::sync::Arc;
use std::time::Instant;

/// A factor whose solves leave more than this of the right-hand side is wrong.
const RESIDUAL: f64 = 1e-10;
/// Relative standard deviation up to which groups other than the leading one keep their digits.
const RATIO: f64 = 1e5;
/// Share of the response's sum of squares below which a residual sum of squares is rounding.
const PERFECT: f64 = 1e-14;

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
    let (outcome, messages) = optimise(&sums, &mut problem, settings, report, began)?;
    let fit = finish(problem, system.clone(), settings, outcome, messages, began)?;
    team.check()?;
    Ok(fit)
}

/// The optimum, by the chosen optimiser and, should it fail, by the next one.
fn optimise(
    sums: &CrossProducts,
    problem: &mut Problem<'_, '_>,
    settings: &Settings,
    report: Report<'_>,
    began: Instant,
) -> Result<(Outcome, Vec<String>)> {
    let system = problem.factor.system;
    let mut messages = Vec::new();
    if system.parameters == 0 {
        return Ok((without_parameters(problem)?, messages));
    }
    let mut theta = match &settings.start {
        Some(theta) => from_user(system, theta)?,
        None => start::moments(sums, system, problem.reml, problem.team)?,
    };
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

fn without_parameters(problem: &mut Problem<'_, '_>) -> Result<Outcome> {
    Ok(Outcome {
        criterion: problem.value_at(problem.lambda(&[]))?,
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
fn check_identified(system: &System, reml: bool) -> Result<()> {
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

fn unbounded() -> Error {
    Error::Data(
        "the response does not vary within the groups once the fixed effects are taken out: the residual \
         variance is zero and the likelihood unbounded; aggregate to one row a group, or drop this random term"
            .into(),
    )
}

/// Estimates at the optimum.
fn finish(
    mut problem: Problem<'_, '_>,
    system: Arc<System>,
    settings: &Settings,
    outcome: Outcome,
    mut messages: Vec<String>,
    began: Instant,
) -> Result<Fit> {
    let (reml, team) = (problem.reml, problem.team);
    let profile = problem.settle(&outcome.theta)?;
    if profile.pwrss <= PERFECT * system.spread() {
        return Err(unbounded());
    }
    let residual_check = problem.factor.residual_check(team);
    if residual_check.is_nan() || residual_check >= RESIDUAL {
        return Err(Error::Convergence(format!(
            "the factorisation does not solve its own system (relative residual {residual_check:.1e}); please report this model"
        )));
    }
    let modes = modes::conditional_modes(&problem.factor, &profile, &outcome.theta, team);
    let scale = system.coordinates.response.scale;
    let pwrss = profile.pwrss * scale * scale;
    let variance = pwrss / degrees(&system, reml);
    let kept = &system.basis.kept;
    let p = system.coordinates.place.len();
    let mut beta = vec![f64::NAN; p];
    for (&k, value) in kept
        .iter()
        .zip(system.basis.beta(&system.coordinates, &profile.beta))
    {
        beta[k] = value;
    }
    let ratio = problem
        .lambda(&outcome.theta)
        .iter()
        .skip(1)
        .flat_map(|lambda| &lambda.data)
        .fold(0.0_f64, |m, v| m.max(v.abs()));
    if ratio > RATIO {
        messages.push(format!(
            "a standard deviation of a smaller grouping factor is {ratio:.0e} times the residual's: beyond 1e5 the \
             criterion keeps few digits; check whether that factor leaves any residual variation"
        ));
    }
    let multipliers = multipliers::smallest(&system, &outcome);
    if multipliers.iter().any(|&value| value < 0.0) && outcome.reason.converged() {
        messages.push("a variance at zero would lower the criterion if it were released".into());
    }
    Ok(Fit {
        theta: multipliers::to_user(&system, &outcome.theta),
        vcov: covariance(&system, &profile, variance, p),
        sigma: variance.sqrt(),
        criterion: profile.criterion,
        log_det_l: problem.factor.log_det,
        log_det_rx: profile.log_det_x,
        ussq: modes.ussq * scale * scale,
        wrss: pwrss - modes.ussq * scale * scale,
        pwrss,
        modes: modes.terms,
        beta,
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
        internal: outcome.theta,
        settings: settings.clone(),
        reml,
        system,
    })
}

/// σ²(X'V⁻¹X)⁻¹ in the user's columns.
fn covariance(system: &System, profile: &Profile, variance: f64, p: usize) -> Vec<f64> {
    let basis = &system.basis;
    let rank = basis.rank();
    let inverse = inverse_gram(&profile.triangle, rank);
    // T inverse T': T on the columns, then on the rows.
    let mut half = vec![0.0; rank * rank];
    for k in 0..rank {
        let column = basis.to_user(&system.coordinates, &inverse[k * rank..(k + 1) * rank]);
        (0..rank).for_each(|i| half[i * rank + k] = column[i]);
    }
    let mut out = vec![f64::NAN; p * p];
    for (i, &row) in basis.kept.iter().enumerate() {
        let values = basis.to_user(&system.coordinates, &half[i * rank..(i + 1) * rank]);
        for (value, &column) in values.iter().zip(&basis.kept) {
            out[row * p + column] = value * variance;
        }
    }
    out
}
