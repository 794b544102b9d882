//! Products with the pieces of the complement: Λ₂, W, F and the residual panels.

use crate::aligned::Aligned;
use crate::factor::{Factor, LEVELS, NODES};
use crate::lambda::Small;
use crate::leading::solve_lower;
use crate::parallel::{piece, Shared, Team};
use crate::symbolic::Symbolic;
use faer::linalg::matmul::matmul;
use faer::reborrow::*;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::Range;

impl Symbolic {
    /// out = Σⱼ Vⱼ'xⱼ for x (r × columns per leading level, row-major) and V like the elements' values;
    /// size × columns.
    pub fn collect(
        &self,
        team: &Team,
        (values, r): (&[f64], usize),
        columns: usize,
        x: &[f64],
        out: &mut [f64],
    ) {
        let (size, elements) = (self.size, &self.elements);
        let shared = Shared::new(out);
        team.each(self.nodes().div_ceil(NODES), |task| {
            let mut row = vec![0.0; columns];
            for node in piece(task, NODES, self.nodes()) {
                for k in 0..self.columns(node).len() {
                    row.fill(0.0);
                    for &entry in elements.uses(node) {
                        let e = elements.owner[entry as usize] as usize;
                        let from =
                            (elements.columns[e] + elements.column[entry as usize] as usize + k)
                                * r;
                        for l in 0..r {
                            let factor = values[from + l];
                            let source = &x[(e * r + l) * columns..(e * r + l + 1) * columns];
                            row.iter_mut()
                                .zip(source)
                                .for_each(|(sum, value)| *sum += factor * value);
                        }
                    }
                    for (c, value) in row.iter().enumerate() {
                        // SAFETY: each row belongs to one task.
                        unsafe { shared.range(self.scalar[node] + k + c * size, 1)[0] = *value };
                    }
                }
            }
        });
    }

    /// out += Λ₂' x for size × columns matrices; `lambda` of the remaining groups.
    pub fn add_scaled(&self, lambda: &[Small], x: &[f64], columns: usize, out: &mut [f64]) {
        for node in 0..self.nodes() {
            let (start, q) = (self.scalar[node], self.columns(node).len());
            let lambda = &lambda[self.group[node] as usize];
            for c in 0..columns {
                for i in 0..q {
                    out[start + i + c * self.size] += (i..q)
                        .map(|l| lambda.at(l, i) * x[start + l + c * self.size])
                        .sum::<f64>();
                }
            }
        }
    }

    /// x ← Λ₂ x for a size × columns matrix.
    pub fn scale(&self, lambda: &[Small], x: &mut [f64], columns: usize) {
        for node in 0..self.nodes() {
            let (start, lambda) = (self.scalar[node], &lambda[self.group[node] as usize]);
            for c in 0..columns {
                let from = start + c * self.size;
                for i in (0..self.columns(node).len()).rev() {
                    x[from + i] = (0..=i).map(|l| lambda.at(i, l) * x[from + l]).sum();
                }
            }
        }
    }

    /// P x for a size × columns matrix and the symmetric P in the fronts' panels.
    pub fn panel_product(&self, panels: &[f64], x: &[f64], columns: usize) -> Aligned {
        let size = self.size;
        let mut out = Aligned::zeros(size * columns);
        for front in &self.fronts {
            let (own, below) = (front.own, front.size - front.own);
            // SAFETY: a front's panel is size × own with this stride.
            let panel = unsafe {
                MatRef::from_raw_parts(
                    panels[front.panel..].as_ptr(),
                    front.size,
                    own,
                    1,
                    front.stride as isize,
                )
            };
            let mut upper = Aligned::zeros(own * columns);
            let mut lower = Aligned::zeros(below.max(1) * columns);
            for c in 0..columns {
                upper[c * own..(c + 1) * own].copy_from_slice(&x[front.start + c * size..][..own]);
                for (i, &row) in front.below.iter().enumerate() {
                    lower[c * below + i] = x[row as usize + c * size];
                }
            }
            let mut product = Aligned::zeros(front.size * columns);
            let mut result = MatMut::from_column_major_slice_mut(&mut product, front.size, columns);
            let top = MatRef::from_column_major_slice(&upper, own, columns);
            let bottom = MatRef::from_column_major_slice(&lower[..below * columns], below, columns);
            matmul(result.rb_mut(), Accum::Replace, panel, top, 1.0, Par::Seq);
            let across = panel.subrows(own, below).transpose();
            matmul(
                result.subrows_mut(0, own),
                Accum::Add,
                across,
                bottom,
                1.0,
                Par::Seq,
            );
            for c in 0..columns {
                (0..own)
                    .for_each(|i| out[front.start + i + c * size] += product[i + c * front.size]);
                for (i, &row) in front.below.iter().enumerate() {
                    out[row as usize + c * size] += product[own + i + c * front.size];
                }
            }
        }
        out
    }
}

impl Factor<'_> {
    /// Σⱼ Vⱼ'xⱼ, see `Symbolic::collect`, for V = W or F.
    pub fn collect(&self, team: &Team, values: &[f64], columns: usize, x: &[f64], out: &mut [f64]) {
        let r = self.system.leading.width;
        (self.system.symbolic).collect(team, (values, r), columns, x, out);
    }

    /// out += Λ₂' x.
    pub fn add_scaled(&self, x: &[f64], columns: usize, out: &mut [f64]) {
        (self.system.symbolic).add_scaled(self.rest_lambdas(), x, columns, out);
    }

    /// x ← Λ₂ x.
    pub fn scale(&self, x: &mut [f64], columns: usize) {
        (self.system.symbolic).scale(self.rest_lambdas(), x, columns);
    }

    /// (residual Z̃₂'Z̃₂) x.
    pub fn residual_product(&self, x: &[f64], columns: usize) -> Aligned {
        (self.system.symbolic).panel_product(&self.system.panels, x, columns)
    }

    /// Largest relative residual of M₂x = b for a fixed b: guards the factorisation.
    pub fn residual_check(&self, team: &Team) -> f64 {
        let size = self.system.symbolic.size;
        if size == 0 {
            return 0.0;
        }
        let mut state = 0x2545_f491_4f6c_dd1d_u64;
        let b: Vec<f64> = (0..size)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
            })
            .collect();
        let mut x = b.clone();
        self.forward(&mut x, 1);
        self.backward(&mut x, 1);
        let mut scaled = x.clone();
        self.scale(&mut scaled, 1);
        let mut product = vec![0.0; size];
        self.collect(
            team,
            &self.weights,
            1,
            &self.spread(&scaled, 1, team),
            &mut product,
        );
        self.add_scaled(&self.residual_product(&scaled, 1), 1, &mut product);
        let norm =
            |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let scale =
            norm(&mut product.iter().zip(&x).map(|(a, c)| a + c)).max(norm(&mut b.iter().copied()));
        norm(&mut (0..size).map(|i| x[i] + product[i] - b[i])) / scale
    }

    /// cⱼ⁻¹ Fⱼ x for every leading level: r × columns, row-major.
    pub fn spread(&self, x: &[f64], columns: usize, team: &Team) -> Vec<f64> {
        let (levels, r) = (self.system.leading.levels, self.system.leading.width);
        let mut out = vec![0.0; levels * r * columns];
        let shared = Shared::new(&mut out);
        team.each(levels.div_ceil(LEVELS), |task| {
            let range = piece(task, LEVELS, levels);
            // SAFETY: each level belongs to one task.
            let own = unsafe { shared.range(range.start * r * columns, range.len() * r * columns) };
            self.spread_to(range, x, columns, own);
        });
        out
    }

    /// The same for some levels, into a buffer of zeros.
    #[inline(always)]
    pub fn spread_to(&self, levels: Range<usize>, x: &[f64], columns: usize, out: &mut [f64]) {
        let symbolic = &self.system.symbolic;
        let (r, size, elements) = (self.system.leading.width, symbolic.size, &symbolic.elements);
        if size == 0 {
            return;
        }
        for (e, level) in levels.zip(out.chunks_exact_mut(r * columns)) {
            for entry in elements.range(e) {
                let row = symbolic.scalar[elements.nodes[entry] as usize];
                for (k, place) in elements.entry(e, entry).enumerate() {
                    let values = &self.system.values[(elements.columns[e] + place) * r..][..r];
                    for (target, value) in level.chunks_exact_mut(columns).zip(values) {
                        let source = x[row + k..].iter().step_by(size);
                        target
                            .iter_mut()
                            .zip(source)
                            .for_each(|(sum, x)| *sum += value * x);
                    }
                }
            }
            solve_lower(&self.pivots[e * r * r..(e + 1) * r * r], r, level, columns);
        }
    }
}
