//! Links whose mean is a proportion: log μ and log(1 − μ), each exact where the other vanishes.

use super::jet::{log_of, mirrored, Jet};
use super::link::{Identity, Link, Log};
use super::normal;
use std::f64::consts::PI;

/// A link into (0, 1).
pub trait UnitLink: Link {
    /// log(1 − μ) by η; NaN where μ > 1.
    fn log_complement(self, eta: f64) -> Jet;
    /// 1 − μ
    fn complement(self, eta: f64) -> f64;
}

/// `Link::mean_slope` from the log scale, where it does not cancel.
macro_rules! slope_of_log {
    () => {
        fn mean_slope(self, eta: f64) -> f64 {
            self.mean(eta) * self.log_mean(eta)[1]
        }
    };
}

/// 1 − μ(η) = μ(−η).
macro_rules! symmetric {
    ($link:ty) => {
        impl UnitLink for $link {
            #[inline(always)]
            fn log_complement(self, eta: f64) -> Jet {
                mirrored(self.log_mean(-eta))
            }
            #[inline(always)]
            fn complement(self, eta: f64) -> f64 {
                self.mean(-eta)
            }
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
        let small = (-eta.abs()).exp();
        let (larger, smaller) = (1.0 / (1.0 + small), small / (1.0 + small));
        let (mu, nu) = if eta < 0.0 {
            (smaller, larger)
        } else {
            (larger, smaller)
        };
        let log = eta.min(0.0) - small.ln_1p();
        [log, nu, -mu * nu, mu * nu * (mu - nu)]
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
symmetric!(Logit);

impl Link for Probit {
    fn log_mean(self, eta: f64) -> Jet {
        normal::log_cdf(eta)
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
symmetric!(Probit);

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
symmetric!(Cauchit);

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
    fn log_complement(self, eta: f64) -> Jet {
        [-self.hazard(eta); 4]
    }
    fn complement(self, eta: f64) -> f64 {
        (-self.hazard(eta)).exp()
    }
}

impl UnitLink for Log {
    fn log_complement(self, eta: f64) -> Jet {
        let nu = -eta.exp_m1();
        let odds = 1.0 / (-eta).exp_m1();
        let log = if eta < -0.5 {
            (-eta.exp()).ln_1p()
        } else {
            nu.ln()
        };
        [
            log,
            -odds,
            -odds * (1.0 + odds),
            -odds * (1.0 + odds) * (1.0 + 2.0 * odds),
        ]
    }
    fn complement(self, eta: f64) -> f64 {
        -eta.exp_m1()
    }
}

impl UnitLink for Identity {
    fn log_complement(self, eta: f64) -> Jet {
        mirrored(Identity.log_mean(1.0 - eta))
    }
    fn complement(self, eta: f64) -> f64 {
        1.0 - eta
    }
}
