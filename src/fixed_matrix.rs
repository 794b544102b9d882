//! X and y side by side, in shifted and scaled coordinates.
//!
//! The cross-products are accumulated on C = [1, x̃₁, …, ỹ] with x̃ = (x − shift)/scale, scale a
//! power of two, so that large means and wild units cost no digits (design: "cross-products are the
//! sufficient statistic"). `Basis` says how the fixed part E and the response are combinations of C;
//! afterwards β = scale_y · T β_E + γ shift_y, with T the inverse of the reparametrisation.

use crate::columns::{Design, Recipe, Table};
use crate::pilot;

/// Rows looked at to choose shifts and scales.
pub const PILOT_ROWS: usize = 256;

/// One column as (value − shift) / scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shifted {
    pub shift: f64,
    pub scale: f64,
}

impl Shifted {
    pub const IDENTITY: Shifted = Shifted {
        shift: 0.0,
        scale: 1.0,
    };

    /// Pilot values from evenly spread rows; `shift_wanted` decides from mean and spread.
    pub fn pilot(
        n: usize,
        value: impl Fn(usize) -> f64,
        shift_wanted: impl Fn(f64, f64) -> bool,
    ) -> Self {
        let count = n.min(PILOT_ROWS);
        let sample: Vec<f64> = (0..count).map(|k| value(k * n / count.max(1))).collect();
        let mean = sample.iter().map(|v| v / count as f64).sum::<f64>();
        let spread = sample.iter().map(|v| (v - mean).abs()).fold(0.0, f64::max);
        let size = sample.iter().map(|v| v.abs()).fold(0.0, f64::max);
        let shift = if shift_wanted(mean.abs(), spread) {
            mean
        } else {
            0.0
        };
        let reach = if shift == 0.0 || spread == 0.0 {
            size
        } else {
            spread
        };
        Shifted {
            shift: if shift.is_finite() { shift } else { 0.0 },
            scale: power_of_two(reach),
        }
    }

    /// Shift and scale of a response.
    pub fn response(n: usize, value: impl Fn(usize) -> f64) -> Self {
        Shifted::pilot(n, value, |_, _| true)
    }

    /// Fill `out[i * stride]` with the shifted and scaled recipe at used rows `first..first + count`.
    pub fn fill(
        &self,
        table: &Table,
        recipe: &Recipe,
        first: usize,
        count: usize,
        out: &mut [f64],
        stride: usize,
    ) {
        table.fill(recipe, first, count, out, stride);
        if *self != Shifted::IDENTITY {
            (0..count).for_each(|i| out[i * stride] = self.apply(out[i * stride]));
        }
    }

    #[inline]
    pub fn apply(&self, value: f64) -> f64 {
        (value - self.shift) / self.scale
    }
}

/// The power of two nearest to `size`; 1 for 0 or a size that is not finite.
fn power_of_two(size: f64) -> f64 {
    if size > 0.0 && size.is_finite() {
        2f64.powi(size.log2().round().clamp(-900.0, 900.0) as i32)
    } else {
        1.0
    }
}

/// A recipe of codes only is a contrast or dummy: already of unit size.
pub fn is_coded(recipe: &Recipe) -> bool {
    recipe.numeric.is_empty()
}

/// Coordinates of [X y].
#[derive(Clone, Debug, PartialEq)]
pub struct FixedCoordinates {
    /// Per column of X: its place in C (0 = the constant).
    pub place: Vec<usize>,
    pub columns: Vec<Shifted>,
    pub response: Shifted,
    /// β₀ taken out of ỹ, by column of X.
    pub pilot: Vec<f64>,
    /// γ with Xγ = 1.
    pub constant: Option<Vec<f64>>,
}

impl FixedCoordinates {
    pub fn new(design: &Design) -> Self {
        let table = &design.table;
        let n = table.n();
        let mut next = 0;
        let place = design.fixed.iter().map(|recipe| {
            if recipe.is_constant() {
                0
            } else {
                next += 1;
                next
            }
        });
        let place: Vec<usize> = place.collect();
        let columns = design.fixed.iter().map(|recipe| match is_coded(recipe) {
            true => Shifted::IDENTITY,
            false => Shifted::pilot(n, |i| table.value(recipe, table.place(i)), |_, _| true),
        });
        let mut coordinates = FixedCoordinates {
            columns: columns.collect(),
            pilot: vec![0.0; place.len()],
            response: Shifted::response(n, |i| table.target(table.place(i))),
            constant: usable_constant(design, &place),
            place,
        };
        let target = |i: usize, out: &mut [f64]| {
            out[0] = coordinates.response.apply(table.target(table.place(i)));
        };
        coordinates.pilot = pilot::regressions(design, &coordinates, 1, target);
        coordinates
    }

    /// Number of columns of C.
    pub fn width(&self) -> usize {
        2 + self.place.iter().copied().max().unwrap_or(0)
    }

    /// Fill rows `first..first + count` of C, each row `stride` long, weighted by √w.
    pub fn fill(
        &self,
        design: &Design,
        first: usize,
        count: usize,
        out: &mut [f64],
        stride: usize,
    ) {
        self.fill_columns(design, first, count, out, stride);
        let table: &Table = &design.table;
        let last = self.width() - 1;
        for i in 0..count {
            let row = table.place(first + i);
            out[i * stride + last] = self.response.apply(table.target(row));
        }
        for (&place, &pilot) in self.place.iter().zip(&self.pilot) {
            if pilot != 0.0 {
                for row in out.chunks_mut(stride).take(count) {
                    row[last] -= pilot * row[place];
                }
            }
        }
    }

    /// The same without the response.
    pub fn fill_columns(
        &self,
        design: &Design,
        first: usize,
        count: usize,
        out: &mut [f64],
        stride: usize,
    ) {
        (0..count).for_each(|i| out[i * stride] = 1.0);
        for (k, recipe) in design.fixed.iter().enumerate() {
            let place = self.place[k];
            if place > 0 {
                let out = &mut out[place..];
                self.columns[k].fill(&design.table, recipe, first, count, out, stride);
            }
        }
    }
}

/// γ is used only where no shifted column is part of it.
fn usable_constant(design: &Design, place: &[usize]) -> Option<Vec<f64>> {
    if let Some(k) = place.iter().position(|&place| place == 0) {
        let mut constant = vec![0.0; place.len()];
        constant[k] = 1.0;
        return Some(constant);
    }
    let constant = design.constant.as_ref()?;
    let plain = |k: usize| constant[k] == 0.0 || is_coded(&design.fixed[k]);
    (0..place.len()).all(plain).then(|| constant.clone())
}

/// How the kept columns of X and the response are combinations of C.
#[derive(Clone, Debug)]
pub struct Basis {
    pub width: usize,
    /// Kept columns of X, ascending.
    pub kept: Vec<usize>,
    /// Columns of E as combinations of C, width × rank, column-major.
    pub columns: Vec<f64>,
    /// The response less the pilot, as a combination of C.
    pub response: Vec<f64>,
    /// The pilot's β of the kept columns.
    pilot: Vec<f64>,
    /// Is the constant a combination of the kept columns?
    pub spanned: bool,
}

impl Basis {
    /// The basis of the columns `kept`; the constant counts as spanned only if γ needs no dropped column.
    pub fn new(coordinates: &FixedCoordinates, kept: &[usize]) -> Self {
        let width = coordinates.width();
        let spanned = coordinates.constant.as_ref().is_some_and(|constant| {
            (0..constant.len()).all(|k| constant[k] == 0.0 || kept.contains(&k))
        });
        let mut columns = vec![0.0; width * kept.len()];
        for (column, &k) in columns.chunks_exact_mut(width).zip(kept) {
            let place = coordinates.place[k];
            column[place] = 1.0;
            if !spanned && place > 0 {
                column[0] += coordinates.columns[k].shift / coordinates.columns[k].scale;
            }
        }
        let mut response = vec![0.0; width];
        response[width - 1] = 1.0;
        if !spanned {
            response[0] = coordinates.response.shift / coordinates.response.scale;
        }
        for (k, &pilot) in coordinates.pilot.iter().enumerate() {
            if !kept.contains(&k) {
                response[coordinates.place[k]] += pilot;
            } else if !spanned {
                response[0] -= pilot * coordinates.columns[k].shift / coordinates.columns[k].scale;
            }
        }
        Basis {
            width,
            kept: kept.to_vec(),
            columns,
            response,
            pilot: kept.iter().map(|&k| coordinates.pilot[k]).collect(),
            spanned,
        }
    }

    pub fn rank(&self) -> usize {
        self.kept.len()
    }

    /// Column `k` of E.
    pub fn column(&self, k: usize) -> &[f64] {
        &self.columns[k * self.width..(k + 1) * self.width]
    }

    /// log |det T⁻¹|: what the REML criterion gains by the reparametrisation.
    pub fn log_det(&self, coordinates: &FixedCoordinates) -> f64 {
        let scale = |&k: &usize| coordinates.columns[k].scale.ln();
        self.kept.iter().map(scale).sum()
    }

    /// T applied to one vector in E's coordinates; the result is in X's, kept columns only.
    pub fn to_user(&self, coordinates: &FixedCoordinates, vector: &[f64]) -> Vec<f64> {
        let mut user: Vec<f64> = self
            .kept
            .iter()
            .zip(vector)
            .map(|(&k, value)| value / coordinates.columns[k].scale)
            .collect();
        if let (true, Some(constant)) = (self.spanned, &coordinates.constant) {
            let moved: f64 = (self.kept.iter().zip(&user))
                .map(|(&k, value)| coordinates.columns[k].shift * value)
                .sum();
            add_constant(&mut user, &self.kept, constant, -moved);
        }
        user
    }

    /// Row `own` of T: one of the user's coefficients kept as a combination of E's.
    pub fn user_row(&self, coordinates: &FixedCoordinates, own: usize) -> Vec<f64> {
        let entry = |k: usize| {
            let mut unit = vec![0.0; self.rank()];
            unit[k] = 1.0;
            self.to_user(coordinates, &unit)[own]
        };
        (0..self.rank()).map(entry).collect()
    }

    /// β in E's coordinates of one in the user's, kept columns only; no pilot is taken out.
    pub fn from_user(&self, coordinates: &FixedCoordinates, user: &[f64]) -> Vec<f64> {
        let mut moved = user.to_vec();
        if let (true, Some(constant)) = (self.spanned, &coordinates.constant) {
            let shift: f64 = (self.kept.iter().zip(user))
                .map(|(&k, value)| coordinates.columns[k].shift * value)
                .sum();
            add_constant(&mut moved, &self.kept, constant, shift);
        }
        let scale = |&k: &usize| coordinates.columns[k].scale;
        (self.kept.iter().map(scale).zip(moved))
            .map(|(scale, value)| scale * value)
            .collect()
    }

    /// β in the user's coordinates, kept columns only.
    pub fn beta(&self, coordinates: &FixedCoordinates, beta: &[f64]) -> Vec<f64> {
        let scaled: Vec<f64> = beta
            .iter()
            .zip(&self.pilot)
            .map(|(b, pilot)| (b + pilot) * coordinates.response.scale)
            .collect();
        let mut user = self.to_user(coordinates, &scaled);
        if let (true, Some(constant)) = (self.spanned, &coordinates.constant) {
            add_constant(&mut user, &self.kept, constant, coordinates.response.shift);
        }
        user
    }
}

fn add_constant(user: &mut [f64], kept: &[usize], constant: &[f64], amount: f64) {
    for (value, &k) in user.iter_mut().zip(kept) {
        *value += constant[k] * amount;
    }
}
