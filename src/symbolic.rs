//! Storage of the factor of the remaining groups, decided once per model from the data, not the formula.
//!
//! Eliminating the leading group leaves a complement in the levels ("nodes") of the other groups. Each
//! leading level is an *element*: it links the nodes that occur with it. A fill-reducing ordering (AMD)
//! and supernodes turn the complement into a tree of dense *fronts* (multifrontal method): nested terms
//! give many tiny fronts, crossed terms one large one; one code serves both.

use crate::elements::Elements;
use crate::error::Result;
use crate::ordering::{self, Supernodes};
use crate::parallel::Team;

/// Largest supernodes' columns are padded to whole cache lines.
const LINE: usize = 8;

/// One dense front: `own` columns to eliminate, then the rows they reach.
#[derive(Clone, Debug)]
pub struct Front {
    /// First scalar column, in elimination order.
    pub start: usize,
    pub own: usize,
    pub size: usize,
    /// Distance between columns in the buffers.
    pub stride: usize,
    /// Start of the size × size square in the factor's buffers.
    pub square: usize,
    /// Start of the size × own panel in the residual's buffer.
    pub panel: usize,
    pub parent: Option<usize>,
    /// Scalar columns (elimination order) below the own ones.
    pub below: Vec<u32>,
    /// Their places in the parent.
    pub in_parent: Vec<u32>,
    /// Consecutive nodes of one kind, own columns first.
    pub runs: Vec<Run>,
}

/// Consecutive nodes of one group and width in a front's rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub group: u32,
    pub width: usize,
    pub nodes: usize,
}

/// Order and storage of the complement.
#[derive(Clone, Debug)]
pub struct Symbolic {
    /// Scalar columns in all.
    pub size: usize,
    /// Group of each node (elimination order).
    pub group: Vec<u32>,
    /// Level of each node (elimination order).
    pub level: Vec<u32>,
    /// First scalar column of each node (elimination order), and the total.
    pub scalar: Vec<usize>,
    /// Elimination place of node (group-major numbering).
    pub order: Vec<u32>,
    /// Front that eliminates each node.
    pub owner: Vec<u32>,
    pub fronts: Vec<Front>,
    pub elements: Elements,
    /// Entries of the buffer of squares and of panels.
    pub squares: usize,
    pub panels: usize,
}

/// The complement's shape before ordering: nodes numbered group by group.
pub struct Graph {
    pub levels: Vec<usize>,
    /// Scalar columns of each node: trailing columns that are zero throughout a level are left out
    /// (their rows of M are those of the identity).
    pub widths: Vec<usize>,
    /// Nodes of each leading level.
    pub elements: Vec<Vec<u32>>,
}

impl Graph {
    pub fn nodes(&self) -> usize {
        self.levels.iter().sum()
    }

    pub fn scalars(&self) -> usize {
        self.widths.iter().sum()
    }

    /// (group, level) of every node.
    fn owners(&self) -> Vec<(u32, u32)> {
        let group =
            |(g, &levels): (usize, &usize)| (0..levels as u32).map(move |level| (g as u32, level));
        self.levels.iter().enumerate().flat_map(group).collect()
    }
}

impl Symbolic {
    /// Analyse a complement.
    pub fn new(graph: &Graph, team: &Team) -> Result<Symbolic> {
        let (order, supernodes) = ordering::order(graph, team)?;
        Ok(build(graph, order, supernodes))
    }

    pub fn nodes(&self) -> usize {
        self.group.len()
    }

    /// Scalar columns of a node.
    pub fn columns(&self, node: usize) -> std::ops::Range<usize> {
        self.scalar[node]..self.scalar[node + 1]
    }

    /// Scalar columns of every node of group `group` (0 = the leading one, which has none).
    pub fn columns_of_group(
        &self,
        group: usize,
    ) -> impl Iterator<Item = std::ops::Range<usize>> + '_ {
        (0..self.nodes())
            .filter(move |&node| self.group[node] as usize + 1 == group)
            .map(|node| self.columns(node))
    }

    /// Place in `front` of the first column of node `node`, which must occur in it.
    pub fn local(&self, front: &Front, node: usize) -> usize {
        let scalar = self.scalar[node];
        if scalar < front.start + front.own {
            scalar - front.start
        } else {
            front.own
                + front
                    .below
                    .partition_point(|&column| (column as usize) < scalar)
        }
    }

    /// Bytes of the numeric buffers: factor, inverse, residual panel.
    pub fn bytes(&self) -> u64 {
        (2 * self.squares + self.panels) as u64 * 8
    }

    /// Multiplications of one factorisation and inversion.
    pub fn flops(&self) -> f64 {
        let front = |front: &Front| {
            let (own, size) = (front.own as f64, front.size as f64);
            own * size * size
        };
        self.fronts.iter().map(front).sum()
    }
}

fn build(graph: &Graph, order: Vec<u32>, supernodes: Supernodes) -> Symbolic {
    let nodes = graph.nodes();
    let (mut group, mut level) = (vec![0; nodes], vec![0; nodes]);
    for (node, (g, l)) in graph.owners().into_iter().enumerate() {
        group[order[node] as usize] = g;
        level[order[node] as usize] = l;
    }
    let mut scalar = vec![0];
    let mut widths = vec![0; nodes];
    graph
        .widths
        .iter()
        .zip(&order)
        .for_each(|(&width, &place)| widths[place as usize] = width);
    for width in widths {
        scalar.push(scalar[scalar.len() - 1] + width);
    }
    let mut symbolic = Symbolic {
        size: scalar[nodes],
        group,
        level,
        scalar,
        order,
        owner: vec![0; nodes],
        fronts: Vec::new(),
        elements: Elements::default(),
        squares: 0,
        panels: 0,
    };
    for (s, (begin, end, _)) in supernodes.iter().enumerate() {
        symbolic.owner[*begin..*end].fill(s as u32);
    }
    for supernode in &supernodes {
        let front = front(&symbolic, supernode);
        symbolic.squares = front.square + front.stride * front.size;
        symbolic.panels = front.panel + front.stride * front.own;
        symbolic.fronts.push(front);
    }
    link(&mut symbolic, &supernodes);
    symbolic.elements = Elements::new(graph, &symbolic);
    symbolic
}

fn front(symbolic: &Symbolic, (begin, end, below): &(usize, usize, Vec<u32>)) -> Front {
    let start = symbolic.scalar[*begin];
    let own = symbolic.scalar[*end] - start;
    let rows: Vec<u32> = below
        .iter()
        .flat_map(|&node| symbolic.columns(node as usize))
        .map(|column| column as u32)
        .collect();
    let size = own + rows.len();
    let mut runs: Vec<Run> = Vec::new();
    for node in (*begin..*end).chain(below.iter().map(|&node| node as usize)) {
        let (group, width) = (symbolic.group[node], symbolic.columns(node).len());
        match runs.last_mut() {
            Some(run) if run.group == group && run.width == width => run.nodes += 1,
            _ => runs.push(Run {
                group,
                width,
                nodes: 1,
            }),
        }
    }
    Front {
        start,
        own,
        size,
        stride: if size > LINE {
            size.next_multiple_of(LINE)
        } else {
            size
        },
        square: symbolic
            .squares
            .next_multiple_of(if size > LINE { LINE } else { 1 }),
        panel: symbolic
            .panels
            .next_multiple_of(if size > LINE { LINE } else { 1 }),
        parent: below
            .first()
            .map(|&node| symbolic.owner[node as usize] as usize),
        below: rows,
        in_parent: Vec::new(),
        runs,
    }
}

/// Places of each front's lower rows in its parent.
fn link(symbolic: &mut Symbolic, supernodes: &Supernodes) {
    for (s, (_, _, below)) in supernodes.iter().enumerate() {
        let Some(parent) = symbolic.fronts[s].parent else {
            continue;
        };
        let places = |&node: &u32| {
            let place = symbolic.local(&symbolic.fronts[parent], node as usize);
            let width = symbolic.columns(node as usize).len();
            (place..place + width).map(|p| p as u32)
        };
        symbolic.fronts[s].in_parent = below.iter().flat_map(places).collect();
    }
}
