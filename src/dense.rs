//! Dense kernels on one front: partial Cholesky and the inverse that goes with it.
//!
//! Both work in column panels; the pieces of a panel are cut by the size of the front, so the bits do
//! not depend on the number of threads, and the stop flag is looked at before every panel. Each piece
//! is one sequential product or triangular solve of `faer`: its own threaded factorisations are not
//! used (their result depends on the number of threads).

use crate::aligned::Aligned;
use crate::error::{Error, Result};
use crate::parallel::Team;
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::matmul;
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::reborrow::*;
use faer::{Accum, MatMut, MatRef, Par};

/// Columns of one panel.
const PANEL: usize = 128;
/// Rows or columns of one task.
const STRIPE: usize = 128;
/// Fronts up to this size are done by plain loops.
const TINY: usize = 16;

/// A column-major square that tasks read and write in disjoint pieces.
#[derive(Clone, Copy)]
pub struct Square {
    start: *mut f64,
    stride: usize,
}

// SAFETY: tasks touch disjoint pieces while another piece is only read.
unsafe impl Send for Square {}
unsafe impl Sync for Square {}

impl Square {
    /// The square at the start of `buffer`, columns `stride` apart.
    pub fn new(buffer: &mut [f64], size: usize, stride: usize) -> Self {
        assert!(size == 0 || buffer.len() >= stride * (size - 1) + size);
        Square {
            start: buffer.as_mut_ptr(),
            stride,
        }
    }

    /// # Safety
    /// The piece must lie inside the square and not be written elsewhere meanwhile.
    unsafe fn part<'a>(
        self,
        row: usize,
        column: usize,
        rows: usize,
        columns: usize,
    ) -> MatRef<'a, f64> {
        let start = self.start.add(row + column * self.stride);
        MatRef::from_raw_parts(start, rows, columns, 1, self.stride as isize)
    }

    /// # Safety
    /// The piece must lie inside the square and not be touched elsewhere meanwhile.
    unsafe fn part_mut<'a>(
        self,
        row: usize,
        column: usize,
        rows: usize,
        columns: usize,
    ) -> MatMut<'a, f64> {
        let start = self.start.add(row + column * self.stride);
        MatMut::from_raw_parts_mut(start, rows, columns, 1, self.stride as isize)
    }
}

fn not_positive() -> Error {
    Error::Infeasible("the penalised system is not positive definite at these parameters".into())
}

/// Lower Cholesky of a small block by plain loops.
fn tiny_cholesky(a: &mut [f64], size: usize, own: usize, stride: usize) -> Result<()> {
    for j in 0..own {
        let pivot = a[j + j * stride];
        if !(pivot > 0.0 && pivot.is_finite()) {
            return Err(not_positive());
        }
        let root = pivot.sqrt();
        a[j + j * stride] = root;
        (j + 1..size).for_each(|i| a[i + j * stride] /= root);
        for k in j + 1..size {
            let factor = a[k + j * stride];
            (k..size).for_each(|i| a[i + k * stride] -= factor * a[i + j * stride]);
        }
    }
    Ok(())
}

/// Eliminate the first `own` columns of the symmetric `buffer` (lower triangle, size × size): L in
/// those columns, the complement in the rest. Returns Σ log diag L.
pub fn eliminate(
    team: &Team,
    buffer: &mut [f64],
    size: usize,
    own: usize,
    stride: usize,
) -> Result<f64> {
    if size <= TINY {
        tiny_cholesky(buffer, size, own, stride)?;
    } else {
        let square = Square::new(buffer, size, stride);
        for first in (0..own).step_by(PANEL) {
            team.check()?;
            eliminate_panel(team, square, size, first, PANEL.min(own - first))?;
        }
    }
    let log_det: f64 = (0..own).map(|j| buffer[j + j * stride].ln()).sum();
    if log_det.is_finite() {
        Ok(log_det)
    } else {
        Err(not_positive())
    }
}

fn eliminate_panel(
    team: &Team,
    square: Square,
    size: usize,
    first: usize,
    width: usize,
) -> Result<()> {
    // SAFETY: the pieces lie inside the square; tasks write disjoint rows or columns.
    unsafe {
        let diagonal = square.part_mut(first, first, width, width);
        let scratch = cholesky_in_place_scratch::<f64>(width, Par::Seq, Default::default());
        let mut memory = faer::dyn_stack::MemBuffer::new(scratch);
        let stack = faer::dyn_stack::MemStack::new(&mut memory);
        cholesky_in_place(
            diagonal,
            Default::default(),
            Par::Seq,
            stack,
            Default::default(),
        )
        .map_err(|_| not_positive())?;
        let next = first + width;
        let below = size - next;
        team.each(below.div_ceil(2 * STRIPE), |task| {
            let row = next + task * 2 * STRIPE;
            let rows = (2 * STRIPE).min(size - row);
            let target = square.part_mut(row, first, rows, width);
            solve_lower_triangular_in_place(
                square.part(first, first, width, width),
                target.transpose_mut(),
                Par::Seq,
            );
        });
        team.each(below.div_ceil(STRIPE), |task| {
            let column = next + task * STRIPE;
            let columns = STRIPE.min(size - column);
            let rows = size - column;
            let target = square.part_mut(column, column, rows, columns);
            let left = square.part(column, first, rows, width);
            let right = square.part(column, first, columns, width).transpose();
            matmul(target, Accum::Add, left, right, -1.0, Par::Seq);
        });
    }
    Ok(())
}

/// The inverse that belongs to an eliminated front, full and symmetric: `inverse` holds the inverse of
/// the rows below (lower right, from the parent) and receives the rest (Takahashi, Fagan & Chin 1973).
pub fn invert(
    team: &Team,
    factor: &mut [f64],
    inverse: &mut [f64],
    size: usize,
    own: usize,
    stride: usize,
    work: &mut Aligned,
) -> Result<()> {
    if size <= TINY {
        tiny_inverse(factor, inverse, size, own, stride);
        return Ok(());
    }
    let source = Square::new(factor, size, stride);
    let target = Square::new(inverse, size, stride);
    let panels = own.div_ceil(PANEL);
    work.reserve(stride * PANEL.min(own) + PANEL * PANEL);
    for panel in (0..panels).rev() {
        team.check()?;
        let first = panel * PANEL;
        invert_panel(
            team,
            source,
            target,
            size,
            first,
            PANEL.min(own - first),
            stride,
            work,
        );
    }
    Ok(())
}

/// The same by plain loops.
fn tiny_inverse(l: &[f64], z: &mut [f64], size: usize, own: usize, stride: usize) {
    for j in (0..own).rev() {
        let pivot = l[j + j * stride];
        for i in j + 1..size {
            let sum: f64 = (j + 1..size)
                .map(|k| z[i + k * stride] * l[k + j * stride])
                .sum();
            z[i + j * stride] = -sum / pivot;
            z[j + i * stride] = -sum / pivot;
        }
        let sum: f64 = (j + 1..size)
            .map(|k| z[k + j * stride] * l[k + j * stride])
            .sum();
        z[j + j * stride] = (1.0 / pivot - sum) / pivot;
    }
}

/// One panel: Y = L_RJ L_JJ⁻¹, Z_RJ = −Z_RR Y, Z_JJ = (L_JJ L_JJ')⁻¹ − Y'Z_RJ.
#[allow(clippy::too_many_arguments)]
fn invert_panel(
    team: &Team,
    factor: Square,
    inverse: Square,
    size: usize,
    first: usize,
    width: usize,
    stride: usize,
    work: &mut [f64],
) {
    let next = first + width;
    let below = size - next;
    let (ratio, corner) = work.split_at_mut(stride * width);
    let ratio = Square::new(ratio, 0, stride);
    let corner = MatMut::from_column_major_slice_mut(&mut corner[..width * width], width, width);
    // SAFETY: the pieces lie inside the squares; tasks write disjoint rows or columns.
    unsafe {
        let triangle = factor.part(first, first, width, width);
        team.each(below.div_ceil(2 * STRIPE), |task| {
            let row = task * 2 * STRIPE;
            let rows = (2 * STRIPE).min(below - row);
            let mut target = ratio.part_mut(row, 0, rows, width);
            target.copy_from(factor.part(next + row, first, rows, width));
            solve_upper_triangular_in_place(triangle.transpose(), target.transpose_mut(), Par::Seq);
        });
        team.each(below.div_ceil(STRIPE), |task| {
            let row = task * STRIPE;
            let rows = STRIPE.min(below - row);
            let left = inverse.part(next, next + row, below, rows).transpose();
            let mut target = inverse.part_mut(next + row, first, rows, width);
            matmul(
                target.rb_mut(),
                Accum::Replace,
                left,
                ratio.part(0, 0, below, width),
                -1.0,
                Par::Seq,
            );
            inverse
                .part_mut(first, next + row, width, rows)
                .copy_from(target.transpose());
        });
        let mut corner = corner;
        corner.fill(0.0);
        (0..width).for_each(|k| corner[(k, k)] = 1.0);
        solve_lower_triangular_in_place(triangle, corner.rb_mut(), Par::Seq);
        let corner = corner.rb();
        team.each(width.div_ceil(32), |task| {
            let column = task * 32;
            let columns = 32.min(width - column);
            let mut target = inverse.part_mut(first, first + column, width, columns);
            let right = corner.subcols(column, columns);
            matmul(
                target.rb_mut(),
                Accum::Replace,
                corner.transpose(),
                right,
                1.0,
                Par::Seq,
            );
            let right = inverse.part(next, first + column, below, columns);
            matmul(
                target,
                Accum::Add,
                ratio.part(0, 0, below, width).transpose(),
                right,
                -1.0,
                Par::Seq,
            );
        });
        let mut corner = inverse.part_mut(first, first, width, width);
        for j in 0..width {
            for i in 0..j {
                let mean = 0.5 * (corner[(i, j)] + corner[(j, i)]);
                corner[(i, j)] = mean;
                corner[(j, i)] = mean;
            }
        }
    }
}

/// x ← L⁻¹ x on a front's own rows, then subtract from the rows below; both parts of `rhs` columns.
pub fn forward(factor: &[f64], size: usize, own: usize, stride: usize, rhs: MatMut<'_, f64>) {
    let (mut top, bottom) = rhs.split_at_row_mut(own);
    if size <= TINY {
        return tiny_forward(factor, size, own, stride, top, bottom);
    }
    let whole = column_major(factor, size, own, stride);
    solve_lower_triangular_in_place(whole.subrows(0, own), top.rb_mut(), Par::Seq);
    matmul(
        bottom,
        Accum::Add,
        whole.subrows(own, size - own),
        top.rb(),
        -1.0,
        Par::Seq,
    );
}

/// x ← L'⁻¹ (x − L_below' x_below) on a front's own rows.
pub fn backward(factor: &[f64], size: usize, own: usize, stride: usize, rhs: MatMut<'_, f64>) {
    let (mut top, bottom) = rhs.split_at_row_mut(own);
    if size <= TINY {
        return tiny_backward(factor, size, own, stride, top, bottom);
    }
    let whole = column_major(factor, size, own, stride);
    matmul(
        top.rb_mut(),
        Accum::Add,
        whole.subrows(own, size - own).transpose(),
        bottom.rb(),
        -1.0,
        Par::Seq,
    );
    solve_upper_triangular_in_place(whole.subrows(0, own).transpose(), top, Par::Seq);
}

fn column_major(buffer: &[f64], rows: usize, columns: usize, stride: usize) -> MatRef<'_, f64> {
    assert!(columns == 0 || buffer.len() >= stride * (columns - 1) + rows);
    // SAFETY: checked above.
    unsafe { MatRef::from_raw_parts(buffer.as_ptr(), rows, columns, 1, stride as isize) }
}

fn tiny_forward(
    factor: &[f64],
    size: usize,
    own: usize,
    stride: usize,
    mut top: MatMut<'_, f64>,
    mut bottom: MatMut<'_, f64>,
) {
    for c in 0..top.ncols() {
        for j in 0..own {
            let value = top[(j, c)] / factor[j + j * stride];
            top[(j, c)] = value;
            (j + 1..own).for_each(|i| top[(i, c)] -= factor[i + j * stride] * value);
            (own..size).for_each(|i| bottom[(i - own, c)] -= factor[i + j * stride] * value);
        }
    }
}

fn tiny_backward(
    factor: &[f64],
    size: usize,
    own: usize,
    stride: usize,
    mut top: MatMut<'_, f64>,
    bottom: MatMut<'_, f64>,
) {
    for c in 0..top.ncols() {
        for j in (0..own).rev() {
            let mut value = top[(j, c)];
            (own..size).for_each(|i| value -= factor[i + j * stride] * bottom[(i - own, c)]);
            (j + 1..own).for_each(|i| value -= factor[i + j * stride] * top[(i, c)]);
            top[(j, c)] = value / factor[j + j * stride];
        }
    }
}
