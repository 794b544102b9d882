//! The curvature that the optimiser is given: that of the working linear model in (θ, β), at the weights of
//! the modes last found. What it lacks is learned from secants.

use crate::derivatives::Derivatives;
use crate::direction::{apply_to_leading, apply_to_rest, Direction};
use crate::effects::Effects;
use crate::error::{Error, Result};
use crate::information::curvature;
use crate::laplace::Laplace;
use crate::laplace_gradient::Slopes;
use crate::objective::{cholesky_in_place, solve_transposed_triangle, solve_triangle};
use crate::pirls_solve::Unknowns;

/// Where the last derivatives were taken, and how the modes move with the parameters.
pub struct Moves {
    pub parameters: Vec<f64>,
    pub at: Unknowns,
    pub slopes: Effects,
}

impl Laplace<'_, '_> {
    /// Derivatives where the criterion was last found.
    pub fn derive(&mut self) -> Result<Derivatives> {
        let slopes = self.slopes()?;
        let mut information = self.information(&slopes)?;
        if let Some((_, square)) = slopes.dispersion {
            information = bordered(&information, slopes.gradient.len() - 1, square);
        }
        Ok(Derivatives {
            gradient: slopes.gradient,
            information,
            score: Vec::new(),
            g: slopes.g,
            scale: slopes.scale,
        })
    }

    /// Curvature of the working linear model in (θ, β); remembers how the modes move.
    fn information(&mut self, slopes: &Slopes) -> Result<Vec<f64>> {
        let Slopes {
            directions,
            g,
            scores,
            ..
        } = slopes;
        let (pirls, team, k) = (&self.pirls, self.team, directions.len());
        let (symbolic, p) = (&pirls.system.symbolic, pirls.observations.rank);
        let r = pirls.observations.leading();
        let mut along = Effects::zeros(pirls.system.leading.levels * r, 0, k);
        let fill = apply_to_leading(r, directions, &scores.leading);
        let levels = along.leading.chunks_exact_mut((r * k).max(1)).enumerate();
        levels.for_each(|(j, out)| fill(j, out));
        along.rest = apply_to_rest(symbolic, directions, &scores.rest).to_vec();
        let columns = (self.weight(), Some(&along));
        let (gram, mut half) =
            (pirls.observations).weighted_columns(pirls.system, &pirls.lambda, columns, team)?;
        let factor = self.factor();
        factor.forward(&mut half, team);
        let known = half.products(&half);
        factor.backward(&mut half);
        // Where the dispersion is profiled out, the loss counts κ times and the modes' moves once.
        let (moved, kappa) = (half.products(&half), self.found.map_or(1.0, |f| f.kappa));
        let inner = gram.iter().zip(&known).zip(&moved);
        let inner: Vec<f64> = inner
            .map(|((g, k), moved)| kappa * (g - k - moved) + moved)
            .collect();
        let curvature = curvature(directions, g);
        let information = match pirls.joint {
            true => profiled(&inner, &curvature, (k, p))?,
            false => arranged(&inner, &curvature, (k, p)),
        };
        // In other coordinates u turns with λ̃, and is not foreseen.
        if self.maps.is_none() {
            let slopes = self.slopes_of_modes(directions, scores, half);
            self.moves = Some(Moves {
                parameters: self.parameters.clone(),
                at: self.pirls.at.clone(),
                slopes,
            });
        }
        Ok(information)
    }

    /// ∂û/∂θ = Λ_k'Z's − M⁻¹Λ'Z'W(Zc), then ∂û/∂β = −M⁻¹Λ'Z'WX where β is a parameter, of `solved` =
    /// M⁻¹Λ'Z'W[X, Zc].
    fn slopes_of_modes(
        &self,
        directions: &[Direction],
        scores: &Effects,
        solved: Effects,
    ) -> Effects {
        let (k, p) = (directions.len(), self.pirls.observations.rank);
        let count = if self.pirls.joint { k } else { k + p };
        let from = |c: usize| if c < k { p + c } else { c - k };
        let mut slopes = Effects {
            count,
            leading: Vec::with_capacity(solved.leading.len()),
            rest: Vec::with_capacity(solved.rest.len()),
        };
        if k == 0 {
            return Effects { count: 0, ..slopes };
        }
        for row in solved.leading.chunks_exact(k + p) {
            slopes.leading.extend((0..count).map(|c| -row[from(c)]));
        }
        let size = self.pirls.system.symbolic.size;
        for c in 0..count {
            let column = &solved.rest[from(c) * size..(from(c) + 1) * size];
            slopes.rest.extend(column.iter().map(|value| -value));
        }
        for (c, direction) in directions.iter().enumerate() {
            self.add_explicit(direction, scores, c, &mut slopes);
        }
        slopes
    }

    /// Λ_k'Z's added to column `c`.
    fn add_explicit(&self, direction: &Direction, scores: &Effects, c: usize, out: &mut Effects) {
        let along = |z: &[f64]| direction.t.iter().zip(z).map(|(t, z)| t * z).sum::<f64>();
        let (symbolic, count) = (&self.pirls.system.symbolic, out.count);
        if direction.group == 0 {
            let (r, q) = (direction.t.len(), self.pirls.lambda[0].cols);
            let levels = scores.leading.chunks_exact(r);
            for (level, out) in levels.zip(out.leading.chunks_exact_mut(q * count)) {
                out[direction.column * count + c] += along(level);
            }
        } else {
            for range in symbolic.columns_of_group(direction.group) {
                if direction.column < range.len() {
                    let at = range.start + direction.column + c * symbolic.size;
                    out.rest[at] += along(&scores.rest[range]);
                }
            }
        }
    }
}

/// [S_cc + curvature, 2 S_cx; 2 S_xc, 2 S_xx] of the inner products of [X, Zc].
fn arranged(inner: &[f64], curvature: &[f64], (k, p): (usize, usize)) -> Vec<f64> {
    let size = k + p;
    let place = |i: usize| if i < k { p + i } else { i - k };
    let mut matrix = vec![0.0; size * size];
    for i in 0..size {
        for j in 0..size {
            let value = inner[place(i) * size + place(j)];
            matrix[i * size + j] = match i < k && j < k {
                true => value + curvature[i * k + j],
                false => 2.0 * value,
            };
        }
    }
    matrix
}

/// S_cc − S_cx S_xx⁻¹ S_xc + curvature.
fn profiled(inner: &[f64], curvature: &[f64], (k, p): (usize, usize)) -> Result<Vec<f64>> {
    let size = k + p;
    let mut triangle: Vec<f64> = (0..p)
        .flat_map(|i| inner[i * size..i * size + p].to_vec())
        .collect();
    if !cholesky_in_place(&mut triangle, p) {
        return Err(Error::Infeasible(
            "the fixed effects cannot be told apart under the working weights".into(),
        ));
    }
    let mut matrix = curvature.to_vec();
    for l in 0..k {
        let mut solved: Vec<f64> = (0..p).map(|i| inner[i * size + p + l]).collect();
        solve_triangle(&triangle, p, &mut solved);
        solve_transposed_triangle(&triangle, p, &mut solved);
        for i in 0..k {
            let known: f64 = (0..p).map(|c| inner[(p + i) * size + c] * solved[c]).sum();
            matrix[i * k + l] += inner[(p + i) * size + p + l] - known;
        }
    }
    Ok(matrix)
}

/// One more row and column, zero but for the diagonal.
fn bordered(matrix: &[f64], size: usize, corner: f64) -> Vec<f64> {
    let mut out = vec![0.0; (size + 1) * (size + 1)];
    for (i, row) in matrix.chunks_exact(size.max(1)).enumerate() {
        out[i * (size + 1)..i * (size + 1) + size].copy_from_slice(row);
    }
    out[(size + 1) * (size + 1) - 1] = corner;
    out
}
