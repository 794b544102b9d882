//! Penalised iteratively reweighted least squares: the conditional modes û at given Λ, β and dispersion
//! (Bates et al., "Fitting linear mixed-effects models", §5; here by Newton steps with step-halving).
//!
//! û minimises −2 log f(y|u) + u'u (the unscaled deviance in place of −2 log f where the dispersion is
//! profiled out). The steps solve M°δ = Λ'Z's − u with the observed weights w° = −∂s/∂η, negative ones
//! counted as zero. With `joint` β is found together with û (nAGQ = 0).

use crate::effects::{times_lambda, times_lambda_transposed, Effects};
use crate::error::{Error, Result};
use crate::family::{Curvature, Family};
use crate::lambda::Small;
use crate::observations::{Observations, Responses};
use crate::parallel::{Shared, Team};
use crate::penalised::Penalised;
use crate::pirls_solve::Unknowns;
use crate::system::System;
use crate::working::WorkingSums;
use std::borrow::Cow;

/// A step of this squared length (in the metric of M) is the last: what it leaves is its square.
const LAST: f64 = 1e-14;
/// Share of the penalised deviance that it does not resolve itself.
const RESOLUTION: f64 = 1e-16;
/// A point whose next step would be shorter is the mode: the gradient, which is differenced for the Hessian,
/// sees the step's length itself, not its square.
const NEGLIGIBLE: f64 = 1e-24;
/// Multiplications of a factorisation, for one row, that are worth more passes over the rows; and how the
/// squared length of the steps must shrink meanwhile.
const EXPENSIVE: f64 = 10.0;
const SHRINKS: f64 = 0.03;
/// Iterations, those for starting values only, and halvings of one step.
const ITERATIONS: usize = 100;
const FIRST: usize = 10;
const HALVINGS: usize = 30;
/// Rise of the penalised deviance (relative) that is rounding.
const ROUNDING: f64 = 1e-12;

/// Row by row at the linear predictor: score s, Fisher weight w, observed weight w°, and ∂w/∂η, ∂w°/∂η.
#[derive(Clone, Default)]
pub struct Rows {
    pub score: Vec<f64>,
    pub weight: Vec<f64>,
    pub observed: Vec<f64>,
    pub weight_slope: Vec<f64>,
    pub observed_slope: Vec<f64>,
}

impl Rows {
    /// Weights of the Newton step: the observed ones, which of a canonical link are Fisher's; none below zero.
    fn newton(&self, canonical: bool) -> Cow<'_, [f64]> {
        match canonical {
            true => Cow::Borrowed(&self.weight),
            false => self.observed.iter().map(|w| w.max(0.0)).collect(),
        }
    }
}

/// The modes, and the factor that found them.
pub struct Pirls<'s> {
    pub system: &'s System,
    pub observations: &'s Observations,
    pub responses: &'s Responses,
    pub family: Family,
    /// Is β found together with u?
    pub joint: bool,
    pub lambda: Vec<Small>,
    pub at: Unknowns,
    pub eta: Vec<f64>,
    pub rows: Rows,
    /// Σ loss.
    pub loss: f64,
    pub sums: WorkingSums,
    /// The factor of M° with weights not below zero.
    pub newton: Penalised<'s>,
    /// Was no weight below zero?
    pub exact: bool,
    /// Does a factorisation cost much more than a pass over the rows?
    expensive: bool,
    /// L⁻¹Λ'Z'WX and the lower triangle of X'WX less its square, where β is joint.
    pub(crate) border: Option<(Effects, Vec<f64>)>,
}

impl<'s> Pirls<'s> {
    pub fn new(
        system: &'s System,
        observations: &'s Observations,
        responses: &'s Responses,
        family: Family,
        joint: bool,
    ) -> Self {
        let n = observations.n;
        let effects: usize = system.groups.first().map_or(0, |g| g.levels * g.effects());
        Pirls {
            family,
            joint,
            lambda: Vec::new(),
            at: Unknowns {
                u: Effects::zeros(effects, system.symbolic.size, 1),
                beta: vec![0.0; system.rank()],
            },
            eta: vec![0.0; n],
            rows: Rows {
                score: vec![0.0; n],
                weight: vec![0.0; n],
                ..Rows::default()
            },
            loss: f64::NAN,
            sums: WorkingSums::new(system, observations),
            newton: Penalised::new(system),
            exact: true,
            expensive: factor_cost(system) > EXPENSIVE * n as f64,
            border: None,
            system,
            observations,
            responses,
        }
    }

    /// Is the observed weight the Fisher weight?
    pub fn canonical(&self) -> bool {
        self.family.is_canonical()
    }

    /// û from a starting point; leaves the factor, the rows and the sums at û.
    pub fn find(&mut self, lambda: Vec<Small>, start: Unknowns, team: &Team) -> Result<()> {
        match self.approach(lambda, start, ITERATIONS, team)? {
            true => Ok(()),
            false => Err(Error::Infeasible(
                "the conditional modes were not found at these parameters".into(),
            )),
        }
    }

    /// Near û (and β, where it is joint): good enough to start from, also where there is no optimum to reach.
    pub fn near(&mut self, lambda: Vec<Small>, start: Unknowns, team: &Team) -> Result<()> {
        self.approach(lambda, start, FIRST, team).map(drop)
    }

    /// At most so many steps towards û; was it reached? Where a factorisation costs much more than a pass
    /// over the rows, the last factor serves as long as steps shrink by it.
    fn approach(
        &mut self,
        lambda: Vec<Small>,
        start: Unknowns,
        most: usize,
        team: &Team,
    ) -> Result<bool> {
        self.lambda = lambda;
        self.at = start;
        self.eta = self.predictor(&self.at, true, team);
        let mut total = self.look(team)?;
        let mut before = f64::INFINITY;
        let expensive = self.expensive;
        let (mut fresh, mut stale) = (false, expensive && !self.newton.lambda.is_empty());
        for _ in 0..most {
            team.check()?;
            if !total.is_finite() {
                return Err(Error::Infeasible(
                    "the likelihood is zero at these parameters".into(),
                ));
            }
            if !stale {
                self.factor(team)?;
                fresh = true;
            }
            let gradient = self.gradient(team);
            let mut step = gradient.clone();
            self.solve_newton(&mut step, team);
            let length = gradient.dot(&step);
            if length.is_nan() {
                return Ok(false);
            }
            // What no longer shrinks is rounding.
            let rounding = LAST.max(RESOLUTION * total.abs());
            if length < NEGLIGIBLE || (fresh && length < rounding && length > 0.5 * before) {
                return if fresh {
                    Ok(true)
                } else {
                    self.factor(team).map(|()| true)
                };
            }
            total = self.advance(&step, total, team)?;
            if fresh && self.exact && length < LAST {
                return self.factor(team).map(|()| true);
            }
            stale = expensive && (!before.is_finite() || length < SHRINKS * before);
            (before, fresh) = (length, false);
        }
        Ok(false)
    }

    /// Near û and β where nothing is known but the data: from one step of weighted least squares at the family's
    /// starting means, or, where that leaves the family's range, from one mean for all rows.
    pub fn find_from_data(&mut self, lambda: Vec<Small>, team: &Team) -> Result<()> {
        self.lambda = lambda;
        let (n, offset) = (self.observations.n, &self.observations.offset);
        self.factor_from_data(team)?;
        let mean = self.eta.iter().sum::<f64>() / n as f64;
        let weight = self.rows.newton(self.canonical());
        let product = |target: f64, i: usize| weight[i] * (target - offset[i]);
        let working = |i: usize| self.rows.score[i] + product(self.eta[i], i);
        let even = |i: usize| product(mean, i);
        let starts: [Vec<f64>; 2] = [(0..n).map(working).collect(), (0..n).map(even).collect()];
        let mut found = Ok(());
        for right in starts {
            let start = self.least_squares(&right, team);
            match self.approach(self.lambda.clone(), start, FIRST, team) {
                Err(error @ Error::Infeasible(_)) => found = Err(error),
                other => return other.map(drop),
            }
            self.factor_from_data(team)?;
        }
        found
    }

    /// The factor at the family's starting means.
    fn factor_from_data(&mut self, team: &Team) -> Result<()> {
        let rows = self.responses.of(0..self.observations.n);
        self.family.start(rows, &mut self.eta);
        self.look(team)?;
        self.factor(team)
    }

    /// The Newton step's matrix⁻¹ [Λ'Z'v; X'v].
    fn least_squares(&self, values: &[f64], team: &Team) -> Unknowns {
        let image = self.gather(values, team);
        let mut unknowns = Unknowns {
            u: times_lambda_transposed(&self.system.symbolic, &self.lambda, &image),
            beta: self.fixed_products(values, team),
        };
        self.solve_newton(&mut unknowns, team);
        unknowns
    }

    /// Σ loss + u'u at `eta`, with score and weight of every row.
    fn look(&mut self, team: &Team) -> Result<f64> {
        let (family, responses, observations) = (&self.family, self.responses, self.observations);
        let (eta, rows) = (&self.eta, &mut self.rows);
        let (score, weight) = (Shared::new(&mut rows.score), Shared::new(&mut rows.weight));
        let task = |task: usize| {
            let (range, _) = observations.task(task);
            // SAFETY: each row belongs to one task.
            let (score, weight) = unsafe {
                (
                    score.range(range.start, range.len()),
                    weight.range(range.start, range.len()),
                )
            };
            family.working(responses.of(range.clone()), &eta[range], score, weight)
        };
        let mut loss = 0.0;
        team.fold(observations.tasks(), task, |part: f64| loss += part)?;
        self.loss = loss;
        Ok(loss + self.at.u.dot(&self.at.u))
    }

    /// Score, weights and their slopes of every row.
    pub fn curvature(&mut self, team: &Team) -> Result<()> {
        let (n, observations) = (self.observations.n, self.observations);
        let rows = &mut self.rows;
        for column in [
            &mut rows.observed,
            &mut rows.weight_slope,
            &mut rows.observed_slope,
        ] {
            column.resize(n, 0.0);
        }
        let columns = [
            Shared::new(&mut rows.score),
            Shared::new(&mut rows.weight),
            Shared::new(&mut rows.observed),
            Shared::new(&mut rows.weight_slope),
            Shared::new(&mut rows.observed_slope),
        ];
        let (family, responses, eta) = (&self.family, self.responses, &self.eta);
        team.each(observations.tasks(), |task| {
            let (range, _) = observations.task(task);
            // SAFETY: each row belongs to one task.
            let part = |k: usize| unsafe { columns[k].range(range.start, range.len()) };
            let out = Curvature {
                score: part(0),
                weight: part(1),
                observed: part(2),
                weight_slope: part(3),
                observed_slope: part(4),
            };
            family.curvature(responses.of(range.clone()), &eta[range.clone()], out);
        });
        team.check()
    }

    /// The factor at the rows' weights.
    fn factor(&mut self, team: &Team) -> Result<()> {
        if !self.canonical() {
            self.curvature(team)?;
            self.exact = self.rows.observed.iter().all(|w| *w >= 0.0);
        }
        let weight = self.rows.newton(self.canonical());
        self.sums
            .update(self.system, self.observations, &weight, team)?;
        self.newton.update(self.lambda.clone(), &self.sums, team)?;
        if self.joint {
            self.border = Some(self.border(&weight, team)?);
        }
        Ok(())
    }

    /// Z̃'V.
    pub fn gather(&self, values: &[f64], team: &Team) -> Effects {
        let (levels, size) = (self.system.leading.levels, self.system.symbolic.size);
        self.observations.gather(values, levels, size, team)
    }

    /// Λ'Z's − u, and X's where β is joint.
    fn gradient(&self, team: &Team) -> Unknowns {
        let scores = self.gather(&self.rows.score, team);
        let mut u = times_lambda_transposed(&self.system.symbolic, &self.lambda, &scores);
        u.add(-1.0, &self.at.u);
        Unknowns {
            u,
            beta: self.fixed_products(&self.rows.score, team),
        }
    }

    /// X'v where β is joint, else nothing.
    pub fn fixed_products(&self, values: &[f64], team: &Team) -> Vec<f64> {
        match self.joint {
            true => self.observations.fixed_products(values, team),
            false => Vec::new(),
        }
    }

    /// ZΛu + Xβ, with the offset if asked for.
    pub fn predictor(&self, at: &Unknowns, offset: bool, team: &Team) -> Vec<f64> {
        let b = times_lambda(&self.system.symbolic, &self.lambda, &at.u);
        self.observations.predictor(&b, &at.beta, offset, team)
    }

    /// Go along a step, halved until the penalised deviance does not rise; returns that deviance.
    fn advance(&mut self, step: &Unknowns, total: f64, team: &Team) -> Result<f64> {
        let along = self.predictor(step, false, team);
        let (start, eta) = (self.at.clone(), self.eta.clone());
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            self.at = start.clone();
            self.at.add(share, step);
            let moved = eta.iter().zip(&along).map(|(eta, a)| eta + share * a);
            self.eta.clear();
            self.eta.extend(moved);
            let next = self.look(team)?;
            if next <= total + ROUNDING * total.abs().max(1.0)
                || !total.is_finite() && next.is_finite()
            {
                return Ok(next);
            }
            share *= 0.5;
        }
        (self.at, self.eta) = (start, eta);
        self.look(team)
    }
}

/// Multiplications of one factorisation: pairs of columns of the elements, and fronts.
fn factor_cost(system: &System) -> f64 {
    let elements = &system.symbolic.elements;
    let pairs = |j: usize| (elements.width(j) as f64).powi(2);
    (0..elements.len()).map(pairs).sum::<f64>() + system.symbolic.flops()
}
