//! Estimates in the user's coordinates, at the optimum of any response.

use crate::error::{Error, Result};
use crate::multipliers;
use crate::objective::{degrees, inverse_gram, Profile};
use crate::outcome::{Outcome, Reason};
use crate::problem::Problem;
use crate::system::System;

/// A factor whose solves leave more than this of the right-hand side is wrong.
pub const RESIDUAL: f64 = 1e-10;
/// Relative standard deviation up to which groups other than the leading one keep their digits.
const RATIO: f64 = 1e5;
/// Share of the response's sum of squares below which a residual sum of squares is rounding.
pub const PERFECT: f64 = 1e-14;

/// What one fit estimates and how sure it is of it.
#[derive(Clone, Debug)]
pub struct Estimates {
    pub theta: Vec<f64>,
    /// β by column of X; NaN where dropped.
    pub beta: Vec<f64>,
    /// σ²(X'V⁻¹X)⁻¹, p × p; NaN where dropped.
    pub vcov: Vec<f64>,
    pub sigma: f64,
    /// A generalised model's dispersion parameter; NaN where there is none.
    pub dispersion: f64,
    pub criterion: f64,
    /// r² in the user's units.
    pub pwrss: f64,
    pub multipliers: Vec<f64>,
    pub singular: bool,
    pub residual_check: f64,
    pub reason: Reason,
    pub messages: Vec<String>,
}

impl Estimates {
    /// Did the optimiser end at an optimum?
    pub fn converged(&self) -> bool {
        self.reason.converged() && !self.multipliers.iter().any(|&value| value < 0.0)
    }
}

/// Estimates at an outcome, and the profile they are made of; `messages` so far are added to.
pub fn estimates(
    problem: &mut Problem<'_, '_>,
    outcome: &Outcome,
    mut messages: Vec<String>,
) -> Result<(Profile, Estimates)> {
    let (system, reml) = (problem.factor.system, problem.reml);
    let profile = problem.settle(&outcome.theta)?;
    if profile.pwrss <= PERFECT * system.spread() {
        return Err(unbounded());
    }
    let residual_check = checked(problem)?;
    messages.extend(large_ratio(problem, &outcome.theta));
    let multipliers = multipliers::smallest(system, outcome);
    if multipliers.iter().any(|&value| value < 0.0) && outcome.reason.converged() {
        messages.push("a variance at zero would lower the criterion if it were released".into());
    }
    let scale = system.coordinates.response.scale;
    let pwrss = profile.pwrss * scale * scale;
    let variance = pwrss / degrees(system, reml);
    let estimates = Estimates {
        theta: multipliers::to_user(system, &outcome.theta),
        beta: coefficients(system, &profile.beta),
        vcov: covariance(
            system,
            inverse_gram(&profile.triangle, system.rank()),
            variance,
        ),
        sigma: variance.sqrt(),
        dispersion: f64::NAN,
        criterion: profile.criterion,
        pwrss,
        singular: multipliers::is_singular(system, &outcome.theta),
        multipliers,
        residual_check,
        reason: outcome.reason,
        messages,
    };
    Ok((profile, estimates))
}

/// The error of a likelihood without a maximum.
pub fn unbounded() -> Error {
    Error::Data(
        "the response does not vary within the groups once the fixed effects are taken out: the residual \
         variance is zero and the likelihood unbounded; aggregate to one row a group, or drop this random term"
            .into(),
    )
}

/// The relative residual of the factor's own solves, or an error where it is wrong.
fn checked(problem: &Problem<'_, '_>) -> Result<f64> {
    let residual = problem.factor.residual_check(problem.team);
    if residual.is_nan() || residual >= RESIDUAL {
        return Err(wrong_factor(residual));
    }
    Ok(residual)
}

/// The error of a factor that does not solve its own system.
pub fn wrong_factor(residual: f64) -> Error {
    Error::Convergence(format!(
        "the factorisation does not solve its own system (relative residual {residual:.1e}); please report this model"
    ))
}

fn large_ratio(problem: &Problem<'_, '_>, theta: &[f64]) -> Option<String> {
    let lambda = problem.lambda(theta);
    let rest = lambda.iter().skip(1).flat_map(|lambda| &lambda.data);
    let ratio = rest.fold(0.0_f64, |m, v| m.max(v.abs()));
    (ratio > RATIO).then(|| {
        format!(
            "a standard deviation of a smaller grouping factor is {ratio:.0e} times the residual's: beyond 1e5 the \
             criterion keeps few digits; check whether that factor leaves any residual variation"
        )
    })
}

/// β in the user's columns, of one in E's coordinates.
pub fn coefficients(system: &System, beta_e: &[f64]) -> Vec<f64> {
    let basis = &system.basis;
    let mut beta = vec![f64::NAN; system.coordinates.place.len()];
    let values = basis.beta(&system.coordinates, beta_e);
    (basis.kept.iter().zip(values)).for_each(|(&k, value)| beta[k] = value);
    beta
}

/// A covariance matrix in the user's columns, of one in E's coordinates (rank × rank) and of unit variance.
pub fn covariance(system: &System, inverse: Vec<f64>, variance: f64) -> Vec<f64> {
    let (basis, p) = (&system.basis, system.coordinates.place.len());
    let rank = basis.rank();
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
