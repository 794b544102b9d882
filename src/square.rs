//! Dense square matrices whose columns start on cache lines, worked on in tasks of columns.

use crate::aligned::Aligned;
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

    /// `task(range, its columns)` for ranges of columns that depend on the size alone.
    pub fn by_columns(&mut self, team: &Team, task: impl Fn(Range<usize>, &mut [f64]) + Sync) {
        let (size, stride) = (self.size, self.stride);
        let columns = size.div_ceil(TASKS).max(COLUMNS);
        let shared = Shared::new(&mut self.data);
        team.each(size.div_ceil(columns), |k| {
            let range = piece(k, columns, size);
            // SAFETY: each column belongs to one task.
            let own = unsafe { shared.range(range.start * stride, range.len() * stride) };
            task(range, own);
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

    /// tr(self · other).
    pub fn trace_of_product(&self, other: &Square) -> f64 {
        let mut sum = 0.0;
        for first in (0..self.size).step_by(TILE) {
            let rows = first..(first + TILE).min(self.size);
            for j in 0..self.size {
                let column = &self.column(j)[rows.clone()];
                let across = rows.clone().map(|i| other.data[j + i * other.stride]);
                sum += column.iter().zip(across).map(|(x, y)| x * y).sum::<f64>();
            }
        }
        sum
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
