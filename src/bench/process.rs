//! What the broker, this process and the machine have cost so far: the broker's cgroup, or `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use model::Clock;
use serde_json::{Value, json};

use crate::Broker;

/// Clock ticks per second of `/proc/PID/stat`: Linux shows users 100, whatever its own rate.
const TICKS_PER_SECOND: f64 = 100.0;
/// More stolen time than this, in percent, and another guest of the host had a part in the figures.
const STEAL_PERCENT_MAX: f64 = 1.0;
/// Less than this, in seconds, is a few ticks: in a short run those are no share of anything.
const STEAL_FREE: f64 = 0.035;

/// CPU time of the broker so far, its ended threads included: to the nanosecond where it has a cgroup of its own, else
/// in ticks of 10 ms.
pub fn cpu(broker: &Broker) -> anyhow::Result<Duration> {
    match &broker.cgroup {
        Some(cgroup) => cgroup_cpu(cgroup),
        None => process_cpu(&broker.pid.to_string()),
    }
}

/// The accounts of cgroup v1 (`cpuacct.usage`, ns) and v2 (`cpu.stat`, us).
fn cgroup_cpu(cgroup: &Path) -> anyhow::Result<Duration> {
    if let Ok(usage) = fs::read_to_string(cgroup.join("cpuacct.usage")) {
        return Ok(Duration::from_nanos(usage.trim().parse().context("cpuacct.usage is no number")?));
    }
    let stat = fs::read_to_string(cgroup.join("cpu.stat"))
        .with_context(|| format!("{} has neither cpuacct.usage nor cpu.stat", cgroup.display()))?;
    let usage = stat.lines().find_map(|line| line.strip_prefix("usage_usec ")).context("no usage_usec")?;
    Ok(Duration::from_micros(usage.trim().parse().context("usage_usec is no number")?))
}

fn process_cpu(pid: &str) -> anyhow::Result<Duration> {
    let stat =
        fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
    // The name before the last parenthesis may hold anything; utime and stime are fields 14 and 15.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: f64 = fields.skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    Ok(Duration::from_secs_f64(ticks / TICKS_PER_SECOND))
}

/// A process's resident memory, in KiB.
pub fn memory_kib(pid: u32) -> anyhow::Result<u64> {
    status_kib(pid, "VmRSS:")
}

/// Resident memory in KiB, that of the process itself and that of files it has mapped apart.
pub fn memory(pid: u32) -> anyhow::Result<Value> {
    Ok(json!({
        "rss_kib": status_kib(pid, "VmRSS:")?,
        "rss_anonymous_kib": status_kib(pid, "RssAnon:")?,
        "rss_file_kib": status_kib(pid, "RssFile:")?,
        "rss_peak_kib": status_kib(pid, "VmHWM:")?,
    }))
}

/// How often threads of the process have waited for something so far.
pub fn wakeups(pid: u32) -> anyhow::Result<u64> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).with_context(|| format!("no process {pid}"))?;
    let mut wakeups = 0;
    for thread in threads {
        // One may end in between.
        let Ok(status) = fs::read_to_string(thread?.path().join("status")) else { continue };
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        wakeups += line.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(wakeups)
}

fn status_kib(pid: u32, field: &str) -> anyhow::Result<u64> {
    let status =
        fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("no process {pid}"))?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(field))
        .with_context(|| format!("process {pid} has no {field}"))?;
    line.trim().trim_end_matches(" kB").parse().with_context(|| format!("{field} is no number"))
}

/// Every account at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    at: Duration,
    broker: Duration,
    generator: Duration,
    machine: Duration,
    stolen: Duration,
}

/// What a span of time has cost.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Seconds on the clock.
    pub seconds: f64,
    /// CPU seconds of the broker.
    pub broker: f64,
    /// CPU seconds of this process.
    pub generator: f64,
    /// CPU seconds of everything else: writeback, the journal, interrupts, other programs.
    pub rest: f64,
    /// CPU seconds that the host gave to others.
    pub stolen: f64,
}

impl Usage {
    pub fn now(broker: &Broker, clock: &Clock) -> anyhow::Result<Self> {
        let (machine, stolen) = machine_cpu()?;
        let (broker, generator) = (cpu(broker)?, process_cpu("self")?);
        Ok(Self { at: clock.monotonic(), broker, generator, machine, stolen })
    }

    /// What has been spent since `earlier`.
    pub fn since(&self, earlier: &Self) -> Cost {
        let between = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64();
        let (broker, generator) =
            (between(self.broker, earlier.broker), between(self.generator, earlier.generator));
        let seconds = between(self.at, earlier.at);
        Cost {
            seconds,
            broker,
            generator,
            rest: (between(self.machine, earlier.machine) - broker - generator).max(0.0),
            stolen: between(self.stolen, earlier.stolen),
        }
    }
}

impl Cost {
    /// For the answer of a run.
    pub fn figures(&self) -> Value {
        let rounded = |seconds: f64| (seconds * 1e6).round() / 1e6;
        let cpus = std::thread::available_parallelism().map_or(1, usize::from);
        let steal_percent = self.stolen / (self.seconds * cpus as f64).max(1e-9) * 100.0;
        json!({
            "seconds": rounded(self.seconds), "broker_cpu_seconds": rounded(self.broker),
            "generator_cpu_seconds": rounded(self.generator), "rest_cpu_seconds": rounded(self.rest),
            "steal_percent": rounded(steal_percent),
            "stolen_from": steal_percent > STEAL_PERCENT_MAX && self.stolen > STEAL_FREE,
        })
    }
}

/// CPU time of the whole machine so far, and what the host took from it.
fn machine_cpu() -> anyhow::Result<(Duration, Duration)> {
    let stat = fs::read_to_string("/proc/stat").context("no /proc/stat")?;
    let line = stat.lines().next().unwrap_or_default();
    // user nice system idle iowait irq softirq steal; the guest times that follow are part of user.
    let ticks: Vec<f64> =
        line.split_whitespace().skip(1).take(8).filter_map(|field| field.parse().ok()).collect();
    let [user, nice, system, _idle, _iowait, irq, softirq, steal] = ticks.as_slice() else {
        anyhow::bail!("/proc/stat begins with {line:?}");
    };
    let busy = user + nice + system + irq + softirq;
    Ok((Duration::from_secs_f64(busy / TICKS_PER_SECOND), Duration::from_secs_f64(steal / TICKS_PER_SECOND)))
}
