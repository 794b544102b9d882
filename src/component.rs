//! One connected component of the complement as dense matrices.
//!
//! Levels of the remaining groups that no chain of leading levels links are independent, so whatever
//! couples *all* pairs of levels is dense within a component and zero between them: one component of
//! all levels for crossed factors, one of a few levels for each top group of nested ones.
//!
//!     K = Z̃₂'V₁⁻¹Z̃₂,  M₂ = I + Λ'KΛ,  N = ΛM₂⁻¹Λ',  J = I − KN,  Z̃₂'V⁻¹Z̃₂ = JK
//!
//! Where λ̃ may be divided by, J = Λ'⁻¹M₂⁻¹Λ' and JK = Λ'⁻¹(I − M₂⁻¹)Λ⁻¹, without any product.

use crate::complement::{solve_transposed, well_conditioned};
use crate::elements::add_products;
use crate::error::{Error, Result};
use crate::factor::Factor;
use crate::lambda::Small;
use crate::leading::{solve_lower, solve_upper};
use crate::parallel::Team;
use crate::square::Square;
use faer::linalg::solvers::DenseSolveCore;
use faer::Side;
use std::ops::Range;

/// A node of a component: its group among the remaining ones and its columns.
pub struct Node {
    pub group: usize,
    pub columns: Range<usize>,
}

/// What one component consists of.
#[derive(Default)]
pub struct Component {
    pub size: usize,
    pub nodes: Vec<Node>,
    fronts: Vec<usize>,
    elements: Vec<usize>,
    /// Places in the component of the elements' columns, one element after another.
    places: Vec<u32>,
}

/// All components, and the place of every scalar column in its own.
pub fn components(factor: &Factor<'_>) -> (Vec<Component>, Vec<u32>) {
    let symbolic = &factor.system.symbolic;
    let mut of_front = vec![0usize; symbolic.fronts.len()];
    let mut list: Vec<Component> = Vec::new();
    // Parents come after their children.
    for (s, front) in symbolic.fronts.iter().enumerate().rev() {
        of_front[s] = front.parent.map_or(list.len(), |parent| of_front[parent]);
        if front.parent.is_none() {
            list.push(Component::default());
        }
        list[of_front[s]].fronts.push(s);
    }
    let mut place = vec![0u32; symbolic.size];
    for node in 0..symbolic.nodes() {
        let component = &mut list[of_front[symbolic.owner[node] as usize]];
        let columns = symbolic.columns(node);
        for (k, column) in columns.clone().enumerate() {
            place[column] = (component.size + k) as u32;
        }
        component.nodes.push(Node {
            group: symbolic.group[node] as usize,
            columns: component.size..component.size + columns.len(),
        });
        component.size += columns.len();
    }
    let elements = &symbolic.elements;
    for e in (0..elements.len()).filter(|&e| elements.width(e) > 0) {
        let component = &mut list[of_front[elements.front[e] as usize]];
        component.elements.push(e);
        let nodes = elements
            .range(e)
            .map(|entry| elements.nodes[entry] as usize);
        let columns = nodes.flat_map(|node| symbolic.columns(node));
        component.places.extend(columns.map(|column| place[column]));
    }
    (list, place)
}

/// The dense matrices of a component that do not depend on a direction.
pub struct Dense<'a> {
    factor: &'a Factor<'a>,
    pub component: &'a Component,
    /// J = I − KN.
    pub j: Square,
    /// Z̃₂'V⁻¹Z̃₂.
    pub inner: Square,
}

impl<'a> Dense<'a> {
    /// From a factor whose inverse on the fronts has been made.
    pub fn new(
        factor: &'a Factor<'a>,
        component: &'a Component,
        place: &[u32],
        team: &Team,
    ) -> Result<Dense<'a>> {
        let mut dense = Dense {
            factor,
            component,
            j: Square::zeros(0),
            inner: Square::zeros(0),
        };
        let direct = factor.lambda.iter().skip(1).all(well_conditioned);
        match &component.fronts[..] {
            &[front] if direct => dense.divide(dense.of_front(front), team),
            _ => {
                let k = dense.unscaled(place, team);
                let inverse = dense.inverse(k.clone(), team)?;
                if direct {
                    dense.divide(inverse, team);
                } else {
                    let n = dense.change(inverse, team, scale, scale_columns);
                    dense.j = k.times(&n, team).complement();
                    dense.inner = dense.j.times(&k, team);
                }
            }
        }
        Ok(dense)
    }

    /// J = Λ'⁻¹M₂⁻¹Λ' and Z̃₂'V⁻¹Z̃₂ = Λ'⁻¹(I − M₂⁻¹)Λ⁻¹.
    fn divide(&mut self, inverse: Square, team: &Team) {
        self.j = self.change(inverse.clone(), team, solve_transposed, scale_columns);
        self.inner = self.change(inverse.complement(), team, solve_transposed, divide_columns);
    }

    /// Node by node: its columns through `right`, then its rows of every column through `left`.
    fn change(
        &self,
        mut matrix: Square,
        team: &Team,
        left: impl Fn(&Small, &mut [f64]) + Sync,
        right: impl Fn(&Small, &mut [f64], usize),
    ) -> Square {
        let stride = matrix.stride;
        for node in &self.component.nodes {
            let columns = node.columns.start * stride..node.columns.end * stride;
            right(self.lambda(node), &mut matrix.data[columns], stride);
        }
        self.on_rows(&mut matrix, team, left);
        matrix
    }

    fn on_rows(&self, matrix: &mut Square, team: &Team, left: impl Fn(&Small, &mut [f64]) + Sync) {
        let stride = matrix.stride;
        matrix.by_columns(team, |_, own| {
            for column in own.chunks_exact_mut(stride) {
                for node in &self.component.nodes {
                    left(self.lambda(node), &mut column[node.columns.clone()]);
                }
            }
        });
    }

    fn lambda(&self, node: &Node) -> &Small {
        self.factor.rest_lambda(node.group as u32)
    }

    /// ΛΛ' matrix.
    pub fn scaled_twice(&self, mut matrix: Square, team: &Team) -> Square {
        self.on_rows(&mut matrix, team, |lambda, x| {
            scale_transposed(lambda, x);
            scale(lambda, x);
        });
        matrix
    }

    /// M₂⁻¹ where there is one front only.
    fn of_front(&self, front: usize) -> Square {
        let front = &self.factor.system.symbolic.fronts[front];
        let mut inverse = Square::zeros(front.own);
        for j in 0..front.own {
            let source =
                &self.factor.fronts.inverse[front.square + j * front.stride..][..front.own];
            inverse.data[j * inverse.stride..][..front.own].copy_from_slice(source);
        }
        inverse
    }

    /// M₂⁻¹ from K.
    fn inverse(&self, k: Square, team: &Team) -> Result<Square> {
        let mut m = self.change(k, team, scale_transposed, multiply_columns);
        m.add_unit();
        let factor = m.view().llt(Side::Lower).map_err(|_| {
            Error::Infeasible("the complement is not positive definite at these parameters".into())
        })?;
        let solved = factor.inverse();
        for j in 0..m.size {
            (0..m.size).for_each(|i| m.data[i + j * m.stride] = solved[(i, j)]);
        }
        Ok(m)
    }

    /// K: the residual panels plus Σ F'A⁻¹F.
    fn unscaled(&self, place: &[u32], team: &Team) -> Square {
        let system = self.factor.system;
        let r = system.leading.width;
        let half = |e: usize, values: &[f64], x: &mut Vec<f64>, y: &mut Vec<f64>| {
            let pivot = &self.factor.pivots[e * r * r..(e + 1) * r * r];
            let from = x.len();
            x.extend_from_slice(values);
            x[from..]
                .chunks_exact_mut(r)
                .for_each(|column| solve_lower(pivot, r, column, 1));
            y.extend_from_slice(&x[from..]);
        };
        let mut k = self.sum_of_elements(half, team);
        for front in self
            .component
            .fronts
            .iter()
            .map(|&s| &system.symbolic.fronts[s])
        {
            let row = |i: usize| match i.checked_sub(front.own) {
                None => place[front.start + i] as usize,
                Some(below) => place[front.below[below] as usize] as usize,
            };
            for j in 0..front.own {
                let panel = &system.panels[front.panel + j * front.stride..];
                for (i, value) in panel.iter().enumerate().take(front.size).skip(j) {
                    k.data[row(i) + row(j) * k.stride] += value;
                }
            }
        }
        k.mirror();
        k
    }

    /// S = H D H' for H = Z̃₂'V₁⁻¹Z̃₁ and D on every leading level.
    pub fn leading_square(&self, d: &Small, team: &Team) -> Square {
        let leading = &self.factor.system.leading;
        let r = leading.width;
        let product = |column: &[f64], of: &dyn Fn(usize, usize) -> f64, out: &mut Vec<f64>| {
            out.extend((0..r).map(|i| (0..r).map(|l| column[l] * of(l, i)).sum::<f64>()));
        };
        let of_level = |e: usize, values: &[f64], x: &mut Vec<f64>, y: &mut Vec<f64>| {
            // m = A⁻¹R, row-major; h = F'm.
            let mut m = vec![0.0; r * r];
            let rows = leading.level(e).chunks_exact(leading.stride);
            m.chunks_exact_mut(r)
                .zip(rows)
                .for_each(|(row, source)| row.copy_from_slice(&source[..r]));
            let pivot = &self.factor.pivots[e * r * r..(e + 1) * r * r];
            solve_lower(pivot, r, &mut m, r);
            solve_upper(pivot, r, &mut m, r);
            let from = x.len();
            for column in values.chunks_exact(r) {
                product(column, &|l, i| m[l * r + i], x);
            }
            for column in x[from..].chunks_exact(r) {
                product(column, &|l, i| d.at(l, i), y);
            }
        };
        let mut square = self.sum_of_elements(of_level, team);
        square.mirror();
        square
    }

    /// Σ X'Y over the component's elements, lower triangle; `make` appends X and Y, r numbers a column.
    fn sum_of_elements(
        &self,
        make: impl Fn(usize, &[f64], &mut Vec<f64>, &mut Vec<f64>),
        team: &Team,
    ) -> Square {
        let (system, component) = (self.factor.system, self.component);
        let (r, elements) = (system.leading.width, &system.symbolic.elements);
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for &e in &component.elements {
            let values = &system.values[elements.columns[e] * r..elements.columns[e + 1] * r];
            make(e, values, &mut x, &mut y);
        }
        let mut square = Square::zeros(component.size);
        let stride = square.stride;
        square.by_columns(team, |range, own| {
            let mut from = 0;
            for &e in &component.elements {
                let to = from + elements.width(e);
                let (left, right) = (&x[from * r..to * r], &y[from * r..to * r]);
                let places = &component.places[from..to];
                pulp::Arch::new().dispatch(|| {
                    add_products(r, (left, right), 1.0, places, (range.clone(), stride), own)
                });
                from = to;
            }
        });
        square
    }
}

/// x ← λx, for the first rows of λ if x is shorter.
fn scale(lambda: &Small, x: &mut [f64]) {
    for i in (0..x.len()).rev() {
        x[i] = (0..=i).map(|l| lambda.at(i, l) * x[l]).sum();
    }
}

/// x ← λ'x.
fn scale_transposed(lambda: &Small, x: &mut [f64]) {
    for i in 0..x.len() {
        x[i] = (i..x.len()).map(|l| lambda.at(l, i) * x[l]).sum();
    }
}

/// Columns X ← Xλ'.
fn scale_columns(lambda: &Small, block: &mut [f64], stride: usize) {
    for i in (0..block.len() / stride).rev() {
        let (before, own) = block.split_at_mut(i * stride);
        own[..stride].iter_mut().for_each(|x| *x *= lambda.at(i, i));
        for (l, source) in before.chunks_exact(stride).enumerate() {
            add_multiple(&mut own[..stride], lambda.at(i, l), source);
        }
    }
}

/// Columns X ← Xλ.
fn multiply_columns(lambda: &Small, block: &mut [f64], stride: usize) {
    for j in 0..block.len() / stride {
        let (own, after) = block[j * stride..].split_at_mut(stride);
        own.iter_mut().for_each(|x| *x *= lambda.at(j, j));
        for (l, source) in after.chunks_exact(stride).enumerate() {
            add_multiple(own, lambda.at(j + 1 + l, j), source);
        }
    }
}

/// Columns X ← Xλ⁻¹.
fn divide_columns(lambda: &Small, block: &mut [f64], stride: usize) {
    for j in (0..block.len() / stride).rev() {
        let (own, after) = block[j * stride..].split_at_mut(stride);
        for (l, source) in after.chunks_exact(stride).enumerate() {
            add_multiple(own, -lambda.at(j + 1 + l, j), source);
        }
        own.iter_mut().for_each(|x| *x /= lambda.at(j, j));
    }
}

fn add_multiple(target: &mut [f64], factor: f64, source: &[f64]) {
    if factor != 0.0 {
        target
            .iter_mut()
            .zip(source)
            .for_each(|(sum, value)| *sum += factor * value);
    }
}
