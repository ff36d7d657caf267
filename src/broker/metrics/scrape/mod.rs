//! One answer to Prometheus: asks every part of the node what it knows, and writes that down in the order of the
//! [table](super::table).
//!
//! Nothing of it is kept, and nothing is asked while nobody listens. The logs' locks are taken one by one, for moments; the
//! coordinators' shards are looked at as ListGroups does.

mod coordinators;
mod disks;
mod node;
mod partitions;
mod served;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use config::resolved;
use parking_lot::Mutex;

use super::Metrics;
use super::exposition::Exposition;
use super::process::Process;
use super::requests::Served;
use super::table;
use coordinators::{Groups, Transactions};
use partitions::Topics;
use served::Threads;

/// Who answers Prometheus.
#[derive(Debug)]
pub struct Scraper {
    metrics: Arc<Metrics>,
    settings: resolved::Metrics,
    recent: Mutex<Recent>,
}

/// How long a coordinator may take to say what it has. Without an answer its metrics are not told.
const PATIENCE: Duration = Duration::from_secs(5);

impl Scraper {
    /// Tells of this node, as `settings` say.
    pub fn new(metrics: Arc<Metrics>, settings: resolved::Metrics) -> Self {
        Self { metrics, settings, recent: Mutex::default() }
    }

    /// What is counted on the way.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Everything there is to tell now. A node that does not serve yet, or no more, tells of its process alone.
    pub async fn answer(&self) -> String {
        let mut out = Exposition::new(self.settings.dialect, self.settings.series_max);
        if let Some(broker) = self.metrics.broker() {
            let topics = Topics::gather(&broker, self.settings.series_max);
            topics.write_traffic(&mut out);
            node::write(&mut out, &broker, &topics);
            topics.write_partitions(&mut out);
            self.write_served(&mut out, &broker);
            if let Some(groups) = Groups::gather(&broker, &out).await {
                groups.write(&mut out, &broker, &topics);
            }
            topics.write_exporter(&mut out, &broker);
            if let Some(transactions) = Transactions::gather(&broker).await {
                transactions.write(&mut out);
            }
            topics.write_open_transactions(&mut out);
            disks::write(&mut out, &broker);
        }
        self.write_process(&mut out);
        out.finish()
    }

    fn write_served(&self, out: &mut Exposition, broker: &crate::context::Broker) {
        let mut requests = BTreeMap::new();
        let threads = self.metrics.threads();
        for thread in &threads {
            thread.add_to(&mut requests);
        }
        let now = Moment { requests, threads: Threads::of(&threads) };
        let since = self.recent.lock().before(self.metrics.clock().monotonic(), &now);
        served::write(out, &now, &since);
        served::write_errors(out, &self.metrics.errors());
        served::write_threads(out, &threads, &now, &since);
        out.value(&table::FETCH_SESSIONS, broker.fetch_sessions.len());
        out.value(&table::FETCHED_BYTES, broker.fetch_memory.used());
    }

    fn write_process(&self, out: &mut Exposition) {
        let process = Process::read();
        out.value(&table::BROKER_STATE, self.metrics.stage() as u8);
        out.value(&table::DISK_READ, process.bytes_read.unwrap_or(0));
        out.value(&table::DISK_WRITTEN, process.bytes_written.unwrap_or(0));
        out.family(&table::BUILD_INFO).put(&[env!("CARGO_PKG_VERSION")], 1);
        out.value(&table::RESIDENT, process.resident_bytes.unwrap_or(0));
        out.value(&table::VIRTUAL, process.virtual_bytes.unwrap_or(0));
        out.value(&table::CPU_SECONDS, process.cpu_seconds.unwrap_or(0.0));
        out.value(&table::OPEN_FDS, process.open_files.unwrap_or(0));
        out.value(&table::MAX_FDS, process.open_files_max.unwrap_or(0));
        out.value(&table::THREADS, process.threads.unwrap_or(0));
        out.value(&table::START_TIME, self.metrics.started_ms() as f64 / 1e3);
    }
}

/// What the threads had done at one moment.
#[derive(Clone, Debug, Default)]
struct Moment {
    requests: BTreeMap<i16, Served>,
    threads: Threads,
}

/// Quantiles and shares are of what came lately: since the older of two moments, of which one is taken at the first answer
/// after five minutes. It is the same for all who ask.
#[derive(Debug, Default)]
struct Recent {
    older: Moment,
    newer: Option<(Duration, Moment)>,
}

const MOMENT_EVERY: Duration = Duration::from_mins(5);

impl Recent {
    fn before(&mut self, now: Duration, state: &Moment) -> Moment {
        match &mut self.newer {
            Some((taken, newer)) if now.saturating_sub(*taken) >= MOMENT_EVERY => {
                self.older = std::mem::replace(newer, state.clone());
                *taken = now;
            }
            Some(_) => {}
            // The first five minutes are told from the start.
            None => self.newer = Some((now, Moment::default())),
        }
        self.older.clone()
    }
}

#[cfg(test)]
#[path = "scrape_tests.rs"]
mod tests;
