//! The picture of the factor's blocks, in words and signs.

use crate::system::System;
use std::fmt::Write;

/// Kind of block that one group has on the diagonal of L.
fn kind(effects: usize) -> &'static str {
    if effects == 1 {
        "diagonal"
    } else {
        "block-diagonal"
    }
}

/// One line per block row of the factor: leading group, complement, fixed columns.
pub fn blocks(system: &System) -> String {
    let mut text =
        String::from("blocks of the Cholesky factor L (rows in the order of elimination)\n");
    if let Some(leading) = system.groups.first() {
        let q = leading.effects();
        let _ = writeln!(
            text,
            "  1. {}: {} levels x {q}",
            label(&leading.terms),
            leading.levels
        );
        let _ = writeln!(text, "     {}, eliminated in closed form", kind(q));
    }
    let symbolic = &system.symbolic;
    if symbolic.size > 0 {
        for group in system.groups.iter().skip(1) {
            let _ = writeln!(
                text,
                "  2. {}: {} levels x {}",
                label(&group.terms),
                group.levels,
                group.effects()
            );
        }
        let largest = symbolic
            .fronts
            .iter()
            .map(|front| front.size)
            .max()
            .unwrap_or(0);
        let stored: usize = symbolic
            .fronts
            .iter()
            .map(|f| f.own * f.size - f.own * (f.own - 1) / 2)
            .sum();
        let full = symbolic.size as f64 * (symbolic.size as f64 + 1.0) / 2.0;
        let shape = if symbolic.fronts.len() == 1 {
            "dense".to_string()
        } else {
            format!(
                "sparse, {} fronts, the largest {largest} x {largest}",
                symbolic.fronts.len()
            )
        };
        let _ = writeln!(text, "     complement {0} x {0}: {shape}", symbolic.size);
        let _ = writeln!(
            text,
            "     {stored} entries stored ({:.1} % of the triangle)",
            100.0 * stored as f64 / full
        );
    }
    let _ = write!(
        text,
        "  {}. fixed effects and response: {} columns, dense",
        1 + usize::from(!system.groups.is_empty()) + usize::from(symbolic.size > 0),
        system.rank() + 1
    );
    text
}

fn label(terms: &[usize]) -> String {
    let names: Vec<String> = terms
        .iter()
        .map(|term| format!("term {}", term + 1))
        .collect();
    names.join(" + ")
}
