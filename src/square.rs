//! Dense square matrices whose columns start on cache lines, worked on in tasks of columns.

use crate::aligned::Aligned;
use crate::error::Result;
use crate::parallel::{piece, Shared, Team};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::Range;

/// Stride of the columns, in whole cache lines.
const LINE: usize = 8;
/// Columns of one task: at least so many, and no more tasks than this (a product's task packs the whole
/// of its left side).
const COLUMNS: usize = 48;
const TASKS: usize = 8;
/// Rows and columns of a tile: both sides stay in the cache.
const TILE: usize = 32;

/// Number of tasks that so many columns are cut into.
pub fn tasks(columns: usize) -> usize {
    columns.div_ceil(columns.div_ceil(TASKS).max(COLUMNS))
}

/// The columns of task `k`.
pub fn task(columns: usize, k: usize) -> Range<usize> {
    piece(k, columns.div_ceil(TASKS).max(COLUMNS), columns)
}

/// A dense square matrix, column-major.
#[derive(Clone)]
pub struct Square {
    pub size: usize,
    pub stride: usize,
    pub data: Aligned,
}

impl Square {
    pub fn zeros(size: usize) -> Square {
        let stride = size.next_multiple_of(LINE);
        Square {
            size,
            stride,
            data: Aligned::zeros(stride * size),
        }
    }

    pub fn column(&self, j: usize) -> &[f64] {
        &self.data[j * self.stride..j * self.stride + self.size]
    }

    pub fn view(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice_with_stride(&self.data, self.size, self.size, self.stride)
    }

    /// `work(range, its columns)` for ranges of columns that depend on the size alone.
    pub fn by_columns(&mut self, team: &Team, work: impl Fn(Range<usize>, &mut [f64]) + Sync) {
        let (size, stride) = (self.size, self.stride);
        let shared = Shared::new(&mut self.data);
        team.each(tasks(size), |k| {
            let range = task(size, k);
            // SAFETY: each column belongs to one task.
            let own = unsafe { shared.range(range.start * stride, range.len() * stride) };
            work(range, own);
        });
    }

    /// self · other.
    pub fn times(&self, other: &Square, team: &Team) -> Square {
        let mut product = Square::zeros(self.size);
        let (size, stride) = (self.size, self.stride);
        product.by_columns(team, |range, own| {
            let count = range.len();
            let target = MatMut::from_column_major_slice_with_stride_mut(own, size, count, stride);
            let right = other.view().subcols(range.start, count);
            matmul(target, Accum::Replace, self.view(), right, 1.0, Par::Seq);
        });
        product
    }

    /// tr(self · other), by tasks of rows.
    pub fn trace_of_product(&self, other: &Square, team: &Team) -> Result<f64> {
        let tile = |task: usize| -> f64 {
            let rows = piece(task, TILE, self.size);
            let of_column = |j: usize| -> f64 {
                let column = &self.column(j)[rows.clone()];
                let across = rows.clone().map(|i| other.data[j + i * other.stride]);
                column.iter().zip(across).map(|(x, y)| x * y).sum()
            };
            (0..self.size).map(of_column).sum()
        };
        let mut sum = 0.0;
        team.fold(self.size.div_ceil(TILE), tile, |part: f64| sum += part)?;
        Ok(sum)
    }

    /// Copy the lower triangle to the upper one.
    pub fn mirror(&mut self) {
        for first in (0..self.size).step_by(TILE) {
            for j in 0..self.size {
                for i in first.max(j + 1)..(first + TILE).min(self.size) {
                    self.data[j + i * self.stride] = self.data[i + j * self.stride];
                }
            }
        }
    }

    /// I − self.
    pub fn complement(mut self) -> Square {
        self.data.iter_mut().for_each(|value| *value = -*value);
        self.add_unit();
        self
    }

    /// self + I.
    pub fn add_unit(&mut self) {
        (0..self.size).for_each(|i| self.data[i + i * self.stride] += 1.0);
    }
}
