//! The derivative-free way: Nelder & Mead (1965) from `argmin`, for when derivatives are not trusted.

use crate::error::{Error, Result};
use crate::optimize::Criterion;
use crate::outcome::{Optimizer, Outcome, Reason, Report, Settings};
use crate::quadratic::Quadratic;
use argmin::core::{CostFunction, Executor, State, TerminationReason, TerminationStatus};
use argmin::solver::neldermead::NelderMead;
use std::cell::RefCell;

/// Standard deviation of the simplex' criteria at which it counts as a point.
const FLAT: f64 = 1e-11;
/// Restarts from the best point: one simplex may collapse early.
const RESTARTS: usize = 4;

struct Cost<'c, 'p, C: Criterion> {
    problem: &'c RefCell<&'p mut C>,
    /// One step may take several evaluations: past the limit they are refused, at no cost.
    most: usize,
    report: Report<'c>,
}

impl<C: Criterion> CostFunction for Cost<'_, '_, C> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, theta: &Vec<f64>) -> std::result::Result<f64, argmin::core::Error> {
        let mut problem = self.problem.borrow_mut();
        if problem.evaluations() >= self.most {
            return Ok(f64::MAX);
        }
        let value = problem.value(theta)?;
        // A simplex has no decrement.
        (self.report)(problem.evaluations(), value, f64::NAN);
        Ok(if value.is_finite() { value } else { f64::MAX })
    }
}

/// Minimise from `start`.
pub fn run(
    problem: &mut impl Criterion,
    settings: &Settings,
    start: Vec<f64>,
    report: Report<'_>,
) -> Result<Outcome> {
    let mut best = start;
    let mut criterion = problem.value(&best)?;
    let mut reason = Reason::Simplex;
    let mut iterations = 0;
    for round in 0..RESTARTS {
        let left = settings
            .max_evaluations
            .saturating_sub(problem.evaluations());
        let (theta, value, status, steps) =
            simplex(problem, &best, settings, (left, round), report)?;
        iterations += steps;
        let gained = criterion - value;
        if value < criterion {
            (best, criterion) = (theta, value);
        }
        reason = status;
        if reason != Reason::Simplex || (round > 0 && gained < 1e-9) {
            break;
        }
    }
    problem.value(&best)?;
    let derivatives = problem.derivatives()?;
    Ok(Outcome {
        theta: best,
        criterion,
        decrement: Quadratic::new(&derivatives.information, &derivatives.gradient)?.decrement(),
        gradient: derivatives.gradient,
        iterations,
        reason,
        optimizer: Optimizer::NelderMead,
        g: derivatives.g,
        scale: derivatives.scale,
    })
}

type End = (Vec<f64>, f64, Reason, usize);

fn simplex(
    problem: &mut impl Criterion,
    start: &[f64],
    settings: &Settings,
    (left, round): (usize, usize),
    report: Report<'_>,
) -> Result<End> {
    let size = 0.3 / (1 << (2 * round)) as f64;
    let mut corners = vec![start.to_vec()];
    for k in 0..start.len() {
        let mut corner = start.to_vec();
        corner[k] += size * corner[k].abs().max(0.5);
        corners.push(corner);
    }
    let shared = RefCell::new(problem);
    let failed = |error: argmin::core::Error| match error.downcast::<Error>() {
        Ok(own) => own,
        Err(other) => Error::Convergence(format!("the simplex failed: {other}")),
    };
    let solver = NelderMead::new(corners)
        .with_sd_tolerance(FLAT)
        .map_err(failed)?;
    let most = settings.max_evaluations;
    let criterion = Cost {
        problem: &shared,
        most,
        report,
    };
    let mut executor =
        Executor::new(criterion, solver).configure(|state| state.max_iters(left as u64));
    if let Some(limit) = settings.time_limit {
        executor = executor.timeout(limit);
    }
    let result = executor.run().map_err(failed)?;
    let state = result.state();
    let reason = match state.get_termination_status() {
        TerminationStatus::Terminated(TerminationReason::MaxItersReached) => Reason::MaxEvaluations,
        TerminationStatus::Terminated(TerminationReason::Timeout) => Reason::TimeLimit,
        _ if shared.borrow().evaluations() >= most => Reason::MaxEvaluations,
        _ => Reason::Simplex,
    };
    let theta = state
        .get_best_param()
        .cloned()
        .unwrap_or_else(|| start.to_vec());
    Ok((
        theta,
        state.get_best_cost(),
        reason,
        state.get_iter() as usize,
    ))
}
