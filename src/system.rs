//! The penalised least-squares system of one model, apart from θ: made once from the cross-products.
//!
//! With V₁ the covariance of the leading group alone and D = [Z̃₂ C] the remaining columns,
//!
//!     D'V₁⁻¹D = D'(I − QQ')D + Σⱼ (Qⱼ'D)' Aⱼ⁻¹ (Qⱼ'D),     Aⱼ = I + Rⱼλ̃λ̃'Rⱼ'
//!
//! a sum of positive parts. The first is kept here for every pair of columns; of the second Rⱼ,
//! Pⱼ = Qⱼ'C and Fⱼ = Qⱼ'Z̃₂ (sparse: the elements of `symbolic`).

use crate::aligned::Aligned;
use crate::cross_products::CrossProducts;
use crate::error::{Error, Result};
use crate::fixed_matrix::{Basis, FixedCoordinates};
use crate::level_sums::{add_square, rotate_in, symmetric, LevelSums};
use crate::parallel::Team;
use crate::random_matrix::Group;
use crate::rank::Sequence;
use crate::residual;
use crate::symbolic::{Graph, Symbolic};
use std::sync::Arc;

/// A triangle's pivot below this share of its column's length is zero: the level cannot tell.
const DEFICIENT: f64 = 1e-12;

/// The system of a model, ready to be factored at any θ. What is large and does not depend on the response
/// is shared with the systems of other responses.
#[derive(Clone)]
pub struct System {
    pub n: usize,
    pub sum_log_weights: f64,
    pub coordinates: FixedCoordinates,
    pub groups: Vec<Group>,
    pub basis: Basis,
    pub dropped: Vec<usize>,
    /// Columns of C.
    pub width: usize,
    /// R | P of the leading levels, pivots cleaned.
    pub leading: LevelSums,
    /// C'(I − QQ')C, full, column-major.
    pub residual: Vec<f64>,
    pub symbolic: Arc<Symbolic>,
    /// Fⱼ: per element, leading width × scalar columns, column-major.
    pub values: Arc<Vec<f64>>,
    /// Z̃₂'(I − QQ')Z̃₂ in the fronts' panels; the diagonal blocks are full.
    pub panels: Arc<Aligned>,
    /// Z̃₂'(I − QQ')C, size × width, column-major.
    pub cross: Aligned,
    /// Number of public parameters.
    pub parameters: usize,
}

impl System {
    /// Prepare the cross-products for factorisation.
    pub fn new(sums: &CrossProducts, team: &Team) -> Result<System> {
        let mut squares = sums.residual.clone();
        let mut leading = sums.leading.clone();
        clean(&mut leading, |row| add_square(&mut squares, row));
        let residual = symmetric(&squares, sums.width());
        let graph = graph(sums, &leading);
        let symbolic = Symbolic::new(&graph, team)?;
        check_memory(&symbolic)?;
        let gram = total_gram(&residual, &leading);
        let (basis, dropped) = basis(&sums.coordinates, &gram);
        let mut system = System {
            n: sums.n,
            sum_log_weights: sums.sum_log_weights.value(),
            coordinates: sums.coordinates.clone(),
            groups: sums.groups.clone(),
            basis,
            dropped,
            width: sums.width(),
            residual,
            values: Arc::default(),
            panels: Arc::default(),
            cross: Aligned::zeros(symbolic.size * sums.width()),
            parameters: sums
                .groups
                .iter()
                .map(|group| group.template.entries().len())
                .sum(),
            leading,
            symbolic: Arc::new(symbolic),
        };
        system.values = Arc::new(residual::project(&system, sums, team)?);
        system.panels = Arc::new(residual::panels(&system, sums, team)?);
        residual::fill_cross(&mut system, sums, team)?;
        Ok(system)
    }

    /// The group of a node's index (0 = first after the leading one).
    pub fn rest(&self, group: u32) -> &Group {
        &self.groups[group as usize + 1]
    }

    /// Fixed effects kept.
    pub fn rank(&self) -> usize {
        self.basis.rank()
    }

    /// Sum of squares of ỹ about its mean.
    pub fn spread(&self) -> f64 {
        let (gram, last) = (self.gram(), (self.width - 1) * self.width);
        gram[gram.len() - 1] - gram[last].powi(2) / gram[0]
    }

    /// C'C: the Gram matrix of the fixed columns and the response.
    pub fn gram(&self) -> Vec<f64> {
        total_gram(&self.residual, &self.leading)
    }
}

/// Zero the pivots that are rounding only; what their rows hold goes to the rows below, and of C's columns
/// `rest` takes what is left over.
pub(crate) fn clean(sums: &mut LevelSums, mut rest: impl FnMut(&[f64])) {
    let (width, stride) = (sums.width, sums.stride);
    for j in 0..sums.levels {
        let level = sums.level_mut(j);
        for i in 0..width {
            let length = (0..=i)
                .map(|k| level[k * stride + i].powi(2))
                .sum::<f64>()
                .sqrt();
            let row = &mut level[i * stride..(i + 1) * stride];
            if row[i].abs() <= DEFICIENT * length {
                let mut loose = row.to_vec();
                row.fill(0.0);
                loose[..=i].fill(0.0);
                if i + 1 < width {
                    let below = &mut level[(i + 1) * stride..];
                    rotate_below(below, i + 1, width, stride, &mut loose);
                }
                rest(&loose[width..]);
            }
        }
    }
}

/// Rotate `row` into the triangle rows `first..width`, of which `rows` holds the memory.
fn rotate_below(rows: &mut [f64], first: usize, width: usize, stride: usize, row: &mut [f64]) {
    // The rows' own pivots stand at column `first`, so shift both by the columns before it.
    let mut square = vec![0.0; (width - first) * (stride - first)];
    for (k, target) in square.chunks_exact_mut(stride - first).enumerate() {
        target.copy_from_slice(&rows[k * stride + first..(k + 1) * stride]);
    }
    rotate_in(
        &mut square,
        width - first,
        stride - first,
        &mut row[first..],
    );
    for (k, source) in square.chunks_exact(stride - first).enumerate() {
        rows[k * stride + first..(k + 1) * stride].copy_from_slice(source);
    }
}

/// Residual Gram matrix plus Σ Pⱼ'Pⱼ.
fn total_gram(residual: &[f64], leading: &LevelSums) -> Vec<f64> {
    let mut gram = residual.to_vec();
    leading.add_squares(&mut gram);
    gram
}

/// Keep the columns of X that add to those on their left, as R does.
fn basis(coordinates: &FixedCoordinates, gram: &[f64]) -> (Basis, Vec<usize>) {
    let all: Vec<usize> = (0..coordinates.place.len()).collect();
    let full = Basis::new(coordinates, &all);
    let columns: Vec<&[f64]> = all.iter().map(|&k| full.column(k)).collect();
    let kept = Sequence::new(gram, &columns).kept;
    let dropped = all.iter().copied().filter(|k| !kept.contains(k)).collect();
    (Basis::new(coordinates, &kept), dropped)
}

/// Nodes of the remaining groups, and which of them each leading level links.
fn graph(sums: &CrossProducts, leading: &LevelSums) -> Graph {
    let rest = sums.groups.iter().skip(1);
    let levels: Vec<usize> = rest.clone().map(|group| group.levels).collect();
    let mut elements = vec![Vec::new(); if levels.is_empty() { 0 } else { leading.levels }];
    let mut first = 0;
    for (g, &count) in levels.iter().enumerate() {
        if let Some(pairs) = sums.pairs.iter().find(|pairs| pairs.groups == (0, g + 1)) {
            for (j, element) in elements.iter_mut().enumerate() {
                element.extend(
                    pairs.levels[pairs.row(j)]
                        .iter()
                        .map(|&level| level + first),
                );
            }
        }
        first += count as u32;
    }
    Graph {
        widths: sums
            .rest
            .iter()
            .flat_map(|rest| (0..rest.levels).map(|j| used_columns(rest, j)))
            .collect(),
        levels,
        elements,
    }
}

/// Columns of a level up to the last that is not zero throughout.
fn used_columns(sums: &LevelSums, j: usize) -> usize {
    let level = sums.level(j);
    (1..sums.width)
        .rev()
        .find(|&i| level[i * sums.stride + i] != 0.0)
        .map_or(1, |i| i + 1)
}

fn check_memory(symbolic: &Symbolic) -> Result<()> {
    let needed = symbolic.bytes();
    match crate::memory::available() {
        Some(available) if needed > available => Err(Error::Memory {
            what: format!("the factor of {} random effects", symbolic.size),
            needed,
            available,
        }),
        _ => Ok(()),
    }
}
