//! The penalised least-squares system of one model, apart from θ: made once from the cross-products.
//!
//! With V₁ the covariance of the leading group alone and D = [Z̃₂ C] the remaining columns,
//!
//!     D'V₁⁻¹D = D'(I − QQ')D + Σⱼ (Qⱼ'D)' Aⱼ⁻¹ (Qⱼ'D),     Aⱼ = I + Rⱼλ̃λ̃'Rⱼ'
//!
//! a sum of positive parts. The first is kept here for every pair of columns; of the second Rⱼ,
//! Pⱼ = Qⱼ'C and Fⱼ = Qⱼ'Z̃₂ (sparse: the elements of `symbolic`).

use crate::aligned::Aligned;
use crate::cross_products::{add_square, rotate_in, symmetric, CrossProducts, LevelSums, Sum2};
use crate::elements::add_products;
use crate::error::{Error, Result};
use crate::fixed_matrix::{Basis, FixedCoordinates};
use crate::pairs::PairSums;
use crate::parallel::Team;
use crate::random_matrix::Group;
use crate::symbolic::{Graph, Symbolic};

/// A triangle's pivot below this share of its column's length is zero: the level cannot tell.
const DEFICIENT: f64 = 1e-12;
/// A fixed column is dropped when less than this share of its length is new (R's tolerance).
const RANK_TOLERANCE: f64 = 1e-7;

/// The system of a model, ready to be factored at any θ.
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
    pub symbolic: Symbolic,
    /// Fⱼ: per element, leading width × scalar columns, column-major.
    pub values: Vec<f64>,
    /// Z̃₂'(I − QQ')Z̃₂ in the fronts' panels; the diagonal blocks are full.
    pub panels: Aligned,
    /// Z̃₂'(I − QQ')C, size × width, column-major.
    pub cross: Aligned,
    /// Number of public parameters.
    pub parameters: usize,
}

impl System {
    /// Prepare the cross-products for factorisation.
    pub fn new(sums: &CrossProducts, team: &Team) -> Result<System> {
        let mut squares = sums.residual.clone();
        let leading = clean(&sums.leading, &mut squares);
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
            values: Vec::new(),
            panels: Aligned::zeros(symbolic.panels),
            cross: Aligned::zeros(symbolic.size * sums.width()),
            parameters: sums.groups.iter().map(|group| group.template.entries().len()).sum(),
            leading,
            symbolic,
        };
        system.values = project(&system, sums, team)?;
        fill_panels(&mut system, sums, team)?;
        fill_cross(&mut system, sums, team)?;
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

    /// C'C: the Gram matrix of the fixed columns and the response.
    pub fn gram(&self) -> Vec<f64> {
        total_gram(&self.residual, &self.leading)
    }
}

/// Zero the pivots that are rounding only; what their rows hold goes to the rows below.
fn clean(sums: &LevelSums, residual: &mut [Sum2]) -> LevelSums {
    let mut cleaned = sums.clone();
    let (width, stride) = (sums.width, sums.stride);
    for j in 0..sums.levels {
        let level = cleaned.level_mut(j);
        for i in 0..width {
            let length = (0..=i).map(|k| level[k * stride + i].powi(2)).sum::<f64>().sqrt();
            let row = &mut level[i * stride..(i + 1) * stride];
            if row[i].abs() <= DEFICIENT * length {
                let mut loose = row.to_vec();
                row.fill(0.0);
                loose[..=i].fill(0.0);
                if i + 1 < width {
                    let below = &mut level[(i + 1) * stride..];
                    rotate_below(below, i + 1, width, stride, &mut loose);
                }
                add_square(residual, &loose[width..]);
            }
        }
    }
    cleaned
}

/// Rotate `row` into the triangle rows `first..width`, of which `rows` holds the memory.
fn rotate_below(rows: &mut [f64], first: usize, width: usize, stride: usize, row: &mut [f64]) {
    // The rows' own pivots stand at column `first`, so shift both by the columns before it.
    let mut square = vec![0.0; (width - first) * (stride - first)];
    for (k, target) in square.chunks_exact_mut(stride - first).enumerate() {
        target.copy_from_slice(&rows[k * stride + first..(k + 1) * stride]);
    }
    rotate_in(&mut square, width - first, stride - first, &mut row[first..]);
    for (k, source) in square.chunks_exact(stride - first).enumerate() {
        rows[k * stride + first..(k + 1) * stride].copy_from_slice(source);
    }
}

/// Residual Gram matrix plus Σ Pⱼ'Pⱼ.
fn total_gram(residual: &[f64], leading: &LevelSums) -> Vec<f64> {
    let width = leading.stride - leading.width;
    let mut gram = residual.to_vec();
    for row in leading.data.chunks_exact(leading.stride) {
        let p = &row[leading.width..];
        for b in 0..width {
            for a in 0..width {
                gram[a + b * width] += p[a] * p[b];
            }
        }
    }
    gram
}

/// Keep the columns of X that add to those on their left, as R does.
fn basis(coordinates: &FixedCoordinates, gram: &[f64]) -> (Basis, Vec<usize>) {
    let all: Vec<usize> = (0..coordinates.place.len()).collect();
    let full = Basis::new(coordinates, &all);
    let width = full.width;
    let inner = |a: &[f64], b: &[f64]| -> f64 {
        (0..width).map(|j| b[j] * (0..width).map(|i| a[i] * gram[i + j * width]).sum::<f64>()).sum()
    };
    let mut rows: Vec<Vec<f64>> = Vec::new();
    let (mut kept, mut dropped) = (Vec::new(), Vec::new());
    for &k in &all {
        let length = inner(full.column(k), full.column(k));
        let mut projections: Vec<f64> = Vec::new();
        for (row, &other) in rows.iter().zip(&kept) {
            let product = inner(full.column(k), full.column(other));
            let known: f64 = projections.iter().zip(row).map(|(a, b)| a * b).sum();
            projections.push((product - known) / row[row.len() - 1]);
        }
        let left = length - projections.iter().map(|p| p * p).sum::<f64>();
        // The squares hold about 15 digits, so a share of 1e-7 is judged with their rounding allowed for.
        if left > (RANK_TOLERANCE.powi(2) + 1e-14 * (kept.len() + 1) as f64) * length {
            projections.push(left.sqrt());
            rows.push(projections);
            kept.push(k);
        } else {
            dropped.push(k);
        }
    }
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
                element.extend(pairs.levels[pairs.row(j)].iter().map(|&level| level + first));
            }
        }
        first += count as u32;
    }
    Graph {
        widths: sums.rest.iter().flat_map(|rest| (0..rest.levels).map(|j| used_columns(rest, j))).collect(),
        levels,
        elements,
    }
}

/// Columns of a level up to the last that is not zero throughout.
fn used_columns(sums: &LevelSums, j: usize) -> usize {
    let level = sums.level(j);
    (1..sums.width).rev().find(|&i| level[i * sums.stride + i] != 0.0).map_or(1, |i| i + 1)
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

/// Fⱼ = Rⱼ'⁻¹ (Z̃₁'Z̃₂)ⱼ, columns in the elements' order.
fn project(system: &System, sums: &CrossProducts, team: &Team) -> Result<Vec<f64>> {
    let (width, stride) = (system.leading.width, system.leading.stride);
    let elements = &system.symbolic.elements;
    let mut values = vec![0.0; elements.columns.last().copied().unwrap_or(0) * width];
    let mut next = vec![0usize; system.groups.len()];
    for e in 0..elements.len() {
        team.check_every(e)?;
        let triangle = system.leading.level(e);
        for entry in elements.range(e) {
            let node = elements.nodes[entry] as usize;
            let (group, level) = (system.symbolic.group[node], system.symbolic.level[node]);
            let pairs = leading_pairs(sums, group);
            let place = find(pairs, e, level, &mut next[group as usize]);
            let from = (elements.columns[e] + elements.column[entry] as usize) * width;
            let block = &mut values[from..from + system.symbolic.columns(node).len() * width];
            block.copy_from_slice(&pairs.value(place)[..block.len()]);
            for column in block.chunks_exact_mut(width) {
                for i in 0..width {
                    let pivot = triangle[i * stride + i];
                    let known: f64 = (0..i).map(|l| triangle[l * stride + i] * column[l]).sum();
                    column[i] = if pivot == 0.0 { 0.0 } else { (column[i] - known) / pivot };
                }
            }
        }
    }
    Ok(values)
}

fn leading_pairs(sums: &CrossProducts, group: u32) -> &PairSums {
    // Pairs are listed (0, 1), (0, 2), … first.
    &sums.pairs[group as usize]
}

/// Place of `level` among the partners of `j`; tries the place after the last one found first.
fn find(pairs: &PairSums, j: usize, level: u32, hint: &mut usize) -> usize {
    let range = pairs.row(j);
    let place = if range.contains(hint) && pairs.levels[*hint] == level {
        *hint
    } else {
        range.start + pairs.levels[range.clone()].partition_point(|&other| other < level)
    };
    *hint = place + 1;
    place
}

/// Z̃₂'Z̃₂ − Σ Fⱼ'Fⱼ in the panels.
fn fill_panels(system: &mut System, sums: &CrossProducts, team: &Team) -> Result<()> {
    let mut panels = std::mem::take(&mut system.panels);
    let mut explained = Aligned::zeros(panels.len());
    let symbolic = &system.symbolic;
    let mut owner = vec![0usize; symbolic.nodes()];
    for (s, front) in symbolic.fronts.iter().enumerate() {
        let first = symbolic.scalar.partition_point(|&column| column < front.start);
        let last = symbolic.scalar.partition_point(|&column| column < front.start + front.own);
        owner[first..last].fill(s);
    }
    let mut add = |a: usize, b: usize, value: &dyn Fn(usize, usize) -> f64| {
        let front = &symbolic.fronts[owner[a]];
        let (row, column) = (symbolic.local(front, b), symbolic.local(front, a));
        let (rows, columns) = (symbolic.columns(b).len(), symbolic.columns(a).len());
        for j in 0..columns {
            for i in 0..rows {
                panels[front.panel + (row + i) + (column + j) * front.stride] += value(i, j);
                if a != b && row + i < front.own {
                    panels[front.panel + (column + j) + (row + i) * front.stride] += value(i, j);
                }
            }
        }
    };
    for node in 0..symbolic.nodes() {
        let sums = &sums.rest[symbolic.group[node] as usize];
        let level = sums.level(symbolic.level[node] as usize);
        add(node, node, &|i, j| level[i * sums.stride + j]);
    }
    let first: Vec<usize> = first_nodes(system);
    for pairs in sums.pairs.iter().filter(|pairs| pairs.groups.0 > 0) {
        let (s, t) = pairs.groups;
        for j in 0..pairs.start.len() - 1 {
            for place in pairs.row(j) {
                let x = symbolic.order[first[s - 1] + j] as usize;
                let z = symbolic.order[first[t - 1] + pairs.levels[place] as usize] as usize;
                let value = pairs.value(place);
                let rows = pairs.shape.0;
                if x < z {
                    add(x, z, &|i, j| value[j + i * rows]);
                } else {
                    add(z, x, &|i, j| value[i + j * rows]);
                }
            }
        }
    }
    let (elements, width) = (&symbolic.elements, system.leading.width);
    for e in 0..elements.len() {
        team.check_every(e)?;
        let range = elements.range(e);
        let front = &symbolic.fronts.get(elements.front[e] as usize);
        // Columns that the element's own front eliminates lie side by side in its panel.
        if let Some(front) = front {
            let values = &system.values[elements.columns[e] * width..elements.columns[e + 1] * width];
            add_products(width, values, elements.places(e), 0..front.own, front.stride, &mut explained[front.panel..]);
        }
        let column = |entry: usize, k: usize| {
            let from = (elements.columns[e] + elements.column[entry] as usize + k) * width;
            &system.values[from..from + width]
        };
        for a in range.clone() {
            let below = front.is_some_and(|front| elements.places(e)[elements.column[a] as usize] as usize >= front.own);
            for b in a..if below { range.end } else { a } {
                let dot = |i: usize, j: usize| -> f64 {
                    -column(b, i).iter().zip(column(a, j)).map(|(x, y)| x * y).sum::<f64>()
                };
                add(elements.nodes[a] as usize, elements.nodes[b] as usize, &dot);
            }
        }
    }
    for front in &symbolic.fronts {
        for j in 0..front.own {
            for i in j..front.size {
                let value = explained[front.panel + i + j * front.stride];
                panels[front.panel + i + j * front.stride] -= value;
                if i > j && i < front.own {
                    panels[front.panel + j + i * front.stride] -= value;
                }
            }
        }
    }
    system.panels = panels;
    Ok(())
}

/// Number of the first node of each remaining group, before ordering.
fn first_nodes(system: &System) -> Vec<usize> {
    let mut first = vec![0];
    for group in system.groups.iter().skip(1) {
        first.push(first[first.len() - 1] + group.levels);
    }
    first
}

/// Z̃₂'C − Σ Fⱼ'Pⱼ.
fn fill_cross(system: &mut System, sums: &CrossProducts, team: &Team) -> Result<()> {
    let mut cross = std::mem::take(&mut system.cross);
    let symbolic = &system.symbolic;
    let (size, columns) = (symbolic.size, system.width);
    let (lead, elements) = (&system.leading, &symbolic.elements);
    for node in 0..symbolic.nodes() {
        team.check_every(node)?;
        let own = &sums.rest[symbolic.group[node] as usize];
        let level = own.level(symbolic.level[node] as usize);
        for i in 0..symbolic.columns(node).len() {
            for c in 0..columns {
                let mut value = level[i * own.stride + own.width + c];
                for &entry in elements.uses(node) {
                    let e = elements.owner[entry as usize] as usize;
                    let from = (elements.columns[e] + elements.column[entry as usize] as usize + i) * lead.width;
                    for l in 0..lead.width {
                        value -= system.values[from + l] * lead.level(e)[l * lead.stride + lead.width + c];
                    }
                }
                cross[symbolic.scalar[node] + i + c * size] = value;
            }
        }
    }
    system.cross = cross;
    Ok(())
}
