//! Products with the pieces of the complement: Λ₂, W, F and the residual panels.

use crate::aligned::Aligned;
use crate::factor::{Factor, LEVELS, NODES};
use crate::leading::solve_lower;
use crate::parallel::{piece, Shared, Team};
use faer::linalg::matmul::matmul;
use faer::reborrow::*;
use faer::{Accum, MatMut, MatRef, Par};
use std::ops::Range;

impl Factor<'_> {
    /// out = Σⱼ Vⱼ'xⱼ for x (r × columns per leading level, row-major) and V = W or F; size × columns.
    pub fn collect(&self, team: &Team, values: &[f64], columns: usize, x: &[f64], out: &mut [f64]) {
        let symbolic = &self.system.symbolic;
        let (size, r) = (symbolic.size, self.system.leading.width);
        let elements = &symbolic.elements;
        let shared = Shared::new(out);
        team.each(symbolic.nodes().div_ceil(NODES), |task| {
            let mut row = vec![0.0; columns];
            for node in piece(task, NODES, symbolic.nodes()) {
                for k in 0..symbolic.columns(node).len() {
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
                        unsafe {
                            shared.range(symbolic.scalar[node] + k + c * size, 1)[0] = *value
                        };
                    }
                }
            }
        });
    }

    /// out += Λ₂' x for size × columns matrices.
    pub fn add_scaled(&self, x: &[f64], columns: usize, out: &mut [f64]) {
        let symbolic = &self.system.symbolic;
        let size = symbolic.size;
        for node in 0..symbolic.nodes() {
            let (start, q) = (symbolic.scalar[node], symbolic.columns(node).len());
            let lambda = self.rest_lambda(symbolic.group[node]);
            for c in 0..columns {
                for i in 0..q {
                    out[start + i + c * size] += (i..q)
                        .map(|l| lambda.at(l, i) * x[start + l + c * size])
                        .sum::<f64>();
                }
            }
        }
    }

    /// x ← Λ₂ x for a size × columns matrix.
    pub fn scale(&self, x: &mut [f64], columns: usize) {
        let symbolic = &self.system.symbolic;
        for node in 0..symbolic.nodes() {
            let (start, lambda) = (
                symbolic.scalar[node],
                self.rest_lambda(symbolic.group[node]),
            );
            for c in 0..columns {
                let from = start + c * symbolic.size;
                for i in (0..symbolic.columns(node).len()).rev() {
                    x[from + i] = (0..=i).map(|l| lambda.at(i, l) * x[from + l]).sum();
                }
            }
        }
    }

    /// (residual Z̃₂'Z̃₂) x for a size × columns matrix.
    pub fn residual_product(&self, x: &[f64], columns: usize) -> Aligned {
        let symbolic = &self.system.symbolic;
        let size = symbolic.size;
        let mut out = Aligned::zeros(size * columns);
        for front in &symbolic.fronts {
            let (own, below) = (front.own, front.size - front.own);
            // SAFETY: a front's panel is size × own with this stride.
            let panel = unsafe {
                MatRef::from_raw_parts(
                    self.system.panels[front.panel..].as_ptr(),
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
