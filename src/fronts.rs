//! The complement's Cholesky factor L on its fronts: elimination, solves and the inverse (multifrontal).

use crate::aligned::Aligned;
use crate::dense;
use crate::error::Result;
use crate::parallel::Team;
use crate::symbolic::{Front, Symbolic};
use faer::MatMut;

/// L of every front, and M₂⁻¹ there once asked for.
#[derive(Default)]
pub struct Fronts {
    /// M₂ when assembled, L once eliminated.
    pub squares: Aligned,
    /// M₂⁻¹ on the pattern of the fronts.
    pub inverse: Aligned,
    /// Does `inverse` belong to this L?
    inverted: bool,
    work: Aligned,
}

impl Fronts {
    /// Room for the factor of a complement.
    pub fn new(symbolic: &Symbolic) -> Self {
        Fronts {
            squares: Aligned::zeros(symbolic.squares),
            ..Fronts::default()
        }
    }

    /// Numbers held.
    pub fn len(&self) -> usize {
        self.squares.len() + self.inverse.len()
    }

    /// Is there no complement?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Factor what has been assembled; returns log |M₂|.
    pub fn eliminate(&mut self, symbolic: &Symbolic, team: &Team) -> Result<f64> {
        self.inverted = false;
        let fronts = &symbolic.fronts;
        let mut log_det = 0.0;
        for (s, front) in fronts.iter().enumerate() {
            team.check_every(s)?;
            let (before, after) = self
                .squares
                .split_at_mut(front.square + front.stride * front.size);
            let square = &mut before[front.square..];
            log_det += 2.0 * dense::eliminate(team, square, front.size, front.own, front.stride)?;
            if let Some(parent) = front.parent {
                let parent = &fronts[parent];
                let offset = parent.square - (front.square + front.stride * front.size);
                extend(front, square, &mut after[offset..], parent.stride);
            }
        }
        Ok(log_det)
    }

    /// x ← L⁻¹ x for a size × columns matrix.
    pub fn forward(&self, symbolic: &Symbolic, x: &mut [f64], columns: usize) {
        self.forward_through(symbolic.fronts.iter(), symbolic, x, columns);
    }

    /// The same where x is zero outside the fronts marked; with a front those above it must be.
    pub fn forward_on(&self, symbolic: &Symbolic, marked: &[bool], x: &mut [f64], columns: usize) {
        let fronts = symbolic.fronts.iter().zip(marked);
        let reached = fronts.filter_map(|(front, marked)| marked.then_some(front));
        self.forward_through(reached, symbolic, x, columns);
    }

    fn forward_through<'f>(
        &self,
        fronts: impl Iterator<Item = &'f Front>,
        symbolic: &Symbolic,
        x: &mut [f64],
        columns: usize,
    ) {
        let mut room = room(symbolic, columns);
        for front in fronts {
            self.on_front(
                front,
                (x, symbolic.size),
                columns,
                &mut room,
                dense::forward,
            );
        }
    }

    /// x ← L'⁻¹ x for a size × columns matrix.
    pub fn backward(&self, symbolic: &Symbolic, x: &mut [f64], columns: usize) {
        let mut room = room(symbolic, columns);
        for front in symbolic.fronts.iter().rev() {
            self.on_front(
                front,
                (x, symbolic.size),
                columns,
                &mut room,
                dense::backward,
            );
        }
    }

    fn on_front(
        &self,
        front: &Front,
        (x, size): (&mut [f64], usize),
        columns: usize,
        room: &mut [f64],
        step: impl Fn(&[f64], usize, usize, usize, MatMut<'_, f64>),
    ) {
        let local = &mut room[..front.size * columns];
        let place = |i: usize| {
            if i < front.own {
                front.start + i
            } else {
                front.below[i - front.own] as usize
            }
        };
        for c in 0..columns {
            (0..front.size).for_each(|i| local[i + c * front.size] = x[place(i) + c * size]);
        }
        let rhs = MatMut::from_column_major_slice_mut(local, front.size, columns);
        step(
            &self.squares[front.square..],
            front.size,
            front.own,
            front.stride,
            rhs,
        );
        for c in 0..columns {
            (0..front.size).for_each(|i| x[place(i) + c * size] = local[i + c * front.size]);
        }
    }

    /// M₂⁻¹ on the pattern of the fronts.
    pub fn invert(&mut self, symbolic: &Symbolic, team: &Team) -> Result<()> {
        if self.inverted {
            return Ok(());
        }
        self.inverse.reserve(symbolic.squares);
        for front in symbolic.fronts.iter().rev() {
            let end = front.square + front.stride * front.size;
            let (own, above) = self.inverse.split_at_mut(end);
            let target = &mut own[front.square..];
            if let Some(parent) = front.parent.map(|parent| &symbolic.fronts[parent]) {
                let source = &above[parent.square - end..];
                for (j, &column) in front.in_parent.iter().enumerate() {
                    for (i, &row) in front.in_parent.iter().enumerate() {
                        target[front.own + i + (front.own + j) * front.stride] =
                            source[row as usize + column as usize * parent.stride];
                    }
                }
            }
            let factor = &mut self.squares[front.square..end];
            dense::invert(
                team,
                factor,
                target,
                front.size,
                front.own,
                front.stride,
                &mut self.work,
            )?;
        }
        self.inverted = true;
        Ok(())
    }
}

/// Room for the rows of the largest front.
fn room(symbolic: &Symbolic, columns: usize) -> Aligned {
    let largest = symbolic.fronts.iter().map(|front| front.size).max();
    Aligned::zeros(largest.unwrap_or(0) * columns)
}

/// Add a front's complement to its parent.
fn extend(front: &Front, square: &[f64], parent: &mut [f64], stride: usize) {
    for (j, &column) in front.in_parent.iter().enumerate() {
        let source = &square[(front.own + j) * front.stride + front.own..];
        for (i, &row) in front.in_parent.iter().enumerate().skip(j) {
            parent[row as usize + column as usize * stride] += source[i];
        }
    }
}
