//! The leading group: its levels are eliminated one by one, in closed form.

use crate::error::Result;
use crate::factor::{Factor, LEVELS};
use crate::gram::{self, add};
use crate::lambda::Small;
use crate::parallel::{piece, Shared, Team};
use crate::symbolic::Symbolic;
use crate::system::System;

impl Factor<'_> {
    /// Leading levels: pivots, W_C, W, and the sum of their squares. Returns log-determinants.
    pub(crate) fn eliminate_leading(&mut self, team: &Team) -> Result<f64> {
        let system = self.system;
        let (levels, r, width) = (system.leading.levels, system.leading.width, system.width);
        let empty = Small::zeros(r, 0);
        let lambda = self.lambda.first().unwrap_or(&empty);
        let all = &self.lambda;
        let pivots = Shared::new(&mut self.pivots);
        let columns = Shared::new(&mut self.leading_columns);
        let weights = Shared::new(&mut self.weights);
        let elements = &system.symbolic.elements;
        let eliminate = |task: usize| {
            let range = piece(task, LEVELS, levels);
            // SAFETY: each level belongs to one task, and its pieces do not overlap.
            let (pivots, columns, weights) = unsafe {
                let first = range.start;
                let entry = |e: usize| elements.columns.get(e).copied().unwrap_or(0) * r;
                (
                    pivots.range(first * r * r, range.len() * r * r),
                    columns.range(first * r * width, range.len() * r * width),
                    weights.range(entry(first), entry(range.end) - entry(first)),
                )
            };
            pulp::Arch::new()
                .dispatch(|| leading_task(system, all, lambda, range, pivots, columns, weights))
        };
        let gram = &mut self.gram;
        gram.copy_from_slice(&system.residual);
        let mut log_det = 0.0;
        team.fold(
            levels.div_ceil(LEVELS),
            eliminate,
            |(part, square): (f64, Vec<f64>)| {
                log_det += part;
                add(gram, &square);
            },
        )?;
        Ok(log_det)
    }
}

#[inline(always)]
fn leading_task(
    system: &System,
    lambdas: &[Small],
    lambda: &Small,
    range: std::ops::Range<usize>,
    pivots: &mut [f64],
    columns: &mut [f64],
    weights: &mut [f64],
) -> (f64, Vec<f64>) {
    let (r, width) = (system.leading.width, system.width);
    let mut product = vec![0.0; r * lambda.cols];
    let mut square = vec![0.0; width * width];
    let elements = &system.symbolic.elements;
    let offset = elements.columns.get(range.start).copied().unwrap_or(0);
    let mut log_det = 0.0;
    for (index, j) in range.enumerate() {
        let level = system.leading.level(j);
        let pivot = &mut pivots[index * r * r..(index + 1) * r * r];
        log_det += level_pivot(level, system.leading.stride, lambda, &mut product, pivot, r);
        let block = &mut columns[index * r * width..(index + 1) * r * width];
        for (row, source) in block
            .chunks_exact_mut(width)
            .zip(level.chunks_exact(system.leading.stride))
        {
            row.copy_from_slice(&source[r..]);
        }
        solve_lower(pivot, r, block, width);
        if !elements.is_empty() {
            let (from, to) = (elements.columns[j], elements.columns[j + 1]);
            let target = &mut weights[(from - offset) * r..(to - offset) * r];
            element_weights(system, lambdas, j, pivot, r, target);
        }
    }
    gram::add_square(columns, width, 0..width, &mut square);
    (log_det, square)
}

/// W = c⁻¹FΛ of one element.
#[inline(always)]
fn element_weights(
    system: &System,
    lambdas: &[Small],
    e: usize,
    pivot: &[f64],
    r: usize,
    target: &mut [f64],
) {
    let elements = &system.symbolic.elements;
    target.copy_from_slice(&system.values[elements.columns[e] * r..elements.columns[e + 1] * r]);
    for column in target.chunks_exact_mut(r) {
        solve_lower(pivot, r, column, 1);
    }
    let rest = lambdas.get(1..).unwrap_or_default();
    scale_element(&system.symbolic, rest, e, r, target);
}

/// V ← VΛ₂ for the columns (r long) of one element.
#[inline(always)]
pub(crate) fn scale_element(
    symbolic: &Symbolic,
    lambda: &[Small],
    e: usize,
    r: usize,
    target: &mut [f64],
) {
    let elements = &symbolic.elements;
    for entry in elements.range(e) {
        let lambda = &lambda[symbolic.group[elements.nodes[entry] as usize] as usize];
        let columns = elements.entry(e, entry);
        let q = columns.len();
        let block = &mut target[columns.start * r..columns.end * r];
        for j in 0..q {
            for i in 0..r {
                block[i + j * r] = (j..q).map(|l| lambda.at(l, j) * block[i + l * r]).sum();
            }
        }
    }
}

/// c with cc' = I + (Rλ̃)(Rλ̃)'; returns its log-determinant, doubled.
#[inline(always)]
fn level_pivot(
    level: &[f64],
    stride: usize,
    lambda: &Small,
    product: &mut [f64],
    pivot: &mut [f64],
    r: usize,
) -> f64 {
    let q = lambda.cols;
    for i in 0..r {
        for k in 0..q {
            product[i * q + k] = (i..r)
                .map(|l| level[i * stride + l] * lambda.data[l + k * r])
                .sum();
        }
    }
    root_of_unit_plus(product, r, q, pivot);
    2.0 * (0..r).map(|i| pivot[i * r + i].ln()).sum::<f64>()
}

/// c (lower triangle of r × r, row-major) with cc' = I + BB'; overwrites B (r × q, row-major).
///
/// Each row of [I B] is reflected into its unit column: BB' is never formed and pivots are at least
/// 1, so that levels of large, nearly dependent rows (variance ratio 10⁶, correlation ±1) keep their
/// digits.
#[inline(always)]
pub fn root_of_unit_plus(b: &mut [f64], r: usize, q: usize, c: &mut [f64]) {
    for i in 0..r {
        let (head, below) = b.split_at_mut((i + 1) * q);
        let row = &head[i * q..];
        let root = (1.0 + row.iter().map(|x| x * x).sum::<f64>()).sqrt();
        c[i * r + i] = root;
        for k in i + 1..r {
            let other = &mut below[(k - i - 1) * q..(k - i) * q];
            let product: f64 = row.iter().zip(&*other).map(|(x, y)| x * y).sum();
            c[k * r + i] = product / root;
            let factor = product / root / (1.0 + root);
            other
                .iter_mut()
                .zip(row)
                .for_each(|(y, x)| *y -= factor * x);
        }
    }
}

/// block ← c⁻¹ block (r × columns, row-major).
#[inline(always)]
pub fn solve_lower(pivot: &[f64], r: usize, block: &mut [f64], columns: usize) {
    for i in 0..r {
        let (done, rest) = block.split_at_mut(i * columns);
        let row = &mut rest[..columns];
        for l in 0..i {
            let factor = pivot[i * r + l];
            row.iter_mut()
                .zip(&done[l * columns..(l + 1) * columns])
                .for_each(|(x, y)| *x -= factor * y);
        }
        let inverse = 1.0 / pivot[i * r + i];
        row.iter_mut().for_each(|x| *x *= inverse);
    }
}

/// block ← c'⁻¹ block (r × columns, row-major).
#[inline(always)]
pub fn solve_upper(pivot: &[f64], r: usize, block: &mut [f64], columns: usize) {
    for i in (0..r).rev() {
        let (head, tail) = block.split_at_mut((i + 1) * columns);
        let row = &mut head[i * columns..];
        for l in i + 1..r {
            let factor = pivot[l * r + i];
            row.iter_mut()
                .zip(&tail[(l - i - 1) * columns..(l - i) * columns])
                .for_each(|(x, y)| *x -= factor * y);
        }
        let inverse = 1.0 / pivot[i * r + i];
        row.iter_mut().for_each(|x| *x *= inverse);
    }
}
