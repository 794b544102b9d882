//! The numeric core of `mixedmodels`: knows matrices and θ, neither formulas nor Python.
//!
//! ```text
//!  Design: columns by reference, recipes of X and Z, grouping codes              columns
//!     │  shifts and scales of [X y]; terms of one factor amalgamated     fixed_matrix · pilot · random_matrix · lambda
//!     ▼
//!  CrossProducts: one pass over the rows, parts that add                 cross_products
//!     │  Rⱼ | Pⱼ of the leading levels by rotations                         level_sums
//!     │  co-occurring levels of two groups                                  pairs
//!     │  a part in another part's coordinates                               reparametrise
//!     ▼
//!  System: the penalised system apart from θ, rank of X                  system · residual · rank
//!     │  order, fronts, elements; memory needed                             symbolic · ordering · elements · memory
//!     ▼
//!  Problem: the criterion as a function of θ  ◀──────────────┐           problem
//!     │  factor: leading levels, fronts, dense kernels       │              factor · leading · assemble · dense · products
//!     │  criterion, β and σ profiled out                     │              objective
//!     │  gradient and average information                    │              derivatives · complement · information
//!     ▼                                                      │
//!  moments ──▶ trust-region Newton ──────────────────────────┘           start · optimize · outcome · quadratic · secant · derivative_free
//!     │  zeros of θ and their multipliers                                   multipliers
//!     ▼
//!  Fit: β, σ, θ, conditional modes, verdict                              lmm · estimates · modes
//!     │  criterion at any θ, linear predictor, picture                      evaluate · predictor · describe
//!     │  joint covariance of (β̂, b̂ − b), leverages (both kinds of fit)     joint
//!     │  directions D, c'Z̃'V⁻¹Z̃c', traces over components of levels          direction · inner · traces · component · square
//!     │  exact Hessian, what degrees of freedom are made of                 variance
//!     │  profiles: a curve's inner problems, the walk along it              restricted · held · curve · profile
//!     │  other responses on the same analysis, new ones, fewer rows
//!     ▼
//!  Estimates of many fits                                                refit · responses · simulate · philox · jackknife
//! ```
//!
//! A generalised model shares groups, Λ, the order of elimination, fronts and optimiser; what depends on the
//! working weights is its own:
//!
//! ```text
//!  Design ──▶ System (order, fronts, rank)
//!     │  rows sorted by leading level, column by column                     observations · lanes
//!     ▼
//!  Pirls: conditional modes û at given Λ, β, dispersion  ◀───┐           pirls · pirls_solve
//!     │  losses, scores, weights of the family               │              family
//!     │  Zb, Z'v; Z'WZ in its places                         │              effects · working
//!     │  factor of M = Λ'Z'WZΛ + I                           │              penalised
//!     ▼                                                      │
//!  Laplace: −2 log-likelihood and its exact gradient  ───────┤           laplace · laplace_gradient · laplace_curvature
//!     │  leverages, Z'V⁻¹Z                                   │              leverages
//!     │  adaptive quadrature in its place                    │              quadrature
//!     ▼                                                      │
//!  moments ──▶ trust-region Newton over (θ, β, dispersion) ──┘           moments · (optimize)
//!     │
//!     ▼
//!  GeneralizedFit: estimates, modes, verdict                             glmm
//!     │  criterion, gradient, Hessian in the user's parameters              evaluate_laplace
//!     │  profiles on the linear model's walk                                curve_laplace
//!     │  other responses, new ones                                          refit_laplace · (simulate)
//! ```
//!
//! Beside the path: `parallel` (threads of one fit, stop flag), `aligned` (buffers), `error`, and
//! `python` (the only code that names PyO3).

pub mod aligned;
pub mod assemble;
pub mod columns;
pub mod complement;
pub mod component;
pub mod cross_products;
pub mod curve;
pub mod curve_laplace;
pub mod dense;
pub mod derivative_free;
pub mod derivatives;
pub mod describe;
pub mod direction;
pub mod effects;
pub mod elements;
pub mod error;
pub mod estimates;
pub mod evaluate;
pub mod evaluate_laplace;
pub mod factor;
pub mod family;
pub mod fixed_matrix;
pub mod fronts;
pub mod glmm;
pub mod gram;
pub mod held;
pub mod information;
pub mod inner;
pub mod jackknife;
pub mod joint;
pub mod lambda;
pub mod lanes;
pub mod laplace;
pub mod laplace_curvature;
pub mod laplace_gradient;
pub mod leading;
pub mod level_sums;
pub mod leverages;
pub mod lmm;
pub mod memory;
pub mod modes;
pub mod moments;
pub mod multipliers;
pub mod objective;
pub mod observations;
pub mod optimize;
pub mod ordering;
pub mod outcome;
pub mod pairs;
pub mod parallel;
pub mod penalised;
pub mod philox;
pub mod pilot;
pub mod pirls;
pub mod pirls_solve;
pub mod predictor;
pub mod problem;
pub mod products;
pub mod profile;
pub mod quadratic;
pub mod quadrature;
pub mod random_matrix;
pub mod rank;
pub mod refit;
pub mod refit_laplace;
pub mod reparametrise;
pub mod residual;
pub mod responses;
pub mod restricted;
pub mod secant;
pub mod simulate;
pub mod square;
pub mod start;
pub mod symbolic;
pub mod system;
pub mod traces;
pub mod variance;
pub mod working;

#[cfg(feature = "python")]
mod python;
