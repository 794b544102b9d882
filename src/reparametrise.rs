//! Cross-products of one part in another part's shifts and scales, exactly: rank-one corrections.

use crate::cross_products::CrossProducts;
use crate::error::{Error, Result};
use crate::fixed_matrix::Shifted;
use crate::lambda::Small;
use crate::level_sums::{add_square, rotate_in, LevelSums, Sum2};

/// `other` in the coordinates of `target`.
pub fn onto(target: &CrossProducts, other: &CrossProducts) -> Result<CrossProducts> {
    let same_groups =
        (target.groups.iter().zip(&other.groups)).all(|(a, b)| a.template == b.template);
    if target.coordinates == other.coordinates && same_groups {
        return Ok(other.clone());
    }
    let columns = fixed_change(target, other);
    let mut moved = other.clone();
    let random: Vec<Small> = (0..other.groups.len())
        .map(|g| random_change(target, other, g))
        .collect::<Result<_>>()?;
    moved.residual = congruence(&other.residual_gram(), &columns);
    let identity = Small {
        rows: 1,
        cols: 1,
        data: vec![1.0],
    };
    let leading = random.first().unwrap_or(&identity);
    moved.leading = triangles(&other.leading, leading, &columns, &mut moved.residual);
    for (g, sums) in moved.rest.iter_mut().enumerate() {
        *sums = level_grams(&other.rest[g], &random[g + 1], &columns);
    }
    for pair in &mut moved.pairs {
        let (s, t) = pair.groups;
        for place in 0..pair.levels.len() {
            let block = Small {
                rows: pair.shape.0,
                cols: pair.shape.1,
                data: pair.value(place).to_vec(),
            };
            let new = random[s].times(&block).times(&random[t].transposed());
            pair.value_mut(place).copy_from_slice(&new.data);
        }
    }
    moved.coordinates = target.coordinates.clone();
    moved.groups = target.groups.clone();
    Ok(moved)
}

/// M with (new row of C)' = M (old row of C)'.
fn fixed_change(target: &CrossProducts, other: &CrossProducts) -> Small {
    let width = other.width();
    let mut matrix = Small::zeros(width, width);
    matrix.set(0, 0, 1.0);
    for (k, &place) in other.coordinates.place.iter().enumerate() {
        if place > 0 {
            let (factor, amount) =
                change(other.coordinates.columns[k], target.coordinates.columns[k]);
            matrix.set(place, place, factor);
            matrix.set(place, 0, amount);
        }
    }
    let (factor, amount) = change(other.coordinates.response, target.coordinates.response);
    matrix.set(width - 1, width - 1, factor);
    matrix.set(width - 1, 0, amount);
    // ỹ less one pilot → ỹ less the other.
    for (k, &place) in other
        .coordinates
        .place
        .iter()
        .enumerate()
        .filter(|(_, &place)| place > 0)
    {
        let (old, new) = (other.coordinates.pilot[k], target.coordinates.pilot[k]);
        for column in [0, place] {
            let moved = matrix.at(width - 1, column) - new * matrix.at(place, column);
            matrix.set(width - 1, column, moved);
        }
        matrix.set(width - 1, place, matrix.at(width - 1, place) + factor * old);
    }
    matrix
}

/// M with (new row of Z̃)' = M (old row of Z̃)'.
fn random_change(target: &CrossProducts, other: &CrossProducts, g: usize) -> Result<Small> {
    let (new, old) = (&target.groups[g].template, &other.groups[g].template);
    if new.rows != old.rows {
        return Err(Error::Data(
            "cross-products with different coordinates for a grouping factor cannot be added; make \
             all parts with the coordinates of the first"
                .into(),
        ));
    }
    let carried = usize::from(new.carries_constant());
    let constant = if carried == 1 {
        Some(0)
    } else {
        new.constant_column()
    };
    let mut matrix = Small::zeros(new.rows, new.rows);
    (0..new.rows).for_each(|k| matrix.set(k, k, 1.0));
    for k in 0..new.cols {
        let (factor, amount) = change(old.column(k), new.column(k));
        matrix.set(k + carried, k + carried, factor);
        if let (Some(constant), true) = (constant, amount != 0.0) {
            matrix.set(k + carried, constant, amount);
        }
    }
    Ok(matrix)
}

/// M G M', upper triangle.
fn congruence(gram: &[f64], matrix: &Small) -> Vec<Sum2> {
    let width = matrix.rows;
    let gram = Small {
        rows: width,
        cols: width,
        data: gram.to_vec(),
    };
    let new = matrix.times(&gram).times(&matrix.transposed());
    let mut sums = vec![Sum2::default(); width * width];
    for a in 0..width {
        for b in a..width {
            sums[a * width + b].add(new.at(a, b));
        }
    }
    sums
}

/// New triangles: the rows of (R | P) in new columns, made triangular again.
fn triangles(
    sums: &LevelSums,
    random: &Small,
    columns: &Small,
    residual: &mut [Sum2],
) -> LevelSums {
    let (width, stride) = (sums.width, sums.stride);
    let mut new = sums.clone();
    new.data.fill(0.0);
    for j in 0..sums.levels {
        for row in sums.level(j).chunks_exact(stride) {
            let mut moved = apply(random, &row[..width]);
            moved.extend(apply(columns, &row[width..]));
            rotate_in(new.level_mut(j), width, stride, &mut moved);
            add_square(residual, &moved[width..]);
        }
    }
    new
}

/// Z̃'[Z̃ C] of every level in new columns.
fn level_grams(sums: &LevelSums, random: &Small, columns: &Small) -> LevelSums {
    let (width, stride) = (sums.width, sums.stride);
    let mut new = sums.clone();
    for j in 0..sums.levels {
        let rows: Vec<Vec<f64>> = (sums.level(j).chunks_exact(stride))
            .map(|row| [apply(random, &row[..width]), apply(columns, &row[width..])].concat())
            .collect();
        for (i, target) in new.level_mut(j).chunks_exact_mut(stride).enumerate() {
            target.fill(0.0);
            for (k, row) in rows.iter().enumerate() {
                let factor = random.at(i, k);
                target
                    .iter_mut()
                    .zip(row)
                    .for_each(|(sum, value)| *sum += factor * value);
            }
        }
    }
    new
}

fn apply(matrix: &Small, vector: &[f64]) -> Vec<f64> {
    (0..matrix.rows)
        .map(|i| (0..matrix.cols).map(|k| matrix.at(i, k) * vector[k]).sum())
        .collect()
}

/// (old column) = factor · (new column) + amount · constant, when shift and scale change.
fn change(old: Shifted, new: Shifted) -> (f64, f64) {
    (old.scale / new.scale, (old.shift - new.shift) / new.scale)
}
