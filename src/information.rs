//! Average information: the trust-region Newton step's matrix (see `derivatives`).

use crate::aligned::Aligned;
use crate::error::Result;
use crate::factor::{Factor, LEVELS};
use crate::gram::add;
use crate::lambda::Small;
use crate::leading::solve_lower;
use crate::objective::{solve_triangle, Profile};
use crate::parallel::{piece, Team};

/// One parameter: its group, and its row and column in λ.
struct Parameter {
    group: usize,
    row: usize,
    column: usize,
    /// Column `row` of T and column `column` of λ̃.
    map: Vec<f64>,
    lambda: Vec<f64>,
}

impl Parameter {
    /// c = (∂(λ̃λ̃')/∂θ) z of one level.
    #[inline(always)]
    fn direction(&self, z: &[f64], out: &mut [f64]) {
        let along: f64 = self.lambda.iter().zip(z).map(|(l, z)| l * z).sum();
        let across: f64 = self.map.iter().zip(z).map(|(t, z)| t * z).sum();
        for ((out, t), l) in out.iter_mut().zip(&self.map).zip(&self.lambda) {
            *out = t * along + l * across;
        }
    }
}

/// Parameters in public order.
fn parameters(factor: &Factor<'_>) -> Vec<Parameter> {
    let mut list: Vec<(usize, Parameter)> = Vec::new();
    for (group, member) in factor.system.groups.iter().enumerate() {
        let map = member.template.map();
        for (place, (row, column)) in member
            .theta_index()
            .into_iter()
            .zip(member.template.entries())
        {
            let parameter = Parameter {
                group,
                row,
                column,
                map: map.column(row).to_vec(),
                lambda: factor.lambda[group].column(column).to_vec(),
            };
            list.push((place, parameter));
        }
    }
    list.sort_by_key(|(place, _)| *place);
    list.into_iter().map(|(_, parameter)| parameter).collect()
}

/// H_kl of every pair of parameters.
pub fn average(
    factor: &Factor<'_>,
    profile: &Profile,
    g: &[Small],
    z: (&[f64], &[f64]),
    degrees: f64,
    team: &Team,
) -> Result<Vec<f64>> {
    let parameters = parameters(factor);
    let count = parameters.len();
    if count == 0 {
        return Ok(Vec::new());
    }
    let inner = Inner::new(factor, &parameters, z, team)?;
    let fixed = inner.fixed_part(factor, profile);
    let mut matrix = vec![0.0; count * count];
    for k in 0..count {
        for l in 0..=k {
            let explained: f64 = fixed[k].iter().zip(&fixed[l]).map(|(a, b)| a * b).sum();
            let quadratic = inner.product[k * count + l] - explained;
            let value = degrees
                * (quadratic / profile.pwrss
                    - inner.score[k] * inner.score[l] / profile.pwrss.powi(2));
            matrix[k * count + l] = value;
            matrix[l * count + k] = value;
        }
    }
    add_curvature(factor, &parameters, g, &mut matrix);
    Ok(matrix)
}

/// Last term: 2 (T'GT)[i_k, i_l] within a column of one λ.
fn add_curvature(factor: &Factor<'_>, parameters: &[Parameter], g: &[Small], matrix: &mut [f64]) {
    let count = parameters.len();
    let curvature: Vec<Small> = (factor.system.groups.iter().zip(g))
        .map(|(group, g)| {
            let map = group.template.map();
            map.transposed().times(&g.times(&map))
        })
        .collect();
    for (k, a) in parameters.iter().enumerate() {
        for (l, b) in parameters.iter().enumerate() {
            if a.group == b.group && a.column == b.column {
                matrix[k * count + l] += 2.0 * curvature[a.group].at(a.row, b.row);
            }
        }
    }
}

/// c_k'Z̃'V⁻¹Z̃c_l, X'V⁻¹Z̃c_k (on C) and c_k'z.
struct Inner {
    /// parameters × parameters.
    product: Vec<f64>,
    /// width × parameters, column-major.
    columns: Vec<f64>,
    score: Vec<f64>,
}

/// What one task of leading levels adds; `spread` is c⁻¹R c_k per level, r × parameters.
struct LeadingSums {
    product: Vec<f64>,
    columns: Vec<f64>,
    score: Vec<f64>,
    spread: Vec<f64>,
}

impl Inner {
    fn new(
        factor: &Factor<'_>,
        parameters: &[Parameter],
        z: (&[f64], &[f64]),
        team: &Team,
    ) -> Result<Inner> {
        let system = factor.system;
        let (count, width, size) = (parameters.len(), system.width, system.symbolic.size);
        let (rest, mut score) = rest_directions(factor, parameters, z.1);
        let spread = factor.spread(&rest, count, team);
        let levels = system.leading.levels;
        let task = |task: usize| {
            let range = piece(task, LEVELS, levels);
            pulp::Arch::new().dispatch(|| leading_task(factor, parameters, z.0, &spread, range))
        };
        let (mut product, mut columns) = (vec![0.0; count * count], vec![0.0; width * count]);
        let mut leading = Vec::new();
        team.fold(levels.div_ceil(LEVELS), task, |part: LeadingSums| {
            add(&mut product, &part.product);
            add(&mut columns, &part.columns);
            add(&mut score, &part.score);
            leading.extend(part.spread);
        })?;
        if size > 0 {
            let residual = factor.residual_product(&rest, count);
            let dot = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(a, b)| a * b).sum() };
            for k in 0..count {
                for l in 0..count {
                    product[k * count + l] += dot(
                        &rest[k * size..(k + 1) * size],
                        &residual[l * size..(l + 1) * size],
                    );
                }
                for c in 0..width {
                    columns[c + k * width] += dot(
                        &system.cross[c * size..(c + 1) * size],
                        &rest[k * size..(k + 1) * size],
                    );
                }
            }
            let mut projected = Aligned::zeros(size * count);
            factor.collect(team, &factor.weights, count, &leading, &mut projected);
            factor.add_scaled(&residual, count, &mut projected);
            factor.forward(&mut projected, count);
            for k in 0..count {
                let own = &projected[k * size..(k + 1) * size];
                for l in 0..count {
                    product[k * count + l] -= dot(own, &projected[l * size..(l + 1) * size]);
                }
                for c in 0..width {
                    columns[c + k * width] -= dot(&factor.cross[c * size..(c + 1) * size], own);
                }
            }
        }
        Ok(Inner {
            product,
            columns,
            score,
        })
    }

    /// R_X'⁻¹X'V⁻¹Z̃c_k of every parameter.
    fn fixed_part(&self, factor: &Factor<'_>, profile: &Profile) -> Vec<Vec<f64>> {
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

/// c_k of the remaining groups (size × parameters) and their share of c_k'z.
fn rest_directions(
    factor: &Factor<'_>,
    parameters: &[Parameter],
    z: &[f64],
) -> (Aligned, Vec<f64>) {
    let symbolic = &factor.system.symbolic;
    let size = symbolic.size;
    let mut directions = Aligned::zeros(size * parameters.len());
    let mut score = vec![0.0; parameters.len()];
    for (k, parameter) in parameters.iter().enumerate() {
        for node in (0..symbolic.nodes())
            .filter(|&node| symbolic.group[node] as usize + 1 == parameter.group)
        {
            let range = symbolic.columns(node);
            let out = &mut directions[range.start + k * size..range.end + k * size];
            parameter.direction(&z[range.clone()], out);
            score[k] += out.iter().zip(&z[range]).map(|(c, z)| c * z).sum::<f64>();
        }
    }
    (directions, score)
}

#[inline(always)]
fn leading_task(
    factor: &Factor<'_>,
    parameters: &[Parameter],
    z: &[f64],
    spread: &[f64],
    range: std::ops::Range<usize>,
) -> LeadingSums {
    let system = factor.system;
    let (r, stride, width, count) = (
        system.leading.width,
        system.leading.stride,
        system.width,
        parameters.len(),
    );
    let keep = system.symbolic.size > 0;
    let mut sums = LeadingSums {
        product: vec![0.0; count * count],
        columns: vec![0.0; width * count],
        score: vec![0.0; count],
        spread: Vec::with_capacity(if keep { range.len() * r * count } else { 0 }),
    };
    let mut direction = vec![0.0; r];
    let mut x = vec![0.0; r * count];
    for j in range {
        let (level, own) = (system.leading.level(j), &z[j * r..(j + 1) * r]);
        x.fill(0.0);
        for (k, parameter) in parameters
            .iter()
            .enumerate()
            .filter(|(_, parameter)| parameter.group == 0)
        {
            parameter.direction(own, &mut direction);
            sums.score[k] += direction.iter().zip(own).map(|(c, z)| c * z).sum::<f64>();
            for i in 0..r {
                x[i * count + k] = (i..r).map(|l| level[i * stride + l] * direction[l]).sum();
            }
        }
        solve_lower(&factor.pivots[j * r * r..(j + 1) * r * r], r, &mut x, count);
        if keep {
            let other = &spread[j * r * count..(j + 1) * r * count];
            x.iter_mut().zip(other).for_each(|(x, o)| *x += o);
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
