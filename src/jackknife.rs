//! The model fitted without some of its rows, for every block of them.

use crate::columns::Design;
use crate::cross_products::CrossProducts;
use crate::error::{Error, Result};
use crate::glmm::{self, GeneralizedFit};
use crate::lmm::{from_user, Fit};
use crate::multipliers::to_user;
use crate::parallel::Team;
use crate::refit::{lift, refit, Refit};
use crate::refit_laplace::estimates;
use crate::system::System;
use std::sync::Arc;

/// The rows left out: levels of the grouping factor of term `term` stay together in `count` blocks; without
/// a term, single rows are dealt out.
#[derive(Clone, Copy)]
pub struct LeftOut {
    pub term: Option<usize>,
    pub count: usize,
}

/// A linear model without each block.
pub fn delete_blocks(
    design: &Design,
    fit: &Fit,
    blocks: LeftOut,
    team: &Team,
) -> Result<Vec<Refit>> {
    each_without(design, blocks, team, |design, team| {
        let system = System::new(&CrossProducts::new(design, team)?, team)?;
        let start = lift(&system, from_user(&system, &fit.theta)?);
        refit(&system, fit.reml, &fit.settings, start, team)
    })
}

/// A generalised model without each block.
pub fn delete_blocks_generalized(
    design: &Design,
    fit: &GeneralizedFit,
    blocks: LeftOut,
    team: &Team,
) -> Result<Vec<Refit>> {
    let system = &fit.system;
    let start = lift(system, fit.internal[..system.parameters].to_vec());
    let mut settings = fit.settings.clone();
    settings.start = Some(to_user(system, &start));
    each_without(design, blocks, team, |design, team| {
        glmm::fit(design, fit.model, &settings, &|_, _, _| {}, team).map(estimates)
    })
}

/// `fit` on the rows that each block leaves, side by side.
fn each_without(
    design: &Design,
    blocks: LeftOut,
    team: &Team,
    fit: impl Fn(&Design, &Team) -> Refit + Sync,
) -> Result<Vec<Refit>> {
    let codes = (blocks.term).map(|term| &design.groupings[design.terms[term].grouping].codes);
    let block = |i: usize| match codes {
        Some(codes) => codes.as_slice()[design.table.place(i)] as usize % blocks.count,
        None => i % blocks.count,
    };
    let alone = team.alone();
    let refits = team.map(blocks.count, |left_out| {
        let kept = (0..design.table.n()).filter(|&i| block(i) != left_out);
        let rows = kept.map(|i| design.table.place(i) as u32).collect();
        let mut design = design.clone();
        design.table.rows = Some(Arc::new(rows));
        alone.check()?;
        match fit(&design, &alone) {
            Err(error @ (Error::Interrupted | Error::Memory { .. })) => Err(error),
            other => Ok(other),
        }
    });
    refits.into_iter().collect()
}
