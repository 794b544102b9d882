//! How much memory this process may still take, so that a fit that cannot succeed says so beforehand.

use crate::error::{Error, Result};

/// Share of the free memory that a fit may plan with.
const SHARE: f64 = 0.9;

/// Bytes available, or None where the system does not tell.
pub fn available() -> Option<u64> {
    let limits = [from_environment(), machine(), control_group()];
    let least = limits.into_iter().flatten().min()?;
    Some((least as f64 * SHARE) as u64)
}

/// An error if `needed` bytes for `what` are more than there are.
pub fn require(needed: f64, what: impl FnOnce() -> String) -> Result<()> {
    match available() {
        Some(available) if needed > available as f64 => Err(Error::Memory {
            what: what(),
            needed: needed as u64,
            available,
        }),
        _ => Ok(()),
    }
}

/// `MIXEDMODELS_MAX_MEMORY` (bytes): a limit of the user's own.
fn from_environment() -> Option<u64> {
    std::env::var("MIXEDMODELS_MAX_MEMORY")
        .ok()?
        .trim()
        .parse()
        .ok()
}

fn machine() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text
        .lines()
        .find(|line| line.starts_with("MemAvailable:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn control_group() -> Option<u64> {
    let number =
        |path: &str| -> Option<u64> { std::fs::read_to_string(path).ok()?.trim().parse().ok() };
    let limit = number("/sys/fs/cgroup/memory.max")?;
    let used = number("/sys/fs/cgroup/memory.current")?;
    Some(limit.saturating_sub(used))
}
