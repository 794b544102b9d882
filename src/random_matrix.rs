//! The random-effects side: terms on one grouping factor amalgamated, the leading one first.
//!
//! Z is never a general sparse matrix: each group has integer codes and a few dense columns Z̃.

use crate::columns::{Design, Recipe};
use crate::fixed_matrix::{is_coded, Shifted};
use crate::lambda::{Small, Template};
use std::ops::Range;

/// All terms on one grouping factor.
#[derive(Clone)]
pub struct Group {
    pub grouping: usize,
    pub levels: usize,
    /// Public indices of the amalgamated terms, in order.
    pub terms: Vec<usize>,
    pub template: Template,
    recipes: Vec<Recipe>,
    /// Where this group's θ lie in the public θ, term by term.
    theta: Vec<Range<usize>>,
}

/// Shifting a patterned term costs a column, so it is done only where digits are at stake; shifting a
/// free one costs nothing but the zeros of a dummy.
const FAR: f64 = 8.0;

impl Group {
    /// Number of Z̃ columns.
    pub fn width(&self) -> usize {
        self.template.rows
    }

    /// Random effects per level.
    pub fn effects(&self) -> usize {
        self.template.cols
    }

    /// This group's parameters out of the public vector.
    pub fn pick(&self, theta: &[f64]) -> Vec<f64> {
        let ranges = self.theta.iter().cloned();
        ranges.flat_map(|range| theta[range].to_vec()).collect()
    }

    /// λ with the group's parameters out of the public vector.
    pub fn lambda(&self, theta: &[f64]) -> Small {
        self.template.fill(&self.pick(theta))
    }

    /// Put this group's parameters back into the public vector.
    pub fn place(&self, own: &[f64], theta: &mut [f64]) {
        let mut values = own.iter();
        for range in self.theta.iter().cloned() {
            theta[range]
                .iter_mut()
                .zip(&mut values)
                .for_each(|(t, v)| *t = *v);
        }
    }

    /// The same group with parameters numbered as if there were no other.
    pub fn alone(&self) -> Group {
        let mut start = 0;
        let mut theta = Vec::new();
        for range in &self.theta {
            theta.push(start..start + range.len());
            start += range.len();
        }
        Group {
            theta,
            ..self.clone()
        }
    }

    /// Public θ index of each of the template's entries.
    pub fn theta_index(&self) -> Vec<usize> {
        self.theta.iter().cloned().flatten().collect()
    }

    /// Fill rows of Z̃ (unweighted).
    pub fn fill(
        &self,
        design: &Design,
        first: usize,
        count: usize,
        out: &mut [f64],
        stride: usize,
    ) {
        let carried = usize::from(self.template.carries_constant());
        if carried == 1 {
            (0..count).for_each(|i| out[i * stride] = 1.0);
        }
        for (k, recipe) in self.recipes.iter().enumerate() {
            let (column, out) = (self.template.column(k), &mut out[k + carried..]);
            column.fill(&design.table, recipe, first, count, out, stride);
        }
    }

    /// One row of Z̃ (unweighted).
    pub fn row(&self, design: &Design, row: usize, out: &mut [f64]) {
        let carried = usize::from(self.template.carries_constant());
        out[..carried].fill(1.0);
        for (k, recipe) in self.recipes.iter().enumerate() {
            out[k + carried] = self
                .template
                .column(k)
                .apply(design.table.value(recipe, row));
        }
    }
}

/// The groups of a design, the one with most random effects first; none gives an empty leading
/// group of one level, so that a model without random effects needs no code of its own.
pub fn amalgamate(design: &Design) -> Vec<Group> {
    let mut ranges = Vec::new();
    let mut start = 0;
    for term in &design.terms {
        let q = term.columns.len();
        ranges.push(start..start + q * (q + 1) / 2);
        start += q * (q + 1) / 2;
    }
    let mut members: Vec<(usize, Vec<usize>)> = Vec::new();
    for (t, term) in design.terms.iter().enumerate() {
        match members
            .iter_mut()
            .find(|(grouping, _)| *grouping == term.grouping)
        {
            Some((_, terms)) => terms.push(t),
            None => members.push((term.grouping, vec![t])),
        }
    }
    let effects = |(grouping, terms): &(usize, Vec<usize>)| {
        let q: usize = terms.iter().map(|&t| design.terms[t].columns.len()).sum();
        design.groupings[*grouping].levels * q
    };
    members.sort_by_key(|member| std::cmp::Reverse(effects(member)));
    let build = |(rank, (grouping, terms)): (usize, (usize, Vec<usize>))| {
        group(design, grouping, terms, &ranges, rank == 0)
    };
    members.into_iter().enumerate().map(build).collect()
}

fn group(
    design: &Design,
    grouping: usize,
    terms: Vec<usize>,
    ranges: &[Range<usize>],
    leading: bool,
) -> Group {
    let mut recipes: Vec<Recipe> = Vec::new();
    let mut blocks = Vec::new();
    for &t in &terms {
        let start = recipes.len();
        recipes.extend(design.terms[t].columns.iter().cloned());
        blocks.push(start..recipes.len());
    }
    let constant = recipes.iter().position(Recipe::is_constant);
    let free = blocks.len() == 1 && constant.is_some();
    let wanted = |mean: f64, spread: f64| {
        if free {
            mean > spread
        } else {
            leading && mean > FAR * spread
        }
    };
    let table = &design.table;
    let columns = recipes.iter().map(|recipe| match is_coded(recipe) {
        true => Shifted::IDENTITY,
        false => Shifted::pilot(table.n(), |i| table.value(recipe, table.place(i)), wanted),
    });
    Group {
        grouping,
        levels: design.groupings[grouping].levels,
        template: Template::new(columns.collect(), blocks, constant),
        theta: terms.iter().map(|&t| ranges[t].clone()).collect(),
        terms,
        recipes,
    }
}
