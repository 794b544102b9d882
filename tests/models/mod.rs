//! Models made from a fixed stream of numbers, for the tests of the core.

// No test uses everything.
#![allow(dead_code)]

use mixedmodels::columns::{Codes, Column, Design, Grouping, RandomTerm, Recipe, Table};
use mixedmodels::lmm::{self, Fit};
use mixedmodels::outcome::Settings;
use mixedmodels::parallel::Team;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

pub fn team(threads: usize) -> Team {
    Team::new(threads, Arc::new(AtomicBool::new(false)))
}

/// A fixed stream of numbers in (−½, ½).
pub struct Stream(pub u64);

impl Stream {
    pub fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64 - 0.5
    }

    pub fn below(&mut self, limit: usize) -> i32 {
        ((self.next() + 0.5) * limit as f64) as i32
    }

    /// Roughly normal.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.next()).sum()
    }
}

pub fn numeric(source: usize) -> Recipe {
    Recipe {
        numeric: vec![source],
        coded: vec![],
    }
}

/// One grouping factor: levels, and whether it has a random slope.
pub type Factor = (usize, bool);

/// y ~ x + a term per factor; `nested` makes every factor a coarsening of the first.
pub fn design(n: usize, factors: &[Factor], nested: bool, seed: u64) -> Design {
    let mut stream = Stream(seed);
    let x: Vec<f64> = (0..n).map(|_| 3.0 + stream.normal()).collect();
    let first: Vec<i32> = (0..n).map(|_| stream.below(factors[0].0)).collect();
    let mut y: Vec<f64> = x.iter().map(|x| 1.0 + 0.5 * x + stream.normal()).collect();
    let (mut groupings, mut terms) = (Vec::new(), Vec::new());
    for (t, &(levels, slope)) in factors.iter().enumerate() {
        let codes: Vec<i32> = match (t, nested) {
            (0, _) => first.clone(),
            (_, true) => first.iter().map(|&code| code % levels as i32).collect(),
            (_, false) => (0..n).map(|_| stream.below(levels)).collect(),
        };
        let effects: Vec<f64> = (0..levels).map(|_| stream.normal()).collect();
        let slopes: Vec<f64> = (0..levels).map(|_| 0.4 * stream.normal()).collect();
        for i in 0..n {
            let level = codes[i] as usize;
            y[i] += effects[level] + if slope { slopes[level] * x[i] } else { 0.0 };
        }
        let mut columns = vec![Recipe::default()];
        columns.extend(slope.then(|| numeric(0)));
        groupings.push(Grouping {
            codes: Codes::from(codes),
            levels,
        });
        terms.push(RandomTerm {
            grouping: t,
            columns,
        });
    }
    Design {
        table: Table {
            rows: None,
            n_table: n,
            numeric: vec![Column::from(x)],
            codes: vec![],
            response: Some(Column::from(y)),
            weights: None,
            offset: None,
            sizes: None,
        },
        fixed: vec![Recipe::default(), numeric(0)],
        constant: None,
        groupings,
        terms,
    }
}

pub fn fit(design: &Design, threads: usize) -> Fit {
    let team = team(threads);
    team.run(|| lmm::fit(design, true, &Settings::default(), &|_, _, _| {}, &team))
        .expect("the model can be fitted")
}

pub const MODELS: &[(&str, usize, &[Factor], bool)] = &[
    ("one scalar", 300, &[(20, false)], false),
    ("one slope", 400, &[(25, true)], false),
    ("crossed scalars", 500, &[(30, false), (12, false)], false),
    ("crossed slopes", 900, &[(40, true), (15, true)], false),
    ("nested", 900, &[(120, false), (12, false)], true),
    (
        "nested sparse",
        4000,
        &[(1500, true), (300, true), (30, false)],
        true,
    ),
    (
        "three crossed",
        3000,
        &[(300, false), (150, true), (40, false)],
        false,
    ),
];

/// The design with a response of a family, its linear predictor a fifth of the Gaussian response.
pub fn generalised(family: &str, n: usize, factors: &[Factor], nested: bool, seed: u64) -> Design {
    let mut design = design(n, factors, nested, seed);
    let mut stream = Stream(seed + 1);
    let y = design.table.response.take();
    let mut draw = |i: usize| {
        let eta = 0.2 * y.as_ref().map_or(0.0, |y| y.get(i));
        let mut chance = || stream.next() + 0.5;
        match family {
            "binomial" => f64::from(u8::from(chance() < 1.0 / (1.0 + (0.5 - eta).exp()))),
            // Three exponential variables; and as many as fit into a unit of time.
            "gamma" => -eta.exp() / 3.0 * (0..3).map(|_| chance().max(1e-12).ln()).sum::<f64>(),
            _ => {
                let (mut count, mut left) = (0.0, eta.exp());
                loop {
                    left += chance().max(1e-12).ln();
                    if left < 0.0 {
                        break count;
                    }
                    count += 1.0;
                }
            }
        }
    };
    design.table.response = Some(Column::from((0..n).map(&mut draw).collect::<Vec<_>>()));
    design
}
