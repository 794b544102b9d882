//! Average information: the trust-region Newton step's matrix (see `derivatives`).

use crate::direction::{apply_to_leading, apply_to_rest, quadratics, Direction};
use crate::error::Result;
use crate::factor::Factor;
use crate::inner::{InnerProducts, Vectors};
use crate::lambda::Small;
use crate::objective::Profile;
use crate::parallel::Team;

/// H_kl of every pair of directions, and h_k = −∂r²/∂θ_k.
pub fn average(
    factor: &Factor<'_>,
    profile: &Profile,
    directions: &[Direction],
    g: &[Small],
    z: (&[f64], &[f64]),
    (weight, bend): (f64, f64),
    team: &Team,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let count = directions.len();
    if count == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    let vectors = Vectors {
        count,
        leading: &apply_to_leading(factor.system.leading.width, directions, z.0),
        rest: apply_to_rest(&factor.system.symbolic, directions, z.1),
    };
    let inner = InnerProducts::new(factor, &vectors, team)?;
    let fixed = inner.fixed_part(factor, profile);
    let score = quadratics(factor, directions, z);
    let mut matrix = curvature(directions, g);
    for k in 0..count {
        for l in 0..=k {
            let explained: f64 = fixed[k].iter().zip(&fixed[l]).map(|(a, b)| a * b).sum();
            let quadratic = inner.product[k * count + l] - explained;
            let value = weight * quadratic - bend * score[k] * score[l];
            matrix[k * count + l] += value;
            if k != l {
                matrix[l * count + k] += value;
            }
        }
    }
    Ok((matrix, score))
}

/// 2 (T'GT)[i_k, i_l] within a column of one λ: the second derivative of λ̃λ̃'.
pub fn curvature(directions: &[Direction], g: &[Small]) -> Vec<f64> {
    let count = directions.len();
    let mut matrix = vec![0.0; count * count];
    for (k, a) in directions.iter().enumerate() {
        for (l, b) in directions.iter().enumerate() {
            if a.group == b.group && a.column == b.column {
                let g = &g[a.group];
                let inner = (0..g.cols)
                    .map(|j| {
                        let column = g.column(j).iter().zip(&a.t);
                        column.map(|(g, t)| g * t).sum::<f64>() * b.t[j]
                    })
                    .sum::<f64>();
                matrix[k * count + l] = 2.0 * inner;
            }
        }
    }
    matrix
}
