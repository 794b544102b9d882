//! z and G of the remaining groups (see `derivatives`).
//!
//! Where λ̃ is well conditioned, z = λ̃'⁻¹û and Σ[Z̃'V⁻¹Z̃] = λ̃'⁻¹ Σ(I − M⁻¹) λ̃⁻¹ are cheap and exact.
//! Else both come from products with K = Z̃₂'V₁⁻¹Z̃₂, which never divide: z = D − Kb, and per level
//! K_kk − ‖L⁻¹Λ'K_k‖².

use crate::aligned::Aligned;
use crate::derivatives::{leading_answers, Directions};
use crate::error::Result;
use crate::factor::Factor;
use crate::gram::add;
use crate::lambda::Small;
use crate::leading::solve_upper;
use crate::parallel::Team;
use crate::symbolic::Symbolic;

/// Smallest pivot of λ̃ (scaled columns, and against its largest entry) that may be divided by.
const CONDITIONED: f64 = 1e-3;
/// Columns of one batch of products.
const BATCH: usize = 32;

/// The complement's answer to the directions.
pub struct Solution {
    /// L'⁻¹H·directions, size × columns; its first column is û.
    unscaled: Aligned,
    /// Λ₂ of that; its first column is b̂.
    pub scaled: Aligned,
}

impl Solution {
    pub fn new(factor: &Factor<'_>, directions: &Directions) -> Self {
        let (size, width) = (factor.system.symbolic.size, factor.system.width);
        let mut unscaled = Aligned::zeros(size * directions.columns);
        combine(&factor.cross, size, &directions.of_c, width, &mut unscaled);
        factor.backward(&mut unscaled, directions.columns);
        let mut scaled = unscaled.clone();
        factor.scale(&mut scaled, directions.columns);
        Solution { unscaled, scaled }
    }

    /// û.
    pub fn modes(&self, size: usize) -> Vec<f64> {
        self.unscaled[..size].to_vec()
    }
}

/// out += matrix (size × width) · coefficients (width × columns).
fn combine(matrix: &[f64], size: usize, coefficients: &[f64], width: usize, out: &mut [f64]) {
    if size == 0 {
        return;
    }
    for (target, column) in out
        .chunks_exact_mut(size)
        .zip(coefficients.chunks_exact(width))
    {
        for (source, &value) in matrix.chunks_exact(size).zip(column) {
            if value != 0.0 {
                target
                    .iter_mut()
                    .zip(source)
                    .for_each(|(sum, h)| *sum += value * h);
            }
        }
    }
}

/// z (elimination order), G and its scale for every remaining group.
pub struct Parts {
    pub z: Vec<f64>,
    pub g: Vec<Small>,
    pub scale: Vec<f64>,
}

/// Z̃₂'V⁻¹ of every direction, size × columns, elimination order.
pub fn images(
    factor: &Factor<'_>,
    directions: &Directions,
    solution: &Solution,
    team: &Team,
) -> Aligned {
    let symbolic = &factor.system.symbolic;
    let size = symbolic.size;
    let conditioned: Vec<bool> = factor.lambda.iter().skip(1).map(well_conditioned).collect();
    let mut images = solution.unscaled.clone();
    let products = if conditioned.iter().all(|&good| good) {
        Vec::new()
    } else {
        images_by_products(factor, directions, solution, team)
    };
    for node in 0..symbolic.nodes() {
        let group = symbolic.group[node];
        for c in 0..directions.columns {
            let range = symbolic.scalar[node] + c * size..symbolic.scalar[node + 1] + c * size;
            if conditioned[group as usize] {
                solve_transposed(factor.rest_lambda(group), &mut images[range]);
            } else {
                images[range.clone()].copy_from_slice(&products[range]);
            }
        }
    }
    images
}

/// All remaining groups.
pub fn parts(
    factor: &Factor<'_>,
    directions: &Directions,
    solution: &Solution,
    team: &Team,
) -> Result<Parts> {
    let symbolic = &factor.system.symbolic;
    let size = symbolic.size;
    let images = images(factor, directions, solution, team);
    let mut parts = Parts {
        z: images[..size].to_vec(),
        g: Vec::new(),
        scale: Vec::new(),
    };
    for group in 0..factor.lambda.len().saturating_sub(1) {
        let lambda = factor.rest_lambda(group as u32);
        let mut g = if well_conditioned(lambda) {
            {
                let inverse = &factor.fronts.inverse;
                divided(
                    lambda,
                    &sum_complements(symbolic, inverse, (group, lambda.cols)),
                )
            }
        } else {
            sum_by_products(factor, group, team)?
        };
        parts.scale.push((0..g.rows).map(|i| g.at(i, i)).sum());
        for node in (0..symbolic.nodes()).filter(|&node| symbolic.group[node] as usize == group) {
            for c in 0..directions.columns {
                let width = symbolic.columns(node).len();
                let image = &images[symbolic.scalar[node] + c * size..][..width];
                let weight = if c == 0 { directions.weight } else { 1.0 };
                for b in 0..width {
                    for a in 0..width {
                        g.data[a + b * g.rows] -= weight * image[a] * image[b];
                    }
                }
            }
        }
        parts.g.push(g);
    }
    Ok(parts)
}

/// May λ̃ be divided by?
pub fn well_conditioned(lambda: &Small) -> bool {
    let largest = lambda.data.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    (0..lambda.cols).all(|i| lambda.at(i, i).abs() >= CONDITIONED * largest.max(1.0))
}

/// x ← λ'⁻¹ x, for the first columns of λ if x is shorter.
pub fn solve_transposed(lambda: &Small, x: &mut [f64]) {
    for i in (0..x.len()).rev() {
        let known: f64 = (i + 1..x.len()).map(|l| lambda.at(l, i) * x[l]).sum();
        x[i] = (x[i] - known) / lambda.at(i, i);
    }
}

/// λ'⁻¹ S λ⁻¹ for a symmetric S.
pub(crate) fn divided(lambda: &Small, sum: &Small) -> Small {
    let mut half = sum.clone();
    half.data
        .chunks_exact_mut(sum.rows)
        .for_each(|column| solve_transposed(lambda, column));
    let mut whole = half.transposed();
    whole
        .data
        .chunks_exact_mut(sum.rows)
        .for_each(|column| solve_transposed(lambda, column));
    whole
}

/// Σ (I − M⁻¹) over the levels of a group of q effects, from M₂⁻¹ on the fronts.
pub(crate) fn sum_complements(
    symbolic: &Symbolic,
    inverse: &[f64],
    (group, q): (usize, usize),
) -> Small {
    let mut sum = Small::zeros(q, q);
    for front in &symbolic.fronts {
        let mut node = symbolic
            .scalar
            .partition_point(|&column| column < front.start);
        while node < symbolic.nodes() && symbolic.scalar[node] < front.start + front.own {
            if symbolic.group[node] as usize == group {
                let place = symbolic.scalar[node] - front.start;
                let width = symbolic.columns(node).len();
                for b in 0..width {
                    for a in 0..width {
                        let unit = f64::from(u8::from(a == b));
                        let at = front.square + place + a + (place + b) * front.stride;
                        sum.data[a + b * q] += unit - inverse[at];
                    }
                }
            }
            node += 1;
        }
    }
    sum
}

/// D − Kb: Z̃₂'V⁻¹ of every direction without dividing by λ̃.
fn images_by_products(
    factor: &Factor<'_>,
    directions: &Directions,
    solution: &Solution,
    team: &Team,
) -> Vec<f64> {
    let system = factor.system;
    let size = system.symbolic.size;
    let answers = leading_answers(factor, directions, solution, team);
    let mut images = vec![0.0; size * directions.columns];
    factor.collect(
        team,
        &system.values,
        directions.columns,
        &answers,
        &mut images,
    );
    combine(
        &system.cross,
        size,
        &directions.of_c,
        system.width,
        &mut images,
    );
    let product = factor.residual_product(&solution.scaled, directions.columns);
    images
        .iter_mut()
        .zip(product.iter())
        .for_each(|(image, kb)| *image -= kb);
    images
}

/// Kx for a size × columns matrix.
fn complement_product(factor: &Factor<'_>, x: &[f64], columns: usize, team: &Team) -> Vec<f64> {
    let system = factor.system;
    let r = system.leading.width;
    let mut spread = factor.spread(x, columns, team);
    for (level, pivot) in spread
        .chunks_exact_mut(r * columns)
        .zip(factor.pivots.chunks_exact(r * r))
    {
        solve_upper(pivot, r, level, columns);
    }
    let mut product = vec![0.0; x.len()];
    factor.collect(team, &system.values, columns, &spread, &mut product);
    let residual = factor.residual_product(x, columns);
    product
        .iter_mut()
        .zip(residual.iter())
        .for_each(|(sum, value)| *sum += value);
    product
}

/// Σ [K_kk − ‖L⁻¹Λ'K_k‖²] over a group's levels.
fn sum_by_products(factor: &Factor<'_>, group: usize, team: &Team) -> Result<Small> {
    let symbolic = &factor.system.symbolic;
    let q = factor.rest_lambda(group as u32).cols;
    let nodes: Vec<usize> = (0..symbolic.nodes())
        .filter(|&node| symbolic.group[node] as usize == group)
        .collect();
    let batches: Vec<&[usize]> = nodes.chunks((BATCH / q).max(1)).collect();
    let mut sum = Small::zeros(q, q);
    let task = |k: usize| sum_of_batch(factor, batches[k], q, team);
    team.fold(batches.len(), task, |part: Small| {
        add(&mut sum.data, &part.data)
    })?;
    Ok(sum)
}

/// The same over a batch of levels.
fn sum_of_batch(factor: &Factor<'_>, batch: &[usize], q: usize, team: &Team) -> Small {
    let symbolic = &factor.system.symbolic;
    let (size, columns) = (symbolic.size, batch.len() * q);
    let mut unit = vec![0.0; size * columns];
    for (k, &node) in batch.iter().enumerate() {
        for (i, row) in symbolic.columns(node).enumerate() {
            unit[row + (k * q + i) * size] = 1.0;
        }
    }
    let product = complement_product(factor, &unit, columns, team);
    let mut sum = Small::zeros(q, q);
    if team.stopped() {
        return sum;
    }
    let mut solved = Aligned::zeros(size * columns);
    factor.add_scaled(&product, columns, &mut solved);
    factor.forward(&mut solved, columns);
    for (k, &node) in batch.iter().enumerate() {
        let width = symbolic.columns(node).len();
        for b in 0..width {
            for a in 0..width {
                let column = |i: usize| &solved[(k * q + i) * size..][..size];
                let explained: f64 = column(a).iter().zip(column(b)).map(|(x, y)| x * y).sum();
                let direct = product[symbolic.scalar[node] + a + (k * q + b) * size];
                sum.data[a + b * q] += direct - explained;
            }
        }
    }
    sum
}
