//! θ to start a generalised model from: moments of the score where the random effects are zero.
//!
//! With V = φW⁻¹ + ZΣZ' for the working response, the score Z̃'s of every column has E (Z̃'s)² = φ Z̃'WZ̃ +
//! Σ (Z̃'WZ̃)² σ² summed over all columns. Added up by component (a column of a group, whose effects share
//! one variance) that is a small linear system for the variances (Henderson's method 3 in spirit); those
//! that come out negative are zero.

use crate::effects::Effects;
use crate::objective::{cholesky_in_place, solve_transposed_triangle, solve_triangle};
use crate::parallel::Team;
use crate::pirls::Pirls;

/// Smallest and largest standard deviation to start from, in units of the linear predictor.
const RANGE: (f64, f64) = (0.1, 10.0);

/// The optimiser's θ: standard deviations on the diagonals.
pub fn theta(pirls: &Pirls<'_>, team: &Team) -> Vec<f64> {
    let system = pirls.system;
    let mut theta = vec![0.0; system.parameters];
    if theta.is_empty() {
        return theta;
    }
    let phi = dispersion(pirls);
    let variances = variances(pirls, phi, team);
    // The criterion's θ is the effects' own standard deviation where φ > 1, and that over √φ where φ < 1.
    let units = phi.max(1.0).sqrt();
    let relative = unit(pirls) * if phi > 0.0 { units / phi.sqrt() } else { 1.0 };
    let mut first = 0;
    for group in &system.groups {
        let carried = group.width() - group.effects();
        let mut own = group.pick(&theta);
        for (value, (i, j)) in own.iter_mut().zip(group.template.entries()) {
            if i == j {
                let variance = variances[first + carried + i];
                *value = (units * variance.sqrt()).clamp(RANGE.0 * relative, RANGE.1 * relative);
            }
        }
        group.place(&own, &mut theta);
        first += group.width();
    }
    theta
}

/// φ of a family whose dispersion is profiled out, else 1.
fn dispersion(pirls: &Pirls<'_>) -> f64 {
    let rows = &pirls.rows;
    match pirls.family.profiles_dispersion() {
        true => {
            let pearson = rows.score.iter().zip(&rows.weight);
            pearson.map(|(s, w)| s * s / w.max(1e-300)).sum::<f64>() / rows.score.len() as f64
        }
        false => 1.0,
    }
}

/// What the linear predictor changes by while the mean changes by its own size (a proportion: by what is
/// left of it to 0 or 1): 1 for the log link, the mean itself for the identity.
fn unit(pirls: &Pirls<'_>) -> f64 {
    let (family, n) = (&pirls.family, pirls.eta.len() as f64);
    let eta = pirls.eta.iter().sum::<f64>() / n;
    let mean = family.mean(eta);
    let proportion = family.variance(1.0) == 0.0;
    let room = if proportion {
        mean.min(1.0 - mean)
    } else {
        mean
    };
    let unit = (room / family.mean_slope(eta)).abs();
    if unit.is_normal() {
        unit
    } else {
        1.0
    }
}

/// A variance for every column of every group.
fn variances(pirls: &Pirls<'_>, phi: f64, team: &Team) -> Vec<f64> {
    let rows = &pirls.rows;
    let components = Components::new(pirls);
    let scores = pirls.gather(&rows.score, team);
    let diagonal = pirls.sums.diagonal(pirls.system, pirls.observations);
    let squares = components.add_up(&scores, |s| s * s / phi);
    let expected = components.add_up(&diagonal, |w| w);
    let excess: Vec<f64> = squares.iter().zip(&expected).map(|(s, e)| s - e).collect();
    non_negative(&components.products(pirls), &excess)
}

/// Which component every random effect belongs to: columns of the groups, numbered one after the other.
struct Components {
    count: usize,
    leading: usize,
    /// By scalar column of the other groups.
    rest: Vec<usize>,
}

impl Components {
    fn new(pirls: &Pirls<'_>) -> Components {
        let (system, symbolic) = (pirls.system, &pirls.system.symbolic);
        let widths: Vec<usize> = system.groups.iter().map(|group| group.width()).collect();
        let mut rest = vec![0; symbolic.size];
        for node in 0..symbolic.nodes() {
            let group = symbolic.group[node] as usize + 1;
            let first: usize = widths[..group].iter().sum();
            for (k, scalar) in symbolic.columns(node).enumerate() {
                rest[scalar] = first + k;
            }
        }
        Components {
            count: widths.iter().sum(),
            leading: pirls.observations.leading(),
            rest,
        }
    }

    /// Σ f(x) by component.
    fn add_up(&self, x: &Effects, f: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.count];
        for level in x.leading.chunks_exact(self.leading) {
            (sums.iter_mut().zip(level)).for_each(|(sum, x)| *sum += f(*x));
        }
        for (component, x) in self.rest.iter().zip(&x.rest) {
            sums[*component] += f(*x);
        }
        sums
    }

    /// Σ (Z̃'WZ̃)² by pairs of components.
    fn products(&self, pirls: &Pirls<'_>) -> Vec<f64> {
        let (r, sums, symbolic) = (self.leading, &pirls.sums, &pirls.system.symbolic);
        let mut products = vec![0.0; self.count * self.count];
        let mut add =
            |a: usize, b: usize, value: f64| products[a * self.count + b] += value * value;
        for level in sums.leading.chunks_exact(r * r) {
            (0..r * r).for_each(|k| add(k / r, k % r, level[k]));
        }
        for (scalar, column) in symbolic
            .elements
            .scalars
            .iter()
            .zip(sums.values.chunks_exact(r))
        {
            for (a, value) in column.iter().enumerate() {
                add(a, self.rest[*scalar as usize], *value);
                add(self.rest[*scalar as usize], a, *value);
            }
        }
        for front in &symbolic.fronts {
            let scalar = |row: usize| match row < front.own {
                true => front.start + row,
                false => front.below[row - front.own] as usize,
            };
            for column in 0..front.own {
                let values = &sums.panels[front.panel + column * front.stride..];
                let a = self.rest[front.start + column];
                add(a, a, values[column]);
                for row in (column + 1..front.size).filter(|&row| values[row] != 0.0) {
                    add(a, self.rest[scalar(row)], values[row]);
                    add(self.rest[scalar(row)], a, values[row]);
                }
            }
        }
        products
    }
}

/// x ≥ 0 with Ax = b for the elements above zero.
fn non_negative(a: &[f64], b: &[f64]) -> Vec<f64> {
    let size = b.len();
    let mut free: Vec<usize> = (0..size).filter(|&k| a[k * size + k] > 0.0).collect();
    loop {
        let count = free.len();
        let mut triangle: Vec<f64> = (free.iter())
            .flat_map(|&i| free.iter().map(move |&j| a[i * size + j]))
            .collect();
        let mut x: Vec<f64> = free.iter().map(|&k| b[k]).collect();
        if !cholesky_in_place(&mut triangle, count) {
            // Components that cannot be told apart: each as if it were alone.
            x = free.iter().map(|&k| b[k] / a[k * size + k]).collect();
        } else {
            solve_triangle(&triangle, count, &mut x);
            solve_transposed_triangle(&triangle, count, &mut x);
        }
        let mut all = vec![0.0; size];
        free.iter().zip(&x).for_each(|(&k, x)| all[k] = x.max(0.0));
        let left: Vec<usize> = free
            .iter()
            .zip(&x)
            .filter(|(_, x)| **x > 0.0)
            .map(|(k, _)| *k)
            .collect();
        if left.len() == count {
            return all;
        }
        free = left;
    }
}
