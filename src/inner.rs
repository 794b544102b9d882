//! Inner products c'Z̃'V⁻¹Z̃c' of vectors of random effects, without ever forming Z̃'V⁻¹Z̃.
//!
//! With one solve a vector: leading levels in closed form, the remaining groups by L. The same sums give
//! C'V⁻¹Z̃c, what the fixed part explains.

use crate::aligned::Aligned;
use crate::error::Result;
use crate::factor::{Factor, LEVELS};
use crate::gram::add;
use crate::leading::solve_lower;
use crate::objective::{solve_triangle, Profile};
use crate::parallel::{piece, Team};

/// Vectors of random effects, in the kernel's columns.
pub struct Vectors<'a> {
    pub count: usize,
    /// Fills one leading level: r × count, row-major, into zeros.
    pub leading: &'a (dyn Fn(usize, &mut [f64]) + Sync),
    /// Remaining groups: size × count, elimination order.
    pub rest: Aligned,
}

/// c_k'Z̃'V⁻¹Z̃c_l and C'V⁻¹Z̃c_k.
pub struct InnerProducts {
    /// count × count.
    pub product: Vec<f64>,
    /// width × count, column-major.
    columns: Vec<f64>,
}

/// What one task of leading levels adds; `spread` is c⁻¹R c_k per level, r × count.
struct LeadingSums {
    product: Vec<f64>,
    columns: Vec<f64>,
    spread: Vec<f64>,
}

impl InnerProducts {
    pub fn new(factor: &Factor<'_>, vectors: &Vectors<'_>, team: &Team) -> Result<InnerProducts> {
        let (count, width) = (vectors.count, factor.system.width);
        let mut inner = InnerProducts {
            product: vec![0.0; count * count],
            columns: vec![0.0; width * count],
        };
        if count == 0 {
            return Ok(inner);
        }
        let spread = factor.spread(&vectors.rest, count, team);
        let levels = factor.system.leading.levels;
        let task = |task: usize| {
            let range = piece(task, LEVELS, levels);
            pulp::Arch::new().dispatch(|| leading_task(factor, vectors, &spread, range))
        };
        let mut leading = Vec::new();
        team.fold(levels.div_ceil(LEVELS), task, |part: LeadingSums| {
            add(&mut inner.product, &part.product);
            add(&mut inner.columns, &part.columns);
            leading.extend(part.spread);
        })?;
        if factor.system.symbolic.size > 0 {
            inner.add_rest(factor, vectors, &leading, team);
        }
        Ok(inner)
    }

    /// The remaining groups' share, less what L explains.
    fn add_rest(
        &mut self,
        factor: &Factor<'_>,
        vectors: &Vectors<'_>,
        leading: &[f64],
        team: &Team,
    ) {
        let system = factor.system;
        let (count, width, size) = (vectors.count, system.width, system.symbolic.size);
        let (rest, dot) = (&vectors.rest, |x: &[f64], y: &[f64]| -> f64 {
            x.iter().zip(y).map(|(a, b)| a * b).sum()
        });
        let residual = factor.residual_product(rest, count);
        let mut projected = Aligned::zeros(size * count);
        factor.collect(team, &factor.weights, count, leading, &mut projected);
        factor.add_scaled(&residual, count, &mut projected);
        factor.forward(&mut projected, count);
        let of = |k: usize| k * size..(k + 1) * size;
        for k in 0..count {
            let (own, half) = (&rest[of(k)], &projected[of(k)]);
            for l in 0..count {
                self.product[k * count + l] +=
                    dot(own, &residual[of(l)]) - dot(half, &projected[of(l)]);
            }
            for c in 0..width {
                self.columns[c + k * width] += dot(&system.cross[c * size..(c + 1) * size], own)
                    - dot(&factor.cross[c * size..(c + 1) * size], half);
            }
        }
    }

    /// R_X'⁻¹X'V⁻¹Z̃c_k of every vector.
    pub fn fixed_part(&self, factor: &Factor<'_>, profile: &Profile) -> Vec<Vec<f64>> {
        let basis = &factor.system.basis;
        let project = |column: &[f64]| {
            let mut x: Vec<f64> = (0..basis.rank())
                .map(|k| basis.column(k).iter().zip(column).map(|(e, c)| e * c).sum())
                .collect();
            solve_triangle(&profile.triangle, basis.rank(), &mut x);
            x
        };
        self.columns
            .chunks_exact(basis.width)
            .map(project)
            .collect()
    }
}

#[inline(always)]
fn leading_task(
    factor: &Factor<'_>,
    vectors: &Vectors<'_>,
    spread: &[f64],
    range: std::ops::Range<usize>,
) -> LeadingSums {
    let system = factor.system;
    let (r, stride, width, count) = (
        system.leading.width,
        system.leading.stride,
        system.width,
        vectors.count,
    );
    let keep = system.symbolic.size > 0;
    let mut sums = LeadingSums {
        product: vec![0.0; count * count],
        columns: vec![0.0; width * count],
        spread: Vec::with_capacity(if keep { range.len() * r * count } else { 0 }),
    };
    let mut own = vec![0.0; r * count];
    let mut x = vec![0.0; r * count];
    for j in range {
        let level = system.leading.level(j);
        own.fill(0.0);
        (vectors.leading)(j, &mut own);
        x.fill(0.0);
        for (i, target) in x.chunks_exact_mut(count).enumerate() {
            for l in i..r {
                let factor = level[i * stride + l];
                let source = &own[l * count..(l + 1) * count];
                target
                    .iter_mut()
                    .zip(source)
                    .for_each(|(sum, value)| *sum += factor * value);
            }
        }
        solve_lower(&factor.pivots[j * r * r..(j + 1) * r * r], r, &mut x, count);
        if keep {
            add(&mut x, &spread[j * r * count..(j + 1) * r * count]);
            sums.spread.extend_from_slice(&x);
        }
        for (i, row) in x.chunks_exact(count).enumerate() {
            let own = &factor.leading_columns[(j * r + i) * width..(j * r + i + 1) * width];
            for (k, &value) in row.iter().enumerate() {
                let target = &mut sums.product[k * count..(k + 1) * count];
                target
                    .iter_mut()
                    .zip(row)
                    .for_each(|(sum, other)| *sum += value * other);
                let target = &mut sums.columns[k * width..(k + 1) * width];
                target
                    .iter_mut()
                    .zip(own)
                    .for_each(|(sum, c)| *sum += value * c);
            }
        }
    }
    sums
}
