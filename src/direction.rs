//! Directions of change of the relative covariance: D = tl' + lt' on every level of one group.
//!
//! The derivative of λ̃λ̃' by an element λ[i, j] is such a matrix (t = column i of T, l = column j of
//! λ̃), and so is the derivative by an element of Σ itself (t, l = columns of T, halved on the diagonal).

use crate::aligned::Aligned;
use crate::factor::Factor;
use crate::lambda::Small;
use crate::symbolic::Symbolic;
use crate::system::System;

/// One direction D = tl' + lt'.
#[derive(Clone, Debug)]
pub struct Direction {
    pub group: usize,
    /// Row and column of the parameter in λ.
    pub row: usize,
    pub column: usize,
    pub t: Vec<f64>,
    pub l: Vec<f64>,
}

impl Direction {
    /// D z of one level, to every `stride`-th place of `out`; z may be shorter than D (trailing zeros).
    #[inline(always)]
    pub fn apply(&self, z: &[f64], out: &mut [f64], stride: usize) {
        let along: f64 = self.l.iter().zip(z).map(|(l, z)| l * z).sum();
        let across: f64 = self.t.iter().zip(z).map(|(t, z)| t * z).sum();
        let targets = out.iter_mut().step_by(stride).take(z.len());
        for ((out, t), l) in targets.zip(&self.t).zip(&self.l) {
            *out = t * along + l * across;
        }
    }

    /// z'Dz of one level.
    #[inline(always)]
    pub fn quadratic(&self, z: &[f64]) -> f64 {
        let along: f64 = self.l.iter().zip(z).map(|(l, z)| l * z).sum();
        let across: f64 = self.t.iter().zip(z).map(|(t, z)| t * z).sum();
        2.0 * along * across
    }

    /// tr(GD) = 2t'Gl: the criterion's slope along D.
    pub fn slope(&self, g: &[Small]) -> f64 {
        let g = &g[self.group];
        let of = |j: usize| {
            g.column(j)
                .iter()
                .zip(&self.t)
                .map(|(g, t)| g * t)
                .sum::<f64>()
        };
        2.0 * self
            .l
            .iter()
            .enumerate()
            .map(|(j, l)| l * of(j))
            .sum::<f64>()
    }

    /// D as a matrix.
    pub fn matrix(&self) -> Small {
        let r = self.t.len();
        let mut matrix = Small::zeros(r, r);
        for j in 0..r {
            for i in 0..r {
                matrix.set(i, j, self.t[i] * self.l[j] + self.l[i] * self.t[j]);
            }
        }
        matrix
    }
}

/// D of every parameter, in public order: `of(group)` gives T and the matrix whose column is l.
fn in_order(
    system: &System,
    of: impl Fn(usize) -> (Small, Small),
    weight: impl Fn(usize, usize) -> f64,
) -> Vec<Direction> {
    let mut list: Vec<(usize, Direction)> = Vec::new();
    for (group, member) in system.groups.iter().enumerate() {
        let (map, lambda) = of(group);
        let entries = member.template.entries();
        for (place, (row, column)) in member.theta_index().into_iter().zip(entries) {
            let factor = weight(row, column);
            let direction = Direction {
                group,
                row,
                column,
                t: map.column(row).to_vec(),
                l: lambda.column(column).iter().map(|l| factor * l).collect(),
            };
            list.push((place, direction));
        }
    }
    list.sort_by_key(|(place, _)| *place);
    list.into_iter().map(|(_, direction)| direction).collect()
}

/// ∂(λ̃λ̃')/∂θ for λ̃ = Mλ with the M given for each group (T, up to the order of its columns).
pub fn of_maps(system: &System, maps: &[Small], theta: &[f64]) -> Vec<Direction> {
    let of = |group: usize| {
        let lambda = system.groups[group].lambda(theta);
        (maps[group].clone(), maps[group].times(&lambda))
    };
    in_order(system, of, |_, _| 1.0)
}

/// ∂(λ̃λ̃')/∂θ in the user's coordinates, at the user's θ.
pub fn of_theta(system: &System, theta: &[f64]) -> Vec<Direction> {
    let groups = system.groups.iter();
    let maps: Vec<Small> = groups.map(|group| group.template.user_map()).collect();
    of_maps(system, &maps, theta)
}

/// ∂(λ̃λ̃')/∂θ in the optimiser's coordinates.
pub fn of_optimiser(system: &System, theta: &[f64]) -> Vec<Direction> {
    let groups = system.groups.iter();
    let maps: Vec<Small> = groups.map(|group| group.template.map()).collect();
    of_maps(system, &maps, theta)
}

/// ∂(λ̃λ̃')/∂(λλ')[i, j] in the optimiser's coordinates, in θ's order, and the elements (λλ')[i, j].
pub fn of_covariance(system: &System, theta: &[f64]) -> (Vec<Direction>, Vec<f64>) {
    let of = |group: usize| {
        let map = system.groups[group].template.map();
        (map.clone(), map)
    };
    let directions = in_order(system, of, |i, j| if i == j { 0.5 } else { 1.0 });
    let lambdas = system.groups.iter().map(|group| group.lambda(theta));
    let covariances: Vec<Small> = lambdas.map(|l| l.times(&l.transposed())).collect();
    let element = |d: &Direction| covariances[d.group].at(d.row, d.column);
    let elements = directions.iter().map(element).collect();
    (directions, elements)
}

/// ∂(Σ/σ²)[i, j]/∂θ in the user's columns and the optimiser's θ: elements × parameters, both in θ's order.
pub fn covariance_slopes(system: &System, theta: &[f64]) -> Vec<f64> {
    let groups = system.groups.iter();
    let maps: Vec<Small> = groups.map(|group| group.template.user_matrix()).collect();
    let directions = of_maps(system, &maps, theta);
    let slope = |element: &Direction, along: &Direction| match element.group == along.group {
        true => along.matrix().at(element.row, element.column),
        false => 0.0,
    };
    (directions.iter())
        .flat_map(|element| directions.iter().map(move |along| slope(element, along)))
        .collect()
}

/// D_k z of one leading level for every direction: fills r × directions, row-major.
pub fn apply_to_leading<'a>(
    width: usize,
    directions: &'a [Direction],
    z: &'a [f64],
) -> impl Fn(usize, &mut [f64]) + Sync + 'a {
    move |j, out| {
        let own = &z[j * width..(j + 1) * width];
        for (k, direction) in directions.iter().enumerate().filter(|(_, d)| d.group == 0) {
            direction.apply(own, &mut out[k..], directions.len());
        }
    }
}

/// D_k z of the remaining groups for every direction: size × directions.
pub fn apply_to_rest(symbolic: &Symbolic, directions: &[Direction], z: &[f64]) -> Aligned {
    let size = symbolic.size;
    let mut out = Aligned::zeros(size * directions.len());
    for (k, direction) in directions.iter().enumerate() {
        for range in symbolic.columns_of_group(direction.group) {
            let target = &mut out[range.start + k * size..range.end + k * size];
            direction.apply(&z[range], target, 1);
        }
    }
    out
}

/// z'D_kz summed over levels, for z of the leading and of the remaining groups: −∂r²/∂θ_k where z = Z̃'Py.
pub fn quadratics(
    factor: &Factor<'_>,
    directions: &[Direction],
    (leading, rest): (&[f64], &[f64]),
) -> Vec<f64> {
    let r = factor.system.leading.width;
    let of = |direction: &Direction| -> f64 {
        if direction.group == 0 {
            let levels = leading.chunks_exact(r);
            levels.map(|level| direction.quadratic(level)).sum()
        } else {
            let ranges = factor.system.symbolic.columns_of_group(direction.group);
            ranges.map(|range| direction.quadratic(&rest[range])).sum()
        }
    };
    directions.iter().map(of).collect()
}
