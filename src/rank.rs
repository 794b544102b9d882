//! Which columns add to those on their left, judged from their Gram matrix (Gram-Schmidt in order).
//!
//! R drops columns in this order too, never in largest-pivot order: the names of the coefficients and
//! the constant of the REML criterion depend on it.

/// A column is dropped when less than this share of its length is new (R's tolerance).
const TOLERANCE: f64 = 1e-7;
/// Rounding of a square, per column projected out.
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
            if new > (TOLERANCE.powi(2) + ROUNDING * (kept.len() + 1) as f64) * length {
                projections.push(new.sqrt());
                rows.push(projections);
                kept.push(k);
            }
        }
        Sequence { kept, left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leftmost_of_dependent_columns_is_kept() {
        let unit = [1.0, 0.0, 0.0, 1.0];
        let columns: [&[f64]; 4] = [&[1.0, 0.0], &[2.0, 0.0], &[1.0, 1.0], &[0.0, 3.0]];
        let sequence = Sequence::new(&unit, &columns);
        assert_eq!(sequence.kept, [0, 2]);
        assert!(sequence.left[3].abs() < 1e-12);
    }
}
