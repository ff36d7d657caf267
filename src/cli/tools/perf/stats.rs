//! What `kafka-producer-perf-test` tells of the records that were sent.

use super::fixed;

/// Counts and latencies since a moment, and since the last report.
#[derive(Debug)]
pub(super) struct Stats {
    is_steady: bool,
    is_silent: bool,
    begun_ms: i64,
    interval_ms: i64,
    sampling: u64,
    latencies: Vec<i32>,
    whole: Count,
    window: Count,
    window_begun_ms: i64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    records: u64,
    bytes: u64,
    latency_max: i32,
    latency_sum: i64,
}

impl Count {
    fn add(&mut self, latency: i32, bytes: usize) {
        self.records += 1;
        self.bytes += bytes as u64;
        self.latency_max = self.latency_max.max(latency);
        self.latency_sum += i64::from(latency);
    }

    /// Records and MiB a second.
    fn rates(&self, elapsed_ms: i64) -> (f64, f64) {
        let per_second = |amount: u64| 1000.0 * amount as f64 / elapsed_ms as f64;
        (per_second(self.records), per_second(self.bytes) / (1024.0 * 1024.0))
    }

    fn mean(&self) -> f64 {
        self.latency_sum as f64 / self.records as f64
    }
}

impl Stats {
    pub(super) fn new(records: u64, interval_ms: i64, now_ms: i64, is_steady: bool) -> Self {
        Self {
            is_steady,
            is_silent: false,
            begun_ms: now_ms,
            interval_ms,
            sampling: (records / records.clamp(1, SAMPLES_MAX)).max(1),
            latencies: Vec::new(),
            whole: Count::default(),
            window: Count::default(),
            window_begun_ms: now_ms,
        }
    }

    /// Ends the reports in between: another takes over.
    pub(super) fn silence(&mut self) {
        self.is_silent = true;
    }

    /// Counts a record; what there is to report.
    pub(super) fn record(&mut self, latency: i32, bytes: usize, now_ms: i64) -> Option<String> {
        if self.whole.records.is_multiple_of(self.sampling) {
            self.latencies.push(latency);
        }
        self.whole.add(latency, bytes);
        self.window.add(latency, bytes);
        let elapsed_ms = now_ms - self.window_begun_ms;
        if elapsed_ms < self.interval_ms {
            return None;
        }
        let (records, megabytes) = self.window.rates(elapsed_ms);
        let is_first = self.is_steady && self.whole.records == self.window.records;
        let report = format!(
            "{}{} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency.",
            if is_first { "In steady state.\n" } else { "" },
            self.window.records,
            fixed(records, 1),
            fixed(megabytes, 2),
            fixed(self.window.mean(), 1),
            fixed(f64::from(self.window.latency_max), 1)
        );
        self.window = Count::default();
        self.window_begun_ms = now_ms;
        Some(report).filter(|_| !self.is_silent)
    }

    /// The last line.
    pub(super) fn total(&mut self, now_ms: i64) -> String {
        let (records, megabytes) = self.whole.rates(now_ms - self.begun_ms);
        self.latencies.sort_unstable();
        let percentile = |share: f64| {
            let at = (share * self.latencies.len() as f64) as usize;
            self.latencies.get(at).copied().unwrap_or_default()
        };
        format!(
            "{}{} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency, {} ms 50th, {} ms \
             95th, {} ms 99th, {} ms 99.9th.",
            self.whole.records,
            if self.is_steady { " steady state" } else { "" },
            fixed(records, 6),
            fixed(megabytes, 2),
            fixed(self.whole.mean(), 2),
            fixed(f64::from(self.whole.latency_max), 2),
            percentile(0.5),
            percentile(0.95),
            percentile(0.99),
            percentile(0.999)
        )
    }
}

/// Latencies that are kept at most.
const SAMPLES_MAX: u64 = 500_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_javas() {
        let mut stats = Stats::new(4, 5000, 0, false);
        assert_eq!(stats.record(1, 1 << 20, 100), None);
        let report = stats.record(3, 1 << 20, 5000).unwrap();
        assert_eq!(
            report,
            "2 records sent, 0.4 records/sec (0.40 MB/sec), 2.0 ms avg latency, 3.0 ms max latency."
        );
        assert_eq!(
            stats.total(10_000),
            "2 records sent, 0.200000 records/sec (0.20 MB/sec), 2.00 ms avg latency, 3.00 ms max latency, 3 ms 50th, \
             3 ms 95th, 3 ms 99th, 3 ms 99.9th."
        );
        assert!(Stats::new(1, 1, 0, true).total(0).contains("0 steady state records sent, NaN records/sec"));
    }
}
