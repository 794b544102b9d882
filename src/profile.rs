//! Likelihood profiles: ζ = ±√(D(v) − D(v̂)) as a function of one parameter v, the others at their best.
//!
//! Each curve is traced outwards from the estimate by Newton steps on ζ(v) = target. Its slope is exact
//! (D'(v) is a partial derivative at the inner optimum), and each inner optimum starts from the last one.
//! Where a standard deviation meets 0 or a correlation ±1 before the target, the curve ends there.

use crate::error::{Error, Result};
use crate::fixed_matrix::Basis;
use crate::lambda::{lower_triangle, Small};
use crate::lmm::Fit;
use crate::objective::degrees;
use crate::optimize::{Criterion, Optimizer, Search, Settings};
use crate::parallel::Team;
use crate::restricted::{Free, Restricted, Tie};
use crate::system::System;
use std::f64::consts::FRAC_PI_2;
use std::time::Instant;

/// ζ is met to this.
const TOLERANCE: f64 = 1e-8;
/// Steps for one target.
const STEPS: usize = 100;
/// Newton decrement at which an inner optimum is good enough: far below what ζ's tolerance can tell.
const INNER: f64 = 1e-11;
/// How much nearer to zero a standard deviation starts when its correlation has changed sign.
const NEAR: f64 = 0.1;
/// A parameter this close to the end of its range is there.
const SMALL: f64 = 1e-6;
/// A deviance this far below the estimate's is a better optimum, not rounding.
const BETTER: f64 = 1e-5;

/// What is profiled.
#[derive(Clone, Copy, Debug)]
pub enum Parameter {
    /// An element of θ: the standard deviation or the correlation that it stands for.
    Theta(usize),
    Sigma,
    /// A column of X.
    Coefficient(usize),
}

/// One point of a curve.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    pub value: f64,
    pub zeta: f64,
    /// Does the parameter's range end here?
    pub boundary: bool,
}

/// Trace a parameter's curve to one side through the targets (positive, ascending).
///
/// `estimate` and `step` (a guess of its standard error) are in the user's units; so are the points.
pub fn trace(
    fit: &Fit,
    parameter: Parameter,
    (estimate, step): (f64, f64),
    upwards: bool,
    targets: &[f64],
    team: &Team,
) -> Result<Vec<Point>> {
    let curve = Curve::new(fit, parameter);
    let start = curve.inner(estimate);
    let step = (curve.inner(estimate + step) - start).abs();
    let walk = Walk {
        bound: curve.bound(upwards),
        sign: if upwards { 1.0 } else { -1.0 },
        curve,
        team,
    };
    let points = walk.through(start, step, targets)?;
    let outer = |point: Point| Point {
        value: walk.curve.outer(point.value),
        zeta: walk.sign * point.zeta,
        ..point
    };
    Ok(points.into_iter().map(outer).collect())
}

/// What is held, and where it stands.
enum Held {
    /// x_k as a combination of C, in units of ỹ, and the system of the other columns.
    Coefficient {
        x: Vec<f64>,
        rest: Box<System>,
    },
    Sigma,
    /// Place in θ of the diagonal element λ₁₁, and of all elements of its column.
    Deviation {
        place: usize,
        column: Vec<usize>,
    },
    /// Places in θ of λ₁₁ with its column, and of λ₂₁ and λ₂₂.
    Correlation {
        column: Vec<usize>,
        sine: usize,
        cosine: usize,
    },
}

/// D(v) of one parameter: for a deviation and σ in units of ỹ, for a correlation in its arcsine.
struct Curve<'f> {
    fit: &'f Fit,
    held: Held,
    maps: Vec<Small>,
    /// θ at the estimate, in the order of `maps`.
    start: Vec<f64>,
}

/// An inner optimum.
struct Inner {
    deviance: f64,
    /// D'(v).
    slope: f64,
    theta: Vec<f64>,
}

impl<'f> Curve<'f> {
    fn new(fit: &'f Fit, parameter: Parameter) -> Curve<'f> {
        let system = &*fit.system;
        let groups = system.groups.iter();
        match parameter {
            Parameter::Theta(place) => Curve::of_theta(fit, place),
            Parameter::Sigma => Curve {
                fit,
                held: Held::Sigma,
                maps: groups.map(|group| group.template.map()).collect(),
                start: fit.internal.clone(),
            },
            Parameter::Coefficient(k) => Curve {
                fit,
                held: without(system, k),
                maps: groups.map(|group| group.template.map()).collect(),
                start: fit.internal.clone(),
            },
        }
    }

    /// The term's columns in an order in which the parameter is λ₁₁, or the angle of λ's second row.
    fn of_theta(fit: &'f Fit, place: usize) -> Curve<'f> {
        let system = &*fit.system;
        let mut maps: Vec<Small> = Vec::new();
        let (mut start, mut held) = (fit.theta.clone(), Held::Sigma);
        for group in &system.groups {
            let (index, entries) = (group.theta_index(), group.template.entries());
            let Some(own) = index.iter().position(|&other| other == place) else {
                maps.push(group.template.user_map());
                continue;
            };
            let (row, column) = entries[own];
            let block = group
                .template
                .blocks
                .iter()
                .find(|block| block.contains(&row));
            let block = block.cloned().unwrap_or(row..row + 1);
            let mut order: Vec<usize> = (0..group.template.cols).collect();
            let first = if row == column {
                vec![row]
            } else {
                vec![column, row]
            };
            let others = block.clone().filter(|k| !first.contains(k));
            let arranged: Vec<usize> = first.iter().copied().chain(others).collect();
            order[block.clone()].copy_from_slice(&arranged);
            maps.push(group.template.user_map().with_columns(&order));
            let mut lambda = group.lambda(&fit.theta).with_rows(&order);
            lower_triangle(&mut lambda);
            let at = |i: usize, j: usize| {
                let found = entries.iter().position(|&entry| entry == (i, j));
                found.map_or(place, |k| index[k])
            };
            for (&(i, j), &k) in entries.iter().zip(&index) {
                start[k] = lambda.at(i, j);
            }
            let b = block.start;
            let places: Vec<usize> = block.map(|i| at(i, b)).collect();
            held = if row == column {
                Held::Deviation {
                    place: at(b, b),
                    column: places,
                }
            } else {
                Held::Correlation {
                    column: places,
                    sine: at(b + 1, b),
                    cosine: at(b + 1, b + 1),
                }
            };
        }
        Curve {
            fit,
            held,
            maps,
            start,
        }
    }

    /// The user's value in the curve's coordinate.
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

    /// Where the parameter's range ends and the criterion does not.
    fn bound(&self, upwards: bool) -> Option<f64> {
        match (&self.held, upwards) {
            (Held::Deviation { .. }, false) => Some(0.0),
            (Held::Correlation { .. }, true) => Some(FRAC_PI_2),
            (Held::Correlation { .. }, false) => Some(-FRAC_PI_2),
            _ => None,
        }
    }

    /// Must the value stay above zero?
    fn is_positive(&self) -> bool {
        matches!(self.held, Held::Sigma | Held::Deviation { .. })
    }

    /// The best the other parameters can do at `value`, started from θ.
    fn minimise(&self, value: f64, theta: &[f64], team: &Team) -> Result<Inner> {
        let found = self.solve(value, self.freedom(value, theta), team)?;
        let Held::Correlation {
            column,
            sine,
            cosine,
        } = &self.held
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
        // λ₁₁t < 0 is the correlation −ρ. The best at ρ is a nearer optimum, or has one of the two
        // standard deviations at zero, where every correlation is the same.
        let mut near = theta.to_vec();
        near[*sine] *= NEAR;
        near[*cosine] *= NEAR;
        let nearer = self.solve(value, self.freedom(value, &near), team)?;
        let candidates = [
            self.solve(value, Freedom::without(&[*sine, *cosine], theta), team)?,
            self.solve(value, Freedom::without(column, theta), team)?,
            nearer,
        ];
        let valid = candidates.into_iter().filter(|inner| !folded(&inner.theta));
        let best = valid.min_by(|a, b| a.deviance.total_cmp(&b.deviance));
        best.ok_or_else(|| Error::Convergence("no optimum at this correlation".into()))
    }

    fn solve(&self, value: f64, freedom: Freedom, team: &Team) -> Result<Inner> {
        let moved;
        let system = match &self.held {
            Held::Coefficient { x, rest } => {
                moved = shifted(rest, x, value);
                &moved
            }
            _ => &*self.fit.system,
        };
        let mut problem = Restricted::new(system, self.maps.clone(), team);
        (problem.free, problem.tie) = (freedom.free, freedom.tie);
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
        Ok(Inner {
            deviance,
            slope,
            theta: problem.theta(&free),
        })
    }

    /// What may move with the parameter at `value`.
    fn freedom(&self, value: f64, theta: &[f64]) -> Freedom {
        let mut freedom = Freedom::without(&[], theta);
        freedom.flat = false;
        match &self.held {
            Held::Coefficient { .. } => {}
            Held::Sigma => freedom.tie = Tie::Given(value),
            Held::Deviation { column, .. } if value == 0.0 => {
                return Freedom::without(column, theta);
            }
            &Held::Deviation { place, .. } => {
                freedom.tie = Tie::Deviation { place, s: value };
                if theta[place].abs() < SMALL {
                    let sigma = self.fit.sigma / self.fit.system.coordinates.response.scale;
                    freedom.start[place] = value / sigma;
                }
            }
            &Held::Correlation { sine, cosine, .. } => {
                freedom.free[sine] = vec![(sine, value.sin()), (cosine, value.cos())];
                freedom.start[sine] = theta[sine].hypot(theta[cosine]);
                freedom.free.remove(cosine);
                freedom.start.remove(cosine);
            }
        }
        freedom
    }

    /// D'(v) at the inner optimum where `problem` stands.
    fn slope(&self, problem: &mut Restricted<'_, '_>, value: f64) -> Result<f64> {
        let (n, pwrss) = (degrees(&self.fit.system, false), problem.pwrss());
        Ok(match &self.held {
            Held::Coefficient { x, .. } => -2.0 * n / pwrss * problem.against_residual(x),
            Held::Sigma => 2.0 * (n - pwrss / (value * value)) / value,
            &Held::Deviation { place, .. } => {
                let theta = problem.at()[place];
                2.0 * (n - pwrss * (theta / value).powi(2)) / value
            }
            &Held::Correlation { sine, cosine, .. } => {
                let length = value.sin() * problem.at()[sine] + value.cos() * problem.at()[cosine];
                let gradient = problem.full()?.gradient;
                length * (value.cos() * gradient[sine] - value.sin() * gradient[cosine])
            }
        })
    }
}

/// The free parameters of an inner problem and where they start.
struct Freedom {
    free: Vec<Free>,
    tie: Tie,
    start: Vec<f64>,
    /// Does the criterion not depend on the parameter held?
    flat: bool,
}

impl Freedom {
    /// All of θ but these elements, which are zero.
    fn without(places: &[usize], theta: &[f64]) -> Freedom {
        let left: Vec<usize> = (0..theta.len()).filter(|k| !places.contains(k)).collect();
        Freedom {
            free: left.iter().map(|&k| vec![(k, 1.0)]).collect(),
            tie: Tie::Profiled,
            start: left.iter().map(|&k| theta[k]).collect(),
            flat: true,
        }
    }
}

/// The system without column `k` of X, and x_k.
fn without(system: &System, k: usize) -> Held {
    let mut rest = system.clone();
    let others = system
        .basis
        .kept
        .iter()
        .copied()
        .filter(|&other| other != k);
    rest.basis = Basis::new(&system.coordinates, &others.collect::<Vec<_>>());
    let (place, column) = (system.coordinates.place[k], system.coordinates.columns[k]);
    let scale = system.coordinates.response.scale;
    let mut x = vec![0.0; system.width];
    x[place] = column.scale / scale;
    if place > 0 && !rest.basis.spanned {
        x[0] += column.shift / scale;
    }
    Held::Coefficient {
        x,
        rest: Box::new(rest),
    }
}

/// The system of the response less `value` times x.
fn shifted(rest: &System, x: &[f64], value: f64) -> System {
    let mut system = rest.clone();
    let response = system.basis.response.iter_mut();
    response.zip(x).for_each(|(y, x)| *y -= value * x);
    system
}

/// Steps along one side of a curve.
struct Walk<'f, 'a> {
    curve: Curve<'f>,
    team: &'a Team,
    sign: f64,
    bound: Option<f64>,
}

/// A point passed on the way, in the curve's coordinate.
#[derive(Clone)]
struct Passed {
    value: f64,
    zeta: f64,
    /// |dζ/dv|.
    slope: f64,
    /// θ of the inner optimum.
    theta: Vec<f64>,
}

impl Passed {
    fn point(&self, boundary: bool) -> Point {
        Point {
            value: self.value,
            zeta: self.zeta,
            boundary,
        }
    }
}

/// Where a walk to a target ended.
enum End {
    Target(Passed),
    Bound(Passed),
}

impl Walk<'_, '_> {
    fn through(&self, start: f64, step: f64, targets: &[f64]) -> Result<Vec<Point>> {
        let mut points = Vec::new();
        let mut last = Passed {
            value: start,
            zeta: 0.0,
            slope: 1.0 / step.max(f64::MIN_POSITIVE),
            theta: self.curve.start.clone(),
        };
        let near = |bound: f64| (bound - start).abs() < SMALL * step.min(1.0);
        if let Some(bound) = self.bound.filter(|&bound| near(bound)) {
            last.value = bound;
            return Ok(vec![last.point(true)]);
        }
        for &target in targets {
            match self.meet(last, target)? {
                End::Target(found) => last = found,
                End::Bound(end) => {
                    points.push(end.point(true));
                    return Ok(points);
                }
            }
            points.push(last.point(false));
        }
        Ok(points)
    }

    /// The point with ζ = target beyond `from`, or the bound, met before.
    fn meet(&self, from: Passed, target: f64) -> Result<End> {
        let mut value = from.value + self.sign * (target - from.zeta) / from.slope;
        let (mut low, mut high) = (from, None);
        for _ in 0..STEPS {
            self.team.check()?;
            if let (Some(bound), None) = (self.bound, high) {
                if self.sign * (value - bound) >= 0.0 {
                    let end = self.evaluate(bound, &low.theta)?;
                    if end.zeta < target {
                        return Ok(End::Bound(end));
                    }
                    high = Some(bound);
                    value = 0.5 * (low.value + bound);
                }
            }
            if self.curve.is_positive() && value <= 0.0 {
                value = 0.5 * low.value;
            }
            // From the last point on this side of the target: beyond it a standard deviation may be zero.
            let next = self.evaluate(value, &low.theta)?;
            if (next.zeta - target).abs() < TOLERANCE * target.max(1.0) {
                return Ok(End::Target(next));
            }
            let newton = value + self.sign * (target - next.zeta) / next.slope;
            if next.zeta < target {
                low = next;
            } else {
                high = Some(value);
            }
            value = self.between(newton, &low, high);
        }
        Err(Error::Convergence(format!(
            "the profile does not settle at ζ = {target:.3} (near {:.6e})",
            self.curve.outer(value)
        )))
    }

    /// Newton's value where it lies between the points passed, else their middle, or further out.
    fn between(&self, newton: f64, low: &Passed, high: Option<f64>) -> f64 {
        let beyond = self.sign * (newton - low.value) > 0.0;
        match high {
            Some(high) if !(beyond && self.sign * (high - newton) > 0.0) => {
                0.5 * (low.value + high)
            }
            None if !beyond => low.value + self.sign / low.slope.max(f64::MIN_POSITIVE),
            _ => newton,
        }
    }

    fn evaluate(&self, value: f64, theta: &[f64]) -> Result<Passed> {
        let inner = self.curve.minimise(value, theta, self.team)?;
        let rise = inner.deviance - self.curve.fit.criterion;
        if rise < -BETTER {
            return Err(Error::Convergence(format!(
                "profiling found a better optimum (deviance lower by {:.2e}): the model's criterion has \
                 several minima; fit again with Control(start=...) or another optimizer",
                -rise
            )));
        }
        let zeta = rise.max(0.0).sqrt();
        let slope = (self.sign * inner.slope / (2.0 * zeta)).max(0.0);
        Ok(Passed {
            value,
            zeta,
            slope: if zeta > 0.0 { slope } else { 0.0 },
            theta: inner.theta,
        })
    }
}
