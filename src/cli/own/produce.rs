//! `ottla produce`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::json;

use crate::kafka;
use crate::options::{flag, value};
use crate::producer::{Delivery, Outgoing, Producer, Sending};
use crate::properties::Properties;
use crate::stdin::{LineEnds, read_stdin};
use crate::terminal::{Stop, Terminal};
use crate::topic_admin::{self, NewTopic};

use super::names;
use super::screen::plural;
use super::verb::{Call, Completes, Failure, Noun, Verb, complain, said, said_with, wait};

/// The noun.
pub const NOUN: Noun = Noun {
    name: "produce",
    about: "Sends records: arguments, or the lines of standard input.",
    has_default: true,
    verbs: &[Verb {
        name: "",
        operands: "TOPIC [VALUE...]",
        about: "Sends records: arguments, or the lines of standard input.",
        completes: Completes::Topics,
        options: &[
            value(&["key", "k"], "key", "The key of every record."),
            value(&["key-separator", "K"], "text", "What parts key and value in a line."),
            value(&["header", "H"], "name=value", "A header of every record; may be repeated."),
            value(&["partition", "p"], "n", "The partition; by key, or any."),
            value(&["compression", "z"], "codec", "none, gzip, snappy, lz4 or zstd; none."),
            value(&["acks"], "acks", "all, 1 or 0; all."),
            flag(&["tombstone"], "A record without a value, for the key of -k."),
            flag(&["create"], "Make the topic where it is not there."),
        ],
        run,
    }],
};

/// What every record has.
#[derive(Clone, Debug)]
struct Shape {
    key: Option<Bytes>,
    separator: Option<String>,
    headers: Vec<(String, Option<Bytes>)>,
    partition: Option<i32>,
}

impl Shape {
    fn of(call: &Call) -> Result<Self, Failure> {
        let separator = call.value("key-separator").map(|text| text.replace("\\t", "\t"));
        if separator.as_ref().is_some_and(String::is_empty) {
            return Err(said("-K needs what stands between key and value"));
        }
        if separator.is_some() && call.has("key") {
            return Err(said("-k and -K are not for one command: the key is given, or found in the line"));
        }
        let headers = call.pairs("header")?.into_iter().map(|(name, value)| (name, Some(Bytes::from(value))));
        Ok(Self {
            key: call.value("key").map(Bytes::from),
            separator,
            headers: headers.collect(),
            partition: call.number("partition")?,
        })
    }

    /// The record of a line, or of an argument: its bytes as they are.
    fn record(&self, line: &[u8], tag: u64) -> Result<Outgoing, String> {
        let (key, value) = match &self.separator {
            Some(separator) => {
                let (key, value) = cut(line, separator.as_bytes())
                    .ok_or_else(|| format!("record {tag} has no '{separator}' behind a key"))?;
                (Some(Bytes::copy_from_slice(key)), value)
            }
            None => (self.key.clone(), line),
        };
        let value = Some(Bytes::copy_from_slice(value));
        let (headers, partition) = (self.headers.clone(), self.partition);
        Ok(Outgoing { key, value, headers, partition, timestamp: None, tag })
    }
}

/// What stands before and behind the first of these separators.
fn cut<'a>(line: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = line.windows(separator.len()).position(|window| window == separator)?;
    Some((line.get(..at)?, line.get(at + separator.len()..)?))
}

fn run(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    let (topic, values) = call.named("topic")?.split_first().ok_or_else(|| said("which topic?"))?;
    let shape = Shape::of(call)?;
    if call.has("tombstone") && (shape.key.is_none() || !values.is_empty()) {
        return Err(said("--tombstone needs -k, and no value"));
    }
    let mut properties = call.properties()?;
    for (option, key) in [("compression", "compression.type"), ("acks", "acks")] {
        if let Some(value) = call.value(option) {
            properties.set(key, value);
        }
    }
    properties.set_default("retries", RETRIES);
    wait(async {
        check_topic(call, topic, shape.partition, &properties).await?;
        let cluster = call.connect(&properties)?;
        let producer = Producer::new(cluster, topic, Sending::of(&properties)?, terminal.clock.clone());
        let mut sent = Sent { topic: topic.clone(), json: call.json(), ..Sent::default() };
        send(producer, call, &shape, values, &mut sent, terminal).await?;
        sent.end(terminal)
    })
}

/// A typing error must not make a topic.
async fn check_topic(
    call: &Call,
    topic: &str,
    partition: Option<i32>,
    properties: &Properties,
) -> Result<(), Failure> {
    let mut cluster = call.connect(properties)?;
    let topics = names::topics(&mut cluster, true).await?;
    if topics.iter().any(|name| name == topic) {
        let known = kafka::leaders(&mut cluster, &[topic.to_owned()]).await?;
        let unknown = partition.filter(|partition| !known.contains_key(&(topic.to_owned(), *partition)));
        return match unknown {
            Some(unknown) => Err(said(format!("topic '{topic}' has no partition {unknown}"))),
            None => Ok(()),
        };
    }
    if !call.has("create") {
        let Failure::Said(message, hint) = names::missing(topic, &topics, "topic") else { return Ok(()) };
        let make = "--create makes the topic";
        let hint = hint
            .filter(|hint| hint.contains("mean"))
            .map_or_else(|| make.to_owned(), |hint| format!("{hint} {make}"));
        return Err(said_with(message, hint));
    }
    let new = NewTopic { name: topic.to_owned(), ..NewTopic::default() };
    Ok(topic_admin::create(&mut cluster, &new).await?)
}

async fn send(
    mut producer: Producer,
    call: &Call,
    shape: &Shape,
    values: &[String],
    sent: &mut Sent,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    if call.has("tombstone") {
        let (key, headers, partition) = (shape.key.clone(), shape.headers.clone(), shape.partition);
        sent.count = 1;
        let record = Outgoing { key, headers, partition, tag: 1, ..Outgoing::default() };
        sent.take(producer.push(record).await, terminal);
    }
    for value in values {
        push(&mut producer, shape, value.as_bytes(), sent, terminal).await?;
    }
    if values.is_empty() && !call.has("tombstone") {
        if terminal.looks.answers {
            terminal.complain("A record for every line; ctrl-d ends.");
        }
        let mut lines = read_stdin(LineEnds::Newlines);
        loop {
            let next = match producer.due() {
                Some(due) => tokio::time::timeout_at(due, lines.recv()).await,
                None => Ok(lines.recv().await),
            };
            match next {
                Ok(Some(Err(error))) => {
                    sent.take(producer.flush().await, terminal);
                    return Err(said(format!("cannot read standard input: {error}")));
                }
                Ok(Some(Ok(chunk))) => {
                    for line in chunk {
                        push(&mut producer, shape, &line, sent, terminal).await?;
                    }
                }
                Ok(None) => break,
                Err(_lingered) => sent.take(producer.flush().await, terminal),
            }
        }
    }
    sent.take(producer.flush().await, terminal);
    Ok(())
}

async fn push(
    producer: &mut Producer,
    shape: &Shape,
    line: &[u8],
    sent: &mut Sent,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    sent.count += 1;
    match shape.record(line, sent.count) {
        Ok(record) => {
            sent.take(producer.push(record).await, terminal);
            Ok(())
        }
        Err(reason) => {
            sent.take(producer.flush().await, terminal);
            Err(said(reason))
        }
    }
}

/// What has become of the records.
#[derive(Clone, Debug, Default)]
struct Sent {
    topic: String,
    json: bool,
    count: u64,
    failed: u64,
    /// First offset, last offset and number of records, by partition.
    spans: BTreeMap<i32, (i64, i64, u64)>,
}

impl Sent {
    fn take(&mut self, deliveries: Vec<Delivery>, terminal: &mut Terminal) {
        for delivery in deliveries {
            let (record, topic) = (delivery.tag, &self.topic);
            match delivery.result {
                Ok((partition, offset)) => {
                    let span = self.spans.entry(partition).or_insert((offset, offset, 0));
                    *span = (span.0.min(offset), span.1.max(offset), span.2 + 1);
                    if self.json {
                        let offset = (offset >= 0).then_some(offset);
                        let told = json!({ "record": record, "topic": topic, "partition": partition, "offset": offset });
                        terminal.line(told.to_string());
                    }
                }
                Err(reason) => {
                    self.failed += 1;
                    if self.json {
                        terminal
                            .line(json!({ "record": record, "topic": topic, "error": reason }).to_string());
                    }
                    complain(&format!("record {record} was not sent: {reason}"), None, terminal);
                }
            }
        }
        let delivered: u64 = self.spans.values().map(|(_, _, count)| count).sum();
        if delivered > PROGRESS_FROM {
            terminal.progress(format!("{} sent", plural(delivered.cast_signed(), "record")));
        }
    }

    fn end(&self, terminal: &mut Terminal) -> Result<(), Failure> {
        terminal.progress("");
        if !self.json {
            terminal.complain(self.summary());
        }
        if self.failed > 0 { Err(Stop::Status(1).into()) } else { Ok(()) }
    }

    fn summary(&self) -> String {
        let delivered: u64 = self.spans.values().map(|(_, _, count)| count).sum();
        let places = self.spans.iter().map(|(partition, (first, last, _))| match (first, last) {
            (-1, _) => format!("partition {partition}"),
            (first, last) if first == last => format!("partition {partition} offset {first}"),
            (first, last) => format!("partition {partition} offsets {first} to {last}"),
        });
        let places: Vec<String> = places.collect();
        let more = places.len().saturating_sub(PLACES_MAX);
        let shown = places.into_iter().take(PLACES_MAX).collect::<Vec<_>>().join(", ");
        let mut text = format!("sent {} to {}", plural(delivered.cast_signed(), "record"), self.topic);
        if !shown.is_empty() {
            text.push_str(&format!(" ({shown}"));
            text.push_str(&if more > 0 { format!(" and {more} more)") } else { ")".to_owned() });
        }
        text
    }
}

/// More than these would only be seen by nobody.
const PLACES_MAX: usize = 8;
const PROGRESS_FROM: u64 = 10_000;
/// A person does not wait for ever.
const RETRIES: &str = "10";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_names_the_places() {
        let mut sent = Sent { topic: "orders".to_owned(), ..Sent::default() };
        assert_eq!(sent.summary(), "sent 0 records to orders");
        sent.spans = BTreeMap::from([(0, (7, 7, 1)), (2, (3, 9, 7))]);
        assert_eq!(
            sent.summary(),
            "sent 8 records to orders (partition 0 offset 7, partition 2 offsets 3 to 9)"
        );
    }

    #[test]
    fn a_line_may_have_its_key() {
        let mut shape =
            Shape { key: None, separator: Some(":".to_owned()), headers: Vec::new(), partition: Some(1) };
        let record = shape.record(b"a:b:c", 3).unwrap();
        assert_eq!((record.key.unwrap(), record.value.unwrap()), (Bytes::from("a"), Bytes::from("b:c")));
        assert_eq!((record.partition, record.tag), (Some(1), 3));
        assert_eq!(shape.record(b"abc", 4).unwrap_err(), "record 4 has no ':' behind a key");
        shape.separator = None;
        assert_eq!(shape.record(b"abc", 5).unwrap().key, None);
        let record = shape.record(b"\xff\0\xc3", 6).unwrap();
        assert_eq!(record.value.as_deref(), Some(&b"\xff\0\xc3"[..]), "bytes stay what they are");
    }
}
