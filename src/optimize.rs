//! Trust-region Newton over θ; why it stopped is a type.
//!
//! The step minimises g's + ½ s'Hs over ‖s‖ ≤ radius by the eigenvalues of H, the average information
//! (or a BFGS matrix). Negative curvature, which at a singular λ means a negative multiplier (λ = 0 is
//! always stationary), is followed outwards. Near the optimum, where the criterion no longer resolves a
//! step, steps are judged by the exact gradient alone until it stops shrinking.

use crate::derivatives::{derivatives, Derivatives};
use crate::error::{Error, Result};
use crate::factor::Factor;
use crate::lambda::Small;
use crate::objective::Profile;
use crate::parallel::Team;
use crate::system::System;
use faer::{MatRef, Side};
use std::time::{Duration, Instant};

/// Which method proposes the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimizer {
    Newton,
    Bfgs,
    NelderMead,
}

impl Optimizer {
    pub fn name(self) -> &'static str {
        match self {
            Optimizer::Newton => "newton",
            Optimizer::Bfgs => "bfgs",
            Optimizer::NelderMead => "nelder-mead",
        }
    }
}

/// Limits and tolerances of one fit.
#[derive(Clone, Debug)]
pub struct Settings {
    pub optimizer: Optimizer,
    /// Newton decrement ½ g'H⁻¹g (deviance units) at which the fit has converged.
    pub tolerance: f64,
    pub max_evaluations: usize,
    pub time_limit: Option<Duration>,
    /// The user's θ to start from.
    pub start: Option<Vec<f64>>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            optimizer: Optimizer::Newton,
            tolerance: 1e-9,
            max_evaluations: 1000,
            time_limit: None,
            start: None,
        }
    }
}

/// Why the optimiser stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The Newton decrement is below the tolerance and no multiplier is negative.
    Decrement,
    /// The simplex shrank to a point (derivative-free method).
    Simplex,
    /// There is nothing to optimise.
    NoParameters,
    MaxEvaluations,
    TimeLimit,
    /// No step lowers the criterion although the decrement is above the tolerance.
    NoProgress,
}

impl Reason {
    pub fn converged(self) -> bool {
        matches!(self, Reason::Decrement | Reason::Simplex | Reason::NoParameters)
    }

    pub fn text(self) -> &'static str {
        match self {
            Reason::Decrement => "the Newton decrement is below the tolerance",
            Reason::Simplex => "the simplex has shrunk to a point",
            Reason::NoParameters => "there are no covariance parameters",
            Reason::MaxEvaluations => "the limit of evaluations was reached",
            Reason::TimeLimit => "the time limit was reached",
            Reason::NoProgress => "no step lowers the criterion any further",
        }
    }
}

/// Progress report: evaluations so far, criterion, Newton decrement.
pub type Report<'a> = &'a (dyn Fn(usize, f64, f64) + Sync);

/// The criterion as a function of the optimiser's θ.
pub struct Problem<'s, 'a> {
    pub factor: Factor<'s>,
    pub reml: bool,
    pub team: &'a Team,
    pub evaluations: usize,
    pub profile: Option<Profile>,
    at: Vec<f64>,
}

impl<'s, 'a> Problem<'s, 'a> {
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
        groups.map(|group| group.template.factor(&group.pick(theta))).collect()
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
        let profile = Profile::new(self.factor.system, &self.factor.gram, self.factor.log_det, self.reml)?;
        let criterion = profile.criterion;
        self.profile = Some(profile);
        Ok(criterion)
    }

    /// Derivatives where the criterion was last evaluated.
    pub fn derivatives(&mut self) -> Result<Derivatives> {
        let profile = self.settle(&self.at.clone())?;
        derivatives(&mut self.factor, &profile, self.reml, self.team)
    }

    /// Make sure that the factor stands at θ.
    pub fn settle(&mut self, theta: &[f64]) -> Result<Profile> {
        if self.at != theta || self.profile.is_none() {
            self.value(theta)?;
        }
        self.profile.clone().ok_or_else(|| Error::Convergence("the criterion cannot be evaluated at these parameters".into()))
    }
}

/// Where the optimiser ended.
pub struct Outcome {
    pub theta: Vec<f64>,
    pub criterion: f64,
    pub gradient: Vec<f64>,
    pub decrement: f64,
    pub iterations: usize,
    pub reason: Reason,
    pub optimizer: Optimizer,
    pub g: Vec<Small>,
    pub scale: Vec<f64>,
}

/// A point with its derivatives.
struct Point {
    theta: Vec<f64>,
    criterion: f64,
    gradient: Vec<f64>,
    model: Quadratic,
    g: Vec<Small>,
    scale: Vec<f64>,
}

/// Eigenvalues and vectors of a symmetric matrix, and the gradient in them.
struct Quadratic {
    values: Vec<f64>,
    vectors: Vec<f64>,
    gradient: Vec<f64>,
}

impl Quadratic {
    fn new(matrix: &[f64], gradient: &[f64]) -> Result<Self> {
        let size = gradient.len();
        let eigen = MatRef::from_column_major_slice(matrix, size, size)
            .self_adjoint_eigen(Side::Lower)
            .map_err(|_| Error::Convergence("the information matrix has no eigenvalues (it is not finite)".into()))?;
        let vectors: Vec<f64> = (0..size).flat_map(|j| (0..size).map(move |i| (i, j))).map(|(i, j)| eigen.U()[(i, j)]).collect();
        let rotated = vectors.chunks_exact(size).map(|v| dot(v, gradient)).collect();
        Ok(Quadratic {
            values: (0..size).map(|i| eigen.S()[i]).collect(),
            vectors,
            gradient: rotated,
        })
    }

    /// Curvature below this is rounding.
    fn floor(&self) -> f64 {
        1e-10 * self.values.iter().fold(1e-300_f64, |m, v| m.max(v.abs()))
    }

    /// ½ g'|H|⁻¹g.
    fn decrement(&self) -> f64 {
        let floor = self.floor();
        let term = |(g, v): (&f64, &f64)| 0.5 * g * g / v.abs().max(floor);
        self.gradient.iter().zip(&self.values).map(term).sum()
    }

    fn least(&self) -> f64 {
        self.values.iter().copied().fold(f64::INFINITY, f64::min)
    }

    fn back(&self, rotated: &[f64]) -> Vec<f64> {
        let size = rotated.len();
        (0..size).map(|i| (0..size).map(|k| self.vectors[i + k * size] * rotated[k]).sum()).collect()
    }

    fn solve(&self, shift: f64) -> Vec<f64> {
        let floor = self.floor();
        self.gradient.iter().zip(&self.values).map(|(g, v)| -g / (v + shift).max(floor)).collect()
    }

    /// Minimiser of the model within the radius, and the decrease it promises.
    fn step(&self, radius: f64) -> (Vec<f64>, f64) {
        let floor = self.floor();
        let mut rotated = self.solve(0.0);
        let convex = self.least() > -floor;
        if !convex || norm(&rotated) > radius {
            let mut low = (-self.least()).max(0.0);
            let mut high = low + norm(&self.gradient) / radius + floor;
            for _ in 0..200 {
                let middle = 0.5 * (low + high);
                if norm(&self.solve(middle)) > radius {
                    low = middle;
                } else {
                    high = middle;
                }
            }
            rotated = self.solve(high);
            let left = radius * radius - dot(&rotated, &rotated);
            if !convex && left > 0.0 {
                // The gradient has no part along the most negative curvature: leave along it.
                if let Some(k) = (0..self.values.len()).min_by(|&a, &b| self.values[a].total_cmp(&self.values[b])) {
                    let sign = if rotated[k] < 0.0 { -1.0 } else { 1.0 };
                    rotated[k] += sign * ((rotated[k].powi(2) + left).sqrt() - rotated[k].abs());
                }
            }
        }
        let promised = -(0..rotated.len())
            .map(|k| rotated[k] * (self.gradient[k] + 0.5 * self.values[k] * rotated[k]))
            .sum::<f64>();
        (self.back(&rotated), promised)
    }
}

pub fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

pub fn norm(x: &[f64]) -> f64 {
    dot(x, x).sqrt()
}

/// Evaluations so expensive (multiplications) that polishing stops at one last step.
const EXPENSIVE: f64 = 2e8;

/// One run of the trust-region method.
pub struct Search<'p, 's, 'a> {
    pub problem: &'p mut Problem<'s, 'a>,
    pub settings: &'p Settings,
    pub report: Report<'p>,
    pub began: Instant,
    optimizer: Optimizer,
    iterations: usize,
    bfgs: Vec<f64>,
}

impl<'p, 's, 'a> Search<'p, 's, 'a> {
    pub fn new(problem: &'p mut Problem<'s, 'a>, settings: &'p Settings, optimizer: Optimizer, report: Report<'p>, began: Instant) -> Self {
        Search {
            problem,
            settings,
            report,
            began,
            optimizer,
            iterations: 0,
            bfgs: Vec::new(),
        }
    }

    /// Minimise from `start`.
    pub fn run(mut self, start: Vec<f64>) -> Result<Outcome> {
        let criterion = self.problem.value(&start)?;
        if !criterion.is_finite() {
            return Err(Error::Convergence("the criterion cannot be evaluated at the starting values".into()));
        }
        let mut point = self.point(start, criterion, None)?;
        let mut radius = 0.5 * norm(&point.theta).max(1.0);
        let reason = loop {
            (self.report)(self.problem.evaluations, point.criterion, point.model.decrement());
            if point.model.decrement() < self.settings.tolerance && point.model.least() > -self.negligible(&point) {
                break Reason::Decrement;
            }
            if self.problem.evaluations >= self.settings.max_evaluations {
                break Reason::MaxEvaluations;
            }
            if self.settings.time_limit.is_some_and(|limit| self.began.elapsed() > limit) {
                break Reason::TimeLimit;
            }
            match self.advance(&point, &mut radius)? {
                Some(next) => point = next,
                None if radius < 1e-11 * norm(&point.theta).max(1.0) => break Reason::NoProgress,
                None => {}
            }
        };
        if reason == Reason::Decrement {
            point = self.polish(point)?;
        }
        Ok(Outcome {
            decrement: point.model.decrement(),
            theta: point.theta,
            criterion: point.criterion,
            gradient: point.gradient,
            iterations: self.iterations,
            reason,
            optimizer: self.optimizer,
            g: point.g,
            scale: point.scale,
        })
    }

    /// Negative curvature too small to mean anything.
    fn negligible(&self, point: &Point) -> f64 {
        let largest = point.scale.iter().fold(0.0_f64, |m, v| m.max(*v));
        1e-7 * (1.0 + largest)
    }

    /// Derivatives at a point where the criterion was just evaluated.
    fn point(&mut self, theta: Vec<f64>, criterion: f64, before: Option<&Point>) -> Result<Point> {
        let Derivatives {
            gradient,
            information,
            g,
            scale,
            ..
        } = self.problem.derivatives()?;
        let matrix = match self.optimizer {
            Optimizer::Bfgs => self.bfgs_matrix(&theta, &gradient, before, &information),
            _ => information,
        };
        Ok(Point {
            model: Quadratic::new(&matrix, &gradient)?,
            theta,
            criterion,
            gradient,
            g,
            scale,
        })
    }

    /// BFGS update of the model's matrix; the first one is the diagonal of the average information.
    fn bfgs_matrix(&mut self, theta: &[f64], gradient: &[f64], before: Option<&Point>, first: &[f64]) -> Vec<f64> {
        let size = theta.len();
        let Some(before) = before else {
            self.bfgs = vec![0.0; size * size];
            (0..size).for_each(|i| self.bfgs[i * size + i] = first[i * size + i].abs().max(1e-8));
            return self.bfgs.clone();
        };
        let step: Vec<f64> = theta.iter().zip(&before.theta).map(|(a, b)| a - b).collect();
        let change: Vec<f64> = gradient.iter().zip(&before.gradient).map(|(a, b)| a - b).collect();
        let image: Vec<f64> = self.bfgs.chunks_exact(size).map(|row| dot(row, &step)).collect();
        let (curvature, energy) = (dot(&change, &step), dot(&image, &step));
        if curvature > 1e-12 * norm(&change) * norm(&step) && energy > 0.0 {
            for i in 0..size {
                for j in 0..size {
                    self.bfgs[i * size + j] += change[i] * change[j] / curvature - image[i] * image[j] / energy;
                }
            }
        }
        self.bfgs.clone()
    }

    /// Try one step; None when it was refused (the radius shrinks).
    fn advance(&mut self, point: &Point, radius: &mut f64) -> Result<Option<Point>> {
        self.iterations += 1;
        let (step, promised) = point.model.step(*radius);
        let theta: Vec<f64> = point.theta.iter().zip(&step).map(|(t, s)| t + s).collect();
        let criterion = self.problem.value(&theta)?;
        let gained = point.criterion - criterion;
        // Below this the criterion is rounding, and only the gradient can tell.
        let blind = promised < 1e-13 * point.criterion.abs().max(1.0) * 10.0;
        if blind && criterion.is_finite() && gained > -1e-9 {
            let next = self.point(theta, criterion, Some(point))?;
            if next.model.decrement() < point.model.decrement() {
                return Ok(Some(next));
            }
            *radius = 0.1 * norm(&step);
            return Ok(None);
        }
        let ratio = if criterion.is_finite() { gained / promised } else { -1.0 };
        if ratio < 0.25 {
            *radius = 0.25 * norm(&step);
        } else if ratio > 0.75 && norm(&step) > 0.8 * *radius {
            *radius *= 3.0;
        }
        if ratio > 1e-3 {
            Ok(Some(self.point(theta, criterion, Some(point))?))
        } else {
            Ok(None)
        }
    }

    /// Newton steps on the gradient alone, as long as it shrinks.
    fn polish(&mut self, mut point: Point) -> Result<Point> {
        let steps = if self.problem.factor.system.symbolic.flops() > EXPENSIVE { 0 } else { 10 };
        for _ in 0..steps {
            let decrement = point.model.decrement();
            if decrement == 0.0 || self.problem.evaluations >= self.settings.max_evaluations {
                break;
            }
            let (step, _) = point.model.step(f64::INFINITY);
            let theta: Vec<f64> = point.theta.iter().zip(&step).map(|(t, s)| t + s).collect();
            let criterion = self.problem.value(&theta)?;
            if !(criterion <= point.criterion + 1e-9) {
                break;
            }
            let next = self.point(theta, criterion, Some(&point))?;
            if next.model.decrement() >= 0.5 * decrement {
                break;
            }
            point = next;
        }
        Ok(point)
    }
}
