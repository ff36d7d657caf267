//! `ottla consume`.

use std::collections::BTreeMap;
use std::time::Duration;

use client::Cluster;
use regex::Regex;
use serde_json::{Map, Value, json};
use tokio::signal::unix::{SignalKind, signal};

use crate::consumer::{Consumer, Reading, Received, Wanted};
use crate::kafka::{self, EARLIEST, LATEST, TopicPartition};
use crate::offset_plan;
use crate::options::{flag, value};
use crate::terminal::{Stop, Terminal};
use crate::time::Moment;

use super::names;
use super::place::Place;
use super::screen::{Tone, text_or_base64};
use super::verb::{Call, Completes, Failure, Noun, Verb, said, said_with, wait};

/// The noun.
pub const NOUN: Noun = Noun {
    name: "consume",
    about: "Reads topics, until ctrl-c.",
    has_default: true,
    verbs: &[Verb {
        name: "",
        operands: "TOPIC...",
        about: "Reads topics, until ctrl-c.",
        completes: Completes::Topics,
        options: &[
            value(&["offset", "o"], "place", "start, end, N, -N (the last N), or @TIME; start."),
            value(&["count", "n"], "n", "Stop after so many records."),
            flag(&["exit", "e"], "Stop at the end that there is now."),
            value(&["partition", "p"], "n", "Only this partition."),
            value(&["group", "g"], "id", "Read as a member of this group, which keeps the place."),
            flag(&["committed"], "No records of transactions that are open or were aborted."),
            flag(&["verbose", "v"], "Place, time, key and headers before each value."),
            value(&["format", "f"], "text", "%t %p %o %T %d %k %v %h %%, \\n \\t \\0; %v\\n."),
        ],
        run,
    }],
};

fn run(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    call.named("topic")?;
    let shown = Shown::of(call, terminal.looks.colour)?;
    let count_max: Option<u64> = call.number("count")?;
    let place =
        Place::parse(&call.value("offset").unwrap_or_else(|| "start".to_owned()), terminal.clock.wall_ms())?;
    let mut properties = call.properties()?;
    if let Some(group) = call.value("group") {
        properties.set("group.id", group);
    }
    if call.has("committed") {
        properties.set("isolation.level", "read_committed");
    }
    let group = properties.get("group.id").map(str::to_owned);
    let reset = match (place, &group) {
        (Place::End, _) => "latest",
        (Place::Start, _) | (_, None) => "earliest",
        (_, Some(_)) => {
            let hint = "`ottla groups reset` moves a group; -o may be start or end beside -g";
            return Err(said_with("a group begins where it was", hint));
        }
    };
    if group.is_some() && call.has("partition") {
        return Err(said("-g and -p are not for one command: a group shares the partitions out"));
    }
    properties.set("auto.offset.reset", reset);
    wait(async {
        let reading = Reading::of(&properties)?;
        let mut cluster = call.cluster()?;
        let partitions = partitions(&mut cluster, call).await?;
        let ends = if call.has("exit") {
            Some(at(&mut cluster, &partitions, LATEST, reading.isolation).await?)
        } else {
            None
        };
        let wanted = wanted(&mut cluster, call, place, group.is_some(), &partitions).await?;
        let consumer = Consumer::new(call.connect(&properties)?, wanted, reading);
        read(consumer, &shown, Until { count_max, ends }, terminal).await
    })
}

/// Every partition of the topics that the command line names, or the one.
async fn partitions(cluster: &mut Cluster, call: &Call) -> Result<Vec<TopicPartition>, Failure> {
    let topics = names::chosen_topics(cluster, call.operands(), false).await?;
    let all = kafka::leaders(cluster, &topics).await?.into_keys();
    let Some(only) = call.number::<i32>("partition")? else { return Ok(all.collect()) };
    let found: Vec<TopicPartition> = all.filter(|(_, partition)| *partition == only).collect();
    if found.len() < topics.len() {
        return Err(said(format!("there is no partition {only} of {}", topics.join(", "))));
    }
    Ok(found)
}

async fn at(
    cluster: &mut Cluster,
    partitions: &[TopicPartition],
    time: i64,
    isolation: i8,
) -> Result<BTreeMap<TopicPartition, i64>, Failure> {
    let wanted: Vec<(TopicPartition, i64)> = partitions.iter().map(|one| (one.clone(), time)).collect();
    let found = kafka::offsets(cluster, &wanted, isolation).await?;
    Ok(found.into_iter().filter_map(|(partition, result)| Some((partition, result.ok()?.offset))).collect())
}

async fn wanted(
    cluster: &mut Cluster,
    call: &Call,
    place: Place,
    is_member: bool,
    partitions: &[TopicPartition],
) -> Result<Wanted, Failure> {
    let offsets = match place {
        Place::Start | Place::End if !call.has("partition") => {
            let is_pattern = call.operands().iter().any(|name| names::is_pattern(name));
            if !is_pattern {
                return Ok(Wanted::Topics(call.operands().to_vec()));
            }
            // A pattern leaves internal topics out, those that are there now are named.
            if call.operands().iter().any(|name| name.starts_with("__")) {
                let mut topics: Vec<String> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
                topics.dedup();
                return Ok(Wanted::Topics(topics));
            }
            let each: Vec<String> = call.operands().iter().map(|name| names::expression(name)).collect();
            let pattern = Regex::new(&each.join("|")).map_err(|error| said(error.to_string()))?;
            return Ok(Wanted::Pattern(pattern));
        }
        Place::Start => at(cluster, partitions, EARLIEST, 0).await?,
        Place::End => at(cluster, partitions, LATEST, 0).await?,
        Place::Current => return Err(said("only a group has a current place")),
        Place::Time(ms) => offset_plan::at_time(cluster, partitions, ms).await?.0,
        Place::At(offset) => {
            let wanted = partitions.iter().map(|partition| (partition.clone(), offset)).collect();
            offset_plan::in_range(cluster, wanted).await?.0
        }
        Place::By(by) => {
            let ends = offset_plan::look_up(cluster, partitions, LATEST).await?;
            let wanted =
                ends.into_iter().map(|(partition, end)| (partition, end.saturating_add(by))).collect();
            offset_plan::in_range(cluster, wanted).await?.0
        }
    };
    debug_assert!(!is_member, "a group begins at its own place");
    Ok(Wanted::From(offsets))
}

/// When it is enough.
struct Until {
    count_max: Option<u64>,
    ends: Option<BTreeMap<TopicPartition, i64>>,
}

async fn read(
    mut consumer: Consumer,
    shown: &Shown,
    until: Until,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let no_signal = |error| said(format!("cannot listen for signals: {error}"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signal)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signal)?;
    let (mut count, mut status) = (0_u64, 0);
    let patience = until.ends.is_some().then_some(LOOK);
    let mut result: Result<(), Failure> = Ok(());
    while until.count_max.is_none_or(|max| count < max) {
        if !consumer.has_ready() {
            terminal.flush();
            if until.ends.as_ref().is_some_and(|ends| consumer.has_reached(ends)) {
                break;
            }
        }
        let next = tokio::select! {
            next = consumer.next(patience) => next,
            _ = interrupted.recv() => { status = INTERRUPTED; break }
            _ = terminated.recv() => { status = TERMINATED; break }
        };
        match next {
            Ok(Some(record)) => {
                count += 1;
                terminal.bytes(&shown.record(&record));
                if terminal.is_broken() {
                    break;
                }
            }
            Ok(None) => {}
            Err(trouble) => {
                result = Err(trouble.into());
                break;
            }
        }
    }
    terminal.flush();
    let closed = consumer.close().await;
    result?;
    closed?;
    if status == 0 { Ok(()) } else { Err(Stop::Status(status).into()) }
}

/// How a record is shown.
#[derive(Clone, Debug)]
enum Shown {
    Json,
    Verbose { has_colour: bool },
    Pieces(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(Vec<u8>),
    Topic,
    Partition,
    Offset,
    Timestamp,
    Date,
    Key,
    Value,
    Headers,
}

impl Shown {
    fn of(call: &Call, has_colour: bool) -> Result<Self, Failure> {
        let ways = ["json", "verbose", "format"].into_iter().filter(|way| call.has(way)).count();
        if ways > 1 {
            return Err(said("--json, -v and -f are three ways to show a record: choose one"));
        }
        if call.json() {
            return Ok(Self::Json);
        }
        if call.has("verbose") {
            return Ok(Self::Verbose { has_colour });
        }
        Ok(Self::Pieces(pieces(&call.value("format").unwrap_or_else(|| "%v\\n".to_owned()))?))
    }

    fn record(&self, record: &Received) -> Vec<u8> {
        match self {
            Self::Json => format!("{}\n", in_json(record)).into_bytes(),
            Self::Verbose { has_colour } => verbose(record, *has_colour),
            Self::Pieces(pieces) => {
                let mut line = Vec::new();
                for piece in pieces {
                    match piece {
                        Piece::Text(text) => line.extend_from_slice(text),
                        Piece::Topic => line.extend_from_slice(record.topic.as_bytes()),
                        Piece::Partition => line.extend(record.partition.to_string().into_bytes()),
                        Piece::Offset => line.extend(record.offset.to_string().into_bytes()),
                        Piece::Timestamp => line.extend(record.timestamp.to_string().into_bytes()),
                        Piece::Date => line.extend(date(record.timestamp).into_bytes()),
                        Piece::Key => line.extend_from_slice(record.key.as_deref().unwrap_or_default()),
                        Piece::Value => line.extend_from_slice(record.value.as_deref().unwrap_or_default()),
                        Piece::Headers => line.extend(headers(record)),
                    }
                }
                line
            }
        }
    }
}

fn pieces(format: &str) -> Result<Vec<Piece>, Failure> {
    let (mut pieces, mut text) = (Vec::new(), String::new());
    let mut letters = format.chars();
    while let Some(letter) = letters.next() {
        let piece = match (letter, if matches!(letter, '%' | '\\') { letters.next() } else { None }) {
            ('%', Some('t')) => Piece::Topic,
            ('%', Some('p')) => Piece::Partition,
            ('%', Some('o')) => Piece::Offset,
            ('%', Some('T')) => Piece::Timestamp,
            ('%', Some('d')) => Piece::Date,
            ('%', Some('k')) => Piece::Key,
            ('%', Some('v')) => Piece::Value,
            ('%', Some('h')) => Piece::Headers,
            (mark, behind) => {
                text.push(match (mark, behind) {
                    ('%', Some('%')) => '%',
                    ('\\', Some('n')) => '\n',
                    ('\\', Some('t')) => '\t',
                    ('\\', Some('r')) => '\r',
                    ('\\', Some('0')) => '\0',
                    ('\\', Some('\\')) => '\\',
                    (other, None) if !matches!(other, '%' | '\\') => other,
                    (mark, behind) => {
                        let written: String = [Some(mark), behind].into_iter().flatten().collect();
                        let hint = "there are %t %p %o %T %d %k %v %h %% and \\n \\t \\r \\0 \\\\";
                        return Err(said_with(format!("-f: '{written}' means nothing"), hint));
                    }
                });
                continue;
            }
        };
        if !text.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut text).into_bytes()));
        }
        pieces.push(piece);
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text.into_bytes()));
    }
    Ok(pieces)
}

/// `name=value,name=value`
fn headers(record: &Received) -> Vec<u8> {
    let each = record.headers.iter().map(|(name, value)| {
        let value = value.as_deref().unwrap_or_default();
        [name.as_ref(), b"=", value].concat()
    });
    each.collect::<Vec<_>>().join(&b","[..])
}

/// `2026-11-22T09:08:07.123Z`, or a dash.
fn date(ms: i64) -> String {
    if ms < 0 {
        return "-".to_owned();
    }
    let moment = Moment::of(ms);
    format!("{}T{}.{:03}Z", moment.date(), moment.time(), ms.rem_euclid(1000))
}

fn verbose(record: &Received, has_colour: bool) -> Vec<u8> {
    let place = format!("{}[{}]@{}", record.topic, record.partition, record.offset);
    let head = format!(
        "{} {}",
        Tone::Good.paint(&place, has_colour),
        Tone::Dim.paint(&date(record.timestamp), has_colour)
    );
    let mut line = head.into_bytes();
    if let Some(key) = &record.key {
        line.extend_from_slice(Tone::Strong.paint(" key=", has_colour).as_bytes());
        line.extend_from_slice(key);
    }
    if !record.headers.is_empty() {
        line.extend_from_slice(b" {");
        line.extend(headers(record));
        line.extend_from_slice(b"}");
    }
    line.push(b' ');
    match &record.value {
        Some(value) => line.extend_from_slice(value),
        None => line.extend_from_slice(Tone::Dim.paint("(no value)", has_colour).as_bytes()),
    }
    line.push(b'\n');
    line
}

fn in_json(record: &Received) -> Value {
    let mut object = Map::new();
    object.insert("topic".to_owned(), json!(record.topic));
    object.insert("partition".to_owned(), json!(record.partition));
    object.insert("offset".to_owned(), json!(record.offset));
    object.insert("timestamp".to_owned(), json!((record.timestamp >= 0).then_some(record.timestamp)));
    insert_bytes(&mut object, "key", record.key.as_deref());
    insert_bytes(&mut object, "value", record.value.as_deref());
    let headers = record.headers.iter().map(|(name, value)| {
        let mut header = Map::new();
        header.insert("name".to_owned(), json!(String::from_utf8_lossy(name)));
        insert_bytes(&mut header, "value", value.as_deref());
        Value::Object(header)
    });
    object.insert("headers".to_owned(), Value::from(headers.collect::<Vec<_>>()));
    Value::Object(object)
}

/// Bytes that are no text stand in a field that says so.
fn insert_bytes(object: &mut Map<String, Value>, name: &str, bytes: Option<&[u8]>) {
    match bytes.map(text_or_base64) {
        None => object.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => object.insert(name.to_owned(), json!(text)),
        Some(Err(base64)) => object.insert(format!("{name}Base64"), json!(base64)),
    };
}

/// How often it looks whether the end is reached.
const LOOK: Duration = Duration::from_millis(100);
/// What a shell sees of a process that a signal ended.
const INTERRUPTED: u8 = 128 + 2;
const TERMINATED: u8 = 128 + 15;

#[cfg(test)]
#[path = "consume_tests.rs"]
mod tests;
