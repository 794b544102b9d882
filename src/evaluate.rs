//! The criterion and its derivatives at any θ of the user's.

use crate::error::Result;
use crate::lambda::Small;
use crate::lmm::{from_user, Fit};
use crate::parallel::Team;
use crate::problem::Problem;

/// Relative step of the central differences: their error, step², meets the gradient's rounding.
const STEP: f64 = 1e-5;

/// The criterion.
pub fn objective(fit: &Fit, theta: &[f64], team: &Team) -> Result<f64> {
    let theta = from_user(&fit.system, theta)?;
    Problem::new(&fit.system, fit.reml, team).value(&theta)
}

/// ∂d/∂θ = 2 T'G Tλ: G does not depend on how λ̃ is rotated.
pub fn gradient(fit: &Fit, theta: &[f64], team: &Team) -> Result<Vec<f64>> {
    let mut problem = Problem::new(&fit.system, fit.reml, team);
    gradient_of(&mut problem, theta)
}

fn gradient_of(problem: &mut Problem<'_, '_>, theta: &[f64]) -> Result<Vec<f64>> {
    let system = problem.factor.system;
    problem.value(&from_user(system, theta)?)?;
    let g = problem.derivatives()?.g;
    let mut gradient = vec![0.0; theta.len()];
    for (group, g) in system.groups.iter().zip(&g) {
        let map = group.template.user_map().transposed();
        let slope: Small = map.times(&g.times(&group.template.unrotated(&group.pick(theta))));
        for (place, (i, j)) in group
            .theta_index()
            .into_iter()
            .zip(group.template.entries())
        {
            gradient[place] = 2.0 * slope.at(i, j);
        }
    }
    Ok(gradient)
}

/// Central differences of the gradient at the estimate, symmetric.
pub fn hessian(fit: &Fit, team: &Team) -> Result<Vec<f64>> {
    let size = fit.theta.len();
    let mut problem = Problem::new(&fit.system, fit.reml, team);
    let mut rows = vec![0.0; size * size];
    for k in 0..size {
        let step = STEP * fit.theta[k].abs().max(0.1);
        let mut at = |sign: f64| {
            let mut theta = fit.theta.clone();
            theta[k] += sign * step;
            gradient_of(&mut problem, &theta)
        };
        let (above, below) = (at(1.0)?, at(-1.0)?);
        for l in 0..size {
            rows[k * size + l] = (above[l] - below[l]) / (2.0 * step);
        }
    }
    Ok((0..size * size)
        .map(|at| 0.5 * (rows[at] + rows[at % size * size + at / size]))
        .collect())
}
