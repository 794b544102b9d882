//! The criterion and its derivatives at any θ of the user's.

use crate::direction::of_theta;
use crate::error::Result;
use crate::lmm::{from_user, Fit};
use crate::parallel::Team;
use crate::problem::Problem;

/// Step of the central differences, against the entries of λ̃ that a parameter moves: their error,
/// step², meets the gradient's rounding.
const STEP: f64 = 1e-5;
/// Entries of λ̃ below this are stepped as if they were of this size.
const LEAST: f64 = 0.1;

/// The criterion.
pub fn objective(fit: &Fit, theta: &[f64], team: &Team) -> Result<f64> {
    let theta = from_user(&fit.system, theta)?;
    Problem::new(&fit.system, fit.reml, team).value(&theta)
}

/// ∂d/∂θ: G does not depend on how λ̃ is rotated.
pub fn gradient(fit: &Fit, theta: &[f64], team: &Team) -> Result<Vec<f64>> {
    let mut problem = Problem::new(&fit.system, fit.reml, team);
    gradient_of(&mut problem, theta)
}

fn gradient_of(problem: &mut Problem<'_, '_>, theta: &[f64]) -> Result<Vec<f64>> {
    let system = problem.factor.system;
    problem.value(&from_user(system, theta)?)?;
    let g = problem.derivatives()?.g;
    let along = of_theta(system, theta);
    Ok(along.iter().map(|direction| direction.slope(&g)).collect())
}

/// Central differences of the gradient in the user's θ, symmetric: where the exact Hessian (`variance`)
/// would need more.
pub fn user_hessian(fit: &Fit, team: &Team) -> Result<Vec<f64>> {
    let mut problem = Problem::new(&fit.system, fit.reml, team);
    differences(&fit.theta, &steps(fit), |theta| {
        gradient_of(&mut problem, theta)
    })
}

/// The same in the optimiser's θ, whose columns are of unit size.
pub fn optimiser_hessian(fit: &Fit, team: &Team) -> Result<Vec<f64>> {
    let mut problem = Problem::new(&fit.system, fit.reml, team);
    let steps: Vec<f64> = (fit.internal.iter())
        .map(|value| STEP * value.abs().max(LEAST))
        .collect();
    differences(&fit.internal, &steps, |theta| {
        problem.value(theta)?;
        Ok(problem.derivatives()?.gradient)
    })
}

fn differences(
    theta: &[f64],
    steps: &[f64],
    mut gradient: impl FnMut(&[f64]) -> Result<Vec<f64>>,
) -> Result<Vec<f64>> {
    let size = theta.len();
    let mut rows = vec![0.0; size * size];
    for k in 0..size {
        let mut at = |step: f64| {
            let mut moved = theta.to_vec();
            moved[k] += step;
            gradient(&moved).map(|gradient| (moved[k], gradient))
        };
        let ((right, above), (left, below)) = (at(steps[k])?, at(-steps[k])?);
        for l in 0..size {
            rows[k * size + l] = (above[l] - below[l]) / (right - left);
        }
    }
    Ok((0..size * size)
        .map(|at| 0.5 * (rows[at] + rows[at % size * size + at / size]))
        .collect())
}

/// A step for every parameter: in the user's units, but judged by what it does to λ̃, whose columns are
/// of unit size (a slope on seconds has θ near 10⁻⁶).
fn steps(fit: &Fit) -> Vec<f64> {
    let mut steps = vec![0.0; fit.theta.len()];
    for group in &fit.system.groups {
        let map = group.template.user_map();
        let lambda = group.template.unrotated(&group.pick(&fit.theta));
        let length = |i: usize| {
            (0..lambda.cols)
                .map(|j| lambda.at(i, j).powi(2))
                .sum::<f64>()
        };
        let room: Vec<f64> = (0..lambda.rows)
            .map(|i| length(i).sqrt().max(LEAST))
            .collect();
        for (place, (row, _)) in group
            .theta_index()
            .into_iter()
            .zip(group.template.entries())
        {
            steps[place] = (room.iter().zip(map.column(row)))
                .map(|(room, t)| STEP * room / t.abs())
                .fold(f64::INFINITY, f64::min);
        }
    }
    steps
}
