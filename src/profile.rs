//! Likelihood profiles: ζ = ±√(D(v) − D(v̂)) as a function of one parameter v, the others at their best.
//!
//! Each curve is traced outwards from the estimate by Newton steps on ζ(v) = target; each inner optimum
//! starts from the last one on the near side of the target. Where a standard deviation meets 0 or a
//! correlation ±1 before the target, the curve ends there.

use crate::curve::{Optimum, Traced, SMALL};
use crate::error::{Error, Result};
use crate::parallel::Team;

/// ζ is met to this.
const TOLERANCE: f64 = 1e-8;
/// Steps for one target.
const STEPS: usize = 100;
/// A deviance this far below the estimate's is a better optimum, not rounding.
const BETTER: f64 = 1e-5;

/// One point of a curve.
#[derive(Clone, Debug)]
pub struct Point {
    pub value: f64,
    pub zeta: f64,
    /// Where all parameters stand.
    pub optimum: Optimum,
    /// Does the parameter's range end here?
    pub boundary: bool,
}

/// Trace a parameter's curve to one side through the targets (positive, ascending).
///
/// `estimate` and `step` (a guess of its standard error) are in the user's units; so are the points.
pub fn trace(
    curve: impl Traced,
    (estimate, step): (f64, f64),
    upwards: bool,
    targets: &[f64],
    team: &Team,
) -> Result<Vec<Point>> {
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

/// Steps along one side of a curve.
struct Walk<'a, C> {
    curve: C,
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
    /// θ of the inner optimum, and all parameters in the user's units.
    theta: Vec<f64>,
    optimum: Optimum,
}

impl Passed {
    fn point(&self, boundary: bool) -> Point {
        Point {
            value: self.value,
            zeta: self.zeta,
            optimum: self.optimum.clone(),
            boundary,
        }
    }
}

/// Where a walk to a target ended.
enum End {
    Target(Passed),
    Bound(Passed),
}

impl<C: Traced> Walk<'_, C> {
    fn through(&self, start: f64, step: f64, targets: &[f64]) -> Result<Vec<Point>> {
        let mut points = Vec::new();
        let mut last = Passed {
            value: start,
            zeta: 0.0,
            slope: 1.0 / step.max(f64::MIN_POSITIVE),
            theta: self.curve.start().to_vec(),
            optimum: self.curve.estimate(),
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
        let rise = inner.deviance - self.curve.least();
        if rise < -BETTER {
            return Err(Error::BetterOptimum {
                by: -rise,
                theta: inner.optimum.theta,
            });
        }
        let zeta = rise.max(0.0).sqrt();
        let slope = (self.sign * inner.slope / (2.0 * zeta)).max(0.0);
        Ok(Passed {
            value,
            zeta,
            slope: if zeta > 0.0 { slope } else { 0.0 },
            theta: inner.theta,
            optimum: inner.optimum,
        })
    }
}
