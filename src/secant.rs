//! What steps teach about the Hessian: two classic updates of a matrix by a step and the change of the
//! gradient along it.

use crate::quadratic::{dot, norm};

/// a − b.
pub fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
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
    let size = step.len();
    let target = minus(change, &image(average, step));
    let old = image(correction, step);
    let energy = dot(step, &old).abs();
    let sizing = if energy > 0.0 {
        (dot(step, &target).abs() / energy).min(1.0)
    } else {
        1.0
    };
    correction.iter_mut().for_each(|value| *value *= sizing);
    let error: Vec<f64> = target
        .iter()
        .zip(&old)
        .map(|(t, o)| t - sizing * o)
        .collect();
    let along = dot(change, step);
    if along.abs() > 1e-6 * norm(change) * norm(step) {
        let twice = dot(&error, step) / (along * along);
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
    let size = step.len();
    let image = image(matrix, step);
    let (curvature, energy) = (dot(change, step), dot(&image, step));
    if curvature > 1e-12 * norm(change) * norm(step) && energy > 0.0 {
        for i in 0..size {
            for j in 0..size {
                matrix[i * size + j] +=
                    change[i] * change[j] / curvature - image[i] * image[j] / energy;
            }
        }
    }
}
