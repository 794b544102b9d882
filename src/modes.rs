//! Conditional modes b̂ = Λû and their conditional covariances σ²ΛM⁻¹Λ', in the user's columns.

use crate::complement::Solution;
use crate::derivatives::{leading_answers, Directions, Explained};
use crate::error::Result;
use crate::factor::Factor;
use crate::glmm::GeneralizedFit;
use crate::lambda::Small;
use crate::leading::{root_of_unit_plus, solve_lower, solve_upper};
use crate::lmm::Fit;
use crate::objective::Profile;
use crate::parallel::Team;
use crate::system::System;

/// Conditional modes of every public term.
pub struct Modes {
    /// Levels × effects per term, row-major.
    pub terms: Vec<Vec<f64>>,
    /// ‖û‖² in units of ỹ.
    pub ussq: f64,
}

/// b̂ at the factor's θ (which is the optimiser's `theta`).
pub fn conditional_modes(
    factor: &Factor<'_>,
    profile: &Profile,
    theta: &[f64],
    team: &Team,
) -> Modes {
    let scale = factor.system.coordinates.response.scale;
    modes_of(factor, profile.residual.clone(), scale, theta, team)
}

/// B_k of every column of X kept, in the user's columns: ΛM⁻¹Λ'Z'Wx_k, by term.
pub fn fixed_modes(fit: &Fit, team: &Team) -> Result<Vec<Vec<Vec<f64>>>> {
    let (basis, coordinates) = (&fit.system.basis, &fit.system.coordinates);
    let of_kept = |factor: &Factor<'_>, k: usize| {
        // x_k as a combination of C: its shifted and scaled column, and the constant.
        let (place, column) = (coordinates.place[k], coordinates.columns[k]);
        let mut of_c = vec![0.0; basis.width];
        of_c[place] = if place == 0 { 1.0 } else { column.scale };
        if place > 0 {
            of_c[0] += column.shift;
        }
        modes_of(factor, of_c, 1.0, &fit.internal, team).terms
    };
    fit.at_optimum(team, |problem, _| {
        let kept = basis.kept.iter();
        Ok(kept.map(|&k| of_kept(&problem.factor, k)).collect())
    })
}

/// ΛM⁻¹Λ'Z'W of one combination of C, times `scale`.
fn modes_of(factor: &Factor<'_>, of_c: Vec<f64>, scale: f64, theta: &[f64], team: &Team) -> Modes {
    let system = factor.system;
    let directions = Directions {
        columns: 1,
        of_c,
        weight: 0.0,
    };
    let solution = Solution::new(factor, &directions);
    let answers = leading_answers(factor, &directions, &solution, team);
    let spherical = |g: usize| match g {
        0 => leading_modes(factor, &answers),
        _ => by_level(system, &solution.modes(system.symbolic.size), g),
    };
    let spherical: Vec<Vec<f64>> = (0..system.groups.len()).map(spherical).collect();
    Modes {
        terms: by_term(system, &spherical, theta, scale),
        ussq: spherical.iter().flatten().map(|u| u * u).sum(),
    }
}

/// b = Λu of every public term in the user's columns, times `scale`, of the spherical effects of every
/// group (levels × effects).
pub fn by_term(
    system: &System,
    spherical: &[Vec<f64>],
    theta: &[f64],
    scale: f64,
) -> Vec<Vec<f64>> {
    let mut terms = vec![Vec::new(); system.groups.iter().map(|group| group.terms.len()).sum()];
    for (group, spherical) in system.groups.iter().zip(spherical) {
        let q = group.effects();
        let to_user = group.template.user_factor(&group.pick(theta));
        for (&term, block) in group.terms.iter().zip(&group.template.blocks) {
            terms[term] = (spherical.chunks_exact(q))
                .flat_map(|u| {
                    let to_user = &to_user;
                    block
                        .clone()
                        .map(move |i| (0..q).map(|k| to_user.at(i, k) * u[k]).sum::<f64>() * scale)
                })
                .collect();
        }
    }
    terms
}

/// û of the leading group: λ̃'Rⱼ'·answer.
fn leading_modes(factor: &Factor<'_>, answers: &[f64]) -> Vec<f64> {
    let (leading, lambda) = (&factor.system.leading, &factor.lambda[0]);
    let r = leading.width;
    let mut modes = Vec::with_capacity(leading.levels * lambda.cols);
    for (j, answer) in answers.chunks_exact(r).enumerate() {
        let level = leading.level(j);
        let z: Vec<f64> = (0..r)
            .map(|i| {
                (0..=i)
                    .map(|l| level[l * leading.stride + i] * answer[l])
                    .sum()
            })
            .collect();
        modes.extend((0..lambda.cols).map(|k| (0..r).map(|i| lambda.at(i, k) * z[i]).sum::<f64>()));
    }
    modes
}

/// Effects of a group other than the leading one, by level, of those in elimination order.
pub fn by_level(system: &System, solution: &[f64], group: usize) -> Vec<f64> {
    let symbolic = &system.symbolic;
    let q = system.groups[group].effects();
    let mut modes = vec![0.0; system.groups[group].levels * q];
    for node in (0..symbolic.nodes()).filter(|&node| symbolic.group[node] as usize + 1 == group) {
        let level = symbolic.level[node] as usize;
        let columns = symbolic.columns(node);
        modes[level * q..level * q + columns.len()].copy_from_slice(&solution[columns]);
    }
    modes
}

/// σ²ΛM⁻¹Λ' on the diagonal, per public term: levels × effects × effects.
pub fn conditional_covariances(
    factor: &mut Factor<'_>,
    theta: &[f64],
    variance: f64,
    team: &Team,
) -> Result<Vec<Vec<f64>>> {
    factor.invert(team)?;
    let factor = &*factor;
    let system = factor.system;
    let blocks = |g: usize| match g {
        0 => leading_blocks(factor),
        _ => rest_blocks(system, &factor.fronts.inverse, g),
    };
    let blocks: Vec<Vec<Small>> = (0..system.groups.len()).map(blocks).collect();
    Ok(covariances_by_term(system, &blocks, theta, variance))
}

/// The same of a generalised fit.
pub fn generalized_covariances(fit: &GeneralizedFit, team: &Team) -> Result<Vec<Vec<f64>>> {
    let system = &fit.system;
    let mut problem = fit.problem(team)?;
    problem.find(&fit.internal)?;
    let factor = problem.factor_mut();
    factor.invert(team)?;
    let blocks = |group: usize| match group {
        0 => factor.leading_inverses(),
        _ => rest_blocks(system, &factor.fronts.inverse, group),
    };
    let blocks: Vec<Vec<Small>> = (0..system.groups.len()).map(blocks).collect();
    let variance = fit.sigma * fit.sigma;
    Ok(covariances_by_term(
        system,
        &blocks,
        &fit.internal,
        variance,
    ))
}

/// ΛNΛ' of every public term in the user's columns, times `variance`: levels × effects × effects, of the
/// diagonal blocks N of M⁻¹ of every group.
pub fn covariances_by_term(
    system: &System,
    blocks: &[Vec<Small>],
    theta: &[f64],
    variance: f64,
) -> Vec<Vec<f64>> {
    let mut terms = vec![Vec::new(); system.groups.iter().map(|group| group.terms.len()).sum()];
    for (group, blocks) in system.groups.iter().zip(blocks) {
        let to_user = group.template.user_factor(&group.pick(theta));
        for (&term, block) in group.terms.iter().zip(&group.template.blocks) {
            for inverse in blocks {
                let whole = to_user.times(inverse).times(&to_user.transposed());
                for i in block.clone() {
                    terms[term].extend(block.clone().map(|j| whole.at(i, j) * variance));
                }
            }
        }
    }
    terms
}

/// Diagonal blocks of M⁻¹ of the leading group: U + UB'·explained·BU with U = (I + B'B)⁻¹, a sum of
/// positive parts; UB' = B'A⁻¹ and U = I − B'A⁻¹B.
fn leading_blocks(factor: &Factor<'_>) -> Vec<Small> {
    let (leading, lambda) = (&factor.system.leading, &factor.lambda[0]);
    let (r, q) = (leading.width, lambda.cols);
    let mut explained = Explained::new(r);
    let mut blocks = Vec::with_capacity(leading.levels);
    for j in 0..leading.levels {
        let level = leading.level(j);
        let mut product = Small::zeros(r, q);
        for k in 0..q {
            for i in 0..r {
                product.set(
                    i,
                    k,
                    (i..r)
                        .map(|l| level[i * leading.stride + l] * lambda.at(l, k))
                        .sum(),
                );
            }
        }
        // half = c⁻¹B, row-major.
        let mut half: Vec<f64> = (0..r)
            .flat_map(|i| (0..q).map(move |k| (i, k)))
            .map(|(i, k)| product.at(i, k))
            .collect();
        solve_lower(&factor.pivots[j * r * r..(j + 1) * r * r], r, &mut half, q);
        explained.update(factor, j);
        let mut block = inverse_of_sum(&product);
        for a in 0..q {
            for b in 0..q {
                let mut value = 0.0;
                for l in 0..r {
                    for k in 0..r {
                        value += half[l * q + a] * explained.matrix[l * r + k] * half[k * q + b];
                    }
                }
                block.set(a, b, block.at(a, b) + value);
            }
        }
        blocks.push(block);
    }
    blocks
}

/// (I + B'B)⁻¹ = c'⁻¹c⁻¹.
fn inverse_of_sum(product: &Small) -> Small {
    let (r, q) = (product.rows, product.cols);
    let mut rows = product.data.clone();
    let mut root = vec![0.0; q * q];
    root_of_unit_plus(&mut rows, q, r, &mut root);
    let mut inverse = Small::zeros(q, q);
    (0..q).for_each(|k| inverse.set(k, k, 1.0));
    solve_lower(&root, q, &mut inverse.data, q);
    solve_upper(&root, q, &mut inverse.data, q);
    inverse
}

/// Diagonal blocks of M⁻¹ of a group other than the leading one, by level, from M₂⁻¹ on the fronts.
pub fn rest_blocks(system: &System, inverse: &[f64], group: usize) -> Vec<Small> {
    let symbolic = &system.symbolic;
    let q = system.groups[group].effects();
    let mut blocks = vec![Small::zeros(q, q); system.groups[group].levels];
    for front in &symbolic.fronts {
        let first = symbolic
            .scalar
            .partition_point(|&column| column < front.start);
        for node in (first..symbolic.nodes())
            .take_while(|&node| symbolic.scalar[node] < front.start + front.own)
        {
            if symbolic.group[node] as usize + 1 == group {
                let place = symbolic.scalar[node] - front.start;
                let width = symbolic.columns(node).len();
                let block = &mut blocks[symbolic.level[node] as usize];
                (width..q).for_each(|i| block.set(i, i, 1.0));
                for b in 0..width {
                    for a in 0..width {
                        block.set(
                            a,
                            b,
                            inverse[front.square + place + a + (place + b) * front.stride],
                        );
                    }
                }
            }
        }
    }
    blocks
}
