//! In which order, and in which supernodes, the complement is eliminated.
//!
//! Small or dense complements are one dense front. Sparse ones are ordered by AMD (`faer`), unless the
//! graph has no small separator (two large crossed factors): then every order fills up, and the analysis
//! would take longer than it could save.

use crate::error::{Error, Result};
use crate::parallel::Team;
use crate::symbolic::Graph;
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
/// Largest share of one dense front's work, and multiple of its memory, that fronts may take.
const WORK: f64 = 0.7;
const MEMORY: f64 = 2.0;
/// From so many nodes, with so many neighbours each, separators are looked for first.
const LARGE: (usize, usize) = (2000, 8);
/// Nodes with this many times the mean number of neighbours are hubs: they are eliminated last anyway.
const HUB: usize = 10;
/// A breadth-first level this wide means that there is no small separator.
const WIDE: f64 = 0.25;

/// Supernodes over nodes: (first node, past the last, nodes below), in elimination order.
pub type Supernodes = Vec<(usize, usize, Vec<u32>)>;

/// Place of every node in the elimination, and the supernodes.
pub fn order(graph: &Graph, team: &Team) -> Result<(Vec<u32>, Supernodes)> {
    let nodes = graph.nodes();
    let whole = || ((0..nodes as u32).collect(), vec![(0, nodes, Vec::new())]);
    let Some((start, below)) = sparse_pattern(graph, team)? else {
        return Ok(if nodes == 0 {
            (Vec::new(), Vec::new())
        } else {
            whole()
        });
    };
    if fills_up(&start, &below, team)? {
        return Ok(whole());
    }
    let (order, supernodes) = ordered(nodes, &start, &below)?;
    team.check()?;
    Ok(if is_worthwhile(nodes, &supernodes) {
        (order, supernodes)
    } else {
        whole()
    })
}

/// Do the fronts of these supernodes need clearly less work than one dense front, and no more memory
/// than a few of them?
fn is_worthwhile(nodes: usize, supernodes: &Supernodes) -> bool {
    let size = |(begin, end, below): &(usize, usize, Vec<u32>)| {
        ((end - begin) as f64, (end - begin + below.len()) as f64)
    };
    let whole = nodes as f64;
    let work: f64 = supernodes
        .iter()
        .map(size)
        .map(|(own, size)| own * size * size)
        .sum();
    let memory: f64 = supernodes
        .iter()
        .map(size)
        .map(|(_, size)| size * size)
        .sum();
    work < WORK * whole.powi(3) && memory < MEMORY * whole.powi(2)
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

/// Is the graph without small separators? Judged by the widest level of a breadth-first search from a
/// far-off node, hubs left out.
fn fills_up(start: &[usize], below: &[usize], team: &Team) -> Result<bool> {
    let nodes = start.len() - 1;
    if nodes < LARGE.0 || below.len() < LARGE.1 * nodes {
        return Ok(false);
    }
    let (first, neighbours) = symmetric(start, below);
    let mean = neighbours.len() / nodes;
    let hub = |node: usize| first[node + 1] - first[node] > HUB * mean;
    let mut root = (0..nodes).find(|&node| !hub(node)).unwrap_or(0);
    let (mut widest, mut reached) = (0, 0);
    for _ in 0..2 {
        let mut seen = vec![false; nodes];
        let mut level = vec![root];
        seen[root] = true;
        (widest, reached) = (0, 0);
        while !level.is_empty() {
            team.check()?;
            (widest, reached, root) = (widest.max(level.len()), reached + level.len(), level[0]);
            let mut next = Vec::new();
            for &node in &level {
                for &other in &neighbours[first[node]..first[node + 1]] {
                    if !seen[other as usize] && !hub(other as usize) {
                        seen[other as usize] = true;
                        next.push(other as usize);
                    }
                }
            }
            level = next;
        }
    }
    Ok(2 * reached > nodes && widest as f64 > WIDE * reached as f64)
}

/// Neighbours of every node, both ways.
fn symmetric(start: &[usize], below: &[usize]) -> (Vec<usize>, Vec<u32>) {
    let nodes = start.len() - 1;
    let mut first = vec![0; nodes + 1];
    for node in 0..nodes {
        first[node + 1] += start[node + 1] - start[node];
        below[start[node]..start[node + 1]]
            .iter()
            .for_each(|&other| first[other + 1] += 1);
    }
    (0..nodes).for_each(|node| first[node + 1] += first[node]);
    let mut next = first.clone();
    let mut neighbours = vec![0; first[nodes]];
    let mut put = |from: usize, to: usize| {
        neighbours[next[from]] = to as u32;
        next[from] += 1;
    };
    for node in 0..nodes {
        for &other in &below[start[node]..start[node + 1]] {
            put(node, other);
            put(other, node);
        }
    }
    (first, neighbours)
}
