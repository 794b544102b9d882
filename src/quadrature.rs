//! Adaptive Gauss-Hermite quadrature over the random effects of one grouping factor.
//!
//! Level j's integral is taken at nodes u_k = ûⱼ + c'⁻¹t_k, cc' = Mⱼ, t_k the nodes for N(0, I) with weights
//! ω_k (Pinheiro & Bates 1995):
//!
//!     −2 log ∫ = log|Mⱼ| − 2 log Σ ω_k exp ½(t_k't_k − q(u_k)),     q(u) = −2 log f(yⱼ|u) + u'u
//!
//! One node is the Laplace approximation. The gradient is that of the sum: with π_k the terms' shares and
//! ∇q_k = 2(u_k − Λ'Z's_k), dû enters through y = Σ π_k∇q_k, and dM through N = M⁻¹ − ½c'⁻¹Kc⁻¹, K the
//! symmetric matrix with the lower triangle of Σ π_k t_k ∇q_k' c'⁻¹.

use crate::error::{Error, Result};
use crate::family::DispersionSlopes;
use crate::lambda::Small;
use crate::lanes;
use crate::leading::{solve_lower, solve_upper};
use crate::parallel::Team;
use crate::penalised::Penalised;
use crate::pirls::Pirls;
use faer::{Mat, Side};

/// Levels of one task.
const LEVELS: usize = 32;
/// Most nodes of one level's grid.
const MOST: usize = 1 << 16;

/// A product grid for N(0, I).
pub struct Grid {
    q: usize,
    /// Nodes, q numbers each.
    nodes: Vec<f64>,
    log_weights: Vec<f64>,
}

impl Grid {
    /// `count` nodes in each of q dimensions.
    pub fn new(count: usize, q: usize) -> Result<Grid> {
        let (line, log_weights) = gauss_hermite(count)?;
        let total = (0..q).try_fold(1usize, |total, _| total.checked_mul(count));
        let total = total.filter(|total| *total <= MOST).ok_or_else(|| {
            Error::Data(format!(
                "{count} nodes in each of {q} dimensions are too many"
            ))
        })?;
        let mut grid = Grid {
            q,
            nodes: Vec::with_capacity(total * q),
            log_weights: Vec::with_capacity(total),
        };
        for k in 0..total {
            let places = (0..q).scan(k, |rest, _| {
                let place = *rest % count;
                *rest /= count;
                Some(place)
            });
            let places: Vec<usize> = places.collect();
            grid.nodes.extend(places.iter().map(|&place| line[place]));
            grid.log_weights
                .push(places.iter().map(|&place| log_weights[place]).sum());
        }
        Ok(grid)
    }
}

/// Nodes and log weights for N(0, 1) (Golub & Welsch 1969).
fn gauss_hermite(count: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    let jacobi = Mat::from_fn(count, count, |i, j| match i.abs_diff(j) {
        1 => (i.max(j) as f64).sqrt(),
        _ => 0.0,
    });
    let eigen = (jacobi.self_adjoint_eigen(Side::Lower))
        .map_err(|_| Error::Convergence("the nodes of the quadrature were not found".into()))?;
    // The rule is symmetric about zero to the last bit.
    let node = |k: usize| 0.5 * (eigen.S()[k] - eigen.S()[count - 1 - k]);
    let weight =
        |k: usize| 0.5 * (eigen.U()[(0, k)].powi(2) + eigen.U()[(0, count - 1 - k)].powi(2));
    Ok((
        (0..count).map(node).collect(),
        (0..count).map(|k| weight(k).ln()).collect(),
    ))
}

/// What quadrature changes in the criterion's gradient.
pub struct Corrections {
    /// hᵢ with N for M⁻¹, and s̄ᵢ = Σ π_k s(η_k).
    pub leverages: Vec<f64>,
    pub scores: Vec<f64>,
    /// y, q numbers a level.
    pub modes: Vec<f64>,
    /// Σ [2 Z̃'WZ̃Λ N − 2 Σ π_k Z̃'s_k u_k'], r × q.
    pub lambda: Small,
    /// Σ π_k ∂(−2 log f)/∂log(dispersion).
    pub dispersion: f64,
}

/// One level's rows and what is fixed there.
struct Level<'l, 's> {
    pirls: &'l Pirls<'s>,
    lambda: &'l Small,
    root: &'l [f64],
    rows: std::ops::Range<usize>,
    mode: &'l [f64],
}

/// A node: u_k, the rows' linear predictor, scores and weights there, and q(u_k).
struct Node {
    u: Vec<f64>,
    eta: Vec<f64>,
    score: Vec<f64>,
    weight: Vec<f64>,
    penalised: f64,
}

impl Level<'_, '_> {
    fn node(&self) -> Node {
        let m = self.rows.len();
        Node {
            u: vec![0.0; self.mode.len()],
            eta: vec![0.0; m],
            score: vec![0.0; m],
            weight: vec![0.0; m],
            penalised: 0.0,
        }
    }

    /// Move to ûⱼ + c'⁻¹t.
    fn go(&self, t: &[f64], node: &mut Node) {
        let (pirls, r) = (self.pirls, self.lambda.rows);
        node.u.copy_from_slice(t);
        solve_upper(self.root, t.len(), &mut node.u, 1);
        let along = |i: usize| -> f64 {
            let row = node.u.iter().enumerate();
            row.map(|(k, u)| self.lambda.at(i, k) * u).sum()
        };
        let b: Vec<f64> = (0..r).map(along).collect();
        node.eta.copy_from_slice(&pirls.eta[self.rows.clone()]);
        for (k, b) in b.iter().enumerate() {
            lanes::add_scaled(
                &mut node.eta,
                *b,
                &pirls.observations.z(k)[self.rows.clone()],
            );
        }
        (node.u.iter_mut().zip(self.mode)).for_each(|(u, mode)| *u += mode);
        let rows = pirls.responses.of(self.rows.clone());
        let loss = pirls
            .family
            .working(rows, &node.eta, &mut node.score, &mut node.weight);
        node.penalised = loss + node.u.iter().map(|u| u * u).sum::<f64>();
    }

    /// log of every node's term, and of their sum.
    fn terms(&self, grid: &Grid, node: &mut Node) -> (Vec<f64>, f64) {
        let term = |(t, log_weight): (&[f64], &f64)| {
            self.go(t, node);
            log_weight + 0.5 * (t.iter().map(|t| t * t).sum::<f64>() - node.penalised)
        };
        let terms: Vec<f64> = grid
            .nodes
            .chunks_exact(grid.q)
            .zip(&grid.log_weights)
            .map(term)
            .collect();
        let largest = terms.iter().fold(f64::NEG_INFINITY, |m, v| m.max(*v));
        let sum: f64 = terms.iter().map(|term| (term - largest).exp()).sum();
        (terms, largest + sum.ln())
    }

    /// Z̃'s at a node.
    fn images(&self, node: &Node, out: &mut [f64]) {
        for (k, out) in out.iter_mut().enumerate() {
            *out = lanes::dot(
                &self.pirls.observations.z(k)[self.rows.clone()],
                &node.score,
            );
        }
    }
}

/// −2 Σ log Σ ω_k exp ½(t_k't_k − q(u_k)): what takes the place of the loss and u'u at the modes.
pub fn criterion(
    pirls: &Pirls<'_>,
    factor: &Penalised<'_>,
    grid: &Grid,
    team: &Team,
) -> Result<f64> {
    let (levels, starts) = (pirls.system.leading.levels, &pirls.observations.start);
    let task = |task: usize| -> f64 {
        let levels = crate::parallel::piece(task, LEVELS, levels);
        levels
            .map(|j| {
                let level = level(pirls, factor, starts, j);
                -2.0 * level.terms(grid, &mut level.node()).1
            })
            .sum()
    };
    let mut total = 0.0;
    team.fold(levels.div_ceil(LEVELS), task, |part: f64| total += part)?;
    Ok(total)
}

fn level<'l, 's>(
    pirls: &'l Pirls<'s>,
    factor: &'l Penalised<'s>,
    starts: &[usize],
    j: usize,
) -> Level<'l, 's> {
    let q = factor.effects();
    Level {
        pirls,
        lambda: &factor.lambda[0],
        root: factor.root(j),
        rows: starts[j]..starts[j + 1],
        mode: &pirls.at.u.leading[j * q..(j + 1) * q],
    }
}

/// The corrections of every level; `pirls.sums` are those of the factor.
pub fn corrections(
    pirls: &Pirls<'_>,
    factor: &Penalised<'_>,
    grid: &Grid,
    dispersed: bool,
    team: &Team,
) -> Result<Corrections> {
    let (levels, starts) = (pirls.system.leading.levels, &pirls.observations.start);
    let (r, q) = (factor.lambda[0].rows, grid.q);
    let task = |task: usize| {
        let range = crate::parallel::piece(task, LEVELS, levels);
        let mut part = Corrections::zeros(
            starts[range.end] - starts[range.start],
            range.len() * q,
            (r, q),
        );
        let first = starts[range.start];
        for (index, j) in range.enumerate() {
            let level = level(pirls, factor, starts, j);
            part.add_level(&level, j, grid, (first, index), dispersed);
        }
        part
    };
    let mut total = Corrections::zeros(0, 0, (r, q));
    team.fold(levels.div_ceil(LEVELS), task, |part: Corrections| {
        total.leverages.extend(part.leverages);
        total.scores.extend(part.scores);
        total.modes.extend(part.modes);
        crate::gram::add(&mut total.lambda.data, &part.lambda.data);
        total.dispersion += part.dispersion;
    })?;
    Ok(total)
}

impl Corrections {
    fn zeros(rows: usize, effects: usize, (r, q): (usize, usize)) -> Self {
        Corrections {
            leverages: vec![0.0; rows],
            scores: vec![0.0; rows],
            modes: vec![0.0; effects],
            lambda: Small::zeros(r, q),
            dispersion: 0.0,
        }
    }

    fn add_level(
        &mut self,
        level: &Level<'_, '_>,
        j: usize,
        grid: &Grid,
        (first, index): (usize, usize),
        dispersed: bool,
    ) {
        let (r, q, mut node) = (level.lambda.rows, grid.q, level.node());
        let (terms, sum) = level.terms(grid, &mut node);
        let own = level.rows.start - first..level.rows.end - first;
        let modes = &mut self.modes[index * q..(index + 1) * q];
        // Σ π_k t_k ∇q_k', row-major.
        let mut products = vec![0.0; q * q];
        let mut image = vec![0.0; r];
        for (t, term) in grid.nodes.chunks_exact(q).zip(terms) {
            let share = (term - sum).exp();
            if share == 0.0 {
                continue;
            }
            level.go(t, &mut node);
            level.images(&node, &mut image);
            let scores = self.scores[own.clone()].iter_mut().zip(&node.score);
            scores.for_each(|(sum, s)| *sum += share * s);
            for b in 0..q {
                let column = level.lambda.column(b).iter();
                let along: f64 = column.zip(&image).map(|(l, z)| l * z).sum();
                let slope = 2.0 * share * (node.u[b] - along);
                modes[b] += slope;
                (0..q).for_each(|a| products[a * q + b] += t[a] * slope);
                for (a, z) in image.iter().enumerate() {
                    self.lambda.data[a + b * r] -= 2.0 * share * z * node.u[b];
                }
            }
            if dispersed {
                self.dispersion += share * dispersion_slope(level, &node);
            }
        }
        let n = inner_inverse(level.root, products, q);
        self.add_curvature(level, j, &n, own);
    }

    /// Leverages with N, and 2 Z̃'WZ̃ΛN.
    fn add_curvature(
        &mut self,
        level: &Level<'_, '_>,
        j: usize,
        n: &Small,
        own: std::ops::Range<usize>,
    ) {
        let (r, lambda) = (level.lambda.rows, level.lambda);
        let outer = lambda.times(n);
        let whole = outer.times(&lambda.transposed());
        let (leverages, rows) = (&mut self.leverages[own], &level.rows);
        for (a, b) in (0..r).flat_map(|a| (0..r).map(move |b| (a, b))) {
            let z = |k: usize| &level.pirls.observations.z(k)[rows.clone()];
            lanes::add_product(leverages, whole.at(a, b), z(a), z(b));
        }
        let gram = Small {
            rows: r,
            cols: r,
            data: level.pirls.sums.leading[j * r * r..(j + 1) * r * r].to_vec(),
        };
        let product = gram.times(&outer);
        (self.lambda.data.iter_mut().zip(product.data))
            .for_each(|(sum, value)| *sum += 2.0 * value);
    }
}

/// N = c'⁻¹(I − ½K)c⁻¹ with K made of the products Σ π_k t_k ∇q_k' (row-major).
fn inner_inverse(root: &[f64], mut products: Vec<f64>, q: usize) -> Small {
    // Rows times c'⁻¹: x c'⁻¹ = (c⁻¹x')'.
    for row in products.chunks_exact_mut(q) {
        solve_lower(root, q, row, 1);
    }
    let mut inner = Small::zeros(q, q);
    for a in 0..q {
        for b in 0..=a {
            let unit = f64::from(u8::from(a == b));
            let value = unit - 0.5 * products[a * q + b];
            inner.set(a, b, value);
            inner.set(b, a, value);
        }
    }
    solve_upper(root, q, &mut inner.data, q);
    let mut inner = inner.transposed();
    solve_upper(root, q, &mut inner.data, q);
    inner
}

/// ∂(−2 log f)/∂log(dispersion) of a level's rows at a node.
fn dispersion_slope(level: &Level<'_, '_>, node: &Node) -> f64 {
    let mut columns: [Vec<f64>; 4] = std::array::from_fn(|_| vec![0.0; node.eta.len()]);
    let [loss, score, weight, observed] = &mut columns;
    let out = DispersionSlopes {
        loss,
        score,
        weight,
        observed,
    };
    let rows = level.pirls.responses.of(level.rows.clone());
    level.pirls.family.dispersion_slopes(rows, &node.eta, out);
    columns[0].iter().sum()
}
