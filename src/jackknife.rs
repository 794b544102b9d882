//! The model fitted without some of its rows, for every block of them.

use crate::columns::Design;
use crate::cross_products::CrossProducts;
use crate::error::{Error, Result};
use crate::lmm::{from_user, Fit};
use crate::parallel::Team;
use crate::refit::{lift, refit, Refit};
use crate::system::System;
use std::sync::Arc;

/// Fits without each of `count` blocks of rows. Levels of the grouping factor of term `term` stay
/// together; without one, single rows are dealt out.
pub fn delete_blocks(
    design: &Design,
    fit: &Fit,
    term: Option<usize>,
    count: usize,
    team: &Team,
) -> Result<Vec<Refit>> {
    let codes = term.map(|term| &design.groupings[design.terms[term].grouping].codes);
    let block = |i: usize| match codes {
        Some(codes) => codes.as_slice()[design.table.place(i)] as usize % count,
        None => i % count,
    };
    let alone = team.alone();
    let refits = team.map(count, |left_out| {
        let kept = (0..design.table.n()).filter(|&i| block(i) != left_out);
        let rows = kept.map(|i| design.table.place(i) as u32).collect();
        let mut design = design.clone();
        design.table.rows = Some(Arc::new(rows));
        match fit_rows(&design, fit, &alone) {
            Err(error @ (Error::Interrupted | Error::Memory { .. })) => Err(error),
            other => Ok(other),
        }
    });
    refits.into_iter().collect()
}

fn fit_rows(design: &Design, fit: &Fit, team: &Team) -> Refit {
    team.check()?;
    let system = System::new(&CrossProducts::new(design, team)?, team)?;
    let start = lift(&system, from_user(&system, &fit.theta)?);
    refit(&system, fit.reml, &fit.settings, start, team)
}
