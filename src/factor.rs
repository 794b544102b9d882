//! The Cholesky factor at one θ: leading levels in closed form, the complement by fronts.
//!
//! For leading level j: Bⱼ = Rⱼλ̃, Aⱼ = I + BⱼBⱼ' = cⱼcⱼ', W_C = cⱼ⁻¹Pⱼ, W = cⱼ⁻¹FⱼΛ₂. The complement is
//! M₂ = I + Λ₂'(residual)Λ₂ + Σ W'W = LL', and C'V⁻¹C = residual + Σ W_C'W_C − H'H with
//! H = L⁻¹(Λ₂'(residual cross) + Σ W'W_C). Everything is stored once and re-used for every θ.

use crate::aligned::Aligned;
use crate::dense;
use crate::elements::add_products;
use crate::error::{Error, Result};
use crate::lambda::Small;
use crate::parallel::{piece, Shared, Team};
use crate::symbolic::Front;
use crate::system::System;
use faer::linalg::matmul::matmul;
use faer::reborrow::*;
use faer::{Accum, MatMut, MatRef, Par};

/// Leading levels of one task.
pub const LEVELS: usize = 512;
/// Nodes of one task.
pub const NODES: usize = 128;
/// Fronts larger than this are assembled in stripes by several tasks.
const STRIPE: usize = 64;

/// The factor and its work space.
pub struct Factor<'s> {
    pub system: &'s System,
    /// λ̃ of every group.
    pub lambda: Vec<Small>,
    /// cⱼ: r × r lower triangles, row-major.
    pub pivots: Vec<f64>,
    /// W_C: r × width per level, row-major.
    pub leading_columns: Vec<f64>,
    /// W: like the elements' values.
    pub weights: Vec<f64>,
    /// L of the fronts.
    pub squares: Aligned,
    /// M₂⁻¹ on the fronts, once asked for.
    pub inverse: Aligned,
    /// H, size × width.
    pub cross: Aligned,
    /// C'V⁻¹C, full, column-major.
    pub gram: Vec<f64>,
    /// log |M|.
    pub log_det: f64,
    work: Aligned,
}

impl<'s> Factor<'s> {
    /// Work space for a system.
    pub fn new(system: &'s System) -> Self {
        let (levels, r) = (system.leading.levels, system.leading.width);
        Factor {
            lambda: Vec::new(),
            pivots: vec![0.0; levels * r * r],
            leading_columns: vec![0.0; levels * r * system.width],
            weights: vec![0.0; system.values.len()],
            squares: Aligned::zeros(system.symbolic.squares),
            inverse: Aligned::default(),
            cross: Aligned::zeros(system.symbolic.size * system.width),
            gram: vec![0.0; system.width * system.width],
            log_det: 0.0,
            work: Aligned::default(),
            system,
        }
    }

    /// Factor at these λ̃.
    pub fn update(&mut self, team: &Team, lambda: Vec<Small>) -> Result<()> {
        self.lambda = lambda;
        self.log_det = self.eliminate_leading(team)?;
        if self.system.symbolic.size > 0 {
            self.assemble(team)?;
            self.log_det += self.eliminate_fronts(team)?;
            self.eliminate_cross(team);
        }
        if self.log_det.is_finite() && self.gram.iter().all(|value| value.is_finite()) {
            Ok(())
        } else {
            Err(Error::Infeasible("the factorisation overflowed at these parameters".into()))
        }
    }

    /// λ̃ of a remaining group.
    pub fn rest_lambda(&self, group: u32) -> &Small {
        &self.lambda[group as usize + 1]
    }

    /// Leading levels: pivots, W_C, W, and the sum of their squares. Returns log-determinants.
    fn eliminate_leading(&mut self, team: &Team) -> Result<f64> {
        let system = self.system;
        let (levels, r, width) = (system.leading.levels, system.leading.width, system.width);
        let tasks = levels.div_ceil(LEVELS);
        let empty = Small::zeros(r, 0);
        let lambda = self.lambda.first().unwrap_or(&empty);
        let all = &self.lambda;
        let pivots = Shared::new(&mut self.pivots);
        let columns = Shared::new(&mut self.leading_columns);
        let weights = Shared::new(&mut self.weights);
        let elements = &system.symbolic.elements;
        let parts = team.map(tasks, |task| {
            let range = piece(task, LEVELS, levels);
            // SAFETY: each level belongs to one task, and its pieces do not overlap.
            let (pivots, columns, weights) = unsafe {
                let first = range.start;
                let entry = |e: usize| elements.columns.get(e).copied().unwrap_or(0) * r;
                (
                    pivots.range(first * r * r, range.len() * r * r),
                    columns.range(first * r * width, range.len() * r * width),
                    weights.range(entry(first), entry(range.end) - entry(first)),
                )
            };
            pulp::Arch::new().dispatch(|| leading_task(system, all, lambda, range, pivots, columns, weights))
        });
        team.check()?;
        self.gram.copy_from_slice(&system.residual);
        let mut log_det = 0.0;
        for (part, square) in parts {
            log_det += part;
            self.gram.iter_mut().zip(&square).for_each(|(sum, value)| *sum += value);
        }
        Ok(log_det)
    }

    /// M₂ in the fronts.
    fn assemble(&mut self, team: &Team) -> Result<()> {
        let symbolic = &self.system.symbolic;
        let mut squares = std::mem::take(&mut self.squares);
        let shared = Shared::new(&mut squares);
        let tasks = tasks(&symbolic.fronts);
        let this = &*self;
        team.each(tasks.len(), |task| {
            for job in &tasks[task] {
                let front = &symbolic.fronts[job.front];
                let columns = job.from..job.to;
                // SAFETY: jobs are disjoint ranges of columns.
                let target = unsafe {
                    let from = front.square + columns.start * front.stride;
                    let last = columns.len().saturating_sub(1) * front.stride + front.size;
                    shared.range(from, if columns.is_empty() { 0 } else { last })
                };
                pulp::Arch::new().dispatch(|| this.assemble_columns(job.front, columns, target));
            }
        });
        self.squares = squares;
        team.check()
    }

    #[inline(always)]
    fn assemble_columns(&self, s: usize, columns: std::ops::Range<usize>, target: &mut [f64]) {
        let symbolic = &self.system.symbolic;
        let (front, elements, r) = (&symbolic.fronts[s], &symbolic.elements, self.system.leading.width);
        for (k, column) in columns.clone().enumerate() {
            target[k * front.stride + column..k * front.stride + front.size].fill(0.0);
        }
        if columns.start < front.own {
            self.scale_panel(front, columns.start..columns.end.min(front.own), target);
        }
        for &e in &elements.of_front[s] {
            let e = e as usize;
            let weights = &self.weights[elements.columns[e] * r..elements.columns[e + 1] * r];
            add_products(r, weights, elements.places(e), columns.clone(), front.stride, target);
        }
    }

    /// I + Λ'(residual)Λ in some of a front's own columns.
    #[inline(always)]
    fn scale_panel(&self, front: &Front, columns: std::ops::Range<usize>, target: &mut [f64]) {
        let (panels, stride) = (&self.system.panels, front.stride);
        let mut first = 0;
        for run in &front.runs {
            let (lambda, q) = (self.rest_lambda(run.group), run.width);
            for node in 0..run.nodes {
                let start = first + node * q;
                for j in 0..q {
                    if columns.contains(&(start + j)) {
                        let from = (start + j - columns.start) * stride;
                        let column = &mut target[from..from + front.size];
                        for l in j..q {
                            let factor = lambda.at(l, j);
                            let source = &panels[front.panel + (start + l) * stride..][..front.size];
                            column[start + j..].iter_mut().zip(&source[start + j..]).for_each(|(t, s)| *t += factor * s);
                        }
                        self.scale_rows(front, start, column);
                        column[start..start + j].fill(0.0);
                        column[start + j] += 1.0;
                    }
                }
            }
            first += run.nodes * q;
            if first >= columns.end {
                break;
            }
        }
    }

    /// column ← Λ' column, from row `start` on.
    #[inline(always)]
    fn scale_rows(&self, front: &Front, start: usize, column: &mut [f64]) {
        let mut row = 0;
        for run in &front.runs {
            let (lambda, q) = (self.rest_lambda(run.group), run.width);
            let end = row + run.nodes * q;
            let mut from = row.max(start);
            if q == 1 {
                let factor = lambda.data[0];
                (column[from.min(end)..end]).iter_mut().for_each(|value| *value *= factor);
            } else {
                while from < end {
                    for i in 0..q {
                        column[from + i] = (i..q).map(|l| lambda.at(l, i) * column[from + l]).sum();
                    }
                    from += q;
                }
            }
            row = end;
        }
    }

    fn eliminate_fronts(&mut self, team: &Team) -> Result<f64> {
        let fronts = &self.system.symbolic.fronts;
        let mut log_det = 0.0;
        for (s, front) in fronts.iter().enumerate() {
            team.check_every(s)?;
            let (before, after) = self.squares.split_at_mut(front.square + front.stride * front.size);
            let square = &mut before[front.square..];
            log_det += 2.0 * dense::eliminate(team, square, front.size, front.own, front.stride)?;
            if let Some(parent) = front.parent {
                let parent = &fronts[parent];
                let offset = parent.square - (front.square + front.stride * front.size);
                extend(front, square, &mut after[offset..], parent.stride);
            }
        }
        Ok(log_det)
    }

    /// H and the complement's share of C'V⁻¹C.
    fn eliminate_cross(&mut self, team: &Team) {
        let system = self.system;
        let (size, width) = (system.symbolic.size, system.width);
        let mut cross = std::mem::take(&mut self.cross);
        self.collect(team, &self.weights, width, &self.leading_columns, &mut cross);
        self.add_scaled(&system.cross, width, &mut cross);
        self.forward(&mut cross, width);
        let h = MatRef::from_column_major_slice(&cross, size, width);
        let gram = MatMut::from_column_major_slice_mut(&mut self.gram, width, width);
        matmul(gram, Accum::Add, h.transpose(), h, -1.0, Par::Seq);
        self.cross = cross;
    }

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
                        let from = (elements.columns[e] + elements.column[entry as usize] as usize + k) * r;
                        for l in 0..r {
                            let factor = values[from + l];
                            let source = &x[(e * r + l) * columns..(e * r + l + 1) * columns];
                            row.iter_mut().zip(source).for_each(|(sum, value)| *sum += factor * value);
                        }
                    }
                    for (c, value) in row.iter().enumerate() {
                        // SAFETY: each row belongs to one task.
                        unsafe { shared.range(symbolic.scalar[node] + k + c * size, 1)[0] = *value };
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
                    out[start + i + c * size] +=
                        (i..q).map(|l| lambda.at(l, i) * x[start + l + c * size]).sum::<f64>();
                }
            }
        }
    }

    /// x ← Λ₂ x for a size × columns matrix.
    pub fn scale(&self, x: &mut [f64], columns: usize) {
        let symbolic = &self.system.symbolic;
        for node in 0..symbolic.nodes() {
            let (start, lambda) = (symbolic.scalar[node], self.rest_lambda(symbolic.group[node]));
            for c in 0..columns {
                let from = start + c * symbolic.size;
                for i in (0..symbolic.columns(node).len()).rev() {
                    x[from + i] = (0..=i).map(|l| lambda.at(i, l) * x[from + l]).sum();
                }
            }
        }
    }

    /// x ← L⁻¹ x for a size × columns matrix.
    pub fn forward(&self, x: &mut [f64], columns: usize) {
        for front in &self.system.symbolic.fronts {
            self.on_front(front, x, columns, dense::forward);
        }
    }

    /// x ← L'⁻¹ x for a size × columns matrix.
    pub fn backward(&self, x: &mut [f64], columns: usize) {
        for front in self.system.symbolic.fronts.iter().rev() {
            self.on_front(front, x, columns, dense::backward);
        }
    }

    fn on_front(
        &self,
        front: &Front,
        x: &mut [f64],
        columns: usize,
        step: impl Fn(&[f64], usize, usize, usize, MatMut<'_, f64>),
    ) {
        let size = self.system.symbolic.size;
        let mut local = Aligned::zeros(front.size * columns);
        let place = |i: usize| {
            if i < front.own {
                front.start + i
            } else {
                front.below[i - front.own] as usize
            }
        };
        for c in 0..columns {
            (0..front.size).for_each(|i| local[i + c * front.size] = x[place(i) + c * size]);
        }
        let rhs = MatMut::from_column_major_slice_mut(&mut local, front.size, columns);
        step(&self.squares[front.square..], front.size, front.own, front.stride, rhs);
        for c in 0..columns {
            (0..front.size).for_each(|i| x[place(i) + c * size] = local[i + c * front.size]);
        }
    }

    /// M₂⁻¹ on the pattern of the fronts.
    pub fn invert(&mut self, team: &Team) -> Result<()> {
        let symbolic = &self.system.symbolic;
        self.inverse.reserve(symbolic.squares);
        for front in symbolic.fronts.iter().rev() {
            let end = front.square + front.stride * front.size;
            let (own, above) = self.inverse.split_at_mut(end);
            let target = &mut own[front.square..];
            if let Some(parent) = front.parent.map(|parent| &symbolic.fronts[parent]) {
                let source = &above[parent.square - end..];
                for (j, &column) in front.in_parent.iter().enumerate() {
                    for (i, &row) in front.in_parent.iter().enumerate() {
                        target[front.own + i + (front.own + j) * front.stride] =
                            source[row as usize + column as usize * parent.stride];
                    }
                }
            }
            let factor = &mut self.squares[front.square..end];
            dense::invert(team, factor, target, front.size, front.own, front.stride, &mut self.work)?;
        }
        Ok(())
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
                MatRef::from_raw_parts(self.system.panels[front.panel..].as_ptr(), front.size, own, 1, front.stride as isize)
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
            matmul(result.subrows_mut(0, own), Accum::Add, across, bottom, 1.0, Par::Seq);
            for c in 0..columns {
                (0..own).for_each(|i| out[front.start + i + c * size] += product[i + c * front.size]);
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
        self.collect(team, &self.weights, 1, &self.spread(&scaled, 1, team), &mut product);
        self.add_scaled(&self.residual_product(&scaled, 1), 1, &mut product);
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let scale = norm(&mut product.iter().zip(&x).map(|(a, c)| a + c)).max(norm(&mut b.iter().copied()));
        norm(&mut (0..size).map(|i| x[i] + product[i] - b[i])) / scale
    }

    /// cⱼ⁻¹ Fⱼ x for every leading level: r × columns, row-major.
    pub fn spread(&self, x: &[f64], columns: usize, team: &Team) -> Vec<f64> {
        let symbolic = &self.system.symbolic;
        let (r, size, elements) = (self.system.leading.width, symbolic.size, &symbolic.elements);
        let levels = self.system.leading.levels;
        let mut out = vec![0.0; levels * r * columns];
        if size == 0 {
            return out;
        }
        let shared = Shared::new(&mut out);
        team.each(levels.div_ceil(LEVELS), |task| {
            for e in piece(task, LEVELS, levels) {
                // SAFETY: each level belongs to one task.
                let level = unsafe { shared.range(e * r * columns, r * columns) };
                for entry in elements.range(e) {
                    let row = symbolic.scalar[elements.nodes[entry] as usize];
                    for (k, place) in elements.entry(e, entry).enumerate() {
                        let values = &self.system.values[(elements.columns[e] + place) * r..][..r];
                        for (target, value) in level.chunks_exact_mut(columns).zip(values) {
                            let source = x[row + k..].iter().step_by(size);
                            target.iter_mut().zip(source).for_each(|(sum, x)| *sum += value * x);
                        }
                    }
                }
                solve_lower(&self.pivots[e * r * r..(e + 1) * r * r], r, level, columns);
            }
        });
        out
    }
}

/// One stretch of a front's columns.
struct Job {
    front: usize,
    from: usize,
    to: usize,
}

/// Columns to assemble, in tasks: many small fronts together, large ones in stripes.
fn tasks(fronts: &[Front]) -> Vec<Vec<Job>> {
    let mut tasks = Vec::new();
    let mut small: Vec<Job> = Vec::new();
    for (s, front) in fronts.iter().enumerate() {
        if front.size <= 4 * STRIPE {
            small.push(Job { front: s, from: 0, to: front.size });
            if small.len() == NODES {
                tasks.push(std::mem::take(&mut small));
            }
        } else {
            for from in (0..front.size).step_by(STRIPE) {
                let to = (from + STRIPE).min(front.size);
                tasks.push(vec![Job { front: s, from, to }]);
            }
        }
    }
    tasks.push(small);
    tasks
}

/// Add a front's complement to its parent.
fn extend(front: &Front, square: &[f64], parent: &mut [f64], stride: usize) {
    for (j, &column) in front.in_parent.iter().enumerate() {
        let source = &square[(front.own + j) * front.stride + front.own..];
        for (i, &row) in front.in_parent.iter().enumerate().skip(j) {
            parent[row as usize + column as usize * stride] += source[i];
        }
    }
}

#[inline(always)]
fn leading_task(
    system: &System,
    lambdas: &[Small],
    lambda: &Small,
    range: std::ops::Range<usize>,
    pivots: &mut [f64],
    columns: &mut [f64],
    weights: &mut [f64],
) -> (f64, Vec<f64>) {
    let (r, width) = (system.leading.width, system.width);
    let mut product = vec![0.0; r * lambda.cols];
    let mut square = vec![0.0; width * width];
    let elements = &system.symbolic.elements;
    let offset = elements.columns.get(range.start).copied().unwrap_or(0);
    let mut log_det = 0.0;
    for (index, j) in range.enumerate() {
        let level = system.leading.level(j);
        let pivot = &mut pivots[index * r * r..(index + 1) * r * r];
        log_det += level_pivot(level, system.leading.stride, lambda, &mut product, pivot, r);
        let block = &mut columns[index * r * width..(index + 1) * r * width];
        for (row, source) in block.chunks_exact_mut(width).zip(level.chunks_exact(system.leading.stride)) {
            row.copy_from_slice(&source[r..]);
        }
        solve_lower(pivot, r, block, width);
        for row in block.chunks_exact(width) {
            for (b, target) in square.chunks_exact_mut(width).enumerate() {
                let factor = row[b];
                target.iter_mut().zip(row).for_each(|(sum, value)| *sum += factor * value);
            }
        }
        if !elements.is_empty() {
            let (from, to) = (elements.columns[j], elements.columns[j + 1]);
            let target = &mut weights[(from - offset) * r..(to - offset) * r];
            element_weights(system, lambdas, j, pivot, r, target);
        }
    }
    (log_det, square)
}

/// W = c⁻¹FΛ of one element.
#[inline(always)]
fn element_weights(system: &System, lambdas: &[Small], e: usize, pivot: &[f64], r: usize, target: &mut [f64]) {
    let elements = &system.symbolic.elements;
    target.copy_from_slice(&system.values[elements.columns[e] * r..elements.columns[e + 1] * r]);
    for column in target.chunks_exact_mut(r) {
        solve_lower(pivot, r, column, 1);
    }
    for entry in elements.range(e) {
        let lambda = &lambdas[system.symbolic.group[elements.nodes[entry] as usize] as usize + 1];
        let columns = elements.entry(e, entry);
        let q = columns.len();
        let block = &mut target[columns.start * r..columns.end * r];
        for j in 0..q {
            for i in 0..r {
                block[i + j * r] = (j..q).map(|l| lambda.at(l, j) * block[i + l * r]).sum();
            }
        }
    }
}

/// c with cc' = I + (Rλ̃)(Rλ̃)'; returns its log-determinant, doubled.
#[inline(always)]
fn level_pivot(level: &[f64], stride: usize, lambda: &Small, product: &mut [f64], pivot: &mut [f64], r: usize) -> f64 {
    let q = lambda.cols;
    for i in 0..r {
        for k in 0..q {
            product[i * q + k] = (i..r).map(|l| level[i * stride + l] * lambda.data[l + k * r]).sum();
        }
    }
    let mut log_det = 0.0;
    for i in 0..r {
        for j in 0..=i {
            let mut value: f64 = (0..q).map(|k| product[i * q + k] * product[j * q + k]).sum();
            value -= (0..j).map(|l| pivot[i * r + l] * pivot[j * r + l]).sum::<f64>();
            if i == j {
                // I is added last, so that a small Rλ̃ keeps its digits in the off-diagonal parts.
                let root = (1.0 + value).max(f64::MIN_POSITIVE).sqrt();
                pivot[i * r + i] = root;
                log_det += 2.0 * root.ln();
            } else {
                pivot[i * r + j] = value / pivot[j * r + j];
            }
        }
    }
    log_det
}

/// block ← c⁻¹ block (r × columns, row-major).
#[inline(always)]
pub fn solve_lower(pivot: &[f64], r: usize, block: &mut [f64], columns: usize) {
    for i in 0..r {
        let (done, rest) = block.split_at_mut(i * columns);
        let row = &mut rest[..columns];
        for l in 0..i {
            let factor = pivot[i * r + l];
            row.iter_mut().zip(&done[l * columns..(l + 1) * columns]).for_each(|(x, y)| *x -= factor * y);
        }
        let inverse = 1.0 / pivot[i * r + i];
        row.iter_mut().for_each(|x| *x *= inverse);
    }
}

/// block ← c'⁻¹ block (r × columns, row-major).
#[inline(always)]
pub fn solve_upper(pivot: &[f64], r: usize, block: &mut [f64], columns: usize) {
    for i in (0..r).rev() {
        let (head, tail) = block.split_at_mut((i + 1) * columns);
        let row = &mut head[i * columns..];
        for l in i + 1..r {
            let factor = pivot[l * r + i];
            row.iter_mut().zip(&tail[(l - i - 1) * columns..(l - i) * columns]).for_each(|(x, y)| *x -= factor * y);
        }
        let inverse = 1.0 / pivot[i * r + i];
        row.iter_mut().for_each(|x| *x *= inverse);
    }
}
