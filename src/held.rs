//! How a parameter is held: the coordinates in which it is an element of λ, or the column of X that is
//! moved to the response.

use crate::fixed_matrix::Basis;
use crate::lambda::{lower_triangle, Small};
use crate::random_matrix::Group;
use crate::system::System;
use faer::linalg::solvers::DenseSolveCore;
use faer::MatRef;
use std::ops::Range;

/// What is held, and where it stands.
pub enum Held {
    /// A column of X, what it is of C in units of ỹ, and the system of the other columns.
    Coefficient {
        column: usize,
        x: Vec<f64>,
        rest: Box<System>,
    },
    Sigma,
    /// One of the optimiser's parameters (generalised models).
    Parameter {
        place: usize,
    },
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

/// Coordinates of a group's effects in which the parameter at `place` of θ is an element of λ: the
/// user's effects that it is made of come first, and the optimiser's (of unit size) follow but for those
/// that stand for the first ones. Also where the parameter stands then.
pub fn arrange(group: &Group, place: usize) -> (Small, Held) {
    let (index, entries) = (group.theta_index(), group.template.entries());
    let at = |i: usize, j: usize| {
        let found = entries.iter().position(|&entry| entry == (i, j));
        found.map_or(place, |k| index[k])
    };
    let own = index.iter().position(|&k| k == place).unwrap_or(0);
    let (row, column) = entries[own];
    let mut blocks = group.template.blocks.iter();
    let block = blocks.find(|block| block.contains(&row));
    let block = block.cloned().unwrap_or(row..row + 1);
    let first = match row == column {
        true => vec![row],
        false => vec![column, row],
    };
    let functionals = functionals(&group.template.user_matrix(), block.clone(), &first);
    let b = block.start;
    let column_of_first = block.map(|i| at(i, b)).collect();
    let held = match row == column {
        true => Held::Deviation {
            place: at(b, b),
            column: column_of_first,
        },
        false => Held::Correlation {
            column: column_of_first,
            sine: at(b + 1, b),
            cosine: at(b + 1, b + 1),
        },
    };
    (functionals, held)
}

/// Rows `first` of U at the head of a block, then unit vectors that complete them; identity elsewhere.
fn functionals(user: &Small, block: Range<usize>, first: &[usize]) -> Small {
    let size = user.cols;
    let mut matrix = Small::zeros(size, size);
    (0..size).for_each(|k| matrix.set(k, k, 1.0));
    let mut reduced: Vec<(usize, Vec<f64>)> = Vec::new();
    for &f in first {
        let mut rest: Vec<f64> = (0..size).map(|k| user.at(f, k)).collect();
        for (pivot, other) in &reduced {
            let factor = rest[*pivot] / other[*pivot];
            (rest.iter_mut().zip(other)).for_each(|(x, y)| *x -= factor * y);
        }
        let larger = |&a: &usize, &b: &usize| rest[a].abs().total_cmp(&rest[b].abs());
        let free = block
            .clone()
            .filter(|k| reduced.iter().all(|(pivot, _)| pivot != k));
        let pivot = free.max_by(larger).unwrap_or(f);
        reduced.push((pivot, rest));
    }
    let others = block
        .clone()
        .filter(|k| reduced.iter().all(|(pivot, _)| pivot != k));
    for (i, k) in (block.start + first.len()..).zip(others) {
        (0..size).for_each(|j| matrix.set(i, j, f64::from(u8::from(j == k))));
    }
    for (i, &f) in (block.start..).zip(first) {
        (0..size).for_each(|j| matrix.set(i, j, user.at(f, j)));
    }
    matrix
}

pub fn inverse(matrix: &Small) -> Small {
    let size = matrix.rows;
    let view = MatRef::from_column_major_slice(&matrix.data, size, size);
    let solved = view.partial_piv_lu().inverse();
    let mut inverse = Small::zeros(size, size);
    for j in 0..size {
        (0..size).for_each(|i| inverse.set(i, j, solved[(i, j)]));
    }
    inverse
}

/// θ of one group with its effects in other coordinates.
pub fn change(group: &Group, matrix: &Small, theta: &mut [f64]) {
    let mut lambda = matrix.times(&group.lambda(theta));
    lower_triangle(&mut lambda);
    let entries = group.template.entries();
    let own: Vec<f64> = entries.iter().map(|&(i, j)| lambda.at(i, j)).collect();
    group.place(&own, theta);
}

/// The system without column `k` of X, and x_k.
pub fn without(system: &System, k: usize) -> Held {
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
    if !rest.basis.spanned {
        if place > 0 {
            x[0] += column.shift / scale;
        }
        sweep_constant(&mut rest.basis, &mut x);
    }
    Held::Coefficient {
        column: k,
        x,
        rest: Box::new(rest),
    }
}

/// Take the constant out of everything but the column of X that has most of it: without a constant of
/// their own, columns far from zero are nearly the same one, and the response nearly a multiple of it.
/// What X spans is the same, and the response and x change by what it spans.
fn sweep_constant(basis: &mut Basis, x: &mut [f64]) {
    let width = basis.width;
    let columns = basis.columns.chunks_exact(width);
    let most = columns
        .enumerate()
        .max_by(|a, b| a.1[0].abs().total_cmp(&b.1[0].abs()));
    let Some((own, column)) = most.filter(|(_, column)| column[0] != 0.0) else {
        return;
    };
    let unit: Vec<f64> = column.iter().map(|value| value / column[0]).collect();
    let sweep = |vector: &mut [f64]| {
        let factor = vector[0];
        (vector.iter_mut().zip(&unit)).for_each(|(v, u)| *v -= factor * u);
    };
    for (k, column) in basis.columns.chunks_exact_mut(width).enumerate() {
        if k == own {
            column.copy_from_slice(&unit);
        } else {
            sweep(column);
        }
    }
    sweep(&mut basis.response);
    sweep(x);
}

/// The system of the response less `value` times x.
pub fn shifted(rest: &System, x: &[f64], value: f64) -> System {
    let mut system = rest.clone();
    let response = system.basis.response.iter_mut();
    response.zip(x).for_each(|(y, x)| *y -= value * x);
    system
}
