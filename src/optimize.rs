//! Trust-region Newton over θ.
//!
//! The step minimises g's + ½ s'Hs over ‖s‖ ≤ radius by the eigenvalues of H, the average information
//! (or a BFGS matrix). Negative curvature, which at a singular λ means a negative multiplier (λ = 0 is
//! always stationary), is followed outwards. Near the optimum, where the criterion no longer resolves a
//! step, steps are judged by the exact gradient alone until it stops shrinking.

use crate::derivatives::Derivatives;
use crate::error::{Error, Result};
use crate::lambda::Small;
use crate::outcome::{Optimizer, Outcome, Reason, Report, Settings};
use crate::quadratic::{norm, Quadratic};
use crate::secant::{self, minus};
use crate::system::System;
use std::time::Instant;

/// A function of parameters with its gradient and a model of its curvature.
pub trait Criterion {
    /// +∞ where it cannot be evaluated.
    fn value(&mut self, theta: &[f64]) -> Result<f64>;
    /// Where it was last evaluated.
    fn derivatives(&mut self) -> Result<Derivatives>;
    fn evaluations(&self) -> usize;
    fn system(&self) -> &System;
    /// Steps on the gradient alone after convergence: the last digits, for models where they cost nothing.
    fn polishing(&self) -> usize {
        let system = self.system();
        let cost = system.symbolic.flops() + (system.leading.data.len() * system.width) as f64;
        let steps = POLISH.iter().find(|(limit, _)| cost < *limit);
        steps.map_or(0, |(_, steps)| *steps)
    }
    /// Does the model of the curvature miss part of the Hessian even at the optimum?
    fn approximate(&self) -> bool {
        false
    }
}

/// A point with its derivatives.
struct Point {
    theta: Vec<f64>,
    criterion: f64,
    gradient: Vec<f64>,
    model: Quadratic,
    information: Vec<f64>,
    g: Vec<Small>,
    scale: Vec<f64>,
}

/// A step is slow if this share of the decrement is left, and so many in a row call for a correction.
const STALLED: f64 = 0.3;
const SLOW: usize = 3;
/// So many call for the exact Hessian.
const VERY_SLOW: usize = 8;
/// Relative step of the differences that correct the average information.
const DIFFERENCE: f64 = 1e-6;
/// A decrement (deviance units) that is left where the gradient's rounding allows no better.
const ROUNDING: f64 = 1e-6;
/// Polishing steps by the cost of an evaluation (multiplications): the last digits are for models where
/// they cost nothing.
const POLISH: [(f64, usize); 2] = [(1e6, 10), (2e8, 1)];

/// One run of the trust-region method.
pub struct Search<'p, C: Criterion> {
    pub problem: &'p mut C,
    pub settings: &'p Settings,
    pub report: Report<'p>,
    pub began: Instant,
    optimizer: Optimizer,
    iterations: usize,
    /// Was the last step too small for the criterion to resolve?
    blind: bool,
    /// Accepted steps in a row that hardly shrank the decrement.
    slow: usize,
    correcting: bool,
    /// What the average information lacks of the Hessian, once steps are slow.
    correction: Vec<f64>,
    bfgs: Vec<f64>,
}

impl<'p, C: Criterion> Search<'p, C> {
    pub fn new(
        problem: &'p mut C,
        settings: &'p Settings,
        optimizer: Optimizer,
        report: Report<'p>,
        began: Instant,
    ) -> Self {
        Search {
            correcting: problem.approximate(),
            problem,
            settings,
            report,
            began,
            optimizer,
            iterations: 0,
            blind: false,
            slow: 0,
            correction: Vec::new(),
            bfgs: Vec::new(),
        }
    }

    /// Minimise from `start`.
    pub fn run(mut self, start: Vec<f64>) -> Result<Outcome> {
        let criterion = self.problem.value(&start)?;
        if !criterion.is_finite() {
            return Err(Error::Convergence(
                "the criterion cannot be evaluated at the starting values".into(),
            ));
        }
        let mut point = self.point(start, criterion, None)?;
        let mut radius = 0.5 * norm(&point.theta).max(1.0);
        let reason = loop {
            (self.report)(
                self.problem.evaluations(),
                point.criterion,
                point.model.decrement(),
            );
            if point.model.decrement() < self.settings.tolerance
                && point.model.least() > -self.negligible(&point)
            {
                break Reason::Decrement;
            }
            if self.problem.evaluations() >= self.settings.max_evaluations {
                break Reason::MaxEvaluations;
            }
            if self
                .settings
                .time_limit
                .is_some_and(|limit| self.began.elapsed() > limit)
            {
                break Reason::TimeLimit;
            }
            match self.advance(&point, &mut radius)? {
                Some(next) => point = self.pace(&point, next)?,
                None if self.blind && point.model.decrement() < ROUNDING => break Reason::Rounding,
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
            _ => self.corrected(&theta, &gradient, before, &information),
        };
        Ok(Point {
            model: Quadratic::new(&matrix, &gradient)?,
            information,
            theta,
            criterion,
            gradient,
            g,
            scale,
        })
    }

    /// Count the slow steps, and correct the model when there are too many.
    fn pace(&mut self, point: &Point, mut next: Point) -> Result<Point> {
        let stalled = next.model.decrement() > STALLED * point.model.decrement();
        self.slow = if stalled { self.slow + 1 } else { 0 };
        self.correcting |= self.slow == SLOW;
        if self.slow == VERY_SLOW && self.optimizer == Optimizer::Newton {
            self.slow = 0;
            self.correct(&mut next)?;
        }
        Ok(next)
    }

    /// Learn what the average information lacks of the Hessian at this point, by differences of the
    /// exact gradient.
    fn correct(&mut self, point: &mut Point) -> Result<()> {
        let size = point.theta.len();
        let mut hessian = vec![0.0; size * size];
        for k in 0..size {
            let mut theta = point.theta.clone();
            theta[k] += DIFFERENCE * theta[k].abs().max(0.1);
            if !self.problem.value(&theta)?.is_finite() {
                return Ok(());
            }
            let gradient = self.problem.derivatives()?.gradient;
            let step = theta[k] - point.theta[k];
            for l in 0..size {
                let value = 0.5 * (gradient[l] - point.gradient[l]) / step;
                hessian[k * size + l] += value;
                hessian[l * size + k] += value;
            }
        }
        self.correction = (hessian.iter().zip(&point.information))
            .map(|(exact, average)| exact - average)
            .collect();
        point.model = Quadratic::new(&hessian, &point.gradient)?;
        Ok(())
    }

    /// The average information with what secants have taught about it, once steps are slow.
    fn corrected(
        &mut self,
        theta: &[f64],
        gradient: &[f64],
        before: Option<&Point>,
        average: &[f64],
    ) -> Vec<f64> {
        let Some(before) = before.filter(|_| self.correcting) else {
            self.correction = vec![0.0; average.len()];
            return average.to_vec();
        };
        let (step, change) = (
            minus(theta, &before.theta),
            minus(gradient, &before.gradient),
        );
        secant::correct(&mut self.correction, average, &step, &change);
        average
            .iter()
            .zip(&self.correction)
            .map(|(a, more)| a + more)
            .collect()
    }

    /// BFGS update of the model's matrix; the first one is the diagonal of the average information.
    fn bfgs_matrix(
        &mut self,
        theta: &[f64],
        gradient: &[f64],
        before: Option<&Point>,
        first: &[f64],
    ) -> Vec<f64> {
        let size = theta.len();
        match before {
            Some(before) => {
                secant::bfgs(
                    &mut self.bfgs,
                    &minus(theta, &before.theta),
                    &minus(gradient, &before.gradient),
                );
            }
            None => {
                self.bfgs = vec![0.0; size * size];
                (0..size)
                    .for_each(|i| self.bfgs[i * size + i] = first[i * size + i].abs().max(1e-8));
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
        self.blind = promised < 1e-13 * point.criterion.abs().max(1.0) * 10.0;
        if self.blind && criterion.is_finite() && gained > -1e-9 {
            let next = self.point(theta, criterion, Some(point))?;
            if next.model.decrement() < point.model.decrement() {
                return Ok(Some(next));
            }
            *radius = 0.1 * norm(&step);
            return Ok(None);
        }
        let ratio = if criterion.is_finite() {
            gained / promised
        } else {
            -1.0
        };
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
        self.correcting = true;
        for _ in 0..self.problem.polishing() {
            let decrement = point.model.decrement();
            if decrement == 0.0 || self.problem.evaluations() >= self.settings.max_evaluations {
                break;
            }
            let (step, _) = point.model.step(f64::INFINITY);
            let theta: Vec<f64> = point.theta.iter().zip(&step).map(|(t, s)| t + s).collect();
            let criterion = self.problem.value(&theta)?;
            if criterion > point.criterion + 1e-9 {
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
