//! Elements: what each leading level links, and the two loops over pairs of its columns.
//!
//! Both loops are the inner loops of a fit with crossed terms (Σ kⱼ² pairs), so they are written for a
//! fixed leading width where that is 1 to 4.

use crate::symbolic::{Graph, Symbolic};
use std::ops::Range;

/// The elements: for each leading level the nodes it links.
#[derive(Clone, Debug, Default)]
pub struct Elements {
    /// Start of each element in `nodes`.
    pub start: Vec<usize>,
    /// Nodes, ascending in elimination order.
    pub nodes: Vec<u32>,
    /// Place of each scalar column in the element's front.
    pub places: Vec<u32>,
    /// The scalar columns themselves.
    pub scalars: Vec<u32>,
    /// First scalar column of each node within the element.
    pub column: Vec<u32>,
    /// Start of each element's scalar columns.
    pub columns: Vec<usize>,
    /// Front of each element.
    pub front: Vec<u32>,
    /// Elements of each front.
    pub of_front: Vec<Vec<u32>>,
    /// Element of each entry of `nodes`.
    pub owner: Vec<u32>,
    /// Start of each node's entries in `uses`.
    pub node_start: Vec<usize>,
    /// Entries of `nodes` (ascending) that hold each node.
    pub uses: Vec<u32>,
}

impl Elements {
    /// Number the elements' columns in the fronts of an ordered complement.
    pub fn new(graph: &Graph, symbolic: &Symbolic) -> Self {
        let mut elements = Elements {
            start: vec![0],
            columns: vec![0],
            of_front: vec![Vec::new(); symbolic.fronts.len()],
            ..Elements::default()
        };
        for (e, members) in graph.elements.iter().enumerate() {
            let mut nodes: Vec<u32> = members
                .iter()
                .map(|&node| symbolic.order[node as usize])
                .collect();
            nodes.sort_unstable();
            let front = nodes
                .first()
                .map_or(u32::MAX, |&node| symbolic.owner[node as usize]);
            let mut column = 0;
            for &node in &nodes {
                let node = node as usize;
                let place = symbolic.local(&symbolic.fronts[front as usize], node);
                let width = symbolic.columns(node).len();
                elements
                    .places
                    .extend((place..place + width).map(|p| p as u32));
                elements
                    .scalars
                    .extend(symbolic.columns(node).map(|column| column as u32));
                elements.column.push(column as u32);
                column += width;
            }
            if front != u32::MAX {
                elements.of_front[front as usize].push(e as u32);
            }
            elements.front.push(front);
            elements.nodes.extend(nodes);
            elements.start.push(elements.nodes.len());
            elements.columns.push(elements.columns[e] + column);
            elements.owner.resize(elements.nodes.len(), e as u32);
        }
        elements.transpose(symbolic.nodes());
        elements
    }

    /// Which entries hold each node.
    fn transpose(&mut self, nodes: usize) {
        let mut start = vec![0; nodes + 1];
        self.nodes
            .iter()
            .for_each(|&node| start[node as usize + 1] += 1);
        (0..nodes).for_each(|node| start[node + 1] += start[node]);
        let mut next = start.clone();
        self.uses = vec![0; self.nodes.len()];
        for (entry, &node) in self.nodes.iter().enumerate() {
            self.uses[next[node as usize]] = entry as u32;
            next[node as usize] += 1;
        }
        self.node_start = start;
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.front.len()
    }

    /// A model of one group has none.
    pub fn is_empty(&self) -> bool {
        self.front.is_empty()
    }

    /// Range of element `e` in `nodes` and `column`.
    pub fn range(&self, e: usize) -> Range<usize> {
        self.start[e]..self.start[e + 1]
    }

    /// Places of element `e`'s scalar columns in its front, ascending.
    pub fn places(&self, e: usize) -> &[u32] {
        &self.places[self.columns[e]..self.columns[e + 1]]
    }

    /// Range of an entry's scalar columns within its element.
    pub fn entry(&self, e: usize, entry: usize) -> Range<usize> {
        let end = if entry + 1 < self.start[e + 1] {
            self.column[entry + 1] as usize
        } else {
            self.width(e)
        };
        self.column[entry] as usize..end
    }

    /// Entries that hold `node`.
    pub fn uses(&self, node: usize) -> &[u32] {
        &self.uses[self.node_start[node]..self.node_start[node + 1]]
    }

    /// Scalar columns of element `e`.
    pub fn width(&self, e: usize) -> usize {
        self.columns[e + 1] - self.columns[e]
    }
}

/// target += sign · X'Y on the lower triangle (X'Y must be symmetric), for the element's columns whose
/// place lies in `columns`; `target` starts at column `columns.start` of the front, columns `stride` apart.
#[inline(always)]
pub fn add_products(
    r: usize,
    (x, y): (&[f64], &[f64]),
    sign: f64,
    places: &[u32],
    front: (Range<usize>, usize),
    target: &mut [f64],
) {
    match r {
        1 => add_fixed::<1>(x, y, sign, places, front, target),
        2 => add_fixed::<2>(x, y, sign, places, front, target),
        3 => add_fixed::<3>(x, y, sign, places, front, target),
        4 => add_fixed::<4>(x, y, sign, places, front, target),
        _ => add_any(r, (x, y), sign, places, front, target),
    }
}

#[inline(always)]
fn add_fixed<const R: usize>(
    x: &[f64],
    y: &[f64],
    sign: f64,
    places: &[u32],
    (columns, stride): (Range<usize>, usize),
    target: &mut [f64],
) {
    let ((x, _), (y, _)) = (x.as_chunks::<R>(), y.as_chunks::<R>());
    let first = places.partition_point(|&place| (place as usize) < columns.start);
    let last = places.partition_point(|&place| (place as usize) < columns.end);
    for b in first..last {
        let own = y[b].map(|value| sign * value);
        let column = &mut target[(places[b] as usize - columns.start) * stride..];
        for (&place, other) in places[b..].iter().zip(&x[b..]) {
            let mut sum = 0.0;
            for l in 0..R {
                sum += own[l] * other[l];
            }
            column[place as usize] += sum;
        }
    }
}

#[inline(always)]
fn add_any(
    r: usize,
    (x, y): (&[f64], &[f64]),
    sign: f64,
    places: &[u32],
    (columns, stride): (Range<usize>, usize),
    target: &mut [f64],
) {
    let first = places.partition_point(|&place| (place as usize) < columns.start);
    let last = places.partition_point(|&place| (place as usize) < columns.end);
    for b in first..last {
        let own = &y[b * r..(b + 1) * r];
        let column = &mut target[(places[b] as usize - columns.start) * stride..];
        for (&place, other) in places[b..].iter().zip(x[b * r..].chunks_exact(r)) {
            let sum: f64 = own.iter().zip(other).map(|(x, y)| x * y).sum();
            column[place as usize] += sign * sum;
        }
    }
}

/// out (r × r) = V N V' for the symmetric N whose column at place `p` starts at `inverse[p * stride]`.
#[inline(always)]
pub fn sandwich(
    r: usize,
    values: &[f64],
    places: &[u32],
    stride: usize,
    inverse: &[f64],
    out: &mut [f64],
    sums: &mut [f64],
) {
    match r {
        1 => sandwich_fixed::<1>(values, places, stride, inverse, out),
        2 => sandwich_fixed::<2>(values, places, stride, inverse, out),
        3 => sandwich_fixed::<3>(values, places, stride, inverse, out),
        4 => sandwich_fixed::<4>(values, places, stride, inverse, out),
        _ => sandwich_any(r, values, places, stride, inverse, out, sums),
    }
}

#[inline(always)]
fn sandwich_fixed<const R: usize>(
    values: &[f64],
    places: &[u32],
    stride: usize,
    inverse: &[f64],
    out: &mut [f64],
) {
    let (values, _) = values.as_chunks::<R>();
    out.fill(0.0);
    for (b, &place) in places.iter().enumerate() {
        let column = &inverse[place as usize * stride..];
        // Half the diagonal: the sum below is symmetrised.
        let mut sums = values[b].map(|w| 0.5 * w * column[place as usize]);
        for (&other, w) in places[b + 1..].iter().zip(&values[b + 1..]) {
            let value = column[other as usize];
            for l in 0..R {
                sums[l] += w[l] * value;
            }
        }
        for l in 0..R {
            for k in 0..R {
                out[l * R + k] += values[b][l] * sums[k] + sums[l] * values[b][k];
            }
        }
    }
}

#[inline(always)]
fn sandwich_any(
    r: usize,
    values: &[f64],
    places: &[u32],
    stride: usize,
    inverse: &[f64],
    out: &mut [f64],
    sums: &mut [f64],
) {
    out.fill(0.0);
    for (b, &place) in places.iter().enumerate() {
        let column = &inverse[place as usize * stride..];
        let own = &values[b * r..(b + 1) * r];
        sums.iter_mut()
            .zip(own)
            .for_each(|(sum, w)| *sum = 0.5 * w * column[place as usize]);
        for (&other, w) in places[b + 1..]
            .iter()
            .zip(values[(b + 1) * r..].chunks_exact(r))
        {
            let value = column[other as usize];
            sums.iter_mut()
                .zip(w)
                .for_each(|(sum, w)| *sum += w * value);
        }
        for l in 0..r {
            for k in 0..r {
                out[l * r + k] += own[l] * sums[k] + sums[l] * own[k];
            }
        }
    }
}
