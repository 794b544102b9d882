//! The Cholesky factor at one θ: leading levels in closed form, the complement by fronts.
//!
//! For leading level j: Bⱼ = Rⱼλ̃, Aⱼ = I + BⱼBⱼ' = cⱼcⱼ', W_C = cⱼ⁻¹Pⱼ, W = cⱼ⁻¹FⱼΛ₂. The complement is
//! M₂ = I + Λ₂'(residual)Λ₂ + Σ W'W = LL', and C'V⁻¹C = residual + Σ W_C'W_C − H'H with
//! H = L⁻¹(Λ₂'(residual cross) + Σ W'W_C). Everything is stored once and re-used for every θ.

use crate::aligned::Aligned;
use crate::assemble::Assembly;
use crate::error::{Error, Result};
use crate::fronts::Fronts;
use crate::lambda::Small;
use crate::parallel::Team;
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
    /// L of the complement.
    pub fronts: Fronts,
    /// H, size × width.
    pub cross: Aligned,
    /// C'V⁻¹C, full, column-major.
    pub gram: Vec<f64>,
    /// log |M|.
    pub log_det: f64,
}

/// A factor's numbers, without the system they belong to.
pub struct Numbers {
    lambda: Vec<Small>,
    pivots: Vec<f64>,
    leading_columns: Vec<f64>,
    weights: Vec<f64>,
    fronts: Fronts,
    cross: Aligned,
    gram: Vec<f64>,
    log_det: f64,
}

impl Numbers {
    /// Bytes of the large ones.
    pub fn bytes(&self) -> usize {
        let vectors = [&self.pivots, &self.leading_columns, &self.weights];
        let long: usize = vectors.iter().map(|numbers| numbers.len()).sum();
        8 * (long + self.fronts.len() + self.cross.len())
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
            fronts: Fronts::new(&system.symbolic),
            cross: Aligned::zeros(system.symbolic.size * system.width),
            gram: vec![0.0; system.width * system.width],
            log_det: 0.0,
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
            fronts: self.fronts,
            cross: self.cross,
            gram: self.gram,
            log_det: self.log_det,
        }
    }

    /// The factor again, of the same system.
    pub fn of(system: &'s System, numbers: Numbers) -> Self {
        Factor {
            lambda: numbers.lambda,
            pivots: numbers.pivots,
            leading_columns: numbers.leading_columns,
            weights: numbers.weights,
            fronts: numbers.fronts,
            cross: numbers.cross,
            gram: numbers.gram,
            log_det: numbers.log_det,
            system,
        }
    }

    /// Factor at these λ̃.
    pub fn update(&mut self, team: &Team, lambda: Vec<Small>) -> Result<()> {
        self.lambda = lambda;
        self.log_det = self.eliminate_leading(team)?;
        if self.system.symbolic.size > 0 {
            let symbolic = &self.system.symbolic;
            let assembly = Assembly {
                symbolic,
                panels: &self.system.panels,
                lambda: self.lambda.get(1..).unwrap_or_default(),
                width: self.system.leading.width,
                weights: &self.weights,
                sign: 1.0,
            };
            assembly.fill(&mut self.fronts.squares, team)?;
            self.log_det += self.fronts.eliminate(symbolic, team)?;
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

    /// λ̃ of the remaining groups.
    pub fn rest_lambdas(&self) -> &[Small] {
        self.lambda.get(1..).unwrap_or_default()
    }

    /// λ̃ of a remaining group.
    pub fn rest_lambda(&self, group: u32) -> &Small {
        &self.lambda[group as usize + 1]
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
        self.fronts.forward(&self.system.symbolic, x, columns);
    }

    /// x ← L'⁻¹ x for a size × columns matrix.
    pub fn backward(&self, x: &mut [f64], columns: usize) {
        self.fronts.backward(&self.system.symbolic, x, columns);
    }

    /// M₂⁻¹ on the pattern of the fronts.
    pub fn invert(&mut self, team: &Team) -> Result<()> {
        self.fronts.invert(&self.system.symbolic, team)
    }
}
