//! One connected component of the complement as dense matrices.
//!
//! Levels of the remaining groups that no chain of leading levels links are independent, so whatever
//! couples *all* pairs of levels is dense within a component and zero between them: one component of
//! all levels for crossed factors, one of a few levels for each top group of nested ones.
//!
//!     K = Z̃₂'V₁⁻¹Z̃₂,  M₂ = I + Λ'KΛ,  N = ΛM₂⁻¹Λ',  J = I − KN,  Z̃₂'V⁻¹Z̃₂ = JK

use crate::aligned::Aligned;
use crate::complement::{solve_transposed, well_conditioned};
use crate::error::{Error, Result};
use crate::factor::Factor;
use crate::lambda::Small;
use crate::leading::{solve_lower, solve_upper};
use crate::parallel::{piece, Shared, Team};
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par, Side};

/// Columns of one task of a product.
const COLUMNS: usize = 48;
/// Stride of the columns, in whole cache lines.
const LINE: usize = 8;
/// Rows and columns of a tile that is transposed at a time.
const TILE: usize = 32;

/// A dense square matrix, columns on cache lines.
#[derive(Clone)]
pub struct Square {
    pub size: usize,
    pub stride: usize,
    pub data: Aligned,
}

impl Square {
    pub fn zeros(size: usize) -> Square {
        let stride = size.next_multiple_of(LINE);
        Square {
            size,
            stride,
            data: Aligned::zeros(stride * size),
        }
    }

    pub fn column(&self, j: usize) -> &[f64] {
        &self.data[j * self.stride..j * self.stride + self.size]
    }

    pub fn column_mut(&mut self, j: usize) -> &mut [f64] {
        &mut self.data[j * self.stride..j * self.stride + self.size]
    }

    fn view(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice_with_stride(&self.data, self.size, self.size, self.stride)
    }

    /// self · other, by tasks of columns.
    pub fn times(&self, other: &Square, team: &Team) -> Square {
        let mut product = Square::zeros(self.size);
        let (size, stride) = (self.size, self.stride);
        let shared = Shared::new(&mut product.data);
        team.each(size.div_ceil(COLUMNS), |task| {
            let range = piece(task, COLUMNS, size);
            // SAFETY: each column belongs to one task.
            let own = unsafe { shared.range(range.start * stride, range.len() * stride) };
            let target =
                MatMut::from_column_major_slice_with_stride_mut(own, size, range.len(), stride);
            let right = other.view().subcols(range.start, range.len());
            matmul(target, Accum::Replace, self.view(), right, 1.0, Par::Seq);
        });
        product
    }

    pub fn transposed(&self) -> Square {
        let mut result = Square::zeros(self.size);
        for tile in (0..self.size).step_by(TILE) {
            for j in 0..self.size {
                let column = self.column(j);
                for i in tile..(tile + TILE).min(self.size) {
                    result.data[j + i * self.stride] = column[i];
                }
            }
        }
        result
    }

    /// Copy the lower triangle to the upper one.
    fn mirror(&mut self) {
        for j in 0..self.size {
            for i in j + 1..self.size {
                self.data[j + i * self.stride] = self.data[i + j * self.stride];
            }
        }
    }

    /// I − self.
    fn from_unit(mut self) -> Square {
        self.data.iter_mut().for_each(|value| *value = -*value);
        (0..self.size).for_each(|i| self.data[i + i * self.stride] += 1.0);
        self
    }
}

/// A node of a component: its group among the remaining ones and its columns.
pub struct Node {
    pub group: usize,
    pub columns: std::ops::Range<usize>,
}

/// What one component consists of.
pub struct Component {
    pub fronts: Vec<usize>,
    pub nodes: Vec<Node>,
    pub elements: Vec<usize>,
    pub size: usize,
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
            list.push(Component {
                fronts: Vec::new(),
                nodes: Vec::new(),
                elements: Vec::new(),
                size: 0,
            });
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
    for e in 0..symbolic.elements.len() {
        if symbolic.elements.width(e) > 0 {
            list[of_front[symbolic.elements.front[e] as usize]]
                .elements
                .push(e);
        }
    }
    (list, place)
}

/// The dense matrices of a component that do not depend on a direction.
pub struct Dense<'a> {
    factor: &'a Factor<'a>,
    pub component: &'a Component,
    place: &'a [u32],
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
        place: &'a [u32],
        team: &Team,
    ) -> Result<Dense<'a>> {
        let mut dense = Dense {
            factor,
            component,
            place,
            j: Square::zeros(0),
            inner: Square::zeros(0),
        };
        let direct = factor.lambda.iter().skip(1).all(well_conditioned);
        let k = if direct && component.fronts.len() == 1 {
            None
        } else {
            Some(dense.unscaled(team))
        };
        let inverse = dense.inverse(k.as_ref())?;
        let half = dense.left(inverse.clone(), scale).transposed();
        if direct {
            dense.j = dense.left(half, solve_transposed);
            let half = dense.left(inverse.from_unit(), solve_transposed);
            dense.inner = dense.left(half.transposed(), solve_transposed);
        } else if let Some(k) = k {
            let n = dense.left(half, scale);
            dense.j = k.times(&n, team).from_unit();
            dense.inner = dense.j.times(&k, team);
        }
        Ok(dense)
    }

    /// Each node's rows of every column through `step` with the node's λ̃.
    fn left(&self, mut matrix: Square, step: impl Fn(&Small, &mut [f64])) -> Square {
        for j in 0..matrix.size {
            let column = matrix.column_mut(j);
            for node in &self.component.nodes {
                let lambda = self.factor.rest_lambda(node.group as u32);
                step(lambda, &mut column[node.columns.clone()]);
            }
        }
        matrix
    }

    /// ΛΛ' matrix.
    pub fn scaled_twice(&self, matrix: Square) -> Square {
        self.left(matrix, |lambda, x| {
            scale_transposed(lambda, x);
            scale(lambda, x);
        })
    }

    /// M₂⁻¹: that of the front where there is only one, else from K.
    fn inverse(&self, k: Option<&Square>) -> Result<Square> {
        let fronts = &self.factor.system.symbolic.fronts;
        let mut inverse = Square::zeros(self.component.size);
        if let (&[s], None) = (&self.component.fronts[..], k) {
            let front = &fronts[s];
            for j in 0..front.own {
                let source = &self.factor.inverse[front.square + j * front.stride..][..front.own];
                inverse.column_mut(j).copy_from_slice(source);
            }
            inverse.mirror();
            return Ok(inverse);
        }
        let Some(k) = k else {
            return Ok(inverse);
        };
        let half = self.left(k.clone(), scale_transposed).transposed();
        let mut m = self.left(half, scale_transposed);
        (0..m.size).for_each(|i| m.data[i + i * m.stride] += 1.0);
        let factor = m.view().llt(Side::Lower).map_err(|_| {
            Error::Infeasible("the complement is not positive definite at these parameters".into())
        })?;
        let solved = faer::linalg::solvers::DenseSolveCore::inverse(&factor);
        for j in 0..m.size {
            (0..m.size).for_each(|i| inverse.data[i + j * inverse.stride] = solved[(i, j)]);
        }
        Ok(inverse)
    }

    /// K: the residual panels plus Σ F'A⁻¹F.
    fn unscaled(&self, team: &Team) -> Square {
        let system = self.factor.system;
        let mut k = Square::zeros(self.component.size);
        for front in self
            .component
            .fronts
            .iter()
            .map(|&s| &system.symbolic.fronts[s])
        {
            let row = |i: usize| match i.checked_sub(front.own) {
                None => self.place[front.start + i] as usize,
                Some(below) => self.place[front.below[below] as usize] as usize,
            };
            for j in 0..front.own {
                let panel = &system.panels[front.panel + j * front.stride..];
                for i in j..front.size {
                    let (a, b) = (row(i), row(j));
                    k.data[a + b * k.stride] += panel[i];
                    if a != b {
                        k.data[b + a * k.stride] += panel[i];
                    }
                }
            }
        }
        let r = system.leading.width;
        let mut half = Vec::new();
        for &e in &self.component.elements {
            if team.stopped() {
                return k;
            }
            half.clear();
            half.extend_from_slice(self.values(e));
            let pivot = &self.factor.pivots[e * r * r..(e + 1) * r * r];
            half.chunks_exact_mut(r)
                .for_each(|column| solve_lower(pivot, r, column, 1));
            let places = self.columns(e);
            add_outer(&mut k, &places, r, &half, &half);
        }
        k
    }

    fn values(&self, e: usize) -> &[f64] {
        let (elements, r) = (
            &self.factor.system.symbolic.elements,
            self.factor.system.leading.width,
        );
        &self.factor.system.values[elements.columns[e] * r..elements.columns[e + 1] * r]
    }

    /// Places in the component of an element's columns.
    fn columns(&self, e: usize) -> Vec<u32> {
        let symbolic = &self.factor.system.symbolic;
        let nodes = symbolic.elements.range(e);
        nodes
            .flat_map(|entry| symbolic.columns(symbolic.elements.nodes[entry] as usize))
            .map(|column| self.place[column])
            .collect()
    }

    /// S = H D H' for H = Z̃₂'V₁⁻¹Z̃₁ and D on every leading level.
    pub fn leading_square(&self, d: &Small, team: &Team) -> Square {
        let leading = &self.factor.system.leading;
        let r = leading.width;
        let mut square = Square::zeros(self.component.size);
        let (mut m, mut h, mut hd) = (vec![0.0; r * r], Vec::new(), Vec::new());
        for &e in &self.component.elements {
            if team.stopped() {
                return square;
            }
            // m = A⁻¹R, row-major; then h = F'm, r numbers a column.
            for (row, source) in m
                .chunks_exact_mut(r)
                .zip(leading.level(e).chunks_exact(leading.stride))
            {
                row.copy_from_slice(&source[..r]);
            }
            let pivot = &self.factor.pivots[e * r * r..(e + 1) * r * r];
            solve_lower(pivot, r, &mut m, r);
            solve_upper(pivot, r, &mut m, r);
            let product = |column: &[f64], of: &dyn Fn(usize, usize) -> f64, out: &mut Vec<f64>| {
                out.extend((0..r).map(|i| (0..r).map(|l| column[l] * of(l, i)).sum::<f64>()));
            };
            (h.clear(), hd.clear());
            for column in self.values(e).chunks_exact(r) {
                product(column, &|l, i| m[l * r + i], &mut h);
            }
            for column in h.chunks_exact(r) {
                product(column, &|l, i| d.at(l, i), &mut hd);
            }
            add_outer(&mut square, &self.columns(e), r, &hd, &h);
        }
        square
    }
}

/// square[a, b] += x_a · y_b over the places given, r numbers a place.
fn add_outer(square: &mut Square, places: &[u32], r: usize, x: &[f64], y: &[f64]) {
    let stride = square.stride;
    for (&b, y) in places.iter().zip(y.chunks_exact(r)) {
        let column = &mut square.data[b as usize * stride..(b as usize + 1) * stride];
        if r == 1 {
            for (&a, x) in places.iter().zip(x) {
                column[a as usize] += x * y[0];
            }
        } else {
            for (&a, x) in places.iter().zip(x.chunks_exact(r)) {
                column[a as usize] += x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
            }
        }
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
