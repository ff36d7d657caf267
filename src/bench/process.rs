//! What a process has cost, from `/proc`.

use std::fs;
use std::time::Duration;

use anyhow::Context as _;

/// Clock ticks per second of `/proc/PID/stat`: Linux shows users 100, whatever its own rate.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU time of all threads of a process so far, those that ended included.
pub fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
    // The name before the last parenthesis may hold anything; utime and stime are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

/// Its resident memory, in KiB.
pub fn memory_kib(pid: u32) -> anyhow::Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("no process {pid}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    line.trim().trim_end_matches(" kB").parse().context("VmRSS is no number")
}
