//! The tools that measure: `kafka-producer-perf-test`, `kafka-consumer-perf-test` and `kafka-e2e-latency`.

mod consumer;
mod latency;
mod payloads;
mod producer;
mod stats;

pub(crate) use consumer::run as consumer;
pub(crate) use latency::run as latency;
pub(crate) use producer::run as producer;

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
