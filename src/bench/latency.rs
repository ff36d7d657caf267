//! Latency distributions that a stalled broker cannot hide from (coordinated omission): each answer is timed from the
//! moment its request was meant to leave. The usual figure, from the moment it did leave, stands beside it.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

/// Nanoseconds; three significant digits between them.
const LOWEST: u64 = 1_000;
const HIGHEST: u64 = 60_000_000_000;
const DIGITS: u8 = 3;

/// A percentile is void when this share of it can be the generator's own lateness.
const LATENESS_SHARE_MAX: f64 = 0.2;
/// Below this, lateness is a wake-up's worth and hides nothing.
const LATENESS_FREE: Duration = Duration::from_micros(5);

/// What is reported, with its quantile.
const PERCENTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999)];

/// The distributions of one run.
#[derive(Debug)]
pub struct Latencies {
    /// From the intended send to the answer.
    corrected: Histogram<u64>,
    /// From the send to the answer.
    uncorrected: Histogram<u64>,
    /// From the intended send to when the generator came to it.
    lateness: Histogram<u64>,
}

impl Latencies {
    pub fn new() -> anyhow::Result<Self> {
        let empty = Histogram::new_with_bounds(LOWEST, HIGHEST, DIGITS)?;
        Ok(Self { corrected: empty.clone(), uncorrected: empty.clone(), lateness: empty })
    }

    /// An answer has come.
    pub fn answered(&mut self, intended: Duration, sent: Duration, now: Duration) {
        self.corrected.saturating_record(nanos(now.saturating_sub(intended)));
        self.uncorrected.saturating_record(nanos(now.saturating_sub(sent)));
    }

    /// Nothing was sent before the run ended at `now`: the answer would have come later than that.
    pub fn never_sent(&mut self, intended: Duration, now: Duration) {
        self.corrected.saturating_record(nanos(now.saturating_sub(intended)));
    }

    /// The generator has come to a send that was due.
    pub fn noticed(&mut self, intended: Duration, now: Duration) {
        self.lateness.saturating_record(nanos(now.saturating_sub(intended)));
    }

    pub fn count(&self) -> u64 {
        self.corrected.len()
    }

    /// Names of the percentiles whose value is in good part the generator's own.
    pub fn void(&self) -> Vec<String> {
        self.void_of(self)
    }

    /// The same of what was measured elsewhere and sent from here.
    pub fn void_of(&self, measured: &Self) -> Vec<String> {
        let is_void = |quantile: f64| {
            let late = self.lateness.value_at_quantile(quantile);
            late > nanos(LATENESS_FREE)
                && late as f64 > LATENESS_SHARE_MAX * measured.corrected.value_at_quantile(quantile) as f64
        };
        let void = PERCENTILES.iter().filter(|(_, quantile)| is_void(*quantile));
        void.map(|(name, _)| format!("{name}_ms")).collect()
    }

    /// Percentiles in milliseconds at the top, those without correction and those of the lateness below.
    pub fn figures(&self) -> Value {
        let mut figures = percentiles(&self.corrected);
        figures["latency_samples"] = json!(self.count());
        figures["uncorrected"] = percentiles(&self.uncorrected);
        figures["lateness"] = percentiles(&self.lateness);
        figures
    }
}

fn percentiles(histogram: &Histogram<u64>) -> Value {
    let ms = |nanos: u64| (nanos as f64 / 1e3).round() / 1e3;
    let mut figures: serde_json::Map<String, Value> = PERCENTILES
        .iter()
        .map(|(name, quantile)| (format!("{name}_ms"), json!(ms(histogram.value_at_quantile(*quantile)))))
        .collect();
    figures.insert("max_ms".to_owned(), json!(ms(histogram.max())));
    figures.insert("mean_ms".to_owned(), json!((histogram.mean() / 1e3).round() / 1e3));
    Value::Object(figures)
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// One request a millisecond, one at a time, each answered in 0.1 ms; the broker stalls once for 500 ms.
    fn stalled() -> Latencies {
        let mut latencies = Latencies::new().unwrap();
        let mut free_at = Duration::ZERO;
        for number in 0..10_000u32 {
            let intended = MS * number;
            let sent = intended.max(free_at);
            let took = if number == 5_000 { MS * 500 } else { MS / 10 };
            free_at = sent + took;
            latencies.noticed(intended, intended);
            latencies.answered(intended, sent, free_at);
        }
        latencies
    }

    #[test]
    fn a_stall_is_seen_by_everyone_who_was_meant_to_send() {
        let figures = stalled().figures();
        let (with, without) =
            (figures["p99_ms"].as_f64().unwrap(), figures["uncorrected"]["p99_ms"].as_f64().unwrap());
        assert!((400.0..=500.0).contains(&with), "corrected p99 {with}");
        assert!((0.09..=0.11).contains(&without), "uncorrected p99 {without}: one slow answer of 10,000");
        assert_eq!(figures["p50_ms"], figures["uncorrected"]["p50_ms"]);
        assert!(figures["max_ms"].as_f64().unwrap() >= 499.0);
        assert_eq!(figures["latency_samples"], 10_000);
    }

    #[test]
    fn a_stall_of_the_broker_does_not_void_the_run() {
        assert_eq!(stalled().void(), Vec::<String>::new());
    }

    #[test]
    fn a_percentile_that_is_the_generators_own_lateness_is_void() {
        let mut latencies = Latencies::new().unwrap();
        for number in 0..1000u32 {
            let late = if number % 50 == 0 { MS } else { MS / 1000 };
            latencies.noticed(Duration::ZERO, late);
            latencies.answered(Duration::ZERO, late, late + MS / 5);
        }
        assert_eq!(latencies.void(), ["p99_ms", "p999_ms", "p9999_ms"]);
    }

    #[test]
    fn what_was_never_sent_is_not_left_out() {
        let mut latencies = Latencies::new().unwrap();
        for number in 0..100 {
            latencies.answered(MS * number, MS * number, MS * (number + 1));
        }
        for number in 100..200 {
            latencies.never_sent(MS * number, MS * 1000);
        }
        let figures = latencies.figures();
        assert!(figures["p90_ms"].as_f64().unwrap() > 800.0);
        assert!(figures["uncorrected"]["max_ms"].as_f64().unwrap() < 1.1);
    }

    #[test]
    fn what_is_out_of_bounds_is_counted_at_the_bound() {
        let mut latencies = Latencies::new().unwrap();
        latencies.answered(Duration::ZERO, Duration::ZERO, Duration::from_secs(1000));
        latencies.answered(MS, MS, Duration::ZERO);
        assert_eq!(latencies.count(), 2);
        assert!(latencies.figures()["max_ms"].as_f64().unwrap() >= 60_000.0);
    }
}
