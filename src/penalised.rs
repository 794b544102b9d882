//! The Cholesky factor of M = Λ'Z'WZΛ + I under working weights (Bates et al. 2015, eq. 18, with W).
//!
//! Leading level j: M_jj = I + λ̃'(Z̃₁'WZ̃₁)ⱼλ̃ = cⱼcⱼ' and Wⱼ = cⱼ⁻¹λ̃'(Z̃₁'WZ̃₂)ⱼΛ₂; the complement
//! M₂ = I + Λ₂'(Z̃₂'WZ̃₂)Λ₂ − Σ Wⱼ'Wⱼ = LL' lies on the fronts of the symbolic analysis. Unlike the linear
//! model's `Factor` it takes weights of either sign, as long as M is positive definite.

use crate::assemble::Assembly;
use crate::effects::Effects;
use crate::error::{Error, Result};
use crate::factor::LEVELS;
use crate::fronts::Fronts;
use crate::lambda::Small;
use crate::lanes;
use crate::leading::{scale_element, solve_lower, solve_upper};
use crate::objective::cholesky_in_place;
use crate::parallel::{piece, Shared, Team};
use crate::system::System;
use crate::working::WorkingSums;

/// The factor at one Λ and one W.
pub struct Penalised<'s> {
    pub system: &'s System,
    /// λ̃ of every group.
    pub lambda: Vec<Small>,
    /// cⱼ: q × q lower triangles, row-major.
    roots: Vec<f64>,
    /// Wⱼ: q numbers a scalar column of an element.
    pub(crate) weights: Vec<f64>,
    pub fronts: Fronts,
    /// log |M|.
    pub log_det: f64,
    /// Wⱼ M₂⁻¹ like `weights`, and Wⱼ M₂⁻¹ Wⱼ' (q × q a level), once asked for.
    pub explained: Option<(Vec<f64>, Vec<f64>)>,
}

impl<'s> Penalised<'s> {
    pub fn new(system: &'s System) -> Self {
        Penalised {
            lambda: Vec::new(),
            roots: Vec::new(),
            weights: Vec::new(),
            fronts: Fronts::new(&system.symbolic),
            log_det: 0.0,
            explained: None,
            system,
        }
    }

    /// Random effects of a leading level.
    pub fn effects(&self) -> usize {
        self.lambda.first().map_or(0, |lambda| lambda.cols)
    }

    /// λ̃ of the other groups.
    pub fn rest_lambdas(&self) -> &[Small] {
        self.lambda.get(1..).unwrap_or_default()
    }

    /// cⱼ.
    pub fn root(&self, j: usize) -> &[f64] {
        let q = self.effects();
        &self.roots[j * q * q..(j + 1) * q * q]
    }

    /// Columns of element `j` in `weights`, times q.
    pub fn element(&self, j: usize) -> std::ops::Range<usize> {
        let (q, columns) = (self.effects(), &self.system.symbolic.elements.columns);
        let at = |j: usize| columns.get(j).copied().unwrap_or(0) * q;
        at(j)..at(j + 1)
    }

    /// Factor at these λ̃ and sums.
    pub fn update(&mut self, lambda: Vec<Small>, sums: &WorkingSums, team: &Team) -> Result<()> {
        self.lambda = lambda;
        self.explained = None;
        self.log_det = self.eliminate_leading(sums, team)?;
        let symbolic = &self.system.symbolic;
        if symbolic.size > 0 {
            let assembly = Assembly {
                symbolic,
                panels: &sums.panels,
                lambda: self.lambda.get(1..).unwrap_or_default(),
                width: self.lambda.first().map_or(0, |lambda| lambda.cols),
                weights: &self.weights,
                sign: -1.0,
            };
            assembly.fill(&mut self.fronts.squares, team)?;
            self.log_det += self.fronts.eliminate(symbolic, team)?;
        }
        match self.log_det.is_finite() {
            true => Ok(()),
            false => Err(indefinite()),
        }
    }

    fn eliminate_leading(&mut self, sums: &WorkingSums, team: &Team) -> Result<f64> {
        let (levels, q) = (self.system.leading.levels, self.effects());
        self.roots.resize(levels * q * q, 0.0);
        self.weights
            .resize(self.element(levels.saturating_sub(1)).end, 0.0);
        let (mut roots, mut weights) = (
            std::mem::take(&mut self.roots),
            std::mem::take(&mut self.weights),
        );
        let (all_roots, all_weights) = (Shared::new(&mut roots), Shared::new(&mut weights));
        let this = &*self;
        let eliminate = |task: usize| {
            let range = piece(task, LEVELS, levels);
            let mut log_det = 0.0;
            for j in range {
                let element = this.element(j);
                // SAFETY: each level belongs to one task.
                let (root, own) = unsafe {
                    (
                        all_roots.range(j * q * q, q * q),
                        all_weights.range(element.start, element.len()),
                    )
                };
                log_det += this.eliminate_level(j, sums, root, own);
            }
            log_det
        };
        let mut log_det = 0.0;
        let tasks = if q == 0 { 0 } else { levels.div_ceil(LEVELS) };
        let done = team.fold(tasks, eliminate, |part: f64| log_det += part);
        (self.roots, self.weights) = (roots, weights);
        done.map(|()| log_det)
    }

    /// cⱼ and Wⱼ; log |M_jj|, NaN where it is not positive definite.
    #[inline(always)]
    fn eliminate_level(
        &self,
        j: usize,
        sums: &WorkingSums,
        root: &mut [f64],
        weights: &mut [f64],
    ) -> f64 {
        let lambda = &self.lambda[0];
        let (r, q) = (lambda.rows, lambda.cols);
        let gram = &sums.leading[j * r * r..(j + 1) * r * r];
        for a in 0..q {
            for b in 0..=a {
                let mut value = f64::from(u8::from(a == b));
                for k in 0..r {
                    let row = &gram[k * r..(k + 1) * r];
                    let along: f64 = row.iter().zip(lambda.column(b)).map(|(g, l)| g * l).sum();
                    value += lambda.at(k, a) * along;
                }
                root[a * q + b] = value;
            }
        }
        let log_det: f64 = match cholesky_in_place(root, q) {
            true => (0..q).map(|i| 2.0 * root[i * q + i].ln()).sum(),
            false => f64::NAN,
        };
        if !weights.is_empty() {
            let from = self.system.symbolic.elements.columns[j] * r;
            let values = sums.values[from..].chunks_exact(r);
            for (target, source) in weights.chunks_exact_mut(q).zip(values) {
                for (b, target) in target.iter_mut().enumerate() {
                    let column = lambda.column(b).iter();
                    *target = column.zip(source).map(|(l, v)| l * v).sum();
                }
                solve_lower(root, q, target, 1);
            }
            scale_element(&self.system.symbolic, self.rest_lambdas(), j, q, weights);
        }
        log_det
    }

    /// x ← L⁻¹x for spherical effects.
    pub fn forward(&self, x: &mut Effects, team: &Team) {
        let (q, count, symbolic) = (self.effects(), x.count, &self.system.symbolic);
        if count == 0 {
            return;
        }
        if q > 0 {
            for (j, level) in x.leading.chunks_exact_mut(q * count).enumerate() {
                solve_lower(self.root(j), q, level, count);
            }
        }
        if symbolic.size > 0 {
            let mut explained = vec![0.0; x.rest.len()];
            symbolic.collect(team, (&self.weights, q), count, &x.leading, &mut explained);
            (x.rest.iter_mut().zip(explained)).for_each(|(x, known)| *x -= known);
            self.fronts.forward(symbolic, &mut x.rest, count);
        }
    }

    /// x ← L'⁻¹x.
    pub fn backward(&self, x: &mut Effects) {
        let (q, count, symbolic) = (self.effects(), x.count, &self.system.symbolic);
        if count == 0 {
            return;
        }
        if symbolic.size > 0 {
            self.fronts.backward(symbolic, &mut x.rest, count);
            for (j, level) in x.leading.chunks_exact_mut(q * count).enumerate() {
                let weights = self.weights[self.element(j)].chunks_exact(q);
                let columns = &symbolic.elements.columns[j..j + 2];
                let scalars = &symbolic.elements.scalars[columns[0]..columns[1]];
                for (scalar, weights) in scalars.iter().zip(weights) {
                    for (target, w) in level.chunks_exact_mut(count).zip(weights) {
                        let source = x.rest[*scalar as usize..].iter().step_by(symbolic.size);
                        target.iter_mut().zip(source).for_each(|(x, y)| *x -= w * y);
                    }
                }
            }
        }
        if q > 0 {
            for (j, level) in x.leading.chunks_exact_mut(q * count).enumerate() {
                solve_upper(self.root(j), q, level, count);
            }
        }
    }

    /// x ← M⁻¹x.
    pub fn solve(&self, x: &mut Effects, team: &Team) {
        self.forward(x, team);
        self.backward(x);
    }

    /// Prepare what the leverages need: M₂⁻¹ on the fronts, and its products with Wⱼ.
    pub fn invert(&mut self, team: &Team) -> Result<()> {
        if self.explained.is_some() {
            return Ok(());
        }
        let (symbolic, q) = (&self.system.symbolic, self.effects());
        let levels = self.system.leading.levels;
        let mut products = vec![0.0; self.weights.len()];
        let mut squares = vec![0.0; levels * q * q];
        if symbolic.size > 0 {
            self.fronts.invert(symbolic, team)?;
            let (all, own) = (Shared::new(&mut products), Shared::new(&mut squares));
            team.each(levels.div_ceil(LEVELS), |task| {
                for j in piece(task, LEVELS, levels) {
                    let element = self.element(j);
                    // SAFETY: each level belongs to one task.
                    let (product, square) = unsafe {
                        (
                            all.range(element.start, element.len()),
                            own.range(j * q * q, q * q),
                        )
                    };
                    self.explain_level(j, product, square);
                }
            });
            team.check()?;
        }
        self.explained = Some((products, squares));
        Ok(())
    }

    /// Wⱼ M₂⁻¹ and Wⱼ M₂⁻¹ Wⱼ'.
    fn explain_level(&self, j: usize, product: &mut [f64], square: &mut [f64]) {
        let (symbolic, q) = (&self.system.symbolic, self.effects());
        let elements = &symbolic.elements;
        if elements.width(j) == 0 {
            return;
        }
        let front = &symbolic.fronts[elements.front[j] as usize];
        let inverse = &self.fronts.inverse[front.square..];
        let (weights, places) = (&self.weights[self.element(j)], elements.places(j));
        let (first, last) = (places[0] as usize, places[places.len() - 1] as usize);
        let together = last - first + 1 == places.len();
        for (target, &column) in product.chunks_exact_mut(q).zip(places) {
            let column = &inverse[column as usize * front.stride..];
            if together && q == 1 {
                target[0] = lanes::dot(weights, &column[first..=last]);
                continue;
            }
            for (w, &row) in weights.chunks_exact(q).zip(places) {
                let value = column[row as usize];
                target
                    .iter_mut()
                    .zip(w)
                    .for_each(|(sum, w)| *sum += w * value);
            }
        }
        for (e, w) in product.chunks_exact(q).zip(weights.chunks_exact(q)) {
            for (row, e) in square.chunks_exact_mut(q).zip(e) {
                row.iter_mut().zip(w).for_each(|(sum, w)| *sum += e * w);
            }
        }
    }
}

/// The error of a penalised deviance that has no minimum where it was looked at.
fn indefinite() -> Error {
    Error::Infeasible("the penalised deviance is not convex at these parameters".into())
}
