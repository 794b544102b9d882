//! Products of a few long columns: plain loops while they fit in registers, `faer` beyond.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::Range;

/// Widest rows for which plain loops win.
const NARROW: usize = 16;

/// square += V'V for the columns `columns` of the rows in `rows` (each `stride` long); column-major, full.
#[inline(always)]
pub fn add_square(rows: &[f64], stride: usize, columns: Range<usize>, square: &mut [f64]) {
    let width = columns.len();
    if width > NARROW {
        let count = rows.len() / stride;
        let rows = MatRef::from_row_major_slice(rows, count, stride).subcols(columns.start, width);
        let target = MatMut::from_column_major_slice_mut(square, width, width);
        return matmul(target, Accum::Add, rows.transpose(), rows, 1.0, Par::Seq);
    }
    for row in rows.chunks_exact(stride) {
        let row = &row[columns.clone()];
        for (target, &factor) in square.chunks_exact_mut(width).zip(row) {
            target
                .iter_mut()
                .zip(row)
                .for_each(|(sum, value)| *sum += factor * value);
        }
    }
}

/// out ← rows · directions − out, for rows (row-major, `width` long), directions (column-major) and out
/// (row-major).
#[inline(always)]
pub fn subtract_from_product(rows: &[f64], width: usize, directions: &[f64], out: &mut [f64]) {
    let (count, columns) = (rows.len() / width, directions.len() / width);
    if columns > NARROW {
        out.iter_mut().for_each(|value| *value = -*value);
        let rows = MatRef::from_row_major_slice(rows, count, width);
        let directions = MatRef::from_column_major_slice(directions, width, columns);
        let out = MatMut::from_row_major_slice_mut(out, count, columns);
        return matmul(out, Accum::Add, rows, directions, 1.0, Par::Seq);
    }
    for (row, out) in rows.chunks_exact(width).zip(out.chunks_exact_mut(columns)) {
        for (value, direction) in out.iter_mut().zip(directions.chunks_exact(width)) {
            *value = row.iter().zip(direction).map(|(x, d)| x * d).sum::<f64>() - *value;
        }
    }
}

/// sum += part.
#[inline(always)]
pub fn add(sum: &mut [f64], part: &[f64]) {
    sum.iter_mut().zip(part).for_each(|(a, b)| *a += b);
}
