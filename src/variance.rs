//! How certain the estimates are: the exact Hessian over θ, and what degrees of freedom are made of.
//!
//! With V_k = ∂V/∂θ_k = Z̃D_kZ̃' (`direction`), z = Z̃'Py, B = Z̃'V⁻¹XR_X⁻¹, T = P (REML) or V⁻¹ (ML):
//!
//!     ∂²d/∂θ_k∂θ_l = tr(TV_kl) − (m/r²)y'PV_klPy − tr(TV_kTV_l) + (2m/r²)y'PV_kPV_lPy − (m/r⁴)h_kh_l
//!     y'PV_kPV_lPy = z'D_k(Z̃'V⁻¹Z̃)D_lz − (z'D_kB)(B'D_lz),      h_k = z'D_kz
//!     tr(PV_kPV_l) = tr(V⁻¹V_kV⁻¹V_l) − 2 tr(Q_kl) + tr(P_kP_l)
//!     P_k = B'D_kB,   Q_kl = B'D_k(Z̃'V⁻¹Z̃)D_lB
//!
//! The first two terms are `information::curvature`. P_k and Q_kl are X'V⁻¹V_kV⁻¹X and X'V⁻¹V_kV⁻¹V_lV⁻¹X
//! in the basis XR_X⁻¹, in which X'V⁻¹X is the identity (Kenward & Roger 1997; Kuznetsova et al. 2017).

use crate::aligned::Aligned;
use crate::complement::{self, Solution};
use crate::derivatives::{blocks, directions as whitened, leading_answers, Directions};
use crate::direction::{
    apply_to_rest, covariance_slopes, of_covariance, of_optimiser, of_theta, quadratics, Direction,
};
use crate::error::Result;
use crate::evaluate;
use crate::factor::Factor;
use crate::information::curvature;
use crate::inner::{InnerProducts, Vectors};
use crate::lambda::Small;
use crate::lmm::Fit;
use crate::objective::{degrees, solve_transposed_triangle, Profile};
use crate::parallel::Team;
use crate::system::System;
use crate::traces::{self, traces, Traces};
use std::ops::Range;

/// Multiplications below which the exact Hessian is a matter of milliseconds.
const CHEAP: f64 = 1e9;

/// Vectors worked on at a time.
const BATCH: usize = 32;

/// Derivatives at the estimate, in the optimiser's θ (in which a predictor far from zero costs no digits);
/// matrices row-major.
pub struct Information {
    /// ∂²d/∂θ∂θ'.
    pub hessian: Vec<f64>,
    /// h_k/r².
    pub score: Vec<f64>,
    /// P_k in the basis of S: parameters × rank × rank.
    pub fixed: Vec<f64>,
    /// ∂(Σ/σ²)/∂θ: the user's elements × parameters.
    pub covariance: Vec<f64>,
}

/// What Kenward and Roger's method needs; the parameters are the elements of every λλ' in the optimiser's
/// coordinates (a linear change of those of Σ/σ², which the method does not see, without the digits that
/// a predictor far from zero costs).
pub struct VarianceProducts {
    /// The elements themselves.
    pub elements: Vec<f64>,
    /// P_k: parameters × rank × rank.
    pub fixed: Vec<f64>,
    /// Q_kl: parameters × parameters × rank × rank.
    pub pairs: Vec<f64>,
    pub traces: Traces,
}

/// Z̃'V⁻¹ of some combinations of C.
struct Images {
    columns: usize,
    /// Leading group: levels × r for each column, one after another.
    leading: Vec<f64>,
    /// Remaining groups: size × columns.
    rest: Aligned,
}

impl Images {
    /// z, then the columns of B, from the combinations [y − Xβ | XR_X⁻¹].
    fn new(factor: &Factor<'_>, whitened: &Directions, solution: &Solution, team: &Team) -> Images {
        let answers = leading_answers(factor, whitened, solution, team);
        let (sums, columns) = (&factor.system.leading, whitened.columns);
        let (r, stride) = (sums.width, sums.stride);
        let length = sums.levels * r;
        let mut leading = vec![0.0; length * columns];
        for (j, answer) in answers.chunks_exact(r * columns).enumerate() {
            let level = sums.level(j);
            for i in 0..r {
                for c in 0..columns {
                    leading[c * length + j * r + i] = (0..=i)
                        .map(|l| level[l * stride + i] * answer[l * columns + c])
                        .sum();
                }
            }
        }
        Images {
            columns,
            leading,
            rest: complement::images(factor, whitened, solution, team),
        }
    }

    fn leading_column(&self, c: usize) -> &[f64] {
        let length = self.leading.len() / self.columns;
        &self.leading[c * length..(c + 1) * length]
    }

    fn rest_column(&self, c: usize) -> &[f64] {
        let size = self.rest.len() / self.columns;
        &self.rest[c * size..(c + 1) * size]
    }

    /// c_kₐ'(Z̃'V⁻¹Z̃)c_lb with c_kₐ = D_k times column a: entry [(a, k), (b, l)], columns outermost.
    fn inner(
        &self,
        factor: &Factor<'_>,
        directions: &[Direction],
        columns: Range<usize>,
        team: &Team,
    ) -> Result<InnerProducts> {
        let (r, size) = (factor.system.leading.width, factor.system.symbolic.size);
        let (count, total) = (directions.len(), directions.len() * columns.len());
        let mut rest = Aligned::zeros(size * total);
        for (c, column) in columns.clone().enumerate() {
            let part = apply_to_rest(
                &factor.system.symbolic,
                directions,
                self.rest_column(column),
            );
            rest[c * count * size..(c + 1) * count * size].copy_from_slice(&part);
        }
        let leading = |j: usize, out: &mut [f64]| {
            for (c, column) in columns.clone().enumerate() {
                let own = &self.leading_column(column)[j * r..(j + 1) * r];
                for (k, direction) in directions.iter().enumerate().filter(|(_, d)| d.group == 0) {
                    direction.apply(own, &mut out[c * count + k..], total);
                }
            }
        };
        let vectors = Vectors {
            count: total,
            leading: &leading,
            rest,
        };
        InnerProducts::new(factor, &vectors, team)
    }

    /// P_k = B'D_kB: parameters × rank × rank.
    fn fixed(&self, factor: &Factor<'_>, directions: &[Direction]) -> Vec<f64> {
        let (r, p) = (factor.system.leading.width, self.columns - 1);
        let along = |vector: &[f64], group: usize, c: usize| -> Vec<f64> {
            let dot = |level: &[f64]| level.iter().zip(vector).map(|(z, v)| z * v).sum::<f64>();
            if group == 0 {
                let levels = self.leading_column(c + 1).chunks_exact(r);
                levels.map(dot).collect()
            } else {
                let column = self.rest_column(c + 1);
                let ranges = factor.system.symbolic.columns_of_group(group);
                ranges.map(|range| dot(&column[range])).collect()
            }
        };
        let mut fixed = vec![0.0; directions.len() * p * p];
        for (direction, block) in directions
            .iter()
            .zip(fixed.chunks_exact_mut((p * p).max(1)))
        {
            let t: Vec<_> = (0..p)
                .map(|c| along(&direction.t, direction.group, c))
                .collect();
            let l: Vec<_> = (0..p)
                .map(|c| along(&direction.l, direction.group, c))
                .collect();
            for a in 0..p {
                for b in 0..=a {
                    block[a * p + b] = dot(&t[a], &l[b]) + dot(&l[a], &t[b]);
                    block[b * p + a] = block[a * p + b];
                }
            }
        }
        fixed
    }

    /// Q_kl = B'D_k(Z̃'V⁻¹Z̃)D_lB: parameters × parameters × rank × rank.
    fn pairs(
        &self,
        factor: &Factor<'_>,
        directions: &[Direction],
        team: &Team,
    ) -> Result<Vec<f64>> {
        let (count, p) = (directions.len(), self.columns - 1);
        let product = self.inner(factor, directions, 1..p + 1, team)?.product;
        let mut pairs = vec![0.0; product.len()];
        for (place, row) in product.chunks_exact((count * p).max(1)).enumerate() {
            let (a, k) = (place / count, place % count);
            for (place, value) in row.iter().enumerate() {
                let (b, l) = (place / count, place % count);
                pairs[((k * count + l) * p + a) * p + b] = *value;
            }
        }
        Ok(pairs)
    }
}

/// Hessian, and slopes of vcov(β̂) and Σ at the estimate.
pub fn information(fit: &Fit, team: &Team) -> Result<Information> {
    let system = &fit.system;
    let directions = of_optimiser(system, &fit.internal);
    fit.at_optimum(team, |problem, profile| {
        problem.factor.invert(team)?;
        let pieces = Pieces::new(&problem.factor, &profile, &directions, fit.reml, team);
        let hessian = match affordable(&problem.factor, &directions) {
            true => pieces.hessian(team)?,
            false => evaluate::optimiser_hessian(fit, team)?,
        };
        Ok(Information {
            hessian,
            score: pieces.score,
            fixed: pieces.fixed,
            covariance: covariance_slopes(system, &fit.internal),
        })
    })
}

/// ∂²d/∂θ∂θ' at the estimate, in the user's θ.
pub fn hessian(fit: &Fit, team: &Team) -> Result<Vec<f64>> {
    let directions = of_theta(&fit.system, &fit.theta);
    fit.at_optimum(team, |problem, profile| {
        problem.factor.invert(team)?;
        match affordable(&problem.factor, &directions) {
            true => {
                Pieces::new(&problem.factor, &profile, &directions, fit.reml, team).hessian(team)
            }
            false => evaluate::user_hessian(fit, team),
        }
    })
}

/// What the derivatives along some directions are made of.
struct Pieces<'a> {
    factor: &'a Factor<'a>,
    profile: &'a Profile,
    directions: &'a [Direction],
    reml: bool,
    whitened: Directions,
    solution: Solution,
    images: Images,
    /// P_k.
    fixed: Vec<f64>,
    /// h_k/r².
    score: Vec<f64>,
}

impl<'a> Pieces<'a> {
    fn new(
        factor: &'a Factor<'a>,
        profile: &'a Profile,
        directions: &'a [Direction],
        reml: bool,
        team: &Team,
    ) -> Self {
        let whitened = whitened(factor, profile, reml, true);
        let solution = Solution::new(factor, &whitened);
        let images = Images::new(factor, &whitened, &solution, team);
        let z = (images.leading_column(0), images.rest_column(0));
        let score = quadratics(factor, directions, z);
        Pieces {
            fixed: images.fixed(factor, directions),
            score: score.iter().map(|h| h / profile.pwrss).collect(),
            factor,
            profile,
            directions,
            reml,
            whitened,
            solution,
            images,
        }
    }

    fn hessian(&self, team: &Team) -> Result<Vec<f64>> {
        if self.directions.is_empty() {
            return Ok(Vec::new());
        }
        let shared = (&self.whitened, &self.solution);
        let g = g(self.factor, self.profile, self.reml, shared, team)?;
        let mut hessian = curvature(self.directions, &g);
        self.add_products(&mut hessian, team)?;
        let traces = traces(self.factor, self.directions, team)?;
        subtract(&mut hessian, 1.0, &traces.pairs);
        Ok(hessian)
    }

    /// Adds (2m/r²)y'PV_kPV_lPy − (m/r⁴)h_kh_l and, for REML, 2 tr(Q_kl) − tr(P_kP_l).
    fn add_products(&self, hessian: &mut [f64], team: &Team) -> Result<()> {
        let (count, p) = (self.directions.len(), self.images.columns - 1);
        let (m, r2) = (degrees(self.factor.system, self.reml), self.profile.pwrss);
        let batch = (BATCH / count).max(1);
        let last = if self.reml { p + 1 } else { 1 };
        for first in (0..last).step_by(batch) {
            let columns = first..(first + batch).min(last);
            let total = count * columns.len();
            let inner = (self.images).inner(self.factor, self.directions, columns.clone(), team)?;
            for (c, column) in columns.enumerate() {
                let weight = if column == 0 { m / r2 } else { 1.0 };
                for (k, row) in hessian.chunks_exact_mut(count).enumerate() {
                    let own = &inner.product[(c * count + k) * total + c * count..][..count];
                    subtract(row, -2.0 * weight, own);
                }
            }
            if first == 0 {
                let of_z = &inner.fixed_part(self.factor, self.profile)[..count];
                for (k, row) in hessian.chunks_exact_mut(count).enumerate() {
                    for (l, value) in row.iter_mut().enumerate() {
                        let explained = 2.0 * dot(&of_z[k], &of_z[l]) / r2;
                        *value -= m * (explained + self.score[k] * self.score[l]);
                    }
                }
            }
        }
        let of = |k: usize| &self.fixed[k * p * p..(k + 1) * p * p];
        for k in 0..if self.reml { count } else { 0 } {
            (0..count).for_each(|l| hessian[k * count + l] -= dot(of(k), of(l)));
        }
        Ok(())
    }
}

/// G of every group; an ML fit's is that without the fixed part's columns.
fn g(
    factor: &Factor<'_>,
    profile: &Profile,
    reml: bool,
    (all, solution): (&Directions, &Solution),
    team: &Team,
) -> Result<Vec<Small>> {
    if reml {
        return Ok(blocks(factor, all, solution, team)?.g);
    }
    let own = whitened(factor, profile, reml, false);
    Ok(blocks(factor, &own, &Solution::new(factor, &own), team)?.g)
}

fn subtract(hessian: &mut [f64], factor: f64, values: &[f64]) {
    let pairs = hessian.iter_mut().zip(values);
    pairs.for_each(|(sum, value)| *sum -= factor * value);
}

/// Is the exact Hessian cheaper than differences of the gradient, and is there room for it?
fn affordable(factor: &Factor<'_>, directions: &[Direction]) -> bool {
    let (products, bytes) = traces::cost(factor, directions);
    let differences = 4.0 * directions.len() as f64 * factor.system.symbolic.flops();
    (products < CHEAP || products < differences)
        && crate::memory::require(bytes, String::new).is_ok()
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

/// S = T R_X⁻¹ with vcov(β̂) = σ²SS': the user's columns kept × whitened ones, row-major.
pub fn root(fit: &Fit, team: &Team) -> Result<Vec<f64>> {
    fit.at_optimum(team, |_, profile| Ok(root_of(&fit.system, &profile)))
}

fn root_of(system: &System, profile: &Profile) -> Vec<f64> {
    let p = system.rank();
    let mut root = vec![0.0; p * p];
    for k in 0..p {
        let mut column = vec![0.0; p];
        column[k] = 1.0;
        solve_transposed_triangle(&profile.triangle, p, &mut column);
        let user = system.basis.to_user(&system.coordinates, &column);
        (0..p).for_each(|i| root[i * p + k] = user[i]);
    }
    root
}

/// Kenward and Roger's products and traces.
pub fn variance_products(fit: &Fit, team: &Team) -> Result<VarianceProducts> {
    fit.at_optimum(team, |problem, profile| {
        problem.factor.invert(team)?;
        let factor = &problem.factor;
        let (directions, elements) = of_covariance(&fit.system, &fit.internal);
        let whitened = whitened(factor, &profile, fit.reml, true);
        let solution = Solution::new(factor, &whitened);
        let images = Images::new(factor, &whitened, &solution, team);
        Ok(VarianceProducts {
            elements,
            fixed: images.fixed(factor, &directions),
            pairs: images.pairs(factor, &directions, team)?,
            traces: traces(factor, &directions, team)?,
        })
    })
}
