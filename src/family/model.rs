//! What a `Family` asks of its family and link, one call for a block of rows.

use super::conditional::Conditional;
use super::density::{Density, Summary};
use super::link::Link;
use super::{Curvature, DispersionSlopes, Response};

/// A family with its link, behind one pointer: the loops over rows are compiled for each of them.
pub trait Model: Sync {
    fn shaped(&self) -> bool;
    fn profiled(&self) -> bool;
    fn working(
        &self,
        shape: f64,
        rows: Response<'_>,
        eta: &[f64],
        score: &mut [f64],
        weight: &mut [f64],
    ) -> f64;
    fn curvature(&self, shape: f64, rows: Response<'_>, eta: &[f64], out: Curvature<'_>);
    fn dispersion_slopes(
        &self,
        shape: f64,
        rows: Response<'_>,
        eta: &[f64],
        out: DispersionSlopes<'_>,
    );
    fn constant(&self, shape: f64, rows: Response<'_>) -> f64;
    fn summary(&self, rows: Response<'_>) -> Summary;
    fn first_term(&self, loss: f64, constant: f64, about: &Summary) -> (f64, f64);
    fn start(&self, rows: Response<'_>, eta: &mut [f64]);
    fn mean(&self, eta: f64) -> f64;
    fn mean_slope(&self, eta: f64) -> f64;
    fn link_of(&self, mean: f64) -> f64;
    fn variance(&self, shape: f64, mean: f64) -> f64;
    fn half_deviance(&self, shape: f64, y: f64, eta: f64) -> f64;
    fn log_density(&self, shape: f64, row: [f64; 3], eta: f64, sigma: f64) -> f64;
    fn draw(
        &self,
        shape: f64,
        eta: f64,
        size: f64,
        dispersion: f64,
        uniforms: &mut dyn FnMut() -> f64,
    ) -> f64;
}

/// What multiplies a row's pieces: sizes are 1 except for the binomial.
#[inline(always)]
fn factors<'a>(rows: &Response<'a>) -> impl Iterator<Item = f64> + 'a {
    let pairs = rows.weight.iter().zip(rows.size);
    pairs.map(|(weight, size)| weight * size)
}

impl<C: Conditional> Model for C {
    fn shaped(&self) -> bool {
        C::Density::SHAPED
    }

    fn profiled(&self) -> bool {
        C::Density::PROFILED
    }

    fn working(
        &self,
        shape: f64,
        rows: Response<'_>,
        eta: &[f64],
        score: &mut [f64],
        weight: &mut [f64],
    ) -> f64 {
        let mut total = 0.0;
        let outputs = score.iter_mut().zip(weight);
        let inputs = rows.y.iter().zip(eta).zip(factors(&rows));
        for (((&y, &eta), factor), (score, weight)) in inputs.zip(outputs) {
            let row = self.row(shape, y, eta);
            total += factor * row.terms[0];
            *score = factor * row.terms[1];
            *weight = factor * row.weight[0];
        }
        -2.0 * total
    }

    fn curvature(&self, shape: f64, rows: Response<'_>, eta: &[f64], out: Curvature<'_>) {
        let inputs = rows.y.iter().zip(eta).zip(factors(&rows));
        for (i, ((&y, &eta), factor)) in inputs.enumerate() {
            let row = self.row(shape, y, eta);
            out.score[i] = factor * row.terms[1];
            out.observed[i] = -factor * row.terms[2];
            out.observed_slope[i] = -factor * row.terms[3];
            out.weight[i] = factor * row.weight[0];
            out.weight_slope[i] = factor * row.weight[1];
        }
    }

    fn dispersion_slopes(
        &self,
        shape: f64,
        rows: Response<'_>,
        eta: &[f64],
        out: DispersionSlopes<'_>,
    ) {
        let inputs = rows.y.iter().zip(eta).zip(factors(&rows));
        for (i, ((&y, &eta), factor)) in inputs.enumerate() {
            let row = self.row_by_shape(shape, y, eta);
            out.loss[i] = -2.0 * factor * (row.value + self.density().constant_by_shape(shape, y));
            out.score[i] = factor * row.score;
            out.weight[i] = factor * row.weight;
            out.observed[i] = factor * row.observed;
        }
    }

    fn constant(&self, shape: f64, rows: Response<'_>) -> f64 {
        let inputs = rows.y.iter().zip(rows.size).zip(rows.weight);
        let term = |((&y, &size), weight)| weight * self.density().constant(shape, y, size);
        if C::Density::PROFILED {
            0.0
        } else {
            -2.0 * inputs.map(term).sum::<f64>()
        }
    }

    fn summary(&self, rows: Response<'_>) -> Summary {
        let mut about = Summary::default();
        for (&y, &weight) in rows.y.iter().zip(rows.weight) {
            about.add(&Summary {
                rows: 1.0,
                weight,
                log_weight: weight.ln(),
                constant: weight * self.density().constant(f64::NAN, y, 1.0),
            });
        }
        about
    }

    fn first_term(&self, loss: f64, constant: f64, about: &Summary) -> (f64, f64) {
        if C::Density::PROFILED {
            self.density().profiled(loss, about)
        } else {
            (loss + constant, 1.0)
        }
    }

    fn start(&self, rows: Response<'_>, eta: &mut [f64]) {
        for ((eta, &y), &size) in eta.iter_mut().zip(rows.y).zip(rows.size) {
            let predictor = self.link().link_of(self.density().start(y, size));
            // A Gaussian response below 0 has no logarithm and R no start; a mean of 1 is one.
            *eta = if predictor.is_finite() {
                predictor
            } else {
                self.link().link_of(1.0)
            };
        }
    }

    fn mean(&self, eta: f64) -> f64 {
        self.link().mean(eta)
    }

    fn mean_slope(&self, eta: f64) -> f64 {
        self.link().mean_slope(eta)
    }

    fn link_of(&self, mean: f64) -> f64 {
        self.link().link_of(mean)
    }

    fn variance(&self, shape: f64, mean: f64) -> f64 {
        self.density().variance(shape, mean)
    }

    fn half_deviance(&self, shape: f64, y: f64, eta: f64) -> f64 {
        Conditional::half_deviance(*self, shape, y, eta)
    }

    fn log_density(&self, shape: f64, [y, size, weight]: [f64; 3], eta: f64, sigma: f64) -> f64 {
        let density = self.density();
        let dispersion = if C::Density::PROFILED {
            sigma * sigma
        } else {
            1.0
        };
        weight * density.constant(shape, y, size)
            + density.normaliser(weight, dispersion)
            + weight * size / dispersion * self.row(shape, y, eta).terms[0]
    }

    fn draw(
        &self,
        shape: f64,
        eta: f64,
        size: f64,
        dispersion: f64,
        mut uniforms: &mut dyn FnMut() -> f64,
    ) -> f64 {
        let mean = self.link().mean(eta);
        self.density()
            .draw(shape, mean, size, dispersion, &mut uniforms)
    }
}
