//! One model fitted to many responses: everything that does not depend on the response is made once.
//!
//! Responses come in batches, which share a pass over the rows; batches run in parallel and each fit
//! inside them on one thread, unless its factor is so large that one is enough. Neither their size nor the number of threads changes a bit of a result.

use crate::columns::Design;
use crate::error::{Error, Result};
use crate::estimates::{estimates, Estimates};
use crate::lmm::{check_identified, optimise, Fit};
use crate::outcome::Settings;
use crate::parallel::{piece, Team};
use crate::problem::Problem;
use crate::responses::{ResponseSums, Responses};
use crate::system::System;
use std::ops::Range;
use std::time::Instant;

/// Most responses of one batch: enough for full vectors, few enough for the cache.
const BATCH: usize = 64;
/// Numbers that a batch may hold (32 MB).
const NUMBERS: usize = 1 << 22;
/// Bytes of a factor above which fits come one after the other, each by all threads.
pub const LARGE: u64 = 1 << 28;
/// Pivots of λ̃ below this are raised to it at the start: zero is stationary whether optimal or not.
const LEAST: f64 = 0.1;

/// What became of one response: a response that cannot be fitted does not stop the others.
pub type Refit = std::result::Result<Estimates, Error>;

/// Fit `total` responses. `fill(which, out)` writes those of a range at the rows used, row-major.
pub fn refit_many(
    design: &Design,
    fit: &Fit,
    total: usize,
    fill: impl Fn(Range<usize>, &mut [f64]) + Sync,
    team: &Team,
) -> Result<Vec<Refit>> {
    let alone = team.alone();
    let large = fit.system.symbolic.bytes() > LARGE;
    let (outer, inner) = if large {
        (&alone, team)
    } else {
        (team, &alone)
    };
    let size = batch(design, &fit.system, total, outer.threads());
    let batches = outer.map(total.div_ceil(size), |task| {
        team.check()?;
        let which = piece(task, size, total);
        let mut values = vec![0.0; design.table.n() * which.len()];
        fill(which.clone(), &mut values);
        fit_batch(design, fit, which.len(), values, inner)
    });
    let refits: Vec<Vec<Refit>> = batches.into_iter().collect::<Result<_>>()?;
    Ok(refits.into_iter().flatten().collect())
}

/// Responses of one batch.
fn batch(design: &Design, system: &System, total: usize, threads: usize) -> usize {
    let sums = system
        .groups
        .iter()
        .map(|group| 2 * group.levels * group.width());
    let numbers = design.table.n() + sums.sum::<usize>();
    let room = (NUMBERS / numbers.max(1)).clamp(1, BATCH);
    room.min(total.div_ceil(4 * threads)).max(1)
}

fn fit_batch(
    design: &Design,
    fit: &Fit,
    count: usize,
    values: Vec<f64>,
    team: &Team,
) -> Result<Vec<Refit>> {
    let mut system = (*fit.system).clone();
    let responses = Responses::new(design, &system.coordinates, count, values);
    let sums = ResponseSums::new(design, &system, &responses, team)?;
    let start = lift(&system, fit.internal.clone());
    let refit = |k: usize| {
        team.check()?;
        system.take_response(&responses, &sums, k);
        match refit(&system, fit.reml, &fit.settings, start.clone(), team) {
            Err(error @ (Error::Interrupted | Error::Memory { .. })) => Err(error),
            other => Ok(other),
        }
    };
    (0..count).map(refit).collect()
}

/// One fit of a system from `start`.
pub fn refit(
    system: &System,
    reml: bool,
    settings: &Settings,
    start: Vec<f64>,
    team: &Team,
) -> Refit {
    check_identified(system, reml)?;
    let mut problem = Problem::new(system, reml, team);
    let (outcome, messages) =
        optimise(&mut problem, settings, start, &|_, _, _| {}, Instant::now())?;
    let (_, estimates) = estimates(&mut problem, &outcome, messages)?;
    Ok(estimates)
}

/// A starting point off the boundary.
pub fn lift(system: &System, mut theta: Vec<f64>) -> Vec<f64> {
    for group in &system.groups {
        let entries = group.template.entries();
        for (place, (i, j)) in group.theta_index().into_iter().zip(entries) {
            if i == j && theta[place].abs() < LEAST {
                theta[place] = LEAST;
            }
        }
    }
    theta
}
