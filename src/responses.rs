//! Sums of several responses of one design, made side by side in one pass over the rows.
//!
//! The rotations of `cross_products` that make Rⱼ | Qⱼ'X̃ are made once, and every response rides along
//! as one more column of the row: what a response gets is what a pass of its own would give it, for the
//! price of a few multiplications a row, and does not depend on the others beside it. Everything else
//! of a `System` is shared with the fit that the responses are for.

use crate::columns::Design;
use crate::cross_products::{chunks, fill_random, level, weigh, Layout};
use crate::error::Result;
use crate::fixed_matrix::{Basis, FixedCoordinates, Shifted};
use crate::level_sums::{add_levels, rotate_in, LevelSums, Sum2, BLOCK};
use crate::parallel::{piece, Team};
use crate::pilot;
use crate::residual;
use crate::system::{clean, System};

/// Responses of one design, side by side.
pub struct Responses {
    pub count: usize,
    shifted: Vec<Shifted>,
    /// β₀ taken out of each: columns of X × count, row-major.
    pilots: Vec<f64>,
    /// Responses less the offset: rows used × count, row-major.
    values: Vec<f64>,
}

impl Responses {
    /// `values` are `count` responses at the rows used, row-major.
    pub fn new(
        design: &Design,
        coordinates: &FixedCoordinates,
        count: usize,
        mut values: Vec<f64>,
    ) -> Self {
        let table = &design.table;
        if let Some(offset) = &table.offset {
            for (i, row) in values.chunks_exact_mut(count).enumerate() {
                let known = offset.get(table.place(i));
                row.iter_mut().for_each(|y| *y -= known);
            }
        }
        let shifted = (0..count).map(|k| Shifted::response(table.n(), |i| values[i * count + k]));
        let mut responses = Responses {
            count,
            shifted: shifted.collect(),
            pilots: Vec::new(),
            values,
        };
        let fill = |i: usize, out: &mut [f64]| responses.scale(i, out);
        responses.pilots = pilot::regressions(design, coordinates, count, fill);
        responses
    }

    /// Shifted and scaled responses of used row `i`.
    #[inline(always)]
    fn scale(&self, i: usize, out: &mut [f64]) {
        let row = &self.values[i * self.count..(i + 1) * self.count];
        for ((out, &y), shifted) in out.iter_mut().zip(row).zip(&self.shifted) {
            *out = shifted.apply(y);
        }
    }

    /// ỹ of used row `i`, whose row of C without the response is `columns`.
    #[inline(always)]
    fn fill(&self, i: usize, coordinates: &FixedCoordinates, columns: &[f64], out: &mut [f64]) {
        self.scale(i, out);
        for (&place, pilots) in (coordinates.place.iter()).zip(self.pilots.chunks_exact(self.count))
        {
            if place > 0 {
                (out.iter_mut().zip(pilots)).for_each(|(y, pilot)| *y -= pilot * columns[place]);
            }
        }
    }
}

/// What the responses add to the sums of a design.
pub struct ResponseSums {
    count: usize,
    /// Columns of C but for the response.
    width: usize,
    /// R | Q'X̃ | Q'Ỹ of the leading levels, pivots cleaned.
    leading: LevelSums,
    /// X̃'(I − QQ')ỹ, then ỹ'(I − QQ')ỹ: C's columns × count.
    residual: Vec<Sum2>,
    /// Z̃'Ỹ of the other groups: levels × columns × count.
    rest: Vec<Vec<f64>>,
}

impl ResponseSums {
    /// One pass over the rows; they are added up in the same chunks as the design's own sums.
    pub fn new(
        design: &Design,
        system: &System,
        responses: &Responses,
        team: &Team,
    ) -> Result<Self> {
        let n = design.table.n();
        let size = n.div_ceil(chunks(n, &system.groups));
        let mut total: Option<ResponseSums> = None;
        for chunk in 0..n.div_ceil(size) {
            let rows = piece(chunk, size, n);
            let mut part = ResponseSums::zeros(system, responses.count);
            pulp::Arch::new()
                .dispatch(|| part.accumulate(design, system, responses, rows, team))?;
            match &mut total {
                Some(total) => total.add(&part),
                None => total = Some(part),
            }
        }
        let mut sums = total.unwrap_or_else(|| ResponseSums::zeros(system, responses.count));
        let mut leading = std::mem::take(&mut sums.leading);
        clean(&mut leading, |row| sums.add_rows(row, row.len(), 0));
        sums.leading = leading;
        Ok(sums)
    }

    fn zeros(system: &System, count: usize) -> Self {
        let (levels, columns) = (system.leading.levels, system.leading.width);
        let rest = system.groups.iter().skip(1);
        ResponseSums {
            count,
            width: system.width - 1,
            leading: LevelSums::new(levels, columns, system.width - 1 + count),
            residual: vec![Sum2::default(); system.width * count],
            rest: rest
                .map(|group| vec![0.0; group.levels * group.width() * count])
                .collect(),
        }
    }

    /// Add the rows `rows`.
    #[inline(always)]
    fn accumulate(
        &mut self,
        design: &Design,
        system: &System,
        responses: &Responses,
        rows: std::ops::Range<usize>,
        team: &Team,
    ) -> Result<()> {
        let (groups, coordinates) = (&system.groups, &system.coordinates);
        let layout = Layout::new(groups, self.width + self.count);
        let (columns, stride) = (layout.columns, layout.stride);
        let (y, end) = (columns + self.width, columns + self.width + self.count);
        let mut block = vec![0.0; BLOCK * stride];
        for first in rows.clone().step_by(BLOCK) {
            team.check()?;
            let count = BLOCK.min(rows.end - first);
            let block = &mut block[..count * stride];
            fill_random(design, groups, &layout, first, count, block);
            coordinates.fill_columns(design, first, count, &mut block[columns..], stride);
            for (i, row) in block.chunks_exact_mut(stride).enumerate() {
                let (before, row) = row.split_at_mut(y);
                let out = &mut row[..self.count];
                responses.fill(first + i, coordinates, &before[columns..], out);
            }
            weigh(design, first, count, stride, block, &mut Sum2::default());
            for (i, row) in block.chunks_exact_mut(stride).enumerate() {
                for (g, group) in groups.iter().enumerate().skip(1) {
                    let j = level(design, group, first + i)?;
                    let z = &row[layout.rest[g - 1]..][..group.width()];
                    add_products(z, &row[y..end], &mut self.rest[g - 1], j);
                }
                let group = groups.first();
                let j = group.map_or(Ok(0), |group| level(design, group, first + i))?;
                rotate_in(self.leading.level_mut(j), columns, end, &mut row[..end]);
            }
            self.add_rows(block, stride, columns);
        }
        Ok(())
    }

    /// Products of C's columns, which start at `first`, with the responses, over rows `stride` long.
    #[inline(always)]
    fn add_rows(&mut self, rows: &[f64], stride: usize, first: usize) {
        let (width, count) = (self.width, self.count);
        let mut products = vec![0.0; self.residual.len()];
        for row in rows.chunks_exact(stride) {
            let (x, y) = row[first..first + width + count].split_at(width);
            for (sums, &factor) in products.chunks_exact_mut(count).zip(x) {
                (sums.iter_mut().zip(y)).for_each(|(sum, y)| *sum += factor * y);
            }
            let squares = &mut products[width * count..];
            (squares.iter_mut().zip(y)).for_each(|(sum, y)| *sum += y * y);
        }
        (self.residual.iter_mut().zip(products)).for_each(|(sum, value)| sum.add(value));
    }

    /// Add the sums of other rows.
    fn add(&mut self, other: &ResponseSums) {
        let mut leading = std::mem::take(&mut self.leading);
        let (width, stride) = (leading.width, leading.stride);
        add_levels(&mut leading, &other.leading, |rows| {
            self.add_rows(rows, stride, width);
        });
        self.leading = leading;
        for (sum, value) in self.residual.iter_mut().zip(&other.residual) {
            sum.merge(*value);
        }
        for (sums, more) in self.rest.iter_mut().zip(&other.rest) {
            (sums.iter_mut().zip(more)).for_each(|(a, b)| *a += b);
        }
    }
}

/// sums += z y' at a level.
#[inline(always)]
fn add_products(z: &[f64], y: &[f64], sums: &mut [f64], level: usize) {
    let size = z.len() * y.len();
    let own = &mut sums[level * size..(level + 1) * size];
    for (sums, factor) in own.chunks_exact_mut(y.len()).zip(z) {
        (sums.iter_mut().zip(y)).for_each(|(sum, y)| *sum += factor * y);
    }
}

impl System {
    /// Put the k-th of these responses in the place of the one before.
    pub fn take_response(&mut self, responses: &Responses, sums: &ResponseSums, k: usize) {
        let (last, count) = (self.width - 1, sums.count);
        self.coordinates.response = responses.shifted[k];
        self.coordinates.pilot = (responses.pilots.chunks_exact(count))
            .map(|pilots| pilots[k])
            .collect();
        self.basis = Basis::new(&self.coordinates, &self.basis.kept);
        let (own, from) = (self.leading.stride, sums.leading.stride);
        for (row, source) in
            (self.leading.data.chunks_exact_mut(own)).zip(sums.leading.data.chunks_exact(from))
        {
            row[own - 1] = source[own - 1 + k];
        }
        for c in 0..self.width {
            let value = sums.residual[c * count + k].value();
            self.residual[c + last * self.width] = value;
            self.residual[last + c * self.width] = value;
        }
        let widths: Vec<usize> = self.groups.iter().map(|group| group.width()).collect();
        residual::fill_response(self, |group, level, i| {
            sums.rest[group][(level * widths[group + 1] + i) * count + k]
        });
    }
}
