//! Which columns add to those on their left, judged from their Gram matrix (Gram-Schmidt in order).
//!
//! R drops columns in this order too, never in largest-pivot order: the names of the coefficients and
//! the constant of the REML criterion depend on it.

/// A column is dropped when less than this share of its length is new (R's tolerance).
const TOLERANCE: f64 = 1e-7;
/// Rounding of a square, per column projected out, against the squared length of the path to it: where
/// columns before are nearly dependent, the path is long and the rounding of the Gram matrix counts.
const ROUNDING: f64 = 1e-14;

/// Columns taken one after the other.
pub struct Sequence {
    /// Those that add to the ones before.
    pub kept: Vec<usize>,
    /// What the ones before leave of every column's squared length.
    pub left: Vec<f64>,
}

impl Sequence {
    /// Combinations `columns` of vectors with this Gram matrix (column-major).
    pub fn new(gram: &[f64], columns: &[&[f64]]) -> Sequence {
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(x, y)| x * y).sum() };
        let mut rows: Vec<Vec<f64>> = Vec::new();
        let (mut kept, mut left): (Vec<usize>, Vec<f64>) = (Vec::new(), Vec::new());
        let mut lengths: Vec<f64> = Vec::new();
        for (k, column) in columns.iter().enumerate() {
            let image: Vec<f64> = gram
                .chunks_exact(column.len())
                .map(|g| dot(g, column))
                .collect();
            let length = dot(&image, column);
            let mut projections: Vec<f64> = Vec::new();
            for (row, &other) in rows.iter().zip(&kept) {
                let known = dot(&projections, &row[..projections.len()]);
                projections.push((dot(&image, columns[other]) - known) / row[row.len() - 1]);
            }
            let new = length - projections.iter().map(|p| p * p).sum::<f64>();
            left.push(new);
            let coefficients = coefficients(&rows, &projections);
            let path = length.max(0.0).sqrt() + dot(&coefficients, &lengths).abs();
            let rounding = ROUNDING * (kept.len() + 1) as f64 * path.powi(2);
            if new > TOLERANCE.powi(2) * length + rounding {
                lengths.push(length.sqrt());
                projections.push(new.sqrt());
                rows.push(projections);
                kept.push(k);
            }
        }
        Sequence { kept, left }
    }
}

/// Sizes of the coefficients of a column by those kept, from its projections on their triangle.
fn coefficients(rows: &[Vec<f64>], projections: &[f64]) -> Vec<f64> {
    let mut solved = projections.to_vec();
    for i in (0..solved.len()).rev() {
        let known: f64 = (i + 1..solved.len()).map(|j| rows[j][i] * solved[j]).sum();
        solved[i] = (solved[i] - known) / rows[i][i];
    }
    solved.iter().map(|value| value.abs()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// z = (xx − 2x)/3 where x is a thousand times as long: xx hides z but for 1e-3 of its length.
    #[test]
    fn dependence_on_nearly_dependent_columns_is_seen() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        let rows: Vec<[f64; 4]> = (0..500)
            .map(|_| {
                let (x, z, w) = (next(), next(), next());
                [x, 2.0 * x + 3e-3 * z, z, w]
            })
            .collect();
        let gram: Vec<f64> = (0..16)
            .map(|k| rows.iter().map(|row| row[k / 4] * row[k % 4]).sum())
            .collect();
        let unit: Vec<Vec<f64>> = (0..4)
            .map(|k| (0..4).map(|l| f64::from(u8::from(k == l))).collect())
            .collect();
        let columns: Vec<&[f64]> = unit.iter().map(Vec::as_slice).collect();
        assert_eq!(Sequence::new(&gram, &columns).kept, [0, 1, 3]);
    }

    #[test]
    fn the_leftmost_of_dependent_columns_is_kept() {
        let unit = [1.0, 0.0, 0.0, 1.0];
        let columns: [&[f64]; 4] = [&[1.0, 0.0], &[2.0, 0.0], &[1.0, 1.0], &[0.0, 3.0]];
        let sequence = Sequence::new(&unit, &columns);
        assert_eq!(sequence.kept, [0, 2]);
        assert!(sequence.left[3].abs() < 1e-12);
    }
}
