//! The boundary: zeros of θ, multipliers and singularity, judged in the optimiser's coordinates.
//!
//! At a singular λ the gradient vanishes along the null space of λλ' whether or not the point is an
//! optimum; there N'GN must be positive semi-definite (the multiplier).

use crate::error::Result;
use crate::lambda::Small;
use crate::optimize::Criterion;
use crate::outcome::Outcome;
use crate::system::System;
use faer::{MatRef, Side};

/// A pivot of λ below this may be zero: zero is tried.
const SMALL: f64 = 1e-4;
/// The criterion may rise by this much for a zero.
const PRICE: f64 = 1e-9;
/// A pivot below this (or this share of its term's largest entry) makes the fit singular.
const SINGULAR: f64 = 1e-4;

/// The user's θ of the optimiser's.
pub fn to_user(system: &System, theta: &[f64]) -> Vec<f64> {
    let mut user = theta.to_vec();
    for group in &system.groups {
        group.place(&group.template.to_user(&group.pick(theta)), &mut user);
    }
    user
}

/// Replace pivots that are all but zero by zero, if the criterion does not mind.
pub fn snap(problem: &mut impl Criterion, mut outcome: Outcome) -> Result<Outcome> {
    let mut candidate = outcome.theta.clone();
    for group in &problem.system().groups {
        let index = group.theta_index();
        let entries = group.template.entries();
        for (k, &(i, j)) in entries.iter().enumerate() {
            if i == j && candidate[index[k]].abs() < SMALL {
                let column: Vec<usize> = (0..entries.len())
                    .filter(|&l| entries[l].1 == j)
                    .map(|l| index[l])
                    .collect();
                let empty = column
                    .iter()
                    .all(|&place| outcome.theta[place].abs() < SMALL);
                column
                    .iter()
                    .filter(|&&place| empty || place == index[k])
                    .for_each(|&place| candidate[place] = 0.0);
            }
        }
    }
    if candidate != outcome.theta {
        let criterion = problem.value(&candidate)?;
        if criterion <= outcome.criterion + PRICE {
            outcome.theta = candidate;
            outcome.criterion = criterion;
        }
    }
    Ok(outcome)
}

/// Is some pivot (nearly) zero?
pub fn is_singular(system: &System, theta: &[f64]) -> bool {
    system.groups.iter().any(|group| {
        let own = group.pick(theta);
        let entries = group.template.entries();
        group.template.blocks.iter().any(|block| {
            let inside: Vec<usize> = (0..own.len())
                .filter(|&k| block.contains(&entries[k].1))
                .collect();
            let largest = inside.iter().map(|&k| own[k].abs()).fold(0.0, f64::max);
            inside.iter().any(|&k| {
                entries[k].0 == entries[k].1 && own[k].abs() < SINGULAR * largest.max(1.0)
            })
        })
    })
}

/// Per public term the smallest multiplier, relative to the size of G; NaN where λ is not singular.
pub fn smallest(system: &System, outcome: &Outcome) -> Vec<f64> {
    let count: usize = system.groups.iter().map(|group| group.terms.len()).sum();
    let mut multipliers = vec![f64::NAN; count];
    for (k, group) in system.groups.iter().enumerate() {
        let (Some(g), Some(scale)) = (outcome.g.get(k), outcome.scale.get(k)) else {
            continue;
        };
        let map = group.template.map();
        let inner = map.transposed().times(&g.times(&map));
        let own = group.pick(&outcome.theta);
        let entries = group.template.entries();
        for (&term, block) in group.terms.iter().zip(&group.template.blocks) {
            let q = block.len();
            let mut lambda = Small::zeros(q, q);
            for (&(i, j), value) in entries
                .iter()
                .zip(&own)
                .filter(|((_, j), _)| block.contains(j))
            {
                lambda.set(i - block.start, j - block.start, *value);
            }
            let mut part = Small::zeros(q, q);
            for j in 0..q {
                (0..q).for_each(|i| part.set(i, j, inner.at(block.start + i, block.start + j)));
            }
            let value = smallest_on_null_space(&lambda, &part);
            multipliers[term] = value / scale.max(1e-300);
            if multipliers[term].abs() < 1e-7 {
                multipliers[term] = 0.0;
            }
        }
    }
    multipliers
}

/// Smallest eigenvalue of N'GN for the null space N of λλ'; NaN where there is none.
fn smallest_on_null_space(lambda: &Small, g: &Small) -> f64 {
    let sigma = lambda.times(&lambda.transposed());
    let Some((values, vectors)) = eigen(&sigma) else {
        return f64::NAN;
    };
    let largest = values.iter().fold(0.0_f64, |m, v| m.max(*v));
    let null: Vec<usize> = (0..values.len())
        .filter(|&k| values[k] <= (SINGULAR * SINGULAR) * largest.max(1.0))
        .collect();
    if null.is_empty() {
        return f64::NAN;
    }
    let mut basis = Small::zeros(sigma.rows, null.len());
    for (c, &k) in null.iter().enumerate() {
        (0..sigma.rows).for_each(|i| basis.set(i, c, vectors.at(i, k)));
    }
    let inner = basis.transposed().times(&g.times(&basis));
    eigen(&inner).map_or(f64::NAN, |(values, _)| {
        values.into_iter().fold(f64::INFINITY, f64::min)
    })
}

/// Eigenvalues and vectors of a small symmetric matrix.
fn eigen(matrix: &Small) -> Option<(Vec<f64>, Small)> {
    let size = matrix.rows;
    let eigen = MatRef::from_column_major_slice(&matrix.data, size, size)
        .self_adjoint_eigen(Side::Lower)
        .ok()?;
    let mut vectors = Small::zeros(size, size);
    for j in 0..size {
        (0..size).for_each(|i| vectors.set(i, j, eigen.U()[(i, j)]));
    }
    Some(((0..size).map(|i| eigen.S()[i]).collect(), vectors))
}
