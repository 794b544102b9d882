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

/// β₀ by column of X, in the coordinates' units; zeros where no digits are at stake.
pub fn regression(design: &Design, coordinates: &FixedCoordinates) -> Vec<f64> {
    let (n, width) = (design.table.n(), coordinates.width());
    let none = vec![0.0; coordinates.place.len()];
    let count = n.min(PILOT_ROWS);
    if !(3..=COLUMNS).contains(&width) || count < 4 * width {
        return none;
    }
    let own = width - 1;
    let mut triangle = vec![0.0; own * width];
    let mut left = 0.0;
    let mut row = vec![0.0; width];
    for k in 0..count {
        coordinates.fill(design, k * n / count, 1, &mut row, width);
        rotate_in(&mut triangle, own, width, &mut row);
        left += row[own] * row[own];
    }
    let explained: f64 = (1..own).map(|i| triangle[i * width + own].powi(2)).sum();
    if !SHARE.contains(&(left / (left + explained))) {
        return none;
    }
    let beta = solve(&triangle, own, width);
    let pick = |&place: &usize| if place == 0 { 0.0 } else { beta[place] };
    coordinates.place.iter().map(pick).collect()
}

/// Back substitution; columns that depend on those before them get nothing.
fn solve(triangle: &[f64], own: usize, width: usize) -> Vec<f64> {
    let mut beta = vec![0.0; own];
    for i in (0..own).rev() {
        let length = (0..=i)
            .map(|l| triangle[l * width + i].powi(2))
            .sum::<f64>()
            .sqrt();
        let row = &triangle[i * width..(i + 1) * width];
        if row[i].abs() > DEPENDENT * length {
            let known: f64 = (i + 1..own).map(|k| row[k] * beta[k]).sum();
            beta[i] = (row[own] - known) / row[i];
        }
    }
    beta
}
