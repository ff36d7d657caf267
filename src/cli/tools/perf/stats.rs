//! What `kafka-producer-perf-test` tells of the records that were sent.

use super::fixed;

/// Counts and latencies since a moment, and since the last report.
#[derive(Debug)]
pub(crate) struct Stats {
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
    pub(crate) fn new(records: u64, interval_ms: i64, now_ms: i64, is_steady: bool) -> Self {
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
    pub(crate) fn silence(&mut self) {
        self.is_silent = true;
    }

    /// Counts a record; what there is to report of the records since the last report.
    pub(crate) fn record(&mut self, latency: i32, bytes: usize, now_ms: i64) -> Option<Window> {
        if self.whole.records.is_multiple_of(self.sampling) {
            self.latencies.push(latency);
        }
        self.whole.add(latency, bytes);
        self.window.add(latency, bytes);
        let elapsed_ms = now_ms - self.window_begun_ms;
        if elapsed_ms < self.interval_ms {
            return None;
        }
        let (per_second, megabytes) = self.window.rates(elapsed_ms);
        let report = Window {
            is_first_steady: self.is_steady && self.whole.records == self.window.records,
            records: self.window.records,
            records_so_far: self.whole.records,
            per_second,
            megabytes,
            latency_mean: self.window.mean(),
            latency_max: self.window.latency_max,
        };
        self.window = Count::default();
        self.window_begun_ms = now_ms;
        Some(report).filter(|_| !self.is_silent)
    }

    /// What there is to say in the end.
    pub(crate) fn total(&mut self, now_ms: i64) -> Total {
        let elapsed_ms = now_ms - self.begun_ms;
        let (per_second, megabytes) = self.whole.rates(elapsed_ms);
        self.latencies.sort_unstable();
        let percentile = |share: f64| {
            let at = (share * self.latencies.len() as f64) as usize;
            self.latencies.get(at).copied().unwrap_or_default()
        };
        Total {
            is_steady: self.is_steady,
            elapsed_ms,
            records: self.whole.records,
            bytes: self.whole.bytes,
            per_second,
            megabytes,
            latency_mean: self.whole.mean(),
            latency_max: self.whole.latency_max,
            percentiles: [0.5, 0.95, 0.99, 0.999].map(percentile),
        }
    }
}

/// The records since the last report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) is_first_steady: bool,
    pub(crate) records: u64,
    /// All records, those before included.
    pub(crate) records_so_far: u64,
    pub(crate) per_second: f64,
    /// MiB a second.
    pub(crate) megabytes: f64,
    /// Milliseconds, as all latencies.
    pub(crate) latency_mean: f64,
    pub(crate) latency_max: i32,
}

/// All records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Total {
    pub(crate) is_steady: bool,
    pub(crate) elapsed_ms: i64,
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) per_second: f64,
    /// MiB a second.
    pub(crate) megabytes: f64,
    /// Milliseconds, as all latencies.
    pub(crate) latency_mean: f64,
    pub(crate) latency_max: i32,
    /// 50th, 95th, 99th and 99.9th.
    pub(crate) percentiles: [i32; 4],
}

impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{}{} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency.",
            if self.is_first_steady { "In steady state.\n" } else { "" },
            self.records,
            fixed(self.per_second, 1),
            fixed(self.megabytes, 2),
            fixed(self.latency_mean, 1),
            fixed(f64::from(self.latency_max), 1)
        )
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [half, most, nearly_all, all_but_one] = self.percentiles;
        write!(
            f,
            "{}{} records sent, {} records/sec ({} MB/sec), {} ms avg latency, {} ms max latency, {half} ms 50th, {most} \
             ms 95th, {nearly_all} ms 99th, {all_but_one} ms 99.9th.",
            self.records,
            if self.is_steady { " steady state" } else { "" },
            fixed(self.per_second, 6),
            fixed(self.megabytes, 2),
            fixed(self.latency_mean, 2),
            fixed(f64::from(self.latency_max), 2)
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
        assert!(stats.record(1, 1 << 20, 100).is_none());
        let report = stats.record(3, 1 << 20, 5000).unwrap();
        assert_eq!(
            report.to_string(),
            "2 records sent, 0.4 records/sec (0.40 MB/sec), 2.0 ms avg latency, 3.0 ms max latency."
        );
        assert_eq!(
            stats.total(10_000).to_string(),
            "2 records sent, 0.200000 records/sec (0.20 MB/sec), 2.00 ms avg latency, 3.00 ms max latency, 3 ms 50th, \
             3 ms 95th, 3 ms 99th, 3 ms 99.9th."
        );
        assert!(
            Stats::new(1, 1, 0, true)
                .total(0)
                .to_string()
                .contains("0 steady state records sent, NaN records/sec")
        );
    }
}
