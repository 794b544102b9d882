//! D(v): the ML deviance with one parameter held at v and all others at their best.
//!
//! A coefficient is held by moving its column to the response, a standard deviation by σ = s/λ₁₁, a
//! correlation ρ = sin α by λ₂₁ = t sin α, λ₂₂ = t cos α; the term's columns stand in an order in which
//! these are elements of λ. D'(v) is the partial derivative at the inner optimum.

use crate::error::{Error, Result};
use crate::held::{arrange, change, inverse, shifted, without, Held};
use crate::lambda::Small;
use crate::lmm::Fit;
use crate::multipliers;
use crate::objective::degrees;
use crate::optimize::{Criterion, Search};
use crate::outcome::{Optimizer, Settings};
use crate::parallel::Team;
use crate::random_matrix::Group;
use crate::restricted::{Free, Restricted, Tie};
use std::f64::consts::FRAC_PI_2;
use std::time::Instant;

/// Newton decrement at which an inner optimum is good enough: far below what ζ's tolerance can tell.
const INNER: f64 = 1e-11;
/// How much nearer to zero a standard deviation starts when its correlation has changed sign.
const NEAR: f64 = 0.1;
/// A parameter this close to the end of its range is there.
pub const SMALL: f64 = 1e-6;

/// What is profiled.
#[derive(Clone, Copy, Debug)]
pub enum Parameter {
    /// An element of θ: the standard deviation or the correlation that it stands for.
    Theta(usize),
    Sigma,
    /// A column of X.
    Coefficient(usize),
}

/// D(v) of one parameter: for a deviation and σ in units of ỹ, for a correlation in its arcsine.
pub struct Curve<'f> {
    fit: &'f Fit,
    held: Held,
    maps: Vec<Small>,
    /// θ at the estimate, in the curve's coordinates.
    start: Vec<f64>,
    /// The group that stands in other coordinates than the optimiser's, and the way back to those.
    changed: Option<(usize, Small)>,
}

/// The best criterion at every value of one parameter, in a coordinate of the curve's own.
pub trait Traced {
    /// The criterion at the estimate.
    fn least(&self) -> f64;
    /// All parameters at the estimate, in the curve's coordinates.
    fn start(&self) -> &[f64];
    /// The user's value in the curve's coordinate, and back.
    fn inner(&self, value: f64) -> f64;
    fn outer(&self, value: f64) -> f64;
    /// How the parameter is held.
    fn held(&self) -> &Held;
    /// Where the parameter's range ends and the criterion does not.
    fn bound(&self, upwards: bool) -> Option<f64> {
        match (self.held(), upwards) {
            (Held::Deviation { .. }, false) => Some(0.0),
            (Held::Correlation { .. }, true) => Some(FRAC_PI_2),
            (Held::Correlation { .. }, false) => Some(-FRAC_PI_2),
            _ => None,
        }
    }
    /// Must the value stay above zero?
    fn is_positive(&self) -> bool;
    /// The best the other parameters can do at `value`, started from θ.
    fn minimise(&self, value: f64, theta: &[f64], team: &Team) -> Result<Inner>;
    /// All parameters at the estimate, in the user's units.
    fn estimate(&self) -> Optimum;
}

/// An inner optimum.
pub struct Inner {
    pub deviance: f64,
    /// D'(v).
    pub slope: f64,
    pub theta: Vec<f64>,
    pub optimum: Optimum,
}

/// Where all parameters stand when one of them is held, in the user's units.
#[derive(Clone, Debug)]
pub struct Optimum {
    pub theta: Vec<f64>,
    /// σ, or a family's own dispersion parameter; NaN where there is neither.
    pub scale: f64,
    /// β by column of X; NaN where dropped.
    pub beta: Vec<f64>,
}

impl Optimum {
    /// θ, scale and β in one row.
    pub fn row(&self) -> impl Iterator<Item = f64> + '_ {
        let theta = self.theta.iter().copied();
        theta.chain([self.scale]).chain(self.beta.iter().copied())
    }
}

impl<'f> Curve<'f> {
    /// The curve of a parameter.
    pub fn new(fit: &'f Fit, parameter: Parameter) -> Curve<'f> {
        let system = &*fit.system;
        let groups = system.groups.iter();
        match parameter {
            Parameter::Theta(place) => Curve::of_theta(fit, place),
            Parameter::Sigma => Curve {
                fit,
                held: Held::Sigma,
                maps: groups.map(|group| group.template.map()).collect(),
                start: fit.internal.clone(),
                changed: None,
            },
            Parameter::Coefficient(k) => Curve {
                fit,
                held: without(system, k),
                maps: groups.map(|group| group.template.map()).collect(),
                start: fit.internal.clone(),
                changed: None,
            },
        }
    }

    /// Coordinates of one term in which the parameter is λ₁₁, or the angle of λ's second row.
    fn of_theta(fit: &'f Fit, place: usize) -> Curve<'f> {
        let groups = &fit.system.groups;
        let owns = |group: &Group| group.theta_index().contains(&place);
        let g = groups.iter().position(owns).unwrap_or(0);
        let (functionals, held) = arrange(&groups[g], place);
        let back = inverse(&functionals);
        let maps = groups.iter().enumerate().map(|(k, group)| match k == g {
            true => group.template.map().times(&back),
            false => group.template.map(),
        });
        let mut start = fit.internal.clone();
        change(&groups[g], &functionals, &mut start);
        Curve {
            maps: maps.collect(),
            fit,
            held,
            start,
            changed: Some((g, back)),
        }
    }

    fn solve(&self, value: f64, freedom: Freedom, team: &Team) -> Result<Inner> {
        let moved;
        let system = match &self.held {
            Held::Coefficient { x, rest, .. } => {
                moved = shifted(rest, x, value);
                &moved
            }
            _ => &*self.fit.system,
        };
        let mut problem = Restricted::new(system, self.maps.clone(), team);
        problem.tie = if freedom.flat {
            Tie::Profiled
        } else {
            self.tie(value)
        };
        problem.free = freedom.free;
        let free = if freedom.start.is_empty() {
            freedom.start
        } else {
            let settings = Settings {
                tolerance: INNER,
                ..Settings::default()
            };
            let search = Search::new(
                &mut problem,
                &settings,
                Optimizer::Newton,
                &|_, _, _| {},
                Instant::now(),
            );
            search.run(freedom.start)?.theta
        };
        let deviance = problem.value(&free)?;
        let slope = if freedom.flat {
            0.0
        } else {
            self.slope(&mut problem, value)?
        };
        let theta = problem.theta(&free);
        let optimum = self.optimum(&problem, value, &theta)?;
        Ok(Inner {
            deviance,
            slope,
            theta,
            optimum,
        })
    }

    /// All parameters where `problem` stands.
    fn optimum(&self, problem: &Restricted<'_, '_>, value: f64, theta: &[f64]) -> Result<Optimum> {
        let system = &self.fit.system;
        Ok(Optimum {
            theta: self.user_theta(theta),
            scale: problem.sigma_hat() * system.coordinates.response.scale,
            beta: match self.held {
                Held::Coefficient { column, .. } => problem.beta_given(system, column, value)?,
                _ => problem.beta(),
            },
        })
    }

    /// The user's θ of parameters in the curve's coordinates.
    fn user_theta(&self, theta: &[f64]) -> Vec<f64> {
        let mut internal = theta.to_vec();
        if let Some((g, back)) = &self.changed {
            change(&self.fit.system.groups[*g], back, &mut internal);
        }
        multipliers::to_user(&self.fit.system, &internal)
    }

    /// What may move with the parameter at `value`.
    fn freedom(&self, value: f64, theta: &[f64]) -> Freedom {
        let mut freedom = Freedom::without(&[], theta);
        freedom.flat = false;
        match &self.held {
            Held::Coefficient { .. } | Held::Parameter { .. } | Held::Sigma => {}
            Held::Deviation { column, .. } if value == 0.0 => {
                return Freedom::without(column, theta);
            }
            &Held::Deviation { place, .. } => {
                if theta[place].abs() < SMALL {
                    let sigma = self.fit.sigma / self.fit.system.coordinates.response.scale;
                    freedom.start[place] = value / sigma;
                }
            }
            &Held::Correlation { sine, cosine, .. } => freedom.turn(value, (sine, cosine), theta),
        }
        freedom
    }

    /// How σ moves where the parameter is held at `value`.
    fn tie(&self, value: f64) -> Tie {
        match &self.held {
            Held::Sigma => Tie::Given(value),
            &Held::Deviation { place, .. } => Tie::Deviation { place, s: value },
            _ => Tie::Profiled,
        }
    }

    /// D'(v) at the inner optimum where `problem` stands.
    fn slope(&self, problem: &mut Restricted<'_, '_>, value: f64) -> Result<f64> {
        let (n, pwrss) = (degrees(&self.fit.system, false), problem.pwrss());
        Ok(match &self.held {
            Held::Coefficient { x, .. } => -2.0 * n / pwrss * problem.against_residual(x),
            Held::Parameter { .. } => 0.0,
            Held::Sigma => 2.0 * (n - pwrss / (value * value)) / value,
            &Held::Deviation { place, .. } => {
                let theta = problem.at()[place];
                2.0 * (n - pwrss * (theta / value).powi(2)) / value
            }
            &Held::Correlation { sine, cosine, .. } => {
                let gradient = problem.full()?.gradient;
                slope_of_angle(value, (sine, cosine), problem.at(), &gradient)
            }
        })
    }
}

impl Traced for Curve<'_> {
    fn least(&self) -> f64 {
        self.fit.criterion
    }

    fn estimate(&self) -> Optimum {
        Optimum {
            theta: self.fit.theta.clone(),
            scale: self.fit.sigma,
            beta: self.fit.beta.clone(),
        }
    }

    fn start(&self) -> &[f64] {
        &self.start
    }

    fn inner(&self, value: f64) -> f64 {
        match self.held {
            Held::Coefficient { .. } => value,
            Held::Correlation { .. } => value.clamp(-1.0, 1.0).asin(),
            _ => value / self.fit.system.coordinates.response.scale,
        }
    }

    fn outer(&self, value: f64) -> f64 {
        match self.held {
            Held::Coefficient { .. } => value,
            Held::Correlation { .. } => value.sin(),
            _ => value * self.fit.system.coordinates.response.scale,
        }
    }

    fn held(&self) -> &Held {
        &self.held
    }

    fn is_positive(&self) -> bool {
        matches!(self.held, Held::Sigma | Held::Deviation { .. })
    }

    fn minimise(&self, value: f64, theta: &[f64], team: &Team) -> Result<Inner> {
        let found = self.solve(value, self.freedom(value, theta), team)?;
        let near = |theta: &[f64]| self.freedom(value, theta);
        unfolded(found, &self.held, (value, theta), near, |freedom| {
            self.solve(value, freedom, team)
        })
    }
}

/// An inner optimum at a correlation, unless it stands for another one: then the best that does not.
///
/// λ₁₁t < 0 is the correlation −ρ. The best at ρ is a nearer optimum, or has one of the two standard
/// deviations at zero, where every correlation is the same.
pub fn unfolded(
    found: Inner,
    held: &Held,
    (value, theta): (f64, &[f64]),
    freedom: impl Fn(&[f64]) -> Freedom,
    solve: impl Fn(Freedom) -> Result<Inner>,
) -> Result<Inner> {
    let Held::Correlation {
        column,
        sine,
        cosine,
    } = held
    else {
        return Ok(found);
    };
    let first = column[0];
    let folded = |theta: &[f64]| {
        let t = value.sin() * theta[*sine] + value.cos() * theta[*cosine];
        theta[first] * t < 0.0
    };
    if !folded(&found.theta) {
        return Ok(found);
    }
    let mut near = theta.to_vec();
    near[*sine] *= NEAR;
    near[*cosine] *= NEAR;
    let nearer = solve(freedom(&near))?;
    let candidates = [
        solve(Freedom::without(&[*sine, *cosine], theta))?,
        solve(Freedom::without(column, theta))?,
        nearer,
    ];
    let valid = candidates.into_iter().filter(|inner| !folded(&inner.theta));
    let best = valid.min_by(|a, b| a.deviance.total_cmp(&b.deviance));
    best.ok_or_else(|| Error::Convergence("no optimum at this correlation".into()))
}

/// The slope along a correlation's angle at θ, of the slopes by the two elements that it turns.
pub fn slope_of_angle(
    angle: f64,
    (sine, cosine): (usize, usize),
    theta: &[f64],
    gradient: &[f64],
) -> f64 {
    let length = angle.sin() * theta[sine] + angle.cos() * theta[cosine];
    length * (angle.cos() * gradient[sine] - angle.sin() * gradient[cosine])
}

/// The free parameters of an inner problem and where they start.
pub struct Freedom {
    pub free: Vec<Free>,
    pub start: Vec<f64>,
    /// Does the criterion not depend on the parameter held?
    pub flat: bool,
}

impl Freedom {
    /// All parameters but these, which are zero.
    pub fn without(places: &[usize], theta: &[f64]) -> Freedom {
        let left: Vec<usize> = (0..theta.len()).filter(|k| !places.contains(k)).collect();
        Freedom {
            free: left.iter().map(|&k| vec![(k, 1.0)]).collect(),
            start: left.iter().map(|&k| theta[k]).collect(),
            flat: true,
        }
    }

    /// Tie two elements of λ by the angle of a correlation: they move as one.
    pub fn turn(&mut self, angle: f64, (sine, cosine): (usize, usize), theta: &[f64]) {
        self.free[sine] = vec![(sine, angle.sin()), (cosine, angle.cos())];
        self.start[sine] = theta[sine].hypot(theta[cosine]);
        self.free.remove(cosine);
        self.start.remove(cosine);
    }
}
