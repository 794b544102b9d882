//! The generalised core without Python: the same bits for any team, units of the response, interrupts.

use mixedmodels::columns::{Column, Design};
use mixedmodels::error::Error;
use mixedmodels::evaluate_laplace::hessian;
use mixedmodels::family::Family;
use mixedmodels::glmm::{self, GeneralizedFit};
use mixedmodels::laplace::{Model, Weights};
use mixedmodels::modes;
use mixedmodels::outcome::Settings;
use mixedmodels::parallel::Team;
use mixedmodels::refit_laplace::refit_many;
use mixedmodels::simulate::Simulation;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

mod models;
use models::{generalised, team, Factor, MODELS};

/// Family, link, nodes of the quadrature.
const FAMILIES: &[(&str, &str, usize)] = &[
    ("binomial", "logit", 1),
    ("binomial", "probit", 1),
    ("poisson", "log", 1),
    ("gamma", "log", 1),
    ("negative_binomial", "log", 1),
];
const ONE: &[Factor] = &[(40, false)];

fn model(family: &str, link: &str, nodes: usize) -> Model {
    Model {
        family: Family::named(family, link).expect("in the table"),
        weights: Weights::Fisher,
        nodes,
    }
}

fn fit(design: &Design, model: Model, team: &Team) -> GeneralizedFit {
    team.run(|| glmm::fit(design, model, &Settings::default(), &|_, _, _| {}, team))
        .expect("the model can be fitted")
}

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Everything that a fit and its refits say.
fn everything(design: &Design, model: Model, team: &Team) -> Vec<u64> {
    let fit = fit(design, model, team);
    let mut numbers = vec![fit.criterion, fit.sigma, fit.family.dispersion];
    numbers.extend(fit.theta.iter().chain(&fit.beta));
    numbers.extend(fit.conditional_vcov.iter());
    numbers.extend(fit.modes.iter().flatten());
    let covariances = modes::generalized_covariances(&fit, team).expect("at the optimum");
    numbers.extend(covariances.iter().flatten());
    numbers.extend(hessian(&fit, team).expect("at the optimum"));
    let simulation = Simulation::generalized(design, &fit, 3, false, team);
    let fill = |which: Range<usize>, out: &mut [f64]| {
        simulation.fill(which.start as u32..which.end as u32, out);
    };
    for refit in refit_many(design, &fit, 3, fill, team).expect("nobody interrupts") {
        let refit = refit.expect("a simulated response can be fitted");
        numbers.push(refit.criterion);
        numbers.extend(refit.theta.iter().chain(&refit.beta));
    }
    bits(&numbers)
}

fn assert_same_bits(name: &str, design: &Design, model: Model) {
    let alone = everything(design, model, &team(1));
    for threads in [2, 3, 5] {
        assert!(
            everything(design, model, &team(threads)) == alone,
            "{name} with {threads} threads"
        );
    }
}

#[test]
fn bits_do_not_depend_on_the_team() {
    for (k, &(name, n, factors, nested)) in MODELS.iter().enumerate() {
        let (family, link, nodes) = FAMILIES[k % FAMILIES.len()];
        let design = generalised(family, n, factors, nested, 5);
        assert_same_bits(name, &design, model(family, link, nodes));
    }
}

/// Rows are worked on in tasks of 2048; levels straddle them.
#[test]
fn bits_do_not_depend_on_the_team_around_the_size_of_a_task() {
    for n in [60, 2047, 2048, 2049, 4097, 20_000] {
        let design = generalised("binomial", n, ONE, false, 5);
        for nodes in [1, 9] {
            let name = format!("{n} rows, {nodes} nodes");
            assert_same_bits(&name, &design, model("binomial", "logit", nodes));
        }
    }
}

/// A response in other units is the same model: the slope stays, the intercept moves by the log of the unit.
#[test]
fn units_of_the_response_do_not_matter() {
    for (family, tolerance) in [
        ("gamma", 1e-7),
        ("inverse_gaussian", 2e-2),
        ("gaussian", 2e-2),
    ] {
        let design = generalised("gamma", 800, ONE, false, 5);
        let base = fit(&design, model(family, "log", 1), &team(1));
        let Some(y) = &design.table.response else {
            unreachable!("designs have a response")
        };
        let y: Vec<f64> = (0..800).map(|i| y.get(i)).collect();
        for unit in [1e-3, 1e3, 1e4] {
            let mut other = design.clone();
            other.table.response =
                Some(Column::from(y.iter().map(|y| y * unit).collect::<Vec<_>>()));
            let moved = fit(&other, model(family, "log", 1), &team(1));
            let name = format!("{family}, unit {unit}");
            assert!(moved.reason.converged(), "{name}: {}", moved.reason.text());
            assert!(moved.evaluations < 60, "{name}: {}", moved.evaluations);
            // lme4's criterion penalises u in units of σ: only Gamma's is the same in every unit.
            let slope = (moved.beta[1] - base.beta[1]).abs();
            assert!(slope < tolerance, "{name}: the slope moved by {slope}");
        }
    }
}

#[test]
fn a_raised_flag_ends_the_fit() {
    let design = generalised("poisson", 9_000, &[(900, true), (400, false)], false, 5);
    let stop = Arc::new(AtomicBool::new(false));
    let team = Team::new(2, stop.clone());
    let report = |_: usize, _: f64, _: f64| stop.store(true, Ordering::Relaxed);
    let settings = Settings::default();
    let result = team.run(|| {
        glmm::fit(
            &design,
            model("poisson", "log", 1),
            &settings,
            &report,
            &team,
        )
    });
    assert!(matches!(result, Err(Error::Interrupted)));
}
