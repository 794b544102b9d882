//! What the leading group leaves of the other groups: Fⱼ, Z̃₂'(I − QQ')Z̃₂ and Z̃₂'(I − QQ')C.

use crate::aligned::Aligned;
use crate::assemble::tasks;
use crate::cross_products::CrossProducts;
use crate::elements::add_products;
use crate::error::Result;
use crate::pairs::PairSums;
use crate::parallel::{Shared, Team};
use crate::symbolic::Symbolic;
use crate::system::System;

/// Rows mirrored at a time, so that both sides stay in the cache.
const TILE: usize = 32;

/// Fⱼ = Rⱼ'⁻¹ (Z̃₁'Z̃₂)ⱼ, columns in the elements' order.
pub fn project(system: &System, sums: &CrossProducts, team: &Team) -> Result<Vec<f64>> {
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
                    column[i] = if pivot == 0.0 {
                        0.0
                    } else {
                        (column[i] - known) / pivot
                    };
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
pub fn panels(system: &System, sums: &CrossProducts, team: &Team) -> Result<Aligned> {
    let mut panels = Aligned::zeros(system.symbolic.panels);
    subtract_explained(system, &mut panels, team)?;
    subtract_explained_above(system, &mut panels, team)?;
    add_grams(system, sums, &mut panels);
    mirror(&system.symbolic, &mut panels, team)?;
    Ok(panels)
}

/// − Σ F'F in the columns that an element's own front eliminates: they lie side by side in its panel.
fn subtract_explained(system: &System, panels: &mut Aligned, team: &Team) -> Result<()> {
    let (elements, width) = (&system.symbolic.elements, system.leading.width);
    let shared = Shared::new(panels);
    let tasks = tasks(&system.symbolic.fronts, |front| front.own);
    team.each(tasks.len(), |task| {
        for job in &tasks[task] {
            let front = &system.symbolic.fronts[job.front];
            // SAFETY: jobs are disjoint ranges of columns.
            let target =
                unsafe { shared.range(front.panel + job.from * front.stride, job.len(front)) };
            for &e in &elements.of_front[job.front] {
                let e = e as usize;
                let values =
                    &system.values[elements.columns[e] * width..elements.columns[e + 1] * width];
                let (places, front) = (elements.places(e), (job.from..job.to, front.stride));
                add_products(width, (values, values), -1.0, places, front, target);
            }
        }
    });
    team.check()
}

/// The same for the pairs of an element that fronts further up eliminate.
fn subtract_explained_above(system: &System, panels: &mut [f64], team: &Team) -> Result<()> {
    let (symbolic, width) = (&system.symbolic, system.leading.width);
    let elements = &symbolic.elements;
    for e in 0..elements.len() {
        team.check_every(e)?;
        let Some(front) = symbolic.fronts.get(elements.front[e] as usize) else {
            continue;
        };
        let column = |entry: usize, k: usize| {
            let from = (elements.columns[e] + elements.column[entry] as usize + k) * width;
            &system.values[from..from + width]
        };
        let range = elements.range(e);
        let above = |entry: usize| {
            elements.places(e)[elements.column[entry] as usize] as usize >= front.own
        };
        for a in range.clone().filter(|&entry| above(entry)) {
            for b in a..range.end {
                let dot = |i: usize, j: usize| -> f64 {
                    column(b, i)
                        .iter()
                        .zip(column(a, j))
                        .map(|(x, y)| -x * y)
                        .sum()
                };
                add_block(
                    symbolic,
                    panels,
                    elements.nodes[a] as usize,
                    elements.nodes[b] as usize,
                    dot,
                );
            }
        }
    }
    Ok(())
}

/// panel[b, a] += value, lower triangle, for nodes a ≤ b.
fn add_block(
    symbolic: &Symbolic,
    panels: &mut [f64],
    a: usize,
    b: usize,
    value: impl Fn(usize, usize) -> f64,
) {
    let front = &symbolic.fronts[symbolic.owner[a] as usize];
    let (row, column) = (symbolic.local(front, b), symbolic.local(front, a));
    for j in 0..symbolic.columns(a).len() {
        for i in if a == b { j } else { 0 }..symbolic.columns(b).len() {
            panels[front.panel + (row + i) + (column + j) * front.stride] += value(i, j);
        }
    }
}

/// Z̃₂'Z̃₂ of every level, and of the pairs among the remaining groups.
fn add_grams(system: &System, sums: &CrossProducts, panels: &mut [f64]) {
    let symbolic = &system.symbolic;
    for node in 0..symbolic.nodes() {
        let sums = &sums.rest[symbolic.group[node] as usize];
        let level = sums.level(symbolic.level[node] as usize);
        add_block(symbolic, panels, node, node, |i, j| {
            level[i * sums.stride + j]
        });
    }
    let first = first_nodes(system);
    for pairs in sums.pairs.iter().filter(|pairs| pairs.groups.0 > 0) {
        let ((s, t), rows) = (pairs.groups, pairs.shape.0);
        for j in 0..pairs.start.len() - 1 {
            for place in pairs.row(j) {
                let x = symbolic.order[first[s - 1] + j] as usize;
                let z = symbolic.order[first[t - 1] + pairs.levels[place] as usize] as usize;
                let value = pairs.value(place);
                if x < z {
                    add_block(symbolic, panels, x, z, |i, j| value[j + i * rows]);
                } else {
                    add_block(symbolic, panels, z, x, |i, j| value[i + j * rows]);
                }
            }
        }
    }
}

/// Copy the lower triangle of the fronts' own blocks to the upper one, tile by tile.
fn mirror(symbolic: &Symbolic, panels: &mut Aligned, team: &Team) -> Result<()> {
    let shared = Shared::new(panels);
    let tasks = tasks(&symbolic.fronts, |front| front.own);
    team.each(tasks.len(), |task| {
        for job in &tasks[task] {
            let front = &symbolic.fronts[job.front];
            let place = |row: usize, column: usize| front.panel + row + column * front.stride;
            for tile in (0..job.to).step_by(TILE) {
                for column in job.from..job.to {
                    for row in tile..(tile + TILE).min(column) {
                        // SAFETY: jobs write disjoint columns above the diagonal and read below it.
                        unsafe {
                            shared.range(place(row, column), 1)[0] =
                                shared.range(place(column, row), 1)[0]
                        };
                    }
                }
            }
        }
    });
    team.check()
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
pub fn fill_cross(system: &mut System, sums: &CrossProducts, team: &Team) -> Result<()> {
    let mut cross = std::mem::take(&mut system.cross);
    let symbolic = &system.symbolic;
    let (size, columns) = (symbolic.size, system.width);
    for node in 0..symbolic.nodes() {
        team.check_every(node)?;
        let own = &sums.rest[symbolic.group[node] as usize];
        let level = own.level(symbolic.level[node] as usize);
        for i in 0..symbolic.columns(node).len() {
            for c in 0..columns {
                let value = level[i * own.stride + own.width + c];
                cross[symbolic.scalar[node] + i + c * size] =
                    subtract_leading(system, node, i, c, value);
            }
        }
    }
    system.cross = cross;
    Ok(())
}

/// `value` − Σ Fⱼ'Pⱼ for column `i` of a node and column `c` of C.
fn subtract_leading(system: &System, node: usize, i: usize, c: usize, mut value: f64) -> f64 {
    let (lead, elements) = (&system.leading, &system.symbolic.elements);
    for &entry in elements.uses(node) {
        let e = elements.owner[entry as usize] as usize;
        let from =
            (elements.columns[e] + elements.column[entry as usize] as usize + i) * lead.width;
        for l in 0..lead.width {
            value -= system.values[from + l] * lead.level(e)[l * lead.stride + lead.width + c];
        }
    }
    value
}

/// The response's column of Z̃₂'C − Σ Fⱼ'Pⱼ; `own(group, level, i)` is Z̃₂'ỹ.
pub fn fill_response(system: &mut System, own: impl Fn(usize, usize, usize) -> f64) {
    let mut cross = std::mem::take(&mut system.cross);
    let symbolic = &system.symbolic;
    let response = system.width - 1;
    for node in 0..symbolic.nodes() {
        let (group, level) = (symbolic.group[node] as usize, symbolic.level[node] as usize);
        for i in 0..symbolic.columns(node).len() {
            cross[symbolic.scalar[node] + i + response * symbolic.size] =
                subtract_leading(system, node, i, response, own(group, level, i));
        }
    }
    system.cross = cross;
}
