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
use crate::direction::{apply_to_leading, apply_to_rest, of_maps, of_optimiser, Direction};
use crate::effects::{times_lambda_transposed, Effects};
use crate::error::{Error, Result};
use crate::family::{DispersionSlopes, Family, Summary};
use crate::information::curvature;
use crate::lambda::Small;
use crate::objective::{solve_transposed_triangle, solve_triangle};
use crate::optimize::Criterion;
use crate::parallel::{Shared, Team};
use crate::penalised::Penalised;
use crate::pirls::{Pirls, Unknowns};
use crate::quadrature::{self, Corrections, Grid};
use crate::restricted::lambdas;
use crate::system::System;

/// Multiplications of one factorisation up to which one more step is worth its digits.
const SMALL: f64 = 1e8;

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

/// Where the last derivatives were taken, and how the modes move with the parameters.
struct Moves {
    parameters: Vec<f64>,
    at: Unknowns,
    slopes: Effects,
}

/// The gradient and what it is made of.
pub struct Slopes {
    pub gradient: Vec<f64>,
    /// G of every group, and the size of its positive part.
    pub g: Vec<Small>,
    scale: Vec<f64>,
    /// ∂(λ̃λ̃')/∂θ.
    directions: Vec<Direction>,
    /// Z̃'s.
    scores: Effects,
    /// ∂d/∂log(dispersion), and half the sum of squared slopes of −2 log f, where it is estimated.
    dispersion: Option<(f64, f64)>,
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
    other: Option<Penalised<'s>>,
    summary: Summary,
    constant: f64,
    /// Nodes of the quadrature, where there is one.
    grid: Option<Grid>,
    parameters: Vec<f64>,
    /// The criterion's value, log |M| and κ, once found at `parameters`.
    found: Option<Found>,
    moves: Option<Moves>,
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

    /// Another dispersion parameter.
    pub fn take_dispersion(&mut self, value: f64) {
        let rows = self.pirls.responses.of(0..self.pirls.observations.n);
        self.pirls.family = self.pirls.family.with_dispersion(value);
        self.constant = self.pirls.family.constant(rows);
    }

    /// The factor of M.
    pub fn factor(&mut self) -> &mut Penalised<'s> {
        match &mut self.other {
            Some(factor) => factor,
            None => &mut self.pirls.newton,
        }
    }

    /// Weights in log |M|.
    fn weight(&self) -> &[f64] {
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
                let factor = self.other.as_ref().unwrap_or(&pirls.newton);
                self.constant + quadrature::criterion(pirls, factor, grid, self.team)?
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

    /// Leverages of every row, and what quadrature changes.
    fn leverages(&mut self) -> Result<(Vec<f64>, Option<Corrections>)> {
        let (team, observations) = (self.team, self.pirls.observations);
        if self.pirls.canonical() {
            self.pirls.curvature(team)?;
        }
        let factor = self.factor();
        factor.invert(team)?;
        let Some(grid) = &self.grid else {
            let factor = self.other.as_ref().unwrap_or(&self.pirls.newton);
            return Ok((factor.leverages(observations, team)?, None));
        };
        let factor = self.other.as_ref().unwrap_or(&self.pirls.newton);
        let dispersed = self.model.dispersed();
        let corrections = quadrature::corrections(&self.pirls, factor, grid, dispersed, team)?;
        Ok((corrections.leverages.clone(), Some(corrections)))
    }

    /// v: leverages times the slope of the weights.
    fn slopes_of_log_det(&self, leverages: &[f64]) -> Vec<f64> {
        let slope = match self.model.weights {
            Weights::Fisher => &self.pirls.rows.weight_slope,
            Weights::Observed => &self.pirls.rows.observed_slope,
        };
        leverages
            .iter()
            .zip(slope)
            .map(|(h, slope)| h * slope)
            .collect()
    }

    /// ∂d/∂λ̃ of a quadrature, r × q: Σⱼ [v̂ⱼû' + sⱼa'] and its corrections.
    fn gamma(
        &self,
        corrections: &Corrections,
        (scores, images): (&Effects, &Effects),
        a: &Effects,
    ) -> Small {
        let mut gamma = corrections.lambda.clone();
        let (r, q) = (gamma.rows, gamma.cols);
        let vectors = images
            .leading
            .chunks_exact(r)
            .zip(scores.leading.chunks_exact(r));
        let modes = self
            .pirls
            .at
            .u
            .leading
            .chunks_exact(q)
            .zip(a.leading.chunks_exact(q));
        for ((v, s), (u, a)) in vectors.zip(modes) {
            for j in 0..q {
                for i in 0..r {
                    gamma.data[i + j * r] += v[i] * u[j] + s[i] * a[j];
                }
            }
        }
        gamma
    }

    /// Derivatives where the criterion was last found.
    pub fn derive(&mut self) -> Result<Derivatives> {
        let slopes = self.slopes()?;
        let mut information = self.information(&slopes)?;
        if let Some((_, square)) = slopes.dispersion {
            information = bordered(&information, slopes.gradient.len() - 1, square);
        }
        Ok(Derivatives {
            gradient: slopes.gradient,
            information,
            score: Vec::new(),
            g: slopes.g,
            scale: slopes.scale,
        })
    }

    /// The gradient where the criterion was last found, and what it is made of.
    pub fn slopes(&mut self) -> Result<Slopes> {
        let (team, found) = (self.team, self.settle(&self.parameters.clone())?);
        let (leverages, corrections) = self.leverages()?;
        let mut rho = self.slopes_of_log_det(&leverages);
        let score = &self.pirls.rows.score;
        let missing = 2.0 * (1.0 - found.kappa);
        (rho.iter_mut().zip(score)).for_each(|(v, s)| *v += missing * s);
        let a = self.response_of_modes(&rho, corrections.as_ref())?;
        let along = self.pirls.predictor(&a, false, team);
        let observed = &self.pirls.rows.observed;
        let v_hat = rho
            .iter()
            .zip(&along)
            .zip(observed)
            .map(|((rho, a), w)| rho - w * a);
        let v_hat: Vec<f64> = v_hat.collect();
        let scores = self.pirls.gather(score, team);
        let images = self.pirls.gather(&v_hat, team);
        let (g, scale) = self.g(&scores, &images)?;
        let system = self.pirls.system;
        let directions = match &self.maps {
            Some(maps) => of_maps(system, maps, &self.parameters),
            None => of_optimiser(system, &self.parameters),
        };
        let mut gradient: Vec<f64> = directions.iter().map(|d| d.slope(&g)).collect();
        if let Some(corrections) = &corrections {
            let gamma = self.gamma(corrections, (&scores, &images), &a.u);
            gradient = directions.iter().map(|d| slope_of(d, &gamma)).collect();
        }
        if !self.pirls.joint {
            let score = corrections
                .as_ref()
                .map_or(score, |corrections| &corrections.scores);
            let slope: Vec<f64> = v_hat.iter().zip(score).map(|(v, s)| v - 2.0 * s).collect();
            gradient.extend(self.pirls.observations.fixed_products(&slope, team));
        }
        let dispersion = match self.model.dispersed() {
            true => Some(self.dispersion_slope(&leverages, &along, corrections.as_ref())?),
            false => None,
        };
        gradient.extend(dispersion.map(|(slope, _)| slope));
        Ok(Slopes {
            gradient,
            g,
            scale,
            directions,
            scores,
            dispersion,
        })
    }

    /// Make sure that the modes stand at these parameters.
    pub fn settle(&mut self, parameters: &[f64]) -> Result<Found> {
        match self.found {
            Some(found) if self.parameters == parameters => Ok(found),
            _ => self.find(parameters),
        }
    }

    /// a = M°⁻¹(Λ'Z'ρ + y), y of a quadrature; with α where β is joint.
    fn response_of_modes(
        &self,
        rho: &[f64],
        corrections: Option<&Corrections>,
    ) -> Result<Unknowns> {
        let (pirls, team) = (&self.pirls, self.team);
        let image = pirls.gather(rho, team);
        let mut a = Unknowns {
            u: times_lambda_transposed(&pirls.system.symbolic, &pirls.lambda, &image),
            beta: pirls.fixed_products(rho, team),
        };
        if let Some(corrections) = corrections {
            crate::gram::add(&mut a.u.leading, &corrections.modes);
        }
        pirls.solve(&mut a, team)?;
        Ok(a)
    }

    /// G of every group, and the size of its positive part.
    fn g(&self, scores: &Effects, images: &Effects) -> Result<(Vec<Small>, Vec<f64>)> {
        let team = self.team;
        let factor = match &self.other {
            Some(factor) => factor,
            None => &self.pirls.newton,
        };
        let mut g = factor.informations(&self.pirls.sums, team)?;
        let scale = g.iter().map(|g| (0..g.rows).map(|i| g.at(i, i)).sum());
        let scale = scale.collect();
        for (group, g) in g.iter_mut().enumerate() {
            let r = g.rows;
            self.each_level(group, scores, images, |s, v| {
                for b in 0..s.len() {
                    for a in 0..s.len() {
                        g.data[a + b * r] += 0.5 * (v[a] * s[b] + s[a] * v[b]) - s[a] * s[b];
                    }
                }
            });
        }
        Ok((g, scale))
    }

    /// Two vectors, level by level of one group.
    fn each_level(
        &self,
        group: usize,
        x: &Effects,
        y: &Effects,
        mut visit: impl FnMut(&[f64], &[f64]),
    ) {
        let (r, symbolic) = (
            self.pirls.observations.leading(),
            &self.pirls.system.symbolic,
        );
        if group == 0 {
            let levels = x.leading.chunks_exact(r).zip(y.leading.chunks_exact(r));
            levels.for_each(|(x, y)| visit(x, y));
        } else {
            let ranges = symbolic.columns_of_group(group);
            ranges.for_each(|range| visit(&x.rest[range.clone()], &y.rest[range]));
        }
    }

    /// Curvature of the working linear model in (θ, β); remembers how the modes move.
    fn information(&mut self, slopes: &Slopes) -> Result<Vec<f64>> {
        let Slopes {
            directions,
            g,
            scores,
            ..
        } = slopes;
        let (pirls, team, k) = (&self.pirls, self.team, directions.len());
        let (symbolic, p) = (&pirls.system.symbolic, pirls.observations.rank);
        let r = pirls.observations.leading();
        let mut along = Effects::zeros(pirls.system.leading.levels * r, 0, k);
        let fill = apply_to_leading(r, directions, &scores.leading);
        let levels = along.leading.chunks_exact_mut((r * k).max(1)).enumerate();
        levels.for_each(|(j, out)| fill(j, out));
        along.rest = apply_to_rest(symbolic, directions, &scores.rest).to_vec();
        let (gram, mut half) = pirls.weighted_columns(self.weight(), Some(&along), team)?;
        let factor = self.other.as_ref().unwrap_or(&pirls.newton);
        factor.forward(&mut half, team);
        let known = half.products(&half);
        factor.backward(&mut half);
        // Where the dispersion is profiled out, the loss counts κ times and the modes' moves once.
        let (moved, kappa) = (half.products(&half), self.found.map_or(1.0, |f| f.kappa));
        let inner = gram.iter().zip(&known).zip(&moved);
        let inner: Vec<f64> = inner
            .map(|((g, k), moved)| kappa * (g - k - moved) + moved)
            .collect();
        let curvature = curvature(directions, g);
        let information = match pirls.joint {
            true => profiled(&inner, &curvature, (k, p))?,
            false => arranged(&inner, &curvature, (k, p)),
        };
        // In other coordinates u turns with λ̃, and is not foreseen.
        if self.maps.is_none() {
            let slopes = self.slopes_of_modes(directions, scores, half);
            self.moves = Some(Moves {
                parameters: self.parameters.clone(),
                at: self.pirls.at.clone(),
                slopes,
            });
        }
        Ok(information)
    }

    /// ∂û/∂θ = Λ_k'Z's − M⁻¹Λ'Z'W(Zc), then ∂û/∂β = −M⁻¹Λ'Z'WX where β is a parameter, of `solved` =
    /// M⁻¹Λ'Z'W[X, Zc].
    fn slopes_of_modes(
        &self,
        directions: &[Direction],
        scores: &Effects,
        solved: Effects,
    ) -> Effects {
        let (k, p) = (directions.len(), self.pirls.observations.rank);
        let count = if self.pirls.joint { k } else { k + p };
        let from = |c: usize| if c < k { p + c } else { c - k };
        let mut slopes = Effects {
            count,
            leading: Vec::with_capacity(solved.leading.len()),
            rest: Vec::with_capacity(solved.rest.len()),
        };
        if k == 0 {
            return Effects { count: 0, ..slopes };
        }
        for row in solved.leading.chunks_exact(k + p) {
            slopes.leading.extend((0..count).map(|c| -row[from(c)]));
        }
        let size = self.pirls.system.symbolic.size;
        for c in 0..count {
            let column = &solved.rest[from(c) * size..(from(c) + 1) * size];
            slopes.rest.extend(column.iter().map(|value| -value));
        }
        for (c, direction) in directions.iter().enumerate() {
            self.add_explicit(direction, scores, c, &mut slopes);
        }
        slopes
    }

    /// Λ_k'Z's added to column `c`.
    fn add_explicit(&self, direction: &Direction, scores: &Effects, c: usize, out: &mut Effects) {
        let along = |z: &[f64]| direction.t.iter().zip(z).map(|(t, z)| t * z).sum::<f64>();
        let (symbolic, count) = (&self.pirls.system.symbolic, out.count);
        if direction.group == 0 {
            let (r, q) = (direction.t.len(), self.pirls.lambda[0].cols);
            let levels = scores.leading.chunks_exact(r);
            for (level, out) in levels.zip(out.leading.chunks_exact_mut(q * count)) {
                out[direction.column * count + c] += along(level);
            }
        } else {
            for range in symbolic.columns_of_group(direction.group) {
                if direction.column < range.len() {
                    let at = range.start + direction.column + c * symbolic.size;
                    out.rest[at] += along(&scores.rest[range]);
                }
            }
        }
    }

    /// ∂d/∂log(dispersion), and half the sum of squared slopes of −2 log f.
    fn dispersion_slope(
        &self,
        leverages: &[f64],
        along: &[f64],
        corrections: Option<&Corrections>,
    ) -> Result<(f64, f64)> {
        let (pirls, n) = (&self.pirls, self.pirls.observations.n);
        let mut columns: [Vec<f64>; 4] = std::array::from_fn(|_| vec![0.0; n]);
        let shared = columns.each_mut().map(|column| Shared::new(column));
        self.team.each(pirls.observations.tasks(), |task| {
            let (range, _) = pirls.observations.task(task);
            // SAFETY: each row belongs to one task.
            let part = |k: usize| unsafe { shared[k].range(range.start, range.len()) };
            let out = DispersionSlopes {
                loss: part(0),
                score: part(1),
                weight: part(2),
                observed: part(3),
            };
            let rows = pirls.responses.of(range.clone());
            pirls
                .family
                .dispersion_slopes(rows, &pirls.eta[range.clone()], out);
        });
        self.team.check()?;
        let [loss, score, fisher, observed] = columns;
        let weight = match self.model.weights {
            Weights::Fisher => fisher,
            Weights::Observed => observed,
        };
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>();
        let at_modes = || loss.iter().sum();
        let first = corrections.map_or_else(at_modes, |corrections| corrections.dispersion);
        let slope = first + dot(leverages, &weight) + dot(along, &score);
        Ok((slope, 0.5 * dot(&loss, &loss)))
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
        let mut change = residual.clone();
        let length = x.u.dot(&b);
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
        let (gram, mut half) = self
            .pirls
            .weighted_columns(self.weight(), None, self.team)?;
        let team = self.team;
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

/// tr(∂λ̃'Γ) along the parameter of a direction.
fn slope_of(direction: &Direction, gamma: &Small) -> f64 {
    let column = gamma.column(direction.column).iter();
    column.zip(&direction.t).map(|(g, t)| g * t).sum()
}

/// [S_cc + curvature, 2 S_cx; 2 S_xc, 2 S_xx] of the inner products of [X, Zc].
fn arranged(inner: &[f64], curvature: &[f64], (k, p): (usize, usize)) -> Vec<f64> {
    let size = k + p;
    let place = |i: usize| if i < k { p + i } else { i - k };
    let mut matrix = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..size {
            let value = inner[place(i) * size + place(j)];
            matrix[i * size + j] = match i < k && j < k {
                true => value + curvature[i * k + j],
                false => 2.0 * value,
            };
        }
    }
    matrix
}

/// S_cc − S_cx S_xx⁻¹ S_xc + curvature.
fn profiled(inner: &[f64], curvature: &[f64], (k, p): (usize, usize)) -> Result<Vec<f64>> {
    let size = k + p;
    let mut triangle: Vec<f64> = (0..p)
        .flat_map(|i| inner[i * size..i * size + p].to_vec())
        .collect();
    if !crate::objective::cholesky_in_place(&mut triangle, p) {
        return Err(Error::Infeasible(
            "the fixed effects cannot be told apart under the working weights".into(),
        ));
    }
    let mut matrix = curvature.to_vec();
    for l in 0..k {
        let mut solved: Vec<f64> = (0..p).map(|i| inner[i * size + p + l]).collect();
        solve_triangle(&triangle, p, &mut solved);
        solve_transposed_triangle(&triangle, p, &mut solved);
        for i in 0..k {
            let known: f64 = (0..p).map(|c| inner[(p + i) * size + c] * solved[c]).sum();
            matrix[i * k + l] += inner[(p + i) * size + p + l] - known;
        }
    }
    Ok(matrix)
}

/// One more row and column, zero but for the diagonal.
fn bordered(matrix: &[f64], size: usize, corner: f64) -> Vec<f64> {
    let mut out = vec![0.0; (size + 1) * (size + 1)];
    for (i, row) in matrix.chunks_exact(size.max(1)).enumerate() {
        out[i * (size + 1)..i * (size + 1) + size].copy_from_slice(row);
    }
    out[(size + 1) * (size + 1) - 1] = corner;
    out
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
        usize::from(self.pirls.system.symbolic.flops() < SMALL)
    }

    fn approximate(&self) -> bool {
        true
    }
}
