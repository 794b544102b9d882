//! Vectors over the random effects, and the passes over the rows that make them or use them.
//!
//! In the kernel's columns a vector holds width numbers a leading level and the scalar columns of every
//! node; `count` such vectors stand side by side (leading: levels × width × count, row-major; rest: size ×
//! count, column-major), as everywhere in the kernel.

use crate::lambda::Small;
use crate::observations::{Observations, Other};
use crate::parallel::{piece, Shared, Team};
use crate::symbolic::Symbolic;
use std::ops::Range;

/// Nodes of one task.
const NODES: usize = 64;

/// `count` vectors over the random effects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Effects {
    pub count: usize,
    pub leading: Vec<f64>,
    pub rest: Vec<f64>,
}

impl Effects {
    pub fn zeros(leading: usize, rest: usize, count: usize) -> Self {
        Effects {
            count,
            leading: vec![0.0; leading * count],
            rest: vec![0.0; rest * count],
        }
    }

    /// x'y of two single vectors.
    pub fn dot(&self, other: &Effects) -> f64 {
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>();
        dot(&self.leading, &other.leading) + dot(&self.rest, &other.rest)
    }

    /// self += factor · other.
    pub fn add(&mut self, factor: f64, other: &Effects) {
        let add = |x: &mut [f64], y: &[f64]| {
            x.iter_mut().zip(y).for_each(|(a, b)| *a += factor * b);
        };
        add(&mut self.leading, &other.leading);
        add(&mut self.rest, &other.rest);
    }

    /// Vector `k` alone.
    pub fn column(&self, k: usize) -> Effects {
        let size = self.rest.len() / self.count.max(1);
        Effects {
            count: 1,
            leading: self
                .leading
                .get(k..)
                .unwrap_or_default()
                .iter()
                .step_by(self.count)
                .copied()
                .collect(),
            rest: self.rest[k * size..(k + 1) * size].to_vec(),
        }
    }

    /// X'Y of these vectors and others: count × count of the others, row-major.
    pub fn products(&self, other: &Effects) -> Vec<f64> {
        let (a, b) = (self.count, other.count);
        let mut out = vec![0.0; a * b];
        for (x, y) in self
            .leading
            .chunks_exact(a)
            .zip(other.leading.chunks_exact(b))
        {
            for (row, x) in out.chunks_exact_mut(b).zip(x) {
                row.iter_mut().zip(y).for_each(|(sum, y)| *sum += x * y);
            }
        }
        let (size, others) = (self.rest.len() / a, other.rest.len() / b);
        if size > 0 {
            for (row, x) in out.chunks_exact_mut(b).zip(self.rest.chunks_exact(size)) {
                for (sum, y) in row.iter_mut().zip(other.rest.chunks_exact(others)) {
                    *sum += x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
                }
            }
        }
        out
    }
}

/// Λx: from spherical effects to the kernel's columns.
pub fn times_lambda(symbolic: &Symbolic, lambda: &[Small], x: &Effects) -> Effects {
    let mut rest = x.rest.clone();
    let Some(first) = lambda.first() else {
        return x.clone();
    };
    symbolic.scale(&lambda[1..], &mut rest, x.count);
    Effects {
        count: x.count,
        leading: by_level(first, &x.leading, x.count),
        rest,
    }
}

/// Λ'x.
pub fn times_lambda_transposed(symbolic: &Symbolic, lambda: &[Small], x: &Effects) -> Effects {
    let Some(first) = lambda.first() else {
        return x.clone();
    };
    let mut rest = vec![0.0; x.rest.len()];
    symbolic.add_scaled(&lambda[1..], &x.rest, x.count, &mut rest);
    Effects {
        count: x.count,
        leading: by_level(&first.transposed(), &x.leading, x.count),
        rest,
    }
}

/// A x of every level, for x columns × count, row-major.
fn by_level(matrix: &Small, x: &[f64], count: usize) -> Vec<f64> {
    let levels = x.len() / (matrix.cols * count).max(1);
    let mut out = vec![0.0; levels * matrix.rows * count];
    let rows = out.chunks_exact_mut((matrix.rows * count).max(1));
    for (out, x) in rows.zip(x.chunks_exact((matrix.cols * count).max(1))) {
        for (i, out) in out.chunks_exact_mut(count).enumerate() {
            for (j, x) in x.chunks_exact(count).enumerate() {
                let factor = matrix.at(i, j);
                out.iter_mut()
                    .zip(x)
                    .for_each(|(sum, x)| *sum += factor * x);
            }
        }
    }
    out
}

impl Observations {
    /// Columns of the leading group.
    pub fn leading(&self) -> usize {
        self.others.first().map_or(self.columns, |other| other.z)
    }

    /// Zb of some rows added to `out` (rows × count, row-major).
    #[inline(always)]
    pub fn add_effects(&self, rows: Range<usize>, b: &Effects, out: &mut [f64]) {
        match (self.leading(), b.count) {
            (1, 1) => self.add_leading::<1>(rows.clone(), b, out),
            (2, 1) => self.add_leading::<2>(rows.clone(), b, out),
            (3, 1) => self.add_leading::<3>(rows.clone(), b, out),
            (r, count) => {
                for (i, out) in rows.clone().zip(out.chunks_exact_mut(count.max(1))) {
                    let level = self.level[i] as usize;
                    let own = &b.leading[level * r * count..(level + 1) * r * count];
                    for (z, b) in self.z(i).iter().zip(own.chunks_exact(count)) {
                        out.iter_mut().zip(b).for_each(|(sum, b)| *sum += z * b);
                    }
                }
            }
        }
        if self.others.is_empty() {
            return;
        }
        let size = b.rest.len() / b.count.max(1);
        for (i, out) in rows.zip(out.chunks_exact_mut(b.count.max(1))) {
            for other in &self.others {
                for k in 0..other.width[i] as usize {
                    let (z, first) = (self.z(i)[other.z + k], other.scalar[i] as usize + k);
                    let b = b.rest[first..].iter().step_by(size);
                    out.iter_mut().zip(b).for_each(|(sum, b)| *sum += z * b);
                }
            }
        }
    }

    /// The leading group's share of one vector, for R columns.
    #[inline(always)]
    fn add_leading<const R: usize>(&self, rows: Range<usize>, b: &Effects, out: &mut [f64]) {
        let (b, _) = b.leading.as_chunks::<R>();
        let z = self.z[rows.start * self.columns..].chunks(self.columns);
        for ((out, level), z) in out.iter_mut().zip(&self.level[rows]).zip(z) {
            let own = &b[*level as usize];
            *out += (0..R).map(|k| z[k] * own[k]).sum::<f64>();
        }
    }

    /// Zb + Xβ, and the offset if asked for; β may be left out.
    pub fn predictor(&self, b: &Effects, beta: &[f64], offset: bool, team: &Team) -> Vec<f64> {
        let mut out = match offset {
            true => self.offset.clone(),
            false => vec![0.0; self.n],
        };
        let shared = Shared::new(&mut out);
        team.each(self.tasks(), |task| {
            let (rows, _) = self.task(task);
            // SAFETY: each row belongs to one task.
            let own = unsafe { shared.range(rows.start, rows.len()) };
            for (i, value) in rows.clone().zip(own.iter_mut()) {
                *value += self.x(i).iter().zip(beta).map(|(x, b)| x * b).sum::<f64>();
            }
            self.add_effects(rows, b, own);
        });
        out
    }

    /// X'v.
    pub fn fixed_products(&self, values: &[f64], team: &Team) -> Vec<f64> {
        let mut sums = vec![0.0; self.rank];
        let parts = team.map(self.tasks(), |task| {
            let mut sums = vec![0.0; self.rank];
            for i in self.task(task).0 {
                let x = self.x(i).iter();
                sums.iter_mut()
                    .zip(x)
                    .for_each(|(sum, x)| *sum += x * values[i]);
            }
            sums
        });
        parts
            .iter()
            .for_each(|part| crate::gram::add(&mut sums, part));
        sums
    }

    /// Z̃'V for V n × count, row-major; `size` scalar columns of the other groups.
    pub fn gather(&self, values: &[f64], levels: usize, size: usize, team: &Team) -> Effects {
        let (r, count) = (self.leading(), values.len() / self.n);
        let mut sums = Effects::zeros(levels * r, size, count);
        let mut first = 0;
        for part in team.map(self.tasks(), |task| {
            self.gather_leading(values, task, count)
        }) {
            let (rows, _) = self.task(first);
            let from = self.level[rows.start] as usize * r * count;
            let target = sums.leading[from..from + part.len()].iter_mut();
            target.zip(part).for_each(|(sum, value)| *sum += value);
            first += 1;
        }
        let shared = Shared::new(&mut sums.rest);
        for other in &self.others {
            team.each(other.nodes.len().div_ceil(NODES), |task| {
                for node in piece(task, NODES, other.nodes.len()) {
                    self.gather_node(values, other, node, (count, size), &shared);
                }
            });
        }
        sums
    }

    #[inline(always)]
    fn gather_leading(&self, values: &[f64], task: usize, count: usize) -> Vec<f64> {
        let (r, (rows, levels)) = (self.leading(), self.task(task));
        let mut sums = vec![0.0; levels.len() * r * count];
        match (r, count) {
            (1, 1) => self.gather_one::<1>(values, rows, levels.start, &mut sums),
            (2, 1) => self.gather_one::<2>(values, rows, levels.start, &mut sums),
            (3, 1) => self.gather_one::<3>(values, rows, levels.start, &mut sums),
            _ => {
                for i in rows {
                    let from = (self.level[i] as usize - levels.start) * r * count;
                    let own = &mut sums[from..from + r * count];
                    let v = &values[i * count..(i + 1) * count];
                    for (sums, z) in own.chunks_exact_mut(count).zip(self.z(i)) {
                        sums.iter_mut().zip(v).for_each(|(sum, v)| *sum += z * v);
                    }
                }
            }
        }
        sums
    }

    /// One vector of a task's rows, for R columns.
    #[inline(always)]
    fn gather_one<const R: usize>(
        &self,
        values: &[f64],
        rows: Range<usize>,
        first: usize,
        sums: &mut [f64],
    ) {
        let (sums, _) = sums.as_chunks_mut::<R>();
        let z = self.z[rows.start * self.columns..].chunks(self.columns);
        for ((v, level), z) in values[rows.clone()].iter().zip(&self.level[rows]).zip(z) {
            let own = &mut sums[*level as usize - first];
            (0..R).for_each(|k| own[k] += z[k] * v);
        }
    }

    /// Z̃'V of one node; a node's effects belong to one task.
    fn gather_node(
        &self,
        values: &[f64],
        other: &Other,
        node: usize,
        (count, size): (usize, usize),
        out: &Shared<'_>,
    ) {
        let members = &other.members[other.start[node]..other.start[node + 1]];
        let Some(&first) = members.first() else {
            return;
        };
        let (scalar, width) = (
            other.scalar[first as usize] as usize,
            other.width[first as usize] as usize,
        );
        let mut sums = vec![0.0; width * count];
        for &i in members {
            let i = i as usize;
            let v = &values[i * count..(i + 1) * count];
            let z = &self.z(i)[other.z..other.z + width];
            for (sums, z) in sums.chunks_exact_mut(count).zip(z) {
                sums.iter_mut().zip(v).for_each(|(sum, v)| *sum += z * v);
            }
        }
        for (k, sums) in sums.chunks_exact(count).enumerate() {
            for (c, sum) in sums.iter().enumerate() {
                // SAFETY: see above.
                unsafe { out.range(scalar + k + c * size, 1)[0] = *sum };
            }
        }
    }
}
