//! M₂ = I + Λ₂'(panels)Λ₂ ± Σ W'W put into the fronts, in stripes of columns.

use crate::elements::add_products;
use crate::error::Result;
use crate::factor::NODES;
use crate::lambda::Small;
use crate::parallel::{Shared, Team};
use crate::symbolic::{Front, Symbolic};

/// Fronts larger than four of these are assembled in stripes by several tasks.
const STRIPE: usize = 64;

/// What M₂ is made of.
pub struct Assembly<'a> {
    pub symbolic: &'a Symbolic,
    /// Panels of the own columns of every front; the diagonal blocks are full.
    pub panels: &'a [f64],
    /// λ̃ of the remaining groups.
    pub lambda: &'a [Small],
    /// Rows of W.
    pub width: usize,
    /// W: like the elements' values.
    pub weights: &'a [f64],
    /// Is W'W added (1) or taken away (−1)?
    pub sign: f64,
}

impl Assembly<'_> {
    /// Put M₂ into the fronts.
    pub fn fill(&self, squares: &mut [f64], team: &Team) -> Result<()> {
        let shared = Shared::new(squares);
        let tasks = tasks(&self.symbolic.fronts, |front| front.size);
        team.each(tasks.len(), |task| {
            for job in &tasks[task] {
                let front = &self.symbolic.fronts[job.front];
                let columns = job.from..job.to;
                // SAFETY: jobs are disjoint ranges of columns.
                let from = front.square + columns.start * front.stride;
                let target = unsafe { shared.range(from, job.len(front)) };
                pulp::Arch::new().dispatch(|| self.columns(job.front, columns, target));
            }
        });
        team.check()
    }

    #[inline(always)]
    fn columns(&self, s: usize, columns: std::ops::Range<usize>, target: &mut [f64]) {
        let (front, elements, r) = (
            &self.symbolic.fronts[s],
            &self.symbolic.elements,
            self.width,
        );
        for (k, column) in columns.clone().enumerate() {
            target[k * front.stride + column..k * front.stride + front.size].fill(0.0);
        }
        if columns.start < front.own {
            self.scale_panel(front, columns.start..columns.end.min(front.own), target);
        }
        for &e in &elements.of_front[s] {
            let e = e as usize;
            let weights = &self.weights[elements.columns[e] * r..elements.columns[e + 1] * r];
            let places = elements.places(e);
            let front = (columns.clone(), front.stride);
            add_products(r, (weights, weights), self.sign, places, front, target);
        }
    }

    fn lambda(&self, group: u32) -> &Small {
        &self.lambda[group as usize]
    }

    /// I + Λ'(panels)Λ in some of a front's own columns.
    #[inline(always)]
    fn scale_panel(&self, front: &Front, columns: std::ops::Range<usize>, target: &mut [f64]) {
        let (panels, stride) = (self.panels, front.stride);
        let mut first = 0;
        for run in &front.runs {
            let (lambda, q) = (self.lambda(run.group), run.width);
            for node in 0..run.nodes {
                let start = first + node * q;
                for j in 0..q {
                    if columns.contains(&(start + j)) {
                        let from = (start + j - columns.start) * stride;
                        let column = &mut target[from..from + front.size];
                        for l in j..q {
                            let factor = lambda.at(l, j);
                            let source =
                                &panels[front.panel + (start + l) * stride..][..front.size];
                            column[start + j..]
                                .iter_mut()
                                .zip(&source[start + j..])
                                .for_each(|(t, s)| *t += factor * s);
                        }
                        self.scale_rows(front, start, column);
                        column[start..start + j].fill(0.0);
                        column[start + j] += 1.0;
                    }
                }
            }
            first += run.nodes * q;
            if first >= columns.end {
                break;
            }
        }
    }

    /// column ← Λ' column, from row `start` on.
    #[inline(always)]
    fn scale_rows(&self, front: &Front, start: usize, column: &mut [f64]) {
        let mut row = 0;
        for run in &front.runs {
            let (lambda, q) = (self.lambda(run.group), run.width);
            let end = row + run.nodes * q;
            let mut from = row.max(start);
            if q == 1 {
                let factor = lambda.data[0];
                (column[from.min(end)..end])
                    .iter_mut()
                    .for_each(|value| *value *= factor);
            } else {
                while from < end {
                    for i in 0..q {
                        column[from + i] = (i..q).map(|l| lambda.at(l, i) * column[from + l]).sum();
                    }
                    from += q;
                }
            }
            row = end;
        }
    }
}

/// One stretch of a front's columns.
pub(crate) struct Job {
    pub front: usize,
    pub from: usize,
    pub to: usize,
}

impl Job {
    /// Numbers from the first column's start to the last column's end.
    pub fn len(&self, front: &Front) -> usize {
        match self.to - self.from {
            0 => 0,
            columns => (columns - 1) * front.stride + front.size,
        }
    }
}

/// The first `columns(front)` columns of every front, in tasks: small fronts together, large ones in stripes.
pub(crate) fn tasks(fronts: &[Front], columns: impl Fn(&Front) -> usize) -> Vec<Vec<Job>> {
    let mut tasks = Vec::new();
    let mut small: Vec<Job> = Vec::new();
    for (s, front) in fronts.iter().enumerate() {
        let end = columns(front);
        if front.size <= 4 * STRIPE {
            small.push(Job {
                front: s,
                from: 0,
                to: end,
            });
            if small.len() == NODES {
                tasks.push(std::mem::take(&mut small));
            }
        } else {
            for from in (0..end).step_by(STRIPE) {
                let to = (from + STRIPE).min(end);
                tasks.push(vec![Job { front: s, from, to }]);
            }
        }
    }
    tasks.push(small);
    tasks
}
