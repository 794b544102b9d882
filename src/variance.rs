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
use crate::direction::{apply_to_rest, of_sigma, of_theta, quadratics, Direction};
use crate::error::Result;
use crate::evaluate;
use crate::factor::Factor;
use crate::information::curvature;
use crate::inner::{InnerProducts, Vectors};
use crate::lambda::Small;
use crate::lmm::Fit;
use crate::objective::{degrees, Profile};
use crate::parallel::Team;
use crate::traces::{self, traces, Traces};
use std::ops::Range;

/// Multiplications below which the exact Hessian is a matter of milliseconds.
const CHEAP: f64 = 1e9;

/// Vectors worked on at a time.
const BATCH: usize = 32;

/// Derivatives at the estimate, in the user's θ; matrices row-major.
pub struct Information {
    /// S with vcov(β̂) = σ²SS': rank × rank.
    pub root: Vec<f64>,
    /// ∂²d/∂θ∂θ'.
    pub hessian: Vec<f64>,
    /// h_k/r².
    pub score: Vec<f64>,
    /// P_k in the basis of S: parameters × rank × rank.
    pub fixed: Vec<f64>,
}

/// What Kenward and Roger's method needs; the parameters are the elements of every Σ/σ².
pub struct VarianceProducts {
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
            let part = apply_to_rest(factor, directions, self.rest_column(column));
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

/// Hessian, slopes of vcov(β̂) and their basis at the estimate.
pub fn information(fit: &Fit, team: &Team) -> Result<Information> {
    fit.at_optimum(team, |problem, profile| {
        problem.factor.invert(team)?;
        information_at(fit, &problem.factor, &profile, team)
    })
}

fn information_at(
    fit: &Fit,
    factor: &Factor<'_>,
    profile: &Profile,
    team: &Team,
) -> Result<Information> {
    let system = &fit.system;
    let directions = of_theta(system, &fit.theta);
    let whitened = whitened(factor, profile, fit.reml, true);
    let solution = Solution::new(factor, &whitened);
    let images = Images::new(factor, &whitened, &solution, team);
    let fixed = images.fixed(factor, &directions);
    let z = (images.leading_column(0), images.rest_column(0));
    let score: Vec<f64> = quadratics(factor, &directions, z)
        .iter()
        .map(|h| h / profile.pwrss)
        .collect();
    let hessian = if directions.is_empty() {
        Vec::new()
    } else if affordable(factor, &directions) {
        let g = g(factor, profile, fit.reml, (&whitened, &solution), team)?;
        let mut hessian = curvature(&directions, &g);
        let m = degrees(system, fit.reml);
        let explained = Explained {
            factor,
            directions: &directions,
            images: &images,
            fixed: &fixed,
        };
        explained.add(&mut hessian, (profile, &score, m), fit.reml, team)?;
        let traces = traces(factor, &directions, team)?;
        subtract(&mut hessian, 1.0, &traces.pairs);
        hessian
    } else {
        evaluate::differenced_hessian(fit, team)?
    };
    Ok(Information {
        root: root(factor, profile),
        hessian,
        score,
        fixed,
    })
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

/// Terms of the Hessian that take products with Z̃'V⁻¹Z̃.
struct Explained<'a> {
    factor: &'a Factor<'a>,
    directions: &'a [Direction],
    images: &'a Images,
    fixed: &'a [f64],
}

impl Explained<'_> {
    /// Adds (2m/r²)y'PV_kPV_lPy − (m/r⁴)h_kh_l and, for REML, 2 tr(Q_kl) − tr(P_kP_l).
    fn add(
        &self,
        hessian: &mut [f64],
        (profile, score, m): (&Profile, &[f64], f64),
        reml: bool,
        team: &Team,
    ) -> Result<()> {
        let (count, p) = (self.directions.len(), self.images.columns - 1);
        let square = p * p;
        let batch = (BATCH / count.max(1)).max(1);
        let last = if reml { p + 1 } else { 1 };
        for first in (0..last).step_by(batch) {
            let columns = first..(first + batch).min(last);
            let inner = self
                .images
                .inner(self.factor, self.directions, columns.clone(), team)?;
            let total = count * columns.len();
            for (c, column) in columns.enumerate() {
                let weight = if column == 0 { m / profile.pwrss } else { 1.0 };
                for (k, row) in hessian.chunks_exact_mut(count).enumerate() {
                    let own = &inner.product[(c * count + k) * total + c * count..][..count];
                    subtract(row, -2.0 * weight, own);
                }
            }
            if first == 0 {
                let of_z = &inner.fixed_part(self.factor, profile)[..count];
                for (k, row) in hessian.chunks_exact_mut(count).enumerate() {
                    for (l, value) in row.iter_mut().enumerate() {
                        *value -= m
                            * (2.0 * dot(&of_z[k], &of_z[l]) / profile.pwrss + score[k] * score[l]);
                    }
                }
            }
        }
        for k in 0..if reml { count } else { 0 } {
            for l in 0..count {
                let of = |k: usize| &self.fixed[k * square..(k + 1) * square];
                hessian[k * count + l] -= dot(of(k), of(l));
            }
        }
        Ok(())
    }
}

fn dot(x: &[f64], y: &[f64]) -> f64 {
    x.iter().zip(y).map(|(a, b)| a * b).sum()
}

/// S = T R_X⁻¹: the user's columns kept × whitened ones, row-major.
fn root(factor: &Factor<'_>, profile: &Profile) -> Vec<f64> {
    let system = factor.system;
    let p = system.rank();
    let mut root = vec![0.0; p * p];
    for k in 0..p {
        let mut column = vec![0.0; p];
        column[k] = 1.0;
        for i in (0..p).rev() {
            let known: f64 = (i + 1..p)
                .map(|l| profile.triangle[l * p + i] * column[l])
                .sum();
            column[i] = (column[i] - known) / profile.triangle[i * p + i];
        }
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
        let directions = of_sigma(&fit.system);
        let whitened = whitened(factor, &profile, fit.reml, true);
        let solution = Solution::new(factor, &whitened);
        let images = Images::new(factor, &whitened, &solution, team);
        Ok(VarianceProducts {
            fixed: images.fixed(factor, &directions),
            pairs: images.pairs(factor, &directions, team)?,
            traces: traces(factor, &directions, team)?,
        })
    })
}
