//! Solves of PIRLS: with the Newton step's matrix, M bordered by X where β is found with u, and with the
//! observed one by conjugate gradients where weights below zero were cut.

use crate::effects::{times_lambda_transposed, Effects};
use crate::error::{Error, Result};
use crate::lanes;
use crate::objective::{cholesky_in_place, solve_transposed_triangle, solve_triangle};
use crate::observations::Observations;
use crate::parallel::{Shared, Team};
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
        let (gram, mut half) = self.weighted_columns(weight, None, team)?;
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

    /// Y'WY (row-major) and Λ'Z'WY for the columns Y = [X, Zc] of the fixed part and of some effects c.
    pub fn weighted_columns(
        &self,
        weight: &[f64],
        along: Option<&Effects>,
        team: &Team,
    ) -> Result<(Vec<f64>, Effects)> {
        let (n, p) = (self.observations.n, self.observations.rank);
        let count = p + along.map_or(0, |c| c.count);
        if count == 0 {
            return Ok((Vec::new(), Effects::default()));
        }
        let mut weighted = vec![0.0; n * count];
        let shared = Shared::new(&mut weighted);
        let task = |task: usize| {
            let (rows, _) = self.observations.task(task);
            // SAFETY: each row belongs to one task.
            let own = |k: usize| unsafe { shared.range(k * n + rows.start, rows.len()) };
            weigh_columns(self.observations, weight, along, rows.clone(), own)
        };
        let mut gram = vec![0.0; count * count];
        team.fold(self.observations.tasks(), task, |part: Vec<f64>| {
            crate::gram::add(&mut gram, &part);
        })?;
        let cross = self.gather(&weighted, team);
        let cross = times_lambda_transposed(&self.system.symbolic, &self.lambda, &cross);
        Ok((gram, cross))
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

/// Y'WY of some rows (row-major); WY goes to the columns `out`.
fn weigh_columns<'o>(
    observations: &Observations,
    weight: &[f64],
    along: Option<&Effects>,
    rows: std::ops::Range<usize>,
    out: impl Fn(usize) -> &'o mut [f64],
) -> Vec<f64> {
    let (p, more) = (observations.rank, along.map_or(0, |c| c.count));
    let count = p + more;
    let mut effects = vec![vec![0.0; rows.len()]; more];
    if let Some(along) = along {
        for (c, column) in effects.iter_mut().enumerate() {
            observations.add_effects(rows.clone(), along, c, column);
        }
    }
    let column = |k: usize| match k < p {
        true => &observations.x(k)[rows.clone()],
        false => &effects[k - p][..],
    };
    let mut gram = vec![0.0; count * count];
    for k in 0..count {
        let own = out(k);
        own.fill(0.0);
        lanes::add_product(own, 1.0, &weight[rows.clone()], column(k));
        for l in 0..=k {
            gram[k * count + l] = lanes::dot(own, column(l));
            gram[l * count + k] = gram[k * count + l];
        }
    }
    gram
}
