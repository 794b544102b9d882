//! What steps teach about the Hessian: two classic updates of a matrix by a step and the change of the
//! gradient along it.

use crate::quadratic::{dot, norm};

/// a − b.
pub fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// A step and the change along it per unit of its length, which is all that the updates depend on: near
/// θ = 0, which Newton's method finds faster than quadratically, products of plain steps underflow.
fn per_unit(step: &[f64], change: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    let length = norm(step);
    let scaled = |x: &[f64]| x.iter().map(|x| x / length).collect();
    (length > 0.0).then(|| (scaled(step), scaled(change)))
}

fn image(matrix: &[f64], x: &[f64]) -> Vec<f64> {
    matrix
        .chunks_exact(x.len())
        .map(|row| dot(row, x))
        .collect()
}

/// Dennis, Gay & Welsch (1981): update what `average` lacks of the Hessian, sized down first where it
/// promises more than the step has shown.
pub fn correct(correction: &mut [f64], average: &[f64], step: &[f64], change: &[f64]) {
    let Some((step, change)) = per_unit(step, change) else {
        return;
    };
    let size = step.len();
    let target = minus(&change, &image(average, &step));
    let old = image(correction, &step);
    let energy = dot(&step, &old).abs();
    let sizing = if energy > 0.0 {
        (dot(&step, &target).abs() / energy).min(1.0)
    } else {
        1.0
    };
    correction.iter_mut().for_each(|value| *value *= sizing);
    let error: Vec<f64> = target
        .iter()
        .zip(&old)
        .map(|(t, o)| t - sizing * o)
        .collect();
    let along = dot(&change, &step);
    if along.abs() > 1e-6 * norm(&change) {
        let twice = dot(&error, &step) / (along * along);
        for i in 0..size {
            for j in 0..size {
                let symmetric = error[i] * change[j] + change[i] * error[j];
                correction[i * size + j] += symmetric / along - twice * change[i] * change[j];
            }
        }
    }
}

/// Broyden, Fletcher, Goldfarb & Shanno: update the Hessian itself, as long as it stays positive definite.
pub fn bfgs(matrix: &mut [f64], step: &[f64], change: &[f64]) {
    let Some((step, change)) = per_unit(step, change) else {
        return;
    };
    let size = step.len();
    let image = image(matrix, &step);
    let (curvature, energy) = (dot(&change, &step), dot(&image, &step));
    if curvature > 1e-12 * norm(&change) && energy > 0.0 {
        for i in 0..size {
            for j in 0..size {
                matrix[i * size + j] +=
                    change[i] * change[j] / curvature - image[i] * image[j] / energy;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Secants of H at a step of any length give H along it.
    #[test]
    fn steps_of_any_length_teach_the_same() {
        let hessian = [4.0, 1.0, 1.0, 3.0];
        for length in [1.0, 1e-12, 1e-108, 1e-150, 1e-200] {
            let step = [0.6 * length, 0.8 * length];
            let change = image(&hessian, &step);
            let average = [5.0, 0.0, 0.0, 2.0];
            let mut correction = vec![0.0; 4];
            correct(&mut correction, &average, &step, &change);
            let mut matrix = average.to_vec();
            bfgs(&mut matrix, &step, &change);
            let corrected: Vec<f64> = average
                .iter()
                .zip(&correction)
                .map(|(a, b)| a + b)
                .collect();
            for learnt in [corrected, matrix] {
                assert!(learnt.iter().all(|value| value.is_finite()), "{length}");
                if length > 1e-160 {
                    let seen = image(&learnt, &step);
                    let error = norm(&minus(&seen, &change));
                    assert!(
                        error <= 1e-12 * norm(&change),
                        "{length}: {seen:?} {change:?}"
                    );
                }
            }
        }
    }
}
