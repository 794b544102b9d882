//! One generalised model fitted to many responses, each from the estimate, side by side in threads.

use crate::columns::Design;
use crate::error::{Error, Result};
use crate::estimates::Estimates;
use crate::glmm::{fit_responses, GeneralizedFit};
use crate::observations::Responses;
use crate::parallel::Team;
use crate::refit::{Refit, LARGE};
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

/// Fit `total` responses. `fill(which, out)` writes those of a range at the rows used, row-major.
pub fn refit_many(
    design: &Design,
    fit: &GeneralizedFit,
    total: usize,
    fill: impl Fn(Range<usize>, &mut [f64]) + Sync,
    team: &Team,
) -> Result<Vec<Refit>> {
    let alone = team.alone();
    let (outer, inner) = match fit.system.symbolic.bytes() > LARGE {
        true => (&alone, team),
        false => (team, &alone),
    };
    let refits = outer.map(total, |k| {
        team.check()?;
        let mut y = vec![0.0; design.table.n()];
        fill(k..k + 1, &mut y);
        match refit(fit, &y, inner) {
            Err(error @ (Error::Interrupted | Error::Memory { .. })) => Err(error),
            other => Ok(other),
        }
    });
    refits.into_iter().collect()
}

/// The model fitted to one response at the rows used, sizes and weights as they were.
fn refit(fit: &GeneralizedFit, y: &[f64], team: &Team) -> Refit {
    let responses = Responses {
        y: fit
            .observations
            .rows
            .iter()
            .map(|&row| y[row as usize])
            .collect(),
        ..(*fit.responses).clone()
    };
    again(fit, Arc::new(responses), team).map(estimates)
}

/// The model fitted to other responses: from the estimate, or where that is out of reach from the data.
pub fn again(
    fit: &GeneralizedFit,
    responses: Arc<Responses>,
    team: &Team,
) -> Result<GeneralizedFit> {
    let run = |start| {
        let data = (
            fit.system.clone(),
            fit.observations.clone(),
            responses.clone(),
        );
        let began = Instant::now();
        fit_responses(
            data,
            fit.model,
            &fit.settings,
            start,
            &|_, _, _| {},
            team,
            began,
        )
    };
    match run(Some(fit)) {
        Err(Error::Convergence(_) | Error::Infeasible(_)) => run(None),
        other => other,
    }
}

/// What one of many fits is kept for.
pub fn estimates(fit: GeneralizedFit) -> Estimates {
    Estimates {
        theta: fit.theta,
        beta: fit.beta,
        vcov: fit.conditional_vcov,
        sigma: fit.sigma,
        dispersion: fit.family.dispersion,
        criterion: fit.criterion,
        pwrss: fit.wrss + fit.ussq,
        multipliers: fit.multipliers,
        singular: fit.singular,
        residual_check: fit.residual_check,
        reason: fit.reason,
        messages: fit.messages,
    }
}
