//! Z̃ₛ'Z̃ₜ for the levels of two groups that occur in one row: sparse, by rows of s.

use crate::columns::Design;
use crate::cross_products::level;
use crate::error::Result;
use crate::parallel::{piece, Team};
use crate::random_matrix::Group;

/// Levels of the first group that one task works on.
const LEVELS: usize = 512;

/// The co-occurring levels of two groups, with their cross-products.
#[derive(Clone, Debug, PartialEq)]
pub struct PairSums {
    /// Indices of the two groups.
    pub groups: (usize, usize),
    /// widthₛ and widthₜ.
    pub shape: (usize, usize),
    /// Start of each level of s in `levels`.
    pub start: Vec<usize>,
    /// Levels of t, ascending within a level of s.
    pub levels: Vec<u32>,
    /// widthₛ × widthₜ numbers a pair, column-major.
    pub values: Vec<f64>,
}

/// Rows of a design sorted by level of one group.
struct ByLevel {
    start: Vec<usize>,
    rows: Vec<u32>,
}

impl ByLevel {
    fn new(design: &Design, group: &Group, team: &Team) -> Result<Self> {
        let n = design.table.n();
        let mut start = vec![0; group.levels + 1];
        for i in 0..n {
            team.check_every(i)?;
            start[level(design, group, i)? + 1] += 1;
        }
        (0..group.levels).for_each(|j| start[j + 1] += start[j]);
        let mut next = start.clone();
        let mut rows = vec![0; n];
        for i in 0..n {
            team.check_every(i)?;
            let place = &mut next[level(design, group, i)?];
            rows[*place] = i as u32;
            *place += 1;
        }
        Ok(ByLevel { start, rows })
    }
}

type Part = (Vec<usize>, Vec<u32>, Vec<f64>);

impl PairSums {
    /// Every pair of groups.
    pub fn all(design: &Design, groups: &[Group], team: &Team) -> Result<Vec<PairSums>> {
        let mut pairs = Vec::new();
        for s in 0..groups.len() {
            if s + 1 < groups.len() {
                let by_level = ByLevel::new(design, &groups[s], team)?;
                for t in s + 1..groups.len() {
                    pairs.push(PairSums::new(design, groups, (s, t), &by_level, team)?);
                }
            }
        }
        Ok(pairs)
    }

    fn new(
        design: &Design,
        groups: &[Group],
        (s, t): (usize, usize),
        by_level: &ByLevel,
        team: &Team,
    ) -> Result<PairSums> {
        let shape = (groups[s].width(), groups[t].width());
        let total = groups[s].levels;
        let parts = team.map(total.div_ceil(LEVELS), |task| {
            team.check()?;
            part(
                design,
                &groups[s],
                &groups[t],
                by_level,
                piece(task, LEVELS, total),
            )
        });
        let mut pairs = PairSums {
            groups: (s, t),
            shape,
            start: vec![0],
            levels: Vec::new(),
            values: Vec::new(),
        };
        for part in parts {
            let (counts, levels, values) = part?;
            for count in counts {
                pairs.start.push(pairs.start[pairs.start.len() - 1] + count);
            }
            pairs.levels.extend(levels);
            pairs.values.extend(values);
        }
        Ok(pairs)
    }

    /// Levels of t that occur with level `j` of s, and where their values start.
    pub fn row(&self, j: usize) -> std::ops::Range<usize> {
        self.start[j]..self.start[j + 1]
    }

    /// Values of the pair at `place`.
    pub fn value(&self, place: usize) -> &[f64] {
        let size = self.shape.0 * self.shape.1;
        &self.values[place * size..(place + 1) * size]
    }

    pub fn value_mut(&mut self, place: usize) -> &mut [f64] {
        let size = self.shape.0 * self.shape.1;
        &mut self.values[place * size..(place + 1) * size]
    }

    /// The union of two parts, values added.
    pub fn add(&self, other: &PairSums) -> PairSums {
        let mut total = PairSums {
            groups: self.groups,
            shape: self.shape,
            start: vec![0],
            levels: Vec::new(),
            values: Vec::new(),
        };
        for j in 0..self.start.len() - 1 {
            let (mine, theirs) = (self.row(j), other.row(j));
            let (mut a, mut b) = (mine.start, theirs.start);
            while a < mine.end || b < theirs.end {
                let left = (a < mine.end).then(|| self.levels[a]);
                let right = (b < theirs.end).then(|| other.levels[b]);
                let take_left = left.is_some() && (right.is_none() || left <= right);
                let take_right = right.is_some() && (left.is_none() || right <= left);
                let place = total.levels.len();
                total.levels.extend(if take_left { left } else { right });
                total
                    .values
                    .resize((place + 1) * self.shape.0 * self.shape.1, 0.0);
                let target = total.value_mut(place);
                if take_left {
                    target
                        .iter_mut()
                        .zip(self.value(a))
                        .for_each(|(x, y)| *x += y);
                    a += 1;
                }
                if take_right {
                    target
                        .iter_mut()
                        .zip(other.value(b))
                        .for_each(|(x, y)| *x += y);
                    b += 1;
                }
            }
            total.start.push(total.levels.len());
        }
        total
    }
}

/// Counts, levels and values of some levels of the first group.
fn part(
    design: &Design,
    first: &Group,
    second: &Group,
    by_level: &ByLevel,
    range: std::ops::Range<usize>,
) -> Result<Part> {
    let (a, b) = (first.width(), second.width());
    let (mut counts, mut levels, mut values) = (Vec::new(), Vec::new(), Vec::new());
    let (mut x, mut z) = (vec![0.0; a], vec![0.0; b]);
    let mut slot = vec![0u32; second.levels];
    for j in range {
        let rows = &by_level.rows[by_level.start[j]..by_level.start[j + 1]];
        let begin = levels.len();
        for &i in rows {
            levels.push(level(design, second, i as usize)? as u32);
        }
        levels[begin..].sort_unstable();
        let mut end = begin;
        for k in begin..levels.len() {
            if k == begin || levels[k] != levels[end - 1] {
                levels[end] = levels[k];
                end += 1;
            }
        }
        levels.truncate(end);
        (begin..end).for_each(|place| slot[levels[place] as usize] = place as u32);
        values.resize(end * a * b, 0.0);
        for &i in rows {
            let row = design.table.place(i as usize);
            first.row(design, row, &mut x);
            second.row(design, row, &mut z);
            let weight = design.table.weight(row);
            let place = slot[level(design, second, i as usize)?] as usize;
            let target: &mut [f64] = &mut values[place * a * b..(place + 1) * a * b];
            for (v, column) in z.iter().zip(target.chunks_exact_mut(a)) {
                column
                    .iter_mut()
                    .zip(&x)
                    .for_each(|(sum, u)| *sum += weight * u * v);
            }
        }
        counts.push(end - begin);
    }
    Ok((counts, levels, values))
}
