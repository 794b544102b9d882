//! Solves of PIRLS: with the Newton step's matrix, M bordered by X where β is found with u, and with the
//! observed one by conjugate gradients where weights below zero were cut.

use crate::effects::{times_lambda_transposed, Effects};
use crate::error::{Error, Result};
use crate::objective::{cholesky_in_place, solve_transposed_triangle, solve_triangle};
use crate::parallel::Team;
use crate::pirls::Pirls;

/// Conjugate gradients: relative residual, and steps.
const RESIDUAL: f64 = 1e-14;
const STEPS: usize = 200;

/// Unknowns of a step: spherical effects, and β where it is joint.
#[derive(Clone)]
pub struct Unknowns {
    pub u: Effects,
    pub beta: Vec<f64>,
}

impl Unknowns {
    pub fn dot(&self, other: &Unknowns) -> f64 {
        self.u.dot(&other.u)
            + (self.beta.iter().zip(&other.beta))
                .map(|(a, b)| a * b)
                .sum::<f64>()
    }

    pub fn add(&mut self, factor: f64, other: &Unknowns) {
        self.u.add(factor, &other.u);
        (self.beta.iter_mut().zip(&other.beta)).for_each(|(a, b)| *a += factor * b);
    }
}

impl Pirls<'_> {
    /// What X adds to the factor where β is joint.
    pub(crate) fn border(&self, weight: &[f64], team: &Team) -> Result<(Effects, Vec<f64>)> {
        let p = self.observations.rank;
        let columns = (weight, None);
        let (gram, mut half) =
            self.observations
                .weighted_columns(self.system, &self.lambda, columns, team)?;
        self.newton.forward(&mut half, team);
        let explained = half.products(&half);
        let mut triangle: Vec<f64> = gram.iter().zip(&explained).map(|(g, e)| g - e).collect();
        match cholesky_in_place(&mut triangle, p) {
            true => Ok((half, triangle)),
            false => Err(Error::Infeasible(
                "the fixed effects cannot be told apart under the working weights".into(),
            )),
        }
    }

    /// x ← (the Newton step's matrix)⁻¹ x.
    pub(crate) fn solve_newton(&self, x: &mut Unknowns, team: &Team) {
        self.newton.forward(&mut x.u, team);
        if let Some((half, triangle)) = self.border.as_ref().filter(|_| self.joint) {
            let p = x.beta.len();
            let known = half.products(&x.u);
            (x.beta.iter_mut().zip(known)).for_each(|(b, known)| *b -= known);
            solve_triangle(triangle, p, &mut x.beta);
            solve_transposed_triangle(triangle, p, &mut x.beta);
            for (k, b) in x.beta.iter().enumerate() {
                x.u.add(-b, &half.column(k));
            }
        }
        self.newton.backward(&mut x.u);
    }

    /// x ← (M°, bordered by X where β is joint)⁻¹ x: by conjugate gradients where weights were cut at zero.
    pub fn solve(&self, x: &mut Unknowns, team: &Team) -> Result<()> {
        let right = x.clone();
        self.solve_newton(x, team);
        if self.exact {
            return Ok(());
        }
        let size = right.dot(&right);
        let mut residual = right;
        residual.add(-1.0, &self.times_observed(x, team));
        let mut direction = residual.clone();
        self.solve_newton(&mut direction, team);
        let mut slope = residual.dot(&direction);
        for _ in 0..STEPS {
            if residual.dot(&residual) <= RESIDUAL * RESIDUAL * size {
                return Ok(());
            }
            let image = self.times_observed(&direction, team);
            let curvature = direction.dot(&image);
            if curvature.is_nan() || curvature <= 0.0 {
                break;
            }
            x.add(slope / curvature, &direction);
            residual.add(-slope / curvature, &image);
            let mut next = residual.clone();
            self.solve_newton(&mut next, team);
            let new = residual.dot(&next);
            next.add(new / slope, &direction);
            (direction, slope) = (next, new);
            team.check()?;
        }
        match residual.dot(&residual) <= 1e-16 * size {
            true => Ok(()),
            false => Err(Error::Infeasible(
                "the conditional modes are not a minimum".into(),
            )),
        }
    }

    /// (M°, bordered by X where β is joint) x.
    fn times_observed(&self, x: &Unknowns, team: &Team) -> Unknowns {
        let mut along = self.predictor(x, false, team);
        (along.iter_mut().zip(&self.rows.observed)).for_each(|(value, w)| *value *= w);
        let mut u = x.u.clone();
        let image = self.gather(&along, team);
        u.add(
            1.0,
            &times_lambda_transposed(&self.system.symbolic, &self.lambda, &image),
        );
        Unknowns {
            u,
            beta: self.fixed_products(&along, team),
        }
    }
}
