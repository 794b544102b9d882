//! Many responses on one analysis: the sums, estimates and bits of one fit at a time.

use mixedmodels::columns::{Column, Design};
use mixedmodels::error::Error;
use mixedmodels::jackknife::{delete_blocks, LeftOut};
use mixedmodels::lmm::Fit;
use mixedmodels::parallel::Team;
use mixedmodels::refit::{refit_many, Refit};
use mixedmodels::simulate::Simulation;
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

mod models;
use models::{design, fit, team, MODELS};

fn responses(design: &Design, fit: &Fit, which: Range<u32>) -> Vec<f64> {
    let mut values = vec![0.0; design.table.n() * which.len()];
    Simulation::new(design, fit, 3, false, &team(1)).fill(which, &mut values);
    values
}

fn bootstrap(design: &Design, fit: &Fit, total: usize, threads: usize) -> Vec<Refit> {
    let team = team(threads);
    let simulation = Simulation::new(design, fit, 3, false, &team);
    let fill = |which: Range<usize>, out: &mut [f64]| {
        simulation.fill(which.start as u32..which.end as u32, out);
    };
    refit_many(design, fit, total, fill, &team).expect("nobody interrupts")
}

#[test]
fn refits_are_the_fits_of_their_responses() {
    for &(name, n, factors, nested) in MODELS {
        let mut design = design(n, factors, nested, 5);
        design.table.weights = Some(
            (0..n)
                .map(|i| 0.5 + (i % 3) as f64)
                .collect::<Vec<_>>()
                .into(),
        );
        design.table.offset = Some((0..n).map(|i| (i % 7) as f64).collect::<Vec<_>>().into());
        let base = fit(&design, 1);
        for (k, refit) in bootstrap(&design, &base, 3, 1).iter().enumerate() {
            let refit = refit.as_ref().expect(name);
            let mut other = design.clone();
            let y = responses(&design, &base, k as u32..k as u32 + 1);
            other.table.response = Some(Column::from(y));
            let single = fit(&other, 1);
            let near = |a: f64, b: f64, scale: f64| {
                assert!((a - b).abs() < 1e-8 * scale, "{name}: {a} {b}")
            };
            near(
                refit.criterion,
                single.criterion,
                0.01 * single.criterion.abs(),
            );
            near(refit.sigma, single.sigma, single.sigma);
            for (k, (a, b)) in refit.beta.iter().zip(&single.beta).enumerate() {
                // Another start ends within the optimiser's tolerance, some 1e-5 standard errors of θ.
                near(
                    *a,
                    *b,
                    100.0 * single.vcov[k * (single.beta.len() + 1)].sqrt(),
                );
            }
        }
    }
}

#[test]
fn threads_and_batches_change_no_bit() {
    for &(name, n, factors, nested) in &MODELS[..5] {
        let design = design(n, factors, nested, 5);
        let base = fit(&design, 1);
        let whole = bootstrap(&design, &base, 70, 1);
        for (total, threads) in [(70, 2), (70, 3), (7, 1)] {
            for (a, b) in whole.iter().zip(bootstrap(&design, &base, total, threads)) {
                let (a, b) = (a.as_ref().expect(name), b.expect(name));
                assert_eq!(
                    (&a.theta, &a.beta, &a.vcov),
                    (&b.theta, &b.beta, &b.vcov),
                    "{name}"
                );
            }
        }
    }
}

#[test]
fn chunks_of_rows_are_added_as_in_a_single_fit() {
    // So many rows that the sums are made in parts.
    let design = design(80_000, &[(50, true)], false, 5);
    let base = fit(&design, 2);
    let mut other = design.clone();
    other.table.response = Some(Column::from(responses(&design, &base, 1..2)));
    let single = fit(&other, 2);
    let refits = bootstrap(&design, &base, 2, 2);
    let refit = refits[1].as_ref().expect("it can be fitted");
    assert!((refit.criterion / single.criterion - 1.0).abs() < 1e-12);
    assert!((refit.sigma / single.sigma - 1.0).abs() < 1e-10);
}

#[test]
fn a_response_that_cannot_be_fitted_is_recorded() {
    let design = design(300, &[(20, false)], false, 5);
    let base = fit(&design, 1);
    let fill = |which: Range<usize>, out: &mut [f64]| {
        for (i, row) in out.chunks_exact_mut(which.len()).enumerate() {
            for (k, y) in which.clone().zip(row) {
                *y = if k == 1 { 4.0 } else { (i * i % 17 + k) as f64 };
            }
        }
    };
    let refits = refit_many(&design, &base, 3, fill, &team(1)).expect("nobody interrupts");
    assert!(refits[0].is_ok() && refits[2].is_ok());
    assert!(matches!(&refits[1], Err(Error::Data(text)) if text.contains("constant")));
}

#[test]
fn the_flag_stops_refits() {
    let design = design(300, &[(20, false)], false, 5);
    let base = fit(&design, 1);
    let stopped = Team::new(2, Arc::new(AtomicBool::new(true)));
    let result = refit_many(&design, &base, 5, |_, out| out.fill(1.0), &stopped);
    assert!(matches!(result, Err(Error::Interrupted)));
}

#[test]
fn the_jackknife_leaves_out_whole_levels() {
    let design = design(400, &[(25, true)], false, 5);
    let base = fit(&design, 1);
    let left_out = LeftOut {
        term: Some(0),
        count: 25,
    };
    let refits = delete_blocks(&design, &base, left_out, &team(2)).expect("nobody interrupts");
    let codes = design.groupings[0].codes.as_slice();
    for level in [0, 13] {
        let mut other = design.clone();
        let kept = (0..400).filter(|&i| codes[i as usize] != level);
        other.table.rows = Some(Arc::new(kept.collect()));
        let (single, refit) = (
            fit(&other, 1),
            refits[level as usize].as_ref().expect("fitted"),
        );
        assert!((refit.criterion / single.criterion - 1.0).abs() < 1e-10);
        assert!((refit.sigma / single.sigma - 1.0).abs() < 1e-8);
    }
}
