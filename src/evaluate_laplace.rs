//! The criterion of a generalised model and its derivatives at any (θ, β, dispersion) of the user's.

use crate::direction::of_theta;
use crate::error::{Error, Result};
use crate::glmm::GeneralizedFit;
use crate::laplace::Laplace;
use crate::lmm::from_user;
use crate::parallel::Team;
use crate::system::System;

/// Step of the differences of the gradient, against the size of a parameter: so small that the modes are
/// where they are foreseen.
const STEP: f64 = 1e-6;
/// Parameters below this are stepped as if they were of this size.
const LEAST: f64 = 0.3;

/// A point in the user's coordinates; β by column of X, what was dropped is not looked at.
pub struct Point<'p> {
    pub theta: &'p [f64],
    pub beta: &'p [f64],
    pub dispersion: f64,
}

/// The criterion.
pub fn objective(fit: &GeneralizedFit, point: &Point<'_>, team: &Team) -> Result<f64> {
    let mut problem = fit.problem(team)?;
    let parameters = internal(fit, &mut problem, point)?;
    Ok(problem.find(&parameters)?.criterion)
}

/// ∂d/∂θ, ∂d/∂β (columns kept) where β is a parameter, ∂d/∂log(dispersion) where it is estimated.
pub fn gradient(fit: &GeneralizedFit, point: &Point<'_>, team: &Team) -> Result<Vec<f64>> {
    let mut problem = fit.problem(team)?;
    let parameters = internal(fit, &mut problem, point)?;
    problem.find(&parameters)?;
    let derivatives = problem.slopes()?;
    let (inner, own) = derivatives.gradient.split_at(point.theta.len());
    let mut gradient: Vec<f64> = if fit.model.nodes > 1 {
        // A grid of nodes turns with λ̃: there the map's own slopes are needed.
        let slope = |column| -> Result<f64> {
            let moved = theta_slopes(&fit.system, point.theta, column)?;
            Ok(inner.iter().zip(moved).map(|(g, e)| g * e).sum())
        };
        (0..inner.len()).map(slope).collect::<Result<_>>()?
    } else {
        let along = of_theta(&fit.system, point.theta);
        along.iter().map(|d| d.slope(&derivatives.g)).collect()
    };
    let p = if problem.pirls.joint {
        0
    } else {
        fit.system.rank()
    };
    gradient.extend((0..p).map(|column| {
        let moved = unit_to_internal(fit, column);
        own.iter().zip(moved).map(|(g, e)| g * e).sum::<f64>()
    }));
    gradient.extend(&own[p..]);
    Ok(gradient)
}

/// The user's point as the optimiser's parameters.
fn internal(
    fit: &GeneralizedFit,
    problem: &mut Laplace<'_, '_>,
    point: &Point<'_>,
) -> Result<Vec<f64>> {
    let system = &fit.system;
    let kept: Vec<f64> = system.basis.kept.iter().map(|&k| point.beta[k]).collect();
    if kept.iter().any(|value| !value.is_finite()) {
        return Err(Error::Data("beta must be finite".into()));
    }
    problem.pirls.at.beta = system.basis.from_user(&system.coordinates, &kept);
    if fit.family.has_dispersion_parameter() {
        if point.dispersion.is_nan() || point.dispersion <= 0.0 {
            return Err(Error::Data(
                "the dispersion must be a positive number".into(),
            ));
        }
        problem.take_dispersion(point.dispersion);
    }
    Ok(problem.parameters(&from_user(system, point.theta)?))
}

/// ∂β_E/∂β of one column kept.
fn unit_to_internal(fit: &GeneralizedFit, column: usize) -> Vec<f64> {
    let mut unit = vec![0.0; fit.system.rank()];
    unit[column] = 1.0;
    fit.system.basis.from_user(&fit.system.coordinates, &unit)
}

/// ∂²d in the optimiser's parameters at the estimate: differences of the exact gradient, made symmetric.
///
/// Steps to one side are enough: what they neglect, half a step of the third derivatives, is of the size of
/// the gradient's own rounding in the difference.
pub fn internal_hessian(fit: &GeneralizedFit, team: &Team) -> Result<Vec<f64>> {
    let mut problem = fit.problem(team)?;
    problem.find(&fit.internal)?;
    let start = problem.derive()?.gradient;
    let size = start.len();
    let mut hessian = vec![0.0; size * size];
    for k in 0..size {
        let mut moved = fit.internal.clone();
        moved[k] += STEP * moved[k].abs().max(LEAST);
        let step = moved[k] - fit.internal[k];
        problem.find(&moved)?;
        let gradient = problem.slopes()?.gradient;
        for l in 0..size {
            let half = 0.5 * (gradient[l] - start[l]) / step;
            hessian[k * size + l] += half;
            hessian[l * size + k] += half;
        }
    }
    Ok(hessian)
}

/// ∂²d in the user's (θ, β, log dispersion) at the estimate, where the gradient vanishes: J'HJ.
pub fn hessian(fit: &GeneralizedFit, team: &Team) -> Result<Vec<f64>> {
    let (size, k) = (fit.internal.len(), fit.theta.len());
    let inner = internal_hessian(fit, team)?;
    let p = size - k - usize::from(fit.model.dispersed());
    let mut jacobian = vec![0.0; size * size];
    for column in 0..k {
        let slopes = theta_slopes(&fit.system, &fit.theta, column)?;
        (0..k).for_each(|row| jacobian[row * size + column] = slopes[row]);
    }
    for column in 0..p {
        let slopes = unit_to_internal(fit, column);
        (0..p).for_each(|row| jacobian[(k + row) * size + k + column] = slopes[row]);
    }
    (k + p..size).for_each(|at| jacobian[at * size + at] = 1.0);
    let product = |x: &[f64], y: &[f64], transposed: bool| -> Vec<f64> {
        let at = |i: usize, l: usize| {
            if transposed {
                x[l * size + i]
            } else {
                x[i * size + l]
            }
        };
        (0..size * size)
            .map(|c| {
                (0..size)
                    .map(|l| at(c / size, l) * y[l * size + c % size])
                    .sum()
            })
            .collect()
    };
    Ok(product(&jacobian, &product(&inner, &jacobian, false), true))
}

/// ∂(the optimiser's θ)/∂θ for one of the user's, by central differences of the map.
fn theta_slopes(system: &System, theta: &[f64], column: usize) -> Result<Vec<f64>> {
    let step = 1e-5 * theta[column].abs().max(1e-3);
    let at = |step: f64| {
        let mut moved = theta.to_vec();
        moved[column] += step;
        from_user(system, &moved)
    };
    // A zero of θ is where signs turn: there the map has slopes on one side only.
    let back = if theta[column] == 0.0 { 0.0 } else { step };
    let (above, below) = (at(step)?, at(-back)?);
    Ok(above
        .iter()
        .zip(&below)
        .map(|(a, b)| (a - b) / (step + back))
        .collect())
}
