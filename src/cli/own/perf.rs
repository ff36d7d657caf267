//! `ottla perf`: how fast records can be sent, and read.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::consumer::{Consumer, Reading, Wanted};
use crate::kafka::{self, EARLIEST, TopicPartition};
use crate::lag;
use crate::offset_plan;
use crate::options::value;
use crate::producer::{self, Pipeline, Producer, Sending};
use crate::terminal::{Stop, Terminal};
use crate::tools::perf::payloads::Payloads;
use crate::tools::perf::producer::{Plan, Told, send};
use crate::tools::perf::stats::Total;

use super::names;
use super::screen::{Tone, grouped};
use super::verb::{Call, Completes, Failure, Noun, Verb, complain, said, wait};

/// The noun.
pub const NOUN: Noun = Noun {
    name: "perf",
    about: "Measures how fast records can be sent and read.",
    has_default: false,
    verbs: &[
        Verb {
            name: "produce",
            operands: "TOPIC",
            about: "Sends records as fast as it goes, or at a rate.",
            completes: Completes::Topics,
            options: &[
                value(&["count", "n"], "n", "How many records; 1000000."),
                value(&["size", "s"], "bytes", "Size of a value; 100."),
                value(&["rate"], "n", "Records a second at most."),
                value(&["compression", "z"], "codec", "none, gzip, snappy, lz4 or zstd; none."),
                value(&["acks"], "acks", "all, 1 or 0; all."),
            ],
            run: produce,
        },
        Verb {
            name: "consume",
            operands: "TOPIC",
            about: "Reads from the first record on.",
            completes: Completes::Topics,
            options: &[
                value(&["count", "n"], "n", "Stop after so many records; at the end that there is now."),
                value(&["group", "g"], "id", "Read as a member of this group."),
            ],
            run: consume,
        },
    ],
};

fn topic(call: &Call) -> Result<&String, Failure> {
    match call.named("topic")? {
        [topic] if names::is_pattern(topic) => Err(said("one topic is measured, and not a pattern")),
        [topic] => Ok(topic),
        _ => Err(said("one topic is measured at a time")),
    }
}

fn produce(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    let topic = topic(call)?;
    let records: u64 = call.number("count")?.unwrap_or(RECORDS);
    let size: usize = call.number("size")?.unwrap_or(VALUE_BYTES);
    if i32::try_from(size).is_err() {
        return Err(said("-s: no record is that large"));
    }
    let per_second: f64 = call.number("rate")?.unwrap_or(-1.0);
    if records == 0 || size == 0 || per_second == 0.0 || per_second.is_nan() {
        return Err(said("-n, -s and --rate are more than nothing"));
    }
    let mut properties = call.properties()?;
    for (option, key) in [("compression", "compression.type"), ("acks", "acks")] {
        if let Some(value) = call.value(option) {
            properties.set(key, value);
        }
    }
    properties.set_default("retries", RETRIES);
    let mut failed = 0_u64;
    let mut total = None;
    wait(async {
        let mut cluster = call.connect(&properties)?;
        names::chosen_topics(&mut cluster, std::slice::from_ref(topic), false).await?;
        let producer = Producer::new(cluster, topic, Sending::of(&properties)?, terminal.clock.clone());
        let pipeline = Pipeline::new(producer, producer::Window::of(&properties));
        let plan = Plan { topic: topic.clone(), records, warmup: 0, per_second, interval_ms: INTERVAL_MS };
        let tell = |told: Told<'_>, terminal: &mut Terminal| match told {
            Told::Window(window) => terminal.progress(format!(
                "{:3.0} %  {} records/s  {:.1} MiB/s  {:.1} ms",
                100.0 * window.records_so_far as f64 / records as f64,
                grouped(window.per_second as i64),
                window.megabytes,
                window.latency_mean,
            )),
            Told::Failed(reason) => {
                failed += 1;
                if failed <= FAILURES_TOLD {
                    complain(&format!("a record was not sent: {reason}"), None, terminal);
                }
            }
            Told::Total(all) => total = Some(all),
        };
        Ok(send(pipeline, plan, Payloads::random(size), None, tell, terminal).await?)
    })?;
    terminal.progress("");
    let total = total.ok_or_else(|| said("nothing was measured"))?;
    if call.json() {
        terminal.line(produced_json(&total, failed).to_string());
    } else {
        terminal.text(produced_text(&total, failed, terminal.looks.colour));
    }
    if failed > 0 { Err(Stop::Status(1).into()) } else { Ok(()) }
}

fn produced_json(total: &Total, failed: u64) -> Value {
    let [p50, p95, p99, p999] = total.percentiles;
    json!({
        "records": total.records,
        "failed": failed,
        "bytes": total.bytes,
        "seconds": rounded(total.elapsed_ms as f64 / 1000.0),
        "recordsPerSecond": rounded(total.per_second),
        "mebibytesPerSecond": rounded(total.megabytes),
        "latencyMs": {
            "mean": rounded(total.latency_mean),
            "p50": p50,
            "p95": p95,
            "p99": p99,
            "p99.9": p999,
            "max": total.latency_max,
        },
    })
}

/// Three decimals are enough; what is no number is null.
fn rounded(number: f64) -> Option<f64> {
    number.is_finite().then(|| (number * 1000.0).round() / 1000.0)
}

fn produced_text(total: &Total, failed: u64, has_colour: bool) -> String {
    let [p50, p95, p99, p999] = total.percentiles;
    let mut rows = rates(total.records, total.elapsed_ms, total.per_second, total.megabytes);
    if failed > 0 {
        rows.push(("failed", grouped(failed.cast_signed())));
    }
    let mean = rounded(total.latency_mean).unwrap_or_default();
    rows.push(("latency", format!("mean {mean:.1} ms, max {} ms", total.latency_max)));
    rows.push(("", format!("p50 {p50}, p95 {p95}, p99 {p99}, p99.9 {p999} ms")));
    lines(&rows, has_colour)
}

fn rates(records: u64, elapsed_ms: i64, per_second: f64, megabytes: f64) -> Vec<(&'static str, String)> {
    let seconds = elapsed_ms as f64 / 1000.0;
    vec![
        ("records", format!("{} in {seconds:.2} s", grouped(records.cast_signed()))),
        ("rate", format!("{} records/s", grouped(rounded(per_second).unwrap_or_default() as i64))),
        ("throughput", format!("{:.2} MiB/s", rounded(megabytes).unwrap_or_default())),
    ]
}

fn lines(rows: &[(&str, String)], has_colour: bool) -> String {
    let line = |(name, value): &(&str, String)| {
        format!("{}  {value}\n", Tone::Dim.paint(&format!("{name:<10}"), has_colour))
    };
    rows.iter().map(line).collect()
}

/// What has been read.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    records: u64,
    bytes: u64,
    /// Milliseconds since the first record was there.
    elapsed_ms: i64,
}

impl Progress {
    /// Records and MiB a second.
    fn rates(self) -> (f64, f64) {
        let seconds = self.elapsed_ms.max(1) as f64 / 1000.0;
        (self.records as f64 / seconds, self.bytes as f64 / seconds / (1024.0 * 1024.0))
    }

    fn json(self) -> Value {
        let (per_second, megabytes) = self.rates();
        json!({
            "records": self.records,
            "bytes": self.bytes,
            "seconds": rounded(self.elapsed_ms as f64 / 1000.0),
            "recordsPerSecond": rounded(per_second),
            "mebibytesPerSecond": rounded(megabytes),
        })
    }

    fn text(self, has_colour: bool) -> String {
        let (per_second, megabytes) = self.rates();
        lines(&rates(self.records, self.elapsed_ms, per_second, megabytes), has_colour)
    }
}

fn consume(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    let topic = topic(call)?;
    let count_max: u64 = call.number("count")?.unwrap_or(u64::MAX);
    let mut properties = call.properties()?;
    properties.set_default("auto.offset.reset", "earliest");
    if let Some(group) = call.value("group") {
        properties.set("group.id", group);
    }
    let progress = wait(async {
        let mut cluster = call.connect(&properties)?;
        names::chosen_topics(&mut cluster, std::slice::from_ref(topic), false).await?;
        let partitions: Vec<TopicPartition> =
            kafka::leaders(&mut cluster, std::slice::from_ref(topic)).await?.into_keys().collect();
        let ends = lag::ends(&mut cluster, &partitions).await?;
        let starts = offset_plan::look_up(&mut cluster, &partitions, EARLIEST).await?;
        let there: i64 =
            ends.iter().map(|(one, end)| end - starts.get(one).copied().unwrap_or_default()).sum();
        let wanted = Wanted::Topics(vec![topic.clone()]);
        let consumer = Consumer::new(cluster, wanted, Reading::of(&properties)?);
        let count = count_max.min(u64::try_from(there).unwrap_or_default());
        read(consumer, count, &ends, terminal).await
    })?;
    terminal.progress("");
    if call.json() {
        terminal.line(progress.json().to_string());
    } else {
        terminal.text(progress.text(terminal.looks.colour));
    }
    Ok(())
}

async fn read(
    mut consumer: Consumer,
    count: u64,
    ends: &BTreeMap<TopicPartition, i64>,
    terminal: &mut Terminal,
) -> Result<Progress, Failure> {
    let mut progress = Progress::default();
    let mut begun_ms = terminal.clock.wall_ms();
    let mut told_ms = begun_ms;
    while progress.records < count {
        if !consumer.has_ready() && consumer.has_reached(ends) {
            break;
        }
        let polled = consumer.poll(Some(POLL), RECORDS_MAX).await?;
        let now_ms = terminal.clock.wall_ms();
        if progress.records == 0 && polled.is_empty() {
            // Joining a group is not reading.
            begun_ms = now_ms;
        }
        let wanted = usize::try_from(count - progress.records).unwrap_or(usize::MAX);
        for record in polled.iter().take(wanted) {
            let sizes =
                [&record.key, &record.value].map(|part| part.as_ref().map_or(0, |part| part.len() as u64));
            progress.records += 1;
            progress.bytes += sizes.iter().sum::<u64>();
        }
        progress.elapsed_ms = now_ms - begun_ms;
        if now_ms - told_ms >= INTERVAL_MS {
            told_ms = now_ms;
            let (per_second, megabytes) = progress.rates();
            terminal.progress(format!(
                "{:3.0} %  {} records/s  {megabytes:.1} MiB/s",
                100.0 * progress.records as f64 / count as f64,
                grouped(per_second as i64),
            ));
        }
    }
    consumer.close().await?;
    Ok(progress)
}

const RECORDS: u64 = 1_000_000;
const VALUE_BYTES: usize = 100;
/// How often progress is shown.
const INTERVAL_MS: i64 = 500;
const FAILURES_TOLD: u64 = 3;
const POLL: Duration = Duration::from_millis(100);
const RECORDS_MAX: usize = 500;
/// A person does not wait for ever.
const RETRIES: &str = "10";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_measured_is_told_to_the_letter() {
        let total = Total {
            is_steady: false,
            elapsed_ms: 2500,
            records: 1_000_000,
            bytes: 100_000_000,
            per_second: 400_000.0,
            megabytes: 38.146_97,
            latency_mean: 3.25,
            latency_max: 41,
            percentiles: [2, 9, 17, 40],
        };
        assert_eq!(
            produced_text(&total, 0, false),
            "records     1,000,000 in 2.50 s\nrate        400,000 records/s\nthroughput  38.15 MiB/s\n\
             latency     mean 3.2 ms, max 41 ms\n            p50 2, p95 9, p99 17, p99.9 40 ms\n"
        );
        assert_eq!(
            produced_json(&total, 2),
            json!({
                "records": 1_000_000, "failed": 2, "bytes": 100_000_000, "seconds": 2.5, "recordsPerSecond": 400_000.0,
                "mebibytesPerSecond": 38.147,
                "latencyMs": { "mean": 3.25, "p50": 2, "p95": 9, "p99": 17, "p99.9": 40, "max": 41 },
            })
        );
        let read = Progress { records: 10, bytes: 1 << 20, elapsed_ms: 500 };
        assert_eq!(
            read.text(false),
            "records     10 in 0.50 s\nrate        20 records/s\nthroughput  2.00 MiB/s\n"
        );
        assert_eq!(
            read.json().to_string(),
            r#"{"bytes":1048576,"mebibytesPerSecond":2.0,"records":10,"recordsPerSecond":20.0,"seconds":0.5}"#
        );
    }
}
