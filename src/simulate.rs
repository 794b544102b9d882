//! New responses from a fitted model: η* = Xβ̂ + o + ZΛuσ̂ with u ~ N(0, I), and y* = η* + W^(−½)εσ̂ with
//! ε ~ N(0, I), or a draw of a generalised model's family at η*.

use crate::columns::{Design, RandomTerm};
use crate::family::Family;
use crate::glmm::GeneralizedFit;
use crate::lambda::Small;
use crate::level_sums::BLOCK;
use crate::lmm::Fit;
use crate::parallel::Team;
use crate::philox::{normals, uniforms, Stream};
use crate::predictor;
use std::ops::Range;

/// Everything that the responses of one fit have in common.
pub struct Simulation<'d> {
    design: &'d Design,
    seed: u64,
    /// Xβ̂ + o at the rows used, with Zb̂ where the random effects are kept.
    mean: Vec<f64>,
    noise: Noise,
    /// σ̂λ of every term; none where the random effects are kept.
    roots: Vec<Small>,
}

/// What comes after the linear predictor.
enum Noise {
    /// Standard deviations at the rows used.
    Normal(Vec<f64>),
    Family {
        family: Family,
        sigma: f64,
    },
}

impl<'d> Simulation<'d> {
    /// `use_u` keeps the conditional modes b̂ and draws the residuals only.
    pub fn new(design: &'d Design, fit: &Fit, seed: u64, use_u: bool, team: &Team) -> Self {
        let table = &design.table;
        let sd = (0..table.n()).map(|i| fit.sigma / table.weight(table.place(i)).sqrt());
        Simulation {
            seed,
            mean: mean(design, &fit.beta, &fit.modes, use_u, team),
            noise: Noise::Normal(sd.collect()),
            roots: roots(design, &fit.theta, fit.sigma, use_u),
            design,
        }
    }

    /// The same of a generalised model.
    pub fn generalized(
        design: &'d Design,
        fit: &GeneralizedFit,
        seed: u64,
        use_u: bool,
        team: &Team,
    ) -> Self {
        Simulation {
            seed,
            mean: mean(design, &fit.beta, &fit.modes, use_u, team),
            noise: Noise::Family {
                family: fit.family,
                sigma: fit.sigma,
            },
            roots: roots(design, &fit.theta, fit.sigma, use_u),
            design,
        }
    }

    /// The responses of some replicates at the rows used: rows × replicates, row-major.
    pub fn fill(&self, replicates: Range<u32>, out: &mut [f64]) {
        let count = replicates.len();
        for (row, mean) in out.chunks_exact_mut(count).zip(&self.mean) {
            row.fill(*mean);
        }
        let mut first = 0;
        for (term, root) in self.design.terms.iter().zip(&self.roots) {
            let levels = self.design.groupings[term.grouping].levels;
            let effects = self.effects(root, levels, first, replicates.clone());
            self.add_effects(term, &effects, count, out);
            // An even start, since normal numbers come in pairs.
            first += (levels * root.cols).next_multiple_of(2);
        }
        match &self.noise {
            Noise::Normal(sd) => self.add_residuals(sd, replicates, out),
            Noise::Family { family, sigma } => self.draw(family, *sigma, replicates, out),
        }
    }

    /// out ← a draw of the family at the linear predictor out.
    fn draw(&self, family: &Family, sigma: f64, replicates: Range<u32>, out: &mut [f64]) {
        let (table, count) = (&self.design.table, replicates.len());
        for (i, row) in out.chunks_exact_mut(count).enumerate() {
            let place = table.place(i);
            let size = table.sizes.as_ref().map_or(1.0, |sizes| sizes.get(place));
            let weight = table.weight(place);
            for (value, replicate) in row.iter_mut().zip(replicates.clone()) {
                let mut next = uniforms(self.seed, replicate, Stream::Responses, i as u32);
                *value = family.draw(*value, size, weight, sigma, &mut next);
            }
        }
    }

    /// b = σλu of one term: levels × effects × replicates. `first` is the place of its u in the stream.
    fn effects(
        &self,
        root: &Small,
        levels: usize,
        first: usize,
        replicates: Range<u32>,
    ) -> Vec<f64> {
        let (q, count) = (root.cols, replicates.len());
        let mut u = vec![0.0; levels * q];
        let mut effects = vec![0.0; levels * q * count];
        for (k, replicate) in replicates.enumerate() {
            normals(self.seed, replicate, Stream::RandomEffects, first, &mut u);
            for (b, u) in effects.chunks_exact_mut(q * count).zip(u.chunks_exact(q)) {
                for i in 0..q {
                    b[i * count + k] = (0..=i).map(|l| root.at(i, l) * u[l]).sum();
                }
            }
        }
        effects
    }

    /// out += Zb for one term.
    fn add_effects(&self, term: &RandomTerm, effects: &[f64], count: usize, out: &mut [f64]) {
        let (table, q) = (&self.design.table, term.columns.len());
        let codes = self.design.groupings[term.grouping].codes.as_slice();
        let mut z = vec![0.0; BLOCK * q];
        for (block, out) in out.chunks_mut(BLOCK * count).enumerate() {
            let (first, rows) = (block * BLOCK, out.len() / count);
            for (c, recipe) in term.columns.iter().enumerate() {
                table.fill(recipe, first, rows, &mut z[c..], q);
            }
            for (i, (row, z)) in out
                .chunks_exact_mut(count)
                .zip(z.chunks_exact(q))
                .enumerate()
            {
                let level = codes[table.place(first + i)] as usize;
                let b = &effects[level * q * count..(level + 1) * q * count];
                for (b, z) in b.chunks_exact(count).zip(z) {
                    row.iter_mut().zip(b).for_each(|(y, b)| *y += z * b);
                }
            }
        }
    }

    /// out += W^(−½)εσ.
    fn add_residuals(&self, sd: &[f64], replicates: Range<u32>, out: &mut [f64]) {
        let count = replicates.len();
        let mut noise = [0.0; BLOCK];
        for (block, out) in out.chunks_mut(BLOCK * count).enumerate() {
            let (first, rows) = (block * BLOCK, out.len() / count);
            let sd = &sd[first..first + rows];
            for (k, replicate) in replicates.clone().enumerate() {
                normals(
                    self.seed,
                    replicate,
                    Stream::Residuals,
                    first,
                    &mut noise[..rows],
                );
                let column = out[k..].iter_mut().step_by(count);
                for ((y, noise), sd) in column.zip(&noise).zip(sd) {
                    *y += sd * noise;
                }
            }
        }
    }
}

/// Xβ̂ + o, with Zb̂ where the random effects are kept.
fn mean(design: &Design, beta: &[f64], modes: &[Vec<f64>], use_u: bool, team: &Team) -> Vec<f64> {
    let modes: Vec<Option<Vec<f64>>> = (modes.iter())
        .map(|modes| use_u.then(|| modes.clone()))
        .collect();
    predictor::linear_predictor(design, beta, &modes, team)
}

/// σ̂λ of every term, lower triangles; none where the random effects are kept.
fn roots(design: &Design, theta: &[f64], sigma: f64, use_u: bool) -> Vec<Small> {
    let mut theta = theta.iter();
    let root = |term: &RandomTerm| {
        let q = term.columns.len();
        let mut root = Small::zeros(q, q);
        for j in 0..q {
            for (i, value) in (j..q).zip(&mut theta) {
                root.set(i, j, sigma * value);
            }
        }
        root
    };
    let terms = if use_u { &[][..] } else { &design.terms[..] };
    terms.iter().map(root).collect()
}
