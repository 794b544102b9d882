//! The table of families and links. A new one is a line here beside its own file.

use super::beta::Beta;
use super::binomial::Binomial;
use super::conditional::{OnLog, OnLogs, OnMean};
use super::gamma::Gamma;
use super::gaussian::Gaussian;
use super::hot::{self, Working};
use super::inverse_gaussian::InverseGaussian;
use super::link::{Identity, Inverse, InverseSquare, Log, Sqrt};
use super::model::Model;
use super::nb1::Nb1;
use super::negative_binomial::NegativeBinomial;
use super::poisson::Poisson;
use super::unit_link::{Cauchit, Cloglog, Logit, Probit};

/// A family with a link, by their names; the canonical link is marked.
pub struct Entry {
    pub family: &'static str,
    pub link: &'static str,
    pub canonical: bool,
    pub model: &'static dyn Model,
    /// A loop of its own for `Model::working`.
    pub hot: Option<Working>,
}

macro_rules! table {
    ($($family:literal { $($link:literal $($mark:ident)? => $model:expr $(; $hot:expr)?),* $(,)? })*) => {
        pub static TABLE: &[Entry] = &[$($(Entry {
            family: $family,
            link: $link,
            canonical: table!(@mark $($mark)?),
            model: &$model,
            hot: table!(@hot $($hot)?),
        }),*),*];
    };
    (@mark canonical) => { true };
    (@mark) => { false };
    (@hot $hot:expr) => { Some($hot) };
    (@hot) => { None };
}

table! {
    "binomial" {
        "logit" canonical => OnLogs(Binomial, Logit); hot::binomial_logit,
        "probit" => OnLogs(Binomial, Probit); hot::binomial_probit,
        "cloglog" => OnLogs(Binomial, Cloglog),
        "cauchit" => OnLogs(Binomial, Cauchit),
        "log" => OnLogs(Binomial, Log),
        "identity" => OnLogs(Binomial, Identity),
    }
    "poisson" {
        "log" canonical => OnLog(Poisson, Log); hot::poisson_log,
        "sqrt" => OnLog(Poisson, Sqrt),
        "identity" => OnLog(Poisson, Identity),
    }
    "gamma" {
        "inverse" canonical => OnLog(Gamma, Inverse),
        "log" => OnLog(Gamma, Log),
        "identity" => OnLog(Gamma, Identity),
    }
    "inverse_gaussian" {
        "1/mu^2" canonical => OnLog(InverseGaussian, InverseSquare),
        "inverse" => OnLog(InverseGaussian, Inverse),
        "log" => OnLog(InverseGaussian, Log),
        "identity" => OnLog(InverseGaussian, Identity),
    }
    "gaussian" {
        "identity" canonical => OnMean(Gaussian, Identity),
        "log" => OnMean(Gaussian, Log),
        "inverse" => OnMean(Gaussian, Inverse),
    }
    "negative_binomial" {
        "log" => OnLog(NegativeBinomial, Log),
        "sqrt" => OnLog(NegativeBinomial, Sqrt),
        "identity" => OnLog(NegativeBinomial, Identity),
    }
    "nb1" {
        "log" => OnLog(Nb1, Log),
        "sqrt" => OnLog(Nb1, Sqrt),
        "identity" => OnLog(Nb1, Identity),
    }
    "beta" {
        "logit" => OnLogs(Beta, Logit),
        "probit" => OnLogs(Beta, Probit),
        "cloglog" => OnLogs(Beta, Cloglog),
        "cauchit" => OnLogs(Beta, Cauchit),
        "log" => OnLogs(Beta, Log),
    }
}
