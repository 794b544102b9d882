//! Sums by level: triangles Rⱼ | Pⱼ that are rotated into, and sums kept in two doubles.

use crate::gram;
use std::ops::Range;

/// Rows worked on at a time: small enough to stay in the first cache.
pub const BLOCK: usize = 256;

/// A sum kept in two doubles.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum2 {
    high: f64,
    low: f64,
}

impl Sum2 {
    pub fn add(&mut self, value: f64) {
        let sum = self.high + value;
        let back = sum - self.high;
        self.low += (self.high - (sum - back)) + (value - back);
        self.high = sum;
    }

    pub fn merge(&mut self, other: Sum2) {
        self.add(other.high);
        self.low += other.low;
    }

    pub fn value(&self) -> f64 {
        self.high + self.low
    }
}

/// Per level: `width` rows of `stride` numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LevelSums {
    pub levels: usize,
    /// Z̃ columns of the group.
    pub width: usize,
    /// Width of Z̃ plus width of C.
    pub stride: usize,
    pub data: Vec<f64>,
}

impl LevelSums {
    /// Zero sums.
    pub fn new(levels: usize, width: usize, columns: usize) -> Self {
        let stride = width + columns;
        LevelSums {
            levels,
            width,
            stride,
            data: vec![0.0; levels * width * stride],
        }
    }

    /// Σ Pⱼ'Pⱼ added to a full symmetric matrix, column-major.
    pub fn add_squares(&self, gram: &mut [f64]) {
        gram::add_square(&self.data, self.stride, self.width..self.stride, gram);
    }

    pub fn level(&self, j: usize) -> &[f64] {
        let size = self.width * self.stride;
        &self.data[j * size..(j + 1) * size]
    }

    pub fn level_mut(&mut self, j: usize) -> &mut [f64] {
        let size = self.width * self.stride;
        &mut self.data[j * size..(j + 1) * size]
    }
}

/// Rotate `row` into a level's triangle; what remains of `row` is orthogonal to the level.
#[inline(always)]
pub fn rotate_in(level: &mut [f64], width: usize, stride: usize, row: &mut [f64]) {
    for (i, triangle) in level.chunks_exact_mut(stride).enumerate().take(width) {
        let b = row[i];
        if b == 0.0 {
            continue;
        }
        let a = triangle[i];
        let mut length = (a * a + b * b).sqrt();
        if !(length > 1e-150 && length < 1e150) {
            length = a.hypot(b);
        }
        let (c, s) = (a / length, b / length);
        for (t, v) in triangle[i..].iter_mut().zip(row[i..stride].iter_mut()) {
            let old = *t;
            *t = c * old + s * *v;
            *v = c * *v - s * old;
        }
        row[i] = 0.0;
    }
}

/// Rotate the rows of `more` into `sums`; `rest` takes what is orthogonal, some rows at a time.
pub fn add_levels(sums: &mut LevelSums, more: &LevelSums, mut rest: impl FnMut(&[f64])) {
    let (width, stride) = (sums.width, sums.stride);
    let mut rows = more.clone();
    for j in 0..sums.levels {
        for i in 0..width {
            let row = &mut rows.level_mut(j)[i * stride..(i + 1) * stride];
            rotate_in(sums.level_mut(j), width, stride, row);
        }
    }
    rows.data.chunks(BLOCK * stride).for_each(&mut rest);
}

/// residual += V'V for some columns of a block of rows, each `stride` long.
#[inline(always)]
pub fn add_block(residual: &mut [Sum2], block: &[f64], stride: usize, columns: Range<usize>) {
    let width = columns.len();
    let mut square = vec![0.0; width * width];
    gram::add_square(block, stride, columns, &mut square);
    for a in 0..width {
        for b in a..width {
            residual[a * width + b].add(square[a + b * width]);
        }
    }
}

/// The full symmetric matrix, column-major, of an upper triangle of sums.
pub fn symmetric(sums: &[Sum2], width: usize) -> Vec<f64> {
    let mut gram = vec![0.0; width * width];
    for a in 0..width {
        for b in a..width {
            gram[a + b * width] = sums[a * width + b].value();
            gram[b + a * width] = gram[a + b * width];
        }
    }
    gram
}

/// residual += row row', upper triangle.
pub fn add_square(residual: &mut [Sum2], row: &[f64]) {
    let width = row.len();
    for a in 0..width {
        if row[a] != 0.0 {
            for b in a..width {
                residual[a * width + b].add(row[a] * row[b]);
            }
        }
    }
}
