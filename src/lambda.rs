//! Relative covariance factor Λ_θ: one template λ per grouping factor, θ ↔ λ.
//!
//! Terms on one grouping factor are amalgamated: λ is block diagonal with one lower triangle per
//! term (column-major in θ, as Bates et al. 2015, eq. 60). The kernel works with λ̃ = Tλ, where T
//! carries the shift and scale of the columns (z = T'z̃, hence b̃ = Tb). An unstructured term that
//! holds a constant column is optimised in the lower triangle of λ̃ itself (`Free`) and converted
//! once, by an LQ factorisation of T⁻¹λ̃, never through Σ; any other keeps λ's pattern (`Mapped`).

use crate::fixed_matrix::Shifted;
use std::ops::Range;

/// A small dense matrix, column-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Small {
    pub rows: usize,
    pub cols: usize,
    pub data: Vec<f64>,
}

impl Small {
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Small {
            rows,
            cols,
            data: vec![0.0; rows * cols],
        }
    }

    #[inline]
    pub fn at(&self, i: usize, j: usize) -> f64 {
        self.data[i + j * self.rows]
    }

    #[inline]
    pub fn set(&mut self, i: usize, j: usize, value: f64) {
        self.data[i + j * self.rows] = value;
    }

    pub fn column(&self, j: usize) -> &[f64] {
        &self.data[j * self.rows..(j + 1) * self.rows]
    }

    /// self · other.
    pub fn times(&self, other: &Small) -> Small {
        let mut product = Small::zeros(self.rows, other.cols);
        for j in 0..other.cols {
            for k in 0..self.cols {
                let factor = other.at(k, j);
                for i in 0..self.rows {
                    product.data[i + j * self.rows] += self.at(i, k) * factor;
                }
            }
        }
        product
    }

    pub fn transposed(&self) -> Small {
        let mut result = Small::zeros(self.cols, self.rows);
        for j in 0..self.cols {
            for i in 0..self.rows {
                result.set(j, i, self.at(i, j));
            }
        }
        result
    }
}

/// Make `matrix` lower triangular by rotations of its columns (an LQ factorisation without Q), and
/// its diagonal non-negative.
pub fn lower_triangle(matrix: &mut Small) {
    for i in 0..matrix.rows {
        for j in i + 1..matrix.cols {
            let (a, b) = (matrix.at(i, i), matrix.at(i, j));
            if b != 0.0 {
                let length = a.hypot(b);
                let (c, s) = (a / length, b / length);
                for row in 0..matrix.rows {
                    let (x, y) = (matrix.at(row, i), matrix.at(row, j));
                    matrix.set(row, i, c * x + s * y);
                    matrix.set(row, j, c * y - s * x);
                }
                matrix.set(i, j, 0.0);
            }
        }
    }
    positive_diagonal(matrix);
}

fn positive_diagonal(matrix: &mut Small) {
    for j in 0..matrix.cols.min(matrix.rows) {
        if matrix.at(j, j) < 0.0 {
            (j..matrix.rows).for_each(|i| matrix.set(i, j, -matrix.at(i, j)));
        }
    }
}

/// How the optimiser's parameters make λ̃.
#[derive(Clone, Debug, PartialEq)]
enum Shape {
    /// θ is the lower triangle of λ̃; `constant` is the column that takes up the shifts.
    Free { constant: Option<usize> },
    /// λ̃ = map · λ, with λ in scaled columns; `carried` says that row 0 is an added constant.
    Mapped { map: Small },
}

/// The template of one grouping factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    /// The user's columns, q.
    pub cols: usize,
    /// Columns of Z̃, q or q + 1.
    pub rows: usize,
    /// One range of columns per amalgamated term.
    pub blocks: Vec<Range<usize>>,
    columns: Vec<Shifted>,
    shape: Shape,
}

impl Template {
    /// Template of the columns with these shifts; `constant` is the intercept's place, if there is one.
    pub fn new(columns: Vec<Shifted>, blocks: Vec<Range<usize>>, constant: Option<usize>) -> Self {
        let cols = columns.len();
        let shifted = columns.iter().any(|column| column.shift != 0.0);
        let free = blocks.len() == 1 && (constant.is_some() || !shifted);
        let carried = shifted && !free;
        let rows = cols + usize::from(carried);
        let shape = if free {
            Shape::Free { constant }
        } else {
            let mut map = Small::zeros(rows, cols);
            for (k, column) in columns.iter().enumerate() {
                map.set(k + usize::from(carried), k, 1.0);
                if carried {
                    map.set(0, k, column.shift / column.scale);
                }
            }
            Shape::Mapped { map }
        };
        Template {
            cols,
            rows,
            blocks,
            columns,
            shape,
        }
    }

    /// Is a constant column added in front of the user's?
    pub fn carries_constant(&self) -> bool {
        self.rows > self.cols
    }

    /// The user's constant column that takes up the shifts, if any.
    pub fn constant_column(&self) -> Option<usize> {
        match self.shape {
            Shape::Free { constant } => constant,
            Shape::Mapped { .. } => None,
        }
    }

    /// Shift and scale of the user's column `k`.
    pub fn column(&self, k: usize) -> Shifted {
        self.columns[k]
    }

    /// (row, column) in λ of every θ, block by block, column-major.
    pub fn entries(&self) -> Vec<(usize, usize)> {
        let block = |range: &Range<usize>| {
            let end = range.end;
            range
                .clone()
                .flat_map(move |j| (j..end).map(move |i| (i, j)))
        };
        self.blocks.iter().flat_map(block).collect()
    }

    /// λ of these parameters.
    pub fn fill(&self, theta: &[f64]) -> Small {
        let mut lambda = Small::zeros(self.cols, self.cols);
        for (&(i, j), &value) in self.entries().iter().zip(theta) {
            lambda.set(i, j, value);
        }
        lambda
    }

    /// T as a matrix on the optimiser's λ: identity (`Free`) or the map.
    pub fn map(&self) -> Small {
        match &self.shape {
            Shape::Mapped { map } => map.clone(),
            Shape::Free { .. } => {
                let mut identity = Small::zeros(self.cols, self.cols);
                (0..self.cols).for_each(|k| identity.set(k, k, 1.0));
                identity
            }
        }
    }

    /// λ̃ (rows × cols) at the optimiser's θ.
    pub fn factor(&self, theta: &[f64]) -> Small {
        let lambda = self.fill(theta);
        match &self.shape {
            Shape::Free { .. } => lambda,
            Shape::Mapped { map } => map.times(&lambda),
        }
    }

    /// U with (user's b) = U (optimiser's): scales undone, and the shifts taken out of the constant.
    pub fn user_matrix(&self) -> Small {
        let mut matrix = Small::zeros(self.cols, self.cols);
        for (k, column) in self.columns.iter().enumerate() {
            matrix.set(k, k, 1.0 / column.scale);
        }
        if let Shape::Free {
            constant: Some(constant),
        } = self.shape
        {
            for (k, column) in self.columns.iter().enumerate() {
                let moved = matrix.at(constant, k) - column.shift / column.scale;
                matrix.set(constant, k, moved);
            }
        }
        matrix
    }

    /// b = (this) u: λ in the user's coordinates, up to a rotation of u.
    pub fn user_factor(&self, theta: &[f64]) -> Small {
        self.user_matrix().times(&self.fill(theta))
    }

    /// The optimiser's θ → the user's: lower triangles with non-negative diagonals.
    pub fn to_user(&self, theta: &[f64]) -> Vec<f64> {
        let mut lambda = self.user_factor(theta);
        match self.shape {
            Shape::Free { .. } => lower_triangle(&mut lambda),
            Shape::Mapped { .. } => positive_diagonal(&mut lambda),
        }
        self.entries()
            .iter()
            .map(|&(i, j)| lambda.at(i, j))
            .collect()
    }

    /// The user's θ → the optimiser's.
    pub fn from_user(&self, theta: &[f64]) -> Vec<f64> {
        let mut lambda = self.scaled(&self.fill(theta));
        if matches!(self.shape, Shape::Free { .. }) {
            lower_triangle(&mut lambda);
        }
        self.entries()
            .iter()
            .map(|&(i, j)| lambda.at(i, j))
            .collect()
    }

    /// T λ for a λ in the user's coordinates, without an added constant's row.
    fn scaled(&self, lambda: &Small) -> Small {
        let mut scaled = lambda.clone();
        for j in 0..self.cols {
            for i in 0..self.cols {
                scaled.data[i + j * self.cols] *= self.columns[i].scale;
            }
            if let Shape::Free {
                constant: Some(constant),
            } = self.shape
            {
                scaled.data[constant + j * self.cols] += (0..self.cols)
                    .map(|i| self.columns[i].shift * lambda.at(i, j))
                    .sum::<f64>();
            }
        }
        scaled
    }

    /// λ̃ of the user's θ without any rotation, so that ∂λ̃/∂θ is simply T's column.
    pub fn unrotated(&self, theta: &[f64]) -> Small {
        self.user_map().times(&self.fill(theta))
    }

    /// T in the user's coordinates: λ̃ = T λ.
    pub fn user_map(&self) -> Small {
        let mut map = Small::zeros(self.rows, self.cols);
        let carried = usize::from(self.carries_constant());
        for (k, column) in self.columns.iter().enumerate() {
            map.set(k + carried, k, column.scale);
        }
        let constant = match self.shape {
            Shape::Free { constant } => constant,
            Shape::Mapped { .. } => self.carries_constant().then_some(0),
        };
        if let Some(row) = constant {
            for (k, column) in self.columns.iter().enumerate() {
                if column.shift != 0.0 {
                    map.set(row, k, column.shift);
                }
            }
        }
        map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One term of `q` columns.
    fn one(q: usize) -> Vec<Range<usize>> {
        std::iter::once(0..q).collect()
    }

    fn shifted(shift: f64, scale: f64) -> Shifted {
        Shifted { shift, scale }
    }

    #[test]
    fn theta_survives_the_way_to_centred_columns_and_back() {
        let columns = vec![Shifted::IDENTITY, shifted(1.7e9, 4.0), shifted(-3.0, 0.5)];
        let template = Template::new(columns, one(3), Some(0));
        let theta = [0.9, 0.1, -0.2, 0.4, 0.05, 0.3];
        let user = template.to_user(&template.from_user(&[0.9, 0.0, -0.2, 0.0, 0.0, 0.3]));
        assert!((user[2] + 0.2).abs() < 1e-12);
        let near = Template::new(
            vec![Shifted::IDENTITY, shifted(5.0, 4.0), shifted(-3.0, 0.5)],
            one(3),
            Some(0),
        );
        let user = near.to_user(&near.from_user(&theta));
        theta
            .iter()
            .zip(&user)
            .for_each(|(a, b)| assert!((a - b).abs() < 1e-14));
    }

    #[test]
    fn patterned_templates_carry_a_constant_only_when_shifted() {
        let plain = Template::new(vec![Shifted::IDENTITY; 2], vec![0..1, 1..2], Some(0));
        assert_eq!((plain.rows, plain.entries()), (2, vec![(0, 0), (1, 1)]));
        let far = Template::new(vec![shifted(100.0, 1.0)], one(1), None);
        assert_eq!(far.factor(&[2.0]).data, vec![200.0, 2.0]);
        assert_eq!(far.user_factor(&[2.0]).data, vec![2.0]);
    }
}
