//! The tools that measure: `kafka-producer-perf-test`, `kafka-consumer-perf-test` and `kafka-e2e-latency`.

mod consumer;
mod latency;
pub(crate) mod payloads;
pub(crate) mod producer;
pub(crate) mod stats;

pub(crate) use consumer::run as consume;
pub(crate) use latency::run as latency;
pub(crate) use producer::run as produce;

/// A number with so many decimals, as Java's `printf` writes it.
fn fixed(number: f64, decimals: usize) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else {
        format!("{number:.decimals$}")
    }
}
