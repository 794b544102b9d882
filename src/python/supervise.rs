//! Run a job of the core with the GIL released and Python's signals still heard.
//!
//! A short job runs on the calling thread. A long one runs on a worker while the calling thread polls
//! for signals and passes progress to the callback; on Ctrl-C (or an exception in the callback) it
//! raises the stop flag and waits for the worker, so that nothing is left running.

use super::errors::from_panic;
use crate::error::Result;
use crate::outcome::Report;
use crate::parallel::Team;
use pyo3::prelude::*;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{channel, RecvTimeoutError};
use std::sync::Arc;
use std::time::Duration;

/// How often signals are looked at.
const POLL: Duration = Duration::from_millis(10);

/// How a job is to be run.
pub struct Manner {
    /// Threads; 1 does not rule out a worker thread.
    pub threads: usize,
    /// So short that signals may wait.
    pub short: bool,
    pub callback: Option<Py<PyAny>>,
}

enum Message {
    Progress(usize, f64, f64),
    Done,
}

/// Run `job` and return what it returns; panics become exceptions.
pub fn supervise<T: Send>(
    py: Python<'_>,
    manner: Manner,
    job: impl FnOnce(&Team, Report<'_>) -> Result<T> + Send,
) -> PyResult<T> {
    let stop = Arc::new(AtomicBool::new(false));
    let result = if manner.short && manner.callback.is_none() {
        py.detach(|| catch_unwind(AssertUnwindSafe(|| job(&Team::solo(stop), &|_, _, _| {}))))
    } else {
        py.detach(|| watch(manner, stop, job))?
    };
    match result {
        Ok(answer) => Ok(answer?),
        Err(payload) => Err(from_panic(payload.as_ref())),
    }
}

fn watch<T: Send>(
    manner: Manner,
    stop: Arc<AtomicBool>,
    job: impl FnOnce(&Team, Report<'_>) -> Result<T> + Send,
) -> PyResult<std::thread::Result<Result<T>>> {
    let (sender, receiver) = channel();
    let Manner {
        threads, callback, ..
    } = manner;
    std::thread::scope(|scope| {
        let flag = stop.clone();
        let worker = scope.spawn(move || {
            let progress = std::sync::Mutex::new(sender.clone());
            let report = |evaluations: usize, criterion: f64, decrement: f64| {
                if let Ok(sender) = progress.lock() {
                    let _ = sender.send(Message::Progress(evaluations, criterion, decrement));
                }
            };
            let result = catch_unwind(AssertUnwindSafe(|| {
                let team = Team::new(threads, flag);
                team.run(|| job(&team, &report))
                    .and_then(|answer| team.check().map(|()| answer))
            }));
            let _ = sender.send(Message::Done);
            result
        });
        let mut raised: Option<PyErr> = None;
        loop {
            let event = match receiver.recv_timeout(POLL) {
                Ok(Message::Done) | Err(RecvTimeoutError::Disconnected) => break,
                Ok(Message::Progress(evaluations, criterion, decrement)) => match &callback {
                    Some(callback) => Python::attach(|py| {
                        callback
                            .call1(py, (evaluations, criterion, decrement))
                            .map(drop)
                    }),
                    None => Ok(()),
                },
                Err(RecvTimeoutError::Timeout) => Python::attach(|py| py.check_signals()),
            };
            if let (Err(error), None) = (event, &raised) {
                stop.store(true, Ordering::Relaxed);
                raised = Some(error);
            }
        }
        let joined = worker.join();
        match raised {
            Some(error) => Err(error),
            None => Ok(joined.and_then(|inner| inner)),
        }
    })
}
