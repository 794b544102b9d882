//! The sufficient statistic: everything a Gaussian fit needs from the rows, in one pass.
//!
//! For the leading group each level keeps the triangle Rⱼ of Z̃ⱼ = QⱼRⱼ and Pⱼ = Qⱼ'C, updated row by
//! row with Givens rotations; what is left of the row is orthogonal to the level and goes into the
//! residual Gram matrix C'(I − QQ')C. No between-group sum is ever subtracted from a within-group
//! sum, so σ_b/σ = 10⁶ costs no digits. The other groups keep Z̃'Z̃ and Z̃'C level by level, and
//! pairs of groups keep Z̃'Z̃ for the levels that occur together.
//!
//! Parts made from different rows add: rotate one part's Rⱼ | Pⱼ into the other's.

use crate::columns::Design;
use crate::error::{Error, Result};
use crate::fixed_matrix::FixedCoordinates;
use crate::level_sums::{add_block, add_levels, rotate_in, symmetric, LevelSums, Sum2, BLOCK};
use crate::pairs::PairSums;
use crate::parallel::{piece, Team};
use crate::random_matrix::{amalgamate, Group};

/// Fewest rows worth a chunk of their own.
const CHUNK: usize = 32_768;
/// Copies of the sums by level that the system and the factor keep.
const COPIES: usize = 3;
/// Bytes for which the system is not asked whether it has them.
const UNASKED: f64 = 1e8;

/// The Gram matrix of [Z X y], in parts that add.
#[derive(Clone)]
pub struct CrossProducts {
    pub n: usize,
    pub sum_log_weights: Sum2,
    pub coordinates: FixedCoordinates,
    pub groups: Vec<Group>,
    /// Leading group: R | P of every level.
    pub leading: LevelSums,
    /// C'(I − QQ')C, upper triangle, row-major.
    pub residual: Vec<Sum2>,
    /// Other groups: Z̃'Z̃ | Z̃'C of every level.
    pub rest: Vec<LevelSums>,
    /// Z̃ₛ'Z̃ₜ for every pair of groups s < t.
    pub pairs: Vec<PairSums>,
}

/// What one chunk of rows contributes.
struct Chunk {
    sum_log_weights: Sum2,
    leading: LevelSums,
    residual: Vec<Sum2>,
    rest: Vec<LevelSums>,
}

/// Where the pieces of a row stand: leading Z̃, C, then the other groups' Z̃.
pub(crate) struct Layout {
    pub columns: usize,
    pub rest: Vec<usize>,
    pub stride: usize,
}

impl Layout {
    pub fn new(groups: &[Group], width: usize) -> Self {
        let columns = groups.first().map_or(1, Group::width);
        let mut stride = columns + width;
        let mut rest = Vec::new();
        for group in groups.iter().skip(1) {
            rest.push(stride);
            stride += group.width();
        }
        Layout {
            columns,
            rest,
            stride,
        }
    }
}

impl CrossProducts {
    /// One pass over the rows of a design.
    pub fn new(design: &Design, team: &Team) -> Result<Self> {
        let coordinates = FixedCoordinates::new(design);
        let groups = amalgamate(design);
        let n = design.table.n();
        let chunks = chunks(n, &groups);
        let size = n.div_ceil(chunks);
        check_memory(&groups, coordinates.width(), chunks)?;
        let parts = team.map(chunks, |chunk| {
            let rows = piece(chunk, size, n);
            pulp::Arch::new().dispatch(|| accumulate(design, &coordinates, &groups, rows, team))
        });
        let mut parts = parts
            .into_iter()
            .collect::<Result<Vec<Chunk>>>()?
            .into_iter();
        let mut total = parts.next().ok_or(Error::Interrupted)?;
        parts.for_each(|part| total.add(&part));
        let pairs = PairSums::all(design, &groups, team)?;
        let sums = CrossProducts {
            n,
            sum_log_weights: total.sum_log_weights,
            coordinates,
            groups,
            leading: total.leading,
            residual: total.residual,
            rest: total.rest,
            pairs,
        };
        sums.check_finite()?;
        Ok(sums)
    }

    /// Columns of C.
    pub fn width(&self) -> usize {
        self.coordinates.width()
    }

    /// C'(I − QQ')C as a full symmetric matrix, column-major.
    pub fn residual_gram(&self) -> Vec<f64> {
        symmetric(&self.residual, self.width())
    }

    /// The same sums without the remaining groups.
    pub fn without_rest(&self) -> Self {
        CrossProducts {
            n: self.n,
            sum_log_weights: self.sum_log_weights,
            coordinates: self.coordinates.clone(),
            groups: self.groups.first().map(Group::alone).into_iter().collect(),
            leading: self.leading.clone(),
            residual: self.residual.clone(),
            rest: Vec::new(),
            pairs: Vec::new(),
        }
    }

    fn check_finite(&self) -> Result<()> {
        let finite = self.residual.iter().all(|sum| sum.value().is_finite())
            && self.leading.data.iter().all(|value| value.is_finite())
            && self
                .rest
                .iter()
                .all(|sums| sums.data.iter().all(|value| value.is_finite()));
        if finite {
            Ok(())
        } else {
            Err(Error::Data(
                "the sums of squares overflow or are not numbers: some values are NaN, infinite or \
                 larger than about 1e150; rescale those columns"
                    .into(),
            ))
        }
    }

    /// The sum of two parts made from different rows of one model (same columns, groups, levels).
    pub fn add(&self, other: &CrossProducts) -> Result<CrossProducts> {
        let same = self.width() == other.width()
            && self.coordinates.place == other.coordinates.place
            && self.groups.len() == other.groups.len()
            && self.groups.iter().zip(&other.groups).all(|(a, b)| {
                a.levels == b.levels && a.effects() == b.effects() && a.terms == b.terms
            });
        if !same {
            return Err(Error::Data(
                "cross-products of different models cannot be added: the columns, grouping factors \
                 and numbers of levels must be the same"
                    .into(),
            ));
        }
        let moved = crate::reparametrise::onto(self, other)?;
        let mut total = self.clone();
        total.n += moved.n;
        total.sum_log_weights.merge(moved.sum_log_weights);
        add_leading(&mut total.leading, &moved.leading, &mut total.residual);
        for (sum, value) in total.residual.iter_mut().zip(&moved.residual) {
            sum.merge(*value);
        }
        for (sums, more) in total.rest.iter_mut().zip(&moved.rest) {
            sums.data
                .iter_mut()
                .zip(&more.data)
                .for_each(|(a, b)| *a += b);
        }
        total.pairs = (total.pairs.iter().zip(&moved.pairs))
            .map(|(a, b)| a.add(b))
            .collect();
        Ok(total)
    }
}

/// Number of chunks that the rows are cut into.
pub(crate) fn chunks(n: usize, groups: &[Group]) -> usize {
    let effects: usize = groups
        .iter()
        .map(|group| group.levels * group.width())
        .sum();
    (n / CHUNK.max(16 * effects)).clamp(1, 64)
}

/// The sums by level of all chunks, and the system's own copies of them, must fit.
fn check_memory(groups: &[Group], width: usize, chunks: usize) -> Result<()> {
    let level = |group: &Group| group.width() * (group.width() + width) * 8;
    let sums = |group: &Group| group.levels as f64 * level(group) as f64;
    let needed = (chunks + COPIES) as f64 * groups.iter().map(sums).sum::<f64>();
    if needed < UNASKED {
        return Ok(());
    }
    crate::memory::require(needed, || {
        "the sums by level of the grouping factors".into()
    })
}

/// Add levels; what is orthogonal goes into the residual Gram matrix.
fn add_leading(sums: &mut LevelSums, more: &LevelSums, residual: &mut [Sum2]) {
    let (width, stride) = (sums.width, sums.stride);
    add_levels(sums, more, |rows| {
        add_block(residual, rows, stride, width..stride);
    });
}

impl Chunk {
    fn add(&mut self, other: &Chunk) {
        self.sum_log_weights.merge(other.sum_log_weights);
        add_leading(&mut self.leading, &other.leading, &mut self.residual);
        for (sum, value) in self.residual.iter_mut().zip(&other.residual) {
            sum.merge(*value);
        }
        for (sums, more) in self.rest.iter_mut().zip(&other.rest) {
            sums.data
                .iter_mut()
                .zip(&more.data)
                .for_each(|(a, b)| *a += b);
        }
    }
}

#[inline(always)]
fn accumulate(
    design: &Design,
    coordinates: &FixedCoordinates,
    groups: &[Group],
    rows: std::ops::Range<usize>,
    team: &Team,
) -> Result<Chunk> {
    let width = coordinates.width();
    let layout = Layout::new(groups, width);
    let (columns, stride) = (layout.columns, layout.stride);
    let lead_levels = groups.first().map_or(1, |group| group.levels);
    let mut chunk = Chunk {
        sum_log_weights: Sum2::default(),
        leading: LevelSums::new(lead_levels, columns, width),
        residual: vec![Sum2::default(); width * width],
        rest: (groups.iter().skip(1))
            .map(|group| LevelSums::new(group.levels, group.width(), width))
            .collect(),
    };
    let mut block = vec![0.0; BLOCK * stride];
    for first in rows.clone().step_by(BLOCK) {
        team.check()?;
        let count = BLOCK.min(rows.end - first);
        fill_random(design, groups, &layout, first, count, &mut block);
        coordinates.fill(design, first, count, &mut block[columns..], stride);
        weigh(
            design,
            first,
            count,
            stride,
            &mut block,
            &mut chunk.sum_log_weights,
        );
        for (g, group) in groups.iter().enumerate().skip(1) {
            let z = layout.rest[g - 1];
            for i in 0..count {
                let j = level(design, group, first + i)?;
                let row = &block[i * stride..(i + 1) * stride];
                add_level_row(
                    chunk.rest[g - 1].level_mut(j),
                    &row[z..],
                    group.width(),
                    &row[columns..columns + width],
                );
            }
        }
        for i in 0..count {
            let j = groups
                .first()
                .map_or(Ok(0), |group| level(design, group, first + i))?;
            let row = &mut block[i * stride..i * stride + columns + width];
            rotate_in(chunk.leading.level_mut(j), columns, columns + width, row);
        }
        let rows = &block[..count * stride];
        add_block(&mut chunk.residual, rows, stride, columns..columns + width);
    }
    Ok(chunk)
}

/// The level of used row `i`, or an error where there is none.
#[inline(always)]
pub fn level(design: &Design, group: &Group, i: usize) -> Result<usize> {
    let row = design.table.place(i);
    let code = design.groupings[group.grouping].codes.as_slice()[row];
    match usize::try_from(code) {
        Ok(code) if code < group.levels => Ok(code),
        _ => Err(Error::Data(format!(
            "row {row} has no level of grouping factor {} (code {code})",
            group.grouping
        ))),
    }
}

/// Rows of Z̃ in their places.
#[inline(always)]
pub(crate) fn fill_random(
    design: &Design,
    groups: &[Group],
    layout: &Layout,
    first: usize,
    count: usize,
    block: &mut [f64],
) {
    let stride = layout.stride;
    match groups.first() {
        Some(group) => group.fill(design, first, count, block, stride),
        None => (0..count).for_each(|i| block[i * stride] = 1.0),
    }
    for (group, &place) in groups.iter().skip(1).zip(&layout.rest) {
        group.fill(design, first, count, &mut block[place..], stride);
    }
}

/// Rows times √w; the weights' logarithms are added up.
#[inline(always)]
pub(crate) fn weigh(
    design: &Design,
    first: usize,
    count: usize,
    stride: usize,
    block: &mut [f64],
    logs: &mut Sum2,
) {
    if design.table.weights.is_some() {
        for i in 0..count {
            let weight = design.table.weight(design.table.place(first + i));
            logs.add(weight.ln());
            let root = weight.sqrt();
            block[i * stride..(i + 1) * stride]
                .iter_mut()
                .for_each(|value| *value *= root);
        }
    }
}

/// level += z [z c]'.
#[inline(always)]
fn add_level_row(level: &mut [f64], z: &[f64], width: usize, columns: &[f64]) {
    let stride = width + columns.len();
    for (i, sums) in level.chunks_exact_mut(stride).enumerate() {
        let factor = z[i];
        let (own, cross) = sums.split_at_mut(width);
        own.iter_mut()
            .zip(z)
            .for_each(|(sum, value)| *sum += factor * value);
        cross
            .iter_mut()
            .zip(columns)
            .for_each(|(sum, value)| *sum += factor * value);
    }
}
