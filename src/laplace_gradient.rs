//! The exact gradient of the Laplace approximation (see `laplace`), or of a quadrature in its place.

use crate::direction::{of_maps, of_optimiser, Direction};
use crate::effects::{times_lambda_transposed, Effects};
use crate::error::Result;
use crate::family::DispersionSlopes;
use crate::lambda::Small;
use crate::laplace::{Laplace, Weights};
use crate::parallel::Shared;
use crate::pirls_solve::Unknowns;
use crate::quadrature::{self, Corrections};

/// The gradient and what it is made of.
pub struct Slopes {
    pub gradient: Vec<f64>,
    /// G of every group, and the size of its positive part.
    pub g: Vec<Small>,
    pub scale: Vec<f64>,
    /// ∂(λ̃λ̃')/∂θ.
    pub directions: Vec<Direction>,
    /// Z̃'s.
    pub scores: Effects,
    /// ∂d/∂log(dispersion), and half the sum of squared slopes of −2 log f, where it is estimated.
    pub dispersion: Option<(f64, f64)>,
}

impl Laplace<'_, '_> {
    /// The gradient where the criterion was last found, and what it is made of.
    pub fn slopes(&mut self) -> Result<Slopes> {
        let (team, found) = (self.team, self.settle(&self.parameters.clone())?);
        let (leverages, corrections) = self.leverages()?;
        let rho = self.rho(&leverages, found.kappa);
        let a = self.response_of_modes(&rho, corrections.as_ref())?;
        let along = self.pirls.predictor(&a, false, team);
        let rows = rho.iter().zip(&along).zip(&self.pirls.rows.observed);
        let v_hat: Vec<f64> = rows.map(|((rho, a), w)| rho - w * a).collect();
        let scores = self.pirls.gather(&self.pirls.rows.score, team);
        let images = self.pirls.gather(&v_hat, team);
        let (g, scale) = self.g(&scores, &images)?;
        let directions = self.directions();
        let mut gradient: Vec<f64> = directions.iter().map(|d| d.slope(&g)).collect();
        if let Some(corrections) = &corrections {
            let gamma = self.gamma(corrections, (&scores, &images), &a.u);
            gradient = directions.iter().map(|d| slope_of(d, &gamma)).collect();
        }
        if !self.pirls.joint {
            gradient.extend(self.fixed_slopes(&v_hat, corrections.as_ref()));
        }
        let dispersion = match self.model.dispersed() {
            true => Some(self.dispersion_slope(&leverages, &along, corrections.as_ref())?),
            false => None,
        };
        gradient.extend(dispersion.map(|(slope, _)| slope));
        Ok(Slopes {
            gradient,
            g,
            scale,
            directions,
            scores,
            dispersion,
        })
    }

    /// Leverages of every row, and what quadrature changes.
    fn leverages(&mut self) -> Result<(Vec<f64>, Option<Corrections>)> {
        let (team, observations) = (self.team, self.pirls.observations);
        if self.pirls.canonical() {
            self.pirls.curvature(team)?;
        }
        self.factor_mut().invert(team)?;
        let factor = self.factor();
        let Some(grid) = &self.grid else {
            return Ok((factor.leverages(observations, team)?, None));
        };
        let dispersed = self.model.dispersed();
        let corrections = quadrature::corrections(&self.pirls, factor, grid, dispersed, team)?;
        Ok((corrections.leverages.clone(), Some(corrections)))
    }

    /// ρ = v + 2(1 − κ)s, v the leverages times the slopes of the weights.
    fn rho(&self, leverages: &[f64], kappa: f64) -> Vec<f64> {
        let rows = &self.pirls.rows;
        let slope = match self.model.weights {
            Weights::Fisher => &rows.weight_slope,
            Weights::Observed => &rows.observed_slope,
        };
        let missing = 2.0 * (1.0 - kappa);
        let each = leverages.iter().zip(slope).zip(&rows.score);
        each.map(|((h, slope), s)| h * slope + missing * s)
            .collect()
    }

    /// ∂(λ̃λ̃')/∂θ.
    fn directions(&self) -> Vec<Direction> {
        let system = self.pirls.system;
        match &self.maps {
            Some(maps) => of_maps(system, maps, &self.parameters),
            None => of_optimiser(system, &self.parameters),
        }
    }

    /// X'(v̂ − 2s), with the scores s̄ of a quadrature.
    fn fixed_slopes(&self, v_hat: &[f64], corrections: Option<&Corrections>) -> Vec<f64> {
        let score = corrections.map_or(&self.pirls.rows.score, |corrections| &corrections.scores);
        let slope: Vec<f64> = v_hat.iter().zip(score).map(|(v, s)| v - 2.0 * s).collect();
        self.pirls.observations.fixed_products(&slope, self.team)
    }

    /// ∂d/∂λ̃ of a quadrature, r × q: Σⱼ [v̂ⱼû' + sⱼa'] and its corrections.
    fn gamma(
        &self,
        corrections: &Corrections,
        (scores, images): (&Effects, &Effects),
        a: &Effects,
    ) -> Small {
        let mut gamma = corrections.lambda.clone();
        let (r, q) = (gamma.rows, gamma.cols);
        let vectors = images
            .leading
            .chunks_exact(r)
            .zip(scores.leading.chunks_exact(r));
        let modes = self
            .pirls
            .at
            .u
            .leading
            .chunks_exact(q)
            .zip(a.leading.chunks_exact(q));
        for ((v, s), (u, a)) in vectors.zip(modes) {
            for j in 0..q {
                for i in 0..r {
                    gamma.data[i + j * r] += v[i] * u[j] + s[i] * a[j];
                }
            }
        }
        gamma
    }

    /// a = M°⁻¹(Λ'Z'ρ + y), y of a quadrature; with α where β is joint.
    fn response_of_modes(
        &self,
        rho: &[f64],
        corrections: Option<&Corrections>,
    ) -> Result<Unknowns> {
        let (pirls, team) = (&self.pirls, self.team);
        let image = pirls.gather(rho, team);
        let mut a = Unknowns {
            u: times_lambda_transposed(&pirls.system.symbolic, &pirls.lambda, &image),
            beta: pirls.fixed_products(rho, team),
        };
        if let Some(corrections) = corrections {
            crate::gram::add(&mut a.u.leading, &corrections.modes);
        }
        pirls.solve(&mut a, team)?;
        Ok(a)
    }

    /// G of every group, and the size of its positive part.
    fn g(&self, scores: &Effects, images: &Effects) -> Result<(Vec<Small>, Vec<f64>)> {
        let team = self.team;
        let mut g = self.factor().informations(&self.pirls.sums, team)?;
        let scale = g.iter().map(|g| (0..g.rows).map(|i| g.at(i, i)).sum());
        let scale = scale.collect();
        for (group, g) in g.iter_mut().enumerate() {
            let r = g.rows;
            self.each_level(group, scores, images, |s, v| {
                for b in 0..s.len() {
                    for a in 0..s.len() {
                        g.data[a + b * r] += 0.5 * (v[a] * s[b] + s[a] * v[b]) - s[a] * s[b];
                    }
                }
            });
        }
        Ok((g, scale))
    }

    /// Two vectors, level by level of one group.
    fn each_level(
        &self,
        group: usize,
        x: &Effects,
        y: &Effects,
        mut visit: impl FnMut(&[f64], &[f64]),
    ) {
        let (r, symbolic) = (
            self.pirls.observations.leading(),
            &self.pirls.system.symbolic,
        );
        if group == 0 {
            let levels = x.leading.chunks_exact(r).zip(y.leading.chunks_exact(r));
            levels.for_each(|(x, y)| visit(x, y));
        } else {
            let ranges = symbolic.columns_of_group(group);
            ranges.for_each(|range| visit(&x.rest[range.clone()], &y.rest[range]));
        }
    }

    /// ∂d/∂log(dispersion), and half the sum of squared slopes of −2 log f.
    fn dispersion_slope(
        &self,
        leverages: &[f64],
        along: &[f64],
        corrections: Option<&Corrections>,
    ) -> Result<(f64, f64)> {
        let (pirls, n) = (&self.pirls, self.pirls.observations.n);
        let mut columns: [Vec<f64>; 4] = std::array::from_fn(|_| vec![0.0; n]);
        let shared = columns.each_mut().map(|column| Shared::new(column));
        self.team.each(pirls.observations.tasks(), |task| {
            let (range, _) = pirls.observations.task(task);
            // SAFETY: each row belongs to one task.
            let part = |k: usize| unsafe { shared[k].range(range.start, range.len()) };
            let out = DispersionSlopes {
                loss: part(0),
                score: part(1),
                weight: part(2),
                observed: part(3),
            };
            let rows = pirls.responses.of(range.clone());
            pirls
                .family
                .dispersion_slopes(rows, &pirls.eta[range.clone()], out);
        });
        self.team.check()?;
        let [loss, score, fisher, observed] = columns;
        let weight = match self.model.weights {
            Weights::Fisher => fisher,
            Weights::Observed => observed,
        };
        let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(a, b)| a * b).sum::<f64>();
        let at_modes = || loss.iter().sum();
        let first = corrections.map_or_else(at_modes, |corrections| corrections.dispersion);
        let slope = first + dot(leverages, &weight) + dot(along, &score);
        Ok((slope, 0.5 * dot(&loss, &loss)))
    }
}

/// tr(∂λ̃'Γ) along the parameter of a direction.
fn slope_of(direction: &Direction, gamma: &Small) -> f64 {
    let column = gamma.column(direction.column).iter();
    column.zip(&direction.t).map(|(g, t)| g * t).sum()
}
