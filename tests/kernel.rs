//! The core without Python: dense oracles, additivity, determinism, fronts against one dense front.

use mixedmodels::columns::{Column, Design};
use mixedmodels::cross_products::CrossProducts;
use mixedmodels::curve::{Curve, Optimum, Parameter};
use mixedmodels::dense;
use mixedmodels::error::Error;
use mixedmodels::leading::root_of_unit_plus;
use mixedmodels::lmm;
use mixedmodels::outcome::{Optimizer, Settings};
use mixedmodels::parallel::Team;
use mixedmodels::problem::Problem;
use mixedmodels::profile;
use mixedmodels::system::System;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

mod models;
use models::{design, fit, team, Stream, MODELS};

#[test]
fn gradient_is_the_derivative_of_the_criterion() {
    for &(name, n, factors, nested) in MODELS {
        let design = design(n, factors, nested, 7);
        let team = team(1);
        let sums = CrossProducts::new(&design, &team).expect(name);
        let system = System::new(&sums, &team).expect(name);
        let mut problem = Problem::new(&system, true, &team);
        let mut stream = Stream(11);
        let theta: Vec<f64> = (0..system.parameters)
            .map(|_| 0.6 + 0.5 * stream.next())
            .collect();
        problem.value(&theta).expect(name);
        let gradient = problem.derivatives().expect(name).gradient;
        for k in 0..theta.len() {
            let mut at = |step: f64| {
                let mut moved = theta.clone();
                moved[k] += step;
                problem.value(&moved).expect(name)
            };
            let h = 1e-4;
            let slope = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h);
            let error = (slope - gradient[k]).abs() / gradient[k].abs().max(1.0);
            assert!(
                error < 1e-6,
                "{name}: d/d theta[{k}] {} against {slope}",
                gradient[k]
            );
        }
    }
}

#[test]
fn zero_is_differentiated_exactly_too() {
    for &(name, n, factors, nested) in MODELS {
        let design = design(n, factors, nested, 5);
        let team = team(1);
        let sums = CrossProducts::new(&design, &team).expect(name);
        let system = System::new(&sums, &team).expect(name);
        let mut problem = Problem::new(&system, false, &team);
        let zero = vec![0.0; system.parameters];
        let base = problem.value(&zero).expect(name);
        let derivatives = problem.derivatives().expect(name);
        assert!(derivatives.gradient.iter().all(|g| *g == 0.0), "{name}");
        // Along one diagonal entry d(eps) = d(0) + eps² G_ii.
        for (k, group) in system.groups.iter().enumerate() {
            let index = group.theta_index();
            let (i, _) = group.template.entries()[0];
            let mut theta = zero.clone();
            let eps = 1e-3;
            theta[index[0]] = eps;
            let gained = (problem.value(&theta).expect(name) - base) / (eps * eps);
            let g = derivatives.g[k].at(i, i);
            assert!(
                (gained - g).abs() < 1e-2 * g.abs().max(1.0),
                "{name}: {gained} against {g}"
            );
        }
    }
}

#[test]
fn parts_add_up_to_the_whole() {
    for &(name, n, factors, nested) in MODELS {
        let whole = design(n, factors, nested, 3);
        let part = |range: std::ops::Range<u32>| {
            let mut part = whole.clone();
            part.table.rows = Some(Arc::new(range.collect()));
            CrossProducts::new(&part, &team(1)).expect(name)
        };
        let cut = n as u32 / 3;
        let sum = part(0..cut).add(&part(cut..n as u32)).expect(name);
        assert_eq!(sum.n, n);
        let criterion = |sums: &CrossProducts| {
            let team = team(1);
            let system = System::new(sums, &team).expect(name);
            let mut problem = Problem::new(&system, true, &team);
            let user = vec![0.7; system.parameters];
            let theta = lmm::from_user(&system, &user).expect(name);
            problem.value(&theta).expect(name)
        };
        let (direct, added) = (
            criterion(&CrossProducts::new(&whole, &team(1)).expect(name)),
            criterion(&sum),
        );
        assert!(
            (direct - added).abs() < 1e-9 * direct.abs(),
            "{name}: {direct} against {added}"
        );
    }
}

/// The same design with c·x added to the response.
fn explained(design: &Design, c: f64) -> Design {
    let table = &design.table;
    let y = table.response.as_ref().expect("a response");
    let sums = (0..table.n_table).map(|i| y.get(i) + c * table.numeric[0].get(i));
    let mut other = design.clone();
    other.table.response = Some(Column::from(sums.collect::<Vec<f64>>()));
    other
}

#[test]
fn fixed_effects_that_explain_almost_everything_cost_no_digits() {
    for &(name, n, factors, nested) in MODELS {
        let plain = design(n, factors, nested, 23);
        let base = fit(&plain, 1);
        for c in [1e2, 1e4, 1e6] {
            let other = fit(&explained(&plain, c), 1);
            // The response itself is stored to 1e-16 c only.
            let allowed = 1e-9 + 1e-13 * c;
            let error = (base.criterion - other.criterion).abs() / base.criterion.abs();
            assert!(
                error < allowed,
                "{name}, c = {c}: {} {}",
                base.criterion,
                other.criterion
            );
            assert!(
                (other.beta[1] - c - base.beta[1]).abs() < 1e-6 + 1e-11 * c,
                "{name}, c = {c}"
            );
        }
    }
}

#[test]
fn parts_of_an_explained_response_add_too() {
    let (name, n, factors, nested) = MODELS[3];
    let whole = explained(&design(n, factors, nested, 3), 1e5);
    let part = |range: std::ops::Range<u32>| {
        let mut part = whole.clone();
        part.table.rows = Some(Arc::new(range.collect()));
        CrossProducts::new(&part, &team(1)).expect(name)
    };
    let criterion = |sums: &CrossProducts| {
        let team = team(1);
        let system = System::new(sums, &team).expect(name);
        let mut problem = Problem::new(&system, true, &team);
        let theta = lmm::from_user(&system, &vec![0.7; system.parameters]).expect(name);
        problem.value(&theta).expect(name)
    };
    let cut = n as u32 / 2;
    let sum = part(0..cut).add(&part(cut..n as u32)).expect(name);
    let direct = criterion(&CrossProducts::new(&whole, &team(1)).expect(name));
    let added = criterion(&sum);
    assert!(
        (direct - added).abs() < 1e-7 * direct.abs(),
        "{direct} against {added}"
    );
}

#[test]
fn parts_of_different_models_do_not_add() {
    let a = CrossProducts::new(&design(100, &[(5, false)], false, 1), &team(1)).expect("a");
    let b = CrossProducts::new(&design(100, &[(6, false)], false, 1), &team(1)).expect("b");
    assert!(matches!(a.add(&b), Err(Error::Data(_))));
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    for &(name, n, factors, nested) in MODELS {
        let design = design(n, factors, nested, 9);
        let one = fit(&design, 1);
        for threads in [2, 3, 5] {
            let other = fit(&design, threads);
            assert_eq!(one.criterion.to_bits(), other.criterion.to_bits(), "{name}");
            assert_eq!(one.theta, other.theta, "{name}");
            assert_eq!(one.modes, other.modes, "{name}");
        }
    }
}

#[test]
fn every_optimiser_finds_the_same_optimum() {
    for &(name, n, factors, nested) in &MODELS[..4] {
        let design = design(n, factors, nested, 13);
        let newton = fit(&design, 1);
        for optimizer in [Optimizer::Bfgs, Optimizer::NelderMead] {
            let settings = Settings {
                optimizer,
                ..Settings::default()
            };
            let other = lmm::fit(&design, true, &settings, &|_, _, _| {}, &team(1)).expect(name);
            assert!(
                (newton.criterion - other.criterion).abs() < 1e-6,
                "{name} {optimizer:?}: {} {}",
                newton.criterion,
                other.criterion
            );
        }
    }
}

/// The point at ζ = 1 of a parameter's curve, and where all parameters stand there.
fn one_up(fit: &lmm::Fit, parameter: Parameter, estimate: f64) -> (f64, Optimum) {
    let curve = Curve::new(fit, parameter);
    let points = profile::trace(curve, (estimate, 0.1), true, &[1.0], &team(1)).expect("a curve");
    (points[0].value, points[0].optimum.clone())
}

#[test]
fn a_profile_knows_where_all_parameters_stand() {
    let ml = |design: &Design| {
        lmm::fit(design, false, &Settings::default(), &|_, _, _| {}, &team(1)).expect("a fit")
    };
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-7 * b.abs().max(1.0), "{a} {b}");
    let mut design = design(400, &[(30, true), (12, false)], false, 4);
    let fit = ml(&design);
    let (sigma, at) = one_up(&fit, Parameter::Sigma, fit.sigma);
    close(at.scale, sigma);
    let (deviation, at) = one_up(&fit, Parameter::Theta(0), fit.theta[0] * fit.sigma);
    close(at.theta[0] * at.scale, deviation);
    let (slope, at) = one_up(&fit, Parameter::Coefficient(1), fit.beta[1]);
    close(at.beta[1], slope);

    // The model of y − vx without x.
    let x: Vec<f64> = (0..400).map(|i| design.table.numeric[0].get(i)).collect();
    let y = |i: usize| design.table.target(i) - slope * x[i];
    let rest: Vec<f64> = (0..400).map(y).collect();
    design.table.response = Some(Column::from(rest));
    design.fixed.truncate(1);
    let fit = ml(&design);
    close(at.beta[0], fit.beta[0]);
    close(at.scale, fit.sigma);
    for (found, expected) in at.theta.iter().zip(&fit.theta) {
        assert!((found - expected).abs() < 1e-5, "{found} {expected}");
    }
}

#[test]
fn the_stop_flag_stops_a_fit() {
    let design = design(2000, &[(200, true), (100, true)], false, 2);
    let stopped = Team::new(2, Arc::new(AtomicBool::new(true)));
    let result = lmm::fit(&design, true, &Settings::default(), &|_, _, _| {}, &stopped);
    assert!(matches!(result, Err(Error::Interrupted)));
}

/// Symmetric, diagonally dominant.
fn matrix(size: usize) -> Vec<f64> {
    let mut stream = Stream(21);
    let mut a = vec![0.0; size * size];
    for j in 0..size {
        for i in j..size {
            let value = if i == j {
                2.0 * size as f64
            } else {
                stream.next()
            };
            a[i + j * size] = value;
            a[j + i * size] = value;
        }
    }
    a
}

#[test]
fn dense_fronts_factor_and_invert_at_every_size() {
    for size in [1, 2, 7, 16, 17, 40, 127, 128, 129, 300, 517] {
        let stride = size;
        let a = matrix(size);
        let mut factor = a.clone();
        dense::eliminate(&team(2), &mut factor, size, size, stride).expect("positive definite");
        let mut inverse = vec![0.0; size * size];
        let mut work = mixedmodels::aligned::Aligned::default();
        dense::invert(
            &team(2),
            &mut factor,
            &mut inverse,
            size,
            size,
            stride,
            &mut work,
        )
        .expect("invertible");
        for (i, j) in [
            (0, 0),
            (size / 2, size / 3),
            (size - 1, size - 1),
            (size - 1, 0),
        ] {
            let product: f64 = (0..size)
                .map(|k| a[i + k * size] * inverse[k + j * size])
                .sum();
            let unit = if i == j { 1.0 } else { 0.0 };
            assert!(
                (product - unit).abs() < 1e-12,
                "size {size} at ({i}, {j}): {product}"
            );
        }
    }
}

#[test]
fn factorisation_is_right_at_scale() {
    // The reported failures of threaded factorisations begin at some thousand columns.
    let design = design(60_000, &[(4000, false), (3000, false)], false, 17);
    let team = team(2);
    let sums = CrossProducts::new(&design, &team).expect("sums");
    let system = System::new(&sums, &team).expect("system");
    let mut problem = Problem::new(&system, true, &team);
    problem.value(&[0.8, 0.6]).expect("value");
    assert!(problem.factor.residual_check(&team) < 1e-12);
}

#[test]
fn sparse_factorisation_is_right_at_scale() {
    let design = design(
        150_000,
        &[(40_000, true), (8000, true), (200, true)],
        true,
        19,
    );
    let team = team(2);
    let sums = CrossProducts::new(&design, &team).expect("sums");
    let system = System::new(&sums, &team).expect("system");
    assert!(
        system.symbolic.fronts.len() > 100,
        "nested groups stay sparse"
    );
    let mut problem = Problem::new(&system, true, &team);
    problem.value(&vec![0.7; system.parameters]).expect("value");
    assert!(problem.factor.residual_check(&team) < 1e-12);
}

#[test]
fn pivots_of_large_dependent_rows_keep_their_digits() {
    let mut rows = [1e8, 2e8, 3e8, 6e8];
    let mut root = [0.0; 4];
    root_of_unit_plus(&mut rows, 2, 2, &mut root);
    // BB' = 5·10¹⁶ [1 3; 3 9], so the second pivot squared is 1 + 9 less what is below 10⁻¹⁵.
    assert!((root[0] / 5f64.sqrt() - 1e8).abs() < 1e-7);
    assert!((root[2] / root[0] - 3.0).abs() < 1e-15);
    assert!((root[3] - 10f64.sqrt()).abs() < 1e-6);
}
