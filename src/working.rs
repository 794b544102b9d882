//! What the rows give under the working weights of one iteration: Z̃'WZ̃ in the places of the symbolic
//! analysis, and the products of other columns with it.

use crate::aligned::Aligned;
use crate::effects::{times_lambda_transposed, Effects};
use crate::error::Result;
use crate::lambda::Small;
use crate::lanes;
use crate::observations::{Observations, Other};
use crate::parallel::{piece, Shared, Team};
use crate::system::System;
use std::ops::Range;

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
        let task = |task: usize| leading_part(system, observations, weight, task);
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
        let shared = Shared::new(&mut self.panels);
        for (s, other) in observations.others.iter().enumerate() {
            team.each(other.nodes.len().div_ceil(NODES), |task| {
                for k in piece(task, NODES, other.nodes.len()) {
                    add_node(system, observations, (s, other), k, weight, &shared);
                }
            });
        }
        team.check()
    }
}

impl Observations {
    /// Y'WY (row-major) and Λ'Z'WY for the columns Y = [X, Zc] of the fixed part and of some effects c.
    pub fn weighted_columns(
        &self,
        system: &System,
        lambda: &[Small],
        (weight, along): (&[f64], Option<&Effects>),
        team: &Team,
    ) -> Result<(Vec<f64>, Effects)> {
        let (n, p) = (self.n, self.rank);
        let count = p + along.map_or(0, |c| c.count);
        if count == 0 {
            return Ok((Vec::new(), Effects::default()));
        }
        let mut weighted = vec![0.0; n * count];
        let shared = Shared::new(&mut weighted);
        let task = |task: usize| {
            let (rows, _) = self.task(task);
            // SAFETY: each row belongs to one task.
            let own = |k: usize| unsafe { shared.range(k * n + rows.start, rows.len()) };
            self.weigh_columns(weight, along, rows.clone(), own)
        };
        let mut gram = vec![0.0; count * count];
        team.fold(self.tasks(), task, |part: Vec<f64>| {
            crate::gram::add(&mut gram, &part);
        })?;
        let (levels, symbolic) = (system.leading.levels, &system.symbolic);
        let cross = self.gather(&weighted, levels, symbolic.size, team);
        Ok((gram, times_lambda_transposed(symbolic, lambda, &cross)))
    }

    /// Y'WY of some rows (row-major); WY goes to the columns `out`.
    fn weigh_columns<'o>(
        &self,
        weight: &[f64],
        along: Option<&Effects>,
        rows: Range<usize>,
        out: impl Fn(usize) -> &'o mut [f64],
    ) -> Vec<f64> {
        let (p, more) = (self.rank, along.map_or(0, |c| c.count));
        let count = p + more;
        let mut effects = vec![vec![0.0; rows.len()]; more];
        if let Some(along) = along {
            for (c, column) in effects.iter_mut().enumerate() {
                self.add_effects(rows.clone(), along, c, column);
            }
        }
        let column = |k: usize| match k < p {
            true => &self.x(k)[rows.clone()],
            false => &effects[k - p][..],
        };
        let mut gram = vec![0.0; count * count];
        for k in 0..count {
            let own = out(k);
            own.fill(0.0);
            lanes::add_product(own, 1.0, &weight[rows.clone()], column(k));
            for l in 0..=k {
                gram[k * count + l] = lanes::dot(own, column(l));
                gram[l * count + k] = gram[k * count + l];
            }
        }
        gram
    }
}

fn add_at(sums: &mut [f64], from: usize, part: &[f64]) {
    let target = sums[from..from + part.len()].iter_mut();
    target.zip(part).for_each(|(sum, value)| *sum += value);
}

/// What the rows of one task add to the leading levels and their elements.
fn leading_part(
    system: &System,
    observations: &Observations,
    weight: &[f64],
    task: usize,
) -> (Vec<f64>, Vec<f64>) {
    let (rows, levels) = observations.task(task);
    let r = observations.leading();
    let mut gram = vec![0.0; levels.len() * r * r];
    for (j, own) in observations.runs(rows.clone()) {
        let sums = &mut gram[(j - levels.start) * r * r..][..r * r];
        for a in 0..r {
            for b in 0..=a {
                let (x, y) = (
                    &observations.z(a)[own.clone()],
                    &observations.z(b)[own.clone()],
                );
                sums[a * r + b] = lanes::weighted_dot(&weight[own.clone()], x, y);
                sums[b * r + a] = sums[a * r + b];
            }
        }
    }
    if observations.others.is_empty() {
        return (gram, Vec::new());
    }
    let columns = &system.symbolic.elements.columns;
    let (first, last) = (columns[levels.start], columns[levels.end]);
    let mut values = vec![0.0; (last - first) * r];
    for other in &observations.others {
        for i in rows.clone() {
            let from = columns[observations.level[i] as usize] - first + other.place[i] as usize;
            for k in 0..other.width[i] as usize {
                let factor = weight[i] * observations.z(other.z + k)[i];
                for (a, sum) in values[(from + k) * r..][..r].iter_mut().enumerate() {
                    *sum += factor * observations.z(a)[i];
                }
            }
        }
    }
    (gram, values)
}

/// The products of one node with itself and with the nodes of later groups, on both sides of a front's
/// diagonal; a node's own block, and its blocks with nodes of later groups, belong to one task.
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
    let (place, width) = (symbolic.local(front, node), symbolic.columns(node).len());
    let members = &other.members[other.start[k]..other.start[k + 1]];
    for a in 0..width {
        let x = observations.z(other.z + a);
        for b in 0..width {
            let y = observations.z(other.z + b);
            let products = members
                .iter()
                .map(|&i| weight[i as usize] * x[i as usize] * y[i as usize]);
            let at = front.panel + place + b + (place + a) * front.stride;
            // SAFETY: see above.
            unsafe { panels.range(at, 1)[0] = products.sum() };
        }
    }
    for crossing in observations
        .crossings
        .iter()
        .filter(|crossing| crossing.pair.0 == s)
    {
        let second = &observations.others[crossing.pair.1];
        for add in [false, true] {
            for &i in members {
                let i = i as usize;
                for (a, b) in
                    (0..width).flat_map(|a| (0..second.width[i] as usize).map(move |b| (a, b)))
                {
                    let product = observations.z(other.z + a)[i] * observations.z(second.z + b)[i];
                    for at in crossing.place[i].both(a, b) {
                        // SAFETY: see above.
                        let sum = unsafe { &mut panels.range(at, 1)[0] };
                        *sum = if add { *sum + weight[i] * product } else { 0.0 };
                    }
                }
            }
        }
    }
}
