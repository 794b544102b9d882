//! Moment start: each group fitted alone, then put together.
//!
//! A group alone costs only its own levels per evaluation. Its diagonal start comes from moments of
//! Qⱼ'(y − Xβ̂) at θ = 0 (Henderson's method for one factor); a few Newton steps give Σ_t and the noise
//! s_t² left by that group. Put together, the residual variance is what no group explains.

use crate::cross_products::CrossProducts;
use crate::error::Result;
use crate::lambda::Small;
use crate::level_sums::{add_square, LevelSums, Sum2};
use crate::objective::degrees;
use crate::optimize::Search;
use crate::outcome::{Optimizer, Settings};
use crate::parallel::Team;
use crate::problem::Problem;
use crate::system::System;
use std::time::Instant;

/// Starting values are needed to a few per cent only.
const TOLERANCE: f64 = 1e-2;
/// Smallest and largest relative standard deviation to start from.
const RANGE: (f64, f64) = (0.05, 1e4);

/// One group fitted alone.
struct Alone {
    theta: Vec<f64>,
    /// Residual variance left by this group, in units of ỹ.
    variance: f64,
    /// Variance explained per row, in units of ỹ.
    explained: f64,
}

/// The optimiser's θ to start from.
pub fn moments(sums: &CrossProducts, system: &System, reml: bool, team: &Team) -> Result<Vec<f64>> {
    let mut theta = vec![0.0; system.parameters];
    if system.groups.len() == 1 {
        let own = diagonal(system, reml, team)?;
        system.groups[0].place(&own, &mut theta);
        return Ok(theta);
    }
    let mut total = f64::INFINITY;
    let mut fits = Vec::new();
    for g in 0..system.groups.len() {
        let (fit, plain) = alone(sums, g, reml, team)?;
        total = total.min(plain);
        fits.push(fit);
    }
    let explained: f64 = fits.iter().map(|fit| fit.explained).sum();
    let least = fits
        .iter()
        .map(|fit| fit.variance)
        .fold(f64::INFINITY, f64::min);
    let residual = (total - explained).max(0.3 * least);
    for (group, fit) in system.groups.iter().zip(&fits) {
        let factor = (fit.variance / residual).sqrt();
        let own: Vec<f64> = fit.theta.iter().map(|value| value * factor).collect();
        group.place(&own, &mut theta);
    }
    Ok(theta)
}

/// Fit group `g` alone; also the variance without any random effects.
fn alone(sums: &CrossProducts, g: usize, reml: bool, team: &Team) -> Result<(Alone, f64)> {
    let sums = only(sums, g);
    let system = System::new(&sums, team)?;
    let own = diagonal(&system, reml, team)?;
    let settings = Settings {
        tolerance: TOLERANCE,
        max_evaluations: 15,
        ..Settings::default()
    };
    let mut problem = Problem::new(&system, reml, team);
    problem.value(&vec![0.0; own.len()])?;
    let m = degrees(&system, reml);
    let variance = |problem: &Problem<'_, '_>| {
        problem
            .profile
            .as_ref()
            .map_or(f64::NAN, |profile| profile.pwrss / m)
    };
    let plain = variance(&problem);
    let search = Search::new(
        &mut problem,
        &settings,
        Optimizer::Newton,
        &|_, _, _| {},
        Instant::now(),
    );
    let theta = search.run(own.clone()).map_or(own, |outcome| outcome.theta);
    problem.settle(&theta)?;
    let variance = variance(&problem);
    let lambda = system.groups[0].template.factor(&theta);
    let explained = variance * mean_variance(&system.leading, &lambda, system.n);
    Ok((
        Alone {
            theta,
            variance,
            explained,
        },
        plain,
    ))
}

/// tr(Z̃λ̃λ̃'Z̃')/n.
fn mean_variance(leading: &LevelSums, lambda: &Small, n: usize) -> f64 {
    let (r, stride) = (leading.width, leading.stride);
    let mut sum = 0.0;
    for row in leading.data.chunks_exact(stride) {
        for k in 0..lambda.cols {
            let value: f64 = (0..r).map(|l| row[l] * lambda.at(l, k)).sum();
            sum += value * value;
        }
    }
    sum / n as f64
}

/// The cross-products of a model with group `g` only.
fn only(sums: &CrossProducts, g: usize) -> CrossProducts {
    let mut alone = sums.without_rest();
    alone.groups = vec![sums.groups[g].alone()];
    if g > 0 {
        let (leading, residual) = triangles(&sums.rest[g - 1], &gram(sums), sums.width());
        alone.leading = leading;
        alone.residual = residual;
    }
    alone
}

/// C'C, column-major.
fn gram(sums: &CrossProducts) -> Vec<f64> {
    let mut gram = sums.residual_gram();
    sums.leading.add_squares(&mut gram);
    gram
}

/// R | P of every level from Z̃'Z̃ | Z̃'C, and C'C less Σ P'P.
fn triangles(sums: &LevelSums, gram: &[f64], width: usize) -> (LevelSums, Vec<Sum2>) {
    let (r, stride) = (sums.width, sums.stride);
    let mut leading = sums.clone();
    let mut explained = vec![Sum2::default(); width * width];
    for j in 0..sums.levels {
        let level = leading.level_mut(j);
        for i in 0..r {
            for l in 0..i {
                let factor = level[l * stride + i];
                let (above, own) = level.split_at_mut(i * stride);
                let source = &above[l * stride..(l + 1) * stride];
                own[..stride]
                    .iter_mut()
                    .zip(source)
                    .for_each(|(x, y)| *x -= factor * y);
            }
            let row = &mut level[i * stride..(i + 1) * stride];
            row[..i].fill(0.0);
            let pivot = row[i];
            let scale = if pivot > 1e-10 * sums.level(j)[i * stride + i] {
                1.0 / pivot.sqrt()
            } else {
                0.0
            };
            row.iter_mut().for_each(|x| *x *= scale);
            add_square(&mut explained, &row[r..]);
        }
    }
    let mut residual = vec![Sum2::default(); width * width];
    for a in 0..width {
        for b in a..width {
            let value = gram[a + b * width] - explained[a * width + b].value();
            residual[a * width + b].add(if a == b { value.max(0.0) } else { value });
        }
    }
    (leading, residual)
}

/// Diagonal θ of a one-group system from moments.
fn diagonal(system: &System, reml: bool, team: &Team) -> Result<Vec<f64>> {
    let group = &system.groups[0];
    let (rows, cols) = (group.template.rows, group.template.cols);
    let mut problem = Problem::new(system, reml, team);
    problem.value_at(vec![Small::zeros(rows, cols)])?;
    let direction = problem
        .profile
        .as_ref()
        .map(|profile| profile.residual.clone())
        .unwrap_or_default();
    let (r, stride, width) = (rows, system.leading.stride, system.width);
    let mut squares = vec![0.0; r];
    let mut between = 0.0;
    for (row, i) in system.leading.data.chunks_exact(stride).zip((0..r).cycle()) {
        let value: f64 = row[r..].iter().zip(&direction).map(|(p, d)| p * d).sum();
        squares[i] += value * value;
        between += value * value;
    }
    let all = problem
        .profile
        .as_ref()
        .map_or(0.0, |profile| profile.pwrss);
    let used = system.leading.levels * r;
    let within =
        (all - between).max(1e-9 * all) / (system.n.saturating_sub(used + width - 2)).max(1) as f64;
    let mut variances = vec![0.0; r];
    for i in (0..r).rev() {
        let (mut own, mut later) = (0.0, 0.0);
        for j in 0..system.leading.levels {
            let row = &system.leading.level(j)[i * stride..i * stride + r];
            own += row[i] * row[i];
            later += (i + 1..r)
                .map(|k| row[k] * row[k] * variances[k])
                .sum::<f64>();
        }
        let levels = system.leading.levels as f64;
        variances[i] = ((squares[i] / within - levels - later) / own.max(1e-300)).max(0.0);
    }
    let carried = rows - cols;
    let start = |(i, j): (usize, usize)| {
        if i == j {
            variances[i + carried].sqrt().clamp(RANGE.0, RANGE.1)
        } else {
            0.0
        }
    };
    Ok(group.template.entries().into_iter().map(start).collect())
}
