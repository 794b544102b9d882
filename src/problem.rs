//! The criterion as a function of θ, with the factor that evaluates it.

use crate::derivatives::{derivatives, Derivatives};
use crate::direction::of_optimiser;
use crate::error::{Error, Result};
use crate::factor::{Factor, Numbers};
use crate::lambda::Small;
use crate::objective::{Profile, Sigma};
use crate::optimize::Criterion;
use crate::parallel::Team;
use crate::system::System;

/// The criterion as a function of the optimiser's θ.
pub struct Problem<'s, 'a> {
    pub factor: Factor<'s>,
    pub reml: bool,
    pub team: &'a Team,
    pub evaluations: usize,
    pub profile: Option<Profile>,
    at: Vec<f64>,
}

/// A problem put aside at one θ: what it would take to evaluate it there again.
pub struct Parked {
    numbers: Numbers,
    profile: Profile,
    at: Vec<f64>,
}

/// Bytes of a factor that a fitted model may keep.
const KEPT: usize = 64 << 20;

impl<'s, 'a> Problem<'s, 'a> {
    /// Put aside, unless the factor is too large to be kept.
    pub fn park(self) -> Option<Parked> {
        let numbers = self.factor.into_numbers();
        let (profile, at) = (self.profile?, self.at);
        (numbers.bytes() <= KEPT).then_some(Parked {
            numbers,
            profile,
            at,
        })
    }

    /// Go on where it was parked.
    pub fn resume(system: &'s System, reml: bool, team: &'a Team, parked: Parked) -> Self {
        Problem {
            factor: Factor::of(system, parked.numbers),
            reml,
            team,
            evaluations: 0,
            profile: Some(parked.profile),
            at: parked.at,
        }
    }

    pub fn new(system: &'s System, reml: bool, team: &'a Team) -> Self {
        Problem {
            factor: Factor::new(system),
            reml,
            team,
            evaluations: 0,
            profile: None,
            at: Vec::new(),
        }
    }

    /// λ̃ of every group.
    pub fn lambda(&self, theta: &[f64]) -> Vec<Small> {
        let groups = self.factor.system.groups.iter();
        groups
            .map(|group| group.template.factor(&group.pick(theta)))
            .collect()
    }

    /// The criterion at θ; +∞ where it cannot be evaluated.
    pub fn value(&mut self, theta: &[f64]) -> Result<f64> {
        let lambda = self.lambda(theta);
        self.at = theta.to_vec();
        match self.value_at(lambda) {
            Err(Error::Infeasible(_)) => Ok(f64::INFINITY),
            other => other,
        }
    }

    /// The criterion at given λ̃.
    pub fn value_at(&mut self, lambda: Vec<Small>) -> Result<f64> {
        self.evaluations += 1;
        self.profile = None;
        self.factor.update(self.team, lambda)?;
        let profile = Profile::new(
            self.factor.system,
            &self.factor.gram,
            self.factor.log_det,
            self.reml,
        )?;
        let criterion = profile.criterion;
        self.profile = Some(profile);
        Ok(criterion)
    }

    /// Derivatives where the criterion was last evaluated.
    pub fn derivatives(&mut self) -> Result<Derivatives> {
        let profile = self.settle(&self.at.clone())?;
        let system = self.factor.system;
        let along = of_optimiser(system, &self.at);
        derivatives(
            &mut self.factor,
            &profile,
            &along,
            Sigma::Profiled,
            self.reml,
            self.team,
        )
    }

    /// Make sure that the factor stands at θ.
    pub fn settle(&mut self, theta: &[f64]) -> Result<Profile> {
        if self.at != theta || self.profile.is_none() {
            self.value(theta)?;
        }
        self.profile.clone().ok_or_else(|| {
            Error::Convergence("the criterion cannot be evaluated at these parameters".into())
        })
    }
}

impl Criterion for Problem<'_, '_> {
    fn value(&mut self, theta: &[f64]) -> Result<f64> {
        Problem::value(self, theta)
    }

    fn derivatives(&mut self) -> Result<Derivatives> {
        Problem::derivatives(self)
    }

    fn evaluations(&self) -> usize {
        self.evaluations
    }

    fn system(&self) -> &System {
        self.factor.system
    }
}
