//! Links whose mean is a proportion: log μ and log(1 − μ), each exact where the other vanishes.

use super::jet::{log_of, mirrored, Jet};
use super::link::{Identity, Link, Log};
use super::normal;
use std::f64::consts::PI;

/// μ and 1 − μ by η.
pub struct Proportions {
    pub mean: f64,
    pub complement: f64,
    pub log_mean: Jet,
    /// log(1 − μ); NaN where μ > 1.
    pub log_complement: Jet,
}

/// A link into (0, 1).
pub trait UnitLink: Link {
    /// Both proportions.
    fn proportions(self, eta: f64) -> Proportions;
}

/// `Link::mean_slope` from the log scale, where it does not cancel.
macro_rules! slope_of_log {
    () => {
        fn mean_slope(self, eta: f64) -> f64 {
            self.mean(eta) * self.log_mean(eta)[1]
        }
    };
}

#[derive(Clone, Copy)]
pub struct Logit;
#[derive(Clone, Copy)]
pub struct Probit;
#[derive(Clone, Copy)]
pub struct Cauchit;
#[derive(Clone, Copy)]
pub struct Cloglog;

impl Link for Logit {
    #[inline(always)]
    fn log_mean(self, eta: f64) -> Jet {
        self.proportions(eta).log_mean
    }
    #[inline(always)]
    fn mean(self, eta: f64) -> f64 {
        let small = (-eta.abs()).exp();
        (if eta < 0.0 { small } else { 1.0 }) / (1.0 + small)
    }
    slope_of_log!();
    fn link_of(self, mean: f64) -> f64 {
        mean.ln() - (-mean).ln_1p()
    }
}

impl UnitLink for Logit {
    #[inline(always)]
    fn proportions(self, eta: f64) -> Proportions {
        let small = (-eta.abs()).exp();
        let (larger, smaller) = (1.0 / (1.0 + small), small / (1.0 + small));
        let (mu, nu) = if eta < 0.0 {
            (smaller, larger)
        } else {
            (larger, smaller)
        };
        let (log, bend) = (small.ln_1p(), mu * nu);
        let twist = bend * (mu - nu);
        Proportions {
            mean: mu,
            complement: nu,
            log_mean: [eta.min(0.0) - log, nu, -bend, twist],
            log_complement: [-eta.max(0.0) - log, -mu, -bend, twist],
        }
    }
}

impl Link for Probit {
    fn log_mean(self, eta: f64) -> Jet {
        self.proportions(eta).log_mean
    }
    fn mean(self, eta: f64) -> f64 {
        normal::cdf(eta)
    }
    fn mean_slope(self, eta: f64) -> f64 {
        normal::density(eta)
    }
    fn link_of(self, mean: f64) -> f64 {
        normal::quantile(mean)
    }
}

impl UnitLink for Probit {
    fn proportions(self, eta: f64) -> Proportions {
        let [log_mean, log_complement] = normal::log_cdfs(eta);
        Proportions {
            mean: log_mean[0].exp(),
            complement: log_complement[0].exp(),
            log_mean,
            log_complement,
        }
    }
}

impl Link for Cauchit {
    fn log_mean(self, eta: f64) -> Jet {
        let mu = self.mean(eta);
        // 1/(1 + η²), which must not overflow before it vanishes.
        let r = 1.0 / (1.0 + eta * eta);
        let slope = r / PI;
        let (bend, twist) = (-2.0 * eta * r, (6.0 * eta * eta - 2.0) * r * r);
        let log = if eta > 0.0 {
            (-self.mean(-eta)).ln_1p()
        } else {
            mu.ln()
        };
        log_of(log, [mu, slope, slope * bend, slope * twist])
    }
    fn mean(self, eta: f64) -> f64 {
        if eta < 0.0 {
            (-1.0 / eta).atan() / PI
        } else {
            0.5 + eta.atan() / PI
        }
    }
    fn mean_slope(self, eta: f64) -> f64 {
        1.0 / (PI * (1.0 + eta * eta))
    }
    fn link_of(self, mean: f64) -> f64 {
        // tan(π(μ − ½)) = −cot(πμ), from the nearer end.
        if mean < 0.5 {
            -1.0 / (PI * mean).tan()
        } else {
            1.0 / (PI * (1.0 - mean)).tan()
        }
    }
}

impl UnitLink for Cauchit {
    fn proportions(self, eta: f64) -> Proportions {
        Proportions {
            mean: self.mean(eta),
            complement: self.mean(-eta),
            log_mean: self.log_mean(eta),
            log_complement: mirrored(self.log_mean(-eta)),
        }
    }
}

/// 1 − t − t/(eᵗ − 1), a difference of near equals for small t: its series in Bernoulli numbers.
fn cloglog_bend(t: f64, h: f64) -> f64 {
    if t > 0.5 {
        return 1.0 - t - h;
    }
    const SERIES: [f64; 6] = [
        -1.0 / 12.0,
        1.0 / 720.0,
        -1.0 / 30_240.0,
        1.0 / 1_209_600.0,
        -1.0 / 47_900_160.0,
        691.0 / 1_307_674_368_000.0,
    ];
    let square = t * t;
    let series = SERIES.iter().rev().fold(0.0, |sum, c| sum * square + c);
    t * (t * series - 0.5)
}

impl Cloglog {
    /// e^η = −log(1 − μ), the largest number where it would overflow: 0 · t must be 0.
    fn hazard(self, eta: f64) -> f64 {
        eta.exp().min(f64::MAX)
    }
}

impl Link for Cloglog {
    fn log_mean(self, eta: f64) -> Jet {
        let t = self.hazard(eta);
        // Where e^−t vanishes, log μ does too, with all its derivatives.
        if t > 750.0 {
            return [0.0; 4];
        }
        let mu = -(-t).exp_m1();
        let h = if t == 0.0 { 1.0 } else { t * (-t).exp() / mu };
        let bend = cloglog_bend(t, h);
        let log = if t > 0.5 {
            (-(-t).exp()).ln_1p()
        } else if t == 0.0 {
            eta
        } else {
            mu.ln()
        };
        [log, h, h * bend, h * (bend * bend - t - h * bend)]
    }
    fn mean(self, eta: f64) -> f64 {
        -(-self.hazard(eta)).exp_m1()
    }
    fn mean_slope(self, eta: f64) -> f64 {
        (eta - self.hazard(eta)).exp()
    }
    fn link_of(self, mean: f64) -> f64 {
        (-(-mean).ln_1p()).ln()
    }
}

impl UnitLink for Cloglog {
    fn proportions(self, eta: f64) -> Proportions {
        Proportions {
            mean: self.mean(eta),
            complement: (-self.hazard(eta)).exp(),
            log_mean: self.log_mean(eta),
            log_complement: [-self.hazard(eta); 4],
        }
    }
}

impl UnitLink for Log {
    fn proportions(self, eta: f64) -> Proportions {
        let (mean, complement) = (eta.exp(), -eta.exp_m1());
        let odds = 1.0 / (-eta).exp_m1();
        let log = if eta < -0.5 {
            (-mean).ln_1p()
        } else {
            complement.ln()
        };
        let bend = -odds * (1.0 + odds);
        Proportions {
            mean,
            complement,
            log_mean: self.log_mean(eta),
            log_complement: [log, -odds, bend, bend * (1.0 + 2.0 * odds)],
        }
    }
}

impl UnitLink for Identity {
    fn proportions(self, eta: f64) -> Proportions {
        Proportions {
            mean: eta,
            complement: 1.0 - eta,
            log_mean: self.log_mean(eta),
            log_complement: mirrored(self.log_mean(1.0 - eta)),
        }
    }
}
