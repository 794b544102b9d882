//! The Laplace approximation of −2 log-likelihood, with its exact gradient.
//!
//!     d(θ, β) = −2 log f(y|û) + û'û + log|M|,     M = Λ'Z'WZΛ + I at the conditional modes û
//!
//! with h = leverages zᵢ'ΛM⁻¹Λ'zᵢ, v = h ∂w/∂η, κ the slope of the first term in the losses (1 unless the
//! dispersion is profiled out) and ρ = v + 2(1 − κ)s:
//!
//!     a = M°⁻¹Λ'Z'ρ,   v̂ = ρ − w°ZΛa,   ∂d/∂β = X'(v̂ − 2s),   ∂d/∂λ = 2Gλ,
//!     G = Σⱼ [Z̃'V⁻¹Z̃]ⱼⱼ − sⱼsⱼ' + ½(v̂ⱼsⱼ' + sⱼv̂ⱼ')            (sⱼ = Z̃ⱼ's, v̂ⱼ = Z̃ⱼ'v̂)
//!
//! The optimiser's parameters are θ, then β (where PIRLS does not find it with u), then the log of a
//! dispersion parameter. The curvature that it is given is that of the working linear model; what that
//! lacks is learned from secants.

use crate::derivatives::Derivatives;
use crate::effects::times_lambda_transposed;
use crate::error::{Error, Result};
use crate::family::{Family, Summary};
use crate::lambda::Small;
use crate::laplace_curvature::Moves;
use crate::optimize::Criterion;
use crate::parallel::Team;
use crate::penalised::Penalised;
use crate::pirls::Pirls;
use crate::pirls_solve::Unknowns;
use crate::quadrature::{self, Grid};
use crate::restricted::lambdas;
use crate::system::System;

/// Multiplications of one factorisation up to which one more step is worth its digits, and rows up to which
/// two are.
const SMALL: f64 = 1e8;
const FEW: usize = 5000;

/// A refinement that changes more shows a wrong factor.
const REFINEMENT: f64 = 1e-7;

/// Which weights log |M| is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weights {
    /// Their expectation (lme4).
    Fisher,
    /// −∂s/∂η (glmmTMB).
    Observed,
}

/// Which model of the data, and which criterion.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    pub family: Family,
    pub weights: Weights,
    /// Nodes of the quadrature per dimension: 1 is the Laplace approximation; 0 leaves β to PIRLS.
    pub nodes: usize,
}

impl Model {
    /// Is the family's dispersion parameter to be estimated?
    pub fn dispersed(&self) -> bool {
        self.family.has_dispersion_parameter() && self.family.dispersion.is_nan()
    }
}

/// The criterion as a function of the optimiser's parameters.
pub struct Laplace<'s, 'a> {
    pub pirls: Pirls<'s>,
    pub model: Model,
    pub team: &'a Team,
    pub evaluations: usize,
    /// λ̃ = Mλ where θ stands in other coordinates than the optimiser's.
    pub maps: Option<Vec<Small>>,
    /// The factor under the criterion's weights, where they are not the Newton step's.
    pub(crate) other: Option<Penalised<'s>>,
    summary: Summary,
    constant: f64,
    /// Nodes of the quadrature, where there is one.
    pub(crate) grid: Option<Grid>,
    pub(crate) parameters: Vec<f64>,
    /// The criterion's value, log |M| and κ, once found at `parameters`.
    pub(crate) found: Option<Found>,
    pub(crate) moves: Option<Moves>,
}

/// The criterion and its pieces.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub criterion: f64,
    pub log_det: f64,
    pub kappa: f64,
}

impl<'s, 'a> Laplace<'s, 'a> {
    /// An error where the model's quadrature is not possible.
    pub fn new(pirls: Pirls<'s>, model: Model, team: &'a Team) -> Result<Self> {
        let rows = pirls.responses.of(0..pirls.observations.n);
        Ok(Laplace {
            summary: pirls.family.summary(rows),
            constant: pirls.family.constant(rows),
            grid: grid(&pirls, model)?,
            pirls,
            model,
            team,
            evaluations: 0,
            maps: None,
            other: None,
            parameters: Vec::new(),
            found: None,
            moves: None,
        })
    }

    /// The parameters of the conditional modes as they stand.
    pub fn parameters(&self, theta: &[f64]) -> Vec<f64> {
        let mut parameters = theta.to_vec();
        if !self.pirls.joint {
            parameters.extend(&self.pirls.at.beta);
        }
        if self.model.dispersed() {
            parameters.push(self.pirls.family.dispersion.ln());
        }
        parameters
    }

    /// Take leave of a point: where the modes were, and how they move from there.
    pub fn place(&mut self) -> (Unknowns, Option<Moves>) {
        (self.pirls.at.clone(), self.moves.take())
    }

    /// Return to a point, so that the next modes are looked for from there.
    pub fn return_to(&mut self, (at, moves): (Unknowns, Option<Moves>)) {
        (self.pirls.at, self.moves, self.found) = (at, moves, None);
    }

    /// Another dispersion parameter.
    pub fn take_dispersion(&mut self, value: f64) {
        let rows = self.pirls.responses.of(0..self.pirls.observations.n);
        self.pirls.family = self.pirls.family.with_dispersion(value);
        self.constant = self.pirls.family.constant(rows);
    }

    /// The factor of M.
    pub(crate) fn factor(&self) -> &Penalised<'s> {
        self.other.as_ref().unwrap_or(&self.pirls.newton)
    }

    /// The same, to be inverted.
    pub fn factor_mut(&mut self) -> &mut Penalised<'s> {
        match &mut self.other {
            Some(factor) => factor,
            None => &mut self.pirls.newton,
        }
    }

    /// Weights in log |M|.
    pub(crate) fn weight(&self) -> &[f64] {
        match self.model.weights {
            Weights::Fisher => &self.pirls.rows.weight,
            Weights::Observed if self.pirls.canonical() => &self.pirls.rows.weight,
            Weights::Observed => &self.pirls.rows.observed,
        }
    }

    /// Find the modes and the criterion.
    pub fn find(&mut self, parameters: &[f64]) -> Result<Found> {
        self.evaluations += 1;
        self.found = None;
        self.parameters = parameters.to_vec();
        let (lambda, start) = self.settings(parameters);
        self.pirls.find(lambda, start, self.team)?;
        let log_det = self.log_det()?;
        let pirls = &self.pirls;
        let (first, kappa) = pirls
            .family
            .first_term(pirls.loss, self.constant, &self.summary);
        let rest = match &self.grid {
            None => first + pirls.at.u.dot(&pirls.at.u),
            Some(grid) => {
                self.constant + quadrature::criterion(pirls, self.factor(), grid, self.team)?
            }
        };
        let criterion = rest + log_det;
        if !criterion.is_finite() {
            return Err(Error::Infeasible(
                "the likelihood overflowed at these parameters".into(),
            ));
        }
        let found = Found {
            criterion,
            log_det,
            kappa,
        };
        self.found = Some(found);
        Ok(found)
    }

    /// λ̃ and the unknowns to start from: where the modes are expected.
    fn settings(&mut self, parameters: &[f64]) -> (Vec<Small>, Unknowns) {
        let system = self.pirls.system;
        let groups = system.groups.iter();
        let lambda = match &self.maps {
            Some(maps) => lambdas(system, maps, parameters),
            None => groups
                .map(|group| group.template.factor(&group.pick(parameters)))
                .collect(),
        };
        let mut start = self.pirls.at.clone();
        if let Some(moves) = &self.moves {
            start = moves.at.clone();
            for (k, (new, old)) in parameters.iter().zip(&moves.parameters).enumerate() {
                if k < moves.slopes.count && new != old {
                    start.u.add(new - old, &moves.slopes.column(k));
                }
            }
        }
        let p = self.pirls.observations.rank;
        if !self.pirls.joint {
            start.beta = parameters[system.parameters..system.parameters + p].to_vec();
        }
        if let Some(log) = parameters.last().filter(|_| self.model.dispersed()) {
            self.take_dispersion(log.exp());
        }
        (lambda, start)
    }

    /// log |M| under the criterion's weights; leaves the sums at those.
    fn log_det(&mut self) -> Result<f64> {
        let newton = match self.model.weights {
            Weights::Observed => self.pirls.exact,
            Weights::Fisher => false,
        };
        if self.pirls.canonical() || newton {
            self.other = None;
            return Ok(self.pirls.newton.log_det);
        }
        let mut other = self
            .other
            .take()
            .unwrap_or_else(|| Penalised::new(self.pirls.system));
        let Pirls {
            system,
            observations,
            sums,
            lambda,
            rows,
            ..
        } = &mut self.pirls;
        let weight = match self.model.weights {
            Weights::Fisher => &rows.weight,
            Weights::Observed => &rows.observed,
        };
        sums.update(system, observations, weight, self.team)?;
        other.update(lambda.clone(), sums, self.team)?;
        let log_det = other.log_det;
        self.other = Some(other);
        Ok(log_det)
    }

    /// Make sure that the modes stand at these parameters.
    pub fn settle(&mut self, parameters: &[f64]) -> Result<Found> {
        match self.found {
            Some(found) if self.parameters == parameters => Ok(found),
            _ => self.find(parameters),
        }
    }

    /// What one refinement would change in the solution of Mx = b for a fixed b, the product made row by
    /// row, relative and in the norm of M: guards the factorisation, in units that large weights do not spoil.
    pub fn residual_check(&mut self) -> Result<f64> {
        let team = self.team;
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let mut x = self.pirls.at.clone();
        for value in x.u.leading.iter_mut().chain(&mut x.u.rest) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *value = (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
        }
        x.beta.clear();
        let b = x.u.clone();
        self.factor().solve(&mut x.u, team);
        let pirls = &self.pirls;
        let mut along = pirls.predictor(&x, false, team);
        along
            .iter_mut()
            .zip(self.weight())
            .for_each(|(value, w)| *value *= w);
        let image = pirls.gather(&along, team);
        let product = times_lambda_transposed(&pirls.system.symbolic, &pirls.lambda, &image);
        let mut residual = b.clone();
        residual.add(-1.0, &x.u);
        residual.add(-1.0, &product);
        let (mut change, length) = (residual.clone(), x.u.dot(&b));
        self.factor().solve(&mut change, team);
        let relative = (change.dot(&residual).abs() / length.max(1e-300)).sqrt();
        match relative < REFINEMENT {
            true => Ok(relative),
            false => Err(Error::Convergence(format!(
                "the factorisation does not solve its own system (relative error {relative:.1e}): working weights \
                 (prior weights, counts, precisions) differ by more than double precision holds; rescale them"
            ))),
        }
    }

    /// X'V⁻¹X (row-major) under the criterion's weights, at the modes last found.
    pub fn fixed_information(&mut self) -> Result<Vec<f64>> {
        let (pirls, team) = (&self.pirls, self.team);
        let columns = (self.weight(), None);
        let (gram, mut half) =
            (pirls.observations).weighted_columns(pirls.system, &pirls.lambda, columns, team)?;
        self.factor().forward(&mut half, team);
        let known = half.products(&half);
        Ok(gram.iter().zip(known).map(|(g, k)| g - k).collect())
    }
}

/// The grid of a quadrature of more than one node.
fn grid(pirls: &Pirls<'_>, model: Model) -> Result<Option<Grid>> {
    if model.nodes < 2 {
        return Ok(None);
    }
    let groups = &pirls.system.groups;
    if groups.len() != 1 || pirls.family.profiles_dispersion() {
        return Err(Error::Data(
            "quadrature needs one grouping factor and a family without a profiled dispersion"
                .into(),
        ));
    }
    Grid::new(model.nodes, groups[0].effects()).map(Some)
}

impl Criterion for Laplace<'_, '_> {
    fn value(&mut self, parameters: &[f64]) -> Result<f64> {
        match self.find(parameters) {
            Ok(found) => Ok(found.criterion),
            Err(Error::Infeasible(_)) => Ok(f64::INFINITY),
            Err(error) => Err(error),
        }
    }

    fn derivatives(&mut self) -> Result<Derivatives> {
        self.derive()
    }

    fn evaluations(&self) -> usize {
        self.evaluations
    }

    fn system(&self) -> &System {
        self.pirls.system
    }

    fn polishing(&self) -> usize {
        let rows = self.pirls.observations.n;
        match self.pirls.system.symbolic.flops() {
            flops if flops > SMALL => 0,
            _ if rows > FEW => 1,
            _ => 2,
        }
    }

    fn approximate(&self) -> bool {
        true
    }
}
