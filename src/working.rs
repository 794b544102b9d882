//! Z̃'WZ̃ under the working weights of one iteration, in the places of the symbolic analysis.

use crate::aligned::Aligned;
use crate::effects::Effects;
use crate::error::Result;
use crate::observations::{Observations, Other};
use crate::parallel::{piece, Shared, Team};
use crate::residual::mirror;
use crate::system::System;

/// Nodes of one task.
const NODES: usize = 64;

/// The blocks of Z̃'WZ̃.
#[derive(Default)]
pub struct WorkingSums {
    /// Leading levels: r × r each, full, row-major.
    pub leading: Vec<f64>,
    /// Z̃₁'WZ̃₂: like the elements' values.
    pub values: Vec<f64>,
    /// Z̃₂'WZ̃₂ in the fronts' panels; the diagonal blocks are full.
    pub panels: Aligned,
}

impl WorkingSums {
    pub fn new(system: &System, observations: &Observations) -> Self {
        let (r, symbolic) = (observations.leading(), &system.symbolic);
        WorkingSums {
            leading: vec![0.0; system.leading.levels * r * r],
            values: vec![0.0; symbolic.elements.columns.last().copied().unwrap_or(0) * r],
            panels: Aligned::zeros(symbolic.panels),
        }
    }

    /// The diagonal of Z̃'WZ̃.
    pub fn diagonal(&self, system: &System, observations: &Observations) -> Effects {
        let (r, symbolic) = (observations.leading(), &system.symbolic);
        let mut rest = vec![0.0; symbolic.size];
        for front in &symbolic.fronts {
            for (k, value) in rest[front.start..front.start + front.own]
                .iter_mut()
                .enumerate()
            {
                *value = self.panels[front.panel + k + k * front.stride];
            }
        }
        let level = |gram: &[f64]| gram.iter().step_by(r + 1).copied().collect::<Vec<f64>>();
        Effects {
            count: 1,
            leading: self
                .leading
                .chunks_exact((r * r).max(1))
                .flat_map(level)
                .collect(),
            rest,
        }
    }

    /// Make the sums anew for these weights.
    pub fn update(
        &mut self,
        system: &System,
        observations: &Observations,
        weight: &[f64],
        team: &Team,
    ) -> Result<()> {
        self.leading.fill(0.0);
        self.values.fill(0.0);
        let r = observations.leading();
        if r == 0 {
            return Ok(());
        }
        let task = |task: usize| {
            pulp::Arch::new().dispatch(|| leading_part(system, observations, weight, task))
        };
        let mut done = 0;
        team.fold(observations.tasks(), task, |(gram, values)| {
            let (_, levels) = observations.task(done);
            add_at(&mut self.leading, levels.start * r * r, &gram);
            let from = (system.symbolic.elements.columns)
                .get(levels.start)
                .map_or(0, |at| at * r);
            add_at(&mut self.values, from, &values);
            done += 1;
        })?;
        if observations.others.is_empty() {
            return Ok(());
        }
        self.panels.fill(0.0);
        let shared = Shared::new(&mut self.panels);
        for (s, other) in observations.others.iter().enumerate() {
            team.each(other.nodes.len().div_ceil(NODES), |task| {
                for k in piece(task, NODES, other.nodes.len()) {
                    add_node(system, observations, (s, other), k, weight, &shared);
                }
            });
        }
        mirror(&system.symbolic, &mut self.panels, team)
    }
}

fn add_at(sums: &mut [f64], from: usize, part: &[f64]) {
    let target = sums[from..from + part.len()].iter_mut();
    target.zip(part).for_each(|(sum, value)| *sum += value);
}

/// What the rows of one task add to the leading levels and their elements.
#[inline(always)]
fn leading_part(
    system: &System,
    observations: &Observations,
    weight: &[f64],
    task: usize,
) -> (Vec<f64>, Vec<f64>) {
    let (rows, levels) = observations.task(task);
    let r = observations.leading();
    let columns = &system.symbolic.elements.columns;
    let first = columns.get(levels.start).copied().unwrap_or(0);
    let last = columns.get(levels.end).copied().unwrap_or(0);
    let mut gram = vec![0.0; levels.len() * r * r];
    let mut values = vec![0.0; (last - first) * r];
    for i in rows {
        let (z, w, level) = (observations.z(i), weight[i], observations.level[i] as usize);
        let own = &mut gram[(level - levels.start) * r * r..][..r * r];
        for (sums, a) in own.chunks_exact_mut(r).zip(z) {
            let factor = w * a;
            sums.iter_mut()
                .zip(z)
                .for_each(|(sum, b)| *sum += factor * b);
        }
        for other in &observations.others {
            let from = columns[level] - first + other.place[i] as usize;
            let width = other.width[i] as usize;
            let block = values[from * r..(from + width) * r].chunks_exact_mut(r);
            for (sums, b) in block.zip(&z[other.z..]) {
                let factor = w * b;
                sums.iter_mut()
                    .zip(z)
                    .for_each(|(sum, a)| *sum += factor * a);
            }
        }
    }
    (gram, values)
}

/// The products of one node with itself and with the nodes of later groups.
fn add_node(
    system: &System,
    observations: &Observations,
    (s, other): (usize, &Other),
    k: usize,
    weight: &[f64],
    panels: &Shared<'_>,
) {
    let symbolic = &system.symbolic;
    let node = other.nodes[k] as usize;
    let front = &symbolic.fronts[symbolic.owner[node] as usize];
    let place = symbolic.local(front, node);
    let at = front.panel + place + place * front.stride;
    // SAFETY: a node's own block, and its blocks with nodes of later groups, belong to one task.
    let add = |at: usize, value: f64| unsafe { panels.range(at, 1)[0] += value };
    for &i in &other.members[other.start[k]..other.start[k + 1]] {
        let i = i as usize;
        let (z, w) = (observations.z(i), weight[i]);
        let own = &z[other.z..other.z + other.width[i] as usize];
        for (a, x) in own.iter().enumerate() {
            for (b, y) in own.iter().enumerate().take(a + 1) {
                add(at + a + b * front.stride, w * x * y);
            }
        }
        for crossing in observations
            .crossings
            .iter()
            .filter(|crossing| crossing.pair.0 == s)
        {
            let second = &observations.others[crossing.pair.1];
            let (at, stride, swapped) = crossing.place[i];
            for (a, x) in own.iter().enumerate() {
                for (b, y) in z[second.z..][..second.width[i] as usize].iter().enumerate() {
                    let (row, column) = if swapped { (a, b) } else { (b, a) };
                    add(at + row + column * stride as usize, w * x * y);
                }
            }
        }
    }
}
