//! Vectors over the random effects, and the passes over the rows that make them or use them.
//!
//! In the kernel's columns a vector holds width numbers a leading level and the scalar columns of every
//! node; `count` such vectors stand side by side (leading: levels × width × count, row-major; rest: size ×
//! count, column-major), as everywhere in the kernel.

use crate::lambda::Small;
use crate::lanes;
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
        if out.is_empty() {
            return out;
        }
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

    /// Zb of some rows added to `out`, for vector `c` of b.
    pub fn add_effects(&self, rows: Range<usize>, b: &Effects, c: usize, out: &mut [f64]) {
        let (r, first) = (self.leading(), rows.start);
        for (j, own) in self.runs(rows.clone()) {
            let out = &mut out[own.start - first..own.end - first];
            for k in 0..r {
                let value = b.leading[(j * r + k) * b.count + c];
                lanes::add_scaled(out, value, &self.z(k)[own.clone()]);
            }
        }
        let b = &b.rest[c * (b.rest.len() / b.count.max(1))..];
        for other in &self.others {
            for (i, out) in rows.clone().zip(out.iter_mut()) {
                for k in 0..other.width[i] as usize {
                    *out += self.z(other.z + k)[i] * b[other.scalar[i] as usize + k];
                }
            }
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
            for (k, value) in beta.iter().enumerate() {
                lanes::add_scaled(own, *value, &self.x(k)[rows.clone()]);
            }
            self.add_effects(rows, b, 0, own);
        });
        out
    }

    /// X'v.
    pub fn fixed_products(&self, values: &[f64], team: &Team) -> Vec<f64> {
        let mut sums = vec![0.0; self.rank];
        let parts = team.map(self.tasks(), |task| {
            let (rows, _) = self.task(task);
            let product = |k: usize| lanes::dot(&self.x(k)[rows.clone()], &values[rows.clone()]);
            (0..self.rank).map(product).collect::<Vec<f64>>()
        });
        parts
            .iter()
            .for_each(|part| crate::gram::add(&mut sums, part));
        sums
    }

    /// Z̃'V for V n × count, column by column; `size` scalar columns of the other groups.
    pub fn gather(&self, values: &[f64], levels: usize, size: usize, team: &Team) -> Effects {
        let (r, count) = (self.leading(), values.len() / self.n);
        let mut sums = Effects::zeros(levels * r, size, count);
        let parts = team.map(self.tasks(), |task| {
            self.gather_leading(values, task, count)
        });
        for (task, part) in parts.iter().enumerate() {
            let (_, levels) = self.task(task);
            crate::gram::add(&mut sums.leading[levels.start * r * count..], part);
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

    fn gather_leading(&self, values: &[f64], task: usize, count: usize) -> Vec<f64> {
        let (r, (rows, levels)) = (self.leading(), self.task(task));
        let mut sums = vec![0.0; levels.len() * r * count];
        for (j, own) in self.runs(rows) {
            for k in 0..r {
                let z = &self.z(k)[own.clone()];
                for c in 0..count {
                    let v = &values[c * self.n..][own.clone()];
                    sums[((j - levels.start) * r + k) * count + c] = lanes::dot(z, v);
                }
            }
        }
        sums
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
        let (scalar, width) = (other.scalar[first as usize], other.width[first as usize]);
        for k in 0..width as usize {
            let z = self.z(other.z + k);
            for c in 0..count {
                let v = &values[c * self.n..(c + 1) * self.n];
                let products = members.iter().map(|&i| z[i as usize] * v[i as usize]);
                // SAFETY: see above.
                unsafe { out.range(scalar as usize + k + c * size, 1)[0] = products.sum() };
            }
        }
    }
}
