//! What the disk alone gives: one thread that appends and syncs, with nothing else around it. A broker that answers from
//! the disk is measured against it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use model::Clock;
use serde_json::{Value, json};

use crate::latency::Latencies;
use crate::schedule::{Arrival, Schedule};
use crate::window::with_arguments;

#[derive(Clone, Debug, Args)]
pub struct Disk {
    /// A folder of the disk.
    #[arg(long)]
    folder: PathBuf,
    /// Bytes of each append.
    #[arg(long, default_value_t = 1100)]
    bytes: usize,
    /// Appends per second, at most; what comes due while a sync takes its time goes with the next one, as in a broker.
    #[arg(long, default_value_t = 10_000.0)]
    rate: f64,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
}

impl Disk {
    pub fn run(&self, clock: &Clock) -> anyhow::Result<Value> {
        let path = self.folder.join(format!("kbench-{}.append", std::process::id()));
        let answer = self.append(&path, clock);
        fs::remove_file(&path)?;
        answer
    }

    fn append(&self, path: &PathBuf, clock: &Clock) -> anyhow::Result<Value> {
        let mut file = OpenOptions::new().create(true).append(true).open(path)?;
        let mut latencies = Latencies::new()?;
        let mut schedule = Schedule::new(self.rate, Arrival::Poisson, 1);
        let (started, mut syncs) = (clock.monotonic(), 0u64);
        let end = Duration::from_secs_f64(self.seconds);
        while schedule.due() < end {
            let now = clock.monotonic().saturating_sub(started);
            std::thread::sleep(schedule.due().saturating_sub(now));
            let begun = clock.monotonic().saturating_sub(started);
            let mut due = Vec::new();
            while schedule.due() <= begun {
                due.push(schedule.take());
            }
            file.write_all(&vec![b'k'; self.bytes * due.len()])?;
            file.sync_data()?;
            syncs += 1;
            let done = clock.monotonic().saturating_sub(started);
            for intended in due {
                latencies.answered(intended, begun, done);
            }
        }
        let arguments = json!({
            "what": "disk", "syncs_per_second": syncs as f64 / self.seconds, "void": [],
            "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
        });
        Ok(with_arguments(latencies.figures(), arguments))
    }
}
