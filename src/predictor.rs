//! The linear predictor Xβ + Zb + offset, row by row, and the columns it is made of.

use crate::columns::{Design, Recipe};
use crate::parallel::{piece, Shared, Team};

/// Rows of one task.
const ROWS: usize = 8192;

/// Xβ + Zb + offset at the rows used. NaN in β counts as 0; `modes[t]` (levels × effects, row-major) may
/// be absent; a row without a level gets no random effect.
pub fn linear_predictor(
    design: &Design,
    beta: &[f64],
    modes: &[Option<Vec<f64>>],
    team: &Team,
) -> Vec<f64> {
    let n = design.table.n();
    let mut out = vec![0.0; n];
    let shared = Shared::new(&mut out);
    team.each(n.div_ceil(ROWS), |task| {
        let range = piece(task, ROWS, n);
        // SAFETY: each row belongs to one task.
        let own = unsafe { shared.range(range.start, range.len()) };
        for (i, value) in range.zip(own.iter_mut()) {
            *value = row(design, beta, modes, design.table.place(i));
        }
    });
    out
}

fn row(design: &Design, beta: &[f64], modes: &[Option<Vec<f64>>], row: usize) -> f64 {
    let table = &design.table;
    let mut value = table.offset.as_ref().map_or(0.0, |offset| offset.get(row));
    for (recipe, b) in design.fixed.iter().zip(beta) {
        // A dropped column still says whether the row can be predicted.
        let x = table.value(recipe, row);
        value += if b.is_nan() && !x.is_nan() {
            0.0
        } else {
            x * b
        };
    }
    for (term, modes) in design.terms.iter().zip(modes) {
        let grouping = &design.groupings[term.grouping];
        let code = grouping.codes.as_slice()[row];
        if let (Some(modes), Ok(level)) = (modes, usize::try_from(code)) {
            let q = term.columns.len();
            for (recipe, b) in term.columns.iter().zip(&modes[level * q..(level + 1) * q]) {
                value += table.value(recipe, row) * b;
            }
        }
    }
    value
}

/// X, n × p, row-major.
pub fn fixed_matrix(design: &Design) -> Vec<f64> {
    columns(design, &design.fixed)
}

/// The columns z of one term, n × q, row-major.
pub fn random_columns(design: &Design, term: usize) -> Vec<f64> {
    columns(design, &design.terms[term].columns)
}

fn columns(design: &Design, recipes: &[Recipe]) -> Vec<f64> {
    let (n, p) = (design.table.n(), recipes.len());
    let mut out = vec![0.0; n * p];
    for (k, recipe) in recipes.iter().enumerate() {
        if n > 0 {
            design.table.fill(recipe, 0, n, &mut out[k..], p);
        }
    }
    out
}
