//! A rough regression on a few rows, taken out of the response before the sums are made.
//!
//! Where X explains the response almost wholly, r² would be a small difference of large sums: at
//! R² = 1 − 10⁻¹⁰ ten digits are gone. Any β₀ may be subtracted, since β = β' + β₀ puts it back exactly.

use crate::columns::Design;
use crate::fixed_matrix::{FixedCoordinates, PILOT_ROWS};
use crate::level_sums::rotate_in;

/// Widest X that is worth a pilot.
const COLUMNS: usize = 64;
/// Share of the response left by X below which digits are at stake, and above which the fit is not perfect
/// (a perfect one is to be found out, not hidden).
const SHARE: std::ops::Range<f64> = 1e-13..1e-3;
/// A pivot below this share of its column's length tells nothing.
const DEPENDENT: f64 = 1e-6;

/// β₀ of `count` responses by column of X (columns × count, row-major), in the coordinates' units; zeros
/// where no digits are at stake. `fill` gives the shifted and scaled responses of a used row.
pub fn regressions(
    design: &Design,
    coordinates: &FixedCoordinates,
    count: usize,
    fill: impl Fn(usize, &mut [f64]),
) -> Vec<f64> {
    let (n, own) = (design.table.n(), coordinates.width() - 1);
    let mut pilots = vec![0.0; coordinates.place.len() * count];
    let rows = n.min(PILOT_ROWS);
    if !(3..=COLUMNS).contains(&(own + 1)) || rows < 4 * (own + 1) {
        return pilots;
    }
    let stride = own + count;
    let mut triangle = vec![0.0; own * stride];
    let mut left = vec![0.0; count];
    let mut row = vec![0.0; stride];
    for k in 0..rows {
        let i = k * n / rows;
        coordinates.fill_columns(design, i, 1, &mut row, stride);
        fill(i, &mut row[own..]);
        rotate_in(&mut triangle, own, stride, &mut row);
        (left.iter_mut().zip(&row[own..])).for_each(|(sum, y)| *sum += y * y);
    }
    for (k, left) in left.into_iter().enumerate() {
        let explained: f64 = (1..own)
            .map(|i| triangle[i * stride + own + k].powi(2))
            .sum();
        if SHARE.contains(&(left / (left + explained))) {
            let beta = solve(&triangle, own, stride, own + k);
            let places = coordinates.place.iter().enumerate();
            for (column, &place) in places.filter(|(_, &place)| place > 0) {
                pilots[column * count + k] = beta[place];
            }
        }
    }
    pilots
}

/// Back substitution for the response in column `y`; columns that depend on those before them get nothing.
fn solve(triangle: &[f64], own: usize, stride: usize, y: usize) -> Vec<f64> {
    let mut beta = vec![0.0; own];
    for i in (0..own).rev() {
        let length = (0..=i)
            .map(|l| triangle[l * stride + i].powi(2))
            .sum::<f64>()
            .sqrt();
        let row = &triangle[i * stride..(i + 1) * stride];
        if row[i].abs() > DEPENDENT * length {
            let known: f64 = (i + 1..own).map(|k| row[k] * beta[k]).sum();
            beta[i] = (row[y] - known) / row[i];
        }
    }
    beta
}
