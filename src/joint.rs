//! The joint covariance of (β̂, b̂ − b): variances of x'β̂ + z'(b̂ − b), and the leverages of the rows.
//!
//! It is σ² times the inverse of Henderson's matrix [[X'WX, X'WZΛ], [Λ'Z'WX, M]] in (β, u), W the prior
//! weights or the working weights at the modes (Henderson 1975; Bates et al. 2015, eq. 18). For a row (x, z)
//! and a = Λ'z the variance is
//!
//!     σ²(‖L⁻¹a‖² + ‖R⁻¹(x − B'a)‖²),   B = M⁻¹Λ'Z'WX,   RR' = X'V⁻¹X.
//!
//! The rows of the fit need M⁻¹ on its pattern only. Others may bring levels together that never met: they
//! are solved for in batches, on the fronts that they reach.

use crate::columns::Design;
use crate::effects::{times_lambda, Effects};
use crate::error::{Error, Result};
use crate::glmm::{lambdas, GeneralizedFit};
use crate::lambda::Small;
use crate::lanes;
use crate::leading::solve_lower;
use crate::lmm::Fit;
use crate::objective::cholesky_in_place;
use crate::observations::Observations;
use crate::parallel::{piece, Shared, Team};
use crate::penalised::Penalised;
use crate::random_matrix::Group;
use crate::system::System;
use crate::working::WorkingSums;

/// Rows of another design solved for at a time.
const BATCH: usize = 64;

/// Henderson's matrix, factored.
pub struct Joint<'j, 's> {
    observations: &'j Observations,
    weight: &'j [f64],
    factor: &'j mut Penalised<'s>,
    /// The optimiser's θ.
    theta: &'j [f64],
    variance: f64,
    /// B, one vector a kept column of X.
    fixed: Effects,
    /// R: rank × rank lower triangle, row-major.
    root: Vec<f64>,
}

/// Work with the joint covariance of a linear fit; in the Gram form of the generalised models' factor.
pub fn linear<T>(
    fit: &Fit,
    design: &Design,
    team: &Team,
    work: impl FnOnce(Joint<'_, '_>) -> Result<T>,
) -> Result<T> {
    let system = &*fit.system;
    let observations = Observations::new(design, system, team)?;
    let weight = observations.responses(design).weight;
    let mut sums = WorkingSums::new(system, &observations);
    sums.update(system, &observations, &weight, team)?;
    let mut factor = Penalised::new(system);
    factor.update(lambdas(system, &fit.internal), &sums, team)?;
    let variance = fit.sigma * fit.sigma;
    let rows = (&observations, &weight[..]);
    work(Joint::new(
        rows,
        &mut factor,
        &fit.internal,
        variance,
        team,
    )?)
}

/// Work with the joint covariance of a generalised fit.
pub fn generalized<T>(
    fit: &GeneralizedFit,
    team: &Team,
    work: impl FnOnce(Joint<'_, '_>) -> Result<T>,
) -> Result<T> {
    let mut problem = fit.problem(team)?;
    problem.find(&fit.internal)?;
    let weight = problem.weight().to_vec();
    let variance = fit.sigma * fit.sigma;
    let rows = (&*fit.observations, &weight[..]);
    let factor = problem.factor_mut();
    work(Joint::new(rows, factor, &fit.internal, variance, team)?)
}

impl<'j, 's> Joint<'j, 's> {
    /// `factor` is that of M under these weights.
    fn new(
        (observations, weight): (&'j Observations, &'j [f64]),
        factor: &'j mut Penalised<'s>,
        theta: &'j [f64],
        variance: f64,
        team: &Team,
    ) -> Result<Self> {
        let (p, columns) = (observations.rank, (weight, None));
        let (gram, mut fixed) =
            observations.weighted_columns(factor.system, &factor.lambda, columns, team)?;
        factor.forward(&mut fixed, team);
        let known = fixed.products(&fixed);
        let mut root: Vec<f64> = gram.iter().zip(known).map(|(g, k)| g - k).collect();
        if !cholesky_in_place(&mut root, p) {
            return Err(Error::Convergence(
                "the fixed effects cannot be told apart at the optimum".into(),
            ));
        }
        factor.backward(&mut fixed);
        Ok(Joint {
            observations,
            weight,
            factor,
            theta,
            variance,
            fixed,
            root,
        })
    }

    /// Variances of x'β̂ + z'(b̂ − b) at the rows used.
    pub fn row_variances(self, team: &Team) -> Result<Vec<f64>> {
        let (rows, variance) = (&self.observations.rows, self.variance);
        Ok(in_order(rows, self.relative(team)?, |_, v| variance * v))
    }

    /// The diagonal of the hat matrix at fixed θ, at the rows used.
    pub fn leverages(self, team: &Team) -> Result<Vec<f64>> {
        let (rows, weight) = (&self.observations.rows, self.weight);
        Ok(in_order(rows, self.relative(team)?, |i, v| weight[i] * v))
    }

    /// Variances of the rows in units of σ², in the order of the observations.
    fn relative(self, team: &Team) -> Result<Vec<f64>> {
        self.factor.invert(team)?;
        let (observations, p) = (self.observations, self.observations.rank);
        let mut out = self.factor.leverages(observations, team)?;
        let symbolic = &self.factor.system.symbolic;
        let fixed = times_lambda(symbolic, &self.factor.lambda, &self.fixed);
        let shared = Shared::new(&mut out);
        team.each(observations.tasks(), |task| {
            let (rows, _) = observations.task(task);
            // SAFETY: each row belongs to one task.
            let own = unsafe { shared.range(rows.start, rows.len()) };
            let mut left = vec![0.0; p * rows.len()];
            for (c, column) in left.chunks_exact_mut(rows.len()).enumerate() {
                observations.add_effects(rows.clone(), &fixed, c, column);
                let x = &observations.x(c)[rows.clone()];
                column.iter_mut().zip(x).for_each(|(z, x)| *z = x - *z);
            }
            add_squares(&self.root, p, &mut left, own);
        });
        team.check().map(|()| out)
    }

    /// Variances of x'β̂ + z'(b̂ − b) at the rows of another design, whose terms are the public ones `terms`;
    /// a row without a level has no random effects there.
    pub fn variances(&self, design: &Design, terms: &[usize], team: &Team) -> Result<Vec<f64>> {
        let n = design.table.n();
        let parts = Part::all(self.factor.system, self.theta, terms);
        let mut out = vec![0.0; n];
        let shared = Shared::new(&mut out);
        team.each(n.div_ceil(BATCH), |task| {
            let rows = piece(task, BATCH, n);
            // SAFETY: each row belongs to one task.
            let own = unsafe { shared.range(rows.start, rows.len()) };
            Batch::new(self, design, rows.start, rows.len()).run(&parts, own);
        });
        team.check()?;
        out.iter_mut().for_each(|value| *value *= self.variance);
        Ok(out)
    }
}

/// Values by observation as values by used row.
fn in_order(rows: &[u32], values: Vec<f64>, of: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut out = vec![0.0; values.len()];
    for (i, (&row, value)) in rows.iter().zip(values).enumerate() {
        out[row as usize] = of(i, value);
    }
    out
}

/// out += ‖R⁻¹c‖² for the rows c of `left`, which stand column by column.
fn add_squares(root: &[f64], p: usize, left: &mut [f64], out: &mut [f64]) {
    let n = out.len();
    for i in 0..p {
        let (done, rest) = left.split_at_mut(i * n);
        let own = &mut rest[..n];
        for (l, column) in done.chunks_exact(n).enumerate() {
            lanes::add_scaled(own, -root[i * p + l], column);
        }
        own.iter_mut().for_each(|value| *value /= root[i * p + i]);
        lanes::add_product(out, 1.0, own, own);
    }
}

/// The terms of another design that belong to one group.
struct Part {
    group: usize,
    levels: usize,
    /// b = (this) u in the user's columns.
    factor: Small,
    /// Place in the other design of a term, and of its first column in the group.
    terms: Vec<(usize, usize)>,
    /// Node of each level, unless the group is the leading one.
    nodes: Vec<usize>,
}

impl Part {
    fn all(system: &System, theta: &[f64], terms: &[usize]) -> Vec<Part> {
        let groups = system.groups.iter().enumerate();
        groups
            .map(|(index, group)| Part::new(system, theta, (index, group), terms))
            .filter(|part| !part.terms.is_empty())
            .collect()
    }

    fn new(
        system: &System,
        theta: &[f64],
        (index, group): (usize, &Group),
        terms: &[usize],
    ) -> Part {
        let place = |(k, term): (usize, &usize)| {
            let own = group.terms.iter().position(|other| other == term)?;
            Some((k, group.template.blocks[own].start))
        };
        let symbolic = &system.symbolic;
        let mut nodes = vec![0; if index == 0 { 0 } else { group.levels }];
        for node in (0..symbolic.nodes()).filter(|&node| symbolic.group[node] as usize + 1 == index)
        {
            nodes[symbolic.level[node] as usize] = node;
        }
        Part {
            group: index,
            levels: group.levels,
            factor: group.template.user_factor(&group.pick(theta)),
            terms: terms.iter().enumerate().filter_map(place).collect(),
            nodes,
        }
    }

    /// The level of a row and a = Λ'z there.
    fn effects(&self, design: &Design, row: usize) -> Option<(usize, Vec<f64>)> {
        let code = |(k, _): &(usize, usize)| {
            let grouping = &design.groupings[design.terms[*k].grouping];
            usize::try_from(grouping.codes.as_slice()[row]).ok()
        };
        let level = self.terms.iter().find_map(code)?;
        let mut a = vec![0.0; self.factor.cols];
        for (k, first) in self.terms.iter().filter(|term| code(term).is_some()) {
            for (i, recipe) in design.terms[*k].columns.iter().enumerate() {
                let z = design.table.value(recipe, row);
                for (column, a) in a.iter_mut().enumerate() {
                    *a += self.factor.at(first + i, column) * z;
                }
            }
        }
        (level < self.levels).then_some((level, a))
    }
}

/// Some rows of another design.
struct Batch<'b, 'j, 's> {
    joint: &'b Joint<'j, 's>,
    design: &'b Design,
    first: usize,
    count: usize,
    /// Right-hand sides on the complement, size × count, and the fronts that they reach.
    rest: Vec<f64>,
    reached: Vec<bool>,
    /// x − B'a, column by column.
    left: Vec<f64>,
}

impl<'b, 'j, 's> Batch<'b, 'j, 's> {
    fn new(joint: &'b Joint<'j, 's>, design: &'b Design, first: usize, count: usize) -> Self {
        let symbolic = &joint.factor.system.symbolic;
        Batch {
            rest: vec![0.0; symbolic.size * count],
            reached: vec![false; symbolic.fronts.len()],
            left: fixed_columns(joint.factor.system, design, first, count),
            joint,
            design,
            first,
            count,
        }
    }

    /// Variances in units of σ².
    fn run(mut self, parts: &[Part], out: &mut [f64]) {
        for (i, out) in out.iter_mut().enumerate() {
            let row = self.design.table.place(self.first + i);
            for part in parts {
                if let Some((level, a)) = part.effects(self.design, row) {
                    *out += match part.group {
                        0 => self.add_leading(i, level, a),
                        _ => self.add_rest(i, part.nodes[level], &a),
                    };
                }
            }
        }
        let symbolic = &self.joint.factor.system.symbolic;
        let fronts = &self.joint.factor.fronts;
        fronts.forward_on(symbolic, &self.reached, &mut self.rest, self.count);
        for (front, _) in
            (symbolic.fronts.iter().zip(&self.reached)).filter(|(_, reached)| **reached)
        {
            let columns = front.start..front.start + front.own;
            let halves = self.rest.chunks_exact(symbolic.size);
            for (out, half) in out.iter_mut().zip(halves) {
                *out += half[columns.clone()].iter().map(|y| y * y).sum::<f64>();
            }
        }
        add_squares(
            &self.joint.root,
            self.joint.fixed.count,
            &mut self.left,
            out,
        );
    }

    /// ‖c⁻¹a‖² of a leading level; what it leaves to the complement is noted.
    fn add_leading(&mut self, i: usize, level: usize, mut a: Vec<f64>) -> f64 {
        let (factor, fixed) = (&*self.joint.factor, &self.joint.fixed);
        let (q, p) = (a.len(), fixed.count);
        for (k, a) in a.iter().enumerate() {
            let known = &fixed.leading[(level * q + k) * p..][..p];
            let left = self.left[i..].iter_mut().step_by(self.count);
            left.zip(known).for_each(|(x, known)| *x -= a * known);
        }
        solve_lower(factor.root(level), q, &mut a, 1);
        let (elements, size) = (
            &factor.system.symbolic.elements,
            factor.system.symbolic.size,
        );
        if size > 0 && elements.width(level) > 0 {
            let scalars = &elements.scalars[elements.columns[level]..elements.columns[level + 1]];
            let weights = factor.weights[factor.element(level)].chunks_exact(q);
            for (&scalar, w) in scalars.iter().zip(weights) {
                self.rest[i * size + scalar as usize] -=
                    w.iter().zip(&a).map(|(w, y)| w * y).sum::<f64>();
            }
            self.reach(elements.front[level] as usize);
        }
        a.iter().map(|y| y * y).sum()
    }

    /// a of a level of another group, noted as a right-hand side; columns that the fit never saw are those
    /// of the identity.
    fn add_rest(&mut self, i: usize, node: usize, a: &[f64]) -> f64 {
        let (symbolic, fixed) = (&self.joint.factor.system.symbolic, &self.joint.fixed);
        let columns = symbolic.columns(node);
        let (seen, unseen) = a.split_at(columns.len());
        for (scalar, a) in columns.zip(seen) {
            self.rest[i * symbolic.size + scalar] += a;
            let known = fixed.rest[scalar..].iter().step_by(symbolic.size);
            let left = self.left[i..].iter_mut().step_by(self.count);
            left.zip(known).for_each(|(x, known)| *x -= a * known);
        }
        if !seen.is_empty() {
            self.reach(symbolic.owner[node] as usize);
        }
        unseen.iter().map(|a| a * a).sum()
    }

    /// A right-hand side reaches this front and those above it.
    fn reach(&mut self, front: usize) {
        let fronts = &self.joint.factor.system.symbolic.fronts;
        let mut next = Some(front);
        while let Some(front) = next.filter(|&front| !self.reached[front]) {
            self.reached[front] = true;
            next = fronts[front].parent;
        }
    }
}

/// Kept columns of X in E's coordinates at some rows of another design, column by column.
fn fixed_columns(system: &System, design: &Design, first: usize, count: usize) -> Vec<f64> {
    let (width, basis) = (system.width, &system.basis);
    let mut block = vec![0.0; count * width];
    (system.coordinates).fill_columns(design, first, count, &mut block, width);
    let value = |k: usize, row: &[f64]| -> f64 {
        let used = basis.column(k).iter().zip(row).filter(|(e, _)| **e != 0.0);
        used.map(|(e, c)| e * c).sum()
    };
    (0..basis.rank())
        .flat_map(|k| block.chunks_exact(width).map(move |row| value(k, row)))
        .collect()
}
