//! Links whose mean is a number: η ↦ μ and log μ, with derivatives.
//!
//! A new link is a type here (or in `unit_link`, if its means are proportions) and lines in the table of
//! `models`. Outside of a link's domain log μ is NaN.

use super::jet::Jet;

/// What every link can do.
pub trait Link: Copy + Sync {
    /// log μ by η; NaN where η gives no positive mean.
    fn log_mean(self, eta: f64) -> Jet;
    /// μ
    fn mean(self, eta: f64) -> f64;
    /// dμ/dη
    fn mean_slope(self, eta: f64) -> f64;
    /// The linear predictor that has this mean.
    fn link_of(self, mean: f64) -> f64;
}

/// A link that gives means which are no proportions.
pub trait RealLink: Link {
    /// μ by η.
    fn mean_jet(self, eta: f64) -> Jet;
}

#[derive(Clone, Copy)]
pub struct Log;
#[derive(Clone, Copy)]
pub struct Identity;
#[derive(Clone, Copy)]
pub struct Sqrt;
#[derive(Clone, Copy)]
pub struct Inverse;
#[derive(Clone, Copy)]
pub struct InverseSquare;

/// c log η: log μ where μ = η^c.
#[inline(always)]
fn log_of_power(c: f64, eta: f64) -> Jet {
    let r = 1.0 / eta;
    [c * eta.ln(), c * r, -c * r * r, 2.0 * c * r * r * r]
}

impl Link for Log {
    #[inline(always)]
    fn log_mean(self, eta: f64) -> Jet {
        [eta, 1.0, 0.0, 0.0]
    }
    #[inline(always)]
    fn mean(self, eta: f64) -> f64 {
        eta.exp()
    }
    fn mean_slope(self, eta: f64) -> f64 {
        eta.exp()
    }
    fn link_of(self, mean: f64) -> f64 {
        mean.ln()
    }
}

impl RealLink for Log {
    #[inline(always)]
    fn mean_jet(self, eta: f64) -> Jet {
        [eta.exp(); 4]
    }
}

impl Link for Identity {
    #[inline(always)]
    fn log_mean(self, eta: f64) -> Jet {
        log_of_power(1.0, eta)
    }
    #[inline(always)]
    fn mean(self, eta: f64) -> f64 {
        eta
    }
    fn mean_slope(self, _: f64) -> f64 {
        1.0
    }
    fn link_of(self, mean: f64) -> f64 {
        mean
    }
}

impl RealLink for Identity {
    #[inline(always)]
    fn mean_jet(self, eta: f64) -> Jet {
        [eta, 1.0, 0.0, 0.0]
    }
}

impl Link for Sqrt {
    #[inline(always)]
    fn log_mean(self, eta: f64) -> Jet {
        log_of_power(2.0, eta)
    }
    #[inline(always)]
    fn mean(self, eta: f64) -> f64 {
        eta * eta
    }
    fn mean_slope(self, eta: f64) -> f64 {
        2.0 * eta
    }
    fn link_of(self, mean: f64) -> f64 {
        mean.sqrt()
    }
}

impl Link for Inverse {
    #[inline(always)]
    fn log_mean(self, eta: f64) -> Jet {
        log_of_power(-1.0, eta)
    }
    #[inline(always)]
    fn mean(self, eta: f64) -> f64 {
        1.0 / eta
    }
    fn mean_slope(self, eta: f64) -> f64 {
        -1.0 / (eta * eta)
    }
    fn link_of(self, mean: f64) -> f64 {
        1.0 / mean
    }
}

impl RealLink for Inverse {
    #[inline(always)]
    fn mean_jet(self, eta: f64) -> Jet {
        let r = 1.0 / eta;
        [r, -r * r, 2.0 * r * r * r, -6.0 * r * r * r * r]
    }
}

impl Link for InverseSquare {
    #[inline(always)]
    fn log_mean(self, eta: f64) -> Jet {
        log_of_power(-0.5, eta)
    }
    #[inline(always)]
    fn mean(self, eta: f64) -> f64 {
        1.0 / eta.sqrt()
    }
    fn mean_slope(self, eta: f64) -> f64 {
        -0.5 / (eta * eta.sqrt())
    }
    fn link_of(self, mean: f64) -> f64 {
        1.0 / (mean * mean)
    }
}
