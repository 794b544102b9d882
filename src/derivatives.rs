//! Exact gradient and average information at the factor's θ (Gilmour, Thompson & Cullis 1995).
//!
//! With P = V⁻¹ − V⁻¹X(X'V⁻¹X)⁻¹X'V⁻¹, T = P (REML) or V⁻¹ (ML), m = n − p or n, z = Z̃'Py:
//!
//!     G = Σⱼ [Z̃'TZ̃]ⱼⱼ − (m/r²) Σⱼ zⱼzⱼ',      ∂d/∂λ = 2 T'Gλ̃
//!     K_kl = c_k'(Z̃'PZ̃)c_l,   h_k = c_k'z,   c_k = ∂(λ̃λ̃')/∂θ_k z
//!     H_kl = m [K_kl/r² − h_kh_l/r⁴] + 2 (T'GT)[i_k, i_l]   (last term: same column of one λ)
//!
//! Nothing divides by λ̃ unless it is well conditioned, so singular fits are exact too. Sums over levels
//! run in tasks of fixed size and are added in order.

use crate::complement::{self, Solution};
use crate::direction::Direction;
use crate::elements::sandwich;
use crate::error::Result;
use crate::factor::{Factor, LEVELS};
use crate::gram;
use crate::information;
use crate::lambda::Small;
use crate::leading::{solve_lower, solve_upper};
use crate::objective::{degrees, solve_triangle, Profile, Sigma};
use crate::parallel::{piece, Team};
use std::ops::Range;

/// What the optimiser needs at an accepted point.
pub struct Derivatives {
    /// ∂d/∂θ in the optimiser's coordinates, public order.
    pub gradient: Vec<f64>,
    /// Average information, parameters × parameters.
    pub information: Vec<f64>,
    /// −∂r²/∂θ, in units of ỹ².
    pub score: Vec<f64>,
    /// G of every group (rows × rows of λ̃).
    pub g: Vec<Small>,
    /// Size of the positive part of each G: the scale for judging multipliers.
    pub scale: Vec<f64>,
}

/// [y − Xβ | X R_X⁻¹] and what V⁻¹ makes of them.
pub struct Directions {
    pub columns: usize,
    /// Combinations of C: width × columns, column-major.
    pub of_c: Vec<f64>,
    /// m/r²: the weight of zz' in G.
    pub weight: f64,
}

/// z, G and the size of G's positive part, group by group.
pub struct Blocks {
    pub g: Vec<Small>,
    pub scale: Vec<f64>,
    pub leading_z: Vec<f64>,
    pub rest_z: Vec<f64>,
}

/// z and G from a factor whose inverse on the fronts has been made.
pub fn blocks(
    factor: &Factor<'_>,
    directions: &Directions,
    solution: &Solution,
    team: &Team,
) -> Result<Blocks> {
    let leading = leading_part(factor, directions, solution, team)?;
    let rest = complement::parts(factor, directions, solution, team)?;
    let mut g: Vec<Small> = Vec::new();
    let mut scale = Vec::new();
    if !factor.system.groups.is_empty() {
        g.push(leading.g);
        scale.push(leading.scale);
    }
    g.extend(rest.g);
    scale.extend(rest.scale);
    Ok(Blocks {
        g,
        scale,
        leading_z: leading.z,
        rest_z: rest.z,
    })
}

/// Gradient and average information along `along`, and the pieces that the fitted model keeps.
pub fn derivatives(
    factor: &mut Factor<'_>,
    profile: &Profile,
    along: &[Direction],
    sigma: Sigma,
    reml: bool,
    team: &Team,
) -> Result<Derivatives> {
    factor.invert(team)?;
    let factor = &*factor;
    let m = degrees(factor.system, reml);
    let mut directions = directions(factor, profile, reml, reml);
    directions.weight = sigma.weight(m, profile.pwrss);
    let solution = Solution::new(factor, &directions);
    let blocks = blocks(factor, &directions, &solution, team)?;
    let (information, score) = information::average(
        factor,
        profile,
        along,
        &blocks.g,
        (&blocks.leading_z, &blocks.rest_z),
        (directions.weight, sigma.bend(m, profile.pwrss)),
        team,
    )?;
    Ok(Derivatives {
        gradient: along.iter().map(|d| d.slope(&blocks.g)).collect(),
        information,
        score,
        g: blocks.g,
        scale: blocks.scale,
    })
}

/// [y − Xβ], and X R_X⁻¹ beside it where `with_fixed` asks for it; G is weighted for the criterion.
pub fn directions(
    factor: &Factor<'_>,
    profile: &Profile,
    reml: bool,
    with_fixed: bool,
) -> Directions {
    let basis = &factor.system.basis;
    let (width, p) = (basis.width, basis.rank());
    let columns = 1 + if with_fixed { p } else { 0 };
    let mut of_c = vec![0.0; width * columns];
    of_c[..width].copy_from_slice(&profile.residual);
    for i in 0..if with_fixed { width } else { 0 } {
        let mut row: Vec<f64> = (0..p).map(|k| basis.column(k)[i]).collect();
        solve_triangle(&profile.triangle, p, &mut row);
        (0..p).for_each(|k| of_c[i + (k + 1) * width] = row[k]);
    }
    Directions {
        columns,
        of_c,
        weight: degrees(factor.system, reml) / profile.pwrss,
    }
}

/// Aⱼ⁻¹ (Pⱼ·directions − Fⱼ b) of every leading level: r × columns, row-major.
pub fn leading_answers(
    factor: &Factor<'_>,
    directions: &Directions,
    solution: &Solution,
    team: &Team,
) -> Vec<f64> {
    let levels = factor.system.leading.levels;
    let parts = team.map(levels.div_ceil(LEVELS), |task| {
        answers_of(factor, directions, solution, piece(task, LEVELS, levels))
    });
    parts.concat()
}

/// The same of some levels.
#[inline(always)]
fn answers_of(
    factor: &Factor<'_>,
    directions: &Directions,
    solution: &Solution,
    levels: Range<usize>,
) -> Vec<f64> {
    let (r, width, columns) = (
        factor.system.leading.width,
        factor.system.width,
        directions.columns,
    );
    let mut answers = vec![0.0; levels.len() * r * columns];
    factor.spread_to(levels.clone(), &solution.scaled, columns, &mut answers);
    let own = &factor.leading_columns[levels.start * r * width..levels.end * r * width];
    gram::subtract_from_product(own, width, &directions.of_c, &mut answers);
    for (j, answer) in levels.zip(answers.chunks_exact_mut(r * columns)) {
        solve_upper(
            &factor.pivots[j * r * r..(j + 1) * r * r],
            r,
            answer,
            columns,
        );
    }
    answers
}

/// z and G of the leading group.
struct Leading {
    z: Vec<f64>,
    g: Small,
    scale: f64,
}

fn leading_part(
    factor: &Factor<'_>,
    directions: &Directions,
    solution: &Solution,
    team: &Team,
) -> Result<Leading> {
    let (levels, r) = (factor.system.leading.levels, factor.system.leading.width);
    let mut total = Leading {
        z: Vec::with_capacity(levels * r),
        g: Small::zeros(r, r),
        scale: 0.0,
    };
    let task = |task: usize| {
        let range = piece(task, LEVELS, levels);
        pulp::Arch::new().dispatch(|| leading_task(factor, directions, solution, range))
    };
    team.fold(levels.div_ceil(LEVELS), task, |part: Leading| {
        total.z.extend(part.z);
        gram::add(&mut total.g.data, &part.g.data);
        total.scale += part.scale;
    })?;
    Ok(total)
}

#[inline(always)]
fn leading_task(
    factor: &Factor<'_>,
    directions: &Directions,
    solution: &Solution,
    levels: Range<usize>,
) -> Leading {
    let system = factor.system;
    let (r, stride, columns) = (
        system.leading.width,
        system.leading.stride,
        directions.columns,
    );
    let mut part = Leading {
        z: Vec::with_capacity(levels.len() * r),
        g: Small::zeros(r, r),
        scale: 0.0,
    };
    let answers = answers_of(factor, directions, solution, levels.clone());
    let mut image = vec![0.0; r * columns];
    let mut half = vec![0.0; r * r];
    let mut explained = Explained::new(r);
    for (j, answer) in levels.zip(answers.chunks_exact(r * columns)) {
        let level = system.leading.level(j);
        image.fill(0.0);
        for l in 0..r {
            for i in l..r {
                let factor = level[l * stride + i];
                for c in 0..columns {
                    image[i * columns + c] += factor * answer[l * columns + c];
                }
            }
            half[l * r..(l + 1) * r].copy_from_slice(&level[l * stride..l * stride + r]);
        }
        part.z.extend((0..r).map(|i| image[i * columns]));
        solve_lower(&factor.pivots[j * r * r..(j + 1) * r * r], r, &mut half, r);
        explained.update(factor, j);
        part.scale += half.iter().map(|value| value * value).sum::<f64>();
        for a in 0..r {
            for b in 0..=a {
                let mut value = explained.remaining(&half, a, b);
                let (x, y) = (
                    &image[a * columns..(a + 1) * columns],
                    &image[b * columns..(b + 1) * columns],
                );
                value -= directions.weight * x[0] * y[0];
                value -= x[1..].iter().zip(&y[1..]).map(|(x, y)| x * y).sum::<f64>();
                part.g.data[a + b * r] += value;
                if a != b {
                    part.g.data[b + a * r] += value;
                }
            }
        }
    }
    part
}

/// W M₂⁻¹ W' of one leading level: what the remaining groups explain of it.
pub struct Explained {
    r: usize,
    /// r × r, symmetric; meaningless while `none`.
    pub matrix: Vec<f64>,
    none: bool,
    sums: Vec<f64>,
}

impl Explained {
    pub fn new(r: usize) -> Self {
        Explained {
            r,
            matrix: vec![0.0; r * r],
            none: true,
            sums: vec![0.0; r],
        }
    }

    /// Compute it for leading level `e`.
    #[inline(always)]
    pub fn update(&mut self, factor: &Factor<'_>, e: usize) {
        let elements = &factor.system.symbolic.elements;
        self.none = elements.is_empty() || elements.width(e) == 0;
        self.matrix.fill(0.0);
        if self.none {
            return;
        }
        let (r, columns) = (self.r, elements.columns[e]..elements.columns[e + 1]);
        let front = &factor.system.symbolic.fronts[elements.front[e] as usize];
        let weights = &factor.weights[columns.start * r..columns.end * r];
        let inverse = &factor.fronts.inverse[front.square..];
        sandwich(
            r,
            weights,
            elements.places(e),
            front.stride,
            inverse,
            &mut self.matrix,
            &mut self.sums,
        );
    }

    /// [half'(I − matrix) half]_ab for half r × r, row-major.
    #[inline(always)]
    fn remaining(&self, half: &[f64], a: usize, b: usize) -> f64 {
        let r = self.r;
        let mut value: f64 = (0..r).map(|l| half[l * r + a] * half[l * r + b]).sum();
        if !self.none {
            for l in 0..r {
                for k in 0..r {
                    value -= half[l * r + a] * self.matrix[l * r + k] * half[k * r + b];
                }
            }
        }
        value
    }
}
