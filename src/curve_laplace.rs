//! −2 log-likelihood of a generalised model with one parameter held and all others at their best.
//!
//! A coefficient of the user's is held by making the optimiser's coefficient of the same column follow the
//! others, a standard deviation as λ₁₁, a correlation ρ = sin α by λ₂₁ = t sin α, λ₂₂ = t cos α in an order
//! of the term's columns where these are elements of λ (as `curve` does), a dispersion by its logarithm.

use crate::curve::{slope_of_angle, unfolded, Freedom, Inner, Optimum, Traced};
use crate::derivatives::Derivatives;
use crate::error::{Error, Result};
use crate::estimates::coefficients;
use crate::glmm::{sigma, GeneralizedFit};
use crate::held::{arrange, change, inverse, Held};
use crate::lambda::Small;
use crate::laplace::Laplace;
use crate::multipliers;
use crate::optimize::{Criterion, Search};
use crate::outcome::{Optimizer, Settings};
use crate::parallel::Team;
use crate::random_matrix::Group;
use crate::restricted::{project, Free};
use crate::system::System;
use std::time::Instant;

/// Newton decrement at which an inner optimum is good enough: far below what ζ's tolerance can tell.
const INNER: f64 = 1e-11;

/// What is profiled.
#[derive(Clone, Copy, Debug)]
pub enum Parameter {
    /// An element of θ: the standard deviation or the correlation that it stands for.
    Theta(usize),
    /// A column of X.
    Coefficient(usize),
    Dispersion,
}

/// The criterion of one parameter; a dispersion is in its logarithm, a correlation in its arcsine.
pub struct GeneralizedCurve<'f> {
    fit: &'f GeneralizedFit,
    held: Held,
    /// Row of T of a coefficient that is held: what the user's is of the optimiser's.
    row: Vec<f64>,
    maps: Option<Vec<Small>>,
    start: Vec<f64>,
    changed: Option<(usize, Small)>,
}

impl<'f> GeneralizedCurve<'f> {
    /// The curve of a parameter; an error where the model has no such profile.
    pub fn new(fit: &'f GeneralizedFit, parameter: Parameter) -> Result<Self> {
        let (system, k) = (&*fit.system, fit.theta.len());
        if fit.model.nodes == 0 && k > 0 {
            return Err(refused(
                "with nAGQ = 0 the criterion is not a function of the fixed effects",
            ));
        }
        let mut start = fit.internal[..k].to_vec();
        start.extend(&fit.at.beta);
        if fit.model.dispersed() {
            start.push(fit.family.dispersion.ln());
        }
        let mut curve = GeneralizedCurve {
            held: Held::Parameter {
                place: start.len().saturating_sub(1),
            },
            row: Vec::new(),
            maps: None,
            changed: None,
            start,
            fit,
        };
        match parameter {
            Parameter::Theta(place) => curve.hold_theta(place)?,
            Parameter::Dispersion => {}
            Parameter::Coefficient(column) => {
                let kept = system.basis.kept.iter().position(|&kept| kept == column);
                let own = kept.ok_or_else(|| refused("the column was dropped"))?;
                curve.held = Held::Parameter { place: k + own };
                curve.row = system.basis.user_row(&system.coordinates, own);
            }
        }
        Ok(curve)
    }

    fn hold_theta(&mut self, place: usize) -> Result<()> {
        let (fit, groups) = (self.fit, &self.fit.system.groups);
        if fit.family.profiles_dispersion() {
            return Err(refused(
                "σ is a function of all other parameters, so no standard deviation can be held",
            ));
        }
        let owns = |group: &Group| group.theta_index().contains(&place);
        let g = groups.iter().position(owns).unwrap_or(0);
        if fit.model.nodes > 1 && groups[g].effects() > 1 {
            return Err(refused(
                "a quadrature of several dimensions depends on the order of the effects",
            ));
        }
        let (functionals, held) = arrange(&groups[g], place);
        let back = inverse(&functionals);
        let maps = groups.iter().enumerate().map(|(k, group)| match k == g {
            true => group.template.map().times(&back),
            false => group.template.map(),
        });
        self.maps = Some(maps.collect());
        change(&groups[g], &functionals, &mut self.start);
        (self.held, self.changed) = (held, Some((g, back)));
        Ok(())
    }

    fn solve(&self, value: f64, freedom: Freedom, team: &Team) -> Result<Inner> {
        let mut laplace = self.fit.problem(team)?;
        laplace.pirls.joint = false;
        laplace.maps = self.maps.clone();
        let mut problem = HeldLaplace {
            base: self.base(value, freedom.flat),
            free: freedom.free,
            laplace,
        };
        let settings = Settings {
            tolerance: INNER,
            ..Settings::default()
        };
        let free = match freedom.start.is_empty() {
            true => freedom.start,
            false => {
                Search::new(
                    &mut problem,
                    &settings,
                    Optimizer::Newton,
                    &|_, _, _| {},
                    Instant::now(),
                )
                .run(freedom.start)?
                .theta
            }
        };
        let parameters = problem.parameters(&free);
        let deviance = problem.laplace.find(&parameters)?.criterion;
        let optimum = self.optimum(&problem.laplace, &parameters);
        let slope = match freedom.flat {
            true => 0.0,
            false => self.slope(value, &parameters, &problem.laplace.derive()?.gradient),
        };
        Ok(Inner {
            deviance,
            slope,
            theta: parameters,
            optimum,
        })
    }

    /// All parameters where the modes stand.
    fn optimum(&self, laplace: &Laplace<'_, '_>, parameters: &[f64]) -> Optimum {
        let (system, k) = (&self.fit.system, self.fit.theta.len());
        Optimum {
            theta: self.user_theta(parameters),
            scale: self.scale(laplace.pirls.family.dispersion, sigma(&laplace.pirls)),
            beta: coefficients(system, &parameters[k..k + system.rank()]),
        }
    }

    /// The one of the two that is estimated; NaN where neither is.
    fn scale(&self, dispersion: f64, sigma: f64) -> f64 {
        match self.fit.model {
            model if model.dispersed() => dispersion,
            model if model.family.profiles_dispersion() => sigma,
            _ => f64::NAN,
        }
    }

    /// The user's θ of parameters in the curve's coordinates.
    fn user_theta(&self, theta: &[f64]) -> Vec<f64> {
        let mut internal = theta[..self.fit.theta.len()].to_vec();
        if let Some((g, back)) = &self.changed {
            change(&self.fit.system.groups[*g], back, &mut internal);
        }
        multipliers::to_user(&self.fit.system, &internal)
    }

    /// What is held, in its place.
    fn base(&self, value: f64, flat: bool) -> Vec<f64> {
        let mut base = vec![0.0; self.start.len()];
        match &self.held {
            Held::Deviation { place, .. } if !flat => base[*place] = value,
            Held::Parameter { place } if self.row.is_empty() => base[*place] = value,
            Held::Parameter { place } => {
                base[*place] = value / self.row[place - self.fit.theta.len()]
            }
            _ => {}
        }
        base
    }

    /// What may move with the parameter at `value`.
    fn freedom(&self, value: f64, theta: &[f64]) -> Freedom {
        match &self.held {
            Held::Deviation { column, .. } if value == 0.0 => Freedom::without(column, theta),
            &(Held::Deviation { place, .. } | Held::Parameter { place }) => {
                let mut freedom = Freedom::without(&[place], theta);
                freedom.flat = false;
                let k = self.fit.theta.len();
                for moved in &mut freedom.free {
                    let other = moved[0].0;
                    if let Some(weight) = other.checked_sub(k).and_then(|at| self.row.get(at)) {
                        moved.push((place, -weight / self.row[place - k]));
                    }
                }
                freedom
            }
            &Held::Correlation { sine, cosine, .. } => {
                let mut freedom = Freedom::without(&[], theta);
                freedom.flat = false;
                freedom.turn(value, (sine, cosine), theta);
                freedom
            }
            _ => Freedom::without(&[], theta),
        }
    }

    /// The criterion's derivative by the value held.
    fn slope(&self, value: f64, at: &[f64], gradient: &[f64]) -> f64 {
        match &self.held {
            Held::Deviation { place, .. } => gradient[*place],
            Held::Parameter { place } => {
                match self.row.get(place.wrapping_sub(self.fit.theta.len())) {
                    Some(weight) => gradient[*place] / weight,
                    None => gradient[*place],
                }
            }
            &Held::Correlation { sine, cosine, .. } => {
                slope_of_angle(value, (sine, cosine), at, gradient)
            }
            _ => 0.0,
        }
    }
}

impl Traced for GeneralizedCurve<'_> {
    fn least(&self) -> f64 {
        self.fit.criterion
    }

    fn estimate(&self) -> Optimum {
        let fit = self.fit;
        Optimum {
            theta: fit.theta.clone(),
            scale: self.scale(fit.family.dispersion, fit.sigma),
            beta: fit.beta.clone(),
        }
    }

    fn start(&self) -> &[f64] {
        &self.start
    }

    fn inner(&self, value: f64) -> f64 {
        match self.held {
            Held::Correlation { .. } => value.clamp(-1.0, 1.0).asin(),
            Held::Parameter { .. } if self.row.is_empty() => value.ln(),
            _ => value,
        }
    }

    fn outer(&self, value: f64) -> f64 {
        match self.held {
            Held::Correlation { .. } => value.sin(),
            Held::Parameter { .. } if self.row.is_empty() => value.exp(),
            _ => value,
        }
    }

    fn held(&self) -> &Held {
        &self.held
    }

    fn is_positive(&self) -> bool {
        matches!(self.held, Held::Deviation { .. })
    }

    fn minimise(&self, value: f64, theta: &[f64], team: &Team) -> Result<Inner> {
        let found = self.solve(value, self.freedom(value, theta), team)?;
        let near = |theta: &[f64]| self.freedom(value, theta);
        unfolded(found, &self.held, (value, theta), near, |freedom| {
            self.solve(value, freedom, team)
        })
    }
}

fn refused(why: &str) -> Error {
    Error::Data(why.into())
}

/// The criterion as a function of the parameters that are free.
struct HeldLaplace<'s, 'a> {
    laplace: Laplace<'s, 'a>,
    base: Vec<f64>,
    free: Vec<Free>,
}

impl HeldLaplace<'_, '_> {
    fn parameters(&self, free: &[f64]) -> Vec<f64> {
        let mut parameters = self.base.clone();
        for (moved, value) in self.free.iter().zip(free) {
            moved
                .iter()
                .for_each(|&(place, factor)| parameters[place] += factor * value);
        }
        parameters
    }
}

impl Criterion for HeldLaplace<'_, '_> {
    fn value(&mut self, free: &[f64]) -> Result<f64> {
        let parameters = self.parameters(free);
        self.laplace.value(&parameters)
    }

    fn derivatives(&mut self) -> Result<Derivatives> {
        Ok(project(self.laplace.derive()?, &self.free))
    }

    fn evaluations(&self) -> usize {
        self.laplace.evaluations
    }

    fn system(&self) -> &System {
        self.laplace.pirls.system
    }

    fn polishing(&self) -> usize {
        self.laplace.polishing()
    }

    fn approximate(&self) -> bool {
        true
    }
}
