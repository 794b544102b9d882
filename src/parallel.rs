//! The team of threads of one fit, and the flag that stops it.
//!
//! A team lives as long as the fit that made it: there is no global pool, so that a fit works after
//! `fork()`, from several threads at once, and leaves nothing running. Work is cut into tasks by the
//! *data*, never by the number of threads, and each task writes its own place; so results are the
//! same bits for any number of threads.

use crate::error::{Error, Result};
use rayon::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// More threads than this are of no use to a fit, and a slip of the pen (10⁶) would stall the machine.
const MOST: usize = 256;
/// Results held at a time while they are folded.
const ROUND: usize = 32;

/// The threads of one fit.
pub struct Team {
    pool: Option<rayon::ThreadPool>,
    stop: Arc<AtomicBool>,
}

impl Team {
    /// The calling thread alone.
    pub fn solo(stop: Arc<AtomicBool>) -> Self {
        Team { pool: None, stop }
    }

    /// `threads` workers, at most `MOST`; one, or a system that grants no threads, gives the calling
    /// thread alone.
    pub fn new(threads: usize, stop: Arc<AtomicBool>) -> Self {
        let threads = threads.min(MOST);
        let pool = (threads > 1)
            .then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build())
            .and_then(|built| built.ok());
        Team { pool, stop }
    }

    /// The calling thread alone, stopped by the same flag.
    pub fn alone(&self) -> Team {
        Team::solo(self.stop.clone())
    }

    /// Number of threads that share the work.
    pub fn threads(&self) -> usize {
        self.pool
            .as_ref()
            .map_or(1, rayon::ThreadPool::current_num_threads)
    }

    /// Run `f` on a thread of the team, so that the tasks inside start without a hand-over.
    pub fn run<T: Send>(&self, f: impl FnOnce() -> T + Send) -> T {
        match &self.pool {
            Some(pool) => pool.install(f),
            None => f(),
        }
    }

    /// Run `task(0..tasks)`; each must write only its own place. Once the flag is raised the tasks left
    /// are skipped: what they would have written is missing, and the caller's next `check` ends the fit.
    pub fn each(&self, tasks: usize, task: impl Fn(usize) + Sync) {
        let task = |k: usize| {
            if !self.stopped() {
                task(k);
            }
        };
        match &self.pool {
            Some(pool) if tasks > 1 => pool.install(|| {
                (0..tasks).into_par_iter().with_max_len(1).for_each(task);
            }),
            _ => (0..tasks).for_each(task),
        }
    }

    /// The results of `task(0..tasks)`, in order.
    pub fn map<T: Send>(&self, tasks: usize, task: impl Fn(usize) -> T + Sync) -> Vec<T> {
        match &self.pool {
            Some(pool) if tasks > 1 => pool.install(|| {
                (0..tasks)
                    .into_par_iter()
                    .with_max_len(1)
                    .map(&task)
                    .collect()
            }),
            _ => (0..tasks).map(task).collect(),
        }
    }

    /// Hand the results of `task(0..tasks)` to `take` in order; only a round of them is held at a time.
    pub fn fold<T: Send>(
        &self,
        tasks: usize,
        task: impl Fn(usize) -> T + Sync,
        mut take: impl FnMut(T),
    ) -> Result<()> {
        for first in (0..tasks).step_by(ROUND) {
            self.check()?;
            let parts = self.map(ROUND.min(tasks - first), |k| {
                (!self.stopped()).then(|| task(first + k))
            });
            parts.into_iter().flatten().for_each(&mut take);
        }
        self.check()
    }

    /// `Err(Interrupted)` once the caller has raised the flag.
    pub fn check(&self) -> Result<()> {
        if self.stopped() {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }

    /// `check` for the k-th round of a loop of short rounds: looks now and then.
    #[inline]
    pub fn check_every(&self, k: usize) -> Result<()> {
        if k.is_multiple_of(256) {
            self.check()
        } else {
            Ok(())
        }
    }

    /// Has the caller raised the flag?
    pub fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A buffer whose tasks write disjoint ranges.
pub struct Shared<'a> {
    start: *mut f64,
    len: usize,
    life: std::marker::PhantomData<&'a mut [f64]>,
}

// SAFETY: access goes through `range`, whose callers promise disjoint ranges.
unsafe impl Send for Shared<'_> {}
unsafe impl Sync for Shared<'_> {}

impl<'a> Shared<'a> {
    pub fn new(buffer: &'a mut [f64]) -> Self {
        Shared {
            start: buffer.as_mut_ptr(),
            len: buffer.len(),
            life: std::marker::PhantomData,
        }
    }

    /// The elements `from..from + len`.
    ///
    /// # Safety
    /// No two live ranges may overlap.
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn range(&self, from: usize, len: usize) -> &mut [f64] {
        assert!(from + len <= self.len, "range outside the buffer");
        std::slice::from_raw_parts_mut(self.start.add(from), len)
    }
}

/// Half-open range of task `task` when `total` items are cut into pieces of `size`.
pub fn piece(task: usize, size: usize, total: usize) -> std::ops::Range<usize> {
    (task * size).min(total)..((task + 1) * size).min(total)
}

/// Threads that this process may use: `MIXEDMODELS_NUM_THREADS`, else affinity and cgroup limits.
pub fn default_threads() -> usize {
    std::env::var("MIXEDMODELS_NUM_THREADS")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .filter(|&threads: &usize| threads > 0)
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from))
}
