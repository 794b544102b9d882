//! tr(V⁻¹V_k) and tr(V⁻¹V_kV⁻¹V_l) for V_k = Z̃D_kZ̃', from q × q matrices.
//!
//! They need the blocks of C = Z̃'V⁻¹Z̃ between all pairs of levels. With the leading levels eliminated
//! (a = R'A⁻¹R, H = Z̃₂'V₁⁻¹Z̃₁, and N, J of `component`)
//!
//!     C₁₁ = blockdiag(a) − H'NH,    C₂₁ = JH,    C₂₂ = Z̃₂'V⁻¹Z̃₂
//!
//! and with G_j = h_j'Nh_j, S_k = HD_kH' the traces are
//!
//!     leading, leading        Σⱼ [tr(D_k a D_l a) − tr(D_k G D_l a) − tr(D_k a D_l G)] + tr(NS_kNS_l)
//!     leading k, remaining l  Σ_b tr(D_l [JS_kJ']_bb)
//!     remaining, remaining    Σ_ab tr(C_ab D_k C_ba D_l)
//!
//! where N S = Λ₂Λ₂'J S. No matrix of the leading group's size is formed.

use crate::component::{components, Component, Dense, Node};
use crate::derivatives::Explained;
use crate::direction::Direction;
use crate::error::Result;
use crate::factor::{Factor, LEVELS};
use crate::gram::add;
use crate::lambda::Small;
use crate::leading::solve_lower;
use crate::parallel::{piece, Team};
use crate::square::{task, tasks, Square};

/// Sums over levels and pairs of levels.
pub struct Traces {
    /// tr(V⁻¹V_k).
    pub single: Vec<f64>,
    /// tr(V⁻¹V_kV⁻¹V_l), count × count.
    pub pairs: Vec<f64>,
}

impl Traces {
    fn zeros(count: usize) -> Traces {
        Traces {
            single: vec![0.0; count],
            pairs: vec![0.0; count * count],
        }
    }

    fn add(&mut self, part: &Traces) {
        add(&mut self.single, &part.single);
        add(&mut self.pairs, &part.pairs);
    }
}

/// Multiplications that `traces` needs, and bytes of its dense matrices.
pub fn cost(factor: &Factor<'_>, directions: &[Direction]) -> (f64, f64) {
    let (list, _) = components(factor);
    let leading = directions.iter().filter(|d| d.group == 0).count() as f64;
    let cubes: f64 = list.iter().map(|c| (c.size as f64).powi(3)).sum();
    let largest = list.iter().map(|c| c.size).max().unwrap_or(0) as f64;
    (
        (leading + 3.0) * cubes,
        8.0 * (5.0 + 3.0 * leading) * largest * largest,
    )
}

/// All traces at the factor's θ, whose inverse on the fronts must have been made.
pub fn traces(factor: &Factor<'_>, directions: &[Direction], team: &Team) -> Result<Traces> {
    let (_, bytes) = cost(factor, directions);
    crate::memory::require(bytes, || {
        "the covariances between all pairs of levels of the smaller grouping factors".into()
    })?;
    let matrices: Vec<Small> = directions.iter().map(Direction::matrix).collect();
    let mut total = Traces::zeros(directions.len());
    let levels = factor.system.leading.levels;
    let work = |task: usize| leading(factor, directions, &matrices, piece(task, LEVELS, levels));
    team.fold(levels.div_ceil(LEVELS), work, |part| total.add(&part))?;
    let (list, place) = components(factor);
    let work = |c: usize| of_component(factor, &list[c], &place, directions, &matrices, team);
    let mut failed = None;
    team.fold(list.len(), work, |part| match part {
        Ok(part) => total.add(&part),
        Err(error) => failed = Some(error),
    })?;
    failed.map_or(Ok(total), Err)
}

/// Σⱼ of some leading levels.
fn leading(
    factor: &Factor<'_>,
    directions: &[Direction],
    matrices: &[Small],
    levels: std::ops::Range<usize>,
) -> Traces {
    let sums = &factor.system.leading;
    let (r, count) = (sums.width, directions.len());
    let own: Vec<usize> = (0..count).filter(|&k| directions[k].group == 0).collect();
    let mut part = Traces::zeros(count);
    let mut explained = Explained::new(r);
    let mut half = vec![0.0; r * r];
    for j in levels {
        let rows = sums.level(j).chunks_exact(sums.stride);
        for (row, source) in half.chunks_exact_mut(r).zip(rows) {
            row.copy_from_slice(&source[..r]);
        }
        solve_lower(&factor.pivots[j * r * r..(j + 1) * r * r], r, &mut half, r);
        explained.update(factor, j);
        let c = Small {
            rows: r,
            cols: r,
            data: half.clone(), // row-major: c⁻¹R transposed
        };
        let inner = Small {
            rows: r,
            cols: r,
            data: explained.matrix.clone(),
        };
        let a = c.times(&c.transposed());
        let g = c.times(&inner).times(&c.transposed());
        let products: Vec<(Small, Small)> = own
            .iter()
            .map(|&k| (matrices[k].times(&a), matrices[k].times(&g)))
            .collect();
        for (&k, (ka, kg)) in own.iter().zip(&products) {
            part.single[k] += trace(ka) - trace(kg);
            for (&l, (la, lg)) in own.iter().zip(&products) {
                part.pairs[k * count + l] +=
                    trace_of_product(ka, la) - trace_of_product(kg, la) - trace_of_product(ka, lg);
            }
        }
    }
    part
}

fn trace(a: &Small) -> f64 {
    (0..a.rows).map(|i| a.at(i, i)).sum()
}

/// tr(ab).
fn trace_of_product(a: &Small, b: &Small) -> f64 {
    let row = |i: usize| (0..a.cols).map(|l| a.at(i, l) * b.at(l, i)).sum::<f64>();
    (0..a.rows).map(row).sum()
}

/// What one component of the remaining groups adds.
fn of_component(
    factor: &Factor<'_>,
    component: &Component,
    place: &[u32],
    directions: &[Direction],
    matrices: &[Small],
    team: &Team,
) -> Result<Traces> {
    let dense = Dense::new(factor, component, place, team)?;
    let count = directions.len();
    let mut part = Traces::zeros(count);
    let leading: Vec<usize> = (0..count).filter(|&k| directions[k].group == 0).collect();
    let mut scaled: Vec<Square> = Vec::new();
    for &k in &leading {
        let square = dense.leading_square(&matrices[k], team);
        let y = dense.j.times(&square, team);
        team.check()?;
        let blocks = diagonal_blocks(&dense, &y, directions, team)?;
        add_mixed(&blocks, k, directions, matrices, &mut part);
        scaled.push(dense.scaled_twice(y, team));
    }
    for (a, &k) in leading.iter().enumerate() {
        for (&l, other) in leading.iter().zip(&scaled).take(a + 1) {
            let value = scaled[a].trace_of_product(other, team)?;
            part.pairs[k * count + l] += value;
            if k != l {
                part.pairs[l * count + k] += value;
            }
        }
    }
    part.add(&remaining(&dense, directions, matrices, team)?);
    Ok(part)
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

/// Σ_b [YJ']_bb of every remaining group, for Y = JS_k.
fn diagonal_blocks(
    dense: &Dense<'_>,
    y: &Square,
    directions: &[Direction],
    team: &Team,
) -> Result<Vec<Small>> {
    let groups = directions.iter().map(|d| d.group).max().unwrap_or(0);
    let size = |g: usize| {
        directions
            .iter()
            .find(|d| d.group == g)
            .map_or(0, |d| d.t.len())
    };
    let zeros: Vec<Small> = (1..=groups)
        .map(|g| Small::zeros(size(g), size(g)))
        .collect();
    let work = |k: usize| {
        let mut blocks = zeros.clone();
        for j in task(y.size, k) {
            let (left, right) = (y.column(j), dense.j.column(j));
            for node in &dense.component.nodes {
                let block = &mut blocks[node.group];
                let (left, right) = (&left[node.columns.clone()], &right[node.columns.clone()]);
                for (b, y) in right.iter().enumerate() {
                    for (a, x) in left.iter().enumerate() {
                        block.data[a + b * block.rows] += x * y;
                    }
                }
            }
        }
        blocks
    };
    let mut total = zeros.clone();
    team.fold(tasks(y.size), work, |part: Vec<Small>| {
        let pairs = total.iter_mut().zip(&part);
        pairs.for_each(|(sum, block)| add(&mut sum.data, &block.data));
    })?;
    Ok(total)
}

/// Σ_b tr(D_l [YJ']_bb) for a leading direction k and every remaining l.
fn add_mixed(
    blocks: &[Small],
    k: usize,
    directions: &[Direction],
    matrices: &[Small],
    part: &mut Traces,
) {
    let count = directions.len();
    for (l, direction) in directions.iter().enumerate().filter(|(_, d)| d.group > 0) {
        let value = trace_of_product(&matrices[l], &blocks[direction.group - 1]);
        part.pairs[k * count + l] += value;
        part.pairs[l * count + k] += value;
    }
}

/// Σ_ab tr(C_ab D_k C_ba D_l) of remaining directions, and tr(C D_k).
fn remaining(
    dense: &Dense<'_>,
    directions: &[Direction],
    matrices: &[Small],
    team: &Team,
) -> Result<Traces> {
    let nodes = &dense.component.nodes;
    let work = |k: usize| {
        let mut part = Traces::zeros(directions.len());
        for node in &nodes[task(nodes.len(), k)] {
            add_node(dense, node, directions, matrices, &mut part);
        }
        part
    };
    let mut total = Traces::zeros(directions.len());
    team.fold(tasks(nodes.len()), work, |part| total.add(&part))?;
    Ok(total)
}

/// What the columns of one node add.
fn add_node(
    dense: &Dense<'_>,
    node: &Node,
    directions: &[Direction],
    matrices: &[Small],
    part: &mut Traces,
) {
    let (count, size) = (directions.len(), dense.component.size);
    let of_node: Vec<usize> = of_group(directions, node.group + 1);
    // (C D_k) in this node's columns.
    let right: Vec<Vec<f64>> = of_node
        .iter()
        .map(|&k| times_block(&dense.inner, node.columns.clone(), &matrices[k]))
        .collect();
    for (&k, right) in of_node.iter().zip(&right) {
        part.single[k] += (0..node.columns.len())
            .map(|b| right[b * size + node.columns.start + b])
            .sum::<f64>();
    }
    for (l, direction) in directions.iter().enumerate().filter(|(_, d)| d.group > 0) {
        let left = block_times(dense, direction.group - 1, node, &matrices[l]);
        for (&k, right) in of_node.iter().zip(&right) {
            part.pairs[k * count + l] += dot(&left, right);
        }
    }
}

fn of_group(directions: &[Direction], group: usize) -> Vec<usize> {
    (0..directions.len())
        .filter(|&k| directions[k].group == group)
        .collect()
}

/// Columns of C times the leading part of D: size × width, column-major.
fn times_block(c: &Square, columns: std::ops::Range<usize>, d: &Small) -> Vec<f64> {
    let mut out = vec![0.0; c.size * columns.len()];
    for (b, target) in out.chunks_exact_mut(c.size.max(1)).enumerate() {
        for (l, column) in columns.clone().enumerate() {
            let factor = d.at(l, b);
            target
                .iter_mut()
                .zip(c.column(column))
                .for_each(|(sum, value)| *sum += factor * value);
        }
    }
    out
}

/// D on the rows of group `group` times a node's columns of C; other rows are zero.
fn block_times(dense: &Dense<'_>, group: usize, node: &Node, d: &Small) -> Vec<f64> {
    let (size, width) = (dense.component.size, node.columns.len());
    let mut out = vec![0.0; size * width];
    for (target, column) in out.chunks_exact_mut(size.max(1)).zip(node.columns.clone()) {
        let source = dense.inner.column(column);
        for rows in dense.component.nodes.iter().filter(|n| n.group == group) {
            let range = rows.columns.clone();
            for (i, at) in range.clone().enumerate() {
                let row = source[range.clone()].iter().enumerate();
                target[at] = row.map(|(l, value)| d.at(i, l) * value).sum();
            }
        }
    }
    out
}
