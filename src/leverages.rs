//! What the derivatives of log |M| need of M⁻¹: leverages row by row, and Z̃'V⁻¹Z̃ summed over levels, with
//! V = W⁻¹ + ZΛΛ'Z'.
//!
//! Only entries of M⁻¹ on the pattern of Z'WZ occur: M⁻¹₂₂ on the fronts, M⁻¹₁₂ = −cⱼ'⁻¹(WⱼM₂⁻¹), M⁻¹₁₁ =
//! cⱼ'⁻¹(I + WⱼM₂⁻¹Wⱼ')cⱼ⁻¹.

use crate::complement::{divided, sum_complements, well_conditioned};
use crate::effects::{times_lambda_transposed, Effects};
use crate::elements::sandwich;
use crate::error::Result;
use crate::factor::LEVELS;
use crate::gram::add;
use crate::lambda::Small;
use crate::lanes;
use crate::leading::solve_lower;
use crate::observations::Observations;
use crate::parallel::{piece, Shared, Team};
use crate::penalised::Penalised;
use crate::working::WorkingSums;
use std::ops::Range;

/// Columns of one batch of products.
const BATCH: usize = 32;

impl Penalised<'_> {
    /// hᵢ = zᵢ'ΛM⁻¹Λ'zᵢ of every row; `invert` must have been called.
    pub fn leverages(&self, observations: &Observations, team: &Team) -> Result<Vec<f64>> {
        let mut out = vec![0.0; observations.n];
        let shared = Shared::new(&mut out);
        team.each(observations.tasks(), |task| {
            let (rows, _) = observations.task(task);
            // SAFETY: each row belongs to one task.
            let own = unsafe { shared.range(rows.start, rows.len()) };
            self.leverages_of(observations, rows, own);
        });
        team.check().map(|()| out)
    }

    /// zᵢ'(λ̃M⁻¹ⱼⱼλ̃')zᵢ of the leading group, level by level, and what the other groups add row by row.
    fn leverages_of(&self, observations: &Observations, rows: Range<usize>, out: &mut [f64]) {
        let Some(lambda) = self.lambda.first() else {
            return;
        };
        let (r, first) = (lambda.rows, rows.start);
        let (mut block, mut work) = (vec![0.0; r * r], Vec::new());
        for (j, own) in observations.runs(rows.clone()) {
            self.leading_block(j, lambda, &mut work, &mut block);
            let out = &mut out[own.start - first..own.end - first];
            for a in 0..r {
                for b in 0..=a {
                    let (x, y) = (
                        &observations.z(a)[own.clone()],
                        &observations.z(b)[own.clone()],
                    );
                    let twice = if a == b { 1.0 } else { 2.0 };
                    lanes::add_product(out, twice * block[a * r + b], x, y);
                }
            }
        }
        if observations.others.is_empty() {
            return;
        }
        let (mut y, mut rest) = (vec![0.0; lambda.cols], Vec::new());
        for (i, out) in rows.zip(out) {
            for (k, y) in y.iter_mut().enumerate() {
                *y = (0..r).map(|a| lambda.at(a, k) * observations.z(a)[i]).sum();
            }
            solve_lower(
                self.root(observations.level[i] as usize),
                lambda.cols,
                &mut y,
                1,
            );
            *out += self.leverage_of_others(observations, i, &y, &mut rest);
        }
    }

    /// a'M₂⁻¹a − 2y'(WM₂⁻¹)a for a = Λ₂'z of row `i`.
    #[inline(always)]
    fn leverage_of_others(
        &self,
        observations: &Observations,
        i: usize,
        y: &[f64],
        rest: &mut Vec<(usize, f64)>,
    ) -> f64 {
        let (symbolic, j) = (&self.system.symbolic, observations.level[i] as usize);
        let q = y.len();
        rest.clear();
        for (group, other) in observations.others.iter().enumerate() {
            let (lambda, width) = (&self.lambda[group + 1], other.width[i] as usize);
            for k in 0..width {
                let z = |l: usize| observations.z(other.z + l)[i];
                let a = (k..width).map(|l| lambda.at(l, k) * z(l)).sum();
                rest.push((other.place[i] as usize + k, a));
            }
        }
        let products = self
            .explained
            .as_ref()
            .map_or(&[][..], |(products, _)| products);
        let products = &products[self.element(j)];
        let (elements, places) = (&symbolic.elements, symbolic.elements.places(j));
        let front = &symbolic.fronts[elements.front[j] as usize];
        let inverse = &self.fronts.inverse[front.square..];
        let mut value = 0.0;
        for (b, &(column, a)) in rest.iter().enumerate() {
            let across = &products[column * q..(column + 1) * q];
            value -= 2.0 * a * across.iter().zip(y).map(|(e, y)| e * y).sum::<f64>();
            let own = &inverse[places[column] as usize * front.stride..];
            value += a * a * own[places[column] as usize];
            for &(row, c) in &rest[..b] {
                value += 2.0 * a * c * own[places[row] as usize];
            }
        }
        value
    }

    /// Diagonal blocks of M⁻¹ of the leading group; `invert` must have been called.
    pub fn leading_inverses(&self) -> Vec<Small> {
        let q = self.effects();
        let (unit, mut work) = (identity(q), Vec::new());
        let block = |j: usize| {
            let mut block = Small::zeros(q, q);
            self.leading_block(j, &unit, &mut work, &mut block.data);
            block
        };
        (0..self.system.leading.levels).map(block).collect()
    }

    /// A c'⁻¹(I + WM₂⁻¹W')c⁻¹A' of one level: A M⁻¹ⱼⱼA'; symmetric.
    #[inline(always)]
    fn leading_block(&self, j: usize, a: &Small, work: &mut Vec<f64>, out: &mut [f64]) {
        let (r, q) = (a.rows, a.cols);
        let square = self
            .explained
            .as_ref()
            .map_or(&[][..], |(_, squares)| squares);
        let square = &square[j * q * q..(j + 1) * q * q];
        // c⁻¹A', q × r.
        work.clear();
        work.extend((0..q).flat_map(|k| a.column(k)));
        solve_lower(self.root(j), q, work, r);
        for i in 0..r {
            for l in 0..r {
                let mut value = 0.0;
                for k in 0..q {
                    let row = &square[k * q..(k + 1) * q];
                    let spread: f64 = (0..q).map(|m| row[m] * work[m * r + l]).sum();
                    value += work[k * r + i] * (work[k * r + l] + spread);
                }
                out[i * r + l] = value;
            }
        }
    }

    /// Σⱼ [Z̃'V⁻¹Z̃]ⱼⱼ of every group; `sums` are those of the factor.
    pub fn informations(&self, sums: &WorkingSums, team: &Team) -> Result<Vec<Small>> {
        let symbolic = &self.system.symbolic;
        let mut informations = Vec::new();
        for (group, lambda) in self.lambda.iter().enumerate() {
            let good = well_conditioned(lambda) && lambda.rows == lambda.cols;
            informations.push(if group == 0 && good {
                divided(lambda, &self.leading_complements())
            } else if group == 0 {
                self.leading_information(sums, team)?
            } else if good {
                let inverse = &self.fronts.inverse;
                divided(
                    lambda,
                    &sum_complements(symbolic, inverse, (group - 1, lambda.cols)),
                )
            } else {
                self.information_by_products(sums, group, team)?
            });
        }
        Ok(informations)
    }

    /// Σ (I − M⁻¹) over the leading levels.
    fn leading_complements(&self) -> Small {
        let (q, levels) = (self.effects(), self.system.leading.levels);
        let (unit, mut work) = (identity(q), Vec::new());
        let (mut sum, mut block) = (Small::zeros(q, q), vec![0.0; q * q]);
        for j in 0..levels {
            self.leading_block(j, &unit, &mut work, &mut block);
            for (k, (sum, value)) in sum.data.iter_mut().zip(&block).enumerate() {
                *sum += unit.data[k] - value;
            }
        }
        sum
    }

    fn leading_information(&self, sums: &WorkingSums, team: &Team) -> Result<Small> {
        let (levels, r) = (self.system.leading.levels, self.lambda[0].rows);
        let mut total = Small::zeros(r, r);
        let task = |task: usize| {
            let mut sum = vec![0.0; r * r];
            piece(task, LEVELS, levels).for_each(|j| self.level_information(sums, j, &mut sum));
            sum
        };
        team.fold(levels.div_ceil(LEVELS), task, |part: Vec<f64>| {
            add(&mut total.data, &part);
        })?;
        Ok(total)
    }

    /// G − GΛ M⁻¹ Λ'G of one leading level and its element, added to `out`.
    fn level_information(&self, sums: &WorkingSums, j: usize, out: &mut [f64]) {
        let lambda = &self.lambda[0];
        let (r, q) = (lambda.rows, lambda.cols);
        let gram = &sums.leading[j * r * r..(j + 1) * r * r];
        // half = c⁻¹λ̃'G, q × r.
        let mut half = vec![0.0; q * r];
        for (k, row) in half.chunks_exact_mut(r).enumerate() {
            for (i, value) in row.iter_mut().enumerate() {
                let column = &gram[i * r..(i + 1) * r];
                *value = lambda
                    .column(k)
                    .iter()
                    .zip(column)
                    .map(|(l, g)| l * g)
                    .sum();
            }
        }
        solve_lower(self.root(j), q, &mut half, r);
        for a in 0..r {
            for b in 0..r {
                let known: f64 = (0..q).map(|k| half[k * r + a] * half[k * r + b]).sum();
                out[a + b * r] += gram[a * r + b] - known;
            }
        }
        let elements = &self.system.symbolic.elements;
        if elements.is_empty() || elements.width(j) == 0 {
            return;
        }
        let across = self.left_over(sums, j, &half, r);
        let front = &self.system.symbolic.fronts[elements.front[j] as usize];
        let inverse = &self.fronts.inverse[front.square..];
        let (mut square, mut work) = (vec![0.0; r * r], vec![0.0; r]);
        sandwich(
            r,
            &across,
            elements.places(j),
            front.stride,
            inverse,
            &mut square,
            &mut work,
        );
        out.iter_mut()
            .zip(square)
            .for_each(|(sum, known)| *sum -= known);
    }

    /// (Z̃₁'WZ̃₂)ⱼΛ₂ − half'Wⱼ: r numbers a scalar column of the element.
    fn left_over(&self, sums: &WorkingSums, j: usize, half: &[f64], r: usize) -> Vec<f64> {
        let (q, elements) = (self.effects(), &self.system.symbolic.elements);
        let columns = elements.columns[j] * r..elements.columns[j + 1] * r;
        let mut across = sums.values[columns].to_vec();
        let symbolic = &self.system.symbolic;
        crate::leading::scale_element(symbolic, self.rest_lambdas(), j, r, &mut across);
        let weights = self.weights[self.element(j)].chunks_exact(q);
        for (column, w) in across.chunks_exact_mut(r).zip(weights) {
            for (row, w) in half.chunks_exact(r).zip(w) {
                column.iter_mut().zip(row).for_each(|(x, h)| *x -= w * h);
            }
        }
        across
    }

    /// Σ over a group's nodes without dividing by λ: e'Z̃'WZ̃e − ‖L⁻¹Λ'Z̃'WZ̃e‖² for its columns e.
    fn information_by_products(
        &self,
        sums: &WorkingSums,
        group: usize,
        team: &Team,
    ) -> Result<Small> {
        let symbolic = &self.system.symbolic;
        let q = self.lambda[group].cols;
        let nodes: Vec<usize> = (0..symbolic.nodes())
            .filter(|&node| symbolic.group[node] as usize + 1 == group)
            .collect();
        let mut total = Small::zeros(q, q);
        for batch in nodes.chunks((BATCH / q).max(1)) {
            team.check()?;
            self.add_products_of(sums, batch, &mut total, team);
        }
        Ok(total)
    }

    fn add_products_of(&self, sums: &WorkingSums, batch: &[usize], total: &mut Small, team: &Team) {
        let (symbolic, q) = (&self.system.symbolic, total.rows);
        let (size, count, r) = (symbolic.size, batch.len() * q, self.lambda[0].rows);
        let mut unit = vec![0.0; size * count];
        let mut image = Effects::zeros(self.system.leading.levels * r, 0, count);
        for (k, &node) in batch.iter().enumerate() {
            for (i, row) in symbolic.columns(node).enumerate() {
                unit[row + (k * q + i) * size] = 1.0;
            }
            let elements = &symbolic.elements;
            for &entry in elements.uses(node) {
                let e = elements.owner[entry as usize] as usize;
                let from = elements.columns[e] + elements.column[entry as usize] as usize;
                for i in 0..symbolic.columns(node).len() {
                    for l in 0..r {
                        image.leading[(e * r + l) * count + k * q + i] =
                            sums.values[(from + i) * r + l];
                    }
                }
            }
        }
        image.rest = symbolic.panel_product(&sums.panels, &unit, count).to_vec();
        let direct = image.rest.clone();
        let mut half = times_lambda_transposed(symbolic, &self.lambda, &image);
        self.forward(&mut half, team);
        let known = half.products(&half);
        for (k, &node) in batch.iter().enumerate() {
            let columns = symbolic.columns(node);
            for a in 0..columns.len() {
                for b in 0..columns.len() {
                    let (i, j) = (k * q + a, k * q + b);
                    total.data[a + b * q] +=
                        direct[columns.start + a + j * size] - known[i * count + j];
                }
            }
        }
    }
}

fn identity(size: usize) -> Small {
    let mut matrix = Small::zeros(size, size);
    (0..size).for_each(|k| matrix.set(k, k, 1.0));
    matrix
}
