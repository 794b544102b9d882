//! Families and links: the conditional distribution of a response given its linear predictor.
//!
//! ```text
//!  Family            what the fit asks: losses, scores, weights, constants            (this file)
//!    │ models        the table: names → a family with a link
//!    │ model         the loops over a block of rows     (hot · vector: those of most fits, in wide registers)
//!    ▼
//!  conditional       chain rule: pieces of the log-density after the link
//!    │ density       what a family supplies        binomial · poisson · gamma · inverse_gaussian
//!    │                                             gaussian · negative_binomial · nb1 · beta
//!    │ link          what a link supplies          link · unit_link
//!    ▼
//!  jet · special · normal · draw
//! ```
//!
//! Adding a family or a link: a file (or a type) that implements `Density` or `Link`, a line in `models`.

mod beta;
mod binomial;
mod conditional;
mod density;
mod draw;
mod gamma;
mod gaussian;
mod hot;
mod inverse_gaussian;
mod jet;
mod link;
mod model;
mod models;
mod nb1;
mod negative_binomial;
mod normal;
mod poisson;
mod special;
#[cfg(test)]
mod tests;
mod unit_link;
mod vector;

use crate::error::{Error, Result};
pub use density::Summary;
use models::{Entry, TABLE};

/// Rows of the response, side by side; sizes and weights are there even where they are 1.
#[derive(Clone, Copy)]
pub struct Response<'a> {
    pub y: &'a [f64],
    pub size: &'a [f64],
    pub weight: &'a [f64],
}

/// Per row: score s, Fisher weight w, observed weight w° = −∂s/∂η, and ∂w/∂η, ∂w°/∂η.
pub struct Curvature<'a> {
    pub score: &'a mut [f64],
    pub weight: &'a mut [f64],
    pub observed: &'a mut [f64],
    pub weight_slope: &'a mut [f64],
    pub observed_slope: &'a mut [f64],
}

/// Per row: derivatives by the log of the dispersion parameter.
pub struct DispersionSlopes<'a> {
    /// of −2 log f, constants included
    pub loss: &'a mut [f64],
    pub score: &'a mut [f64],
    pub weight: &'a mut [f64],
    pub observed: &'a mut [f64],
}

/// Conditional distribution of the response given the linear predictor.
#[derive(Clone, Copy)]
pub struct Family {
    entry: &'static Entry,
    /// θ of the negative binomial (V = μ + μ²/θ), φ of nb1 (V = μ(1 + φ)) and of beta
    /// (V = μ(1 − μ)/(1 + φ)); NaN otherwise, and until it is known.
    pub dispersion: f64,
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({}", self.name(), self.link())?;
        if self.dispersion.is_finite() {
            write!(f, ", {}", self.dispersion)?;
        }
        f.write_str(")")
    }
}

/// Equal names and dispersions; one that is not known equals itself.
impl PartialEq for Family {
    fn eq(&self, other: &Family) -> bool {
        (self.name(), self.link(), self.dispersion.to_bits())
            == (other.name(), other.link(), other.dispersion.to_bits())
    }
}

impl Family {
    /// The family and link of these names.
    pub fn named(family: &str, link: &str) -> Result<Family> {
        let links = || TABLE.iter().filter(|entry| entry.family == family);
        if let Some(entry) = links().find(|entry| entry.link == link) {
            return Ok(Family {
                entry,
                dispersion: f64::NAN,
            });
        }
        let quoted = |names: Vec<&str>| format!("'{}'", names.join("', '"));
        Err(Error::Data(if links().next().is_none() {
            let mut names: Vec<&str> = TABLE.iter().map(|entry| entry.family).collect();
            names.dedup();
            format!(
                "there is no family '{family}'; choose from {}",
                quoted(names)
            )
        } else {
            let names = links().map(|entry| entry.link).collect();
            format!(
                "the family '{family}' does not take the link '{link}'; choose from {}",
                quoted(names)
            )
        }))
    }

    pub fn with_dispersion(self, dispersion: f64) -> Family {
        Family { dispersion, ..self }
    }

    pub fn name(&self) -> &'static str {
        self.entry.family
    }

    pub fn link(&self) -> &'static str {
        self.entry.link
    }

    /// negative_binomial, nb1, beta: the dispersion is a parameter beside β and θ.
    pub fn has_dispersion_parameter(&self) -> bool {
        self.entry.model.shaped()
    }

    /// gamma, inverse_gaussian, gaussian: σ is profiled out, as lme4 does.
    pub fn profiles_dispersion(&self) -> bool {
        self.entry.model.profiled()
    }

    /// Observed and Fisher weights are the same numbers.
    pub fn is_canonical(&self) -> bool {
        self.entry.canonical
    }

    /// Sum of the rows' losses; per row score and Fisher weight. A loss is −2 log f without the terms in y
    /// alone (`constant` has them); for families that profile the dispersion it is the unscaled deviance.
    /// Some η outside of the domain makes the sum +∞ (and scores and weights void).
    pub fn working(
        &self,
        rows: Response<'_>,
        eta: &[f64],
        score: &mut [f64],
        weight: &mut [f64],
    ) -> f64 {
        let Entry { model, hot, .. } = self.entry;
        let loss = match hot {
            Some(working) => working(rows, eta, score, weight),
            None => model.working(self.dispersion, rows, eta, score, weight),
        };
        if loss.is_nan() {
            f64::INFINITY
        } else {
            loss
        }
    }

    /// Scores and weights with their derivatives by η, at an η where the loss is finite.
    pub fn curvature(&self, rows: Response<'_>, eta: &[f64], out: Curvature<'_>) {
        self.entry.model.curvature(self.dispersion, rows, eta, out);
    }

    /// Derivatives by the log of the dispersion parameter, for families that have one.
    pub fn dispersion_slopes(&self, rows: Response<'_>, eta: &[f64], out: DispersionSlopes<'_>) {
        let model = self.entry.model;
        model.dispersion_slopes(self.dispersion, rows, eta, out);
    }

    /// Terms of −2 log f that do not depend on η; 0 for families that profile the dispersion.
    pub fn constant(&self, rows: Response<'_>) -> f64 {
        self.entry.model.constant(self.dispersion, rows)
    }

    /// Sums over the rows that `first_term` needs; they add.
    pub fn summary(&self, rows: Response<'_>) -> Summary {
        self.entry.model.summary(rows)
    }

    /// The criterion's first term and its slope in the total loss: loss + constant, or for families that
    /// profile the dispersion R's `aic` at φ = deviance/Σ weight (its "+ 2" included).
    pub fn first_term(&self, loss: f64, constant: f64, about: &Summary) -> (f64, f64) {
        self.entry.model.first_term(loss, constant, about)
    }

    /// Linear predictor of R's `mustart`.
    pub fn start(&self, rows: Response<'_>, eta: &mut [f64]) {
        self.entry.model.start(rows, eta);
    }

    /// μ
    pub fn mean(&self, eta: f64) -> f64 {
        self.entry.model.mean(eta)
    }

    /// dμ/dη
    pub fn mean_slope(&self, eta: f64) -> f64 {
        self.entry.model.mean_slope(eta)
    }

    /// The linear predictor that has this mean.
    pub fn link_of(&self, mean: f64) -> f64 {
        self.entry.model.link_of(mean)
    }

    /// V(μ) at unit weight and size.
    pub fn variance(&self, mean: f64) -> f64 {
        self.entry.model.variance(self.dispersion, mean)
    }

    /// A row's part of R's deviance: twice the gap to the highest log-density over all means. For nb1 it is
    /// that of the negative binomial with the same mean and variance.
    pub fn deviance(&self, y: f64, size: f64, weight: f64, eta: f64) -> f64 {
        let half = self.entry.model.half_deviance(self.dispersion, y, eta);
        2.0 * weight * size * half
    }

    /// log f with all constants; `sigma` = √φ counts where the dispersion is profiled. Prior weights multiply
    /// it, as R's `aic` has it (for the Gaussian they divide the variance).
    pub fn log_density(&self, y: f64, size: f64, weight: f64, eta: f64, sigma: f64) -> f64 {
        let model = self.entry.model;
        model.log_density(self.dispersion, [y, size, weight], eta, sigma)
    }

    /// A response drawn at random: of a binomial the proportion of `size` trials, of a profiled family one of
    /// dispersion σ²/weight. `uniforms` gives numbers in (0, 1).
    pub fn draw(
        &self,
        eta: f64,
        size: f64,
        weight: f64,
        sigma: f64,
        uniforms: &mut impl FnMut() -> f64,
    ) -> f64 {
        let dispersion = sigma * sigma / weight;
        let model = self.entry.model;
        model.draw(self.dispersion, eta, size, dispersion, uniforms)
    }
}
