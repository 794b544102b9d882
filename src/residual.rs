//! What the leading group leaves of the other groups: Fⱼ, Z̃₂'(I − QQ')Z̃₂ and Z̃₂'(I − QQ')C.

use crate::aligned::Aligned;
use crate::cross_products::CrossProducts;
use crate::elements::add_products;
use crate::error::Result;
use crate::pairs::PairSums;
use crate::parallel::Team;
use crate::system::System;

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
pub fn fill_panels(system: &mut System, sums: &CrossProducts, team: &Team) -> Result<()> {
    let mut panels = std::mem::take(&mut system.panels);
    let mut explained = Aligned::zeros(panels.len());
    let symbolic = &system.symbolic;
    let mut owner = vec![0usize; symbolic.nodes()];
    for (s, front) in symbolic.fronts.iter().enumerate() {
        let first = symbolic
            .scalar
            .partition_point(|&column| column < front.start);
        let last = symbolic
            .scalar
            .partition_point(|&column| column < front.start + front.own);
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
            let values =
                &system.values[elements.columns[e] * width..elements.columns[e + 1] * width];
            add_products(
                width,
                values,
                elements.places(e),
                0..front.own,
                front.stride,
                &mut explained[front.panel..],
            );
        }
        let column = |entry: usize, k: usize| {
            let from = (elements.columns[e] + elements.column[entry] as usize + k) * width;
            &system.values[from..from + width]
        };
        for a in range.clone() {
            let below = front.is_some_and(|front| {
                elements.places(e)[elements.column[a] as usize] as usize >= front.own
            });
            for b in a..if below { range.end } else { a } {
                let dot = |i: usize, j: usize| -> f64 {
                    -column(b, i)
                        .iter()
                        .zip(column(a, j))
                        .map(|(x, y)| x * y)
                        .sum::<f64>()
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
pub fn fill_cross(system: &mut System, sums: &CrossProducts, team: &Team) -> Result<()> {
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
                    let from = (elements.columns[e] + elements.column[entry as usize] as usize + i)
                        * lead.width;
                    for l in 0..lead.width {
                        value -= system.values[from + l]
                            * lead.level(e)[l * lead.stride + lead.width + c];
                    }
                }
                cross[symbolic.scalar[node] + i + c * size] = value;
            }
        }
    }
    system.cross = cross;
    Ok(())
}
