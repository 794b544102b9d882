//! The ML criterion with one parameter held, as a function of what is left: a profile's inner problem.
//!
//! λ̃ = Mλ group by group, with M = T in the optimiser's order of columns or in one where the parameter
//! held stands first, so that it is an element of λ itself; the criterion sees λ̃λ̃' only. `free` says
//! which elements of λ move, and how: a correlation ρ = sin α ties two of them, λ₂₁ = t sin α and
//! λ₂₂ = t cos α.

use crate::derivatives::{derivatives, Derivatives};
use crate::direction::of_maps;
use crate::error::{Error, Result};
use crate::estimates::coefficients;
use crate::factor::Factor;
use crate::lambda::{lower_triangle, Small};
use crate::objective::{degrees, solve_transposed_triangle, solve_triangle, Profile, Sigma};
use crate::optimize::Criterion;
use crate::parallel::Team;
use crate::random_matrix::Group;
use crate::system::System;
use std::f64::consts::PI;

/// How σ is determined.
#[derive(Clone, Copy, Debug)]
pub enum Tie {
    /// Profiled out.
    Profiled,
    /// Given, in units of ỹ.
    Given(f64),
    /// σ = s/θ[place]: the standard deviation s, in units of ỹ, belongs to a diagonal element of λ.
    Deviation { place: usize, s: f64 },
}

/// One free parameter: the elements of θ that it moves, with factors.
pub type Free = Vec<(usize, f64)>;

/// The criterion as a function of the free parameters.
pub struct Restricted<'s, 'a> {
    factor: Factor<'s>,
    team: &'a Team,
    maps: Vec<Small>,
    pub free: Vec<Free>,
    pub tie: Tie,
    evaluations: usize,
    at: Vec<f64>,
    profile: Option<Profile>,
}

impl<'s, 'a> Restricted<'s, 'a> {
    pub fn new(system: &'s System, maps: Vec<Small>, team: &'a Team) -> Self {
        Restricted {
            factor: Factor::new(system),
            team,
            maps,
            free: (0..system.parameters).map(|k| vec![(k, 1.0)]).collect(),
            tie: Tie::Profiled,
            evaluations: 0,
            at: Vec::new(),
            profile: None,
        }
    }

    /// θ of the free parameters.
    pub fn theta(&self, free: &[f64]) -> Vec<f64> {
        let mut theta = vec![0.0; self.factor.system.parameters];
        for (moved, value) in self.free.iter().zip(free) {
            moved
                .iter()
                .for_each(|&(place, factor)| theta[place] += factor * value);
        }
        theta
    }

    fn lambda(&self, theta: &[f64]) -> Vec<Small> {
        lambdas(self.factor.system, &self.maps, theta)
    }

    fn sigma(&self, theta: &[f64]) -> Sigma {
        match self.tie {
            Tie::Profiled => Sigma::Profiled,
            Tie::Given(sigma) => Sigma::Given(sigma),
            Tie::Deviation { place, s } => Sigma::Given(s / theta[place]),
        }
    }

    fn evaluate(&mut self, theta: &[f64]) -> Result<f64> {
        self.profile = None;
        let lambda = self.lambda(theta);
        self.factor.update(self.team, lambda)?;
        let system = self.factor.system;
        let profile = Profile::new(system, &self.factor.gram, self.factor.log_det, false)?;
        let (n, pwrss) = (degrees(system, false), profile.pwrss);
        let criterion = match self.sigma(theta) {
            Sigma::Profiled => profile.criterion,
            Sigma::Given(sigma) => {
                let squared = sigma * sigma;
                profile.criterion - n * (1.0 + (2.0 * PI * pwrss / n).ln())
                    + n * (2.0 * PI * squared).ln()
                    + pwrss / squared
            }
        };
        self.profile = Some(profile);
        if criterion.is_finite() {
            Ok(criterion)
        } else {
            Err(Error::Infeasible("σ is zero at these parameters".into()))
        }
    }

    /// θ where the criterion was last evaluated.
    pub fn at(&self) -> &[f64] {
        &self.at
    }

    /// Derivatives in θ at the point last evaluated.
    pub fn full(&mut self) -> Result<Derivatives> {
        let profile = self.profile.clone().ok_or_else(|| {
            Error::Convergence("the profiled criterion cannot be evaluated here".into())
        })?;
        let system = self.factor.system;
        let along = of_maps(system, &self.maps, &self.at);
        let sigma = self.sigma(&self.at);
        let (factor, team) = (&mut self.factor, self.team);
        let mut found = derivatives(factor, &profile, &along, sigma, false, team)?;
        if let Tie::Deviation { place, s } = self.tie {
            self.add_tie(&mut found, profile.pwrss, place, s);
        }
        Ok(found)
    }

    /// Derivatives of −2n log θ + r²θ²/s², where r² moves as well.
    fn add_tie(&self, found: &mut Derivatives, pwrss: f64, place: usize, s: f64) {
        let (n, theta, count) = (
            degrees(self.factor.system, false),
            self.at[place],
            found.gradient.len(),
        );
        let squared = s * s;
        found.gradient[place] += 2.0 * (pwrss * theta / squared - n / theta);
        found.information[place * count + place] += 2.0 * (pwrss / squared + n / (theta * theta));
        for k in 0..count {
            let cross = -2.0 * found.score[k] * theta / squared;
            found.information[place * count + k] += cross;
            found.information[k * count + place] += cross;
        }
    }

    /// r² at the point last evaluated, in units of ỹ².
    pub fn pwrss(&self) -> f64 {
        self.profile
            .as_ref()
            .map_or(f64::NAN, |profile| profile.pwrss)
    }

    /// σ at the point last evaluated, in units of ỹ.
    pub fn sigma_hat(&self) -> f64 {
        match self.sigma(&self.at) {
            Sigma::Given(sigma) => sigma,
            Sigma::Profiled => (self.pwrss() / degrees(self.factor.system, false)).sqrt(),
        }
    }

    /// β by the user's columns at the point last evaluated.
    pub fn beta(&self) -> Vec<f64> {
        let beta_e = self.profile.as_ref().map_or(&[][..], |p| &p.beta);
        coefficients(self.factor.system, beta_e)
    }

    /// β with the coefficient of column `k` of `system`, whose column stands in the response here, at
    /// `value`: β̂ − c(β̂_k − v)/c_k at the point last evaluated, with c the column k of (X'V⁻¹X)⁻¹.
    pub fn beta_given(&self, system: &System, k: usize, value: f64) -> Result<Vec<f64>> {
        let (basis, rank) = (&system.basis, system.rank());
        let profile = Profile::new(system, &self.factor.gram, self.factor.log_det, false)?;
        let mut beta = coefficients(system, &profile.beta);
        let own = basis.kept.partition_point(|&kept| kept < k);
        let mut column = basis.user_row(&system.coordinates, own);
        solve_triangle(&profile.triangle, rank, &mut column);
        solve_transposed_triangle(&profile.triangle, rank, &mut column);
        let column = basis.to_user(&system.coordinates, &column);
        let excess = (beta[k] - value) / column[own];
        (basis.kept.iter().zip(&column)).for_each(|(&j, c)| beta[j] -= c * excess);
        beta[k] = value;
        Ok(beta)
    }

    /// x'V⁻¹(y − Xβ̂) of a combination x of C at the point last evaluated.
    pub fn against_residual(&self, x: &[f64]) -> f64 {
        let (width, gram) = (self.factor.system.width, &self.factor.gram);
        let residual = self.profile.as_ref().map_or(&[][..], |p| &p.residual);
        (residual.iter().zip(gram.chunks_exact(width)))
            .map(|(r, column)| r * x.iter().zip(column).map(|(x, g)| x * g).sum::<f64>())
            .sum()
    }
}

impl Criterion for Restricted<'_, '_> {
    fn value(&mut self, free: &[f64]) -> Result<f64> {
        self.evaluations += 1;
        let theta = self.theta(free);
        self.at.clone_from(&theta);
        match self.evaluate(&theta) {
            Err(Error::Infeasible(_)) => Ok(f64::INFINITY),
            other => other,
        }
    }

    fn derivatives(&mut self) -> Result<Derivatives> {
        Ok(project(self.full()?, &self.free))
    }

    fn evaluations(&self) -> usize {
        self.evaluations
    }

    fn system(&self) -> &System {
        self.factor.system
    }
}

/// λ̃ = Mλ of every group, turned into a lower triangle where it is square.
pub fn lambdas(system: &System, maps: &[Small], theta: &[f64]) -> Vec<Small> {
    let turned = |(group, map): (&Group, &Small)| {
        let mut lambda = map.times(&group.lambda(theta));
        if lambda.rows == lambda.cols {
            lower_triangle(&mut lambda);
        }
        lambda
    };
    system.groups.iter().zip(maps).map(turned).collect()
}

/// Gradient and information along the free parameters.
pub fn project(mut found: Derivatives, free: &[Free]) -> Derivatives {
    let (count, size) = (found.gradient.len(), free.len());
    let apply = |moved: &Free, vector: &dyn Fn(usize) -> f64| -> f64 {
        moved
            .iter()
            .map(|&(place, factor)| factor * vector(place))
            .sum()
    };
    let mut information = vec![0.0; size * size];
    for (a, left) in free.iter().enumerate() {
        for (b, right) in free.iter().enumerate() {
            let row = |k: usize| apply(right, &|l| found.information[k * count + l]);
            information[a * size + b] = apply(left, &row);
        }
    }
    found.gradient = (free.iter())
        .map(|moved| apply(moved, &|k| found.gradient[k]))
        .collect();
    found.information = information;
    found
}
