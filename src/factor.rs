//! The Cholesky factor at one θ: leading levels in closed form, the complement by fronts.
//!
//! For leading level j: Bⱼ = Rⱼλ̃, Aⱼ = I + BⱼBⱼ' = cⱼcⱼ', W_C = cⱼ⁻¹Pⱼ, W = cⱼ⁻¹FⱼΛ₂. The complement is
//! M₂ = I + Λ₂'(residual)Λ₂ + Σ W'W = LL', and C'V⁻¹C = residual + Σ W_C'W_C − H'H with
//! H = L⁻¹(Λ₂'(residual cross) + Σ W'W_C). Everything is stored once and re-used for every θ.

use crate::aligned::Aligned;
use crate::dense;
use crate::error::{Error, Result};
use crate::lambda::Small;
use crate::parallel::Team;
use crate::symbolic::Front;
use crate::system::System;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Leading levels of one task.
pub const LEVELS: usize = 512;
/// Nodes of one task.
pub const NODES: usize = 128;

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
    /// Does `inverse` belong to these λ̃?
    inverted: bool,
    work: Aligned,
}

/// A factor's numbers, without the system they belong to.
pub struct Numbers {
    lambda: Vec<Small>,
    pivots: Vec<f64>,
    leading_columns: Vec<f64>,
    weights: Vec<f64>,
    squares: Aligned,
    inverse: Aligned,
    cross: Aligned,
    gram: Vec<f64>,
    log_det: f64,
    inverted: bool,
}

impl Numbers {
    /// Bytes of the large ones.
    pub fn bytes(&self) -> usize {
        let vectors = [&self.pivots, &self.leading_columns, &self.weights];
        let long: usize = vectors.iter().map(|numbers| numbers.len()).sum();
        8 * (long + self.squares.len() + self.inverse.len() + self.cross.len())
    }
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
            inverted: false,
            work: Aligned::default(),
            system,
        }
    }

    /// The numbers alone.
    pub fn into_numbers(self) -> Numbers {
        Numbers {
            lambda: self.lambda,
            pivots: self.pivots,
            leading_columns: self.leading_columns,
            weights: self.weights,
            squares: self.squares,
            inverse: self.inverse,
            cross: self.cross,
            gram: self.gram,
            log_det: self.log_det,
            inverted: self.inverted,
        }
    }

    /// The factor again, of the same system.
    pub fn of(system: &'s System, numbers: Numbers) -> Self {
        Factor {
            lambda: numbers.lambda,
            pivots: numbers.pivots,
            leading_columns: numbers.leading_columns,
            weights: numbers.weights,
            squares: numbers.squares,
            inverse: numbers.inverse,
            cross: numbers.cross,
            gram: numbers.gram,
            log_det: numbers.log_det,
            inverted: numbers.inverted,
            work: Aligned::default(),
            system,
        }
    }

    /// Factor at these λ̃.
    pub fn update(&mut self, team: &Team, lambda: Vec<Small>) -> Result<()> {
        self.lambda = lambda;
        self.inverted = false;
        self.log_det = self.eliminate_leading(team)?;
        if self.system.symbolic.size > 0 {
            self.assemble(team)?;
            self.log_det += self.eliminate_fronts(team)?;
            self.eliminate_cross(team);
        }
        if self.log_det.is_finite() && self.gram.iter().all(|value| value.is_finite()) {
            Ok(())
        } else {
            Err(Error::Infeasible(
                "the factorisation overflowed at these parameters".into(),
            ))
        }
    }

    /// λ̃ of a remaining group.
    pub fn rest_lambda(&self, group: u32) -> &Small {
        &self.lambda[group as usize + 1]
    }

    fn eliminate_fronts(&mut self, team: &Team) -> Result<f64> {
        let fronts = &self.system.symbolic.fronts;
        let mut log_det = 0.0;
        for (s, front) in fronts.iter().enumerate() {
            team.check_every(s)?;
            let (before, after) = self
                .squares
                .split_at_mut(front.square + front.stride * front.size);
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
        self.collect(
            team,
            &self.weights,
            width,
            &self.leading_columns,
            &mut cross,
        );
        self.add_scaled(&system.cross, width, &mut cross);
        self.forward(&mut cross, width);
        let h = MatRef::from_column_major_slice(&cross, size, width);
        let gram = MatMut::from_column_major_slice_mut(&mut self.gram, width, width);
        matmul(gram, Accum::Add, h.transpose(), h, -1.0, Par::Seq);
        self.cross = cross;
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
        step(
            &self.squares[front.square..],
            front.size,
            front.own,
            front.stride,
            rhs,
        );
        for c in 0..columns {
            (0..front.size).for_each(|i| x[place(i) + c * size] = local[i + c * front.size]);
        }
    }

    /// M₂⁻¹ on the pattern of the fronts.
    pub fn invert(&mut self, team: &Team) -> Result<()> {
        if self.inverted {
            return Ok(());
        }
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
            dense::invert(
                team,
                factor,
                target,
                front.size,
                front.own,
                front.stride,
                &mut self.work,
            )?;
        }
        self.inverted = true;
        Ok(())
    }
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
