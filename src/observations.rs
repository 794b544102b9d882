//! The rows of a generalised model, sorted by level of the leading group.
//!
//! Every iteration of PIRLS reads every row, so here the columns are stored, side by side and in the
//! kernel's coordinates. Sums by level are made in pieces of rows of one size and added in order, so that
//! they do not depend on the number of threads.

use crate::columns::{Column, Design};
use crate::cross_products::{fill_random, level, Layout};
use crate::error::{Error, Result};
use crate::family::Response;
use crate::level_sums::BLOCK;
use crate::memory;
use crate::parallel::{piece, Shared, Team};
use crate::symbolic::Symbolic;
use crate::system::System;
use std::ops::Range;

/// Rows of one task.
pub const ROWS: usize = 2048;
/// Rows copied by one task.
const COPIED: usize = 8192;

/// The observations of a design.
pub struct Observations {
    pub n: usize,
    /// Used row of each observation.
    pub rows: Vec<u32>,
    /// Leading level of each observation, ascending.
    pub level: Vec<u32>,
    /// First observation of each leading level, and n.
    pub start: Vec<usize>,
    pub offset: Vec<f64>,
    /// [Z̃₁ Z̃₂ …], column by column.
    z: Vec<f64>,
    pub columns: usize,
    /// Kept columns of X in E's coordinates, column by column.
    x: Vec<f64>,
    pub rank: usize,
    pub others: Vec<Other>,
    pub crossings: Vec<Crossing>,
}

/// The response of every observation.
#[derive(Clone)]
pub struct Responses {
    pub y: Vec<f64>,
    pub size: Vec<f64>,
    pub weight: Vec<f64>,
}

impl Responses {
    /// Those of some observations.
    pub fn of(&self, rows: Range<usize>) -> Response<'_> {
        Response {
            y: &self.y[rows.clone()],
            size: &self.size[rows.clone()],
            weight: &self.weight[rows],
        }
    }
}

/// A group other than the leading one.
pub struct Other {
    /// First of its columns in a row of z.
    pub z: usize,
    /// First scalar column of the node of each observation, and its columns.
    pub scalar: Vec<u32>,
    pub width: Vec<u32>,
    /// First scalar column of the node within the observation's element.
    pub place: Vec<u32>,
    /// Observations by node: first of each node of the group, and their numbers.
    pub start: Vec<usize>,
    pub members: Vec<u32>,
    /// Nodes of the group.
    pub nodes: Vec<u32>,
}

/// Where the products of two groups other than the leading one go.
pub struct Crossing {
    /// Indices into `others`.
    pub pair: (usize, usize),
    pub place: Vec<Place>,
}

/// Where a block of two nodes starts in the panels.
#[derive(Clone, Copy)]
pub struct Place {
    at: usize,
    /// The same above the diagonal, where the front eliminates both nodes.
    above: Option<usize>,
    stride: u32,
    /// Are the second group's columns the panel's?
    swapped: bool,
}

impl Place {
    /// The places of element (a, b).
    #[inline(always)]
    pub fn both(&self, a: usize, b: usize) -> impl Iterator<Item = usize> {
        let stride = self.stride as usize;
        let (row, column) = if self.swapped { (a, b) } else { (b, a) };
        let above = self.above.map(|at| at + column + row * stride);
        [self.at + row + column * stride].into_iter().chain(above)
    }
}

impl Observations {
    /// Sort and copy the rows of a design.
    pub fn new(design: &Design, system: &System, team: &Team) -> Result<Observations> {
        let (n, rank) = (design.table.n(), system.rank());
        let columns = system.groups.iter().map(|group| group.width()).sum();
        memory::require((n * (columns + rank + 8) * 8) as f64, || {
            "the rows of a generalised model".into()
        })?;
        let (rows, level) = by_leading_level(design, system, team)?;
        let first = |j: usize| level.partition_point(|&own| (own as usize) < j);
        let mut observations = Observations {
            n,
            offset: Vec::new(),
            z: vec![0.0; n * columns],
            columns,
            x: vec![0.0; n * rank],
            rank,
            others: Vec::new(),
            crossings: Vec::new(),
            start: (0..=system.leading.levels).map(first).collect(),
            rows,
            level,
        };
        observations.copy_columns(design, system, team)?;
        observations.offset = observations.pick(design, design.table.offset.as_ref(), 0.0);
        for group in 1..system.groups.len() {
            let other = observations.other(design, system, group, team)?;
            observations.others.push(other);
        }
        for t in 1..observations.others.len() {
            for s in 0..t {
                let crossing = observations.crossing(&system.symbolic, (s, t));
                observations.crossings.push(crossing);
            }
        }
        Ok(observations)
    }

    /// y, sizes and prior weights of a design.
    pub fn responses(&self, design: &Design) -> Responses {
        let table = &design.table;
        Responses {
            y: self.pick(design, table.response.as_ref(), f64::NAN),
            size: self.pick(design, table.sizes.as_ref(), 1.0),
            weight: self.pick(design, table.weights.as_ref(), 1.0),
        }
    }

    /// A column of the table in the order of the observations, or a number in its place.
    fn pick(&self, design: &Design, column: Option<&Column>, otherwise: f64) -> Vec<f64> {
        let value = |&row: &u32| match column {
            Some(column) => column.get(design.table.place(row as usize)),
            None => otherwise,
        };
        self.rows.iter().map(value).collect()
    }

    fn copy_columns(&mut self, design: &Design, system: &System, team: &Team) -> Result<()> {
        let mut place = vec![0u32; self.n];
        (self.rows.iter().enumerate()).for_each(|(i, &row)| place[row as usize] = i as u32);
        let (n, columns, rank, width) = (self.n, self.columns, self.rank, system.width);
        let layout = Layout::new(&system.groups, width);
        let (c, stride) = (layout.columns, layout.stride);
        let (z, x) = (Shared::new(&mut self.z), Shared::new(&mut self.x));
        team.each(n.div_ceil(COPIED), |task| {
            let mut block = vec![0.0; BLOCK * stride];
            for first in piece(task, COPIED, n).step_by(BLOCK) {
                let count = BLOCK.min(n - first);
                fill_random(design, &system.groups, &layout, first, count, &mut block);
                let fixed = &mut block[c..];
                (system.coordinates).fill_columns(design, first, count, fixed, stride);
                for (i, row) in block.chunks_exact(stride).take(count).enumerate() {
                    let at = place[first + i] as usize;
                    // SAFETY: every row has a place of its own.
                    let put = |target: &Shared<'_>, column: usize, value: f64| unsafe {
                        target.range(at + column * n, 1)[0] = value;
                    };
                    let random = row[..c].iter().chain(&row[c + width..]).take(columns);
                    random.enumerate().for_each(|(k, value)| put(&z, k, *value));
                    for k in 0..rank {
                        let e = system.basis.column(k).iter().zip(&row[c..]);
                        let used = e.filter(|(e, _)| **e != 0.0);
                        put(&x, k, used.map(|(e, c)| e * c).sum());
                    }
                }
            }
        });
        team.check()?;
        match self.z.iter().chain(&self.x).all(|value| value.is_finite()) {
            true => Ok(()),
            false => Err(Error::Data("a column of the model is not finite".into())),
        }
    }

    fn other(&self, design: &Design, system: &System, group: usize, team: &Team) -> Result<Other> {
        let (symbolic, elements) = (&system.symbolic, &system.symbolic.elements);
        let numbers: Vec<u32> = (0..symbolic.nodes() as u32)
            .filter(|&node| symbolic.group[node as usize] as usize + 1 == group)
            .collect();
        let mut node_of = vec![0u32; system.groups[group].levels];
        let mut index_of = vec![0u32; system.groups[group].levels];
        for (index, &node) in numbers.iter().enumerate() {
            let own = symbolic.level[node as usize] as usize;
            (node_of[own], index_of[own]) = (node, index as u32);
        }
        let mut other = Other {
            z: system.groups[..group]
                .iter()
                .map(|group| group.width())
                .sum(),
            scalar: Vec::with_capacity(self.n),
            width: Vec::with_capacity(self.n),
            place: Vec::with_capacity(self.n),
            start: vec![0; numbers.len() + 1],
            members: vec![0; self.n],
            nodes: numbers,
        };
        let mut index = Vec::with_capacity(self.n);
        for (i, &row) in self.rows.iter().enumerate() {
            team.check_every(i)?;
            let own = level(design, &system.groups[group], row as usize)?;
            let (node, e) = (node_of[own], self.level[i] as usize);
            let range = elements.range(e);
            let entry = range.start + elements.nodes[range].partition_point(|&other| other < node);
            other.scalar.push(symbolic.scalar[node as usize] as u32);
            other
                .width
                .push(symbolic.columns(node as usize).len() as u32);
            other.place.push(elements.column[entry]);
            other.start[index_of[own] as usize + 1] += 1;
            index.push(index_of[own]);
        }
        (0..other.nodes.len()).for_each(|k| other.start[k + 1] += other.start[k]);
        let mut next = other.start.clone();
        for (i, &k) in index.iter().enumerate() {
            other.members[next[k as usize]] = i as u32;
            next[k as usize] += 1;
        }
        Ok(other)
    }

    fn crossing(&self, symbolic: &Symbolic, (s, t): (usize, usize)) -> Crossing {
        let node = |other: &Other, i: usize| {
            symbolic
                .scalar
                .partition_point(|&first| first <= other.scalar[i] as usize)
                - 1
        };
        let place = |i: usize| {
            let (a, b) = (node(&self.others[s], i), node(&self.others[t], i));
            let front = &symbolic.fronts[symbolic.owner[a.min(b)] as usize];
            let (row, column) = (
                symbolic.local(front, a.max(b)),
                symbolic.local(front, a.min(b)),
            );
            let at = |row: usize, column: usize| front.panel + row + column * front.stride;
            Place {
                at: at(row, column),
                above: (row < front.own).then(|| at(column, row)),
                stride: front.stride as u32,
                swapped: b < a,
            }
        };
        Crossing {
            pair: (s, t),
            place: (0..self.n).map(place).collect(),
        }
    }

    /// Tasks of rows.
    pub fn tasks(&self) -> usize {
        self.n.div_ceil(ROWS)
    }

    /// Rows of a task, and the leading levels that they belong to.
    pub fn task(&self, task: usize) -> (Range<usize>, Range<usize>) {
        let rows = piece(task, ROWS, self.n);
        let levels = self.level[rows.start] as usize..self.level[rows.end - 1] as usize + 1;
        (rows, levels)
    }

    /// The leading levels of some rows, and which of the rows are theirs.
    pub fn runs(&self, rows: Range<usize>) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
        let first = self
            .level
            .get(rows.start)
            .map_or(0, |level| *level as usize);
        let levels = first..self.start.len() - 1;
        levels
            .map(move |j| {
                (
                    j,
                    self.start[j].max(rows.start)..self.start[j + 1].min(rows.end),
                )
            })
            .take_while(move |(j, _)| self.start[*j] < rows.end)
    }

    /// Column `k` of Z̃.
    #[inline(always)]
    pub fn z(&self, k: usize) -> &[f64] {
        &self.z[k * self.n..(k + 1) * self.n]
    }

    /// Column `k` of X.
    #[inline(always)]
    pub fn x(&self, k: usize) -> &[f64] {
        &self.x[k * self.n..(k + 1) * self.n]
    }
}

/// Used rows sorted by leading level, and that level of each; in the order of the rows where there is none.
fn by_leading_level(design: &Design, system: &System, team: &Team) -> Result<(Vec<u32>, Vec<u32>)> {
    let n = design.table.n();
    let Some(group) = system.groups.first() else {
        return Ok(((0..n as u32).collect(), vec![0; n]));
    };
    let mut levels = Vec::with_capacity(n);
    let mut next = vec![0usize; group.levels + 1];
    for i in 0..n {
        team.check_every(i)?;
        let own = level(design, group, i)?;
        levels.push(own as u32);
        next[own + 1] += 1;
    }
    (0..group.levels).for_each(|j| next[j + 1] += next[j]);
    let (mut rows, mut sorted) = (vec![0; n], vec![0; n]);
    for (i, &own) in levels.iter().enumerate() {
        let place = &mut next[own as usize];
        (rows[*place], sorted[*place]) = (i as u32, own);
        *place += 1;
    }
    Ok((rows, sorted))
}
