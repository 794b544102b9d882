//! Storage of the factor of the remaining groups, decided once per model from the data, not the formula.
//!
//! Eliminating the leading group leaves a complement in the levels ("nodes") of the other groups. Each
//! leading level is an *element*: it links the nodes that occur with it. A fill-reducing ordering (AMD)
//! and supernodes turn the complement into a tree of dense *fronts* (multifrontal method): nested terms
//! give many tiny fronts, crossed terms one large one; one code serves both.

use crate::elements::Elements;
use crate::error::{Error, Result};
use crate::parallel::Team;
use faer::sparse::linalg::cholesky::{
    factorize_symbolic_cholesky, CholeskySymbolicParams, SymbolicCholeskyRaw, SymmetricOrdering,
};
use faer::sparse::linalg::SupernodalThreshold;
use faer::sparse::SymbolicSparseColMatRef;
use faer::Side;

/// Up to so many scalar columns one dense front is taken without further analysis.
const SMALL: usize = 128;
/// A connected complement denser than this fills up altogether, whatever the order.
const DENSE: f64 = 0.1;
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
    fn nodes(&self) -> usize {
        self.levels.iter().sum()
    }

    fn scalars(&self) -> usize {
        self.widths.iter().sum()
    }

    /// (group, level) of every node.
    fn owners(&self) -> Vec<(u32, u32)> {
        let group =
            |(g, &levels): (usize, &usize)| (0..levels as u32).map(move |level| (g as u32, level));
        self.levels.iter().enumerate().flat_map(group).collect()
    }
}

/// Do the fronts of these supernodes need clearly less memory than one dense front?
fn is_worthwhile(nodes: usize, supernodes: &Supernodes) -> bool {
    let square =
        |(begin, end, below): &(usize, usize, Vec<u32>)| (end - begin + below.len()).pow(2);
    supernodes.iter().map(square).sum::<usize>() < nodes * nodes / 2
}

/// Supernodes over nodes: (first node, past the last, nodes below), in elimination order.
type Supernodes = Vec<(usize, usize, Vec<u32>)>;

impl Symbolic {
    /// Analyse a complement.
    pub fn new(graph: &Graph, team: &Team) -> Result<Symbolic> {
        let nodes = graph.nodes();
        let whole = || ((0..nodes as u32).collect(), vec![(0, nodes, Vec::new())]);
        let (order, supernodes) = match sparse_pattern(graph, team)? {
            _ if nodes == 0 => (Vec::new(), Vec::new()),
            None => whole(),
            Some((start, below)) => {
                let (order, supernodes) = ordered(nodes, &start, &below)?;
                if is_worthwhile(nodes, &supernodes) {
                    (order, supernodes)
                } else {
                    whole()
                }
            }
        };
        Ok(build(graph, order, supernodes))
    }

    pub fn nodes(&self) -> usize {
        self.group.len()
    }

    /// Scalar columns of a node.
    pub fn columns(&self, node: usize) -> std::ops::Range<usize> {
        self.scalar[node]..self.scalar[node + 1]
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

/// Lower pattern (strict) of the complement by node, or None where one dense front is the better choice.
fn sparse_pattern(graph: &Graph, team: &Team) -> Result<Option<(Vec<usize>, Vec<usize>)>> {
    let nodes = graph.nodes();
    if graph.scalars() <= SMALL || nodes < 2 {
        return Ok(None);
    }
    let mut members: Vec<Vec<u32>> = vec![Vec::new(); nodes];
    for (e, element) in graph.elements.iter().enumerate() {
        element
            .iter()
            .for_each(|&node| members[node as usize].push(e as u32));
    }
    let connected = is_connected(graph);
    let limit = (DENSE * (nodes as f64).powi(2) / 2.0) as usize;
    let mut seen = vec![u32::MAX; nodes];
    let (mut start, mut below) = (vec![0], Vec::new());
    for node in 0..nodes {
        team.check_every(node)?;
        for &e in &members[node] {
            for &other in &graph.elements[e as usize] {
                if other as usize > node && seen[other as usize] != node as u32 {
                    seen[other as usize] = node as u32;
                    below.push(other as usize);
                }
            }
        }
        let from = start[node];
        below[from..].sort_unstable();
        start.push(below.len());
        if connected && below.len() > limit {
            return Ok(None);
        }
    }
    Ok(Some((start, below)))
}

/// Do all elements hang together?
fn is_connected(graph: &Graph) -> bool {
    let mut leader: Vec<u32> = (0..graph.nodes() as u32).collect();
    let find = |leader: &mut Vec<u32>, mut node: u32| {
        while leader[node as usize] != node {
            leader[node as usize] = leader[leader[node as usize] as usize];
            node = leader[node as usize];
        }
        node
    };
    for element in &graph.elements {
        for pair in element.windows(2) {
            let (a, b) = (find(&mut leader, pair[0]), find(&mut leader, pair[1]));
            leader[a.max(b) as usize] = a.min(b);
        }
    }
    let root = find(&mut leader, 0);
    (0..graph.nodes() as u32).all(|node| find(&mut leader, node) == root)
}

/// Fill-reducing order (place of every node) and supernodes.
fn ordered(nodes: usize, start: &[usize], below: &[usize]) -> Result<(Vec<u32>, Supernodes)> {
    // Column j of the strict lower pattern: rows > j; the diagonal is implied.
    let pattern = SymbolicSparseColMatRef::new_checked(nodes, nodes, start, None, below);
    let params = CholeskySymbolicParams {
        supernodal_flop_ratio_threshold: SupernodalThreshold::FORCE_SUPERNODAL,
        ..Default::default()
    };
    let symbolic =
        factorize_symbolic_cholesky(pattern, Side::Lower, SymmetricOrdering::Amd, params).map_err(
            |error| Error::Convergence(format!("the symbolic analysis failed: {error:?}")),
        )?;
    let mut order: Vec<u32> = (0..nodes as u32).collect();
    if let Some(perm) = symbolic.perm() {
        let (forward, _) = perm.arrays();
        forward
            .iter()
            .enumerate()
            .for_each(|(place, &node)| order[node] = place as u32);
    }
    let sorted = |rows: &[usize]| {
        let mut rows: Vec<u32> = rows.iter().map(|&row| row as u32).collect();
        rows.sort_unstable();
        rows
    };
    let supernodes = match symbolic.raw() {
        SymbolicCholeskyRaw::Supernodal(raw) => {
            let (begin, end) = (raw.supernode_begin(), raw.supernode_end());
            (0..raw.n_supernodes())
                .map(|s| (begin[s], end[s], sorted(raw.supernode(s).pattern())))
                .collect()
        }
        // Next to no fill: every column its own supernode, without the diagonal's own row.
        SymbolicCholeskyRaw::Simplicial(raw) => {
            let (start, rows) = (raw.col_ptr(), raw.row_idx());
            (0..nodes)
                .map(|j| (j, j + 1, sorted(&rows[start[j] + 1..start[j + 1]])))
                .collect()
        }
    };
    Ok((order, supernodes))
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
        fronts: Vec::new(),
        elements: Elements::default(),
        squares: 0,
        panels: 0,
    };
    let mut owner = vec![0u32; nodes];
    for (s, (begin, end, _)) in supernodes.iter().enumerate() {
        owner[*begin..*end].fill(s as u32);
    }
    for supernode in &supernodes {
        let front = front(&symbolic, supernode, &owner);
        symbolic.squares = front.square + front.stride * front.size;
        symbolic.panels = front.panel + front.stride * front.own;
        symbolic.fronts.push(front);
    }
    link(&mut symbolic, &supernodes);
    symbolic.elements = Elements::new(graph, &symbolic, &owner);
    symbolic
}

fn front(
    symbolic: &Symbolic,
    (begin, end, below): &(usize, usize, Vec<u32>),
    owner: &[u32],
) -> Front {
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
        parent: below.first().map(|&node| owner[node as usize] as usize),
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
